/* SPDX-License-Identifier: MIT */
/*
 * test_costs.c - what waiting costs: measured, or said why not
 *
 * No time is judged: the machine may be as busy as it likes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/costs.h"

static struct topo *topo;

static int setup(void **state)
{
	(void)state;
	return topo_open(&topo);
}

static int teardown(void **state)
{
	(void)state;
	topo_close(topo);
	return 0;
}

static void test_what_is_missing_has_a_reason(void **state)
{
	struct topo_set before, after;
	struct costs c;

	(void)state;
	assert_int_equal(topo_set_of(&before, 0), 0);
	costs_measure(&c, topo);
	assert_true((c.wake_ns && c.yield_ns && c.hand_ns) == (*c.why == '\0'));
	/* All as before: where we may run, and no child. */
	assert_int_equal(topo_set_of(&after, 0), 0);
	assert_true(topo_set_equal(&before, &after));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_one_cpu_has_no_idle_core_to_wake(void **state)
{
	struct topo_set before, one;
	struct costs c;

	(void)state;
	assert_int_equal(topo_set_of(&before, 0), 0);
	assert_int_equal(topo_pin(0, topo_set_next(&before, 0)), 0);
	costs_measure(&c, topo);
	assert_int_equal(c.wake_ns, 0);
	assert_non_null(strstr(c.why, "one core"));
	assert_int_equal(topo_set_of(&one, 0), 0);
	assert_int_equal(topo_set_count(&one), 1);
	assert_int_equal(topo_confine(0, &before), 0);
}

static void test_a_spin_is_several_wake_ups_within_limits(void **state)
{
	struct costs c = { 0 };
	uint32_t usual = costs_spin_ns(&c);

	(void)state;
	assert_in_range(usual, 10000, 200000);
	c.wake_ns = 16000;
	assert_int_equal(costs_spin_ns(&c), 64000);
	c.wake_ns = 1;
	assert_int_equal(costs_spin_ns(&c), 20000);
	c.wake_ns = UINT32_MAX;
	assert_int_equal(costs_spin_ns(&c), 1000000);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_is_missing_has_a_reason),
		T(test_one_cpu_has_no_idle_core_to_wake),
		T(test_a_spin_is_several_wake_ups_within_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
