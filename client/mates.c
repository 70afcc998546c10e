/* SPDX-License-Identifier: MIT */
/* mates.c - which ranks of the job share our core */
#include "client/mates.h"

#include <stdlib.h>

#include "client/channel.h"

#define MATES_BYTES 16384 /* copied count as much as a message */

void mates_find(struct snoo *ctx)
{
	struct mates *m = &ctx->mates;

	m->n = 0;
	/* Relaxed: a hint from the daemon, as all here. */
	m->sharers = atomic_load_explicit(&ctx->me->sharers,
					  memory_order_relaxed);
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

static uint64_t received(const struct snoo_abi_rank *r)
{
	return shm_counter(r, SHM_COUNT_received) +
	       shm_counter(r, SHM_COUNT_received_bytes) / MATES_BYTES;
}

uint64_t mates_messages(struct snoo *ctx)
{
	struct mates *m = &ctx->mates;
	uint64_t sum = received(ctx->me);

	if (atomic_load_explicit(&ctx->me->sharers, memory_order_relaxed) !=
	    m->sharers)
		mates_find(ctx);
	for (uint32_t i = 0; i < m->n; i++)
		sum += received(ctx->peers[m->rank[i]].there);
	return sum;
}

void mates_fini(struct snoo *ctx)
{
	free(ctx->mates.rank);
}
