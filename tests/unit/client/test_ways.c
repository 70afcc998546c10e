/* SPDX-License-Identifier: MIT */
/* test_ways.c - the way that costs less is found, and found again */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "client/ways.h"

#define BYTES 131072u
#define TRIES 4u

struct road {
	struct ways ways;
	uint32_t cost[2];
	unsigned int second;	/* of the last run, so many went that way */
};

static void run(struct road *r, unsigned int n, uint64_t first_ns,
		uint64_t second_ns)
{
	r->second = 0;
	for (unsigned int i = 0; i < n; i++) {
		bool second = ways_next(&r->ways, r->cost, TRIES);

		r->second += second;
		ways_learn(&r->cost[second], BYTES,
			   second ? second_ns : first_ns);
	}
}

static void test_what_costs_less_stays(void **state)
{
	struct road r = { 0 };

	(void)state;
	run(&r, 20000, 10000, 20000);
	assert_false(r.ways.second);
	assert_int_equal(r.cost[0], 5000);	/* for 64 KiB */
	assert_int_equal(r.cost[1], 10000);
	/* Tried, in 1024 times once. */
	assert_true(r.second >= 15 * TRIES);
	assert_true(r.second <= 20000 / 100);
}

static void test_it_is_tried_ever_more_rarely(void **state)
{
	struct road r = { 0 };
	unsigned int first;

	(void)state;
	for (unsigned int interval = 16; interval <= 1024; interval *= 2) {
		for (first = 0; r.second == 0; first++)
			run(&r, 1, 10000, 20000);
		/* The last of them is the try's first. */
		assert_int_equal(first, interval + 1);
		run(&r, TRIES - 1, 10000, 20000);
		assert_int_equal(r.second, TRIES - 1);
		r.second = 0;
	}
}

static void test_what_costs_more_is_left(void **state)
{
	struct road r = { 0 };

	(void)state;
	run(&r, 100, 20000, 10000);
	assert_true(r.ways.second);
	run(&r, 20000, 20000, 10000);
	assert_true(r.ways.second);
	assert_true(r.second >= 20000 - 20000 / 100);
	assert_true(r.second <= 20000 - 15 * TRIES);
}

static void test_a_change_is_noticed(void **state)
{
	struct road r = { 0 };

	(void)state;
	run(&r, 20000, 10000, 20000);
	/* Ours got slower than it was: at once. */
	run(&r, 100, 45000, 20000);
	assert_true(r.ways.second);
	/* The other got faster: its next try shows it. */
	run(&r, 20000, 45000, 20000);
	run(&r, 2000, 10000, 20000);
	assert_false(r.ways.second);
}

static void test_a_little_less_is_not_enough(void **state)
{
	struct road r = { 0 };

	(void)state;
	run(&r, 20000, 10000, 8500);
	assert_false(r.ways.second);
	run(&r, 2000, 10000, 7500);
	assert_true(r.ways.second);
	run(&r, 20000, 8500, 7500);
	assert_true(r.ways.second);
}

/* No time is known of it: it may be impossible. */
static void test_what_is_not_known_is_not_taken(void **state)
{
	struct ways w = { 0 };
	const uint32_t cost[2] = { 1000000, 0 };
	unsigned int second = 0;

	(void)state;
	for (int i = 0; i < 5000; i++)
		second += ways_next(&w, cost, TRIES);
	assert_false(w.second);
	assert_true(second > 0 && second < 5000 / 10);
}

static void test_one_wild_time_says_little(void **state)
{
	struct road r = { 0 };

	(void)state;
	run(&r, 5000, 10000, 20000);
	for (int i = 0; i < 20; i++) {
		ways_learn(&r.cost[0], BYTES, 50000000);
		run(&r, 100, 10000, 20000);
	}
	assert_false(r.ways.second);
}

static void test_a_bad_start_is_soon_forgotten(void **state)
{
	struct road r = { 0 };

	(void)state;
	ways_learn(&r.cost[0], BYTES, 10000000);
	run(&r, 200, 10000, 20000);
	assert_false(r.ways.second);
}

static void test_absurd_times_are_bounded(void **state)
{
	uint32_t known = 0;

	(void)state;
	ways_learn(&known, BYTES, 0);
	assert_int_equal(known, 1);
	known = 0;
	ways_learn(&known, 1, UINT64_C(1) << 40);
	assert_int_equal(known, UINT32_MAX / 4);
	for (int i = 0; i < 10; i++)
		ways_learn(&known, 1, UINT64_C(1) << 40);
	assert_int_equal(known, UINT32_MAX / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_costs_less_stays),
		cmocka_unit_test(test_it_is_tried_ever_more_rarely),
		cmocka_unit_test(test_what_costs_more_is_left),
		cmocka_unit_test(test_a_change_is_noticed),
		cmocka_unit_test(test_a_little_less_is_not_enough),
		cmocka_unit_test(test_what_is_not_known_is_not_taken),
		cmocka_unit_test(test_one_wild_time_says_little),
		cmocka_unit_test(test_a_bad_start_is_soon_forgotten),
		cmocka_unit_test(test_absurd_times_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
