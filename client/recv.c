/* SPDX-License-Identifier: MIT */
/* recv.c - receives: from an arrival, or from a transfer that we accept */

#include "client/recv.h"

#include <string.h>

#include "client/channel.h"
#include "client/loan.h"
#include "client/match.h"
#include "client/member.h"
#include "client/reach.h"
#include "shm/block.h"
#include "shm/copy.h"
#include "shm/testpoint.h"

static void found(struct snoo_request *req, uint32_t from, uint32_t tag,
		  uint64_t length)
{
	req->from = from;
	req->mark = tag;
	req->message = length;
}

/* A view takes any message, in memory of its own; without that it is lost. */
static bool no_room(struct snoo *ctx, struct snoo_request *req,
		    uint64_t length)
{
	int ret = req->view ? view_room(req, length) : 0;

	if (ret)
		request_done(ctx, req, ret);
	return ret != 0;
}

void recv_copy(struct snoo *ctx, struct snoo_request *req, uint32_t from,
	       uint32_t tag, const void *data, uint64_t length)
{
	uint64_t n;

	found(req, from, tag, length);
	if (no_room(ctx, req, length))
		return;
	n = length < req->len ? length : req->len;
	if (n > 0)
		shm_copy_out(req->buf, data, (size_t)n);
	request_done(ctx, req, length > req->len ? -EMSGSIZE : 0);
}

void recv_run(struct snoo *ctx, struct snoo_request *req, struct peer *p,
	      uint32_t tag, uint64_t length)
{
	found(req, p->rank, tag, length);
	if (no_room(ctx, req, length))
		return;
	shm_rx_gather(&p->rx, req->buf, length < req->len ? length : req->len);
	request_done(ctx, req, length > req->len ? -EMSGSIZE : 0);
}

void recv_give(struct snoo *ctx, struct peer *p, uint32_t unit,
	       uint32_t generation)
{
	SNOO_TESTPOINT("recv_copied");
	shm_block_give(shm_region_desc(&ctx->region, unit), p->slot,
		       generation);
	SNOO_TESTPOINT("recv_given");
	channel_returned(ctx, p);
}

void recv_block(struct snoo *ctx, struct snoo_request *req, struct peer *p,
		uint32_t tag, uint32_t unit, uint32_t generation,
		uint64_t length)
{
	uint64_t start = recv_reads(p, length);

	recv_copy(ctx, req, p->rank, tag,
		  shm_region_block(&ctx->region, unit, length), length);
	recv_has_read(ctx, unit, start);
	recv_give(ctx, p, unit, generation);
}

void recv_loan(struct snoo *ctx, struct snoo_request *req, struct peer *p,
	       uint32_t tag, uint32_t unit, uint32_t generation,
	       uint64_t length)
{
	if (req->view) {
		found(req, p->rank, tag, length);
		view_lay(ctx, req, p, unit, generation);
		request_done(ctx, req, 0);
		return;
	}
	recv_copy(ctx, req, p->rank, tag,
		  shm_region_block(&ctx->region, unit, length), length);
	loan_give(ctx, p, unit, generation);
}

void recv_drop(struct snoo *ctx, struct peer *p, struct arrival *a)
{
	if (a->kind == ARRIVAL_BLOCK)
		recv_give(ctx, p, a->unit, a->generation);
	else if (a->kind == ARRIVAL_LOAN)
		loan_give(ctx, p, a->unit, a->generation);
	arrival_free(ctx, a);
}

/* What is offered is not wanted after all. */
static void refuse(struct snoo *ctx, struct peer *p, uint64_t token)
{
	uint64_t words[4] = { token, SNOO_ABI_REFUSED };

	channel_answer(ctx, p, line_word(SNOO_ABI_DONE, 0, 0, 0, 0), words);
}

static void accept_stream(struct snoo *ctx, struct snoo_request *req,
			  struct peer *p, uint64_t token, uint64_t length)
{
	uint64_t words[4];
	int ret;

