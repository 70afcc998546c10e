/* SPDX-License-Identifier: MIT */
/*
 * test_regs_order.c - two paths, one order: every interleaving, any weather
 *
 * The channel from 0 to 1 is slow here: rank 0 writes one ring, rank 1 reads
 * another, and the test carries line after line from the one to the other.  So
 * it settles what arrives before what.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/channel.h"
#include "tests/unit/client/regs.h"

/* ---- a slow channel ---- */

static struct slow {
	struct shm_rx from;
	struct shm_tx to;
} slow;

static void slow_open(struct world *w)
{
	struct snoo *tx = w->ctx[0];
	uint64_t offset = world_room(w, 4096);
	int64_t lines = shm_ring_format(&w->region, offset, 4096, 0);

	assert_int_equal(channel_ready(tx, &tx->peers[1]), 0);
	assert_int_equal(shm_rx_open(&slow.from, &w->region,
				     tx->peers[1].tx.offset), 0);
	assert_int_equal(shm_tx_open(&slow.to, &w->region, offset,
				     (uint32_t)lines), 0);
	shm_job_announce(&w->job, 1, 0, offset);
}

/* Carry one line; false: there is none. */
static bool slow_step(void)
{
	uint64_t word0;

	if (!shm_rx_peek(&slow.from, &word0))
		return false;
	assert_true(shm_tx_room(&slow.to, 0) > 0);
	memcpy(shm_tx_words(&slow.to), shm_rx_words(&slow.from), 56);
	shm_rx_pop(&slow.from);
	shm_rx_tell(&slow.from);
	word0 &= ~(SNOO_ABI_LAP_MASK << SNOO_ABI_LAP_SHIFT);
	shm_tx_publish(&slow.to, word0);
	return true;
}

static unsigned int slow_lines(void)
{
	struct shm_rx rx = slow.from;
	unsigned int n = 0;
	uint64_t word0;

	for (; shm_rx_peek(&rx, &word0); n++)
		shm_rx_pop(&rx);
	return n;
}

/* ---- every interleaving ---- */

#define MOST	7

enum trouble {
	SMOOTH,
	AGAIN,			/* all of `out` goes again by the channel */
	TWICE,			/* a new daemon delivers all of it again */
};

static struct snoo_request *req[MOST];
static unsigned char in[MOST][2000];

static size_t size_of(int i, bool direct)
{
	/* Blocks, and lines that would have fitted. */
	return direct && i % 2 ? 2000 : (size_t)(i * 7);
}

static void send_one(struct world *w, int i, bool direct)
{
	unsigned char out[2000];
	size_t n = size_of(i, direct);

	world_pattern(out, n, (uint32_t)i);
	regs_of(w, 0)->on = !direct;
	assert_int_equal(snoo_send(w->ctx[0], out, n, 1, i), 0);
}

/* What is done is a prefix of what was sent, at any moment. */
static void check_prefix(int n)
{
	bool all = true;

	for (int i = 0; i < n; i++) {
		assert_true(all || !req[i]->done);
		all = all && req[i]->done;
	}
}

/* As at the start: the next envelope's number follows from the last one's. */
static void level(struct world *w)
{
	send_one(w, 0, true);
	while (slow_step())
		progress(w->ctx[1]);
	assert_int_equal(snoo_recv(w->ctx[1], in[0], sizeof(in[0]), 0, 0,
				   NULL), 0);
	assert_true(!w->ctx[0]->peers[1].unsaid);
}

/*
 * @n messages, those with a bit in @direct by the channel; bit i of @order says
 * whether step i carries a line of the channel or a message.  Returns how many
 * lines and messages there were; with another number of bits in @order than
 * lines nothing was checked.
 */
