/* SPDX-License-Identifier: MIT */
/* test_toll.c - the thread that writes eventfds; bells of a domain: test_bells */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/toll.h"

/* Wait for rings of @fd, however many. */
static uint64_t rings(int fd)
{
	uint64_t n = 0;

	for (int ms = 0; ms < 5000 && n == 0; ms++) {
		n = toll_take(fd);
		if (n == 0)
			usleep(1000);
	}
	return n;
}

static void test_a_bell_that_hangs_hangs_no_one_else(void **state)
{
	const uint64_t full = UINT64_MAX - 1;
	uint64_t n = 0;
	struct toll *t;
	int fd[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(toll_open(&t, fd, 3), 0);
	toll_ring(t, 1);
	toll_ring(t, 7);
	for (int ms = 0; ms < 2000 && read(fd[1], &n, sizeof(n)) < 0; ms++)
		usleep(1000);
	assert_int_equal(n, 1);
	n = 0;
	/* Any holder can do this: who sleeps on it hears the ring still. */
	assert_int_equal(write(fd[0], &full, sizeof(full)), sizeof(full));
	toll_ring(t, 0);
	for (int ms = 0; ms < 2000 && n != 1; ms++) {
		struct pollfd p = { .fd = fd[0], .events = POLLOUT };

		usleep(1000);
		/* Emptied by the thread, which then rings. */
		if (poll(&p, 1, 0) == 1 && read(fd[0], &n, sizeof(n)) < 0)
			n = 0;
	}
	assert_int_equal(n, 1);
	/* And this. */
	assert_int_equal(write(fd[2], &full, sizeof(full)), sizeof(full));
	fcntl(fd[2], F_SETFL, 0);
	toll_ring(t, 2);
	usleep(20000);
	for (int i = 0; i < 100000; i++)
		toll_ring(t, 1);
	/* It hangs in the write, and ends all the same. */
	toll_close(t);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	toll_close(NULL);
}

/* The border of a word, and holes in the table. */
static void test_many_are_each_their_own(void **state)
{
	enum { N = 130 };
	struct toll *t;
	int fd[N];

	(void)state;
	for (int i = 0; i < N; i++)
		fd[i] = i % 3 ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	assert_int_equal(toll_open(&t, fd, N), 0);
	for (uint32_t i = 0; i < N + 70; i++)
		toll_ring(t, i);
	for (int i = 0; i < N; i++)
		if (fd[i] >= 0)
			assert_int_equal(rings(fd[i]), 1);
	toll_ring(t, 64);
	assert_int_equal(rings(fd[64]), 1);
	assert_int_equal(toll_take(fd[65]), 0);
	toll_close(t);
	for (int i = 0; i < N; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static void test_none_at_all_is_no_mistake(void **state)
{
	struct toll *t;

	(void)state;
	assert_int_equal(toll_open(&t, NULL, 0), 0);
	toll_ring(t, 0);
	toll_drop(t, 0);
	toll_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_bell_that_hangs_hangs_no_one_else),
		cmocka_unit_test(test_many_are_each_their_own),
		cmocka_unit_test(test_none_at_all_is_no_mistake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
