/* SPDX-License-Identifier: MIT */
/* test_link.c - frames through a VM's control channel, and forged ones */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/link.h"

#define HEAD	((uint32_t)sizeof(struct snoo_ctl_frame))
#define MOST	(SNOO_CTL_FRAME_MAX - HEAD)

struct pair {
	void *mem;
	struct shm_link host, guest;
	union {
		struct snoo_ctl_frame f;
		uint64_t align;
		unsigned char bytes[SNOO_CTL_FRAME_MAX];
	} in;
};

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	*state = p;
	p->mem = aligned_alloc(4096, SNOO_CTL_BYTES);
	memset(p->mem, 0, SNOO_CTL_BYTES);
	shm_link_format(p->mem);
	return shm_link_open(&p->host, p->mem, SNOO_CTL_BYTES,
			     SHM_LINK_HOST) ||
	       shm_link_open(&p->guest, p->mem, SNOO_CTL_BYTES,
			     SHM_LINK_GUEST);
}

static int teardown(void **state)
{
	struct pair *p = *state;

	free(p->mem);
	free(p);
	return 0;
}

static unsigned char body_byte(uint32_t seed, uint32_t i)
{
	return (unsigned char)(seed * 31 + i * 7 + (i >> 8));
}

static int put(struct shm_link *l, uint32_t seed, uint32_t bytes)
{
	struct snoo_ctl_frame f = { .type = seed, .sid = ~seed, .slot = 3 };
	static unsigned char body[MOST + 64];

	for (uint32_t i = 0; i < bytes; i++)
		body[i] = body_byte(seed, i);
	return shm_link_put(l, &f, body, bytes);
}

/* Peek, compare, pop: what pop() says. */
static bool take(struct pair *p, struct shm_link *l, uint32_t seed,
		 uint32_t bytes)
{
	memset(&p->in, 0xee, sizeof(p->in));
	assert_int_equal(shm_link_peek(l, &p->in), HEAD + bytes);
	assert_int_equal(p->in.f.length, HEAD + bytes);
	assert_int_equal(p->in.f.type, seed);
	assert_int_equal(p->in.f.sid, ~seed);
	assert_int_equal(p->in.f.slot, 3);
	for (uint32_t i = 0; i < bytes; i++)
		assert_int_equal(p->in.bytes[HEAD + i], body_byte(seed, i));
	/* Nothing behind it was touched. */
	if (HEAD + bytes < SNOO_CTL_FRAME_MAX)
		assert_int_equal(p->in.bytes[HEAD + bytes], 0xee);
	return shm_link_pop(l, &p->in);
}

static void test_other_memory_is_refused(void **state)
{
	struct pair *p = *state;
	struct snoo_ctl_memory *m = p->mem;
	struct shm_link l;

	assert_int_equal(shm_link_open(&l, p->mem, SNOO_CTL_BYTES - 1,
				       SHM_LINK_GUEST), -EINVAL);
	m->major++;
	assert_int_equal(shm_link_open(&l, p->mem, SNOO_CTL_BYTES,
				       SHM_LINK_GUEST), -EPROTONOSUPPORT);
	m->major--;
	m->magic++;
	assert_int_equal(shm_link_open(&l, p->mem, SNOO_CTL_BYTES,
				       SHM_LINK_GUEST), -EINVAL);
}

static void test_both_ways_are_apart(void **state)
{
	struct pair *p = *state;

	assert_int_equal(put(&p->host, 1, 10), 0);
	assert_int_equal(put(&p->guest, 2, 20), 0);
	assert_false(take(p, &p->guest, 1, 10));
	assert_false(take(p, &p->host, 2, 20));
	assert_int_equal(shm_link_peek(&p->host, &p->in), 0);
	assert_int_equal(shm_link_peek(&p->guest, &p->in), 0);
}

/* Every length, so that each place of the ring is where a frame wraps. */
static void test_frames_wrap_wherever_they_like(void **state)
{
	struct pair *p = *state;
	uint32_t n = 0;

	/* Near the wrap of the counters too. */
	p->host.tail = p->guest.head = 0u - 0x10000u;
	p->host.ours->tail = p->guest.ours->head = p->host.tail;
	for (uint32_t total = 0; total < 3 * SNOO_CTL_RING; n++) {
		uint32_t bytes = (n * 37) % (MOST + 1);

		assert_int_equal(put(&p->host, n, bytes), 0);
		take(p, &p->guest, n, bytes);
		total += HEAD + bytes;
	}
	assert_int_equal(p->host.tail, p->guest.head);
	assert_int_equal(p->host.tail % 8, 0);
}

