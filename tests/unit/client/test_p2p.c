/* SPDX-License-Identifier: MIT */
/* test_p2p.c - sends and receives of ranks in one thread: exact states */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "client/lend.h"
#include "shm/block.h"
#include "shm/copy.h"
#include "tests/lib/world.h"

static struct world world;

static int setup(void **state)
{
	world_open(&world, &world_usual);
	*state = &world;
	return 0;
}

static int setup_tiny(void **state)
{
	struct world_params p = world_usual;

	/* Rings and nothing else: the floor. */
	p.small = 0;
	p.large = 0;
	p.large_rings = 0;
	world_open(&world, &p);
	*state = &world;
	return 0;
}

static int setup_four(void **state)
{
	struct world_params p = world_usual;

	p.ranks = 4;
	world_open(&world, &p);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	world_close(*state);
	return 0;
}

/* Isend from 0 to 1, receive there, check every byte. */
static void carry(struct world *w, size_t n, uint32_t seed)
{
	unsigned char *out = malloc(n + 1), *in = calloc(1, n + 1);
	struct snoo_request *s, *r;
	struct snoo_status st;
	int done = 0;

	world_pattern(out, n, seed);
	assert_int_equal(snoo_isend(w->ctx[0], out, n, 1, 7, &s), 0);
	assert_int_equal(snoo_irecv(w->ctx[1], in, n, 0, 7, &r), 0);
	while (!done) {
		assert_int_equal(snoo_test(w->ctx[1], &r, &done, &st), 0);
		world_turn(w, 1);
	}
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	assert_int_equal(st.source, 0);
	assert_int_equal(st.tag, 7);
	assert_int_equal(st.count, n);
	assert_true(world_matches(in, n, seed));
	assert_int_equal(in[n], 0);
	free(out);
	free(in);
}

static const size_t sizes[] = {
	0, 1, 7, 8, 55, 56, 57, 64, 300, 832, 833, 1000, 2000, 16383, 16384, 16385, 65536,
	65537, 262144, 1000003, 4u << 20,
};

static void test_every_size_arrives_whole(void **state)
{
	struct world *w = *state;

	for (uint32_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			carry(w, sizes[i], round * 100 + (uint32_t)i);
	}
	assert_true(shm_counter(w->ctx[0]->me, SHM_COUNT_sent_run) > 0);
	assert_true(shm_counter(w->ctx[0]->me, SHM_COUNT_sent_block) > 0);
	assert_true(shm_counter(w->ctx[0]->me, SHM_COUNT_sent_streamed) > 0);
	assert_int_equal(shm_counter(w->ctx[0]->me, SHM_COUNT_pieces), 0);
}

static void share_core(struct world *w, uint32_t rank, uint32_t n)
{
	atomic_store_explicit(&w->ctx[rank]->me->sharers, n,
			      memory_order_relaxed);
}

static uint64_t streamed(struct world *w)
{
	return shm_counter(w->ctx[0]->me, SHM_COUNT_sent_streamed);
}

static void test_on_a_shared_core_a_large_block_is_eager(void **state)
{
	struct world *w = *state;
	size_t large = w->ctx[0]->lend[LEND_LARGE].bytes;
	uint64_t eager = w->ctx[0]->eager_bytes;

	assert_true(large > eager);
	carry(w, large, 1);
	assert_int_equal(streamed(w), 1);
	for (uint32_t rank = 0; rank < 2; rank++) {
		share_core(w, rank, 2);
		carry(w, large, 2);
		assert_int_equal(streamed(w), 1 + rank);
		carry(w, large + 1, 3);
		assert_int_equal(streamed(w), 2 + rank);
		share_core(w, rank, 1);
	}
	/* Nothing is, if that is what the configuration says. */
	share_core(w, 0, 2);
	w->ctx[0]->eager_bytes = 0;
	carry(w, large, 4);
	assert_int_equal(streamed(w), 4);
}

