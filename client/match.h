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

/** match_withdraw() - A posted receive out of its list */
static inline void match_withdraw(struct snoo *ctx, struct snoo_request *req)
{
	list_remove(&req->link);
	ctx->posted--;
}

/** match_takes() - Would a posted receive take this message of its source? */
static inline bool match_takes(const struct snoo_request *req,
			       uint16_t context, uint32_t tag)
{
	return req->context == context &&
	       (req->tag == tag || req->tag == ENGINE_ANY);
}

/** match_search() - Second half of match_posted(); not for others */
struct snoo_request *match_search(struct snoo *ctx, uint32_t from,
				  uint16_t context, uint32_t tag);

/**
 * match_posted() - The receive that a message from @from goes to
 *
 * In the common case the oldest receive from @from takes it and no wildcard
 * is posted: then this looks at that receive alone.
 *
 * Return: the request, out of its list; NULL: nobody has asked for it
 */
static inline struct snoo_request *match_posted(struct snoo *ctx,
						uint32_t from,
						uint16_t context, uint32_t tag)
{
	struct list *home = &ctx->peers[from].posted;
	struct snoo_request *req;

	if (!list_empty(&ctx->wild))
		return match_search(ctx, from, context, tag);
	if (list_empty(home))
		return NULL;
	req = list_entry(home->next, struct snoo_request, link);
	if (!match_takes(req, context, tag))
		return match_search(ctx, from, context, tag);
	match_withdraw(ctx, req);
	return req;
}

/** match_kept() - Second half of match_arrival(); not for others */
struct arrival *match_kept(struct snoo *ctx, uint32_t from, uint16_t context,
			   uint32_t tag);

/**
 * match_arrival() - The oldest message that a receive would take
 * @from:	Rank or ENGINE_ANY
 * @tag:	Or ENGINE_ANY
 *
 * Return: the arrival, still in its lists; NULL: none
 */
static inline struct arrival *match_arrival(struct snoo *ctx, uint32_t from,
					    uint16_t context, uint32_t tag)
{
	if (list_empty(&ctx->arrivals))
		return NULL;
	return match_kept(ctx, from, context, tag);
}

/** match_keep() - A message that nobody has asked for */
void match_keep(struct snoo *ctx, struct arrival *a);

#endif /* CLIENT_MATCH_H */
