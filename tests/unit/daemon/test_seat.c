/* SPDX-License-Identifier: MIT */
/* test_seat.c - the ranks of a job sit by their numbers, whoever comes first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "daemon/place.h"
#include "tests/lib/home.h"

#define CORES "numa:1 core:6 pu:1"
#define RANKS 8

struct fixture {
	struct home h;
	struct topo *t;
	struct fakerank f[RANKS];
};

/* A home that believes to be on a machine of six cores. */
static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));
	int ret;

	assert_non_null(x);
	ret = home_open(&x->h, NULL);
	assert_int_equal(ret, 0);
	place_close(x->h.sh.place);
	assert_int_equal(topo_open_synthetic(&x->t, CORES), 0);
	assert_int_equal(place_open(&x->h.sh.place, x->t, &place_compact), 0);
	for (int i = 0; i < RANKS; i++)
		home_rank(&x->h, &x->f[i]);
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	for (int i = 0; i < RANKS; i++)
		fakerank_close(&x->f[i]);
	home_close(&x->h);
	topo_close(x->t);
	free(x);
	return 0;
}

/* Rank @rank of a job comes: the cpu that it is given. */
static int come(struct fixture *x, int i, const char *name, int32_t rank,
		uint32_t size)
{
	assert_int_equal(fakerank_attach(&x->f[i], x->h.path, name, 0, rank,
					 size), 0);
	return x->f[i].welcome.core;
}

/* The same, with a wish (-1: none, -2: not pinned) and a mask of few cpus. */
static int come_as(struct fixture *x, int i, int32_t rank, uint32_t size,
		   int32_t core, uint8_t mask)
{
	struct snoo_wire_hello h;

	fakerank_hello_init(&h, "as", 0, rank, size);
	h.core = core;
	if (mask) {
		memset(h.mask, 0, sizeof(h.mask));
		h.mask[0] = mask;
	}
	assert_int_equal(fakerank_connect(&x->f[i], x->h.path), 0);
	assert_int_equal(fakerank_send(&x->f[i], &h, sizeof(h)), 0);
	assert_int_equal(fakerank_until(&x->f[i], SNOO_WIRE_WELCOME),
			 SNOO_WIRE_WELCOME);
	assert_int_equal(fakerank_pinned(&x->f[i]), 0);
	return x->f[i].welcome.core;
}

static unsigned int on(const struct fixture *x, unsigned int cpu)
{
	return place_on_cpu(x->h.sh.place, cpu);
}

static void test_neighbours_sit_side_by_side(void **state)
{
	static const int32_t order[RANKS] = { 5, 0, 7, 2, 6, 4, 1, 3 };
	struct fixture *x = *state;

	for (int i = 0; i < RANKS; i++)
		assert_int_equal(come(x, i, "late", order[i], RANKS),
				 order[i] % 6);
	assert_int_equal(place_total(x->h.sh.place), RANKS);
	for (unsigned int cpu = 0; cpu < 6; cpu++)
		assert_int_equal(on(x, cpu), cpu < 2 ? 2 : 1);
}

static void test_two_jobs_that_form_at_once_keep_apart(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(come(x, 0, "one", 1, 2), 1);
	assert_int_equal(come(x, 1, "two", 1, 2), 3);
	assert_int_equal(come(x, 2, "two", 0, 2), 2);
	assert_int_equal(come(x, 3, "one", 0, 2), 0);
}

static void test_who_wishes_otherwise_gives_its_seat_back(void **state)
{
	struct fixture *x = *state;

	/* Kept: 0 1 2 3 4. */
	assert_int_equal(come_as(x, 0, 0, 5, -1, 0), 0);
	assert_int_equal(come_as(x, 1, 1, 5, 3, 0), 3);
	assert_int_equal(on(x, 1), 0);
	assert_int_equal(on(x, 3), 2);
	/* In a container with cpus 1 and 3 alone. */
	assert_int_equal(come_as(x, 2, 2, 5, -1, 0x0a), 1);
	assert_int_equal(on(x, 2), 0);
	/* Counted, but not pinned. */
	assert_int_equal(come_as(x, 3, 3, 5, -2, 0), -1);
	assert_int_equal(on(x, 3), 1);
	assert_int_equal(place_unpinned(x->h.sh.place), 1);
	assert_int_equal(come_as(x, 4, 4, 5, -1, 0), 4);
	assert_int_equal(place_total(x->h.sh.place), 5);
}

static void test_in_a_container_they_sit_as_they_come(void **state)
{
	struct fixture *x = *state;

	/* Four of eight may come here: two on each core, or one. */
	for (int i = 0; i < 4; i++)
		come_as(x, i, 2 * i, RANKS, -1, 0x0f);
	assert_int_equal(place_total(x->h.sh.place), 4);
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		assert_int_equal(on(x, cpu), 1);
}

static void test_seats_of_those_who_never_came_are_given_back(void **state)
{
	struct fixture *x = *state;

	come(x, 0, "short", 3, RANKS);
	assert_int_equal(place_total(x->h.sh.place), RANKS);
	fakerank_close(&x->f[0]);
	home_bury(&x->h);
	home_settle(&x->h);
	assert_int_equal(x->h.d->jobs, 0);
	assert_int_equal(place_total(x->h.sh.place), 0);
}

static void test_an_open_job_has_no_plan(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(come(x, 0, "open", -1, 0), 0);
	assert_int_equal(place_total(x->h.sh.place), 1);
	assert_int_equal(come(x, 1, "open", -1, 0), 1);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_neighbours_sit_side_by_side),
		T(test_two_jobs_that_form_at_once_keep_apart),
		T(test_who_wishes_otherwise_gives_its_seat_back),
		T(test_in_a_container_they_sit_as_they_come),
		T(test_seats_of_those_who_never_came_are_given_back),
		T(test_an_open_job_has_no_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