/* A large block that was not looked at since is no reason to offer a small one. */
static void test_each_size_of_block_has_its_credit(void **state)
{
	struct world *w = *state;

	w->ctx[0]->eager_bytes = w->ctx[0]->lend[LEND_LARGE].bytes;
	for (uint32_t i = 0; i < 50; i++)
		carry(w, i % 2 ? 16384 : 50001, i);
	assert_int_equal(streamed(w), 0);
}

/* Some clocks tick every 4 ms: what takes less is not timed by them. */
static bool clock_ticks(void)
{
	struct timespec res;

	assert_int_equal(clock_getres(CLOCK_MONOTONIC, &res), 0);
	return res.tv_sec > 0 || res.tv_nsec > 1000;
}

/* Both ways of filling a block are timed and tried, and each carries the bytes. */
static void test_eager_blocks_are_filled_as_caches_like_it(void **state)
{
	struct world *w = *state;
	const struct pace *p = &w->ctx[0]->peers[1].pace;

	for (uint32_t i = 0; i < 8; i++)
		carry(w, PACE_BYTES - 1, i);
	assert_int_equal(p->fill[false], 0);
	w->ctx[0]->eager_bytes = w->ctx[0]->lend[LEND_LARGE].bytes;
	for (uint32_t i = 0; i < 200; i++)
		carry(w, i % 2 ? PACE_BYTES : 50001, i);
	assert_int_equal(streamed(w), 0);
	/* Where there is one way only, nothing is timed. */
	for (int far = 0; far < 2; far++) {
		if (p->fill[far] == 0)
			assert_true(!SHM_COPY_FAR || clock_ticks());
		else
			assert_true(SHM_COPY_FAR);
		if (p->read[far] == 0)
			assert_true(far > SHM_COPY_FAR || clock_ticks());
		else
			assert_true(far <= SHM_COPY_FAR);
	}
}

/* Sends that are complete at once do not keep a receive from being seen. */
static void test_any_is_not_always_the_first(void **state)
{
	struct world *w = *state;
	struct snoo_request *list[2];
	int out = 1, in = 0, which = 0, n = 0;

	assert_int_equal(snoo_irecv(w->ctx[0], &in, sizeof(in), 1, 7, &list[1]),
			 0);
	assert_int_equal(snoo_send(w->ctx[1], &out, sizeof(out), 0, 7), 0);
	while (which == 0) {
		assert_true(++n < 100);
		assert_int_equal(snoo_isend(w->ctx[0], &out, sizeof(out), 1, 7,
					    &list[0]), 0);
		assert_int_equal(snoo_waitany(w->ctx[0], 2, list, &which, NULL),
				 0);
		assert_int_equal(snoo_recv(w->ctx[1], &in, sizeof(in), 0, 7,
					   NULL), 0);
	}
	assert_int_equal(which, 1);
	assert_null(list[1]);
	assert_int_equal(snoo_wait(w->ctx[0], &list[0], NULL), 0);
}

static void test_without_blocks_pieces_carry_it(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		carry(w, sizes[i], (uint32_t)i);
	assert_int_equal(shm_counter(w->ctx[0]->me, SHM_COUNT_sent_block), 0);
	assert_true(shm_counter(w->ctx[0]->me, SHM_COUNT_pieces) > 0);
}

/* MPI 4.1, section 3.5: messages do not overtake, whatever their way. */
static void test_mixed_sizes_keep_their_order(void **state)
{
	static const size_t n[] = { 8, 100000, 0, 5000, 56, 57, 300000, 1 };
	struct world *w = *state;
	struct snoo_request *s[64];
	unsigned char *out[64], *in = malloc(300000);

	for (uint32_t i = 0; i < 64; i++) {
		out[i] = malloc(n[i % 8] + 1);
		world_pattern(out[i], n[i % 8], i);
		assert_int_equal(snoo_isend(w->ctx[0], out[i], n[i % 8], 1, 3,
					    &s[i]), 0);
	}
	for (uint32_t i = 0; i < 64; i++) {
		struct snoo_request *r;
		struct snoo_status st;
		int done = 0;

		assert_int_equal(snoo_irecv(w->ctx[1], in, 300000,
					    SNOO_ANY_SOURCE, SNOO_ANY_TAG,
					    &r), 0);
		while (!done) {
			assert_int_equal(snoo_test(w->ctx[1], &r, &done, &st),
					 0);
			world_turn(w, 1);
		}
		assert_int_equal(st.count, n[i % 8]);
		assert_true(world_matches(in, n[i % 8], i));
	}
	assert_int_equal(snoo_waitall(w->ctx[0], 64, s, NULL), 0);
	for (int i = 0; i < 64; i++)
		free(out[i]);
	free(in);
}

