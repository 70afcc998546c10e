/* SPDX-License-Identifier: MIT */
/*
 * edges.c - two threads over the real shm/ and hal/ code, one edge at a time
 *
 * ThreadSanitizer watches: two accesses to one byte, one of them a store, that
 * no chain of release and acquire puts in order, are a report, whether or not
 * this processor would ever show them out of order.  So what it says holds for
 * every machine whose compiler keeps C11's promises.
 *
 * run.sh builds this from the sources as they are, which must be clean, and
 * from copies in which one end of one edge is relaxed, which must be reported.
 * Usage: edges NAME; exit status 1: wrong bytes, TSan's own: a race.
 *
 * Fences that stand alone are not modelled by TSan: SLEEP and SUMMARY against
 * arm are in sleep.pml, summary.pml and litmus.c.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal/hal.h"
#include "shm/block.h"
#include "shm/job.h"
#include "shm/meet.h"
#include "shm/ring.h"
#include "shm/wake.h"

#define POOL	(UINT64_C(4) << 20)
#define LINES	SNOO_ABI_RING_MIN
#define RING	(sizeof(struct snoo_abi_ring) + LINES * SNOO_ABI_LINE)
#define ROUNDS	2000u
#define PAIRS	200u		/* channels opened, cells flagged */
#define HOME	1u
#define OTHER	2u
#define BLOCKS	2u
#define WORDS	16u		/* of a block */

static struct shm_region region;
static uint64_t ring_at;
static struct shm_job job;
static struct hal *hal[2];
static unsigned int cell[PAIRS];		/* plain: TSan's business */
static _Atomic uint32_t turn;
static _Atomic int wrong;

/* Relaxed: read after the threads have ended. */
static void check(int good)
{
	if (!good)
		atomic_store_explicit(&wrong, 1, memory_order_relaxed);
}

/* So that a thread that waits does not take the other's time on one core. */
static void pause_a_little(void)
{
	sched_yield();
}

/* ---- LINE and SPACE: a ring, many laps ---- */

static void *line_tx(void *arg)
{
	struct shm_tx tx;

	(void)arg;
	if (shm_tx_open(&tx, &region, ring_at, LINES))
		abort();
	for (uint64_t n = 1; n <= ROUNDS; n++) {
		while (shm_tx_room(&tx, 0) == 0)
			pause_a_little();
		for (int i = 0; i < 7; i++)
			shm_tx_words(&tx)[i] = n + (uint64_t)i;
		shm_tx_publish(&tx, line_word(SNOO_ABI_DATA, 0, 56, 0,
					      (uint32_t)n));
	}
	return NULL;
}

static void *line_rx(void *arg)
{
	struct shm_rx rx;
	uint64_t word0;

	(void)arg;
	if (shm_rx_open(&rx, &region, ring_at))
		abort();
	for (uint64_t n = 1; n <= ROUNDS; n++) {
		while (!shm_rx_peek(&rx, &word0))
			pause_a_little();
		for (int i = 0; i < 7; i++)
			check(shm_rx_words(&rx)[i] == n + (uint64_t)i);
		shm_rx_pop(&rx);
		if (shm_rx_due(&rx))
			shm_rx_tell(&rx);
	}
	return NULL;
}

/* ---- LINE, a run: several lines under one edge ---- */

static size_t run_bytes(uint32_t n)
{
	return 57 + n % 300;
}

static void *run_tx(void *arg)
{
	unsigned char bytes[400];
	struct shm_tx tx;

	(void)arg;
	if (shm_tx_open(&tx, &region, ring_at, LINES))
		abort();
	for (uint32_t n = 1; n <= ROUNDS; n++) {
		size_t len = run_bytes(n);

		for (size_t i = 0; i < len; i++)
			bytes[i] = (unsigned char)(n + i);
		while (shm_tx_room(&tx, shm_ring_run(len)) == 0)
			pause_a_little();
		shm_tx_publish_run(&tx, line_word(SNOO_ABI_DATA,
						  SNOO_ABI_STREAM,
						  shm_ring_run(len), 0, n),
				   bytes, len);
	}
	return NULL;
}

static void *run_rx(void *arg)
{
	unsigned char bytes[400];
	struct shm_rx rx;
	uint64_t word0;

	(void)arg;
	if (shm_rx_open(&rx, &region, ring_at))
		abort();
	for (uint32_t n = 1; n <= ROUNDS; n++) {
		size_t len = run_bytes(n);
		int64_t lines;

		while (!shm_rx_peek(&rx, &word0))
			pause_a_little();
		check(shm_rx_words(&rx)[0] == len);
		lines = shm_rx_run(&rx, word0, len);
		check(lines >= 0);
		shm_rx_gather(&rx, bytes, len);
		for (size_t i = 0; i < len; i++)
			check(bytes[i] == (unsigned char)(n + i));
		for (; lines >= 0; lines--)
			shm_rx_pop(&rx);
		if (shm_rx_due(&rx))
			shm_rx_tell(&rx);
	}
	return NULL;
}

/* ---- COPY: blocks that go and come back ---- */

