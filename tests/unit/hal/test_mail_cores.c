/* SPDX-License-Identifier: MIT */
/*
 * test_mail_cores.c - many nodes, shared mailboxes; cores that come and go
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hal/emul/emul.h"
#include "hal/mail_impl.h"
#include "tests/lib/mailbed.h"

#define LENGTH 56u

static struct mailbed bed;

static int setup_of(uint32_t cores)
{
	struct mail_params p;

	mailbed_params(&bed, cores, cores, &p);
	p.hal.flags = HAL_FAULT_OFFLINE;
	return mail_open(&bed.m, &p);
}

static int setup(void **state)
{
	(void)state;
	return setup_of(4);
}

static int setup_16(void **state)
{
	(void)state;
	return setup_of(16);
}

static int teardown(void **state)
{
	(void)state;
	mailbed_close(&bed);
	return 0;
}

static int send_by(struct mail *m, uint32_t from, uint32_t to, uint64_t number)
{
	struct mail_message msg;

	mailbed_message(&msg, from, to, number, LENGTH);
	return mail_send(m, from, to, &msg);
}

static int send(uint32_t from, uint32_t to, uint64_t number)
{
	return send_by(bed.m, from, to, number);
}

static void expect_one(uint32_t from, uint32_t to, uint64_t number)
{
	assert_int_equal(send(from, to, number), 0);
	assert_true(mailbed_settle(&bed));
	assert_int_equal(bed.ngot, 1);
	assert_true(mailbed_is(&bed.got[0].msg, from, to, number, LENGTH));
	assert_int_equal(bed.nends, 1);
	assert_int_equal(bed.end[0].error, 0);
	bed.ngot = bed.nends = 0;
}

/* ---- nodes -------------------------------------------------------------- */

static void test_within_a_node_each_sender_has_its_own(void **state)
{
	bool shared = true;

	(void)state;
	for (uint32_t r = 0; r < 4; r++) {
		uint32_t seen = 0;

		for (uint32_t s = 0; s < 4; s++)
			if (s != r)
				seen |= 1u << mail_box(bed.m, s, r, &shared);
		assert_int_equal(seen, 0xe);
		assert_false(shared);
	}
}

static void test_beyond_a_node_senders_share(void **state)
{
	bool shared = false;

	(void)state;
	for (uint32_t r = 0; r < 16; r++) {
		for (uint32_t node = 0; node < 4; node++) {
			uint32_t seen = 0;

			for (uint32_t c = 0; c < 4; c++) {
				uint32_t s = node * 4 + c;
				int box;

				if (s == r)
					continue;
				box = mail_box(bed.m, s, r, &shared);
				assert_true(box >= 1 && box <= 3);
				assert_true(shared);
				/* Within the node as on a machine of one. */
				if (node == r / 4)
					assert_int_equal(box,
							 1 + ((s - r - 1) & 3));
				seen |= 1u << box;
			}
			assert_int_equal(seen, 0xe);
		}
	}
}

static void test_all_pairs_of_four_nodes(void **state)
{
	static uint64_t sent[16][16], got[16][16];
	const uint64_t each = 10;
	uint64_t all = 0;
	struct mail_counts c;

	(void)state;
	while (all < each * 240) {
		for (uint32_t s = 0; s < 16; s++)
			for (uint32_t r = 0; r < 16; r++)
				if (s != r && sent[s][r] < each &&
				    send(s, r, sent[s][r]) == 0)
					sent[s][r]++;
		mail_poll(bed.m);
		for (uint32_t i = 0; i < bed.ngot; i++) {
			const struct mail_message *m = &bed.got[i].msg;

			assert_true(m->from < 16 && m->to < 16);
			assert_int_equal(bed.got[i].core, m->to);
			assert_true(mailbed_is(m, m->from, m->to,
					       got[m->from][m->to]++, LENGTH));
			all++;
		}
		bed.ngot = 0;
	}
	assert_true(mailbed_settle(&bed));
	mail_counts(bed.m, &c);
	assert_int_equal(c.sent, each * 240);
	assert_int_equal(c.garbage, 0);
	assert_true(c.lock_busy > 0);
}

/* ---- locks between processes ------------------------------------------- */

/* Core 0 and core 4 share a mailbox of core 1; two struct mail, one memory. */
struct pair {
	struct mail_lock *locks;
	struct mail *dying; /* serves core 4 */
	struct mail *rest;  /* serves 0 to 3 */
};

static const uint32_t four[] = { 4 };

