/* SPDX-License-Identifier: MIT */
/* test_instead.c - eager messages that are offered, and get a block after all */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/channel.h"
#include "client/instead.h"
#include "client/lend.h"
#include "client/progress.h"
#include "client/rather.h"
#include "client/reach.h"
#include "shm/block.h"
#include "shm/line.h"
#include "shm/copy.h"
#include "tests/lib/world.h"

#define N ((size_t)20000)	/* eager, and worth it */

static unsigned char out[N], in[N];

static void put(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

/* @a may read what @b has. */
static void acquaint(struct world *w, uint32_t a, uint32_t b)
{
	struct peer *p = &w->ctx[a]->peers[b];

	p->reach.state = REACH_READS;
	p->reach.pid = (int32_t)getpid();
	p->reach.address = (uint64_t)(uintptr_t)w->ctx[b]->reach.page;
	p->reach.nonce = w->ctx[b]->reach.nonce;
}

/* From now on @a offers to @b, or never does. */
static void choose(struct world *w, uint32_t a, uint32_t b, bool offer)
{
	struct peer *p = &w->ctx[a]->peers[b];

	for (int i = 0; i < 4; i++)
		p->instead.kind[i / 2].way[i % 2] = (struct ways){
			.second = offer,
			.interval = 1024,
			.since = 1,
		};
}

/* Ranks with a core each, which may read each other's memory. */
static int open_ranks(void **state, uint32_t ranks)
{
	static struct world w;
	struct world_params p = world_usual;
	char c;

	/* A machine that has just started has none without waiting. */
	assert_int_equal(getrandom(&c, 1, 0), 1);
	p.ranks = ranks;
	world_open(&w, &p);
	for (uint32_t i = 0; i < ranks; i++) {
		w.ctx[i]->session.minor = RATHER_MINOR;
		w.ctx[i]->eager_bytes = 65536;
		reach_open(w.ctx[i]);
		assert_non_null(w.ctx[i]->reach.page);
		put(&w.ctx[i]->me->minor, RATHER_MINOR);
		put(&w.ctx[i]->me->sharers, 1);
	}
	for (uint32_t i = 1; i < ranks; i++) {
		acquaint(&w, 0, i);
		acquaint(&w, i, 0);
		choose(&w, 0, i, true);
	}
	*state = &w;
	return 0;
}

static int setup(void **state)
{
	return open_ranks(state, 2);
}

static int setup_three(void **state)
{
	return open_ranks(state, 3);
}

static int teardown(void **state)
{
	world_close(*state);
	return 0;
}

static uint64_t count(struct world *w, int which)
{
	return shm_counter(w->ctx[0]->me, which);
}

static struct snoo_request *give(struct world *w, uint32_t seed)
{
	struct snoo_request *s;

	world_pattern(out, N, seed);
	assert_int_equal(snoo_isend(w->ctx[0], out, N, 1, 1, &s), 0);
	return s;
}

static struct snoo_request *take(struct world *w, size_t room)
{
	struct snoo_request *r;

	memset(in, 0, N);
	assert_int_equal(snoo_irecv(w->ctx[1], in, room, 0, 1, &r), 0);
	return r;
}

static void expect(struct world *w, struct snoo_request *r, uint32_t seed)
{
	struct snoo_status st;

	for (int i = 0; i < 100 && !r->done; i++)
		world_turn(w, 1);
	assert_true(r->done);
	assert_int_equal(snoo_wait(w->ctx[1], &r, &st), 0);
	assert_int_equal(st.count, N);
	assert_true(world_matches(in, N, seed));
}

/* Nothing of it is left: no stamp, no token, no block. */
static void expect_clean(struct world *w)
{
	struct snoo *ctx = w->ctx[0];

	world_turn(w, 3);
	lend_collect(ctx, LEND_LARGE);
	lend_collect(ctx, LEND_SMALL);
	assert_true(list_empty(&ctx->instead));
	assert_int_equal(ctx->peers[1].instead.out, 0);
	assert_int_equal(ctx->reach.out, 0);
	assert_int_equal(ctx->reach.free, ~UINT64_C(1));
	assert_true(list_empty(&ctx->peers[1].offered));
	assert_int_equal(ctx->peers[1].eager_out[LEND_LARGE], 0);
	assert_int_equal(ctx->peers[1].eager_out[LEND_SMALL], 0);
	assert_int_equal(ctx->moving, 0);
	assert_int_equal(w->ctx[1]->moving, 0);
	assert_int_equal(shm_counter(w->ctx[1]->me,
				     SHM_COUNT_protocol_errors), 0);
}

/* The time is over, as far as the sender knows. */
static void overdue(struct world *w)
{
	w->ctx[0]->peers[1].instead.since_ns = 1;
}

/* ---- taken ---- */

static void test_who_is_there_reads_it(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 0; i < 100; i++) {
		struct snoo_request *r = take(w, N), *s = give(w, i);

		assert_false(s->done);
		w->ctx[0]->peers[1].instead.late_ns = UINT32_MAX;
		expect(w, r, i);
		assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	}
	assert_int_equal(count(w, SHM_COUNT_sent_cma), 100);
	assert_int_equal(count(w, SHM_COUNT_sent_block), 0);
	assert_true(w->ctx[0]->peers[1].instead.kind[1].cost > 0);
	expect_clean(w);
}

