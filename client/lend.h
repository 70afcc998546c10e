/* SPDX-License-Identifier: MIT */
/*
 * lend.h - our grant: blocks that the daemon lent us, taken and come back
 *
 * A block is free (in the class's free list, its descriptor FREE), out (sent
 * or being filled, descriptor BUSY) or no longer ours (recalled: the
 * descriptor says so when we look).  Nobody is asked before a block is used.
 */
#ifndef CLIENT_LEND_H
#define CLIENT_LEND_H

#include "client/engine.h"

/** struct lend_block - One block of our grant */
struct lend_block {
	struct list link;
	unsigned char *data;
	uint32_t unit;
	uint32_t bytes;			/* size of the block */
	enum lend_size size;		/* its class */
	uint32_t generation;		/* granted, taken or given back with */
	uint32_t peer;			/* who reads it */
	uint32_t used;			/* payload */
	bool streamed;			/* part of an accepted transfer */
	bool far;			/* filled past our cache */
};

int lend_init(struct snoo *ctx, uint32_t small_bytes, uint32_t large_bytes);
void lend_fini(struct snoo *ctx);

/** lend_granted() - The daemon lends us @n blocks */
void lend_granted(struct snoo *ctx, const struct snoo_wire_block *b,
		  uint32_t n);

/** lend_fill() - Copy @n bytes for @p into @b, as its caches like it (pace.h) */
void lend_fill(struct peer *p, struct lend_block *b, const unsigned char *from,
	       uint32_t n);

/**
 * lend_take() - A block to fill
 * @size:	Class
 * @bytes:	Payload that it will carry, charged to our allowance
 * @peer:	Who will read it
 * @streamed:	Part of an accepted transfer
 *
 * Return: the block, or NULL: none is free now; NEED has been said
 */
struct lend_block *lend_take(struct snoo *ctx, enum lend_size size,
			     uint32_t bytes, struct peer *peer,
			     bool streamed);

/** lend_unlimited() - Are we free to move what we like? */
bool lend_unlimited(const struct snoo *ctx);

/**
 * lend_allowed() - May @bytes go through blocks or pieces now?
 *
 * No: the scheduler makes us wait for our next round.
 */
bool lend_allowed(struct snoo *ctx, uint64_t bytes);

/** lend_charge() - Account @bytes that went by pieces */
void lend_charge(struct snoo *ctx, uint64_t bytes);

/** lend_wants() - Show who waits: @bytes for @peer; 0: nobody any more */
void lend_wants(struct snoo *ctx, uint64_t bytes, uint32_t peer);

/** lend_more() - Say that blocks of this size run short, once */
void lend_more(struct snoo *ctx, enum lend_size size);

/** lend_collect() - Look which blocks have come back */
void lend_collect(struct snoo *ctx, enum lend_size size);

/** lend_back() - Take back what @peer, which is gone, will not give back */
void lend_back(struct snoo *ctx, struct peer *peer);

#endif /* CLIENT_LEND_H */
