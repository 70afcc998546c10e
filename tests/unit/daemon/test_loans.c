/* SPDX-License-Identifier: MIT */
/* test_loans.c - blocks for loans: who gets one, and when it comes back */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/loans.h"
#include "shm/block.h"
#include "tests/lib/home.h"

#define MIB (UINT64_C(1) << 20)

static const char *const sets[] = {
	"domains.default.pool.size_bytes=16M",
	NULL,
};

static int setup(void **state)
{
	struct home *h = malloc(sizeof(*h));

	*state = h;
	return home_open(h, sets);
}

static int teardown(void **state)
{
	home_close(*state);
	free(*state);
	return 0;
}

static void attach(struct home *h, struct fakerank *f, const char *job)
{
	home_rank(h, f);
	assert_int_equal(fakerank_attach(f, h->path, job, 0, 0, 1), 0);
}

static struct rank *rank_of(struct home *h, const struct fakerank *f)
{
	return h->d->rank[f->welcome.slot];
}

/* Ask and hear; 0 or the error. */
static int ask(struct fakerank *f, uint64_t bytes, struct snoo_wire_lent *out)
{
	static uint32_t serial;
	struct snoo_wire_loan m = {
		.head = { SNOO_WIRE_LOAN, sizeof(m) },
		.bytes = bytes,
		.serial = ++serial,
	};

	assert_int_equal(fakerank_send(f, &m, sizeof(m)), 0);
	assert_int_equal(fakerank_until(f, SNOO_WIRE_LENT), SNOO_WIRE_LENT);
	memcpy(out, f->msg.bytes, sizeof(*out));
	assert_int_equal(out->serial, serial);
	return out->error;
}

static struct snoo_abi_desc *desc(struct fakerank *f, uint32_t unit)
{
	return shm_region_desc(&f->region, unit);
}

static void hold(struct fakerank *f, struct snoo_wire_lent *m)
{
	assert_int_equal(shm_block_take(desc(f, m->unit), f->welcome.slot,
					m->generation, &m->generation),
			 0);
}

static void release(struct fakerank *f, const struct snoo_wire_lent *m)
{
	assert_true(shm_block_give(desc(f, m->unit), f->welcome.slot,
				   m->generation));
}

static uint64_t lent(struct home *h)
{
	struct arena_stats s;

	arena_stats(h->d->arena, &s);
	return s.use[ARENA_LOAN].bytes;
}

static uint64_t half(struct home *h)
{
	return (uint64_t)h->d->pool.region.arena_units * 4096 / 2;
}

static void test_a_loan_is_one_piece_of_the_arena(void **state)
{
	struct home *h = *state;
	struct snoo_wire_lent m;
	struct fakerank f;
	uint64_t word;

	attach(h, &f, "a");
	assert_int_equal(ask(&f, 1, &m), 0);
	assert_int_equal(m.bytes, 4096);
	assert_int_equal(ask(&f, 4097, &m), 0);
	assert_int_equal(m.bytes, 8192);
	assert_int_equal(ask(&f, MIB, &m), 0);
	assert_int_equal(m.bytes, MIB);
	word = shm_block_look(desc(&f, m.unit));
	assert_int_equal(block_state(word), SNOO_ABI_BLOCK_FREE);
	assert_int_equal(block_home(word), f.welcome.slot);
	assert_int_equal(block_generation(word), m.generation);
	assert_int_equal(shm_block_bytes(desc(&f, m.unit)), MIB);
	assert_int_equal(lent(h), 4096 + 8192 + MIB);
	assert_int_equal(rank_of(h, &f)->loan_bytes, lent(h));
	fakerank_close(&f);
	home_bury(h);
	assert_int_equal(lent(h), 0);
}

/* Half of the arena, in pieces of 2^n: 4 MiB of a pool of 16; the answer comes
 * at once, also if it is no. */
static void test_a_loan_that_is_too_large_fails(void **state)
{
	static const uint64_t sizes[] = {
		8 * MIB,    16 * MIB, SNOO_ABI_SIZE_MAX, SNOO_ABI_SIZE_MAX + 1,
		UINT64_MAX,
	};
	struct home *h = *state;
	struct snoo_wire_lent m;
	struct fakerank f;

	attach(h, &f, "a");
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(ask(&f, sizes[i], &m), ENOMEM);
		assert_int_equal(m.bytes, 0);
	}
	assert_int_equal(ask(&f, 4 * MIB, &m), 0);
	hold(&f, &m);
	assert_int_equal(ask(&f, 4 * MIB, &m), ENOMEM);
	assert_int_equal(ask(&f, 2 * MIB, &m), 0);
	fakerank_close(&f);
}

