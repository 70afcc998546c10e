/* SPDX-License-Identifier: MIT */
/*
 * allreduce.c - the sum of doubles of all ranks, at all ranks
 *
 * Usage: allreduce [-t MS] SIZE...
 */
#include "bench/api.h"
#include "bench/bench.h"
#include "bench/drive.h"

static void prepare(struct drive_test *t)
{
	double *x = (double *)(void *)t->tx;

	for (size_t i = 0; i < t->bytes / sizeof(*x); i++)
		x[i] = (double)(i % 97) + api_rank();
}

static void check(struct drive_test *t)
{
	const double *x = (const double *)(void *)t->rx;
	double n = api_size();

	for (size_t i = 0; i < t->bytes / sizeof(*x); i++) {
		if (x[i] != (double)(i % 97) * n + n * (n - 1) / 2)
			bench_die("element %zu of the sum is wrong", i);
	}
}

static void run(struct drive_test *t, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		api_allreduce((const double *)(void *)t->tx,
			      (double *)(void *)t->rx,
			      t->bytes / sizeof(double));
}

int main(int argc, char **argv)
{
	struct drive_test t = {
		.name = "allreduce",
		.run = run,
		.prepare = prepare,
		.check = check,
	};

	return drive_main(argc, argv, &t);
}
