/* SPDX-License-Identifier: MIT */
/*
 * arena.c - buddies in private memory, the truth in the ledger's map
 *
 * Theory of operation
 * ===================
 *
 * Every unit has a tag: 0 inside a piece, else FREE or USED and the order of
 * the piece that starts here.  prev and next link a free piece with the others
 * of its zone and order, a used one with the others of its owner.
 *
 *     unit   0    1    2    3    4    5    6    7
 *     tag    U1   .    F0   U0   F2   .    .    .
 *
 * Neither the arena nor a zone need be a power of two long: a range is cut
 * into the largest aligned pieces that it holds, and two buddies become one
 * only if both lie in the same zone.
 *
 * A take or a give is one word of the map, so a kill leaves it done or not
 * done; tags and lists are built again from the map.
 */

#include "daemon/arena.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snoo/abi.h>

#include "daemon/arena_impl.h"
#include "shm/testpoint.h"

uint64_t arena_piece_bytes(uint32_t order)
{
	return (uint64_t)SNOO_ABI_UNIT << order;
}

static uint32_t floor_log2(uint32_t v)
{
	return 31u - (uint32_t)__builtin_clz(v);
}

/* ---- words of the map ---- */

static uint64_t word_of(const struct arena_want *w, uint32_t order)
{
	return (uint64_t)w->kind << LEDGER_MAP_KIND_SHIFT |
	       (uint64_t)order << LEDGER_MAP_ORDER_SHIFT |
	       (uint64_t)w->owner << LEDGER_MAP_OWNER_SHIFT |
	       (w->instance & LEDGER_MAP_INSTANCE_MASK) <<
	       LEDGER_MAP_INSTANCE_SHIFT;
}

/* The piece at a unit that is tagged USED: its word was checked at open and
 * is written by us alone since. */
static void piece_at(const struct arena *a, uint32_t unit,
		     struct arena_piece *out)
{
	uint64_t word;

	ledger_get_map(a->ledger, unit, &word);
	arena_decode(word, unit, out);
	out->node = arena_zone_of(a, unit)->at.node;
}

/* ---- lists ---- */

static void link_in(const struct arena *a, uint32_t *list, uint32_t unit)
{
	a->prev[unit] = ARENA_NONE;
	a->next[unit] = *list;
	if (*list != ARENA_NONE)
		a->prev[*list] = unit;
	*list = unit;
}

static void link_out(const struct arena *a, uint32_t *list, uint32_t unit)
{
	if (a->prev[unit] != ARENA_NONE)
		a->next[a->prev[unit]] = a->next[unit];
	else
		*list = a->next[unit];
	if (a->next[unit] != ARENA_NONE)
		a->prev[a->next[unit]] = a->prev[unit];
}

static uint32_t *list_of(const struct arena *a, enum arena_kind kind,
			 uint32_t owner)
{
	return kind == ARENA_JOB ? &a->job_list[owner] : &a->rank_list[owner];
}

static void free_in(struct arena *a, struct arena_zone *z, uint32_t unit,
		    uint32_t order)
{
	a->tag[unit] = (uint8_t)(ARENA_TAG_FREE | order);
	link_in(a, &z->list[order], unit);
	z->orders |= UINT32_C(1) << order;
	z->free += UINT64_C(1) << order;
	a->free += UINT64_C(1) << order;
	a->free_pieces[order]++;
}

static void free_out(struct arena *a, struct arena_zone *z, uint32_t unit,
		     uint32_t order)
{
	a->tag[unit] = 0;
	link_out(a, &z->list[order], unit);
	if (z->list[order] == ARENA_NONE)
		z->orders &= ~(UINT32_C(1) << order);
	z->free -= UINT64_C(1) << order;
	a->free -= UINT64_C(1) << order;
	a->free_pieces[order]--;
}

static void used_in(struct arena *a, const struct arena_piece *p)
{
	a->tag[p->unit] = (uint8_t)(ARENA_TAG_USED | p->order);
	link_in(a, list_of(a, p->kind, p->owner), p->unit);
	a->use[p->kind].pieces++;
	a->use[p->kind].bytes += arena_piece_bytes(p->order);
}

static void used_out(struct arena *a, const struct arena_piece *p)
{
	a->tag[p->unit] = 0;
	link_out(a, list_of(a, p->kind, p->owner), p->unit);
	a->use[p->kind].pieces--;
	a->use[p->kind].bytes -= arena_piece_bytes(p->order);
}

/* ---- free ranges ---- */

/* One aligned piece: joined with its buddy as long as that is free too. */
static void free_piece(struct arena *a, struct arena_zone *z, uint32_t unit,
		       uint32_t order)
{
	while (order + 1 < ARENA_ORDERS) {
		uint32_t buddy = unit ^ UINT32_C(1) << order;

		if (!arena_inside(z, buddy, order) ||
		    a->tag[buddy] != (ARENA_TAG_FREE | order))
			break;
		free_out(a, z, buddy, order);
		unit &= ~(UINT32_C(1) << order);
		order++;
	}
	free_in(a, z, unit, order);
}

