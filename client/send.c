/* SPDX-License-Identifier: MIT */
/*
 * send.c - envelopes and offers
 *
 * Which way a message goes
 * ========================
 *
 *   up to 56 bytes       (regs.c) where the machine's registers carry it
 *                        DATA    the payload is in the line
 *   up to 512 bytes      DATA    a run of lines, if they are a small part of
 *                                the ring
 *   built in a loan      LOAN    (loan.c) the receiver may read it there
 *   up to eager_bytes    BLOCK   in one block, if one is free and the
 *                                receiver has not left too many unread
 *   all else             OFFER   the receiver accepts when it has a buffer;
 *                                then it is streamed (stream.c), or it copies
 *                                by itself: what lies in the pool (alloc.c),
 *                                or our memory, if it may (reach.c)
 */

#include "client/send.h"

#include <stdlib.h>
#include <string.h>

#include "client/alloc.h"
#include "client/channel.h"
#include "client/lend.h"
#include "client/loan.h"
#include "client/match.h"
#include "client/member.h"
#include "client/rather.h"
#include "client/reach.h"
#include "client/recv.h"
#include "client/regs.h"
#include "client/stream.h"
#include "shm/cpu.h"
#include "shm/testpoint.h"

#define SEND_LOOKS	16	/* looks for a block that comes back */

static void push_line(struct snoo *ctx, struct peer *p,
		      struct snoo_request *req)
{
	unsigned int n = (unsigned int)req->len;

	line_copy(shm_tx_words(&p->tx), req->buf, n);
	SNOO_TESTPOINT("send_filled");
	shm_tx_publish(&p->tx, line_word(SNOO_ABI_DATA, 0, n, req->context,
					 req->tag));
	SNOO_TESTPOINT("send_published");
	p->sent++;
	shm_count(ctx->me, SHM_COUNT_sent_register, 1);
	shm_count(ctx->me, SHM_COUNT_sent_bytes, n);
	request_done(ctx, req, 0);
}

/* A message of several lines, if the ring has room for it now. */
static bool publish_run(struct snoo *ctx, struct peer *p, const void *buf,
			size_t len, uint16_t context, uint32_t tag)
{
	if (!channel_run_fits(p, len))
		return false;
	shm_tx_publish_run(&p->tx,
			   line_word(SNOO_ABI_DATA, SNOO_ABI_STREAM,
				     shm_ring_run(len), context, tag),
			   buf, len);
	p->sent++;
	shm_count(ctx->me, SHM_COUNT_sent_run, 1);
	shm_count(ctx->me, SHM_COUNT_sent_bytes, len);
	return true;
}

static bool push_run(struct snoo *ctx, struct peer *p,
		     struct snoo_request *req)
{
	if (!publish_run(ctx, p, req->buf, (size_t)req->len, req->context,
			 req->tag))
		return false;
	request_done(ctx, req, 0);
	return true;
}

bool send_run(struct snoo *ctx, struct peer *p, const void *buf, size_t len,
	      uint32_t tag)
{
	if (!p->tx_short || !list_empty(&p->busy) ||
	    !publish_run(ctx, p, buf, len, ENGINE_CONTEXT_USER, tag))
		return false;
	channel_wake(ctx, p);
	return true;
}

/* Bytes of blocks that one peer may leave unread: half of our grant of a size. */
static bool eager_credit(const struct snoo *ctx, enum lend_size size,
			 const struct peer *p)
{
	const struct lend_class *c = &ctx->lend[size];
	uint64_t limit = (uint64_t)c->held * c->bytes / 2;

	if (limit < c->bytes)
		limit = c->bytes;
	return p->eager_out[size] + c->bytes <= limit;
}

/*
 * A block for an eager message.  When the receiver has left too many unread
 * it is most often about to give one back: a short look costs less than the
 * three lines of an offer.  It is bounded, so nothing waits for a block.
 */
