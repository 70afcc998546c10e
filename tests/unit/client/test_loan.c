/* SPDX-License-Identifier: MIT */
/* test_loan.c - loans and views: who has the block, and what is refused */

#include "tests/unit/client/loan.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- one loan ---- */

/* No byte is copied: the reader sees the sender's block itself, until it
 * releases it; then the sender has it again, and need not ask for it. */
static void test_a_view_is_the_senders_block(void **state)
{
	struct world *w = *state;
	uint32_t unit = world_lend(w, 0, MIB);
	struct snoo_view v;

	for (uint32_t i = 0; i < 5; i++) {
		lend(w, 0, 1, MIB, i);
		take_view(w, 1, 0, MIB, i, &v);
		assert_ptr_equal(v.data, shm_region_block(&w->ctx[1]->region,
							  unit, MIB));
		assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_BUSY);
		assert_int_equal(snoo_release(w->ctx[1], &v), 0);
		assert_int_equal(v.id, 0);
		assert_null(v.data);
		assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_FREE);
	}
	assert_int_equal(count(w, 0, SHM_COUNT_sent_loan), 5);
	assert_int_equal(count(w, 0, SHM_COUNT_loans_asked), 0);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_bytes), 5 * MIB);
	assert_int_equal(count(w, 1, SHM_COUNT_received_bytes), 5 * MIB);
	assert_int_equal(w->ctx[1]->peers[0].held, 0);
}

static void test_a_shorter_message_than_the_block(void **state)
{
	struct world *w = *state;
	struct snoo_block loan;
	struct snoo_view v;

	world_lend(w, 0, 4096);
	for (size_t n = 0; n < 100; n += 33) {
		build(w, 0, 100, 7, &loan);
		assert_int_equal(loan.bytes, 4096);
		assert_int_equal(snoo_send_loan(w->ctx[0], &loan, n, 1, 1), 0);
		take_view(w, 1, 0, n, 7, &v);
		assert_int_equal(snoo_release(w->ctx[1], &v), 0);
	}
}

/* To a plain receive, posted before or after, it is a message like any other. */
static void test_a_plain_receive_copies_and_releases(void **state)
{
	static unsigned char in[100000];
	struct world *w = *state;
	uint32_t unit = world_lend(w, 0, 131072);
	struct snoo_request *r;
	struct snoo_status st;

	lend(w, 0, 1, sizeof(in), 3);
	assert_int_equal(snoo_recv(w->ctx[1], in, sizeof(in), 0, 1, &st), 0);
	assert_int_equal(st.count, sizeof(in));
	assert_true(world_matches(in, sizeof(in), 3));
	assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_FREE);

	assert_int_equal(snoo_irecv(w->ctx[1], in, sizeof(in), SNOO_ANY_SOURCE,
				    SNOO_ANY_TAG, &r),
			 0);
	lend(w, 0, 1, sizeof(in), 4);
	assert_int_equal(snoo_wait(w->ctx[1], &r, &st), 0);
	assert_true(world_matches(in, sizeof(in), 4));
	assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_FREE);

	lend(w, 0, 1, sizeof(in), 5);
	assert_int_equal(snoo_recv(w->ctx[1], in, 1000, 0, 1, &st), -EMSGSIZE);
	assert_int_equal(st.count, 1000);
	assert_true(world_matches(in, 1000, 5));
	assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_FREE);
	assert_int_equal(w->ctx[1]->peers[0].held, 0);
}

static void test_probe_tells_its_length(void **state)
{
	struct world *w = *state;
	struct snoo_status st;
	int found;

	world_lend(w, 0, MIB);
	lend(w, 0, 1, 777777, 1);
	assert_int_equal(snoo_iprobe(w->ctx[1], 0, 1, &found, &st), 0);
	assert_int_equal(found, 1);
	assert_int_equal(st.count, 777777);
}

/* ---- other messages ---- */

struct getter {
	struct snoo *ctx;
	struct snoo_view view;
	int ret;
};

static void *get(void *arg)
{
	struct getter *g = arg;

	g->ret = snoo_recv_view(g->ctx, 0, 1, &g->view);
	return NULL;
}

/* In a line, a run of lines, a block, and as a stream: a copy of its own. */
static void test_a_view_takes_any_message(void **state)
{
	static const size_t sizes[] = { 0, 8, 56, 500, 5000, 300000 };
	static unsigned char out[300000];
	struct world *w = *state;

	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct getter g = { .ctx = w->ctx[1] };
		pthread_t thread;

		world_pattern(out, sizes[i], i);
		assert_int_equal(pthread_create(&thread, NULL, get, &g), 0);
		assert_int_equal(snoo_send(w->ctx[0], out, sizes[i], 1, 1), 0);
		pthread_join(thread, NULL);
		assert_int_equal(g.ret, 0);
		memset(out, 0, sizeof(out));
		expect_view(&g.view, 0, sizes[i], i);
		assert_int_equal(snoo_release(w->ctx[1], &g.view), 0);
	}
}

