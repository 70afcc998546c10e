/* SPDX-License-Identifier: MIT */
/* test_ring.c - one ring, both ends in one thread: exact states, no races */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "shm/ring.h"
#include "tests/unit/shm/pool.h"

#define LINES	SNOO_ABI_RING_MIN
#define BYTES	(sizeof(struct snoo_abi_ring) + LINES * SNOO_ABI_LINE)

struct fixture {
	struct shm_region r;
	uint64_t at;			/* of the ring */
	struct snoo_abi_ring *abi;
	struct shm_line *line;
	struct shm_tx tx;
	struct shm_rx rx;
};

static struct fixture fixture;

static int setup(void **state)
{
	struct fixture *f = &fixture;

	memset(f, 0, sizeof(*f));
	if (pool_open(&f->r))
		return -1;
	f->at = f->r.arena_off + 4096;
	f->abi = (void *)(f->r.base + f->at);
	f->line = (void *)(f->abi + 1);
	memset(f->abi, 0xa5, BYTES);
	if (shm_ring_format(&f->r, f->at, BYTES, 3) != LINES ||
	    shm_tx_open(&f->tx, &f->r, f->at, LINES) ||
	    shm_rx_open(&f->rx, &f->r, f->at))
		return -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pool_close(&f->r);
	return 0;
}

static void push(struct fixture *f, uint32_t value)
{
	for (uint32_t i = 0; i < 7; i++)
		shm_tx_words(&f->tx)[i] = (uint64_t)value << 8 | i;
	shm_tx_publish(&f->tx, line_word(SNOO_ABI_DATA, 0, 56, 1, value));
}

static void expect_pop(struct fixture *f, uint32_t value)
{
	uint64_t word0;

	assert_true(shm_rx_peek(&f->rx, &word0));
	assert_int_equal(line_type(word0), SNOO_ABI_DATA);
	assert_int_equal(line_tag(word0), value);
	for (uint32_t i = 0; i < 7; i++)
		assert_int_equal(shm_rx_words(&f->rx)[i],
				 (uint64_t)value << 8 | i);
	shm_rx_pop(&f->rx);
}

static void expect_empty(struct fixture *f)
{
	uint64_t word0;

	assert_false(shm_rx_peek(&f->rx, &word0));
}

/* Both counters at @n, as if so many lines had gone through; laps stay. */
static void start_at(struct fixture *f, uint32_t n)
{
	f->tx.published = n;
	f->tx.consumed = n;
	f->tx.limit = n + LINES;
	f->rx.consumed = n;
	f->rx.told = n;
	atomic_store_explicit(&f->abi->consumed, n, memory_order_relaxed);
}

static void run_of(struct fixture *f, const unsigned char *data, size_t n)
{
	shm_tx_publish_run(&f->tx, line_word(SNOO_ABI_DATA, SNOO_ABI_STREAM,
					     shm_ring_run(n), 0, 7), data, n);
}

/* Every length, at every place in the ring, across its end and all laps. */
static void test_runs_arrive_whole_wherever_they_lie(void **state)
{
	unsigned char out[500], in[500];
	struct fixture *f = *state;
	uint64_t word0;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (unsigned char)(i * 7 + i / 256);
	for (size_t n = 57; n < sizeof(out); n++) {
		uint32_t lines = 1 + shm_ring_run(n);

		assert_true(shm_tx_room(&f->tx, lines - 1) > 0);
		assert_false(shm_rx_peek(&f->rx, &word0));
		run_of(f, out, n);
		assert_true(shm_rx_peek(&f->rx, &word0));
		assert_int_equal(shm_rx_run(&f->rx, word0, n), lines - 1);
		memset(in, 0, sizeof(in));
		shm_rx_gather(&f->rx, in, n);
		assert_memory_equal(in, out, n);
		assert_int_equal(in[n], 0);
		shm_rx_gather(&f->rx, in, n / 2);
		for (uint32_t i = 0; i < lines; i++)
			shm_rx_pop(&f->rx);
		shm_rx_tell(&f->rx);
		assert_int_equal(f->rx.consumed, f->tx.published);
	}
	push(f, 3);
	expect_pop(f, 3);
}

