/* SPDX-License-Identifier: MIT */
/* test_coll.c - collectives: ranks in threads, every byte checked */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/engine.h"
#include "tests/lib/collect.h"
#include "tests/lib/rounds.h"
#include "tests/lib/world.h"

struct part {
	struct snoo *ctx;
	int (*run)(struct snoo *ctx, void *arg);
	void *arg;
	int ret;
};

static void *part_main(void *arg)
{
	struct part *p = arg;

	p->ret = p->run(p->ctx, p->arg);
	return NULL;
}

/* All ranks from @first on do @run, each in a thread; ret[rank] is what came. */
static void together(struct world *w, uint32_t first, int *ret,
		     int (*run)(struct snoo *ctx, void *arg), void *arg)
{
	pthread_t thread[WORLD_RANKS];
	struct part part[WORLD_RANKS];

	for (uint32_t i = first; i < w->p.ranks; i++) {
		part[i] = (struct part){ w->ctx[i], run, arg, 0 };
		assert_int_equal(pthread_create(&thread[i], NULL, part_main,
						&part[i]), 0);
	}
	for (uint32_t i = first; i < w->p.ranks; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		ret[i] = part[i].ret;
	}
}

static void open_world(struct world *w, uint32_t ranks)
{
	struct world_params p = world_usual;

	p.ranks = ranks;
	p.rings = 8;
	p.pool_bytes = 32u << 20;
	world_open(w, &p);
}

static int everything(struct snoo *ctx, void *arg)
{
	const uint32_t *times = arg;
	struct collect_wrong wrong;

	for (uint32_t i = 0; i < *times; i++) {
		if (collect_all(ctx, collect_count(i), i, &wrong) == 0)
			continue;
		fprintf(stderr, "rank %d: %s of %zu, type %d op %d root %d: "
			"%s\n", snoo_rank(ctx), wrong.call, wrong.count,
			wrong.type, wrong.op, wrong.root, wrong.error ?
			snoo_strerror(wrong.error) : "wrong bytes");
		return -1;
	}
	return 0;
}

static void test_every_byte_of_every_collective_is_right(void **state)
{
	uint32_t times = rounds(80);
	struct world w;
	int ret[WORLD_RANKS];

	(void)state;
	for (uint32_t n = 1; n <= WORLD_RANKS; n++) {
		open_world(&w, n);
		together(&w, 0, ret, everything, &times);
		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(ret[i], 0);
			assert_int_equal(shm_counter(w.ctx[i]->me,
				SHM_COUNT_missed_bells), 0);
		}
		world_close(&w);
	}
}

static int many_barriers(struct snoo *ctx, void *arg)
{
	_Atomic uint32_t *seen = arg;
	uint32_t n = (uint32_t)snoo_size(ctx);

	for (uint32_t i = 0; i < 500; i++) {
		int ret;

		atomic_fetch_add_explicit(seen, 1, memory_order_relaxed);
		ret = snoo_barrier(ctx);
		if (ret)
			return ret;
		/* All have counted, and nobody twice more. */
		if (atomic_load_explicit(seen, memory_order_relaxed) <
		    n * (i + 1))
			return -ERANGE;
		ret = snoo_barrier(ctx);
		if (ret)
			return ret;
		if (atomic_load_explicit(seen, memory_order_relaxed) >
		    n * (i + 2))
			return -ERANGE;
	}
	return 0;
}

static void test_nobody_leaves_a_barrier_before_all_are_there(void **state)
{
	_Atomic uint32_t seen = 0;
	struct world w;
	int ret[WORLD_RANKS];

	(void)state;
	open_world(&w, 5);
	together(&w, 0, ret, many_barriers, &seen);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(ret[i], 0);
	world_close(&w);
}

