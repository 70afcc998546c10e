/* SPDX-License-Identifier: MIT */
/*
 * flow.c - a stream that is counted between two moments; for shares.sh
 *
 * Usage: flow START_NS END_NS SIZE WINDOW [compute]
 *	  flow now
 *
 * Moments of CLOCK_MONOTONIC, which the second form prints, so that several jobs are counted in the same
 * span.  Even ranks send to the next odd one, WINDOW messages at a time; they
 * begin at once.  Each odd rank prints the bytes that it has got between the
 * first and the last arrival in the span, and the time between those two.
 * "compute": at START_NS both ends stop to send and call nothing any more until
 * END_NS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/api.h"
#include "bench/bench.h"

#define TAG	   1
#define WINDOW_MAX 64u

struct flow {
	uint64_t start, end, stop; /* stop: nothing is sent after it */
	size_t bytes;
	unsigned int window;
	int peer;
	unsigned char *buf[WINDOW_MAX];
	api_request request[WINDOW_MAX];
};

/* The first byte is the flag of the last message. */
static void send_all(struct flow *f)
{
	uint64_t i = 0;
	int last;

	do {
		unsigned int at = (unsigned int)(i++ % f->window);

		if (i > f->window)
			api_waitall(1, &f->request[at]);
		last = bench_now_ns() >= f->stop;
		f->buf[at][0] = (unsigned char)last;
		api_isend(f->buf[at], f->bytes, f->peer, TAG, &f->request[at]);
	} while (!last);
	for (unsigned int k = 0; k < f->window && k < i; k++)
		api_waitall(1, &f->request[k]);
}

static void receive_all(struct flow *f)
{
	uint64_t first = 0, latest = 0, bytes = 0, now;
	unsigned int at = 0;

	/* One at a time is posted: the sender's window fills the pool. */
	do {
		api_recv(f->buf[at], f->bytes, f->peer, TAG);
		now = bench_now_ns();
		if (now < f->start || now > f->end)
			continue;
		if (first)
			bytes += f->bytes;
		else
			first = now;
		latest = now;
	} while (!f->buf[at][0]);

	bench_open("flow");
	bench_text("api", API_NAME);
	bench_int("rank", (uint64_t)api_rank());
	bench_int("bytes", bytes);
	bench_int("ns", latest - first);
	bench_close();
}

static void compute(uint64_t end)
{
	while (bench_now_ns() < end)
		;
}

int main(int argc, char **argv)
{
	struct flow f = { 0 };
	int computes;

	if (argc == 2 && strcmp(argv[1], "now") == 0) {
		printf("%llu\n", (unsigned long long)bench_now_ns());
		return EXIT_SUCCESS;
	}
	if (argc < 5)
		bench_die("usage: flow START_NS END_NS SIZE WINDOW [compute]");
	computes = argc > 5 && strcmp(argv[5], "compute") == 0;
	f.start = bench_number("START_NS", argv[1], 0, INT64_MAX);
	f.end = bench_number("END_NS", argv[2], 0, INT64_MAX);
	f.stop = computes ? f.start : f.end;
	f.bytes = (size_t)bench_size(argv[3]);
	f.window = (unsigned int)bench_number("WINDOW", argv[4], 1, WINDOW_MAX);
	if (f.bytes < 1)
		bench_die("a message has at least 1 byte");
	for (unsigned int i = 0; i < f.window; i++)
		f.buf[i] = bench_buffer(f.bytes);
	api_start();
	f.peer = api_rank() ^ 1;
	if (api_size() % 2)
		bench_die("runs with 2, 4, ... ranks, not %d", api_size());
	if (api_rank() % 2 == 0)
		send_all(&f);
	else
		receive_all(&f);
	if (computes)
		compute(f.end);
	api_stop();
	for (unsigned int i = 0; i < f.window; i++)
		free(f.buf[i]);
	return EXIT_SUCCESS;
}
