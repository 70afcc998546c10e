/* SPDX-License-Identifier: MIT */
/* test_stream.c - how a large message is cut, and how much is on its way */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/lend.h"
#include "client/progress.h"
#include "tests/lib/world.h"

#define K 1024u

static int setup(void **state)
{
	static struct world w;

	world_open(&w, &world_usual);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	world_close(*state);
	return 0;
}

/** struct job - One message under way from rank 0 to rank 1 */
struct job {
	unsigned char *out, *in;
	size_t n;
	struct snoo_request *s, *r;
};

/* Offered, matched and accepted: what follows is rank 0's alone. */
static void begin(struct world *w, struct job *j, size_t n)
{
	j->n = n;
	j->out = malloc(n);
	j->in = malloc(n);
	assert_non_null(j->out);
	assert_non_null(j->in);
	world_pattern(j->out, n, (uint32_t)n);
	assert_int_equal(snoo_isend(w->ctx[0], j->out, n, 1, 1, &j->s), 0);
	assert_int_equal(snoo_irecv(w->ctx[1], j->in, n, 0, 1, &j->r), 0);
	progress(w->ctx[1]);
}

static void end(struct world *w, struct job *j)
{
	int done = 0;

	while (!done) {
		world_turn(w, 1);
		assert_int_equal(snoo_test(w->ctx[1], &j->r, &done, NULL), 0);
	}
	assert_int_equal(snoo_wait(w->ctx[0], &j->s, NULL), 0);
	assert_true(world_matches(j->in, j->n, (uint32_t)j->n));
	free(j->out);
	free(j->in);
}

/* Blocks of one size that are out, as they were sent, and their payloads. */
static unsigned int out(struct world *w, enum lend_size size, uint32_t *used)
{
	struct list *head = &w->ctx[0]->lend[size].out;
	unsigned int n = 0;

	for (struct list *b = head->next; b != head; b = b->next)
		used[n++] = list_entry(b, struct lend_block, link)->used;
	return n;
}

static void test_blocks_grow_and_shrink_again(void **state)
{
	struct world *w = *state;
	uint32_t used[16];
	struct job j;

	begin(w, &j, 256 * K);
	progress(w->ctx[0]);
	assert_int_equal(out(w, LEND_SMALL, used), 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(used[i], 16 * K);
	assert_int_equal(out(w, LEND_LARGE, used), 4);
	assert_int_equal(used[0], 32 * K);
	assert_int_equal(used[1], 64 * K);
	assert_int_equal(used[2], 64 * K);
	assert_int_equal(used[3], 32 * K);
	end(w, &j);
}

static void test_a_message_of_two_small_blocks_overlaps(void **state)
{
	struct world *w = *state;
	uint32_t used[16];
	struct job j;

	begin(w, &j, 32 * K);
	progress(w->ctx[0]);
	assert_int_equal(out(w, LEND_SMALL, used), 2);
	assert_int_equal(out(w, LEND_LARGE, used), 0);
	end(w, &j);
}

/* However fast the sender is: it stops, and wants no more blocks for that. */
static void test_the_window_bounds_what_is_on_its_way(void **state)
{
	struct world *w = *state;
	struct snoo *tx = w->ctx[0];
	struct snoo_wire_need need;
	uint64_t window = 2 * 64 * K;
	struct job j;

	tx->stream_bytes = window;
	begin(w, &j, 1000003);
	for (int i = 0; i < 8; i++)
		progress(tx);
	assert_true(tx->peers[1].stream_out >= window);
	assert_true(tx->peers[1].stream_out < window + 64 * K);
	assert_int_equal(world_heard(w, 0, SNOO_WIRE_NEED, &need), 0);
	assert_int_equal(shm_counter(tx->me, SHM_COUNT_block_waits), 0);
	end(w, &j);
	lend_collect(tx, LEND_SMALL);
	lend_collect(tx, LEND_LARGE);
	assert_int_equal(tx->peers[1].stream_out, 0);
}

/* A window below two blocks would send one, wait, send one. */
static void test_two_large_blocks_are_always_allowed(void **state)
{
	struct world *w = *state;
	struct job j;

	w->ctx[0]->stream_bytes = 4 * K;
	begin(w, &j, 1u << 20);
	for (int i = 0; i < 8; i++)
		progress(w->ctx[0]);
	assert_true(w->ctx[0]->peers[1].stream_out >= 2 * 64 * K);
	end(w, &j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_blocks_grow_and_shrink_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_message_of_two_small_blocks_overlaps, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_the_window_bounds_what_is_on_its_way, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_two_large_blocks_are_always_allowed, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
