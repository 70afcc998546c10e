/* SPDX-License-Identifier: MIT */
/* test_regs_cores.c - cores that go offline and come back under a job */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hal/emul/emul.h"
#include "tests/lib/regshome.h"

static uint32_t cores(struct regshome *t)
{
	struct regs_report r;

	regs_report(regshome_service(t), &r);
	return r.cores;
}

static void test_messages_under_way_are_copied(void **state)
{
	struct regshome *t = *state;
	uint32_t all;

	regshome_join_two(t, 2);
	all = cores(t);
	regshome_sleep(t);
	regshome_service(t)->polls = 1;
	for (uint64_t n = 0; n < 4; n++) {
		assert_int_equal(fakeregs_put(&t->x[0], 1, n, 56), 0);
		assert_int_equal(fakeregs_put(&t->x[1], 0, n, 56), 0);
	}
	for (int i = 0; i < 4; i++)
		regs_round(regshome_service(t));
	assert_int_equal(regshome_service(t)->ways, 2);
	emul_offline(regshome_blocks, 1, true);
	/* As the kernel's word, or a look from time to time, would. */
	regs_refresh(regshome_service(t));
	regshome_service(t)->polls = 16;
	for (uint64_t n = 0; n < 4; n++) {
		regshome_expect(t, 1, 0, n, 56);
		regshome_expect(t, 0, 1, n, 56);
	}
	regshome_expect_nothing(t, 0);
	regshome_expect_nothing(t, 1);
	assert_int_equal(regshome_service(t)->messages, 0);
	assert_int_equal(regshome_service(t)->copied, 8);
	assert_int_equal(regshome_service(t)->core_changes, 1);
	assert_int_equal(cores(t), all - 1);
}

/* What the kernel leaves in the mailboxes of a core that comes back is nobody's
 * message. */
static void test_a_core_comes_back(void **state)
{
	struct regshome *t = *state;
	uint64_t copied, messages;
	uint32_t all;

	regshome_join_two(t, 2);
	all = cores(t);
	for (uint64_t n = 0; n < 30; n += 3) {
		assert_int_equal(fakeregs_send(&t->x[0], 1, n, 8), 0);
		regshome_expect(t, 1, 0, n, 8);
		emul_offline(regshome_blocks, n & 1, true);
		regs_refresh(regshome_service(t));
		copied = regshome_service(t)->copied;
		assert_int_equal(fakeregs_send(&t->x[0], 1, n + 1, 8), 0);
		regshome_expect(t, 1, 0, n + 1, 8);
		assert_int_equal(regshome_service(t)->copied, copied + 1);
		emul_offline(regshome_blocks, n & 1, false);
		regs_refresh(regshome_service(t));
		messages = regshome_service(t)->messages;
		assert_int_equal(fakeregs_send(&t->x[0], 1, n + 2, 8), 0);
		regshome_expect(t, 1, 0, n + 2, 8);
		assert_int_equal(regshome_service(t)->messages, messages + 1);
	}
	assert_int_equal(regshome_service(t)->core_changes, 20);
	assert_int_equal(cores(t), all);
}

/* Nobody says so: it is seen within a look or two while there is traffic. */
static void test_it_is_noticed_by_looking(void **state)
{
	struct regshome *t = *state;
	uint64_t n = 0;

	regshome_join_two(t, 2);
	emul_offline(regshome_blocks, 1, true);
	while (regshome_service(t)->core_changes == 0) {
		assert_true(n < 1000000);
		assert_int_equal(fakeregs_send(&t->x[0], 1, n, 8), 0);
		regshome_expect(t, 1, 0, n++, 8);
	}
	assert_int_equal(regshome_service(t)->core_changes, 1);
	assert_int_equal(fakeregs_send(&t->x[0], 1, n, 8), 0);
	regshome_expect(t, 1, 0, n, 8);
	assert_true(regshome_service(t)->copied > 0);
}

/* All but one of the cores are gone, and come back one by one. */
static void test_three_ranks_while_cores_come_and_go(void **state)
{
	struct regshome *t = *state;

	regshome_join_two(t, 3);
	for (uint64_t n = 0; n < 40; n++) {
		uint32_t core = (uint32_t)(n / 2 % 2);

		emul_offline(regshome_blocks, core, n % 2 == 0);
		if (n % 3 == 0)
			regs_refresh(regshome_service(t));
		for (int to = 1; to < 3; to++)
			assert_int_equal(
				fakeregs_send(&t->x[0], (uint32_t)to, n, 9), 0);
		for (int to = 1; to < 3; to++)
			regshome_expect(t, to, 0, n, 9);
	}
	assert_int_equal(regshome_service(t)->dropped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name)                                                     \
	cmocka_unit_test_setup_teardown(name, regshome_setup_cores, \
					regshome_teardown)
		T(test_messages_under_way_are_copied),
		T(test_a_core_comes_back),
		T(test_it_is_noticed_by_looking),
		T(test_three_ranks_while_cores_come_and_go),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
