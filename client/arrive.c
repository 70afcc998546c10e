/* SPDX-License-Identifier: MIT */
/*
 * arrive.c - lines that came in
 *
 * Everything in a line is a claim of the peer: the type, the length, the
 * block.  Words are copied once, checked, and the copies are used.  A line
 * that cannot be true ends the channel with -EPROTO for us; nothing else in
 * the job notices.
 */

#include "client/arrive.h"

#include <stdlib.h>
#include <string.h>

#include "client/channel.h"
#include "client/instead.h"
#include "client/loan.h"
#include "client/match.h"
#include "client/order.h"
#include "client/peer.h"
#include "client/recv.h"
#include "client/send.h"
#include "client/stream.h"
#include "shm/block.h"
#include "shm/copy.h"
#include "shm/cpu.h"

#define ARRIVE_BATCH	256	/* lines of one peer in one go */
#define ARRIVE_MOVED	1	/* the ring was replaced: do not pop */

/* The receive that it completes, if it is its turn and there is one. */
static struct snoo_request *wanted(struct snoo *ctx, struct peer *p,
				   uint64_t word0,
				   const struct order_place *at)
{
	if (at->when != ORDER_NOW)
		return NULL;
	return match_posted(ctx, p->rank, line_context(word0),
			    line_tag(word0));
}

static struct arrival *unexpected(struct snoo *ctx, struct peer *p,
				  enum arrival_kind kind, uint64_t word0,
				  uint64_t length)
{
	struct arrival *a = arrival_new(ctx);

	if (!a)
		return NULL;
	a->kind = kind;
	a->from = p->rank;
	a->tag = line_tag(word0);
	a->context = line_context(word0);
	a->length = length;
	return a;
}

static int arrive_run(struct snoo *ctx, struct peer *p, uint64_t word0,
		      const struct order_place *at)
{
	uint64_t n = *(const volatile uint64_t *)shm_rx_words(&p->rx);
	int64_t run = shm_rx_run(&p->rx, word0, n);
	struct snoo_request *req;

	if (run < 0)
		return -EPROTO;
	req = wanted(ctx, p, word0, at);
	if (req) {
		recv_run(ctx, req, p, line_tag(word0), n);
	} else if (at->when != ORDER_HAD) {
		struct arrival *a = unexpected(ctx, p, ARRIVAL_HEAP, word0, n);

		if (!a)
			return -ENOMEM;
		a->heap = malloc((size_t)n);
		if (!a->heap) {
			arrival_free(ctx, a);
			return -ENOMEM;
		}
		shm_rx_gather(&p->rx, a->heap, n);
		order_keep(ctx, a, at);
	}
	/* The DATA line is popped with all others. */
	for (; run > 0; run--)
		shm_rx_pop(&p->rx);
	return 0;
}

static int arrive_data(struct snoo *ctx, struct peer *p, uint64_t word0,
		       const struct order_place *at)
{
	unsigned int n = line_inlined(word0);
	struct snoo_request *req;
	struct arrival *a;

	if (line_flags(word0) == SNOO_ABI_STREAM)
		return arrive_run(ctx, p, word0, at);
	if (line_flags(word0) != 0 || n > SNOO_ABI_INLINE_MAX)
		return -EPROTO;
	if (at->when == ORDER_HAD)
		return 0;
	req = wanted(ctx, p, word0, at);
	if (req) {
		recv_line(ctx, req, p->rank, line_tag(word0),
			  shm_rx_words(&p->rx), n);
		return 0;
	}
	a = unexpected(ctx, p, ARRIVAL_LINE, word0, n);
	if (!a)
		return -ENOMEM;
	line_copy(a->data, shm_rx_words(&p->rx), n);
	order_keep(ctx, a, at);
	return 0;
}

/* Is it the peer's block, and out under this generation? */
static void *block_of(struct snoo *ctx, const struct peer *p, uint64_t pair,
		      uint64_t length)
{
	struct snoo_abi_desc *d = shm_region_desc(&ctx->region,
						  line_index(pair));

	/* It is given back in a moment: one transfer of its line, not two. */
	if (d)
		cpu_prefetch_write(d);
	if (!d || shm_block_look(d) != block_word(line_generation(pair),
						  p->slot,
						  SNOO_ABI_BLOCK_BUSY))
		return NULL;
	return shm_region_block(&ctx->region, line_index(pair), length);
}

