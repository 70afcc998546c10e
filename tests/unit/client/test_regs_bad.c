/* SPDX-License-Identifier: MIT */
/*
 * test_regs_bad.c - register rings that somebody spoilt, ranks that are gone
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/client/regs.h"

/* ---- REGISTERS that cannot be ---- */

static void expect_refused(struct world *w, const struct snoo_wire_registers *m,
			   size_t n)
{
	world_tell(w, 0, m, n);
	news_read(w->ctx[0]);
	assert_true(w->ctx[0]->session.lost);
	assert_int_equal(w->ctx[0]->session.lost_error, -EPROTO);
	w->ctx[0]->session.lost = false;
}

static void test_malformed_registers_end_the_session(void **state)
{
	struct world *w = *state;
	struct snoo_wire_registers m;

#define SPOILT(change) \
	do {						\
		m = carrier.said[0];			\
		m.flags = SNOO_WIRE_REGISTERS_ON;	\
		change;					\
		expect_refused(w, &m, sizeof(m));	\
	} while (0)

	SPOILT(m.bytes = SNOO_ABI_INLINE_MAX + 1);
	SPOILT(m.out.nlines = 0);
	SPOILT(m.out.nlines = LINES - 1);
	SPOILT(m.in.nlines = 0);
	SPOILT(m.out.nlines = LINES / 2);
	SPOILT(m.out.offset += SNOO_ABI_UNIT);
	SPOILT(m.in.offset += SNOO_ABI_UNIT);
	m = carrier.said[0];
	m.head.length = sizeof(m) - 8;
	expect_refused(w, &m, sizeof(m) - 8);
}

/* The first time: where they are is the daemon's to say, within the pool. */
static void test_rings_outside_the_pool(void **state)
{
	struct snoo_wire_registers m = carrier.said[0];
	struct world_params p = world_usual;
	static struct world other;

	(void)state;
	world_open(&other, &p);
	m.flags = SNOO_WIRE_REGISTERS_ON;
	m.out.offset = UINT64_MAX - 4095;
	expect_refused(&other, &m, sizeof(m));
	m.out.offset = 0;
	expect_refused(&other, &m, sizeof(m));
	assert_false(other.ctx[0]->registers.open);
	/* What was formed in the pool may be spoilt before we look. */
	m = carrier.said[0];
	m.flags = SNOO_WIRE_REGISTERS_ON;
	m.in.offset = other.region.arena_off + (UINT64_C(8) << 20);
	m.out.offset = m.in.offset + 65536;
	world_tell(&other, 0, &m, sizeof(m));
	news_read(other.ctx[0]);
	assert_false(other.ctx[0]->session.lost);
	assert_true(other.ctx[0]->registers.deaf);
	assert_false(other.ctx[0]->registers.on);
	world_close(&other);
}

static struct rlimit as_it_was;

static void no_more_memory(void)
{
	struct rlimit r;
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu", &pages), 1);
	fclose(f);
	/* A sanitizer's allocator needs address space of its own. */
	if (pages >> 28 != 0)
		skip();
	assert_int_equal(getrlimit(RLIMIT_AS, &as_it_was), 0);
	r = as_it_was;
	r.rlim_cur = pages * (unsigned long)getpagesize() + 65536;
	assert_int_equal(setrlimit(RLIMIT_AS, &r), 0);
}

/* It cannot keep what it would send, but what comes has to be read: who sent
 * it thinks that it arrived. */
static void test_rings_without_memory_for_copies(void **state)
{
	struct world_params p = world_usual;
	struct world *w = *state;

	teardown(state);
	p.pool_bytes = 64u << 20;
	world_open(w, &p);
	carrier_open(&carrier, w, SNOO_ABI_RING_MAX);
	news_read(w->ctx[0]);
	no_more_memory();
	news_read(w->ctx[1]);
	assert_int_equal(setrlimit(RLIMIT_AS, &as_it_was), 0);
	assert_null(regs_of(w, 1)->kept);
	assert_false(regs_of(w, 1)->on);
	assert_false(w->ctx[1]->session.lost);
	small(w, 1);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 1);
	assert_int_equal(carrier_move(&carrier), 1);
	expect(w, 1);
	assert_int_equal(snoo_send(w->ctx[1], &w, 4, 0, 1), 0);
	assert_int_equal(count(w, 1, SHM_COUNT_sent_mailbox), 0);
	/* A new daemon may say that they carry: nor then. */
	carrier_say(&carrier, 1, SNOO_WIRE_REGISTERS_ON);
	news_read(w->ctx[1]);
	assert_false(regs_of(w, 1)->on);
}

