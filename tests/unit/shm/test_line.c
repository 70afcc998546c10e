/* SPDX-License-Identifier: MIT */
/* test_line.c - word 0 in fields: each keeps to its bits */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shm/line.h"

#define LAP	(SNOO_ABI_LAP_MASK << SNOO_ABI_LAP_SHIFT)

static void test_fields_stand_where_the_drawing_says(void **state)
{
	(void)state;
	assert_true(line_word(SNOO_ABI_LEAVE, 0, 0, 0, 0) == 0xf);
	assert_true(line_word(SNOO_ABI_NONE, 0xf, 0, 0, 0) == 0x3c0);
	assert_true(line_word(SNOO_ABI_NONE, 0, 63, 0, 0) == 0xfc00);
	assert_true(line_word(SNOO_ABI_NONE, 0, 0, 0xffff, 0) == 0xffff0000);
	assert_true(line_word(SNOO_ABI_NONE, 0, 0, 0, UINT32_MAX) ==
		    UINT64_C(0xffffffff00000000));
}

static void test_no_field_touches_the_lap(void **state)
{
	uint64_t w = line_word(SNOO_ABI_LEAVE, 0xf, 63, 0xffff, UINT32_MAX);

	(void)state;
	assert_int_equal(w & LAP, 0);
	assert_true((w | LAP) == UINT64_MAX);
}

static void check(enum snoo_abi_type type, unsigned int flags,
		  unsigned int inlined, uint16_t context, uint32_t tag)
{
	for (uint64_t lap = 0; lap < 4; lap++) {
		uint64_t w = line_word(type, flags, inlined, context, tag) |
			     lap << SNOO_ABI_LAP_SHIFT;

		assert_int_equal(line_type(w), type);
		assert_int_equal(line_flags(w), flags);
		assert_int_equal(line_inlined(w), inlined);
		assert_int_equal(line_context(w), context);
		assert_int_equal(line_tag(w), tag);
	}
}

static void test_what_goes_in_comes_out(void **state)
{
	static const unsigned int lengths[] = { 0, 1, 55, 56, 63 };

	(void)state;
	for (unsigned int type = 0; type < 16; type++)
		for (unsigned int flags = 0; flags < 16; flags++)
			for (size_t i = 0; i < 5; i++) {
				enum snoo_abi_type t = (enum snoo_abi_type)type;

				check(t, flags, lengths[i], 0, 0);
				check(t, flags, lengths[i], 0xffff, UINT32_MAX);
				check(t, flags, lengths[i], 0x8001, 0x80000001);
			}
}

static void test_the_inline_length_can_name_a_full_line(void **state)
{
	(void)state;
	assert_true(SNOO_ABI_INLINE_MAX <= SNOO_ABI_INLINE_MASK);
	assert_int_equal(SNOO_ABI_INLINE_MAX, (SHM_LINE_WORDS - 1) * 8);
	assert_int_equal(SNOO_ABI_PIECE_MAX, (SHM_LINE_WORDS - 2) * 8);
	assert_int_equal(SNOO_ABI_WIDE_MAX, (SHM_LINE_WORDS - 3) * 8);
}

static void test_match_words_of_different_messages_differ(void **state)
{
	(void)state;
	assert_true(line_match(0xffff, UINT32_MAX) ==
		    UINT64_C(0x0000ffffffffffff));
	assert_true(line_match(1, 0) != line_match(0, 1));
	assert_true(line_match(1, 0) == UINT64_C(1) << 32);
}

static void test_pairs(void **state)
{
	uint64_t p = line_pair(0xdeadbeef, 0x80000001);

	(void)state;
	assert_int_equal(line_index(p), 0xdeadbeef);
	assert_int_equal(line_generation(p), 0x80000001);
	assert_true(p == UINT64_C(0x80000001deadbeef));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_stand_where_the_drawing_says),
		cmocka_unit_test(test_no_field_touches_the_lap),
		cmocka_unit_test(test_what_goes_in_comes_out),
		cmocka_unit_test(test_the_inline_length_can_name_a_full_line),
		cmocka_unit_test(test_match_words_of_different_messages_differ),
		cmocka_unit_test(test_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
