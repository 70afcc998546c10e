/* SPDX-License-Identifier: MIT */
/*
 * arena.h - who has which part of a pool's arena: a buddy allocator
 *
 * Pieces are 2^order units, aligned to their own size within the arena, and
 * never cross from one NUMA node's zone into the next.  The ledger's map is
 * the truth; free lists and per-owner lists are private memory, built again
 * from the map by arena_open().  Nothing here touches the pool: zeroing and
 * formatting a piece is the caller's, before anybody gets it.
 *
 * An owner is a rank slot (rings, blocks) or a job cell (the job's area).
 * Pieces of an owner that has left or died stay its own until they are given
 * back: that is the quarantine, and no state of the arena's.
 *
 * One thread.  take and give are O(log units); no system call.
 */
#ifndef DAEMON_ARENA_H
#define DAEMON_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/arena_piece.h"
#include "daemon/ledger.h"
#include "daemon/pool.h"

struct arena;

/**
 * arena_open() - Build the allocator from the ledger's map
 * @l:		Must outlive it
 * @zone:	As in struct pool: in order, covering all of the arena
 * @why:	LEDGER_TEXT bytes: on failure, what is damaged
 *
 * Return: 0 on success, negative error code otherwise
 *	-EBADMSG the map is damaged: a bad word, an impossible kind, owner or
 *		 order, pieces that overlap or are not aligned
 *	-EINVAL	 the zones do not cover the arena
 *	-ENOMEM
 */
int arena_open(struct arena **out, struct ledger *l,
	       const struct pool_zone *zone, uint32_t nzones,
	       char why[LEDGER_TEXT]);
/* NULL is allowed; the map stays as it is. */
void arena_close(struct arena *a);

/**
 * arena_take() - Take a piece; the ledger has it on return
 * @unit:	Its first unit
 *
 * The preferred node first, then the others in turn; the smallest piece that
 * fits is cut.
 *
 * Return: bytes of the piece, or a negative error code; nothing is taken then
 *	-EINVAL	0 bytes, more than the arena, unknown kind or owner
 *	-ENOSPC	no piece of that size is free (arena_stats() tells the largest)
 */
int64_t arena_take(struct arena *a, const struct arena_want *want,
		   uint32_t *unit);

/**
 * arena_give() - Give a piece back; free in the ledger on return
 *
 * Return: 0, or -ENOENT: no piece starts at @unit
 */
int arena_give(struct arena *a, uint32_t unit);

/**
 * arena_owner() - Whose piece starts at @unit
 *
 * Return: 0, or -ENOENT: no piece starts there (also if @unit is no unit)
 */
int arena_owner(const struct arena *a, uint32_t unit, struct arena_piece *out);

/* Bytes of a piece of that order. */
uint64_t arena_piece_bytes(uint32_t order);

/**
 * arena_first(), arena_next() - The pieces of one owner
 * @job:	true: @owner is a job cell, false: a rank slot
 *
 * Newest first.  The present piece may be given back only after the next one
 * has been asked for:
 *
 *	for (u = arena_first(a, false, slot); u != ARENA_NONE; u = next) {
 *		next = arena_next(a, u);
 *		arena_give(a, u);
 *	}
 */
uint32_t arena_first(const struct arena *a, bool job, uint32_t owner);
uint32_t arena_next(const struct arena *a, uint32_t unit);

/** arena_give_all() - Give back all pieces of an owner; how many they were */
uint32_t arena_give_all(struct arena *a, bool job, uint32_t owner);

/** arena_owned() - What one owner has, by kind */
void arena_owned(const struct arena *a, bool job, uint32_t owner,
		 struct arena_use use[ARENA_KINDS]);

/** struct arena_stats - For status; a copy of counters, no scan */
struct arena_stats {
	uint64_t bytes;			/* of the arena */
	uint64_t free;			/* bytes */
	uint64_t largest;		/* bytes that one take can get now */
	uint32_t free_pieces[ARENA_ORDERS];
	struct arena_use use[ARENA_KINDS];	/* [0]: unused */
	uint64_t node_free[POOL_ZONES_MAX];	/* by zone, bytes */
	uint32_t nzones;
	uint64_t taken;			/* takes and gives since open */
	uint64_t given;
	uint64_t refused;		/* takes that found no piece */
};

void arena_stats(const struct arena *a, struct arena_stats *out);

/* Free bytes, and the largest piece, without the rest. */
uint64_t arena_free_bytes(const struct arena *a);
uint64_t arena_bytes(const struct arena *a);
uint64_t arena_largest(const struct arena *a);

/**
 * arena_check() - Compare lists, counters and map: for tests and `snooctl`
 * @why:	LEDGER_TEXT bytes
 *
 * O(units).
 *
 * Return: 0, or -EBADMSG: they disagree
 */
int arena_check(const struct arena *a, char why[LEDGER_TEXT]);

#endif
