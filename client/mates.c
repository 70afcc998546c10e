/* SPDX-License-Identifier: MIT */
/* mates.c - which ranks of the job share our core */
#include "client/mates.h"

#include <stdlib.h>

#include "client/channel.h"
#include "shm/wake.h"

#define MATES_FEW   3	  /* of more, there is always one that wants the core */
#define MATES_AGAIN 1024  /* looks until we see whether others have come */
#define MATES_BYTES 16384 /* copied count as much as a message */

/* Relaxed: a hint from the daemon, as is the core of each. */
static uint32_t sharers(const struct snoo *ctx)
{
	return atomic_load_explicit(&ctx->me->sharers, memory_order_relaxed);
}

void mates_find(struct snoo *ctx)
{
	struct mates *m = &ctx->mates;

	m->n = 0;
	m->sharers = sharers(ctx);
	if (ctx->core < 0 || ctx->size == 0)
		return;
	if (!m->rank)
		m->rank = calloc(ctx->size, sizeof(*m->rank));
	if (!m->rank)
		return;
	/* Begin after ourselves: who comes next is most often not there yet. */
	for (uint32_t i = 1; i < ctx->size; i++) {
		struct peer *p = &ctx->peers[(ctx->rank + i) % ctx->size];

		if (p->state != PEER_LIVE || !channel_meet(ctx, p))
			continue;
		if (atomic_load_explicit(&p->there->core,
					 memory_order_relaxed) ==
		    (uint32_t)ctx->core)
			m->rank[m->n++] = p->rank;
	}
}

static void keep_up(struct snoo *ctx)
{
	struct mates *m = &ctx->mates;

	/* Some may not have been there yet. */
	if (sharers(ctx) != m->sharers ||
	    (m->n + 1 < m->sharers && ++m->since % MATES_AGAIN == 0))
		mates_find(ctx);
}

bool mates_few(struct snoo *ctx)
{
	uint32_t n = sharers(ctx);

	if (n < 2 || n > MATES_FEW + 1)
		return false;
	keep_up(ctx);
	return ctx->mates.n > 0 && ctx->mates.n + 1 >= n;
}

/* Relaxed: what we see late or wrongly costs one yield more or less. */
static bool wants(const struct snoo *ctx, const struct snoo_abi_rank *r)
{
	uint64_t word = atomic_load_explicit(&r->wait, memory_order_relaxed);

	switch (atomic_load_explicit(&r->call, memory_order_relaxed)) {
	case SNOO_ABI_CALL_SEND:
	case SNOO_ABI_CALL_RECV:
	case SNOO_ABI_CALL_WAIT:
	case SNOO_ABI_CALL_PROBE:
		break;
	default:
		return true;
	}
	if (wake_mode(word) == SNOO_ABI_POLLING)
		return true;
	for (uint32_t i = 0; i < (ctx->capacity + 31) / 32; i++) {
		if (atomic_load_explicit(&r->summary[i], memory_order_relaxed))
			return true;
	}
	return false;
}

bool mates_want(const struct snoo *ctx)
{
	const struct mates *m = &ctx->mates;

	for (uint32_t i = 0; i < m->n; i++) {
		if (wants(ctx, ctx->peers[m->rank[i]].there))
			return true;
	}
	return false;
}

bool mates_awake(struct snoo *ctx)
{
	const struct mates *m = &ctx->mates;

	keep_up(ctx);
	for (uint32_t i = 0; i < m->n; i++) {
		const struct peer *p = &ctx->peers[m->rank[i]];
		uint64_t word = atomic_load_explicit(&p->there->wait,
						     memory_order_relaxed);

		if (p->state == PEER_LIVE && wake_mode(word) <= SNOO_ABI_SUMMARY)
			return true;
	}
	return false;
}

static uint64_t received(const struct snoo_abi_rank *r)
{
	return shm_counter(r, SHM_COUNT_received) +
	       shm_counter(r, SHM_COUNT_received_bytes) / MATES_BYTES;
}

uint64_t mates_messages(struct snoo *ctx)
{
	struct mates *m = &ctx->mates;
	uint64_t sum = received(ctx->me);

	keep_up(ctx);
	for (uint32_t i = 0; i < m->n; i++)
		sum += received(ctx->peers[m->rank[i]].there);
	return sum;
}

void mates_fini(struct snoo *ctx)
{
	free(ctx->mates.rank);
}