/* ---- words that cannot be ---- */

struct bad {
	const char *name;
	enum snoo_abi_type type;
	unsigned int flags, inlined;
	uint64_t w[2];			/* of the line */
	size_t more;			/* bytes behind m */
	struct snoo_abi_register m;	/* w[0] == 0: a run of this */
};

#define RUN	SNOO_ABI_DATA, SNOO_ABI_STREAM, 1
#define VERB	SNOO_ABI_CONTROL, 0, 0

static const struct bad bads[] = {
	{ "no type", SNOO_ABI_NONE, 0, 0, { 1 }, 0, { 0 } },
	{ "a line alone", SNOO_ABI_DATA, 0, 8, { 1 }, 0, { 0 } },
	{ "a block", SNOO_ABI_BLOCK, 0, 0, { 1 }, 0, { 0 } },
	{ "a piece", SNOO_ABI_PIECE, 0, 0, { 1 }, 0, { 0 } },
	{ "a run of another length", RUN, { 0 }, 8, { 0 } },
	{ "a run of no lines", SNOO_ABI_DATA, SNOO_ABI_STREAM, 0, { 72 }, 0, { 0 } },
	{ "a run without its piece", RUN, { 72 }, 0, { 0 } },
	{ "another flag", SNOO_ABI_DATA, SNOO_ABI_STREAM | SNOO_ABI_SYNC, 1,
	  { 72 }, 0, { 0 } },
	{ "a new ring", VERB, { SNOO_ABI_MOVED, 0 }, 0, { 0 } },
	{ "a number for a channel", VERB, { SNOO_ABI_NUMBER, 1 }, 0, { 0 } },
	{ "a flag on a verb", SNOO_ABI_CONTROL, SNOO_ABI_STREAM, 0,
	  { SNOO_ABI_GONE, 0 }, 0, { 0 } },
	{ "the end of nobody", VERB, { SNOO_ABI_GONE, 3 }, 0, { 0 } },
	{ "the end of ourselves", VERB, { SNOO_ABI_GONE, 1 }, 0, { 0 } },
	{ "from nobody", RUN, { 0 }, 0, { .peer = 3 } },
	{ "from ourselves", RUN, { 0 }, 0, { .peer = 1 } },
	{ "longer than a line", RUN, { 0 }, 0, { .length = 57 } },
	{ "an absurd number", RUN, { 0 }, 0, { .number = UINT64_C(1) << 56 } },
};

/* What is kept follows in its order, the channel goes on, `in` does not. */
static void check_bad(struct world *w, const struct bad *b)
{
	struct shm_tx *tx = &carrier.in[1];
	uint64_t word0 = line_word(b->type, b->flags, b->inlined, 0, 3);

	print_message("# %s\n", b->name);
	regs_of(w, 0)->on = false;
	small(w, 1);
	regs_of(w, 0)->on = true;
	small(w, 2);
	regs_of(w, 0)->on = false;
	small(w, 3);
	progress(w->ctx[1]);
	expect(w, 1);
	expect_none(w);
	if (b->w[0] == 0) {
		unsigned char run[sizeof(b->m) + 8] = { 0 };

		memcpy(run, &b->m, sizeof(b->m));
		shm_tx_publish_run(tx, word0, run, sizeof(b->m) + b->more);
	} else {
		memcpy(shm_tx_words(tx), b->w, sizeof(b->w));
		shm_tx_publish(tx, word0);
	}
	assert_int_equal(carrier_move(&carrier), 1);
	expect(w, 3);
	expect_none(w);
	assert_true(regs_of(w, 1)->deaf);
	assert_int_equal(count(w, 1, SHM_COUNT_protocol_errors), 1);
	small(w, 4);
	expect(w, 4);
	/* It sends nothing more that way either, whatever is said. */
	carrier_say(&carrier, 1, SNOO_WIRE_REGISTERS_ON);
	news_read(w->ctx[1]);
	assert_int_equal(snoo_send(w->ctx[1], &w, 4, 0, 1), 0);
	assert_int_equal(count(w, 1, SHM_COUNT_sent_mailbox), 0);
	assert_int_equal(count(w, 1, SHM_COUNT_protocol_errors), 1);
}

