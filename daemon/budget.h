/* SPDX-License-Identifier: MIT */
/*
 * budget.h - how many fds a configuration takes, and whether they are to be had
 *
 * Two limits: what this process may have open (RLIMIT_NOFILE), and what the
 * keeper holds for the next daemon.  The keeper has a third: it hands over the
 * names of all fds in one variable of the environment, and exec fails above
 * 128 KiB.  An fd that is not kept ends its domain with the daemon, so we say
 * so before anybody relies on it.
 *
 * One thread.
 */
#ifndef DAEMON_BUDGET_H
#define DAEMON_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/conf.h"

#define BUDGET_TEXT	256u

/**
 * struct budget - What is needed, or what there is
 */
struct budget {
	uint64_t open;			/* fds */
	uint64_t kept;			/* of them, by the keeper */
	uint64_t name_bytes;		/* of the kept ones, with separators */
};

/* What the domains need to start: eventfds and sockets for all their VMs, but
 * no ranks. */
void budget_start(const struct conf *c, struct budget *out);
/* The same with ranks_max ranks in each domain. */
void budget_full(const struct conf *c, struct budget *out);

/**
 * budget_limits() - What there is; raises RLIMIT_NOFILE as far as it goes
 * @room:	keeper_room(); 0: unknown, taken for any number
 * @store:	Does anybody keep fds?  false: nothing needs room there
 */
void budget_limits(struct budget *out, unsigned int room, bool store);

/**
 * budget_compare() - Does @need fit @has?
 *
 * Return: 0, or negative with a sentence in @why: what to raise, to what
 *	-EMFILE	 fds of this process
 *	-ENOSPC	 what the keeper holds
 */
int budget_compare(const struct budget *need, const struct budget *has,
		   char why[BUDGET_TEXT]);

#endif /* DAEMON_BUDGET_H */
