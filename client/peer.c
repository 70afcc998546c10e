/* SPDX-License-Identifier: MIT */
/* peer.c - a peer is gone or broken: what becomes of its requests */

#include "client/peer.h"

#include <stdlib.h>
#include <string.h>

#include "client/channel.h"
#include "client/lend.h"
#include "client/loan.h"
#include "client/match.h"
#include "client/member.h"
#include "client/order.h"
#include "client/recv.h"
#include "client/regs.h"
#include "client/send.h"
#include "client/stamps.h"
#include "shm/cpu.h"

/* Move what lies in the peer's blocks into memory of our own; what it has lent
 * stays where it is until it is received and released (VIEW, news.c). */
static int bring_home(struct snoo *ctx, struct peer *p)
{
	for (struct list *n = p->arrivals.next; n != &p->arrivals;
	     n = n->next) {
		struct arrival *a = list_entry(n, struct arrival, by_peer);
		void *copy;

		if (a->kind != ARRIVAL_BLOCK)
			continue;
		copy = malloc((size_t)a->length);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, shm_region_block(&ctx->region, a->unit,
					      a->length), (size_t)a->length);
		cpu_settle();
		recv_give(ctx, p, a->unit, a->generation);
		a->heap = copy;
		a->kind = ARRIVAL_HEAP;
	}
	return 0;
}

/* What nobody will receive: give back what lies in the peer's blocks. */
static void drop_blocks(struct snoo *ctx, struct peer *p)
{
	struct list *next;

	for (struct list *n = p->arrivals.next; n != &p->arrivals; n = next) {
		struct arrival *a = list_entry(n, struct arrival, by_peer);

		next = n->next;
		if (a->kind != ARRIVAL_BLOCK && a->kind != ARRIVAL_LOAN)
			continue;
		recv_drop(ctx, p, a);
	}
}

static void fail_list(struct snoo *ctx, struct list *head,
		      struct token_table *tokens, int error)
{
	while (!list_empty(head)) {
		struct snoo_request *req =
			list_entry(head->next, struct snoo_request, link);

		if (tokens && req->token != 0)
			token_end(tokens, req->token);
		request_done(ctx, req, error);
	}
}

static void fail_posted(struct snoo *ctx, struct peer *p, int error)
{
	while (!list_empty(&p->posted)) {
		struct snoo_request *req = list_entry(p->posted.next,
						      struct snoo_request, link);

		match_withdraw(ctx, req);
		req->from = p->rank;
		request_done(ctx, req, error);
	}
}

static void fail_all(struct snoo *ctx, struct peer *p)
{
	int error = member_error(p);

	fail_list(ctx, &p->envelopes, NULL, error);
	fail_list(ctx, &p->offered, &ctx->offers, error);
	fail_list(ctx, &p->streams, &ctx->offers, error);
	fail_list(ctx, &p->incoming, &ctx->accepts, error);
	fail_posted(ctx, p, error);
	regs_forget(p);
	ctx->gone++;
	lend_back(ctx, p);
	loan_back(ctx, p);
	lend_wants(ctx, 0, 0);
}

int peer_gone(struct snoo *ctx, struct peer *p, enum peer_state state)
{
	int ret;

	if (p->state != PEER_LIVE)
		return 0;
	/* Nothing more will come: what is parked waits for nothing. */
	order_flush(ctx, p);
	ret = bring_home(ctx, p);
	if (ret)
		return ret;
	p->state = state;
	shm_count(ctx->me, SHM_COUNT_peers_gone, 1);
	if (state == PEER_DEAD) {
		p->unreported = true;
		ctx->unreported++;
	}
	fail_all(ctx, p);
	channel_close(ctx, p);
	stamps_unmap(p);
	peer_tell_wild(ctx);
	return 0;
}

void peer_break(struct snoo *ctx, struct peer *p)
{
	if (p->state != PEER_LIVE)
		return;
	/* Its word is worth nothing now; later its blocks may be another's. */
	drop_blocks(ctx, p);
	order_drop(ctx, p);
	p->state = PEER_BROKEN;
	shm_count(ctx->me, SHM_COUNT_protocol_errors, 1);
	fail_all(ctx, p);
	channel_close(ctx, p);
	stamps_unmap(p);
	peer_tell_wild(ctx);
}

void peer_tell_wild(struct snoo *ctx)
{
	while (!list_empty(&ctx->wild)) {
		struct snoo_request *req = list_entry(ctx->wild.next,
						      struct snoo_request, link);
		int error = member_any_error(ctx, &req->from);

		if (error == 0)
			return;
		match_withdraw(ctx, req);
		request_done(ctx, req, error);
	}
}
