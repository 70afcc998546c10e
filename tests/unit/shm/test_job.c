/* SPDX-License-Identifier: MIT */
/* test_job.c - members, the directory, and areas that do not fit */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "shm/job.h"
#include "tests/unit/shm/pool.h"

struct fixture {
	struct shm_region r;
	struct shm_job j;
	uint64_t at;
};

static struct fixture fixture;

static int setup(void **state)
{
	struct fixture *f = &fixture;

	if (pool_open(&f->r))
		return -1;
	f->at = f->r.arena_off + 4096;
	memset(f->r.base + f->at, 0xa5, 131072);
	if (shm_job_format(&f->j, &f->r, f->at, 42, 33))
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

static void test_bytes_follow_the_drawing(void **state)
{
	(void)state;
	assert_int_equal(shm_job_bytes(1),
			 0x80 + 8 * 32 + 4 * 32 * 32 + 0x880);
	assert_int_equal(shm_job_bytes(32), shm_job_bytes(1) + 35 * 0x880);
	assert_int_equal(shm_job_bytes(33),
			 0x80 + 8 * 64 + 4 * 64 * 64 + (33 + 5) * 0x880);
	assert_int_equal(shm_job_bytes(1024),
			 0x80 + 8 * 1024 + 4 * 1024 * 1024 +
				 (1024 + 128 + 16 + 2) * 0x880);
}

static void test_format_zeroes_the_area(void **state)
{
	struct fixture *f = *state;
	const unsigned char *p = (const void *)f->j.member;
	uint64_t n = shm_job_bytes(33) - sizeof(*f->j.abi);

	assert_int_equal(f->j.abi->job, 42);
	assert_int_equal(f->j.abi->capacity, 33);
	assert_int_equal(f->j.abi->stride, 64);
	assert_int_equal(f->j.stride, 64);
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(p[i], 0);
	/* And not a byte more. */
	assert_int_equal(p[n], 0xa5);
}

static void test_areas_that_can_not_be_are_refused(void **state)
{
	struct fixture *f = *state;
	struct shm_job j;
	uint64_t end = f->r.size;

	assert_int_equal(shm_job_open(&j, &f->r, f->at, 0), -EINVAL);
	assert_int_equal(shm_job_open(&j, &f->r, f->at, 1025), -EINVAL);
	assert_int_equal(shm_job_open(&j, &f->r, f->at, UINT32_MAX), -EINVAL);
	assert_null(j.abi);
	assert_int_equal(shm_job_open(&j, &f->r, f->at + 64, 33), -EINVAL);
	assert_int_equal(shm_job_open(&j, &f->r, f->r.ranks_off, 33),
			 -EINVAL);
	assert_int_equal(shm_job_open(&j, &f->r, end, 1), -EINVAL);
	assert_int_equal(shm_job_open(&j, &f->r, end - 4096, 1), -EINVAL);
	assert_int_equal(shm_job_open(&j, &f->r, end - 8192, 1), 0);
	assert_int_equal(shm_job_open(&j, &f->r, f->at, 1024), -EINVAL);
	assert_int_equal(shm_job_open(&j, &f->r, UINT64_MAX - 4095, 33),
			 -EINVAL);
}

/* The area's own words steer nobody: the socket's capacity counts. */
static void test_what_the_pool_says_is_not_read(void **state)
{
	struct fixture *f = *state;
	struct shm_job j;

	f->j.abi->capacity = 1024;
	f->j.abi->stride = 1024;
	assert_int_equal(shm_job_open(&j, &f->r, f->at, 33), 0);
	assert_int_equal(j.capacity, 33);
	assert_int_equal(j.stride, 64);
	assert_ptr_equal(j.directory, f->j.directory);
}

static void test_a_slot_is_not_there_before_it_is(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(shm_job_slot(&f->j, 5), -EAGAIN);
	atomic_store_explicit(&f->j.member[5].slot, 1, memory_order_relaxed);
	assert_int_equal(shm_job_slot(&f->j, 5), 0);
	/* A forged one is not negative; who uses it checks it. */
	atomic_store_explicit(&f->j.member[5].slot, UINT32_MAX,
			      memory_order_relaxed);
	assert_int_equal(shm_job_slot(&f->j, 5), (int64_t)UINT32_MAX - 1);
	assert_int_equal(shm_job_slot(&f->j, 33), -EAGAIN);
	assert_int_equal(shm_job_slot(&f->j, UINT32_MAX), -EAGAIN);
}

static void test_each_pair_has_its_own_entry(void **state)
{
	struct fixture *f = *state;

	for (uint32_t to = 0; to < 33; to++)
		for (uint32_t from = 0; from < 33; from++) {
			assert_int_equal(shm_job_channel(&f->j, to, from), 0);
			shm_job_announce(&f->j, to, from,
					 UINT64_C(4096) * (to * 100 + from + 1));
		}
	for (uint32_t to = 0; to < 33; to++)
		for (uint32_t from = 0; from < 33; from++)
			assert_int_equal(shm_job_channel(&f->j, to, from),
					 UINT64_C(4096) * (to * 100 + from + 1));
}

/* The largest pool's last ring fits the entry's 32 bits. */
static void test_the_largest_offset_comes_back(void **state)
{
	struct fixture *f = *state;
	uint64_t last = SNOO_ABI_SIZE_MAX - SNOO_ABI_UNIT;

	shm_job_announce(&f->j, 1, 2, last);
	assert_true(shm_job_channel(&f->j, 1, 2) == last);
}

/* A moved channel announces again: the last word counts. */
static void test_announcing_again_replaces(void **state)
{
	struct fixture *f = *state;

	shm_job_announce(&f->j, 1, 2, 4096);
	shm_job_announce(&f->j, 1, 2, 8192);
	assert_int_equal(shm_job_channel(&f->j, 1, 2), 8192);
	assert_int_equal(shm_job_channel(&f->j, 2, 1), 0);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_follow_the_drawing),
		T(test_format_zeroes_the_area),
		T(test_areas_that_can_not_be_are_refused),
		T(test_what_the_pool_says_is_not_read),
		T(test_a_slot_is_not_there_before_it_is),
		T(test_each_pair_has_its_own_entry),
		T(test_the_largest_offset_comes_back),
		T(test_announcing_again_replaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
