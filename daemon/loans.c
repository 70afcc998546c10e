/* SPDX-License-Identifier: MIT */
/*
 * loans.c - blocks for loans: one piece each, lent on request
 */
#include "daemon/loans.h"

#include <errno.h>

#include "daemon/post.h"
#include "daemon/touch.h"
#include "shm/testpoint.h"

#define LOANS_PART     2u /* of the arena: one half */
#define SHRINK_LONG_NS UINT64_C(1000000)

/* ---- how much ---- */

static uint64_t room_of(const struct domain *d)
{
	return (uint64_t)d->pool.region.arena_units * SNOO_ABI_UNIT /
	       LOANS_PART;
}

static uint64_t lent_by(const struct domain *d)
{
	struct arena_stats s;

	arena_stats(d->arena, &s);
	return s.use[ARENA_LOAN].bytes;
}

/* What a rank may have while the pool is short. */
static uint64_t share_of(const struct rank *r)
{
	const struct domain *d = r->dom;
	uint64_t weights = 0;

	for (uint32_t i = 0; i < d->nranks; i++)
		if (d->job[i] && d->job[i]->attached)
			weights += d->job[i]->sched.weight;
	if (!weights || !r->job->attached)
		return 0;
	return room_of(d) / weights * r->job->sched.weight / r->job->attached;
}

bool loans_many(const struct domain *d)
{
	return lent_by(d) > room_of(d) / 4;
}

/* @bytes are those of a piece: a power of two. */
static bool fits(const struct rank *r, uint64_t bytes)
{
	uint64_t room = room_of(r->dom), lent = lent_by(r->dom);

	if (bytes > room || lent > room - bytes || r->loans >= LOANS_MAX)
		return false;
	return !r->dom->sched.contended || r->loan_bytes + bytes <= share_of(r);
}

/* Of the piece that @bytes need; 0: no pool is that large. */
static uint64_t piece_of(uint64_t bytes)
{
	uint64_t piece = arena_piece_bytes(0);

	while (piece < bytes && piece < SNOO_ABI_SIZE_MAX)
		piece *= 2;
	return piece < bytes ? 0 : piece;
}

/* ---- lending ---- */

static void lend(struct rank *r, uint32_t unit, uint64_t bytes,
		 struct snoo_wire_lent *m)
{
	SNOO_TESTPOINT("daemon_loan_taken");
	if (touch_loan_grant(r, unit, bytes, &m->generation)) {
		arena_give(r->dom->arena, unit);
		m->error = ENOMEM;
		return;
	}
	SNOO_TESTPOINT("daemon_loan_marked");
	r->loans++;
	r->loan_bytes += bytes;
	m->unit = unit;
	m->bytes = bytes;
}

/* For one that asks: not all the time, if there are many to look at. */
static bool shrink_for(struct domain *d)
{
	uint64_t start = loop_now_ns(), took;
	uint32_t got;

	if (start < d->shrink_ns)
		return false;
	got = loans_shrink(d);
	took = loop_now_ns() - start;
	if (took > SHRINK_LONG_NS)
		d->shrink_ns = start + 2 * took;
	return got > 0;
}

/* What copies go through is left to them, free or not. */
static bool take(struct domain *d, const struct arena_want *want,
		 uint32_t *unit)
{
	if (arena_take(d->arena, want, unit) > 0)
		return true;
	return shrink_for(d) && arena_take(d->arena, want, unit) > 0;
}

void loans_ask(struct rank *r, const struct snoo_wire_loan *ask)
{
	struct domain *d = r->dom;
	struct arena_want want = {
		.bytes = piece_of(ask->bytes),
		.kind = ARENA_LOAN,
		.owner = r->slot,
		.instance = r->led.instance,
		.node = r->led.node,
	};
	struct snoo_wire_lent m = {
		.head = { SNOO_WIRE_LENT, sizeof(m) },
		.serial = ask->serial,
		.error = ENOMEM,
	};
	uint32_t unit;

	if (want.bytes && want.bytes <= room_of(d) &&
	    (fits(r, want.bytes) || (shrink_for(d) && fits(r, want.bytes))) &&
	    take(d, &want, &unit)) {
		m.error = 0;
		lend(r, unit, want.bytes, &m);
	} else if (want.bytes && r->loan_bytes + want.bytes <= share_of(r)) {
		/* Others have more than their share: it is theirs no longer. */
		sched_short(&d->sched, loop_now_ns());
		loop_defer(d->sh->loop, &d->share_work);
	}
	post_lent(r, &m);
	SNOO_TESTPOINT("daemon_loan_sent");
}

/* ---- taking back ---- */

static bool is_loan(const struct rank *r, uint32_t unit,
		    struct arena_piece *piece)
{
	return arena_owner(r->dom->arena, unit, piece) == 0 &&
	       piece->kind == ARENA_LOAN;
}

static void take_back(struct rank *r, const struct arena_piece *piece)
{
	SNOO_TESTPOINT("daemon_loan_recalled");
	r->loans--;
	r->loan_bytes -= arena_piece_bytes(piece->order);
	arena_give(r->dom->arena, piece->unit);
}

uint32_t loans_recall(struct rank *r)
{
	struct arena *a = r->dom->arena;
	uint32_t next, got = 0;

	/* Most ranks have none, and the list has all kinds. */
	for (uint32_t u = arena_first(a, false, r->slot);
	     u != ARENA_NONE && r->loans; u = next) {
		struct arena_piece piece;

		next = arena_next(a, u);
		if (!is_loan(r, u, &piece) || touch_block_recall(r, u) != 1)
			continue;
		take_back(r, &piece);
		got++;
	}
	return got;
}

uint32_t loans_shrink(struct domain *d)
{
	uint32_t got = 0;

	for (uint32_t i = 0; i < d->nranks; i++)
		if (d->rank[i] && state_rank_alive(d->rank[i]))
			got += loans_recall(d->rank[i]);
	return got;
}

void loans_count(struct rank *r, const struct arena_piece *piece)
{
	r->loans++;
	r->loan_bytes += arena_piece_bytes(piece->order);
}

void loans_adopted(struct rank *r)
{
	struct arena *a = r->dom->arena;
	uint32_t next, generation;

	loans_recall(r);
	/* One whose descriptor is not its own was never granted. */
	for (uint32_t u = arena_first(a, false, r->slot);
	     u != ARENA_NONE && r->loans; u = next) {
		struct arena_piece piece;

		next = arena_next(a, u);
		if (is_loan(r, u, &piece) &&
		    touch_block_state(r, u, &generation) == SNOO_ABI_BLOCK_NONE)
			take_back(r, &piece);
	}
}
