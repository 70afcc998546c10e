/* SPDX-License-Identifier: MIT */
/* drive.c - how a benchmark is run: find the speed, repeat, report */
#include "bench/drive.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/api.h"
#include "bench/bench.h"
#include "bench/micro/lines.h"

#define TAG_PLAN 1
#define TAG_TOOK 2
#define N_MAX	 UINT64_C(100000000)
#define N_LINE	 UINT64_MAX /* a plan: the bare line */
#define N_CHECK	 (UINT64_MAX - 1) /* a plan: compare what came */

#define LINE_ROUNDS 100u
#define LINE_US	    300u
#define TRIES	    4

#ifndef BENCH_MPI
struct snoo *api_ctx;
#endif

static struct lines *lines; /* of -l */

/* Rank 0: what comes next. */
static void tell(uint64_t n)
{
	for (int r = 1; r < api_size(); r++)
		api_send(&n, sizeof(n), r, TAG_PLAN);
}

/*
 * All ranks: @n iterations; rank 0 gets the slowest rank's nanoseconds.  What
 * came is compared when all have ended: who does it while another one on the
 * same core still runs takes time from that.
 */
static uint64_t once(struct drive_test *t, uint64_t n)
{
	uint64_t start, took, other;

	if (t->prepare)
		t->prepare(t);
	api_barrier();
	start = bench_now_ns();
	t->run(t, n);
	took = bench_now_ns() - start;
	if (api_rank() != 0) {
		api_send(&took, sizeof(took), 0, TAG_TOOK);
		return took;
	}
	for (int r = 1; r < api_size(); r++) {
		api_recv(&other, sizeof(other), r, TAG_TOOK);
		if (other > took)
			took = other;
	}
	if (t->check) {
		tell(N_CHECK);
		t->check(t);
		/* What comes next finds all of them there. */
		for (int r = 1; r < api_size(); r++)
			api_recv(&other, sizeof(other), r, TAG_TOOK);
	}
	return took;
}

/* Rank 0: the same with the others told about it; 0 iterations: the end. */
static uint64_t lead(struct drive_test *t, uint64_t n)
{
	tell(n);
	return n ? once(t, n) : 0;
}

static void checked(struct drive_test *t)
{
	const uint64_t well = 0;

	t->check(t);
	api_send(&well, sizeof(well), 0, TAG_TOOK);
}

static void follow(struct drive_test *t)
{
	uint64_t n;

	for (;;) {
		api_recv(&n, sizeof(n), 0, TAG_PLAN);
		if (n == 0)
			return;
		if (n == N_LINE)
			lines_answer(&lines->ping, &lines->pong);
		else if (n == N_CHECK)
			checked(t);
		else
			once(t, n);
	}
}

/* Rank 0: the bare line between the two, in nanoseconds; 0: not asked for. */
static double line(void)
{
	const uint64_t plan = N_LINE;

	if (!lines)
		return 0;
	/* Relaxed: the message carries them. */
	atomic_store_explicit(&lines->ping, 0, memory_order_relaxed);
	atomic_store_explicit(&lines->pong, 0, memory_order_relaxed);
	api_send(&plan, sizeof(plan), 1, TAG_PLAN);
	return lines_measure(&lines->ping, &lines->pong, LINE_ROUNDS, LINE_US);
}

/* Rank 0: the median of several runs, each @n_out iterations. */
static void measure(struct drive_test *t, uint64_t ms, double *ns,
		    uint64_t *n_out)
{
	uint64_t want = ms * 1000000 / DRIVE_REPS, n, took;

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
	*n_out = n;
}

/* Has the distance of the cores changed? */
static bool moved(double before, double after)
{
	return before > after * 1.5 || after > before * 1.5;
}

void drive(struct drive_test *t, uint64_t ms)
{
	double ns[DRIVE_REPS], median, before, after;
	uint64_t n;

	if (api_rank() != 0) {
		follow(t);
		return;
	}
	for (int i = 0; i < TRIES; i++) {
		before = line();
		measure(t, ms, ns, &n);
		after = line();
		if (!moved(before, after))
			break;
	}
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
	if (lines) {
		bench_real("line_before_ns", before);
		bench_real("line_after_ns", after);
	}
	bench_int("core", (uint64_t)bench_core());
	bench_close();
}

int drive_main(int argc, char **argv, struct drive_test *t)
{
	uint64_t ms = 60;
	size_t largest = 0;
	const char *file = NULL;
	int first, option;

	while ((option = getopt(argc, argv, "+t:l:")) != -1) {
		if (option == 't')
			ms = bench_number("-t", optarg, 1, 3600000);
		else if (option == 'l')
			file = optarg;
		else
			bench_die("usage: [-t MS] [-l FILE] [SIZE...]");
	}
	first = optind;
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
	if (file && api_size() != 2)
		bench_die("-l is for 2 ranks, not %d", api_size());
	if (file)
		lines = lines_map(file);
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
