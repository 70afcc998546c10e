/* SPDX-License-Identifier: MIT */
/*
 * test_hal.c - choosing a back end; what the thin functions check
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "hal/hal.h"

static void test_back_ends_are_found_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(hal_find("emul"), &hal_emul);
	assert_ptr_equal(hal_find("loongson"), &hal_loongson);
	assert_null(hal_find("Emul"));
	assert_null(hal_find(""));
}

static void test_auto_takes_the_hardware_if_it_is_there(void **state)
{
	const struct hal_ops *best = hal_find("auto");
	char why[HAL_TEXT];

	(void)state;
	assert_ptr_equal(best, hal_probe(&hal_loongson, why) == 0 ?
				       &hal_loongson : &hal_emul);
}

/* A back end that can do nothing at all. */
static int none_regs(struct hal *h, uint32_t core, struct hal_regs *snapshot)
{
	(void)h;
	(void)core;
	snapshot->status = 7;
	return 0;
}

static int closed;

static void none_close(struct hal *h)
{
	(void)h;
	closed++;
}

static const struct hal_ops none_ops = { .name = "none", .regs = none_regs,
					 .close = none_close };

static void test_a_missing_operation_is_eopnotsupp(void **state)
{
	struct hal none = { .ops = &none_ops, .ncores = 2, .self = 0 };
	uint64_t word = 1;

	(void)state;
	assert_int_equal(hal_ring(&none, 1, 1), -EOPNOTSUPP);
	assert_int_equal(hal_nudge(&none, 1, 1), -EOPNOTSUPP);
	assert_int_equal(hal_arm(&none, 1), -EOPNOTSUPP);
	assert_int_equal(hal_take(&none), 0);
	assert_int_equal(hal_wait(&none, 0), -EOPNOTSUPP);
	assert_int_equal(hal_mail_send(&none, 1, 1, 1), -EOPNOTSUPP);
	assert_int_equal(hal_mail_recv(&none, 1, &word), -EOPNOTSUPP);
	assert_int_equal(word, 0);
	assert_int_equal(hal_caps(&none), 0);
	assert_string_equal(hal_name(&none), "none");
	hal_close(&none);
	assert_int_equal(closed, 1);
}

static void test_a_snapshot_is_zero_on_failure(void **state)
{
	struct hal none = { .ops = &none_ops, .ncores = 2, .self = 0 };
	struct hal_regs r;

	(void)state;
	memset(&r, 0xff, sizeof(r));
	assert_int_equal(hal_read_regs(&none, 2, &r), -EINVAL);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.mail[3], 0);
	assert_int_equal(hal_read_regs(&none, 1, &r), 0);
	assert_int_equal(r.status, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_back_ends_are_found_by_name),
		cmocka_unit_test(test_auto_takes_the_hardware_if_it_is_there),
		cmocka_unit_test(test_a_missing_operation_is_eopnotsupp),
		cmocka_unit_test(test_a_snapshot_is_zero_on_failure),
	};

	return cmocka_run_group_tests_name("hal", tests, NULL, NULL);
}
