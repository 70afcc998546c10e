/* SPDX-License-Identifier: MIT */
/*
 * fast.h - the short way of a small message: one line written, one line read
 *	    (and the block that it names)
 *
 * Legal only when nothing older waits and the numbers of messages need no care:
 * no unpublished envelope and no number to be said on the sending side; no kept
 * arrival, no posted receive that could match and nothing out of turn on the
 * receiving side (peer.tx_short, peer.rx_short).  Otherwise the caller takes the
 * long way, which is always right.
 */
#ifndef CLIENT_FAST_H
#define CLIENT_FAST_H

#include "client/arrive.h"
#include "client/channel.h"
#include "client/engine.h"
#include "client/news.h"
#include "client/progress.h"
#include "client/send.h"
#include "client/wait.h"
#include "shm/cpu.h"

#define FAST_SPINS	256	/* looks at the line before the long way */
#define FAST_SPINS_SHARED 32	/* if others want the core: a few line transfers */
#define FAST_TURNS	1024	/* messages before a look at everything else */
#define FAST_LOOKS	64	/* before a look at the clock, on a shared core */

/** fast_send() - Publish @len bytes in a line; false: take the long way */
static inline bool fast_send(struct snoo *ctx, struct peer *p,
			     const void *buf, size_t len, uint32_t tag)
{
	if (len > SNOO_ABI_INLINE_MAX)
		return send_run(ctx, p, buf, len, tag);
	if (!p->tx_short || !list_empty(&p->busy) ||
	    shm_tx_room(&p->tx, SNOO_ABI_RING_ANSWERS) <= 0)
		return false;
	line_copy(shm_tx_words(&p->tx), buf, len);
	shm_tx_publish(&p->tx, line_word(SNOO_ABI_DATA, 0, (unsigned int)len,
					 ENGINE_CONTEXT_USER, tag));
	p->sent++;
	shm_count(ctx->me, SHM_COUNT_sent_register, 1);
	shm_count(ctx->me, SHM_COUNT_sent_bytes, len);
	channel_wake(ctx, p);
	return true;
}

/* Type, flags and context; lap, inline and tag masked out. */
static inline uint64_t fast_kind(uint64_t word0)
{
	return word0 & UINT64_C(0xffff03cf);
}

/**
 * fast_take() - Copy the message whose line was seen; its last line stays
 *
 * Return: bytes copied; -1: not a message for the short way
 */
static inline int64_t fast_take(struct shm_rx *rx, uint64_t word0, void *buf,
				size_t capacity, uint64_t *length)
{
	uint64_t kind = fast_kind(word0);
	size_t n;

	if (kind == line_word(SNOO_ABI_DATA, 0, 0, ENGINE_CONTEXT_USER, 0)) {
		*length = line_inlined(word0);
		if (*length > SNOO_ABI_INLINE_MAX)
			return -1;
		n = *length < capacity ? *length : capacity;
		line_copy(buf, shm_rx_words(rx), n);
		return (int64_t)n;
	}
	if (kind == line_word(SNOO_ABI_DATA, SNOO_ABI_STREAM, 0,
			      ENGINE_CONTEXT_USER, 0))
		return shm_rx_take_run(rx, word0, buf, capacity, length);
	return -1;
}

/* The same for a message in a block, which goes back at once. */
static inline int64_t fast_block(struct snoo *ctx, struct peer *p,
				 uint64_t word0, void *buf, size_t capacity,
				 uint64_t *length)
{
	if (fast_kind(word0) !=
	    line_word(SNOO_ABI_BLOCK, 0, 0, ENGINE_CONTEXT_USER, 0))
		return -1;
	return arrive_taken(ctx, p, buf, capacity, length);
}

/* The last line of the message that fast_take() has copied. */
static inline void fast_taken(struct snoo *ctx, struct peer *p, uint64_t n)
{
	p->turn++;
	shm_count(ctx->me, SHM_COUNT_received, 1);
	shm_count(ctx->me, SHM_COUNT_received_bytes, n);
	shm_rx_pop(&p->rx);
	if (shm_rx_due(&p->rx))
		channel_tell(ctx, p);
}

