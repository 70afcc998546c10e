/* SPDX-License-Identifier: MIT */
/*
 * attach.c - how long a job takes to come together; for attach.sh
 *
 * snoo_init() of a job with a known size returns when all ranks are there.
 * Rank 0 prints the time from the first rank's call to the last one's return.
 */
#include <stdlib.h>

#include "bench/api.h"
#include "bench/bench.h"

#define TAG 1

struct times {
	uint64_t start, end;
};

int main(void)
{
	struct times mine, other, all;
	uint64_t longest;

	mine.start = bench_now_ns();
	api_start();
	mine.end = bench_now_ns();
	if (api_rank() != 0) {
		api_send(&mine, sizeof(mine), 0, TAG);
		api_stop();
		return EXIT_SUCCESS;
	}
	all = mine;
	longest = mine.end - mine.start;
	for (int r = 1; r < api_size(); r++) {
		api_recv(&other, sizeof(other), r, TAG);
		if (other.start < all.start)
			all.start = other.start;
		if (other.end > all.end)
			all.end = other.end;
		if (other.end - other.start > longest)
			longest = other.end - other.start;
	}
	bench_open("attach");
	bench_int("ranks", (uint64_t)api_size());
	bench_int("all_ns", all.end - all.start);
	bench_int("longest_ns", longest);
	bench_close();
	api_stop();
	return EXIT_SUCCESS;
}
