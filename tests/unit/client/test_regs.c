/* SPDX-License-Identifier: MIT */
/*
 * test_regs.c - messages by way of the daemon: sent, taken, stuck, sent again
 *
 * The test is the daemon's register service (tests/lib/carrier.h).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/channel.h"
#include "client/regs.h"
#include "tests/unit/client/regs.h"

/* ---- sending ---- */

static void test_every_length_that_fits_goes_by_registers(void **state)
{
	unsigned char out[57], in[57];
	struct world *w = *state;

	for (size_t n = 0; n <= 57; n++) {
		struct snoo_status st;

		world_pattern(out, n, (uint32_t)n);
		assert_int_equal(snoo_send(w->ctx[0], out, n, 1, (int)n), 0);
		carrier_move(&carrier);
		assert_int_equal(snoo_recv(w->ctx[1], in, 57, 0, SNOO_ANY_TAG,
					   &st), 0);
		assert_int_equal(st.tag, n);
		assert_int_equal(st.count, n);
		assert_true(world_matches(in, n, (uint32_t)n));
	}
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 57);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_run), 1);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_register), 0);
	assert_int_equal(count(w, 1, SHM_COUNT_received_mailbox), 57);
	assert_int_equal(count(w, 1, SHM_COUNT_received), 58);
	assert_int_equal(count(w, 1, SHM_COUNT_doubles), 0);
}

static void test_the_daemon_says_how_long(void **state)
{
	struct world *w = *state;
	char x[20] = { 0 };

	carrier.said[0].bytes = 19;
	carrier_say(&carrier, 0, SNOO_WIRE_REGISTERS_ON);
	news_read(w->ctx[0]);
	assert_int_equal(snoo_send(w->ctx[0], x, 19, 1, 1), 0);
	assert_int_equal(snoo_send(w->ctx[0], x, 20, 1, 1), 0);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 1);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_register), 1);
}

static void test_nothing_to_those_whom_it_does_not_reach(void **state)
{
	struct world *w = *state;
	int x = 1;

	/* Itself, and one whose slot says nothing of registers. */
	atomic_store(&shm_region_rank(&w->region, 2)->registers, 0);
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 0, 1), 0);
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 2, 1), 0);
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 1, 1), 0);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 1);
	x = 0;
	assert_int_equal(snoo_recv(w->ctx[2], &x, 4, 0, 1, NULL), 0);
	assert_int_equal(x, 1);
	assert_int_equal(snoo_recv(w->ctx[0], &x, 4, 0, 1, NULL), 0);
	/* The daemon says when that changes. */
	atomic_store(&shm_region_rank(&w->region, 2)->registers, 1);
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 2, 1), 0);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 1);
	carrier_say(&carrier, 0, SNOO_WIRE_REGISTERS_ON);
	news_read(w->ctx[0]);
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 2, 1), 0);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 2);
}

static void test_what_finds_no_room_goes_by_the_channel(void **state)
{
	struct world *w = *state;
	int n = 0;

	for (; n < (int)HOLDS + 5; n++)
		small(w, n);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), HOLDS);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_register), 5);
	/* Those in the channel are early: nothing is seen of them. */
	expect_none(w);
	assert_int_equal(count(w, 1, SHM_COUNT_parked), 5);
	assert_int_equal(carrier_move(&carrier), HOLDS);
	for (int i = 0; i < n; i++)
		expect(w, i);
	expect_none(w);
	small(w, n);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), HOLDS + 1);
}

static void test_nothing_overtakes_an_unpublished_envelope(void **state)
{
	struct world *w = *state;
	struct snoo_request *s[200];
	static unsigned char run[1000];
	int n = 0, x = 7;

	/* Runs until the channel is full and one waits. */
	while (list_empty(&w->ctx[0]->peers[1].envelopes))
		assert_int_equal(snoo_isend(w->ctx[0], run, 500, 1, 1,
					    &s[n++]), 0);
	assert_int_equal(snoo_isend(w->ctx[0], &x, 4, 1, 2, &s[n++]), 0);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 0);
	for (int i = 0; i < n; i++) {
		struct snoo_status st;

		world_turn(w, 2);
		assert_int_equal(snoo_recv(w->ctx[1], run, 1000, 0,
					   SNOO_ANY_TAG, &st), 0);
		assert_int_equal(st.tag, i == n - 1 ? 2 : 1);
	}
	assert_int_equal(snoo_waitall(w->ctx[0], (size_t)n, s, NULL), 0);
}

