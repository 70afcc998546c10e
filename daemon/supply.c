/* SPDX-License-Identifier: MIT */
/*
 * supply.c - rings and blocks: lend, recall, take back
 */
#include "daemon/supply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/loans.h"
#include "daemon/post.h"
#include "daemon/touch.h"
#include "shm/testpoint.h"

static const enum arena_kind block_kind[SIZES] = {
	[SMALL] = ARENA_BLOCK_SMALL,
	[LARGE] = ARENA_BLOCK_LARGE,
};

static uint32_t of_pair(const struct conf_pair *p, int size)
{
	return size == SMALL ? p->small : p->large;
}

/* Ranks that are there, and those that their jobs still wait for. */
static void expect(struct domain *d)
{
	d->expected = d->ranks;
	for (uint32_t cell = 0; cell < d->nranks; cell++) {
		const struct job *j = d->job[cell];

		if (j && !j->led.open && j->led.size > j->led.joined)
			d->expected += j->led.size - j->led.joined;
	}
}

/*
 * Blocks that a rank may hold when nobody else wants any.  Of large ones that is
 * not more than all ranks can have at a time: a rank that has many goes through
 * all of them, one after the other, so that the lines of each are in no cache of
 * the receiver when it is filled again (client/lend.c).  That is worth a lot, but
 * not a pool that is short; and on a core that ranks share they push each other's
 * blocks out of its cache anyhow: there, few are better.
 */
static uint32_t most_blocks(const struct rank *r, int size)
{
	const struct domain *d = r->dom;
	uint32_t most = of_pair(&d->conf->blocks_per_rank, size);
	uint64_t room, small;

	if (size == SMALL || most <= CONF_LARGE_FEW)
		return most;
	if (r->seated && r->seat.cpu != PLACE_NO_CPU &&
	    place_on_cpu(d->sh->place, (unsigned int)r->seat.cpu) > 1)
		return CONF_LARGE_FEW;
	/* A quarter is for rings and loans; nobody is alone. */
	room = arena_bytes(d->arena) / 4 * 3 /
	       (d->expected > 2 ? d->expected : 2);
	small = (uint64_t)d->conf->blocks_per_rank.small *
		d->conf->block_bytes.small;
	room = room > small ? (room - small) / d->conf->block_bytes.large : 0;
	if (room < CONF_LARGE_FEW)
		return CONF_LARGE_FEW;
	return room < most ? (uint32_t)room : most;
}

