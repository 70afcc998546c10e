/* SPDX-License-Identifier: MIT */
/*
 * loans.h - blocks for loans: one piece each, lent on request
 *
 * Theory of operation
 * ===================
 *
 * A rank that has no block of a size asks for one (LOAN) and is answered at
 * once: a loan may fail, only copies wait.  It keeps the block, and uses it
 * again and again; as with any other one its descriptor says whether it is
 * free, and then we may take it back without asking.
 *
 *  - All loans of a domain together have at most half of the arena, so that
 *    copies and rings always have room.
 *  - Free ones are a convenience of their holders: they are recalled from
 *    everybody when a loan, a ring or a block finds no room.
 *  - A rank has at most LOANS_MAX, so that looking through them is short, and
 *    who asks again and again in vain makes us look for half of the time.
 *  - While the pool is short, a rank's loans, busy ones too, may have its job's
 *    share of that half by weight, shared evenly in the job.  One that is below
 *    it and finds nothing makes the pool count as short.
 *
 * A busy one is never taken, whoever reads it: of a rank that is gone it stays
 * until reap.c says that nobody does.
 */
#ifndef DAEMON_LOANS_H
#define DAEMON_LOANS_H

#include "daemon/state.h"

#define LOANS_MAX	1024u		/* blocks of one rank */

/* LOAN, by a peer. */
void loans_ask(struct rank *r, const struct snoo_wire_loan *m);

/* Its free ones come back; how many. */
uint32_t loans_recall(struct rank *r);

/* Everybody's free ones come back; how many. */
uint32_t loans_shrink(struct domain *d);

/* Is more than a quarter of what may be lent for loans out? */
bool loans_many(const struct domain *d);

/* It has that piece (adoption). */
void loans_count(struct rank *r, const struct arena_piece *piece);

/* It was adopted: what the last daemon lent and did not tell is taken back. */
void loans_adopted(struct rank *r);

#endif /* DAEMON_LOANS_H */
