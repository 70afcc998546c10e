/* SPDX-License-Identifier: MIT */
/* coll_step.c - messages of a collective */

#include "client/coll_step.h"

#include <stdlib.h>

#include "client/coll_meet.h"
#include "client/recv.h"
#include "client/send.h"
#include "client/wait.h"

/*
 * A rank that died in the call is waited for by some, and these by others.  One
 * that has left had done its part.
 */
static int somebody_died(const struct snoo *ctx)
{
	if (ctx->gone == 0)
		return 0;
	for (uint32_t i = 0; i < ctx->capacity; i++) {
		if (ctx->peers[i].state == PEER_DEAD)
			return -EOWNERDEAD;
	}
	return 0;
}

static void fill(const struct coll *c, struct snoo_request *req,
		 enum request_kind kind, const struct step *s)
{
	request_init(req, kind);
	req->context = ENGINE_CONTEXT_COLL;
	req->tag = (uint32_t)c->part.number & INT32_MAX;
	if (s) {
		req->peer = s->peer;
		req->buf = s->buf;
		req->len = s->len;
	} else {
		req->done = true;
	}
}

int step_swap(struct coll *c, const struct step *to, const struct step *from)
{
	struct snoo *ctx = c->ctx;
	struct snoo_request send, recv;
	int ret = 0;

	fill(c, &send, REQUEST_SEND, to);
	fill(c, &recv, REQUEST_RECV, from);
	if (from)
		ret = recv_start(ctx, &recv);
	if (ret)
		return ret;
	if (to)
		ret = send_start(ctx, &send, false);
	if (ret)
		send.done = true;
	while (ret == 0 && !(recv.done && send.done)) {
		c->idle.whom = recv.done ? send.peer : recv.peer;
		ret = somebody_died(ctx);
		if (ret == 0)
			ret = wait_step(ctx, &c->idle, c->call);
	}
	if (!recv.done)
		recv_cancel(ctx, &recv, ret);
	if (!send.done)
		send_cancel(ctx, &send, ret);
	if (recv.error || send.error)
		ret = recv.error ? recv.error : send.error;
	else if (ret == 0 && from && recv.message != from->len)
		ret = -EMSGSIZE;
	/* Our partner gave it up, or has left: most likely because of a death. */
	return ret == -EPIPE || ret == -ECANCELED ? coll_reason(c, ret) : ret;
}

unsigned char *step_room(struct snoo *ctx)
{
	if (!ctx->coll_room)
		ctx->coll_room = aligned_alloc(SNOO_ABI_PAIR, 2 * STEP_PIECE);
	return ctx->coll_room;
}

int step_send(struct coll *c, uint32_t to, const void *buf, size_t len)
{
	struct step s = { to, (void *)(uintptr_t)buf, len };

	return step_swap(c, &s, NULL);
}

int step_recv(struct coll *c, uint32_t from, void *buf, size_t len)
{
	struct step s = { from, buf, len };

	return step_swap(c, NULL, &s);
}
