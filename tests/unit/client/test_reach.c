/* SPDX-License-Identifier: MIT */
/* test_reach.c - large messages straight out of the sender's memory */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/news.h"
#include "client/progress.h"
#include "client/reach.h"
#include "tests/lib/carrier.h"
#include "tests/lib/world.h"

#define N     ((size_t)300000)
#define K     ((size_t)1024)
#define LARGE (2048 * K)

static unsigned char out[LARGE], in[LARGE];

static void put(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

/* Both ranks live in this process, and share a core. */
static int setup(void **state)
{
	static struct world w;
	char c;

	/* A machine that has just started has none without waiting. */
	assert_int_equal(getrandom(&c, 1, 0), 1);
	world_open(&w, &world_usual);
	for (int i = 0; i < 2; i++) {
		w.ctx[i]->session.minor = REACH_MINOR;
		reach_open(w.ctx[i]);
		assert_non_null(w.ctx[i]->reach.page);
		put(&w.ctx[i]->me->sharers, 2);
	}
	*state = &w;
	return 0;
}

/* Nobody sees the page but those who read it in the sender's memory. */
static int setup_by_call(void **state)
{
	struct world *w;

	setup(state);
	w = *state;
	for (int i = 0; i < 2; i++)
		w->ctx[i]->reach.page->life_at = 0;
	return 0;
}

static int teardown(void **state)
{
	world_close(*state);
	return 0;
}

static uint64_t count(struct world *w, uint32_t rank, int which)
{
	return shm_counter(w->ctx[rank]->me, which);
}

static uint64_t direct(struct world *w)
{
	return count(w, 0, SHM_COUNT_sent_cma);
}

static uint64_t streamed(struct world *w)
{
	return count(w, 0, SHM_COUNT_sent_streamed);
}

/* What the daemon says of rank 0 when rank 1 asks. */
static struct snoo_wire_peer answer(struct world *w)
{
	return (struct snoo_wire_peer){
		.head = { SNOO_WIRE_PEER, sizeof(struct snoo_wire_peer) },
		.rank = 0,
		.pid = (int32_t)getpid(),
		.address = (uint64_t)(uintptr_t)w->ctx[0]->reach.page,
		.nonce = w->ctx[0]->reach.nonce,
	};
}

static void told(struct world *w, const struct snoo_wire_peer *m)
{
	w->ctx[1]->peers[0].reach.state = REACH_ASKED;
	assert_true(reach_heard(w->ctx[1], m));
}

static void acquaint(struct world *w)
{
	struct snoo_wire_peer m = answer(w);

	told(w, &m);
	assert_int_equal(w->ctx[1]->peers[0].reach.state, REACH_READS);
	assert_true((w->ctx[1]->peers[0].reach.page != NULL) ==
		    (w->ctx[0]->reach.page->life_at != 0));
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

static void carry(struct world *w, size_t n, uint32_t seed)
{
	struct snoo_request *s, *r;

	world_pattern(out, n, seed);
	memset(in, 0, n);
	/* Posted before it comes, or after. */
	if (seed % 2)
		assert_int_equal(snoo_irecv(w->ctx[1], in, n, 0, 1, &r), 0);
	assert_int_equal(snoo_isend(w->ctx[0], out, n, 1, 1, &s), 0);
	if (seed % 2 == 0) {
		world_turn(w, 2);
		assert_int_equal(snoo_irecv(w->ctx[1], in, n, 0, 1, &r), 0);
	}
	expect(w, &s, &r, n, seed);
}

/* With cores enough, too: what begins with one copy has been found to cost more. */
static void prefer_streams(struct world *w)
{
	struct peer *p = &w->ctx[1]->peers[0];

	for (int k = 0; k < ENGINE_REACHES - 1; k++)
		p->reach.kind[k].way.second = true;
}

/* Each with a core of its own. */
static void spread(struct world *w)
{
	put(&w->ctx[0]->me->sharers, 1);
	put(&w->ctx[1]->me->sharers, 1);
}

static void test_the_receiver_reads_by_itself(void **state)
{
	struct world *w = *state;

	acquaint(w);
	for (uint32_t i = 0; i < 6; i++)
		carry(w, i < 2 ? REACH_SHARE + 1 : N - i, i);
	assert_int_equal(direct(w), 6);
	assert_int_equal(streamed(w), 0);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_block), 0);
	assert_int_equal(w->ctx[0]->reach.free, ~UINT64_C(1));
}