static void test_a_run_that_cannot_be_is_refused(void **state)
{
	static const unsigned char data[300];
	unsigned char in[300];
	struct fixture *f = *state;
	uint64_t word0, length = 0;

	run_of(f, data, 300);
	assert_true(shm_rx_peek(&f->rx, &word0));
	assert_int_equal(shm_rx_run(&f->rx, word0, 300), 5);
	assert_int_equal(shm_rx_run(&f->rx, word0, 56), -EPROTO);
	assert_int_equal(shm_rx_run(&f->rx, word0, 48 + 4 * 56), -EPROTO);
	assert_int_equal(shm_rx_run(&f->rx, word0, 48 + 5 * 56 + 1), -EPROTO);
	assert_int_equal(shm_rx_run(&f->rx, word0, UINT64_MAX), -EPROTO);
	/* One of its lines is not there, or is no PIECE. */
	atomic_store(&f->line[3].word0, 0);
	assert_int_equal(shm_rx_run(&f->rx, word0, 300), -EPROTO);
	assert_int_equal(shm_rx_take_run(&f->rx, word0, in, 300, &length),
			 -EPROTO);
	assert_int_equal(length, 0);
	assert_int_equal(f->rx.consumed, 0);
}

/* The caller pops the last line, as it does for a message of one. */
static void test_a_run_is_taken_up_to_its_last_line(void **state)
{
	struct fixture *f = *state;
	unsigned char out[300], in[100];
	uint64_t word0, length = 0;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (unsigned char)(i * 3 + 1);
	memset(in, 0, sizeof(in));
	run_of(f, out, 300);
	assert_true(shm_rx_peek(&f->rx, &word0));
	assert_int_equal(shm_rx_take_run(&f->rx, word0, in, 99, &length), 99);
	assert_int_equal(length, 300);
	assert_memory_equal(in, out, 99);
	assert_int_equal(in[99], 0);
	assert_int_equal(f->rx.consumed, f->tx.published - 1);
	shm_rx_pop(&f->rx);
	push(f, 3);
	expect_pop(f, 3);
}

static void test_lines_of_every_size(void **state)
{
	uint64_t head = sizeof(struct snoo_abi_ring);

	(void)state;
	assert_int_equal(shm_ring_lines(0), 0);
	assert_int_equal(shm_ring_lines(head), 0);
	assert_int_equal(shm_ring_lines(head + 32 * 64 - 1), 0);
	assert_int_equal(shm_ring_lines(head + 32 * 64), 32);
	assert_int_equal(shm_ring_lines(head + 33 * 64 + 63), 33);
	assert_int_equal(shm_ring_lines(head + 65536 * 64), 65536);
	assert_int_equal(shm_ring_lines(head + 65537 * 64), 65536);
	assert_int_equal(shm_ring_lines(UINT64_MAX), 65536);
}

static void test_format_zeroes_and_names_the_home(void **state)
{
	struct fixture *f = *state;
	static const unsigned char zero[LINES * SNOO_ABI_LINE];

	assert_int_equal(f->abi->nlines, LINES);
	assert_int_equal(f->abi->home, 3);
	assert_int_equal(f->abi->consumed, 0);
	assert_memory_equal(f->line, zero, sizeof(zero));
	expect_empty(f);
}

static void test_format_stays_inside_the_arena(void **state)
{
	struct fixture *f = *state;
	uint64_t end = f->r.size;

	assert_int_equal(shm_ring_format(&f->r, end - 4096, 4096, 0), 60);
	assert_int_equal(shm_ring_format(&f->r, end - 4096, 8192, 0), -EINVAL);
	assert_int_equal(shm_ring_format(&f->r, end, 4096, 0), -EINVAL);
	assert_int_equal(shm_ring_format(&f->r, f->at + 64, 4096, 0), -EINVAL);
	assert_int_equal(shm_ring_format(&f->r, f->r.arena_off - 4096, 4096,
					 0), -EINVAL);
	assert_int_equal(shm_ring_format(&f->r, f->at, 2048, 0), -EINVAL);
	assert_int_equal(shm_ring_format(&f->r, UINT64_MAX - 4095, 4096, 0),
			 -EINVAL);
}

