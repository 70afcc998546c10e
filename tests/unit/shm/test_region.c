/* SPDX-License-Identifier: MIT */
/* test_region.c - layouts, hostile heads, bounds that must not wrap */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/shm/pool.h"

struct fixture {
	struct shm_region r;
	struct snoo_abi_pool *head;
};

static struct fixture fixture;

static int setup(void **state)
{
	if (pool_open(&fixture.r))
		return -1;
	fixture.head = fixture.r.head;
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pool_close(&f->r);
	return 0;
}

/* Parts in order, aligned, none over another, all inside. */
static void check_layout(const struct shm_region *r, uint64_t size,
			 uint32_t nranks)
{
	uint64_t units = r->arena_units;

	assert_true(r->size == size);
	assert_int_equal(r->nranks, nranks);
	assert_true(r->hints_off >= SNOO_ABI_HEAD_OFFSET +
		    sizeof(struct snoo_abi_pool));
	assert_true(r->regs_off >= r->hints_off + 4096);
	assert_true(r->ranks_off - r->regs_off >=
		    (uint64_t)nranks * SNOO_ABI_REGS_STRIDE);
	assert_true(r->descs_off - r->ranks_off >=
		    (uint64_t)nranks * sizeof(struct snoo_abi_rank));
	assert_true(r->arena_off - r->descs_off >=
		    units * sizeof(struct snoo_abi_desc));
	assert_true(size - r->arena_off >= units * SNOO_ABI_UNIT);
	assert_int_equal((r->hints_off | r->regs_off | r->ranks_off |
			  r->descs_off | r->arena_off) % 4096, 0);
	/* Not more than four units and their descriptors are wasted. */
	assert_true(size - r->arena_off - units * SNOO_ABI_UNIT <
		    4 * SNOO_ABI_UNIT);
}

static void test_layout_of_every_size_and_many_rank_counts(void **state)
{
	static const uint32_t ranks[] = { 1, 2, 63, 64, 1000, 1024, 65536 };
	int laid_out = 0;

	(void)state;
	for (uint64_t size = UINT64_C(1) << 22; size <= SNOO_ABI_SIZE_MAX;
	     size *= 2) {
		for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
			struct shm_region r;
			int ret = shm_region_plan(&r, size, ranks[i]);

			if (ret) {
				assert_int_equal(ret, -ENOSPC);
				/* 1280 bytes a rank, and then some. */
				assert_true(size < (UINT64_C(4) << 20) +
					    (uint64_t)ranks[i] * 1280);
				continue;
			}
			check_layout(&r, size, ranks[i]);
			laid_out++;
		}
	}
	/* 17 sizes; 65536 ranks need more than 64 MiB, 1000 fit in 4 MiB. */
	assert_int_equal(laid_out, 17 * 7 - 5);
}

static void test_impossible_sizes_are_refused(void **state)
{
	static const struct {
		uint64_t size;
		uint32_t nranks;
		int ret;
	} bad[] = {
		{ 0, 4, -EINVAL },
		{ 3 << 20, 4, -EINVAL },		/* no power of two */
		{ (UINT64_C(4) << 20) + 4096, 4, -EINVAL },
		{ SNOO_ABI_SIZE_MAX * 2, 4, -EINVAL },
		{ UINT64_C(1) << 40, 4, -EINVAL },
		{ UINT64_C(1) << 63, 4, -EINVAL },
		{ UINT64_MAX, 4, -EINVAL },
		{ UINT64_C(4) << 20, 0, -EINVAL },
		{ UINT64_C(1) << 38, 65537, -EINVAL },
		{ UINT64_C(1) << 38, UINT32_MAX, -EINVAL },
		{ 1, 1, -ENOSPC },
		{ 4096, 1, -ENOSPC },
		{ SNOO_ABI_HEAD_OFFSET, 1, -ENOSPC },
		{ UINT64_C(4) << 20, 65536, -ENOSPC },
		{ UINT64_C(64) << 20, 65536, -ENOSPC },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct shm_region r;

		assert_int_equal(shm_region_plan(&r, bad[i].size,
						 bad[i].nranks), bad[i].ret);
	}
}