/* ---- LOOK ---- */

static unsigned int looks(struct world *w, uint32_t rank)
{
	_Alignas(8) char buf[SNOO_WIRE_MAX];
	unsigned int n = 0;

	while (world_heard(w, rank, SNOO_WIRE_LOOK, buf) > 0)
		n++;
	return n;
}

static void test_look_is_said_to_a_service_that_sleeps(void **state)
{
	struct world *w = *state;

	small(w, 1);
	assert_int_equal(looks(w, 0), 0);
	atomic_store(&w->region.head->asleep, 1);
	small(w, 2);
	assert_int_equal(looks(w, 0), 1);
	small(w, 3);
	assert_int_equal(looks(w, 0), 1);
	atomic_store(&w->region.head->asleep, 0);
	small(w, 4);
	assert_int_equal(looks(w, 0), 0);
	/* A message by the channel is none of its business. */
	atomic_store(&w->region.head->asleep, 1);
	regs_of(w, 0)->on = false;
	small(w, 5);
	assert_int_equal(looks(w, 0), 0);
}

/* It may have found no room in our `in` ring, and sleep over it. */
static void test_look_is_said_when_lines_are_given_back(void **state)
{
	struct world *w = *state;

	atomic_store(&w->region.head->asleep, 1);
	for (int i = 0; i < (int)HOLDS; i++)
		small(w, i);
	looks(w, 0);
	assert_int_equal(carrier_move(&carrier), HOLDS);
	assert_int_equal(looks(w, 1), 0);
	progress(w->ctx[1]);
	assert_int_equal(looks(w, 1), 2);
}

static void test_look_is_said_later_if_the_socket_is_full(void **state)
{
	struct world *w = *state;
	struct snoo_wire_plain filler = { { SNOO_WIRE_PINNED, sizeof(filler) } };
	int fd = w->ctx[0]->session.fd;

	while (send(fd, &filler, sizeof(filler), MSG_DONTWAIT) > 0)
		;
	atomic_store(&w->region.head->asleep, 1);
	small(w, 1);
	assert_true(w->ctx[0]->session.look_due);
	assert_int_equal(looks(w, 0), 0);
	progress(w->ctx[0]);
	assert_false(w->ctx[0]->session.look_due);
	assert_int_equal(looks(w, 0), 1);
}

/* ---- what stands still ---- */

static void test_what_stands_still_goes_again_by_the_channel(void **state)
{
	struct world *w = *state;
	struct carried msg;

	for (int i = 0; i < 4; i++)
		small(w, i);
	/* One of them is delivered, but not told. */
	assert_true(carrier_take(&carrier, 0, &msg));
	assert_true(carrier_put(&carrier, 0, &msg));
	progress(w->ctx[0]);
	assert_int_equal(count(w, 0, SHM_COUNT_resent), 0);
	stand_still(w);
	assert_int_equal(count(w, 0, SHM_COUNT_resent), 4);
	for (int i = 0; i < 4; i++)
		expect(w, i);
	assert_int_equal(count(w, 1, SHM_COUNT_doubles), 1);
	/* Not used again before it is empty. */
	assert_true(carrier_take(&carrier, 0, &msg));
	assert_true(carrier_put(&carrier, 0, &msg));
	carrier_tell(&carrier, 0);
	progress(w->ctx[0]);
	small(w, 4);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 4);
	expect(w, 4);
	assert_int_equal(carrier_move(&carrier), 2);
	progress(w->ctx[0]);
	small(w, 5);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 5);
	expect_none(w);
	assert_int_equal(count(w, 1, SHM_COUNT_doubles), 4);
	carrier_move(&carrier);
	expect(w, 5);
	small(w, 6);
	carrier_move(&carrier);
	expect(w, 6);
	expect_none(w);
}

/*
 * Who sleeps wakes to send it again.  A sleep may be late, then the time is up
 * before it began; not ten times.
 */
