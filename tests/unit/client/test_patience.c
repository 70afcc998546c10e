/* SPDX-License-Identifier: MIT */
/*
 * test_patience.c - the waiting policy, fed with costs and outcomes
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/patience.h"

#define WAKE  16000u
#define YIELD 1400u
#define HAND  2400u
#define SPIN  64000u
#define LATE  700000u /* a yield to somebody who computes */

static struct patience p;
static struct patience_wait w;
static uint64_t now, messages;

static int setup(void **state)
{
	(void)state;
	patience_init(&p, SPIN, false, WAKE, YIELD, HAND);
	patience_anew(&w);
	now = UINT64_C(1000000000);
	messages = 0;
	return 0;
}

static enum patience_way way(uint32_t sharers, uint64_t waited)
{
	return patience_way(&p, &w, sharers, PATIENCE_UNKNOWN, waited, now);
}

/* The first waited_ns at which we sleep, with the core to ourselves. */
static uint64_t bound(enum patience_hint hint)
{
	uint64_t ns = 0;

	while (patience_way(&p, &w, 1, hint, ns, now) == PATIENCE_SPIN)
		ns += 1000;
	return ns;
}

static void yielded(uint32_t sharers, uint64_t took, bool work)
{
	now += took;
	patience_yielded(&p, &w, sharers, took, work, messages, now);
}

static void test_alone_on_the_core_we_spin_then_sleep(void **state)
{
	(void)state;
	assert_int_equal(way(1, 0), PATIENCE_SPIN);
	assert_int_equal(way(1, SPIN - 1), PATIENCE_SPIN);
	assert_int_equal(way(1, SPIN), PATIENCE_SLEEP);
	/* Before the daemon has said anything. */
	assert_int_equal(way(0, 0), PATIENCE_SPIN);
}

static void test_nothing_to_spin_for_is_sleeping_at_once(void **state)
{
	(void)state;
	patience_init(&p, 0, true, WAKE, YIELD, HAND);
	assert_int_equal(way(1, 0), PATIENCE_SLEEP);
	assert_int_equal(way(5, 0), PATIENCE_SLEEP);
}

static void test_hints_make_a_spin_longer_or_shorter(void **state)
{
	(void)state;
	assert_int_equal(bound(PATIENCE_UNKNOWN), SPIN);
	assert_int_equal(bound(PATIENCE_RUNS), 2000000);
	assert_int_equal(bound(PATIENCE_RESTS), WAKE);
	/* Never the other way. */
	patience_init(&p, 8000, false, WAKE, YIELD, HAND);
	assert_int_equal(bound(PATIENCE_RESTS), 8000);
	patience_init(&p, 3000000, false, WAKE, YIELD, HAND);
	assert_int_equal(bound(PATIENCE_RUNS), 3000000);
	/* What is configured holds. */
	patience_init(&p, SPIN, true, WAKE, YIELD, HAND);
	assert_int_equal(bound(PATIENCE_RUNS), SPIN);
	assert_int_equal(bound(PATIENCE_RESTS), SPIN);
	patience_init(&p, SPIN, false, WAKE, YIELD, HAND);
	/* And so does what sharers need. */
	for (int h = PATIENCE_UNKNOWN; h <= PATIENCE_RESTS; h++) {
		assert_int_equal(patience_way(&p, &w, 2, h, 2 * SPIN - 1, now),
				 PATIENCE_YIELD);
		assert_int_equal(patience_way(&p, &w, 2, h, 2 * SPIN, now),
				 PATIENCE_SLEEP);
	}
	/* Among sharers that do not want the core we are as good as alone. */
	yielded(2, YIELD / 2, false);
	assert_true(patience_alone(&w, 2));
	assert_int_not_equal(patience_way(&p, &w, 2, PATIENCE_RUNS, 1999999,
					  now), PATIENCE_SLEEP);
	assert_int_equal(patience_way(&p, &w, 2, PATIENCE_RUNS, 2000000, now),
			 PATIENCE_SLEEP);
	assert_int_equal(patience_way(&p, &w, 2, PATIENCE_RESTS, WAKE, now),
			 PATIENCE_SLEEP);
}

