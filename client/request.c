/* SPDX-License-Identifier: MIT */
/* request.c - requests and arrivals: made, completed, kept for reuse */

#include <stdlib.h>

#include "client/alloc.h"
#include "client/engine.h"
#include "client/reach.h"

#define REQUEST_BYTES	(2 * SNOO_ABI_LINE)

_Static_assert(sizeof(struct snoo_request) <= REQUEST_BYTES,
	       "a request takes two lines");

struct snoo_request *request_more(void)
{
	return aligned_alloc(SNOO_ABI_LINE, REQUEST_BYTES);
}

void request_done(struct snoo *ctx, struct snoo_request *req, int error)
{
	list_remove(&req->link);
	req->error = error;
	req->done = true;
	if (req->pool)
		alloc_ended(ctx, req, error);
	if (req->stamp)
		reach_ended(ctx, req, error);
	if (req->counted) {
		req->counted = false;
		ctx->moving--;
	}
	if (req->kind == REQUEST_RECV && (error == 0 || error == -EMSGSIZE)) {
		shm_count(ctx->me, SHM_COUNT_received, 1);
		shm_count(ctx->me, SHM_COUNT_received_bytes,
			  req->message < req->len ? req->message : req->len);
	}
}

struct arrival *arrival_new(struct snoo *ctx)
{
	struct arrival *a;

	if (list_empty(&ctx->arrival_pool)) {
		a = malloc(sizeof(*a));
		if (!a)
			return NULL;
	} else {
		a = list_entry(list_take(&ctx->arrival_pool), struct arrival,
			       all);
	}
	list_init(&a->by_peer);
	list_init(&a->all);
	a->heap = NULL;
	a->self = NULL;
	return a;
}

void arrival_free(struct snoo *ctx, struct arrival *a)
{
	list_remove(&a->by_peer);
	list_remove(&a->all);
	free(a->heap);
	a->heap = NULL;
	list_append(&ctx->arrival_pool, &a->all);
}

void request_fini(struct snoo *ctx)
{
	while (!list_empty(&ctx->arrivals))
		arrival_free(ctx, list_entry(ctx->arrivals.next,
					     struct arrival, all));
	while (!list_empty(&ctx->arrival_pool))
		free(list_entry(list_take(&ctx->arrival_pool), struct arrival,
				all));
	while (!list_empty(&ctx->request_pool))
		free(list_entry(list_take(&ctx->request_pool),
				struct snoo_request, link));
}
