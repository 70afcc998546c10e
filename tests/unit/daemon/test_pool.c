/* SPDX-License-Identifier: MIT */
/* test_pool.c - pools made, refused, taken over, and punched */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/nvdimm.h"
#include "daemon/pool.h"
#include "daemon/pool_room.h"

#define SIZE	POOL_SIZE_MIN
#define RANKS	16u

static struct pool_params params(void)
{
	return (struct pool_params){
		.name = "test", .size = SIZE, .nranks = RANKS,
		.huge = CONF_HUGE_NEVER,
	};
}

static void test_the_smallest_pool_is_sealed(void **state)
{
	struct pool_params par = params();
	struct shm_region seen;
	struct pool p;
	char why[POOL_TEXT];
	struct stat st;

	(void)state;
	assert_int_equal(pool_create(&p, &par, why), 0);
	assert_string_equal(p.warning, "");
	assert_int_equal(shm_region_open(&seen, p.region.base, SIZE), 0);
	assert_int_equal(seen.nranks, RANKS);
	assert_int_equal(seen.arena_units, p.region.arena_units);
	assert_int_equal(ftruncate(p.fd, 2 * SIZE), -1);
	assert_int_equal(ftruncate(p.fd, 0), -1);
	assert_int_equal(fcntl(p.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_true(fcntl(p.fd, F_GETFD) & FD_CLOEXEC);

	/* Populated, all but the first 2 MiB. */
	assert_int_equal(fstat(p.fd, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 >=
		    SIZE - SNOO_ABI_HEAD_OFFSET);
	pool_close(&p);
	assert_int_equal(p.fd, -1);
	pool_close(&p);
}

static void test_units_and_offsets_agree(void **state)
{
	struct pool_params par = params();
	char why[POOL_TEXT];
	struct pool p;
	uint32_t last;

	(void)state;
	assert_int_equal(pool_create(&p, &par, why), 0);
	last = p.region.arena_units - 1;
	assert_int_equal(pool_unit(&p, pool_offset(&p, 0)), 0);
	assert_int_equal(pool_unit(&p, pool_offset(&p, last)), last);
	assert_int_equal(pool_unit(&p, pool_offset(&p, last + 1)), -EINVAL);
	assert_int_equal(pool_unit(&p, pool_offset(&p, 0) + 1), -EINVAL);
	assert_int_equal(pool_unit(&p, pool_offset(&p, 0) - 4096), -EINVAL);
	assert_int_equal(p.nzones, 1);
	assert_int_equal(p.zone[0].units, p.region.arena_units);
	pool_close(&p);
}

static void test_impossible_sizes_are_explained(void **state)
{
	static const struct {
		uint64_t size;
		uint32_t nranks;
		int error;
	} bad[] = {
		{ 0, RANKS, -EINVAL },
		{ SIZE / 2, 1, -EINVAL },
		{ SIZE + 4096, RANKS, -EINVAL },
		{ SIZE, 0, -EINVAL },
		{ SIZE, 65537, -EINVAL },
		{ SIZE, 65536, -ENOSPC },
		{ 2 * SNOO_ABI_SIZE_MAX, RANKS, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pool_params par = params();
		char why[POOL_TEXT];
		struct pool p;

		par.size = bad[i].size;
		par.nranks = bad[i].nranks;
		assert_int_equal(pool_create(&p, &par, why), bad[i].error);
		assert_true(strlen(why) > 0);
		assert_int_equal(p.fd, -1);
	}
}

static void test_more_than_there_is_is_refused_beforehand(void **state)
{
	struct pool_params par = params();
	char why[POOL_TEXT];
	struct pool p;

	(void)state;
	par.size = SNOO_ABI_SIZE_MAX;
	if (pool_room_bytes() >= par.size)
		skip();
	assert_int_equal(pool_create(&p, &par, why), -ENOMEM);
	assert_non_null(strstr(why, "available"));
}

static void test_without_huge_pages_auto_only_warns(void **state)
{
	struct pool_params par = params();
	char why[POOL_TEXT];
	struct pool p;

	(void)state;
	if (pool_room_huge_pages() >= SIZE / POOL_HUGE_BYTES)
		skip();
	par.huge = CONF_HUGE_REQUIRE;
	assert_int_equal(pool_create(&p, &par, why), -ENOMEM);
	assert_non_null(strstr(why, "2 huge pages of 2 MiB are needed"));
	assert_non_null(strstr(why, "vm.nr_hugepages"));

	par.huge = CONF_HUGE_AUTO;
	assert_int_equal(pool_create(&p, &par, why), 0);
	assert_false(p.huge);
	assert_non_null(strstr(p.warning, "ordinary pages"));
	pool_close(&p);
}

/* A number in a file of the kernel: read it, and write another. */
static int swap_setting(const char *path, int value)
{
	FILE *f = fopen(path, "r+");
	int old = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &old) != 1)
		old = -1;
	rewind(f);
	fprintf(f, "%d\n", value);
	if (fclose(f))
		return -1;
	return old;
}

#define NR_HUGE	"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

static void touch_all(void *arg)
{
	struct pool *p = arg;

	for (uint64_t at = 0; at < p->region.size; at += 4096)
		*(volatile unsigned char *)(p->region.base + at) = 1;
}

static void test_a_huge_pool_survives_a_puncher(void **state)
{
	struct pool_params par = params();
	char why[POOL_TEXT];
	struct pool p;
	int old;

	(void)state;
	old = swap_setting(NR_HUGE, 2);
	if (old != 0 || pool_room_huge_pages() != 2) {
		if (old >= 0)
			swap_setting(NR_HUGE, old);
		skip();
	}
	/* Here: cmocka puts a handler of its own before each test. */
	assert_int_equal(guard_open(), 0);
	par.huge = CONF_HUGE_REQUIRE;
	assert_int_equal(pool_create(&p, &par, why), 0);
	assert_true(p.huge);
	assert_int_equal(pool_page_bytes(&p), POOL_HUGE_BYTES);
	assert_int_equal(guard_run(&p.guard, touch_all, &p), 0);

	/* A peer gives one page back to the machine, which keeps it. */
	assert_int_equal(fallocate(p.fd, FALLOC_FL_PUNCH_HOLE |
				   FALLOC_FL_KEEP_SIZE, 2 << 20, 2 << 20), 0);
	swap_setting(NR_HUGE, 0);
	if (pool_room_huge_pages() == 0) {
		assert_int_equal(guard_run(&p.guard, touch_all, &p), -EFAULT);
		assert_int_equal(guard_where(&p.guard), 2 << 20);
	}
	pool_close(&p);
	guard_close();
	swap_setting(NR_HUGE, old);
}

static void test_adoption_keeps_data_and_mends_the_head(void **state)
{
	struct pool_params par = params();
	struct pool first, second;
	char why[POOL_TEXT];
	unsigned char *byte;
	int fd;

	(void)state;
	assert_int_equal(pool_create(&first, &par, why), 0);
	fd = dup(first.fd);
	byte = shm_region_block(&first.region, 3, 4096);
	byte[17] = 42;
	atomic_store_explicit(&first.region.head->epoch, 9,
			      memory_order_relaxed);
	/* A peer has scribbled over the head. */
	first.region.head->magic = 0;
	first.region.head->nranks = UINT32_MAX;
	first.region.head->arena_off = 64;
	first.region.head->size = 1;
	pool_close(&first);

	assert_int_equal(pool_adopt(&second, &par, fd, true, why), 0);
	byte = shm_region_block(&second.region, 3, 4096);
	assert_int_equal(byte[17], 42);
	assert_int_equal(second.region.head->magic, SNOO_ABI_MAGIC);
	assert_int_equal(second.region.head->nranks, RANKS);
	assert_int_equal(second.region.head->size, SIZE);
	assert_int_equal(atomic_load_explicit(&second.region.head->epoch,
					      memory_order_relaxed), 9);
	pool_close(&second);
}

static void test_a_strange_file_is_not_adopted(void **state)
{
	struct pool_params par = params();
	char why[POOL_TEXT];
	struct pool p;
	int fd;

	(void)state;
	fd = memfd_create("strange", MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(pool_adopt(&p, &par, fd, true, why), -EBADMSG);
	assert_non_null(strstr(why, "sealed"));
	assert_int_equal(fcntl(fd, F_GETFD), -1);

	fd = memfd_create("strange", MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, SIZE / 2), 0);
	assert_int_equal(pool_adopt(&p, &par, fd, true, why), -EBADMSG);
	assert_non_null(strstr(why, "ledger says"));

	fd = open("/dev/null", O_RDWR);
	assert_int_equal(pool_adopt(&p, &par, fd, true, why), -EBADMSG);
}

/* A machine with two nodes: every unit has a zone, no zone is tiny. */
static void test_zones_cover_the_arena(void **state)
{
	struct pool_params par = params();
	struct topo *t = NULL;
	char why[POOL_TEXT];
	uint32_t at = 0;
	struct pool p;

	(void)state;
	assert_int_equal(topo_open_synthetic(&t, "numa:2 core:2 pu:1"), 0);
	par.topo = t;
	par.size = UINT64_C(64) << 20;
	if (pool_room_bytes() < 2 * par.size) {
		topo_close(t);
		skip();
	}
	assert_int_equal(pool_create(&p, &par, why), 0);
	assert_int_equal(p.nzones, 2);
	for (uint32_t i = 0; i < p.nzones; i++) {
		assert_int_equal(p.zone[i].first, at);
		assert_int_equal(p.zone[i].node, i);
		at += p.zone[i].units;
	}
	assert_int_equal(at, p.region.arena_units);
	pool_close(&p);
	topo_close(t);
}

/* ---- for guests ---- */

static void test_a_pool_for_guests_has_the_info_block(void **state)
{
	struct pool_params par = params();
	struct nvdimm_info want, got;
	char why[POOL_TEXT];
	struct pool p;
	struct stat st;
	int fd;

	(void)state;
	par.vms = true;
	nvdimm_fill(&want, par.name, SIZE);
	assert_int_equal(pool_create(&p, &par, why), 0);
	assert_int_equal(pread(p.fd, &got, sizeof(got), NVDIMM_OFFSET),
			 sizeof(got));
	assert_memory_equal(&got, &want, sizeof(got));
	/* A guest's first touch can't fail: all of it is there. */
	assert_int_equal(fstat(p.fd, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 >= SIZE);

	/* A guest spoils it; the next one finds it whole. */
	assert_int_equal(pwrite(p.fd, "spoilt", 6, NVDIMM_OFFSET + 60), 6);
	assert_int_equal(pool_write_info(&p), 0);
	assert_int_equal(pread(p.fd, &got, sizeof(got), NVDIMM_OFFSET),
			 sizeof(got));
	assert_memory_equal(&got, &want, sizeof(got));

	/* So does one after an adoption. */
	assert_int_equal(pwrite(p.fd, "spoilt", 6, NVDIMM_OFFSET), 6);
	fd = dup(p.fd);
	pool_close(&p);
	assert_int_equal(pool_adopt(&p, &par, fd, true, why), 0);
	assert_int_equal(pread(p.fd, &got, sizeof(got), NVDIMM_OFFSET),
			 sizeof(got));
	assert_memory_equal(&got, &want, sizeof(got));
	pool_close(&p);
}

static void test_a_pool_without_guests_has_none(void **state)
{
	struct pool_params par = params();
	static const struct nvdimm_info none;
	struct nvdimm_info got;
	char why[POOL_TEXT];
	struct pool p;

	(void)state;
	assert_int_equal(pool_create(&p, &par, why), 0);
	assert_int_equal(pread(p.fd, &got, sizeof(got), NVDIMM_OFFSET),
			 sizeof(got));
	assert_memory_equal(&got, &none, sizeof(got));
	pool_close(&p);
}

/* ---- pool.path ---- */

#define TMPFS "/dev/shm"

/* A name there; false: no tmpfs on this machine. */
static bool tmpfs_path(char path[POOL_PATH], const char *name)
{
	struct statfs fs;

	snprintf(path, POOL_PATH, TMPFS "/snoo-test-%d-%s", (int)getpid(),
		 name);
	return statfs(TMPFS, &fs) == 0 && fs.f_type == 0x01021994 &&
	       access(TMPFS, W_OK) == 0;
}

static void test_a_pool_with_a_path_is_a_file_of_that_mode(void **state)
{
	struct pool_params par = params();
	char why[POOL_TEXT], path[POOL_PATH];
	struct pool p, again;
	struct stat st;

	(void)state;
	if (!tmpfs_path(path, "a.pool"))
		skip();
	par.path = path;
	par.mode = 0640;
	par.gid = getegid();
	assert_int_equal(pool_create(&p, &par, why), 0);
	assert_string_equal(p.path, path);
	assert_false(p.sealed);
	assert_false(p.huge);
	assert_non_null(strstr(p.warning, "unsealed"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_gid, getegid());

	/* Another daemon of that path is refused, and ours is left alone. */
	assert_int_equal(pool_create(&again, &par, why), -EADDRINUSE);
	assert_non_null(strstr(why, "another daemon serves it"));
	assert_int_equal(again.fd, -1);
	assert_int_equal(access(path, F_OK), 0);

	pool_remove(&p);
	pool_close(&p);
	assert_int_equal(access(path, F_OK), -1);
}

/* A rank that holds the pool's fd does not hold the lock. */
static void test_a_stale_file_is_replaced(void **state)
{
	struct pool_params par = params();
	char why[POOL_TEXT], path[POOL_PATH];
	struct stat before, after;
	struct pool p;
	int ranks;

	(void)state;
	if (!tmpfs_path(path, "b.pool"))
		skip();
	par.path = path;
	par.mode = 0600;
	par.gid = CONF_NO_GID;
	assert_int_equal(pool_create(&p, &par, why), 0);
	ranks = dup(p.fd);
	pool_close(&p); /* the daemon was killed */
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(pool_create(&p, &par, why), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	assert_int_equal(fstat(ranks, &before), 0);
	assert_int_equal(before.st_nlink, 0);
	close(ranks);
	pool_remove(&p);
	pool_close(&p);
}

static void test_a_file_is_adopted_with_its_path(void **state)
{
	struct pool_params par = params();
	char why[POOL_TEXT], path[POOL_PATH];
	struct pool p, next;
	int fd;

	(void)state;
	if (!tmpfs_path(path, "c.pool"))
		skip();
	par.path = path;
	par.mode = 0600;
	par.gid = CONF_NO_GID;
	assert_int_equal(pool_create(&p, &par, why), 0);
	fd = dup(p.fd);
	pool_close(&p);
	par.path = NULL;
	/* A memfd it is not. */
	assert_int_equal(pool_adopt(&p, &par, dup(fd), true, why), -EBADMSG);
	assert_non_null(strstr(why, "sealed"));
	assert_int_equal(pool_adopt(&next, &par, fd, false, why), 0);
	assert_string_equal(next.path, path);
	assert_false(next.sealed);
	fd = dup(next.fd);
	pool_close(&next);

	/* A peer has cut it short meanwhile. */
	assert_int_equal(ftruncate(fd, SIZE / 2), 0);
	assert_int_equal(pool_adopt(&next, &par, dup(fd), false, why),
			 -EBADMSG);
	assert_non_null(strstr(why, "ledger says"));
	assert_int_equal(ftruncate(fd, SIZE), 0);

	/* Somebody has removed it: the domain goes on, without a path. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(pool_adopt(&next, &par, fd, false, why), 0);
	assert_string_equal(next.path, "");
	pool_remove(&next);
	pool_close(&next);
}

static void test_a_file_cut_short_is_noticed_and_survived(void **state)
{
#if defined(__SANITIZE_THREAD__)
	print_message("ThreadSanitizer leaves all signals blocked after a jump "
		      "out of a handler\n");
	skip();
#endif
	struct pool_params par = params();
	char why[POOL_TEXT], path[POOL_PATH];
	struct pool p;

	(void)state;
	if (!tmpfs_path(path, "d.pool"))
		skip();
	par.path = path;
	par.mode = 0600;
	par.gid = CONF_NO_GID;
	assert_int_equal(guard_open(), 0);
	assert_int_equal(pool_create(&p, &par, why), 0);
	assert_int_equal(guard_run(&p.guard, touch_all, &p), 0);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(guard_run(&p.guard, touch_all, &p), -EFAULT);
	assert_int_equal(pool_write_info(&p), -EFAULT);
	pool_remove(&p);
	pool_close(&p);
	guard_close();
}

static void test_impossible_paths_are_explained(void **state)
{
	struct pool_params par = params();
	char why[POOL_TEXT], path[POOL_PATH], other[POOL_PATH];
	struct pool p;

	(void)state;
	if (!tmpfs_path(path, "e.pool") || !tmpfs_path(other, "e"))
		skip();
	par.mode = 0600;
	par.gid = CONF_NO_GID;
	par.path = other;
	assert_int_equal(pool_create(&p, &par, why), -EINVAL);
	assert_non_null(strstr(why, "must end in \".pool\""));
	par.path = "/proc/self/x.pool";
	assert_int_equal(pool_create(&p, &par, why), -EINVAL);
	assert_non_null(strstr(why, "hugetlbfs or tmpfs"));
	par.path = "/no/such/x.pool";
	assert_int_equal(pool_create(&p, &par, why), -ENOENT);
	par.path = path;
	par.huge = CONF_HUGE_REQUIRE;
	assert_int_equal(pool_create(&p, &par, why), -EINVAL);
	assert_non_null(strstr(why, "require"));

	/* What is no regular file stays. */
	par.huge = CONF_HUGE_AUTO;
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(pool_create(&p, &par, why), -EEXIST);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(pool_create(&p, &par, why), -EEXIST);
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_smallest_pool_is_sealed),
		cmocka_unit_test(test_units_and_offsets_agree),
		cmocka_unit_test(test_impossible_sizes_are_explained),
		cmocka_unit_test(test_more_than_there_is_is_refused_beforehand),
		cmocka_unit_test(test_without_huge_pages_auto_only_warns),
		cmocka_unit_test(test_a_huge_pool_survives_a_puncher),
		cmocka_unit_test(test_adoption_keeps_data_and_mends_the_head),
		cmocka_unit_test(test_a_strange_file_is_not_adopted),
		cmocka_unit_test(test_zones_cover_the_arena),
		cmocka_unit_test(test_a_pool_for_guests_has_the_info_block),
		cmocka_unit_test(test_a_pool_without_guests_has_none),
		cmocka_unit_test(
			test_a_pool_with_a_path_is_a_file_of_that_mode),
		cmocka_unit_test(test_a_stale_file_is_replaced),
		cmocka_unit_test(test_a_file_is_adopted_with_its_path),
		cmocka_unit_test(test_a_file_cut_short_is_noticed_and_survived),
		cmocka_unit_test(test_impossible_paths_are_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