static void open_pair(struct pair *x)
{
	struct mail_params p;

	mailbed_params(&bed, 8, 4, &p);
	x->locks = aligned_alloc(64, 24 * sizeof(*x->locks));
	assert_non_null(x->locks);
	memset((void *)x->locks, 0, 24 * sizeof(*x->locks));
	p.locks = x->locks;
	assert_int_equal(mail_open(&x->rest, &p), 0);
	p.core = four;
	p.ncores = 1;
	assert_int_equal(mail_open(&x->dying, &p), 0);
	assert_int_equal(mail_box(x->rest, 0, 1, NULL),
			 mail_box(x->rest, 4, 1, NULL));
	bed.m = x->rest;
}

static void close_pair(struct pair *x)
{
	mail_close(x->dying);
	mailbed_close(&bed);
	free(x->locks);
}

static void test_two_processes_take_turns(void **state)
{
	struct pair x;
	uint64_t n = 0;

	(void)state;
	open_pair(&x);
	while (n < 200) {
		send_by(x.dying, 4, 1, n);
		send(0, 1, n);
		n++;
		while (mail_busy(x.dying) || mail_busy(x.rest)) {
			mail_poll(x.dying);
			mail_poll(x.rest);
		}
		assert_int_equal(bed.ngot, 2);
		assert_int_equal(bed.nends, 2);
		bed.ngot = bed.nends = 0;
	}
	struct mail_counts c;

	mail_counts(x.rest, &c);
	assert_int_equal(c.garbage, 0);
	close_pair(&x);
}

static void test_a_dead_holder_is_cleaned_up_after(void **state)
{
	struct pair x;

	(void)state;
	for (uint32_t words = 1; words < MAIL_WORDS; words++) {
		struct mail_counts c;
		uint64_t busy;

		open_pair(&x);
		assert_int_equal(send_by(x.dying, 4, 1, 1), 0);
		for (uint32_t i = 0; i < words; i++) {
			mail_poll(x.rest);
			mail_poll(x.dying);
		}
		/* It dies.  Nobody gets past its lock, and nobody waits. */
		assert_int_equal(send(0, 1, 2), 0);
		for (uint32_t i = 0; i < 1000; i++)
			mail_poll(x.rest);
		assert_int_equal(bed.ngot, 0);
		mail_counts(x.rest, &c);
		busy = c.lock_busy;
		assert_true(busy >= 900);
		/* Another core's lock is not freed with it. */
		mail_unlock_dead(x.locks, 8, 5);
		mail_poll(x.rest);
		mail_counts(x.rest, &c);
		assert_int_equal(c.lock_busy, busy + 1);

		mail_unlock_dead(x.locks, 8, 4);
		assert_true(mailbed_settle(&bed));
		assert_int_equal(bed.ngot, 1);
		assert_true(mailbed_is(&bed.got[0].msg, 0, 1, 2, LENGTH));
		assert_int_equal(bed.nends, 1);
		/* It was not dead: what it goes on with spoils nothing. */
		bed.ngot = bed.nends = 0;
		assert_int_equal(send(0, 1, 3), 0);
		while (mail_busy(x.dying) || mail_busy(x.rest)) {
			mail_poll(x.dying);
			mail_poll(x.rest);
		}
		assert_int_equal(bed.ngot, 2);
		assert_int_equal(bed.nends, 2);
		close_pair(&x);
	}
}

/* Asked again for what is being repeated already: that is one repeat. */
static void test_a_repeat_that_has_not_begun_is_one(void **state)
{
	struct mail_counts c;
	struct lane *l;
	struct pair x;
	uint32_t box;

	(void)state;
	open_pair(&x);
	l = &x.dying->served[0].lane[1];
	box = (uint32_t)mail_box(x.rest, 1, 4, NULL);
	assert_int_equal(send_by(x.dying, 4, 1, 1), 0);
	while (mailbed_word(&bed, 4, box) == 0) {
		if (l->state == LANE_SENDING)
			mail_poll(x.dying);
		mail_poll(x.rest);
	}
	mailbed_put(&bed, 4, box, 0);
	mailbed_put(&bed, 1, l->box, 1);
	while (l->state != LANE_SENDING)
		mail_poll(x.dying);
	mailbed_put(&bed, 4, box, mail_answer(l->word, 1, true));
	mail_poll(x.dying);
	assert_true(mailbed_word(&bed, 4, box) == 0);
	mail_counts(x.dying, &c);
	assert_int_equal(c.repeats, 1);
	close_pair(&x);
}

