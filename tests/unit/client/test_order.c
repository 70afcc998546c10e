/* SPDX-License-Identifier: MIT */
/*
 * test_order.c - messages are matched in the order of their numbers
 *
 * Rank 0 says NUMBER lines of the test's choice before what it sends, so that
 * anything may come early, late or twice in its channel to rank 1.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/channel.h"
#include "client/lend.h"
#include "client/progress.h"
#include "tests/lib/world.h"

#define KINDS	6
#define BIG	100000

/* A line, none, a run, a block, an offer, a full line. */
static const size_t size_of[KINDS] = { 4, 0, 200, 2000, BIG, 56 };

static struct world world;
static unsigned char out[KINDS][BIG], in[KINDS][BIG];

static int setup(void **state)
{
	world_open(&world, &world_usual);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	world_close(*state);
	return 0;
}

static struct peer *of(struct world *w)
{
	return &w->ctx[1]->peers[0];
}

/* The channel from 0 to 1 exists and has carried number 0. */
static void open_channel(struct world *w)
{
	int x = 1;

	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 1, 1), 0);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 1, NULL), 0);
}

static void number(struct world *w, uint64_t n)
{
	struct peer *p = &w->ctx[0]->peers[1];

	while (!channel_room(w->ctx[0], p))
		progress(w->ctx[1]);
	shm_tx_words(&p->tx)[0] = SNOO_ABI_NUMBER;
	shm_tx_words(&p->tx)[1] = n;
	shm_tx_publish(&p->tx, line_word(SNOO_ABI_CONTROL, 0, 0, 0, 0));
}

/* A small message whose payload is its tag. */
static void small(struct world *w, uint64_t n, int tag)
{
	number(w, n);
	assert_int_equal(snoo_send(w->ctx[0], &tag, sizeof(tag), 1, tag), 0);
	progress(w->ctx[1]);
}

static void expect(struct world *w, int tag)
{
	struct snoo_status st;
	int found, got = -1;

	assert_int_equal(snoo_iprobe(w->ctx[1], 0, SNOO_ANY_TAG, &found, &st),
			 0);
	assert_int_equal(found, 1);
	assert_int_equal(st.tag, tag);
	assert_int_equal(snoo_recv(w->ctx[1], &got, sizeof(got), 0,
				   SNOO_ANY_TAG, NULL), 0);
	assert_int_equal(got, tag);
}

static void expect_none(struct world *w)
{
	int found;

	assert_int_equal(snoo_iprobe(w->ctx[1], SNOO_ANY_SOURCE, SNOO_ANY_TAG,
				     &found, NULL), 0);
	assert_int_equal(found, 0);
}

static void expect_broken(struct world *w)
{
	int x;

	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 1, NULL), -EPROTO);
	assert_int_equal(shm_counter(w->ctx[1]->me,
				     SHM_COUNT_protocol_errors), 1);
}

/* ---- every order ---- */

static void finish(struct world *w, uint32_t rank, struct snoo_request **req,
		   struct snoo_status *st)
{
	int done = 0;

	while (!done) {
		assert_int_equal(snoo_test(w->ctx[rank], req, &done, st), 0);
		world_turn(w, 1);
	}
}

/*
 * Six messages of all kinds, numbered from @base on, arrive in the order of
 * @way.  The first @posted receives are there before them.
 */
static void arrive(struct world *w, const int way[KINDS], uint64_t base,
		   int posted)
{
	struct snoo_request *s[KINDS], *r[KINDS];

	for (int i = 0; i < posted; i++)
		assert_int_equal(snoo_irecv(w->ctx[1], in[i], BIG,
					    i % 2 ? 0 : SNOO_ANY_SOURCE,
					    SNOO_ANY_TAG, &r[i]), 0);
	for (int i = 0; i < KINDS; i++) {
		number(w, base + (uint64_t)way[i]);
		assert_int_equal(snoo_isend(w->ctx[0], out[way[i]],
					    size_of[way[i]], 1, way[i],
					    &s[i]), 0);
		progress(w->ctx[1]);
	}
	for (int i = posted; i < KINDS; i++)
		assert_int_equal(snoo_irecv(w->ctx[1], in[i], BIG, 0,
					    SNOO_ANY_TAG, &r[i]), 0);
	for (int i = 0; i < KINDS; i++) {
		struct snoo_status st;

		finish(w, 1, &r[i], &st);
		assert_int_equal(st.tag, i);
		assert_int_equal(st.count, size_of[i]);
		assert_true(world_matches(in[i], size_of[i], (uint32_t)i));
	}
	for (int i = 0; i < KINDS; i++)
		finish(w, 0, &s[i], NULL);
}

