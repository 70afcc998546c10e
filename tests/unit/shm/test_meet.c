/* SPDX-License-Identifier: MIT */
/* test_meet.c - all ranks of a job meet: shm/meet.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/meet.h"

#define ALONE	1, 2, 7, 8, 9, 16, 64, 65, 72, 73, 512, 513, 1024

struct fixture {
	struct shm_meet m;
	unsigned char *area;
	uint64_t bytes;
};

static void begin(struct fixture *f, uint32_t n)
{
	f->bytes = shm_meet_bytes(n);
	f->area = aligned_alloc(SNOO_ABI_PAIR, f->bytes + SNOO_ABI_PAIR);
	assert_non_null(f->area);
	memset(f->area, 0, f->bytes);
	memset(f->area + f->bytes, 0xa5, SNOO_ABI_PAIR);
	shm_meet_open(&f->m, f->area, n);
}

static void end(struct fixture *f)
{
	for (size_t i = 0; i < SNOO_ABI_PAIR; i++)
		assert_int_equal(f->area[f->bytes + i], 0xa5);
	free(f->area);
}

/* An order of @n ranks that differs with @seed. */
static uint32_t nth(uint32_t i, uint32_t n, uint32_t seed)
{
	static const uint32_t steps[] = { 1, 1021, 911, 769 };
	uint32_t step = steps[seed % 4];

	/* All primes: every rank once, unless n divides by it. */
	return n % step == 0 && step > 1 ? i :
	       (uint32_t)(((uint64_t)i * step + seed) % n);
}

/* Text of its order, so that any other order has another result. */
static void join(void *acc, const void *in, const void *arg)
{
	uint64_t *a = acc;
	const uint64_t *b = in;

	(void)arg;
	a[0] = a[0] * UINT64_C(0x100000001b3) + b[0];
}

static void test_the_last_one_learns_it_and_nobody_before(void **state)
{
	static const uint32_t sizes[] = { ALONE };

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		uint32_t n = sizes[s];
		struct fixture f;

		begin(&f, n);
		for (uint64_t number = 1; number <= 5; number++) {
			struct shm_meet_part part = {
				.number = number, .what = 1,
			};
			uint32_t at = 0;

			for (uint32_t i = 0; i < n; i++) {
				uint32_t r = nth(i, n, (uint32_t)number);

				assert_false(shm_meet_look(&f.m, number, &at));
				assert_false(shm_meet_there(&f.m, r, number));
				assert_int_equal(
					shm_meet_arrive(&f.m, r, &part),
					i + 1 == n);
				assert_true(shm_meet_there(&f.m, r, number));
			}
			assert_true(shm_meet_look(&f.m, number, &at));
			assert_true(shm_meet_each(&f.m, number));
			assert_int_equal(shm_meet_alike(&f.m, &part), 0);
		}
		end(&f);
	}
}

static void test_data_is_put_together_in_one_order_whoever_comes_last(void **state)
{
	static const uint32_t sizes[] = { ALONE };

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		uint32_t n = sizes[s];
		struct fixture f;
		uint64_t first = 0;

		begin(&f, n);
		for (uint64_t number = 1; number <= 4; number++) {
			struct shm_meet_part part = {
				.number = number, .what = 3, .bytes = 8,
				.len = 8, .fold = join,
			};
			uint64_t mine, all = 0;

			part.data = &mine;
			for (uint32_t i = 0; i < n; i++) {
				uint32_t r = nth(i, n, (uint32_t)number);

				mine = r + 17;
				shm_meet_arrive(&f.m, r, &part);
			}
			shm_meet_fold(&f.m, &part, &all);
			if (number == 1)
				first = all;
			assert_int_equal(all, first);
			for (uint32_t r = 0; r < n; r++) {
				shm_meet_read(&f.m, r, number, &mine, 8);
				assert_int_equal(mine, r + 17);
			}
		}
		end(&f);
	}
}

static void test_odd_lengths_come_back_whole(void **state)
{
	unsigned char out[SNOO_ABI_MEET_DATA], in[SNOO_ABI_MEET_DATA + 1];
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (unsigned char)(i * 7 + 1);
	begin(&f, 2);
	for (size_t n = 0; n <= sizeof(out); n++) {
		struct shm_meet_part part = {
			.number = n + 1, .what = 2, .bytes = n,
			.data = out, .len = n,
		};

		shm_meet_arrive(&f.m, 1, &part);
		memset(in, 0xee, sizeof(in));
		shm_meet_read(&f.m, 1, n + 1, in, n);
		assert_memory_equal(in, out, n);
		assert_int_equal(in[n], 0xee);
	}
	end(&f);
}

