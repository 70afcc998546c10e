/* SPDX-License-Identifier: MIT */
/* test_block.c - every state of a block against every thing one can do to it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "shm/block.h"

#define HOME	UINT32_C(7)
#define OTHER	UINT32_C(8)

static struct snoo_abi_desc desc;

/* Take it under whatever generation it has now. */
static int take(struct snoo_abi_desc *d, uint32_t home, uint32_t *generation)
{
	return shm_block_take(d, home, block_generation(shm_block_look(d)),
			      generation);
}

static void set(uint32_t generation, uint32_t home,
		enum snoo_abi_desc_state state)
{
	atomic_store_explicit(&desc.word, block_word(generation, home, state),
			      memory_order_relaxed);
}

static void expect(uint32_t generation, uint32_t home,
		   enum snoo_abi_desc_state state)
{
	uint64_t word = shm_block_look(&desc);

	assert_int_equal(block_generation(word), generation);
	assert_int_equal(block_home(word), home);
	assert_int_equal(block_state(word), state);
}

static void test_the_word_keeps_its_fields_apart(void **state)
{
	uint64_t w = block_word(UINT32_MAX, 0, SNOO_ABI_BLOCK_NONE);

	(void)state;
	assert_true(w == UINT64_C(0xffffffff00000000));
	w = block_word(0, UINT32_MAX, SNOO_ABI_BLOCK_BUSY);
	assert_true(w == UINT64_C(0xffffff02));
	assert_int_equal(block_home(w), 0xffffff);
	assert_int_equal(block_state(w), SNOO_ABI_BLOCK_BUSY);
	assert_int_equal(block_generation(w), 0);
}

static void test_a_block_goes_round(void **state)
{
	uint32_t gen = 0;

	(void)state;
	set(0, 0, SNOO_ABI_BLOCK_NONE);
	shm_block_grant(&desc, HOME);
	expect(1, HOME, SNOO_ABI_BLOCK_FREE);
	assert_int_equal(take(&desc, HOME, &gen), 0);
	assert_int_equal(gen, 2);
	expect(2, HOME, SNOO_ABI_BLOCK_BUSY);
	assert_true(shm_block_give(&desc, HOME, gen));
	expect(2, HOME, SNOO_ABI_BLOCK_FREE);
	assert_int_equal(take(&desc, HOME, &gen), 0);
	assert_int_equal(gen, 3);
	assert_true(shm_block_give(&desc, HOME, 3));
	assert_true(shm_block_recall(&desc, HOME));
	expect(4, 0, SNOO_ABI_BLOCK_NONE);
}

static void test_take_of_what_is_not_free(void **state)
{
	uint32_t gen = 99;

	(void)state;
	set(5, HOME, SNOO_ABI_BLOCK_BUSY);
	assert_int_equal(take(&desc, HOME, &gen), -EBUSY);
	expect(5, HOME, SNOO_ABI_BLOCK_BUSY);
	set(5, 0, SNOO_ABI_BLOCK_NONE);
	assert_int_equal(take(&desc, HOME, &gen), -ESTALE);
	set(5, HOME, SNOO_ABI_BLOCK_NONE);
	assert_int_equal(take(&desc, HOME, &gen), -ESTALE);
	set(5, OTHER, SNOO_ABI_BLOCK_FREE);
	assert_int_equal(take(&desc, HOME, &gen), -ESTALE);
	expect(5, OTHER, SNOO_ABI_BLOCK_FREE);
	/* A state that does not exist is not free. */
	set(5, HOME, (enum snoo_abi_desc_state)0x42);
	assert_int_equal(take(&desc, HOME, &gen), -EBUSY);
	assert_int_equal(gen, 99);
}

