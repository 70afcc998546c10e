/* SPDX-License-Identifier: MIT */
/* test_pace.c - the faster way of filling blocks is found, and found again */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "client/pace.h"
#include "shm/copy.h"

#define BLOCK 65536u

static unsigned int far_of_last;	/* blocks of the last run that were */

/* @n blocks on a machine where the receiver's copies take these times. */
static void run(struct pace *p, unsigned int n, uint64_t cached_ns,
		uint64_t far_ns)
{
	far_of_last = 0;
	for (unsigned int i = 0; i < n; i++) {
		bool far = pace_next(p);

		far_of_last += far;
		pace_filled(p, far, BLOCK, 3000);
		pace_read(p, far, BLOCK, far ? far_ns : cached_ns);
	}
}

static void test_caches_that_are_near_are_used(void **state)
{
	struct pace p = { 0 };

	(void)state;
	run(&p, 20000, 3000, 6000);
	assert_false(p.far.second);
	if (SHM_COPY_FAR)
		assert_true(far_of_last > 0);	/* it was tried */
	assert_true(far_of_last < 20000 / 50);	/* and rarely */
}

static void test_caches_that_are_far_are_passed_by(void **state)
{
	struct pace p = { 0 };

	(void)state;
	if (!SHM_COPY_FAR)
		skip();
	run(&p, 200, 32000, 6000);
	assert_true(p.far.second);
	run(&p, 20000, 32000, 6000);
	assert_true(far_of_last > 20000 - 20000 / 50);
}

/* The host moves a virtual processor: both ways, within a few MiB. */
static void test_a_change_is_noticed(void **state)
{
	struct pace p = { 0 };

	(void)state;
	if (!SHM_COPY_FAR)
		skip();
	run(&p, 20000, 3000, 6000);
	run(&p, 100, 32000, 6000);
	assert_true(p.far.second);
	run(&p, 20000, 32000, 6000);
	/* Nothing got slower: only the next try shows it. */
	run(&p, 3000, 3000, 6000);
	assert_false(p.far.second);
}

/* A little better is not worth going to and fro. */
static void test_ways_that_are_alike_do_not_alternate(void **state)
{
	struct pace p = { 0 };

	(void)state;
	run(&p, 20000, 3000, 2700);
	assert_false(p.far.second);
}

static void test_a_rank_that_did_not_run_changes_nothing(void **state)
{
	struct pace p = { 0 };

	(void)state;
	run(&p, 5000, 3000, 6000);
	for (int i = 0; i < 20; i++) {
		pace_read(&p, false, BLOCK, 50000000);
		run(&p, 100, 3000, 6000);
	}
	assert_false(p.far.second);
}

/* The very first times are of ranks that had to wait for their cores. */
static void test_a_bad_start_is_soon_forgotten(void **state)
{
	struct pace p = { 0 };

	(void)state;
	pace_filled(&p, false, BLOCK, 10000000);
	pace_read(&p, false, BLOCK, 10000000);
	run(&p, 200, 3000, 6000);
	assert_false(p.far.second);
	run(&p, 20000, 3000, 6000);
	assert_true(far_of_last < 20000 / 50);
	if (!SHM_COPY_FAR)
		return;
	/* In far mode, what is known of the other way is wrong. */
	p = (struct pace){ .far.second = true };
	pace_filled(&p, true, BLOCK, 3000);
	pace_read(&p, true, BLOCK, 6000);
	pace_filled(&p, false, BLOCK, 10000000);
	pace_read(&p, false, BLOCK, 10000000);
	run(&p, 100, 3000, 6000);
	assert_false(p.far.second);
}

/* An older receiver, or one that lies. */
static void test_a_receiver_that_says_nothing_gets_cached_blocks(void **state)
{
	struct pace p = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		pace_filled(&p, pace_next(&p), BLOCK, 3000);
	assert_false(p.far.second);
	for (int i = 0; i < 1000; i++) {
		bool far = pace_next(&p);

		pace_filled(&p, far, BLOCK, 3000);
		pace_read(&p, far, BLOCK, i % 2 ? UINT64_C(1) << 32 : 0);
	}
}

static void test_what_a_block_costs(void **state)
{
	struct pace p = { .fill = { 3000, 0 }, .read = { 5000, 0 } };

	(void)state;
	assert_int_equal(pace_cost(&p, BLOCK, false), 5000);
	assert_int_equal(pace_cost(&p, BLOCK, true), 8000);
	/* Of the way that blocks go now. */
	p.far.second = true;
	assert_int_equal(pace_cost(&p, BLOCK, true), 0);
	p.fill[1] = 7000;
	assert_int_equal(pace_cost(&p, BLOCK, false), 0);
	assert_int_equal(pace_cost(&p, BLOCK, true), 0);
	p.read[1] = 4000;
	assert_int_equal(pace_cost(&p, BLOCK, false), 7000);
	assert_int_equal(pace_cost(&p, BLOCK, true), 11000);
}

/* Those that say too little of stores have a cost of their own. */
static void test_what_a_small_block_costs(void **state)
{
	struct pace p = { .fill = { 3000, 0 }, .read = { 5000, 0 } };

	(void)state;
	assert_int_equal(pace_cost(&p, PACE_BYTES - 1, true), 0);
	assert_int_equal(pace_cost(&p, PACE_BYTES, true), 8000);
	pace_filled(&p, false, PACE_LEAST, 1000);
	assert_int_equal(pace_cost(&p, PACE_LEAST, true), 0);
	pace_read(&p, false, PACE_LEAST, 500);
	/* For 64 KiB. */
	assert_int_equal(pace_cost(&p, PACE_LEAST, true), 12000);
	assert_int_equal(pace_cost(&p, PACE_LEAST, false), 8000);
	assert_int_equal(pace_cost(&p, PACE_BYTES, true), 8000);
	pace_filled(&p, false, PACE_BYTES, 750);
	assert_int_equal(pace_cost(&p, PACE_LEAST, true), 12000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caches_that_are_near_are_used),
		cmocka_unit_test(test_caches_that_are_far_are_passed_by),
		cmocka_unit_test(test_a_change_is_noticed),
		cmocka_unit_test(test_ways_that_are_alike_do_not_alternate),
		cmocka_unit_test(test_a_rank_that_did_not_run_changes_nothing),
		cmocka_unit_test(test_a_bad_start_is_soon_forgotten),
		cmocka_unit_test(
			test_a_receiver_that_says_nothing_gets_cached_blocks),
		cmocka_unit_test(test_what_a_small_block_costs),
		cmocka_unit_test(test_what_a_block_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