/* ---- not taken in time ---- */

static void test_a_send_ends_without_its_receiver(void **state)
{
	struct world *w = *state;
	struct snoo_status st;

	/* All within the library: it waits, spinning or asleep. */
	for (uint32_t i = 0; i < 2; i++) {
		w->ctx[0]->patience.spin_ns = i ? 0 : 1000000;
		w->ctx[0]->patience.fixed = true;
		world_pattern(out, N, i);
		assert_int_equal(snoo_send(w->ctx[0], out, N, 1, 1), 0);
		memset(out, 0, N);
	}
	assert_int_equal(count(w, SHM_COUNT_sent_block), 2);
	assert_int_equal(count(w, SHM_COUNT_sent_cma), 0);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(snoo_probe(w->ctx[1], 0, 1, &st), 0);
		assert_int_equal(st.count, N);
		expect(w, take(w, N), i);
	}
	expect_clean(w);
}

static void test_a_send_that_is_tested_ends_too(void **state)
{
	struct world *w = *state;
	struct snoo_request *s = give(w, 1);
	int done = 0;

	for (int i = 0; i < 10000000 && !done; i++)
		assert_int_equal(snoo_test(w->ctx[0], &s, &done, NULL), 0);
	assert_true(done);
	memset(out, 0, N);
	expect(w, take(w, N), 1);
	expect_clean(w);
}

/* It has seen the offer, and a probe has shown it, before the block comes. */
static void test_an_arrival_becomes_a_block(void **state)
{
	struct world *w = *state;
	struct snoo_request *s = give(w, 1);
	int found = 0;

	assert_int_equal(snoo_iprobe(w->ctx[1], 0, 1, &found, NULL), 0);
	assert_true(found);
	overdue(w);
	assert_int_equal(instead_turn(w->ctx[0]), 1);
	assert_true(s->done);
	memset(out, 0, N);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	assert_int_equal(snoo_iprobe(w->ctx[1], 0, 1, &found, NULL), 0);
	assert_true(found);
	expect(w, take(w, N), 1);
	expect_clean(w);
}

/* The block has not been seen when the receive comes: the stamp is gone. */
static void test_a_stale_offer_is_not_read(void **state)
{
	struct world *w = *state;
	struct snoo_request *s = give(w, 1);

	progress(w->ctx[1]);
	overdue(w);
	assert_int_equal(instead_turn(w->ctx[0]), 1);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	memset(out, 0, N);
	/* It asks by ACCEPT, and gets the block for that. */
	expect(w, take(w, N), 1);
	assert_int_equal(count(w, SHM_COUNT_sent_streamed), 0);
	expect_clean(w);
}

