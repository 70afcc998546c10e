/* SPDX-License-Identifier: MIT */
/*
 * pace.c - which stores fill the blocks of a stream faster: cached ones or not
 *
 * Both cores copy at the same time, so a way costs what the slower one needs.
 * The other way is tried after 16 blocks, then ever more rarely, up to every
 * 1024: 8 blocks of the wrong kind in 1024 cost 0.5 % where the cache is
 * faster, 3 % where it is five times as slow.  It is tried at once when the
 * present way costs twice what it cost when it was chosen.  A single time
 * counts at most twice what is known: a rank that was not running meanwhile
 * says nothing about caches.  One of less than half of what is known takes its
 * place: what was known was such a time.
 */
#include "client/pace.h"

#include "shm/copy.h"

#define FIRST	16u
#define LAST	1024u
#define TRY	8u

static uint32_t cost(const struct pace *p, bool far)
{
	/* Nothing is known of a receiver that does not say. */
	if (p->fill[far] == 0 || p->read[far] == 0)
		return 0;
	return p->fill[far] > p->read[far] ? p->fill[far] : p->read[far];
}

/* The other way has been tried: stay, or change? */
static void decide(struct pace *p)
{
	uint32_t now = cost(p, p->far), other = cost(p, !p->far);

	p->interval = p->interval * 2 < LAST ? p->interval * 2 : LAST;
	/* A quarter better: to and fro costs as well. */
	if (now && other && other + other / 4 < now) {
		p->far = !p->far;
		p->interval = FIRST;
		now = other;
	}
	p->settled = now;
}

bool pace_next(struct pace *p)
{
	if (!SHM_COPY_FAR)
		return false;
	if (p->interval == 0)
		p->interval = FIRST;
	if (p->trying > 0) {
		/* Those of a try are read some time after its end. */
		p->trying--;
		return !p->far;
	}
	if (p->since == 0)
		decide(p);
	if (++p->since < p->interval &&
	    !(p->settled && p->since >= FIRST &&
	      cost(p, p->far) / 2 > p->settled))
		return p->far;
	p->since = 0;
	p->trying = TRY;
	return p->far;
}

static void learn(uint32_t *known, uint32_t bytes, uint64_t ns)
{
	uint64_t t = ns * 65536 / bytes;

	if (t == 0)
		t = 1;
	if (*known == 0 || t < *known / 2) {
		*known = t < UINT32_MAX / 4 ? (uint32_t)t : UINT32_MAX / 4;
		return;
	}
	if (t > 2 * (uint64_t)*known)
		t = 2 * (uint64_t)*known;
	t = (3 * (uint64_t)*known + t + 2) / 4;
	*known = t < UINT32_MAX / 4 ? (uint32_t)t : UINT32_MAX / 4;
}

void pace_filled(struct pace *p, bool far, uint32_t bytes, uint64_t ns)
{
	if (bytes >= PACE_BYTES)
		learn(&p->fill[far], bytes, ns);
}

void pace_read(struct pace *p, bool far, uint32_t bytes, uint64_t ns)
{
	if (bytes >= PACE_BYTES)
		learn(&p->read[far], bytes, ns);
}
