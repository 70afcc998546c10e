/* SPDX-License-Identifier: MIT */
/* test_fast.c - the short way: what it takes, and what it must leave alone */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/fast.h"
#include "client/lend.h"
#include "shm/block.h"
#include "tests/lib/world.h"

static struct world world;

static int setup(void **state)
{
	struct world_params p = world_usual;

	p.ranks = 3;
	world_open(&world, &p);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	world_close(*state);
	return 0;
}

/*
 * A first message, so that the channel from @from to 1 is open; and a few
 * receives, so that rank 1 has requests to use again.
 */
static void open_channel(struct world *w, int from)
{
	struct snoo_request *r, *more[4];
	uint32_t in;

	for (int i = 0; i < 4; i++)
		assert_int_equal(snoo_irecv(w->ctx[1], &in, 4, from, 9,
					    &more[i]), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(snoo_cancel(w->ctx[1], &more[i]), 0);

	assert_int_equal(snoo_irecv(w->ctx[1], &in, 4, from, 9, &r), 0);
	assert_int_equal(snoo_send(w->ctx[from], &in, 4, 1, 9), 0);
	world_turn(w, 2);
	assert_int_equal(snoo_wait(w->ctx[1], &r, NULL), 0);
	assert_true(w->ctx[1]->peers[from].rx_short);
}

static void say(struct world *w, uint32_t value, int tag)
{
	assert_int_equal(snoo_send(w->ctx[0], &value, 4, 1, tag), 0);
}

static struct snoo_request *ask(struct world *w, uint32_t *in, int from,
				int tag)
{
	struct snoo_request *r;

	*in = 0;
	assert_int_equal(snoo_irecv(w->ctx[1], in, 4, from, tag, &r), 0);
	return r;
}

static void finish(struct world *w, struct snoo_request *r, int tag)
{
	struct snoo_status st;

	assert_int_equal(snoo_wait(w->ctx[1], &r, &st), 0);
	assert_int_equal(st.source, 0);
	assert_int_equal(st.tag, tag);
	assert_int_equal(st.count, 4);
}

static void test_a_line_that_is_there_completes_the_receive(void **state)
{
	struct world *w = *state;
	struct snoo_request *r;
	uint32_t in;

	open_channel(w, 0);
	say(w, 77, 3);
	r = ask(w, &in, 0, SNOO_ANY_TAG);
	assert_true(r->done);
	assert_int_equal(in, 77);
	assert_int_equal(w->ctx[1]->posted, 0);
	finish(w, r, 3);
}

/* MPI 4.1, section 3.5: the receive that was posted first is served first. */
static void check_older_first(struct world *w, int from)
{
	struct snoo_request *a, *b;
	uint32_t in[2];

	a = ask(w, &in[0], from, SNOO_ANY_TAG);
	say(w, 1, 4);
	b = ask(w, &in[1], 0, 4);
	assert_false(b->done);
	say(w, 2, 4);
	finish(w, a, 4);
	finish(w, b, 4);
	assert_int_equal(in[0], 1);
	assert_int_equal(in[1], 2);
}

static void test_an_older_receive_goes_first(void **state)
{
	open_channel(*state, 0);
	check_older_first(*state, 0);
}

static void test_an_older_wildcard_goes_first(void **state)
{
	open_channel(*state, 0);
	check_older_first(*state, SNOO_ANY_SOURCE);
}

static void test_a_receive_from_another_rank_does_not_matter(void **state)
{
	struct world *w = *state;
	struct snoo_request *a, *b;
	uint32_t in[2];

	open_channel(w, 0);
	a = ask(w, &in[0], 2, SNOO_ANY_TAG);
	say(w, 5, 4);
	b = ask(w, &in[1], 0, 4);
	assert_true(b->done);
	assert_int_equal(in[1], 5);
	finish(w, b, 4);
	assert_int_equal(snoo_cancel(w->ctx[1], &a), 0);
}

static void test_a_kept_message_goes_first(void **state)
{
	struct world *w = *state;
	struct snoo_request *a, *b;
	uint32_t in[2];

	open_channel(w, 0);
	say(w, 1, 4);
	world_turn(w, 1);
	say(w, 2, 4);
	a = ask(w, &in[0], 0, 4);
	b = ask(w, &in[1], 0, 4);
	assert_int_equal(in[0], 1);
	assert_int_equal(in[1], 2);
	finish(w, a, 4);
	finish(w, b, 4);
}

static void test_another_tag_is_left_for_its_receive(void **state)
{
	struct world *w = *state;
	struct snoo_request *a, *b;
	uint32_t in[2];

	open_channel(w, 0);
	say(w, 1, 4);
	a = ask(w, &in[0], 0, 5);
	assert_false(a->done);
	b = ask(w, &in[1], 0, 4);
	say(w, 2, 5);
	finish(w, a, 5);
	finish(w, b, 4);
	assert_int_equal(in[0], 2);
	assert_int_equal(in[1], 1);
}

/* One line, several lines, a block: cut to the buffer, and said at the wait. */
static void test_what_is_too_long_is_cut(void **state)
{
	static const size_t sizes[] = { 5, 56, 57, 500, 513, 4096, 16384 };
	struct world *w = *state;
	static unsigned char out[16384];
	unsigned char in[8];

	open_channel(w, 0);
	world_pattern(out, sizeof(out), 1);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct snoo_request *r;
		struct snoo_status st;

		memset(in, 0, sizeof(in));
		assert_int_equal(snoo_send(w->ctx[0], out, sizes[i], 1, 4), 0);
		assert_int_equal(snoo_irecv(w->ctx[1], in, 4, 0, 4, &r), 0);
		assert_true(r->done);
		assert_int_equal(snoo_wait(w->ctx[1], &r, &st), -EMSGSIZE);
		assert_int_equal(st.error, -EMSGSIZE);
		assert_int_equal(st.count, 4);
		assert_memory_equal(in, out, 4);
		assert_int_equal(in[4], 0);
	}
}