static void test_where_all_poll_we_yield_on(void **state)
{
	(void)state;
	for (uint32_t sharers = 2; sharers <= 8; sharers++) {
		patience_anew(&w);
		for (int i = 0; i < 1000; i++) {
			assert_int_equal(way(sharers, SPIN - 1),
					 PATIENCE_YIELD);
			/* Once through all of them, there and back. */
			yielded(sharers, 2 * YIELD * (sharers - 1), false);
		}
		/* Each gets its share of the time to spin. */
		assert_int_equal(way(sharers, (uint64_t)SPIN * sharers - 1),
				 PATIENCE_YIELD);
		assert_int_equal(way(sharers, (uint64_t)SPIN * sharers),
				 PATIENCE_SLEEP);
	}
}

static void test_three_yields_for_nothing_are_enough(void **state)
{
	(void)state;
	for (uint32_t sharers = 2; sharers < 5; sharers++) {
		patience_anew(&w);
		for (int i = 0; i < 3; i++) {
			assert_false(patience_enough(&p, &w, sharers));
			/* One that brought something costs nobody a switch. */
			yielded(sharers, 2 * YIELD, true);
			yielded(sharers, 2 * YIELD, false);
		}
		assert_true(patience_enough(&p, &w, sharers) == (sharers > 2));
		/* Nobody was there: there is no one to wait for the core. */
		yielded(sharers, YIELD / 2, false);
		assert_false(patience_enough(&p, &w, sharers));
		yielded(sharers, 2 * YIELD, false);
		assert_true(patience_enough(&p, &w, sharers) == (sharers > 2));
	}
	patience_anew(&w);
	assert_false(patience_enough(&p, &w, 4));
	/* What is configured holds. */
	patience_init(&p, SPIN, true, WAKE, YIELD, HAND);
	for (int i = 0; i < 3; i++)
		yielded(4, 2 * YIELD, false);
	assert_false(patience_enough(&p, &w, 4));
}

static void test_what_is_configured_holds_with_sharers_too(void **state)
{
	(void)state;
	patience_init(&p, SPIN, true, WAKE, YIELD, HAND);
	assert_int_equal(way(4, SPIN - 1), PATIENCE_YIELD);
	assert_int_equal(way(4, SPIN), PATIENCE_SLEEP);
}

static void test_two_far_yields_for_nothing_and_we_sleep(void **state)
{
	(void)state;
	yielded(2, LATE, false);
	assert_int_equal(way(2, LATE % SPIN), PATIENCE_YIELD);
	yielded(2, LATE, false);
	assert_int_equal(way(2, 0), PATIENCE_SLEEP);
	/* In the next waits too. */
	patience_anew(&w);
	assert_int_equal(way(2, 0), PATIENCE_SLEEP);
	/* For four times what it cost. */
	now += 4 * 2 * LATE - 1;
	assert_int_equal(way(2, 0), PATIENCE_SLEEP);
	now += 1;
	assert_int_equal(way(2, 0), PATIENCE_YIELD);
}

static void test_what_is_learnt_again_holds_longer(void **state)
{
	static const uint32_t times[] = { 4, 8, 16, 20, 20 };

	(void)state;
	for (unsigned int i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		yielded(2, LATE, true);
		yielded(2, LATE, true);
		now += (uint64_t)times[i] * 2 * LATE - 1;
		assert_int_equal(way(2, 0), PATIENCE_SLEEP);
		now += 1;
		assert_int_equal(way(2, 0), PATIENCE_YIELD);
	}
	/* Until once it does not turn out. */
	yielded(2, LATE, true);
	messages += LATE / WAKE + 1;
	yielded(2, LATE, true);
	assert_int_equal(way(2, 0), PATIENCE_YIELD);
	yielded(2, LATE, true);
	now += 4 * 2 * LATE;
	assert_int_equal(way(2, 0), PATIENCE_YIELD);
}

