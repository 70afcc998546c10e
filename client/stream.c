/* SPDX-License-Identifier: MIT */
/*
 * stream.c - the sender's half of accepted transfers
 *
 * Blocks are filled on this core while the other one empties them.  A stream
 * that finds no block while some of its own are on their way waits for them.
 * If none is (all lie unread at somebody else, or the pool is too small to
 * have any) it goes on in PIECE lines: the ring is the floor.
 */

#include "client/stream.h"

#include <string.h>

#include "client/channel.h"
#include "client/lend.h"
#include "client/rather.h"
#include "client/reach.h"
#include "shm/testpoint.h"

#define STREAM_PIECES	32	/* PIECE lines in one go */

/* Bytes that may be on their way to one peer: at least two blocks. */
static uint64_t window(const struct snoo *ctx)
{
	uint64_t two = 2 * (uint64_t)ctx->lend[LEND_LARGE].bytes;

	return two > ctx->stream_bytes ? two : ctx->stream_bytes;
}

/* Payload of the next block. */
static uint32_t step_bytes(const struct snoo *ctx,
			   const struct snoo_request *req)
{
	uint64_t left = req->total - req->moved;
	uint64_t n = req->moved < left / 2 ? req->moved : left / 2;

	/* It has something to do until this one comes. */
	if (req->moved == 0 && ctx->peers[req->peer].stream_out > 0)
		n = ctx->lend[LEND_LARGE].bytes;
	n -= n % SNOO_ABI_LINE;
	if (n < ctx->lend[LEND_SMALL].bytes)
		n = ctx->lend[LEND_SMALL].bytes;
	if (n > ctx->lend[LEND_LARGE].bytes)
		n = ctx->lend[LEND_LARGE].bytes;
	return (uint32_t)(n < left ? n : left);
}

/* A block for up to *@n bytes; of the other size, and less, if none is free. */
static struct lend_block *take_block(struct snoo *ctx, struct peer *p,
				     uint32_t *n)
{
	enum lend_size size = *n > ctx->lend[LEND_SMALL].bytes ? LEND_LARGE :
								 LEND_SMALL;
	struct lend_block *b = lend_take(ctx, size, *n, p, true);

	if (b)
		return b;
	size = size == LEND_LARGE ? LEND_SMALL : LEND_LARGE;
	if (*n > ctx->lend[size].bytes)
		*n = ctx->lend[size].bytes;
	return lend_take(ctx, size, *n, p, true);
}

static bool stream_blocks(struct snoo *ctx, struct peer *p,
			  struct snoo_request *req)
{
	uint32_t n = step_bytes(ctx, req);
	struct lend_block *b = take_block(ctx, p, &n);
	uint64_t *words;

	if (!b)
		return false;
	lend_fill(p, b, req->buf + req->moved, n);
	words = shm_tx_words(&p->tx);
	words[0] = req->their_token;
	words[1] = line_pair(b->unit, b->generation);
	words[2] = n;
	words[3] = req->moved;
	SNOO_TESTPOINT("stream_filled");
	shm_tx_publish(&p->tx, line_word(SNOO_ABI_BLOCK, SNOO_ABI_STREAM, 0, 0,
					 0));
	SNOO_TESTPOINT("stream_published");
	req->moved += n;
	return true;
}

/* May more bytes be on their way?  If not, the receiver is still at it. */
static bool window_open(struct snoo *ctx, struct peer *p)
{
	if (p->stream_out < window(ctx))
		return true;
	lend_collect(ctx, LEND_LARGE);
	lend_collect(ctx, LEND_SMALL);
	return p->stream_out < window(ctx);
}

static bool stream_pieces(struct snoo *ctx, struct peer *p,
			  struct snoo_request *req)
{
	bool any = false;

	for (int i = 0; i < STREAM_PIECES && req->moved < req->total; i++) {
		uint64_t left = req->total - req->moved;
		unsigned int n = left < SNOO_ABI_PIECE_MAX ?
				 (unsigned int)left : SNOO_ABI_PIECE_MAX;
		uint64_t *words;

		if (shm_tx_room(&p->tx, SNOO_ABI_RING_ANSWERS) <= 0)
			break;
		words = shm_tx_words(&p->tx);
		words[0] = req->their_token;
		memcpy(&words[1], req->buf + req->moved, n);
		shm_tx_publish(&p->tx, line_word(SNOO_ABI_PIECE,
						 SNOO_ABI_STREAM, n, 0, 0));
		req->moved += n;
		lend_charge(ctx, n);
		shm_count(ctx->me, SHM_COUNT_pieces, 1);
		any = true;
	}
	return any;
}

/* One step of a stream; true if it moved. */
static bool stream_step(struct snoo *ctx, struct peer *p,
			struct snoo_request *req)
{
	uint64_t left = req->total - req->moved;
	uint64_t step = ctx->lend[LEND_LARGE].bytes;
	bool moved;

	if (shm_tx_room(&p->tx, SNOO_ABI_RING_ANSWERS) <= 0 ||
	    !window_open(ctx, p))
		return false;
	if (!lend_allowed(ctx, left < step ? left : step)) {
		lend_wants(ctx, left, p->rank);
		return false;
	}
	moved = stream_blocks(ctx, p, req);
	if (!moved && p->stream_out == 0)
		moved = stream_pieces(ctx, p, req);
	if (!moved)
		lend_wants(ctx, left, p->rank);
	return moved;
}

bool stream_pump(struct snoo *ctx, struct peer *p)
{
	struct list *next;
	bool moved = false;

	for (struct list *n = p->streams.next; n != &p->streams; n = next) {
		struct snoo_request *req =
			list_entry(n, struct snoo_request, link);

		next = n->next;
		while (req->moved < req->total && stream_step(ctx, p, req)) {
			moved = true;
			channel_wake(ctx, p);
		}
		if (req->moved < req->total)
			break;
		lend_wants(ctx, 0, 0);
		token_end(&ctx->offers, req->token);
		shm_count(ctx->me, SHM_COUNT_sent_streamed, 1);
		shm_count(ctx->me, SHM_COUNT_sent_bytes, req->total);
		request_done(ctx, req, 0);
		moved = true;
	}
	return moved;
}

int stream_accepted(struct snoo *ctx, struct peer *p, const uint64_t words[7])
{
	struct snoo_request *req = token_find(&ctx->offers, words[0]);

	/* Cancelled while the answer was on its way. */
	if (!req)
		return 0;
	if (req->peer != p->rank || req->their_token != 0 ||
	    words[2] > req->len || words[3] != SNOO_ABI_WAY_STREAM ||
	    words[1] == 0)
		return -EPROTO;
	/* It will not be read, but sent. */
	rather_asked(ctx, req);
	if (req->stamp)
		reach_ended(ctx, req, 0);
	req->their_token = words[1];
	req->total = words[2];
	req->moved = 0;
	list_remove(&req->link);
	list_append(&p->streams, &req->link);
	channel_busy(ctx, p);
	return 0;
}
