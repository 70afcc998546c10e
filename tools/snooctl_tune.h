/* SPDX-License-Identifier: MIT */
/*
 * snooctl_tune.h - measure sizes on this machine, for the daemon to use
 */
#ifndef TOOLS_SNOOCTL_TUNE_H
#define TOOLS_SNOOCTL_TUNE_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/tune_judge.h"

enum tune_pattern {
	TUNE_PINGPONG,		/* there and back, blocking */
	TUNE_WINDOW,		/* many at once, one direction */
};

/** struct tune_case - One thing that is timed */
struct tune_case {
	enum tune_pattern pattern;
	size_t bytes;
};

/**
 * struct tune_plan - What two ranks do; all candidates in turn in each round
 */
struct tune_plan {
	const char *dir;	/* candidate i is served at DIR/ci.sock */
	const struct tune_case *cases;
	unsigned int ncases, candidates, rounds;
	unsigned int us;	/* for one case of one candidate in one round */
};

/** tune_listen() - From now on a signal ends the ranks, and is then seen here */
void tune_listen(void);

/**
 * tune_measure() - Run the two ranks and fill the table
 *
 * Return: 0, or a negative errno, told on stderr
 *	-ENODEV	fewer than two cores to run on
 *	-ECHILD	a rank failed
 *	-EINTR	a signal asked us to end
 */
int tune_measure(const struct tune_plan *plan, struct tune_table *table);

/**
 * tune() - The verb: measure, judge, write the file
 * @file:	Where to; NULL: where the daemon looks
 * @json:	Print what was found as JSON, not for people
 *
 * Return: exit code
 */
int tune(const char *file, bool json);

#endif /* TOOLS_SNOOCTL_TUNE_H */