/* What the daemon says is checked too: it may be of another version. */
static void test_tx_open_checks_what_it_is_told(void **state)
{
	static const uint32_t bad[] = { 0, 1, LINES - 1, 65537, UINT32_MAX };
	struct fixture *f = *state;
	struct shm_tx tx;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(shm_tx_open(&tx, &f->r, f->at, bad[i]),
				 -EINVAL);
	assert_int_equal(shm_tx_open(&tx, &f->r, f->r.size - 4096, 61),
			 -EINVAL);
	assert_int_equal(shm_tx_open(&tx, &f->r, f->r.size - 4096, 60), 0);
	assert_int_equal(shm_tx_open(&tx, &f->r, f->at + 64, LINES), -EINVAL);
	assert_int_equal(shm_tx_open(&tx, &f->r, SNOO_ABI_HEAD_OFFSET, LINES),
			 -EINVAL);
}

static void test_rx_open_checks_hostile_geometry(void **state)
{
	static const uint32_t bad[] = { 0, 1, LINES - 1, 65537, 0x80000000,
					0x04000000, UINT32_MAX };
	struct fixture *f = *state;
	struct shm_rx rx;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f->abi->nlines = bad[i];
		assert_int_equal(shm_rx_open(&rx, &f->r, f->at), -EPROTO);
	}
	/* Legal, but larger than what is left of the pool. */
	f->abi->nlines = SNOO_ABI_RING_MAX;
	assert_int_equal(shm_rx_open(&rx, &f->r, f->at), -EPROTO);
	f->abi->nlines = LINES;
	assert_int_equal(shm_rx_open(&rx, &f->r, f->at), 0);

	assert_int_equal(shm_rx_open(&rx, &f->r, 0), -EPROTO);
	assert_int_equal(shm_rx_open(&rx, &f->r, f->r.ranks_off), -EPROTO);
	assert_int_equal(shm_rx_open(&rx, &f->r, f->at + 64), -EPROTO);
	assert_int_equal(shm_rx_open(&rx, &f->r, f->r.size), -EPROTO);
	assert_int_equal(shm_rx_open(&rx, &f->r, UINT64_MAX - 4095), -EPROTO);
}

/* Geometry that changes after opening moves nothing. */
static void test_geometry_is_read_once(void **state)
{
	struct fixture *f = *state;

	f->abi->nlines = 65536;
	for (uint32_t i = 0; i < 3 * LINES; i++) {
		assert_true(shm_tx_room(&f->tx, 0) > 0);
		push(f, i);
		expect_pop(f, i);
		shm_rx_tell(&f->rx);
		assert_true((const char *)f->rx.next <
			    (const char *)f->line + LINES * SNOO_ABI_LINE);
	}
}

static void test_an_unpublished_line_is_not_seen(void **state)
{
	struct fixture *f = *state;

	memset(shm_tx_words(&f->tx), 0xff, 56);
	expect_empty(f);
	assert_int_equal(f->tx.published, 0);
}

static void test_laps_run_1_2_3_0_1(void **state)
{
	static const uint64_t lap[] = { 1, 2, 3, 0, 1, 2 };
	struct fixture *f = *state;

	for (size_t n = 0; n < sizeof(lap) / sizeof(lap[0]); n++) {
		for (uint32_t i = 0; i < LINES; i++) {
			uint64_t word0;

			expect_empty(f);
			assert_true(shm_tx_room(&f->tx, 0) > 0);
			push(f, i);
			assert_true(shm_rx_peek(&f->rx, &word0));
			assert_int_equal(word0 >> SNOO_ABI_LAP_SHIFT &
					 SNOO_ABI_LAP_MASK, lap[n]);
			expect_pop(f, i);
			shm_rx_tell(&f->rx);
		}
	}
}

/* The lap's bits are the ring's: nothing else of word 0 changes. */
static void test_the_lap_changes_no_other_bit(void **state)
{
	struct fixture *f = *state;
	uint64_t word0, want = line_word(SNOO_ABI_LEAVE, 0xf, 63, 0xffff,
					 UINT32_MAX);

	for (uint32_t i = 0; i < 4 * LINES; i++) {
		assert_true(shm_tx_room(&f->tx, 0) > 0);
		shm_tx_publish(&f->tx, want);
		assert_true(shm_rx_peek(&f->rx, &word0));
		assert_int_equal(word0 & ~(SNOO_ABI_LAP_MASK <<
					   SNOO_ABI_LAP_SHIFT), want);
		shm_rx_pop(&f->rx);
		shm_rx_tell(&f->rx);
	}
}