static void test_the_longest_frame_fits_and_no_longer_one(void **state)
{
	struct pair *p = *state;
	uint32_t before = p->host.ours->tail;

	assert_int_equal(put(&p->host, 5, MOST + 1), -EMSGSIZE);
	assert_int_equal(p->host.ours->tail, before);
	assert_int_equal(put(&p->host, 5, MOST), 0);
	take(p, &p->guest, 5, MOST);
	assert_int_equal(put(&p->host, 6, 0), 0);
	take(p, &p->guest, 6, 0);
}

static void test_a_full_ring_says_so_and_is_rung(void **state)
{
	struct pair *p = *state;
	uint32_t n = 0, left;

	while (put(&p->guest, n, 1000) == 0)
		n++;
	assert_int_equal(n, SNOO_CTL_RING / 1016);
	assert_int_equal(p->guest.ours->full, SNOO_CTL_FULL);
	left = SNOO_CTL_RING - n * 1016;
	assert_int_equal(shm_link_room(&p->guest), left - HEAD);
	/* Nothing of the refused one is there. */
	assert_int_equal(p->guest.ours->tail, n * 1016);
	assert_true(take(p, &p->host, 0, 1000));
	assert_int_equal(put(&p->guest, n, 1000), 0);
	/* It does not wait any more. */
	assert_int_equal(p->guest.ours->full, 0);
	for (uint32_t i = 1; i <= n; i++)
		assert_false(take(p, &p->host, i, 1000));
	assert_int_equal(shm_link_peek(&p->host, &p->in), 0);
	assert_int_equal(shm_link_room(&p->guest), MOST);
	/* To the last byte. */
	for (n = 0; put(&p->guest, n, 8192 - HEAD) == 0; n++)
		;
	assert_int_equal(n, SNOO_CTL_RING / 8192);
	assert_int_equal(shm_link_room(&p->guest), 0);
	assert_int_equal(put(&p->guest, n, 0), -EAGAIN);
}

static void test_impossible_tails_are_errors(void **state)
{
	static const uint32_t tails[] = {
		1, 4, 8, SNOO_CTL_RING + 8, 0x80000000u, UINT32_MAX,
		UINT32_MAX - 7,
	};
	struct pair *p = *state;

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		p->guest.ours->tail = tails[i];
		assert_int_equal(shm_link_peek(&p->host, &p->in), -EPROTO);
	}
	/* A whole ring of nothing: the length says no. */
	p->guest.ours->tail = SNOO_CTL_RING;
	assert_int_equal(shm_link_peek(&p->host, &p->in), -EPROTO);
}

static void test_impossible_heads_are_errors(void **state)
{
	static const uint32_t heads[] = {
		1, 4, 8, 0x80000000u, UINT32_MAX, 0u - SNOO_CTL_RING - 8,
	};
	struct pair *p = *state;

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		p->guest.ours->head = heads[i];
		assert_int_equal(put(&p->host, 1, 8), -EPROTO);
		assert_int_equal(shm_link_room(&p->host), -EPROTO);
		assert_int_equal(p->host.ours->tail, 0);
	}
}

static void test_impossible_lengths_are_errors(void **state)
{
	static const uint32_t lengths[] = {
		0, 1, 15, SNOO_CTL_FRAME_MAX + 1, 0x80000000u, UINT32_MAX,
		UINT32_MAX - 6, 65,
	};
	struct pair *p = *state;
	struct snoo_ctl_frame f = { .type = 1 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		f.length = lengths[i];
		memcpy(p->guest.out, &f, sizeof(f));
		p->guest.ours->tail = 64;
		assert_int_equal(shm_link_peek(&p->host, &p->in), -EPROTO);
	}
	f.length = 64;
	memcpy(p->guest.out, &f, sizeof(f));
	assert_int_equal(shm_link_peek(&p->host, &p->in), 64);
}

/* A length that changes after it was looked at changes nothing. */
static void test_a_frame_is_as_long_as_it_was_when_it_was_looked_at(void **state)
{
	struct pair *p = *state;
	struct snoo_ctl_frame f = { .type = 9, .length = UINT32_MAX };

	assert_int_equal(put(&p->guest, 1, 40), 0);
	assert_int_equal(put(&p->guest, 2, 8), 0);
	assert_int_equal(shm_link_peek(&p->host, &p->in), HEAD + 40);
	memcpy(p->guest.out, &f, sizeof(f));
	shm_link_pop(&p->host, &p->in);
	take(p, &p->host, 2, 8);
}

/* ---- sessions ---- */

