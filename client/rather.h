/* SPDX-License-Identifier: MIT */
/*
 * rather.h - is an eager message rather offered?
 *
 * Where one copy by the receiver costs less than two through a block, a message
 * that could be eager is offered.  What becomes of it is in instead.c.
 */
#ifndef CLIENT_RATHER_H
#define CLIENT_RATHER_H

#include "client/engine.h"

#define RATHER_MINOR	6u	/* of wire.h: takes a block instead of an offer */
#define RATHER_BYTES	8192u	/* smaller ones are eager */

/** rather_offer() - Is a message of @len bytes, which may be eager, offered? */
bool rather_offer(struct snoo *ctx, struct peer *p, uint64_t len);

/** rather_offered() - It is; nothing happens if it got no stamp */
void rather_offered(struct snoo *ctx, struct snoo_request *req);

/** rather_taken() - The receiver has read it, which took @ns; 0: it says none */
void rather_taken(struct snoo *ctx, struct snoo_request *req, uint64_t ns);

/** rather_late() - Its first offer, of @len bytes, was not read in @ns */
void rather_late(struct peer *p, uint64_t len, uint64_t ns);

/** rather_asked() - It was answered by ACCEPT: @p cannot read us, or not yet */
void rather_asked(struct snoo *ctx, struct snoo_request *req);

/** rather_patience() - How long we may sleep; ns */
uint64_t rather_patience(const struct snoo *ctx);

#endif /* CLIENT_RATHER_H */
