/* SPDX-License-Identifier: MIT */
/*
 * test_mail_garbage.c - mailboxes that hold what no sender of ours wrote
 *
 * The property: a message that was accepted is delivered exactly once, or
 * reported by done() with an error; as it was sent; in order for each lane.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "hal/mail_impl.h"
#include "tests/lib/mailbed.h"

#define LENGTH 56u /* twelve words */
#define S      2u
#define R      1u

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

static uint64_t seed;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static int send(uint32_t from, uint32_t to, uint64_t number, uint32_t length)
{
	struct mail_message msg;

	mailbed_message(&msg, from, to, number, length);
	return mail_send(bed.m, from, to, &msg);
}

/* What the kernel leaves behind, and words that only nearly are ours. */
static const uint64_t junk[] = {
	UINT64_C(0x98000000022afeb0),
	UINT64_C(0x9800000002280000),
	UINT64_C(0xffffffff80123450),
	UINT64_C(0x900000000fe0be01),
	UINT64_C(0xa80000007fff000a),
	UINT64_C(0xc000000000ee0006),
	UINT64_C(0x00007fffdeadbee1),
	UINT64_MAX,
	1,
	/* the type of a word without a mark, the mark without the type */
	0xa,
	0x6,
	UINT64_C(0x1000000000000000),
	UINT64_C(0x7000000000000000),
	/* a header of 57 bytes, of core 3 in core 2's mailbox, of no core */
	UINT64_C(1) << 60 | UINT64_C(57) << 54 | 1,
	UINT64_C(1) << 60 | UINT64_C(8) << 54 | UINT64_C(3) << 36 | 1,
	UINT64_C(1) << 60 | UINT64_C(8) << 54 | UINT64_C(9) << 36 | 1,
};

#define JUNKS (sizeof(junk) / sizeof(junk[0]))

/* Garbage number @i for the mailbox of @S at @R; beyond `junk` good forgeries
 * from the message that is under way; @core is whose answer is forged. */
static uint64_t forged(size_t i, uint32_t core)
{
	const struct lane *l = &bed.m->served[S].lane[R];

	if (i < JUNKS)
		return junk[i];
	i -= JUNKS;
	if (i < MAIL_WORDS)
		return l->word[i]; /* a word again */
	i -= MAIL_WORDS;
	if (i < 7)
		return (i + 1) << 60 | (rnd() & 0xffffffffff0) | 0xa;
	i -= 7;
	switch (i) {
	case 0: /* another header */
		return l->word[0] ^ UINT64_C(1) << 46;
	case 1: /* a shorter one */
		return (l->word[0] & ~(UINT64_C(63) << 54)) | UINT64_C(8) << 54;
	case 2: /* for another */
		return l->word[0] ^ UINT64_C(1) << 4;
	case 3: /* "I have it" */
		return UINT64_C(7) << 60 | (l->word[0] >> 46 & 0xff) << 52 |
		       (uint64_t)core << 42 | 0x123450 | 0x6;
	case 4: /* "again" */
		return UINT64_C(7) << 60 | (l->word[0] >> 46 & 0xff) << 52 |
		       (uint64_t)core << 42 | UINT64_C(1) << 41 | 0x6;
	default: /* anything */
		return rnd() | 1;
	}
}

#define FORGERIES (JUNKS + MAIL_WORDS + 7 + 5 + 20)

static void expect_one(uint64_t number)
{
	assert_true(mailbed_settle(&bed));
	assert_int_equal(bed.ngot, 1);
	assert_true(mailbed_is(&bed.got[0].msg, S, R, number, LENGTH));
	assert_int_equal(bed.nends, 1);
	assert_int_equal(bed.end[0].error, 0);
	bed.ngot = bed.nends = 0;
}

/* Until word @k of S's message lies in R's mailbox. */
static void until_word(uint32_t k)
{
	const struct lane *l = &bed.m->served[S].lane[R];

	while (l->at <= k)
		mail_poll(bed.m);
	assert_true(mailbed_word(&bed, R, 1) == l->word[k]);
}

