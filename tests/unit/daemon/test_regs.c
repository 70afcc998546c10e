/* SPDX-License-Identifier: MIT */
/* test_regs.c - register messages by fake ranks: rings, order, room, waking */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "daemon/supply.h"
#include "daemon/touch.h"
#include "shm/wake.h"
#include "tests/lib/regshome.h"

/* ---- joining ---- */

static void test_rings_are_said_before_the_grant(void **state)
{
	struct regshome *t = *state;
	struct fakerank *f = &t->f[0];
	struct snoo_wire_hello hello;
	unsigned int blocks = 99;
	struct rank *r;

	fakerank_hello_init(&hello, "one", 0, 0, 1);
	assert_int_equal(fakerank_connect(f, t->h.path), 0);
	assert_int_equal(fakerank_send(f, &hello, sizeof(hello)), 0);
	while (!f->started) {
		assert_true(fakerank_recv(f, true) > 0);
		if (f->msg.head.type == SNOO_WIRE_REGISTERS)
			blocks = f->blocks;
	}
	assert_int_equal(blocks, 0);
	assert_true(f->blocks > 0);
	assert_int_equal(f->registers_said, 1);
	assert_int_equal(f->registers.flags, SNOO_WIRE_REGISTERS_ON);
	assert_int_equal(f->registers.bytes, SNOO_ABI_INLINE_MAX);
	assert_int_equal(
		f->registers.out.nlines & (f->registers.out.nlines - 1), 0);
	assert_int_equal(f->registers.in.nlines, f->registers.out.nlines);
	assert_int_equal(f->registers.in.bytes % SNOO_ABI_UNIT, 0);
	assert_int_equal(f->slot->registers, 1);
	/* The service may need its core too. */
	assert_int_equal(f->slot->sharers, 2);
	/* They count as no spare rings. */
	r = regshome_rank(t, 0);
	assert_int_equal(f->rings, SUPPLY_SPARE_RINGS);
	supply_count(r);
	assert_int_equal(r->rings[SMALL], SUPPLY_SPARE_RINGS);
}

static void test_who_knows_nothing_of_them_has_none(void **state)
{
	struct regshome *t = *state;
	struct fakerank *f = &t->f[0];
	struct snoo_wire_hello hello;

	fakerank_hello_init(&hello, "old", 0, 0, 1);
	hello.minor = 2;
	assert_int_equal(fakerank_connect(f, t->h.path), 0);
	assert_int_equal(fakerank_send(f, &hello, sizeof(hello)), 0);
	while (!f->started)
		assert_true(fakerank_recv(f, true) > 0);
	assert_int_equal(f->registers_said, 0);
	assert_int_equal(f->slot->registers, 0);
	assert_int_equal(fakerank_pinned(f), 0);
	/* And may not say LOOK. */
	assert_int_equal(fakerank_send_plain(f, SNOO_WIRE_LOOK), 0);
	assert_int_equal(fakerank_until(f, SNOO_WIRE_ERROR), SNOO_WIRE_ERROR);
	assert_non_null(strstr(f->error.text, "LOOK"));
}

/* Messages name ranks by 16 bits: who finds no number goes by channels. */
static void test_more_ranks_than_numbers(void **state)
{
	struct regshome *t = *state;
	struct regs *g = regshome_service(t);
	struct fakerank *f = &t->f[0];
	struct snoo_wire_hello hello;

	g->ranks = MAIL_IDS - 2 * REGS_WAYS;
	fakerank_hello_init(&hello, "many", 0, 0, 1);
	assert_int_equal(fakerank_connect(f, t->h.path), 0);
	assert_int_equal(fakerank_send(f, &hello, sizeof(hello)), 0);
	while (!f->started)
		assert_true(fakerank_recv(f, true) > 0);
	assert_int_equal(f->registers_said, 0);
	assert_int_equal(f->slot->registers, 0);
	assert_int_equal(regshome_rank(t, 0)->led.regs_out, 0);
	assert_int_equal(fakerank_pinned(f), 0);
	assert_int_equal(g->ranks, MAIL_IDS - 2 * REGS_WAYS);
}

/* Without gaps, also when their last one is in use. */
static void test_numbers_come_back(void **state)
{
	static const int core[] = { -2, -2 };
	struct regshome *t = *state;

	regshome_service(t)->next_id = MAIL_IDS - 2;
	regshome_join(t, 2, core);
	assert_int_equal(regshome_rank(t, 0)->regs->id, MAIL_IDS - 1);
	assert_int_equal(regshome_rank(t, 1)->regs->id, 0);
	assert_int_equal(regshome_service(t)->ranks, 2);
	assert_ptr_equal(regs_of_id(regshome_service(t), 0),
			 regshome_rank(t, 1));
}

/* ---- the way ---- */