/* Give-backs of another life of the block change nothing. */
static void test_a_stale_give_changes_nothing(void **state)
{
	(void)state;
	set(5, HOME, SNOO_ABI_BLOCK_BUSY);
	assert_false(shm_block_give(&desc, HOME, 4));
	assert_false(shm_block_give(&desc, HOME, 6));
	assert_false(shm_block_give(&desc, OTHER, 5));
	expect(5, HOME, SNOO_ABI_BLOCK_BUSY);
	assert_true(shm_block_give(&desc, HOME, 5));
	/* Twice is once. */
	assert_false(shm_block_give(&desc, HOME, 5));
	expect(5, HOME, SNOO_ABI_BLOCK_FREE);
	set(5, HOME, SNOO_ABI_BLOCK_NONE);
	assert_false(shm_block_give(&desc, HOME, 5));
	expect(5, HOME, SNOO_ABI_BLOCK_NONE);
}

/* The reader of the last life gives back when the next one is out already. */
static void test_a_give_that_comes_a_life_late(void **state)
{
	uint32_t first, second;

	(void)state;
	set(5, HOME, SNOO_ABI_BLOCK_FREE);
	assert_int_equal(take(&desc, HOME, &first), 0);
	assert_true(shm_block_give(&desc, HOME, first));
	assert_int_equal(take(&desc, HOME, &second), 0);
	assert_int_not_equal(first, second);
	assert_false(shm_block_give(&desc, HOME, first));
	expect(second, HOME, SNOO_ABI_BLOCK_BUSY);
}

static void test_recall_takes_only_a_free_block_of_its_home(void **state)
{
	(void)state;
	set(5, HOME, SNOO_ABI_BLOCK_BUSY);
	assert_false(shm_block_recall(&desc, HOME));
	expect(5, HOME, SNOO_ABI_BLOCK_BUSY);
	set(5, OTHER, SNOO_ABI_BLOCK_FREE);
	assert_false(shm_block_recall(&desc, HOME));
	expect(5, OTHER, SNOO_ABI_BLOCK_FREE);
	set(5, HOME, SNOO_ABI_BLOCK_NONE);
	assert_false(shm_block_recall(&desc, HOME));
	set(5, HOME, SNOO_ABI_BLOCK_FREE);
	assert_true(shm_block_recall(&desc, HOME));
	expect(6, 0, SNOO_ABI_BLOCK_NONE);
	assert_false(shm_block_recall(&desc, HOME));
}

static void test_recall_against_take_in_both_orders(void **state)
{
	uint32_t gen;

	(void)state;
	set(5, HOME, SNOO_ABI_BLOCK_FREE);
	assert_int_equal(take(&desc, HOME, &gen), 0);
	assert_false(shm_block_recall(&desc, HOME));
	expect(6, HOME, SNOO_ABI_BLOCK_BUSY);

	set(5, HOME, SNOO_ABI_BLOCK_FREE);
	assert_true(shm_block_recall(&desc, HOME));
	assert_int_equal(take(&desc, HOME, &gen), -ESTALE);
	expect(6, 0, SNOO_ABI_BLOCK_NONE);
}

/* Lent again to the same home: another generation, so old claims fail. */
static void test_a_new_grant_is_a_new_generation(void **state)
{
	uint32_t gen;

	(void)state;
	set(5, HOME, SNOO_ABI_BLOCK_FREE);
	assert_int_equal(take(&desc, HOME, &gen), 0);
	assert_true(shm_block_give(&desc, HOME, gen));
	assert_true(shm_block_recall(&desc, HOME));
	shm_block_grant(&desc, HOME);
	expect(8, HOME, SNOO_ABI_BLOCK_FREE);
	assert_false(shm_block_give(&desc, HOME, gen));
	assert_int_equal(take(&desc, HOME, &gen), 0);
	assert_int_equal(gen, 9);
}

static void test_seize_takes_it_whatever_it_does(void **state)
{
	static const enum snoo_abi_desc_state all[] = {
		SNOO_ABI_BLOCK_NONE, SNOO_ABI_BLOCK_FREE, SNOO_ABI_BLOCK_BUSY,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		set(41, HOME, all[i]);
		shm_block_seize(&desc);
		expect(42, 0, SNOO_ABI_BLOCK_NONE);
		assert_false(shm_block_give(&desc, HOME, 41));
	}
}