/* Any range: cut at the borders of zones, then into aligned pieces. */
static void free_range(struct arena *a, uint32_t first, uint32_t units)
{
	while (units > 0) {
		struct arena_zone *z = arena_zone_of(a, first);
		uint32_t room = z->at.units - (first - z->at.first);
		uint32_t order = floor_log2(units < room ? units : room);

		if (order >= ARENA_ORDERS)
			order = ARENA_ORDERS - 1;
		if (first != 0 && (uint32_t)__builtin_ctz(first) < order)
			order = (uint32_t)__builtin_ctz(first);
		free_piece(a, z, first, order);
		first += UINT32_C(1) << order;
		units -= UINT32_C(1) << order;
	}
}

/* ---- open, close ---- */

/* Walk the map: used pieces into their owners' lists, gaps into free ones. */
static int load(struct arena *a, char *why)
{
	uint32_t gap = 0;	/* first unit that is not accounted for */

	for (uint32_t u = 0; u < a->units; u++) {
		struct arena_piece p;
		uint64_t word;
		int ret;

		if (ledger_get_map(a->ledger, u, &word))
			return arena_damaged(why, "word of unit %u", u);
		if (word == 0)
			continue;
		arena_decode(word, u, &p);
		if (u < gap)
			return arena_damaged(why, "a piece at unit %u inside "
				       "another", u);
		ret = arena_check_piece(a, &p, why);
		if (ret)
			return ret;
		free_range(a, gap, u - gap);
		used_in(a, &p);
		gap = u + (UINT32_C(1) << p.order);
	}
	free_range(a, gap, a->units - gap);
	return 0;
}

static int take_zones(struct arena *a, const struct pool_zone *zone,
		      uint32_t nzones)
{
	uint32_t at = 0;

	a->zone = calloc(nzones ? nzones : 1, sizeof(*a->zone));
	if (!a->zone)
		return -ENOMEM;
	a->nzones = nzones;
	for (uint32_t i = 0; i < nzones; i++) {
		struct arena_zone *z = &a->zone[i];

		if (zone[i].first != at || zone[i].units == 0 ||
		    zone[i].units > a->units - at)
			return -EINVAL;
		at += zone[i].units;
		z->at = zone[i];
		for (unsigned int o = 0; o < ARENA_ORDERS; o++)
			z->list[o] = ARENA_NONE;
	}
	return at == a->units ? 0 : -EINVAL;
}

int arena_open(struct arena **out, struct ledger *l,
	       const struct pool_zone *zone, uint32_t nzones,
	       char why[LEDGER_TEXT])
{
	const struct ledger_head *head = ledger_head(l);
	struct arena *a;
	int ret = -ENOMEM;

	*out = NULL;
	why[0] = '\0';
	a = calloc(1, sizeof(*a));
	if (!a)
		goto out_why;
	a->ledger = l;
	a->units = head->arena_units;
	a->nranks = head->nranks;
	a->tag = calloc(a->units, sizeof(*a->tag));
	a->prev = calloc(a->units, sizeof(*a->prev));
	a->next = calloc(a->units, sizeof(*a->next));
	a->rank_list = malloc(a->nranks * sizeof(*a->rank_list));
	a->job_list = malloc(a->nranks * sizeof(*a->job_list));
	if (!a->tag || !a->prev || !a->next || !a->rank_list || !a->job_list)
		goto out_close;
	for (uint32_t i = 0; i < a->nranks; i++)
		a->rank_list[i] = a->job_list[i] = ARENA_NONE;
	ret = nzones <= POOL_ZONES_MAX ? take_zones(a, zone, nzones) : -EINVAL;
	if (!ret)
		ret = load(a, why);
	if (ret)
		goto out_close;
	*out = a;
	return 0;

out_close:
	arena_close(a);
out_why:
	if (!why[0])
		snprintf(why, LEDGER_TEXT, "%s", ret == -EINVAL ?
			 "the zones do not cover the arena" :
			 "no memory for the arena's lists");
	return ret;
}

void arena_close(struct arena *a)
{
	if (!a)
		return;
	free(a->zone);
	free(a->job_list);
	free(a->rank_list);
	free(a->next);
	free(a->prev);
	free(a->tag);
	free(a);
}

/* ---- take and give ---- */

/* The smallest order of at least @bytes; ARENA_ORDERS: none is enough. */
static uint32_t order_of(uint64_t bytes)
{
	uint32_t order = 0;

	while (order < ARENA_ORDERS && arena_piece_bytes(order) < bytes)
		order++;
	return order;
}

/* Cut a piece of @order from zone @z: its unit, or ARENA_NONE. */
static uint32_t cut(struct arena *a, struct arena_zone *z, uint32_t order)
{
	uint32_t fit = z->orders >> order << order;
	uint32_t unit;
	uint32_t have;

	if (fit == 0)
		return ARENA_NONE;
	have = (uint32_t)__builtin_ctz(fit);
	unit = z->list[have];
	free_out(a, z, unit, have);
	while (have > order) {
		have--;
		free_in(a, z, unit + (UINT32_C(1) << have), have);
	}
	return unit;
}

