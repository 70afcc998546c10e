/* SPDX-License-Identifier: MIT */
/*
 * paper.c - the paper's experiment: move a number of bytes in equal buffers
 *
 * Usage: paper TOTAL CAP_MS BUFFER...
 *
 * Two ranks.  For each BUFFER, rank 0 sends TOTAL bytes to rank 1, one blocking
 * Send and Recv a buffer, and prints one JSON line.  If that would take longer
 * than CAP_MS, it sends as many whole buffers as fit into that time; the line
 * has the number ("bytes", "capped").
 *
 *      rank 0                             rank 1
 *      plan: messages, seed  ---------->  make the pattern
 *      clock starts
 *      first, same, same ... last ----->  receive them all
 *                            <----------  done
 *      clock stops
 *                            <----------  what was wrong, and my core
 *
 * The first and the last message have patterns of their own and are compared
 * byte by byte, outside the measured time; all others come from one buffer and
 * go into one, as in the paper.  A first short run finds the speed.
 */
#include "bench/paper_api.h"

#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

#define TRIES 3

enum flag {
	FLAG_PLAN = 1,
	FLAG_DATA,
	FLAG_DONE,
	FLAG_REPORT,
};

struct plan {
	uint64_t messages; /* 0: this buffer is finished */
	uint64_t bytes;	   /* of each */
	uint32_t seed;
	uint32_t reserved;
};

struct report {
	long long bad_first; /* offset of a wrong byte, or -1 */
	long long bad_last;
	int core;
	int reserved;
};

struct buffers {
	unsigned char *first;
	unsigned char *same; /* receiver: the last comes here too */
	unsigned char *last;
};

static void send_bytes(void *p, size_t n, int to, enum flag flag)
{
	SNOO_MPI_Send(p, (int)n, to, (int)flag, MPI_BYTE, MPI_COMM_WORLD);
}

static void recv_bytes(void *p, size_t n, int from, enum flag flag)
{
	SNOO_MPI_Recv(p, (int)n, from, MPI_BYTE, (int)flag, MPI_COMM_WORLD);
}

/* Rank 0: nanoseconds for @plan. */
static uint64_t move(struct buffers *b, struct plan *plan,
		     struct report *report)
{
	size_t n = (size_t)plan->bytes;
	uint64_t start, end;
	char done = 0;

	bench_fill(b->first, n, plan->seed);
	bench_fill(b->same, n, plan->seed + 1);
	bench_fill(b->last, n, plan->seed + 2);
	send_bytes(plan, sizeof(*plan), 1, FLAG_PLAN);
	recv_bytes(&done, 1, 1, FLAG_DONE);

	start = bench_now_ns();
	send_bytes(b->first, n, 1, FLAG_DATA);
	for (uint64_t i = 2; i < plan->messages; i++)
		send_bytes(b->same, n, 1, FLAG_DATA);
	if (plan->messages > 1)
		send_bytes(b->last, n, 1, FLAG_DATA);
	recv_bytes(&done, 1, 1, FLAG_DONE);
	end = bench_now_ns();

	recv_bytes(report, sizeof(*report), 1, FLAG_REPORT);
	if (report->bad_first >= 0 || report->bad_last >= 0)
		bench_die("buffers of %zu bytes arrive damaged: byte %lld of "
			  "the first, %lld of the last (-1: whole)",
			  n, report->bad_first, report->bad_last);
	return end - start;
}

/* Rank 1: what move() expects, until a plan of nothing. */
static void follow(struct buffers *b)
{
	struct report report = { -1, -1, 0, 0 };
	struct plan plan;
	char done = 1;

	for (;;) {
		size_t n;

		recv_bytes(&plan, sizeof(plan), 0, FLAG_PLAN);
		if (plan.messages == 0)
			return;
		n = (size_t)plan.bytes;
		memset(b->first, 0, n);
		memset(b->same, 0, n);
		send_bytes(&done, 1, 0, FLAG_DONE);

		recv_bytes(b->first, n, 0, FLAG_DATA);
		for (uint64_t i = 1; i < plan.messages; i++)
			recv_bytes(b->same, n, 0, FLAG_DATA);
		send_bytes(&done, 1, 0, FLAG_DONE);

		report.bad_first = bench_check(b->first, n, plan.seed);
		report.bad_last = plan.messages < 2
					  ? -1
					  : bench_check(b->same, n,
							plan.seed + 2);
		report.core = bench_core();
		send_bytes(&report, sizeof(report), 0, FLAG_REPORT);
	}
}

static void lead(struct buffers *b, uint64_t total, uint64_t cap_ns,
		 uint64_t bytes)
{
	struct plan plan = { .bytes = bytes, .seed = (uint32_t)bytes };
	struct report report;
	uint64_t whole = (total + bytes - 1) / bytes;
	uint64_t fits, ns;

	/* Both sides warm up; a tenth of the time is enough to know. */
	for (plan.messages = 1;; plan.messages *= 4) {
		ns = move(b, &plan, &report);
		plan.seed += 16;
		if (ns >= cap_ns / 10 || plan.messages >= whole)
			break;
	}
	/* A short run may mislead: do it again while much time is left. */
	for (int i = 0; i < TRIES; i++) {
		fits = (uint64_t)((double)plan.messages * (double)cap_ns /
				  (double)(ns ? ns : 1));
		plan.messages = fits < whole ? fits : whole;
		if (plan.messages == 0)
			plan.messages = 1;
		ns = move(b, &plan, &report);
		plan.seed += 16;
		if (plan.messages == whole || ns >= cap_ns / 2)
			break;
	}

	bench_open("paper");
	bench_text("api", PAPER_API);
	bench_int("buffer", bytes);
	bench_int("messages", plan.messages);
	bench_int("bytes", plan.messages * bytes);
	bench_int("ns", ns);
	bench_int("capped", plan.messages < whole);
	bench_int("core0", (uint64_t)bench_core());
	bench_int("core1", (uint64_t)report.core);
	bench_close();

	plan.messages = 0;
	send_bytes(&plan, sizeof(plan), 1, FLAG_PLAN);
}

int main(int argc, char **argv)
{
	static char name[] = "paper";
	uint64_t total, cap_ms, largest = 1;
	struct buffers b;
	int rank, size;

	if (argc < 4)
		bench_die("usage: paper TOTAL CAP_MS BUFFER...");
	total = bench_size(argv[1]);
	cap_ms = bench_number("CAP_MS", argv[2], 1, 3600000);
	for (int i = 3; i < argc; i++) {
		uint64_t n = bench_size(argv[i]);

		if (n < 1 || n > UINT64_C(1) << 30)
			bench_die("a buffer has 1 byte to 1G, not %s", argv[i]);
		if (n > largest)
			largest = n;
	}

	SNOO_MPI_Init(name);
	SNOO_MPI_Comm_size(&size);
	SNOO_MPI_Comm_rank(&rank);
	if (size != 2)
		bench_die("runs with 2 ranks, not %d", size);

	b.first = bench_buffer((size_t)largest);
	b.same = bench_buffer((size_t)largest);
	b.last = bench_buffer((size_t)largest);
	for (int i = 3; i < argc; i++) {
		if (rank == 0)
			lead(&b, total, cap_ms * 1000000, bench_size(argv[i]));
		else
			follow(&b);
	}
	SNOO_MPI_Finalize();
	free(b.first);
	free(b.same);
	free(b.last);
	return EXIT_SUCCESS;
}
