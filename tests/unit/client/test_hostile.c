/* SPDX-License-Identifier: MIT */
/*
 * test_hostile.c - a peer that writes what no library would
 *
 * Rank 0 forges lines; rank 1 must answer -EPROTO for that peer alone, while
 * ranks 2 and 3, the bystanders, go on and verify every byte.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/channel.h"
#include "client/progress.h"
#include "client/wait.h"
#include "shm/block.h"
#include "tests/lib/world.h"

static struct world world;

static int setup(void **state)
{
	struct world_params p = world_usual;

	p.ranks = 4;
	world_open(&world, &p);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	world_close(*state);
	return 0;
}

/* Take it under whatever generation it has now. */
static int take(struct snoo_abi_desc *d, uint32_t home, uint32_t *generation)
{
	return shm_block_take(d, home, block_generation(shm_block_look(d)),
			      generation);
}

static void bystanders(struct world *w, uint32_t seed)
{
	static const size_t sizes[] = { 4, 3000, 200000 };
	static unsigned char out[200000], in[200000];

	for (uint32_t i = 0; i < 3; i++) {
		struct snoo_request *s;
		struct snoo_request *r;
		int done = 0;

		world_pattern(out, sizes[i], seed + i);
		assert_int_equal(snoo_isend(w->ctx[2], out, sizes[i], 3, 1,
					    &s), 0);
		assert_int_equal(snoo_irecv(w->ctx[3], in, sizes[i], 2, 1, &r),
				 0);
		while (!done) {
			assert_int_equal(snoo_test(w->ctx[3], &r, &done, NULL),
					 0);
			world_turn(w, 1);
		}
		assert_int_equal(snoo_wait(w->ctx[2], &s, NULL), 0);
		assert_true(world_matches(in, sizes[i], seed + i));
	}
}

/* The channel from 0 to 1, open at both ends. */
static struct shm_tx *open_channel(struct world *w)
{
	int x = 1;

	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 1, 1), 0);
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 1, NULL), 0);
	return &w->ctx[0]->peers[1].tx;
}

static void forge(struct world *w, uint64_t word0, const uint64_t words[7])
{
	struct shm_tx *tx = open_channel(w);

	memcpy(shm_tx_words(tx), words, 7 * sizeof(words[0]));
	shm_tx_publish(tx, word0);
}

static void expect_broken(struct world *w)
{
	struct snoo_request *r;
	char c;

	assert_int_equal(snoo_irecv(w->ctx[1], &c, 1, 0, 5, &r), 0);
	bystanders(w, 10);
	assert_int_equal(snoo_wait(w->ctx[1], &r, NULL), -EPROTO);
	assert_int_equal(snoo_send(w->ctx[1], &c, 1, 0, 1), -EPROTO);
	assert_int_equal(snoo_recv(w->ctx[1], &c, 1, 0, 1, NULL), -EPROTO);
	assert_int_equal(shm_counter(w->ctx[1]->me,
				     SHM_COUNT_protocol_errors), 1);
	bystanders(w, 20);
}

static void test_reserved_types(void **state)
{
	uint64_t words[7] = { 0 };

	forge(*state, 0xb, words);
	expect_broken(*state);
}

static void test_type_none_with_a_fresh_lap(void **state)
{
	uint64_t words[7] = { 0 };

	forge(*state, 0, words);
	expect_broken(*state);
}

static void test_inline_length_beyond_the_line(void **state)
{
	uint64_t words[7] = { 0 };

	forge(*state, line_word(SNOO_ABI_DATA, 0, 57, 0, 5), words);
	expect_broken(*state);
}

static void test_run_longer_than_its_lines(void **state)
{
	uint64_t words[7] = { 5000 };

	forge(*state, line_word(SNOO_ABI_DATA, SNOO_ABI_STREAM, 63, 0, 5),
	      words);
	expect_broken(*state);
}

static void test_run_without_its_lines(void **state)
{
	uint64_t words[7] = { 100 };

	forge(*state, line_word(SNOO_ABI_DATA, SNOO_ABI_STREAM, 1, 0, 5),
	      words);
	expect_broken(*state);
}

static void test_part_of_a_run_alone(void **state)
{
	uint64_t words[7] = { 0 };

	forge(*state, line_word(SNOO_ABI_PIECE, 0, 0, 0, 0), words);
	expect_broken(*state);
}

static void check_block(struct world *w, uint32_t unit, uint32_t generation,
			uint64_t length)
{
	uint64_t words[7] = { 5, line_pair(unit, generation), length, 0 };

	forge(w, line_word(SNOO_ABI_BLOCK, 0, 0, 0, 5), words);
	expect_broken(w);
}

