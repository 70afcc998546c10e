/* SPDX-License-Identifier: MIT */
/*
 * test_threads.c - ranks in threads: sleeping, waking, all sizes, all pairs
 *
 * Each thread is a rank with its own mapping of the pool.  Under
 * ThreadSanitizer this also looks for races in what they share.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/world.h"

static struct world world;

struct job {
	uint32_t rank;
	uint32_t rounds;
	int failed;
};

static size_t size_of(uint32_t x)
{
	static const size_t sizes[] = {
		0, 4, 56, 57, 700, 9000, 16384, 20000, 70000, 400000,
	};

	return sizes[(x * 2654435761u >> 8) % 10];
}

static int exchange(struct snoo *ctx, uint32_t round, unsigned char *out,
		    unsigned char *in)
{
	uint32_t n = (uint32_t)snoo_size(ctx), me = (uint32_t)snoo_rank(ctx);
	uint32_t to = (me + 1 + round % (n - 1)) % n;
	uint32_t from = (me + n - 1 - round % (n - 1)) % n;
	size_t len = size_of(me * 1000 + round);
	size_t want = size_of(from * 1000 + round);
	struct snoo_status st;
	int ret;

	world_pattern(out, len, me * 1000 + round);
	ret = snoo_sendrecv(ctx, out, len, (int)to, 3, in, 400000, (int)from,
			    3, &st);
	if (ret || st.count != want ||
	    !world_matches(in, want, from * 1000 + round))
		return -1;
	return 0;
}

static void *run(void *arg)
{
	struct job *j = arg;
	struct snoo *ctx = world.ctx[j->rank];
	unsigned char *out = malloc(400000), *in = malloc(400000);

	for (uint32_t i = 0; i < j->rounds && !j->failed; i++) {
		j->failed = exchange(ctx, i, out, in) != 0;
		if (i % 16 == 0 && snoo_barrier(ctx))
			j->failed = 1;
	}
	free(out);
	free(in);
	return NULL;
}

static void check_ranks(const struct world_params *p, uint32_t rounds)
{
	pthread_t thread[WORLD_RANKS];
	struct job job[WORLD_RANKS] = { { 0 } };
	uint64_t missed = 0;

	world_open(&world, p);
	for (uint32_t i = 0; i < p->ranks; i++) {
		job[i].rank = i;
		job[i].rounds = rounds;
		assert_int_equal(pthread_create(&thread[i], NULL, run,
						&job[i]), 0);
	}
	for (uint32_t i = 0; i < p->ranks; i++)
		pthread_join(thread[i], NULL);
	for (uint32_t i = 0; i < p->ranks; i++) {
		assert_int_equal(job[i].failed, 0);
		missed += shm_counter(world.ctx[i]->me,
				      SHM_COUNT_missed_bells);
	}
	assert_int_equal(missed, 0);
	world_close(&world);
}

static void test_pair_that_spins(void **state)
{
	(void)state;
	check_ranks(&world_usual, 2000);
}

static void test_pair_that_sleeps_at_once(void **state)
{
	struct world_params p = world_usual;

	(void)state;
	p.spin_ns = 0;
	check_ranks(&p, 2000);
}

static void test_eight_ranks_on_few_blocks(void **state)
{
	struct world_params p = world_usual;

	(void)state;
	p.ranks = 8;
	p.rings = 10;
	p.small = 2;
	p.large = 1;
	p.spin_ns = 1000;
	check_ranks(&p, 300);
}

static void test_four_ranks_without_blocks(void **state)
{
	struct world_params p = world_usual;

	(void)state;
	p.ranks = 4;
	p.small = 0;
	p.large = 0;
	p.spin_ns = 0;
	check_ranks(&p, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair_that_spins),
		cmocka_unit_test(test_pair_that_sleeps_at_once),
		cmocka_unit_test(test_eight_ranks_on_few_blocks),
		cmocka_unit_test(test_four_ranks_without_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