/* Copies have room, whatever is lent. */
static void test_loans_leave_half_to_copies(void **state)
{
	struct home *h = *state;
	struct snoo_wire_lent m;
	struct fakerank f, g;

	attach(h, &f, "a");
	while (ask(&f, 65536, &m) == 0)
		hold(&f, &m);
	assert_true(lent(h) <= half(h));
	assert_true(lent(h) > half(h) - 65536);
	attach(h, &g, "b");
	assert_int_equal(fakerank_until(&g, SNOO_WIRE_START), SNOO_WIRE_START);
	assert_true(g.blocks >= 2);
	fakerank_close(&g);
	fakerank_close(&f);
}

static void test_a_rank_has_so_many_and_no_more(void **state)
{
	struct home *h = *state;
	struct snoo_wire_lent m;
	struct fakerank f, g;
	uint32_t n = 0;

	attach(h, &f, "a");
	while (n <= LOANS_MAX && ask(&f, 1, &m) == 0) {
		hold(&f, &m);
		n++;
	}
	assert_int_equal(n, LOANS_MAX);
	attach(h, &g, "b");
	assert_int_equal(ask(&g, 1, &m), 0);
	fakerank_close(&f);
	fakerank_close(&g);
}

/* A free one is a convenience: it goes to who wants it, unasked. */
static void test_free_loans_go_to_others(void **state)
{
	struct home *h = *state;
	struct snoo_wire_lent m, busy;
	struct fakerank f, g;
	uint32_t generation;

	attach(h, &f, "a");
	attach(h, &g, "b");
	assert_int_equal(ask(&f, 2 * MIB, &busy), 0);
	hold(&f, &busy);
	assert_int_equal(ask(&f, 4 * MIB, &m), 0);
	assert_int_equal(lent(h), 6 * MIB);
	assert_int_equal(ask(&g, 4 * MIB, &m), 0);
	assert_int_equal(rank_of(h, &f)->loan_bytes, 2 * MIB);
	assert_int_equal(rank_of(h, &g)->loan_bytes, 4 * MIB);
	hold(&g, &m);
	/* Nothing of f's was touched that is lent on. */
	assert_int_equal(block_state(shm_block_look(desc(&f, busy.unit))),
			 SNOO_ABI_BLOCK_BUSY);
	assert_int_equal(ask(&f, 4 * MIB, &m), ENOMEM);
	release(&f, &busy);
	assert_int_equal(ask(&g, 2 * MIB, &m), 0);
	assert_int_equal(rank_of(h, &f)->loan_bytes, 0);
	assert_int_equal(shm_block_take(desc(&f, busy.unit), f.welcome.slot,
					busy.generation, &generation),
			 -ESTALE);
	fakerank_close(&f);
	fakerank_close(&g);
}

/* While the pool is short: those of one job have as much as those of another
 * one of its weight. */
static void test_a_short_pool_has_shares(void **state)
{
	struct home *h = *state;
	struct snoo_wire_lent m, own[64];
	struct fakerank f, g;
	unsigned int n = 0;

	attach(h, &f, "a");
	attach(h, &g, "b");
	while (n < 64 && ask(&f, MIB / 4, &own[n]) == 0)
		hold(&f, &own[n++]);
	assert_int_equal(n, half(h) / (MIB / 4));
	assert_int_equal(ask(&g, MIB / 4, &m), ENOMEM);
	assert_true(h->d->sched.contended);
	/* They come back one by one; f gets none while it has too much. */
	for (unsigned int i = 0; i < n; i++) {
		release(&f, &own[i]);
		if (rank_of(h, &f)->loan_bytes > half(h) / 2)
			assert_int_equal(ask(&f, MIB / 4, &m), ENOMEM);
		if (ask(&g, MIB / 4, &m) == 0)
			hold(&g, &m);
		/* A round or two, which are not to end it. */
		usleep(3000);
		home_settle(h);
		assert_true(h->d->sched.contended);
		sched_short(&h->d->sched, loop_now_ns());
	}
	assert_true(rank_of(h, &g)->loan_bytes <= half(h) / 2);
	assert_true(rank_of(h, &g)->loan_bytes > half(h) / 2 - MIB / 4);
	fakerank_close(&f);
	fakerank_close(&g);
}