/* A ring to each partner, and some to spare. */
static uint32_t most_rings(const struct rank *r, int size)
{
	return r->job->led.capacity + (size == SMALL ? 4 : 0);
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ---- taking from the arena ---- */

/* Recall free blocks of one rank until it holds @keep of that size. */
static uint32_t recall_down_to(struct rank *r, int size, uint32_t keep)
{
	struct arena *a = r->dom->arena;
	uint32_t next, got = 0;

	for (uint32_t u = arena_first(a, false, r->slot);
	     u != ARENA_NONE && r->blocks[size] > keep; u = next) {
		struct arena_piece piece;

		next = arena_next(a, u);
		if (arena_owner(a, u, &piece) || piece.kind != block_kind[size])
			continue;
		if (touch_block_recall(r, u) != 1)
			continue;
		SNOO_TESTPOINT("daemon_recall_taken");
		arena_give(a, u);
		r->blocks[size]--;
		got++;
	}
	return got;
}

/* Everybody's free loans, and free blocks but the last of each size. */
static uint32_t squeeze(struct domain *d)
{
	uint32_t got = loans_shrink(d);

	for (uint32_t i = 0; i < d->nranks; i++) {
		struct rank *r = d->rank[i];

		if (!r || !state_rank_alive(r))
			continue;
		got += recall_down_to(r, LARGE, 1);
		got += recall_down_to(r, SMALL, 1);
	}
	return got;
}

int64_t supply_take(struct domain *d, const struct arena_want *want,
		    uint32_t *unit)
{
	int64_t ret = arena_take(d->arena, want, unit);

	if (ret == -ENOSPC && squeeze(d))
		ret = arena_take(d->arena, want, unit);
	return ret;
}

/* ---- lending ---- */

static uint32_t lend_rings(struct rank *r, int size, uint32_t n)
{
	struct snoo_wire_ring ring[SNOO_WIRE_LIST];
	struct domain *d = r->dom;
	struct arena_want want = {
		.bytes = of_pair(&d->conf->ring_bytes, size),
		.kind = ARENA_RING,
		.owner = r->slot,
		.instance = r->led.instance,
		.node = r->led.node,
	};
	uint32_t got = 0, unit;

	for (n = min_u32(n, SNOO_WIRE_LIST); got < n; got++) {
		int64_t bytes = supply_take(d, &want, &unit);
		int64_t lines;

		if (bytes < 0)
			break;
		SNOO_TESTPOINT("daemon_ring_taken");
		lines = touch_ring_begin(r, unit, (uint64_t)bytes);
		if (lines < 0) {
			arena_give(d->arena, unit);
			break;
		}
		ring[got].offset = pool_offset(&d->pool, unit);
		ring[got].bytes = (uint32_t)bytes;
		ring[got].nlines = (uint32_t)lines;
	}
	r->rings[size] += got;
	if (got)
		post_rings(r, ring, got);
	SNOO_TESTPOINT("daemon_rings_sent");
	return got;
}

static uint32_t lend_blocks(struct rank *r, int size, uint32_t n)
{
	struct snoo_wire_block block[SNOO_WIRE_LIST];
	struct domain *d = r->dom;
	struct arena_want want = {
		.bytes = of_pair(&d->conf->block_bytes, size),
		.kind = block_kind[size],
		.owner = r->slot,
		.instance = r->led.instance,
		.node = r->led.node,
	};
	uint32_t got = 0, unit, generation;

	for (n = min_u32(n, SNOO_WIRE_LIST); got < n; got++) {
		int64_t bytes = arena_take(d->arena, &want, &unit);

		if (bytes < 0)
			break;
		SNOO_TESTPOINT("daemon_grant_taken");
		if (touch_block_grant(r, unit, &generation)) {
			arena_give(d->arena, unit);
			break;
		}
		SNOO_TESTPOINT("daemon_grant_marked");
		block[got].unit = unit;
		block[got].bytes = of_pair(&d->conf->block_bytes, size);
		block[got].generation = generation;
		block[got].reserved = 0;
	}
	r->blocks[size] += got;
	if (got)
		post_grant(r, block, got);
	SNOO_TESTPOINT("daemon_grant_sent");
	return got;
}

/* Lend a rank what it is short of, up to @limit blocks of each size. */
static void meet(struct rank *r, const uint32_t limit[SIZES])
{
	for (int size = SMALL; size < SIZES; size++) {
		uint32_t held = r->blocks[size], got;

		if (r->need.rings[size])
			r->need.rings[size] -= lend_rings(r, size,
							r->need.rings[size]);
		if (!r->need.blocks[size] || held >= limit[size])
			continue;
		got = lend_blocks(r, size, min_u32(r->need.blocks[size],
						   limit[size] - held));
		r->need.blocks[size] -= got;
	}
}

static bool unmet(const struct rank *r)
{
	for (int size = SMALL; size < SIZES; size++)
		if (r->need.rings[size] || r->need.blocks[size])
			return true;
	return false;
}

static void note_need(struct rank *r)
{
	if (!unmet(r))
		r->need_since_ns = 0;
	else if (!r->need_since_ns)
		r->need_since_ns = loop_now_ns();
}

/* What it asked for when it might have more is not waited for. */
static void cut_need(struct rank *r)
{
	for (int size = SMALL; size < SIZES; size++) {
		uint32_t most = most_blocks(r, size), held = r->blocks[size];

		r->need.blocks[size] = min_u32(r->need.blocks[size],
					       most > held ? most - held : 0);
	}
}

static void meet_freely(struct rank *r)
{
	uint32_t limit[SIZES] = { most_blocks(r, SMALL),
				  most_blocks(r, LARGE) };

	cut_need(r);
	meet(r, limit);
	note_need(r);
}

/* Who came when there was room for more gives back what is free of it. */
static void make_room(struct domain *d)
{
	for (uint32_t i = 0; i < d->nranks; i++) {
		struct rank *r = d->rank[i];

		if (r && state_rank_alive(r) &&
		    r->blocks[LARGE] > CONF_LARGE_FEW)
			recall_down_to(r, LARGE, most_blocks(r, LARGE));
	}
}

void supply_start(struct rank *r)
{
	expect(r->dom);
	make_room(r->dom);
	for (int size = SMALL; size < SIZES; size++) {
		uint32_t most = min_u32(most_blocks(r, size),
					size == SMALL ? UINT32_MAX : CONF_LARGE_FEW);

		r->need.blocks[size] = most ? (most + 3) / 4 : 0;
	}
	r->need.rings[SMALL] = SUPPLY_SPARE_RINGS;
	meet_freely(r);
	/* The rest of the first grant is a courtesy, no need. */
	memset(r->need.blocks, 0, sizeof(r->need.blocks));
	note_need(r);
}

/* More of what is wanted already; never beyond what it may have. */
static void add_need(uint32_t *need, uint32_t more, uint32_t held,
		     uint32_t most)
{
	uint32_t room = most > held ? most - held : 0;

	more = min_u32(more, room);
	*need = min_u32(*need + more, room);
}

void supply_need(struct rank *r, const struct snoo_wire_need *need)
{
	struct domain *d = r->dom;
	uint32_t rings[SIZES] = { need->rings, need->large_rings };
	uint32_t blocks[SIZES] = { need->small_blocks, need->large_blocks };

	expect(d);
	for (int size = SMALL; size < SIZES; size++) {
		add_need(&r->need.rings[size], rings[size], r->rings[size],
			 most_rings(r, size));
		add_need(&r->need.blocks[size], blocks[size],
			 r->blocks[size], most_blocks(r, size));
	}
	if (!d->sched.contended) {
		meet_freely(r);
		if (unmet(r))
			sched_short(&d->sched, loop_now_ns());
	}
	note_need(r);
	/* It may also wait for its allowance: let the rounds look. */
	loop_defer(d->sh->loop, &d->share_work);
}

void supply_again(struct rank *r)
{
	struct snoo_wire_block block[SNOO_WIRE_LIST];
	struct domain *d = r->dom;
	uint32_t n = 0, generation;

	for (uint32_t u = arena_first(d->arena, false, r->slot);
	     u != ARENA_NONE && n < SNOO_WIRE_LIST;
	     u = arena_next(d->arena, u)) {
		struct arena_piece p;
		int size = SMALL;

		if (arena_owner(d->arena, u, &p))
			continue;
		if (p.kind == ARENA_BLOCK_LARGE)
			size = LARGE;
		else if (p.kind != ARENA_BLOCK_SMALL)
			continue;
		if (touch_block_state(r, u, &generation) !=
		    SNOO_ABI_BLOCK_FREE)
			continue;
		block[n].unit = u;
		block[n].bytes = of_pair(&d->conf->block_bytes, size);
		block[n].generation = generation;
		block[n++].reserved = 0;
	}
	if (n)
		post_grant(r, block, n);
}

void supply_retry(struct domain *d)
{
	expect(d);
	if (d->sched.contended) {
		supply_balance(d);
		return;
	}
	for (uint32_t i = 0; i < d->nranks; i++) {
		struct rank *r = d->rank[i];

		if (r && state_rank_alive(r) && unmet(r))
			meet_freely(r);
	}
}

bool supply_wanted(const struct domain *d)
{
	for (uint32_t i = 0; i < d->nranks; i++) {
		const struct rank *r = d->rank[i];

		if (r && state_rank_alive(r) && unmet(r))
			return true;
	}
	return false;
}

bool supply_plenty(struct domain *d)
{
	uint64_t bytes = 0;

	expect(d);
	/* It may be loans that there are too few of. */
	if (loans_many(d))
		return false;
	for (uint32_t i = 0; i < d->nranks; i++) {
		const struct rank *r = d->rank[i];

		if (!r || !state_rank_alive(r))
			continue;
		if (unmet(r))
			return false;
		for (int size = SMALL; size < SIZES; size++) {
			uint32_t most = most_blocks(r, size);

			if (most > r->blocks[size])
				bytes += (uint64_t)(most - r->blocks[size]) *
					 of_pair(&d->conf->block_bytes, size);
		}
	}
	return bytes <= arena_free_bytes(d->arena);
}

/* ---- fair shares ---- */

/* Blocks that @r can make use of. */
static uint32_t claim_of(const struct rank *r, int size)
{
	if (!r->sched.busy && !r->need.blocks[size])
		return min_u32(r->blocks[size], 1);
	return min_u32(r->blocks[size] + r->need.blocks[size],
		       most_blocks(r, size));
}

/* Fair shares of one size, into r->fair. */
static void find_fair(struct domain *d, struct sched_claim *claim,
		      struct rank **who, int size)
{
	uint64_t total = arena_free_bytes(d->arena) /
			 of_pair(&d->conf->block_bytes, size);
	uint32_t n = 0;

	/* Claims of one job stand together. */
	for (uint32_t cell = 0; cell < d->nranks; cell++) {
		struct job *j = d->job[cell];

		for (uint32_t i = 0; j && i < j->led.capacity; i++) {
			struct rank *r = j->member[i].rank;

			if (!r || !state_rank_alive(r))
				continue;
			claim[n].job = cell;
			claim[n].weight = j->sched.weight;
			claim[n].most = claim_of(r, size);
			total += r->blocks[size];
			who[n++] = r;
		}
	}
	if (sched_fair(claim, n, (uint32_t)total))
		return;
	for (uint32_t i = 0; i < n; i++)
		who[i]->fair[size] = claim[i].fair;
}

void supply_balance(struct domain *d)
{
	struct sched_claim *claim = calloc(d->nranks, sizeof(*claim));
	struct rank **who = calloc(d->nranks, sizeof(struct rank *));

	expect(d);
	/* They keep blocks for the next loan that others want for this copy. */
	loans_shrink(d);
	if (claim && who) {
		find_fair(d, claim, who, SMALL);
		find_fair(d, claim, who, LARGE);
		for (uint32_t i = 0; i < d->nranks; i++) {
			struct rank *r = d->rank[i];

			if (!r || !state_rank_alive(r))
				continue;
			cut_need(r);
			recall_down_to(r, SMALL, r->fair[SMALL]);
			recall_down_to(r, LARGE, r->fair[LARGE]);
		}
		for (uint32_t i = 0; i < d->nranks; i++) {
			struct rank *r = d->rank[i];

			if (!r || !state_rank_alive(r) || !unmet(r))
				continue;
			meet(r, r->fair);
			note_need(r);
		}
	}
	free(claim);
	free(who);
}

/* ---- taking back ---- */

void supply_recall(struct rank *r)
{
	recall_down_to(r, SMALL, 0);
	recall_down_to(r, LARGE, 0);
	loans_recall(r);
	memset(&r->need, 0, sizeof(r->need));
	r->need_since_ns = 0;
}

void supply_seize(struct domain *d, uint32_t slot)
{
	uint32_t next;

	for (uint32_t u = arena_first(d->arena, false, slot); u != ARENA_NONE;
	     u = next) {
		struct arena_piece piece;

		next = arena_next(d->arena, u);
		if (arena_owner(d->arena, u, &piece) == 0 &&
		    piece.kind != ARENA_RING)
			touch_block_seize(d, u);
		SNOO_TESTPOINT("daemon_reap_seized");
		arena_give(d->arena, u);
	}
}

void supply_count(struct rank *r)
{
	struct domain *d = r->dom;
	uint64_t small = arena_piece_bytes(0);

	while (small < d->conf->ring_bytes.small)
		small *= 2;
	memset(r->rings, 0, sizeof(r->rings));
	memset(r->blocks, 0, sizeof(r->blocks));
	r->loans = 0;
	r->loan_bytes = 0;
	for (uint32_t u = arena_first(d->arena, false, r->slot);
	     u != ARENA_NONE; u = arena_next(d->arena, u)) {
		struct arena_piece p;

		if (arena_owner(d->arena, u, &p))
			continue;
		/* Those for register messages are no channel's. */
		if (u + 1 == r->led.regs_out || u + 1 == r->led.regs_in)
			continue;
		if (p.kind == ARENA_BLOCK_SMALL)
			r->blocks[SMALL]++;
		else if (p.kind == ARENA_BLOCK_LARGE)
			r->blocks[LARGE]++;
		else if (p.kind == ARENA_LOAN)
			loans_count(r, &p);
		else if (p.kind == ARENA_RING)
			r->rings[arena_piece_bytes(p.order) > small]++;
	}
}
