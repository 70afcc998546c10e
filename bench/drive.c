/* SPDX-License-Identifier: MIT */
/* drive.c - how a benchmark is run: find the speed, repeat, report */
#include "bench/drive.h"

#include <stdlib.h>
#include <string.h>

#include "bench/api.h"
#include "bench/bench.h"

#define TAG_PLAN 1
#define TAG_TOOK 2
#define N_MAX	 UINT64_C(100000000)

#ifndef BENCH_MPI
struct snoo *api_ctx;
#endif

/* All ranks: @n iterations; rank 0 gets the slowest rank's nanoseconds. */
static uint64_t once(struct drive_test *t, uint64_t n)
{
	uint64_t start, took, other;

	if (t->prepare)
		t->prepare(t);
	api_barrier();
	start = bench_now_ns();
	t->run(t, n);
	took = bench_now_ns() - start;
	if (t->check)
		t->check(t);
	if (api_rank() != 0) {
		api_send(&took, sizeof(took), 0, TAG_TOOK);
		return took;
	}
	for (int r = 1; r < api_size(); r++) {
		api_recv(&other, sizeof(other), r, TAG_TOOK);
		if (other > took)
			took = other;
	}
	return took;
}

/* Rank 0: the same with the others told about it; 0 iterations: the end. */
static uint64_t lead(struct drive_test *t, uint64_t n)
{
	for (int r = 1; r < api_size(); r++)
		api_send(&n, sizeof(n), r, TAG_PLAN);
	return n ? once(t, n) : 0;
}

static void follow(struct drive_test *t)
{
	uint64_t n;

	for (;;) {
		api_recv(&n, sizeof(n), 0, TAG_PLAN);
		if (n == 0)
			return;
		once(t, n);
	}
}

void drive(struct drive_test *t, uint64_t ms)
{
	double ns[DRIVE_REPS], median;
	uint64_t want = ms * 1000000 / DRIVE_REPS, n, took;

	if (api_rank() != 0) {
		follow(t);
		return;
	}
	for (n = 1;; n *= 4) {
		took = lead(t, n);
		if (took >= want / 4 || n >= N_MAX / 4)
			break;
	}
	n = (uint64_t)((double)n * (double)want / (double)(took ? took : 1));
	if (n < 1)
		n = 1;
	if (n > N_MAX)
		n = N_MAX;
	for (int i = 0; i < DRIVE_REPS; i++)
		ns[i] = (double)lead(t, n) / (double)n;
	lead(t, 0);
	median = bench_median(ns, DRIVE_REPS);

	bench_open(t->name);
	bench_text("api", API_NAME);
	if (t->by)
		bench_text("by", t->by);
	bench_int("ranks", (uint64_t)api_size());
	bench_int("bytes", t->bytes);
	bench_int("iterations", n);
	bench_real("ns", median);
	bench_reals("reps", ns, DRIVE_REPS);
	if (t->messages) {
		bench_int("messages", t->messages);
		bench_real("per_second", (double)t->messages * 1e9 / median);
	}
	bench_int("core", (uint64_t)bench_core());
	bench_close();
}

int drive_main(int argc, char **argv, struct drive_test *t)
{
	uint64_t ms = 60;
	size_t largest = 0;
	int first = 1;

	if (argc > 2 && strcmp(argv[1], "-t") == 0) {
		ms = bench_number("-t", argv[2], 1, 3600000);
		first = 3;
	}
	for (int i = first; i < argc; i++) {
		uint64_t n = bench_size(argv[i]);

		if (n > UINT64_C(1) << 30)
			bench_die("a message has up to 1G, not %s", argv[i]);
		if (n > largest)
			largest = (size_t)n;
	}

	api_start();
	/* Neighbours are partners: 0 and 1, 2 and 3, ... */
	t->peer = api_rank() ^ 1;
	if (api_size() % 2)
		bench_die("runs with 2, 4, ... ranks, not %d", api_size());
	t->tx = bench_buffer(largest + 1);
	t->rx = bench_buffer(largest + 1);
	if (first == argc)
		drive(t, ms);
	for (int i = first; i < argc; i++) {
		t->bytes = (size_t)bench_size(argv[i]);
		drive(t, ms);
	}
	api_stop();
	free(t->tx);
	free(t->rx);
	return EXIT_SUCCESS;
}
