/* SPDX-License-Identifier: MIT */
/*
 * coll_barrier.c - return when all ranks of the job have called it
 *
 * In a job of a stated size by a meeting: coll_meet.c.  In an open one, or with
 * a rank or a daemon that does not know meetings, by messages: in round k each
 * rank tells the one 2^k above it and waits for the one 2^k below it; after
 * ceil(log2 n) rounds everybody has heard, directly or not, of everybody.  The
 * tag is the round; successive barriers need no other mark, because messages
 * between two ranks do not overtake.
 *
 * Source: D. Hensgen, R. Finkel, U. Manber, Two algorithms for barrier
 * synchronization, Int. J. Parallel Programming 17 (1988).
 */

#include "client/coll_barrier.h"

#include "client/coll_meet.h"
#include "client/recv.h"
#include "client/send.h"
#include "client/wait.h"

static int round_trip(struct snoo *ctx, uint32_t to, uint32_t from,
		      uint32_t tag)
{
	struct snoo_request send, recv;
	int ret;

	request_init(&send, REQUEST_SEND);
	request_init(&recv, REQUEST_RECV);
	send.context = recv.context = ENGINE_CONTEXT_COLL;
	send.tag = recv.tag = tag;
	send.peer = to;
	recv.peer = from;

	ret = recv_start(ctx, &recv);
	if (ret)
		return ret;
	ret = send_start(ctx, &send, false);
	if (ret) {
		if (!recv.done)
			recv_cancel(ctx, &recv, ret);
		return ret;
	}
	ret = wait_request(ctx, &recv, SNOO_ABI_CALL_BARRIER);
	if (ret == 0)
		ret = wait_request(ctx, &send, SNOO_ABI_CALL_BARRIER);
	if (!recv.done)
		recv_cancel(ctx, &recv, ret);
	if (!send.done)
		send_cancel(ctx, &send, ret);
	if (ret == 0)
		ret = recv.error ? recv.error : send.error;
	return ret;
}

static int by_messages(struct snoo *ctx)
{
	uint32_t n = (uint32_t)snoo_size(ctx);
	uint32_t round = 0;

	for (uint32_t step = 1; step < n; step *= 2) {
		int ret = round_trip(ctx, (ctx->rank + step) % n,
				     (ctx->rank + n - step) % n, round++);

		if (ret)
			return ret;
	}
	return 0;
}

int coll_barrier(struct snoo *ctx)
{
	struct coll c;
	int ret;

	coll_begin(&c, ctx, coll_what(SNOO_ABI_MEET_BARRIER, 0, 0, 0), 0);
	ret = coll_enter(&c, COLL_STAYS);
	if (ret == -EOPNOTSUPP)
		return by_messages(ctx);
	return coll_end(&c, ret ? ret : coll_agree(&c));
}