static void test_full_ring_has_no_room_until_told(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < LINES; i++) {
		assert_int_equal(shm_tx_room(&f->tx, 0), LINES - i);
		push(f, i);
	}
	assert_int_equal(shm_tx_room(&f->tx, 0), 0);
	for (uint32_t i = 0; i < 3; i++)
		expect_pop(f, i);
	/* Consumed, but not told. */
	assert_int_equal(shm_tx_room(&f->tx, 0), 0);
	assert_true(shm_rx_tell(&f->rx));
	assert_int_equal(shm_tx_room(&f->tx, 0), 3);
}

static void test_reserve_is_kept_for_answers(void **state)
{
	struct fixture *f = *state;
	uint32_t sent = 0;

	while (shm_tx_room(&f->tx, SNOO_ABI_RING_ANSWERS) > 0)
		push(f, sent++);
	assert_int_equal(sent, LINES - SNOO_ABI_RING_ANSWERS);
	assert_int_equal(shm_tx_room(&f->tx, SNOO_ABI_RING_ANSWERS), 0);
	assert_int_equal(shm_tx_room(&f->tx, 0), SNOO_ABI_RING_ANSWERS);
	expect_pop(f, 0);
	shm_rx_tell(&f->rx);
	assert_int_equal(shm_tx_room(&f->tx, SNOO_ABI_RING_ANSWERS), 1);
}

static void test_credit_is_told_once_and_in_batches(void **state)
{
	struct fixture *f = *state;

	assert_false(shm_rx_tell(&f->rx));
	for (uint32_t i = 0; i < LINES / 2; i++) {
		assert_false(shm_rx_due(&f->rx));
		push(f, i);
		expect_pop(f, i);
		assert_int_equal(f->abi->consumed, 0);
	}
	assert_true(shm_rx_due(&f->rx));
	assert_true(shm_rx_tell(&f->rx));
	assert_int_equal(f->abi->consumed, LINES / 2);
	assert_false(shm_rx_tell(&f->rx));
	assert_false(shm_rx_due(&f->rx));
}

/* The counters run freely through 2^32; a ring must not notice. */
static void test_counters_run_through_2_to_the_32(void **state)
{
	struct fixture *f = *state;

	start_at(f, UINT32_MAX - 5);
	for (uint32_t i = 0; i < LINES; i++) {
		assert_int_equal(shm_tx_room(&f->tx, 0), LINES - i);
		push(f, i);
	}
	assert_int_equal(f->tx.published, LINES - 6);
	assert_int_equal(shm_tx_room(&f->tx, 0), 0);
	assert_false(shm_tx_drained(&f->tx));
	for (uint32_t i = 0; i < LINES; i++)
		expect_pop(f, i);
	assert_true(shm_rx_due(&f->rx));
	assert_true(shm_rx_tell(&f->rx));
	assert_int_equal(f->abi->consumed, LINES - 6);
	assert_true(shm_tx_drained(&f->tx));
	assert_int_equal(shm_tx_room(&f->tx, 0), LINES);
}

static void expect_broken(struct fixture *f, uint32_t consumed)
{
	struct shm_tx before = f->tx;

	atomic_store_explicit(&f->abi->consumed, consumed,
			      memory_order_relaxed);
	assert_int_equal(shm_tx_refresh(&f->tx), -EPROTO);
	/* On error, nothing changed. */
	assert_memory_equal(&f->tx, &before, sizeof(before));
	assert_false(shm_tx_drained(&f->tx));
}

static void test_impossible_counters_are_a_protocol_error(void **state)
{
	static const uint32_t start[] = { 0, 1000, UINT32_MAX - 3 };
	struct fixture *f = *state;

	for (size_t n = 0; n < sizeof(start) / sizeof(start[0]); n++) {
		uint32_t s = start[n];

		start_at(f, s);
		push(f, 0);
		push(f, 1);
		push(f, 2);
		/* More than was published; less than before. */
		expect_broken(f, s + 4);
		expect_broken(f, s + LINES);
		expect_broken(f, s + 0x80000000);
		expect_broken(f, s - 1);
		/* What is possible still is. */
		atomic_store_explicit(&f->abi->consumed, s + 2,
				      memory_order_relaxed);
		assert_int_equal(shm_tx_refresh(&f->tx), 0);
		assert_int_equal(f->tx.consumed, s + 2);
		expect_broken(f, s + 1);
		expect_broken(f, s);
	}
}

