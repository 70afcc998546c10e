/* SPDX-License-Identifier: MIT */
/* test_job.c - who may join which job, and what the others are told */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/job.h"
#include "shm/job.h"
#include "tests/lib/home.h"

#define MANY	8

struct fixture {
	struct home h;
	struct fakerank f[MANY];
};

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));
	int ret = home_open(&x->h, NULL);

	for (int i = 0; i < MANY; i++)
		home_rank(&x->h, &x->f[i]);
	*state = x;
	return ret;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	for (int i = 0; i < MANY; i++)
		fakerank_close(&x->f[i]);
	home_close(&x->h);
	free(x);
	return 0;
}

static int try_join(struct fixture *x, int i, const char *name,
		    uint64_t launch, int32_t rank, uint32_t size)
{
	fakerank_close(&x->f[i]);
	return fakerank_attach(&x->f[i], x->h.path, name, launch, rank, size);
}

static void join(struct fixture *x, int i, const char *name, uint64_t launch,
		 int32_t rank, uint32_t size)
{
	int ret = try_join(x, i, name, launch, rank, size);

	if (ret)
		fail_msg("%s %d/%u: %d %s", name, rank, size, ret,
			 x->f[i].error.text);
}

static void refused(struct fixture *x, int i, const char *name,
		    uint64_t launch, int32_t rank, uint32_t size, int error,
		    const char *text)
{
	assert_int_equal(try_join(x, i, name, launch, rank, size),
			 -EREMOTEIO);
	assert_int_equal(x->f[i].error.error, error);
	assert_string_equal(x->f[i].error.text, text);
	/* Nothing of it is left. */
	fakerank_close(&x->f[i]);
	home_settle(&x->h);
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		const char *text;	/* NULL: a good one */
	} names[] = {
		{ "a", NULL },
		{ "Job_1.2-x", NULL },
		{ "012345678901234567890123456789012345678901234567890123456789"
		  "012", NULL },
		{ "", "the job's name is empty; give it 1 to 63 characters of "
		  "A-Z a-z 0-9 . _ -" },
		{ "a b", "the job's name has byte 0x20 at character 2; "
		  "allowed are A-Z a-z 0-9 . _ -" },
		{ "../x", "the job's name has '/' at character 3; allowed are "
		  "A-Z a-z 0-9 . _ -" },
		{ "x\n", "the job's name has byte 0x0a at character 2; "
		  "allowed are A-Z a-z 0-9 . _ -" },
		{ "\xc3\xa4", "the job's name has byte 0xc3 at character 1; "
		  "allowed are A-Z a-z 0-9 . _ -" },
	};
	struct snoo_wire_hello h;
	char why[SNOO_WIRE_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		fakerank_hello_init(&h, names[i].name, 0, 0, 1);
		assert_int_equal(job_check(&h, why),
				 names[i].text ? -EINVAL : 0);
		if (names[i].text)
			assert_string_equal(why, names[i].text);
	}
	/* Without a zero at its end. */
	fakerank_hello_init(&h, "x", 0, 0, 1);
	memset(h.name, 'x', sizeof(h.name));
	assert_int_equal(job_check(&h, why), -EINVAL);
	assert_string_equal(why, "the job's name is too long; at most 63 "
			    "characters");
}

static void test_numbers(void **state)
{
	struct fixture *x = *state;

	refused(x, 0, "n", 0, -2, 0, EINVAL,
		"rank -2 is no rank; -1 lets the daemon number");
	refused(x, 0, "n", 0, 4, 4, ERANGE,
		"rank 4 is outside of a job of 4 ranks (0 to 3)");
	refused(x, 0, "n", 0, 0, 5000, ENOSPC,
		"a job of 5000 ranks is too large: at most 1024");
	refused(x, 0, "n", 0, 0, 17, ENOSPC,
		"a job of 17 ranks does not fit into domain \"default\": at "
		"most 16; raise ranks_max in its configuration");
	refused(x, 0, "n", 0, 8, 0, ERANGE,
		"rank 8 is outside of a job of no stated size: at most 8 "
		"ranks; raise job_ranks_max of domain \"default\", or state "
		"the size");
	assert_int_equal(x->h.d->jobs, 0);
	assert_int_equal(x->h.d->ranks, 0);
}

