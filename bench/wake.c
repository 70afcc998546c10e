/* SPDX-License-Identifier: MIT */
/*
 * wake.c - how long a message takes to one who has waited for it
 *
 * Usage: wake [ROUNDS [REST_US]]
 *
 * Rank 0 computes without a call, while rank 1 waits, and sleeps if it does not
 * know better; then rank 0 sends eight bytes and spins until the answer is there.
 * "ns" is the median of there and back: two messages and what it takes to wake.
 */
#include <stdlib.h>

#include "bench/api.h"
#include "bench/bench.h"

static void rest(uint64_t ns)
{
	uint64_t end = bench_now_ns() + ns;

	while (bench_now_ns() < end)
		;
}

int main(int argc, char **argv)
{
	uint64_t rounds = argc > 1 ?
		bench_number("rounds", argv[1], 1, 1000000) : 2000;
	uint64_t rest_us = argc > 2 ?
		bench_number("rest", argv[2], 1, 1000000) : 300;
	double *ns = malloc(rounds * sizeof(*ns));
	uint64_t word = 0;

	if (!ns)
		bench_die("no memory");
	api_start();
	if (api_size() != 2)
		bench_die("runs with 2 ranks");
	api_barrier();
	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t start;

		if (api_rank() == 1) {
			api_recv(&word, sizeof(word), 0, 1);
			api_send(&word, sizeof(word), 0, 1);
			continue;
		}
		rest(rest_us * 1000);
		start = bench_now_ns();
		api_send(&i, sizeof(i), 1, 1);
		api_recv(&word, sizeof(word), 1, 1);
		ns[i] = (double)(bench_now_ns() - start);
		if (word != i)
			bench_die("a wrong word came back");
	}
	if (api_rank() == 0) {
		bench_open("wake");
		bench_text("api", API_NAME);
		bench_int("ranks", 2);
		bench_int("rounds", rounds);
		bench_int("rest_us", rest_us);
		bench_real("ns", bench_median(ns, rounds));
		bench_close();
	}
	api_stop();
	free(ns);
	return EXIT_SUCCESS;
}