static void test_tags_are_taken_in_any_order(void **state)
{
	enum { N = 2000 };
	struct world *w = *state;
	static struct snoo_request *s[N];
	static uint32_t out[N];

	for (uint32_t i = 0; i < N; i++) {
		out[i] = i * 3;
		assert_int_equal(snoo_isend(w->ctx[0], &out[i], 4, 1, (int)i,
					    &s[i]), 0);
	}
	for (uint32_t i = N; i-- > 0;) {
		struct snoo_request *r;
		uint32_t got = 0;
		int done = 0;

		assert_int_equal(snoo_irecv(w->ctx[1], &got, 4, 0, (int)i, &r),
				 0);
		while (!done) {
			assert_int_equal(snoo_test(w->ctx[1], &r, &done, NULL),
					 0);
			world_turn(w, 1);
		}
		assert_int_equal(got, i * 3);
	}
	assert_int_equal(snoo_waitall(w->ctx[0], N, s, NULL), 0);
}

static void check_truncated(struct world *w, size_t n)
{
	unsigned char *out = malloc(n), in[32] = { 0 };
	struct snoo_request *s, *r;
	struct snoo_status st;
	int done = 0, ret = 0;

	world_pattern(out, n, 5);
	assert_int_equal(snoo_isend(w->ctx[0], out, n, 1, 1, &s), 0);
	assert_int_equal(snoo_irecv(w->ctx[1], in, 20, 0, 1, &r), 0);
	while (!done) {
		ret = snoo_test(w->ctx[1], &r, &done, &st);
		world_turn(w, 1);
	}
	assert_int_equal(ret, -EMSGSIZE);
	assert_int_equal(st.error, -EMSGSIZE);
	assert_int_equal(st.count, 20);
	assert_true(world_matches(in, 20, 5));
	assert_int_equal(in[20], 0);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	free(out);
}

static void test_a_longer_message_is_cut_and_told(void **state)
{
	check_truncated(*state, 40);
	check_truncated(*state, 500);
	check_truncated(*state, 2000);
	check_truncated(*state, 500000);
	carry(*state, 500000, 9);
}

static void test_wildcard_posted_first_wins(void **state)
{
	struct world *w = *state;
	struct snoo_request *any, *known;
	int a = 0, b = 0, one = 1, two = 2;

	assert_int_equal(snoo_irecv(w->ctx[1], &a, 4, SNOO_ANY_SOURCE,
				    SNOO_ANY_TAG, &any), 0);
	assert_int_equal(snoo_irecv(w->ctx[1], &b, 4, 0, 5, &known), 0);
	assert_int_equal(snoo_send(w->ctx[0], &one, 4, 1, 5), 0);
	assert_int_equal(snoo_send(w->ctx[0], &two, 4, 1, 5), 0);
	assert_int_equal(snoo_wait(w->ctx[1], &any, NULL), 0);
	assert_int_equal(snoo_wait(w->ctx[1], &known, NULL), 0);
	assert_int_equal(a, 1);
	assert_int_equal(b, 2);
}

