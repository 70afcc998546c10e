/* SPDX-License-Identifier: MIT */
/*
 * supply.h - rings and blocks: lend, recall, take back
 *
 * Theory of operation
 * ===================
 *
 * A rank says what it is short of (NEED); it gets what there is, up to
 * blocks_per_rank, at once.  When the arena has nothing left the pool is
 * short: share.c looks every round, and supply_balance() moves free blocks
 * from ranks that hold more than their fair share to those that hold less.
 * A free block is recalled without asking its holder; a busy one comes back
 * when its reader is done.
 *
 * Order of a loan: ledger, descriptor, message.  A daemon that dies on the
 * way leaves a piece that has an owner, and that owner's end frees it.
 */
#ifndef DAEMON_SUPPLY_H
#define DAEMON_SUPPLY_H

#include "daemon/state.h"

#define SUPPLY_SPARE_RINGS	2u	/* at attach */

/* Spare rings and the first blocks for a rank that has just come. */
void supply_start(struct rank *r);

/* NEED, by a peer: cut to what it may have. */
void supply_need(struct rank *r, const struct snoo_wire_need *need);

/* GRANT once more of its free blocks: the last daemon may have died between
 * granting and telling.  A rank ignores blocks that it knows. */
void supply_again(struct rank *r);

/* Meet what can be met, of everybody. */
void supply_retry(struct domain *d);

/* While the pool is short: recall above fair shares, lend below them. */
void supply_balance(struct domain *d);

/* Is anybody short of something that he may have? */
bool supply_wanted(const struct domain *d);

/* Is nobody short, and could everybody have all that it may? */
bool supply_plenty(struct domain *d);

/**
 * supply_take() - A piece of the arena, even if free blocks must be recalled
 *
 * Return: as arena_take()
 */
int64_t supply_take(struct domain *d, const struct arena_want *want,
		    uint32_t *unit);

/* It is gone: free blocks come back at once, the rest stays its own ... */
void supply_recall(struct rank *r);
/* ... until nobody can be reading it.  The whole of the slot's pieces. */
void supply_seize(struct domain *d, uint32_t slot);

/* Count again what a rank holds (adoption). */
void supply_count(struct rank *r);

#endif /* DAEMON_SUPPLY_H */
