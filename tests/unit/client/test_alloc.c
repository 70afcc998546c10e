/* SPDX-License-Identifier: MIT */
/* test_alloc.c - sends from buffers in the pool: one copy, by the receiver */

#include "tests/unit/client/loan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/progress.h"

#define N ((size_t)300000)

static unsigned char in[N];

static unsigned char *buffer(struct world *w, uint32_t rank, size_t n)
{
	void *p;

	world_lend(w, rank, n <= 524288 ? 524288 : MIB);
	assert_int_equal(snoo_alloc(w->ctx[rank], n, &p), 0);
	return p;
}

static void expect(struct world *w, struct snoo_request **s,
		   struct snoo_request **r, size_t n, uint32_t seed)
{
	struct snoo_status st;
	int done = 0;

	for (int i = 0; i < 1000 && !done; i++) {
		world_turn(w, 1);
		assert_int_equal(snoo_test(w->ctx[1], r, &done, &st), 0);
	}
	assert_true(done);
	assert_int_equal(st.count, n);
	assert_true(world_matches(in, n, seed));
	assert_int_equal(snoo_wait(w->ctx[0], s, NULL), 0);
}

static void test_the_receiver_copies_by_itself(void **state)
{
	struct world *w = *state;
	unsigned char *buf = buffer(w, 0, N);
	struct snoo_request *s, *r;

	for (uint32_t i = 0; i < 6; i++) {
		world_pattern(buf, N, i);
		memset(in, 0, N);
		/* Posted before it comes, or after. */
		if (i % 2)
			assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r),
					 0);
		assert_int_equal(snoo_isend(w->ctx[0], buf, N, 1, 1, &s), 0);
		if (i % 2 == 0) {
			world_turn(w, 2);
			assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r),
					 0);
		}
		expect(w, &s, &r, N, i);
	}
	assert_int_equal(count(w, 0, SHM_COUNT_sent_pool), 6);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_streamed), 0);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_bytes), 6 * N);
	assert_int_equal(snoo_free(w->ctx[0], buf), 0);
}

static void test_a_part_of_a_buffer(void **state)
{
	struct world *w = *state;
	unsigned char *buf = buffer(w, 0, 524288);
	struct snoo_request *s, *r;

	world_pattern(buf + 524288 - 100001, 100001, 3);
	assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r), 0);
	assert_int_equal(
		snoo_isend(w->ctx[0], buf + 524288 - 100001, 100001, 1, 1, &s),
		0);
	expect(w, &s, &r, 100001, 3);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_pool), 1);
}

static void test_a_short_buffer_cuts_it_off(void **state)
{
	struct world *w = *state;
	unsigned char *buf = buffer(w, 0, N);
	struct snoo_request *s;
	struct snoo_status st;

	world_pattern(buf, N, 5);
	assert_int_equal(snoo_isend(w->ctx[0], buf, N, 1, 1, &s), 0);
	assert_int_equal(snoo_recv(w->ctx[1], in, 1000, 0, 1, &st), -EMSGSIZE);
	assert_int_equal(st.count, 1000);
	assert_true(world_matches(in, 1000, 5));
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
}

static void test_a_view_gets_a_copy(void **state)
{
	struct world *w = *state;
	unsigned char *buf = buffer(w, 0, N);
	struct snoo_request *s;
	struct snoo_view v;

	world_pattern(buf, N, 5);
	assert_int_equal(snoo_isend(w->ctx[0], buf, N, 1, 1, &s), 0);
	take_view(w, 1, 0, N, 5, &v);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	world_pattern(buf, N, 6);
	expect_view(&v, 0, N, 5);
	assert_int_equal(snoo_release(w->ctx[1], &v), 0);
}

/* Small ones return at once, as from any memory. */
static void test_small_messages_are_eager(void **state)
{
	struct world *w = *state;
	unsigned char *buf = buffer(w, 0, N);

	for (size_t n = 1; n <= 16384; n *= 4) {
		world_pattern(buf, n, 1);
		assert_int_equal(snoo_send(w->ctx[0], buf, n, 1, 1), 0);
		memset(buf, 0, n);
		assert_int_equal(snoo_recv(w->ctx[1], in, n, 0, 1, NULL), 0);
		assert_true(world_matches(in, n, 1));
	}
	assert_int_equal(count(w, 0, SHM_COUNT_sent_pool), 0);
}

static void test_a_buffer_is_freed_when_nobody_copies(void **state)
{
	struct world *w = *state;
	unsigned char *buf = buffer(w, 0, N);
	struct snoo_request *s;
	int other;

	assert_int_equal(snoo_alloc(w->ctx[0], 1, NULL), -EINVAL);
	assert_int_equal(snoo_free(w->ctx[0], &other), -EINVAL);
	assert_int_equal(snoo_free(w->ctx[0], buf + 1), -EINVAL);
	assert_int_equal(snoo_free(w->ctx[1], buf), -EINVAL);
	assert_int_equal(snoo_free(w->ctx[0], NULL), 0);
	assert_int_equal(snoo_isend(w->ctx[0], buf, N, 1, 1, &s), 0);
	assert_int_equal(snoo_free(w->ctx[0], buf), -EBUSY);
	assert_int_equal(snoo_recv(w->ctx[1], in, N, 0, 1, NULL), 0);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	assert_int_equal(snoo_free(w->ctx[0], buf), 0);
	assert_int_equal(snoo_free(w->ctx[0], buf), -EINVAL);
}

