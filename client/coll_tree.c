/* SPDX-License-Identifier: MIT */
/*
 * coll_tree.c - binomial trees over the ranks, piece by piece
 *
 * Ranks are counted from the root on.  Rank r's parent is r without its lowest
 * bit; its children are r with one bit more below that.  A long message goes in
 * pieces, so that a child has the first while its parent sends the next.
 *
 * Source: R. Thakur, R. Rabenseifner, W. Gropp, Optimization of collective
 * communication operations in MPICH, Int. J. High Performance Computing
 * Applications 19 (2005).
 */

#include "client/coll_tree.h"

#include <string.h>

struct place {
	uint32_t size;
	uint32_t root;
	uint32_t at;			/* our number, counted from the root */
};

static struct place place_of(const struct snoo *ctx, uint32_t root)
{
	return (struct place){
		.size = ctx->size,
		.root = root,
		.at = (ctx->rank + ctx->size - root) % ctx->size,
	};
}

static uint32_t rank_of(const struct place *p, uint32_t at)
{
	return (at + p->root) % p->size;
}

/* The bit that leads to our parent; for the root one above all. */
static uint32_t parent_bit(const struct place *p)
{
	uint32_t bit = 1;

	while (bit < p->size && !(p->at & bit))
		bit <<= 1;
	return bit;
}

static int bcast_piece(struct coll *c, const struct place *p,
		       unsigned char *buf, size_t len)
{
	uint32_t bit = parent_bit(p);
	int ret = 0;

	if (p->at != 0)
		ret = step_recv(c, rank_of(p, p->at - bit), buf, len);
	for (bit >>= 1; bit > 0 && ret == 0; bit >>= 1) {
		if (p->at + bit < p->size)
			ret = step_send(c, rank_of(p, p->at + bit), buf, len);
	}
	return ret;
}

int tree_bcast(struct coll *c, unsigned char *buf, size_t len, uint32_t root)
{
	struct place p = place_of(c->ctx, root);
	/* With one receiver a stream has its own pieces. */
	size_t piece = p.size > 2 ? STEP_PIECE : len;
	int ret = 0;

	for (size_t at = 0; at < len && ret == 0; at += piece) {
		size_t n = len - at < piece ? len - at : piece;

		ret = bcast_piece(c, &p, buf + at, n);
	}
	return ret;
}

static int reduce_piece(struct coll *c, const struct place *p,
			const unsigned char *mine, unsigned char *acc,
			unsigned char *in, const struct coll_op *op)
{
	size_t len = op->count * coll_op_size(op->type);
	const unsigned char *have = mine;
	uint32_t bit;
	int ret;

	for (bit = 1; bit < p->size && !(p->at & bit); bit <<= 1) {
		if (p->at + bit >= p->size)
			continue;
		ret = step_recv(c, rank_of(p, p->at + bit), in, len);
		if (ret)
			return ret;
		if (have != acc)
			memcpy(acc, have, len);
		have = acc;
		coll_op_fold(acc, in, op);
	}
	if (p->at != 0)
		return step_send(c, rank_of(p, p->at - bit), have, len);
	if (have != acc)
		memcpy(acc, have, len);
	return 0;
}

int tree_reduce(struct coll *c, const unsigned char *mine, unsigned char *to,
		const struct coll_op *op, uint32_t root, unsigned char *room)
{
	struct place p = place_of(c->ctx, root);
	size_t size = coll_op_size(op->type), len = op->count * size;
	struct coll_op part = *op;
	int ret = 0;

	for (size_t at = 0; at < len && ret == 0; at += STEP_PIECE) {
		size_t n = len - at < STEP_PIECE ? len - at : STEP_PIECE;

		part.count = n / size;
		ret = reduce_piece(c, &p, mine + at, to ? to + at : room,
				   room + STEP_PIECE, &part);
	}
	return ret;
}
