/* SPDX-License-Identifier: MIT */
/* test_mates.c - who shares our core, what they want, what they have received */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "client/mates.h"
#include "client/wait.h"
#include "shm/wake.h"
#include "tests/lib/world.h"

#define MS 1000000

static int setup(void **state)
{
	static struct world w;
	struct world_params p = world_usual;

	p.ranks = 6;
	world_open(&w, &p);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	world_close(*state);
	return 0;
}

static void put(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

/* The daemon puts @n ranks, 0 the first, on core 7, the rest on core 3. */
static void seat(struct world *w, uint32_t n)
{
	for (uint32_t i = 0; i < w->p.ranks; i++) {
		w->ctx[i]->core = i < n ? 7 : 3;
		put(&w->ctx[i]->me->core, i < n ? 7 : 3);
		put(&w->ctx[i]->me->sharers, i < n ? n : w->p.ranks - n);
	}
}

/* It waits for messages, and has none. */
static void rest(struct snoo *ctx)
{
	put(&ctx->me->call, SNOO_ABI_CALL_RECV);
	shm_wake_arm(ctx->me, SNOO_ABI_SUMMARY, SNOO_ABI_ANY);
}

static void test_they_are_found_by_their_core(void **state)
{
	struct world *w = *state;

	seat(w, 3);
	mates_find(w->ctx[1]);
	assert_int_equal(w->ctx[1]->mates.n, 2);
	assert_int_equal(w->ctx[1]->mates.rank[0], 2);
	assert_int_equal(w->ctx[1]->mates.rank[1], 0);
	w->ctx[1]->core = -1;
	mates_find(w->ctx[1]);
	assert_int_equal(w->ctx[1]->mates.n, 0);
}

static void test_few_are_all_of_a_shared_core(void **state)
{
	struct world *w = *state;

	seat(w, 1);
	assert_false(mates_few(w->ctx[0]));
	for (uint32_t n = 2; n <= 4; n++) {
		seat(w, n);
		assert_true(mates_few(w->ctx[0]));
		assert_int_equal(w->ctx[0]->mates.n, n - 1);
	}
	seat(w, 5);
	assert_false(mates_few(w->ctx[0]));
	/* Somebody of another job is there as well. */
	seat(w, 2);
	put(&w->ctx[0]->me->sharers, 3);
	assert_false(mates_few(w->ctx[0]));
	/* It was one of ours, who has been slow to come. */
	put(&w->ctx[2]->me->core, 7);
	for (int i = 0; i < 1024 && !mates_few(w->ctx[0]); i++)
		;
	assert_int_equal(w->ctx[0]->mates.n, 2);
}

static void test_who_has_something_to_do_wants_the_core(void **state)
{
	struct world *w = *state;
	struct snoo_abi_rank *r = w->ctx[2]->me;

	seat(w, 3);
	rest(w->ctx[1]);
	rest(w->ctx[2]);
	assert_true(mates_few(w->ctx[0]));
	assert_false(mates_want(w->ctx[0]));
	put(&r->call, SNOO_ABI_CALL_NONE);
	assert_true(mates_want(w->ctx[0]));
	/* What a collective waits for leaves no bit. */
	put(&r->call, SNOO_ABI_CALL_BARRIER);
	assert_true(mates_want(w->ctx[0]));
	put(&r->call, SNOO_ABI_CALL_WAIT);
	assert_false(mates_want(w->ctx[0]));
	shm_wake_check(r, 5);
	assert_true(mates_want(w->ctx[0]));
	shm_wake_collect(r->summary, 0);
	assert_false(mates_want(w->ctx[0]));
	shm_wake_arm(r, SNOO_ABI_POLLING, SNOO_ABI_ANY);
	assert_true(mates_want(w->ctx[0]));
	shm_wake_arm(r, SNOO_ABI_ASLEEP_FUTEX, 3);
	assert_false(mates_want(w->ctx[0]));
}

static void test_one_that_does_not_sleep_keeps_the_core_busy(void **state)
{
	struct world *w = *state;

	seat(w, 3);
	assert_true(mates_awake(w->ctx[0]));
	shm_wake_arm(w->ctx[1]->me, SNOO_ABI_ASLEEP_FUTEX, SNOO_ABI_ANY);
	shm_wake_arm(w->ctx[2]->me, SNOO_ABI_SUMMARY, SNOO_ABI_ANY);
	assert_true(mates_awake(w->ctx[0]));
	shm_wake_arm(w->ctx[2]->me, SNOO_ABI_ASLEEP_EVENTFD, SNOO_ABI_ANY);
	assert_false(mates_awake(w->ctx[0]));
	/* Who is gone keeps nothing busy. */
	shm_wake_arm(w->ctx[1]->me, SNOO_ABI_POLLING, SNOO_ABI_ANY);
	assert_true(mates_awake(w->ctx[0]));
	w->ctx[0]->peers[1].state = PEER_DEAD;
	assert_false(mates_awake(w->ctx[0]));
	w->ctx[0]->peers[1].state = PEER_LIVE;
	/* Nor does one of the other core. */
	put(&w->ctx[1]->me->core, 3);
	mates_find(w->ctx[0]);
	assert_false(mates_awake(w->ctx[0]));
}

static uint64_t count(struct world *w, enum shm_counter c)
{
	return shm_counter(w->ctx[0]->me, c);
}

/* With a spin of a second: does a wait of 5 ms end in a sleep? */
static bool sleeps(struct world *w, uint64_t *yields)
{
	uint64_t slept = count(w, SHM_COUNT_sleeps);
	struct snoo *ctx = w->ctx[0];
	char c;

	/* The last yield has met somebody, however soon it came back. */
	patience_init(&ctx->patience, 1000 * MS, false, MS, 1, MS);
	snoo_set_timeout(ctx, 5 * MS);
	*yields = count(w, SHM_COUNT_yields);
	assert_int_equal(snoo_recv(ctx, &c, 1, 4, 1, NULL), -ETIMEDOUT);
	*yields = count(w, SHM_COUNT_yields) - *yields;
	return count(w, SHM_COUNT_sleeps) > slept;
}

/* Yields that others make long end in one as well: so on a busy machine again. */
static void test_after_some_yields_for_nothing_we_sleep(void **state)
{
	struct world *w = *state;

	seat(w, 3);
	for (int awake = 0; awake < 2; awake++) {
		bool seen = false;

		for (int i = 1; i < 3; i++)
			shm_wake_arm(w->ctx[i]->me, i == awake ?
				     SNOO_ABI_POLLING : SNOO_ABI_ASLEEP_FUTEX,
				     SNOO_ABI_ANY);
		for (int i = 0; i < 200 && !seen; i++) {
			uint64_t yields;
			bool slept = sleeps(w, &yields);

			seen = awake ? slept && yields >= 3 :
				       !slept && yields > 8;
		}
		assert_true(seen);
	}
}

static void test_their_messages_count_by_number_and_size(void **state)
{
	struct world *w = *state;
	uint64_t before;

	seat(w, 3);
	before = mates_messages(w->ctx[0]);
	shm_count(w->ctx[0]->me, SHM_COUNT_received, 3);
	shm_count(w->ctx[1]->me, SHM_COUNT_received, 4);
	assert_int_equal(mates_messages(w->ctx[0]) - before, 7);
	shm_count(w->ctx[2]->me, SHM_COUNT_received_bytes, 65536);
	assert_int_equal(mates_messages(w->ctx[0]) - before, 11);
	/* Not one of ours. */
	shm_count(w->ctx[4]->me, SHM_COUNT_received, 100);
	assert_int_equal(mates_messages(w->ctx[0]) - before, 11);
}

/* A rank that waits on such a core has bits left for it, and no more later. */
static void test_who_shares_a_core_waits_by_summary(void **state)
{
	struct world *w = *state;
	struct snoo *ctx = w->ctx[0];
	struct snoo_request *req;
	int one = 1, got = 0;

	seat(w, 2);
	snoo_set_timeout(ctx, 5 * MS);
	assert_int_equal(snoo_recv(ctx, &got, sizeof(got), 4, 1, NULL),
			 -ETIMEDOUT);
	assert_int_equal(ctx->rest, SNOO_ABI_SUMMARY);
	assert_int_equal(snoo_send(w->ctx[4], &one, sizeof(one), 0, 1), 0);
	assert_int_equal(ctx->me->summary[0], 1u << 4);
	snoo_set_timeout(ctx, 1000 * MS);
	assert_int_equal(snoo_irecv(ctx, &got, sizeof(got), 4, 1, &req), 0);
	assert_int_equal(snoo_wait(ctx, &req, NULL), 0);
	assert_int_equal(got, 1);
	put(&ctx->me->sharers, 1);
	snoo_set_timeout(ctx, 5 * MS);
	assert_int_equal(snoo_recv(ctx, &got, sizeof(got), 4, 1, NULL),
			 -ETIMEDOUT);
	assert_int_equal(ctx->rest, SNOO_ABI_POLLING);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_they_are_found_by_their_core),
		T(test_few_are_all_of_a_shared_core),
		T(test_who_has_something_to_do_wants_the_core),
		T(test_one_that_does_not_sleep_keeps_the_core_busy),
		T(test_after_some_yields_for_nothing_we_sleep),
		T(test_their_messages_count_by_number_and_size),
		T(test_who_shares_a_core_waits_by_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
