/* SPDX-License-Identifier: MIT */
/*
 * send.h - envelopes and offers
 *
 * A message goes out as one envelope: DATA in a line, BLOCK with its payload
 * in one block, or OFFER.  Publishing an envelope never waits for a block,
 * and none is published while an older one waits: that is MPI's order.
 */
#ifndef CLIENT_SEND_H
#define CLIENT_SEND_H

#include "client/engine.h"

/**
 * send_start() - Publish a send's envelope, or queue it
 * @req:	buf, len, peer, context, tag set
 * @blocking:	The caller will wait for it
 *
 * Return: 0 (req->done tells whether it is complete), or a negative errno:
 * nothing was started
 */
int send_start(struct snoo *ctx, struct snoo_request *req, bool blocking);

/**
 * send_run() - The short way (fast.h) of a message that takes several lines
 *
 * Return: true: it is published, and @p woken; false: take the long way
 */
bool send_run(struct snoo *ctx, struct peer *p, const void *buf, size_t len,
	      uint32_t tag);

/** send_pump() - Push what waits for @p; true if anything moved */
bool send_pump(struct snoo *ctx, struct peer *p);

/**
 * send_ended() - DONE came: the receiver ends the offer
 * @ns:	what its copy took, as it says; 0: unknown
 */
void send_ended(struct snoo *ctx, struct peer *p, uint64_t token,
		uint64_t status, uint64_t ns);

/**
 * send_instead() - What is offered goes in a block after all, and is complete
 *
 * Return: false: there is no room or no block now
 */
bool send_instead(struct snoo *ctx, struct peer *p, struct snoo_request *req);

/**
 * send_cancel() - Give a send up; it is complete afterwards
 *
 * Without error, if it is one that could be eager and was not cancelled by the
 * application itself.
 */
void send_cancel(struct snoo *ctx, struct snoo_request *req, int error);

#endif /* CLIENT_SEND_H */