static void test_words_that_cannot_be_close_the_ring(void **state)
{
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		struct world *w = *state;

		check_bad(w, &bads[i]);
		teardown(state);
		setup(state);
	}
}

/* What came in a channel before the bad word did is as good as ever. */
static void test_a_bad_word_spoils_no_channel(void **state)
{
	static unsigned char out[8000], in[8000];
	struct world *w = *state;
	struct shm_tx *tx = &carrier.in[1];

	world_pattern(out, sizeof(out), 1);
	assert_int_equal(snoo_send(w->ctx[0], out, sizeof(out), 1, 1), 0);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_block), 1);
	small(w, 2);
	assert_int_equal(carrier_move(&carrier), 1);
	shm_tx_words(tx)[0] = 99;
	shm_tx_publish(tx, line_word(SNOO_ABI_CONTROL, 0, 0, 0, 0));
	assert_int_equal(snoo_recv(w->ctx[1], in, sizeof(in), 0, SNOO_ANY_TAG,
				   NULL), 0);
	assert_true(regs_of(w, 1)->deaf);
	assert_true(world_matches(in, sizeof(in), 1));
	expect(w, 2);
	assert_int_equal(count(w, 1, SHM_COUNT_protocol_errors), 1);
	small(w, 3);
	stand_still(w);
	expect(w, 3);
}

/* Who reads `in` no more gets by the channel what is sent to it later. */
static void test_a_deaf_rank_is_reached_by_channels(void **state)
{
	struct world *w = *state;
	struct shm_tx *tx = &carrier.in[1];
	int last = -1, n = 0, found, x;

	shm_tx_words(tx)[0] = 99;
	shm_tx_publish(tx, line_word(SNOO_ABI_CONTROL, 0, 0, 0, 0));
	progress(w->ctx[1]);
	for (; n < 3 * (int)HOLDS; n++) {
		small(w, n);
		carrier_move(&carrier);
	}
	stand_still(w);
	for (;;) {
		assert_int_equal(snoo_iprobe(w->ctx[1], 0, SNOO_ANY_TAG,
					     &found, NULL), 0);
		if (!found)
			break;
		assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, SNOO_ANY_TAG,
					   NULL), 0);
		assert_true(x > last);
		last = x;
	}
	/* What no ring holds has come. */
	assert_int_equal(last, n - 1);
	small(w, n);
	expect(w, n);
}

static void test_an_impossible_count_in_out(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++)
		small(w, i);
	atomic_store(&carrier.out[0].abi->consumed, 7);
	progress(w->ctx[0]);
	assert_int_equal(count(w, 0, SHM_COUNT_protocol_errors), 1);
	assert_int_equal(count(w, 0, SHM_COUNT_resent), 3);
	small(w, 3);
	for (int i = 0; i < 4; i++)
		expect(w, i);
	/* It stays so, whatever is told and said. */
	carrier_move(&carrier);
	carrier_say(&carrier, 0, SNOO_WIRE_REGISTERS_ON);
	progress(w->ctx[0]);
	small(w, 4);
	expect(w, 4);
	expect_none(w);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 3);
	assert_int_equal(count(w, 0, SHM_COUNT_protocol_errors), 1);
}

/* ---- ends ---- */

static void gone_with_line(struct world *w, uint32_t rank)
{
	struct snoo_wire_gone m = {
		.head = { SNOO_WIRE_GONE, sizeof(m) },
		.rank = rank,
		.state = SNOO_ABI_DEAD | SNOO_WIRE_GONE_REGISTERS,
		.gone = ++w->gone,
		.slot = rank,
	};

	world_tell(w, 1, &m, sizeof(m));
}

static bool acked(struct world *w)
{
	_Alignas(8) char buf[SNOO_WIRE_MAX];

	return world_heard(w, 1, SNOO_WIRE_ACK, buf) > 0;
}

static void expect_dead(struct world *w)
{
	int x;

	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 9, NULL), -EOWNERDEAD);
	assert_true(acked(w));
}

