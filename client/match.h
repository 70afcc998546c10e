/* SPDX-License-Identifier: MIT */
/*
 * match.h - posted receives against arrivals, in MPI's order
 *
 * Between one sender and one receiver messages match in the order sent, and
 * receives in the order posted (MPI 4.1, section 3.5).  A receive from a
 * known source waits in its peer's list, one from any source in ctx->wild;
 * the sequence number tells which of two candidates was posted first.
 */
#ifndef CLIENT_MATCH_H
#define CLIENT_MATCH_H

#include "client/engine.h"

/** match_post() - Put a receive where arrivals look for it */
void match_post(struct snoo *ctx, struct snoo_request *req);

/**
 * match_posted() - The receive that a message from @from goes to
 *
 * Return: the request, out of its list; NULL: nobody has asked for it
 */
struct snoo_request *match_posted(struct snoo *ctx, uint32_t from,
				  uint16_t context, uint32_t tag);

/**
 * match_arrival() - The oldest message that a receive would take
 * @from:	Rank or ENGINE_ANY
 * @tag:	Or ENGINE_ANY
 *
 * Return: the arrival, still in its lists; NULL: none
 */
struct arrival *match_arrival(struct snoo *ctx, uint32_t from,
			      uint16_t context, uint32_t tag);

/** match_keep() - A message that nobody has asked for */
void match_keep(struct snoo *ctx, struct arrival *a);

/** match_withdraw() - A posted receive out of its list */
void match_withdraw(struct snoo *ctx, struct snoo_request *req);

#endif /* CLIENT_MATCH_H */
