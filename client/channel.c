/* SPDX-License-Identifier: MIT */
/*
 * channel.c - one peer: its ring pair, answers, when to ring its bell
 *
 * Rings start small, so that many pairs fit.  A ring that was full often is
 * hot: its sender moves to a larger one.  The last line in the old ring says
 * where the channel goes on; when the receiver has read it, the old ring is a
 * spare again.  Until the receiver has read at least one line it may not have
 * opened the old ring yet, and would miss it: then the move waits.
 */

#include "client/channel.h"

#include <stdlib.h>
#include <string.h>

#include "client/bells.h"
#include "client/session.h"
#include "shm/testpoint.h"

#define CHANNEL_HOT	32	/* times full before a ring counts as hot */

/** struct answer - An answer that found no line */
struct answer {
	struct list link;
	uint64_t word0;
	uint64_t words[4];
};

/** struct retired - A ring that was moved out of */
struct retired {
	struct list link;
	struct shm_tx tx;
	uint32_t bytes;
	uint32_t peer;
};

static bool spare_take(struct snoo *ctx, enum lend_size size,
		       struct snoo_wire_ring *ring)
{
	struct spares *s = &ctx->spare[size];
	bool found = s->count > 0;

	if (found)
		*ring = s->ring[--s->count];
	if (s->count == 0 && !s->asked) {
		s->asked = true;
		session_need(ctx, size == LEND_SMALL ? 2 : 0,
			     size == LEND_LARGE ? 1 : 0, 0, 0);
	}
	return found;
}

/* @ring was handed out by the daemon or was ours before: zero it again. */
static void spare_put(struct snoo *ctx, enum lend_size size, uint64_t offset,
		      uint32_t bytes)
{
	struct spares *s = &ctx->spare[size];
	int64_t nlines;

	if (s->count == ENGINE_SPARES)
		return;
	nlines = shm_ring_format(&ctx->region, offset, bytes, ctx->slot);
	if (nlines < 0)
		return;
	s->ring[s->count++] = (struct snoo_wire_ring){
		.offset = offset,
		.bytes = bytes,
		.nlines = (uint32_t)nlines,
	};
}

void channel_rings(struct snoo *ctx, const struct snoo_wire_ring *r,
		   uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		enum lend_size size = r[i].nlines > 256 ? LEND_LARGE :
							  LEND_SMALL;
		struct spares *s = &ctx->spare[size];

		s->asked = false;
		if (s->count < ENGINE_SPARES)
			s->ring[s->count++] = r[i];
	}
}

void channel_registers(struct peer *p)
{
	/* Relaxed: written before MEMBER named the slot; later, news says so. */
	p->registers = atomic_load_explicit(&p->there->registers,
					    memory_order_relaxed) == 1;
}

bool channel_meet(struct snoo *ctx, struct peer *p)
{
	int64_t slot;

	if (p->there)
		return true;
	slot = shm_job_slot(&ctx->job, p->rank);
	if (slot < 0)
		return false;
	p->there = shm_region_rank(&ctx->region, (uint32_t)slot);
	p->slot = (uint32_t)slot;
	if (p->there) {
		p->instance = p->there->instance;
		channel_registers(p);
	}
	return p->there != NULL;
}

void channel_short(struct snoo *ctx, struct peer *p)
{
	bool one_path = !ctx->registers.open;

	p->tx_short = p->tx_open && one_path && !p->unsaid;
	p->rx_short = p->rx_open && one_path && p->ahead == 0 &&
		      list_empty(&p->parked);
}

int channel_ready(struct snoo *ctx, struct peer *p)
{
	struct snoo_wire_ring ring;

	if (p->tx_open)
		return 0;
	if (!channel_meet(ctx, p) || !spare_take(ctx, LEND_SMALL, &ring))
		return -EAGAIN;
	if (shm_tx_open(&p->tx, &ctx->region, ring.offset, ring.nlines))
		return -EAGAIN;
	p->tx_open = true;
	p->large = false;
	channel_short(ctx, p);
	SNOO_TESTPOINT("channel_taken");
	shm_job_announce(&ctx->job, p->rank, ctx->rank, ring.offset);
	SNOO_TESTPOINT("channel_announced");
	shm_wake_flag(p->there->newcomers, ctx->rank);
	return 0;
}

