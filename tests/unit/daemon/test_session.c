/* SPDX-License-Identifier: MIT */
/* test_session.c - what a client may say when, and what it costs whom */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/lib/home.h"

static int setup(void **state)
{
	struct home *h = malloc(sizeof(*h));

	*state = h;
	return home_open(h, NULL);
}

static int teardown(void **state)
{
	home_close(*state);
	free(*state);
	return 0;
}

static void attach(struct home *h, struct fakerank *f, const char *name,
		   int32_t rank, uint32_t size)
{
	int ret;

	home_rank(h, f);
	ret = fakerank_attach(f, h->path, name, 0, rank, size);
	if (ret)
		fail_msg("attach: %d %s", ret, f->error.text);
}

static void expect_error(struct fakerank *f, int error, const char *text)
{
	assert_int_equal(fakerank_until(f, SNOO_WIRE_ERROR), SNOO_WIRE_ERROR);
	assert_int_equal(f->error.error, error);
	if (!strstr(f->error.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, f->error.text);
	assert_int_equal(fakerank_recv(f, true), 0);
}

/* A rank of a job of one gets everything that the drawing in wire.h says. */
static void test_one_rank_attaches_and_leaves(void **state)
{
	struct home *h = *state;
	struct fakerank f;

	attach(h, &f, "alone", 0, 1);
	assert_int_equal(f.welcome.rank, 0);
	assert_int_equal(f.welcome.size, 1);
	assert_int_equal(f.welcome.open_job, 0);
	assert_int_equal(f.slot->rank, 0);
	assert_int_equal(f.slot->instance, f.welcome.instance);
	assert_int_equal(fakerank_until(&f, SNOO_WIRE_START), SNOO_WIRE_START);
	assert_int_equal(f.rings, 2);
	assert_true(f.blocks >= 2);
	assert_true(f.slot->news >= 4);
	assert_int_equal(fakerank_leave(&f), 0);
	fakerank_close(&f);
	home_settle(h);
	assert_int_equal(h->d->ranks, 0);
	assert_int_equal(h->d->jobs, 0);
	assert_int_equal(arena_free_bytes(h->d->arena),
			 (uint64_t)h->d->pool.region.arena_units * 4096);
}

/* Measured by main.c, which is not here: what it has found is passed on. */
static void check_costs(struct home *h, uint32_t spin_ns, uint32_t fixed)
{
	struct fakerank f;

	attach(h, &f, "costs", 0, 1);
	assert_int_equal(f.welcome.wake_ns, h->sh.costs.wake_ns);
	assert_int_equal(f.welcome.yield_ns, h->sh.costs.yield_ns);
	assert_int_equal(f.welcome.hand_ns, h->sh.costs.hand_ns);
	assert_int_equal(f.welcome.spin_ns, spin_ns);
	assert_int_equal(f.welcome.spin_fixed, fixed);
	assert_int_equal(fakerank_leave(&f), 0);
	fakerank_close(&f);
	home_settle(h);
}

static void test_a_rank_is_told_what_waiting_costs(void **state)
{
	struct home *h = *state;

	check_costs(h, costs_spin_ns(&h->sh.costs), 0);
	h->sh.costs = (struct costs){ .wake_ns = 10000, .yield_ns = 1000,
				      .hand_ns = 2000 };
	check_costs(h, 40000, 0);
	h->sh.conf->domains[0].spin_us = 7;
	check_costs(h, 7000, 1);
	h->sh.conf->domains[0].spin_us = 0;
	check_costs(h, 0, 1);
}

static void test_start_comes_when_all_are_there(void **state)
{
	struct home *h = *state;
	struct fakerank f[3];

	for (int i = 0; i < 3; i++) {
		attach(h, &f[i], "three", -1, 3);
		assert_int_equal(f[i].welcome.rank, i);
		home_settle(h);
		while (fakerank_recv(&f[0], false) > 0)
			;
		assert_int_equal(f[0].started, i == 2);
	}
	for (int i = 1; i < 3; i++)
		assert_int_equal(fakerank_until(&f[i], SNOO_WIRE_START),
				 SNOO_WIRE_START);
	for (int i = 0; i < 3; i++)
		fakerank_close(&f[i]);
	home_bury(h);
	assert_int_equal(h->d->ranks, 0);
}

static void test_silent_client_is_disconnected(void **state)
{
	struct home *h = *state;
	struct fakerank f, other;

	h->sh.conf->limits.handshake_ms = 10;
	home_rank(h, &f);
	assert_int_equal(fakerank_connect(&f, h->path), 0);
	expect_error(&f, ETIMEDOUT, "no HELLO came within 10 ms");
	fakerank_close(&f);
	h->sh.conf->limits.handshake_ms = 2000;
	attach(h, &other, "after", 0, 1);
	fakerank_close(&other);
}

/* It may sit there, and others come and go. */
static void test_silent_clients_block_nobody(void **state)
{
	struct home *h = *state;
	struct fakerank silent[40], f;

	for (int i = 0; i < 40; i++) {
		home_rank(h, &silent[i]);
		assert_int_equal(fakerank_connect(&silent[i], h->path), 0);
	}
	attach(h, &f, "quick", 0, 1);
	assert_int_equal(fakerank_leave(&f), 0);
	fakerank_close(&f);
	for (int i = 0; i < 40; i++)
		fakerank_close(&silent[i]);
}

/* One WELCOME of a uid is unread: the next waits, and then goes on. */
static void test_handshakes_of_one_uid_come_one_by_one(void **state)
{
	struct home *h = *state;
	struct snoo_wire_hello hello;
	struct fakerank f[2];

	for (int i = 0; i < 2; i++) {
		home_rank(h, &f[i]);
		assert_int_equal(fakerank_connect(&f[i], h->path), 0);
		fakerank_hello_init(&hello, "pair", 0, i, 2);
		assert_int_equal(fakerank_send(&f[i], &hello, sizeof(hello)),
				 0);
		home_settle(h);
	}
	assert_int_equal(fakerank_recv(&f[1], false), -EAGAIN);
	assert_int_equal(fakerank_until(&f[0], SNOO_WIRE_WELCOME),
			 SNOO_WIRE_WELCOME);
	assert_int_equal(fakerank_pinned(&f[0]), 0);
	assert_int_equal(fakerank_until(&f[1], SNOO_WIRE_WELCOME),
			 SNOO_WIRE_WELCOME);
	fakerank_close(&f[0]);
	fakerank_close(&f[1]);
}

static void test_no_more_of_one_uid_wait_than_there_are_ranks(void **state)
{
	static const char *const sets[] = {
		"domains.default.ranks_max=4",
		"domains.default.job_ranks_max=4", NULL,
	};
	struct snoo_wire_hello hello;
	struct fakerank f[6];
	struct home h;

	(void)state;
	assert_int_equal(home_open(&h, sets), 0);
	for (int i = 0; i < 6; i++) {
		home_rank(&h, &f[i]);
		assert_int_equal(fakerank_connect(&f[i], h.path), 0);
		fakerank_hello_init(&hello, "crowd", 0, -1, 4);
		assert_int_equal(fakerank_send(&f[i], &hello, sizeof(hello)),
				 0);
		home_settle(&h);
	}
	/* One is served, four wait. */
	expect_error(&f[5], EAGAIN, "wait");
	assert_int_equal(fakerank_recv(&f[4], false), -EAGAIN);
	for (int i = 0; i < 6; i++)
		fakerank_close(&f[i]);
	home_bury(&h);
	home_close(&h);
}

static void test_unanswered_welcome_has_a_deadline(void **state)
{
	struct home *h = *state;
	struct snoo_wire_hello hello;
	struct fakerank f;

	h->sh.conf->limits.handshake_ms = 10;
	home_rank(h, &f);
	assert_int_equal(fakerank_connect(&f, h->path), 0);
	fakerank_hello_init(&hello, "frozen", 0, 0, 1);
	assert_int_equal(fakerank_send(&f, &hello, sizeof(hello)), 0);
	assert_int_equal(fakerank_until(&f, SNOO_WIRE_WELCOME),
			 SNOO_WIRE_WELCOME);
	expect_error(&f, ETIMEDOUT, "WELCOME was not answered");
	fakerank_close(&f);
}

struct bad {
	const char *what;
	uint32_t type, length;		/* as said in the head */
	size_t bytes;			/* as sent */
	int error;
	const char *text;
};

static void try_bad(struct home *h, const struct bad *b, bool attached)
{
	union {
		struct snoo_wire_head head;
		unsigned char bytes[8192];
	} m;
	struct fakerank f, witness;

	memset(&m, 0, sizeof(m));
	m.head.type = b->type;
	m.head.length = b->length;
	attach(h, &witness, "witness", 0, 1);
	if (attached) {
		attach(h, &f, "bad", 0, 1);
	} else {
		home_rank(h, &f);
		assert_int_equal(fakerank_connect(&f, h->path), 0);
	}
	assert_int_equal(fakerank_send(&f, &m, b->bytes), 0);
	expect_error(&f, b->error, b->text);
	fakerank_close(&f);
	/* Nobody else has noticed. */
	assert_int_equal(fakerank_leave(&witness), 0);
	fakerank_close(&witness);
}

static void test_malformed_messages_before_hello(void **state)
{
	static const struct bad bad[] = {
		{ "short", 1, 4, 4, EPROTO, "says it has 0" },
		{ "lie", SNOO_WIRE_HELLO, 99, 16, EPROTO, "says it has 99" },
		{ "big", SNOO_WIRE_HELLO, 8192, 8192, EMSGSIZE, "4096" },
		{ "magic", SNOO_WIRE_HELLO, 264, 264, EPROTO, "magic" },
		{ "need", SNOO_WIRE_NEED, 24, 24, EPROTO, "state \"new\"" },
		{ "leave", SNOO_WIRE_LEAVE, 8, 8, EPROTO, "state \"new\"" },
		{ "zero", 0, 8, 8, EPROTO, "type 0" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		try_bad(*state, &bad[i], false);
}

static void test_malformed_messages_of_a_rank(void **state)
{
	static const struct bad bad[] = {
		{ "need", SNOO_WIRE_NEED, 16, 16, EPROTO, "instead of 24" },
		{ "ack", SNOO_WIRE_ACK, 8, 8, EPROTO, "instead of 16" },
		{ "state", SNOO_WIRE_STATE, 48, 48, EPROTO, "RESUMED" },
		{ "leave", SNOO_WIRE_LEAVE, 12, 12, EPROTO, "instead of 8" },
		{ "type", 99, 8, 8, EPROTO, "unknown type 99" },
		{ "ours", SNOO_WIRE_GONE, 24, 24, EPROTO, "unknown type" },
		{ "hello", SNOO_WIRE_HELLO, 264, 264, EPROTO, "second HELLO" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		try_bad(*state, &bad[i], true);
}

static void test_ack_of_the_future_is_refused(void **state)
{
	struct home *h = *state;
	struct fakerank f;

	attach(h, &f, "future", 0, 1);
	assert_int_equal(fakerank_ack(&f, 7), 0);
	expect_error(&f, EPROTO, "ACK of epoch 7");
	fakerank_close(&f);
}

static void test_other_versions_are_refused(void **state)
{
	struct home *h = *state;
	struct snoo_wire_hello hello;
	struct fakerank f;

	home_rank(h, &f);
	assert_int_equal(fakerank_connect(&f, h->path), 0);
	fakerank_hello_init(&hello, "v", 0, 0, 1);
	hello.major = SNOO_WIRE_MAJOR + 1;
	/* A later HELLO may be longer or shorter: its head is frozen. */
	hello.head.length = 16;
	assert_int_equal(fakerank_send(&f, &hello, 16), 0);
	expect_error(&f, EPROTONOSUPPORT, "version 1.");
	fakerank_close(&f);
}

/* A client that sends and never reads is cut off; its partner goes on. */
static void test_client_that_does_not_read_is_cut_off(void **state)
{
	struct home *h = *state;
	struct fakerank deaf, f;
	int small = 1;

	attach(h, &deaf, "deaf", 0, 1);
	for (struct session *s = h->d->sessions; s; s = s->next)
		setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &small,
			   sizeof(small));
	for (int i = 0; i < 4000 && h->d->ranks; i++) {
		struct rank *r = NULL;

		for (uint32_t k = 0; k < h->d->nranks; k++)
			if (h->d->rank[k])
				r = h->d->rank[k];
		if (!r->session)
			break;
		/* Taken back each time, so that there is always one more. */
		r->rings[SMALL] = 0;
		fakerank_need(&deaf, 1, 0, 0);
		home_step(h);
	}
	home_settle(h);
	for (uint32_t k = 0; k < h->d->nranks; k++)
		assert_true(!h->d->rank[k] || !h->d->rank[k]->session);
	attach(h, &f, "next", 0, 1);
	assert_int_equal(fakerank_leave(&f), 0);
	fakerank_close(&f);
	fakerank_close(&deaf);
}

static void test_ranks_are_told_that_the_daemon_stops(void **state)
{
	struct home h;
	struct fakerank f;

	(void)state;
	assert_int_equal(home_open(&h, NULL), 0);
	attach(&h, &f, "stop", 0, 1);
	domain_close(h.d, DOMAIN_STOP);
	f.pump = NULL;
	expect_error(&f, ESHUTDOWN, "the daemon stops");
	h.d = NULL;
	home_close(&h);
	fakerank_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_one_rank_attaches_and_leaves),
		T(test_a_rank_is_told_what_waiting_costs),
		T(test_start_comes_when_all_are_there),
		T(test_silent_client_is_disconnected),
		T(test_silent_clients_block_nobody),
		T(test_handshakes_of_one_uid_come_one_by_one),
		cmocka_unit_test(
			test_no_more_of_one_uid_wait_than_there_are_ranks),
		T(test_unanswered_welcome_has_a_deadline),
		T(test_malformed_messages_before_hello),
		T(test_malformed_messages_of_a_rank),
		T(test_ack_of_the_future_is_refused),
		T(test_other_versions_are_refused),
		T(test_client_that_does_not_read_is_cut_off),
		cmocka_unit_test(test_ranks_are_told_that_the_daemon_stops),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
