/* SPDX-License-Identifier: MIT */
/*
 * copy.c - memcpy of the same working set as paper.c: the yardstick
 *
 * Usage: copy TOTAL CAP_MS BUFFER...
 *
 * Copies a buffer to another one until TOTAL bytes are moved or CAP_MS are
 * over, on one core.
 */
#include "bench/bench.h"

#include <stdlib.h>
#include <string.h>

#define ROUND 64u /* copies between two looks at the clock */

static void *(*volatile copy)(void *, const void *, size_t) = memcpy;

static void run(unsigned char *to, const unsigned char *from, uint64_t total,
		uint64_t cap_ns, uint64_t bytes)
{
	uint64_t whole = (total + bytes - 1) / bytes, n = 0, ns, start;
	void *(*call)(void *, const void *, size_t) = copy;

	for (unsigned int i = 0; i < ROUND; i++)
		call(to, from, (size_t)bytes);
	start = bench_now_ns();
	do {
		uint64_t left = whole - n < ROUND ? whole - n : ROUND;

		for (uint64_t i = 0; i < left; i++) {
			call(to, from, (size_t)bytes);
			bench_keep(to);
		}
		n += left;
		ns = bench_now_ns() - start;
	} while (n < whole && ns < cap_ns);

	bench_open("paper");
	bench_text("api", "memcpy");
	bench_int("buffer", bytes);
	bench_int("messages", n);
	bench_int("bytes", n * bytes);
	bench_int("ns", ns);
	bench_int("capped", n < whole);
	bench_int("core0", (uint64_t)bench_core());
	bench_close();
}

int main(int argc, char **argv)
{
	uint64_t total, cap_ms, largest = 1;
	unsigned char *from, *to;

	if (argc < 4)
		bench_die("usage: copy TOTAL CAP_MS BUFFER...");
	total = bench_size(argv[1]);
	cap_ms = bench_number("CAP_MS", argv[2], 1, 3600000);
	for (int i = 3; i < argc; i++) {
		uint64_t n = bench_size(argv[i]);

		if (n < 1)
			bench_die("a buffer has at least 1 byte");
		if (n > largest)
			largest = n;
	}
	bench_pin(bench_allowed(0));
	from = bench_buffer((size_t)largest);
	to = bench_buffer((size_t)largest);
	for (int i = 3; i < argc; i++)
		run(to, from, total, cap_ms * 1000000, bench_size(argv[i]));
	free(from);
	free(to);
	return EXIT_SUCCESS;
}
