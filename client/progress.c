/* SPDX-License-Identifier: MIT */
/*
 * progress.c - one round of everything that is outstanding
 *
 * With few channels a round looks at the next line of each.  With many it
 * looks at the summary bitmap instead, where senders leave a bit; then every
 * line is looked at only after a change of mode (ctx->rescan), because what
 * was written before may have been written by someone who saw the old mode.
 */

#include "client/progress.h"

#include "client/arrive.h"
#include "client/channel.h"
#include "client/instead.h"
#include "client/meet.h"
#include "client/news.h"
#include "client/peer.h"
#include "client/regs.h"
#include "client/regs_in.h"
#include "client/send.h"
#include "client/session.h"

/* Lines that a scan has left in the ring would have no bit. */
static void keep_bit(struct snoo *ctx, struct peer *p)
{
	uint64_t word0;

	if (ctx->rest == SNOO_ABI_SUMMARY && p->rx_open &&
	    shm_rx_peek(&p->rx, &word0))
		shm_wake_flag(ctx->me->summary, p->rank);
}

static int scan_all(struct snoo *ctx)
{
	uint32_t n = ctx->nrx, at = ctx->rx_first;
	int work = 0;

	/* Begin after the channel that had something last: nobody starves. */
	for (uint32_t i = 0; i < n && ctx->nrx > 0; i++, at++) {
		struct peer *p;
		int got;

		/* Channels may close on the way. */
		if (at >= ctx->nrx)
			at = 0;
		p = ctx->rx[at];
		got = arrive_drain(ctx, p);

		keep_bit(ctx, p);

		if (got > 0 && work == 0)
			ctx->rx_first = at + 1;
		work += got;
	}
	return work;
}

static int scan_summary(struct snoo *ctx)
{
	int work = 0;

	for (uint32_t i = 0; i < (ctx->capacity + 31) / 32; i++) {
		uint32_t bits = shm_wake_collect(ctx->me->summary, i);

		while (bits) {
			uint32_t from = i * 32 +
					(uint32_t)__builtin_ctz(bits);
			struct peer *p = &ctx->peers[from];

			bits &= bits - 1;
			if (from >= ctx->capacity || from == ctx->rank)
				continue;
			channel_open_rx(ctx, p);
			if (!p->rx_open)
				continue;
			work += arrive_drain(ctx, p);
			keep_bit(ctx, p);
		}
	}
	return work;
}

static int pump(struct snoo *ctx)
{
	struct list *next;
	int work = 0;

	for (struct list *n = ctx->busy.next; n != &ctx->busy; n = next) {
		struct peer *p = list_entry(n, struct peer, busy);

		next = n->next;
		work += send_pump(ctx, p);
		if (p->broken && p->state == PEER_LIVE) {
			peer_break(ctx, p);
			work++;
		}
	}
	return work;
}

int progress(struct snoo *ctx)
{
	int work = 0;

	ctx->no_memory = false;
	if (news_waiting(ctx))
		work += news_read(ctx);
	if (ctx->going)
		work += news_gone(ctx);
	if (ctx->released)
		news_released(ctx);
	work += channel_newcomers(ctx);
	if (ctx->registers.open)
		work += regs_in_drain(ctx) + regs_turn(ctx);
	if (ctx->meet.waiting)
		work += meet_look(ctx);

	if (ctx->rest == SNOO_ABI_POLLING && ctx->nrx > PROGRESS_MANY) {
		ctx->rest = SNOO_ABI_SUMMARY;
		shm_wake_arm(ctx->me, ctx->rest, SNOO_ABI_ANY);
		ctx->rescan = true;
	}
	if (ctx->rest == SNOO_ABI_SUMMARY && !ctx->rescan) {
		work += scan_summary(ctx);
	} else {
		ctx->rescan = false;
		work += scan_all(ctx);
	}

	if (!list_empty(&ctx->instead))
		work += instead_turn(ctx);
	if (!list_empty(&ctx->busy))
		work += pump(ctx);
	if (!list_empty(&ctx->retired))
		channel_retired(ctx);
	if (ctx->session.need_dirty || ctx->session.ack ||
	    ctx->session.epoch || ctx->session.ring_dirty ||
	    ctx->session.look_due || ctx->session.loan_due ||
	    ctx->session.reach_due || ctx->session.where_dirty)
		session_flush(ctx);
	return work;
}