static void test_garbage_over_an_unread_word(void **state)
{
	uint64_t number = 0;

	(void)state;
	for (uint32_t k = 0; k < MAIL_WORDS; k++) {
		for (size_t i = 0; i < FORGERIES; i++) {
			assert_int_equal(send(S, R, number, LENGTH), 0);
			until_word(k);
			mailbed_put(&bed, R, 1, forged(i, S));
			expect_one(number++);
		}
	}
}

static void test_garbage_in_an_empty_mailbox(void **state)
{
	uint64_t number = 0;

	(void)state;
	for (uint32_t k = 0; k < MAIL_WORDS; k++) {
		for (size_t i = 0; i < FORGERIES; i++) {
			uint64_t word;

			assert_int_equal(send(S, R, number, LENGTH), 0);
			until_word(k);
			/* R reads the word; garbage comes before the next. */
			assert_int_equal(
				hal_mail_recv(bed.m->served[R].hal, 1, &word),
				0);
			mailbed_put(&bed, R, 1, forged(i, S));
			assert_true(mailbed_word(&bed, R, 1) != 0);
			expect_one(number++);
		}
	}
}

static void test_a_word_that_vanishes(void **state)
{
	struct mail_counts c;

	(void)state;
	for (uint32_t k = 0; k < MAIL_WORDS; k++) {
		assert_int_equal(send(S, R, k, LENGTH), 0);
		until_word(k);
		mailbed_put(&bed, R, 1, 0);
		expect_one(k);
	}
	mail_counts(bed.m, &c);
	assert_true(c.repeats >= MAIL_WORDS);
	assert_int_equal(c.received, MAIL_WORDS);
}

/* A gap or garbage within a message is answered at once, not waited for. */
static void test_a_spoilt_message_is_asked_for_again(void **state)
{
	struct mail_counts c;
	uint64_t n = 0;

	(void)state;
	bed.m->repeat_ns = UINT64_MAX;
	for (uint32_t k = 1; k < MAIL_WORDS - 1; k++) {
		assert_int_equal(send(S, R, n, LENGTH), 0);
		until_word(k);
		mailbed_put(&bed, R, 1, 0);
		expect_one(n++);
	}
	for (uint32_t k = 1; k < MAIL_WORDS; k++) {
		assert_int_equal(send(S, R, n, LENGTH), 0);
		until_word(k);
		mailbed_put(&bed, R, 1, junk[0]);
		expect_one(n++);
	}
	mail_counts(bed.m, &c);
	assert_int_equal(c.garbage, n);
	assert_int_equal(c.repeats, n);
}

/* Until R's answer lies in S's mailbox. */
static void until_answer(void)
{
	uint32_t box = (uint32_t)mail_box(bed.m, R, S, NULL);

	while (mailbed_word(&bed, S, box) == 0)
		mail_poll(bed.m);
	assert_int_equal(mailbed_word(&bed, S, box) & 0xf, 0x6);
}

static void test_a_lost_answer_is_said_again(void **state)
{
	uint32_t box = (uint32_t)mail_box(bed.m, R, S, NULL);
	struct mail_counts c;

	(void)state;
	for (size_t i = 0; i < FORGERIES + 1; i++) {
		assert_int_equal(send(S, R, i, LENGTH), 0);
		until_answer();
		mailbed_put(&bed, S, box, i == FORGERIES ? 0 : forged(i, R));
		expect_one(i);
	}
	/* What looked like an answer was none. */
	mail_counts(bed.m, &c);
	assert_int_equal(c.doubles, FORGERIES + 1);
	assert_int_equal(c.sent, FORGERIES + 1);
	assert_int_equal(c.received, FORGERIES + 1);
	assert_int_equal(c.given_up, 0);
}

