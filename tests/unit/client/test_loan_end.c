/* SPDX-License-Identifier: MIT */
/* test_loan_end.c - loans and views when a rank ends, and what the daemon says */

#include "tests/unit/client/loan.h"

#include <errno.h>
#include <string.h>

/* ---- ends ---- */

static void gone(struct world *w, uint32_t rank, uint32_t how)
{
	world_gone(w, rank, how);
	world_turn(w, 3);
}

/* The last ACK of @rank; 0: it has said none. */
static uint32_t acked(struct world *w, uint32_t rank)
{
	unsigned char buf[SNOO_WIRE_MAX];
	struct snoo_wire_ack *m = (void *)buf;
	uint32_t last = 0;

	while (world_heard(w, rank, SNOO_WIRE_ACK, buf))
		last = m->gone;
	return last;
}

static void test_the_block_comes_back_from_a_dead_reader(void **state)
{
	struct world *w = *state;
	uint32_t unit[3];
	struct snoo_view v;

	for (int i = 0; i < 3; i++)
		unit[i] = world_lend(w, 0, 8192);
	lend(w, 0, 1, 5000, 1); /* being read */
	lend(w, 0, 1, 5000, 2); /* not looked at */
	lend(w, 0, 2, 5000, 3); /* somebody else's */
	take_view(w, 1, 0, 5000, 1, &v);
	gone(w, 1, SNOO_ABI_DEAD);
	for (int i = 0, free = 0; i < 3; i++) {
		free += state_of(w, unit[i]) == SNOO_ABI_BLOCK_FREE;
		assert_true(i < 2 || free == 2);
	}
	lend(w, 0, 2, 5000, 4);
	lend(w, 0, 2, 5000, 5);
	for (uint32_t i = 3; i <= 5; i++) {
		take_view(w, 2, 0, 5000, i, &v);
		assert_int_equal(snoo_release(w->ctx[2], &v), 0);
	}
	assert_int_equal(count(w, 0, SHM_COUNT_loans_asked), 0);
}

/* A view outlives its sender; the quarantine lasts as long. */
static void test_a_dead_senders_view_stays_until_released(void **state)
{
	struct world *w = *state;
	uint32_t unit = world_lend(w, 0, MIB);
	struct snoo_view v;

	lend(w, 0, 1, MIB, 1);
	take_view(w, 1, 0, MIB, 1, &v);
	gone(w, 0, SNOO_ABI_DEAD);
	assert_int_equal(acked(w, 1), 0);
	/* Rank 2 reads nothing of it. */
	assert_int_equal(acked(w, 2), 1);
	expect_view(&v, 0, MIB, 1);
	assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_BUSY);
	assert_int_equal(snoo_release(w->ctx[1], &v), 0);
	assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_FREE);
	assert_int_equal(acked(w, 1), 1);
}

/* So does one that was lent, and nobody has received yet. */
static void test_a_dead_senders_loan_can_still_be_received(void **state)
{
	static unsigned char in[MIB];
	struct world *w = *state;
	uint32_t unit = world_lend(w, 0, MIB);
	struct snoo_view v;

	world_lend(w, 0, MIB);
	lend(w, 0, 1, MIB, 1);
	lend(w, 0, 1, MIB, 2);
	gone(w, 0, SNOO_ABI_LEFT);
	assert_int_equal(acked(w, 1), 0);
	take_view(w, 1, 0, MIB, 1, &v);
	assert_int_equal(snoo_recv(w->ctx[1], in, MIB, 0, 1, NULL), 0);
	assert_true(world_matches(in, MIB, 2));
	world_turn(w, 1);
	assert_int_equal(acked(w, 1), 0);
	expect_view(&v, 0, MIB, 1);
	assert_int_equal(snoo_release(w->ctx[1], &v), 0);
	assert_int_equal(acked(w, 1), 1);
	assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_FREE);
	assert_int_equal(snoo_recv_view(w->ctx[1], 0, 1, &v), -EPIPE);
	assert_int_equal(v.id, 0);
	assert_int_equal(v.source, 0);
}

/* The epoch of whoever went before is acknowledged, that of whoever went
 * later waits: ACK is one number for all up to it. */
static void test_only_later_ends_wait_for_a_view(void **state)
{
	struct world *w = *state;
	struct snoo_view v;

	world_lend(w, 2, 4096);
	lend(w, 2, 1, 100, 1);
	take_view(w, 1, 2, 100, 1, &v);
	gone(w, 0, SNOO_ABI_DEAD);
	assert_int_equal(acked(w, 1), 1);
	gone(w, 2, SNOO_ABI_DEAD);
	assert_int_equal(acked(w, 1), 1);
	/* What a new daemon is told is the same. */
	assert_int_equal(w->ctx[1]->gone_done, 1);
	assert_int_equal(w->ctx[1]->gone_seen, 2);
	expect_view(&v, 2, 100, 1);
	assert_int_equal(snoo_release(w->ctx[1], &v), 0);
	assert_int_equal(acked(w, 1), 2);
}

