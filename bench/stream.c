/* SPDX-License-Identifier: MIT */
/*
 * stream.c - bandwidth and message rate: windows of 64 messages, one direction
 *
 * Usage: stream [-t MS] [-l FILE] SIZE...
 *
 * The even rank of each pair posts 64 sends and waits for all, the odd one 64
 * receives; when all windows are through, the odd one answers.  As in the OSU
 * tests all messages of a window leave one buffer and arrive in one.  The last
 * one is compared byte by byte.
 */
#include "bench/api.h"
#include "bench/bench.h"
#include "bench/drive.h"

#include <string.h>

#define WINDOW 64

static void prepare(struct drive_test *t)
{
	t->messages = WINDOW * (uint64_t)api_size() / 2;
	bench_fill(t->tx, t->bytes, (uint32_t)api_rank());
	memset(t->rx, 0, t->bytes);
}

static void check(struct drive_test *t)
{
	long long bad = -1;

	if (api_rank() % 2 == 1)
		bad = bench_check(t->rx, t->bytes, (uint32_t)t->peer);
	if (bad >= 0)
		bench_die("byte %lld of %zu from rank %d is wrong", bad,
			  t->bytes, t->peer);
}

static void run(struct drive_test *t, uint64_t n)
{
	api_request request[WINDOW];
	char done = 0;

	if (api_rank() % 2 == 0) {
		for (uint64_t i = 0; i < n; i++) {
			for (int k = 0; k < WINDOW; k++)
				api_isend(t->tx, t->bytes, t->peer, DRIVE_TAG,
					  &request[k]);
			api_waitall(WINDOW, request);
		}
		api_recv(&done, 1, t->peer, DRIVE_TAG);
	} else {
		for (uint64_t i = 0; i < n; i++) {
			for (int k = 0; k < WINDOW; k++)
				api_irecv(t->rx, t->bytes, t->peer, DRIVE_TAG,
					  &request[k]);
			api_waitall(WINDOW, request);
		}
		api_send(&done, 1, t->peer, DRIVE_TAG);
	}
}

int main(int argc, char **argv)
{
	struct drive_test t = {
		.name = "stream",
		.prepare = prepare,
		.check = check,
		.run = run,
	};

	return drive_main(argc, argv, &t);
}
