/* SPDX-License-Identifier: MIT */
/* test_cpu.c - what cpu.h says in this processor's own words, it understands */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shm/cpu.h"

/* A hint that is no instruction here, or a barrier it lacks, would end us. */
static void test_hints_and_fences_are_instructions(void **state)
{
	volatile unsigned int n = 0;

	(void)state;
	while (n < 1000) {
		cpu_pause();
		cpu_device_fence();
		cpu_settle();
		cpu_prefetch_write((const void *)((uintptr_t)n << 6));
		n = n + 1;
	}
	assert_int_equal(n, 1000);
}

static void test_a_line_is_copied_whole_wherever_it_lies(void **state)
{
	unsigned char from[256], to[256];

	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (unsigned char)(i * 7 + 1);
	for (size_t at = 0; at < 64; at++) {
		memset(to, 0, sizeof(to));
		cpu_copy_line(to + 64 + at, from + 63 - at);
		assert_memory_equal(to + 64 + at, from + 63 - at, 64);
		assert_int_equal(to[63 + at], 0);
		assert_int_equal(to[128 + at], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hints_and_fences_are_instructions),
		cmocka_unit_test(test_a_line_is_copied_whole_wherever_it_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