static void swap(int *a, int *b)
{
	int t = *a;

	*a = *b;
	*b = t;
}

/* Heap's algorithm: each permutation is one swap from the one before. */
static uint64_t permute(struct world *w, int way[KINDS], int n, uint64_t base)
{
	if (n == 1) {
		arrive(w, way, base, (int)(base / KINDS % (KINDS + 1)));
		return base + KINDS;
	}
	for (int i = 0; i < n; i++) {
		base = permute(w, way, n - 1, base);
		swap(&way[n % 2 ? 0 : i], &way[n - 1]);
	}
	return base;
}

static void test_every_order_of_arrival_matches_by_number(void **state)
{
	struct world *w = *state;
	int way[KINDS] = { 0, 1, 2, 3, 4, 5 };

	for (uint32_t i = 0; i < KINDS; i++)
		world_pattern(out[i], size_of[i], i);
	assert_int_equal(permute(w, way, KINDS, 0), 720 * KINDS);
	assert_int_equal(of(w)->turn, 720 * KINDS);
	/* One in its turn, and the short way is open again. */
	assert_false(of(w)->rx_short);
	small(w, 720 * KINDS, 7);
	expect(w, 7);
	assert_true(of(w)->rx_short);
}

/* Against a sorted list, from either end: whatever is the shorter walk. */
static void test_many_early_ones_in_any_order(void **state)
{
	enum { N = 500 };
	struct world *w = *state;
	int way[N];
	uint32_t x = 1;

	open_channel(w);
	for (int i = 0; i < N; i++)
		way[i] = i;
	for (int i = N - 1; i > 0; i--) {
		x = x * 1664525u + 1013904223u;
		swap(&way[i], &way[(x >> 8) % (uint32_t)(i + 1)]);
	}
	for (int i = 0; i < N; i++)
		small(w, 2 + (uint64_t)way[i], way[i]);
	expect_none(w);
	small(w, 1, 999);
	expect(w, 999);
	for (int i = 0; i < N; i++)
		expect(w, i);
	expect_none(w);
}

/* A sender that makes us search gets fewer of its lines read at a time. */
static void test_searching_counts_as_reading(void **state)
{
	enum { N = 600 };
	struct world *w = *state;
	struct snoo *ctx = w->ctx[1];
	uint64_t turn;

	open_channel(w);
	for (uint64_t i = 0; i < N; i++)
		small(w, 10 + 2 * i, (int)i);
	/* The middle is far from both ends. */
	number(w, 10 + N + 1);
	turn = 0;
	assert_int_equal(snoo_send(w->ctx[0], &turn, 4, 1, 1), 0);
	progress(ctx);
	assert_true(ctx->searched >= N / 2 - 2);
	assert_true(ctx->searched <= N / 2 + 2);
	/* At an end it is near. */
	small(w, 10 + 2 * N, 1);
	assert_int_equal(ctx->searched, 0);
	small(w, 11, 1);
	assert_true(ctx->searched <= 1);
}

/* ---- doubles ---- */

static void test_a_number_that_was_had_is_dropped(void **state)
{
	unsigned char run[500] = { 0 };
	struct world *w = *state;

	open_channel(w);
	small(w, 1, 11);
	small(w, 1, 12);
	small(w, 0, 13);
	small(w, 3, 14);
	small(w, 3, 15);
	number(w, 3);
	assert_int_equal(snoo_send(w->ctx[0], run, sizeof(run), 1, 16), 0);
	small(w, 2, 17);
	small(w, 2, 18);
	small(w, 4, 19);
	expect(w, 11);
	expect(w, 17);
	expect(w, 14);
	expect(w, 19);
	expect_none(w);
	assert_int_equal(of(w)->turn, 5);
}

