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

static uint32_t cost(const struct pace *p, bool far)
{
	/* Nothing is known of a receiver that does not say. */
	if (p->fill[far] == 0 || p->read[far] == 0)
		return 0;
	return p->fill[far] > p->read[far] ? p->fill[far] : p->read[far];
}

uint32_t pace_cost(const struct pace *p, bool turns)
{
	bool far = p->far.second;

	if (!turns || cost(p, far) == 0)
		return cost(p, far);
	return p->fill[far] + p->read[far];
}

bool pace_next(struct pace *p)
{
	const uint32_t costs[2] = { cost(p, false), cost(p, true) };

	return SHM_COPY_FAR && ways_next(&p->far, costs, TRY);
}

void pace_filled(struct pace *p, bool far, uint32_t bytes, uint64_t ns)
{
	if (bytes >= PACE_BYTES)
		ways_learn(&p->fill[far], bytes, ns);
}

void pace_read(struct pace *p, bool far, uint32_t bytes, uint64_t ns)
{
	if (bytes >= PACE_BYTES)
		ways_learn(&p->read[far], bytes, ns);
}