/* As with a daemon or a library that does not know meetings. */
static void test_a_barrier_without_meetings_goes_by_messages(void **state)
{
	_Atomic uint32_t seen = 0;
	struct world w;
	int ret[WORLD_RANKS];
	double x = 1, y;

	(void)state;
	open_world(&w, 3);
	shm_job_no_meetings(&w.job);
	together(&w, 0, ret, many_barriers, &seen);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(ret[i], 0);
		assert_int_equal(shm_counter(w.ctx[i]->me,
					     SHM_COUNT_meetings), 0);
	}
	assert_int_equal(snoo_allreduce(w.ctx[0], &x, &y, 1, SNOO_DOUBLE,
					SNOO_SUM), -EOPNOTSUPP);
	world_close(&w);
}

/* @arg: how many elements each rank says. */
static int unlike_counts(struct snoo *ctx, void *arg)
{
	const size_t *counts = arg;
	uint32_t me = (uint32_t)snoo_rank(ctx);
	unsigned char *p = calloc(2, 80000);
	int ret = snoo_allreduce(ctx, p, p + 80000, counts[me], SNOO_INT64,
				 SNOO_SUM);

	for (size_t i = 0; ret && i < 80000; i++) {
		if (p[80000 + i])
			ret = -1;
	}
	free(p);
	/* And all are in step. */
	return snoo_barrier(ctx) ? -1 : ret;
}

static void test_sizes_that_differ_are_an_error_everywhere(void **state)
{
	static const size_t counts[][4] = {
		{ 1, 2, 1, 1 }, { 1, 1, 1, 0 }, { 1, 1, 10000, 1 },
		{ 9000, 10000, 9000, 9000 }, { 300, 1, 300, 300 },
		{ 300, 301, 300, 300 },
	};
	struct world w;
	int ret[WORLD_RANKS];

	(void)state;
	open_world(&w, 4);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		together(&w, 0, ret, unlike_counts,
			 (void *)(uintptr_t)counts[i]);
		for (uint32_t r = 0; r < 4; r++)
			assert_int_equal(ret[r], -EMSGSIZE);
	}
	world_close(&w);
}

static int unlike_calls(struct snoo *ctx, void *arg)
{
	int32_t in = 1, out = 7;

	(void)arg;
	if (snoo_rank(ctx) == 1)
		return snoo_barrier(ctx);
	return snoo_allreduce(ctx, &in, &out, 1, SNOO_INT32,
			      snoo_rank(ctx) == 0 ? SNOO_SUM : SNOO_MAX);
}

static void test_calls_that_differ_are_an_error_everywhere(void **state)
{
	struct world w;
	int ret[WORLD_RANKS];

	(void)state;
	open_world(&w, 3);
	together(&w, 0, ret, unlike_calls, NULL);
	for (uint32_t r = 0; r < 3; r++)
		assert_int_equal(ret[r], -EINVAL);
	world_close(&w);
}

/*
 * Rank 2 has arrived and dies; rank 1 has heard of it and is in its next call, rank
 * 0 hears of it only later.
 */
static int after_a_death(struct snoo *ctx, void *arg)
{
	int32_t in = 1, out;
	int ret;

	if (snoo_rank(ctx) != 2)
		return snoo_rank(ctx) == 1 ?
			       snoo_barrier(ctx) :
			       snoo_allreduce(ctx, &in, &out, 1, SNOO_INT32,
					      SNOO_SUM);
	snoo_set_timeout(ctx, 20000000);
	ret = snoo_barrier(ctx);
	world_gone(arg, 2, SNOO_ABI_DEAD);
	return ret;
}

static void test_what_differs_because_of_a_death_is_one(void **state)
{
	struct world w;
	int ret[WORLD_RANKS];

	(void)state;
	open_world(&w, 3);
	together(&w, 0, ret, after_a_death, &w);
	assert_int_equal(ret[0], -EOWNERDEAD);
	assert_int_equal(ret[1], -EOWNERDEAD);
	/* Nobody has told it, until its time limit. */
	assert_int_equal(ret[2], -EINVAL);
	world_close(&w);
}

