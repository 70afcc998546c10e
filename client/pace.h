/* SPDX-License-Identifier: MIT */
/*
 * pace.h - which stores fill the blocks of a stream faster: cached ones or not
 *
 * What was stored last lies in the sender's cache, and the receiver reads it
 * from there.  Between cores that share a cache that is the fastest way.
 * Between others, and on a virtual machine whose host has put two processors
 * apart, reading lines that are dirty in another core's cache was seen to run
 * at 2 GB/s, and at 11 GB/s what non-temporal stores had put into memory; the
 * same two cores moved 25 GB/s by the cache a minute later.  So both are
 * measured, for each peer, all the time: the sender times its copies, the
 * receiver its own (snoo_abi_desc.read_ns), and from time to time a few blocks
 * go the other way.
 */
#ifndef CLIENT_PACE_H
#define CLIENT_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/ways.h"

#define PACE_BYTES	16384u	/* smaller blocks say too little of stores */
#define PACE_LEAST	8192u	/* and these nothing at all */
#define PACE_SAMPLE	4u	/* one block of so many is timed */

/** struct pace - What is known of the way to one peer; all zero at first */
struct pace {
	struct ways far;		/* the second: non-temporal stores */
	uint32_t fill[2];		/* ns for 64 KiB: cached, not; 0: unknown */
	uint32_t read[2];		/* the same of the receiver */
	uint32_t small[2];		/* the same of blocks below PACE_BYTES,
					 * filled and read */
};

/** pace_next() - The next block: by non-temporal stores? */
bool pace_next(struct pace *p);

/**
 * pace_cost() - What 64 KiB cost, in ns, in blocks of @bytes; 0: unknown
 * @turns: the receiver copies when we have, not at the same time
 */
uint32_t pace_cost(const struct pace *p, uint64_t bytes, bool turns);

/** pace_filled(), pace_read() - A copy of @bytes took @ns */
void pace_filled(struct pace *p, bool far, uint32_t bytes, uint64_t ns);
void pace_read(struct pace *p, bool far, uint32_t bytes, uint64_t ns);

#endif /* CLIENT_PACE_H */
