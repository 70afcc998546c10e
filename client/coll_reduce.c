/* SPDX-License-Identifier: MIT */
/*
 * coll_reduce.c - reductions: how, by size
 *
 *   up to REDUCE_MEET     by meetings: each rank brings its elements, and who
 *                         wants the result puts all of them together
 *   allreduce, long, or   round a ring: each rank adds to a part of the
 *   of two ranks          elements in turn, then the parts go round
 *   all else              up a tree to the root (and down again)
 *
 * All ranks meet once before the messages of a long one: so they agree on what
 * they do, or learn here that they do not.
 *
 * The order in which elements are put together depends on the number of ranks
 * and of bytes, and on the root, alone; and allreduce computes each element of
 * a long result at one place.  So all ranks have the same bits, each time.
 *
 * Source of ring and tree: see coll_tree.c.
 */

#include "client/coll_reduce.h"

#include <string.h>

#include "client/coll_meet.h"
#include "client/coll_step.h"
#include "client/coll_tree.h"

#define REDUCE_MEET	4096	/* bytes */
#define REDUCE_PAIR	1024	/* the same of two ranks: messages are faster */
#define REDUCE_RING	4096	/* bytes for each rank */

static void fold(void *acc, const void *in, const void *arg)
{
	coll_op_fold(acc, in, arg);
}

/* @root: ENGINE_ANY: the result is for all. */
static int by_meetings(struct coll *c, const unsigned char *send,
		       unsigned char *to, const struct coll_op *op,
		       uint32_t root)
{
	bool ours = root == ENGINE_ANY || root == c->ctx->rank;
	struct coll_op part = *op;
	enum coll_stay stay;
	int ret;

	c->part.fold = fold;
	c->part.arg = &part;
	do {
		size_t left = c->part.bytes - c->at;

		c->part.len = left < SNOO_ABI_MEET_DATA ? left :
							  SNOO_ABI_MEET_DATA;
		c->part.data = send + c->at;
		part.count = c->part.len / coll_op_size(op->type);
		/* Before it goes on: else it would be in others' next call. */
		stay = ours || left > SNOO_ABI_MEET_DATA ? COLL_STAYS :
							   COLL_GOES;
		ret = coll_enter(c, stay);
		if (ret == 0 && stay == COLL_STAYS)
			ret = coll_agree(c);
		if (ret)
			return ret;
		if (ours && c->part.len > 0)
			shm_meet_fold(&c->ctx->meet.area, &c->part,
				      to + c->at);
		c->at += c->part.len;
	} while (c->at < c->part.bytes);
	return 0;
}

/* ---- round a ring ---- */

struct part {
	unsigned char *at;
	size_t len;
};

/* The @i-th of as many parts as there are ranks. */
static struct part part_of(const struct snoo *ctx, unsigned char *buf,
			   const struct coll_op *op, uint32_t i)
{
	size_t size = coll_op_size(op->type);
	size_t each = op->count / ctx->size, more = op->count % ctx->size;
	size_t first = each * i + (i < more ? i : more);

	return (struct part){ buf + first * size,
			      (each + (i < more)) * size };
}

static int add_next(struct coll *c, struct part out, struct part in,
		    const struct coll_op *op, unsigned char *room)
{
	uint32_t n = c->ctx->size, me = c->ctx->rank;
	struct coll_op piece = *op;

	for (size_t at = 0; at < out.len || at < in.len; at += STEP_PIECE) {
		struct step send = { (me + 1) % n, out.at + at, 0 };
		struct step recv = { (me + n - 1) % n, room, 0 };
		int ret;

		if (at < out.len)
			send.len = out.len - at < STEP_PIECE ? out.len - at :
							       STEP_PIECE;
		if (at < in.len)
			recv.len = in.len - at < STEP_PIECE ? in.len - at :
							      STEP_PIECE;
		ret = step_swap(c, at < out.len ? &send : NULL,
				at < in.len ? &recv : NULL);
		if (ret)
			return ret;
		piece.count = recv.len / coll_op_size(op->type);
		if (at < in.len)
			coll_op_fold(in.at + at, room, &piece);
	}
	return 0;
}