static void test_probe_shows_without_taking(void **state)
{
	struct world *w = *state;
	struct snoo_status st;
	char text[64] = "probe", got[64];
	int found;

	assert_int_equal(snoo_iprobe(w->ctx[1], 0, 4, &found, &st), 0);
	assert_int_equal(found, 0);
	assert_int_equal(snoo_send(w->ctx[0], text, 64, 1, 4), 0);
	assert_int_equal(snoo_iprobe(w->ctx[1], 0, 5, &found, &st), 0);
	assert_int_equal(found, 0);
	assert_int_equal(snoo_probe(w->ctx[1], SNOO_ANY_SOURCE, SNOO_ANY_TAG,
				    &st), 0);
	assert_int_equal(st.source, 0);
	assert_int_equal(st.tag, 4);
	assert_int_equal(st.count, 64);
	assert_int_equal(snoo_recv(w->ctx[1], got, 64, 0, 4, NULL), 0);
	assert_string_equal(got, "probe");
}

static void test_self_sends_never_enter_a_ring(void **state)
{
	struct world *w = *state;
	unsigned char *big = malloc(200000), *in = malloc(200000);
	struct snoo_request *s, *r;
	int x = 42, y = 0;

	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 0, 1), 0);
	x = 0;
	assert_int_equal(snoo_recv(w->ctx[0], &y, 4, 0, 1, NULL), 0);
	assert_int_equal(y, 42);

	world_pattern(big, 200000, 3);
	assert_int_equal(snoo_send(w->ctx[0], big, 200000, 0, 1), -EDEADLK);
	assert_int_equal(snoo_isend(w->ctx[0], big, 200000, 0, 1, &s), 0);
	assert_int_equal(snoo_recv(w->ctx[0], in, 200000, 0, 1, NULL), 0);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	assert_true(world_matches(in, 200000, 3));

	assert_int_equal(snoo_irecv(w->ctx[0], in, 200000, 0, 2, &r), 0);
	assert_int_equal(snoo_send(w->ctx[0], big, 200000, 0, 2), 0);
	assert_int_equal(snoo_wait(w->ctx[0], &r, NULL), 0);

	assert_int_equal(snoo_isend(w->ctx[0], big, 200000, 0, 9, &s), 0);
	assert_int_equal(snoo_cancel(w->ctx[0], &s), 0);
	assert_int_equal(snoo_iprobe(w->ctx[0], 0, 9, &y, NULL), 0);
	assert_int_equal(y, 0);
	assert_int_equal(shm_counter(w->ctx[0]->me, SHM_COUNT_sent_register),
			 0);
	free(big);
	free(in);
}

/* Unread blocks at a third rank must not stop anybody. */
static void test_blocks_unread_by_a_third_rank(void **state)
{
	struct world *w = *state;
	unsigned char *buf = malloc(16000);
	struct snoo_request *s[200];

	world_pattern(buf, 16000, 1);
	for (int i = 0; i < 200; i++)
		assert_int_equal(snoo_isend(w->ctx[0], buf, 16000, 2, i,
					    &s[i]), 0);
	carry(w, 3000000, 77);
	for (int i = 199; i >= 0; i--) {
		struct snoo_request *r;
		unsigned char in[16000];
		int done = 0;

		assert_int_equal(snoo_irecv(w->ctx[2], in, 16000, 0, i, &r),
				 0);
		while (!done) {
			assert_int_equal(snoo_test(w->ctx[2], &r, &done, NULL),
					 0);
			world_turn(w, 1);
		}
		assert_true(world_matches(in, 16000, 1));
	}
	assert_int_equal(snoo_waitall(w->ctx[0], 200, s, NULL), 0);
	free(buf);
}

static void test_a_hot_channel_moves_to_a_larger_ring(void **state)
{
	struct world *w = *state;
	static struct snoo_request *s[5000];
	static uint32_t out[5000];
	struct snoo_status st;

	for (uint32_t round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < 5000; i++) {
			out[i] = round * 5000 + i;
			assert_int_equal(snoo_isend(w->ctx[0], &out[i], 4, 1,
						    2, &s[i]), 0);
		}
		for (uint32_t i = 0; i < 5000; i++) {
			struct snoo_request *r;
			uint32_t got;
			int done = 0;

			assert_int_equal(snoo_irecv(w->ctx[1], &got, 4, 0, 2,
						    &r), 0);
			while (!done) {
				assert_int_equal(snoo_test(w->ctx[1], &r,
							   &done, &st), 0);
				world_turn(w, 1);
			}
			assert_int_equal(st.count, 4);
			assert_int_equal(got, round * 5000 + i);
		}
		assert_int_equal(snoo_waitall(w->ctx[0], 5000, s, NULL), 0);
	}
	assert_int_equal(shm_counter(w->ctx[0]->me, SHM_COUNT_rings_moved), 1);
	assert_true(w->ctx[0]->peers[1].large);
	assert_true(list_empty(&w->ctx[0]->retired));
}