static void test_a_session_begins_at_its_start(void **state)
{
	struct pair *p = *state;
	uint32_t gen;

	assert_int_equal(shm_link_asked(&p->host), 0);
	assert_false(shm_link_accepted(&p->guest));
	/* What the last guest daemon has not read is not for this one. */
	assert_int_equal(put(&p->host, 1, 100), 0);
	shm_link_ask(&p->guest);
	gen = shm_link_asked(&p->host);
	assert_int_not_equal(gen, 0);
	assert_false(shm_link_accepted(&p->guest));
	shm_link_accept(&p->host, gen, false);
	assert_int_equal(shm_link_asked(&p->host), 0);
	assert_int_equal(put(&p->host, 2, 8), 0);
	assert_true(shm_link_accepted(&p->guest));
	take(p, &p->guest, 2, 8);
	assert_int_equal(shm_link_peek(&p->guest, &p->in), 0);
}

static void test_gens_are_never_0_and_never_the_last(void **state)
{
	struct pair *p = *state;
	uint32_t last = 0;

	p->guest.ours->gen = UINT32_MAX - 2;
	for (int i = 0; i < 6; i++) {
		uint32_t gen;

		shm_link_ask(&p->guest);
		gen = shm_link_asked(&p->host);
		assert_int_not_equal(gen, 0);
		assert_int_not_equal(gen, last);
		shm_link_accept(&p->host, gen, false);
		assert_true(shm_link_accepted(&p->guest));
		last = gen;
	}
	/* Asked twice before anybody answered: the last one counts. */
	shm_link_ask(&p->guest);
	shm_link_ask(&p->guest);
	shm_link_accept(&p->host, shm_link_asked(&p->host), false);
	assert_true(shm_link_accepted(&p->guest));
}

static void test_discard_skips_what_makes_no_sense(void **state)
{
	struct pair *p = *state;

	assert_int_equal(put(&p->guest, 1, 8), 0);
	p->guest.ours->tail = 0x12345675u;
	assert_int_equal(shm_link_peek(&p->host, &p->in), -EPROTO);
	shm_link_cut(&p->host);
	assert_true(shm_link_is_cut(&p->guest));
	/* Another guest daemon; its tail is what stands there. */
	assert_int_equal(shm_link_open(&p->guest, p->mem, SNOO_CTL_BYTES,
				       SHM_LINK_GUEST), 0);
	shm_link_ask(&p->guest);
	shm_link_accept(&p->host, shm_link_asked(&p->host), true);
	assert_false(shm_link_is_cut(&p->guest));
	assert_true(shm_link_accepted(&p->guest));
	/* Also where the last one left it at no multiple of 8. */
	assert_int_equal(put(&p->guest, 7, 24), 0);
	take(p, &p->host, 7, 24);
	assert_int_equal(put(&p->host, 8, 24), 0);
	take(p, &p->guest, 8, 24);
}

static void test_each_end_goes_on_where_the_last_process_stopped(void **state)
{
	struct pair *p = *state;

	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(put(&p->guest, i, 100), 0);
		assert_int_equal(put(&p->host, i, 200), 0);
	}
	for (uint32_t i = 0; i < 4; i++) {
		take(p, &p->host, i, 100);
		take(p, &p->guest, i, 200);
	}
	memset(&p->host, 0, sizeof(p->host));
	memset(&p->guest, 0, sizeof(p->guest));
	assert_int_equal(shm_link_open(&p->host, p->mem, SNOO_CTL_BYTES,
				       SHM_LINK_HOST), 0);
	assert_int_equal(shm_link_open(&p->guest, p->mem, SNOO_CTL_BYTES,
				       SHM_LINK_GUEST), 0);
	assert_int_equal(put(&p->host, 10, 200), 0);
	for (uint32_t i = 4; i < 11; i++)
		take(p, &p->guest, i, 200);
	for (uint32_t i = 4; i < 10; i++)
		take(p, &p->host, i, 100);
	assert_int_equal(shm_link_peek(&p->host, &p->in), 0);
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_other_memory_is_refused),
		TEST(test_both_ways_are_apart),
		TEST(test_frames_wrap_wherever_they_like),
		TEST(test_the_longest_frame_fits_and_no_longer_one),
		TEST(test_a_full_ring_says_so_and_is_rung),
		TEST(test_impossible_tails_are_errors),
		TEST(test_impossible_heads_are_errors),
		TEST(test_impossible_lengths_are_errors),
		TEST(test_a_frame_is_as_long_as_it_was_when_it_was_looked_at),
		TEST(test_a_session_begins_at_its_start),
		TEST(test_gens_are_never_0_and_never_the_last),
		TEST(test_discard_skips_what_makes_no_sense),
		TEST(test_each_end_goes_on_where_the_last_process_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
