/* SPDX-License-Identifier: MIT */
/*
 * drive.h - how a benchmark is run: find the speed, repeat, report
 *
 * Rank 0 says how many iterations come next, all ranks do them after a
 * barrier, and the slowest rank's time counts.  A first series of growing
 * length warms up and finds how many iterations fill the wanted time; then
 * that many are done DRIVE_REPS times and the median is reported.
 */
#ifndef BENCH_DRIVE_H
#define BENCH_DRIVE_H

#include <stddef.h>
#include <stdint.h>

#define DRIVE_REPS 9

/** struct drive_test - One thing to measure */
struct drive_test {
	const char *name;
	const char *by;			/* who does it, if it is not the library
					 * alone; may be NULL */
	size_t bytes;			/* of a message */
	uint64_t messages;		/* in one iteration, all ranks together;
					 * 0: not told */
	/* Before and after the measured time; may be NULL. */
	void (*prepare)(struct drive_test *t);
	void (*check)(struct drive_test *t);
	/* @n iterations; on return the rank's part is over. */
	void (*run)(struct drive_test *t, uint64_t n);
	unsigned char *tx, *rx;
	int peer;			/* the other rank of our pair */
};

/** drive() - Measure @t for about @ms; rank 0 prints one JSON line */
void drive(struct drive_test *t, uint64_t ms);

/**
 * drive_main() - What is common to all: options, join, a line for each size
 *
 * Usage: PROGRAM [-t MS] [-l FILE] [SIZE...]
 *
 * -l: two ranks on two cores; how long a bare line takes between them, before
 * and after each size, is told with it (micro/lines.h), in memory of that file.  A
 * size during which that has changed is measured again.
 */
int drive_main(int argc, char **argv, struct drive_test *t);

/* For the messages of the tests. */
#define DRIVE_TAG 7

#endif /* BENCH_DRIVE_H */
