/* SPDX-License-Identifier: MIT */
/* test_arena.c - random takes and gives against a plain model, and reopening */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <snoo/abi.h>

#include "daemon/arena.h"

#define RANKS	8u
#define POOL	(UINT64_C(8) << 20)
#define UNIT	((uint64_t)SNOO_ABI_UNIT)

struct fixture {
	struct ledger *ledger;
	struct arena *arena;
	struct pool_zone zone[2];
	uint32_t nzones;
	uint32_t units;
	/* The model: one entry for each piece that we have. */
	struct {
		uint32_t unit;
		uint64_t bytes;
		struct arena_want want;
	} have[4096];
	unsigned int nhave;
	uint32_t seed;
};

static uint32_t random32(struct fixture *f)
{
	f->seed ^= f->seed << 13;
	f->seed ^= f->seed >> 17;
	f->seed ^= f->seed << 5;
	return f->seed;
}

static void check(struct fixture *f)
{
	char why[LEDGER_TEXT] = "";

	if (arena_check(f->arena, why))
		fail_msg("%s", why);
}

static void open_arena(struct fixture *f)
{
	char why[LEDGER_TEXT];

	assert_int_equal(arena_open(&f->arena, f->ledger, f->zone, f->nzones,
				    why), 0);
	check(f);
}

static int setup_zones(void **state, uint32_t nzones)
{
	const struct ledger_params params = {
		.name = "arena", .pool_size = POOL, .nranks = RANKS,
	};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->seed = 12345;
	assert_int_equal(ledger_create(&f->ledger, &params), 0);
	f->units = ledger_head(f->ledger)->arena_units;
	/* Neither the arena nor the zones are powers of two. */
	assert_true((f->units & (f->units - 1)) != 0);
	f->nzones = nzones;
	f->zone[0].units = nzones == 1 ? f->units : 517;
	f->zone[1].first = 517;
	f->zone[1].units = f->units - 517;
	f->zone[1].node = 1;
	open_arena(f);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_zones(state, 1);
}

static int setup_two(void **state)
{
	return setup_zones(state, 2);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	arena_close(f->arena);
	ledger_close(f->ledger);
	free(f);
	return 0;
}

/* A new daemon: the ledger from its fd, the arena from the ledger. */
static void reopen(struct fixture *f)
{
	char why[LEDGER_TEXT];
	int fd = dup(ledger_fd(f->ledger));

	arena_close(f->arena);
	ledger_close(f->ledger);
	assert_int_equal(ledger_open(&f->ledger, fd, why), 0);
	open_arena(f);
}

static struct arena_want want(uint64_t bytes)
{
	return (struct arena_want){
		.bytes = bytes, .kind = ARENA_RING, .owner = 1,
		.instance = 3, .node = ARENA_ANY_NODE,
	};
}

static void test_a_piece_has_what_was_asked_for(void **state)
{
	struct fixture *f = *state;
	struct arena_want w = want(3 * UNIT + 1);
	struct arena_piece p;
	uint32_t unit;

	assert_int_equal(arena_take(f->arena, &w, &unit), 4 * UNIT);
	assert_int_equal(unit % 4, 0);
	assert_int_equal(arena_owner(f->arena, unit, &p), 0);
	assert_int_equal(p.kind, ARENA_RING);
	assert_int_equal(p.owner, 1);
	assert_int_equal(p.instance, 3);
	assert_int_equal(p.order, 2);
	assert_int_equal(arena_owner(f->arena, unit + 1, &p), -ENOENT);
	assert_int_equal(arena_owner(f->arena, f->units, &p), -ENOENT);
	assert_int_equal(arena_give(f->arena, unit + 1), -ENOENT);
	assert_int_equal(arena_give(f->arena, unit), 0);
	assert_int_equal(arena_give(f->arena, unit), -ENOENT);
	assert_int_equal(arena_give(f->arena, UINT32_MAX), -ENOENT);
}

