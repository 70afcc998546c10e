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

#include <cmocka.h>

#include "tests/lib/exchange.h"
#include "tests/lib/world.h"

static struct world world;

static void check_ranks(const struct world_params *p, uint32_t rounds)
{
	world_open(&world, p);
	assert_true(exchange_run(&world, rounds));
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