/* GONE comes again from a daemon that took over: that releases nothing. */
static void test_gone_said_again_does_not_end_a_view(void **state)
{
	struct world *w = *state;
	struct snoo_view v;

	world_lend(w, 0, 4096);
	lend(w, 0, 1, 100, 1);
	take_view(w, 1, 0, 100, 1, &v);
	gone(w, 0, SNOO_ABI_DEAD);
	w->gone = 0;
	gone(w, 0, SNOO_ABI_DEAD);
	assert_int_equal(acked(w, 1), 0);
	assert_int_equal(snoo_release(w->ctx[1], &v), 0);
	assert_int_equal(acked(w, 1), 1);
}

static void test_a_death_ends_a_waiting_view(void **state)
{
	struct world *w = *state;
	struct snoo_view v;

	world_gone(w, 0, SNOO_ABI_DEAD);
	assert_int_equal(snoo_recv_view(w->ctx[1], SNOO_ANY_SOURCE, 1, &v),
			 -EOWNERDEAD);
	assert_int_equal(v.source, 0);
	assert_int_equal(v.id, 0);
	assert_int_equal(snoo_recv_view(w->ctx[1], 0, 1, &v), -EOWNERDEAD);
}

static void test_a_send_to_the_dead_leaves_us_the_loan(void **state)
{
	struct world *w = *state;
	struct snoo_block loan;

	world_lend(w, 0, 4096);
	build(w, 0, 100, 1, &loan);
	gone(w, 1, SNOO_ABI_DEAD);
	assert_int_equal(snoo_send_loan(w->ctx[0], &loan, 100, 1, 1),
			 -EOWNERDEAD);
	assert_int_equal(snoo_send_loan(w->ctx[0], &loan, 100, 2, 1), 0);
}

static void test_finalize_ends_views_and_loans(void **state)
{
	struct world *w = *state;
	uint32_t theirs = world_lend(w, 0, 4096);
	uint32_t ours = world_lend(w, 1, 4096);
	struct snoo_block loan;
	struct snoo_view v;

	lend(w, 0, 1, 100, 1);
	take_view(w, 1, 0, 100, 1, &v);
	build(w, 1, 100, 2, &loan);
	assert_int_equal(snoo_finalize(w->ctx[1]), 0);
	w->ctx[1] = NULL;
	assert_int_equal(state_of(w, theirs), SNOO_ABI_BLOCK_FREE);
	assert_int_equal(state_of(w, ours), SNOO_ABI_BLOCK_FREE);
}

/* What a copy was made of is forgotten with the context. */
static void test_finalize_ends_views_of_copies(void **state)
{
	struct world *w = *state;
	struct snoo_view v;

	assert_int_equal(snoo_send(w->ctx[0], "x", 2, 1, 1), 0);
	assert_int_equal(snoo_recv_view(w->ctx[1], 0, 1, &v), 0);
	assert_string_equal(v.data, "x");
	assert_int_equal(snoo_finalize(w->ctx[1]), 0);
	w->ctx[1] = NULL;
}

/* ---- the daemon ---- */

static void answer(struct world *w, uint32_t rank, uint32_t serial, int error)
{
	struct snoo_wire_lent m = {
		.head = { SNOO_WIRE_LENT, sizeof(m) },
		.serial = serial,
		.error = error,
	};

	world_tell(w, rank, &m, sizeof(m));
}

static void test_a_loan_may_fail(void **state)
{
	unsigned char buf[SNOO_WIRE_MAX];
	struct snoo_wire_loan *m = (void *)buf;
	struct world *w = *state;
	struct snoo_block loan;

	answer(w, 0, 1, ENOMEM);
	assert_int_equal(snoo_loan(w->ctx[0], 100000, &loan), -ENOMEM);
	assert_int_equal(loan.id, 0);
	assert_int_equal(world_heard(w, 0, SNOO_WIRE_LOAN, buf), sizeof(*m));
	assert_int_equal(m->bytes, 100000);
	assert_int_equal(m->serial, 1);
	/* A larger one that we have is as good. */
	world_lend(w, 0, MIB);
	answer(w, 0, 2, ENOMEM);
	assert_int_equal(snoo_loan(w->ctx[0], 100000, &loan), 0);
	assert_int_equal(loan.bytes, MIB);
	assert_int_equal(snoo_drop_loan(w->ctx[0], &loan), 0);
	answer(w, 0, 3, ENOMEM);
	assert_int_equal(snoo_loan(w->ctx[0], SIZE_MAX, &loan), -ENOMEM);
}

static void test_a_silent_daemon_costs_the_time_limit(void **state)
{
	struct world *w = *state;
	struct snoo_block loan;

	assert_int_equal(snoo_set_timeout(w->ctx[0], 1000000), 0);
	assert_int_equal(snoo_loan(w->ctx[0], 4096, &loan), -ETIMEDOUT);
	/* Its answer comes late: it is used then. */
	world_lend(w, 0, 4096);
	answer(w, 0, 1, ENOMEM);
	assert_int_equal(snoo_loan(w->ctx[0], 4096, &loan), 0);
	assert_int_equal(snoo_drop_loan(w->ctx[0], &loan), 0);
}