static void test_every_length_by_mailbox(void **state)
{
	struct regshome *t = *state;

	regshome_join_two(t, 2);
	for (uint32_t n = 0; n <= SNOO_ABI_INLINE_MAX; n++) {
		assert_int_equal(fakeregs_send(&t->x[0], 1, n, n), 0);
		assert_int_equal(fakeregs_send(&t->x[1], 0, n, n), 0);
		regshome_expect(t, 1, 0, n, n);
		regshome_expect(t, 0, 1, n, n);
	}
	assert_int_equal(regshome_service(t)->messages,
			 2 * (SNOO_ABI_INLINE_MAX + 1));
	assert_int_equal(regshome_service(t)->copied, 0);
	regshome_pump(t);
	assert_true(shm_tx_drained(&t->x[0].out));
	assert_true(shm_tx_drained(&t->x[1].out));
}

static void test_same_core_or_none_is_copied(void **state)
{
	static const int core[] = { 0, 0, -2 };
	struct regshome *t = *state;

	regshome_join(t, 3, core);
	for (int to = 1; to < 3; to++) {
		assert_int_equal(fakeregs_send(&t->x[0], (uint32_t)to, 7, 9),
				 0);
		regshome_expect(t, to, 0, 7, 9);
	}
	assert_int_equal(fakeregs_send(&t->x[2], 0, 8, 3), 0);
	regshome_expect(t, 0, 2, 8, 3);
	assert_int_equal(regshome_service(t)->messages, 0);
	assert_int_equal(regshome_service(t)->copied, 3);
	assert_true(shm_tx_drained(&t->x[0].out));
}

/* More than fits a mailbox's word; the pair's number is the caller's. */
static void test_a_number_beyond_56_bits_arrives(void **state)
{
	struct regshome *t = *state;
	uint64_t number = UINT64_MAX - 5;

	regshome_join_two(t, 2);
	assert_int_equal(fakeregs_send(&t->x[0], 1, number, 4), 0);
	regshome_expect(t, 1, 0, number, 4);
	assert_int_equal(regshome_service(t)->copied, 1);
}

/* All pairs at once, both ways of travelling mixed, rings full again and
 * again. */
static void test_pairs_stay_in_order(void **state)
{
	struct regshome *t = *state;
	uint64_t sent[REGSHOME_RANKS][REGSHOME_RANKS] = { 0 },
		 got[REGSHOME_RANKS][REGSHOME_RANKS] = { 0 };
	struct fakeregs_line l;
	uint32_t seed = 1;
	const uint64_t many = 2000;
	uint64_t left = many * REGSHOME_RANKS * (REGSHOME_RANKS - 1);

	regshome_join_two(t, REGSHOME_RANKS);
	while (left > 0) {
		for (uint32_t from = 0; from < REGSHOME_RANKS; from++) {
			uint32_t to =
				(seed = seed * 1664525 + 1013904223) >> 16 & 3;

			if (to == from || sent[from][to] == many ||
			    fakeregs_put(&t->x[from], to, sent[from][to],
					 seed % 57))
				continue;
			/* So that the receiver can tell its length. */
			sent[from][to]++;
			fakeregs_look(&t->x[from]);
		}
		home_step(&t->h);
		for (uint32_t to = 0; to < REGSHOME_RANKS; to++) {
			while (fakeregs_take(&t->x[to], &l) == 1) {
				assert_true(l.peer < REGSHOME_RANKS);
				assert_true(fakeregs_is(&l, l.peer, to,
							got[l.peer][to],
							l.length));
				got[l.peer][to]++;
				left--;
			}
		}
	}
	assert_true(regshome_service(t)->messages > 0);
	assert_true(regshome_service(t)->copied > 0);
	assert_int_equal(regshome_service(t)->messages +
				 regshome_service(t)->copied,
			 many * REGSHOME_RANKS * (REGSHOME_RANKS - 1));
	assert_int_equal(regshome_service(t)->dropped, 0);
}

/* A receiver that takes nothing holds up its own senders only. */
static void test_a_full_ring_holds_up_its_own_alone(void **state)
{
	struct regshome *t = *state;
	uint64_t number = 0, next = 0;
	uint32_t n;

	regshome_join_two(t, 3);
	/* What its `in` holds, and what `out` can hold besides, less one. */
	n = REGS_WINDOW + REGS_WINDOW - 1;
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(fakeregs_send(&t->x[0], 1, number++, 8), 0);
		regshome_pump(t);
	}
	/* Behind all that: to somebody else, and from somebody else. */
	assert_int_equal(fakeregs_send(&t->x[0], 2, 100, 5), 0);
	regshome_expect(t, 2, 0, 100, 5);
	assert_int_equal(fakeregs_send(&t->x[2], 0, 200, 6), 0);
	regshome_expect(t, 0, 2, 200, 6);
	/* It does not poll for that. */
	regshome_sleep(t);
	assert_true(regshome_service(t)->waiting);
	/* And no more of it is lost or given out of turn. */
	while (next < number)
		regshome_expect(t, 1, 0, next++, 8);
	regshome_expect_nothing(t, 1);
	regshome_sleep(t);
	assert_true(shm_tx_drained(&t->x[0].out));
}