static void test_a_short_buffer_cuts_it_off(void **state)
{
	struct world *w = *state;
	struct snoo_request *s;
	struct snoo_status st;

	acquaint(w);
	world_pattern(out, N, 5);
	assert_int_equal(snoo_isend(w->ctx[0], out, N, 1, 1, &s), 0);
	assert_int_equal(snoo_recv(w->ctx[1], in, 1000, 0, 1, &st), -EMSGSIZE);
	assert_int_equal(st.count, 1000);
	assert_true(world_matches(in, 1000, 5));
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	assert_int_equal(direct(w), 1);
}

static void test_what_goes_through_blocks(void **state)
{
	struct world *w = *state;

	acquaint(w);
	carry(w, REACH_SHARE, 1);
	prefer_streams(w);
	spread(w);
	carry(w, N, 2);
	/* One is enough. */
	put(&w->ctx[1]->me->sharers, 2);
	assert_int_equal(direct(w), 0);
	carry(w, N, 3);
	assert_int_equal(direct(w), 1);
	/* An older daemon. */
	w->ctx[0]->session.minor = REACH_MINOR - 1;
	carry(w, N, 4);
	w->ctx[0]->session.minor = REACH_MINOR;
	assert_int_equal(direct(w), 1);
}

/* Each has its core; these are what the ways have cost. */
static unsigned int carried_direct(struct world *w, size_t n, uint32_t stream,
				   uint32_t read)
{
	unsigned int all = 0;

	for (uint32_t i = 0; i < 200; i++) {
		struct peer *p = &w->ctx[1]->peers[0];
		uint64_t before = direct(w);

		for (int k = 0; k < ENGINE_REACHES; k++) {
			p->reach.kind[k].cost[0] = stream;
			p->reach.kind[k].cost[1] = read;
		}
		carry(w, n, i);
		assert_int_equal(w->ctx[0]->reach.free, ~UINT64_C(1));
		all += direct(w) > before;
	}
	return all;
}

static void test_with_cores_enough_it_goes_as_it_costs_less(void **state)
{
	struct world *w = *state;
	struct peer *p = &w->ctx[1]->peers[0];

	acquaint(w);
	prefer_streams(w);
	spread(w);
	/* Each is tried. */
	assert_in_range(carried_direct(w, N, 4000, 5000), 4, 40);
	assert_in_range(carried_direct(w, N, 9000, 5000), 100, 196);
	assert_in_range(carried_direct(w, N, 4000, 50000), 4, 100);
	/* A kind of size has its own way, and nothing is kept of others. */
	assert_int_equal(p->reach.kind[1].way.interval, 0);
	assert_in_range(carried_direct(w, 100000, 9000, 5000), 150, 196);
	assert_false(p->reach.kind[1].way.second);
	assert_true(p->reach.kind[2].way.second);
	assert_int_equal(p->reach.kind[3].way.interval, 0);
	/* A power of two is the last of its kind. */
	assert_in_range(carried_direct(w, 262144, 9000, 5000), 150, 196);
	assert_true(p->reach.kind[2].way.second);
	/* What is not eager may be small: from REACH_BYTES on. */
	w->ctx[0]->eager_bytes = w->ctx[1]->eager_bytes = 4096;
	assert_in_range(carried_direct(w, REACH_BYTES + 1, 9000, 5000), 150,
			196);
	assert_int_equal(carried_direct(w, REACH_BYTES, 9000, 5000), 0);
}

/* Nothing is known of a peer that has just come. */
static void test_up_to_1_mib_begins_with_one_copy(void **state)
{
	static const struct {
		size_t bytes;
		bool direct;
	} begin[] = {
		{ REACH_BYTES + 1, true }, { 128 * K, true },
		{ 1024 * K, true },	   { 1024 * K + 1, false },
		{ LARGE, false },
	};
	struct world *w = *state;
	uint64_t read = 0;

	acquaint(w);
	spread(w);
	w->ctx[0]->eager_bytes = w->ctx[1]->eager_bytes = 4096;
	for (uint32_t i = 0; i < sizeof(begin) / sizeof(begin[0]); i++) {
		carry(w, begin[i].bytes, i);
		read += begin[i].direct;
		assert_int_equal(direct(w), read);
		assert_int_equal(streamed(w), i + 1 - read);
	}
}