static uint64_t *block(uint32_t unit)
{
	return shm_region_block(&region, unit, WORDS * sizeof(uint64_t));
}

/* Word by word: a memset that the compiler expands is not watched. */
static void fill(uint32_t unit, uint32_t n)
{
	uint64_t *p = block(unit);

	for (uint32_t i = 0; i < WORDS; i++)
		p[i] = (uint64_t)n << 8 | i;
}

/* Take it under whatever generation it has now. */
static int take(struct snoo_abi_desc *d, uint32_t home, uint32_t *generation)
{
	return shm_block_take(d, home, block_generation(shm_block_look(d)),
			      generation);
}

static void *copy_home(void *arg)
{
	struct shm_tx tx;
	uint32_t gen;

	(void)arg;
	if (shm_tx_open(&tx, &region, ring_at, LINES))
		abort();
	for (uint32_t n = 1; n <= ROUNDS; n++) {
		uint32_t unit = n % BLOCKS;
		struct snoo_abi_desc *d = shm_region_desc(&region, unit);

		while (take(d, HOME, &gen))
			pause_a_little();
		fill(unit, n);
		while (shm_tx_room(&tx, 0) == 0)
			pause_a_little();
		shm_tx_words(&tx)[0] = line_pair(unit, gen);
		shm_tx_publish(&tx, line_word(SNOO_ABI_BLOCK, 0, 0, 0, n));
	}
	return NULL;
}

static void *copy_reader(void *arg)
{
	struct shm_rx rx;
	uint64_t word0;

	(void)arg;
	if (shm_rx_open(&rx, &region, ring_at))
		abort();
	for (uint32_t n = 1; n <= ROUNDS; n++) {
		const uint64_t *p;
		uint64_t pair;

		while (!shm_rx_peek(&rx, &word0))
			pause_a_little();
		pair = shm_rx_words(&rx)[0];
		p = block(line_index(pair));
		for (uint32_t i = 0; i < WORDS; i++)
			check(p[i] == ((uint64_t)n << 8 | i));
		check(shm_block_give(shm_region_desc(&region,
						     line_index(pair)),
				     HOME, line_generation(pair)));
		shm_rx_pop(&rx);
		if (shm_rx_due(&rx))
			shm_rx_tell(&rx);
	}
	return NULL;
}

/* ---- GRANT and RECALL: one block, from home to home by the daemon ---- */

static void *grant_home(void *arg)
{
	uint32_t me = *(const uint32_t *)arg, gen;
	struct snoo_abi_desc *d = shm_region_desc(&region, 0);

	for (uint32_t n = 0; n < ROUNDS; n++) {
		while (take(d, me, &gen))
			pause_a_little();
		fill(0, me + n);
		check(shm_block_give(d, me, gen));
		/* Relaxed: only a hint to whoever plays the daemon. */
		atomic_store_explicit(&turn, me, memory_order_relaxed);
		while (atomic_load_explicit(&turn, memory_order_relaxed) == me)
			pause_a_little();
	}
	return NULL;
}

static void *grant_daemon(void *arg)
{
	static uint32_t one = HOME, two = OTHER;
	struct snoo_abi_desc *d = shm_region_desc(&region, 0);
	pthread_t t[2];

	(void)arg;
	pthread_create(&t[0], NULL, grant_home, &one);
	pthread_create(&t[1], NULL, grant_home, &two);
	for (uint32_t n = 0; n < 2 * ROUNDS; n++) {
		uint32_t to = n % 2 ? OTHER : HOME;

		shm_block_grant(d, to);
		while (atomic_load_explicit(&turn, memory_order_relaxed) != to)
			pause_a_little();
		while (!shm_block_recall(d, to))
			pause_a_little();
		atomic_store_explicit(&turn, 0, memory_order_relaxed);
	}
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	return NULL;
}

/* ---- DIRECTORY: a ring that is found is zeroed and formed ---- */

static void *directory_tx(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < PAIRS; i++) {
		uint64_t at = ring_at + UINT64_C(4096) * (i + 1);
		struct shm_tx tx;

		if (shm_ring_format(&region, at, RING, HOME) != LINES ||
		    shm_tx_open(&tx, &region, at, LINES))
			abort();
		shm_job_announce(&job, i / 32, i % 32, at);
	}
	return NULL;
}

static void *directory_rx(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < PAIRS; i++) {
		struct shm_rx rx;
		uint64_t at, word0;

		while ((at = shm_job_channel(&job, i / 32, i % 32)) == 0)
			pause_a_little();
		check(shm_rx_open(&rx, &region, at) == 0);
		check(rx.nlines == LINES);
		check(!shm_rx_peek(&rx, &word0));
	}
	return NULL;
}

/* ---- MEET, ARRIVED: what came before a meeting, and two turns of it ---- */

static uint32_t brought[2][2];		/* [rank][turn] */

