/* SPDX-License-Identifier: MIT */
/*
 * regs_line.c - what a line costs: two pinned threads pass one to and fro
 *
 * With the register message's cost this decides `registers: auto`, so it is
 * measured as a line is used: seven words, then word 0 with release, polled by
 * one load.  Both threads stop when the time is up, whether the other had a
 * core to itself or not: on a machine that is busy there are fewer batches, and
 * the fastest of them still tells what a line costs.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "daemon/regs_impl.h"
#include "shm/cpu.h"

#define MEASURE_NS     UINT64_C(20000000)
#define BATCHES	       64u
#define ROUNDS_A_BATCH 16u
#define LOOKS	       256u /* polls between looks at the clock */
#define ENOUGH	       UINT64_MAX

struct cell {
	_Alignas(SNOO_ABI_PAIR) _Atomic uint64_t word0;
	uint64_t word[7];
};

struct pair {
	struct cell there, back;
	uint64_t end_ns;
	unsigned int cpu[2];
	int pinned[2];
};

/* The next line, or false: the time is up, or it was the last one. */
static bool await(struct cell *c, uint64_t want, uint64_t end_ns)
{
	for (;;) {
		for (unsigned int i = 0; i < LOOKS; i++) {
			/* LINE's acquire side. */
			uint64_t n = atomic_load_explicit(&c->word0,
							  memory_order_acquire);

			if (n == want || n == ENOUGH)
				return n == want;
			cpu_pause();
		}
		if (loop_now_ns() >= end_ns)
			return false;
	}
}

static void pass(struct cell *c, uint64_t n)
{
	for (int i = 0; i < 7; i++)
		c->word[i] = n;
	/* LINE's release side. */
	atomic_store_explicit(&c->word0, n, memory_order_release);
}

static void *echo(void *arg)
{
	struct pair *p = arg;

	p->pinned[1] = topo_pin(0, p->cpu[1]);
	for (uint64_t n = 1; await(&p->there, n, p->end_ns); n++)
		pass(&p->back, n);
	return NULL;
}

/*
 * In ns for one way: the fastest batch, or, by a clock that is too coarse for
 * one, all of them together; 0: there was not enough.
 */
static uint64_t answer(uint64_t best, uint64_t n, uint64_t start)
{
	return best || n < ROUNDS_A_BATCH ? best
					  : (loop_now_ns() - start) / (2 * n);
}

static void *call(void *arg)
{
	struct pair *p = arg;
	uint64_t best = 0, n = 0, start = loop_now_ns();

	p->pinned[0] = topo_pin(0, p->cpu[0]);
	for (unsigned int batch = 0; batch < BATCHES; batch++) {
		uint64_t begin = loop_now_ns(), ns;

		for (unsigned int i = 0; i < ROUNDS_A_BATCH; i++) {
			pass(&p->there, ++n);
			if (!await(&p->back, n, p->end_ns))
				return (void *)(uintptr_t)answer(best, n - 1,
								 start);
		}
		ns = (loop_now_ns() - begin) / (2 * ROUNDS_A_BATCH);
		if (ns && (!best || ns < best))
			best = ns;
	}
	pass(&p->there, ENOUGH);
	return (void *)(uintptr_t)answer(best, n, start);
}

int64_t regs_line_measure(const struct topo_set *cores)
{
	struct pair p;
	pthread_t thread[2];
	void *best = NULL;
	int ret;

	memset(&p, 0, sizeof(p));
	p.cpu[0] = topo_set_next(cores, 0);
	p.cpu[1] = topo_set_next(cores, p.cpu[0] + 1);
	if (p.cpu[0] >= TOPO_CPUS || p.cpu[1] >= TOPO_CPUS)
		return -ENODEV;
	p.end_ns = loop_now_ns() + MEASURE_NS;
	ret = pthread_create(&thread[0], NULL, echo, &p);
	if (ret)
		return -ret;
	ret = pthread_create(&thread[1], NULL, call, &p);
	if (ret == 0)
		pthread_join(thread[1], &best);
	pthread_join(thread[0], NULL);
	if (ret || p.pinned[0] || p.pinned[1])
		return ret ? -ret : p.pinned[0] ? p.pinned[0] : p.pinned[1];
	return best ? (int64_t)(uintptr_t)best : -EAGAIN;
}
