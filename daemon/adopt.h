/* SPDX-License-Identifier: MIT */
/*
 * adopt.h - take over the ranks of a daemon that died
 *
 * Believed are the ledger and the kept fds, nothing else:
 *
 *  1. pieces of the arena without an owner are given back
 *  2. jobs and ranks from the ledger; what the last daemon had half counted
 *     is counted
 *  3. each rank's socket and pidfd; without both it is gone
 *  4. what the daemon writes in the pool is written again
 *  5. every rank is told: WELCOME again if it may not have got it, RESUMED,
 *     START again if its job is complete; and rung
 *  6. ranks that are gone are reaped on from where the last daemon was
 *
 * A rank ignores a WELCOME or START that it has had already.  It answers
 * RESUMED with STATE, and gets again what it may have missed.
 */
#ifndef DAEMON_ADOPT_H
#define DAEMON_ADOPT_H

#include "daemon/state.h"

/**
 * adopt_ranks() - Steps 1 to 6; ledger, pool and arena are open
 *
 * Return: 0, or -ENOMEM
 */
int adopt_ranks(struct domain *d);

/* Step 5 for one rank that has a session: in a VM, also when its guest daemon
 * has come back. */
void adopt_tell(struct rank *r);

/**
 * adopt_refuse() - The domain can't be taken over: tell its ranks
 * @name:	The domain's
 * @pool_fd:	Its pool, -1 if there is none; ours to close
 * @why:	A sentence
 */
void adopt_refuse(struct keeper *k, const char *name, int pool_fd,
		  const char *why);

#endif /* DAEMON_ADOPT_H */