static void test_two_messages_the_same_are_two(void **state)
{
	struct mail_counts c;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(send(S, R, 7, 8), 0);
		assert_true(mailbed_settle(&bed));
	}
	assert_int_equal(bed.ngot, 1000);
	mail_counts(bed.m, &c);
	assert_int_equal(c.doubles, c.repeats);
}

/* A process that was started anew may hit on the sequence of the last one. */
static void test_a_new_sender_with_an_old_sequence_is_heard(void **state)
{
	struct lane *l = &bed.m->served[S].lane[R];
	uint32_t was = l->sequence;

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		l->sequence = was;
		assert_int_equal(send(S, R, i, LENGTH), 0);
		expect_one(i);
	}
}

/* Whoever destroys each word holds a message up, not the process. */
static void test_it_is_given_up_in_the_end(void **state)
{
	struct mail_counts c;

	(void)state;
	assert_int_equal(send(S, R, 1, LENGTH), 0);
	assert_int_equal(send(R, S, 2, LENGTH), 0);
	while (bed.nends < 2) {
		mail_poll(bed.m);
		/* Only R's mailbox: S's message, and the answers to R's. */
		mailbed_put(&bed, R, 1, junk[0]);
	}
	mailbed_put(&bed, R, 1, 0);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(bed.end[i].error, -EIO);
	/* R's has arrived all the same. */
	assert_int_equal(bed.ngot, 1);
	assert_true(mailbed_is(&bed.got[0].msg, R, S, 2, LENGTH));
	mail_counts(bed.m, &c);
	assert_int_equal(c.given_up, 2);
	assert_int_equal(c.repeats, 2 * MAIL_REPEATS);

	bed.ngot = bed.nends = 0;
	assert_true(mailbed_settle(&bed));
	assert_int_equal(bed.nends, 0);
	assert_int_equal(send(S, R, 3, LENGTH), 0);
	expect_one(3);
}

/* Half a message of a sender that died does not keep anybody awake. */
static void test_half_a_message_is_not_busy_for_ever(void **state)
{
	struct lane *l = &bed.m->served[S].lane[R];
	uint64_t word[MAIL_WORDS];

	(void)state;
	assert_int_equal(send(S, R, 1, LENGTH), 0);
	memcpy(word, l->word, sizeof(word));
	expect_one(1);
	for (uint32_t k = 0; k < 3; k++) {
		mailbed_put(&bed, R, 1, word[k] ^ (k == 2 ? 0x10 : 0));
		mail_poll(bed.m);
		assert_true(mail_busy(bed.m));
	}
	assert_true(mailbed_settle(&bed));
	/* It was only slow: the rest makes it whole, but this one is wrong. */
	for (uint32_t k = 3; k < MAIL_WORDS; k++) {
		mailbed_put(&bed, R, 1, word[k]);
		mail_poll(bed.m);
	}
	assert_true(mailbed_settle(&bed));
	assert_int_equal(bed.ngot, 0);
	/* And this one right: the double that it is. */
	for (uint32_t k = 0; k < MAIL_WORDS; k++) {
		mailbed_put(&bed, R, 1, word[k]);
		mail_poll(bed.m);
		if (k == 5)
			assert_true(mailbed_settle(&bed));
	}
	assert_true(mailbed_settle(&bed));
	assert_int_equal(bed.ngot, 0);

	struct mail_counts c;

	mail_counts(bed.m, &c);
	assert_int_equal(c.doubles, 1);
}

/* ---- everything at once -------------------------------------------------- */

#define CORES 8u
#define EACH  60u

/* What is known of a lane: the next number of each kind. */
struct track {
	uint64_t sent; /* accepted */
	uint64_t got;  /* one more than the last delivered */
	uint64_t ended;
	bool arrived[EACH];
};

static struct track track[CORES][CORES];

