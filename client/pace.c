/* SPDX-License-Identifier: MIT */
/*
 * pace.c - which stores fill the blocks of a stream faster: cached ones or not
 *
 * Both cores copy at the same time, so a way costs what the slower one needs.
 * The wrong kind costs 0.5 % where the cache is faster, if 8 blocks in 1024 are
 * of it, and 3 % where it is five times as slow.
 */
#include "client/pace.h"

#include "shm/copy.h"

#define TRY	8u	/* blocks */

/* @turns: one after the other; else the slower one counts. */
static uint32_t both(uint32_t fill, uint32_t read, bool turns)
{
	/* Nothing is known of a receiver that does not say. */
	if (fill == 0 || read == 0)
		return 0;
	if (turns)
		return fill + read;
	return fill > read ? fill : read;
}

static uint32_t cost(const struct pace *p, bool far)
{
	return both(p->fill[far], p->read[far], false);
}

uint32_t pace_cost(const struct pace *p, uint64_t bytes, bool turns)
{
	bool far = p->far.second;

	return bytes < PACE_BYTES ?
		       both(p->small[0], p->small[1], turns) :
		       both(p->fill[far], p->read[far], turns);
}

bool pace_next(struct pace *p)
{
	const uint32_t costs[2] = { cost(p, false), cost(p, true) };

	return SHM_COPY_FAR && ways_next(&p->far, costs, TRY);
}

void pace_filled(struct pace *p, bool far, uint32_t bytes, uint64_t ns)
{
	ways_learn(bytes < PACE_BYTES ? &p->small[0] : &p->fill[far], bytes,
		   ns);
}

void pace_read(struct pace *p, bool far, uint32_t bytes, uint64_t ns)
{
	ways_learn(bytes < PACE_BYTES ? &p->small[1] : &p->read[far], bytes,
		   ns);
}
