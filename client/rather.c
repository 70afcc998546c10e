/* SPDX-License-Identifier: MIT */
/*
 * rather.c - is an eager message rather offered?
 *
 * Chosen as pace.c chooses stores (ways.c).  A block costs what the sender's copies
 * and the receiver's take, both known to pace.c: one after the other when we answer
 * each other, or share a core with somebody; at the same time when we only send.
 * An offer costs what the receiver's DONE says; more, when nobody took it in time.
 *
 * Offered only to one whose memory we may read, who then most often may read ours:
 * an ACCEPT would need our help, which a program that computes after its send
 * gives late.  One who keeps answering so is offered nothing any more.
 */
#include "client/rather.h"

#include "client/pace.h"
#include "client/reach.h"

#define TRY	     4u		/* messages that go the other way */
#define LATE_NS	     50000u	/* a receiver that waits has long read it */
#define LATE_TURN_NS 2000000u	/* one that waits for its core */
#define ASKED_MAX    16u	/* the first ones may only mean "not yet" */

static unsigned int kind_of(uint64_t len)
{
	return len >= PACE_BYTES;
}

bool rather_offer(struct snoo *ctx, struct peer *p, uint64_t len)
{
	unsigned int k = kind_of(len);
	bool crowded, queue;
	uint32_t cost[2];

	/* Relaxed: it is set before we meet. */
	if (len < RATHER_BYTES || ctx->reach.free == 0 ||
	    p->instead.asked >= ASKED_MAX ||
	    !reach_may(ctx, p, len) ||
	    atomic_load_explicit(&p->there->minor, memory_order_relaxed) <
		    RATHER_MINOR ||
	    !reach_reads(ctx, p))
		return false;
	crowded = reach_crowded(ctx, p);
	/* It has said nothing since the last one. */
	queue = p->turn == p->instead.turn;
	p->instead.turn = p->turn;
	cost[0] = pace_cost(&p->pace, len, crowded || !queue);
	cost[1] = p->instead.kind[k].cost;
	return ways_next(&p->instead.kind[k].way[queue], cost, TRY);
}

void rather_offered(struct snoo *ctx, struct snoo_request *req)
{
	struct peer *p = &ctx->peers[req->peer];

	if (!req->stamp)
		return;
	req->instead = true;
	if (p->instead.out++ == 0) {
		list_append(&ctx->instead, &p->instead.link);
		p->instead.since_ns = clock_ns();
		p->instead.late_ns = reach_crowded(ctx, p) ? LATE_TURN_NS :
							     LATE_NS;
	}
}

void rather_taken(struct snoo *ctx, struct snoo_request *req, uint64_t ns)
{
	struct peer *p = &ctx->peers[req->peer];

	if (!req->instead)
		return;
	p->instead.since_ns = clock_ns();
	p->instead.asked = 0;
	/* A peer's word: an absurd one only makes us choose badly. */
	if (ns > 0 && ns < UINT32_MAX)
		ways_learn(&p->instead.kind[kind_of(req->len)].cost, req->len,
			   ns);
}

/* The rest of a try would cost as much. */
static void costly(struct peer *p, uint64_t len, uint64_t ns)
{
	struct ways *way = p->instead.kind[kind_of(len)].way;

	ways_learn(&p->instead.kind[kind_of(len)].cost, len, ns);
	for (int i = 0; i < 2; i++) {
		if (!way[i].second)
			way[i].trying = 0;
	}
}

void rather_late(struct peer *p, uint64_t len, uint64_t ns)
{
	costly(p, len, ns);
}

void rather_asked(struct snoo *ctx, struct snoo_request *req)
{
	struct peer *p = &ctx->peers[req->peer];

	if (!req->instead)
		return;
	if (p->instead.asked < ASKED_MAX)
		p->instead.asked++;
	costly(p, req->len, LATE_TURN_NS);
}

uint64_t rather_patience(const struct snoo *ctx)
{
	uint64_t now, least = UINT64_MAX;

	if (list_empty(&ctx->instead))
		return least;
	now = clock_ns();
	for (const struct list *n = ctx->instead.next; n != &ctx->instead;
	     n = n->next) {
		const struct peer *p =
			list_entry(n, const struct peer, instead.link);
		uint64_t ns = now - p->instead.since_ns;

		ns = ns < p->instead.late_ns ? p->instead.late_ns - ns : 0;
		if (ns < least)
			least = ns;
	}
	return least;
}
