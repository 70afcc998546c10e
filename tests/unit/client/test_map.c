/* SPDX-License-Identifier: MIT */
/*
 * test_map.c - a pool that begins in the middle of its fd, or without its
 *		first 2 MiB
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/context.h"
#include "client/map.h"

#define POOL	(UINT64_C(16) << 20)
#define SKIP	UINT64_C(0x200000)

/* A memfd in which the pool, without its first @skip bytes, is at @offset. */
static int pool_at(uint64_t offset, uint64_t skip)
{
	int fd = memfd_create("map", MFD_CLOEXEC);
	struct shm_region r;
	unsigned char *p;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)(offset + POOL - skip)), 0);
	p = mmap(NULL, POOL, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(shm_region_plan(&r, POOL, 8), 0);
	shm_region_format(&r, p);
	assert_int_equal(pwrite(fd, p + skip, POOL - skip, (off_t)offset),
			 POOL - skip);
	munmap(p, POOL);
	return fd;
}

static struct snoo_wire_welcome welcome(uint64_t offset, uint64_t skip)
{
	return (struct snoo_wire_welcome){
		.pool_bytes = POOL, .map_offset = offset, .map_skip = skip,
	};
}

static int open_at(struct snoo *ctx, int fd, uint64_t offset, uint64_t skip)
{
	struct snoo_wire_welcome w = welcome(offset, skip);
	const char *what = NULL;
	int ret;

	memset(&ctx->region, 0, sizeof(ctx->region));
	ret = map_open(ctx, &w, fd, &what);
	assert_non_null(what);
	if (ret)
		assert_null(ctx->region.base);
	return ret;
}

/* Is nothing of it mapped?  A mapping there tells. */
static bool is_free(unsigned char *at, size_t bytes)
{
	void *p = mmap(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		       MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, bytes);
	return p == at;
}

/* How a child ends that writes there. */
static int in_a_child(unsigned char *at)
{
	int status;
	pid_t pid;

#if defined(__SANITIZE_THREAD__)
	/* Its runtime may map something there in the child. */
	if (at)
		return SIGSEGV;
#endif
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile unsigned char *)at = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void check_place(uint64_t offset, uint64_t skip)
{
	int fd = pool_at(offset, skip);
	unsigned char byte, *base;
	struct snoo *ctx;

	assert_int_equal(context_new(&ctx), 0);
	assert_int_equal(open_at(ctx, fd, offset, skip), 0);
	base = ctx->region.base;
	assert_int_equal(ctx->region.size, POOL);
	assert_int_equal(ctx->region.nranks, 8);
	if (skip || offset)
		assert_int_equal((uintptr_t)base % SKIP, 0);
	/* What is written at a pool offset is at that of the fd. */
	base[POOL - 1] = 0x5a;
	assert_int_equal(pread(fd, &byte, 1, (off_t)(offset + POOL - skip - 1)),
			 1);
	assert_int_equal(byte, 0x5a);
	/* A fork has nothing of it, and nobody has what was skipped. */
	assert_int_equal(in_a_child(base + POOL - 1), SIGSEGV);
	assert_false(is_free(base, 4096));
	map_close(ctx);
	assert_null(ctx->region.base);
	assert_true(is_free(base, POOL));
	context_free(ctx);
	close(fd);
}

static void test_a_memfd_is_the_pool(void **state)
{
	(void)state;
	check_place(0, 0);
}

static void test_dax_begins_behind_the_info_block(void **state)
{
	(void)state;
	check_place(0, SKIP);
}

static void test_a_bar_lies_in_its_fd(void **state)
{
	(void)state;
	check_place(UINT64_C(2) << 40, 0);
	check_place((uint64_t)sysconf(_SC_PAGESIZE), SKIP);
}

static void test_what_was_skipped_is_not_accessible(void **state)
{
	int fd = pool_at(0, SKIP);
	char line[256], want[64];
	bool found = false;
	struct snoo *ctx;
	FILE *maps;

	(void)state;
	assert_int_equal(context_new(&ctx), 0);
	assert_int_equal(open_at(ctx, fd, 0, SKIP), 0);
	snprintf(want, sizeof(want), "%lx-%lx ---p",
		 (unsigned long)(uintptr_t)ctx->region.base,
		 (unsigned long)(uintptr_t)ctx->region.base + SKIP);
	maps = fopen("/proc/self/maps", "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		found = found || strncmp(line, want, strlen(want)) == 0;
	fclose(maps);
	assert_true(found);
	map_close(ctx);
	context_free(ctx);
	close(fd);
}

static void test_places_that_make_no_sense_are_refused(void **state)
{
	static const uint64_t skips[] = {
		1, 4096, SKIP - 4096, SKIP + 4096, 2 * SKIP, UINT64_MAX,
		UINT64_MAX - SKIP + 1, POOL,
	};
	static const uint64_t offsets[] = {
		1, 512, 4095, UINT64_MAX, UINT64_MAX - 4095,
		INT64_MAX - 4095, (uint64_t)INT64_MAX + 1,
		/* beyond the end of this file */
		4096, SKIP,
	};
	static const uint64_t sizes[] = {
		0, 1, SKIP, UINT64_MAX, SNOO_ABI_SIZE_MAX + 1,
		SNOO_ABI_SIZE_MAX, 2 * POOL, POOL / 2, POOL - 1,
	};
	int fd = pool_at(0, 0);
	const char *what;
	struct snoo *ctx;

	(void)state;
	assert_int_equal(context_new(&ctx), 0);
	for (size_t i = 0; i < sizeof(skips) / sizeof(skips[0]); i++)
		assert_int_equal(open_at(ctx, fd, 0, skips[i]), -EPROTO);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		assert_int_equal(open_at(ctx, fd, offsets[i], 0), -EPROTO);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct snoo_wire_welcome w = welcome(0, 0);

		w.pool_bytes = sizes[i];
		assert_true(map_open(ctx, &w, fd, &what) < 0);
		assert_null(ctx->region.base);
	}
	/* The right place, and no pool there. */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, POOL), 0);
	assert_int_equal(open_at(ctx, fd, 0, SKIP), -EINVAL);
	context_free(ctx);
	close(fd);
}

static void test_what_cannot_be_mapped_leaves_nothing(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct snoo *ctx;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(context_new(&ctx), 0);
	assert_int_equal(open_at(ctx, fd, 0, 0), -ENODEV);
	assert_int_equal(open_at(ctx, fd, 0, SKIP), -ENODEV);
	context_free(ctx);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_memfd_is_the_pool),
		cmocka_unit_test(test_dax_begins_behind_the_info_block),
		cmocka_unit_test(test_a_bar_lies_in_its_fd),
		cmocka_unit_test(test_what_was_skipped_is_not_accessible),
		cmocka_unit_test(test_places_that_make_no_sense_are_refused),
		cmocka_unit_test(test_what_cannot_be_mapped_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