static int by_ring(struct coll *c, unsigned char *buf,
		   const struct coll_op *op, unsigned char *room)
{
	struct snoo *ctx = c->ctx;
	uint32_t n = ctx->size, me = ctx->rank;
	int ret = 0;

	for (uint32_t s = 0; s + 1 < n && ret == 0; s++)
		ret = add_next(c, part_of(ctx, buf, op, (me + n - s) % n),
			       part_of(ctx, buf, op, (me + n - s - 1) % n),
			       op, room);
	for (uint32_t s = 0; s + 1 < n && ret == 0; s++) {
		struct part out = part_of(ctx, buf, op, (me + 1 + n - s) % n);
		struct part in = part_of(ctx, buf, op, (me + n - s) % n);
		struct step send = { (me + 1) % n, out.at, out.len };
		struct step recv = { (me + n - 1) % n, in.at, in.len };

		ret = step_swap(c, &send, &recv);
	}
	return ret;
}

/* ---- by size ---- */

/* Of two ranks that have a core each messages cost no switch of processes: where
 * 4 KiB took 4.7 us by four meetings, 8 KiB took 2.5 us round the ring. */
static size_t most_by_meetings(const struct snoo *ctx)
{
	return ctx->size == 2 ? REDUCE_PAIR : REDUCE_MEET;
}

static int long_allreduce(struct coll *c, const unsigned char *send,
			  unsigned char *to, const struct coll_op *op)
{
	unsigned char *room = step_room(c->ctx);
	size_t len = c->part.bytes;
	int ret;

	if (!room)
		return -ENOMEM;
	ret = coll_enter(c, COLL_STAYS);
	if (ret == 0)
		ret = coll_agree(c);
	if (ret)
		return ret;
	if (c->ctx->size == 2 || len / c->ctx->size >= REDUCE_RING) {
		if (send != to)
			memcpy(to, send, len);
		return by_ring(c, to, op, room);
	}
	ret = tree_reduce(c, send, to, op, 0, room);
	return ret ? ret : tree_bcast(c, to, len, 0);
}

int coll_allreduce(struct snoo *ctx, const void *send, void *to,
		   const struct coll_op *op)
{
	size_t len = op->count * coll_op_size(op->type);
	struct coll c;

	coll_begin(&c, ctx, coll_what(SNOO_ABI_MEET_ALLREDUCE, op->type,
				      op->op, 0), len);
	if (len <= most_by_meetings(ctx))
		return coll_end(&c, by_meetings(&c, send, to, op, ENGINE_ANY));
	return coll_end(&c, long_allreduce(&c, send, to, op));
}

static int long_reduce(struct coll *c, const unsigned char *send,
		       unsigned char *to, const struct coll_op *op,
		       uint32_t root)
{
	unsigned char *room = step_room(c->ctx);
	int ret;

	if (!room)
		return -ENOMEM;
	ret = coll_enter(c, COLL_STAYS);
	if (ret == 0)
		ret = coll_agree(c);
	return ret ? ret : tree_reduce(c, send, to, op, root, room);
}

int coll_reduce(struct snoo *ctx, const void *send, void *to,
		const struct coll_op *op, uint32_t root)
{
	size_t len = op->count * coll_op_size(op->type);
	struct coll c;

	if (ctx->rank != root)
		to = NULL;
	coll_begin(&c, ctx, coll_what(SNOO_ABI_MEET_REDUCE, op->type, op->op,
				      root), len);
	if (len <= most_by_meetings(ctx))
		return coll_end(&c, by_meetings(&c, send, to, op, root));
	return coll_end(&c, long_reduce(&c, send, to, op, root));
}