static void test_impossible_wishes_take_nothing(void **state)
{
	struct fixture *f = *state;
	struct arena_want w;
	uint64_t before = arena_free_bytes(f->arena);
	uint32_t unit;

	w = want(0);
	assert_int_equal(arena_take(f->arena, &w, &unit), -EINVAL);
	assert_int_equal(unit, ARENA_NONE);
	w = want(UINT64_MAX);
	assert_int_equal(arena_take(f->arena, &w, &unit), -EINVAL);
	w = want(1);
	w.owner = RANKS;
	assert_int_equal(arena_take(f->arena, &w, &unit), -EINVAL);
	w = want(1);
	w.kind = ARENA_KINDS;
	assert_int_equal(arena_take(f->arena, &w, &unit), -EINVAL);
	w = want(arena_largest(f->arena) + 1);
	assert_int_equal(arena_take(f->arena, &w, &unit), -ENOSPC);
	assert_int_equal(arena_free_bytes(f->arena), before);
	check(f);
}

/* Every unit can be had, and all of them come together again. */
static void test_the_last_unit_can_be_taken_and_all_joins_again(void **state)
{
	struct fixture *f = *state;
	struct arena_want w = want(UNIT);
	struct arena_stats before, after;
	uint32_t unit;

	arena_stats(f->arena, &before);
	for (uint32_t i = 0; i < f->units; i++)
		assert_int_equal(arena_take(f->arena, &w, &unit), UNIT);
	assert_int_equal(arena_take(f->arena, &w, &unit), -ENOSPC);
	assert_int_equal(arena_free_bytes(f->arena), 0);
	assert_int_equal(arena_largest(f->arena), 0);
	check(f);
	/* In an order that joins nothing for long: odd units first. */
	for (uint32_t i = 1; i < f->units; i += 2)
		assert_int_equal(arena_give(f->arena, i), 0);
	for (uint32_t i = 0; i < f->units; i += 2)
		assert_int_equal(arena_give(f->arena, i), 0);
	check(f);
	arena_stats(f->arena, &after);
	assert_int_equal(after.free, before.free);
	assert_int_equal(after.largest, before.largest);
	assert_memory_equal(after.free_pieces, before.free_pieces,
			    sizeof(after.free_pieces));
	assert_int_equal(after.refused, 1);
}

static void model_take(struct fixture *f)
{
	struct arena_want w = {
		.bytes = 1 + random32(f) % (UNIT << random32(f) % 8),
		.kind = (enum arena_kind)(1 + random32(f) % (ARENA_KINDS - 1)),
		.owner = random32(f) % RANKS,
		.instance = random32(f),
		.node = random32(f) % 3,
	};
	uint64_t largest = arena_largest(f->arena);
	uint32_t unit;
	int64_t got;

	if (f->nhave == sizeof(f->have) / sizeof(f->have[0]))
		return;
	got = arena_take(f->arena, &w, &unit);
	if (got < 0) {
		assert_int_equal(got, -ENOSPC);
		assert_true(largest < w.bytes);
		return;
	}
	assert_true((uint64_t)got >= w.bytes && (uint64_t)got <= largest);
	assert_int_equal((uint64_t)unit * UNIT % (uint64_t)got, 0);
	assert_true((uint64_t)unit * UNIT + (uint64_t)got <=
		    (uint64_t)f->units * UNIT);
	for (unsigned int i = 0; i < f->nhave; i++)
		assert_true(f->have[i].unit + f->have[i].bytes / UNIT <= unit ||
			    unit + (uint64_t)got / UNIT <= f->have[i].unit);
	f->have[f->nhave].unit = unit;
	f->have[f->nhave].bytes = (uint64_t)got;
	f->have[f->nhave].want = w;
	f->nhave++;
}