static void test_late_is_late_whatever_it_brought(void **state)
{
	(void)state;
	yielded(2, LATE, true);
	patience_anew(&w);
	yielded(2, LATE, true);
	patience_anew(&w);
	assert_int_equal(way(2, 0), PATIENCE_SLEEP);
}

static void test_work_that_took_a_little_longer_is_no_loss(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		yielded(2, 2 * WAKE, true);
		assert_int_equal(way(2, 0), PATIENCE_YIELD);
	}
	/* Nor is it a gain: it does not make up for one that was. */
	yielded(2, LATE, false);
	yielded(2, 2 * WAKE, true);
	yielded(2, LATE, false);
	assert_int_equal(way(2, 0), PATIENCE_SLEEP);
}

static void test_messages_buy_off_what_others_lost(void **state)
{
	(void)state;
	yielded(2, LATE, false);
	for (unsigned int saved = 0; saved < LATE; saved += WAKE)
		messages++;
	yielded(2, LATE, false);
	assert_int_equal(way(2, 0), PATIENCE_YIELD);
	/* A yield that met only others that poll says nothing. */
	yielded(2, 2 * YIELD, false);
	yielded(2, LATE, false);
	assert_int_equal(way(2, 0), PATIENCE_SLEEP);
}

/* A pair that talks for a slice, then another one. */
static void test_many_messages_between_two_slices_pay_for_them(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(way(2, 0), PATIENCE_YIELD);
		yielded(2, LATE, true);
		patience_anew(&w);
		messages += LATE / WAKE + 1;
	}
	assert_int_equal(way(2, 0), PATIENCE_YIELD);
	/* Too few. */
	yielded(2, LATE, true);
	messages += LATE / WAKE / 2;
	yielded(2, LATE, true);
	assert_int_equal(way(2, 0), PATIENCE_SLEEP);
}

/* Two that talk and one who computes, all on one core. */
static void test_one_that_pays_between_two_slices_buys_off_neither(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(way(3, 0), PATIENCE_YIELD);
		yielded(3, LATE, true);
		patience_anew(&w);
		yielded(3, 2 * YIELD, true);
		messages += 2;
		patience_anew(&w);
	}
	assert_int_equal(way(3, 0), PATIENCE_SLEEP);
}

static void test_a_cheap_lesson_is_soon_forgotten(void **state)
{
	uint64_t took = WAKE + 2 * YIELD + 1;

	(void)state;
	yielded(2, took - 1, false);
	yielded(2, took - 1, false);
	assert_int_equal(way(2, 0), PATIENCE_YIELD);
	yielded(2, took, false);
	yielded(2, took, false);
	assert_int_equal(way(2, 0), PATIENCE_SLEEP);
	now += 4 * 2 * took;
	assert_int_equal(way(2, 0), PATIENCE_YIELD);
}

static void test_it_is_forgotten_when_ranks_come_or_go(void **state)
{
	(void)state;
	yielded(3, LATE, false);
	yielded(3, LATE, false);
	assert_int_equal(way(3, 0), PATIENCE_SLEEP);
	assert_int_equal(way(2, 0), PATIENCE_YIELD);
	assert_int_equal(way(4, 0), PATIENCE_YIELD);
	assert_int_equal(way(1, 0), PATIENCE_SPIN);
}

static void test_with_nobody_there_we_spin_and_ask_again(void **state)
{
	unsigned int yields = 0;

	(void)state;
	assert_int_equal(way(2, 0), PATIENCE_YIELD);
	for (int i = 0; i < 1600; i++) {
		if (way(2, 100) != PATIENCE_YIELD)
			continue;
		yields++;
		yielded(2, 300, false);
	}
	assert_in_range(yields, 99, 102);
	/* The core is ours: as long as if nobody shared it. */
	assert_int_not_equal(way(2, SPIN - 1), PATIENCE_SLEEP);
	assert_int_equal(way(2, SPIN), PATIENCE_SLEEP);
	/* Until somebody comes. */
	yielded(2, 3 * YIELD, false);
	assert_int_equal(way(2, SPIN), PATIENCE_YIELD);
}