/* And when the memory is gone too, that says nothing about the next one. */
static void test_a_stale_offer_of_memory_that_is_gone(void **state)
{
	struct world *w = *state;
	unsigned char *page = mmap(NULL, 32768, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct snoo_request *s;

	assert_true(page != MAP_FAILED);
	world_pattern(page, N, 1);
	assert_int_equal(snoo_isend(w->ctx[0], page, N, 1, 1, &s), 0);
	progress(w->ctx[1]);
	overdue(w);
	assert_int_equal(instead_turn(w->ctx[0]), 1);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	munmap(page, 32768);
	expect(w, take(w, N), 1);
	assert_int_equal(w->ctx[1]->peers[0].reach.state, REACH_READS);
	expect_clean(w);
}

static void test_without_a_block_it_is_tried_again(void **state)
{
	struct world *w = *state;
	struct lend_class *c = &w->ctx[0]->lend[LEND_LARGE];
	struct peer *p = &w->ctx[0]->peers[1];
	struct snoo_request *s = give(w, 1);
	struct list *last = c->free.prev, *first = c->free.next;
	uint32_t late_ns = p->instead.late_ns;

	list_init(&c->free);
	for (int i = 0; i < 100; i++) {
		overdue(w);
		assert_int_equal(instead_turn(w->ctx[0]), 0);
		assert_false(s->done);
		/* Ever more rarely. */
		assert_true(p->instead.late_ns > late_ns ||
			    p->instead.late_ns == 100000000);
		late_ns = p->instead.late_ns;
	}
	assert_int_equal(late_ns, 100000000);
	assert_int_equal(p->instead.out, 1);
	assert_true(rather_patience(w->ctx[0]) <= late_ns);
	c->free.next = first;
	c->free.prev = last;
	overdue(w);
	assert_int_equal(instead_turn(w->ctx[0]), 1);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	expect(w, take(w, N), 1);
	assert_true(rather_patience(w->ctx[0]) == UINT64_MAX);
	expect_clean(w);
}

/* The ring is full of what its receiver does not take. */
static void test_without_room_it_is_tried_again(void **state)
{
	struct world *w = *state;
	struct snoo_request *s = give(w, 1), *more[200];
	unsigned int n = 0;
	int x = 7;

	do {
		assert_int_equal(snoo_isend(w->ctx[0], &x, 4, 1, 2, &more[n]),
				 0);
	} while (more[n++]->done && n < 200);
	assert_true(n < 200);
	overdue(w);
	instead_turn(w->ctx[0]);
	for (int i = 0; i < 100 && !s->done; i++) {
		progress(w->ctx[1]);
		overdue(w);
		progress(w->ctx[0]);
	}
	assert_true(s->done);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	memset(out, 0, N);
	expect(w, take(w, N), 1);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 2, NULL), 0);
		assert_int_equal(snoo_wait(w->ctx[0], &more[i], NULL), 0);
	}
	expect_clean(w);
}

/* An eager send met no time limit; nor does this one. */
static void test_a_time_limit_does_not_end_it(void **state)
{
	struct world *w = *state;

	put(&w->ctx[1]->me->sharers, 2);	/* 2 ms */
	assert_int_equal(snoo_set_timeout(w->ctx[0], 100000), 0);
	world_pattern(out, N, 1);
	assert_int_equal(snoo_send(w->ctx[0], out, N, 1, 1), 0);
	memset(out, 0, N);
	expect(w, take(w, N), 1);
	assert_int_equal(count(w, SHM_COUNT_sent_block), 1);
	assert_int_equal(snoo_set_timeout(w->ctx[0], 0), 0);
	expect_clean(w);
}

