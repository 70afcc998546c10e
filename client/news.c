/* SPDX-License-Identifier: MIT */
/*
 * news.c - what the daemon says: rings, grants, deaths, its own return
 *
 * A rank that is gone has published all that it ever will before the daemon
 * can say GONE.  So its channel is read to the end first, and what came of it
 * through the registers, up to the daemon's line about it; then its requests
 * fail; when nothing of it is being read any more, ACK lets the daemon reuse
 * its memory.
 *
 * VIEW: what a gone rank has lent us may still be read in place, for as long
 * as the application likes.  Its epoch, and later ones, wait for that; what has
 * gone before it does not.
 */

#include "client/news.h"

#include <stdalign.h>
#include <string.h>

#include "client/arrive.h"
#include "client/bells.h"
#include "client/channel.h"
#include "client/lend.h"
#include "client/loan.h"
#include "client/oncpu.h"
#include "client/peer.h"
#include "client/reach.h"
#include "client/regs.h"
#include "client/regs_in.h"
#include "client/session.h"

union news {
	struct snoo_wire_head head;
	struct snoo_wire_start start;
	struct snoo_wire_rings rings;
	struct snoo_wire_grant grant;
	struct snoo_wire_lent lent;
	struct snoo_wire_peer peer;
	struct snoo_wire_oncpu oncpu;
	struct snoo_wire_gone gone;
	struct snoo_wire_bells bells;
	struct snoo_wire_registers registers;
	struct snoo_wire_resumed resumed;
	struct snoo_wire_error error;
	unsigned char bytes[SNOO_WIRE_MAX];
};

/* Nothing of anybody who is gone is being read any more. */
static void drained(struct snoo *ctx)
{
	uint32_t done = ctx->gone_seen;

	ctx->released = false;
	for (uint32_t i = 0; i < ctx->capacity; i++) {
		const struct peer *p = &ctx->peers[i];

		if (p->gone_epoch && p->held && p->gone_epoch <= done)
			done = p->gone_epoch - 1;
	}
	if (done > ctx->gone_done)
		ctx->gone_done = done;
	session_ack(ctx, ctx->gone_done);
}

void news_released(struct snoo *ctx)
{
	if (ctx->going == 0)
		drained(ctx);
}

static void on_gone(struct snoo *ctx, const struct snoo_wire_gone *m)
{
	struct peer *p;

	if (m->rank >= ctx->capacity || m->rank == ctx->rank)
		return;
	p = &ctx->peers[m->rank];
	if (m->gone > ctx->gone_seen)
		ctx->gone_seen = m->gone;
	p->gone_epoch = m->gone;
	if (p->state != PEER_LIVE || p->going != PEER_LIVE) {
		/* Said again by a daemon that took over, or broken before. */
		if (ctx->going == 0)
			drained(ctx);
		return;
	}
	p->going = (m->state & ~SNOO_WIRE_GONE_REGISTERS) == SNOO_ABI_LEFT ?
			   PEER_LEFT : PEER_DEAD;
	p->gone_waits = (m->state & SNOO_WIRE_GONE_REGISTERS) != 0;
	ctx->going++;
}

bool news_gone(struct snoo *ctx)
{
	bool any = false;

	if (ctx->going == 0)
		return false;
	regs_in_drain(ctx);
	for (uint32_t i = 0; i < ctx->capacity; i++) {
		struct peer *p = &ctx->peers[i];

		if (p->going == PEER_LIVE)
			continue;
		arrive_all(ctx, p);
		if (ctx->no_memory || regs_in_due(ctx, p) ||
		    peer_gone(ctx, p, p->going))
			continue;
		p->going = PEER_LIVE;
		ctx->going--;
		any = true;
	}
	if (ctx->going == 0)
		drained(ctx);
	return any;
}

static bool list_fits(uint32_t length, size_t fixed, uint32_t count,
		      size_t each)
{
	return length >= fixed && count <= SNOO_WIRE_LIST &&
	       length - fixed == count * each;
}

static void on_error(struct snoo *ctx, struct snoo_wire_error *m)
{
	m->text[sizeof(m->text) - 1] = '\0';
	memcpy(ctx->session.text, m->text, sizeof(m->text));
	session_lost(ctx, m->error > 0 ? -m->error : -ENOTCONN);
}

/* Return false: not a message of ours, or malformed. */
static bool on_message(struct snoo *ctx, union news *m, uint32_t n,
		       struct session_fds *fds)
{
	switch (m->head.type) {
	case SNOO_WIRE_WELCOME:
		/* Said again by a daemon that took over; we are in. */
		return n == sizeof(struct snoo_wire_welcome);
	case SNOO_WIRE_START:
		if (n != sizeof(m->start))
			return false;
		ctx->started = true;
		return true;
	case SNOO_WIRE_RINGS:
		if (n < sizeof(m->rings) ||
		    !list_fits(n, sizeof(m->rings), m->rings.count,
			       sizeof(m->rings.ring[0])))
			return false;
		channel_rings(ctx, m->rings.ring, m->rings.count);
		return true;
	case SNOO_WIRE_GRANT:
		if (n < sizeof(m->grant) ||
		    !list_fits(n, sizeof(m->grant), m->grant.count,
			       sizeof(m->grant.block[0])))
			return false;
		lend_granted(ctx, m->grant.block, m->grant.count);
		return true;
	case SNOO_WIRE_LENT:
		return n == sizeof(m->lent) && loan_lent(ctx, &m->lent);
	case SNOO_WIRE_PEER:
		return n == sizeof(m->peer) && reach_heard(ctx, &m->peer);
	case SNOO_WIRE_ONCPU:
		return n == sizeof(m->oncpu) && oncpu_heard(ctx, &m->oncpu, fds);
	case SNOO_WIRE_GONE:
		if (n != sizeof(m->gone))
			return false;
		on_gone(ctx, &m->gone);
		return true;
	case SNOO_WIRE_BELLS:
		return bells_heard(ctx, &m->bells, n, fds);
	case SNOO_WIRE_REGISTERS:
		return n == sizeof(m->registers) &&
		       regs_heard(ctx, &m->registers);
	case SNOO_WIRE_RESUMED:
		if (n != sizeof(m->resumed))
			return false;
		regs_resumed(ctx);
		loan_resumed(ctx);
		reach_resumed(ctx);
		oncpu_resumed(ctx);
		shm_count(ctx->me, SHM_COUNT_reconnects, 1);
		session_state(ctx, m->resumed.epoch);
		return true;
	case SNOO_WIRE_BYE:
		session_lost(ctx, -ENOTCONN);
		return true;
	case SNOO_WIRE_ERROR:
		if (n != sizeof(m->error))
			return false;
		on_error(ctx, &m->error);
		return true;
	default:
		return false;
	}
}

int news_read(struct snoo *ctx)
{
	alignas(8) union news m;
	struct session_fds fds;
	uint32_t seen;
	int count = 0;
	int n;

	/* Acquire, and before reading: what comes later raises it again. */
	seen = atomic_load_explicit(&ctx->me->news, memory_order_acquire);
	while ((n = session_read(ctx, &m, &fds)) > 0) {
		count++;
		if (!on_message(ctx, &m, (uint32_t)n, &fds))
			session_lost(ctx, -EPROTO);
		session_drop_fds(&fds);
	}
	ctx->news_seen = seen;
	shm_count(ctx->me, SHM_COUNT_news, (uint64_t)count);
	news_gone(ctx);
	return count;
}
