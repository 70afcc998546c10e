/* SPDX-License-Identifier: MIT */
/*
 * keeper.h - fds that outlive the daemon
 *
 * Two parts that speak one protocol, systemd's file descriptor store
 * (sdnotify.h): the daemon's side, and a small process for machines without
 * systemd.  A daemon that comes back finds its fds by name, whoever held
 * them; there is one adoption path.
 *
 *     snoo-daemon --keeper            keeper_run()
 *        | socket (SO_PASSCRED), fork, exec
 *        v
 *     snoo-daemon                     keeper_open()
 *        FDSTORE=1 FDNAME=x  ------>  kept; dropped at end of file or error,
 *                                     unless FDPOLL=0
 *        FDSTOREREMOVE=1 FDNAME=x ->  dropped
 *        BARRIER=1           ------>  its fd is closed when all is done
 *        dies                         started again, LISTEN_FDS from 3 on
 *
 * Names: 1 .. 255 printable characters without ':'.  Several fds may have one
 * name; the daemon gives each its own.
 *
 * One thread.
 */
#ifndef DAEMON_KEEPER_H
#define DAEMON_KEEPER_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/sdnotify.h"

#define KEEPER_FDS_MAX		4096u	/* that the small process keeps */
#define KEEPER_EXIT_CONFIG	2	/* daemon's exit code: do not restart */
#define KEEPER_ENV		"SNOO_KEEPER"	/* pid of the small process */

/* ---- the daemon's side ---- */

struct keeper;

/** struct keeper_fd - One inherited fd that nobody has taken yet */
struct keeper_fd {
	const char *name;	/* valid until it is taken */
	int fd;
};

/**
 * keeper_open() - What did we inherit, and does anybody keep fds for us?
 * @n:		From sdnotify_open(), which comes first; NULL: no store.
 *		Must outlive the keeper.
 *
 * Takes over LISTEN_FDS (socket activation arrives the same way: its names are
 * those of the socket unit).  Without a store everything below works and does
 * nothing; keeper_describe() says so.
 *
 * Return: 0 on success, negative error code otherwise
 *	-EINVAL	 LISTEN_FDS makes no sense, or fds are missing
 *	-ENOMEM
 */
int keeper_open(struct keeper **out, struct sdnotify *n);
/* Closes fds that nobody took; NULL is allowed. */
void keeper_close(struct keeper *k);

/* Is there a store?  false: the domains end with the daemon. */
bool keeper_has_store(const struct keeper *k);

/* "systemd", "keeper process 123", "none: ...", "lost: ..."; for status. */
const char *keeper_describe(const struct keeper *k);

/* Of the small process, for the loop to watch: readable when it has died;
 * then call keeper_lost().  -1 where there is none. */
int keeper_pidfd(const struct keeper *k);
void keeper_lost(struct keeper *k);

/* Fds in the store as far as we know; what it may hold (0: unknown). */
unsigned int keeper_stored(const struct keeper *k);
unsigned int keeper_room(const struct keeper *k);

/**
 * keeper_store() - Keep a copy of @fd under @name
 * @watch:	true: the store drops it at end of file or error (sockets);
 *		false: until keeper_forget() (memfds, eventfds, pidfds)
 *
 * Sent, not yet received: keeper_barrier() before a peer relies on it.
 * Inherited fds are in the store already; do not store them again.
 *
 * Return: 0 (also without a store), -EINVAL (name), or -errno of sending
 */
int keeper_store(struct keeper *k, const char *name, int fd, bool watch);

/* Drop all fds of that name; 0 or -errno of sending. */
int keeper_forget(struct keeper *k, const char *name);

/* Wait until the store has read everything: 0, -ETIMEDOUT or -errno. */
int keeper_barrier(struct keeper *k, int timeout_ms);

/* What was inherited and is not taken yet: @list is valid until the next
 * keeper_take(). */
size_t keeper_inherited(const struct keeper *k, const struct keeper_fd **list);

/* The first inherited fd of that name, still the keeper's: -1 if none. */
int keeper_find(const struct keeper *k, const char *name);

/* The same, and ours from now on. */
int keeper_take(struct keeper *k, const char *name);

/**
 * keeper_drop_rest() - Close and forget what nobody has taken
 *
 * Once, after adoption, so that fds of ended sessions do not pile up.
 *
 * Return: how many they were
 */
unsigned int keeper_drop_rest(struct keeper *k);

/* ---- the small process ---- */

struct keeper_params {
	const char *path;	/* the daemon's program; NULL: our own */
	char *const *argv;	/* its arguments, argv[0] and NULL included */
	int ready_fd;		/* "READY\n" goes there once; -1: nowhere */
};

/**
 * keeper_run() - Be the keeper: start the daemon, again and again
 *
 * Call it before anything else is open.  Restarts the daemon when a signal
 * or an exit code other than 0 and KEEPER_EXIT_CONFIG ends it (any exit code
 * ends the keeper too as long as no daemon has said READY), for ever: at
 * once, or, when it keeps dying young, after up to 100 ms if it had said READY
 * and up to a second if it had not.  SIGTERM and
 * SIGINT are passed on and end the keeper with the daemon, SIGHUP and SIGUSR1
 * are passed on.  READY and STATUS go on to a NOTIFY_SOCKET of its own.
 *
 * If the keeper is killed, the daemon goes on without a store.
 *
 * Return: the exit code for main(): the daemon's own, 128 + signal after a
 * stop that killed it, 1 if the keeper could not start
 */
int keeper_run(const struct keeper_params *params);

#endif