static struct lend_block *eager_block(struct snoo *ctx, struct peer *p,
				      enum lend_size size, uint32_t bytes)
{
	for (int i = 0; i < SEND_LOOKS && !eager_credit(ctx, size, p); i++) {
		if (i == 0)
			lend_more(ctx, size);
		cpu_pause();
		lend_collect(ctx, size);
	}
	if (!eager_credit(ctx, size, p))
		return NULL;
	return lend_take(ctx, size, bytes, p, false);
}

static uint32_t sharers(const struct snoo_abi_rank *r)
{
	/* Relaxed: a hint from the daemon. */
	return atomic_load_explicit(&r->sharers, memory_order_relaxed);
}

/*
 * Larger messages are offered, so that both copies overlap and nothing of them
 * lies about.  With either side on a core that it shares, each answer takes a
 * turn of that core, which is more than can overlap in one block.  Who has
 * buffers in the pool may be sending from one, which saves the copy.
 */
static uint64_t eager_limit(const struct snoo *ctx, const struct peer *p)
{
	uint64_t large = ctx->lend[LEND_LARGE].bytes;

	if (ctx->eager_bytes > 0 && large > ctx->eager_bytes &&
	    list_empty(&ctx->allocs) &&
	    (sharers(ctx->me) > 1 || sharers(p->there) > 1))
		return large;
	return ctx->eager_bytes;
}

/* A filled block for all of @req; NULL: not now, or it is too large for one. */
static struct lend_block *fill_block(struct snoo *ctx, struct peer *p,
				     const struct snoo_request *req)
{
	enum lend_size size = req->len <= ctx->lend[LEND_SMALL].bytes ?
				      LEND_SMALL : LEND_LARGE;
	struct lend_block *b;

	if (req->len > ctx->lend[size].bytes || !lend_allowed(ctx, req->len))
		return NULL;
	b = eager_block(ctx, p, size, (uint32_t)req->len);
	if (b)
		lend_fill(p, b, req->buf, (uint32_t)req->len);
	return b;
}

static void went_in_block(struct snoo *ctx, struct snoo_request *req)
{
	shm_count(ctx->me, SHM_COUNT_sent_block, 1);
	shm_count(ctx->me, SHM_COUNT_sent_bytes, req->len);
	request_done(ctx, req, 0);
}

static bool push_block(struct snoo *ctx, struct peer *p,
		       struct snoo_request *req)
{
	struct lend_block *b = NULL;
	uint64_t *words;

	if (req->len <= eager_limit(ctx, p))
		b = fill_block(ctx, p, req);
	if (!b)
		return false;
	words = shm_tx_words(&p->tx);
	words[0] = line_match(req->context, req->tag);
	words[1] = line_pair(b->unit, b->generation);
	words[2] = req->len;
	words[3] = 0;
	SNOO_TESTPOINT("send_block_filled");
	shm_tx_publish(&p->tx, line_word(SNOO_ABI_BLOCK, 0, 0, req->context,
					 req->tag));
	SNOO_TESTPOINT("send_block_published");
	p->sent++;
	went_in_block(ctx, req);
	return true;
}

bool send_instead(struct snoo *ctx, struct peer *p, struct snoo_request *req)
{
	struct lend_block *b;
	uint64_t *words;

	if (shm_tx_room(&p->tx, SNOO_ABI_RING_ANSWERS) <= 0)
		return false;
	b = fill_block(ctx, p, req);
	if (!b)
		return false;
	/* REVOKE: the buffer is the application's again. */
	reach_ended(ctx, req, -ECANCELED);
	words = shm_tx_words(&p->tx);
	words[0] = req->token;
	words[1] = line_pair(b->unit, b->generation);
	words[2] = req->len;
	words[3] = 0;
	SNOO_TESTPOINT("send_instead_filled");
	shm_tx_publish(&p->tx, line_word(SNOO_ABI_BLOCK, SNOO_ABI_INSTEAD, 0, 0,
					 0));
	SNOO_TESTPOINT("send_instead_published");
	token_end(&ctx->offers, req->token);
	went_in_block(ctx, req);
	channel_wake(ctx, p);
	return true;
}