static void test_block_outside_the_arena(void **state)
{
	check_block(*state, UINT32_MAX, 1, 100);
}

static void test_block_of_somebody_else(void **state)
{
	struct world *w = *state;

	check_block(w, world_blocks(w, 2, 1, 16384), 1, 100);
}

static void test_block_longer_than_the_pool(void **state)
{
	struct world *w = *state;
	uint32_t unit = world_blocks(w, 0, 1, 16384), generation;

	assert_int_equal(take(shm_region_desc(&w->region, unit), 0,
					&generation), 0);
	check_block(w, unit, generation, UINT64_MAX - 4096);
}

static void test_stale_generation(void **state)
{
	struct world *w = *state;
	uint32_t unit = world_blocks(w, 0, 1, 16384), generation;

	assert_int_equal(take(shm_region_desc(&w->region, unit), 0,
					&generation), 0);
	check_block(w, unit, generation - 1, 100);
}

/* It is the next line that a blocking receive waits for: the short way. */
static void test_stale_generation_met_by_a_receive(void **state)
{
	struct world *w = *state;
	uint32_t unit = world_blocks(w, 0, 1, 16384), generation;
	uint64_t words[7] = { 5, 0, 100, 0 };
	char in[100];

	assert_int_equal(take(shm_region_desc(&w->region, unit), 0,
					&generation), 0);
	words[1] = line_pair(unit, generation + 1);
	forge(w, line_word(SNOO_ABI_BLOCK, 0, 0, 0, 5), words);
	memset(in, 7, sizeof(in));
	assert_int_equal(snoo_recv(w->ctx[1], in, sizeof(in), 0, 5, NULL),
			 -EPROTO);
	for (size_t i = 0; i < sizeof(in); i++)
		assert_int_equal(in[i], 7);
	assert_int_equal(block_state(shm_block_look(
		shm_region_desc(&w->region, unit))), SNOO_ABI_BLOCK_BUSY);
	assert_int_equal(snoo_send(w->ctx[1], in, 1, 0, 1), -EPROTO);
	assert_int_equal(shm_counter(w->ctx[1]->me,
				     SHM_COUNT_protocol_errors), 1);
	bystanders(w, 20);
}

/* ---- loans ---- */

static void check_loan(struct world *w, unsigned int flags, uint32_t unit,
		       uint32_t generation, uint64_t length)
{
	uint64_t words[7] = { 5, line_pair(unit, generation), length, 0 };

	forge(w, line_word(SNOO_ABI_LOAN, flags, 0, 0, 5), words);
	expect_broken(w);
	assert_int_equal(w->ctx[1]->peers[0].held, 0);
}

/* A block for loans of rank 0, held by it. */
static uint32_t hold_loan(struct world *w, uint32_t *generation)
{
	uint32_t unit = world_lend(w, 0, 8192);

	assert_int_equal(take(shm_region_desc(&w->region, unit), 0,
			      generation), 0);
	return unit;
}

static void test_loan_outside_the_arena(void **state)
{
	check_loan(*state, 0, UINT32_MAX, 1, 100);
}

static void test_loan_of_somebody_else(void **state)
{
	struct world *w = *state;
	uint32_t unit = world_lend(w, 2, 8192), generation;

	assert_int_equal(take(shm_region_desc(&w->region, unit), 2,
			      &generation), 0);
	check_loan(w, 0, unit, generation, 100);
}

static void test_loan_of_another_generation(void **state)
{
	struct world *w = *state;
	uint32_t generation, unit = hold_loan(w, &generation);

	check_loan(w, 0, unit, generation + 1, 100);
}

static void test_loan_that_is_not_held(void **state)
{
	struct world *w = *state;
	uint32_t unit = world_lend(w, 0, 8192);

	check_loan(w, 0, unit, block_generation(shm_block_look(
			   shm_region_desc(&w->region, unit))), 100);
}

static void test_loan_longer_than_its_block(void **state)
{
	struct world *w = *state;
	uint32_t generation, unit = hold_loan(w, &generation);

	check_loan(w, 0, unit, generation, 8193);
}

/* Whatever the descriptor says, which is everybody's to write. */
static void test_loan_longer_than_the_pool(void **state)
{
	struct world *w = *state;
	uint32_t generation, unit = hold_loan(w, &generation);

	shm_block_measure(shm_region_desc(&w->region, unit), UINT32_MAX);
	check_loan(w, 0, unit, generation, w->region.size);
}