static void test_dead_peer_delivers_then_fails(void **state)
{
	struct world *w = *state;
	struct snoo_wire_ack ack;
	_Alignas(8) char buf[SNOO_WIRE_MAX];
	unsigned char in[9000];
	static unsigned char out[0x100000];
	struct snoo_request *r, *big, *s;
	struct snoo_status st;
	int x = 5;

	world_pattern(out, 9000, 8);
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 1, 1), 0);
	assert_int_equal(snoo_send(w->ctx[0], out, 9000, 1, 2), 0);
	assert_int_equal(snoo_isend(w->ctx[0], out, 0x100000, 1, 3, &s), 0);
	assert_int_equal(snoo_irecv(w->ctx[1], in, 1, 0, 9, &r), 0);
	assert_int_equal(snoo_isend(w->ctx[1], out, 9000, 0, 4, &big),
			 0);
	world_gone(w, 0, SNOO_ABI_DEAD);
	world_turn(w, 1);

	assert_int_equal(snoo_wait(w->ctx[1], &r, &st), -EOWNERDEAD);
	assert_int_equal(st.source, 0);
	x = 0;
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 1, NULL), 0);
	assert_int_equal(x, 5);
	assert_int_equal(snoo_recv(w->ctx[1], in, sizeof(in), 0, 2, NULL), 0);
	assert_true(world_matches(in, sizeof(in), 8));
	assert_int_equal(snoo_recv(w->ctx[1], in, 1, 0, 3, NULL), -EOWNERDEAD);
	assert_int_equal(snoo_send(w->ctx[1], in, 1, 0, 3), -EOWNERDEAD);
	snoo_wait(w->ctx[1], &big, NULL);

	assert_true(world_heard(w, 1, SNOO_WIRE_ACK, buf) == sizeof(ack));
	memcpy(&ack, buf, sizeof(ack));
	assert_int_equal(ack.gone, 1);
	/* Nothing of ours may be missing: the dead one had it unread. */
	assert_true(list_empty(&w->ctx[1]->lend[LEND_SMALL].out));
	assert_int_equal(snoo_cancel(w->ctx[0], &s), 0);
}

/* What a dead rank sent after a message that is lost must not overtake it. */
static void test_a_lost_message_is_not_overtaken(void **state)
{
	struct world *w = *state;
	static unsigned char big[200000];
	struct snoo_request *s;
	struct snoo_status st;
	int x = 1;

	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 1, 1), 0);
	assert_int_equal(snoo_isend(w->ctx[0], big, sizeof(big), 1, 2, &s), 0);
	x = 3;
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 1, 2), 0);
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 1, 5), 0);
	x = 7;
	assert_int_equal(snoo_send(w->ctx[2], &x, 4, 1, 2), 0);
	world_gone(w, 0, SNOO_ABI_DEAD);
	world_turn(w, 2);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 1, NULL), 0);
	assert_int_equal(x, 1);
	/* Its receive gets the error; the next message comes after it. */
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 2, &st), -EOWNERDEAD);
	assert_int_equal(st.source, 0);
	assert_int_equal(st.tag, 2);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 2, NULL), 0);
	assert_int_equal(x, 3);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 2, NULL), -EOWNERDEAD);
	/* Another tag is another order, another source too. */
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 5, NULL), 0);
	assert_int_equal(x, 3);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, SNOO_ANY_SOURCE, 2, &st),
			 0);
	assert_int_equal(x, 7);
	assert_int_equal(st.source, 2);
	assert_int_equal(snoo_cancel(w->ctx[0], &s), 0);
}

