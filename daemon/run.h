/* SPDX-License-Identifier: MIT */
/*
 * run.h - programs in VMs, for who may start them: the host's end
 *
 *     snoorun            run.c               run_link.c           guest daemon
 *        | a socket, wire.h | struct run          | control.h, frames  |
 *        |  RUN ----------> |  who may ---------> |  RUN ------------> |  runner
 *        | <--- DATA, ...   | <------------------ | <--- DATA, ...     |
 *
 * Nothing of a run outlives this daemon: whoever waits for it is told that the
 * daemon ends, and the guest ends programs that a daemon does not know.  A
 * guest daemon that dies and comes back is told all of it again.
 *
 * One thread.
 */
#ifndef DAEMON_RUN_H
#define DAEMON_RUN_H

#include "daemon/state.h"

/**
 * run_open() - A client asks for a program in a VM
 * @fd:		Its socket, ours from now on
 * @who:	From the socket's credentials
 * @msg:	RUN, the first thing that it said; @bytes
 *
 * The client is told by FINISHED what is wrong, if something is.
 */
void run_open(struct domain *d, int fd, const struct who *who,
	      const void *msg, size_t bytes);

/* VMs that were adopted hear that we know no runs.  Before clients come. */
void run_start(struct domain *d);

/* All runs of the domain end, @why is said to who waits for them. */
void run_close(struct domain *d, const char *why);

#endif /* DAEMON_RUN_H */