static void test_a_dead_ranks_loans_stay_as_long_as_they_are_read(void **state)
{
	struct home *h = *state;
	struct snoo_wire_lent m[2];
	struct fakerank f, g;

	home_rank(h, &f);
	assert_int_equal(fakerank_attach(&f, h->path, "pair", 0, 0, 2), 0);
	home_rank(h, &g);
	assert_int_equal(fakerank_attach(&g, h->path, "pair", 0, 1, 2), 0);
	assert_int_equal(ask(&f, MIB, &m[0]), 0);
	assert_int_equal(ask(&f, MIB, &m[1]), 0);
	hold(&f, &m[0]);
	assert_int_equal(fakerank_leave(&f), 0);
	home_settle(h);
	/* The free one is back, the other one is in quarantine. */
	assert_int_equal(lent(h), MIB);
	assert_int_equal(fakerank_until(&g, SNOO_WIRE_GONE), SNOO_WIRE_GONE);
	home_settle(h);
	assert_int_equal(lent(h), MIB);
	assert_int_equal(fakerank_ack(&g, g.seen_gone), 0);
	home_settle(h);
	assert_int_equal(lent(h), 0);
	fakerank_close(&f);
	fakerank_close(&g);
}

/* What the last daemon took and did not grant is nobody's. */
static void test_adoption_takes_back_what_was_not_told(void **state)
{
	struct home *h = *state;
	struct arena_want want = { .bytes = MIB, .kind = ARENA_LOAN };
	struct snoo_wire_lent busy, m;
	struct fakerank f;
	struct rank *r;
	uint32_t unit;

	attach(h, &f, "a");
	r = rank_of(h, &f);
	assert_int_equal(ask(&f, MIB, &busy), 0);
	hold(&f, &busy);
	assert_int_equal(ask(&f, MIB, &m), 0);
	want.owner = r->slot;
	want.instance = r->led.instance;
	assert_true(arena_take(h->d->arena, &want, &unit) > 0);
	r->loans++;
	r->loan_bytes += MIB;
	loans_adopted(r);
	assert_int_equal(lent(h), MIB);
	assert_int_equal(r->loan_bytes, MIB);
	assert_int_equal(block_state(shm_block_look(desc(&f, busy.unit))),
			 SNOO_ABI_BLOCK_BUSY);
	fakerank_close(&f);
}

static void test_a_loan_of_the_wrong_length_ends_the_session(void **state)
{
	struct home *h = *state;
	struct snoo_wire_plain m = { { SNOO_WIRE_LOAN, sizeof(m) } };
	struct fakerank f;

	attach(h, &f, "a");
	assert_int_equal(fakerank_send(&f, &m, sizeof(m)), 0);
	assert_int_equal(fakerank_until(&f, SNOO_WIRE_ERROR), SNOO_WIRE_ERROR);
	assert_int_equal(f.error.error, EPROTO);
	fakerank_close(&f);
}

/* Descriptors are everybody's to write: the books stay right. */
static void test_spoilt_descriptors_harm_no_books(void **state)
{
	struct home *h = *state;
	char why[LEDGER_TEXT];
	struct snoo_wire_lent m;
	struct fakerank f;

	attach(h, &f, "liar");
	for (int i = 0; i < 8; i++) {
		assert_int_equal(ask(&f, MIB / 2, &m), 0);
		atomic_store(&desc(&f, m.unit)->word,
			     UINT64_MAX / (uint64_t)(i + 1));
	}
	loans_shrink(h->d);
	loans_adopted(rank_of(h, &f));
	assert_int_equal(arena_check(h->d->arena, why), 0);
	fakerank_close(&f);
	home_bury(h);
	assert_int_equal(arena_check(h->d->arena, why), 0);
	assert_int_equal(lent(h), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_loan_is_one_piece_of_the_arena),
		T(test_a_loan_that_is_too_large_fails),
		T(test_loans_leave_half_to_copies),
		T(test_a_rank_has_so_many_and_no_more),
		T(test_free_loans_go_to_others),
		T(test_a_short_pool_has_shares),
		T(test_a_dead_ranks_loans_stay_as_long_as_they_are_read),
		T(test_adoption_takes_back_what_was_not_told),
		T(test_a_loan_of_the_wrong_length_ends_the_session),
		T(test_spoilt_descriptors_harm_no_books),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