static void test_loan_of_a_block_for_copies(void **state)
{
	struct world *w = *state;
	uint32_t unit = world_blocks(w, 0, 1, 16384), generation;

	assert_int_equal(take(shm_region_desc(&w->region, unit), 0,
			      &generation), 0);
	check_loan(w, 0, unit, generation, 1);
}

static void test_loan_with_a_flag(void **state)
{
	struct world *w = *state;
	uint32_t generation, unit = hold_loan(w, &generation);

	check_loan(w, SNOO_ABI_STREAM, unit, generation, 100);
}

/* It breaks the protocol while a loan of it is read and another one waits:
 * the one stays where it is until released, the other one is given back. */
static void test_loans_of_one_that_breaks_the_protocol(void **state)
{
	struct world *w = *state;
	uint64_t words[7] = { 0 };
	struct snoo_block loan;
	struct snoo_view v;
	uint32_t unit[2];

	for (int i = 0; i < 2; i++) {
		unit[i] = world_lend(w, 0, 8192);
		assert_int_equal(snoo_loan(w->ctx[0], 8192, &loan), 0);
		world_pattern(loan.data, 8192, 1);
		assert_int_equal(snoo_send_loan(w->ctx[0], &loan, 8192, 1, 6),
				 0);
		if (i == 0)
			assert_int_equal(snoo_recv_view(w->ctx[1], 0, 6, &v),
					 0);
	}
	forge(w, 0xb, words);
	expect_broken(w);
	assert_true(world_matches(v.data, 8192, 1));
	assert_int_equal(block_state(shm_block_look(
		shm_region_desc(&w->region, unit[1]))), SNOO_ABI_BLOCK_FREE);
	assert_int_equal(w->ctx[1]->peers[0].held, 1);
	assert_int_equal(snoo_release(w->ctx[1], &v), 0);
	assert_int_equal(block_state(shm_block_look(
		shm_region_desc(&w->region, unit[0]))), SNOO_ABI_BLOCK_FREE);
}

static void test_accept_of_more_than_was_offered(void **state)
{
	struct world *w = *state;
	static unsigned char out[100000];
	uint64_t words[7] = { 0, 77, 100001, SNOO_ABI_WAY_STREAM };
	struct snoo_request *s;

	assert_int_equal(snoo_isend(w->ctx[1], out, sizeof(out), 0, 5, &s),
			 0);
	words[0] = s->token;
	forge(w, line_word(SNOO_ABI_ACCEPT, 0, 0, 0, 0), words);
	expect_broken(w);
	assert_int_equal(snoo_wait(w->ctx[1], &s, NULL), -EPROTO);
}

static void test_invented_tokens_change_nothing(void **state)
{
	struct world *w = *state;
	uint64_t words[7] = { line_pair(3, 99), 1, 1, SNOO_ABI_WAY_STREAM };
	int x = 9;

	forge(w, line_word(SNOO_ABI_ACCEPT, 0, 0, 0, 0), words);
	forge(w, line_word(SNOO_ABI_DONE, 0, 0, 0, 0), words);
	forge(w, line_word(SNOO_ABI_CANCEL, 0, 0, 0, 0), words);
	forge(w, line_word(SNOO_ABI_CANCEL, SNOO_ABI_STREAM, 0, 0, 0), words);
	forge(w, line_word(SNOO_ABI_PIECE, SNOO_ABI_STREAM, 48, 0, 0), words);
	bystanders(w, 5);
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 1, 2), 0);
	x = 0;
	assert_int_equal(snoo_recv(w->ctx[1], &x, 4, 0, 2, NULL), 0);
	assert_int_equal(x, 9);
}

static void test_more_bytes_than_accepted(void **state)
{
	struct world *w = *state;
	static unsigned char out[100000], in[100000];
	struct snoo_request *s, *r;
	uint64_t words[7] = { 0 };

	assert_int_equal(snoo_irecv(w->ctx[1], in, 50, 0, 5, &r), 0);
	assert_int_equal(snoo_isend(w->ctx[0], out, sizeof(out), 1, 5, &s),
			 0);
	progress(w->ctx[1]);
	words[0] = r->token;
	forge(w, line_word(SNOO_ABI_PIECE, SNOO_ABI_STREAM, 48, 0, 0), words);
	forge(w, line_word(SNOO_ABI_PIECE, SNOO_ABI_STREAM, 48, 0, 0), words);
	progress(w->ctx[1]);
	assert_int_equal(snoo_wait(w->ctx[1], &r, NULL), -EPROTO);
	bystanders(w, 1);
	assert_int_equal(snoo_cancel(w->ctx[0], &s), 0);
}