/* What is offered to another, and taken, does not put it off. */
static void test_each_peer_has_its_clock(void **state)
{
	static unsigned char there[N];
	struct world *w = *state;
	struct snoo *ctx = w->ctx[0];
	struct peer *p = &ctx->peers[1], *q = &ctx->peers[2];
	struct snoo_request *s = give(w, 1), *other, *r;
	uint64_t since = p->instead.since_ns;

	assert_true(since > 0);
	p->instead.late_ns = UINT32_MAX;
	assert_int_equal(snoo_irecv(w->ctx[2], there, N, 0, 1, &r), 0);
	assert_int_equal(snoo_isend(ctx, out, N, 2, 1, &other), 0);
	q->instead.late_ns = UINT32_MAX;
	for (int i = 0; i < 100 && !other->done; i++)
		world_turn(w, 1);
	assert_int_equal(count(w, SHM_COUNT_sent_cma), 1);
	assert_int_equal(snoo_wait(ctx, &other, NULL), 0);
	assert_int_equal(snoo_wait(w->ctx[2], &r, NULL), 0);
	assert_true(world_matches(there, N, 1));
	assert_true(q->instead.since_ns >= since);
	assert_int_equal(q->instead.out, 0);
	assert_true(p->instead.since_ns == since);
	assert_int_equal(p->instead.out, 1);
	assert_true(ctx->instead.next == &p->instead.link &&
		    ctx->instead.prev == &p->instead.link);
	overdue(w);
	assert_int_equal(instead_turn(ctx), 1);
	assert_int_equal(snoo_wait(ctx, &s, NULL), 0);
	expect(w, take(w, N), 1);
	expect_clean(w);
}

/* ---- it cannot read us ---- */

static void test_who_keeps_asking_is_offered_nothing(void **state)
{
	struct world *w = *state;
	struct peer *p = &w->ctx[0]->peers[1];
	unsigned int offers = 0;

	w->ctx[1]->peers[0].reach.state = REACH_NOT;
	p->instead.kind[1].cost = 4000;
	for (uint32_t i = 0; i < 100; i++) {
		struct snoo_request *r = take(w, N), *s;

		choose(w, 0, 1, true);
		s = give(w, i);
		offers += !s->done;
		p->instead.late_ns = UINT32_MAX;
		expect(w, r, i);
		assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	}
	assert_int_equal(offers, 16);
	assert_true(p->instead.kind[1].cost > 10000);
	expect_clean(w);
}

/* ---- what crosses ---- */

static void test_a_block_for_what_was_read_is_given_back(void **state)
{
	struct world *w = *state;
	struct snoo_request *r = take(w, N), *s = give(w, 1);

	progress(w->ctx[1]);
	assert_true(r->done);
	overdue(w);
	/* DONE is in the ring. */
	assert_int_equal(instead_turn(w->ctx[0]), 1);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	expect(w, r, 1);
	expect_clean(w);
}

static void test_a_block_is_the_whole_of_an_accepted_transfer(void **state)
{
	struct world *w = *state;
	struct snoo_status st;

	for (uint32_t i = 0; i < 2; i++) {
		struct snoo_request *r = take(w, i ? 1000 : N), *s;

		w->ctx[1]->peers[0].reach.state = REACH_NOT;
		s = give(w, i);
		progress(w->ctx[1]);
		assert_false(list_empty(&w->ctx[1]->peers[0].incoming));
		overdue(w);
		assert_int_equal(instead_turn(w->ctx[0]), 1);
		assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
		memset(out, 0, N);
		world_turn(w, 3);
		assert_true(r->done);
		assert_int_equal(snoo_wait(w->ctx[1], &r, &st),
				 i ? -EMSGSIZE : 0);
		assert_true(world_matches(in, i ? 1000 : N, i));
		assert_int_equal(in[i ? 1000 : N - 1] == 0, i);
	}
	assert_int_equal(count(w, SHM_COUNT_sent_streamed), 0);
	expect_clean(w);
}

/* Its ACCEPT has come: it is a stream as any, which nothing cuts short. */
static void test_what_was_accepted_is_streamed(void **state)
{
	struct world *w = *state;
	struct snoo_request *r = take(w, N), *s;

	w->ctx[1]->peers[0].reach.state = REACH_NOT;
	s = give(w, 1);
	w->ctx[0]->peers[1].instead.late_ns = UINT32_MAX;
	progress(w->ctx[1]);
	progress(w->ctx[0]);
	assert_true(list_empty(&w->ctx[0]->instead));
	expect(w, r, 1);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	assert_int_equal(count(w, SHM_COUNT_sent_streamed), 1);
	expect_clean(w);
}