static int push_offer(struct snoo *ctx, struct peer *p,
		      struct snoo_request *req)
{
	uint64_t *words;
	int ret = token_new(&ctx->offers, req, &req->token);

	if (ret)
		return ret;
	words = shm_tx_words(&p->tx);
	words[0] = line_match(req->context, req->tag);
	words[1] = req->token;
	words[2] = req->len;
	alloc_offer(ctx, req, &words[3]);
	reach_offer(ctx, p, req, &words[3]);
	shm_tx_publish(&p->tx, line_word(SNOO_ABI_OFFER, 0, 0, req->context,
					 req->tag));
	SNOO_TESTPOINT("send_offered");
	p->sent++;
	list_remove(&req->link);
	list_append(&p->offered, &req->link);
	return 0;
}

/* Publish the envelope; the caller has seen that there is room. */
static int push_envelope(struct snoo *ctx, struct peer *p,
			 struct snoo_request *req)
{
	int ret;

	if (req->loan && loan_push(ctx, p, req))
		return 0;
	if (req->len <= SNOO_ABI_INLINE_MAX) {
		push_line(ctx, p, req);
		return 0;
	}
	if (push_run(ctx, p, req))
		return 0;
	if (req->len > eager_limit(ctx, p) || !list_empty(&ctx->allocs) ||
	    !rather_offer(ctx, p, req->len))
		return push_block(ctx, p, req) ? 0 : push_offer(ctx, p, req);
	ret = push_offer(ctx, p, req);
	if (ret == 0)
		rather_offered(ctx, req);
	return ret;
}

/* A loan to ourselves: the block waits for its receive. */
static int lend_self(struct snoo *ctx, struct snoo_request *req)
{
	struct arrival *a = arrival_new(ctx);

	if (!a)
		return -ENOMEM;
	a->kind = ARRIVAL_LOAN;
	a->from = ctx->rank;
	a->tag = req->tag;
	a->context = req->context;
	a->length = req->len;
	a->unit = req->loan->unit;
	a->generation = req->loan->generation;
	loan_out(ctx, req->loan, ctx->rank);
	loan_came(&ctx->peers[ctx->rank]);
	match_keep(ctx, a);
	request_done(ctx, req, 0);
	return 0;
}

static int send_self(struct snoo *ctx, struct snoo_request *req,
		     bool blocking)
{
	struct snoo_request *to = match_posted(ctx, ctx->rank, req->context,
					       req->tag);
	struct arrival *a;

	shm_count(ctx->me, SHM_COUNT_sent_self, 1);
	shm_count(ctx->me, SHM_COUNT_sent_bytes, req->len);
	if (to) {
		recv_copy(ctx, to, ctx->rank, req->tag, req->buf, req->len);
		request_done(ctx, req, 0);
		return 0;
	}
	if (req->loan)
		return lend_self(ctx, req);
	if (blocking && req->len > ctx->eager_bytes)
		return -EDEADLK;

	a = arrival_new(ctx);
	if (!a)
		return -ENOMEM;
	a->from = ctx->rank;
	a->tag = req->tag;
	a->context = req->context;
	a->length = req->len;
	if (req->len > ctx->eager_bytes) {
		a->kind = ARRIVAL_SELF;
		a->self = req;
		req->self_copy = true;
		match_keep(ctx, a);
		return 0;
	}
	a->kind = ARRIVAL_HEAP;
	if (req->len > 0) {
		a->heap = malloc((size_t)req->len);
		if (!a->heap) {
			arrival_free(ctx, a);
			return -ENOMEM;
		}
		memcpy(a->heap, req->buf, (size_t)req->len);
	}
	match_keep(ctx, a);
	request_done(ctx, req, 0);
	return 0;
}

/*
 * Room for an envelope?  If its number does not follow from the one before it
 * in this channel, that is said first.
 */
static bool ready(struct snoo *ctx, struct peer *p)
{
	if (!channel_room(ctx, p))
		return false;
	if (!p->unsaid)
		return true;
	channel_number(p, p->sent);
	p->unsaid = false;
	channel_short(ctx, p);
	return channel_room(ctx, p);
}