static bool keeps(bool moving, bool wanted)
{
	return patience_keeps(&p, &w, moving, wanted, now);
}

static void test_a_core_that_no_mate_wants_is_kept_for_a_while(void **state)
{
	(void)state;
	/* First comes up who is wanted next. */
	assert_false(keeps(false, false));
	yielded(2, YIELD, false);
	assert_true(keeps(false, false));
	now += YIELD;
	assert_false(keeps(false, true));
	assert_true(keeps(false, false));
	now += 7 * YIELD - 1;
	assert_true(keeps(false, false));
	now += 1;
	assert_false(keeps(false, false));
	/* From the next yield on, again; and again after some work. */
	yielded(2, YIELD, false);
	assert_true(keeps(false, false));
	patience_anew(&w);
	assert_false(keeps(false, false));
}

static void test_what_moves_keeps_it_from_those_who_want_it(void **state)
{
	(void)state;
	assert_true(keeps(true, true));
	now += 2 * YIELD - 1;
	assert_true(keeps(true, true));
	now += 1;
	assert_false(keeps(true, true));
	assert_true(keeps(true, false));
	now += 6 * YIELD;
	assert_false(keeps(true, false));
}

static void test_costs_that_were_not_measured_are_usual(void **state)
{
	(void)state;
	patience_init(&p, SPIN, false, 0, 0, 0);
	assert_in_range(p.wake_ns, 5000, 50000);
	assert_in_range(p.yield_ns, 300, 5000);
	assert_in_range(p.hand_ns, 500, 10000);
}

static void test_absurd_costs_and_sharers_end_in_sleep(void **state)
{
	(void)state;
	patience_init(&p, UINT32_MAX, false, UINT32_MAX, UINT32_MAX,
		      UINT32_MAX);
	assert_int_equal(way(UINT32_MAX, (uint64_t)UINT32_MAX * 64),
			 PATIENCE_SLEEP);
	yielded(UINT32_MAX, UINT64_C(1) << 40, false);
	yielded(UINT32_MAX, UINT64_C(1) << 40, false);
	assert_int_equal(way(UINT32_MAX, 0), PATIENCE_SLEEP);
	now += UINT64_C(1000000000);
	assert_int_equal(way(UINT32_MAX, 0), PATIENCE_YIELD);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_alone_on_the_core_we_spin_then_sleep),
		T(test_nothing_to_spin_for_is_sleeping_at_once),
		T(test_where_all_poll_we_yield_on),
		T(test_hints_make_a_spin_longer_or_shorter),
		T(test_three_yields_for_nothing_are_enough),
		T(test_what_is_configured_holds_with_sharers_too),
		T(test_two_far_yields_for_nothing_and_we_sleep),
		T(test_what_is_learnt_again_holds_longer),
		T(test_late_is_late_whatever_it_brought),
		T(test_work_that_took_a_little_longer_is_no_loss),
		T(test_messages_buy_off_what_others_lost),
		T(test_many_messages_between_two_slices_pay_for_them),
		T(test_one_that_pays_between_two_slices_buys_off_neither),
		T(test_a_cheap_lesson_is_soon_forgotten),
		T(test_it_is_forgotten_when_ranks_come_or_go),
		T(test_with_nobody_there_we_spin_and_ask_again),
		T(test_a_core_that_no_mate_wants_is_kept_for_a_while),
		T(test_what_moves_keeps_it_from_those_who_want_it),
		T(test_costs_that_were_not_measured_are_usual),
		T(test_absurd_costs_and_sharers_end_in_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