static void check_double(struct world *w, uint64_t n, size_t bytes)
{
	struct snoo_request *s;

	open_channel(w);
	small(w, 1, 1);
	small(w, 5, 5);
	number(w, n);
	assert_int_equal(snoo_isend(w->ctx[0], out[0], bytes, 1, 3, &s), 0);
	progress(w->ctx[1]);
	expect(w, 1);
	expect_broken(w);
	snoo_cancel(w->ctx[0], &s);
}

/* What is sent again goes in lines: a second block or offer is a forgery. */
static void test_a_block_with_a_number_that_was_had(void **state)
{
	check_double(*state, 1, 2000);
}

static void test_a_block_with_a_number_that_is_parked(void **state)
{
	check_double(*state, 5, 2000);
}

static void test_an_offer_with_a_number_that_was_had(void **state)
{
	check_double(*state, 0, BIG);
}

static void test_an_offer_with_a_number_that_is_parked(void **state)
{
	check_double(*state, 5, BIG);
}

static void test_a_number_beyond_all_numbers(void **state)
{
	struct world *w = *state;

	open_channel(w);
	number(w, UINT64_C(1) << 56);
	expect_broken(w);
}

static void test_a_message_after_the_last_number(void **state)
{
	struct world *w = *state;
	int x = 0;

	open_channel(w);
	small(w, (UINT64_C(1) << 56) - 1, 1);
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 1, 2), 0);
	expect_broken(w);
}

/* ---- what else happens to early ones ---- */

static void test_answers_behind_an_early_message_are_read(void **state)
{
	struct world *w = *state;
	struct snoo_request *s, *r;

	open_channel(w);
	world_pattern(out[0], BIG, 9);
	assert_int_equal(snoo_isend(w->ctx[1], out[0], BIG, 0, 1, &s), 0);
	assert_int_equal(snoo_irecv(w->ctx[0], in[0], BIG, 1, 1, &r), 0);
	small(w, 7, 7);
	/* The ACCEPT comes behind it, in the same channel. */
	finish(w, 0, &r, NULL);
	finish(w, 1, &s, NULL);
	assert_true(world_matches(in[0], BIG, 9));
	expect_none(w);
	small(w, 1, 1);
	expect(w, 1);
	expect_none(w);
}

static void test_a_parked_offer_is_withdrawn(void **state)
{
	struct world *w = *state;
	struct snoo_request *s;

	open_channel(w);
	number(w, 2);
	assert_int_equal(snoo_isend(w->ctx[0], out[0], BIG, 1, 2, &s), 0);
	small(w, 3, 3);
	assert_int_equal(snoo_cancel(w->ctx[0], &s), 0);
	world_turn(w, 1);
	small(w, 1, 1);
	expect(w, 1);
	/* Its number counts, it does not. */
	expect(w, 3);
	expect_none(w);
	assert_int_equal(of(w)->turn, 4);
}

static unsigned int blocks_out(struct world *w)
{
	unsigned int n = 0;

	lend_collect(w->ctx[0], LEND_SMALL);
	for (struct list *i = w->ctx[0]->lend[LEND_SMALL].out.next;
	     i != &w->ctx[0]->lend[LEND_SMALL].out; i = i->next)
		n++;
	return n;
}

/* 3 and 5 are parked, in a block and a line; an offer is 4. */
static struct snoo_request *park_three(struct world *w)
{
	struct snoo_request *s;

	open_channel(w);
	world_pattern(out[0], 2000, 3);
	number(w, 3);
	assert_int_equal(snoo_send(w->ctx[0], out[0], 2000, 1, 3), 0);
	small(w, 5, 5);
	number(w, 4);
	assert_int_equal(snoo_isend(w->ctx[0], out[1], BIG, 1, 4, &s), 0);
	progress(w->ctx[1]);
	expect_none(w);
	assert_int_equal(blocks_out(w), 1);
	return s;
}