/* As many lanes in use as there can be: the next message waits for one. */
static void test_all_lanes_in_use(void **state)
{
	static const struct regs_way other = {
		.from_core = UINT32_MAX,
		.to_core = UINT32_MAX,
	};
	struct regshome *t = *state;
	struct regs *g = regshome_service(t);

	regshome_join_two(t, 2);
	for (uint32_t i = 0; i < REGS_WAYS; i++)
		g->way[i] = other;
	g->ways = REGS_WAYS;
	assert_int_equal(fakeregs_send(&t->x[0], 1, 0, 8), 0);
	regshome_expect_nothing(t, 1);
	assert_int_equal(g->ways, REGS_WAYS);
	g->ways = 0;
	regs_wake(g);
	regshome_expect(t, 1, 0, 0, 8);
	assert_int_equal(g->messages, 1);
}

/* A rank that computes for an hour: once it takes something it says so. */
static void test_a_full_ring_keeps_nobody_awake(void **state)
{
	struct regshome *t = *state;
	uint64_t number = 0;

	regshome_join_two(t, 2);
	regshome_fill(t, 0, 1, &number);
	regshome_sleep(t);
	assert_true(regshome_service(t)->waiting);
	/* Less and less often, up to about a second. */
	for (long i = 0; i < 10000000 && regshome_service(t)->again_ms < 256;
	     i++)
		home_step(&t->h);
	assert_true(regshome_service(t)->again_ms >= 256);
	assert_false(regshome_service(t)->busy);
	for (uint64_t n = 0; n < number; n++)
		regshome_expect(t, 1, 0, n, 8);
}

/* Who sends without end gets its share, and others theirs. */
static void test_a_flood_starves_nobody(void **state)
{
	struct regshome *t = *state;
	uint64_t flood = 0, calm = 0;
	struct fakeregs_line l;
	uint32_t taken = 0;

	regshome_join_two(t, REGSHOME_RANKS);
	for (int i = 0; i < 300; i++) {
		regshome_fill(t, 0, 1, &flood);
		regshome_fill(t, 2, 1, &flood);
		assert_int_equal(fakeregs_send(&t->x[3], 0, calm, 1), 0);
		regshome_expect(t, 0, 3, calm++, 1);
		while (fakeregs_take(&t->x[1], &l) == 1)
			taken++;
	}
	assert_true(taken > 300);
}

/* ---- waking ---- */

static void test_look_is_needed_only_when_it_sleeps(void **state)
{
	struct regshome *t = *state;

	regshome_join_two(t, 2);
	regshome_sleep(t);
	assert_int_equal(t->f[0].region.head->asleep, 1);
	assert_int_equal(fakeregs_put(&t->x[0], 1, 0, 8), 0);
	regshome_expect_nothing(t, 1);
	assert_int_equal(fakeregs_look(&t->x[0]), 0);
	assert_int_equal(t->x[0].looks, 1);
	regshome_expect(t, 1, 0, 0, 8);
	assert_int_equal(t->f[0].region.head->asleep, 0);
	assert_int_equal(fakeregs_send(&t->x[0], 1, 1, 8), 0);
	assert_int_equal(t->x[0].looks, 1);
	regshome_expect(t, 1, 0, 1, 8);
	regshome_sleep(t);
	assert_int_equal(t->f[0].region.head->asleep, 1);
}

static void test_the_receiver_is_woken_by_its_wish(void **state)
{
	struct regshome *t = *state;
	struct snoo_abi_rank *slot;
	struct hal_regs regs;

	regshome_join_two(t, 3);
	slot = t->f[1].slot;
	regshome_sleep(t);
	/* It waits for rank 2: what rank 0 sends does not wake it. */
	touch_regs(regshome_rank(t, 1), &regs);
	shm_wake_arm(slot, SNOO_ABI_ASLEEP_FUTEX, 2);
	assert_int_equal(fakeregs_send(&t->x[0], 1, 0, 8), 0);
	regshome_expect(t, 1, 0, 0, 8);
	assert_int_equal(slot->summary[0], 0);
	assert_int_equal(fakeregs_send(&t->x[2], 1, 0, 8), 0);
	regshome_expect(t, 1, 2, 0, 8);
	assert_int_equal(slot->summary[0], 1u << 2);
	touch_regs(regshome_rank(t, 1), &regs);
	assert_int_equal(regs.status & SNOO_ABI_BELL_DATA, SNOO_ABI_BELL_DATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) \
	cmocka_unit_test_setup_teardown(name, regshome_setup, regshome_teardown)
		T(test_rings_are_said_before_the_grant),
		T(test_who_knows_nothing_of_them_has_none),
		T(test_more_ranks_than_numbers),
		T(test_numbers_come_back),
		T(test_every_length_by_mailbox),
		T(test_same_core_or_none_is_copied),
		T(test_a_number_beyond_56_bits_arrives),
		T(test_pairs_stay_in_order),
		T(test_a_full_ring_holds_up_its_own_alone),
		T(test_all_lanes_in_use),
		T(test_a_full_ring_keeps_nobody_awake),
		T(test_a_flood_starves_nobody),
		T(test_look_is_needed_only_when_it_sleeps),
		T(test_the_receiver_is_woken_by_its_wish),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
