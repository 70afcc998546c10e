/* SPDX-License-Identifier: MIT */
/*
 * instead.c - the block of an eager message that was offered, after all
 *
 * Theory of operation
 * ===================
 *
 * An eager message of 8 to 64 KiB is copied twice, and the second copy begins
 * when the first is done.  Where a line takes long from core to core one copy by
 * process_vm_readv (reach.c) takes half of the time.  But a send that is offered
 * ends when its receiver has come, and one that is eager at once: programs that
 * send before they receive live by that, and a receiver that computes does not
 * keep its sender.  So, where rather.c finds the offer cheaper, both:
 *
 *     sender                                    receiver
 *     OFFER {token, CMA ...} ---------------->  reads it, if it is there
 *            <-------------------------------  DONE {token, FETCHED, ns}
 *
 *     or, when that does not come within LATE_NS,
 *
 *     fills a block, takes its stamp away (REVOKE)
 *     BLOCK, INSTEAD {token, block} --------->  the arrival is one in a block
 *     the send is complete
 *
 * Without a block, or without room in the channel, it stays an offer for a while,
 * and tries again.  A time limit that ends before does not end the send: it gets
 * its block at once (send_cancel()).
 *
 * What crosses.  The receiver has read it or refused it: it gives the block back,
 * and its DONE finds no send.  It has answered ACCEPT: the block is the whole
 * transfer, and the ACCEPT finds no send.  The sender dies before it: an offer that
 * ends, as any.
 */
#include "client/instead.h"

#include <errno.h>

#include "client/rather.h"
#include "client/recv.h"
#include "client/send.h"

#define LATEST_NS 100000000u	/* between two looks for room or a block */

static int late(struct snoo *ctx, struct peer *p, uint64_t now)
{
	uint64_t ns = now - p->instead.since_ns;
	struct list *next;
	int work = 0;

	if (ns < p->instead.late_ns)
		return 0;
	p->instead.since_ns = now;
	for (struct list *n = p->offered.next;
	     n != &p->offered && p->instead.out > 0; n = next) {
		struct snoo_request *req =
			list_entry(n, struct snoo_request, link);

		next = n->next;
		if (!req->instead)
			continue;
		if (work == 0)
			rather_late(p, req->len, ns);
		if (!send_instead(ctx, p, req)) {
			/* Later, then; and nobody stays awake for it. */
			p->instead.late_ns =
				p->instead.late_ns < LATEST_NS / 2 ?
					2 * p->instead.late_ns : LATEST_NS;
			break;
		}
		work++;
	}
	return work;
}

int instead_turn(struct snoo *ctx)
{
	uint64_t now = clock_ns();
	struct list *next;
	int work = 0;

	for (struct list *n = ctx->instead.next; n != &ctx->instead; n = next) {
		struct peer *p = list_entry(n, struct peer, instead.link);

		next = n->next;
		work += late(ctx, p, now);
	}
	return work;
}

int instead_arrived(struct snoo *ctx, struct peer *p, uint64_t token,
		    uint32_t unit, uint32_t generation, uint64_t length)
{
	struct arrival *a = recv_offered(p, token);
	struct snoo_request *req;

	if (a) {
		if (a->length != length)
			return -EPROTO;
		a->kind = ARRIVAL_BLOCK;
		a->unit = unit;
		a->generation = generation;
		return 0;
	}
	req = recv_accepted(p, token);
	if (req) {
		if (req->message != length || req->moved > 0)
			return -EPROTO;
		recv_stream(ctx, p, req->token,
			    shm_region_block(&ctx->region, unit, length), 0,
			    req->total);
	}
	recv_give(ctx, p, unit, generation);
	return 0;
}
