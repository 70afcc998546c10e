/* SPDX-License-Identifier: MIT */
/* test_copy.c - every length and alignment around the switch arrives whole */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "shm/copy.h"

#define MOST	5000
#define EDGE	64

static unsigned char from[MOST + 2 * EDGE];
_Alignas(EDGE) static unsigned char to[MOST + 2 * EDGE];

typedef void copier(void *to, const void *from, size_t n);

static copier *const copiers[] = { shm_copy_in, shm_copy_out };

static void check(copier *copy, size_t n, size_t at_from, size_t at_to)
{
	memset(to, 0xee, sizeof(to));
	copy(to + EDGE + at_to, from + at_from, n);
	assert_memory_equal(to + EDGE + at_to, from + at_from, n);
	for (size_t i = 0; i < EDGE + at_to; i++)
		assert_int_equal(to[i], 0xee);
	for (size_t i = EDGE + at_to + n; i < sizeof(to); i++)
		assert_int_equal(to[i], 0xee);
}

static void test_every_length_and_nothing_around_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (unsigned char)(i * 37 + i / 251);
	for (size_t i = 0; i < sizeof(copiers) / sizeof(copiers[0]); i++) {
		for (size_t n = 0; n < 200; n++)
			check(copiers[i], n, n % 9, n % 7);
		for (size_t n = 450; n < 1200; n++)
			check(copiers[i], n, n % 17, n % 13);
		check(copiers[i], MOST - EDGE, 0, 0);
		check(copiers[i], MOST - EDGE, 1, 3);
	}
}

static void test_past_the_cache_too(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (unsigned char)(i * 41 + i / 253);
	for (size_t n = 0; n < 400; n++)
		check(shm_copy_far, n, n % 19, n % 4 * 16);
	check(shm_copy_far, MOST - EDGE, 1, 48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length_and_nothing_around_it),
		cmocka_unit_test(test_past_the_cache_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
