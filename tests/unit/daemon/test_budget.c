/* SPDX-License-Identifier: MIT */
/*
 * test_budget.c - fds that a configuration takes, against those to be had
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/bells.h"
#include "daemon/budget.h"
#include "daemon/keeper.h"
#include "daemon/keeper_shelf.h"

static struct conf *with(const char *slots, const char *vectors)
{
	char set[2][96];
	const char *sets[2] = { set[0], set[1] };
	const struct conf_overrides ov = { .sets = sets, .nsets = 2 };
	char *errors;
	struct conf *c;

	snprintf(set[0], sizeof(set[0]), "domains.lab.ivshmem.slots=%s",
		 slots);
	snprintf(set[1], sizeof(set[1]), "domains.lab.ivshmem.vectors=%s",
		 vectors);
	if (conf_load(&c, NULL, &ov, &errors))
		fail_msg("%s", errors);
	return c;
}

static void test_without_vms_there_are_no_eventfds(void **state)
{
	struct conf *c = with("1", "64");
	struct budget start, full;

	(void)state;
	budget_start(c, &start);
	budget_full(c, &full);
	assert_true(start.open < 100);
	assert_true(start.kept < 20);
	assert_int_equal(full.open - start.open, c->ndomains * 256 * 2);
	assert_int_equal(full.kept - start.kept, c->ndomains * 256 * 2);
	conf_close(c);
}

static void test_slots_cost_eventfds_and_what_a_vm_has(void **state)
{
	struct conf *none = with("1", "8"), *some = with("8", "8");
	struct budget before, after;

	(void)state;
	budget_start(none, &before);
	budget_start(some, &after);
	assert_true(after.kept - before.kept >= bells_count(8, 8) + 7 * 4);
	assert_true(after.kept - before.kept <= bells_count(8, 8) + 7 * 8);
	conf_close(none);
	conf_close(some);
}

/* The names that the parts really give are no longer than is counted. */
static void test_names_are_counted_for_their_worst(void **state)
{
	struct conf *c = with("8", "8");
	struct budget start, full;
	size_t bell = strlen("lab/bell/0/7/7:");
	size_t rank = strlen("lab/rank/255/4294967295/socket:");

	(void)state;
	budget_start(c, &start);
	budget_full(c, &full);
	assert_true(start.name_bytes >= bells_count(8, 8) * bell);
	assert_true(full.name_bytes - start.name_bytes >= 512 * rank);
	conf_close(c);
}

static void test_each_limit_has_a_sentence_of_its_own(void **state)
{
	const struct budget need = { 100, 50, 1000 };
	const struct budget fits = { 100, 50, 1000 };
	const struct budget few = { 99, 50, 1000 };
	const struct budget small = { 100, 49, 1000 };
	const struct budget terse = { 100, 50, 999 };
	char why[BUDGET_TEXT];

	(void)state;
	assert_int_equal(budget_compare(&need, &fits, why), 0);
	assert_string_equal(why, "");
	assert_int_equal(budget_compare(&need, &few, why), -EMFILE);
	assert_non_null(strstr(why, "100 fds are needed and 99 allowed: "
			       "raise LimitNOFILE"));
	assert_int_equal(budget_compare(&need, &small, why), -ENOSPC);
	assert_non_null(strstr(why, "holds 49"));
	assert_non_null(strstr(why, "FileDescriptorStoreMax"));
	assert_int_equal(budget_compare(&need, &terse, why), -ENOSPC);
	assert_non_null(strstr(why, "1000 bytes, and it can be handed 999"));
}

static void test_limits_are_those_of_process_and_keeper(void **state)
{
	struct budget has;
	int status;
	pid_t pid;

	(void)state;
	budget_limits(&has, 0, false);
	assert_true(has.kept == UINT64_MAX && has.name_bytes == UINT64_MAX);
	budget_limits(&has, 77, true);
	assert_int_equal(has.kept, 77);
	assert_int_equal(has.name_bytes, KEEPER_SHELF_NAMES);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit r = { 64, 100 };

		/* The soft limit is ours to raise. */
		if (setrlimit(RLIMIT_NOFILE, &r))
			_exit(9);
		budget_limits(&has, 0, true);
		getrlimit(RLIMIT_NOFILE, &r);
		_exit(has.open == 100 && r.rlim_cur == 100 &&
		      has.kept == UINT64_MAX ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* 64 x 64 eventfds have longer names than a process can be handed. */
static void test_the_largest_table_is_too_long_for_a_keeper(void **state)
{
	struct conf *c = with("8", "8");
	struct budget need, has = { UINT64_MAX, UINT64_MAX, 0 };
	char why[BUDGET_TEXT];

	(void)state;
	has.name_bytes = KEEPER_SHELF_NAMES;
	budget_start(c, &need);
	assert_int_equal(budget_compare(&need, &has, why), 0);
	c->domains[0].ivshmem.slots = 64;
	c->domains[0].ivshmem.vectors = 64;
	budget_start(c, &need);
	assert_int_equal(budget_compare(&need, &has, why), -ENOSPC);
	conf_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_vms_there_are_no_eventfds),
		cmocka_unit_test(test_slots_cost_eventfds_and_what_a_vm_has),
		cmocka_unit_test(test_names_are_counted_for_their_worst),
		cmocka_unit_test(test_each_limit_has_a_sentence_of_its_own),
		cmocka_unit_test(test_limits_are_those_of_process_and_keeper),
		cmocka_unit_test(
			test_the_largest_table_is_too_long_for_a_keeper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
