/* SPDX-License-Identifier: MIT */
/* test_regs_end.c - ends and misuse: who is gone, and what cannot be */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/reap.h"
#include "tests/lib/regshome.h"

/* ---- the end ---- */

static void test_what_was_published_comes_before_gone(void **state)
{
	struct regshome *t = *state;

	regshome_join_two(t, 3);
	regshome_sleep(t);
	/* Nobody has said LOOK for these. */
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(fakeregs_put(&t->x[0], 1, i, 8), 0);
	fakerank_close(&t->f[0]);
	assert_int_equal(fakerank_until(&t->f[1], SNOO_WIRE_GONE),
			 SNOO_WIRE_GONE);
	assert_int_equal(t->f[1].gone.state,
			 SNOO_ABI_DEAD | SNOO_WIRE_GONE_REGISTERS);
	for (uint32_t i = 0; i < 5; i++)
		regshome_expect(t, 1, 0, i, 8);
	regshome_expect_gone(t, 1, 0);
	regshome_expect_gone(t, 2, 0);
	regshome_expect_nothing(t, 1);
	assert_int_equal(fakerank_ack(&t->f[1], 1), 0);
	assert_int_equal(fakerank_ack(&t->f[2], 1), 0);
}

static void test_finalize_right_after_sending(void **state)
{
	struct regshome *t = *state;

	regshome_join_two(t, 2);
	regshome_sleep(t);
	for (uint32_t i = 0; i < REGS_WINDOW; i++)
		assert_int_equal(fakeregs_put(&t->x[0], 1, i, 56), 0);
	assert_int_equal(fakerank_leave(&t->f[0]), 0);
	for (uint32_t i = 0; i < REGS_WINDOW; i++)
		regshome_expect(t, 1, 0, i, 56);
	regshome_expect_gone(t, 1, 0);
	assert_int_equal(t->f[0].slot->registers, 0);
}

/* The line is owed until there is room, and to each on its own. */
static void test_a_gone_line_waits_for_room(void **state)
{
	struct regshome *t = *state;
	uint64_t number = 0;
	uint32_t n;

	regshome_join_two(t, 3);
	n = regshome_fill(t, 0, 1, &number);
	assert_int_equal(n, 2 * REGS_WINDOW);
	fakerank_close(&t->f[0]);
	home_bury(&t->h);
	regshome_expect_gone(t, 2, 0);
	regshome_sleep(t);
	for (uint32_t i = 0; i < n; i++)
		regshome_expect(t, 1, 0, i, 8);
	regshome_expect_gone(t, 1, 0);
	regshome_expect_nothing(t, 1);
}

static void test_for_who_is_gone_it_is_dropped(void **state)
{
	struct regshome *t = *state;

	regshome_join_two(t, 3);
	fakerank_close(&t->f[1]);
	home_bury(&t->h);
	regshome_expect_gone(t, 0, 1);
	regshome_expect_gone(t, 2, 1);
	assert_int_equal(fakeregs_send(&t->x[0], 1, 0, 8), 0);
	assert_int_equal(fakeregs_send(&t->x[0], 2, 0, 8), 0);
	regshome_expect(t, 2, 0, 0, 8);
	regshome_pump(t);
	assert_true(shm_tx_drained(&t->x[0].out));
	assert_int_equal(regshome_service(t)->dropped, 1);
	/* Also when everybody has acknowledged, and the slot is free. */
	assert_int_equal(fakerank_ack(&t->f[0], 1), 0);
	assert_int_equal(fakerank_ack(&t->f[2], 1), 0);
	home_bury(&t->h);
	assert_int_equal(t->h.d->ranks, 2);
	assert_int_equal(fakeregs_send(&t->x[0], 1, 1, 8), 0);
	regshome_pump(t);
	assert_true(shm_tx_drained(&t->x[0].out));
	assert_int_equal(regshome_service(t)->dropped, 2);
}

