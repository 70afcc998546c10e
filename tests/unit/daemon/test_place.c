/* SPDX-License-Identifier: MIT */
/*
 * test_place.c - who sits where on made-up machines
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "daemon/place.h"

/* Two nodes, each one cluster of two cores of two threads: cpus 0 1 | 2 3
 * are the cores of node 0, 4 5 | 6 7 those of node 1. */
#define MACHINE	"numa:2 l3:1 core:2 pu:2"

struct fixture {
	struct topo *t;
	struct place *p;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(topo_open_synthetic(&f->t, MACHINE), 0);
	assert_int_equal(place_open(&f->p, f->t, &place_compact), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	place_close(f->p);
	topo_close(f->t);
	free(f);
	return 0;
}

static struct place_seat take(struct fixture *f, const char *mask)
{
	struct place_seat seat = { .cpu = -2 };
	struct topo_set set;
	char why[128];

	if (mask)
		assert_int_equal(topo_set_parse(&set, mask), 0);
	assert_int_equal(place_take(f->p, mask ? &set : NULL, PLACE_NO_WISH,
				    &seat, why, sizeof(why)), 0);
	return seat;
}

static void expect_order(struct fixture *f, const int *cpus, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct place_seat seat = take(f, NULL);

		assert_int_equal(seat.cpu, cpus[i]);
		assert_int_equal(seat.node, cpus[i] / 4);
	}
}

static void test_compact_fills_a_cluster_first(void **state)
{
	/* Cores before sibling threads; a second round starts over. */
	static const int cpus[] = { 0, 2, 4, 6, 1, 3, 5, 7, 0, 2 };

	expect_order(*state, cpus, sizeof(cpus) / sizeof(cpus[0]));
}

static void test_spread_alternates_clusters(void **state)
{
	static const int cpus[] = { 0, 4, 2, 6, 1, 5, 3, 7, 0, 4 };
	struct fixture *f = *state;

	place_set_policy(f->p, &place_spread);
	expect_order(f, cpus, sizeof(cpus) / sizeof(cpus[0]));
}

static void test_a_free_core_is_taken_before_a_shared_one(void **state)
{
	struct fixture *f = *state;
	struct place_seat seat[4];

	for (int i = 0; i < 4; i++)
		seat[i] = take(f, NULL);
	place_give(f->p, &seat[1]);
	assert_int_equal(take(f, NULL).cpu, 2);

	/* Spread: the emptier cluster, not the next in turn. */
	place_set_policy(f->p, &place_spread);
	place_give(f->p, &seat[2]);
	place_give(f->p, &seat[3]);
	assert_int_equal(take(f, NULL).cpu, 4);
	assert_int_equal(take(f, NULL).cpu, 6);
}

static void test_a_mask_is_never_left(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 6; i++) {
		int cpu = take(f, "3,5,900").cpu;

		assert_true(cpu == 3 || cpu == 5);
	}
	assert_int_equal(place_on_cpu(f->p, 3), 3);
	assert_int_equal(place_on_cpu(f->p, 5), 3);
}

static void test_a_mask_without_an_online_cpu_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct place_seat seat;
	struct topo_set set;
	char why[128];

	assert_int_equal(topo_set_parse(&set, "8-20"), 0);
	assert_int_equal(place_take(f->p, &set, PLACE_NO_WISH, &seat, why,
				    sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "no cpu that is online"));
	assert_int_equal(place_total(f->p), 0);
}

static void test_a_wish_is_honoured_however_full(void **state)
{
	struct fixture *f = *state;
	struct place_seat seat;

	for (unsigned int i = 1; i <= 3; i++) {
		assert_int_equal(place_take(f->p, NULL, 6, &seat, NULL, 0),
				 0);
		assert_int_equal(seat.cpu, 6);
		assert_int_equal(seat.node, 1);
		assert_int_equal(place_on_cpu(f->p, 6), i);
	}
	place_set_policy(f->p, &place_none);
	assert_int_equal(place_take(f->p, NULL, 6, &seat, NULL, 0), 0);
	assert_int_equal(seat.cpu, 6);
}

static void test_a_wish_that_can_not_be_is_explained(void **state)
{
	struct fixture *f = *state;
	struct place_seat seat;
	struct topo_set set;
	char why[128];

	assert_int_equal(topo_set_parse(&set, "0-3"), 0);
	assert_int_equal(place_take(f->p, &set, 4, &seat, why, sizeof(why)),
			 -EPERM);
	assert_string_equal(why, "cpu 4 is outside the affinity of this "
			    "process; it may be one of 0-3");
	assert_int_equal(place_take(f->p, &set, 8, &seat, why, sizeof(why)),
			 -ENODEV);
	assert_string_equal(why, "cpu 8 is not online on this machine; it "
			    "may be one of 0-7");
	assert_int_equal(place_take(f->p, NULL, -7, &seat, why, sizeof(why)),
			 -ENODEV);
	assert_int_equal(place_take(f->p, NULL, 100000, &seat, why,
				    sizeof(why)), -ENODEV);
	assert_int_equal(place_total(f->p), 0);
}