/*
 * How many go the first way of their kind, before one tries the other and all after
 * it stay there?  What either costs is known when it has been taken.
 */
static unsigned int until_changed(struct world *w, unsigned int kind, size_t n,
				  uint32_t stream, uint32_t read)
{
	enum { ALL = 50, STAYS = 16 };
	uint32_t *cost = w->ctx[1]->peers[0].reach.kind[kind].cost;
	unsigned int changed = 0;
	bool went[ALL];

	for (uint32_t i = 0; i < ALL; i++) {
		uint64_t before = direct(w);

		cost[0] = cost[0] ? stream : 0;
		cost[1] = cost[1] ? read : 0;
		carry(w, n, i);
		went[i] = direct(w) > before;
	}
	while (changed < ALL && went[changed] == went[0])
		changed++;
	assert_in_range(changed, 1, ALL - STAYS);
	for (unsigned int i = 0; i < STAYS; i++)
		assert_true(went[changed + i] != went[0]);
	return changed;
}

static void test_what_it_begins_with_is_left_if_it_costs_more(void **state)
{
	struct world *w = *state;
	struct peer *p = &w->ctx[1]->peers[0];

	acquaint(w);
	spread(w);
	assert_in_range(until_changed(w, 1, 128 * K, 4000, 9000), 16, 32);
	assert_in_range(direct(w), 16, 40);
	assert_true(p->reach.kind[1].way.second);
	/* The largest begin with streams. */
	assert_in_range(until_changed(w, 3, 1024 * K + 1, 9000, 4000), 16, 32);
	assert_true(p->reach.kind[3].way.second);
	/* A little less is not enough. */
	assert_true(carried_direct(w, N, 4000, 4900) > 180);
	assert_false(p->reach.kind[2].way.second);
}

static void test_both_ways_are_timed(void **state)
{
	struct world *w = *state;
	struct peer *p = &w->ctx[1]->peers[0];

	prefer_streams(w);
	spread(w);
	p->reach.asks = 3;
	/* Nothing is, for a peer that cannot be read. */
	carry(w, N, 1);
	assert_int_equal(p->reach.kind[2].cost[0], 0);
	acquaint(w);
	carry(w, N, 2);
	assert_true(p->reach.kind[2].cost[0] > 0);
	assert_int_equal(p->reach.kind[2].cost[1], 0);
	put(&w->ctx[1]->me->sharers, 2);
	carry(w, N, 3);
	assert_int_equal(direct(w), 1);
	assert_true(p->reach.kind[2].cost[1] > 0);
	assert_int_equal(p->reach.kind[1].cost[0], 0);
	assert_int_equal(p->reach.kind[3].cost[1], 0);
}

#define QUEUE 8

static void queue(struct world *w, struct snoo_request *s[QUEUE],
		  struct snoo_request *r[QUEUE])
{
	prefer_streams(w);
	spread(w);
	for (int i = 0; i < QUEUE; i++) {
		assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r[i]), 0);
		assert_int_equal(snoo_isend(w->ctx[0], out, N, 1, 1, &s[i]), 0);
	}
	world_turn(w, 1);
	assert_false(list_empty(&w->ctx[1]->peers[0].incoming));
}

static void drain(struct world *w, struct snoo_request *s[QUEUE],
		  struct snoo_request *r[QUEUE])
{
	struct list *incoming = &w->ctx[1]->peers[0].incoming;

	for (int i = 0; i < 1000 && !list_empty(incoming); i++)
		world_turn(w, 1);
	for (int i = 0; i < QUEUE; i++) {
		assert_int_equal(snoo_wait(w->ctx[1], &r[i], NULL), 0);
		assert_int_equal(snoo_wait(w->ctx[0], &s[i], NULL), 0);
	}
}

/* What has its place in a queue of streams is not charged with the wait. */
static void test_a_stream_is_timed_from_its_turn_on(void **state)
{
	struct world *w = *state;
	struct peer *p = &w->ctx[1]->peers[0];
	struct snoo_request *s[QUEUE], *r[QUEUE];
	uint64_t first, last;

	acquaint(w);
	queue(w, s, r);
	first = p->reach.since_ns;
	assert_true(first > 0);
	drain(w, s, r);
	last = p->reach.since_ns;
	assert_true(last >= first);
	/* So long took all of them, one about an eighth; a clock of 4 ms ticks
	 * cannot tell. */
	if (last > first)
		assert_true((uint64_t)p->reach.kind[2].cost[0] * N / 65536 <=
			    (last - first) / 2);
}