static void model_give(struct fixture *f)
{
	unsigned int i;

	if (f->nhave == 0)
		return;
	i = random32(f) % f->nhave;
	assert_int_equal(arena_give(f->arena, f->have[i].unit), 0);
	f->have[i] = f->have[--f->nhave];
}

static void compare(struct fixture *f)
{
	struct arena_stats s;
	uint64_t used = 0;

	for (unsigned int i = 0; i < f->nhave; i++) {
		struct arena_piece p;

		assert_int_equal(arena_owner(f->arena, f->have[i].unit, &p),
				 0);
		assert_int_equal(p.kind, f->have[i].want.kind);
		assert_int_equal(p.owner, f->have[i].want.owner);
		assert_int_equal(p.instance,
				 f->have[i].want.instance & 0x3fffff);
		assert_int_equal(arena_piece_bytes(p.order),
				 f->have[i].bytes);
		used += f->have[i].bytes;
	}
	arena_stats(f->arena, &s);
	assert_int_equal(s.free + used, s.bytes);
	for (uint32_t owner = 0; owner < 2 * RANKS; owner++) {
		struct arena_use use[ARENA_KINDS];
		uint64_t bytes = 0, expect = 0;

		arena_owned(f->arena, owner & 1, owner / 2, use);
		for (int k = 0; k < ARENA_KINDS; k++)
			bytes += use[k].bytes;
		for (unsigned int i = 0; i < f->nhave; i++)
			if (f->have[i].want.owner == owner / 2 &&
			    (f->have[i].want.kind == ARENA_JOB) == (owner & 1))
				expect += f->have[i].bytes;
		assert_int_equal(bytes, expect);
	}
	check(f);
}

static void test_random_use_agrees_with_the_model(void **state)
{
	struct fixture *f = *state;

	for (unsigned int round = 0; round < 60; round++) {
		/* It fills and empties by turns. */
		uint32_t bias = round / 10 % 2 ? 35 : 65;

		for (unsigned int i = 0; i < 100; i++) {
			if (random32(f) % 100 < bias)
				model_take(f);
			else
				model_give(f);
		}
		compare(f);
		if (round % 3 == 0) {
			reopen(f);
			compare(f);
		}
	}
}

static void test_all_of_an_owner_comes_back_at_once(void **state)
{
	struct fixture *f = *state;
	struct arena_want rank = want(2 * UNIT);
	struct arena_want job = want(2 * UNIT);
	uint64_t before = arena_free_bytes(f->arena);
	struct arena_use use[ARENA_KINDS];
	uint32_t unit;
	unsigned int n = 0;

	job.kind = ARENA_JOB;
	for (unsigned int i = 0; i < 20; i++) {
		assert_true(arena_take(f->arena, &rank, &unit) > 0);
		assert_true(arena_take(f->arena, &job, &unit) > 0);
	}
	for (uint32_t u = arena_first(f->arena, false, 1); u != ARENA_NONE;
	     u = arena_next(f->arena, u))
		n++;
	assert_int_equal(n, 20);
	/* The same number names two owners: a rank slot and a job cell. */
	assert_int_equal(arena_give_all(f->arena, false, 1), 20);
	arena_owned(f->arena, true, 1, use);
	assert_int_equal(use[ARENA_JOB].pieces, 20);
	assert_int_equal(arena_give_all(f->arena, true, 1), 20);
	assert_int_equal(arena_give_all(f->arena, true, 1), 0);
	assert_int_equal(arena_free_bytes(f->arena), before);
	assert_int_equal(arena_first(f->arena, true, RANKS), ARENA_NONE);
	check(f);
}

static void test_the_preferred_node_comes_first(void **state)
{
	struct fixture *f = *state;
	struct arena_want w = want(16 * UNIT);
	struct arena_piece p;
	uint32_t unit;
	bool spilled = false;

	w.node = 1;
	while (arena_take(f->arena, &w, &unit) > 0) {
		assert_int_equal(arena_owner(f->arena, unit, &p), 0);
		if (p.node == 0)
			spilled = true;
		else
			assert_false(spilled);
		assert_int_equal(p.node, unit >= 517);
	}
	assert_true(spilled);
	check(f);
}

