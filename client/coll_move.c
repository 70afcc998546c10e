/* SPDX-License-Identifier: MIT */
/*
 * coll_move.c - collectives that move bytes: how, by size
 *
 *   up to MOVE_MEET of a rank  by meetings (scatter, alltoall: what a rank has
 *                              for all others fits into one)
 *   bcast, longer              down a tree
 *   gather, scatter            between root and each rank
 *   allgather                  round a ring
 *   alltoall                   in pairs: in step s ranks whose sum is s modulo
 *                              the number of ranks swap, so it can be done in
 *                              place
 *
 * All ranks meet once before the messages of a long one: see coll_reduce.c.
 */

#include "client/coll_move.h"

#include <string.h>

#include "client/coll_meet.h"
#include "client/coll_step.h"
#include "client/coll_tree.h"

#define MOVE_MEET	4096	/* bytes */

/* Meet, with nothing, and agree on what comes. */
static int agree(struct coll *c)
{
	int ret = coll_enter(c, COLL_STAYS);

	return ret ? ret : coll_agree(c);
}

static void next_part(struct coll *c)
{
	size_t left = c->part.bytes - c->at;

	c->part.len = left < SNOO_ABI_MEET_DATA ? left : SNOO_ABI_MEET_DATA;
}

/* Ranks that do not wait for all do so between two meetings of one call: else
 * they would be in others' next call. */
static bool last_part(const struct coll *c)
{
	return c->part.bytes - c->at <= SNOO_ABI_MEET_DATA;
}

static void copy_own(unsigned char *to, const unsigned char *from, size_t len)
{
	if (to != from && len > 0)
		memcpy(to, from, len);
}

/* ---- bcast ---- */

static int bcast_part(struct coll *c, unsigned char *buf, uint32_t root)
{
	struct snoo *ctx = c->ctx;
	size_t len;
	int ret;

	next_part(c);
	len = c->part.len;
	c->part.data = buf + c->at;
	if (ctx->rank != root)
		c->part.len = 0;
	ret = coll_enter(c, last_part(c) ? COLL_GOES : COLL_STAYS);
	if (ret)
		return ret;
	if (!last_part(c)) {
		ret = coll_agree(c);
	} else if (ctx->rank != root) {
		ret = coll_like(c, root);
	}
	if (ret == 0 && ctx->rank != root)
		shm_meet_read(&ctx->meet.area, root, c->part.number,
			      buf + c->at, len);
	c->at += len;
	return ret;
}

int coll_bcast(struct snoo *ctx, unsigned char *buf, size_t len,
	       enum snoo_type type, uint32_t root)
{
	struct coll c;
	int ret;

	coll_begin(&c, ctx, coll_what(SNOO_ABI_MEET_BCAST, type, 0, root),
		   len);
	if (len > MOVE_MEET) {
		ret = agree(&c);
		if (ret == 0)
			ret = tree_bcast(&c, buf, len, root);
		return coll_end(&c, ret);
	}
	do
		ret = bcast_part(&c, buf, root);
	while (ret == 0 && c.at < len);
	return coll_end(&c, ret);
}

/* ---- gather, allgather ---- */

/* @root: ENGINE_ANY: all of them want it. */
static int gather_part(struct coll *c, const unsigned char *send,
		       unsigned char *to, uint32_t root)
{
	struct snoo *ctx = c->ctx;
	bool ours = root == ENGINE_ANY || root == ctx->rank;
	enum coll_stay stay;
	int ret;

	next_part(c);
	c->part.data = send + c->at;
	stay = ours || !last_part(c) ? COLL_STAYS : COLL_GOES;
	ret = coll_enter(c, stay);
	if (ret == 0 && stay == COLL_STAYS)
		ret = coll_agree(c);
	if (ret)
		return ret;
	for (uint32_t i = 0; ours && i < ctx->size; i++)
		shm_meet_read(&ctx->meet.area, i, c->part.number,
			      to + i * c->part.bytes + c->at, c->part.len);
	c->at += c->part.len;
	return 0;
}

static int gather_parts(struct coll *c, const unsigned char *send,
			unsigned char *to, uint32_t root)
{
	int ret;

	do
		ret = gather_part(c, send, to, root);
	while (ret == 0 && c->at < c->part.bytes);
	return ret;
}

static int gather_long(struct coll *c, const unsigned char *send,
		       unsigned char *to, uint32_t root)
{
	struct snoo *ctx = c->ctx;
	size_t len = c->part.bytes;
	int ret = agree(c);

	if (ret)
		return ret;
	if (ctx->rank != root)
		return step_send(c, root, send, len);
	copy_own(to + root * len, send, len);
	for (uint32_t i = 1; i < ctx->size && ret == 0; i++) {
		uint32_t from = (root + i) % ctx->size;

		ret = step_recv(c, from, to + from * len, len);
	}
	return ret;
}

int coll_gather(struct snoo *ctx, const unsigned char *send,
		unsigned char *to, size_t len, enum snoo_type type,
		uint32_t root)
{
	struct coll c;

	coll_begin(&c, ctx, coll_what(SNOO_ABI_MEET_GATHER, type, 0, root),
		   len);
	return coll_end(&c, len <= MOVE_MEET ?
				    gather_parts(&c, send, to, root) :
				    gather_long(&c, send, to, root));
}

static int allgather_long(struct coll *c, const unsigned char *send,
			  unsigned char *to)
{
	uint32_t n = c->ctx->size, me = c->ctx->rank;
	size_t len = c->part.bytes;
	int ret = agree(c);

	if (ret)
		return ret;
	copy_own(to + me * len, send, len);
	for (uint32_t s = 0; s + 1 < n && ret == 0; s++) {
		struct step out = { (me + 1) % n, to + (me + n - s) % n * len,
				    len };
		struct step in = { (me + n - 1) % n,
				   to + (me + n - s - 1) % n * len, len };

		ret = step_swap(c, &out, &in);
	}
	return ret;
}