static void test_a_refusal_and_a_cancel_cross_it(void **state)
{
	struct world *w = *state;
	struct snoo_request *r = take(w, N), *s;

	w->ctx[1]->peers[0].reach.state = REACH_NOT;
	s = give(w, 1);
	progress(w->ctx[1]);
	assert_int_equal(snoo_cancel(w->ctx[1], &r), 0);
	overdue(w);
	assert_int_equal(instead_turn(w->ctx[0]), 1);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	expect_clean(w);
	/* A send that is given up before its time. */
	s = give(w, 2);
	progress(w->ctx[1]);
	assert_int_equal(snoo_cancel(w->ctx[0], &s), 0);
	overdue(w);
	assert_int_equal(instead_turn(w->ctx[0]), 0);
	expect_clean(w);
	w->ctx[1]->peers[0].reach.state = REACH_READS;
	s = give(w, 3);
	w->ctx[0]->peers[1].instead.late_ns = UINT32_MAX;
	expect(w, take(w, N), 3);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
}

/* ---- which ---- */

static bool offered(struct world *w)
{
	struct snoo_request *r = take(w, N), *s = give(w, 1);
	bool yes = !s->done;

	w->ctx[0]->peers[1].instead.late_ns = UINT32_MAX;
	expect(w, r, 1);
	assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
	return yes;
}

static void test_who_gets_no_offer(void **state)
{
	struct world *w = *state;
	struct snoo *ctx = w->ctx[0];
	struct peer *p = &ctx->peers[1];
	struct snoo_request *s, *r;
	int done;

	assert_true(offered(w));
	put(&w->ctx[1]->me->minor, RATHER_MINOR - 1);
	assert_false(offered(w));
	put(&w->ctx[1]->me->minor, RATHER_MINOR);
	ctx->session.minor = REACH_MINOR - 1;
	assert_false(offered(w));
	ctx->session.minor = RATHER_MINOR;
	p->reach.state = REACH_NOT;
	assert_false(offered(w));
	p->reach.state = REACH_READS;
	atomic_store(&ctx->me->allow, atomic_load(&ctx->me->used) + (1 << 20));
	assert_false(offered(w));
	atomic_store(&ctx->me->allow, SNOO_ABI_UNLIMITED);
	choose(w, 0, 1, false);
	assert_false(offered(w));
	choose(w, 0, 1, true);
	assert_true(offered(w));
	/* Too small; the first that is not. */
	for (size_t n = RATHER_BYTES - 1; n <= RATHER_BYTES; n++) {
		assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r), 0);
		assert_int_equal(snoo_isend(ctx, out, n, 1, 1, &s), 0);
		assert_int_equal(s->done, n < RATHER_BYTES);
		for (done = 0; !done; world_turn(w, 1))
			assert_int_equal(snoo_test(w->ctx[1], &r, &done, NULL),
					 0);
		assert_int_equal(snoo_wait(ctx, &s, NULL), 0);
	}
	expect_clean(w);
}

static unsigned int offers(struct world *w, uint32_t fill, uint32_t read,
			   uint32_t offer, bool answer)
{
	struct peer *p = &w->ctx[0]->peers[1];
	unsigned int n = 0;
	int x = 0;

	for (int i = 0; i < 200; i++) {
		if (answer) {
			assert_int_equal(snoo_send(w->ctx[1], &x, 4, 0, 2), 0);
			assert_int_equal(snoo_recv(w->ctx[0], &x, 4, 1, 2,
						   NULL), 0);
		}
		for (int far = 0; far < 2; far++) {
			p->pace.fill[far] = fill;
			p->pace.read[far] = read;
		}
		p->instead.kind[1].cost = offer;
		n += offered(w);
	}
	return n;
}

