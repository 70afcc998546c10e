/* SPDX-License-Identifier: MIT */
/*
 * privs_filter.c - system calls that a daemon of ours never makes
 *
 * A list of what is denied, not of what is allowed.  An allow-list would have
 * to name every call of every libuv, jansson, hwloc, NSS module and libc that
 * this program will ever be linked with, on four processors; the day one of
 * them learns a new call (clone3, rseq, openat2 were such), the daemon dies in
 * the field, and its domains with it.  What is denied here is what takes over
 * a machine or another process: debugging, mounting, modules, BPF, other
 * namespaces, new programs, clocks, keys, io_uring (which goes around any
 * filter).  Denied calls return EPERM, so that a library that merely tries
 * one goes on.
 *
 * A call by another ABI of the same processor (i386 or x32 under x86-64, o32
 * and n32 under mips64) would have other numbers: it ends the process.  Which
 * ABI is ours is in the header of this very program, and the kernel's name for
 * it is made of the same numbers: no list of processors is needed.
 */

#include "daemon/privs.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS	0x80000000u
#endif

/*
 * x32 shares the architecture's number with x86-64 and marks its calls by this
 * bit.  No other processor has calls of such numbers.
 */
#define X32_BIT		0x40000000u

/* This program, as the linker laid it out. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* CLONE_NEWCGROUP .. CLONE_NEWNET: a clone that leaves our namespaces. */
#define CLONE_NEW	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |	\
			 CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |	\
			 CLONE_NEWNET)

/* Denied always; calls that an older kernel's headers lack are left out. */
static const uint32_t denied[] = {
	/* other processes */
	__NR_ptrace, __NR_process_vm_readv, __NR_process_vm_writev, __NR_kcmp,
#ifdef __NR_process_madvise
	__NR_process_madvise,
#endif
#ifdef __NR_pidfd_getfd
	__NR_pidfd_getfd,
#endif
	__NR_perf_event_open, __NR_userfaultfd,
	/* the file system's shape */
	__NR_mount, __NR_umount2, __NR_pivot_root, __NR_chroot,
#ifdef __NR_move_mount
	__NR_move_mount, __NR_open_tree, __NR_fsopen, __NR_fsconfig,
	__NR_fsmount, __NR_fspick,
#endif
#ifdef __NR_mount_setattr
	__NR_mount_setattr,
#endif
	__NR_mknodat, __NR_open_by_handle_at, __NR_name_to_handle_at,
	__NR_swapon, __NR_swapoff, __NR_quotactl, __NR_acct,
#ifdef __NR_mknod
	__NR_mknod,
#endif
	/* namespaces and identity */
	__NR_setns, __NR_unshare, __NR_setuid, __NR_setgid, __NR_setreuid,
	__NR_setregid, __NR_setresuid, __NR_setresgid, __NR_setgroups,
	__NR_setfsuid, __NR_setfsgid, __NR_capset, __NR_personality,
	__NR_sethostname, __NR_setdomainname,
	/* the kernel */
	__NR_init_module, __NR_finit_module, __NR_delete_module,
	__NR_kexec_load, __NR_reboot, __NR_syslog, __NR_vhangup,
#ifdef __NR_kexec_file_load
	__NR_kexec_file_load,
#endif
#ifdef __NR_iopl
	__NR_iopl, __NR_ioperm, __NR_modify_ldt,
#endif
	/* clocks */
	__NR_settimeofday, __NR_clock_settime, __NR_adjtimex,
	__NR_clock_adjtime,
	/* keys */
	__NR_add_key, __NR_request_key, __NR_keyctl,
	/* ways around a filter */
#ifdef __NR_io_uring_setup
	__NR_io_uring_setup, __NR_io_uring_enter, __NR_io_uring_register,
#endif
};

#define DENIED		(sizeof(denied) / sizeof(denied[0]))
#define PROGRAM_MAX	(2 * DENIED + 64)

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned short n;
};

static unsigned int in_force;

unsigned int privs_filter_size(void)
{
	return in_force;
}

static void add(struct program *p, uint16_t op, uint32_t k, uint8_t yes,
		uint8_t no)
{
	if (p->n < PROGRAM_MAX)
		p->code[p->n++] = (struct sock_filter){ op, yes, no, k };
}