static void test_ring_moved_out_of_the_pool(void **state)
{
	uint64_t words[7] = { SNOO_ABI_MOVED, UINT64_C(1) << 60 };

	forge(*state, line_word(SNOO_ABI_CONTROL, 0, 0, 0, 0), words);
	expect_broken(*state);
}

/* A ring whose last line leads back to itself would never end. */
static void test_ring_that_moves_to_itself(void **state)
{
	struct world *w = *state;
	uint64_t words[7] = { SNOO_ABI_MOVED, 0 };

	words[1] = open_channel(w)->offset;
	forge(w, line_word(SNOO_ABI_CONTROL, 0, 0, 0, 0), words);
	assert_int_equal(snoo_recv(w->ctx[1], NULL, 0, 0, 5, NULL), -EPROTO);
	bystanders(w, 1);
}

/* A peer that always has something for us must not outlast a time limit. */
static void test_a_flood_does_not_outlast_a_time_limit(void **state)
{
	struct world *w = *state;
	struct snoo *ctx = w->ctx[1];
	struct idle idle;
	int ret = 0, x = 1;

	snoo_set_timeout(ctx, 20000000);
	wait_begin(&idle);
	while (ret == 0) {
		assert_int_equal(snoo_send(w->ctx[0], &x, 4, 1, 1), 0);
		ret = wait_step(ctx, &idle, SNOO_ABI_CALL_RECV);
	}
	wait_end(ctx, &idle);
	assert_int_equal(ret, -ETIMEDOUT);
	bystanders(w, 1);
}

static void test_impossible_credit(void **state)
{
	struct world *w = *state;
	struct shm_tx *tx = open_channel(w);
	int x = 1, ret = 0;

	atomic_store(&tx->abi->consumed, 1000000);
	snoo_set_timeout(w->ctx[0], 50000000);
	for (int i = 0; i < 200 && ret == 0; i++)
		ret = snoo_send(w->ctx[0], &x, 4, 1, 1);
	assert_int_equal(ret, -EPROTO);
	bystanders(w, 1);
}

static void test_directory_points_nowhere(void **state)
{
	struct world *w = *state;
	int found;

	shm_job_announce(&w->ctx[1]->job, 1, 0, 4096);
	shm_wake_flag(w->ctx[1]->me->newcomers, 0);
	assert_int_equal(snoo_iprobe(w->ctx[1], SNOO_ANY_SOURCE, 1, &found,
				     NULL), 0);
	assert_int_equal(found, 0);
	assert_false(w->ctx[1]->peers[0].rx_open);
	bystanders(w, 1);
}

static void test_all_bits_of_all_bitmaps(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 0; i < SNOO_ABI_JOB_RANKS; i++) {
		shm_wake_flag(w->ctx[3]->me->newcomers, i);
		shm_wake_flag(w->ctx[3]->me->summary, i);
	}
	bystanders(w, 1);
}

static void test_members_in_impossible_slots(void **state)
{
	struct world *w = *state;
	int x = 1;

	atomic_store(&w->job.member[0].slot, UINT32_MAX);
	snoo_set_timeout(w->ctx[1], 3000000);
	assert_int_equal(snoo_send(w->ctx[1], &x, 4, 0, 1), -ETIMEDOUT);
	bystanders(w, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_reserved_types),
		T(test_type_none_with_a_fresh_lap),
		T(test_inline_length_beyond_the_line),
		T(test_run_longer_than_its_lines),
		T(test_run_without_its_lines),
		T(test_part_of_a_run_alone),
		T(test_block_outside_the_arena),
		T(test_block_of_somebody_else),
		T(test_block_longer_than_the_pool),
		T(test_stale_generation),
		T(test_stale_generation_met_by_a_receive),
		T(test_loan_outside_the_arena),
		T(test_loan_of_somebody_else),
		T(test_loan_of_another_generation),
		T(test_loan_that_is_not_held),
		T(test_loan_longer_than_its_block),
		T(test_loan_longer_than_the_pool),
		T(test_loan_of_a_block_for_copies),
		T(test_loan_with_a_flag),
		T(test_loans_of_one_that_breaks_the_protocol),
		T(test_accept_of_more_than_was_offered),
		T(test_invented_tokens_change_nothing),
		T(test_more_bytes_than_accepted),
		T(test_ring_moved_out_of_the_pool),
		T(test_ring_that_moves_to_itself),
		T(test_a_flood_does_not_outlast_a_time_limit),
		T(test_impossible_credit),
		T(test_directory_points_nowhere),
		T(test_all_bits_of_all_bitmaps),
		T(test_members_in_impossible_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
