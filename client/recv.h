/* SPDX-License-Identifier: MIT */
/* recv.h - receives: from an arrival, or from a transfer that we accept */
#ifndef CLIENT_RECV_H
#define CLIENT_RECV_H

#include "client/alloc.h"
#include "client/engine.h"
#include "shm/line.h"

/**
 * recv_start() - Take a message that is there already, or post the receive
 * @req:	buf, len, peer, context, tag set
 *
 * Return: 0 (req->done tells whether it is complete), or a negative errno:
 * nothing was posted
 */
int recv_start(struct snoo *ctx, struct snoo_request *req);

/** recv_copy() - Complete @req, out of its list, with a message's bytes */
void recv_copy(struct snoo *ctx, struct snoo_request *req, uint32_t from,
	       uint32_t tag, const void *data, uint64_t length);

/** recv_line() - The same with the payload of a line: up to 56 bytes */
static inline void recv_line(struct snoo *ctx, struct snoo_request *req,
			     uint32_t from, uint32_t tag, const uint64_t *words,
			     unsigned int length)
{
	if (req->view) {
		recv_copy(ctx, req, from, tag, words, length);
		return;
	}
	line_copy(req->buf, words, length < req->len ? length : req->len);
	req->from = from;
	req->mark = tag;
	req->message = length;
	request_done(ctx, req, length > req->len ? -EMSGSIZE : 0);
}

/** recv_run() - Complete @req with the checked run that is next in the ring */
void recv_run(struct snoo *ctx, struct snoo_request *req, struct peer *p,
	      uint32_t tag, uint64_t length);

/**
 * recv_block() - Complete @req with a message in a block, and give it back
 *
 * The block was checked when its line came.
 */
void recv_block(struct snoo *ctx, struct snoo_request *req, struct peer *p,
		uint32_t tag, uint32_t unit, uint32_t generation,
		uint64_t length);

/**
 * recv_reads() - A block of @p is about to be copied out: when, if it is timed
 *
 * Return: CLOCK_MONOTONIC in ns, or 0
 */
static inline uint64_t recv_reads(struct peer *p, uint64_t length)
{
	return length >= PACE_LEAST &&
	       ++p->timed[length >= PACE_BYTES] % PACE_SAMPLE == 0 ?
		       clock_ns() : 0;
}

/** recv_has_read() - It was; @since is what recv_reads() said */
static inline void recv_has_read(struct snoo *ctx, uint32_t unit,
				 uint64_t since)
{
	/* Relaxed: COPY, the give-back, releases it. */
	if (since)
		atomic_store_explicit(&shm_region_desc(&ctx->region, unit)->read_ns,
				      (uint32_t)(clock_ns() - since),
				      memory_order_relaxed);
}

/** recv_give() - Give a block back to @p */
void recv_give(struct snoo *ctx, struct peer *p, uint32_t unit,
	       uint32_t generation);

/**
 * recv_loan() - Complete @req with a message that may be read where it is
 *
 * A view keeps the block; others copy and release it.
 */
void recv_loan(struct snoo *ctx, struct snoo_request *req, struct peer *p,
	       uint32_t tag, uint32_t unit, uint32_t generation,
	       uint64_t length);

/** recv_drop() - Nobody will receive @a: give its block back, forget it */
void recv_drop(struct snoo *ctx, struct peer *p, struct arrival *a);

/**
 * recv_offer() - Fetch an offered message, or ask for it
 *
 * Completes @req if it was fetched, or on failure.
 */
void recv_offer(struct snoo *ctx, struct snoo_request *req, struct peer *p,
		uint32_t tag, const struct offer *o);

/**
 * recv_stream() - Payload of an accepted transfer
 * @data:	NULL if the transfer is unknown: only the token is looked at
 *
 * Return: 0, or -EPROTO: out of order, or more than was accepted
 */
int recv_stream(struct snoo *ctx, struct peer *p, uint64_t token,
		const void *data, uint64_t offset, uint64_t length);

/** recv_arrival() - Complete @req, out of its list, with a kept message */
void recv_arrival(struct snoo *ctx, struct snoo_request *req,
		  struct arrival *a);

/** recv_cancelled() - The sender gives an offer or a transfer up */
void recv_cancelled(struct snoo *ctx, struct peer *p, uint64_t token,
		    bool running);

/** recv_cancel() - Withdraw a receive; it is complete afterwards */
void recv_cancel(struct snoo *ctx, struct snoo_request *req, int error);

/** recv_offered() - The arrival that @p has offered under @token, or NULL */
struct arrival *recv_offered(struct peer *p, uint64_t token);

/** recv_accepted() - The receive that has answered it, or NULL */
struct snoo_request *recv_accepted(struct peer *p, uint64_t token);

#endif /* CLIENT_RECV_H */
