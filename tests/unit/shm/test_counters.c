/* SPDX-License-Identifier: MIT */
/* test_counters.c - counters add up, have names, and keep their places */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "shm/counters.h"

static void test_each_counts_for_itself(void **state)
{
	struct snoo_abi_rank slot;

	(void)state;
	memset(&slot, 0, sizeof(slot));
	for (int c = 0; c < SHM_COUNTERS; c++)
		shm_count(&slot, (enum shm_counter)c, (uint64_t)c + 1);
	for (int c = 0; c < SHM_COUNTERS; c++) {
		shm_count(&slot, (enum shm_counter)c, 1000);
		assert_int_equal(shm_counter(&slot, (enum shm_counter)c),
				 (uint64_t)c + 1001);
	}
	/* Nothing else of the slot was touched. */
	for (size_t i = SHM_COUNTERS;
	     i < sizeof(slot.counters) / sizeof(slot.counters[0]); i++)
		assert_int_equal(slot.counters[i], 0);
	for (size_t i = 0; i < offsetof(struct snoo_abi_rank, counters); i++)
		assert_int_equal(((unsigned char *)&slot)[i], 0);
}

static void test_more_than_32_bits(void **state)
{
	struct snoo_abi_rank slot;

	(void)state;
	memset(&slot, 0, sizeof(slot));
	shm_count(&slot, SHM_COUNT_sent_bytes, UINT32_MAX);
	shm_count(&slot, SHM_COUNT_sent_bytes, UINT32_MAX);
	assert_true(shm_counter(&slot, SHM_COUNT_sent_bytes) ==
		    2 * (uint64_t)UINT32_MAX);
}

static void test_names_are_there_and_differ(void **state)
{
	(void)state;
	for (int c = 0; c < SHM_COUNTERS; c++) {
		const struct shm_counter_info *i = &shm_counter_info[c];

		assert_true(strlen(i->name) > 0);
		assert_true(strlen(i->unit) > 0);
		assert_true(strlen(i->meaning) > 0);
		assert_int_equal(strspn(i->name, "abcdefghijklmnopqrstuvwxyz_"),
				 strlen(i->name));
		for (int d = 0; d < c; d++)
			assert_string_not_equal(i->name,
						shm_counter_info[d].name);
	}
}

/* The order is the index in shared memory: new ones go at the end. */
static void test_the_first_and_a_late_one_keep_their_places(void **state)
{
	(void)state;
	assert_int_equal(SHM_COUNT_sent_register, 0);
	assert_string_equal(shm_counter_info[0].name, "sent_register");
	assert_int_equal(SHM_COUNT_missed_bells, 14);
	assert_string_equal(shm_counter_info[14].name, "missed_bells");
	assert_int_equal(SHM_COUNT_reconnects, 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_counts_for_itself),
		cmocka_unit_test(test_more_than_32_bits),
		cmocka_unit_test(test_names_are_there_and_differ),
		cmocka_unit_test(test_the_first_and_a_late_one_keep_their_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
