/* SPDX-License-Identifier: MIT */
/* news.h - what the daemon says */
#ifndef CLIENT_NEWS_H
#define CLIENT_NEWS_H

#include "client/engine.h"

/** news_waiting() - Has the daemon said something that we have not read? */
static inline bool news_waiting(const struct snoo *ctx)
{
	/* Relaxed: a hint to read the socket; the socket is the truth. */
	return atomic_load_explicit(&ctx->me->news, memory_order_relaxed) !=
	       ctx->news_seen;
}

/** news_read() - Read and act on all messages; how many there were */
int news_read(struct snoo *ctx);

/** news_gone() - Go on draining ranks that are gone; true if any is done */
bool news_gone(struct snoo *ctx);

/** news_released() - Nothing that somebody gone has lent is read any more */
void news_released(struct snoo *ctx);

#endif /* CLIENT_NEWS_H */
