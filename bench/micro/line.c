/* SPDX-License-Identifier: MIT */
/*
 * line.c - bare cache lines between two cores: what the machine can do at best
 *
 * Usage: line [MS]
 *
 * Two processes, each pinned to a core of its own, share a page.  One writes a
 * number into its line, the other answers in the other line (each line has one
 * writer, as in a channel), or both use one and the same line.  Prints the
 * one-way time of each way.
 *
 * Then a stream: one fills a ring of lines, all eight words of each, the other
 * reads them all and tells after every half of the ring how far it is.  Prints
 * the time of a line: no message of a line of its own can be cheaper.
 */
#include <errno.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/micro/lines.h"
#include "shm/cpu.h"

#define BATCH	1000u  /* round trips that are timed together */
#define BATCHES 65536u /* of lines, of which the median is the result */
#define WORDS	8u     /* of a line */
#define RING	64u    /* lines: as many as the windows of stream.c */

struct shared {
	struct lines pair;
	alignas(128) _Atomic uint64_t taken; /* lines read so far */
	alignas(128) _Atomic uint64_t stop;
	alignas(128) _Atomic uint64_t ring[RING][WORDS];
};

/*
 * The other side: a child that ends with us.  It is born on its own core: born
 * on ours, it would wait there for ever if we spin with a real-time priority.
 */
static pid_t apart(const int core[2])
{
	pid_t child;

	bench_pin(core[1]);
	child = fork();
	if (child < 0)
		bench_die("fork: %s", strerror(errno));
	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	else
		bench_pin(core[0]);
	return child;
}

static double ping_pong(_Atomic uint64_t *out, _Atomic uint64_t *in,
			const int core[2], uint64_t ms)
{
	double ns;
	pid_t child;

	child = apart(core);
	if (child == 0) {
		lines_answer(out, in);
		_exit(EXIT_SUCCESS);
	}
	ns = lines_measure(out, in, BATCH, ms * 1000);
	waitpid(child, NULL, 0);
	return ns;
}

/*
 * Edge LINE: word 0 released here, acquired at the other core, carries words
 * 1 to 7.  Edge TAKEN: a line is read before it is written again.
 */
static void fill(struct shared *s)
{
	uint64_t taken = 0;

	for (uint64_t i = 1;; i++) {
		_Atomic uint64_t *line = s->ring[i % RING];

		while (i - taken > RING) {
			taken = atomic_load_explicit(&s->taken,
						     memory_order_acquire);
			if (i - taken <= RING)
				break;
			/* Relaxed: it carries nothing. */
			if (atomic_load_explicit(&s->stop,
						 memory_order_relaxed))
				return;
			cpu_pause();
		}
		for (unsigned int w = 1; w < WORDS; w++)
			atomic_store_explicit(&line[w], i + w,
					      memory_order_relaxed);
		atomic_store_explicit(&line[0], i, memory_order_release);
	}
}

static void take(struct shared *s, uint64_t i)
{
	_Atomic uint64_t *line = s->ring[i % RING];
	uint64_t sum = 0;

	lines_await(&line[0], i);
	for (unsigned int w = 1; w < WORDS; w++)
		sum += atomic_load_explicit(&line[w], memory_order_relaxed);
	if (sum != (WORDS - 1) * (i + WORDS / 2))
		bench_die("a line is not what was written");
	if (i % (RING / 2) == 0)
		atomic_store_explicit(&s->taken, i, memory_order_release);
}

static double stream(struct shared *s, const int core[2], uint64_t ms)
{
	static double ns[BATCHES];
	uint64_t begin, start, now, next = 1;
	size_t n = 0;
	pid_t child;

	child = apart(core);
	if (child == 0) {
		fill(s);
		_exit(EXIT_SUCCESS);
	}
	take(s, next++);
	begin = start = bench_now_ns();
	do {
		for (unsigned int i = 0; i < BATCH; i++)
			take(s, next++);
		now = bench_now_ns();
		ns[n++] = (double)(now - start) / BATCH;
		start = now;
	} while (now - begin < ms * 1000000 && n < BATCHES);
	atomic_store_explicit(&s->stop, 1, memory_order_relaxed);
	waitpid(child, NULL, 0);
	return bench_median(ns, n);
}

int main(int argc, char **argv)
{
	uint64_t ms = argc > 1 ? bench_number("MS", argv[1], 1, 60000) : 200;
	const int core[2] = { bench_allowed(0), bench_allowed(1) };
	struct shared *s;
	double two, one, each;

	if (core[1] < 0)
		bench_die("needs two cores in the affinity mask");
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		bench_die("mmap: %s", strerror(errno));
	two = ping_pong(&s->pair.ping, &s->pair.pong, core, ms);
	memset(s, 0, sizeof(*s));
	one = ping_pong(&s->pair.ping, &s->pair.ping, core, ms);
	each = stream(s, core, ms);

	bench_open("line");
	bench_real("two_lines_ns", two);
	bench_real("one_line_ns", one);
	bench_real("stream_ns", each);
	bench_int("core0", (uint64_t)core[0]);
	bench_int("core1", (uint64_t)core[1]);
	bench_close();
	munmap(s, sizeof(*s));
	return EXIT_SUCCESS;
}
