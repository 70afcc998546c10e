/* SPDX-License-Identifier: MIT */
/*
 * tune_judge.c - is another setting better than the default, or is it noise?
 */
#include "tools/tune_judge.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value below which a fraction of @q of them lies; sorts them. */
static double quantile(double *v, unsigned int n, double q)
{
	double at = q * (double)(n - 1);
	unsigned int i = (unsigned int)at;

	qsort(v, n, sizeof(*v), by_value);
	if (i + 1 >= n)
		return v[n - 1];
	return v[i] + (at - (double)i) * (v[i + 1] - v[i]);
}

static double round_gain(const struct tune_table *t, unsigned int candidate,
			 unsigned int round)
{
	double sum = 0;

	for (unsigned int k = 0; k < t->cases; k++)
		sum += log(t->ns[0][round][k] / t->ns[candidate][round][k]);
	return exp(sum / t->cases);
}

static double worst_case(const struct tune_table *t, unsigned int candidate)
{
	double ratio[TUNE_ROUNDS], worst = INFINITY;

	for (unsigned int k = 0; k < t->cases; k++) {
		for (unsigned int r = 0; r < t->rounds; r++)
			ratio[r] = t->ns[0][r][k] / t->ns[candidate][r][k];
		worst = fmin(worst, quantile(ratio, t->rounds, 0.5));
	}
	return worst;
}

void tune_gain(const struct tune_table *t, unsigned int candidate,
	       struct tune_gain *gain)
{
	double round[TUNE_ROUNDS] = { 0 };

	for (unsigned int r = 0; r < t->rounds; r++)
		round[r] = round_gain(t, candidate, r);
	gain->median = quantile(round, t->rounds, 0.5);
	gain->lower = quantile(round, t->rounds, 0.25);
	gain->upper = quantile(round, t->rounds, 0.75);
	gain->worst = worst_case(t, candidate);
}

bool tune_steady(const struct tune_gain *gain)
{
	return gain[1].lower >= 1 - TUNE_UNREST &&
	       gain[1].upper <= 1 + TUNE_UNREST;
}

static bool better(const struct tune_gain *g, const struct tune_gain *itself)
{
	return g->median >= TUNE_MARGIN && g->lower >= TUNE_FLOOR &&
	       g->lower > itself->upper && g->worst >= TUNE_WORST;
}

unsigned int tune_best(const struct tune_table *t, struct tune_gain *gain)
{
	unsigned int best = 0;

	for (unsigned int c = 0; c < t->candidates; c++)
		tune_gain(t, c, &gain[c]);
	if (!tune_steady(gain))
		return 0;
	for (unsigned int c = 2; c < t->candidates; c++)
		if (better(&gain[c], &gain[1]) &&
		    (best == 0 || gain[c].median > gain[best].median))
			best = c;
	return best;
}