int send_start(struct snoo *ctx, struct snoo_request *req, bool blocking)
{
	struct peer *p = &ctx->peers[req->peer];
	int ret = member_error(p);

	if (ret)
		return ret;
	if (ctx->session.lost && ctx->session.lost_error == -ENODEV)
		return -ENODEV;
	if (req->peer == ctx->rank)
		return send_self(ctx, req, blocking);

	if (!req->loan && regs_send(ctx, p, req))
		return 0;
	if (list_empty(&p->envelopes) && ready(ctx, p)) {
		ret = push_envelope(ctx, p, req);
		if (ret)
			return ret;
		channel_wake(ctx, p);
		if (req->done)
			return 0;
	} else {
		list_append(&p->envelopes, &req->link);
		channel_busy(ctx, p);
	}
	req->counted = true;
	ctx->moving++;
	return 0;
}

static bool pump_envelopes(struct snoo *ctx, struct peer *p)
{
	bool moved = false;

	while (!list_empty(&p->envelopes)) {
		struct snoo_request *req = list_entry(p->envelopes.next,
						      struct snoo_request, link);
		int ret;

		if (!ready(ctx, p))
			break;
		ret = push_envelope(ctx, p, req);
		if (ret)
			request_done(ctx, req, ret);
		moved = true;
	}
	return moved;
}

bool send_pump(struct snoo *ctx, struct peer *p)
{
	bool moved = false;

	if (!channel_answers(ctx, p))
		return false;
	if (!list_empty(&p->again))
		moved |= regs_again(ctx, p);
	moved |= pump_envelopes(ctx, p);
	if (moved)
		channel_wake(ctx, p);
	if (!list_empty(&p->streams))
		moved |= stream_pump(ctx, p);
	if (list_empty(&p->answers) && list_empty(&p->again) &&
	    list_empty(&p->envelopes) && list_empty(&p->streams))
		list_remove(&p->busy);
	return moved;
}

void send_ended(struct snoo *ctx, struct peer *p, uint64_t token,
		uint64_t status, uint64_t ns)
{
	struct snoo_request *req = token_find(&ctx->offers, token);

	if (!req || req->peer != p->rank)
		return;
	token_end(&ctx->offers, token);
	if (status != SNOO_ABI_FETCHED && status != SNOO_ABI_TRUNCATED) {
		request_done(ctx, req, -ECANCELED);
		return;
	}
	if (req->pool) {
		lend_charge(ctx, req->len);
		shm_count(ctx->me, SHM_COUNT_sent_pool, 1);
		shm_count(ctx->me, SHM_COUNT_sent_bytes, req->len);
	}
	rather_taken(ctx, req, status == SNOO_ABI_FETCHED ? ns : 0);
	if (req->stamp) {
		lend_charge(ctx, req->len);
		shm_count(ctx->me, SHM_COUNT_sent_cma, 1);
		shm_count(ctx->me, SHM_COUNT_sent_bytes, req->len);
	}
	request_done(ctx, req, 0);
}

void send_cancel(struct snoo *ctx, struct snoo_request *req, int error)
{
	struct peer *p = &ctx->peers[req->peer];

	/* It might have been eager, and then no time limit would have met it. */
	if (req->instead && error != -ECANCELED && send_instead(ctx, p, req))
		return;
	if (req->self_copy) {
		struct arrival *a = NULL;

		for (struct list *n = p->arrivals.next; n != &p->arrivals;
		     n = n->next) {
			a = list_entry(n, struct arrival, by_peer);
			if (a->self == req)
				break;
		}
		if (a && a->self == req)
			arrival_free(ctx, a);
	} else if (req->token != 0) {
		bool running = req->their_token != 0;
		uint64_t words[4] = {
			running ? req->their_token : req->token,
			SNOO_ABI_CANCELLED,
		};

		token_end(&ctx->offers, req->token);
		channel_answer(ctx, p,
			       line_word(SNOO_ABI_CANCEL,
					 running ? SNOO_ABI_STREAM : 0, 0, 0,
					 0), words);
	}
	request_done(ctx, req, error);
}
