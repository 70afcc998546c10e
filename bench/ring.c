/* SPDX-License-Identifier: MIT */
/*
 * ring.c - a token that goes round all ranks, one after another
 *
 * Usage: ring [-t MS]
 *
 * "ns" is a whole lap: as many hops as there are ranks.  Only one rank has
 * something to do at a time, all others wait.
 */
#include "bench/api.h"
#include "bench/bench.h"
#include "bench/drive.h"

static void run(struct drive_test *t, uint64_t n)
{
	int next = (api_rank() + 1) % api_size();
	int last = (api_rank() + api_size() - 1) % api_size();
	uint64_t token = 0;

	(void)t;
	for (uint64_t i = 0; i < n; i++) {
		if (api_rank() != 0)
			api_recv(&token, sizeof(token), last, DRIVE_TAG);
		token++;
		api_send(&token, sizeof(token), next, DRIVE_TAG);
		if (api_rank() == 0)
			api_recv(&token, sizeof(token), last, DRIVE_TAG);
	}
	if (api_rank() == 0 && token != n * (uint64_t)api_size())
		bench_die("the token has made %llu hops, not %llu",
			  (unsigned long long)token,
			  (unsigned long long)(n * (uint64_t)api_size()));
}

int main(int argc, char **argv)
{
	struct drive_test t = {
		.name = "ring",
		.run = run,
	};

	return drive_main(argc, argv, &t);
}