static bool play(struct world *w, int n, unsigned int direct,
		 enum trouble trouble, unsigned int order, unsigned int *lines,
		 unsigned int *messages)
{
	struct carried msg[2 * MOST];
	unsigned int have = 0, next = 0;
	bool fits;

	for (int i = 0; i < n; i++)
		send_one(w, i, direct >> i & 1);
	if (trouble == AGAIN)
		stand_still(w);
	while (carrier_take(&carrier, 0, &msg[have]))
		have++;
	for (unsigned int i = 0; trouble == TWICE && i < have; i++)
		msg[have + i] = msg[i];
	if (trouble == TWICE)
		have *= 2;
	*lines = slow_lines();
	*messages = have;
	fits = (unsigned int)__builtin_popcount(order) == *lines;

	for (int i = 0; i < n; i++)
		assert_int_equal(snoo_irecv(w->ctx[1], in[i], sizeof(in[i]),
					    i % 3 ? 0 : SNOO_ANY_SOURCE,
					    SNOO_ANY_TAG, &req[i]), 0);
	for (unsigned int i = 0; fits && i < *lines + *messages; i++) {
		if (order >> i & 1)
			assert_true(slow_step());
		else
			assert_true(carrier_put(&carrier, 0, &msg[next++]));
		progress(w->ctx[1]);
		check_prefix(n);
	}
	/* So that the next one begins clean. */
	while (slow_step())
		progress(w->ctx[1]);
	while (next < have)
		carrier_put(&carrier, 0, &msg[next++]);
	carrier_tell(&carrier, 0);
	world_turn(w, 2);
	for (int i = 0; i < n; i++) {
		struct snoo_status st;
		size_t bytes = size_of(i, direct >> i & 1);

		assert_true(req[i]->done);
		assert_int_equal(snoo_wait(w->ctx[1], &req[i], &st), 0);
		assert_int_equal(st.tag, i);
		assert_int_equal(st.count, bytes);
		assert_true(world_matches(in[i], bytes, (uint32_t)i));
	}
	assert_true(list_empty(&w->ctx[1]->peers[0].parked));
	level(w);
	return fits;
}

static void every_order(struct world *w, int n, enum trouble trouble)
{
	unsigned int played = 0;

	slow_open(w);
	for (unsigned int direct = 0; direct < 1u << n; direct++) {
		unsigned int lines, messages;

		play(w, n, direct, trouble, UINT32_MAX, &lines, &messages);
		assert_true(lines + messages < 24);
		for (unsigned int o = 0; o < 1u << (lines + messages); o++) {
			if ((unsigned int)__builtin_popcount(o) != lines)
				continue;
			assert_true(play(w, n, direct, trouble, o, &lines,
					 &messages));
			played++;
		}
	}
	print_message("# %u interleavings\n", played);
	assert_int_equal(w->ctx[1]->peers[0].turn, w->ctx[0]->peers[1].sent);
	assert_int_equal(count(w, 1, SHM_COUNT_protocol_errors), 0);
}

static void test_every_interleaving_of_two_paths(void **state)
{
	every_order(*state, MOST, SMOOTH);
}

static void test_every_interleaving_with_what_is_sent_again(void **state)
{
	every_order(*state, 5, AGAIN);
}

static void test_every_interleaving_with_what_is_delivered_again(void **state)
{
	every_order(*state, 5, TWICE);
}

/* ---- any weather ---- */

#define RANKS	3u
#define SENDS	3000u
#define LIMBO	16u

static uint32_t dice_state;

static uint32_t dice(uint32_t sides)
{
	dice_state = dice_state * 1664525u + 1013904223u;
	return (dice_state >> 8) % sides;
}

/* What a service has taken of one rank and not told yet, in order. */
static struct limbo {
	struct carried msg[LIMBO];
	bool done[LIMBO];
	uint32_t n;
	uint32_t base;			/* count told */
} limbo[RANKS];

/* Does an older one to the same rank wait? */
static bool must_wait(const struct limbo *l, uint32_t at)
{
	for (uint32_t i = 0; i < at; i++) {
		if (!l->done[i] && l->msg[i].m.peer == l->msg[at].m.peer)
			return true;
	}
	return false;
}

static void serve(uint32_t rank)
{
	struct limbo *l = &limbo[rank];
	uint32_t at, told = 0;

	if (l->n < LIMBO && dice(2) &&
	    carrier_take(&carrier, rank, &l->msg[l->n]))
		l->done[l->n++] = false;
	if (l->n == 0)
		return;
	at = dice(l->n);
	if (!l->done[at] && !must_wait(l, at))
		l->done[at] = carrier_put(&carrier, rank, &l->msg[at]);
	if (dice(3))
		return;
	while (told < l->n && l->done[told])
		told++;
	l->base += told * SNOO_ABI_REGISTER_LINES;
	shm_rx_tell_to(&carrier.out[rank], l->base);
	memmove(l->msg, l->msg + told, (l->n - told) * sizeof(l->msg[0]));
	memmove(l->done, l->done + told, (l->n - told) * sizeof(l->done[0]));
	l->n -= told;
}

/* Another daemon finds its place in all rings. */
static void restart(struct world *w)
{
	for (uint32_t i = 0; i < RANKS; i++) {
		limbo[i].n = 0;
		assert_int_equal(shm_rx_resume(&carrier.out[i], &w->region,
					       carrier.said[i].out.offset), 0);
		assert_int_equal(shm_tx_resume(&carrier.in[i], &w->region,
					       carrier.said[i].in.offset,
					       LINES), 0);
	}
}