static void test_each_death_ends_one_wildcard(void **state)
{
	struct world *w = *state;
	struct snoo_status st;
	int x = 3;

	world_gone(w, 2, SNOO_ABI_DEAD);
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 1, 1), 0);
	world_turn(w, 1);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, SNOO_ANY_SOURCE, 1, &st),
			 0);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, SNOO_ANY_SOURCE, 1, &st),
			 -EOWNERDEAD);
	assert_int_equal(st.source, 2);
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 1, 1), 0);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, SNOO_ANY_SOURCE, 1, &st),
			 0);
	world_gone(w, 0, SNOO_ABI_LEFT);
	world_gone(w, 3, SNOO_ABI_LEFT);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, SNOO_ANY_SOURCE, 1, &st),
			 -EPIPE);
}

static void test_time_limits_withdraw_cleanly(void **state)
{
	struct world *w = *state;
	unsigned char *out = malloc(300000), *in = malloc(300000);
	struct snoo_request *r;

	world_pattern(out, 300000, 2);
	snoo_set_timeout(w->ctx[0], 2000000);
	snoo_set_timeout(w->ctx[1], 2000000);
	assert_int_equal(snoo_recv(w->ctx[1], in, 10, 0, 1, NULL),
			 -ETIMEDOUT);
	assert_int_equal(snoo_send(w->ctx[0], out, 300000, 1, 1), -ETIMEDOUT);
	world_turn(w, 3);
	assert_true(list_empty(&w->ctx[1]->arrivals));

	/* Accepted, and given up by the sender before a byte moved. */
	assert_int_equal(snoo_irecv(w->ctx[1], in, 300000, 0, 1, &r), 0);
	assert_int_equal(snoo_send(w->ctx[0], out, 300000, 1, 1), -ETIMEDOUT);
	world_turn(w, 3);
	assert_int_equal(w->ctx[1]->posted, 1);
	assert_int_equal(snoo_send(w->ctx[0], out, 20, 1, 1), 0);
	assert_int_equal(snoo_wait(w->ctx[1], &r, NULL), 0);
	assert_int_equal(w->ctx[0]->moving, 0);
	assert_int_equal(w->ctx[1]->moving, 0);
	snoo_set_timeout(w->ctx[0], 0);
	snoo_set_timeout(w->ctx[1], 0);
	carry(w, 300000, 6);
	free(out);
	free(in);
}

static void test_receiver_gives_a_transfer_up(void **state)
{
	struct world *w = *state;
	unsigned char *out = malloc(4000000), *in = malloc(4000000);
	struct snoo_request *s, *r;
	int done = 0;

	world_pattern(out, 4000000, 2);
	assert_int_equal(snoo_isend(w->ctx[0], out, 4000000, 1, 1, &s), 0);
	assert_int_equal(snoo_irecv(w->ctx[1], in, 4000000, 0, 1, &r), 0);
	world_turn(w, 3);
	assert_int_equal(snoo_cancel(w->ctx[1], &r), 0);
	while (!done) {
		int ret = snoo_test(w->ctx[0], &s, &done, NULL);

		assert_int_equal(ret, done ? -ECANCELED : 0);
		world_turn(w, 1);
	}
	carry(w, 1000000, 6);
	assert_int_equal(w->ctx[0]->moving, 0);
	assert_int_equal(w->ctx[1]->moving, 0);
	free(out);
	free(in);
}

