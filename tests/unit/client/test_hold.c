/* SPDX-License-Identifier: MIT */
/* test_hold.c - for whom a core is kept that many share, how long, how often */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "client/channel.h"
#include "client/hold.h"
#include "client/wait.h"
#include "tests/lib/world.h"

#define YIELD 1000u
#define MANY  8u
#define KEPT  (2 * MANY * YIELD)	/* a core is, for one peer */
#define TURN  (64 * (uint64_t)YIELD)

static uint64_t now;

static void put(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static uint32_t get(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* Rank r sits on core r % 2, as if seven others did. */
static int setup(void **state)
{
	static struct world w;
	struct world_params p = world_usual;

	p.ranks = 4;
	world_open(&w, &p);
	for (uint32_t i = 0; i < p.ranks; i++) {
		w.ctx[i]->core = (int)i % 2;
		w.ctx[i]->patience.yield_ns = YIELD;
		w.ctx[i]->patience.sleep_until_ns = 0;
		put(&w.ctx[i]->me->core, i % 2);
		put(&w.ctx[i]->me->sharers, MANY);
		for (uint32_t k = 0; k < p.ranks; k++)
			assert_true(channel_meet(w.ctx[i],
						 &w.ctx[i]->peers[k]));
	}
	now = UINT64_C(1000000000);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	world_close(*state);
	return 0;
}

/* A wait of @me for a message of @bytes from @from (-1: any). */
static struct idle wait_for(struct world *w, uint32_t me, int from,
			    uint64_t bytes)
{
	struct snoo_request req;
	struct idle idle;

	request_init(&req, REQUEST_RECV);
	req.peer = from < 0 ? ENGINE_ANY : (uint32_t)from;
	req.context = ENGINE_CONTEXT_USER;
	req.len = bytes;
	wait_begin(&idle);
	hold_begin(&idle, w->ctx[me], &req);
	return idle;
}

static bool keeps(struct world *w, uint32_t me, struct idle *idle)
{
	return hold_core(w->ctx[me], idle, MANY, now);
}

/* A wait that keeps the core begins; is ended by nothing. */
static void in_vain(struct world *w, uint32_t me, int from)
{
	struct idle idle = wait_for(w, me, from, 8);

	hold_turn(w->ctx[me], &idle, now);
	assert_true(keeps(w, me, &idle));
	now += KEPT - 1;
	assert_true(keeps(w, me, &idle));
	now++;
	assert_false(keeps(w, me, &idle));
	/* Not again in this turn. */
	assert_false(keeps(w, me, &idle));
}

static uint32_t skipped(struct world *w, uint32_t me, int from)
{
	for (uint32_t n = 0;; n++) {
		struct idle idle = wait_for(w, me, from, 8);

		hold_turn(w->ctx[me], &idle, now);
		if (keeps(w, me, &idle))
			return n;
		assert_true(n < 100000);
	}
}

static void test_the_lower_core_waits_for_the_other(void **state)
{
	struct world *w = *state;
	struct idle low = wait_for(w, 0, 1, 8), high = wait_for(w, 1, 0, 8);

	assert_false(keeps(w, 1, &high));
	assert_int_equal(get(&w->ctx[1]->me->turn_with), 0);
	assert_true(keeps(w, 0, &low));
	assert_int_equal(get(&w->ctx[0]->me->turn_with), 1 + 1);
	/* It was asked already in this turn, and asks once in each. */
	assert_false(keeps(w, 1, &high));
	hold_turn(w->ctx[1], &high, now);
	assert_true(keeps(w, 1, &high));
	/* Rank 3 is none of its business. */
	high = wait_for(w, 3, 0, 8);
	assert_false(keeps(w, 3, &high));
	hold_leave(w->ctx[0]);
	assert_int_equal(get(&w->ctx[0]->me->turn_with), 0);
}

static void test_for_whom_no_core_is_kept(void **state)
{
	struct world *w = *state;
	struct idle idle = wait_for(w, 0, 1, 4096);

	assert_true(keeps(w, 0, &idle));
	idle = wait_for(w, 0, 1, 4097);
	assert_false(keeps(w, 0, &idle));
	idle = wait_for(w, 0, -1, 8);
	assert_false(keeps(w, 0, &idle));
	/* On our core. */
	idle = wait_for(w, 0, 2, 8);
	assert_false(keeps(w, 0, &idle));
	/* Nobody knows where. */
	put(&w->ctx[1]->me->core, UINT32_MAX);
	idle = wait_for(w, 0, 1, 8);
	assert_false(keeps(w, 0, &idle));
	put(&w->ctx[1]->me->core, 1);
	/* With fewer on the core they see what the others want. */
	idle = wait_for(w, 0, 1, 8);
	assert_false(hold_core(w->ctx[0], &idle, HOLD_SHARERS - 1, now));
	/* Somebody computes there: sleep. */
	w->ctx[0]->patience.sleep_until_ns = now + 1;
	w->ctx[0]->patience.sleep_sharers = MANY;
	idle = wait_for(w, 0, 1, 8);
	assert_false(keeps(w, 0, &idle));
	now++;
	assert_true(keeps(w, 0, &idle));
}

static void test_waits_in_vain_are_learnt(void **state)
{
	struct world *w = *state;
	struct idle idle;

	in_vain(w, 0, 1);
	assert_int_equal(skipped(w, 0, 1), 4);
	/* That one goes on, and is in vain, too. */
	in_vain(w, 0, 1);
	assert_int_equal(skipped(w, 0, 1), 16);
	/* It is another thing with another peer. */
	assert_int_equal(skipped(w, 0, 3), 0);
	/* What came takes half of it back. */
	idle = wait_for(w, 0, 1, 8);
	assert_true(keeps(w, 0, &idle));
	hold_paid(&idle);
	in_vain(w, 0, 1);
	assert_int_equal(skipped(w, 0, 1), 16);
	for (int i = 0; i < 10; i++) {
		in_vain(w, 0, 1);
		assert_true(skipped(w, 0, 1) <= 1024);
	}
	for (int i = 0; i < 5; i++) {
		idle = wait_for(w, 0, 1, 8);
		assert_true(keeps(w, 0, &idle));
		hold_paid(&idle);
	}
	in_vain(w, 0, 1);
	assert_int_equal(skipped(w, 0, 1), 4);
}

static void test_a_turn_ends(void **state)
{
	struct world *w = *state;
	struct idle idle = wait_for(w, 0, 1, 8);

	hold_turn(w->ctx[0], &idle, now);
	now += TURN - 1;
	assert_false(hold_over(w->ctx[0], now));
	assert_true(keeps(w, 0, &idle));
	now++;
	assert_true(hold_over(w->ctx[0], now));
	assert_false(keeps(w, 0, &idle));
	/* That was no wait in vain. */
	assert_int_equal(w->ctx[0]->peers[1].hold.failed, 0);
	hold_turn(w->ctx[0], &idle, now);
	assert_false(hold_over(w->ctx[0], now));
	assert_true(keeps(w, 0, &idle));
}

/*
 * Who never has to wait gives way nevertheless, and loses no message by it.  A
 * clock may stand still for many of them: some tick every 4 ms.
 */
static void test_who_never_waits_gives_way_too(void **state)
{
	struct world *w = *state;
	struct snoo *ctx = w->ctx[0];
	uint64_t yields = shm_counter(ctx->me, SHM_COUNT_yields);
	int n = 0, got;

	ctx->patience.yield_ns = 1;
	for (int i = 0; i < 1000 ||
			(i < 1000000 &&
			 shm_counter(ctx->me, SHM_COUNT_yields) < yields + 10);
	     i++) {
		assert_int_equal(snoo_send(w->ctx[1], &n, sizeof(n), 0, 1), 0);
		n++;
		assert_int_equal(snoo_recv(ctx, &got, sizeof(got), 1, 1, NULL),
				 0);
		assert_int_equal(got, n - 1);
	}
	assert_true(shm_counter(ctx->me, SHM_COUNT_yields) >= yields + 10);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_lower_core_waits_for_the_other),
		T(test_for_whom_no_core_is_kept),
		T(test_waits_in_vain_are_learnt),
		T(test_a_turn_ends),
		T(test_who_never_waits_gives_way_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