static uint32_t cut_near(struct arena *a, uint32_t node, uint32_t order)
{
	uint32_t start = 0;

	for (uint32_t i = 0; i < a->nzones; i++)
		if (a->zone[i].at.node == node)
			start = i;
	for (uint32_t i = 0; i < a->nzones; i++) {
		uint32_t unit = cut(a, &a->zone[(start + i) % a->nzones],
				    order);

		if (unit != ARENA_NONE)
			return unit;
	}
	return ARENA_NONE;
}

int64_t arena_take(struct arena *a, const struct arena_want *want,
		   uint32_t *unit)
{
	uint32_t order = order_of(want->bytes);
	struct arena_piece p;
	uint64_t word;

	*unit = ARENA_NONE;
	if (want->bytes == 0 || order >= ARENA_ORDERS || want->kind == 0 ||
	    want->kind >= ARENA_KINDS || want->owner >= a->nranks)
		return -EINVAL;
	p.unit = cut_near(a, want->node, order);
	if (p.unit == ARENA_NONE) {
		a->refused++;
		return -ENOSPC;
	}
	word = word_of(want, order);
	arena_decode(word, p.unit, &p);
	SNOO_TESTPOINT("arena_take_cut");
	ledger_put_map(a->ledger, p.unit, word);
	SNOO_TESTPOINT("arena_take_done");
	used_in(a, &p);
	a->taken++;
	*unit = p.unit;
	return (int64_t)arena_piece_bytes(order);
}

static bool is_used(const struct arena *a, uint32_t unit)
{
	return unit < a->units && (a->tag[unit] & ARENA_TAG_USED);
}

int arena_give(struct arena *a, uint32_t unit)
{
	struct arena_piece p;

	if (!is_used(a, unit))
		return -ENOENT;
	piece_at(a, unit, &p);
	SNOO_TESTPOINT("arena_give_begin");
	ledger_put_map(a->ledger, unit, 0);
	SNOO_TESTPOINT("arena_give_done");
	used_out(a, &p);
	free_range(a, unit, UINT32_C(1) << p.order);
	a->given++;
	return 0;
}

int arena_owner(const struct arena *a, uint32_t unit, struct arena_piece *out)
{
	if (!is_used(a, unit))
		return -ENOENT;
	piece_at(a, unit, out);
	return 0;
}

uint32_t arena_first(const struct arena *a, bool job, uint32_t owner)
{
	if (owner >= a->nranks)
		return ARENA_NONE;
	return job ? a->job_list[owner] : a->rank_list[owner];
}

uint32_t arena_next(const struct arena *a, uint32_t unit)
{
	return is_used(a, unit) ? a->next[unit] : ARENA_NONE;
}

uint32_t arena_give_all(struct arena *a, bool job, uint32_t owner)
{
	uint32_t n = 0;
	uint32_t u;

	while ((u = arena_first(a, job, owner)) != ARENA_NONE) {
		arena_give(a, u);
		n++;
	}
	return n;
}

/* ---- numbers ---- */

void arena_owned(const struct arena *a, bool job, uint32_t owner,
		 struct arena_use use[ARENA_KINDS])
{
	memset(use, 0, ARENA_KINDS * sizeof(*use));
	for (uint32_t u = arena_first(a, job, owner); u != ARENA_NONE;
	     u = a->next[u]) {
		struct arena_piece p;

		piece_at(a, u, &p);
		use[p.kind].pieces++;
		use[p.kind].bytes += arena_piece_bytes(p.order);
	}
}

uint64_t arena_free_bytes(const struct arena *a)
{
	return a->free * SNOO_ABI_UNIT;
}

uint64_t arena_bytes(const struct arena *a)
{
	return (uint64_t)a->units * SNOO_ABI_UNIT;
}

uint64_t arena_largest(const struct arena *a)
{
	uint32_t orders = 0;

	for (uint32_t i = 0; i < a->nzones; i++)
		orders |= a->zone[i].orders;
	return orders ? arena_piece_bytes(floor_log2(orders)) : 0;
}

void arena_stats(const struct arena *a, struct arena_stats *out)
{
	memset(out, 0, sizeof(*out));
	out->bytes = arena_bytes(a);
	out->free = arena_free_bytes(a);
	out->largest = arena_largest(a);
	memcpy(out->free_pieces, a->free_pieces, sizeof(out->free_pieces));
	memcpy(out->use, a->use, sizeof(out->use));
	out->nzones = a->nzones;
	for (uint32_t i = 0; i < a->nzones; i++)
		out->node_free[i] = a->zone[i].free * SNOO_ABI_UNIT;
	out->taken = a->taken;
	out->given = a->given;
	out->refused = a->refused;
}
