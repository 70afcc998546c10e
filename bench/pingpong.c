/* SPDX-License-Identifier: MIT */
/*
 * pingpong.c - latency: a message there and one back, for each size
 *
 * Usage: pingpong [-t MS] [-l FILE] SIZE...
 *
 * Ranks 0 and 1 play, 2 and 3, ... all pairs at the same time.  "ns" is a whole
 * round; one way is half of it.  What has arrived last is compared byte by
 * byte.
 */
#include "bench/api.h"
#include "bench/bench.h"
#include "bench/drive.h"

#include <string.h>

static void prepare(struct drive_test *t)
{
	bench_fill(t->tx, t->bytes, (uint32_t)api_rank());
	memset(t->rx, 0, t->bytes);
}

static void check(struct drive_test *t)
{
	long long bad = bench_check(t->rx, t->bytes, (uint32_t)t->peer);

	if (bad >= 0)
		bench_die("byte %lld of %zu from rank %d is wrong", bad,
			  t->bytes, t->peer);
}

static void run(struct drive_test *t, uint64_t n)
{
	if (api_rank() % 2 == 0) {
		for (uint64_t i = 0; i < n; i++) {
			api_send(t->tx, t->bytes, t->peer, DRIVE_TAG);
			api_recv(t->rx, t->bytes, t->peer, DRIVE_TAG);
		}
	} else {
		for (uint64_t i = 0; i < n; i++) {
			api_recv(t->rx, t->bytes, t->peer, DRIVE_TAG);
			api_send(t->tx, t->bytes, t->peer, DRIVE_TAG);
		}
	}
}

int main(int argc, char **argv)
{
	struct drive_test t = {
		.name = "pingpong",
		.prepare = prepare,
		.check = check,
		.run = run,
	};

	return drive_main(argc, argv, &t);
}