/* The same of messages that were there before. */
static void test_a_view_takes_what_was_kept(void **state)
{
	static const size_t sizes[] = { 0, 8, 500, 5000 };
	static unsigned char out[5000];
	struct world *w = *state;
	struct snoo_view v[4];

	for (uint32_t i = 0; i < 4; i++) {
		world_pattern(out, sizes[i], i);
		assert_int_equal(snoo_send(w->ctx[0], out, sizes[i], 1, 1), 0);
	}
	world_turn(w, 2);
	for (uint32_t i = 0; i < 4; i++)
		take_view(w, 1, 0, sizes[i], i, &v[i]);
	for (uint32_t i = 0; i < 4; i++) {
		expect_view(&v[i], 0, sizes[i], i);
		assert_int_equal(snoo_release(w->ctx[1], &v[i]), 0);
	}
}

static void test_loans_keep_their_order(void **state)
{
	struct world *w = *state;
	struct snoo_view v;

	for (int i = 0; i < 8; i++)
		world_lend(w, 0, 8192);
	for (uint32_t i = 0; i < 40; i++) {
		unsigned char out[300];

		world_pattern(out, sizeof(out), 2 * i);
		assert_int_equal(snoo_send(w->ctx[0], out, sizeof(out), 1, 1),
				 0);
		lend(w, 0, 1, 5000, 2 * i + 1);
		if (i % 4 != 3)
			continue;
		for (uint32_t k = i - 3; k <= i; k++) {
			take_view(w, 1, 0, sizeof(out), 2 * k, &v);
			assert_int_equal(snoo_release(w->ctx[1], &v), 0);
			take_view(w, 1, 0, 5000, 2 * k + 1, &v);
			assert_int_equal(snoo_release(w->ctx[1], &v), 0);
		}
	}
	assert_int_equal(count(w, 0, SHM_COUNT_loans_asked), 0);
}

static void test_a_full_channel_holds_a_loan_up_until_there_is_room(
	void **state)
{
	struct world *w = *state;
	uint32_t unit = world_lend(w, 0, 4096);
	struct snoo_request *r[100];
	struct snoo_block loan;
	struct snoo_view v;
	int x = 0;

	for (int i = 0; i < 100; i++)
		assert_int_equal(
			snoo_isend(w->ctx[0], &x, sizeof(x), 1, 2, &r[i]), 0);
	build(w, 0, 100, 9, &loan);
	assert_int_equal(snoo_set_timeout(w->ctx[0], 1000000), 0);
	assert_int_equal(snoo_send_loan(w->ctx[0], &loan, 100, 1, 1),
			 -ETIMEDOUT);
	/* It is still ours. */
	assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_BUSY);
	assert_true(world_matches(loan.data, 100, 9));
	world_turn(w, 20);
	assert_int_equal(snoo_send_loan(w->ctx[0], &loan, 100, 1, 1), 0);
	take_view(w, 1, 0, 100, 9, &v);
	assert_int_equal(snoo_release(w->ctx[1], &v), 0);
	assert_int_equal(snoo_set_timeout(w->ctx[0], 0), 0);
	assert_int_equal(snoo_waitall(w->ctx[0], 100, r, NULL), 0);
}

static void test_a_loan_to_ourselves(void **state)
{
	static unsigned char in[MIB];
	struct world *w = *state;
	uint32_t unit = world_lend(w, 0, MIB);
	struct snoo_request *r;
	struct snoo_view v;

	lend(w, 0, 0, MIB, 1);
	take_view(w, 0, 0, MIB, 1, &v);
	assert_ptr_equal(v.data, shm_region_block(&w->ctx[0]->region, unit, 1));
	assert_int_equal(snoo_release(w->ctx[0], &v), 0);
	assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_FREE);

	lend(w, 0, 0, MIB, 2);
	assert_int_equal(snoo_recv(w->ctx[0], in, MIB, 0, 1, NULL), 0);
	assert_true(world_matches(in, MIB, 2));
	assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_FREE);

	assert_int_equal(snoo_irecv(w->ctx[0], in, MIB, 0, 1, &r), 0);
	lend(w, 0, 0, MIB, 3);
	assert_int_equal(snoo_wait(w->ctx[0], &r, NULL), 0);
	assert_true(world_matches(in, MIB, 3));
	assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_FREE);
}

/* An older library there has never heard of LOAN. */
static void test_an_older_receiver_gets_a_copy(void **state)
{
	struct world *w = *state;
	uint32_t unit = world_lend(w, 0, 8192);
	unsigned char in[5000];

	atomic_store(&shm_region_rank(&w->region, 1)->minor, 3);
	lend(w, 0, 1, sizeof(in), 6);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_loan), 0);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_block), 1);
	assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_FREE);
	assert_int_equal(snoo_recv(w->ctx[1], in, sizeof(in), 0, 1, NULL), 0);
	assert_true(world_matches(in, sizeof(in), 6));
}

