/* SPDX-License-Identifier: MIT */
/*
 * rather.c - is an eager message rather offered?
 *
 * Chosen as pace.c chooses stores (ways.c).  A block costs what the sender's copies
 * and the receiver's take, both known to pace.c: one after the other when we answer
 * each other, or share a core with somebody; at the same time when we only send.
 * An offer costs what the receiver's DONE says; more, when nobody took it in time.
 *
 * Offered only to one whose memory we may read, and who therefore may read ours:
 * an ACCEPT would need our help, which a program that computes after its send
 * gives late.
 */
#include "client/rather.h"

#include "client/pace.h"
#include "client/reach.h"

#define TRY	     4u		/* messages that go the other way */
#define LATE_NS	     50000u	/* a receiver that waits has long read it */
#define LATE_TURN_NS 2000000u	/* one that waits for its core */

bool rather_offer(struct snoo *ctx, struct peer *p, uint64_t len)
{
	bool crowded, queue;
	uint32_t cost[2];

	/* Relaxed: it is set before we meet. */
	if (len < RATHER_BYTES || ctx->reach.free == 0 ||
	    !reach_may(ctx, p, len) ||
	    atomic_load_explicit(&p->there->minor, memory_order_relaxed) <
		    RATHER_MINOR ||
	    !reach_reads(ctx, p))
		return false;
	crowded = reach_crowded(ctx, p);
	/* It has said nothing since the last one. */
	queue = p->turn == p->instead.turn;
	p->instead.turn = p->turn;
	cost[0] = pace_cost(&p->pace, crowded || !queue);
	cost[1] = p->instead.cost;
	return ways_next(&p->instead.way[queue], cost, TRY);
}

void rather_offered(struct snoo *ctx, struct snoo_request *req)
{
	if (!req->stamp)
		return;
	req->instead = true;
	if (ctx->instead.out++ == 0)
		ctx->instead.since_ns = clock_ns();
	ctx->instead.late_ns = reach_crowded(ctx, &ctx->peers[req->peer]) ?
				       LATE_TURN_NS : LATE_NS;
}

void rather_taken(struct snoo *ctx, struct snoo_request *req, uint64_t ns)
{
	if (!req->instead)
		return;
	ctx->instead.since_ns = clock_ns();
	/* A peer's word: an absurd one only makes us choose badly. */
	if (ns > 0 && ns < UINT32_MAX)
		ways_learn(&ctx->peers[req->peer].instead.cost, req->len, ns);
}

void rather_late(struct peer *p, uint64_t len, uint64_t ns)
{
	ways_learn(&p->instead.cost, len, ns);
}

uint64_t rather_patience(const struct snoo *ctx)
{
	uint64_t ns;

	if (ctx->instead.out == 0)
		return UINT64_MAX;
	ns = clock_ns() - ctx->instead.since_ns;
	return ns < ctx->instead.late_ns ? ctx->instead.late_ns - ns : 0;
}