static size_t some_size(void)
{
	static const size_t sizes[] = { 0, 4, 30, 56, 57, 300, 1500, 9000 };

	return sizes[dice(dice(3) ? 4 : 8)];
}

static uint32_t sent[RANKS][RANKS], got[RANKS][RANKS];

static void send_something(struct world *w, uint32_t from)
{
	static unsigned char out[9000];
	uint32_t to = (from + 1 + dice(RANKS - 1)) % RANKS;
	uint32_t tag = sent[from][to];
	size_t n = some_size();

	/* Only what is published at once: nobody waits in this thread. */
	if (!list_empty(&w->ctx[from]->peers[to].envelopes) ||
	    channel_ready(w->ctx[from], &w->ctx[from]->peers[to]) ||
	    shm_tx_room(&w->ctx[from]->peers[to].tx, 20) <= 0)
		return;
	if (n > 1024 && list_empty(&w->ctx[from]->lend[LEND_SMALL].free))
		n = 56;
	world_pattern(out, n, tag);
	w->ctx[from]->timeout_ns = 1;
	if (snoo_send(w->ctx[from], out, n, (int)to, (int)tag) == 0)
		sent[from][to]++;
}

static void receive_something(struct world *w, uint32_t to)
{
	static unsigned char buf[9000];
	struct snoo_status st;
	int found;

	assert_int_equal(snoo_iprobe(w->ctx[to], SNOO_ANY_SOURCE, SNOO_ANY_TAG,
				     &found, &st), 0);
	if (!found)
		return;
	/* Strictly in the order sent. */
	assert_int_equal(st.tag, got[st.source][to]);
	assert_int_equal(snoo_recv(w->ctx[to], buf, sizeof(buf), st.source,
				   st.tag, &st), 0);
	assert_true(world_matches(buf, st.count, (uint32_t)st.tag));
	got[st.source][to]++;
}

static void storm(struct world *w, uint32_t seed)
{
	uint32_t total = 0;

	dice_state = seed;
	memset(sent, 0, sizeof(sent));
	memset(got, 0, sizeof(got));
	memset(limbo, 0, sizeof(limbo));
	while (total < SENDS) {
		uint32_t rank = dice(RANKS);

		switch (dice(8)) {
		case 0:
		case 1:
		case 2:
			send_something(w, rank);
			break;
		case 3:
		case 4:
			receive_something(w, rank);
			break;
		case 5:
		case 6:
			serve(rank);
			break;
		default:
			if (dice(40) == 0)
				restart(w);
			if (dice(20) == 0)
				w->ctx[rank]->registers.still_ns = 0;
			progress(w->ctx[rank]);
			w->ctx[rank]->registers.still_ns = UINT64_MAX;
			break;
		}
		total = 0;
		for (uint32_t i = 0; i < RANKS * RANKS; i++)
			total += sent[i / RANKS][i % RANKS];
	}
	for (int i = 0; i < 20000; i++) {
		serve((uint32_t)i % RANKS);
		receive_something(w, (uint32_t)i % RANKS);
		progress(w->ctx[i % (int)RANKS]);
	}
	for (uint32_t i = 0; i < RANKS * RANKS; i++)
		assert_int_equal(got[i / RANKS][i % RANKS],
				 sent[i / RANKS][i % RANKS]);
}

static void test_order_holds_in_any_weather(void **state)
{
	uint64_t seen[3] = { 0 };

	for (uint32_t seed = 1; seed <= 20; seed++) {
		struct world *w = *state;

		storm(w, seed);
		for (uint32_t i = 0; i < RANKS; i++) {
			seen[0] += count(w, i, SHM_COUNT_parked);
			seen[1] += count(w, i, SHM_COUNT_resent);
			seen[2] += count(w, i, SHM_COUNT_doubles);
			assert_int_equal(count(w, i,
					       SHM_COUNT_protocol_errors), 0);
		}
		teardown(state);
		setup(state);
	}
	print_message("# %llu parked, %llu sent again, %llu doubles\n",
		      (unsigned long long)seen[0], (unsigned long long)seen[1],
		      (unsigned long long)seen[2]);
	assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_every_interleaving_of_two_paths),
		T(test_every_interleaving_with_what_is_sent_again),
		T(test_every_interleaving_with_what_is_delivered_again),
		T(test_order_holds_in_any_weather),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