/* The receiver dies with messages for it in the mailboxes. */
static void test_death_under_way(void **state)
{
	struct regshome *t = *state;
	struct rank *r;

	regshome_join_two(t, 4);
	regshome_sleep(t);
	regshome_service(t)->polls = 1;
	for (uint64_t n = 0; n < 3; n++) {
		assert_int_equal(fakeregs_put(&t->x[0], 1, n, 8), 0);
		assert_int_equal(fakeregs_put(&t->x[1], 2, n, 8), 0);
	}
	for (int i = 0; i < 3; i++)
		regs_round(regshome_service(t));
	assert_int_equal(regshome_service(t)->ways, 2);
	/* Rank 1 as receiver and as sender; then its slot is another's. */
	r = regshome_rank(t, 1);
	fakerank_close(&t->f[1]);
	reap_rank(r, LEDGER_RANK_DEAD);
	reap_exited(r);
	regs_drop(r);
	assert_int_equal(regshome_service(t)->ways, 2);
	regshome_service(t)->polls = 16;
	regs_wake(regshome_service(t));
	regshome_expect_gone(t, 0, 1);
	regshome_sleep(t);
	assert_true(shm_tx_drained(&t->x[0].out));
	assert_int_equal(regshome_service(t)->ways, 0);
	assert_int_equal(fakeregs_send(&t->x[0], 3, 0, 8), 0);
	regshome_expect_gone(t, 3, 1);
	regshome_expect(t, 3, 0, 0, 8);
	regshome_expect_gone(t, 2, 1);
	regshome_expect_nothing(t, 2);
}

/* ---- misuse ---- */

static void expect_cut_off(struct regshome *t, int i)
{
	struct fakerank *f = &t->f[i];
	int ret;

	do
		ret = fakerank_recv(f, true);
	while (ret > 0);
	assert_true(ret == 0 || ret == -ECONNRESET);
	assert_false(state_rank_alive(regshome_rank(t, i)));
}

enum misuse {
	WRONG_TYPE,
	NO_RUN,
	NO_PIECE,
	WRONG_SIZE,
	PEER_TOO_HIGH,
	ITSELF,
	TOO_LONG,
	MISUSES
};

static void put_misuse(struct fakeregs *x, enum misuse how)
{
	struct snoo_abi_register body = { .peer = 1, .length = 8 };
	struct shm_line *first = x->out.next;
	uint64_t word0 = line_word(SNOO_ABI_DATA, SNOO_ABI_STREAM, 1, 0, 0);

	switch (how) {
	case WRONG_TYPE:
		word0 = line_word(SNOO_ABI_OFFER, SNOO_ABI_STREAM, 1, 0, 0);
		break;
	case NO_RUN:
		word0 = line_word(SNOO_ABI_DATA, 0, 1, 0, 0);
		break;
	case PEER_TOO_HIGH:
		body.peer = 3;
		break;
	case ITSELF:
		body.peer = 0;
		break;
	case TOO_LONG:
		body.length = SNOO_ABI_INLINE_MAX + 1;
		break;
	default:
		break;
	}
	shm_tx_publish_run(&x->out, word0, &body, sizeof(body));
	if (how == NO_PIECE)
		atomic_store(&first[1].word0, 0);
	if (how == WRONG_SIZE)
		first->word[0] = 71;
}

static void test_nonsense_costs_its_own_session(void **state)
{
	struct regshome *t = *state;

	for (int how = 0; how < MISUSES; how++) {
		regshome_join_two(t, 3);
		/* What came before it is delivered all the same. */
		assert_int_equal(fakeregs_put(&t->x[0], 1, 5, 8), 0);
		put_misuse(&t->x[0], (enum misuse)how);
		assert_int_equal(fakeregs_look(&t->x[0]), 0);
		expect_cut_off(t, 0);
		regshome_expect(t, 1, 0, 5, 8);
		regshome_expect_gone(t, 1, 0);
		regshome_expect_gone(t, 2, 0);
		assert_int_equal(fakeregs_send(&t->x[1], 2, 0, 8), 0);
		regshome_expect(t, 2, 1, 0, 8);
		for (int i = 0; i < 3; i++)
			fakerank_close(&t->f[i]);
		home_bury(&t->h);
		assert_int_equal(t->h.d->ranks, 0);
	}
}

