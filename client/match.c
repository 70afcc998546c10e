/* SPDX-License-Identifier: MIT */
/* match.c - posted receives against arrivals, in MPI's order */

#include "client/match.h"

static struct list *home_of(struct snoo *ctx, const struct snoo_request *req)
{
	return req->peer == ENGINE_ANY ? &ctx->wild :
					 &ctx->peers[req->peer].posted;
}

void match_post(struct snoo *ctx, struct snoo_request *req)
{
	struct list *home = home_of(ctx, req);
	struct list *at = home->prev;

	/*
	 * At the end, but for a receive that had matched an offer that was
	 * then withdrawn: it gets its old place again.
	 */
	while (at != home &&
	       list_entry(at, struct snoo_request, link)->seq > req->seq)
		at = at->prev;
	list_insert(at->next, &req->link);
	ctx->posted++;
}

static struct snoo_request *first_match(struct list *home, uint16_t context,
					uint32_t tag)
{
	for (struct list *n = home->next; n != home; n = n->next) {
		struct snoo_request *req =
			list_entry(n, struct snoo_request, link);

		if (match_takes(req, context, tag))
			return req;
	}
	return NULL;
}

struct snoo_request *match_search(struct snoo *ctx, uint32_t from,
				  uint16_t context, uint32_t tag)
{
	struct snoo_request *req =
		first_match(&ctx->peers[from].posted, context, tag);
	struct snoo_request *wild = first_match(&ctx->wild, context, tag);

	if (wild && (!req || wild->seq < req->seq))
		req = wild;
	if (req)
		match_withdraw(ctx, req);
	return req;
}

static bool wanted(const struct arrival *a, uint16_t context, uint32_t tag)
{
	return a->context == context && (tag == ENGINE_ANY || a->tag == tag);
}

struct arrival *match_kept(struct snoo *ctx, uint32_t from, uint16_t context,
			   uint32_t tag)
{
	if (from == ENGINE_ANY) {
		for (struct list *n = ctx->arrivals.next; n != &ctx->arrivals;
		     n = n->next) {
			struct arrival *a = list_entry(n, struct arrival, all);

			if (wanted(a, context, tag))
				return a;
		}
	} else {
		struct list *home = &ctx->peers[from].arrivals;

		for (struct list *n = home->next; n != home; n = n->next) {
			struct arrival *a =
				list_entry(n, struct arrival, by_peer);

			if (wanted(a, context, tag))
				return a;
		}
	}
	return NULL;
}

void match_keep(struct snoo *ctx, struct arrival *a)
{
	list_append(&ctx->peers[a->from].arrivals, &a->by_peer);
	list_append(&ctx->arrivals, &a->all);
	shm_count(ctx->me, SHM_COUNT_unexpected, 1);
}
