/* SPDX-License-Identifier: MIT */
/*
 * tune_judge.h - is another setting better than the default, or is it noise?
 *
 * A candidate replaces the default only if it was faster by a margin, in nearly
 * all rounds, by more than the default differs from itself, and slower at no
 * size.
 */
#ifndef TOOLS_TUNE_JUDGE_H
#define TOOLS_TUNE_JUDGE_H

#include <stdbool.h>

#define TUNE_CANDIDATES	16
#define TUNE_CASES	16	/* sizes and patterns measured for each */
#define TUNE_ROUNDS	31

#define TUNE_MARGIN	1.05	/* the median gain that is worth a change */
#define TUNE_FLOOR	1.02	/* the lower quartile of the rounds' gains */
#define TUNE_WORST	0.93	/* median gain of the worst case, at least */
#define TUNE_UNREST	0.10	/* the default against itself, at most */

/**
 * struct tune_table - What was measured; candidates 0 and 1 are the default
 */
struct tune_table {
	unsigned int candidates, cases, rounds;
	double ns[TUNE_CANDIDATES][TUNE_ROUNDS][TUNE_CASES];
};

/**
 * struct tune_gain - One candidate against the default; above 1 is faster
 *
 * Each round is judged by itself (both were measured in it, one after the
 * other), by the geometric mean over the cases.
 */
struct tune_gain {
	double median;		/* over the rounds */
	double lower, upper;	/* and their quartiles */
	double worst;		/* of the cases, median over the rounds */
};

void tune_gain(const struct tune_table *t, unsigned int candidate,
	       struct tune_gain *gain);

/**
 * tune_steady() - Is the default as fast as itself?
 * @gain:	Of all candidates
 *
 * Not on a machine that does something else meanwhile: then nothing that was
 * measured means anything.
 */
bool tune_steady(const struct tune_gain *gain);

/**
 * tune_best() - The candidate to take
 * @gain:	Filled, one for each candidate
 *
 * Return: its number; 0: the default stays
 */
unsigned int tune_best(const struct tune_table *t, struct tune_gain *gain);

#endif /* TOOLS_TUNE_JUDGE_H */