/* Its slot says that it can be reached, which is not so: the message stays. */
static void test_a_message_to_who_has_no_rings(void **state)
{
	struct regshome *t = *state;
	struct fakerank *old = &t->f[1];
	struct snoo_wire_hello hello;

	for (int i = 0; i < 2; i++) {
		fakerank_hello_init(&hello, "half", 0, i, 2);
		hello.minor = i ? 2 : hello.minor;
		assert_int_equal(fakerank_connect(&t->f[i], t->h.path), 0);
		assert_int_equal(fakerank_send(&t->f[i], &hello, sizeof(hello)),
				 0);
		assert_int_equal(fakerank_until(&t->f[i], SNOO_WIRE_WELCOME),
				 SNOO_WIRE_WELCOME);
		assert_int_equal(fakerank_pinned(&t->f[i]), 0);
		if (i)
			break;
		assert_int_equal(fakerank_until(&t->f[i], SNOO_WIRE_REGISTERS),
				 SNOO_WIRE_REGISTERS);
		assert_int_equal(fakeregs_open(&t->x[i], &t->f[i]), 0);
		/* Nobody has joined as rank 1 yet. */
		assert_int_equal(fakeregs_send(&t->x[0], 1, 0, 8), 0);
		regshome_sleep(t);
	}
	atomic_store(&old->slot->registers, 1);
	assert_int_equal(fakeregs_send(&t->x[0], 1, 1, 8), 0);
	regshome_sleep(t);
	assert_false(shm_tx_drained(&t->x[0].out));
	assert_true(state_rank_alive(regshome_rank(t, 0)));
	/* And nobody polls for it. */
	assert_false(loop_timer_running(regshome_service(t)->again));
	fakerank_close(old);
	home_bury(&t->h);
	regshome_sleep(t);
	assert_true(shm_tx_drained(&t->x[0].out));
}

/* Who has acknowledged a death without its line is not sent more. */
static void test_after_the_acknowledgement_nothing_comes(void **state)
{
	struct regshome *t = *state;

	regshome_join_two(t, 3);
	regshome_sleep(t);
	for (uint64_t n = 0; n < 5; n++) {
		assert_int_equal(fakeregs_put(&t->x[0], 1, n, 8), 0);
		assert_int_equal(fakeregs_put(&t->x[0], 2, n, 8), 0);
	}
	fakerank_close(&t->f[0]);
	reap_rank(t->h.d->rank[0], LEDGER_RANK_DEAD);
	assert_int_equal(reap_ack(regshome_rank(t, 1), 1), 0);
	home_bury(&t->h);
	regshome_expect_nothing(t, 1);
	for (uint64_t n = 0; n < 5; n++)
		regshome_expect(t, 2, 0, n, 8);
	regshome_expect_gone(t, 2, 0);
	regshome_expect_nothing(t, 1);
	assert_int_equal(regshome_service(t)->dropped, 5);
	assert_int_equal(regshome_rank(t, 1)->regs->dues, 0);
}

static void test_an_impossible_counter_costs_its_own_session(void **state)
{
	struct regshome *t = *state;

	regshome_join_two(t, 3);
	atomic_store(&t->x[1].in.abi->consumed, 12345);
	for (uint64_t n = 0; n < REGS_WINDOW + 1; n++) {
		assert_int_equal(fakeregs_send(&t->x[0], 1, n, 8), 0);
		regshome_pump(t);
	}
	expect_cut_off(t, 1);
	assert_int_equal(fakeregs_send(&t->x[0], 2, 0, 8), 0);
	regshome_expect_gone(t, 2, 1);
	regshome_expect(t, 2, 0, 0, 8);
	regshome_pump(t);
	assert_true(shm_tx_drained(&t->x[0].out));
}

