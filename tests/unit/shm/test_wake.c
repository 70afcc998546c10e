/* SPDX-License-Identifier: MIT */
/* test_wake.c - the wait word: who must be rung, whose bit is set */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "shm/wake.h"

static struct snoo_abi_rank slot;

static int setup(void **state)
{
	memset(&slot, 0, sizeof(slot));
	*state = NULL;
	return 0;
}

static uint32_t bits(uint32_t i)
{
	return atomic_load_explicit(&slot.summary[i], memory_order_relaxed);
}

static void clear(uint32_t i)
{
	atomic_store_explicit(&slot.summary[i], 0, memory_order_relaxed);
}

static void test_the_word_keeps_its_fields_apart(void **state)
{
	uint64_t w = wake_word(SNOO_ABI_ASLEEP_EVENTFD, SNOO_ABI_ANY);

	(void)state;
	assert_true(w == UINT64_C(0xffffffff03));
	assert_int_equal(wake_mode(w), SNOO_ABI_ASLEEP_EVENTFD);
	assert_int_equal(wake_wanted(w), SNOO_ABI_ANY);
	w = wake_word(SNOO_ABI_POLLING, 0x12345678);
	assert_int_equal(wake_mode(w), SNOO_ABI_POLLING);
	assert_int_equal(wake_wanted(w), 0x12345678);
}

/* Room wakes those who may be waiting for some. */
static void test_what_was_given_back_wakes_who_wants_anything(void **state)
{
	(void)state;
	shm_wake_arm(&slot, SNOO_ABI_ASLEEP_FUTEX, 3);
	assert_int_equal(shm_wake_returned(&slot, 3), SHM_WAKE_NONE);
	assert_int_equal(bits(0), 0);
	assert_int_equal(shm_wake_check(&slot, 3), SHM_WAKE_FUTEX);
	clear(0);
	shm_wake_arm(&slot, SNOO_ABI_ASLEEP_FUTEX, SNOO_ABI_ANY);
	assert_int_equal(shm_wake_returned(&slot, 3), SHM_WAKE_FUTEX);
	assert_int_equal(bits(0), 1u << 3);
	clear(0);
	shm_wake_arm(&slot, SNOO_ABI_SUMMARY, SNOO_ABI_ANY);
	assert_int_equal(shm_wake_returned(&slot, 4), SHM_WAKE_NONE);
	assert_int_equal(bits(0), 1u << 4);
	clear(0);
	shm_wake_arm(&slot, SNOO_ABI_POLLING, SNOO_ABI_ANY);
	assert_int_equal(shm_wake_returned(&slot, 5), SHM_WAKE_NONE);
	assert_int_equal(bits(0), 0);
}

/* A fresh slot is zero: that must mean polling, and ring nobody. */
static void test_a_fresh_slot_polls(void **state)
{
	(void)state;
	assert_int_equal(shm_wake_check(&slot, 3), SHM_WAKE_NONE);
	assert_int_equal(bits(0), 0);
}

static void test_arm_writes_the_word_and_nothing_else(void **state)
{
	struct snoo_abi_rank want = slot;

	(void)state;
	shm_wake_arm(&slot, SNOO_ABI_ASLEEP_FUTEX, 5);
	want.wait = wake_word(SNOO_ABI_ASLEEP_FUTEX, 5);
	assert_memory_equal(&slot, &want, sizeof(want));
}

