/* SPDX-License-Identifier: MIT */
/* arena_impl.h - what arena.c and arena_check.c share; not for others */
#ifndef DAEMON_ARENA_IMPL_H
#define DAEMON_ARENA_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/arena_piece.h"
#include "daemon/ledger.h"
#include "daemon/pool.h"

#define ARENA_TAG_FREE	0x40u
#define ARENA_TAG_USED	0x80u
#define ARENA_TAG_ORDER	0x3fu

struct arena_zone {
	struct pool_zone at;
	uint32_t orders;			/* bit o: list o has a piece */
	uint32_t list[ARENA_ORDERS];		/* first free piece */
	uint64_t free;				/* units */
};

struct arena {
	struct ledger *ledger;
	uint32_t units;
	uint32_t nranks;
	uint8_t *tag;				/* one for each unit */
	uint32_t *prev;
	uint32_t *next;
	uint32_t *rank_list;			/* first piece of each owner */
	uint32_t *job_list;
	struct arena_zone *zone;
	uint32_t nzones;
	uint64_t free;				/* units */
	uint32_t free_pieces[ARENA_ORDERS];
	struct arena_use use[ARENA_KINDS];
	uint64_t taken;
	uint64_t given;
	uint64_t refused;
};

static inline struct arena_zone *arena_zone_of(const struct arena *a,
					       uint32_t unit)
{
	struct arena_zone *z = a->zone;

	while (unit - z->at.first >= z->at.units)
		z++;
	return z;
}

static inline void arena_decode(uint64_t word, uint32_t unit,
				struct arena_piece *out)
{
	out->unit = unit;
	out->kind = (enum arena_kind)(word >> LEDGER_MAP_KIND_SHIFT);
	out->order = (uint32_t)(word >> LEDGER_MAP_ORDER_SHIFT &
				LEDGER_MAP_ORDER_MASK);
	out->owner = (uint32_t)(word >> LEDGER_MAP_OWNER_SHIFT &
				LEDGER_MAP_OWNER_MASK);
	out->instance = (uint32_t)(word >> LEDGER_MAP_INSTANCE_SHIFT &
				   LEDGER_MAP_INSTANCE_MASK);
	out->node = 0;
}

static inline bool arena_inside(const struct arena_zone *z, uint32_t unit,
				uint32_t order)
{
	return unit >= z->at.first && unit - z->at.first < z->at.units &&
	       UINT32_C(1) << order <= z->at.units - (unit - z->at.first);
}

/* The sentence "the arena map is damaged: ..."; -EBADMSG. */
int arena_damaged(char why[LEDGER_TEXT], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Is a piece possible at all?  0, or -EBADMSG. */
int arena_check_piece(const struct arena *a, const struct arena_piece *p,
		      char why[LEDGER_TEXT]);

#endif