/* ---- REVOKE ---- */

/* The receiver has seen the offer, the sender gives it up and writes: what was
 * there is not taken any more, and the receive waits on. */
static void test_a_send_that_was_given_up_is_not_fetched(void **state)
{
	struct world *w = *state;
	unsigned char *buf = buffer(w, 0, N);
	struct snoo_request *s, *r;
	int done = 0;

	world_pattern(buf, N, 1);
	assert_int_equal(snoo_isend(w->ctx[0], buf, N, 1, 1, &s), 0);
	progress(w->ctx[1]);
	assert_int_equal(snoo_cancel(w->ctx[0], &s), 0);
	memset(buf, 0, N);
	/* CANCEL is in the ring, behind what it has looked at. */
	assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r), 0);
	assert_false(r->done);
	world_turn(w, 3);
	assert_int_equal(snoo_test(w->ctx[1], &r, &done, NULL), 0);
	assert_false(done);
	world_pattern(buf, N, 2);
	assert_int_equal(snoo_isend(w->ctx[0], buf, N, 1, 1, &s), 0);
	expect(w, &s, &r, N, 2);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_pool), 1);
}

/* Of two offers from one buffer the other one still comes: by asking. */
static void test_another_offer_of_the_block_is_streamed(void **state)
{
	struct world *w = *state;
	unsigned char *buf = buffer(w, 0, N);
	struct snoo_request *s[2], *r;

	world_pattern(buf, N, 1);
	assert_int_equal(snoo_isend(w->ctx[0], buf, N, 1, 7, &s[0]), 0);
	assert_int_equal(snoo_isend(w->ctx[0], buf, N, 1, 1, &s[1]), 0);
	progress(w->ctx[1]);
	assert_int_equal(snoo_cancel(w->ctx[0], &s[0]), 0);
	assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r), 0);
	expect(w, &s[1], &r, N, 1);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_pool), 0);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_streamed), 1);
	assert_int_equal(snoo_free(w->ctx[0], buf), 0);
}

static void test_a_time_limit_takes_the_buffer_back(void **state)
{
	struct world *w = *state;
	unsigned char *buf = buffer(w, 0, N);
	uint32_t before = w->ctx[0]->peers[1].held;

	assert_int_equal(snoo_set_timeout(w->ctx[0], 1000000), 0);
	assert_int_equal(snoo_send(w->ctx[0], buf, N, 1, 1), -ETIMEDOUT);
	assert_int_equal(snoo_free(w->ctx[0], buf), 0);
	assert_int_equal(w->ctx[0]->peers[1].held, before);
}

/* ---- ends ---- */

static void test_an_allowance_that_is_used_up_holds(void **state)
{
	struct world *w = *state;
	struct snoo_abi_rank *me = shm_region_rank(&w->region, 0);
	unsigned char *buf = buffer(w, 0, N);
	struct snoo_request *s, *r;
	int done;

	atomic_store(&me->allow, 0);
	world_pattern(buf, N, 1);
	assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r), 0);
	assert_int_equal(snoo_isend(w->ctx[0], buf, N, 1, 1, &s), 0);
	world_turn(w, 10);
	assert_int_equal(snoo_test(w->ctx[1], &r, &done, NULL), 0);
	assert_false(done);
	atomic_store(&me->allow, SNOO_ABI_UNLIMITED);
	expect(w, &s, &r, N, 1);
}

static void test_a_dead_senders_offer_is_not_fetched(void **state)
{
	struct world *w = *state;
	unsigned char *buf = buffer(w, 0, N);
	struct snoo_request *s;

	assert_int_equal(snoo_isend(w->ctx[0], buf, N, 1, 1, &s), 0);
	progress(w->ctx[1]);
	world_gone(w, 0, SNOO_ABI_DEAD);
	world_turn(w, 2);
	assert_int_equal(snoo_recv(w->ctx[1], in, N, 0, 1, NULL), -EOWNERDEAD);
	snoo_cancel(w->ctx[0], &s);
}