static void test_a_sleep_ends_when_it_has_stood_still(void **state)
{
	struct world *w = *state;
	struct snoo *ctx = w->ctx[0];
	uint64_t sleeps = 0;
	int x;

	ctx->patience.spin_ns = 0;
	snoo_set_timeout(ctx, 400000000);
	for (int i = 0; i < 10 && sleeps < 2; i++) {
		sleeps = count(w, 0, SHM_COUNT_sleeps);
		small(w, i);
		regs_of(w, 0)->still_ns = 100000000;
		assert_int_equal(snoo_recv(ctx, &x, 4, 1, 1, NULL),
				 -ETIMEDOUT);
		assert_int_equal(count(w, 0, SHM_COUNT_resent), i + 1);
		expect(w, i);
		carrier_move(&carrier);
		progress(ctx);
		sleeps = count(w, 0, SHM_COUNT_sleeps) - sleeps;
	}
	assert_true(sleeps >= 2);
}

/* As long as it moves, however slowly, nothing is sent twice. */
static void test_what_moves_does_not_stand_still(void **state)
{
	struct world *w = *state;
	struct carried msg;

	for (int i = 0; i < 4; i++)
		small(w, i);
	for (int i = 0; i < 4; i++) {
		/* Long ago, but for what is seen now. */
		regs_of(w, 0)->since_ns = 0;
		regs_of(w, 0)->still_ns = UINT64_C(3600000000000);
		assert_true(carrier_take(&carrier, 0, &msg));
		assert_true(carrier_put(&carrier, 0, &msg));
		carrier_tell(&carrier, 0);
		progress(w->ctx[0]);
	}
	assert_int_equal(count(w, 0, SHM_COUNT_resent), 0);
	for (int i = 0; i < 4; i++)
		expect(w, i);
}

/* The service delivers at last what waits for room in the channel. */
static void test_what_is_delivered_at_last_is_not_sent_again(void **state)
{
	struct world *w = *state;
	static unsigned char run[500];
	struct snoo_request *s[200];
	int n = 0;

	small(w, 1);
	while (list_empty(&w->ctx[0]->peers[1].envelopes))
		assert_int_equal(snoo_isend(w->ctx[0], run, 500, 1, 2,
					    &s[n++]), 0);
	stand_still(w);
	assert_int_equal(count(w, 0, SHM_COUNT_resent), 0);
	assert_false(list_empty(&w->ctx[0]->peers[1].again));
	carrier_move(&carrier);
	progress(w->ctx[0]);
	assert_true(list_empty(&w->ctx[0]->peers[1].again));
	expect(w, 1);
	for (int i = 0; i < n; i++) {
		world_turn(w, 1);
		assert_int_equal(snoo_recv(w->ctx[1], run, 500, 0, 2, NULL), 0);
	}
	expect_none(w);
	assert_int_equal(count(w, 0, SHM_COUNT_resent), 0);
	assert_int_equal(snoo_waitall(w->ctx[0], (size_t)n, s, NULL), 0);
}

/* One receiver that takes nothing holds up nobody but itself. */
static void test_a_receiver_that_takes_nothing_holds_up_nobody(void **state)
{
	struct world *w = *state;
	unsigned int sent = 0;
	int x = 1;

	/* To rank 2, which is not in a call, until its ring is full. */
	for (unsigned int i = 0; i < 3 * HOLDS; i++) {
		assert_int_equal(snoo_send(w->ctx[0], &x, 4, 2, 1), 0);
		carrier_move(&carrier);
	}
	for (int i = 0; i < 10; i++)
		small(w, i);
	carrier_move(&carrier);
	stand_still(w);
	for (int i = 0; i < 10; i++)
		expect(w, i);
	expect_none(w);
	while (sent < 3 * HOLDS) {
		assert_int_equal(snoo_recv(w->ctx[2], &x, 4, 0, 1, NULL), 0);
		carrier_move(&carrier);
		progress(w->ctx[0]);
		sent++;
	}
	assert_int_equal(regs_of(w, 0)->count, 0);
	assert_false(regs_of(w, 0)->stuck);
	assert_int_equal(snoo_iprobe(w->ctx[2], 0, 1, &x, NULL), 0);
	assert_int_equal(x, 0);
}