/* Also in a queue that never ends, which began before the daemon had answered. */
static void test_streams_of_one_who_becomes_known_are_timed(void **state)
{
	struct world *w = *state;
	struct peer *p = &w->ctx[1]->peers[0];
	struct snoo_request *s[QUEUE], *r[QUEUE];

	p->reach.asks = 3;
	queue(w, s, r);
	assert_true(p->reach.since_ns == 0);
	acquaint(w);
	drain(w, s, r);
	assert_true(p->reach.kind[2].cost[0] > 0);
}

/* From there on streams are as good, and do not keep others waiting. */
static void test_the_largest_only_for_want_of_cores(void **state)
{
	struct world *w = *state;
	struct snoo_request *s, *r;
	unsigned char *from = calloc(1, REACH_LARGE);
	unsigned char *to = malloc(REACH_LARGE);

	assert_non_null(from);
	assert_non_null(to);
	acquaint(w);
	for (uint32_t sharers = 1; sharers < 3; sharers++) {
		int done = 0;

		put(&w->ctx[0]->me->sharers, sharers);
		put(&w->ctx[1]->me->sharers, 1);
		assert_int_equal(snoo_irecv(w->ctx[1], to, REACH_LARGE, 0, 1,
					    &r), 0);
		assert_int_equal(snoo_isend(w->ctx[0], from, REACH_LARGE, 1, 1,
					    &s), 0);
		assert_int_equal(reach_out(w->ctx[0]), sharers - 1);
		while (!done) {
			world_turn(w, 1);
			assert_int_equal(snoo_test(w->ctx[1], &r, &done, NULL),
					 0);
		}
		assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
		assert_int_equal(direct(w), sharers - 1);
	}
	free(from);
	free(to);
}

/* It counts on every core, without being a rank that waits for it. */
static void test_the_service_of_registers_is_no_rank(void **state)
{
	struct world *w = *state;
	struct carrier c;

	acquaint(w);
	prefer_streams(w);
	carrier_open(&c, w, 64);
	for (uint32_t i = 0; i < 2; i++) {
		carrier_say(&c, i, 0);
		news_read(w->ctx[i]);
	}
	assert_true(w->ctx[0]->registers.open);
	carry(w, N, 1);
	assert_int_equal(direct(w), 0);
	put(&w->ctx[1]->me->sharers, 3);
	carry(w, N, 2);
	assert_int_equal(direct(w), 1);
	carrier_close(&c);
}

/* The first one is streamed, while the daemon is asked. */
static void test_who_it_is_is_asked_once(void **state)
{
	struct world *w = *state;
	struct peer *p = &w->ctx[1]->peers[0];
	struct snoo_wire_peer m = answer(w);

	carry(w, N, 1);
	assert_int_equal(p->reach.state, REACH_ASKED);
	assert_int_equal(p->reach.asks, 1);
	assert_int_equal(streamed(w), 1);
	carry(w, N, 2);
	assert_int_equal(p->reach.asks, 1);
	assert_true(reach_heard(w->ctx[1], &m));
	carry(w, N, 3);
	assert_int_equal(direct(w), 1);
	/* What was not asked changes nothing. */
	m.nonce++;
	assert_true(reach_heard(w->ctx[1], &m));
	carry(w, N, 4);
	assert_int_equal(direct(w), 2);
	m.rank = w->ctx[1]->capacity;
	assert_false(reach_heard(w->ctx[1], &m));
}

static void test_a_daemon_that_says_nobody_is_asked_again(void **state)
{
	struct world *w = *state;
	struct peer *p = &w->ctx[1]->peers[0];
	struct snoo_wire_peer m = answer(w);

	m.pid = 0;
	for (uint32_t i = 0; i < 5; i++) {
		carry(w, N, i);
		assert_true(reach_heard(w->ctx[1], &m));
	}
	assert_int_equal(p->reach.asks, 3);
	assert_int_equal(p->reach.state, REACH_UNKNOWN);
	assert_int_equal(direct(w), 0);
	/* One that took over has not heard the question. */
	p->reach.asks = 0;
	carry(w, N, 7);
	assert_int_equal(p->reach.state, REACH_ASKED);
	reach_resumed(w->ctx[1]);
	assert_int_equal(p->reach.state, REACH_UNKNOWN);
	assert_true(w->ctx[1]->session.reach_due ||
		    w->ctx[1]->session.reach.nonce != 0);
}

