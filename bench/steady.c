/* SPDX-License-Identifier: MIT */
/*
 * steady.c - messages between two markers that strace shows; for syscalls.sh
 *
 * Usage: steady MESSAGES SIZE...
 *
 * Two ranks.  For each SIZE a ping-pong of MESSAGES, then a stream of MESSAGES,
 * each after a warm-up; of messages above 4 KiB so many fewer that the bytes
 * stay.  A marker is a write to no file: it does nothing, and a trace of the
 * system calls has it as write(-1, "begin pingpong 8 20000 17"): pattern,
 * size, messages, how often the core was taken from this rank so far.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/api.h"
#include "bench/bench.h"

#define TAG   1
#define WARM  2000u /* messages */
#define PLAIN 4096u /* bytes */

static unsigned char *buf;

static long preempted(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u))
		return 0;
	return u.ru_nivcsw;
}

static void mark(const char *where, const char *what, size_t bytes, uint64_t n,
		 long taken)
{
	char text[96];
	int len = snprintf(text, sizeof(text), "%s %s %zu %llu %ld", where,
			   what, bytes, (unsigned long long)n, taken);
	ssize_t ret = write(-1, text, (size_t)len);

	(void)ret; /* EBADF, as meant */
}

static void pingpong(size_t bytes, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		if (api_rank() == 0) {
			api_send(buf, bytes, 1, TAG);
			api_recv(buf, bytes, 1, TAG);
		} else {
			api_recv(buf, bytes, 0, TAG);
			api_send(buf, bytes, 0, TAG);
		}
	}
}

/* The answer at the end keeps rank 0 in the measured part until all is read. */
static void stream(size_t bytes, uint64_t n)
{
	char done = 0;

	for (uint64_t i = 0; i < n; i++) {
		if (api_rank() == 0)
			api_send(buf, bytes, 1, TAG);
		else
			api_recv(buf, bytes, 0, TAG);
	}
	if (api_rank() == 0)
		api_recv(&done, 1, 1, TAG);
	else
		api_send(&done, 1, 0, TAG);
}

static void phase(const char *what, void (*run)(size_t, uint64_t), size_t bytes,
		  uint64_t n)
{
	long taken;

	if (bytes > PLAIN)
		n = n * PLAIN / bytes + 1;
	api_barrier();
	run(bytes, n < WARM ? n : WARM);
	taken = preempted();
	mark("begin", what, bytes, n, taken);
	run(bytes, n);
	mark("end", what, bytes, n, 0);
	mark("taken", what, bytes, n, preempted() - taken);
}

int main(int argc, char **argv)
{
	size_t largest = 1;
	uint64_t n;

	if (argc < 3)
		bench_die("usage: steady MESSAGES SIZE...");
	n = bench_number("MESSAGES", argv[1], 1, UINT64_C(1) << 40);
	for (int i = 2; i < argc; i++) {
		if (bench_size(argv[i]) > largest)
			largest = (size_t)bench_size(argv[i]);
	}
	buf = bench_buffer(largest);
	api_start();
	if (api_size() != 2)
		bench_die("runs with 2 ranks, not %d", api_size());
	for (int i = 2; i < argc; i++) {
		size_t bytes = (size_t)bench_size(argv[i]);

		phase("pingpong", pingpong, bytes, n);
		phase("stream", stream, bytes, n);
	}
	api_stop();
	free(buf);
	return EXIT_SUCCESS;
}