void channel_ring(struct snoo *ctx, struct peer *p, enum shm_wake wake)
{
	shm_count(ctx->me, SHM_COUNT_wakes_sent, 1);
	bells_reach(ctx, p, wake);
}

static void retire(struct snoo *ctx, struct peer *p)
{
	struct retired *r = malloc(sizeof(*r));

	/* Without memory for a note the ring stays unused until we leave. */
	if (!r)
		return;
	r->tx = p->tx;
	r->bytes = (uint32_t)(sizeof(struct snoo_abi_ring) +
			      (uint64_t)p->tx.nlines * SNOO_ABI_LINE);
	r->peer = p->rank;
	list_append(&ctx->retired, &r->link);
}

void channel_retired(struct snoo *ctx)
{
	struct list *next;

	for (struct list *n = ctx->retired.next; n != &ctx->retired;
	     n = next) {
		struct retired *r = list_entry(n, struct retired, link);

		/* A peer that is gone reads no more: its rings are free. */
		next = n->next;
		if (ctx->peers[r->peer].tx_open && !shm_tx_drained(&r->tx))
			continue;
		list_remove(&r->link);
		spare_put(ctx, LEND_SMALL, r->tx.offset, r->bytes);
		free(r);
	}
}

/* The ring is full: should the channel move to a larger one? */
static void consider_move(struct snoo *ctx, struct peer *p)
{
	struct snoo_wire_ring ring;
	struct shm_tx tx;

	if (p->large || ++p->full < CHANNEL_HOT)
		return;
	if (p->tx.consumed == 0 || shm_tx_room(&p->tx, 0) <= 0)
		return;
	if (!spare_take(ctx, LEND_LARGE, &ring))
		return;
	if (shm_tx_open(&tx, &ctx->region, ring.offset, ring.nlines))
		return;
	shm_tx_words(&p->tx)[0] = SNOO_ABI_MOVED;
	shm_tx_words(&p->tx)[1] = ring.offset;
	SNOO_TESTPOINT("channel_moving");
	shm_tx_publish(&p->tx, line_word(SNOO_ABI_CONTROL, 0, 0, 0, 0));
	shm_job_announce(&ctx->job, p->rank, ctx->rank, ring.offset);
	retire(ctx, p);
	p->tx = tx;
	p->large = true;
	shm_count(ctx->me, SHM_COUNT_rings_moved, 1);
	channel_wake(ctx, p);
}

bool channel_room(struct snoo *ctx, struct peer *p)
{
	int64_t room;

	if (channel_ready(ctx, p) || !list_empty(&p->answers))
		return false;
	room = shm_tx_room(&p->tx, SNOO_ABI_RING_ANSWERS);
	if (room > 0)
		return true;
	if (room < 0) {
		p->broken = true;
		return false;
	}
	shm_tx_note(&p->tx);
	shm_count(ctx->me, SHM_COUNT_lines_full, 1);
	consider_move(ctx, p);
	return p->large && shm_tx_room(&p->tx, SNOO_ABI_RING_ANSWERS) > 0;
}

void channel_number(struct peer *p, uint64_t number)
{
	shm_tx_words(&p->tx)[0] = SNOO_ABI_NUMBER;
	shm_tx_words(&p->tx)[1] = number;
	shm_tx_publish(&p->tx, line_word(SNOO_ABI_CONTROL, 0, 0, 0, 0));
	SNOO_TESTPOINT("channel_numbered");
}

void channel_busy(struct snoo *ctx, struct peer *p)
{
	if (list_empty(&p->busy))
		list_append(&ctx->busy, &p->busy);
}

static bool answer_now(struct snoo *ctx, struct peer *p, uint64_t word0,
		       const uint64_t words[4])
{
	if (channel_ready(ctx, p) || shm_tx_room(&p->tx, 0) <= 0)
		return false;
	memcpy(shm_tx_words(&p->tx), words, 4 * sizeof(words[0]));
	shm_tx_publish(&p->tx, word0);
	return true;
}

int channel_answer(struct snoo *ctx, struct peer *p, uint64_t word0,
		   const uint64_t words[4])
{
	struct answer *a;

	if (p->state != PEER_LIVE)
		return 0;
	if (list_empty(&p->answers) && answer_now(ctx, p, word0, words)) {
		channel_wake(ctx, p);
		return 0;
	}
	a = malloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->word0 = word0;
	memcpy(a->words, words, sizeof(a->words));
	list_append(&p->answers, &a->link);
	channel_busy(ctx, p);
	return 0;
}