static void test_generations_run_through_2_to_the_32(void **state)
{
	uint32_t gen;

	(void)state;
	set(UINT32_MAX, HOME, SNOO_ABI_BLOCK_FREE);
	assert_int_equal(take(&desc, HOME, &gen), 0);
	assert_int_equal(gen, 0);
	expect(0, HOME, SNOO_ABI_BLOCK_BUSY);
	assert_true(shm_block_give(&desc, HOME, 0));

	set(UINT32_MAX, 0, SNOO_ABI_BLOCK_NONE);
	shm_block_grant(&desc, HOME);
	expect(0, HOME, SNOO_ABI_BLOCK_FREE);
	set(UINT32_MAX, HOME, SNOO_ABI_BLOCK_FREE);
	assert_true(shm_block_recall(&desc, HOME));
	expect(0, 0, SNOO_ABI_BLOCK_NONE);
}

/* A unit that came back in another grant may have another size. */
static void test_another_grant_is_not_taken_for_ours(void **state)
{
	uint32_t first, gen;

	(void)state;
	first = shm_block_grant(&desc, HOME);
	assert_true(shm_block_recall(&desc, HOME));
	assert_int_not_equal(shm_block_grant(&desc, HOME), first);
	assert_int_equal(shm_block_take(&desc, HOME, first, &gen), -ESTALE);
	assert_int_equal(block_state(shm_block_look(&desc)),
			 SNOO_ABI_BLOCK_FREE);
}

/* Whoever is granted it, the next one sees the same length. */
static void test_a_block_for_loans_has_a_length(void **state)
{
	(void)state;
	set(3, 0, SNOO_ABI_BLOCK_NONE);
	assert_int_equal(shm_block_bytes(&desc), 0);
	shm_block_measure(&desc, UINT32_C(1) << 26);
	assert_int_equal(shm_block_grant(&desc, HOME), 4);
	assert_true(shm_block_bytes(&desc) == UINT64_C(1) << 38);
	expect(4, HOME, SNOO_ABI_BLOCK_FREE);
	shm_block_measure(&desc, UINT32_MAX);
	assert_true(shm_block_bytes(&desc) == UINT64_C(0xffffffff000));
	shm_block_measure(&desc, 0);
}

/* Home wants to write a block that somebody may be copying from. */
static void test_a_copy_sees_that_it_came_too_late(void **state)
{
	uint32_t gen = 7;
	uint64_t word;

	(void)state;
	set(7, HOME, SNOO_ABI_BLOCK_BUSY);
	word = shm_block_look(&desc);
	assert_false(shm_block_revoke(&desc, OTHER, &gen));
	assert_true(shm_block_still(&desc, word));
	assert_true(shm_block_revoke(&desc, HOME, &gen));
	assert_int_equal(gen, 8);
	expect(8, HOME, SNOO_ABI_BLOCK_BUSY);
	assert_false(shm_block_still(&desc, word));
	/* Who held it under the old one cannot give it back. */
	assert_false(shm_block_give(&desc, HOME, 7));
	set(9, HOME, SNOO_ABI_BLOCK_FREE);
	assert_false(shm_block_revoke(&desc, HOME, &gen));
	assert_int_equal(gen, 8);
	expect(9, HOME, SNOO_ABI_BLOCK_FREE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_another_grant_is_not_taken_for_ours),
		cmocka_unit_test(test_the_word_keeps_its_fields_apart),
		cmocka_unit_test(test_a_block_goes_round),
		cmocka_unit_test(test_take_of_what_is_not_free),
		cmocka_unit_test(test_a_stale_give_changes_nothing),
		cmocka_unit_test(test_a_give_that_comes_a_life_late),
		cmocka_unit_test(test_recall_takes_only_a_free_block_of_its_home),
		cmocka_unit_test(test_recall_against_take_in_both_orders),
		cmocka_unit_test(test_a_new_grant_is_a_new_generation),
		cmocka_unit_test(test_seize_takes_it_whatever_it_does),
		cmocka_unit_test(test_generations_run_through_2_to_the_32),
		cmocka_unit_test(test_a_block_for_loans_has_a_length),
		cmocka_unit_test(test_a_copy_sees_that_it_came_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