static void test_an_allowance_makes_streams_wait(void **state)
{
	struct world *w = *state;
	unsigned char *out = malloc(1000000), *in = malloc(1000000);
	struct snoo_abi_rank *slot = shm_region_rank(&w->region, 0);
	struct snoo_request *s, *r;
	int done = 0;

	world_pattern(out, 1000000, 2);
	atomic_store(&slot->allow, 200000);
	assert_int_equal(snoo_isend(w->ctx[0], out, 1000000, 1, 1, &s), 0);
	assert_int_equal(snoo_irecv(w->ctx[1], in, 1000000, 0, 1, &r), 0);
	world_turn(w, 100);
	assert_true(atomic_load(&slot->used) <= 200000);
	assert_true(atomic_load(&slot->used) > 100000);
	assert_true(atomic_load(&slot->want) > 0);
	assert_int_equal(atomic_load(&slot->want_peer), 1);
	atomic_store(&slot->allow, SNOO_ABI_UNLIMITED);
	while (!done) {
		assert_int_equal(snoo_test(w->ctx[1], &r, &done, NULL), 0);
		world_turn(w, 1);
	}
	assert_int_equal(atomic_load(&slot->want), 0);
	assert_int_equal(atomic_load(&slot->used), 1000000);
	assert_true(world_matches(in, 1000000, 2));
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	free(out);
	free(in);
}

/* GRANT of a unit that we still list, under @generation. */
static void grant(struct world *w, uint32_t unit, uint32_t bytes,
		  uint32_t generation)
{
	struct snoo_wire_block b = {
		.unit = unit,
		.bytes = bytes,
		.generation = generation,
	};

	lend_granted(w->ctx[0], &b, 1);
}

static void test_a_unit_granted_anew_has_its_new_size(void **state)
{
	struct world *w = *state;
	struct lend_class *small = &w->ctx[0]->lend[LEND_SMALL];
	struct lend_class *large = &w->ctx[0]->lend[LEND_LARGE];
	struct lend_block *b = list_entry(large->free.next, struct lend_block,
					  link);
	struct snoo_abi_desc *d = shm_region_desc(&w->region, b->unit);
	uint32_t unit = b->unit, old = b->generation, held = small->held;
	uint32_t generation;

	assert_true(shm_block_recall(d, 0));
	generation = shm_block_grant(d, 0);
	/* From a daemon that took over: older than what we know. */
	grant(w, unit, large->bytes, old);
	assert_int_equal(large->held, 4);
	/* Not taken as a large one, whatever is said later. */
	for (int i = 0; i < 4; i++) {
		struct lend_block *got = lend_take(w->ctx[0], LEND_LARGE, 10,
						   &w->ctx[0]->peers[1], true);

		assert_true(!got || got->unit != unit);
	}
	assert_int_equal(large->held, 3);
	grant(w, unit, small->bytes, generation);
	assert_int_equal(small->held, held + 1);
	b = lend_take(w->ctx[0], LEND_SMALL, 10, &w->ctx[0]->peers[1], true);
	assert_non_null(b);
	assert_int_equal(b->unit, unit);
	assert_int_equal(b->bytes, small->bytes);

	/* Given back, recalled and granted as large, before we look. */
	assert_true(shm_block_give(d, 0, b->generation));
	assert_true(shm_block_recall(d, 0));
	grant(w, unit, large->bytes, shm_block_grant(d, 0));
	assert_int_equal(small->held, held);
	assert_int_equal(large->held, 4);
}

/* Nothing of a rank that is gone is read again, from a ring that may be gone. */
static void test_a_gone_peer_is_not_met_again(void **state)
{
	struct world *w = *state;
	int x = 1, found;

	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 1, 1), 0);
	world_gone(w, 0, SNOO_ABI_LEFT);
	world_turn(w, 2);
	shm_wake_flag(w->ctx[1]->me->newcomers, 0);
	shm_wake_flag(w->ctx[1]->me->summary, 0);
	world_turn(w, 2);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 1, NULL), 0);
	assert_int_equal(snoo_iprobe(w->ctx[1], 0, 1, &found, NULL), -EPIPE);
	assert_int_equal(found, 0);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 1, NULL), -EPIPE);
}