/* Messages below PACE_BYTES go their own way, and say nothing of others. */
static void test_small_ones_are_a_kind_of_their_own(void **state)
{
	struct world *w = *state;
	struct peer *p = &w->ctx[0]->peers[1];
	struct snoo_request *s, *r;

	for (int small = 0; small < 2; small++) {
		size_t n = small ? PACE_BYTES - 1 : PACE_BYTES;

		choose(w, 0, 1, false);
		for (int i = 0; i < 2; i++)
			p->instead.kind[!small].way[i].second = true;
		for (size_t k = PACE_BYTES - 1; k <= PACE_BYTES; k++) {
			p->instead.kind[0].cost = p->instead.kind[1].cost = 0;
			assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r),
					 0);
			assert_int_equal(snoo_isend(w->ctx[0], out, k, 1, 1,
						    &s), 0);
			assert_int_equal(s->done, k != n);
			p->instead.late_ns = UINT32_MAX;
			while (!r->done)
				world_turn(w, 1);
			assert_int_equal(snoo_wait(w->ctx[1], &r, NULL), 0);
			assert_int_equal(snoo_wait(w->ctx[0], &s, NULL), 0);
			assert_true((p->instead.kind[!small].cost > 0) ==
				    (k == n));
			assert_int_equal(p->instead.kind[small].cost, 0);
		}
	}
	expect_clean(w);
}

/* However the sizes alternate, each kind is timed. */
static void test_blocks_of_both_kinds_are_timed(void **state)
{
	struct world *w = *state;
	const struct pace *p = &w->ctx[0]->peers[1].pace;
	struct snoo_request *r;

	if (!SHM_COPY_FAR)
		skip();
	for (uint32_t i = 0; i < 40; i++) {
		choose(w, 0, 1, false);
		assert_int_equal(snoo_irecv(w->ctx[1], in, N, 0, 1, &r), 0);
		assert_int_equal(snoo_send(w->ctx[0], out, i % 2 ?
					   PACE_BYTES : PACE_LEAST, 1, 1), 0);
		while (!r->done)
			world_turn(w, 1);
		assert_int_equal(snoo_wait(w->ctx[1], &r, NULL), 0);
	}
	assert_true(p->small[0] > 0 && p->small[1] > 0);
	assert_true(p->fill[0] + p->fill[1] > 0);
	assert_true(p->read[0] + p->read[1] > 0);
	expect_clean(w);
}

static void test_what_costs_less_is_done(void **state)
{
	struct world *w = *state;
	struct ways *way = w->ctx[0]->peers[1].instead.kind[1].way;

	memset(way, 0, 2 * sizeof(*way));
	/* Both are tried, whatever they cost. */
	assert_in_range(offers(w, 4000, 4000, 9000, true), 4, 40);
	/* When we answer each other, the copies of a block take turns. */
	assert_in_range(offers(w, 4000, 4000, 5000, true), 100, 196);
	assert_false(way[1].second);
	/* When we only send, they do not. */
	assert_in_range(offers(w, 4000, 4000, 5000, false), 4, 40);
	assert_in_range(offers(w, 8000, 4000, 5000, false), 100, 196);
	assert_true(way[1].second);
	/* On a shared core they do. */
	memset(way, 0, 2 * sizeof(*way));
	put(&w->ctx[1]->me->sharers, 2);
	assert_in_range(offers(w, 4000, 4000, 5000, false), 100, 196);
	expect_clean(w);
}

/* Nobody is there to read it: soon nothing is offered any more. */
static void test_a_receiver_that_comes_late_is_learnt(void **state)
{
	struct world *w = *state;
	struct peer *p = &w->ctx[0]->peers[1];
	uint64_t blocks;

	for (int i = 0; i < 2; i++)
		p->instead.kind[1].way[i] = (struct ways){ .second = true };
	for (uint32_t i = 0; i < 400; i++) {
		for (int far = 0; far < 2; far++) {
			p->pace.fill[far] = 6000;
			p->pace.read[far] = 6000;
		}
		world_pattern(out, N, i);
		if (i == 0)
			p->instead.kind[1].cost = 4000;
		assert_int_equal(snoo_send(w->ctx[0], out, N, 1, 1), 0);
		expect(w, take(w, N), i);
	}
	assert_false(p->instead.kind[1].way[1].second);
	assert_true(p->instead.kind[1].cost > 12000);
	blocks = count(w, SHM_COUNT_sent_block);
	assert_int_equal(blocks, 400);
	expect_clean(w);
}

