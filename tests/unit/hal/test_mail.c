/* SPDX-License-Identifier: MIT */
/*
 * test_mail.c - messages through mailboxes where nothing goes wrong
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "hal/mail_word.h"
#include "tests/lib/mailbed.h"

static struct mailbed bed;

static int setup(void **state)
{
	(void)state;
	mailbed_open(&bed, 4);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mailbed_close(&bed);
	return 0;
}

static int send(uint32_t from, uint32_t to, uint64_t number, uint32_t length)
{
	struct mail_message msg;

	mailbed_message(&msg, from, to, number, length);
	return mail_send(bed.m, from, to, &msg);
}

/* ---- words -------------------------------------------------------------- */

/* Addresses of the kernel begin with 8, 9, 0xa, 0xc or 0xf, small ones with 0. */
static void test_no_word_looks_like_an_address(void **state)
{
	struct mail_message msg;
	uint64_t w[MAIL_WORDS];

	(void)state;
	for (uint32_t length = 0; length <= MAIL_BYTES; length++) {
		uint32_t n;

		mailbed_message(&msg, 65535, 1, UINT64_C(0xffffffffffffff),
				length);
		n = mail_pack(w, &msg, MAIL_CORES - 1, UINT32_MAX);
		assert_int_equal(n, mail_count(length));
		assert_true(n >= MAIL_WORDS_MIN && n <= MAIL_WORDS);
		for (uint32_t i = 0; i < n; i++) {
			assert_int_equal(w[i] >> 60, 1 + i % 7);
			assert_int_equal(w[i] & 0xf, i == 0 ? 0x1 : 0xa);
		}
		assert_int_equal(mail_answer(w, 5, false) >> 60, 7);
		assert_int_equal(mail_answer(w, 5, true) & 0xf, 0x6);
	}
}

static void test_a_message_is_what_was_packed(void **state)
{
	struct mail_message msg, back;
	uint64_t w[MAIL_WORDS], check;
	struct mail_head head;

	(void)state;
	for (uint32_t length = 0; length <= MAIL_BYTES; length++) {
		mailbed_message(&msg, 65535 - length, length * 1000,
				UINT64_C(0xfffffffffffff0) + length % 16,
				length);
		mail_pack(w, &msg, 1000, 0x1234);
		assert_true(mail_is_head(w[0], &head));
		assert_int_equal(head.length, length);
		assert_int_equal(head.core, 1000);
		assert_int_equal(head.sequence, 0x34);
		assert_int_equal(mail_unpack(&back, &check, w), 0);
		assert_memory_equal(&back, &msg, sizeof(msg));
	}
}

/* Every bit of every word is in the check, also the check's own. */
static void test_no_bit_may_be_wrong(void **state)
{
	struct mail_message msg, back;
	uint64_t w[MAIL_WORDS], check;

	(void)state;
	mailbed_message(&msg, 3, 4, 5, MAIL_BYTES);
	mail_pack(w, &msg, 1, 77);
	for (uint32_t i = 0; i < MAIL_WORDS; i++) {
		for (uint32_t bit = 4; bit < 60; bit++) {
			struct mail_head head;

			w[i] ^= UINT64_C(1) << bit;
			/* A header that is too long never gets so far. */
			if (i > 0 || mail_is_head(w[0], &head))
				assert_int_equal(mail_unpack(&back, &check, w),
						 -EBADMSG);
			w[i] ^= UINT64_C(1) << bit;
		}
	}
	assert_int_equal(mail_unpack(&back, &check, w), 0);
}

/* A double is known by its check: it must differ for another sequence. */
static void test_a_sequence_changes_the_check(void **state)
{
	struct mail_message msg, back;
	uint64_t w[MAIL_WORDS], check[4];
	static const uint32_t sequence[4] = { 0, 1, 0x100, 0x101 };

	(void)state;
	mailbed_message(&msg, 3, 4, 5, 8);
	for (uint32_t i = 0; i < 4; i++) {
		mail_pack(w, &msg, 1, sequence[i]);
		assert_int_equal(mail_unpack(&back, &check[i], w), 0);
		for (uint32_t k = 0; k < i; k++)
			assert_true(check[i] != check[k]);
	}
}