static void meet_as(uint32_t self)
{
	struct shm_meet m;
	uint32_t other = 1 - self;

	shm_meet_open(&m, shm_job_meets(&job), 2);
	for (uint32_t i = 1; i <= PAIRS; i++) {
		struct shm_meet_part part = { .number = i, .what = 1 };
		uint32_t at = 0;

		brought[self][i % 2] = i;
		/* Without the fence of shm_meet_arrive(), which TSan would take
		 * for more than it is. */
		shm_meet_come(&m, self, &part);
		while (!shm_meet_look(&m, i, &at))
			pause_a_little();
		check(brought[other][i % 2] == i);
	}
}

static void *meet_left(void *arg)
{
	meet_as(0);
	return arg;
}

static void *meet_right(void *arg)
{
	meet_as(1);
	return arg;
}

/* ---- SUMMARY: a bit that is taken shows what came before it ---- */

static void *summary_tx(void *arg)
{
	struct snoo_abi_rank *r = shm_region_rank(&region, 0);

	(void)arg;
	for (uint32_t i = 0; i < PAIRS; i++) {
		cell[i] = i + 1;
		shm_wake_flag(r->summary, i);
	}
	return NULL;
}

static void *summary_rx(void *arg)
{
	struct snoo_abi_rank *r = shm_region_rank(&region, 0);

	(void)arg;
	for (uint32_t left = PAIRS, i = 0; left > 0; i = (i + 1) % 32) {
		uint32_t bits = shm_wake_collect(r->summary, i);

		if (bits == 0)
			pause_a_little();
		while (bits) {
			uint32_t at = i * 32 + (uint32_t)__builtin_ctz(bits);

			bits &= bits - 1;
			check(cell[at] == at + 1);
			left--;
		}
	}
	return NULL;
}

/* ---- BELL: what came before the ring is visible after the take ---- */

static void *bell_tx(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < 32; i++) {
		cell[i] = i + 1;
		hal_ring(hal[0], 1, UINT32_C(1) << i);
	}
	return NULL;
}

static void *bell_rx(void *arg)
{
	uint32_t got = 0;

	(void)arg;
	while (got != UINT32_MAX) {
		uint32_t bits = hal_take(hal[1]);

		got |= bits;
		for (uint32_t i = 0; i < 32; i++)
			if (bits >> i & 1)
				check(cell[i] == i + 1);
		if (bits == 0)
			pause_a_little();
	}
	return NULL;
}

/* ---- MAIL: what came before the word is visible to who takes it ---- */

static void *mail_tx(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < PAIRS; i++) {
		cell[i] = i + 1;
		while (hal_mail_send(hal[0], 1, HAL_MAIL_FIRST, i + 1))
			pause_a_little();
	}
	return NULL;
}

static void *mail_rx(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < PAIRS; i++) {
		uint64_t word;

		while (hal_mail_recv(hal[1], HAL_MAIL_FIRST, &word))
			pause_a_little();
		check(word == i + 1 && cell[i] == i + 1);
	}
	return NULL;
}

static const struct edge {
	const char *name;
	void *(*left)(void *);
	void *(*right)(void *);
} edges[] = {
	{ "line", line_tx, line_rx },
	{ "run", run_tx, run_rx },
	{ "copy", copy_home, copy_reader },
	{ "grant", grant_daemon, NULL },
	{ "directory", directory_tx, directory_rx },
	{ "meet", meet_left, meet_right },
	{ "summary", summary_tx, summary_rx },
	{ "bell", bell_tx, bell_rx },
	{ "mail", mail_tx, mail_rx },
};

static int prepare(void)
{
	void *base = aligned_alloc(4096, POOL);
	struct hal_params p = { .ncores = 2 };

	if (!base)
		return -ENOMEM;
	memset(base, 0, POOL);
	if (shm_region_plan(&region, POOL, 4))
		return -EINVAL;
	shm_region_format(&region, base);
	ring_at = region.arena_off + UINT64_C(4096) * 64;
	if (shm_ring_format(&region, ring_at, RING, HOME) != LINES ||
	    shm_job_format(&job, &region, region.arena_off + 4096 * 32, 1, 32))
		return -EINVAL;
	for (uint32_t i = 0; i < BLOCKS; i++)
		shm_block_grant(shm_region_desc(&region, i), HOME);
	p.regs = shm_region_regs(&region);
	for (uint32_t i = 0; i < 2; i++) {
		int ret;

		p.self = i;
		ret = hal_open(&hal[i], &hal_emul, &p);
		if (ret)
			return ret;
	}
	return 0;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(edges) / sizeof(*edges);
	     i++) {
		const struct edge *e = &edges[i];
		pthread_t t[2];

		if (strcmp(e->name, argv[1]))
			continue;
		if (prepare()) {
			fprintf(stderr, "edges: no pool\n");
			return 2;
		}
		pthread_create(&t[0], NULL, e->left, NULL);
		if (e->right)
			pthread_create(&t[1], NULL, e->right, NULL);
		pthread_join(t[0], NULL);
		if (e->right)
			pthread_join(t[1], NULL);
		if (wrong)
			fprintf(stderr, "edges: wrong bytes\n");
		free(region.base);
		return wrong;
	}
	fprintf(stderr, "usage: edges line|run|copy|grant|directory|meet|summary|bell|"
			"mail\n");
	return 2;
}
