/* SPDX-License-Identifier: MIT */
/* test_stats.c - what is shown is what is so */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "daemon/stats.h"
#include "shm/counters.h"
#include "shm/job.h"
#include "shm/wake.h"
#include "tests/lib/home.h"

struct fixture {
	struct home h;
	struct fakerank f[2];
	struct stats_filter all;
};

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));
	int ret = home_open(&x->h, NULL);

	for (int i = 0; i < 2 && ret == 0; i++) {
		home_rank(&x->h, &x->f[i]);
		ret = fakerank_attach(&x->f[i], x->h.path, "pair", 0, i, 2);
	}
	home_settle(&x->h);
	*state = x;
	return ret;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	fakerank_close(&x->f[0]);
	fakerank_close(&x->f[1]);
	home_close(&x->h);
	free(x);
	return 0;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "(none)";
}

static long long number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : -77;
}

static void expect_in(const char *needle, const char *hay)
{
	if (!strstr(hay, needle))
		fail_msg("\"%s\" is not in \"%s\"", needle, hay);
}

static struct rank *rank_of(struct fixture *x, int i)
{
	return x->h.d->rank[x->f[i].welcome.slot];
}

static void test_status_counts(void **state)
{
	struct fixture *x = *state;
	json_t *o = stats_status(&x->h.sh, &x->all), *d;

	assert_int_equal(number(o, "ranks"), 2);
	assert_int_equal(number(o, "jobs"), 1);
	d = json_object_get(o, "registers");
	assert_string_equal(text(d, "configured"), "auto");
	assert_string_equal(text(d, "in_use"), "lines");
	assert_int_equal(number(d, "messages"), 0);
	assert_true(json_is_true(json_object_get(d, "asleep")));
	d = json_array_get(json_object_get(o, "domains"), 0);
	assert_string_equal(text(d, "domain"), "default");
	assert_string_equal(text(d, "state"), "live");
	assert_int_equal(number(d, "pool_bytes"), 16 << 20);
	assert_true(json_array_size(json_object_get(o, "warnings")) >= 1);
	json_decref(o);
}

static void test_ranks_and_their_counters(void **state)
{
	struct fixture *x = *state;
	json_t *list, *o;

	shm_count(x->f[0].slot, SHM_COUNT_sent_bytes, 4711);
	atomic_store(&x->f[0].slot->call, SNOO_ABI_CALL_RECV);
	shm_wake_arm(x->f[0].slot, SNOO_ABI_ASLEEP_FUTEX, 1);
	list = stats_ranks(&x->h.sh, &x->all);
	assert_int_equal(json_array_size(list), 2);
	o = json_array_get(list, 0);
	assert_int_equal(number(o, "rank"), 0);
	assert_string_equal(text(o, "state"), "attached");
	assert_string_equal(text(o, "session"), "attached");
	assert_string_equal(text(o, "call"), "recv");
	assert_true(json_is_true(json_object_get(o, "sleeping")));
	assert_int_equal(number(json_object_get(o, "counters"), "sent_bytes"),
			 4711);
	json_decref(list);
}

static void test_filter_by_job(void **state)
{
	struct fixture *x = *state;
	struct stats_filter other = { .job = "nobody" };
	struct stats_filter by_name = { .job = "pair" };
	json_t *list = stats_ranks(&x->h.sh, &other);

	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	list = stats_jobs(&x->h.sh, &by_name);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text(json_array_get(list, 0), "state"), "running");
	json_decref(list);
}

static void test_channels_from_the_directory(void **state)
{
	struct fixture *x = *state;
	struct shm_job view;
	json_t *list, *o;

	assert_int_equal(shm_job_open(&view, &x->f[0].region,
				      x->f[0].welcome.job_off, 2), 0);
	while (x->f[0].rings == 0)
		assert_true(fakerank_recv(&x->f[0], true) > 0);
	shm_job_announce(&view, 1, 0, x->f[0].ring[0].offset);
	/* Nonsense is left out. */
	shm_job_announce(&view, 0, 1, 64 * 123);
	list = stats_channels(&x->h.sh, &x->all);
	assert_int_equal(json_array_size(list), 1);
	o = json_array_get(list, 0);
	assert_int_equal(number(o, "from"), 0);
	assert_int_equal(number(o, "to"), 1);
	assert_int_equal(number(o, "lines"), x->f[0].ring[0].nlines);
	assert_int_equal(number(o, "ring_bytes"), x->f[0].ring[0].bytes);
	json_decref(list);
}

static void test_why_names_what_is_waited_for(void **state)
{
	struct fixture *x = *state;
	struct snoo_abi_rank *slot = x->f[0].slot;
	json_t *o = stats_why(rank_of(x, 0));

	expect_in("it computes", text(o, "waits_for"));
	json_decref(o);

	atomic_store(&slot->call, SNOO_ABI_CALL_RECV);
	atomic_store(&slot->call_since_ns, loop_now_ns());
	shm_wake_arm(slot, SNOO_ABI_ASLEEP_FUTEX, 1);
	o = stats_why(rank_of(x, 0));
	assert_string_equal(text(o, "waits_for"),
			    "in recv, asleep from rank 1");
	assert_true(number(o, "since_ms") >= 0);
	json_decref(o);

	/* Impossible values are shown as such. */
	atomic_store(&slot->call, 99);
	atomic_store(&slot->call_since_ns, UINT64_MAX);
	shm_wake_arm(slot, SNOO_ABI_ASLEEP_FUTEX, 12345);
	atomic_store(&slot->want, UINT64_MAX);
	o = stats_why(rank_of(x, 0));
	expect_in("rank 12345, which does not exist", text(o, "waits_for"));
	expect_in("wait for a block", text(o, "waits_for"));
	assert_int_equal(number(o, "since_ms"), -77);
	json_decref(o);
}

static void test_quarantine_says_for_whom(void **state)
{
	struct fixture *x = *state;
	json_t *o, *row;

	assert_int_equal(fakerank_leave(&x->f[1]), 0);
	home_settle(&x->h);
	o = stats_pool(&x->h.sh, &x->all);
	row = json_array_get(json_object_get(o, "quarantine"), 0);
	assert_int_equal(number(row, "rank"), 1);
	assert_string_equal(text(row, "state"), "left");
	assert_string_equal(text(row, "waits_for"), "rank 0 to acknowledge");
	json_decref(o);
	o = stats_why(rank_of(x, 1));
	expect_in("until rank 0 has acknowledged", text(o, "waits_for"));
	json_decref(o);
}

static void test_scheduler_shows_who_waits(void **state)
{
	struct fixture *x = *state;
	json_t *o, *row;

	atomic_store(&x->f[1].slot->want, 5000);
	atomic_store(&x->f[1].slot->want_since_ns, loop_now_ns());
	o = stats_scheduler(&x->h.sh, &x->all);
	row = json_array_get(json_object_get(o, "ranks"), 1);
	assert_string_equal(text(row, "waits_for"), "a block");
	assert_int_equal(number(row, "want_bytes"), 5000);
	assert_true(number(row, "since_ms") >= 0);
	assert_string_equal(text(row, "left_bytes"), "unlimited");
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_status_counts),
		T(test_ranks_and_their_counters),
		T(test_filter_by_job),
		T(test_channels_from_the_directory),
		T(test_why_names_what_is_waited_for),
		T(test_quarantine_says_for_whom),
		T(test_scheduler_shows_who_waits),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
