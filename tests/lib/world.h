/* SPDX-License-Identifier: MIT */
/*
 * world.h - contexts of one job in this process, and a daemon played by hand
 *
 * Each rank maps the pool at an address of its own, as separate processes do.
 * The test is the daemon: it hands out rings and blocks, and may say GONE.
 */
#ifndef TESTS_LIB_WORLD_H
#define TESTS_LIB_WORLD_H

#include <stdint.h>

#include "client/engine.h"

#define WORLD_RANKS	8

struct world_params {
	uint32_t ranks;
	uint64_t pool_bytes;		/* a power of two */
	uint32_t rings;			/* small spares for each rank */
	uint32_t large_rings;
	uint32_t small, large;		/* blocks for each rank */
	uint32_t small_bytes, large_bytes;
	uint64_t eager_bytes;
	uint32_t spin_ns;
};

extern const struct world_params world_usual;

struct world {
	struct world_params p;
	struct shm_region region;	/* the daemon's view */
	struct shm_job job;
	int pool;
	uint32_t next_unit;
	uint32_t gone;
	struct snoo *ctx[WORLD_RANKS];
	int daemon[WORLD_RANKS];	/* the daemon's ends of the sockets */
};

void world_open(struct world *w, const struct world_params *p);
void world_close(struct world *w);

/** world_room() - Offset of @bytes of the arena that nobody has yet */
uint64_t world_room(struct world *w, uint64_t bytes);

/** world_rings() - Hand @n rings of @bytes to @rank */
void world_rings(struct world *w, uint32_t rank, uint32_t n, uint32_t bytes);

/** world_blocks() - Lend @n blocks of @bytes to @rank; first unit */
uint32_t world_blocks(struct world *w, uint32_t rank, uint32_t n,
		      uint32_t bytes);

/** world_lend() - A block of @bytes (2^n units) for loans to @rank; its unit */
uint32_t world_lend(struct world *w, uint32_t rank, uint64_t bytes);

/** world_gone() - Tell everybody that @rank is gone; @state as in abi.h */
void world_gone(struct world *w, uint32_t rank, uint32_t state);

/** world_heard() - Next message of @type from @rank; length, or 0: none */
int world_heard(struct world *w, uint32_t rank, uint32_t type, void *buf);

/** world_tell() - The daemon says something to @rank */
void world_tell(struct world *w, uint32_t rank, const void *msg, size_t n);

/** world_tell_fds() - The same, with fds, which stay ours */
void world_tell_fds(struct world *w, uint32_t rank, const void *msg, size_t n,
		    const int *fd, size_t nfds);

/** world_turn() - Let every rank make progress @rounds times */
void world_turn(struct world *w, int rounds);

/** world_pattern() - Fill @n bytes so that every place and seed differs */
void world_pattern(void *buf, size_t n, uint32_t seed);

/** world_matches() - Does the buffer hold world_pattern(@seed)? */
int world_matches(const void *buf, size_t n, uint32_t seed);

#endif /* TESTS_LIB_WORLD_H */