/* What a new daemon is told as drained must be drained. */
static void test_state_claims_only_what_is_drained(void **state)
{
	struct snoo_wire_resumed resumed = {
		.head = { SNOO_WIRE_RESUMED, sizeof(resumed) },
		.epoch = 3,
	};
	_Alignas(8) char buf[SNOO_WIRE_MAX];
	struct snoo_wire_state said;
	struct world *w = *state;

	world_gone(w, 0, SNOO_ABI_DEAD);
	world_tell(w, 1, &resumed, sizeof(resumed));
	world_turn(w, 2);
	assert_int_equal(world_heard(w, 1, SNOO_WIRE_STATE, buf),
			 sizeof(said));
	memcpy(&said, buf, sizeof(said));
	assert_int_equal(said.epoch, 3);
	assert_int_equal(said.seen_gone, 1);
	assert_int_equal(said.gone, 0);
	assert_true(world_heard(w, 1, SNOO_WIRE_ACK, buf) > 0);
}

static void test_bad_arguments_change_nothing(void **state)
{
	struct world *w = *state;
	struct snoo_request *r;
	char c = 0;
	int found;

	assert_int_equal(snoo_send(NULL, &c, 1, 1, 0), -EINVAL);
	assert_int_equal(snoo_send(w->ctx[0], NULL, 1, 1, 0), -EINVAL);
	assert_int_equal(snoo_send(w->ctx[0], &c, 1, 2, 0), -EINVAL);
	assert_int_equal(snoo_send(w->ctx[0], &c, 1, -1, 0), -EINVAL);
	assert_int_equal(snoo_send(w->ctx[0], &c, 1, 1, -1), -EINVAL);
	assert_int_equal(snoo_send(w->ctx[0], &c, SIZE_MAX, 1, 0), -EINVAL);
	assert_int_equal(snoo_recv(w->ctx[0], NULL, 1, 1, 0, NULL), -EINVAL);
	assert_int_equal(snoo_recv(w->ctx[0], &c, 1, 2, 0, NULL), -EINVAL);
	assert_int_equal(snoo_recv(w->ctx[0], &c, 1, -2, 0, NULL), -EINVAL);
	assert_int_equal(snoo_recv(w->ctx[0], &c, 1, 1, -2, NULL), -EINVAL);
	assert_int_equal(snoo_irecv(w->ctx[0], &c, 1, 9, 0, &r), -EINVAL);
	assert_null(r);
	assert_int_equal(snoo_iprobe(w->ctx[0], 1, 0, NULL, NULL), -EINVAL);
	assert_int_equal(snoo_wait(w->ctx[0], &r, NULL), 0);
	assert_int_equal(snoo_test(w->ctx[0], &r, &found, NULL), 0);
	assert_int_equal(found, 1);
	assert_int_equal(snoo_set_timeout(w->ctx[0], -1), -EINVAL);
	carry(w, 100, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define T4(name) cmocka_unit_test_setup_teardown(name, setup_four, teardown)
	const struct CMUnitTest tests[] = {
		T(test_every_size_arrives_whole),
		T(test_on_a_shared_core_a_large_block_is_eager),
		T(test_each_size_of_block_has_its_credit),
		T(test_any_is_not_always_the_first),
		T(test_eager_blocks_are_filled_as_caches_like_it),
		cmocka_unit_test_setup_teardown(
			test_without_blocks_pieces_carry_it, setup_tiny,
			teardown),
		T(test_mixed_sizes_keep_their_order),
		T(test_tags_are_taken_in_any_order),
		T(test_a_longer_message_is_cut_and_told),
		T(test_wildcard_posted_first_wins),
		T(test_probe_shows_without_taking),
		T(test_self_sends_never_enter_a_ring),
		T4(test_blocks_unread_by_a_third_rank),
		T(test_a_hot_channel_moves_to_a_larger_ring),
		T(test_dead_peer_delivers_then_fails),
		T4(test_a_lost_message_is_not_overtaken),
		T4(test_each_death_ends_one_wildcard),
		T(test_time_limits_withdraw_cleanly),
		T(test_receiver_gives_a_transfer_up),
		T(test_an_allowance_makes_streams_wait),
		T(test_a_unit_granted_anew_has_its_new_size),
		T(test_a_gone_peer_is_not_met_again),
		T(test_state_claims_only_what_is_drained),
		T(test_bad_arguments_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