	req->total = length < req->len ? length : req->len;
	req->moved = 0;
	req->their_token = token;
	if (req->total == 0) {
		words[0] = token;
		words[1] = length == 0 ? SNOO_ABI_FETCHED : SNOO_ABI_TRUNCATED;
		words[2] = 0;
		words[3] = 0;
		channel_answer(ctx, p, line_word(SNOO_ABI_DONE, 0, 0, 0, 0),
			       words);
		request_done(ctx, req, length == 0 ? 0 : -EMSGSIZE);
		return;
	}

	ret = token_new(&ctx->accepts, req, &req->token);
	if (ret) {
		request_done(ctx, req, ret);
		return;
	}
	reach_accepted(p);
	list_append(&p->incoming, &req->link);
	req->counted = true;
	ctx->moving++;
	words[0] = token;
	words[1] = req->token;
	words[2] = req->total;
	words[3] = SNOO_ABI_WAY_STREAM;
	ret = channel_answer(ctx, p, line_word(SNOO_ABI_ACCEPT, 0, 0, 0, 0),
			     words);
	SNOO_TESTPOINT("recv_accepted");
	if (ret) {
		token_end(&ctx->accepts, req->token);
		request_done(ctx, req, ret);
	}
}

/*
 * From the pool or the sender's memory, without its help; false: it is to be
 * asked.
 */
static bool fetch(struct snoo *ctx, struct snoo_request *req, struct peer *p,
		  const struct offer *o)
{
	bool cut = o->length > req->len;
	uint64_t n = cut ? req->len : o->length;
	uint64_t words[4] = {
		o->token,
		cut ? SNOO_ABI_TRUNCATED : SNOO_ABI_FETCHED,
	};

	if (n == 0)
		return false;
	p->reach.took_ns = 0;
	if (o->ways & SNOO_ABI_WAY_POOL ?
		    !alloc_fetch(ctx, p, o, req->buf, n) :
		    !reach_fetch(ctx, p, o, req->buf, n))
		return false;
	words[2] = p->reach.took_ns;
	if (channel_answer(ctx, p, line_word(SNOO_ABI_DONE, 0, 0, 0, 0), words))
		return false;
	request_done(ctx, req, cut ? -EMSGSIZE : 0);
	return true;
}

void recv_offer(struct snoo *ctx, struct snoo_request *req, struct peer *p,
		uint32_t tag, const struct offer *o)
{
	found(req, p->rank, tag, o->length);
	if (no_room(ctx, req, o->length)) {
		refuse(ctx, p, o->token);
		return;
	}
	if ((o->ways & (SNOO_ABI_WAY_POOL | SNOO_ABI_WAY_CMA)) &&
	    fetch(ctx, req, p, o))
		return;
	accept_stream(ctx, req, p, o->token, o->length);
}

static void take_offer(struct snoo *ctx, struct snoo_request *req,
		       struct peer *p, const struct arrival *a)
{
	const struct offer o = {
		.token = a->token,
		.length = a->length,
		.ways = a->ways,
		.offset = a->offset,
		.unit = a->unit,
		.generation = a->generation,
	};

	recv_offer(ctx, req, p, a->tag, &o);
}

int recv_stream(struct snoo *ctx, struct peer *p, uint64_t token,
		const void *data, uint64_t offset, uint64_t length)
{
	struct snoo_request *req = token_find(&ctx->accepts, token);

	/* We gave it up while this was on its way. */
	if (!req)
		return 0;
	if (req->from != p->rank || offset != req->moved ||
	    length > req->total - req->moved)
		return -EPROTO;
	shm_copy_out(req->buf + req->moved, data, (size_t)length);
	req->moved += length;
	if (req->moved == req->total) {
		reach_streamed(p, req->total);
		token_end(&ctx->accepts, token);
		request_done(ctx, req,
			     req->message > req->len ? -EMSGSIZE : 0);
	}
	return 0;
}

void recv_arrival(struct snoo *ctx, struct snoo_request *req,
		  struct arrival *a)
{
	struct peer *p = &ctx->peers[a->from];
	struct snoo_request *self = a->self;

