/* SPDX-License-Identifier: MIT */
/* test_reach.c - of which process a rank is told that it may read it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/home.h"

#define RANKS 2

struct fixture {
	struct home h;
	struct fakerank f[RANKS];
};

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	assert_int_equal(home_open(&x->h, NULL), 0);
	for (int i = 0; i < RANKS; i++) {
		home_rank(&x->h, &x->f[i]);
		assert_int_equal(fakerank_attach(&x->f[i], x->h.path, "reach",
						 0, i, RANKS), 0);
	}
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	for (int i = 0; i < RANKS; i++)
		fakerank_close(&x->f[i]);
	home_close(&x->h);
	free(x);
	return 0;
}

static struct rank *rank_of(struct fixture *x, int i)
{
	return x->h.d->rank[x->f[i].welcome.slot];
}

static void say_reach(struct fixture *x, int i, uint64_t nonce)
{
	const struct snoo_wire_reach m = {
		.head = { SNOO_WIRE_REACH, sizeof(m) },
		.address = 0x7000,
		.nonce = nonce,
	};

	assert_int_equal(fakerank_send(&x->f[i], &m, sizeof(m)), 0);
	home_settle(&x->h);
}

static void say_where(struct fixture *x, int i, uint32_t rank)
{
	const struct snoo_wire_where m = {
		.head = { SNOO_WIRE_WHERE, sizeof(m) },
		.rank = rank,
	};

	assert_int_equal(fakerank_send(&x->f[i], &m, sizeof(m)), 0);
}

/* Rank 1 asks for @rank: the pid that it is told. */
static int32_t where(struct fixture *x, uint32_t rank)
{
	struct snoo_wire_peer m;

	say_where(x, 1, rank);
	assert_int_equal(fakerank_until(&x->f[1], SNOO_WIRE_PEER),
			 SNOO_WIRE_PEER);
	memcpy(&m, x->f[1].msg.bytes, sizeof(m));
	assert_int_equal(m.head.length, sizeof(m));
	assert_int_equal(m.rank, rank);
	if (m.pid) {
		assert_int_equal(m.address, 0x7000);
		assert_int_equal(m.nonce, 99);
	} else {
		assert_int_equal(m.address, 0);
		assert_int_equal(m.nonce, 0);
	}
	return m.pid;
}

static void test_a_process_of_the_same_user_is_told(void **state)
{
	struct fixture *x = *state;

	/* It has not said yet what to look for. */
	assert_int_equal(where(x, 0), 0);
	say_reach(x, 0, 99);
	assert_int_equal(where(x, 0), getpid());
	/* Itself it need not ask. */
	say_reach(x, 1, 99);
	assert_int_equal(where(x, 1), 0);
}

static void test_no_other_is(void **state)
{
	struct fixture *x = *state;
	struct rank *to = rank_of(x, 0), *r = rank_of(x, 1);

	say_reach(x, 0, 99);
	to->led.uid++;
	assert_int_equal(where(x, 0), 0);
	to->led.uid--;
	to->led.gid++;
	assert_int_equal(where(x, 0), 0);
	to->led.gid--;
	to->led.vm = 1;
	assert_int_equal(where(x, 0), 0);
	to->led.vm = 0;
	/* Who asks sees other pids than we do. */
	r->led.peer_pid++;
	assert_int_equal(where(x, 0), 0);
	r->led.peer_pid--;
	assert_int_equal(where(x, 0), getpid());
}

static void test_the_configuration_may_forbid_it(void **state)
{
	const char *const sets[] = { "domains.default.single_copy=false",
				     NULL };
	struct fixture *x = *state;

	teardown(state);
	x = calloc(1, sizeof(*x));
	assert_non_null(x);
	*state = x;
	assert_int_equal(home_open(&x->h, sets), 0);
	for (int i = 0; i < RANKS; i++) {
		home_rank(&x->h, &x->f[i]);
		assert_int_equal(fakerank_attach(&x->f[i], x->h.path, "reach",
						 0, i, RANKS), 0);
	}
	say_reach(x, 0, 99);
	assert_int_equal(where(x, 0), 0);
}

static void test_who_is_gone_is_not_told(void **state)
{
	struct fixture *x = *state;

	say_reach(x, 0, 99);
	fakerank_close(&x->f[0]);
	home_settle(&x->h);
	assert_int_equal(where(x, 0), 0);
}

static void test_a_rank_that_can_not_be_ends_the_session(void **state)
{
	struct fixture *x = *state;

	say_where(x, 1, RANKS);
	assert_int_equal(fakerank_until(&x->f[1], SNOO_WIRE_ERROR),
			 SNOO_WIRE_ERROR);
	assert_non_null(strstr(x->f[1].error.text, "WHERE for rank 2"));
	/* Of the wrong length, too; and the other one is served on. */
	say_reach(x, 0, 99);
	assert_int_equal(fakerank_send(&x->f[0], &(struct snoo_wire_plain){
			.head = { SNOO_WIRE_WHERE,
				  sizeof(struct snoo_wire_plain) } },
			sizeof(struct snoo_wire_plain)), 0);
	assert_int_equal(fakerank_until(&x->f[0], SNOO_WIRE_ERROR),
			 SNOO_WIRE_ERROR);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_process_of_the_same_user_is_told),
		T(test_no_other_is),
		T(test_the_configuration_may_forbid_it),
		T(test_who_is_gone_is_not_told),
		T(test_a_rank_that_can_not_be_ends_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