static void test_gone_waits_for_its_line(void **state)
{
	struct world *w = *state;

	small(w, 1);
	regs_of(w, 0)->on = false;
	small(w, 2);
	gone_with_line(w, 0);
	world_turn(w, 3);
	expect_none(w);
	assert_false(acked(w));
	assert_int_equal(w->ctx[1]->peers[0].state, PEER_LIVE);
	carrier_move(&carrier);
	world_turn(w, 3);
	assert_false(acked(w));
	carrier_gone(&carrier, 1, 0);
	progress(w->ctx[1]);
	expect(w, 1);
	expect(w, 2);
	expect_dead(w);
}

static void test_a_line_before_gone(void **state)
{
	struct world *w = *state;

	small(w, 1);
	carrier_move(&carrier);
	carrier_gone(&carrier, 1, 0);
	progress(w->ctx[1]);
	expect(w, 1);
	expect_none(w);
	gone_with_line(w, 0);
	/* Again, by a daemon that took over: harmless. */
	carrier_gone(&carrier, 1, 0);
	gone_with_line(w, 0);
	progress(w->ctx[1]);
	expect_dead(w);
	carrier_gone(&carrier, 1, 0);
	progress(w->ctx[1]);
	assert_int_equal(count(w, 1, SHM_COUNT_protocol_errors), 0);
}

static void test_gone_without_a_line(void **state)
{
	struct world *w = *state;

	small(w, 1);
	carrier_move(&carrier);
	world_gone(w, 0, SNOO_ABI_DEAD);
	progress(w->ctx[1]);
	expect(w, 1);
	expect_dead(w);
}

/* A message of one that is gone, from a daemon that delivers it again. */
static void test_what_comes_after_the_end_is_dropped(void **state)
{
	struct world *w = *state;
	struct carried msg;
	int found;

	small(w, 1);
	assert_true(carrier_take(&carrier, 0, &msg));
	assert_true(carrier_put(&carrier, 0, &msg));
	world_gone(w, 0, SNOO_ABI_DEAD);
	progress(w->ctx[1]);
	expect(w, 1);
	assert_true(carrier_put(&carrier, 0, &msg));
	msg.m.number = 1;
	assert_true(carrier_put(&carrier, 0, &msg));
	expect_dead(w);
	assert_int_equal(snoo_iprobe(w->ctx[1], 0, SNOO_ANY_TAG, &found, NULL),
			 -EOWNERDEAD);
	assert_int_equal(found, 0);
	assert_int_equal(count(w, 1, SHM_COUNT_protocol_errors), 0);
}

static void test_without_a_daemon_no_line_is_waited_for(void **state)
{
	struct world *w = *state;

	small(w, 1);
	carrier_move(&carrier);
	gone_with_line(w, 0);
	progress(w->ctx[1]);
	assert_int_equal(w->ctx[1]->peers[0].state, PEER_LIVE);
	hang_up(w, 1);
	world_turn(w, 2);
	assert_int_equal(w->ctx[1]->peers[0].state, PEER_DEAD);
}

static void test_a_deaf_rank_waits_for_no_line(void **state)
{
	struct world *w = *state;

	gone_with_line(w, 0);
	progress(w->ctx[1]);
	assert_int_equal(w->ctx[1]->peers[0].state, PEER_LIVE);
	shm_tx_words(&carrier.in[1])[0] = 99;
	shm_tx_publish(&carrier.in[1], line_word(SNOO_ABI_CONTROL, 0, 0, 0, 0));
	world_turn(w, 1);
	expect_dead(w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_malformed_registers_end_the_session),
		T(test_rings_outside_the_pool),
		T(test_rings_without_memory_for_copies),
		T(test_words_that_cannot_be_close_the_ring),
		T(test_a_bad_word_spoils_no_channel),
		T(test_a_deaf_rank_is_reached_by_channels),
		T(test_an_impossible_count_in_out),
		T(test_gone_waits_for_its_line),
		T(test_a_line_before_gone),
		T(test_gone_without_a_line),
		T(test_what_comes_after_the_end_is_dropped),
		T(test_without_a_daemon_no_line_is_waited_for),
		T(test_a_deaf_rank_waits_for_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