int64_t arrive_taken(struct snoo *ctx, struct peer *p, void *buf,
		     size_t capacity, uint64_t *length)
{
	uint64_t w[7], start;
	size_t n;
	void *data;

	memcpy(w, shm_rx_words(&p->rx), sizeof(w));
	cpu_settle();
	data = block_of(ctx, p, w[1], w[2]);
	if (!data)
		return -1;
	n = w[2] < capacity ? (size_t)w[2] : capacity;
	start = recv_reads(p, w[2]);
	shm_copy_out(buf, data, n);
	recv_has_read(ctx, line_index(w[1]), start);
	recv_give(ctx, p, line_index(w[1]), line_generation(w[1]));
	*length = w[2];
	return (int64_t)n;
}

/* A block of an accepted transfer. */
static int arrive_part(struct snoo *ctx, struct peer *p, const uint64_t w[7])
{
	void *data = block_of(ctx, p, w[1], w[2]);
	uint64_t start = recv_reads(p, w[2]);
	int ret;

	if (!data)
		return -EPROTO;
	ret = recv_stream(ctx, p, w[0], data, w[3], w[2]);
	recv_has_read(ctx, line_index(w[1]), start);
	if (ret == 0)
		recv_give(ctx, p, line_index(w[1]), line_generation(w[1]));
	return ret;
}

/* A block for what was offered. */
static int arrive_instead(struct snoo *ctx, struct peer *p, const uint64_t w[7])
{
	if (!block_of(ctx, p, w[1], w[2]))
		return -EPROTO;
	return instead_arrived(ctx, p, w[0], line_index(w[1]),
			       line_generation(w[1]), w[2]);
}

static int arrive_block(struct snoo *ctx, struct peer *p, uint64_t word0,
			const uint64_t w[7], const struct order_place *at)
{
	struct snoo_request *req;
	struct arrival *a;

	/* What is sent twice goes in lines, blocks and offers never. */
	if (line_flags(word0) != 0 || at->when == ORDER_HAD ||
	    !block_of(ctx, p, w[1], w[2]))
		return -EPROTO;
	req = wanted(ctx, p, word0, at);
	if (req) {
		recv_block(ctx, req, p, line_tag(word0), line_index(w[1]),
			   line_generation(w[1]), w[2]);
		return 0;
	}
	a = unexpected(ctx, p, ARRIVAL_BLOCK, word0, w[2]);
	if (!a)
		return -ENOMEM;
	a->unit = line_index(w[1]);
	a->generation = line_generation(w[1]);
	order_keep(ctx, a, at);
	return 0;
}

/* A block that the receiver may read where it is. */
static int arrive_loan(struct snoo *ctx, struct peer *p, uint64_t word0,
		       const uint64_t w[7], const struct order_place *at)
{
	struct snoo_request *req;
	struct arrival *a;

	if (line_flags(word0) != 0 || at->when == ORDER_HAD ||
	    !block_of(ctx, p, w[1], w[2]) ||
	    w[2] > shm_block_bytes(shm_region_desc(&ctx->region,
						   line_index(w[1]))))
		return -EPROTO;
	req = wanted(ctx, p, word0, at);
	if (req) {
		loan_came(p);
		recv_loan(ctx, req, p, line_tag(word0), line_index(w[1]),
			  line_generation(w[1]), w[2]);
		return 0;
	}
	a = unexpected(ctx, p, ARRIVAL_LOAN, word0, w[2]);
	if (!a)
		return -ENOMEM;
	loan_came(p);
	a->unit = line_index(w[1]);
	a->generation = line_generation(w[1]);
	order_keep(ctx, a, at);
	return 0;
}

static int arrive_piece(struct snoo *ctx, struct peer *p, uint64_t word0,
			const uint64_t w[7])
{
	unsigned int n = line_inlined(word0);
	struct snoo_request *req = token_find(&ctx->accepts, w[0]);

	if (line_flags(word0) != SNOO_ABI_STREAM || n > SNOO_ABI_PIECE_MAX)
		return -EPROTO;
	/* Pieces come in the ring's order: each goes on where we are. */
	return recv_stream(ctx, p, w[0], &w[1], req ? req->moved : 0, n);
}

static int arrive_offer(struct snoo *ctx, struct peer *p, uint64_t word0,
			const uint64_t w[7], const struct order_place *at)
{
	const struct offer o = {
		.token = w[1],
		.length = w[2],
		.ways = w[3],
		.offset = w[4],
		.unit = line_index(w[5]),
		.generation = line_generation(w[5]),
	};
	struct snoo_request *req;
	struct arrival *a;

	if ((w[3] & SNOO_ABI_WAY_STREAM) == 0 || w[1] == 0 ||
	    at->when == ORDER_HAD)
		return -EPROTO;
	if ((w[3] & SNOO_ABI_WAY_POOL) && !alloc_check(ctx, &o))
		return -EPROTO;
	req = wanted(ctx, p, word0, at);
	if (req) {
		recv_offer(ctx, req, p, line_tag(word0), &o);
		return 0;
	}
	a = unexpected(ctx, p, ARRIVAL_OFFER, word0, w[2]);
	if (!a)
		return -ENOMEM;
	a->token = o.token;
	a->ways = o.ways;
	a->offset = o.offset;
	a->unit = o.unit;
	a->generation = o.generation;
	order_keep(ctx, a, at);
	return 0;
}