/* As if @n lines had gone through a ring that nobody has looked at since. */
static void lived(struct fixture *f, uint32_t n)
{
	uint32_t lap = n / LINES;

	for (uint32_t i = 0; i < LINES; i++) {
		/* Lines before the place were written in this lap. */
		uint32_t in = i < n % LINES ? lap + 1 : lap;

		atomic_store(&f->line[i].word0,
			     (in & SNOO_ABI_LAP_MASK) << SNOO_ABI_LAP_SHIFT);
	}
	atomic_store(&f->abi->consumed, n);
}

static const uint32_t lives[] = {
	0, 1, LINES - 1, LINES, 2 * LINES + 5, 3 * LINES, 4 * LINES + 31,
	1000, UINT32_MAX - 3 * LINES, UINT32_MAX - 5, UINT32_MAX,
};

#define LIVES	(sizeof(lives) / sizeof(lives[0]))

/* Wherever the place was, and whoever is told of how much: go on from there. */
static void test_both_ends_come_back(void **state)
{
	struct fixture *f = *state;

	for (size_t n = 0; n < LIVES; n++) {
		for (uint32_t held = 0; held <= LINES; held++) {
			lived(f, lives[n]);
			assert_int_equal(shm_tx_resume(&f->tx, &f->r, f->at,
						       LINES), 0);
			assert_int_equal(shm_rx_resume(&f->rx, &f->r, f->at),
					 0);
			assert_int_equal(f->tx.published, lives[n]);
			for (uint32_t i = 0; i < held; i++)
				push(f, i);
			/* Consumed, not told: it comes again. */
			for (uint32_t i = 0; i < held; i++)
				expect_pop(f, i);
			memset(&f->rx, 0xa5, sizeof(f->rx));
			memset(&f->tx, 0xa5, sizeof(f->tx));
			assert_int_equal(shm_rx_resume(&f->rx, &f->r, f->at),
					 0);
			assert_int_equal(shm_tx_resume(&f->tx, &f->r, f->at,
						       LINES), 0);
			assert_int_equal(f->tx.published, lives[n] + held);
			assert_int_equal(shm_tx_room(&f->tx, 0), LINES - held);
			for (uint32_t i = 0; i < held; i++)
				expect_pop(f, i);
			expect_empty(f);
			shm_rx_tell(&f->rx);
			assert_int_equal(shm_tx_refresh(&f->tx), 0);
			for (uint32_t i = 0; i < 5 * LINES; i++) {
				push(f, i);
				expect_pop(f, i);
				shm_rx_tell(&f->rx);
				assert_true(shm_tx_room(&f->tx, 0) > 0);
			}
		}
	}
}

static void test_told_up_to_a_place_in_between(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 6; i++)
		push(f, i);
	for (uint32_t i = 0; i < 5; i++)
		expect_pop(f, i);
	shm_rx_tell_to(&f->rx, 2);
	assert_int_equal(f->abi->consumed, 2);
	expect_pop(f, 5);
	assert_int_equal(shm_rx_resume(&f->rx, &f->r, f->at), 0);
	for (uint32_t i = 2; i < 6; i++)
		expect_pop(f, i);
	expect_empty(f);
}

/* Its producer died between the PIECE lines and the DATA line. */
static void test_an_unfinished_run_leaves_nothing(void **state)
{
	static const unsigned char data[300];
	struct fixture *f = *state;
	uint64_t word0;

	for (uint32_t place = 0; place < 3 * LINES; place++) {
		struct shm_line *head = f->tx.next;
		uint64_t before = atomic_load(&head->word0);

		run_of(f, data, 300);
		atomic_store(&head->word0, before);
		assert_int_equal(shm_tx_resume(&f->tx, &f->r, f->at, LINES),
				 0);
		assert_ptr_equal(f->tx.next, head);
		/* One line now, where the run was to have six. */
		push(f, place);
		expect_pop(f, place);
		assert_false(shm_rx_peek(&f->rx, &word0));
		shm_rx_tell(&f->rx);
		assert_int_equal(shm_tx_refresh(&f->tx), 0);
	}
}