/* ---- what is not ours ---- */

static void test_what_is_not_ours_is_refused(void **state)
{
	struct world *w = *state;
	uint32_t unit = world_lend(w, 0, 4096);
	struct snoo_block loan, old, none = { 0 };
	struct snoo_view v, gone, empty = { 0 };

	build(w, 0, 100, 1, &loan);
	old = loan;
	assert_int_equal(snoo_send_loan(w->ctx[0], &loan, 4097, 1, 1), -EINVAL);
	assert_int_equal(snoo_send_loan(w->ctx[0], &loan, 1, 3, 1), -EINVAL);
	assert_int_equal(snoo_send_loan(w->ctx[0], &loan, 1, 1, -1), -EINVAL);
	assert_int_equal(snoo_send_loan(w->ctx[0], NULL, 1, 1, 1), -EINVAL);
	assert_int_equal(snoo_send_loan(w->ctx[0], &none, 1, 1, 1), -EINVAL);
	assert_int_equal(snoo_send_loan(w->ctx[2], &loan, 1, 1, 1), -EINVAL);
	assert_int_equal(snoo_loan(w->ctx[0], 1, NULL), -EINVAL);
	assert_int_equal(snoo_loan(NULL, 1, &none), -EINVAL);
	assert_int_equal(snoo_send_loan(w->ctx[0], &loan, 100, 1, 1), 0);
	assert_int_equal(snoo_send_loan(w->ctx[0], &old, 100, 1, 1), -EINVAL);
	assert_int_equal(snoo_drop_loan(w->ctx[0], &old), -EINVAL);
	assert_int_equal(snoo_drop_loan(w->ctx[0], &none), 0);
	assert_int_equal(snoo_drop_loan(w->ctx[0], NULL), -EINVAL);

	take_view(w, 1, 0, 100, 1, &v);
	gone = v;
	assert_int_equal(snoo_release(w->ctx[1], NULL), -EINVAL);
	assert_int_equal(snoo_release(w->ctx[1], &v), 0);
	assert_int_equal(snoo_release(w->ctx[1], &v), 0);
	assert_int_equal(snoo_release(w->ctx[1], &gone), -EINVAL);
	assert_int_equal(snoo_release(w->ctx[1], &empty), 0);
	assert_int_equal(snoo_recv_view(w->ctx[1], 5, 1, &v), -EINVAL);
	assert_int_equal(snoo_recv_view(w->ctx[1], 0, 1, NULL), -EINVAL);

	build(w, 0, 100, 1, &loan);
	assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_BUSY);
	assert_int_equal(snoo_drop_loan(w->ctx[0], &loan), 0);
	assert_int_equal(state_of(w, unit), SNOO_ABI_BLOCK_FREE);
}

static void test_a_forked_child_gets_estale(void **state)
{
	struct world *w = *state;
	struct snoo_block loan;
	struct snoo_view v;
	int status;
	pid_t pid;

	world_lend(w, 0, 8192);
	world_lend(w, 0, 8192);
	lend(w, 0, 0, 5000, 1);
	take_view(w, 0, 0, 5000, 1, &v);
	build(w, 0, 5000, 2, &loan);
	pid = fork();
	if (pid == 0) {
		struct snoo *ctx = w->ctx[0];
		struct snoo_block l;

		_exit(snoo_loan(ctx, 1, &l) != -ESTALE ||
		      snoo_send_loan(ctx, &loan, 1, 0, 1) != -ESTALE ||
		      snoo_drop_loan(ctx, &loan) != -ESTALE ||
		      snoo_release(ctx, &v) != -ESTALE ||
		      snoo_recv_view(ctx, 0, 1, &v) != -ESTALE ||
		      snoo_finalize(ctx) != -ESTALE);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	expect_view(&v, 0, 5000, 1);
	assert_int_equal(snoo_release(w->ctx[0], &v), 0);
	assert_int_equal(snoo_drop_loan(w->ctx[0], &loan), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_view_is_the_senders_block),
		T(test_a_shorter_message_than_the_block),
		T(test_a_plain_receive_copies_and_releases),
		T(test_probe_tells_its_length),
		T(test_a_view_takes_any_message),
		T(test_a_view_takes_what_was_kept),
		T(test_loans_keep_their_order),
		T(test_a_full_channel_holds_a_loan_up_until_there_is_room),
		T(test_a_loan_to_ourselves),
		T(test_an_older_receiver_gets_a_copy),
		T(test_what_is_not_ours_is_refused),
		T(test_a_forked_child_gets_estale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
