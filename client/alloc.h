/* SPDX-License-Identifier: MIT */
/*
 * alloc.h - buffers in the pool, which receivers copy from by themselves
 *
 * A buffer of the application's is a block for loans that it holds until it
 * frees it.  A send from it that is too large for an eager block offers its
 * place too (WAY_POOL): the receiver copies straight from there, once, and
 * answers DONE.
 */
#ifndef CLIENT_ALLOC_H
#define CLIENT_ALLOC_H

#include "client/engine.h"
#include "client/loan.h"

/** struct offer - What an OFFER line says, checked by alloc_check() */
struct offer {
	uint64_t token;
	uint64_t length;
	uint64_t ways;
	uint64_t offset;		/* of the bytes in the pool; WAY_POOL */
	uint32_t unit;			/* of the block that they are in */
	uint32_t generation;
};

/** alloc_keep() - A held block is the application's until alloc_find() */
void alloc_keep(struct snoo *ctx, struct loan *b);

/** alloc_find() - The block that begins at @buf, or NULL */
struct loan *alloc_find(const struct snoo *ctx, const void *buf);

/** alloc_drop() - It is free again; -EBUSY: sends from it are under way */
int alloc_drop(struct snoo *ctx, struct loan *b);

/**
 * alloc_offer() - Words 4 to 6 of a send's OFFER
 *
 * If its buffer lies in one of our blocks, req->pool is set.
 */
void alloc_offer(struct snoo *ctx, struct snoo_request *req,
		 uint64_t words[3]);

/** alloc_ended() - A send with req->pool is complete */
void alloc_ended(struct snoo *ctx, struct snoo_request *req, int error);

/** alloc_check() - Is what an offer names in the arena, from its block on? */
bool alloc_check(const struct snoo *ctx, const struct offer *o);

/**
 * alloc_fetch() - Copy @n bytes of an offer of @p from where they are
 *
 * Return: true: they are what was offered; false: they are, or may be, not
 * there any more, and @to has anything
 */
bool alloc_fetch(const struct snoo *ctx, const struct peer *p,
		 const struct offer *o, void *to, uint64_t n);

/** alloc_leave() - We finalize: buffers that nobody was offered are free */
void alloc_leave(struct snoo *ctx);
void alloc_fini(struct snoo *ctx);

#endif /* CLIENT_ALLOC_H */