static void ret(struct program *p, uint32_t action)
{
	add(p, BPF_RET | BPF_K, action, 0, 0);
}

static void load(struct program *p, size_t offset)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* If the call is @nr: @action.  The number stays loaded. */
static void on_call(struct program *p, uint32_t nr, uint32_t action)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1);
	ret(p, action);
}

/* Offset of the low half of an argument. */
static size_t low_half(unsigned int arg)
{
	return offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t) +
	       (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0);
}

uint32_t privs_arch(const unsigned char *ident, uint16_t machine)
{
	/* Programs of 32 bits may have further marks in that name. */
	if (ident[EI_CLASS] != ELFCLASS64)
		return 0;
	return machine | __AUDIT_ARCH_64BIT |
	       (ident[EI_DATA] == ELFDATA2LSB ? __AUDIT_ARCH_LE : 0);
}

static void check_abi(struct program *p, uint32_t arch)
{
	load(p, offsetof(struct seccomp_data, arch));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, arch, 1, 0);
	ret(p, SECCOMP_RET_KILL_PROCESS);
	load(p, offsetof(struct seccomp_data, nr));
	add(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	ret(p, SECCOMP_RET_KILL_PROCESS);
}

static void check_calls(struct program *p, unsigned int allow, uint32_t eperm)
{
	for (size_t i = 0; i < DENIED; i++)
		on_call(p, denied[i], eperm);
	if (!(allow & PRIVS_ALLOW_BPF))
		on_call(p, __NR_bpf, eperm);
	if (!(allow & PRIVS_ALLOW_EXEC)) {
		on_call(p, __NR_execve, eperm);
		on_call(p, __NR_execveat, eperm);
	}
#ifdef __NR_clone3
	/* Its flags are behind a pointer: without it, libc uses clone. */
	on_call(p, __NR_clone3, SECCOMP_RET_ERRNO | ENOSYS);
#endif
}

static void check_arguments(struct program *p, uint32_t eperm)
{
	static const uint32_t families[] = {
		AF_UNIX, AF_INET, AF_INET6, AF_NETLINK,
	};
	uint8_t left = sizeof(families) / sizeof(families[0]);

	/* clone: not into other namespaces. */
	add(p, BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 4);
	load(p, low_half(0));
	add(p, BPF_JMP | BPF_JSET | BPF_K, CLONE_NEW, 0, 1);
	ret(p, eperm);
	ret(p, SECCOMP_RET_ALLOW);

	/* socket: what name services need, nothing raw. */
	add(p, BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0,
	    (uint8_t)(left + 3));
	load(p, low_half(0));
	for (size_t i = 0; left > 0; i++, left--)
		add(p, BPF_JMP | BPF_JEQ | BPF_K, families[i], left, 0);
	ret(p, eperm);
	ret(p, SECCOMP_RET_ALLOW);
}

int privs_filter(unsigned int allow, char why[PRIVS_TEXT])
{
	const uint32_t eperm = SECCOMP_RET_ERRNO | EPERM;
	const uint32_t arch =
		privs_arch(__ehdr_start.e_ident, __ehdr_start.e_machine);
	struct program p = { .n = 0 };
	struct sock_fprog prog;
	long r;

	why[0] = '\0';
	if (arch == 0) {
		snprintf(why, PRIVS_TEXT, "no filter for programs of 32 bits");
		return -ENOTSUP;
	}
	check_abi(&p, arch);
	check_calls(&p, allow, eperm);
	check_arguments(&p, eperm);
	ret(&p, SECCOMP_RET_ALLOW);
	prog = (struct sock_fprog){ .len = p.n, .filter = p.code };

	/* All threads at once; a positive answer is the thread that has a
	 * filter of its own. */
	r = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_TSYNC, &prog);
	if (r == 0) {
		in_force = (unsigned int)DENIED;
		in_force += allow & PRIVS_ALLOW_BPF ? 0u : 1u;
		in_force += allow & PRIVS_ALLOW_EXEC ? 0u : 2u;
		return 0;
	}
	r = r > 0 ? -EBUSY : -errno;
	if (r == -ENOSYS || r == -EINVAL)
		r = -ENOTSUP;
	snprintf(why, PRIVS_TEXT, "seccomp: %s", strerror((int)-r));
	return (int)r;
}