static void test_an_answer_is_for_one_message(void **state)
{
	struct mail_message msg;
	uint64_t w[MAIL_WORDS], other[MAIL_WORDS];
	struct mail_credit c;

	(void)state;
	mailbed_message(&msg, 3, 4, 5, 8);
	mail_pack(w, &msg, 1, 77);
	msg.data[0] ^= 1;
	mail_pack(other, &msg, 1, 77);

	assert_true(mail_is_credit(mail_answer(w, 9, false), &c));
	assert_int_equal(c.core, 9);
	assert_int_equal(c.sequence, 77);
	assert_false(c.again);
	assert_true(mail_answers(&c, w));
	assert_false(mail_answers(&c, other));
	/* An answer that says "again" only knows the header. */
	assert_true(mail_is_credit(mail_answer(w, 9, true), &c));
	assert_true(c.again);
	assert_true(mail_answers(&c, w));
	mail_pack(other, &msg, 1, 78);
	assert_false(mail_answers(&c, other));
	for (uint32_t bit = 0; bit < 37; bit++) {
		c.digest ^= UINT64_C(1) << bit;
		assert_false(mail_answers(&c, w));
		c.digest ^= UINT64_C(1) << bit;
	}
}

static void test_words_are_decoded_for_people(void **state)
{
	struct mail_message msg;
	uint64_t w[MAIL_WORDS];
	struct mail_word d;

	(void)state;
	mailbed_message(&msg, 40000, 50000, 5, 21);
	mail_pack(w, &msg, 3, 0x1ff);
	mail_decode(w[0], &d);
	assert_string_equal(d.type, "DATA");
	assert_int_equal(d.from, 40000);
	assert_int_equal(d.to, 50000);
	assert_int_equal(d.length, 21);
	assert_int_equal(d.core, 3);
	assert_int_equal(d.sequence, 0xff);
	assert_int_equal(d.mark, 1);
	mail_decode(w[3], &d);
	assert_string_equal(d.type, "PIECE");
	assert_int_equal(d.mark, 4);
	mail_decode(mail_answer(w, 9, true), &d);
	assert_string_equal(d.type, "CREDIT");
	assert_int_equal(d.core, 9);
	assert_int_equal(d.sequence, 0xff);
	assert_true(d.again);
	mail_decode(0, &d);
	assert_string_equal(d.type, "empty");
	/* A stack pointer; a header of 57 bytes; a piece without a mark. */
	mail_decode(UINT64_C(0x98000000022afeb0), &d);
	assert_string_equal(d.type, "garbage");
	mail_decode(UINT64_C(1) << 60 | UINT64_C(57) << 54 | 1, &d);
	assert_string_equal(d.type, "garbage");
	mail_decode(0x000000000000001a, &d);
	assert_string_equal(d.type, "garbage");
}

/* ---- messages ----------------------------------------------------------- */

static void test_every_length_arrives(void **state)
{
	(void)state;
	for (uint32_t length = 0; length <= MAIL_BYTES; length++) {
		bed.ngot = bed.nends = 0;
		assert_int_equal(send(0, 1, length, length), 0);
		assert_true(mailbed_settle(&bed));
		assert_int_equal(bed.ngot, 1);
		assert_int_equal(bed.got[0].core, 1);
		assert_true(mailbed_is(&bed.got[0].msg, 0, 1, length, length));
		assert_int_equal(bed.nends, 1);
		assert_int_equal(bed.end[0].from, 0);
		assert_int_equal(bed.end[0].to, 1);
		assert_int_equal(bed.end[0].error, 0);
	}
}

static void test_words_are_in_the_lanes_mailbox_alone(void **state)
{
	uint64_t w[MAIL_WORDS];
	struct mail_message msg;

	(void)state;
	/* s to r: 1 + ((s - r - 1) & 3). */
	assert_int_equal(mail_box(bed.m, 2, 1, NULL), 1);
	assert_int_equal(mail_box(bed.m, 3, 1, NULL), 2);
	assert_int_equal(mail_box(bed.m, 0, 1, NULL), 3);
	assert_int_equal(mail_box(bed.m, 0, 3, NULL), 1);
	assert_int_equal(send(3, 1, 9, 3), 0);
	assert_int_equal(mail_poll(bed.m), 1);
	mailbed_message(&msg, 3, 1, 9, 3);
	mail_pack(w, &msg, 3, (uint32_t)(mailbed_word(&bed, 1, 2) >> 46));
	assert_true(mailbed_word(&bed, 1, 2) == w[0]);
	for (uint32_t core = 0; core < 4; core++)
		for (uint32_t box = 0; box < HAL_MAILBOXES; box++)
			if (core != 1 || box != 2)
				assert_true(mailbed_word(&bed, core, box) == 0);
	assert_true(mailbed_settle(&bed));
	for (uint32_t box = 0; box < HAL_MAILBOXES; box++)
		assert_true(mailbed_word(&bed, 1, box) == 0);
}