static void test_finalize_keeps_what_is_offered(void **state)
{
	struct world *w = *state;
	unsigned char *idle = buffer(w, 0, N), *busy = buffer(w, 0, N);
	uint64_t arena = w->region.arena_off;
	struct snoo_request *s;
	uint32_t unit[2] = {
		(uint32_t)(((uint64_t)(idle - w->ctx[0]->region.base) - arena) /
			   SNOO_ABI_UNIT),
		(uint32_t)(((uint64_t)(busy - w->ctx[0]->region.base) - arena) /
			   SNOO_ABI_UNIT),
	};

	assert_int_equal(snoo_isend(w->ctx[0], busy, N, 1, 1, &s), 0);
	/* The request goes with the context. */
	assert_int_equal(snoo_finalize(w->ctx[0]), 0);
	free(s);
	w->ctx[0] = NULL;
	assert_int_equal(state_of(w, unit[0]), SNOO_ABI_BLOCK_FREE);
	assert_int_equal(state_of(w, unit[1]), SNOO_ABI_BLOCK_BUSY);
}

/* ---- hostile ---- */

/* Beyond its block: it may be another's by now, and nothing is taken there. */
static void test_an_offer_beyond_its_block_is_not_fetched(void **state)
{
	struct world *w = *state;
	uint32_t unit = world_lend(w, 0, 8192), generation;
	struct snoo_abi_desc *d = shm_region_desc(&w->region, unit);
	struct snoo_request *r;
	struct shm_tx *tx;
	char x = 0;

	assert_int_equal(shm_block_take(d, 0,
					block_generation(shm_block_look(d)),
					&generation),
			 0);
	assert_int_equal(snoo_send(w->ctx[0], &x, 1, 1, 1), 0);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 1, 0, 1, NULL), 0);
	tx = &w->ctx[0]->peers[1].tx;
	for (uint64_t over = 0; over < 2; over++) {
		uint64_t words[7] = {
			5,
			99,
			8000 + over,
			SNOO_ABI_WAY_STREAM | SNOO_ABI_WAY_POOL,
			w->region.arena_off + (uint64_t)unit * SNOO_ABI_UNIT +
				192,
			line_pair(unit, generation),
		};

		assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 5, &r), 0);
		memcpy(shm_tx_words(tx), words, sizeof(words));
		shm_tx_publish(tx, line_word(SNOO_ABI_OFFER, 0, 0, 0, 5));
		progress(w->ctx[1]);
		/* One byte more, and it asks the sender. */
		assert_int_equal(r->done, over == 0);
		snoo_cancel(w->ctx[1], &r);
	}
	assert_int_equal(w->ctx[1]->peers[0].state, PEER_LIVE);
}

struct claim {
	uint64_t from; /* bytes behind the block's first */
	uint64_t length;
	uint32_t unit_off;
};

static void test_an_offer_outside_of_the_arena_breaks_the_channel(void **state)
{
	static const struct claim claims[] = {
		{ 0, UINT64_C(1) << 40, 0 },	{ 1, UINT64_MAX, 0 },
		{ UINT64_MAX, 1, 0 }, /* before its first byte */
		{ UINT64_MAX - 4096, 8192, 0 }, { 0, 1, 1 },
		{ 0, 1, UINT32_MAX / 2 }, /* no unit */
	};

	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		struct world *w = *state;
		const struct claim *c = &claims[i];
		uint32_t unit = world_lend(w, 0, 8192);
		uint64_t words[7] = {
			5,
			99,
			c->length,
			SNOO_ABI_WAY_STREAM | SNOO_ABI_WAY_POOL,
			w->region.arena_off + (uint64_t)unit * SNOO_ABI_UNIT +
				c->from,
			line_pair(unit + c->unit_off, 1),
		};
		struct shm_tx *tx;
		char x = 0;

		assert_int_equal(snoo_send(w->ctx[0], &x, 1, 1, 1), 0);
		assert_int_equal(snoo_recv(w->ctx[1], &x, 1, 0, 1, NULL), 0);
		tx = &w->ctx[0]->peers[1].tx;
		memcpy(shm_tx_words(tx), words, sizeof(words));
		shm_tx_publish(tx, line_word(SNOO_ABI_OFFER, 0, 0, 0, 5));
		progress(w->ctx[1]);
		assert_int_equal(snoo_recv(w->ctx[1], &x, 1, 0, 1, NULL),
				 -EPROTO);
		assert_int_equal(snoo_send(w->ctx[1], &x, 1, 2, 1), 0);
		assert_int_equal(snoo_recv(w->ctx[2], &x, 1, 1, 1, NULL), 0);
		teardown(state);
		setup(state);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_the_receiver_copies_by_itself),
		T(test_a_part_of_a_buffer),
		T(test_a_short_buffer_cuts_it_off),
		T(test_a_view_gets_a_copy),
		T(test_small_messages_are_eager),
		T(test_a_buffer_is_freed_when_nobody_copies),
		T(test_a_send_that_was_given_up_is_not_fetched),
		T(test_another_offer_of_the_block_is_streamed),
		T(test_a_time_limit_takes_the_buffer_back),
		T(test_an_allowance_that_is_used_up_holds),
		T(test_a_dead_senders_offer_is_not_fetched),
		T(test_finalize_keeps_what_is_offered),
		T(test_an_offer_beyond_its_block_is_not_fetched),
		T(test_an_offer_outside_of_the_arena_breaks_the_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
