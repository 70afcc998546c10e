/* SPDX-License-Identifier: MIT */
/*
 * beside.c - a ping-pong of ranks 0 and 1 while rank 2 computes on their core
 *
 * Usage: beside MS
 *
 * Rank 2 calls nothing for MS.  "ns" is a round.  "share" is what rank 2 got of
 * its core in that time: who waits by spinning takes it from those that compute.
 * The starter puts the ranks on their cores.
 */
#include <stdlib.h>
#include <time.h>

#include "bench/api.h"
#include "bench/bench.h"

#define TAG_PLAY 1
#define TAG_TELL 2
#define BATCH	 16u /* rounds between two looks at the clock */

static uint64_t thread_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static double compute(uint64_t ms)
{
	uint64_t begin = bench_now_ns(), cpu = thread_ns(), now;

	do {
		for (unsigned int i = 0; i < 1000; i++)
			bench_keep(&i);
		now = bench_now_ns();
	} while (now - begin < ms * 1000000);
	return (double)(thread_ns() - cpu) / (double)(now - begin);
}

/* The last round says so to rank 1. */
static double play(uint64_t ms, uint64_t *rounds)
{
	uint64_t begin = bench_now_ns(), now = begin, last;

	*rounds = 0;
	do {
		if (*rounds % BATCH == 0)
			now = bench_now_ns();
		last = now - begin >= ms * 1000000;
		api_send(&last, sizeof(last), 1, TAG_PLAY);
		api_recv(&last, sizeof(last), 1, TAG_PLAY);
		++*rounds;
	} while (!last);
	return (double)(bench_now_ns() - begin) / (double)*rounds;
}

static void answer(void)
{
	uint64_t last;

	do {
		api_recv(&last, sizeof(last), 0, TAG_PLAY);
		api_send(&last, sizeof(last), 0, TAG_PLAY);
	} while (!last);
}

int main(int argc, char **argv)
{
	uint64_t ms, rounds;
	double share, ns;

	if (argc != 2)
		bench_die("usage: beside MS");
	ms = bench_number("MS", argv[1], 1, 60000);
	api_start();
	if (api_size() != 3)
		bench_die("runs with 3 ranks, not %d", api_size());
	api_barrier();
	if (api_rank() == 2) {
		/* Longer than they play, so that all of it is beside it. */
		share = compute(ms + ms / 4);
		api_send(&share, sizeof(share), 0, TAG_TELL);
	} else if (api_rank() == 1) {
		answer();
	} else {
		ns = play(ms, &rounds);
		api_recv(&share, sizeof(share), 2, TAG_TELL);
		bench_open("beside");
		bench_text("api", API_NAME);
		bench_int("ranks", 3);
		bench_int("iterations", rounds);
		bench_real("ns", ns);
		bench_real("share", share);
		bench_close();
	}
	api_stop();
	return EXIT_SUCCESS;
}
