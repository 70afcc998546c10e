/* SPDX-License-Identifier: MIT */
/* lines.c - bare cache lines that go there and back between two cores */
#include "bench/micro/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/bench.h"
#include "shm/cpu.h"

#define STOP	UINT64_MAX	 /* the end, */
#define STOPPED (UINT64_MAX - 1) /* and the answer to it */
#define BATCHES 65536u /* at most */

struct lines *lines_map(const char *file)
{
	struct lines *l;
	int fd;

	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*l)))
		bench_die("%s: %s", file, strerror(errno));
	l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (l == MAP_FAILED)
		bench_die("mmap %s: %s", file, strerror(errno));
	close(fd);
	return l;
}

void lines_await(const _Atomic uint64_t *word, uint64_t value)
{
	while (atomic_load_explicit(word, memory_order_acquire) != value)
		cpu_pause();
}

/*
 * Edge PING and edge PONG: release store here, acquire load at the other core.
 * The numbers carry nothing else, but a message would need this order.  Odd
 * ones go out, even ones come back.  The end is answered as well: who plays
 * again at once must not take STOP away from one that has not seen it.
 */
double lines_measure(_Atomic uint64_t *out, _Atomic uint64_t *in,
		     unsigned int rounds, uint64_t us)
{
	static double ns[BATCHES];
	uint64_t begin = bench_now_ns(), start = begin, now, next = 1;
	size_t n = 0;

	do {
		for (unsigned int i = 0; i < rounds; i++) {
			atomic_store_explicit(out, next, memory_order_release);
			lines_await(in, next + 1);
			next += 2;
		}
		now = bench_now_ns();
		ns[n++] = (double)(now - start) / rounds / 2;
		start = now;
	} while (now - begin < us * 1000 && n < BATCHES);
	atomic_store_explicit(out, STOP, memory_order_release);
	lines_await(in, STOPPED);
	return bench_median(ns, n);
}

void lines_answer(_Atomic uint64_t *in, _Atomic uint64_t *out)
{
	uint64_t next = 1;

	for (;;) {
		uint64_t seen = atomic_load_explicit(in, memory_order_acquire);

		if (seen == STOP)
			break;
		if (seen != next) {
			cpu_pause();
			continue;
		}
		atomic_store_explicit(out, next + 1, memory_order_release);
		next += 2;
	}
	atomic_store_explicit(out, STOPPED, memory_order_release);
}