static int short_bcast(struct snoo *ctx, void *arg)
{
	int32_t x[4] = { 1, 2, 3, 4 };
	int ret;

	(void)arg;
	ret = snoo_bcast(ctx, x, snoo_rank(ctx) == 2 ? 3 : 4, SNOO_INT32, 0);
	return snoo_barrier(ctx) ? -1 : ret;
}

static void test_a_bcast_of_another_size_is_an_error_there(void **state)
{
	struct world w;
	int ret[WORLD_RANKS];

	(void)state;
	open_world(&w, 3);
	together(&w, 0, ret, short_bcast, NULL);
	assert_int_equal(ret[0], 0);
	assert_int_equal(ret[1], 0);
	assert_int_equal(ret[2], -EMSGSIZE);
	world_close(&w);
}

static void test_arguments_that_can_not_be_are_refused(void **state)
{
	struct world w;
	struct snoo *c;
	double a[4] = { 0 }, b[4];
	unsigned char *odd = (unsigned char *)a + 1;

	(void)state;
	open_world(&w, 1);
	c = w.ctx[0];
	assert_int_equal(snoo_barrier(NULL), -EINVAL);
	assert_int_equal(snoo_bcast(c, a, 1, SNOO_DOUBLE, 1), -EINVAL);
	assert_int_equal(snoo_bcast(c, a, 1, SNOO_DOUBLE, -1), -EINVAL);
	assert_int_equal(snoo_bcast(c, a, 1, (enum snoo_type)8, 0), -EINVAL);
	assert_int_equal(snoo_bcast(c, NULL, 1, SNOO_BYTE, 0), -EINVAL);
	assert_int_equal(snoo_bcast(c, NULL, 0, SNOO_BYTE, 0), 0);
	assert_int_equal(snoo_bcast(c, SNOO_IN_PLACE, 1, SNOO_BYTE, 0),
			 -EINVAL);
	assert_int_equal(snoo_allreduce(c, a, b, SIZE_MAX / 8, SNOO_DOUBLE,
					SNOO_SUM), -EINVAL);
	assert_int_equal(snoo_allreduce(c, a, b, 1, SNOO_DOUBLE, SNOO_BAND),
			 -EINVAL);
	assert_int_equal(snoo_allreduce(c, a, b, 1, SNOO_BYTE, SNOO_SUM),
			 -EINVAL);
	assert_int_equal(snoo_allreduce(c, a, b, 1, SNOO_BYTE, SNOO_LOR),
			 -EINVAL);
	assert_int_equal(snoo_allreduce(c, a, b, 1, SNOO_INT32,
					(enum snoo_op)0), -EINVAL);
	assert_int_equal(snoo_allreduce(c, odd, b, 1, SNOO_DOUBLE, SNOO_SUM),
			 -EINVAL);
	assert_int_equal(snoo_allreduce(c, a, a, 1, SNOO_DOUBLE, SNOO_SUM),
			 -EINVAL);
	assert_int_equal(snoo_allreduce(c, a, SNOO_IN_PLACE, 1, SNOO_DOUBLE,
					SNOO_SUM), -EINVAL);
	assert_int_equal(snoo_reduce(c, a, NULL, 1, SNOO_DOUBLE, SNOO_SUM, 0),
			 -EINVAL);
	assert_int_equal(snoo_scatter(c, SNOO_IN_PLACE, b, 1, SNOO_DOUBLE, 0),
			 -EINVAL);
	assert_int_equal(snoo_alltoall(c, a, a, 1, SNOO_DOUBLE), -EINVAL);
	assert_int_equal(snoo_allreduce(c, a, b, 1, SNOO_DOUBLE, SNOO_SUM), 0);
	world_close(&w);
}

static int wait_for_the_dead(struct snoo *ctx, void *arg)
{
	double in = 1, out;
	int ret = 0;

	(void)arg;
	for (int i = 0; i < 3 && ret == 0; i++)
		ret = snoo_allreduce(ctx, &in, &out, 1, SNOO_DOUBLE, SNOO_SUM);
	/* It stays so. */
	return snoo_barrier(ctx) == ret ? ret : -1;
}

struct dying {
	struct world *w;
	_Atomic uint32_t ready;
};

