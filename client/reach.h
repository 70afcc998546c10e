/* SPDX-License-Identifier: MIT */
/*
 * reach.h - large messages straight out of the sender's memory
 *
 * A send between host processes offers the address of its bytes too (WAY_CMA):
 * a receiver that may read its memory, unless it finds that a stream costs less,
 * copies them by process_vm_readv(2), once, and answers DONE.  What there is to it
 * is in reach.c.
 */
#ifndef CLIENT_REACH_H
#define CLIENT_REACH_H

#include "client/alloc.h"
#include "client/engine.h"

#define REACH_MINOR 5u		/* of wire.h: knows REACH, WHERE and PEER */
#define REACH_BYTES 8191u	/* up to here the call alone costs too much */
#define REACH_SHARE 65536u	/* up to here a block is as fast on a shared core */
#define REACH_LARGE 4194304u	/* from here on only for want of cores */

/** reach_open() - Make what partners look at; without it nothing is offered */
void reach_open(struct snoo *ctx);
void reach_close(struct snoo *ctx);

/** reach_crowded() - Does one of us share its core with another rank? */
bool reach_crowded(const struct snoo *ctx, const struct peer *p);

/** reach_may() - Is a send of @len bytes to @p offered with its address? */
bool reach_may(const struct snoo *ctx, const struct peer *p, uint64_t len);

/** reach_reads() - May we read @p's memory?  Asks the daemon, if it is unknown */
bool reach_reads(struct snoo *ctx, struct peer *p);

/**
 * reach_offer() - Say in words 4 to 6 of a send's OFFER where its bytes are
 *
 * If it is worth it for that pair, req->stamp is set.
 */
void reach_offer(struct snoo *ctx, const struct peer *p,
		 struct snoo_request *req, uint64_t words[3]);

/** reach_out() - Sends that somebody may be reading */
static inline uint32_t reach_out(const struct snoo *ctx)
{
	return ctx->reach.out;
}

/** reach_ended() - A send with req->stamp is complete */
void reach_ended(struct snoo *ctx, struct snoo_request *req, int error);

/**
 * reach_fetch() - Copy @n bytes of what is offered
 *
 * Return: true: they are the message's; false: ask for it
 */
bool reach_fetch(struct snoo *ctx, struct peer *p, const struct offer *o,
		 void *to, uint64_t n);

/** reach_accepted() - A stream of @p's is about to begin, or to wait its turn */
void reach_accepted(struct peer *p);

/** reach_streamed() - One of @n bytes has come */
void reach_streamed(struct peer *p, uint64_t n);

/** reach_heard() - PEER has come; false: it makes no sense */
bool reach_heard(struct snoo *ctx, const struct snoo_wire_peer *m);

/** reach_resumed() - Another daemon: say again where we are, ask again */
void reach_resumed(struct snoo *ctx);

#endif /* CLIENT_REACH_H */