static void test_the_head_says_what_was_planned(void **state)
{
	const struct fixture *f = *state;

	assert_true(f->head->magic == SNOO_ABI_MAGIC);
	assert_int_equal(f->head->major, SNOO_ABI_MAJOR);
	assert_int_equal(f->head->minor, SNOO_ABI_MINOR);
	assert_true(f->head->size == POOL_BYTES);
	assert_int_equal(f->head->nranks, POOL_RANKS);
	assert_int_equal(f->head->arena_units, f->r.arena_units);
	assert_ptr_equal(f->head, f->r.base + SNOO_ABI_HEAD_OFFSET);
}

static void test_open_sees_what_format_wrote(void **state)
{
	const struct fixture *f = *state;
	struct shm_region r;

	assert_int_equal(shm_region_open(&r, f->r.base, POOL_BYTES), 0);
	assert_memory_equal(&r, &f->r, sizeof(r));
}

/* Each field of the head in turn says something else: nobody is steered. */
static void test_a_head_that_lies_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint64_t add;
		int ret;
	} lie[] = {
		{ offsetof(struct snoo_abi_pool, magic), 1, -EINVAL },
		{ offsetof(struct snoo_abi_pool, size), 1, -EINVAL },
		{ offsetof(struct snoo_abi_pool, size), POOL_BYTES, -EINVAL },
		{ offsetof(struct snoo_abi_pool, hints_off), 4096, -EINVAL },
		{ offsetof(struct snoo_abi_pool, regs_off), 4096, -EINVAL },
		{ offsetof(struct snoo_abi_pool, regs_off), -(uint64_t)4096,
		  -EINVAL },
		{ offsetof(struct snoo_abi_pool, ranks_off),
		  UINT64_C(1) << 62, -EINVAL },
		{ offsetof(struct snoo_abi_pool, descs_off), 64, -EINVAL },
		{ offsetof(struct snoo_abi_pool, arena_off), 4096, -EINVAL },
	};
	struct fixture *f = *state;
	struct shm_region r;

	for (size_t i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
		uint64_t *field = (uint64_t *)(void *)((char *)f->head +
						       lie[i].at);

		*field += lie[i].add;
		assert_int_equal(shm_region_open(&r, f->r.base, POOL_BYTES),
				 lie[i].ret);
		assert_null(r.base);
		*field -= lie[i].add;
	}
	assert_int_equal(shm_region_open(&r, f->r.base, POOL_BYTES), 0);
}

static void test_counts_that_lie_are_refused(void **state)
{
	static const uint32_t ranks[] = { 0, POOL_RANKS + 1, 65536, 65537,
					  UINT32_MAX };
	struct fixture *f = *state;
	struct shm_region r;

	for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
		f->head->nranks = ranks[i];
		assert_int_equal(shm_region_open(&r, f->r.base, POOL_BYTES),
				 -EINVAL);
	}
	f->head->nranks = POOL_RANKS;
	f->head->arena_units++;
	assert_int_equal(shm_region_open(&r, f->r.base, POOL_BYTES), -EINVAL);
	f->head->arena_units = UINT32_MAX;
	assert_int_equal(shm_region_open(&r, f->r.base, POOL_BYTES), -EINVAL);
}

static void test_another_version(void **state)
{
	struct fixture *f = *state;
	struct shm_region r;

	f->head->minor = SNOO_ABI_MINOR + 7;
	assert_int_equal(shm_region_open(&r, f->r.base, POOL_BYTES), 0);
	f->head->major = SNOO_ABI_MAJOR + 1;
	assert_int_equal(shm_region_open(&r, f->r.base, POOL_BYTES),
			 -EPROTONOSUPPORT);
	assert_null(r.base);
}

static void test_a_mapping_of_another_size_is_refused(void **state)
{
	struct fixture *f = *state;
	struct shm_region r;

	assert_int_equal(shm_region_open(&r, f->r.base, POOL_BYTES / 2),
			 -EINVAL);
	assert_int_equal(shm_region_open(&r, f->r.base, 0), -EINVAL);
	/* One byte short of the head: nothing of it may be read. */
	assert_int_equal(shm_region_open(&r, NULL, SNOO_ABI_HEAD_OFFSET +
					 sizeof(struct snoo_abi_pool) - 1),
			 -EINVAL);
}

