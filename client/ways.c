/* SPDX-License-Identifier: MIT */
/*
 * ways.c - which of two ways costs less: both are tried, all the time
 *
 * The other way is tried after 16 times, then ever more rarely, up to every
 * 1024: 8 of the wrong kind in 1024 cost 3 % where it is five times as slow.  It
 * is tried at once when the present way costs twice what it cost when it was
 * chosen.  A single time counts at most twice what is known: a rank that was not
 * running meanwhile says nothing about caches.  One of less than half of what is
 * known takes its place: what was known was such a time.
 */
#include "client/ways.h"

#define FIRST	16u
#define LAST	1024u

/* The other way has been tried: stay, or change? */
static void decide(struct ways *w, const uint32_t cost[2])
{
	uint32_t now = cost[w->second], other = cost[!w->second];

	w->interval = w->interval * 2 < LAST ? w->interval * 2 : LAST;
	/* A quarter better: to and fro costs as well. */
	if (now && other && other + other / 4 < now) {
		w->second = !w->second;
		w->interval = FIRST;
		now = other;
	}
	w->settled = now;
}

bool ways_next(struct ways *w, const uint32_t cost[2], uint32_t tries)
{
	/* Deciding doubles it. */
	if (w->interval == 0)
		w->interval = FIRST / 2;
	if (w->trying > 0) {
		/* Those of a try may be timed some time after its end. */
		w->trying--;
		return !w->second;
	}
	if (w->since == 0)
		decide(w, cost);
	if (++w->since < w->interval &&
	    !(w->settled && w->since >= FIRST &&
	      cost[w->second] / 2 > w->settled))
		return w->second;
	w->since = 0;
	w->trying = tries;
	return w->second;
}

void ways_learn(uint32_t *known, uint64_t bytes, uint64_t ns)
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