static void test_each_mode_has_its_own_bell(void **state)
{
	static const struct {
		enum snoo_abi_wait mode;
		enum shm_wake wake;
		uint32_t bits;
	} want[] = {
		{ SNOO_ABI_POLLING, SHM_WAKE_NONE, 0 },
		{ SNOO_ABI_SUMMARY, SHM_WAKE_NONE, 1u << 9 },
		{ SNOO_ABI_ASLEEP_FUTEX, SHM_WAKE_FUTEX, 1u << 9 },
		{ SNOO_ABI_ASLEEP_EVENTFD, SHM_WAKE_EVENTFD, 1u << 9 },
		{ (enum snoo_abi_wait)0x77, SHM_WAKE_NONE, 1u << 9 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		clear(0);
		shm_wake_arm(&slot, want[i].mode, SNOO_ABI_ANY);
		assert_int_equal(shm_wake_check(&slot, 9), want[i].wake);
		assert_int_equal(bits(0), want[i].bits);
	}
}

static void test_only_the_wanted_source_rings(void **state)
{
	(void)state;
	shm_wake_arm(&slot, SNOO_ABI_ASLEEP_FUTEX, 5);
	assert_int_equal(shm_wake_check(&slot, 4), SHM_WAKE_NONE);
	assert_int_equal(shm_wake_check(&slot, 6), SHM_WAKE_NONE);
	assert_int_equal(shm_wake_check(&slot, 1023), SHM_WAKE_NONE);
	assert_int_equal(bits(0), 0);
	assert_int_equal(bits(31), 0);
	assert_int_equal(shm_wake_check(&slot, 5), SHM_WAKE_FUTEX);
	assert_int_equal(bits(0), 1u << 5);

	shm_wake_arm(&slot, SNOO_ABI_SUMMARY, 0);
	assert_int_equal(shm_wake_check(&slot, 1), SHM_WAKE_NONE);
	assert_int_equal(bits(0), 1u << 5);
	assert_int_equal(shm_wake_check(&slot, 0), SHM_WAKE_NONE);
	assert_int_equal(bits(0), 1u << 5 | 1);
}

static void test_any_is_everybody(void **state)
{
	(void)state;
	shm_wake_arm(&slot, SNOO_ABI_ASLEEP_EVENTFD, SNOO_ABI_ANY);
	for (uint32_t s = 0; s < SNOO_ABI_JOB_RANKS; s += 31)
		assert_int_equal(shm_wake_check(&slot, s), SHM_WAKE_EVENTFD);
}

/* The daemon is nobody's source: whatever is wanted, it is; and no bit. */
static void test_the_daemon_is_always_wanted(void **state)
{
	(void)state;
	shm_wake_arm(&slot, SNOO_ABI_ASLEEP_FUTEX, 5);
	assert_int_equal(shm_wake_check(&slot, SNOO_ABI_ANY), SHM_WAKE_FUTEX);
	shm_wake_arm(&slot, SNOO_ABI_SUMMARY, 5);
	assert_int_equal(shm_wake_check(&slot, SNOO_ABI_ANY), SHM_WAKE_NONE);
	for (uint32_t i = 0; i < SNOO_ABI_JOB_RANKS / 32; i++)
		assert_int_equal(bits(i), 0);
}

static void test_every_source_has_its_bit(void **state)
{
	(void)state;
	shm_wake_arm(&slot, SNOO_ABI_SUMMARY, SNOO_ABI_ANY);
	for (uint32_t s = 0; s < SNOO_ABI_JOB_RANKS; s++) {
		shm_wake_check(&slot, s);
		assert_int_equal(bits(s / 32), 1u << s % 32);
		assert_int_equal(shm_wake_collect(slot.summary, s / 32),
				 1u << s % 32);
		assert_int_equal(bits(s / 32), 0);
	}
}

/* A source beyond the bitmap must not write behind it. */
static void test_an_impossible_source_sets_no_bit(void **state)
{
	struct snoo_abi_rank want;

	(void)state;
	shm_wake_arm(&slot, SNOO_ABI_ASLEEP_FUTEX, SNOO_ABI_ANY);
	want = slot;
	assert_int_equal(shm_wake_check(&slot, SNOO_ABI_JOB_RANKS),
			 SHM_WAKE_FUTEX);
	assert_int_equal(shm_wake_check(&slot, UINT32_MAX - 1),
			 SHM_WAKE_FUTEX);
	assert_memory_equal(&slot, &want, sizeof(want));
}

static void test_collect_takes_one_word_and_leaves_the_others(void **state)
{
	(void)state;
	shm_wake_flag(slot.newcomers, 0);
	shm_wake_flag(slot.newcomers, 31);
	shm_wake_flag(slot.newcomers, 31);
	shm_wake_flag(slot.newcomers, 32);
	assert_int_equal(shm_wake_collect(slot.newcomers, 0), 0x80000001);
	assert_int_equal(shm_wake_collect(slot.newcomers, 0), 0);
	assert_int_equal(shm_wake_collect(slot.newcomers, 1), 1);
	assert_int_equal(bits(0), 0);
}

#define T(name)	cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_word_keeps_its_fields_apart),
		T(test_what_was_given_back_wakes_who_wants_anything),
		T(test_a_fresh_slot_polls),
		T(test_arm_writes_the_word_and_nothing_else),
		T(test_each_mode_has_its_own_bell),
		T(test_only_the_wanted_source_rings),
		T(test_any_is_everybody),
		T(test_the_daemon_is_always_wanted),
		T(test_every_source_has_its_bit),
		T(test_an_impossible_source_sets_no_bit),
		T(test_collect_takes_one_word_and_leaves_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
