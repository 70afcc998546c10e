/* SPDX-License-Identifier: MIT */
/* member.c - may a peer still be sent to, or be waited for? */

#include "client/member.h"

#include <string.h>

void member_init(struct peer *p, uint32_t rank)
{
	memset(p, 0, sizeof(*p));
	p->rank = rank;
	list_init(&p->busy);
	list_init(&p->answers);
	list_init(&p->envelopes);
	list_init(&p->offered);
	list_init(&p->streams);
	list_init(&p->posted);
	list_init(&p->incoming);
	list_init(&p->arrivals);
	list_init(&p->parked);
	list_init(&p->again);
	list_init(&p->instead.link);
}

int member_error(const struct peer *p)
{
	switch (p->state) {
	case PEER_LIVE:
		return 0;
	case PEER_LEFT:
		return -EPIPE;
	case PEER_DEAD:
		return -EOWNERDEAD;
	case PEER_BROKEN:
		break;
	}
	return -EPROTO;
}

int member_any_error(struct snoo *ctx, uint32_t *from)
{
	if (ctx->unreported > 0) {
		for (uint32_t i = 0; i < ctx->capacity; i++) {
			struct peer *p = &ctx->peers[i];

			if (!p->unreported)
				continue;
			p->unreported = false;
			ctx->unreported--;
			*from = i;
			return -EOWNERDEAD;
		}
	}
	if (ctx->size > 1 && ctx->gone >= ctx->size - 1) {
		*from = ctx->rank;
		return -EPIPE;
	}
	return 0;
}