static void test_at_knows_the_last_byte(void **state)
{
	const struct shm_region *r = &((struct fixture *)*state)->r;

	assert_ptr_equal(shm_region_at(r, 0, POOL_BYTES, 1), r->base);
	assert_ptr_equal(shm_region_at(r, POOL_BYTES - 64, 64, 64),
			 r->base + POOL_BYTES - 64);
	assert_null(shm_region_at(r, 0, POOL_BYTES + 1, 1));
	assert_null(shm_region_at(r, POOL_BYTES - 64, 65, 64));
	assert_null(shm_region_at(r, POOL_BYTES, 0, 1));
	assert_null(shm_region_at(r, POOL_BYTES, 1, 1));
}

/* offset + length is small modulo 2^64 in each of these. */
static void test_at_can_not_be_wrapped(void **state)
{
	const struct shm_region *r = &((struct fixture *)*state)->r;

	assert_null(shm_region_at(r, UINT64_MAX - 63, 64, 64));
	assert_null(shm_region_at(r, UINT64_MAX - 4095, 8192, 4096));
	assert_null(shm_region_at(r, 4096, UINT64_MAX - 4095, 64));
	assert_null(shm_region_at(r, 4096, UINT64_MAX, 64));
	assert_null(shm_region_at(r, UINT64_MAX, UINT64_MAX, 1));
}

static void test_at_wants_alignment(void **state)
{
	const struct shm_region *r = &((struct fixture *)*state)->r;

	assert_non_null(shm_region_at(r, 4096, 64, 4096));
	assert_null(shm_region_at(r, 4096 + 64, 64, 4096));
	assert_null(shm_region_at(r, 4096 + 32, 32, 64));
	assert_non_null(shm_region_at(r, 4096 + 32, 32, 32));
}

static void test_slots_descriptors_and_blocks_end_where_they_end(void **state)
{
	const struct shm_region *r = &((struct fixture *)*state)->r;
	uint32_t n = r->arena_units;

	assert_ptr_equal(shm_region_rank(r, 0), r->base + r->ranks_off);
	assert_ptr_equal(shm_region_rank(r, 3),
			 r->base + r->ranks_off + 3 * 0x400);
	assert_null(shm_region_rank(r, POOL_RANKS));
	assert_null(shm_region_rank(r, UINT32_MAX));

	assert_ptr_equal(shm_region_desc(r, n - 1),
			 r->base + r->descs_off + (uint64_t)(n - 1) * 64);
	assert_null(shm_region_desc(r, n));
	assert_null(shm_region_desc(r, UINT32_MAX));

	assert_ptr_equal(shm_region_block(r, n - 1, 4096),
			 r->base + r->arena_off + (uint64_t)(n - 1) * 4096);
	assert_null(shm_region_block(r, n - 1, 4097));
	assert_null(shm_region_block(r, n, 0));
	assert_null(shm_region_block(r, UINT32_MAX, 4096));
	assert_non_null(shm_region_block(r, 0, (uint64_t)n * 4096));
	assert_null(shm_region_block(r, 0, (uint64_t)n * 4096 + 1));
	assert_null(shm_region_block(r, 1, (uint64_t)n * 4096));
	assert_null(shm_region_block(r, 1, UINT64_MAX));
	assert_ptr_equal(shm_region_regs(r), r->base + r->regs_off);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout_of_every_size_and_many_rank_counts),
		cmocka_unit_test(test_impossible_sizes_are_refused),
		cmocka_unit_test(test_the_head_says_what_was_planned),
		cmocka_unit_test(test_open_sees_what_format_wrote),
		cmocka_unit_test_setup_teardown(test_a_head_that_lies_is_refused,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_counts_that_lie_are_refused,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_another_version, setup,
						teardown),
		cmocka_unit_test(test_a_mapping_of_another_size_is_refused),
		cmocka_unit_test(test_at_knows_the_last_byte),
		cmocka_unit_test(test_at_can_not_be_wrapped),
		cmocka_unit_test(test_at_wants_alignment),
		cmocka_unit_test(
			test_slots_descriptors_and_blocks_end_where_they_end),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