/* What is in a block is taken like a line, and the block is home at once. */
static void test_a_block_that_is_there_is_taken_and_given_back(void **state)
{
	static unsigned char data[16384], in[16384];
	struct world *w = *state;
	struct snoo_abi_desc *d;
	struct snoo_request *r;
	struct snoo_status st;

	open_channel(w, 0);
	for (uint32_t i = 0; i < 40; i++) {
		size_t n = 513 + 406 * i;
		struct list *out = &w->ctx[0]->lend[LEND_SMALL].out;

		world_pattern(data, n, i);
		assert_int_equal(snoo_send(w->ctx[0], data, n, 1, 4), 0);
		d = shm_region_desc(&w->region,
				    list_entry(out->prev, struct lend_block,
					       link)->unit);
		assert_int_equal(block_state(shm_block_look(d)),
				 SNOO_ABI_BLOCK_BUSY);
		memset(in, 0, sizeof(in));
		if (i % 2) {
			assert_int_equal(snoo_recv(w->ctx[1], in, sizeof(in), 0,
						   4, &st), 0);
		} else {
			assert_int_equal(snoo_irecv(w->ctx[1], in, sizeof(in),
						    0, 4, &r), 0);
			assert_true(r->done);
			assert_int_equal(snoo_wait(w->ctx[1], &r, &st), 0);
		}
		assert_int_equal(st.count, n);
		assert_int_equal(st.tag, 4);
		assert_true(world_matches(in, n, i));
		assert_int_equal(block_state(shm_block_look(d)),
				 SNOO_ABI_BLOCK_FREE);
	}
	assert_int_equal(shm_counter(w->ctx[0]->me, SHM_COUNT_sent_block), 40);
	assert_int_equal(shm_counter(w->ctx[1]->me, SHM_COUNT_received), 41);
}

/* A rank that always finds its line at once looks at the others all the same. */
static void test_other_channels_have_their_turn(void **state)
{
	struct world *w = *state;
	uint32_t in, value = 8;
	int found = 0;

	open_channel(w, 0);
	open_channel(w, 2);
	assert_int_equal(snoo_send(w->ctx[2], &value, 4, 1, 4), 0);
	for (uint32_t i = 0; i < 2 * FAST_TURNS; i++) {
		struct snoo_request *r;

		say(w, i, 4);
		r = ask(w, &in, 0, 4);
		assert_int_equal(in, r->done ? i : 0);
		finish(w, r, 4);
		assert_int_equal(in, i);
		found += !list_empty(&w->ctx[1]->peers[2].arrivals);
	}
	assert_true(found > 0);
	assert_int_equal(snoo_recv(w->ctx[1], &in, 4, 2, 4, NULL), 0);
	assert_int_equal(in, 8);
}

/* Sends that are complete at once share a request: each may still be waited
 * for, tested or cancelled on its own. */
static void test_complete_sends_may_be_handled_one_by_one(void **state)
{
	struct world *w = *state;
	struct snoo_request *s[4];
	struct snoo_status st;
	int done = 0, index = -1;
	uint32_t in;

	open_channel(w, 0);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(snoo_isend(w->ctx[0], &i, 4, 1, 4, &s[i]), 0);
	assert_int_equal(snoo_wait(w->ctx[0], &s[0], &st), 0);
	assert_int_equal(st.error, 0);
	assert_null(s[0]);
	assert_int_equal(snoo_test(w->ctx[0], &s[1], &done, NULL), 0);
	assert_int_equal(done, 1);
	assert_null(s[1]);
	assert_int_equal(snoo_cancel(w->ctx[0], &s[2]), 1);
	assert_null(s[2]);
	assert_int_equal(snoo_waitany(w->ctx[0], 4, s, &index, NULL), 0);
	assert_int_equal(index, 3);
	assert_null(s[3]);
	for (uint32_t i = 0; i < 4; i++) {
		finish(w, ask(w, &in, 0, 4), 4);
		assert_int_equal(in, i);
	}
}

/* More than the ring takes: the rest waits, in order, each with a request. */
static void test_a_full_ring_ends_the_short_way(void **state)
{
	enum { N = 300 };
	static struct snoo_request *s[N], *r[N];
	static uint32_t out[N], in[N];
	struct world *w = *state;

	open_channel(w, 0);
	for (uint32_t i = 0; i < N; i++) {
		out[i] = i;
		assert_int_equal(snoo_isend(w->ctx[0], &out[i], 4, 1, 4,
					    &s[i]), 0);
	}
	assert_ptr_equal(s[0], s[1]);
	assert_ptr_not_equal(s[N - 1], s[N - 2]);
	for (uint32_t i = 0; i < N; i++) {
		r[i] = ask(w, &in[i], 0, 4);
		world_turn(w, 1);
	}
	while (!r[N - 1]->done)
		world_turn(w, 1);
	assert_int_equal(snoo_waitall(w->ctx[0], N, s, NULL), 0);
	assert_int_equal(snoo_waitall(w->ctx[1], N, r, NULL), 0);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(in[i], i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_line_that_is_there_completes_the_receive, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_an_older_receive_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_an_older_wildcard_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_receive_from_another_rank_does_not_matter,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_kept_message_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_another_tag_is_left_for_its_receive, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_what_is_too_long_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_block_that_is_there_is_taken_and_given_back,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_other_channels_have_their_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_complete_sends_may_be_handled_one_by_one, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_a_full_ring_ends_the_short_way, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
