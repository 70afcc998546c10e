/* SPDX-License-Identifier: MIT */
/*
 * guest_rules.h - what the host may start in this VM, and as whom
 */
#ifndef DAEMON_GUEST_RULES_H
#define DAEMON_GUEST_RULES_H

#include <stdint.h>
#include <sys/types.h>

#include "daemon/conf.h"

#define GUEST_RULES_TEXT	256u
#define GUEST_RULES_GROUPS	64
#define GUEST_RULES_LIST	64u	/* programs; and as many variables */

/** struct guest_rules - guest.run of the configuration, names looked up */
struct guest_rules {
	uid_t uid;			/* never 0 */
	gid_t gid;
	gid_t group[GUEST_RULES_GROUPS];
	int groups;
	uint32_t processes;		/* at a time */
	uint32_t nofile;
	uint32_t nice;
	uint64_t as_bytes;		/* 0: no limit */
	const char *home;		/* where they start: "/" or the home */
	const char *socket;		/* for SNOO_SOCKET */
	uint32_t programs;		/* 0: nothing may be started */
	uint32_t envs;
	const char *program[GUEST_RULES_LIST];
	const char *env[GUEST_RULES_LIST];	/* NAME or NAME=VALUE */
	char *text;			/* what the pointers point into */
};

/**
 * guest_rules_make() - From the configuration, with the help of name services
 * @why:	On failure a sentence
 *
 * No programs is no failure: then nothing may be started.
 *
 * Return: 0 on success, negative error code otherwise; @r is empty then
 *	-ENOENT	 guest.run.user does not exist
 *	-EPERM	 it is root, or we are not that user and can't become it
 *	-E2BIG, -ENOMEM
 */
int guest_rules_make(struct guest_rules *r, const struct conf *conf,
		     char why[GUEST_RULES_TEXT]);
void guest_rules_fini(struct guest_rules *r);

#endif /* DAEMON_GUEST_RULES_H */