/* All twelve lanes of a node at once, in both directions, many times. */
static void test_all_pairs_at_once_in_order(void **state)
{
	uint64_t sent[4][4] = { 0 }, got[4][4] = { 0 };
	const uint64_t each = 300;
	uint64_t all = 0;

	(void)state;
	while (all < 12 * each) {
		for (uint32_t s = 0; s < 4; s++)
			for (uint32_t r = 0; r < 4; r++)
				if (s != r && sent[s][r] < each &&
				    send(s, r, sent[s][r],
					 (uint32_t)(sent[s][r] % 57)) == 0)
					sent[s][r]++;
		bed.ngot = 0;
		mail_poll(bed.m);
		for (uint32_t i = 0; i < bed.ngot; i++) {
			const struct mail_message *m = &bed.got[i].msg;
			uint64_t *n = &got[m->from & 3][m->to & 3];

			assert_int_equal(bed.got[i].core, m->to);
			assert_true(mailbed_is(m, m->from, m->to, *n,
					       (uint32_t)(*n % 57)));
			++*n;
			all++;
		}
	}
	assert_true(mailbed_settle(&bed));
	for (uint32_t i = 0; i < bed.nends && i < MAILBED_TOLD; i++)
		assert_int_equal(bed.end[i].error, 0);
	assert_int_equal(bed.nends, 12 * each);

	struct mail_counts c;

	mail_counts(bed.m, &c);
	assert_int_equal(c.sent, 12 * each);
	assert_int_equal(c.received, 12 * each);
	assert_int_equal(c.garbage, 0);
	assert_int_equal(c.doubles, c.repeats);
}

static void test_one_message_of_a_lane_at_a_time(void **state)
{
	(void)state;
	assert_false(mail_busy(bed.m));
	assert_int_equal(mail_poll(bed.m), 0);
	assert_int_equal(send(0, 1, 1, 56), 0);
	assert_true(mail_busy(bed.m));
	assert_int_equal(send(0, 1, 2, 56), -EAGAIN);
	assert_int_equal(send(1, 0, 2, 56), 0);
	assert_int_equal(send(0, 2, 2, 56), 0);
	assert_true(mailbed_settle(&bed));
	assert_int_equal(bed.ngot, 3);
	assert_int_equal(send(0, 1, 2, 56), 0);
	assert_true(mailbed_settle(&bed));
	assert_int_equal(bed.ngot, 4);
}