static void test_a_peer_that_dies_is_sent_nothing_again(void **state)
{
	struct world *w = *state;
	int x = 1;

	small(w, 1);
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 2, 1), 0);
	world_gone(w, 1, SNOO_ABI_DEAD);
	news_read(w->ctx[0]);
	stand_still(w);
	assert_int_equal(count(w, 0, SHM_COUNT_resent), 1);
	assert_int_equal(snoo_recv(w->ctx[2], &x, 4, 0, 1, NULL), 0);
	/* And one that dies while its channel is due. */
	assert_int_equal(carrier_move(&carrier), 2);
	progress(w->ctx[0]);
	assert_int_equal(snoo_send(w->ctx[0], &x, 4, 2, 1), 0);
	regs_of(w, 0)->still_ns = 0;
	regs_turn(w->ctx[0]);
	regs_of(w, 0)->still_ns = UINT64_MAX;
	assert_false(list_empty(&w->ctx[0]->peers[2].again));
	world_gone(w, 2, SNOO_ABI_DEAD);
	news_read(w->ctx[0]);
	assert_true(list_empty(&w->ctx[0]->peers[2].again));
	carrier_move(&carrier);
	progress(w->ctx[0]);
	assert_int_equal(regs_of(w, 0)->count, 0);
}

/* ---- a new daemon, or none ---- */

static void resumed(struct world *w, uint32_t rank)
{
	struct snoo_wire_resumed m = {
		.head = { SNOO_WIRE_RESUMED, sizeof(m) },
		.epoch = 5,
	};

	world_tell(w, rank, &m, sizeof(m));
	news_read(w->ctx[rank]);
}

static void test_a_new_daemon_says_whether_it_carries(void **state)
{
	struct world *w = *state;

	small(w, 1);
	resumed(w, 0);
	small(w, 2);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 1);
	carrier_say(&carrier, 0, SNOO_WIRE_REGISTERS_ON);
	news_read(w->ctx[0]);
	small(w, 3);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 2);
	carrier_move(&carrier);
	for (int i = 1; i <= 3; i++)
		expect(w, i);
	/* It goes on carrying what is there, and takes no more. */
	small(w, 4);
	carrier_say(&carrier, 0, 0);
	news_read(w->ctx[0]);
	small(w, 5);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 3);
	expect_none(w);
	carrier_move(&carrier);
	expect(w, 4);
	expect(w, 5);
	assert_int_equal(count(w, 0, SHM_COUNT_resent), 0);
	/* Without ON it still takes what comes. */
	carrier_say(&carrier, 1, 0);
	news_read(w->ctx[1]);
	carrier_say(&carrier, 0, SNOO_WIRE_REGISTERS_ON);
	news_read(w->ctx[0]);
	small(w, 6);
	assert_int_equal(carrier_move(&carrier), 1);
	expect(w, 6);
}

/* A service that died after delivering, before telling. */
static void test_a_new_daemon_delivers_again(void **state)
{
	struct world *w = *state;
	struct carried msg;

	for (int i = 0; i < 3; i++)
		small(w, i);
	assert_true(carrier_take(&carrier, 0, &msg));
	assert_true(carrier_put(&carrier, 0, &msg));
	expect(w, 0);
	assert_true(carrier_take(&carrier, 0, &msg));
	assert_true(carrier_put(&carrier, 0, &msg));
	assert_int_equal(shm_rx_resume(&carrier.out[0], &w->region,
				       carrier.said[0].out.offset), 0);
	assert_int_equal(shm_tx_resume(&carrier.in[1], &w->region,
				       carrier.said[1].in.offset, LINES), 0);
	assert_int_equal(carrier_move(&carrier), 3);
	expect(w, 1);
	expect(w, 2);
	expect_none(w);
	assert_int_equal(count(w, 1, SHM_COUNT_doubles), 2);
	assert_int_equal(count(w, 1, SHM_COUNT_received_mailbox), 3);
}

static void test_without_a_daemon_it_goes_by_the_channel_at_once(void **state)
{
	struct world *w = *state;

	small(w, 1);
	small(w, 2);
	hang_up(w, 0);
	progress(w->ctx[0]);
	assert_int_equal(count(w, 0, SHM_COUNT_resent), 2);
	small(w, 3);
	for (int i = 1; i <= 3; i++)
		expect(w, i);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 2);
}

static void test_finalize_without_a_daemon_loses_nothing(void **state)
{
	struct world *w = *state;

	small(w, 1);
	shutdown(w->daemon[0], SHUT_RDWR);
	assert_int_equal(snoo_finalize(w->ctx[0]), 0);
	w->ctx[0] = NULL;
	expect(w, 1);
}

