/* SPDX-License-Identifier: MIT */
/* mates.c - which ranks of the job share our core */
#include "client/mates.h"

#include <stdlib.h>

#include "client/channel.h"

void mates_find(struct snoo *ctx)
{
	struct mates *m = &ctx->mates;

	m->n = 0;
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
		/* Relaxed: the daemon's word, for this only. */
		if (atomic_load_explicit(&p->there->core,
					 memory_order_relaxed) ==
		    (uint32_t)ctx->core)
			m->rank[m->n++] = p->rank;
	}
}

void mates_fini(struct snoo *ctx)
{
	free(ctx->mates.rank);
}