static void test_other_size_than_the_forming_job(void **state)
{
	struct fixture *x = *state;

	join(x, 0, "s", 0, 0, 2);
	refused(x, 1, "s", 0, 1, 3, EEXIST,
		"job \"s\" is forming with 2 ranks, and this rank states 3");
	/* Who states nothing joins. */
	join(x, 1, "s", 0, -1, 0);
	assert_int_equal(x->f[1].welcome.rank, 1);
	assert_int_equal(x->f[1].welcome.size, 2);
	assert_int_equal(fakerank_until(&x->f[0], SNOO_WIRE_START),
			 SNOO_WIRE_START);
}

static void test_taken_rank(void **state)
{
	struct fixture *x = *state;
	char text[128];

	join(x, 0, "t", 0, 1, 3);
	snprintf(text, sizeof(text),
		 "rank 1 of job \"t\" is taken by process %d", (int)getpid());
	refused(x, 1, "t", 0, 1, 3, EADDRINUSE, text);
}

static void test_numbered_and_unnumbered_mix(void **state)
{
	struct fixture *x = *state;

	join(x, 0, "m", 0, 1, 4);
	join(x, 1, "m", 0, -1, 4);
	join(x, 2, "m", 0, -1, 4);
	join(x, 3, "m", 0, 3, 4);
	assert_int_equal(x->f[1].welcome.rank, 0);
	assert_int_equal(x->f[2].welcome.rank, 2);
	for (int i = 0; i < 4; i++)
		assert_true(x->f[i].started ||
			    fakerank_until(&x->f[i], SNOO_WIRE_START) ==
			    SNOO_WIRE_START);
}

/* Two programs of one name, one after the other: nobody waits. */
static void test_complete_job_does_not_block_its_name(void **state)
{
	struct fixture *x = *state;

	join(x, 0, "again", 0, -1, 2);
	join(x, 1, "again", 0, -1, 2);
	join(x, 2, "again", 0, -1, 2);
	join(x, 3, "again", 0, -1, 2);
	assert_int_equal(x->f[0].welcome.job, x->f[1].welcome.job);
	assert_int_equal(x->f[2].welcome.job, x->f[3].welcome.job);
	assert_int_not_equal(x->f[0].welcome.job, x->f[2].welcome.job);
	assert_int_equal(x->f[2].welcome.rank, 0);
	assert_int_equal(x->h.d->jobs, 2);
}

static void test_launch_joins_exactly_that_job(void **state)
{
	struct fixture *x = *state;

	join(x, 0, "l", 17, 0, 2);
	join(x, 1, "l", 18, 0, 2);
	join(x, 2, "l", 17, 1, 2);
	assert_int_equal(x->f[0].welcome.job, x->f[2].welcome.job);
	assert_int_not_equal(x->f[0].welcome.job, x->f[1].welcome.job);
	refused(x, 3, "l", 17, 0, 2, EISCONN,
		"job \"l\" of this launch is complete: all its 2 ranks have "
		"joined");
	assert_int_equal(fakerank_leave(&x->f[0]), 0);
	refused(x, 3, "l", 17, 0, 2, EISCONN,
		"job \"l\" of this launch is ending: ranks have left it or "
		"died");
}

