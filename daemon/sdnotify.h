/* SPDX-License-Identifier: MIT */
/*
 * sdnotify.h - the service manager's notification protocol
 *
 * Spoken to systemd and to the keeper, which understands the same messages:
 * datagrams of "KEY=value" lines to the socket named by NOTIFY_SOCKET, with
 * fds by SCM_RIGHTS.  A handle may be NULL (nobody listens): then every call
 * does nothing and returns 0.
 *
 * One thread per handle.  Calls other than the barrier may block for a moment
 * if the manager's queue is full, at most SDNOTIFY_SEND_MS.
 *
 * Source: sd_notify(3), sd_listen_fds(3), sd_pid_notify_with_fds(3),
 * sd_notify_barrier(3), and the protocol notes in systemd's documentation.
 */
#ifndef DAEMON_SDNOTIFY_H
#define DAEMON_SDNOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SDNOTIFY_SEND_MS	1000
#define SDNOTIFY_NAME_MAX	255	/* bytes of a FDNAME */
#define SDNOTIFY_LISTEN_START	3	/* first inherited fd */

struct sdnotify;

/**
 * sdnotify_open() - Connect to whoever listens
 * @out:	The handle; NULL if nobody listens, which is no failure
 * @path:	Socket: an absolute path, or '@' and an abstract name.  NULL:
 *		what NOTIFY_SOCKET says; it and WATCHDOG_* are then taken out
 *		of the environment, so that no child speaks for us.
 *
 * Return: 0 on success, negative error code otherwise
 *	-EINVAL	 neither an absolute path nor an abstract name
 *	-ENAMETOOLONG	 longer than a socket address
 *	-ENOMEM, or -errno of socket(2)
 */
int sdnotify_open(struct sdnotify **out, const char *path);
void sdnotify_close(struct sdnotify *n);

/* Each returns 0, or -errno of sendmsg(2); -ETIMEDOUT: the queue stays full */
int sdnotify_ready(struct sdnotify *n, const char *status);
int sdnotify_status(struct sdnotify *n, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int sdnotify_stopping(struct sdnotify *n, const char *status);
/* With MONOTONIC_USEC; follow it by sdnotify_ready(). */
int sdnotify_reloading(struct sdnotify *n);
int sdnotify_watchdog(struct sdnotify *n);
/* Ask for @us more time to start, reload or stop. */
int sdnotify_extend(struct sdnotify *n, uint64_t us);

/* The watchdog's interval from WATCHDOG_USEC, 0: none asked for, or meant for
 * another process (WATCHDOG_PID).  Ping at half of it. */
uint64_t sdnotify_watchdog_us(const struct sdnotify *n);

/**
 * sdnotify_store() - Give a copy of @fd to the keeper
 * @name:	1 .. SDNOTIFY_NAME_MAX printable ASCII characters without ':'
 * @watch:	true: the keeper drops it when it becomes readable with EOF
 *		or an error (sockets); false sends FDPOLL=0 (eventfds, memfds)
 *
 * Return: 0, -EINVAL (name), or as above
 */
int sdnotify_store(struct sdnotify *n, const char *name, int fd, bool watch);
/* Drop every kept fd of that name. */
int sdnotify_remove(struct sdnotify *n, const char *name);

/**
 * sdnotify_barrier() - Wait until everything sent so far has been read
 * @timeout_ms:	-1: for ever
 *
 * Return: 0, -ETIMEDOUT, or -errno
 */
int sdnotify_barrier(struct sdnotify *n, int timeout_ms);

/**
 * sdnotify_barrier_start() - The same for an event loop
 * @fd:		Becomes readable (POLLHUP) once all has been read; the
 *		caller closes it.  -1 if nobody listens.
 */
int sdnotify_barrier_start(struct sdnotify *n, int *fd);

/**
 * struct sdnotify_fds - What we inherited
 */
struct sdnotify_fds {
	unsigned int n;
	struct sdnotify_fd {
		int fd;		/* ours to close; CLOEXEC is set */
		char *name;	/* "unknown" where the manager gave none */
	} *fd;
};

/**
 * sdnotify_listen_fds() - Take over LISTEN_FDS: sockets and kept fds
 *
 * Only if LISTEN_PID is us.  The variables leave the environment either way.
 *
 * Return: 0 on success (maybe none), negative error code otherwise
 *	-EINVAL	 the variables make no sense, or fds are missing
 *	-ENOMEM
 */
int sdnotify_listen_fds(struct sdnotify_fds *out);
/* Frees names and list; fds stay open. */
void sdnotify_fds_fini(struct sdnotify_fds *fds);

#endif