static void test_whose_nonce_is_not_there_is_not_read(void **state)
{
	struct world *w = *state;
	struct snoo_wire_peer m = answer(w);

	m.nonce ^= 1;
	told(w, &m);
	assert_int_equal(w->ctx[1]->peers[0].reach.state, REACH_NOT);
	m = answer(w);
	m.address = 8;
	told(w, &m);
	assert_int_equal(w->ctx[1]->peers[0].reach.state, REACH_NOT);
	/* Of another process. */
	m = answer(w);
	m.pid = 1;
	told(w, &m);
	assert_int_equal(w->ctx[1]->peers[0].reach.state, REACH_NOT);
	carry(w, N, 1);
	assert_int_equal(direct(w), 0);
}

/* An OFFER is a peer's word: it may say anything.  Only the stamp says more. */
static void test_forged_offers_are_no_messages(void **state)
{
	struct world *w = *state;
	struct snoo *ctx = w->ctx[1];
	struct peer *p = &ctx->peers[0];
	struct reach *r = &w->ctx[0]->reach;
	struct offer good = {
		.token = 77, .length = N,
		.ways = SNOO_ABI_WAY_STREAM | SNOO_ABI_WAY_CMA,
		.offset = (uint64_t)(uintptr_t)out, .unit = 5,
	}, o;

	acquaint(w);
	world_pattern(out, 100, 3);
	atomic_store(&r->page->stamp[5], 77 ^ r->nonce);
	assert_true(reach_fetch(ctx, p, &good, in, 100));
	assert_true(world_matches(in, 100, 3));
	for (uint32_t unit = 0; unit < 4; unit++) {
		static const uint32_t wrong[] = { 0, 6, 64, UINT32_MAX };

		o = good;
		o.unit = wrong[unit];
		assert_false(reach_fetch(ctx, p, &o, in, 100));
	}
	o = good;
	o.token = 78;
	assert_false(reach_fetch(ctx, p, &o, in, 100));
	assert_int_equal(p->reach.state, REACH_READS);
	/* Where there is nothing: once, and not again. */
	o = good;
	o.offset = 4096;
	assert_false(reach_fetch(ctx, p, &o, in, 100));
	assert_int_equal(p->reach.state, REACH_NOT);
	assert_false(reach_fetch(ctx, p, &good, in, 100));
	atomic_store(&r->page->stamp[5], 0);
}

/* ---- REVOKE ---- */

/* The receiver has seen the offer, the sender gives it up and writes: what was
 * there is not taken any more, and the receive waits on. */
static void test_a_send_that_was_given_up_is_not_read(void **state)
{
	struct world *w = *state;
	struct snoo_request *s, *r;
	int done = 0;

	acquaint(w);
	world_pattern(out, N, 1);
	assert_int_equal(snoo_isend(w->ctx[0], out, N, 1, 1, &s), 0);
	progress(w->ctx[1]);
	assert_int_equal(snoo_cancel(w->ctx[0], &s), 0);
	memset(out, 0, N);
	/* CANCEL is in the ring, behind what it has looked at. */
	assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r), 0);
	assert_false(r->done);
	world_turn(w, 3);
	assert_int_equal(snoo_test(w->ctx[1], &r, &done, NULL), 0);
	assert_false(done);
	world_pattern(out, N, 2);
	assert_int_equal(snoo_isend(w->ctx[0], out, N, 1, 1, &s), 0);
	expect(w, &s, &r, N, 2);
	assert_int_equal(direct(w), 1);
}