/**
 * fast_irecv() - Take the next line of @p if it is the message wanted
 *
 * Does not wait for it.
 *
 * Return: a complete request; NULL: take the long way
 */
static inline struct snoo_request *
fast_irecv(struct snoo *ctx, struct peer *p, void *buf, size_t capacity,
	   uint32_t tag)
{
	struct snoo_request *req;
	uint64_t word0;
	int64_t n;

	if (!p->rx_short || !list_empty(&p->posted) ||
	    !list_empty(&ctx->wild) || !list_empty(&p->arrivals) ||
	    list_empty(&ctx->request_pool) || !shm_rx_peek(&p->rx, &word0))
		return NULL;
	if (tag != ENGINE_ANY && tag != line_tag(word0))
		return NULL;
	/* Now and then the others have their turn, and the daemon. */
	if (++ctx->fast % FAST_TURNS == 0) {
		ctx->turn_due = true;
		return NULL;
	}
	/* Not to be taken out of the pool before it is sure. */
	req = list_entry(ctx->request_pool.next, struct snoo_request, link);
	n = fast_take(&p->rx, word0, buf, capacity, &req->message);
	if (n < 0)
		n = fast_block(ctx, p, word0, buf, capacity, &req->message);
	if (n < 0)
		return NULL;
	list_take(&ctx->request_pool);
	req->kind = REQUEST_RECV;
	req->len = capacity;
	req->from = p->rank;
	req->mark = line_tag(word0);
	req->error = req->message > capacity ? -EMSGSIZE : 0;
	req->done = true;
	fast_taken(ctx, p, (uint64_t)n);
	return req;
}

/* How long to look: an answer may be on its way from another core. */
static inline int fast_spins(const struct snoo *ctx)
{
	/* Relaxed: a hint from the daemon. */
	return atomic_load_explicit(&ctx->me->sharers, memory_order_relaxed) > 1 ?
		       FAST_SPINS_SHARED : FAST_SPINS;
}

/*
 * Now and then the others have their turn, and the daemon; and those who share
 * our core.  Not inline: what it needs is not to be saved by all others.
 *
 * Return: is the short way still legal?
 */
__attribute__((noinline)) static bool fast_others(struct snoo *ctx,
						  const struct peer *p)
{
	if (ctx->fast % FAST_TURNS == 0)
		progress(ctx);
	wait_turn(ctx);
	return p->rx_short && list_empty(&p->arrivals);
}

/**
 * fast_recv() - Take the next line of @p if it is the message wanted
 * @length:	Bytes of the message
 * @mark:	Its tag
 *
 * Return: true if it was; false: take the long way
 */
static inline bool fast_recv(struct snoo *ctx, struct peer *p, void *buf,
			     size_t capacity, uint32_t tag, uint64_t *length,
			     uint32_t *mark)
{
	uint64_t word0;
	int64_t n;

	if (!p->rx_short || ctx->posted != 0 || !list_empty(&p->arrivals) ||
	    !list_empty(&ctx->busy))
		return false;
	if (++ctx->fast % FAST_LOOKS == 0 && !fast_others(ctx, p))
		return false;
	if (!shm_rx_peek(&p->rx, &word0)) {
		int spins = fast_spins(ctx);

		do {
			if (spins-- == 0 || news_waiting(ctx))
				return false;
			cpu_pause();
		} while (!shm_rx_peek(&p->rx, &word0));
	}
	if (tag != ENGINE_ANY && tag != line_tag(word0))
		return false;
	n = fast_take(&p->rx, word0, buf, capacity, length);
	if (n < 0)
		n = fast_block(ctx, p, word0, buf, capacity, length);
	if (n < 0)
		return false;
	*mark = line_tag(word0);
	fast_taken(ctx, p, (uint64_t)n);
	return true;
}

#endif /* CLIENT_FAST_H */
