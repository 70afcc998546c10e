/* SPDX-License-Identifier: MIT */
/*
 * alloc.c - buffers in the pool, which receivers copy from by themselves
 *
 * Theory of operation
 * ===================
 *
 *     sender                                   receiver
 *     OFFER {..., POOL, offset, block} ----->  a receive matches:
 *                                              look at the descriptor
 *                                              copy
 *                                              look at it again
 *            <------------------------------  DONE {FETCHED}
 *
 * The buffer is the application's again when DONE has come.  If the send ends
 * in another way (its time limit, a cancel, the receiver's death as the daemon
 * sees it) a receiver may be copying, or about to: then the block gets another
 * generation before the application gets its buffer, and a copy that ends after
 * that is seen to be none.  Such a receiver asks for the message by ACCEPT, as
 * if it had not seen the place; if the offer is gone, CANCEL is on its way.
 *
 *   edge    revoke                        fetch
 *   REVOKE  CAS of the descriptor, fence  copy, fence, look at the descriptor
 *           release, then writes
 *
 * tests/model/litmus.def has it, with a mutant for each fence.
 */

#include "client/alloc.h"

#include <stdlib.h>

#include "client/lend.h"
#include "shm/block.h"
#include "shm/copy.h"
#include "shm/testpoint.h"

static struct snoo_abi_desc *desc(const struct snoo *ctx, uint32_t unit)
{
	return shm_region_desc(&ctx->region, unit);
}

void alloc_keep(struct snoo *ctx, struct loan *b)
{
	loan_keep(ctx, b);
	b->offers = 0;
	list_append(&ctx->allocs, &b->link);
}

struct loan *alloc_find(const struct snoo *ctx, const void *buf)
{
	for (struct list *n = ctx->allocs.next; n != &ctx->allocs;
	     n = n->next) {
		struct loan *b = list_entry(n, struct loan, link);

		if (b->data == buf)
			return b;
	}
	return NULL;
}

int alloc_drop(struct snoo *ctx, struct loan *b)
{
	if (b->offers > 0)
		return -EBUSY;
	list_remove(&b->link);
	loan_drop(ctx, b);
	return 0;
}

/* The block that @len bytes at @buf lie in. */
static struct loan *holds(const struct snoo *ctx, const unsigned char *buf,
			  uint64_t len)
{
	for (struct list *n = ctx->allocs.next; n != &ctx->allocs;
	     n = n->next) {
		struct loan *b = list_entry(n, struct loan, link);
		uint64_t at = (uint64_t)((uintptr_t)buf - (uintptr_t)b->data);

		if (at < b->bytes && len <= b->bytes - at)
			return b;
	}
	return NULL;
}

void alloc_offer(struct snoo *ctx, struct snoo_request *req, uint64_t words[3])
{
	struct loan *b = list_empty(&ctx->allocs)
				 ? NULL
				 : holds(ctx, req->buf, req->len);

	words[0] = SNOO_ABI_WAY_STREAM;
	words[1] = 0;
	words[2] = 0;
	/* Who has used up its allowance waits for it, in a stream. */
	if (!b || !lend_allowed(ctx, 1))
		return;
	req->pool = b;
	b->offers++;
	words[0] |= SNOO_ABI_WAY_POOL;
	words[1] = (uint64_t)(req->buf - ctx->region.base);
	words[2] = line_pair(b->unit, b->generation);
}

void alloc_ended(struct snoo *ctx, struct snoo_request *req, int error)
{
	struct loan *b = req->pool;

	req->pool = NULL;
	b->offers--;
	/*
	 * REVOKE: nobody who copies after this takes it for the message.  If
	 * somebody has spoilt the descriptor no copy is taken for one anyway.
	 */
	if (error)
		shm_block_revoke(desc(ctx, b->unit), ctx->slot, &b->generation);
}

/* Where it begins in its block; the subtraction wraps if it is before that. */
static uint64_t place(const struct snoo *ctx, const struct offer *o)
{
	return o->offset - ctx->region.arena_off -
	       (uint64_t)o->unit * SNOO_ABI_UNIT;
}

bool alloc_check(const struct snoo *ctx, const struct offer *o)
{
	uint64_t at = place(ctx, o);

	/*
	 * How long the block is says its descriptor, but not here: if the
	 * offer was given up, it may be another's by now.
	 */
	return o->length <= UINT64_MAX - at &&
	       shm_region_block(&ctx->region, o->unit, at + o->length);
}

bool alloc_fetch(const struct snoo *ctx, const struct peer *p,
		 const struct offer *o, void *to, uint64_t n)
{
	const struct snoo_abi_desc *d = desc(ctx, o->unit);
	uint64_t word = block_word(o->generation, p->slot, SNOO_ABI_BLOCK_BUSY);
	uint64_t at = place(ctx, o), bytes;

	if (shm_block_look(d) != word)
		return false;
	bytes = shm_block_bytes(d);
	if (at > bytes || o->length > bytes - at)
		return false;
	shm_copy_out(to, ctx->region.base + o->offset, (size_t)n);
	SNOO_TESTPOINT("alloc_fetched");
	/* REVOKE: the bytes were read before the descriptor is. */
	return shm_block_still(d, word);
}

void alloc_leave(struct snoo *ctx)
{
	struct list *next;

	for (struct list *n = ctx->allocs.next; n != &ctx->allocs; n = next) {
		next = n->next;
		/* What was offered is quarantined until nobody copies. */
		alloc_drop(ctx, list_entry(n, struct loan, link));
	}
}

void alloc_fini(struct snoo *ctx)
{
	while (!list_empty(&ctx->allocs))
		free(list_entry(list_take(&ctx->allocs), struct loan, link));
}
