/* SPDX-License-Identifier: MIT */
/*
 * ways.h - which of two ways costs less: both are tried, all the time
 *
 * What is faster depends on where two cores are, and on a virtual machine that
 * changes while a program runs.  So the way that costs less is taken, and from
 * time to time a few go the other way.
 */
#ifndef CLIENT_WAYS_H
#define CLIENT_WAYS_H

#include <stdbool.h>
#include <stdint.h>

/** struct ways - All zero at first: the first way, nothing known */
struct ways {
	bool second;			/* that way costs less */
	uint32_t settled;		/* what it cost when that was found */
	uint32_t since;			/* times since the other was tried */
	uint32_t interval;		/* times until it is tried again */
	uint32_t trying;		/* times that still go the other way */
};

/**
 * ways_next() - Which way does the next one go?
 * @cost: what each way costs, as ways_learn() keeps it; 0: unknown
 * @tries: times that a try takes
 *
 * Return: true: the second way
 */
bool ways_next(struct ways *w, const uint32_t cost[2], uint32_t tries);

/** ways_learn() - @bytes took @ns; *@known is ns for 64 KiB, 0: unknown */
void ways_learn(uint32_t *known, uint64_t bytes, uint64_t ns);

#endif /* CLIENT_WAYS_H */