static _Atomic bool finalized;

static void *finalize(void *ctx)
{
	int ret = snoo_finalize(ctx);

	finalized = true;
	return (void *)(intptr_t)ret;
}

/* Nor if the receiver has to make room first: it was sent, once and for all. */
static void test_finalize_without_a_daemon_waits_for_room(void **state)
{
	struct world *w = *state;
	struct snoo *ctx = w->ctx[0];
	const struct snoo_abi_rank *there = shm_region_rank(&w->region, 0);
	pthread_t thread;
	int n = 0, got;
	void *ret;

	regs_of(w, 0)->on = false;
	do
		small(w, n++);
	while (channel_room(ctx, &ctx->peers[1]));
	regs_of(w, 0)->on = true;
	small(w, n);
	assert_int_equal(count(w, 0, SHM_COUNT_sent_mailbox), 1);
	shutdown(w->daemon[0], SHUT_RDWR);
	w->ctx[0] = NULL;
	finalized = false;
	assert_int_equal(pthread_create(&thread, NULL, finalize, ctx), 0);
	while (!finalized && there->call != SNOO_ABI_CALL_FINALIZE)
		sched_yield();
	snoo_set_timeout(w->ctx[1], INT64_C(5000000000));
	for (int i = 0; i <= n; i++) {
		assert_int_equal(snoo_recv(w->ctx[1], &got, sizeof(got), 0,
					   SNOO_ANY_TAG, NULL), 0);
		assert_int_equal(got, i);
	}
	pthread_join(thread, &ret);
	assert_null(ret);
}

/* But one that takes nothing does not keep us for ever. */
static void test_finalize_without_a_daemon_ends(void **state)
{
	struct world *w = *state;
	struct snoo *ctx = w->ctx[0];

	regs_of(w, 0)->on = false;
	do
		small(w, 0);
	while (channel_room(ctx, &ctx->peers[1]));
	regs_of(w, 0)->on = true;
	small(w, 0);
	shutdown(w->daemon[0], SHUT_RDWR);
	w->ctx[0] = NULL;
	assert_int_equal(snoo_finalize(ctx), 0);
}

static void test_finalize_leaves_it_to_the_daemon(void **state)
{
	struct world *w = *state;

	small(w, 1);
	assert_int_equal(snoo_finalize(w->ctx[0]), 0);
	w->ctx[0] = NULL;
	expect_none(w);
	carrier_move(&carrier);
	expect(w, 1);
}

static void test_a_forked_child_touches_nothing(void **state)
{
	struct world *w = *state;
	int status, x = 1;
	pid_t pid;

	small(w, 1);
	pid = fork();
	if (pid == 0) {
		int ret = snoo_send(w->ctx[0], &x, 4, 1, 1);

		/* Nor does leaving: the pool is not mapped here. */
		if (snoo_finalize(w->ctx[0]) != -ESTALE)
			_exit(2);
		_exit(ret == -ESTALE ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(carrier_move(&carrier), 1);
	expect(w, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_every_length_that_fits_goes_by_registers),
		T(test_the_daemon_says_how_long),
		T(test_nothing_to_those_whom_it_does_not_reach),
		T(test_what_finds_no_room_goes_by_the_channel),
		T(test_nothing_overtakes_an_unpublished_envelope),
		T(test_look_is_said_to_a_service_that_sleeps),
		T(test_look_is_said_when_lines_are_given_back),
		T(test_look_is_said_later_if_the_socket_is_full),
		T(test_what_stands_still_goes_again_by_the_channel),
		T(test_a_sleep_ends_when_it_has_stood_still),
		T(test_what_moves_does_not_stand_still),
		T(test_what_is_delivered_at_last_is_not_sent_again),
		T(test_a_receiver_that_takes_nothing_holds_up_nobody),
		T(test_a_peer_that_dies_is_sent_nothing_again),
		T(test_a_new_daemon_says_whether_it_carries),
		T(test_a_new_daemon_delivers_again),
		T(test_without_a_daemon_it_goes_by_the_channel_at_once),
		T(test_finalize_without_a_daemon_loses_nothing),
		T(test_finalize_without_a_daemon_waits_for_room),
		T(test_finalize_without_a_daemon_ends),
		T(test_finalize_leaves_it_to_the_daemon),
		T(test_a_forked_child_touches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