static void test_open_job_grows_and_is_full(void **state)
{
	struct fixture *x = *state;
	struct shm_job view;

	for (int i = 0; i < 3; i++) {
		join(x, i, "open", 0, -1, 0);
		assert_int_equal(x->f[i].welcome.rank, i);
		assert_int_equal(x->f[i].welcome.size, i + 1);
		assert_int_equal(x->f[i].welcome.open_job, 1);
		assert_int_equal(x->f[i].welcome.capacity, 8);
		assert_int_equal(fakerank_until(&x->f[i], SNOO_WIRE_START),
				 SNOO_WIRE_START);
	}
	assert_int_equal(shm_job_open(&view, &x->f[0].region,
				      x->f[0].welcome.job_off, 8), 0);
	assert_int_equal(view.abi->size, 3);
	assert_int_equal(view.abi->joined, 3);
	assert_int_equal(view.member[2].state, SNOO_ABI_JOINED);
	refused(x, 3, "open", 0, -1, 3, EEXIST,
		"job \"open\" is open, begun by a rank that stated no size, "
		"and this rank states 3: state the same size for all of "
		"them");
	for (int i = 3; i < 8; i++)
		join(x, i, "open", 0, -1, 0);
	{
		struct fakerank f;

		home_rank(&x->h, &f);
		assert_int_equal(fakerank_attach(&f, x->h.path, "open", 0, -1,
						 0), -EREMOTEIO);
		assert_int_equal(f.error.error, ENOSPC);
		fakerank_close(&f);
	}
}

/* After the first has left, the name begins anew. */
static void test_open_job_that_was_left_takes_nobody(void **state)
{
	struct fixture *x = *state;

	join(x, 0, "open", 0, -1, 0);
	join(x, 1, "open", 0, -1, 0);
	assert_int_equal(fakerank_leave(&x->f[0]), 0);
	join(x, 2, "open", 0, -1, 0);
	assert_int_equal(x->f[2].welcome.rank, 0);
	assert_int_not_equal(x->f[1].welcome.job, x->f[2].welcome.job);
}

static void test_death_while_forming_ends_the_job(void **state)
{
	struct fixture *x = *state;

	join(x, 0, "form", 5, 0, 3);
	join(x, 1, "form", 5, 1, 3);
	fakerank_close(&x->f[1]);
	assert_int_equal(fakerank_until(&x->f[0], SNOO_WIRE_ERROR),
			 SNOO_WIRE_ERROR);
	assert_int_equal(x->f[0].error.error, ECONNABORTED);
	assert_string_equal(x->f[0].error.text,
			    "rank 1 ended before the job was complete: 2 of 3 "
			    "ranks of job \"form\" had joined");
	fakerank_close(&x->f[0]);
	home_bury(&x->h);
	assert_int_equal(x->h.d->jobs, 0);
	assert_int_equal(x->h.d->ranks, 0);
}

static void test_no_slot_is_free(void **state)
{
	struct fixture *x = *state;
	struct fakerank more[MANY], f;

	for (int i = 0; i < MANY; i++) {
		join(x, i, "full", 0, i, 16);
		home_rank(&x->h, &more[i]);
		assert_int_equal(fakerank_attach(&more[i], x->h.path, "full",
						 0, MANY + i, 16), 0);
	}
	home_rank(&x->h, &f);
	assert_int_equal(fakerank_attach(&f, x->h.path, "one", 0, 0, 1),
			 -EREMOTEIO);
	assert_string_equal(f.error.text, "no rank slot of domain \"default\" "
			    "is free: all 16 are in use or in quarantine; "
			    "raise ranks_max in its configuration");
	fakerank_close(&f);
	for (int i = 0; i < MANY; i++)
		fakerank_close(&more[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		cmocka_unit_test(test_names),
		T(test_numbers),
		T(test_other_size_than_the_forming_job),
		T(test_taken_rank),
		T(test_numbered_and_unnumbered_mix),
		T(test_complete_job_does_not_block_its_name),
		T(test_launch_joins_exactly_that_job),
		T(test_open_job_grows_and_is_full),
		T(test_open_job_that_was_left_takes_nobody),
		T(test_death_while_forming_ends_the_job),
		T(test_no_slot_is_free),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
