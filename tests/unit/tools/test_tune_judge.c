/* SPDX-License-Identifier: MIT */
/* test_tune_judge.c - noise never replaces a default, a real gain does */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/tune_judge.h"

static struct tune_table t;
static struct tune_gain gain[TUNE_CANDIDATES];

/* Between 1 - @by and 1 + @by; the same in each run. */
static double noise(double by)
{
	static unsigned int x = 1;

	x = x * 1103515245 + 12345;
	return 1 + by * ((double)(x >> 16 & 0x7fff) / 16384 - 1);
}

/* All as fast as each other, but for @by of noise in every single time. */
static int fill(double by)
{
	t.candidates = 4;
	t.cases = 6;
	t.rounds = 15;
	for (unsigned int c = 0; c < t.candidates; c++)
		for (unsigned int r = 0; r < t.rounds; r++)
			for (unsigned int k = 0; k < t.cases; k++)
				t.ns[c][r][k] = 1000 * (k + 1) * noise(by);
	return 0;
}

static void faster(unsigned int c, double by)
{
	for (unsigned int r = 0; r < t.rounds; r++)
		for (unsigned int k = 0; k < t.cases; k++)
			t.ns[c][r][k] /= by;
}

static void test_noise_alone_changes_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		fill(0.3);
		assert_int_equal(tune_best(&t, gain), 0);
	}
}

static void test_a_clear_gain_is_taken(void **state)
{
	(void)state;
	fill(0.03);
	faster(2, 1.2);
	faster(3, 1.5);
	assert_int_equal(tune_best(&t, gain), 3);
	assert_true(gain[3].median > 1.4 && gain[3].median < 1.6);
}

static void test_a_small_gain_is_not_worth_it(void **state)
{
	(void)state;
	fill(0.001);
	faster(2, 1.03);
	assert_int_equal(tune_best(&t, gain), 0);
}

/* A window that helps 4 MiB and halves 64 KiB. */
static void test_a_gain_that_one_size_pays_for_is_not_taken(void **state)
{
	(void)state;
	fill(0.01);
	faster(2, 2);
	for (unsigned int r = 0; r < t.rounds; r++)
		t.ns[2][r][0] *= 3;
	assert_int_equal(tune_best(&t, gain), 0);
	assert_true(gain[2].median > TUNE_MARGIN);
	assert_true(gain[2].worst < TUNE_WORST);
}

/* Faster in half of the rounds: that was the machine. */
static void test_a_gain_in_some_rounds_is_not_taken(void **state)
{
	(void)state;
	fill(0.01);
	for (unsigned int r = 0; r < t.rounds; r++)
		for (unsigned int k = 0; k < t.cases; k++)
			t.ns[2][r][k] *= r % 3 ? 0.5 : 1.5;
	assert_true(tune_best(&t, gain) == 0 || gain[2].lower >= TUNE_FLOOR);
	for (unsigned int r = 0; r < t.rounds; r++)
		for (unsigned int k = 0; k < t.cases; k++)
			t.ns[2][r][k] = t.ns[0][r][k] * (r % 2 ? 0.5 : 1.1);
	assert_int_equal(tune_best(&t, gain), 0);
}

static void test_what_disturbs_all_in_a_round_does_not_matter(void **state)
{
	(void)state;
	fill(0.01);
	faster(2, 1.3);
	for (unsigned int c = 0; c < t.candidates; c++)
		for (unsigned int k = 0; k < t.cases; k++)
			for (unsigned int r = 0; r < t.rounds; r += 2)
				t.ns[c][r][k] *= 5;
	assert_int_equal(tune_best(&t, gain), 2);
}

static void test_a_default_that_differs_from_itself_ends_it(void **state)
{
	(void)state;
	fill(0.01);
	faster(3, 3);
	faster(1, 1.3);
	assert_int_equal(tune_best(&t, gain), 0);
	assert_false(tune_steady(gain));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_noise_alone_changes_nothing),
		cmocka_unit_test(test_a_clear_gain_is_taken),
		cmocka_unit_test(test_a_small_gain_is_not_worth_it),
		cmocka_unit_test(
			test_a_gain_that_one_size_pays_for_is_not_taken),
		cmocka_unit_test(test_a_gain_in_some_rounds_is_not_taken),
		cmocka_unit_test(
			test_what_disturbs_all_in_a_round_does_not_matter),
		cmocka_unit_test(
			test_a_default_that_differs_from_itself_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