/* Nobody answers: each silence is waited for twice as long, up to a limit. */
static void test_silence_is_waited_for_longer(void **state)
{
	struct lane *l;
	struct pair x;

	(void)state;
	open_pair(&x);
	l = &x.dying->served[0].lane[1];
	assert_int_equal(send_by(x.dying, 4, 1, 1), 0);
	while (l->repeats < 8) {
		assert_int_equal(l->silences, l->repeats < 6 ? l->repeats : 6);
		mail_poll(x.dying);
		mailbed_put(&bed, 1, l->box, 0);
	}
	assert_int_equal(l->silences, 6);
	/* The next message has not deserved that. */
	while (mail_busy(x.dying) || mail_busy(x.rest)) {
		mail_poll(x.dying);
		mail_poll(x.rest);
	}
	assert_int_equal(send_by(x.dying, 4, 1, 2), 0);
	assert_int_equal(l->silences, 0);
	close_pair(&x);
}

static void test_closing_gives_locks_back(void **state)
{
	struct pair x;

	(void)state;
	open_pair(&x);
	assert_int_equal(send_by(x.dying, 4, 1, 1), 0);
	mail_poll(x.dying);
	mail_close(x.dying);
	x.dying = NULL;
	for (uint32_t i = 0; i < 24; i++)
		assert_int_equal(x.locks[i].holder, 0);
	expect_one(0, 1, 7);
	close_pair(&x);
}

/* ---- cores that come and go --------------------------------------------- */

static void test_a_core_that_is_gone_is_refused(void **state)
{
	uint64_t word[MAIL_WORDS];
	struct mail_message msg;
	struct mail_counts c;
	struct hal_regs r;

	(void)state;
	assert_int_equal(mail_refresh(bed.m), 0);
	emul_offline(bed.regs, 2, true);
	/* Not looked yet. */
	assert_true(mail_core(bed.m, 2));
	assert_int_equal(mail_refresh(bed.m), 1);
	assert_int_equal(mail_refresh(bed.m), 0);
	assert_false(mail_core(bed.m, 2));
	assert_int_equal(send(0, 2, 1), -ENODEV);
	assert_int_equal(send(2, 0, 1), -ENODEV);
	assert_int_equal(hal_read_regs(mail_hal(bed.m), 2, &r), -ENODEV);
	expect_one(0, 1, 1);

	/* A word that it left behind begins nothing. */
	mailbed_message(&msg, 2, 1, 1, LENGTH);
	mail_pack(word, &msg, 2, 7);
	mailbed_put(&bed, 1, (uint32_t)mail_box(bed.m, 2, 1, NULL), word[0]);
	assert_int_equal(mail_poll(bed.m), 1);
	assert_false(mail_busy(bed.m));
	mail_counts(bed.m, &c);
	assert_int_equal(c.garbage, 1);

	emul_offline(bed.regs, 2, false);
	/* Stack and global pointer lie there until we look. */
	assert_true(mailbed_word(&bed, 2, 1) >> 60 == 9);
	assert_int_equal(mail_refresh(bed.m), 1);
	for (uint32_t box = 1; box <= 3; box++)
		assert_true(mailbed_word(&bed, 2, box) == 0);
	expect_one(0, 2, 2);
	expect_one(2, 0, 3);
}

/* Messages end at once; nothing is written to the core while it is away. */
static void gone_at(uint32_t gone, uint32_t polls)
{
	uint32_t others = 0;

	assert_int_equal(send(0, 1, 10), 0);
	assert_int_equal(send(1, 0, 11), 0);
	assert_int_equal(send(1, 2, 12), 0);
	assert_int_equal(send(3, 2, 13), 0);
	for (uint32_t i = 0; i < polls; i++)
		mail_poll(bed.m);
	emul_offline(bed.regs, gone, true);
	assert_int_equal(mail_refresh(bed.m), 1);
	for (uint32_t box = 1; box <= 3; box++)
		mailbed_put(&bed, gone, box, 0);
	assert_true(mailbed_settle(&bed));
	for (uint32_t box = 0; box < HAL_MAILBOXES; box++)
		assert_true(mailbed_word(&bed, gone, box) == 0);
	assert_int_equal(bed.nends, 4);
	for (uint32_t i = 0; i < bed.nends; i++) {
		const struct mailbed_end *e = &bed.end[i];

		if (e->from != gone && e->to != gone)
			assert_int_equal(e->error, 0);
		else if (e->error)
			assert_int_equal(e->error, -ENODEV);
		others += e->error == 0;
	}
	assert_true(bed.ngot >= others && bed.ngot <= 4);
	for (uint32_t i = 0; i < bed.ngot; i++) {
		const struct mail_message *m = &bed.got[i].msg;

		assert_true(mailbed_is(m, m->from, m->to, m->number, LENGTH));
		for (uint32_t k = 0; k < i; k++)
			assert_true(m->number != bed.got[k].msg.number);
	}
	bed.ngot = bed.nends = 0;

	emul_offline(bed.regs, gone, false);
	assert_int_equal(mail_refresh(bed.m), 1);
	expect_one(0, 1, 20);
	expect_one(1, 0, 21);
	expect_one(2, 1, 22);
	expect_one(3, 2, 23);
}

