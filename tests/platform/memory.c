/* SPDX-License-Identifier: MIT */
/*
 * memory.c - what we assume of memory: seals, huge pages, fork, atomics
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES	(1u << 21)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

static void test_sealed_memory_keeps_its_size(void **state)
{
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int fd = memfd_create("pool", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, BYTES), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	assert_int_equal(fcntl(fd, F_GET_SEALS), seals);
	assert_int_equal(ftruncate(fd, BYTES / 2), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, BYTES * 2), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EPERM);
	close(fd);
}

static long free_huge_pages(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/"
			"free_hugepages", "r");
	long n = -1;

	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

/* Without free pages the mapping, not a later touch, must be refused. */
static void test_huge_pages_come_whole_or_not_at_all(void **state)
{
	long pages = free_huge_pages();
	int fd = memfd_create("pool", MFD_CLOEXEC | MFD_HUGETLB |
			      MFD_ALLOW_SEALING);
	char *p;

	(void)state;
	if (fd < 0 || pages < 0) {
		print_message("# no 2 MiB pages in this kernel\n");
		skip();
	}
	assert_int_equal(ftruncate(fd, (off_t)BYTES * (pages + 1)), 0);
	p = mmap(NULL, (size_t)BYTES * (size_t)(pages + 1),
		 PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_equal(p, MAP_FAILED);
	assert_int_equal(errno, ENOMEM);
	if (pages > 0) {
		p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 0);
		assert_ptr_not_equal(p, MAP_FAILED);
		assert_int_equal((uintptr_t)p % BYTES, 0);
		memset(p, 1, BYTES);
		munmap(p, BYTES);
	}
	close(fd);
}

static char *shared_page(void)
{
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

/* A forked child must not write the pool after its parent was called dead. */
static void test_dontfork_memory_is_gone_in_the_child(void **state)
{
	char *p = shared_page();
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(madvise(p, BYTES, MADV_DONTFORK), 0);
	p[0] = 1;
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		prctl(PR_SET_DUMPABLE, 0);
		*(volatile char *)p = 2;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	assert_int_equal(p[0], 1);
	munmap(p, BYTES);
}

static void test_populate_write_brings_every_page(void **state)
{
	long page = sysconf(_SC_PAGESIZE);
	size_t n = BYTES / (size_t)page;
	unsigned char in[BYTES / 4096];
	char *p = shared_page();

	(void)state;
	assert_int_equal(madvise(p, BYTES, MADV_POPULATE_WRITE), 0);
	assert_int_equal(mincore(p, BYTES, in), 0);
	for (size_t i = 0; i < n; i++)
		assert_true(in[i] & 1);
	munmap(p, BYTES);
}

/* A word that needs a lock of its own process is no word between two. */
static void test_64_bit_atomics_need_no_lock(void **state)
{
	_Atomic uint64_t wide = 0;
	_Atomic uint32_t narrow = 0;

	(void)state;
	assert_true(atomic_is_lock_free(&wide));
	assert_true(atomic_is_lock_free(&narrow));
	assert_int_equal(sizeof(wide), 8);
	assert_int_equal(_Alignof(_Atomic uint64_t), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sealed_memory_keeps_its_size),
		cmocka_unit_test(test_huge_pages_come_whole_or_not_at_all),
		cmocka_unit_test(test_dontfork_memory_is_gone_in_the_child),
		cmocka_unit_test(test_populate_write_brings_every_page),
		cmocka_unit_test(test_64_bit_atomics_need_no_lock),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