/* The one that was asked died before it answered. */
static void test_a_new_daemon_is_asked_again(void **state)
{
	unsigned char buf[SNOO_WIRE_MAX];
	struct snoo_wire_loan *m = (void *)buf;
	struct snoo_wire_resumed resumed = {
		.head = { SNOO_WIRE_RESUMED, sizeof(resumed) },
		.epoch = 2,
	};
	struct world *w = *state;
	struct snoo_block loan;

	world_tell(w, 0, &resumed, sizeof(resumed));
	assert_int_equal(snoo_set_timeout(w->ctx[0], 5000000), 0);
	assert_int_equal(snoo_loan(w->ctx[0], 4096, &loan), -ETIMEDOUT);
	assert_int_equal(world_heard(w, 0, SNOO_WIRE_LOAN, buf), sizeof(*m));
	assert_int_equal(world_heard(w, 0, SNOO_WIRE_LOAN, buf), sizeof(*m));
	assert_int_equal(m->serial, 1);
	/* Nobody waits any more: the next one is asked nothing. */
	world_tell(w, 0, &resumed, sizeof(resumed));
	world_turn(w, 2);
	assert_int_equal(world_heard(w, 0, SNOO_WIRE_LOAN, buf), 0);
}

static void test_without_a_daemon_there_are_no_new_loans(void **state)
{
	struct world *w = *state;
	struct snoo_wire_plain bye = { { SNOO_WIRE_BYE, sizeof(bye) } };
	struct snoo_block loan;

	world_lend(w, 0, 4096);
	world_tell(w, 0, &bye, sizeof(bye));
	world_turn(w, 1);
	assert_int_equal(snoo_loan(w->ctx[0], 8192, &loan), -ENOTCONN);
	/* What we have goes on. */
	lend(w, 0, 1, 100, 1);
}

static void test_a_free_block_may_be_recalled(void **state)
{
	struct world *w = *state;
	uint32_t unit = world_lend(w, 0, 4096);
	struct snoo_block loan;

	lend(w, 0, 0, 10, 1);
	assert_false(shm_block_recall(shm_region_desc(&w->region, unit), 0));
	assert_int_equal(snoo_recv(w->ctx[0], &loan, 10, 0, 1, NULL), 0);
	assert_true(shm_block_recall(shm_region_desc(&w->region, unit), 0));
	answer(w, 0, 1, ENOMEM);
	assert_int_equal(snoo_loan(w->ctx[0], 10, &loan), -ENOMEM);
	/* The same unit again, under another generation. */
	shm_block_grant(shm_region_desc(&w->region, unit), 0);
	w->next_unit = unit;
	world_lend(w, 0, 4096);
	assert_int_equal(snoo_loan(w->ctx[0], 10, &loan), 0);
	assert_int_equal(snoo_drop_loan(w->ctx[0], &loan), 0);
}

static void test_loans_count_against_the_allowance(void **state)
{
	struct world *w = *state;
	struct snoo_abi_rank *me = shm_region_rank(&w->region, 0);
	struct snoo_block loan;

	for (int i = 0; i < 3; i++)
		world_lend(w, 0, MIB);
	atomic_store(&me->allow, MIB + 10);
	lend(w, 0, 1, MIB, 1);
	assert_int_equal(atomic_load(&me->used), MIB);
	lend(w, 0, 1, MIB, 2);
	assert_int_equal(snoo_loan(w->ctx[0], 10, &loan), -EAGAIN);
	atomic_store(&me->allow, 4 * MIB);
	lend(w, 0, 1, MIB, 3);
}

static void test_nonsense_of_the_daemon_ends_the_session(void **state)
{
	struct world *w = *state;
	struct snoo_wire_lent m = {
		.head = { SNOO_WIRE_LENT, sizeof(m) },
		.unit = w->region.arena_units - 1,
		.bytes = 8192,
	};

	world_tell(w, 0, &m, sizeof(m));
	m.unit = 0;
	m.bytes = 5000;
	world_tell(w, 1, &m, sizeof(m));
	world_turn(w, 1);
	assert_true(w->ctx[0]->session.lost);
	assert_true(w->ctx[1]->session.lost);
	assert_false(w->ctx[2]->session.lost);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_the_block_comes_back_from_a_dead_reader),
		T(test_a_dead_senders_view_stays_until_released),
		T(test_a_dead_senders_loan_can_still_be_received),
		T(test_only_later_ends_wait_for_a_view),
		T(test_gone_said_again_does_not_end_a_view),
		T(test_a_death_ends_a_waiting_view),
		T(test_a_send_to_the_dead_leaves_us_the_loan),
		T(test_finalize_ends_views_and_loans),
		T(test_finalize_ends_views_of_copies),
		T(test_a_loan_may_fail),
		T(test_a_silent_daemon_costs_the_time_limit),
		T(test_a_new_daemon_is_asked_again),
		T(test_without_a_daemon_there_are_no_new_loans),
		T(test_a_free_block_may_be_recalled),
		T(test_loans_count_against_the_allowance),
		T(test_nonsense_of_the_daemon_ends_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