static void test_a_core_goes_in_the_middle_of_messages(void **state)
{
	(void)state;
	for (uint32_t gone = 0; gone < 4; gone++)
		for (uint32_t polls = 0; polls < 20; polls++)
			gone_at(gone, polls);

	struct mail_counts c;

	mail_counts(bed.m, &c);
	assert_int_equal(c.offline, 80);
}

/* Away and back between two looks: only its mailboxes have changed. */
static void test_a_core_that_was_gone_unseen(void **state)
{
	(void)state;
	for (uint32_t polls = 1; polls < 20; polls++) {
		assert_int_equal(send(0, 1, polls), 0);
		assert_int_equal(send(1, 0, polls), 0);
		for (uint32_t i = 0; i < polls; i++)
			mail_poll(bed.m);
		emul_offline(bed.regs, 1, true);
		emul_offline(bed.regs, 1, false);
		assert_int_equal(mail_refresh(bed.m), 0);
		assert_true(mailbed_settle(&bed));
		assert_int_equal(bed.ngot, 2);
		assert_int_equal(bed.nends, 2);
		for (uint32_t i = 0; i < 2; i++)
			assert_int_equal(bed.end[i].error, 0);
		bed.ngot = bed.nends = 0;
	}
}

static void test_a_core_of_another_node_goes_with_its_locks(void **state)
{
	(void)state;
	for (uint32_t polls = 1; polls < 12; polls++) {
		assert_int_equal(send(4, 1, 1), 0);
		for (uint32_t i = 0; i < polls; i++)
			mail_poll(bed.m);
		emul_offline(bed.regs, 4, true);
		assert_int_equal(mail_refresh(bed.m), 1);
		for (uint32_t i = 0; i < 48; i++)
			assert_int_equal(bed.m->locks[i].holder, 0);
		assert_int_equal(bed.nends, 1);
		bed.ngot = bed.nends = 0;
		/* The same mailbox. */
		expect_one(0, 1, 2);
		emul_offline(bed.regs, 4, false);
		assert_int_equal(mail_refresh(bed.m), 1);
	}
}

static void test_opening_on_a_core_that_is_gone(void **state)
{
	struct mail_params p;

	(void)state;
	mailbed_params(&bed, 4, 4, &p);
	p.hal.flags = HAL_FAULT_OFFLINE;
	emul_offline(bed.regs, 3, true);
	assert_int_equal(mail_open(&bed.m, &p), -ENODEV);
	assert_null(bed.m);
	p.ncores = 3;
	assert_int_equal(mail_open(&bed.m, &p), 0);
	expect_one(0, 2, 1);
	assert_int_equal(send(0, 3, 1), -ENODEV);
	emul_offline(bed.regs, 3, false);
	assert_int_equal(mail_refresh(bed.m), 1);
	/* It is there, and nobody's. */
	assert_false(mail_core(bed.m, 3));
	assert_int_equal(send(0, 3, 1), 0);
	mailbed_close(&bed);
}

#define T(f)   cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T16(f) cmocka_unit_test_setup_teardown(f, setup_16, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_within_a_node_each_sender_has_its_own),
		T16(test_beyond_a_node_senders_share),
		T16(test_all_pairs_of_four_nodes),
		cmocka_unit_test(test_two_processes_take_turns),
		cmocka_unit_test(test_a_dead_holder_is_cleaned_up_after),
		cmocka_unit_test(test_a_repeat_that_has_not_begun_is_one),
		cmocka_unit_test(test_silence_is_waited_for_longer),
		cmocka_unit_test(test_closing_gives_locks_back),
		T(test_a_core_that_is_gone_is_refused),
		T(test_a_core_goes_in_the_middle_of_messages),
		T(test_a_core_that_was_gone_unseen),
		T16(test_a_core_of_another_node_goes_with_its_locks),
		cmocka_unit_test(test_opening_on_a_core_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