/* ---- lies ---- */

static void forge(struct world *w, uint64_t token, uint64_t pair, uint64_t n)
{
	struct shm_tx *tx = &w->ctx[0]->peers[1].tx;
	uint64_t *words = shm_tx_words(tx);

	memset(words, 0, 7 * sizeof(*words));
	words[0] = token;
	words[1] = pair;
	words[2] = n;
	shm_tx_publish(tx, line_word(SNOO_ABI_BLOCK, SNOO_ABI_INSTEAD, 0, 0,
				     0));
}

/* A block of rank 0, as if it were out. */
static uint64_t block_out(struct world *w)
{
	struct lend_block *b = lend_take(w->ctx[0], LEND_LARGE, (uint32_t)N,
					 &w->ctx[0]->peers[1], false);

	assert_non_null(b);
	return line_pair(b->unit, b->generation);
}

static void test_a_block_for_nothing_is_given_back(void **state)
{
	struct world *w = *state;

	assert_true(offered(w));
	forge(w, 12345, block_out(w), N);
	assert_true(offered(w));
	expect_clean(w);
}

static void broken(struct world *w)
{
	world_turn(w, 2);
	assert_int_equal(shm_counter(w->ctx[1]->me,
				     SHM_COUNT_protocol_errors), 1);
	assert_int_equal(snoo_recv(w->ctx[1], in, N, 0, 1, NULL), -EPROTO);
}

static void test_a_block_that_is_none(void **state)
{
	struct world *w = *state;

	assert_true(offered(w));
	forge(w, 12345, line_pair(UINT32_MAX, 1), N);
	broken(w);
}

static void test_a_block_of_another_length(void **state)
{
	struct world *w = *state;
	struct snoo_request *s = give(w, 1);

	progress(w->ctx[1]);
	forge(w, s->token, block_out(w), N - 1);
	broken(w);
	/* It may have become a block meanwhile. */
	assert_true(snoo_cancel(w->ctx[0], &s) >= 0);
}

static void test_a_block_of_another_length_than_was_accepted(void **state)
{
	struct world *w = *state;
	struct snoo_request *r = take(w, N), *s;

	w->ctx[1]->peers[0].reach.state = REACH_NOT;
	s = give(w, 1);
	progress(w->ctx[1]);
	forge(w, s->token, block_out(w), N + 1);
	world_turn(w, 2);
	assert_int_equal(snoo_wait(w->ctx[1], &r, NULL), -EPROTO);
	broken(w);
	/* It may have become a block meanwhile. */
	assert_true(snoo_cancel(w->ctx[0], &s) >= 0);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_who_is_there_reads_it),
		T(test_a_send_ends_without_its_receiver),
		T(test_a_send_that_is_tested_ends_too),
		T(test_an_arrival_becomes_a_block),
		T(test_a_stale_offer_is_not_read),
		T(test_a_stale_offer_of_memory_that_is_gone),
		T(test_without_a_block_it_is_tried_again),
		T(test_without_room_it_is_tried_again),
		T(test_a_time_limit_does_not_end_it),
		cmocka_unit_test_setup_teardown(test_each_peer_has_its_clock,
						setup_three, teardown),
		T(test_who_keeps_asking_is_offered_nothing),
		T(test_a_block_for_what_was_read_is_given_back),
		T(test_a_block_is_the_whole_of_an_accepted_transfer),
		T(test_what_was_accepted_is_streamed),
		T(test_a_refusal_and_a_cancel_cross_it),
		T(test_who_gets_no_offer),
		T(test_small_ones_are_a_kind_of_their_own),
		T(test_blocks_of_both_kinds_are_timed),
		T(test_what_costs_less_is_done),
		T(test_a_receiver_that_comes_late_is_learnt),
		T(test_a_block_for_nothing_is_given_back),
		T(test_a_block_that_is_none),
		T(test_a_block_of_another_length),
		T(test_a_block_of_another_length_than_was_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
