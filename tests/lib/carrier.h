/* SPDX-License-Identifier: MIT */
/*
 * carrier.h - the daemon's register service, played by hand in a world
 *
 * Each rank has an `out` and an `in` ring; the test moves messages from one to
 * the other when and as often as it likes.
 */
#ifndef TESTS_LIB_CARRIER_H
#define TESTS_LIB_CARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/world.h"

/** struct carried - A message on its way */
struct carried {
	uint64_t word0;
	struct snoo_abi_register m;	/* peer: whom it is for */
};

struct carrier {
	struct world *w;
	struct snoo_wire_registers said[WORLD_RANKS];
	struct shm_rx out[WORLD_RANKS];
	struct shm_tx in[WORLD_RANKS];
	struct hal *bell;
};

/** carrier_open() - Rings of @lines for each rank; REGISTERS with ON is said */
void carrier_open(struct carrier *c, struct world *w, uint32_t lines);
void carrier_close(struct carrier *c);

/** carrier_say() - REGISTERS to @rank */
void carrier_say(struct carrier *c, uint32_t rank, uint32_t flags);

/** carrier_take() - The next message that @rank has put out; false: none */
bool carrier_take(struct carrier *c, uint32_t rank, struct carried *msg);

/** carrier_tell() - All that was taken from @rank is delivered */
void carrier_tell(struct carrier *c, uint32_t rank);

/** carrier_put() - Deliver a message that was taken from @from; false: full */
bool carrier_put(struct carrier *c, uint32_t from, const struct carried *msg);

/** carrier_gone() - The GONE line of @rank for @to */
void carrier_gone(struct carrier *c, uint32_t to, uint32_t rank);

/** carrier_move() - Carry and tell whatever can be carried; messages */
unsigned int carrier_move(struct carrier *c);

#endif /* TESTS_LIB_CARRIER_H */