/* A producer that ignores credit floods itself: nothing else is read. */
static void test_a_ring_overrun_harms_nobody(void **state)
{
	struct regshome *t = *state;
	struct snoo_abi_register body = { .peer = 1, .length = 8 };

	regshome_join_two(t, 3);
	for (int i = 0; i < 500; i++) {
		shm_tx_publish_run(
			&t->x[0].out,
			line_word(SNOO_ABI_DATA, SNOO_ABI_STREAM, 1, 0, 0),
			&body, sizeof(body));
		if (i % 7 == 0)
			regshome_pump(t);
	}
	fakeregs_look(&t->x[0]);
	regshome_pump(t);
	assert_int_equal(fakeregs_send(&t->x[1], 2, 0, 8), 0);
	regshome_expect(t, 2, 1, 0, 8);
}

static uint64_t dice(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Words that mean something, at places that do. */
static void scribble(struct snoo_abi_ring *ring, uint64_t *seed)
{
	uint64_t *word = (uint64_t *)(void *)ring;
	uint64_t at = dice(seed) % (REGS_RING_BYTES / 8);

	switch (dice(seed) % 4) {
	case 0:
		word[at] = dice(seed);
		break;
	case 1:
		word[at] = dice(seed) % 100;
		break;
	case 2:
		atomic_store(&ring->consumed, (uint32_t)dice(seed) % 200);
		break;
	default:
		word[32 + at % REGS_LINES * 8] =
			line_word(SNOO_ABI_DATA, SNOO_ABI_STREAM, 1, 0, 0) |
			(dice(seed) & 3) << SNOO_ABI_LAP_SHIFT;
		break;
	}
}

/* Anything in the rings of one: the others' messages come as ever. */
static void test_scribbles_harm_nobody_else(void **state)
{
	struct regshome *t = *state;
	uint64_t seed = 88172645463325252u;

	for (int round = 0; round < 40; round++) {
		regshome_join_two(t, 3);
		for (uint64_t n = 0; n < 60; n++) {
			for (int i = 0; i < 3; i++) {
				scribble(t->x[0].out.abi, &seed);
				scribble(t->x[0].in.abi, &seed);
			}
			fakeregs_look(&t->x[0]);
			/* It may get what it likes; they each other's. */
			fakeregs_put(&t->x[1], 0, n, 8);
			assert_int_equal(fakeregs_send(&t->x[1], 2, n, 8), 0);
			for (;;) {
				struct fakeregs_line l;
				int ret = fakeregs_take(&t->x[2], &l);

				assert_true(ret >= 0);
				if (ret == 1 && !l.gone && l.peer == 1) {
					assert_true(
						fakeregs_is(&l, 1, 2, n, 8));
					break;
				}
				if (ret == 0)
					home_step(&t->h);
			}
			/* What is stuck at it must not fill the ring. */
			if (n % 8 == 0 && !shm_tx_drained(&t->x[1].out)) {
				fakerank_close(&t->f[0]);
				home_bury(&t->h);
				break;
			}
		}
		for (int i = 0; i < 3; i++)
			fakerank_close(&t->f[i]);
		home_bury(&t->h);
		assert_int_equal(t->h.d->ranks, 0);
	}
}

static void test_a_lost_pool_ends_it(void **state)
{
	struct regshome *t = *state;

	regshome_join_two(t, 2);
	assert_int_equal(fakeregs_put(&t->x[0], 1, 0, 8), 0);
	state_lose(t->h.d, "a test wants it so");
	regshome_pump(t);
	regshome_sleep(t);
	for (int i = 0; i < REGSHOME_RANKS; i++)
		fakerank_close(&t->f[i]);
	/* Nobody is reaped in a lost domain: as at the daemon's end. */
	home_close(&t->h);
	assert_int_equal(regshome_setup(state), 0);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) \
	cmocka_unit_test_setup_teardown(name, regshome_setup, regshome_teardown)
		T(test_what_was_published_comes_before_gone),
		T(test_finalize_right_after_sending),
		T(test_a_gone_line_waits_for_room),
		T(test_for_who_is_gone_it_is_dropped),
		T(test_death_under_way),
		T(test_nonsense_costs_its_own_session),
		T(test_a_message_to_who_has_no_rings),
		T(test_after_the_acknowledgement_nothing_comes),
		T(test_an_impossible_counter_costs_its_own_session),
		T(test_a_ring_overrun_harms_nobody),
		T(test_scribbles_harm_nobody_else),
		T(test_a_lost_pool_ends_it),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
