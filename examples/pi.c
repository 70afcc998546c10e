/* SPDX-License-Identifier: MIT */
/*
 * pi.c - pi by an integral, each rank a share of it: snoorun -n 4 pi [STEPS]
 *
 * Collectives: rank 0 says how many steps, all get the sum.
 */
#include <snoo/snoo.h>

#include <stdio.h>
#include <stdlib.h>

static void must(int ret, const char *what)
{
	if (ret) {
		fprintf(stderr, "pi: %s: %s\n", what, snoo_strerror(ret));
		exit(EXIT_FAILURE);
	}
}

/* Our share of the area under 4 / (1 + x^2) from 0 to 1. */
static double share(int rank, int size, int64_t steps)
{
	double sum = 0;

	for (int64_t i = rank; i < steps; i += size) {
		double x = ((double)i + 0.5) / (double)steps;

		sum += 4 / (1 + x * x);
	}
	return sum / (double)steps;
}

int main(int argc, char **argv)
{
	struct snoo *ctx;
	int64_t steps = argc > 1 ? strtoll(argv[1], NULL, 10) : 1000000;
	double mine, pi;
	int rank;

	if (snoo_init(&ctx, "pi", NULL)) {
		fprintf(stderr, "pi: %s\n", snoo_last_error());
		return EXIT_FAILURE;
	}
	rank = snoo_rank(ctx);
	must(snoo_bcast(ctx, &steps, 1, SNOO_INT64, 0), "snoo_bcast");
	if (steps < 1) {
		if (rank == 0)
			fprintf(stderr, "usage: pi [STEPS]\n");
		snoo_finalize(ctx);
		return EXIT_FAILURE;
	}
	mine = share(rank, snoo_size(ctx), steps);
	must(snoo_allreduce(ctx, &mine, &pi, 1, SNOO_DOUBLE, SNOO_SUM),
	     "snoo_allreduce");
	if (rank == 0)
		printf("pi is about %.10f\n", pi);
	must(snoo_finalize(ctx), "snoo_finalize");
	return EXIT_SUCCESS;
}
