/* SPDX-License-Identifier: MIT */
/*
 * ring.c - a number goes round all ranks, each adds its own: snoorun -n 4 ring
 *
 * The native API: a context, and error codes that can be told.
 */
#include <snoo/snoo.h>

#include <stdio.h>
#include <stdlib.h>

#define LAPS 3
#define TAG  1

static void must(int ret, const char *what)
{
	if (ret) {
		fprintf(stderr, "ring: %s: %s\n", what, snoo_strerror(ret));
		exit(EXIT_FAILURE);
	}
}

int main(void)
{
	struct snoo *ctx;
	struct snoo_status status;
	int rank, size, next, before;
	long sum = 0, expected;

	if (snoo_init(&ctx, "ring", NULL)) {
		fprintf(stderr, "ring: %s\n", snoo_last_error());
		return EXIT_FAILURE;
	}
	rank = snoo_rank(ctx);
	size = snoo_size(ctx);
	next = (rank + 1) % size;
	before = (rank + size - 1) % size;

	/* A message to oneself needs its receive posted first. */
	for (int lap = 0; size > 1 && lap < LAPS; lap++) {
		if (rank > 0) {
			must(snoo_recv(ctx, &sum, sizeof(sum), before, TAG,
				       &status),
			     "snoo_recv");
			sum += rank;
		}
		must(snoo_send(ctx, &sum, sizeof(sum), next, TAG), "snoo_send");
		if (rank == 0)
			must(snoo_recv(ctx, &sum, sizeof(sum), before, TAG,
				       &status),
			     "snoo_recv");
	}

	expected = (long)LAPS * size * (size - 1) / 2;
	if (rank == 0)
		printf("%d laps through %d ranks: %ld, expected %ld\n", LAPS,
		       size, sum, expected);
	must(snoo_barrier(ctx), "snoo_barrier");
	must(snoo_finalize(ctx), "snoo_finalize");
	return rank == 0 && sum != expected ? EXIT_FAILURE : EXIT_SUCCESS;
}
