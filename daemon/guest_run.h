/* SPDX-License-Identifier: MIT */
/*
 * guest_run.h - programs that the host starts in this VM: the guest daemon's
 *		 part
 *
 *     control ring <--> guest_link.c <--> guest_run.c <--> socket <--> runner
 *
 * The runner (guest_runner.h) is forked before the daemon gives up privileges,
 * and its socket is kept as "guest/runner": a daemon that comes back adopts it
 * with its programs.  Nothing but the host's frames reaches it: no client
 * socket, no memory that others can write.
 *
 * A frame leaves the runner's socket when it is in the ring.
 *
 * One thread.
 */
#ifndef DAEMON_GUEST_RUN_H
#define DAEMON_GUEST_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include <snoo/control.h>

#include "daemon/conf.h"
#include "daemon/guest_rules.h"
#include "daemon/keeper.h"
#include "daemon/loop.h"

#define GUEST_RUN_QUEUE_BYTES	(8u << 20)

struct guest_run;

struct guest_run_params {
	const struct conf *conf;
	const char *config;		/* file and overrides that it is from, */
	const struct conf_overrides *ov; /* for the runner to read again */
	struct keeper *keeper;
};

/**
 * guest_run_open() - Fork a runner, or take over the one that is kept
 *
 * With privileges, in one thread, after keeper_open().  If nothing may be
 * started there is no runner, and guest_run_allows() is false; why, is logged.
 *
 * Return: 0 on success, negative error code otherwise
 */
int guest_run_open(struct guest_run **out, const struct guest_run_params *p);

/* snoo_ctl_hello.runs */
bool guest_run_allows(const struct guest_run *r);

/**
 * guest_run_start() - Pass frames on
 * @put:	As guest_link_put(): 0, or -EAGAIN, and then guest_run_room()
 *		says that it is worth another try
 *
 * Return: 0 or -errno
 */
int guest_run_start(struct guest_run *r, struct loop *loop,
		    int (*put)(void *arg, const struct snoo_ctl_frame *f,
			       const void *body, size_t bytes), void *arg);

/**
 * guest_run_frame() - RUN, SIGNAL, DATA, CREDIT or RUNS from the host
 * @f:		A copy of @bytes, the head in it
 *
 * Return: 0, or -EPROTO: the host breaks the contract
 */
int guest_run_frame(struct guest_run *r, const struct snoo_ctl_frame *f,
		    size_t bytes);

void guest_run_room(struct guest_run *r);

/* @let_go: the next daemon goes on with the runner; else its programs end.
 * NULL is allowed. */
void guest_run_close(struct guest_run *r, bool let_go);

#endif /* DAEMON_GUEST_RUN_H */