static void test_none_pins_nobody(void **state)
{
	struct fixture *f = *state;
	struct place_seat a, b;

	place_set_policy(f->p, &place_none);
	a = take(f, NULL);
	b = take(f, "1,4-6");
	assert_int_equal(a.cpu, PLACE_NO_CPU);
	assert_int_equal(a.node, 0);
	assert_int_equal(b.cpu, PLACE_NO_CPU);
	assert_int_equal(b.node, 1);	/* most of its cpus are there */
	assert_int_equal(place_unpinned(f->p), 2);
	assert_int_equal(place_total(f->p), 2);
	place_give(f->p, &a);
	place_give(f->p, &b);
	assert_int_equal(place_unpinned(f->p), 0);
}

static void test_counts_by_cpu_core_and_cluster(void **state)
{
	struct fixture *f = *state;
	struct place_seat seat;

	assert_int_equal(place_take(f->p, NULL, 0, &seat, NULL, 0), 0);
	assert_int_equal(place_take(f->p, NULL, 1, &seat, NULL, 0), 0);
	assert_int_equal(place_on_cpu(f->p, 0), 1);
	assert_int_equal(place_on_core(f->p, 0), 2);
	assert_int_equal(place_on_core(f->p, 2), 0);
	assert_int_equal(place_on_cluster(f->p, 3), 2);
	assert_int_equal(place_on_cluster(f->p, 4), 0);
	assert_true(place_crowded(f->p, NULL));
	place_give(f->p, &seat);
	assert_int_equal(place_on_core(f->p, 0), 1);
	assert_int_equal(place_total(f->p), 1);
	assert_false(place_crowded(f->p, NULL));
}

static void test_crowding_is_seen_where_the_mask_looks(void **state)
{
	struct fixture *f = *state;
	struct place_seat seat;
	struct topo_set set;

	assert_int_equal(place_take(f->p, NULL, 0, &seat, NULL, 0), 0);
	assert_int_equal(place_take(f->p, NULL, 0, &seat, NULL, 0), 0);
	assert_int_equal(topo_set_parse(&set, "2-7"), 0);
	assert_false(place_crowded(f->p, &set));
	assert_true(place_crowded(f->p, NULL));

	/* Ranks that run anywhere crowd once they outnumber the cores. */
	place_give(f->p, &seat);
	place_set_policy(f->p, &place_none);
	for (int i = 0; i < 3; i++)
		take(f, NULL);
	assert_false(place_crowded(f->p, NULL));
	take(f, NULL);
	assert_true(place_crowded(f->p, NULL));
}

static void test_adopted_ranks_count(void **state)
{
	const struct place_seat there = { .cpu = 0 }, gone = { .cpu = 9 };
	const struct place_seat free_one = { .cpu = PLACE_NO_CPU };
	struct fixture *f = *state;

	assert_int_equal(place_adopt(f->p, &there), 0);
	assert_int_equal(place_adopt(f->p, &gone), -ENODEV);
	assert_int_equal(place_adopt(f->p, &free_one), 0);
	assert_int_equal(place_total(f->p), 2);
	assert_int_equal(take(f, NULL).cpu, 2);
	place_give(f->p, &there);
	assert_int_equal(take(f, NULL).cpu, 0);
}

static void test_a_plan_is_what_single_ranks_would_get(void **state)
{
	static const int32_t want[] = { 2, 4, 6, 1, 3, 5, 7, 0, 2 };
	struct fixture *f = *state;
	int32_t cpus[9] = { 0 };
	struct topo_set set;

	assert_int_equal(take(f, NULL).cpu, 0);
	assert_true(place_plan(f->p, 9, cpus));
	assert_memory_equal(cpus, want, sizeof(want));
	assert_int_equal(place_total(f->p), 10);
	assert_int_equal(place_on_cpu(f->p, 2), 2);
	place_set_policy(f->p, &place_none);
	assert_false(place_plan(f->p, 9, cpus));
	assert_int_equal(place_total(f->p), 10);

	assert_int_equal(topo_set_parse(&set, "0-7,9"), 0);
	assert_true(place_unbound(f->p, &set));
	assert_int_equal(topo_set_parse(&set, "0-5,7"), 0);
	assert_false(place_unbound(f->p, &set));
}

static void test_policies_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(place_policy_find("compact"), &place_compact);
	assert_ptr_equal(place_policy_find("spread"), &place_spread);
	assert_ptr_equal(place_policy_find("none"), &place_none);
	assert_null(place_policy_find("random"));
}

/* Every policy's order is strict, or choosing would hang on its input. */
static void test_orders_are_strict(void **state)
{
	static const struct place_policy *const all[] = { &place_compact,
							  &place_spread };
	struct fixture *f = *state;

	take(f, NULL);
	take(f, "5");
	for (unsigned int i = 0; i < 2; i++)
		for (unsigned int a = 0; a < 8; a++)
			for (unsigned int b = 0; b < 8; b++)
				assert_int_equal(a != b,
						 all[i]->before(f->p, a, b) +
						 all[i]->before(f->p, b, a));
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_compact_fills_a_cluster_first),
		T(test_spread_alternates_clusters),
		T(test_a_free_core_is_taken_before_a_shared_one),
		T(test_a_mask_is_never_left),
		T(test_a_mask_without_an_online_cpu_is_an_error),
		T(test_a_wish_is_honoured_however_full),
		T(test_a_wish_that_can_not_be_is_explained),
		T(test_none_pins_nobody),
		T(test_counts_by_cpu_core_and_cluster),
		T(test_crowding_is_seen_where_the_mask_looks),
		T(test_adopted_ranks_count),
		T(test_a_plan_is_what_single_ranks_would_get),
		T(test_policies_by_name),
		T(test_orders_are_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