	switch (a->kind) {
	case ARRIVAL_LINE:
		recv_copy(ctx, req, a->from, a->tag, a->data, a->length);
		break;
	case ARRIVAL_HEAP:
		recv_copy(ctx, req, a->from, a->tag, a->heap, a->length);
		break;
	case ARRIVAL_BLOCK:
		recv_block(ctx, req, p, a->tag, a->unit, a->generation,
			   a->length);
		break;
	case ARRIVAL_LOAN:
		recv_loan(ctx, req, p, a->tag, a->unit, a->generation,
			  a->length);
		break;
	case ARRIVAL_SELF:
		recv_copy(ctx, req, a->from, a->tag, self->buf, a->length);
		self->self_copy = false;
		request_done(ctx, self, 0);
		break;
	case ARRIVAL_OFFER:
		/* Of a peer that is gone: its turn is kept, it is cut off. */
		if (p->state == PEER_LIVE) {
			take_offer(ctx, req, p, a);
			break;
		}
		found(req, a->from, a->tag, a->length);
		request_done(ctx, req, member_error(p));
		break;
	case ARRIVAL_VOID:
		break;			/* parked: no receive ever sees it */
	}
	arrival_free(ctx, a);
}

int recv_start(struct snoo *ctx, struct snoo_request *req)
{
	struct arrival *a = match_arrival(ctx, req->peer, req->context,
					  req->tag);
	int ret;

	req->seq = ++ctx->seq;
	if (a) {
		recv_arrival(ctx, req, a);
		return 0;
	}
	if (req->peer == ENGINE_ANY)
		ret = member_any_error(ctx, &req->from);
	else
		ret = member_error(&ctx->peers[req->peer]);
	if (ret)
		return ret;
	match_post(ctx, req);
	return 0;
}

static struct arrival *find_offer(struct list *home, uint64_t token)
{
	for (struct list *n = home->next; n != home; n = n->next) {
		struct arrival *a = list_entry(n, struct arrival, by_peer);

		if (a->kind == ARRIVAL_OFFER && a->token == token)
			return a;
	}
	return NULL;
}

struct arrival *recv_offered(struct peer *p, uint64_t token)
{
	struct arrival *a = find_offer(&p->arrivals, token);

	/* Those behind it wait for its number. */
	return a ? a : find_offer(&p->parked, token);
}

struct snoo_request *recv_accepted(struct peer *p, uint64_t token)
{
	for (struct list *n = p->incoming.next; n != &p->incoming;
	     n = n->next) {
		struct snoo_request *req =
			list_entry(n, struct snoo_request, link);

		if (req->their_token == token)
			return req;
	}
	return NULL;
}

/* The transfer's bytes will not come. */
static void withdrawn(struct snoo *ctx, struct snoo_request *req)
{
	struct arrival *a;

	token_end(&ctx->accepts, req->token);
	if (req->moved > 0) {
		request_done(ctx, req, -ECANCELED);
		return;
	}
	/* Nothing was touched: it takes another message, or its old place. */
	list_remove(&req->link);
	req->counted = false;
	ctx->moving--;
	req->token = 0;
	req->their_token = 0;
	a = match_arrival(ctx, req->peer, req->context, req->tag);
	if (a)
		recv_arrival(ctx, req, a);
	else
		match_post(ctx, req);
}

void recv_cancelled(struct snoo *ctx, struct peer *p, uint64_t token,
		    bool running)
{
	struct snoo_request *req;
	struct arrival *a;

	if (running) {
		req = token_find(&ctx->accepts, token);
		if (req && req->from == p->rank)
			withdrawn(ctx, req);
		return;
	}
	a = find_offer(&p->arrivals, token);
	if (a) {
		arrival_free(ctx, a);
		return;
	}
	/* Those behind it wait for its number. */
	a = find_offer(&p->parked, token);
	if (a) {
		a->kind = ARRIVAL_VOID;
		return;
	}
	/* It crossed our ACCEPT. */
	req = recv_accepted(p, token);
	if (req)
		withdrawn(ctx, req);
}

void recv_cancel(struct snoo *ctx, struct snoo_request *req, int error)
{
	if (req->token != 0) {
		token_end(&ctx->accepts, req->token);
		refuse(ctx, &ctx->peers[req->from], req->their_token);
	} else {
		match_withdraw(ctx, req);
	}
	request_done(ctx, req, error);
}