/* @w: NULL for DATA, whose words are copied to where they go. */
static int arrive_envelope(struct snoo *ctx, struct peer *p, uint64_t word0,
			   const uint64_t *w)
{
	struct order_place at = { ORDER_NOW, p->turn, NULL };
	bool plain = p->rx_short;
	int ret = plain ? 0 : order_find(ctx, p, order_next(p), &at);

	if (ret)
		return ret;
	if (!w)
		ret = arrive_data(ctx, p, word0, &at);
	else if (line_type(word0) == SNOO_ABI_BLOCK)
		ret = arrive_block(ctx, p, word0, w, &at);
	else if (line_type(word0) == SNOO_ABI_LOAN)
		ret = arrive_loan(ctx, p, word0, w, &at);
	else
		ret = arrive_offer(ctx, p, word0, w, &at);
	if (ret == 0 && plain)
		p->turn++;
	else if (ret == 0)
		order_came(ctx, p, &at, true);
	return ret;
}

static int arrive_control(struct snoo *ctx, struct peer *p,
			  const uint64_t w[7])
{
	int ret;

	if (w[0] == SNOO_ABI_NUMBER)
		return order_number(ctx, p, w[1]);
	if (w[0] != SNOO_ABI_MOVED)
		return -EPROTO;
	ret = channel_moved(ctx, p, w[1]);
	return ret ? ret : ARRIVE_MOVED;
}

static int arrive_line(struct snoo *ctx, struct peer *p, uint64_t word0)
{
	uint64_t w[7];

	if (line_type(word0) == SNOO_ABI_DATA)
		return arrive_envelope(ctx, p, word0, NULL);

	memcpy(w, shm_rx_words(&p->rx), sizeof(w));
	cpu_settle();
	switch (line_type(word0)) {
	case SNOO_ABI_BLOCK:
		if (line_flags(word0) == SNOO_ABI_STREAM)
			return arrive_part(ctx, p, w);
		if (line_flags(word0) == SNOO_ABI_INSTEAD)
			return arrive_instead(ctx, p, w);
		return arrive_envelope(ctx, p, word0, w);
	case SNOO_ABI_PIECE:
		return arrive_piece(ctx, p, word0, w);
	case SNOO_ABI_LOAN:
	case SNOO_ABI_OFFER:
		return arrive_envelope(ctx, p, word0, w);
	case SNOO_ABI_ACCEPT:
		return stream_accepted(ctx, p, w);
	case SNOO_ABI_DONE:
		send_ended(ctx, p, w[0], w[1], w[2]);
		return 0;
	case SNOO_ABI_CANCEL:
		recv_cancelled(ctx, p, w[0],
			       line_flags(word0) == SNOO_ABI_STREAM);
		return 0;
	case SNOO_ABI_CONTROL:
		return arrive_control(ctx, p, w);
	case SNOO_ABI_LEAVE:
		/* The daemon's word counts; this line only ends the ring. */
		return 0;
	default:
		return -EPROTO;
	}
}

int arrive_drain(struct snoo *ctx, struct peer *p)
{
	uint64_t word0;
	int n = 0;

	ctx->searched = 0;
	while ((uint32_t)n + order_cost(ctx) < ARRIVE_BATCH &&
	       shm_rx_peek(&p->rx, &word0)) {
		int ret = arrive_line(ctx, p, word0);

		if (ret == -ENOMEM) {
			ctx->no_memory = true;
			break;
		}
		n++;
		if (ret < 0) {
			peer_break(ctx, p);
			break;
		}
		if (ret != ARRIVE_MOVED)
			shm_rx_pop(&p->rx);
		if (shm_rx_due(&p->rx))
			channel_tell(ctx, p);
	}
	return n;
}

void arrive_all(struct snoo *ctx, struct peer *p)
{
	uint32_t left = 2 * SNOO_ABI_RING_MAX;

	channel_open_rx(ctx, p);
	while (p->rx_open && left > 0) {
		int n = arrive_drain(ctx, p);

		if (n <= 0)
			return;
		left -= (uint32_t)n < left ? (uint32_t)n : left;
	}
}