/* Zones are a preference: what was taken under others is still whole. */
static void test_other_zones_read_the_same_map(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < 200; i++)
		model_take(f);
	f->nzones = 2;
	f->zone[0].units = 517;
	reopen(f);
	compare(f);
	while (f->nhave > 0)
		model_give(f);
	compare(f);
}

static void test_a_damaged_map_is_refused(void **state)
{
	static const struct {
		uint32_t unit;
		uint64_t word;
		const char *word_in_why;
	} bad[] = {
		{ 8, UINT64_C(15) << 60, "kind" },
		{ 8, UINT64_C(1) << 60 | UINT64_C(60) << 54, "order" },
		{ 9, UINT64_C(1) << 60 | UINT64_C(1) << 54, "aligned" },
		{ 8, UINT64_C(1) << 60 | (uint64_t)RANKS << 30, "belongs" },
		{ 16, UINT64_C(1) << 60, "inside" },
	};
	struct fixture *f = *state;
	struct arena_want w = want(32 * UNIT);
	struct arena *other;
	char why[LEDGER_TEXT];
	uint32_t unit;
	uint64_t raw;
	off_t at;

	assert_true(arena_take(f->arena, &w, &unit) > 0);
	at = (off_t)(ledger_head(f->ledger)->map_off + unit * sizeof(raw));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		/* The last one inside our piece, the others far from it. */
		uint32_t u = bad[i].unit + (i == 4 ? unit :
					    unit >= 512 ? 64 : 640);

		ledger_put_map(f->ledger, u, bad[i].word);
		assert_int_equal(arena_open(&other, f->ledger, f->zone,
					    f->nzones, why), -EBADMSG);
		assert_null(other);
		assert_non_null(strstr(why, bad[i].word_in_why));
		assert_int_equal(arena_check(f->arena, why), -EBADMSG);
		ledger_put_map(f->ledger, u, 0);
	}
	check(f);
	assert_int_equal(pread(ledger_fd(f->ledger), &raw, 8, at), 8);
	raw ^= 1u << 20;
	assert_int_equal(pwrite(ledger_fd(f->ledger), &raw, 8, at), 8);
	assert_int_equal(arena_open(&other, f->ledger, f->zone, f->nzones,
				    why), -EBADMSG);
	raw ^= 1u << 20;
	assert_int_equal(pwrite(ledger_fd(f->ledger), &raw, 8, at), 8);
	check(f);
}

static void test_zones_must_cover_the_arena(void **state)
{
	struct fixture *f = *state;
	struct pool_zone z = f->zone[0];
	struct arena *other;
	char why[LEDGER_TEXT];

	z.units--;
	assert_int_equal(arena_open(&other, f->ledger, &z, 1, why), -EINVAL);
	z.units += 2;
	assert_int_equal(arena_open(&other, f->ledger, &z, 1, why), -EINVAL);
	assert_int_equal(arena_open(&other, f->ledger, &z, 0, why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name, up) cmocka_unit_test_setup_teardown(name, up, teardown)
		T(test_a_piece_has_what_was_asked_for, setup),
		T(test_impossible_wishes_take_nothing, setup),
		T(test_the_last_unit_can_be_taken_and_all_joins_again, setup),
		T(test_the_last_unit_can_be_taken_and_all_joins_again,
		  setup_two),
		T(test_random_use_agrees_with_the_model, setup),
		T(test_random_use_agrees_with_the_model, setup_two),
		T(test_all_of_an_owner_comes_back_at_once, setup),
		T(test_the_preferred_node_comes_first, setup_two),
		T(test_other_zones_read_the_same_map, setup),
		T(test_a_damaged_map_is_refused, setup),
		T(test_zones_must_cover_the_arena, setup),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