static void test_a_place_that_cannot_be_is_refused(void **state)
{
	struct fixture *f = *state;
	struct shm_rx rx;
	struct shm_tx tx;

	for (uint32_t i = 0; i < 10; i++)
		push(f, i);
	/* A count from another lap, and a line from another one. */
	atomic_store(&f->abi->consumed, 3 * LINES + 1);
	assert_int_equal(shm_rx_resume(&rx, &f->r, f->at), -EPROTO);
	assert_int_equal(shm_tx_resume(&tx, &f->r, f->at, LINES), -EPROTO);
	atomic_store(&f->abi->consumed, 10);
	assert_int_equal(shm_rx_resume(&rx, &f->r, f->at), 0);
	atomic_store(&f->line[20].word0, UINT64_C(3) << SNOO_ABI_LAP_SHIFT);
	assert_int_equal(shm_rx_resume(&rx, &f->r, f->at), -EPROTO);
	assert_int_equal(shm_tx_resume(&tx, &f->r, f->at, LINES), -EPROTO);
	/* The place in it follows from the count only if it is a power of 2. */
	assert_int_equal(shm_ring_format(&f->r, f->at, 4096, 3), 60);
	assert_int_equal(shm_rx_resume(&rx, &f->r, f->at), -EPROTO);
	assert_int_equal(shm_tx_resume(&tx, &f->r, f->at, 60), -EINVAL);
	assert_int_equal(shm_rx_resume(&rx, &f->r, f->at + 1), -EPROTO);
	assert_int_equal(shm_tx_resume(&tx, &f->r, f->at + 1, LINES), -EINVAL);
}

static void test_room_reports_a_broken_peer_when_it_looks(void **state)
{
	struct fixture *f = *state;

	atomic_store_explicit(&f->abi->consumed, 77, memory_order_relaxed);
	/* Credit is left: the peer's line is not even read. */
	assert_int_equal(shm_tx_room(&f->tx, 0), LINES);
	for (uint32_t i = 0; i < LINES; i++)
		push(f, i);
	assert_int_equal(shm_tx_room(&f->tx, 0), -EPROTO);
	assert_int_equal(f->tx.published, LINES);
}

static void test_drained_means_told(void **state)
{
	struct fixture *f = *state;

	assert_true(shm_tx_drained(&f->tx));
	push(f, 1);
	assert_false(shm_tx_drained(&f->tx));
	expect_pop(f, 1);
	assert_false(shm_tx_drained(&f->tx));
	shm_rx_tell(&f->rx);
	assert_true(shm_tx_drained(&f->tx));
}

static void test_published_is_shown_when_noted(void **state)
{
	struct fixture *f = *state;

	push(f, 1);
	assert_int_equal(f->abi->published, 0);
	shm_tx_note(&f->tx);
	assert_int_equal(f->abi->published, 1);
}

/* What lay in the ring before it was formatted is not a line of lap 1. */
static void test_a_reused_ring_begins_empty(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < LINES; i++)
		push(f, i);
	assert_int_equal(shm_ring_format(&f->r, f->at, BYTES, 3), LINES);
	assert_int_equal(shm_rx_open(&f->rx, &f->r, f->at), 0);
	assert_int_equal(shm_tx_open(&f->tx, &f->r, f->at, LINES), 0);
	expect_empty(f);
	assert_int_equal(f->abi->consumed, 0);
	push(f, 9);
	expect_pop(f, 9);
	expect_empty(f);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_runs_arrive_whole_wherever_they_lie),
		T(test_a_run_that_cannot_be_is_refused),
		T(test_a_run_is_taken_up_to_its_last_line),
		cmocka_unit_test(test_lines_of_every_size),
		T(test_format_zeroes_and_names_the_home),
		T(test_format_stays_inside_the_arena),
		T(test_tx_open_checks_what_it_is_told),
		T(test_rx_open_checks_hostile_geometry),
		T(test_geometry_is_read_once),
		T(test_an_unpublished_line_is_not_seen),
		T(test_laps_run_1_2_3_0_1),
		T(test_the_lap_changes_no_other_bit),
		T(test_full_ring_has_no_room_until_told),
		T(test_reserve_is_kept_for_answers),
		T(test_credit_is_told_once_and_in_batches),
		T(test_counters_run_through_2_to_the_32),
		T(test_impossible_counters_are_a_protocol_error),
		T(test_both_ends_come_back),
		T(test_told_up_to_a_place_in_between),
		T(test_an_unfinished_run_leaves_nothing),
		T(test_a_place_that_cannot_be_is_refused),
		T(test_room_reports_a_broken_peer_when_it_looks),
		T(test_drained_means_told),
		T(test_published_is_shown_when_noted),
		T(test_a_reused_ring_begins_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