bool channel_answers(struct snoo *ctx, struct peer *p)
{
	bool sent = false;

	while (!list_empty(&p->answers)) {
		struct answer *a =
			list_entry(p->answers.next, struct answer, link);

		if (!answer_now(ctx, p, a->word0, a->words))
			break;
		list_take(&p->answers);
		free(a);
		sent = true;
	}
	if (sent)
		channel_wake(ctx, p);
	return list_empty(&p->answers);
}

void channel_open_rx(struct snoo *ctx, struct peer *p)
{
	uint64_t offset;

	/* One that is gone or broken is read no more: its ring may be gone. */
	if (p->rx_open || p->state != PEER_LIVE || !channel_meet(ctx, p))
		return;
	offset = shm_job_channel(&ctx->job, ctx->rank, p->rank);
	if (offset == 0)
		return;
	if (shm_rx_open(&p->rx, &ctx->region, offset)) {
		shm_count(ctx->me, SHM_COUNT_protocol_errors, 1);
		return;
	}
	p->rx_open = true;
	ctx->rx[ctx->nrx++] = p;
	channel_short(ctx, p);
}

int channel_newcomers(struct snoo *ctx)
{
	int found = 0;

	for (uint32_t i = 0; i < (ctx->capacity + 31) / 32; i++) {
		uint32_t bits = shm_wake_collect(ctx->me->newcomers, i);

		while (bits) {
			uint32_t from = i * 32 +
					(uint32_t)__builtin_ctz(bits);

			bits &= bits - 1;
			if (from < ctx->capacity && from != ctx->rank) {
				channel_open_rx(ctx, &ctx->peers[from]);
				found++;
			}
		}
	}
	return found;
}

int channel_moved(struct snoo *ctx, struct peer *p, uint64_t offset)
{
	struct shm_rx old = p->rx;
	int ret;

	/* A sender moves once; more would let it lead us round for ever. */
	if (p->rx_moved)
		return -EPROTO;

	ret = shm_rx_open(&p->rx, &ctx->region, offset);
	if (ret) {
		p->rx = old;
		return ret;
	}
	p->rx_moved = true;
	/* The line that said so is the last: all of the old ring is read. */
	shm_rx_pop(&old);
	shm_rx_tell(&old);
	channel_wake(ctx, p);
	return 0;
}

void channel_tell(struct snoo *ctx, struct peer *p)
{
	if (shm_rx_tell(&p->rx))
		channel_returned(ctx, p);
}

static void forget_rx(struct snoo *ctx, struct peer *p)
{
	for (uint32_t i = 0; i < ctx->nrx; i++) {
		if (ctx->rx[i] == p) {
			ctx->rx[i] = ctx->rx[--ctx->nrx];
			break;
		}
	}
	p->rx_open = false;
	channel_short(ctx, p);
}

static void drop_answers(struct peer *p)
{
	while (!list_empty(&p->answers))
		free(list_entry(list_take(&p->answers), struct answer, link));
}

void channel_close(struct snoo *ctx, struct peer *p)
{
	if (p->rx_open)
		forget_rx(ctx, p);
	drop_answers(p);
	list_remove(&p->busy);
	if (!p->tx_open)
		return;
	p->tx_open = false;
	channel_short(ctx, p);
	spare_put(ctx, p->large ? LEND_LARGE : LEND_SMALL, p->tx.offset,
		  (uint32_t)(sizeof(struct snoo_abi_ring) +
			     (uint64_t)p->tx.nlines * SNOO_ABI_LINE));
}

void channel_drop(struct snoo *ctx)
{
	for (uint32_t i = 0; i < ctx->capacity; i++)
		drop_answers(&ctx->peers[i]);
	while (!list_empty(&ctx->retired))
		free(list_entry(list_take(&ctx->retired), struct retired,
				link));
}

void channel_leave(struct snoo *ctx, struct peer *p)
{
	if (!p->tx_open || p->state != PEER_LIVE)
		return;
	channel_answers(ctx, p);
	if (shm_tx_room(&p->tx, 0) <= 0)
		return;
	shm_tx_publish(&p->tx, line_word(SNOO_ABI_LEAVE, 0, 0, 0, 0));
	channel_wake(ctx, p);
}
