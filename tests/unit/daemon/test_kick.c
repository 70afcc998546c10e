/* SPDX-License-Identifier: MIT */
/* test_kick.c - eventfds that a hostile holder filled and made blocking */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/kick.h"

static uint64_t taken(int fd)
{
	uint64_t n = 0;

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void fill_and_block(int fd)
{
	uint64_t full = UINT64_MAX - 1;

	assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
}

static void test_each_kick_is_one_ring(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct kick *k;

	(void)state;
	assert_int_equal(kick_open(&k), 0);
	for (int i = 0; i < 1000; i++)
		kick(k, fd);
	assert_int_equal(taken(fd), 1000);
	kick_close(k);
	close(fd);
}

/* The counter is never read: every kick is an edge of its own. */
static void test_a_sleeper_sees_each_kick(void **state)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	int fd = eventfd(0, EFD_CLOEXEC), ep = epoll_create1(EPOLL_CLOEXEC);
	struct kick *k;

	(void)state;
	assert_int_equal(kick_open(&k), 0);
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(epoll_wait(ep, &e, 1, 0), 0);
		kick(k, fd);
		assert_int_equal(epoll_wait(ep, &e, 1, 0), 1);
	}
	kick_close(k);
	close(ep);
	close(fd);
}

static void test_a_full_counter_holds_nobody_up(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct kick *k;

	(void)state;
	assert_int_equal(kick_open(&k), 0);
	fill_and_block(fd);
	for (int i = 0; i < 10; i++)
		kick(k, fd);
	assert_true(taken(fd) >= UINT64_MAX - 1);
	kick(k, fd);
	assert_int_equal(taken(fd), 1);
	kick_close(k);
	close(fd);
}

static void test_without_the_kernels_help_it_is_written(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	kick(NULL, fd);
	kick(NULL, fd);
	assert_int_equal(taken(fd), 2);
	fill_and_block(fd);
	kick(NULL, fd);
	assert_int_equal(taken(fd), UINT64_MAX - 1);
	close(fd);
}

static void test_what_is_no_eventfd_is_left_alone(void **state)
{
	struct kick *k;
	int fds[2];
	char byte;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	close(fds[0]);
	assert_int_equal(kick_open(&k), 0);
	kick(k, -1);
	kick(k, 1 << 20);
	close(fds[1]);
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	kick(k, fds[0]);
	assert_int_equal(read(fds[0], &byte, 1), -1);
	close(fds[0]);
	close(fds[1]);
	kick_close(k);
	kick_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kick_is_one_ring),
		cmocka_unit_test(test_a_sleeper_sees_each_kick),
		cmocka_unit_test(test_a_full_counter_holds_nobody_up),
		cmocka_unit_test(test_without_the_kernels_help_it_is_written),
		cmocka_unit_test(test_what_is_no_eventfd_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