int coll_allgather(struct snoo *ctx, const unsigned char *send,
		   unsigned char *to, size_t len, enum snoo_type type)
{
	struct coll c;

	coll_begin(&c, ctx, coll_what(SNOO_ABI_MEET_ALLGATHER, type, 0, 0),
		   len);
	return coll_end(&c, len <= MOVE_MEET ?
				    gather_parts(&c, send, to, ENGINE_ANY) :
				    allgather_long(&c, send, to));
}

/* ---- scatter ---- */

/* Of what @from brought for all ranks, the part that is ours. */
static void take_ours(struct coll *c, uint32_t from, unsigned char *to)
{
	struct snoo *ctx = c->ctx;
	unsigned char all[SNOO_ABI_MEET_DATA];
	size_t len = c->part.bytes;

	shm_meet_read(&ctx->meet.area, from, c->part.number, all,
		      (ctx->rank + 1) * len);
	memcpy(to, all + ctx->rank * len, len);
}

static int scatter_short(struct coll *c, const unsigned char *send,
			 unsigned char *to, uint32_t root)
{
	struct snoo *ctx = c->ctx;
	size_t len = c->part.bytes;
	int ret;

	if (ctx->rank == root) {
		c->part.data = send;
		c->part.len = len * ctx->size;
		ret = coll_enter(c, COLL_GOES);
		if (ret == 0)
			copy_own(to, send + root * len, len);
		return ret;
	}
	ret = coll_enter(c, COLL_GOES);
	if (ret == 0)
		ret = coll_like(c, root);
	if (ret == 0 && len > 0)
		take_ours(c, root, to);
	return ret;
}

static int scatter_long(struct coll *c, const unsigned char *send,
			unsigned char *to, uint32_t root)
{
	struct snoo *ctx = c->ctx;
	size_t len = c->part.bytes;
	int ret = agree(c);

	if (ret)
		return ret;
	if (ctx->rank != root)
		return step_recv(c, root, to, len);
	for (uint32_t i = 1; i < ctx->size && ret == 0; i++) {
		uint32_t r = (root + i) % ctx->size;

		ret = step_send(c, r, send + r * len, len);
	}
	copy_own(to, send + root * len, len);
	return ret;
}

/* Does what a rank has for all fit into one meeting? */
static bool fits_in_one(const struct snoo *ctx, size_t len)
{
	return len <= SNOO_ABI_MEET_DATA / ctx->size;
}

int coll_scatter(struct snoo *ctx, const unsigned char *send,
		 unsigned char *to, size_t len, enum snoo_type type,
		 uint32_t root)
{
	struct coll c;

	coll_begin(&c, ctx, coll_what(SNOO_ABI_MEET_SCATTER, type, 0, root),
		   len);
	return coll_end(&c, fits_in_one(ctx, len) ?
				    scatter_short(&c, send, to, root) :
				    scatter_long(&c, send, to, root));
}

/* ---- alltoall ---- */

static int alltoall_short(struct coll *c, const unsigned char *send,
			  unsigned char *to)
{
	struct snoo *ctx = c->ctx;
	size_t len = c->part.bytes;
	int ret;

	c->part.data = send;
	c->part.len = len * ctx->size;
	ret = coll_enter(c, COLL_STAYS);
	if (ret == 0)
		ret = coll_agree(c);
	for (uint32_t i = 0; ret == 0 && len > 0 && i < ctx->size; i++)
		take_ours(c, i, to + i * len);
	return ret;
}

/* In place: what goes out is kept until what comes in has its room. */
static int swap_in_place(struct coll *c, uint32_t with, unsigned char *at,
			 unsigned char *room)
{
	size_t len = c->part.bytes;
	int ret = 0;

	for (size_t done = 0; done < len && ret == 0; done += STEP_PIECE) {
		size_t n = len - done < STEP_PIECE ? len - done : STEP_PIECE;
		struct step out = { with, room, n };
		struct step in = { with, at + done, n };

		memcpy(room, at + done, n);
		ret = step_swap(c, &out, &in);
	}
	return ret;
}

static int alltoall_long(struct coll *c, const unsigned char *send,
			 unsigned char *to)
{
	uint32_t n = c->ctx->size, me = c->ctx->rank;
	unsigned char *room = step_room(c->ctx);
	size_t len = c->part.bytes;
	int ret;

	if (!room)
		return -ENOMEM;
	ret = agree(c);
	for (uint32_t s = 0; s < n && ret == 0; s++) {
		uint32_t with = (s + n - me) % n;
		struct step out = { with,
				    (void *)(uintptr_t)(send + with * len),
				    len };
		struct step in = { with, to + with * len, len };

		if (with == me)
			copy_own(in.buf, out.buf, len);
		else if (send == to)
			ret = swap_in_place(c, with, in.buf, room);
		else
			ret = step_swap(c, &out, &in);
	}
	return ret;
}

int coll_alltoall(struct snoo *ctx, const unsigned char *send,
		  unsigned char *to, size_t len, enum snoo_type type)
{
	struct coll c;

	coll_begin(&c, ctx, coll_what(SNOO_ABI_MEET_ALLTOALL, type, 0, 0),
		   len);
	return coll_end(&c, fits_in_one(ctx, len) ?
				    alltoall_short(&c, send, to) :
				    alltoall_long(&c, send, to));
}
