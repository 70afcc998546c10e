/* SPDX-License-Identifier: MIT */
/*
 * allreduce.c - the sum of one number of each rank, known to all of them
 *
 * Usage: allreduce [-t MS]
 */
#include "bench/api.h"
#include "bench/bench.h"
#include "bench/drive.h"

static void run(struct drive_test *t, uint64_t n)
{
	uint64_t size = (uint64_t)api_size(), rank = (uint64_t)api_rank();

	(void)t;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t sum = api_sum(rank + i);

		if (sum != size * i + size * (size - 1) / 2)
			bench_die("sum %llu is wrong", (unsigned long long)sum);
	}
}

int main(int argc, char **argv)
{
	struct drive_test t = {
		.name = "allreduce",
		.by = API_SUM_BY,
		.run = run,
	};

	return drive_main(argc, argv, &t);
}