static void *kill_rank_0(void *arg)
{
	struct dying *d = arg;

	/* The others are in the meeting: then it is too late to come. */
	for (uint32_t i = 1; i < d->w->p.ranks; i++) {
		while (shm_counter(d->w->ctx[i]->me, SHM_COUNT_sleeps) == 0)
			sched_yield();
	}
	world_gone(d->w, 0, SNOO_ABI_DEAD);
	for (uint32_t i = 1; i < d->w->p.ranks; i++)
		hal_nudge(d->w->ctx[i]->hal, i, SNOO_ABI_BELL_NEWS);
	return NULL;
}

static void test_a_death_ends_it_for_all(void **state)
{
	struct world w;
	struct dying d = { .w = &w };
	pthread_t killer;
	int ret[WORLD_RANKS];

	(void)state;
	open_world(&w, 4);
	assert_int_equal(pthread_create(&killer, NULL, kill_rank_0, &d), 0);
	together(&w, 1, ret, wait_for_the_dead, NULL);
	pthread_join(killer, NULL);
	for (uint32_t r = 1; r < 4; r++)
		assert_int_equal(ret[r], -EOWNERDEAD);
	world_close(&w);
}

/* A rank that has come and died is missed by nobody, until the next time. */
static void test_what_all_have_reached_outlives_them(void **state)
{
	struct shm_meet_part part = {
		.number = 1, .what = SNOO_ABI_MEET_BARRIER,
	};
	struct shm_meet area;
	struct world w;

	(void)state;
	open_world(&w, 2);
	shm_meet_open(&area, shm_job_meets(&w.job), 2);
	shm_meet_arrive(&area, 0, &part);
	world_gone(&w, 0, SNOO_ABI_DEAD);
	assert_int_equal(snoo_barrier(w.ctx[1]), 0);
	assert_int_equal(snoo_barrier(w.ctx[1]), -EOWNERDEAD);
	world_close(&w);
}

static void test_a_call_that_ran_out_of_time_is_taken_up_again(void **state)
{
	int32_t in = 5, other = 9, out = 0;
	struct shm_meet_part part = {
		.number = 1,
		.what = SNOO_ABI_MEET_ALLREDUCE | SNOO_INT32 << 8 |
			SNOO_SUM << 16,
		.bytes = 4,
		.data = &other,
		.len = 4,
	};
	struct shm_meet area;
	struct world w;

	(void)state;
	open_world(&w, 2);
	snoo_set_timeout(w.ctx[1], 1000000);
	assert_int_equal(snoo_allreduce(w.ctx[1], &in, &out, 1, SNOO_INT32,
					SNOO_SUM), -ETIMEDOUT);
	assert_int_equal(snoo_barrier(w.ctx[1]), -EINVAL);
	assert_int_equal(snoo_allreduce(w.ctx[1], &in, &out, 1, SNOO_INT32,
					SNOO_SUM), -ETIMEDOUT);
	shm_meet_open(&area, shm_job_meets(&w.job), 2);
	shm_meet_arrive(&area, 0, &part);
	assert_int_equal(snoo_allreduce(w.ctx[1], &in, &out, 1, SNOO_INT32,
					SNOO_SUM), 0);
	assert_int_equal(out, 14);
	world_close(&w);
}