static void test_two_turns_are_apart(void **state)
{
	struct shm_meet_part part = { .number = 1, .what = 2, .bytes = 8,
				      .len = 8 };
	uint64_t a = 11, b = 22, got;
	struct fixture f;

	(void)state;
	begin(&f, 2);
	part.data = &a;
	shm_meet_arrive(&f.m, 0, &part);
	shm_meet_arrive(&f.m, 1, &part);
	part.number = 2;
	part.data = &b;
	shm_meet_arrive(&f.m, 0, &part);
	/* Rank 1 is still reading the first one. */
	shm_meet_read(&f.m, 0, 1, &got, 8);
	assert_int_equal(got, 11);
	shm_meet_read(&f.m, 0, 2, &got, 8);
	assert_int_equal(got, 22);
	assert_false(shm_meet_there(&f.m, 1, 2));
	end(&f);
}

static void test_ranks_that_differ_are_found_wherever_they_are(void **state)
{
	static const uint32_t sizes[] = { 2, 8, 9, 70, 513 };

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		uint32_t n = sizes[s];
		struct fixture f;
		uint64_t number = 0;

		begin(&f, n);
		for (uint32_t odd = 0; odd < n; odd += 1 + n / 11) {
			for (int kind = 0; kind < 2; kind++) {
				struct shm_meet_part usual = {
					.number = ++number, .what = 4,
					.bytes = 8, .fold = join,
				};
				struct shm_meet_part other = usual;

				if (kind == 0)
					other.bytes = 9;
				else
					other.what = 5;
				for (uint32_t i = 0; i < n; i++)
					shm_meet_arrive(&f.m, i, i == odd ?
						&other : &usual);
				assert_int_equal(
					shm_meet_alike(&f.m, &usual),
					kind == 0 ? -EMSGSIZE : -EINVAL);
				assert_int_equal(
					shm_meet_alike(&f.m, &other),
					kind == 0 ? -EMSGSIZE : -EINVAL);
				assert_int_equal(
					shm_meet_like(&f.m, odd, &usual),
					kind == 0 ? -EMSGSIZE : -EINVAL);
			}
		}
		end(&f);
	}
}

/* It has arrived, and died before it could tell its node. */
static void test_one_who_dies_on_its_way_up_is_counted(void **state)
{
	static const uint32_t sizes[] = { 9, 72, 600 };

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		uint32_t n = sizes[s], at = 0;
		struct shm_meet_part part = {
			.number = 1, .what = 4, .bytes = 8, .len = 8,
			.fold = join,
		};
		uint64_t mine, want = 0, all = 0;
		struct fixture f;

		part.data = &mine;
		begin(&f, n);
		for (uint32_t i = 0; i < n; i++) {
			mine = i;
			shm_meet_arrive(&f.m, i, &part);
		}
		shm_meet_fold(&f.m, &part, &want);
		part.number = 2;
		for (uint32_t i = 0; i < n; i++) {
			mine = i;
			if (i == n - 1)
				shm_meet_come(&f.m, i, &part);
			else
				assert_false(shm_meet_arrive(&f.m, i, &part));
		}
		assert_false(shm_meet_look(&f.m, 2, &at));
		assert_true(shm_meet_each(&f.m, 2));
		assert_int_equal(shm_meet_alike(&f.m, &part), 0);
		shm_meet_fold(&f.m, &part, &all);
		assert_int_equal(all, want);
		end(&f);
	}
}

static void test_garbage_leads_nobody_out_of_the_area(void **state)
{
	struct shm_meet_part part = { .number = 3, .what = 4, .bytes = 8,
				      .len = 8, .fold = join };
	uint64_t mine = 1, all;
	uint32_t at = 0;
	struct fixture f;

	(void)state;
	part.data = &mine;
	begin(&f, 100);
	memset(f.area, 0xff, f.bytes);
	assert_true(shm_meet_arrive(&f.m, 99, &part));
	assert_true(shm_meet_look(&f.m, 3, &at));
	assert_int_equal(shm_meet_alike(&f.m, &part), -EINVAL);
	shm_meet_fold(&f.m, &part, &all);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_last_one_learns_it_and_nobody_before),
		cmocka_unit_test(test_data_is_put_together_in_one_order_whoever_comes_last),
		cmocka_unit_test(test_odd_lengths_come_back_whole),
		cmocka_unit_test(test_two_turns_are_apart),
		cmocka_unit_test(test_ranks_that_differ_are_found_wherever_they_are),
		cmocka_unit_test(test_one_who_dies_on_its_way_up_is_counted),
		cmocka_unit_test(test_garbage_leads_nobody_out_of_the_area),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