/* Messages published before a death arrive, in order, the missing apart. */
static void test_death_of_a_sender_with_early_ones(void **state)
{
	struct world *w = *state;
	struct snoo_request *s = park_three(w), *r;
	_Alignas(8) char buf[SNOO_WIRE_MAX];
	struct snoo_status st;
	int x;

	assert_int_equal(snoo_irecv(w->ctx[1], in[0], BIG, 0, 3, &r), 0);
	world_gone(w, 0, SNOO_ABI_DEAD);
	world_turn(w, 1);
	assert_int_equal(snoo_wait(w->ctx[1], &r, &st), 0);
	assert_int_equal(st.count, 2000);
	assert_true(world_matches(in[0], 2000, 3));
	assert_int_equal(blocks_out(w), 0);
	/* The offer keeps its place and is cut off. */
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, SNOO_ANY_TAG, &st),
			 -EOWNERDEAD);
	assert_int_equal(st.tag, 4);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 5, NULL), 0);
	assert_int_equal(x, 5);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 6, NULL), -EOWNERDEAD);
	assert_true(world_heard(w, 1, SNOO_WIRE_ACK, buf) > 0);
	snoo_cancel(w->ctx[0], &s);
}

static void test_death_brings_parked_blocks_home(void **state)
{
	struct world *w = *state;
	struct snoo_request *s = park_three(w);
	struct snoo_status st;

	world_gone(w, 0, SNOO_ABI_DEAD);
	world_turn(w, 1);
	assert_int_equal(blocks_out(w), 0);
	assert_int_equal(snoo_recv(w->ctx[1], in[0], BIG, 0, 3, &st), 0);
	assert_int_equal(st.count, 2000);
	assert_true(world_matches(in[0], 2000, 3));
	snoo_cancel(w->ctx[0], &s);
}

static void test_a_broken_sender_gets_its_blocks_back(void **state)
{
	struct world *w = *state;
	struct snoo_request *s = park_three(w);

	number(w, UINT64_MAX);
	expect_broken(w);
	assert_int_equal(blocks_out(w), 0);
	assert_true(list_empty(&of(w)->parked));
	snoo_cancel(w->ctx[0], &s);
}

static void test_finalize_forgets_early_ones(void **state)
{
	struct world *w = *state;
	struct snoo_request *s = park_three(w);
	unsigned char run[500] = { 0 };

	number(w, 9);
	assert_int_equal(snoo_send(w->ctx[0], run, sizeof(run), 1, 9), 0);
	progress(w->ctx[1]);
	assert_int_equal(snoo_finalize(w->ctx[1]), 0);
	w->ctx[1] = NULL;
	snoo_cancel(w->ctx[0], &s);
}

/* Both ends count alike, whichever way each message takes. */
static void test_short_and_long_ways_count_alike(void **state)
{
	struct world *w = *state;

	for (uint64_t i = 1; i <= 3 * KINDS; i++) {
		size_t n = size_of[i % KINDS];
		struct snoo_request *s, *r;

		if (n <= 200) {
			assert_int_equal(snoo_send(w->ctx[0], out[0], n, 1, 1),
					 0);
			assert_int_equal(snoo_recv(w->ctx[1], in[0], n, 0, 1,
						   NULL), 0);
		} else {
			assert_int_equal(snoo_isend(w->ctx[0], out[0], n, 1,
						    1, &s), 0);
			assert_int_equal(snoo_irecv(w->ctx[1], in[0], n, 0, 1,
						    &r), 0);
			finish(w, 1, &r, NULL);
			finish(w, 0, &s, NULL);
		}
		assert_int_equal(w->ctx[0]->peers[1].sent, i);
		assert_int_equal(of(w)->turn, i);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_every_order_of_arrival_matches_by_number),
		T(test_many_early_ones_in_any_order),
		T(test_searching_counts_as_reading),
		T(test_a_number_that_was_had_is_dropped),
		T(test_a_block_with_a_number_that_was_had),
		T(test_a_block_with_a_number_that_is_parked),
		T(test_an_offer_with_a_number_that_was_had),
		T(test_an_offer_with_a_number_that_is_parked),
		T(test_a_number_beyond_all_numbers),
		T(test_a_message_after_the_last_number),
		T(test_answers_behind_an_early_message_are_read),
		T(test_a_parked_offer_is_withdrawn),
		T(test_death_of_a_sender_with_early_ones),
		T(test_death_brings_parked_blocks_home),
		T(test_a_broken_sender_gets_its_blocks_back),
		T(test_finalize_forgets_early_ones),
		T(test_short_and_long_ways_count_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
