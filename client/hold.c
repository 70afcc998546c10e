/* SPDX-License-Identifier: MIT */
/*
 * hold.c - keep a core that many share until one on another core has its turn
 *
 * Theory of operation
 * ===================
 *
 * On a core with many ranks, each that waits gives way to the next (patience.c),
 * and a round takes as many yields as there are ranks.  Two that talk across
 * cores so get one message through in each round: the partner is never there
 * when we are.  If it were, both would talk at the speed of a cache line until
 * somebody ends the turn, and all others on the two cores wait as long as one
 * round takes anyhow, or a few.
 *
 * So one of the two keeps its core until the other's turn comes.  Were both to do
 * it, each could wait for one whose core is kept by somebody else; therefore only
 * the one on the core with the lower number begins, and the ranks on the higher
 * one go on giving way, so that the turn of the wanted one comes within a round
 * (HOLD_ROUNDS).  It says for whom it keeps the core (turn_with), and he does the
 * same for it from then on, whatever the numbers.
 *
 * A turn ends after HOLD_TURN yields' worth of time, also if nobody ever has to
 * wait in it (hold_over()).  Both turns end at about the same time, the next two
 * ranks of the cores are often partners again, and so on: on two cores with ranks
 * seated by their numbers, whole cores go through their pairs in step.
 *
 * That does not help a program whose messages come from elsewhere than the last
 * one went to, as a token that goes round.  A core that was kept for nothing is
 * learnt: the next 4 waits for that peer give way at once, then 16, up to 1024.
 * One that was kept for something takes one of these steps back, not all of them,
 * since any message comes during some wait.
 *
 * Only for receives of HOLD_BYTES: what is larger takes as long as a yield, and
 * the core is better used by another meanwhile.  And only with HOLD_SHARERS ranks
 * on it: two see what the other wants (mates.c), and meet often enough.
 */
#include "client/hold.h"

#define HOLD_BYTES    4096u
#define HOLD_ROUNDS   2u  /* of the other core: wait for a turn in it */
#define HOLD_TURN     64u /* yields: so long is a turn */
#define HOLD_FAILED   5u  /* failures that count; each skips 4 times as many */

void hold_begin(struct idle *idle, struct snoo *ctx,
		const struct snoo_request *req)
{
	if (req->kind == REQUEST_RECV && req->peer != ENGINE_ANY &&
	    req->context == ENGINE_CONTEXT_USER && req->len <= HOLD_BYTES)
		idle->with = &ctx->peers[req->peer];
}

/* Relaxed: all of it are hints. */
static void say(struct snoo *ctx, uint32_t who)
{
	if (ctx->turn_with == who)
		return;
	ctx->turn_with = who;
	atomic_store_explicit(&ctx->me->turn_with, who, memory_order_relaxed);
}

/* Shall we keep the core for it?  It has none, if it is on ours. */
static bool ours_to_keep(const struct snoo *ctx, const struct peer *p)
{
	uint32_t core = atomic_load_explicit(&p->there->core,
					     memory_order_relaxed);

	if (core == UINT32_MAX || ctx->core < 0 ||
	    core == (uint32_t)ctx->core)
		return false;
	return (uint32_t)ctx->core < core ||
	       atomic_load_explicit(&p->there->turn_with,
				    memory_order_relaxed) == ctx->rank + 1;
}

static bool begin(struct snoo *ctx, struct idle *idle, uint64_t now)
{
	struct peer *p = idle->with;

	if (!ours_to_keep(ctx, p))
		return false;
	if (p->hold.skip > 0) {
		p->hold.skip--;
		return false;
	}
	idle->hold_ns = now;
	say(ctx, p->rank + 1);
	return true;
}

bool hold_over(struct snoo *ctx, uint64_t now)
{
	if (ctx->turn_ns == 0)
		ctx->turn_ns = now;
	return now - ctx->turn_ns >=
	       HOLD_TURN * (uint64_t)ctx->patience.yield_ns;
}

bool hold_core(struct snoo *ctx, struct idle *idle, uint32_t sharers,
	       uint64_t now)
{
	struct peer *p = idle->with;

	if (!p || !p->there || sharers < HOLD_SHARERS || idle->no_hold ||
	    patience_sleeps(&ctx->patience, sharers, now) ||
	    hold_over(ctx, now))
		return false;
	if (idle->hold_ns == 0 && !begin(ctx, idle, now)) {
		idle->no_hold = true;
		return false;
	}
	if (now - idle->hold_ns <
	    HOLD_ROUNDS * (uint64_t)sharers * ctx->patience.yield_ns)
		return true;
	if (p->hold.failed < HOLD_FAILED)
		p->hold.failed++;
	p->hold.skip = 1u << 2 * p->hold.failed;
	idle->hold_ns = 0;
	idle->no_hold = true;
	return false;
}

void hold_paid(struct idle *idle)
{
	if (idle->hold_ns != 0 && idle->with->hold.failed > 0)
		idle->with->hold.failed--;
	idle->hold_ns = 0;
	idle->no_hold = false;
}

void hold_leave(struct snoo *ctx)
{
	say(ctx, 0);
}

void hold_turn(struct snoo *ctx, struct idle *idle, uint64_t now)
{
	ctx->turn_ns = now;
	idle->hold_ns = 0;
	idle->no_hold = false;
}
