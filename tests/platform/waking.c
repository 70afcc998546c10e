/* SPDX-License-Identifier: MIT */
/*
 * waking.c - what we assume of futexes, eventfds and membarrier
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static _Atomic uint32_t *map_word(int fd)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static long futex(_Atomic uint32_t *word, int op, uint32_t value)
{
	return syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

/*
 * The child maps the memory file anew, in a PID and user namespace of its own
 * where that is allowed: the key of a shared futex is the file's page.
 */
static void test_a_futex_wakes_across_processes_and_namespaces(void **state)
{
	int fd = memfd_create("futex", MFD_CLOEXEC);
	_Atomic uint32_t *word;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	word = map_word(fd);
	assert_non_null(word);

	pid = fork();
	if (pid == 0) {
		_Atomic uint32_t *mine;

		(void)!unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC);
		mine = map_word(fd);
		if (!mine)
			_exit(1);
		while (atomic_load_explicit(mine, memory_order_seq_cst) == 0)
			if (futex(mine, FUTEX_WAIT, 0) && errno != EAGAIN)
				_exit(2);
		_exit(0);
	}
	/* Until it sleeps, and is counted as woken. */
	while (futex(word, FUTEX_WAKE, INT_MAX) == 0)
		sched_yield();
	atomic_store_explicit(word, 1, memory_order_seq_cst);
	futex(word, FUTEX_WAKE, INT_MAX);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	munmap(word, 4096);
	close(fd);
}

/*
 * Any holder of an eventfd can clear O_NONBLOCK for all: reading must be able
 * to refuse to block call by call.
 */
static void test_a_shared_eventfd_can_be_read_without_blocking(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);	/* blocking */
	uint64_t n = 3;
	struct iovec v = { .iov_base = &n, .iov_len = sizeof(n) };

	(void)state;
	assert_true(fd >= 0);
	if (preadv2(fd, &v, 1, -1, RWF_NOWAIT) == -1 && errno == EOPNOTSUPP) {
		print_message("# preadv2(RWF_NOWAIT) on eventfd needs 5.8\n");
		skip();
	}
	assert_int_equal(errno, EAGAIN);
	n = 3;
	assert_int_equal(write(fd, &n, sizeof(n)), 8);
	n = 0;
	assert_int_equal(preadv2(fd, &v, 1, -1, RWF_NOWAIT), 8);
	assert_int_equal(n, 3);
	close(fd);
}

static long membarrier(int cmd)
{
	return syscall(SYS_membarrier, cmd, 0, 0);
}

static void test_membarrier_can_be_registered_and_issued(void **state)
{
	long have = membarrier(MEMBARRIER_CMD_QUERY);

	(void)state;
	if (have < 0 || !(have & MEMBARRIER_CMD_GLOBAL_EXPEDITED)) {
		print_message("# no membarrier in this kernel\n");
		skip();
	}
	assert_int_equal(
		membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED), 0);
	assert_int_equal(membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_futex_wakes_across_processes_and_namespaces),
		cmocka_unit_test(
			test_a_shared_eventfd_can_be_read_without_blocking),
		cmocka_unit_test(test_membarrier_can_be_registered_and_issued),
	};

	return cmocka_run_group_tests_name("waking", tests, NULL, NULL);
}
