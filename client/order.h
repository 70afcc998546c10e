/* SPDX-License-Identifier: MIT */
/*
 * order.h - the messages of a pair, matched in the order of their numbers
 *
 * The envelopes of one rank to another (DATA, BLOCK, OFFER) are numbered,
 * however they travel; see struct snoo_abi_register.  One that comes in its
 * turn is matched at once.  One that comes early is kept in peer.parked, where
 * neither receives nor probes see it, until its turn.  One whose number was had
 * before is dropped, so a message may be sent again on another path.
 */
#ifndef CLIENT_ORDER_H
#define CLIENT_ORDER_H

#include "client/engine.h"

#define ORDER_STEPS	64	/* steps of a search that cost as much as a line */

enum order_when {
	ORDER_NOW,
	ORDER_EARLY,
	ORDER_HAD,			/* a double: drop it */
};

/** struct order_place - Where a message stands among those of its sender */
struct order_place {
	enum order_when when;
	uint64_t number;
	struct list *before;		/* EARLY: its place in peer.parked */
};

/**
 * order_find() - Is it the turn of @p's message @number?
 *
 * Return: 0, or -EPROTO: no message has that number
 */
int order_find(struct snoo *ctx, struct peer *p, uint64_t number,
	       struct order_place *at);

/** order_next() - The number of the next envelope in @p's channel */
static inline uint64_t order_next(const struct peer *p)
{
	return p->turn + p->ahead;
}

/** order_cost() - Lines that could have been read instead of searching */
static inline uint32_t order_cost(const struct snoo *ctx)
{
	return ctx->searched / ORDER_STEPS;
}

/** order_keep() - A message that no receive takes now */
void order_keep(struct snoo *ctx, struct arrival *a,
		const struct order_place *at);

/**
 * order_came() - The message of order_find() is matched, kept or dropped
 * @channel:	It came in @p's channel
 *
 * If it was its turn, those behind it follow.
 */
void order_came(struct snoo *ctx, struct peer *p, const struct order_place *at,
		bool channel);

/** order_number() - A NUMBER line: what the next envelope of the channel has */
int order_number(struct snoo *ctx, struct peer *p, uint64_t number);

/** order_flush() - Nothing comes before what is parked: match it as it stands */
void order_flush(struct snoo *ctx, struct peer *p);

/** order_drop() - Forget what is parked, and give blocks back */
void order_drop(struct snoo *ctx, struct peer *p);

/** order_fini() - Forget what is parked; the pool may be gone */
void order_fini(struct snoo *ctx);

#endif /* CLIENT_ORDER_H */
