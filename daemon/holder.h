/* SPDX-License-Identifier: MIT */
/*
 * holder.h - a path that QEMU can open as the pool
 *
 * QEMU's nvdimm wants a path, and a memfd has none but /proc/PID/fd/N.  The
 * daemon's own is closed to others: the kernel lets nobody look into a process
 * that has capabilities which he has not.  So a process of QEMU's user, without
 * any capability, holds the pool's fd and does nothing else:
 *
 *     RUNTIME_DIR/NAME.pool  ->  /proc/HOLDER/fd/3
 *
 * It is the daemon's program, run anew, because its user may look into it:
 * there must be nothing of the daemon's memory in it (the ledger is mapped
 * shared).  It sleeps in recv() on a socket of the daemon's, which ends when
 * the daemon does, however that dies; PR_SET_PDEATHSIG would not do, because
 * the daemon may not signal another user.  The next daemon starts its own and
 * turns the link; a QEMU that runs has the pool open and sees nothing of it.
 *
 * With pool.path there is a file to open, and the link leads there.
 *
 * One thread.  To be opened before privs_limit() and privs_filter(): it takes
 * CAP_SETUID and CAP_SETGID to run as another user, and exec.
 */
#ifndef DAEMON_HOLDER_H
#define DAEMON_HOLDER_H

#include <stdint.h>
#include <sys/types.h>

#include "daemon/loop.h"

#define HOLDER_TEXT	256u
#define HOLDER_PATH	4096u
#define HOLDER_FD	3		/* the pool's in that process */

struct holder_params {
	const char *domain;
	const char *runtime_dir;
	int pool_fd;
	uint32_t uid;			/* CONF_NO_GID: the daemon's own */
	uint32_t gid;			/* the same */
	const char *program;		/* NULL: our own */
	struct loop *loop;		/* NULL: its death is not noticed */
};

/** struct holder - A process that holds a pool, and the link to it */
struct holder {
	pid_t pid;			/* 0: none */
	int pidfd;
	int line;			/* its life: closing it ends it */
	struct loop_watch *death;
	char path[HOLDER_PATH];		/* of the link; "": none */
	char target[HOLDER_PATH];	/* where it leads */
	char warning[HOLDER_TEXT];	/* "": all is well; status repeats it */
};

/* Nothing yet; holder_close() may follow. */
void holder_init(struct holder *h);

/**
 * holder_open() - Start the process, and set the link
 * @h:		After holder_init()
 *
 * A failure is no end of a domain: VMs then map the pool as a PCI device
 * only.  h->warning is the sentence about it.
 *
 * Return: 0 on success, negative error code otherwise
 *	-EPERM	 it can't become that user
 *	-ENOEXEC our own program did not call holder_main()
 *	-EEXIST	 something that is no link has the link's name
 *	or -errno of fork(2), execve(2), symlink(2), rename(2)
 */
int holder_open(struct holder *h, const struct holder_params *p);

/* Set the link to a file that has a path; no process. */
int holder_link(struct holder *h, const char *domain, const char *runtime_dir,
		const char *target);

/* Remove the link, if it still is ours, and end the process. */
void holder_close(struct holder *h);

/**
 * holder_main() - Be the holder, if we were started as one
 *
 * To be called first in main(); does not return in a holder.
 */
void holder_main(int argc, char **argv);

#endif /* DAEMON_HOLDER_H */