/* That yields do not pay in meetings says nothing of messages. */
static void test_who_dozes_in_meetings_yields_in_other_waits(void **state)
{
	struct world w;
	struct snoo_abi_rank *me;
	uint64_t yields, sleeps;
	char byte;

	(void)state;
	open_world(&w, 2);
	me = w.ctx[1]->me;
	atomic_store_explicit(&me->sharers, 2, memory_order_relaxed);
	snoo_set_timeout(w.ctx[1], 5000000);
	w.ctx[1]->meet.doze_until_ns = UINT64_MAX;
	w.ctx[1]->meet.doze_sharers = 2;
	assert_int_equal(snoo_barrier(w.ctx[1]), -ETIMEDOUT);
	yields = shm_counter(me, SHM_COUNT_yields);
	sleeps = shm_counter(me, SHM_COUNT_sleeps);
	assert_int_equal(yields, 0);
	assert_true(sleeps > 0);
	assert_int_equal(snoo_recv(w.ctx[1], &byte, 1, 0, 1, NULL), -ETIMEDOUT);
	assert_true(shm_counter(me, SHM_COUNT_yields) > yields);
	/* Nor for ever of meetings. */
	yields = shm_counter(me, SHM_COUNT_yields);
	w.ctx[1]->meet.doze_until_ns = 1;
	assert_int_equal(snoo_barrier(w.ctx[1]), -ETIMEDOUT);
	assert_true(shm_counter(me, SHM_COUNT_yields) > yields);
	/* Who computed there may have left. */
	yields = shm_counter(me, SHM_COUNT_yields);
	w.ctx[1]->meet.doze_until_ns = UINT64_MAX;
	w.ctx[1]->meet.doze_sharers = 3;
	assert_int_equal(snoo_barrier(w.ctx[1]), -ETIMEDOUT);
	assert_true(shm_counter(me, SHM_COUNT_yields) > yields);
	world_close(&w);
}

static int with_messages(struct snoo *ctx, void *arg)
{
	uint32_t n = (uint32_t)snoo_size(ctx), me = (uint32_t)snoo_rank(ctx);
	uint32_t from = (me + n - 1) % n;
	size_t len = 200000, part = 20000;
	unsigned char *out = malloc(len), *in = malloc(len);
	unsigned char *all = malloc(n * part);
	struct snoo_request *r[2];
	double x = me, sum;
	int ret = 0;

	(void)arg;
	for (uint32_t i = 0; i < 20 && ret == 0; i++) {
		memset(out, (int)(me + i), len);
		snoo_irecv(ctx, in, len, SNOO_ANY_SOURCE, SNOO_ANY_TAG, &r[0]);
		snoo_isend(ctx, out, len, (int)((me + 1) % n), (int)i, &r[1]);
		if (snoo_allreduce(ctx, &x, &sum, 1, SNOO_DOUBLE, SNOO_SUM) ||
		    sum != (double)(n * (n - 1) / 2) ||
		    snoo_allgather(ctx, out, all, part, SNOO_BYTE) ||
		    snoo_waitall(ctx, 2, r, NULL))
			ret = -EIO;
		for (size_t k = 0; k < len && ret == 0; k++) {
			if (in[k] != (unsigned char)(from + i))
				ret = -ERANGE;
		}
	}
	free(out);
	free(in);
	free(all);
	return ret;
}

static void test_a_wildcard_receive_sees_none_of_it(void **state)
{
	struct world w;
	int ret[WORLD_RANKS];

	(void)state;
	open_world(&w, 3);
	together(&w, 0, ret, with_messages, NULL);
	for (uint32_t r = 0; r < 3; r++)
		assert_int_equal(ret[r], 0);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_of_every_collective_is_right),
		cmocka_unit_test(test_nobody_leaves_a_barrier_before_all_are_there),
		cmocka_unit_test(test_a_barrier_without_meetings_goes_by_messages),
		cmocka_unit_test(test_sizes_that_differ_are_an_error_everywhere),
		cmocka_unit_test(test_calls_that_differ_are_an_error_everywhere),
		cmocka_unit_test(test_a_bcast_of_another_size_is_an_error_there),
		cmocka_unit_test(test_what_differs_because_of_a_death_is_one),
		cmocka_unit_test(test_arguments_that_can_not_be_are_refused),
		cmocka_unit_test(test_a_death_ends_it_for_all),
		cmocka_unit_test(test_what_all_have_reached_outlives_them),
		cmocka_unit_test(test_a_call_that_ran_out_of_time_is_taken_up_again),
		cmocka_unit_test(test_who_dozes_in_meetings_yields_in_other_waits),
		cmocka_unit_test(test_a_wildcard_receive_sees_none_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
