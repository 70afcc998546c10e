/* SPDX-License-Identifier: MIT */
/*
 * blocked.c - ranks that wait for a message that never comes; for idle.sh
 *
 * Prints {"bench":"blocked","rank":...,"pid":...}, then waits to be ended.
 */
#include <stdlib.h>
#include <unistd.h>

#include "bench/api.h"
#include "bench/bench.h"

int main(void)
{
	char byte;

	api_start();
	api_barrier();
	bench_open("blocked");
	bench_int("rank", (uint64_t)api_rank());
	bench_int("pid", (uint64_t)getpid());
	bench_close();
	api_recv(&byte, 1, (api_rank() + 1) % api_size(), 1);
	api_stop();
	return EXIT_SUCCESS;
}