/* Two stand, and one of them is given up: the other one's stamp counts. */
static void test_what_stands_beside_it_is_read(void **state)
{
	struct world *w = *state;
	struct snoo_request *s[2], *r;

	acquaint(w);
	world_pattern(out, N, 4);
	for (int i = 0; i < 2; i++)
		assert_int_equal(snoo_isend(w->ctx[0], out, N, 1, i, &s[i]), 0);
	world_turn(w, 1);
	assert_int_equal(snoo_cancel(w->ctx[0], &s[0]), 0);
	assert_int_equal(atomic_load(&w->ctx[0]->reach.page->revoked), 1);
	assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r), 0);
	expect(w, &s[1], &r, N, 4);
	assert_int_equal(direct(w), 1);
	/* What is offered from now on says so. */
	carry(w, N, 5);
	assert_int_equal(direct(w), 2);
	assert_int_equal(atomic_load(&w->ctx[0]->reach.page->revoked), 1);
}

static void test_a_time_limit_takes_the_stamp_back(void **state)
{
	struct world *w = *state;

	acquaint(w);
	assert_int_equal(snoo_set_timeout(w->ctx[0], 1000000), 0);
	assert_int_equal(snoo_send(w->ctx[0], out, N, 1, 1), -ETIMEDOUT);
	assert_int_equal(w->ctx[0]->reach.free, ~UINT64_C(1));
	for (int i = 1; i < 64; i++)
		assert_int_equal(atomic_load(&w->ctx[0]->reach.page->stamp[i]), 0);
}

static void test_more_offers_than_stamps(void **state)
{
	enum { MANY = 80 };
	struct world *w = *state;
	struct snoo_request *s[MANY], *r;

	acquaint(w);
	world_pattern(out, REACH_SHARE + 1, 9);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(snoo_isend(w->ctx[0], out, REACH_SHARE + 1, 1, 1,
					    &s[i]), 0);
	for (int i = 0; i < MANY; i++) {
		memset(in, 0, REACH_SHARE + 1);
		assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r), 0);
		expect(w, &s[i], &r, REACH_SHARE + 1, 9);
	}
	assert_true(direct(w) >= 63 && direct(w) < MANY);
	assert_int_equal(w->ctx[0]->reach.free, ~UINT64_C(1));
}

static void test_an_allowance_that_is_used_up_holds(void **state)
{
	struct world *w = *state;
	struct snoo_request *s, *r;
	int done;

	acquaint(w);
	atomic_store(&w->ctx[0]->me->allow, 0);
	world_pattern(out, N, 1);
	assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r), 0);
	assert_int_equal(snoo_isend(w->ctx[0], out, N, 1, 1, &s), 0);
	world_turn(w, 10);
	assert_int_equal(snoo_test(w->ctx[1], &r, &done, NULL), 0);
	assert_false(done);
	/* Counted to the byte: through blocks. */
	atomic_store(&w->ctx[0]->me->allow, 2 * N);
	expect(w, &s, &r, N, 1);
	assert_int_equal(direct(w), 0);
	assert_int_equal(streamed(w), 1);
	atomic_store(&w->ctx[0]->me->allow, SNOO_ABI_UNLIMITED);
	carry(w, N, 2);
	assert_int_equal(direct(w), 1);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)
#define BY_CALL(name) \
	{ #name "_by_call", name, setup_by_call, teardown, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_receiver_reads_by_itself),
		T(test_a_short_buffer_cuts_it_off),
		T(test_what_goes_through_blocks),
		T(test_with_cores_enough_it_goes_as_it_costs_less),
		T(test_up_to_1_mib_begins_with_one_copy),
		T(test_what_it_begins_with_is_left_if_it_costs_more),
		T(test_both_ways_are_timed),
		T(test_a_stream_is_timed_from_its_turn_on),
		T(test_streams_of_one_who_becomes_known_are_timed),
		T(test_the_largest_only_for_want_of_cores),
		T(test_the_service_of_registers_is_no_rank),
		T(test_who_it_is_is_asked_once),
		T(test_a_daemon_that_says_nobody_is_asked_again),
		T(test_whose_nonce_is_not_there_is_not_read),
		BY_CALL(test_the_receiver_reads_by_itself),
		BY_CALL(test_a_short_buffer_cuts_it_off),
		BY_CALL(test_forged_offers_are_no_messages),
		T(test_a_send_that_was_given_up_is_not_read),
		BY_CALL(test_a_send_that_was_given_up_is_not_read),
		T(test_what_stands_beside_it_is_read),
		BY_CALL(test_what_stands_beside_it_is_read),
		T(test_a_time_limit_takes_the_stamp_back),
		T(test_more_offers_than_stamps),
		T(test_an_allowance_that_is_used_up_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
