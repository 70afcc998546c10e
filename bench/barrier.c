/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - a barrier of all ranks
 *
 * Usage: barrier [-t MS] [-l FILE]
 */
#include "bench/api.h"
#include "bench/drive.h"

static void run(struct drive_test *t, uint64_t n)
{
	(void)t;
	for (uint64_t i = 0; i < n; i++)
		api_barrier();
}

int main(int argc, char **argv)
{
	struct drive_test t = {
		.name = "barrier",
		.run = run,
	};

	return drive_main(argc, argv, &t);
}
