/* SPDX-License-Identifier: MIT */
/*
 * tail.c - a ping-pong of which each round is timed: median, p99, the worst
 *
 * Usage: tail MS SIZE
 */
#include <stdlib.h>

#include "bench/api.h"
#include "bench/bench.h"

#define TAG 1
#define MAX (UINT64_C(1) << 22) /* rounds */

static void play(unsigned char *tx, unsigned char *rx, size_t bytes,
		 uint64_t ms)
{
	double *ns = malloc(MAX * sizeof(*ns));
	uint64_t begin, then, now, n = 0;

	if (!ns)
		bench_die("no memory");
	begin = then = bench_now_ns();
	do {
		tx[0] = n + 1 == MAX || then - begin >= ms * 1000000;
		api_send(tx, bytes, 1, TAG);
		api_recv(rx, bytes, 1, TAG);
		now = bench_now_ns();
		ns[n++] = (double)(now - then);
		then = now;
	} while (!tx[0]);

	bench_open("tail");
	bench_text("api", API_NAME);
	bench_int("ranks", 2);
	bench_int("bytes", bytes);
	bench_int("rounds", n);
	bench_real("ns", bench_median(ns, n)); /* sorted from here on */
	bench_real("p99_ns", ns[n - 1 - n / 100]);
	bench_real("p999_ns", ns[n - 1 - n / 1000]);
	bench_real("max_ns", ns[n - 1]);
	bench_close();
	free(ns);
}

static void answer(unsigned char *tx, unsigned char *rx, size_t bytes)
{
	do {
		api_recv(rx, bytes, 0, TAG);
		api_send(tx, bytes, 0, TAG);
	} while (!rx[0]);
}

int main(int argc, char **argv)
{
	unsigned char *tx, *rx;
	size_t bytes;
	uint64_t ms;

	if (argc != 3)
		bench_die("usage: tail MS SIZE");
	ms = bench_number("MS", argv[1], 1, 3600000);
	bytes = (size_t)bench_size(argv[2]);
	if (bytes < 1)
		bench_die("a message has at least 1 byte");
	tx = bench_buffer(bytes);
	rx = bench_buffer(bytes);
	tx[0] = 0;
	api_start();
	if (api_size() != 2)
		bench_die("runs with 2 ranks, not %d", api_size());
	api_barrier();
	if (api_rank() == 0)
		play(tx, rx, bytes, ms);
	else
		answer(tx, rx, bytes);
	api_stop();
	free(tx);
	free(rx);
	return EXIT_SUCCESS;
}