static void test_numbers_out_of_range_are_refused(void **state)
{
	struct mail_message msg;
	static const struct {
		uint32_t from, to;
	} bad[] = { { 0, 0 },
		    { 0, 4 },
		    { 4, 0 },
		    { 0, UINT32_MAX },
		    { UINT32_MAX, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(send(bad[i].from, bad[i].to, 1, 1), -EINVAL);
		assert_int_equal(mail_box(bed.m, bad[i].from, bad[i].to, NULL),
				 -EINVAL);
	}
	mailbed_message(&msg, 65536, 1, 1, 1);
	assert_int_equal(mail_send(bed.m, 0, 1, &msg), -EINVAL);
	mailbed_message(&msg, 0, 65536, 1, 1);
	assert_int_equal(mail_send(bed.m, 0, 1, &msg), -EINVAL);
	mailbed_message(&msg, 0, 1, UINT64_C(1) << 56, 1);
	assert_int_equal(mail_send(bed.m, 0, 1, &msg), -EINVAL);
	mailbed_message(&msg, 0, 1, 1, 1);
	msg.length = MAIL_BYTES + 1;
	assert_int_equal(mail_send(bed.m, 0, 1, &msg), -EINVAL);
	assert_false(mail_busy(bed.m));
	mailbed_message(&msg, 65535, 65535, (UINT64_C(1) << 56) - 1, 56);
	assert_int_equal(mail_send(bed.m, 0, 1, &msg), 0);
	assert_true(mailbed_settle(&bed));
	assert_true(mailbed_is(&bed.got[0].msg, 65535, 65535,
			       (UINT64_C(1) << 56) - 1, 56));
}

static void test_what_is_served_is_told(void **state)
{
	struct mailbed two;
	struct mail_params p;
	struct mail_message msg;

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		assert_true(mail_core(bed.m, i));
	assert_false(mail_core(bed.m, 4));
	assert_int_equal(hal_ncores(mail_hal(bed.m)), 4);

	mailbed_params(&two, 4, 2, &p);
	assert_int_equal(mail_open(&two.m, &p), 0);
	assert_true(mail_core(two.m, 1));
	assert_false(mail_core(two.m, 2));
	mailbed_message(&msg, 2, 0, 1, 1);
	assert_int_equal(mail_send(two.m, 2, 0, &msg), -EINVAL);
	/* To a core of somebody else: it is under way until that one reads. */
	assert_int_equal(mail_send(two.m, 0, 2, &msg), 0);
	for (int i = 0; i < 1000; i++)
		mail_poll(two.m);
	assert_true(mail_busy(two.m));
	assert_int_equal(two.nends, 0);
	mailbed_close(&two);
}

/* Its handles cannot even say how many cores there are. */
static int bell_open(struct hal **out, const struct hal_params *p)
{
	int ret = hal_emul.open(out, p);

	if (ret == 0)
		(*out)->caps &= ~HAL_CAP_MAIL;
	return ret;
}

static void test_opening_refuses_what_cannot_be(void **state)
{
	static const uint32_t twice[] = { 0, 1, 0 }, outside[] = { 0, 4 };
	struct hal_ops bells = hal_emul;
	struct mail_params p;
	struct mailbed b;

	(void)state;
	mailbed_params(&b, 4, 0, &p);
	assert_int_equal(mail_open(&b.m, &p), -EINVAL);
	assert_null(b.m);
	p.core = twice;
	p.ncores = 3;
	assert_int_equal(mail_open(&b.m, &p), -EINVAL);
	assert_null(b.m);
	p.core = outside;
	p.ncores = 2;
	assert_int_equal(mail_open(&b.m, &p), -EINVAL);
	p.ncores = 1;
	bells.open = bell_open;
	p.ops = &bells;
	assert_int_equal(mail_open(&b.m, &p), -EOPNOTSUPP);
	assert_null(b.m);
	p.ops = &hal_emul;
	assert_int_equal(mail_open(&b.m, &p), 0);
	mailbed_close(&b);
}

static void test_mailboxes_are_empty_after_opening_and_closing(void **state)
{
	struct mail_params p;
	struct mailbed b;

	(void)state;
	mailbed_params(&b, 4, 4, &p);
	for (uint32_t box = 0; box < HAL_MAILBOXES; box++)
		mailbed_put(&b, 2, box, UINT64_C(0x98000000022afeb0) + box);
	assert_int_equal(mail_open(&b.m, &p), 0);
	for (uint32_t box = 1; box < HAL_MAILBOXES; box++)
		assert_true(mailbed_word(&b, 2, box) == 0);
	/* MailBox0 is the kernel's. */
	assert_true(mailbed_word(&b, 2, 0) == UINT64_C(0x98000000022afeb0));
	mailbed_put(&b, 2, 1, 5);
	mail_close(b.m);
	assert_true(mailbed_word(&b, 2, 1) == 0);
	b.m = NULL;
	mailbed_close(&b);
	mail_close(NULL);
}

/* ---- callbacks ---------------------------------------------------------- */

static uint32_t rallies;

/* Each answer begins the next message, in the callback. */
static void answer_deliver(void *arg, uint32_t core,
			   const struct mail_message *m)
{
	struct mail_message back;
	struct mailbed *b = arg;

	assert_true(mailbed_is(m, m->from, core, m->number, 8));
	mailbed_message(&back, core, m->from, m->number + 1, 8);
	if (m->number < 500)
		assert_int_equal(mail_send(b->m, core, m->from, &back), 0);
	rallies++;
}

static void again_done(void *arg, uint32_t from, uint32_t to, int error)
{
	struct mail_message msg;
	struct mailbed *b = arg;

	assert_int_equal(error, 0);
	if (from == 0 && b->nends++ < 100) {
		/* The lane is free again at once. */
		mailbed_message(&msg, 0, to, 1000, 8);
		assert_int_equal(mail_send(b->m, 0, to, &msg), 0);
	}
}

static void quiet_deliver(void *arg, uint32_t core,
			  const struct mail_message *m)
{
	struct mailbed *b = arg;

	(void)core;
	(void)m;
	b->ngot++;
}

static void nothing_done(void *arg, uint32_t from, uint32_t to, int error)
{
	(void)arg;
	(void)from;
	(void)to;
	assert_int_equal(error, 0);
}

static void test_callbacks_may_send(void **state)
{
	const struct mail_ops answering = { answer_deliver, nothing_done };
	const struct mail_ops repeating = { quiet_deliver, again_done };
	struct mail_message msg;
	struct mail_params p;
	struct mailbed b;

	(void)state;
	mailbed_params(&b, 4, 4, &p);
	p.told = &answering;
	assert_int_equal(mail_open(&b.m, &p), 0);
	mailbed_message(&msg, 2, 3, 0, 8);
	assert_int_equal(mail_send(b.m, 2, 3, &msg), 0);
	assert_true(mailbed_settle(&b));
	assert_int_equal(rallies, 501);
	mailbed_close(&b);

	mailbed_params(&b, 4, 4, &p);
	p.told = &repeating;
	assert_int_equal(mail_open(&b.m, &p), 0);
	for (uint32_t to = 1; to < 4; to++) {
		mailbed_message(&msg, 0, to, 0, 8);
		assert_int_equal(mail_send(b.m, 0, to, &msg), 0);
	}
	assert_true(mailbed_settle(&b));
	assert_int_equal(b.ngot, 103);
	mailbed_close(&b);
}

/* ---- measuring ---------------------------------------------------------- */

static void test_measuring_tells_nobody(void **state)
{
	struct mail_counts before, after;
	struct mail_params p;
	struct mailbed one;

	(void)state;
	assert_int_equal(send(0, 1, 1, 1), 0);
	assert_int_equal(mail_measure(bed.m, 8, 10), -EBUSY);
	assert_true(mailbed_settle(&bed));
	mail_counts(bed.m, &before);
	assert_int_equal(bed.ngot, 1);
	for (uint32_t bytes = 0; bytes <= MAIL_BYTES; bytes += 8)
		assert_true(mail_measure(bed.m, bytes, 100) > 0);
	assert_int_equal(mail_measure(bed.m, MAIL_BYTES + 1, 1), -EINVAL);
	assert_int_equal(mail_measure(bed.m, 8, 0), -EINVAL);
	mail_counts(bed.m, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(bed.ngot, 1);
	assert_int_equal(bed.nends, 1);
	assert_false(mail_busy(bed.m));
	assert_int_equal(send(0, 1, 2, 8), 0);
	assert_true(mailbed_settle(&bed));
	assert_int_equal(bed.ngot, 2);

	mailbed_params(&one, 4, 1, &p);
	assert_int_equal(mail_open(&one.m, &p), 0);
	assert_int_equal(mail_measure(one.m, 8, 1), -ENODEV);
	mailbed_close(&one);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_word_looks_like_an_address),
		cmocka_unit_test(test_a_message_is_what_was_packed),
		cmocka_unit_test(test_no_bit_may_be_wrong),
		cmocka_unit_test(test_a_sequence_changes_the_check),
		cmocka_unit_test(test_an_answer_is_for_one_message),
		cmocka_unit_test(test_words_are_decoded_for_people),
		T(test_every_length_arrives),
		T(test_words_are_in_the_lanes_mailbox_alone),
		T(test_all_pairs_at_once_in_order),
		T(test_one_message_of_a_lane_at_a_time),
		T(test_numbers_out_of_range_are_refused),
		T(test_what_is_served_is_told),
		cmocka_unit_test(test_opening_refuses_what_cannot_be),
		cmocka_unit_test(
			test_mailboxes_are_empty_after_opening_and_closing),
		cmocka_unit_test(test_callbacks_may_send),
		T(test_measuring_tells_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
