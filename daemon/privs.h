/* SPDX-License-Identifier: MIT */
/*
 * privs.h - giving up privilege, in three stages
 *
 *     main()
 *       privs_begin()		no new privileges from here on; umask
 *       sdnotify, keeper, configuration, topology, registers, BPF, sockets
 *       privs_limit()		capabilities: only those still needed
 *       privs_filter()		system calls: those foreign to the daemon fail
 *       the loop
 *
 * A daemon that was started without privilege runs through the same stages;
 * what it never had it need not give up, and nothing fails for that.
 *
 * One thread, before others exist, but privs_filter() covers all threads.
 */
#ifndef DAEMON_PRIVS_H
#define DAEMON_PRIVS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRIVS_TEXT	256u

/* Capabilities, as a mask of 1 << CAP_x of <linux/capability.h>. */
#define PRIVS_CAP_CHOWN		(UINT64_C(1) << 0)
#define PRIVS_CAP_SETGID	(UINT64_C(1) << 6)
#define PRIVS_CAP_SETUID	(UINT64_C(1) << 7)
#define PRIVS_CAP_SYS_RAWIO	(UINT64_C(1) << 17)
#define PRIVS_CAP_SYS_NICE	(UINT64_C(1) << 23)
#define PRIVS_CAP_PERFMON	(UINT64_C(1) << 38)
#define PRIVS_CAP_BPF		(UINT64_C(1) << 39)

/* Pinning ranks and vCPU threads of other users; sockets' groups (reload). */
#define PRIVS_KEEP	(PRIVS_CAP_SYS_NICE | PRIVS_CAP_CHOWN)

/* For privs_filter(). */
enum privs_allow {
	PRIVS_ALLOW_EXEC	= 0x1,	/* the daemon starts programs */
	PRIVS_ALLOW_BPF		= 0x2,	/* ranks are marked while it runs */
};

/**
 * privs_begin() - Stage 1, before anything else
 *
 * no_new_privs, umask 0077, and ambient capabilities cleared, so that no child
 * inherits them.
 *
 * Return: 0, or -errno with a sentence in @why
 */
int privs_begin(char why[PRIVS_TEXT]);

/**
 * privs_limit() - Stage 2, when everything privileged is open
 * @keep:	Capabilities that may stay; those we do not have do not matter
 *
 * Lowers the bounding set, the permitted and the effective set; clears the
 * inheritable one.
 *
 * Return: 0, or -errno with a sentence in @why
 */
int privs_limit(uint64_t keep, char why[PRIVS_TEXT]);

/**
 * privs_filter() - Stage 3, right before the loop: seccomp
 * @allow:	enum privs_allow
 *
 * Denied calls return EPERM; calls of a foreign ABI end the process.
 *
 * Return: 0 on success, negative error code otherwise, @why says more
 *	-ENOTSUP  no seccomp here, or this is a program of 32 bits
 *	-errno	  of seccomp(2)
 */
int privs_filter(unsigned int allow, char why[PRIVS_TEXT]);

/**
 * privs_arch() - What the kernel calls an ABI, seen from a program's ELF header
 * @ident:	e_ident, EI_NIDENT bytes
 * @machine:	e_machine
 *
 * Return: AUDIT_ARCH_..., 0 for programs of 32 bits
 *
 * Source: linux/audit.h makes the names so; n32 of MIPS, which has a mark of
 * its own, is a program of 32 bits.
 */
uint32_t privs_arch(const unsigned char *ident, uint16_t machine);

/* System calls that our filter denies; 0: it is not in force. */
unsigned int privs_filter_size(void);

/** struct privs_report - What is in force, as the kernel tells it */
struct privs_report {
	uint32_t uid;			/* effective */
	uint64_t permitted;		/* capability masks */
	uint64_t effective;
	uint64_t bounding;
	bool no_new_privs;
	int seccomp;			/* 0 off, 2 filter, -1 unknown */
	unsigned int denied;		/* system calls in the filter's list */
	char text[PRIVS_TEXT];		/* one line, for people */
};

void privs_report(struct privs_report *out);

/* "sys_nice,bpf" of a mask; "none", or numbers for unknown ones. */
const char *privs_caps(uint64_t mask, char *buf, size_t len);

#endif
