/* SPDX-License-Identifier: MIT */
/* arena_check.c - what is impossible in a map, and what must agree with it */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "daemon/arena.h"
#include "daemon/arena_impl.h"

int arena_damaged(char why[LEDGER_TEXT], const char *fmt, ...)
{
	int n = snprintf(why, LEDGER_TEXT, "the arena map is damaged: ");
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why + n, LEDGER_TEXT - (size_t)n, fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

int arena_check_piece(const struct arena *a, const struct arena_piece *p,
		      char why[LEDGER_TEXT])
{
	if (p->kind == 0 || p->kind >= ARENA_KINDS)
		return arena_damaged(why, "unit %u has kind %u", p->unit,
			       (unsigned int)p->kind);
	if (p->order >= ARENA_ORDERS ||
	    UINT32_C(1) << p->order > a->units - p->unit)
		return arena_damaged(why, "the piece at unit %u has order %u",
			       p->unit, p->order);
	if ((p->unit & ((UINT32_C(1) << p->order) - 1)) != 0)
		return arena_damaged(why, "the piece at unit %u is not "
				     "aligned to order %u", p->unit,
				     p->order);
	if (p->owner >= a->nranks)
		return arena_damaged(why, "unit %u belongs to %u of %u",
				     p->unit, p->owner, a->nranks);
	return 0;
}

/* ---- the invariants ---- */

/* One list: linked both ways, only pieces that belong in it; their number. */
static int64_t check_list(const struct arena *a, uint32_t first, uint8_t tag,
			  uint8_t mask)
{
	uint32_t prev = ARENA_NONE;
	int64_t n = 0;

	for (uint32_t u = first; u != ARENA_NONE; u = a->next[u]) {
		if (u >= a->units || (a->tag[u] & mask) != tag ||
		    a->prev[u] != prev || n > a->units)
			return -EBADMSG;
		prev = u;
		n++;
	}
	return n;
}

static int check_lists(const struct arena *a, uint32_t nfree, uint32_t nused,
		       char *why)
{
	int64_t n;

	for (uint32_t i = 0; i < a->nzones; i++) {
		for (uint32_t o = 0; o < ARENA_ORDERS; o++) {
			n = check_list(a, a->zone[i].list[o],
				       (uint8_t)(ARENA_TAG_FREE | o), 0xff);
			if (n < 0 || (n > 0) != (a->zone[i].orders >> o & 1))
				return arena_damaged(why, "free list of zone "
						     "%u, order %u", i, o);
			nfree -= (uint32_t)n;
		}
	}
	for (uint32_t i = 0; i < 2 * a->nranks; i++) {
		uint32_t owner = i / 2;

		n = check_list(a, arena_first(a, i & 1, owner), ARENA_TAG_USED,
			       ARENA_TAG_USED);
		if (n < 0)
			return arena_damaged(why, "list of owner %u", owner);
		nused -= (uint32_t)n;
	}
	if (nfree != 0 || nused != 0)
		return arena_damaged(why, "pieces that are in no list");
	return 0;
}

/* Is the free piece at @unit apart from a buddy that it should join? */
static bool unjoined(const struct arena *a, uint32_t unit, uint32_t order)
{
	uint32_t buddy = unit ^ UINT32_C(1) << order;

	return order + 1 < ARENA_ORDERS &&
	       arena_inside(arena_zone_of(a, unit), buddy, order) &&
	       a->tag[buddy] == (ARENA_TAG_FREE | order);
}

int arena_check(const struct arena *a, char why[LEDGER_TEXT])
{
	uint32_t nfree = 0;
	uint32_t nused = 0;
	uint64_t free_units = 0;
	uint32_t end = 0;

	for (uint32_t u = 0; u < a->units; u++) {
		uint32_t order = a->tag[u] & ARENA_TAG_ORDER;
		struct arena_piece p;
		uint64_t word;

		if (ledger_get_map(a->ledger, u, &word))
			return arena_damaged(why, "word of unit %u", u);
		if ((word != 0) != ((a->tag[u] & ARENA_TAG_USED) != 0))
			return arena_damaged(why, "unit %u: map and lists "
					     "differ", u);
		if ((u < end) != (a->tag[u] == 0))
			return arena_damaged(why, "unit %u: a gap or an "
					     "overlap", u);
		if (a->tag[u] == 0)
			continue;
		end = u + (UINT32_C(1) << order);
		if (word == 0) {
			if (unjoined(a, u, order))
				return arena_damaged(why, "unit %u: buddies "
						     "apart", u);
			free_units += UINT64_C(1) << order;
			nfree++;
			continue;
		}
		arena_decode(word, u, &p);
		if (p.order != order || arena_check_piece(a, &p, why))
			return arena_damaged(why, "unit %u: another order", u);
		nused++;
	}
	if (end != a->units || free_units != a->free)
		return arena_damaged(why, "%llu units free where %llu are "
				     "counted", (unsigned long long)free_units,
				     (unsigned long long)a->free);
	return check_lists(a, nfree, nused, why);
}