static void look_at_what_came(void)
{
	assert_true(bed.ngot < MAILBED_TOLD && bed.nends < MAILBED_TOLD);
	for (uint32_t i = 0; i < bed.ngot; i++) {
		const struct mail_message *m = &bed.got[i].msg;
		struct track *t;

		assert_true(m->from < CORES && m->to < CORES);
		t = &track[m->from][m->to];
		assert_int_equal(bed.got[i].core, m->to);
		assert_true(mailbed_is(m, m->from, m->to, m->number,
				       (uint32_t)(m->number % 57)));
		/* Once, and in order; what was given up may be missing. */
		assert_true(m->number >= t->got && m->number < t->sent);
		t->got = m->number + 1;
		t->arrived[m->number] = true;
	}
	for (uint32_t i = 0; i < bed.nends; i++) {
		struct track *t = &track[bed.end[i].from][bed.end[i].to];

		if (bed.end[i].error == 0)
			assert_true(t->arrived[t->ended]);
		else
			assert_int_equal(bed.end[i].error, -EIO);
		t->ended++;
		assert_true(t->ended <= t->sent);
	}
	bed.ngot = bed.nends = 0;
}

static bool send_more(uint32_t cores)
{
	bool more = false;

	for (uint32_t s = 0; s < cores; s++) {
		for (uint32_t r = 0; r < cores; r++) {
			struct track *t = &track[s][r];

			if (s == r || t->sent == EACH)
				continue;
			more = true;
			if (send(s, r, t->sent, (uint32_t)(t->sent % 57)) == 0)
				t->sent++;
		}
	}
	return more;
}

/* One word in @rare somewhere: lost, garbage, or one of another mailbox. */
static void disturb(uint32_t cores, uint32_t rare)
{
	uint32_t core = (uint32_t)(rnd() % cores),
		 box = 1 + (uint32_t)(rnd() % 3);
	uint64_t word;

	if (rnd() % rare)
		return;
	switch (rnd() % 4) {
	case 0:
		word = 0;
		break;
	case 1:
		word = junk[rnd() % JUNKS];
		break;
	case 2:
		word = mailbed_word(&bed, (uint32_t)(rnd() % cores),
				    1 + (uint32_t)(rnd() % 3));
		break;
	default:
		word = rnd();
	}
	mailbed_put(&bed, core, box, word);
}

static void storm(uint32_t cores, uint32_t rare)
{
	struct mail_counts c;
	uint64_t all = 0;

	memset(track, 0, sizeof(track));
	mailbed_close(&bed);
	mailbed_open(&bed, cores);
	while (send_more(cores)) {
		mail_poll(bed.m);
		look_at_what_came();
		disturb(cores, rare);
	}
	assert_true(mailbed_settle(&bed));
	look_at_what_came();
	for (uint32_t s = 0; s < cores; s++)
		for (uint32_t r = 0; r < cores; r++)
			if (s != r) {
				assert_int_equal(track[s][r].ended, EACH);
				all += EACH;
			}
	mail_counts(bed.m, &c);
	assert_int_equal(c.sent + c.given_up, all);
	assert_true(c.received >= c.sent && c.received <= all);
	assert_true(c.garbage > 0 && c.repeats > 0);
}

static void test_a_storm_on_one_node(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 8; i++) {
		seed = i * UINT64_C(0x9e3779b97f4a7c15);
		storm(4, i % 2 ? 10 : 2);
	}
}

static void test_a_storm_on_two_nodes(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 4; i++) {
		seed = i * UINT64_C(0xd1342543de82ef95);
		storm(CORES, i % 2 ? 10 : 3);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_garbage_over_an_unread_word),
		T(test_garbage_in_an_empty_mailbox),
		T(test_a_word_that_vanishes),
		T(test_a_spoilt_message_is_asked_for_again),
		T(test_a_lost_answer_is_said_again),
		T(test_two_messages_the_same_are_two),
		T(test_a_new_sender_with_an_old_sequence_is_heard),
		T(test_it_is_given_up_in_the_end),
		T(test_half_a_message_is_not_busy_for_ever),
		T(test_a_storm_on_one_node),
		T(test_a_storm_on_two_nodes),
	};

	seed = UINT64_C(88172645463325252);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
