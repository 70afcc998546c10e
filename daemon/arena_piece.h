/* SPDX-License-Identifier: MIT */
/* arena_piece.h - what can be asked of an arena, and what one gets */
#ifndef DAEMON_ARENA_PIECE_H
#define DAEMON_ARENA_PIECE_H

#include <stdint.h>

#define ARENA_NONE	UINT32_MAX	/* no unit */
#define ARENA_ANY_NODE	UINT32_MAX
#define ARENA_ORDERS	27u		/* SNOO_ABI_SIZE_MAX in one piece */

enum arena_kind {
	ARENA_RING		= 1,	/* owner: a rank slot */
	ARENA_JOB		= 2,	/* owner: a job cell */
	ARENA_BLOCK_SMALL	= 3,	/* owner: a rank slot */
	ARENA_BLOCK_LARGE	= 4,	/* owner: a rank slot */
	ARENA_LOAN		= 5,	/* owner: a rank slot */
	ARENA_KINDS
};

/** struct arena_want - What to take */
struct arena_want {
	uint64_t bytes;			/* rounded up to 2^n units */
	enum arena_kind kind;
	uint32_t owner;			/* rank slot, or job cell */
	uint32_t instance;		/* of the slot, or the job's number */
	uint32_t node;			/* preferred; ARENA_ANY_NODE */
};

/** struct arena_piece - What was taken */
struct arena_piece {
	uint32_t unit;
	uint32_t order;			/* 2^order units */
	enum arena_kind kind;
	uint32_t owner;
	uint32_t instance;		/* low 22 bits */
	uint32_t node;
};

/* Of one kind: all of them, or one owner's. */
struct arena_use {
	uint32_t pieces;
	uint64_t bytes;
};

#endif
