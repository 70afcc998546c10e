/* SPDX-License-Identifier: MIT */
/*
 * test_sdnotify.c - every message as its receiver sees it; inherited fds
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>

#include "daemon/sdnotify.h"

/* A manager: one datagram socket, by path or by abstract name. */
struct manager {
	char path[108];		/* as NOTIFY_SOCKET names it */
	int fd;
	char text[2048];	/* the last message */
	int got;		/* the fd that came with it, or -1 */
	struct sdnotify *n;
};

static void listen_at(struct manager *m, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t len = strlen(path);

	assert_true(len < sizeof(m->path));
	memcpy(m->path, path, len + 1);
	memcpy(a.sun_path, path, len);
	if (*path == '@')
		a.sun_path[0] = '\0';
	m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(m->fd >= 0);
	assert_int_equal(bind(m->fd, (struct sockaddr *)&a, (socklen_t)(
			      offsetof(struct sockaddr_un, sun_path) + len +
			      (*path == '/'))), 0);
}

static int setup(void **state)
{
	struct manager *m = calloc(1, sizeof(*m));
	char path[64];

	assert_non_null(m);
	snprintf(path, sizeof(path), "/tmp/snoo-test-notify-%d", getpid());
	unlink(path);
	listen_at(m, path);
	m->got = -1;
	assert_int_equal(sdnotify_open(&m->n, m->path), 0);
	assert_non_null(m->n);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct manager *m = *state;

	sdnotify_close(m->n);
	if (m->got >= 0)
		close(m->got);
	close(m->fd);
	unlink(m->path);
	free(m);
	return 0;
}

/* The next message; it is there already, or the test fails. */
static const char *receive(struct manager *m)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
	struct iovec iov = { m->text, sizeof(m->text) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(m->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	assert_true(n >= 0);
	m->text[n] = '\0';
	if (m->got >= 0)
		close(m->got);
	m->got = -1;
	if (c) {
		assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof(int)));
		memcpy(&m->got, CMSG_DATA(c), sizeof(int));
	}
	return m->text;
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void test_simple_messages(void **state)
{
	struct manager *m = *state;

	assert_int_equal(sdnotify_ready(m->n, NULL), 0);
	assert_string_equal(receive(m), "READY=1");
	assert_int_equal(sdnotify_ready(m->n, "2 domains"), 0);
	assert_string_equal(receive(m), "READY=1\nSTATUS=2 domains");
	assert_int_equal(sdnotify_status(m->n, "%d ranks", 7), 0);
	assert_string_equal(receive(m), "STATUS=7 ranks");
	assert_int_equal(sdnotify_stopping(m->n, "bye"), 0);
	assert_string_equal(receive(m), "STOPPING=1\nSTATUS=bye");
	assert_int_equal(sdnotify_watchdog(m->n), 0);
	assert_string_equal(receive(m), "WATCHDOG=1");
	assert_int_equal(sdnotify_extend(m->n, 5000000), 0);
	assert_string_equal(receive(m), "EXTEND_TIMEOUT_USEC=5000000");
	assert_int_equal(m->got, -1);
}

static void test_reloading_carries_the_time(void **state)
{
	struct manager *m = *state;
	struct timespec before, after;
	unsigned long long us, from, to;

	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(sdnotify_reloading(m->n), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_int_equal(sscanf(receive(m),
				"RELOADING=1\nMONOTONIC_USEC=%llu", &us), 1);
	from = (unsigned long long)before.tv_sec * 1000000 +
	       (unsigned long long)before.tv_nsec / 1000;
	to = (unsigned long long)after.tv_sec * 1000000 +
	     (unsigned long long)after.tv_nsec / 1000;
	assert_true(us >= from && us <= to);
}

/* A status with a line break must not become another assignment. */
static void test_a_status_can_not_forge_an_assignment(void **state)
{
	struct manager *m = *state;

	sdnotify_status(m->n, "%s", "x\nFDSTOREREMOVE=1\nFDNAME=pool");
	assert_null(strchr(receive(m), '\n'));
	sdnotify_ready(m->n, "x\nSTOPPING=1");
	assert_string_equal(receive(m), "READY=1\nSTATUS=x STOPPING=1");
}

static void test_store_sends_one_fd_with_its_name(void **state)
{
	struct manager *m = *state;
	int fd = memfd_create("kept", MFD_CLOEXEC);

	assert_int_equal(sdnotify_store(m->n, "pool-default", fd, false), 0);
	assert_string_equal(receive(m),
			    "FDSTORE=1\nFDNAME=pool-default\nFDPOLL=0");
	assert_true(same_file(fd, m->got));
	assert_int_equal(sdnotify_store(m->n, "s", fd, true), 0);
	assert_string_equal(receive(m), "FDSTORE=1\nFDNAME=s");
	assert_true(m->got >= 0);
	assert_int_equal(sdnotify_remove(m->n, "pool-default"), 0);
	assert_string_equal(receive(m),
			    "FDSTOREREMOVE=1\nFDNAME=pool-default");
	assert_int_equal(m->got, -1);
	close(fd);
}

static void test_bad_names_are_not_sent(void **state)
{
	struct manager *m = *state;
	char longest[SDNOTIFY_NAME_MAX + 2];

	assert_int_equal(sdnotify_store(m->n, "", 0, true), -EINVAL);
	assert_int_equal(sdnotify_store(m->n, "a:b", 0, true), -EINVAL);
	assert_int_equal(sdnotify_store(m->n, "a\nREADY=1", 0, true),
			 -EINVAL);
	assert_int_equal(sdnotify_store(m->n, "\xc3\xa4", 0, true), -EINVAL);
	assert_int_equal(sdnotify_store(m->n, "a", -1, true), -EINVAL);
	assert_int_equal(sdnotify_remove(m->n, "a:b"), -EINVAL);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[SDNOTIFY_NAME_MAX + 1] = '\0';
	assert_int_equal(sdnotify_remove(m->n, longest), -EINVAL);
	longest[SDNOTIFY_NAME_MAX] = '\0';
	assert_int_equal(sdnotify_remove(m->n, longest), 0);
}

static void test_a_barrier_ends_when_the_manager_has_read_it(void **state)
{
	struct manager *m = *state;
	struct pollfd p = { .events = 0 };

	assert_int_equal(sdnotify_watchdog(m->n), 0);
	assert_int_equal(sdnotify_barrier_start(m->n, &p.fd), 0);
	assert_true(p.fd >= 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_string_equal(receive(m), "WATCHDOG=1");
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_string_equal(receive(m), "BARRIER=1");
	assert_int_equal(poll(&p, 1, 0), 0);	/* the manager holds its end */
	close(m->got);
	m->got = -1;
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_true(p.revents & POLLHUP);
	close(p.fd);
}

static void test_a_barrier_that_nobody_reads_times_out(void **state)
{
	struct manager *m = *state;

	assert_int_equal(sdnotify_barrier(m->n, 1), -ETIMEDOUT);
	assert_string_equal(receive(m), "BARRIER=1");
}

static void test_a_barrier_waits_for_a_manager_that_reads(void **state)
{
	struct manager *m = *state;
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct pollfd p = { .fd = m->fd, .events = POLLIN };

		poll(&p, 1, -1);
		receive(m);	/* exiting closes what came with it */
		_exit(strcmp(m->text, "BARRIER=1") != 0);
	}
	assert_true(child > 0);
	assert_int_equal(sdnotify_barrier(m->n, -1), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_a_full_queue_is_waited_for_then_given_up(void **state)
{
	struct manager *m = *state;
	int ret = 0;

	for (int i = 0; i < 100000 && !ret; i++)
		ret = sdnotify_watchdog(m->n);
	assert_int_equal(ret, -ETIMEDOUT);
	receive(m);
	assert_int_equal(sdnotify_watchdog(m->n), 0);
}

static void test_a_manager_that_is_gone_is_an_error(void **state)
{
	struct manager *m = *state;

	unlink(m->path);
	assert_int_equal(sdnotify_watchdog(m->n), -ENOENT);
}

static void test_an_abstract_name(void **state)
{
	struct manager m = { .got = -1 };
	struct sdnotify *n;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "@snoo-test-notify-%d", getpid());
	listen_at(&m, path);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(sdnotify_open(&n, NULL), 0);
	assert_int_equal(sdnotify_ready(n, NULL), 0);
	assert_string_equal(receive(&m), "READY=1");
	sdnotify_close(n);
	close(m.fd);
}

static void test_nobody_listens(void **state)
{
	struct sdnotify *n = (struct sdnotify *)1;
	int fd = 7;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(sdnotify_open(&n, NULL), 0);
	assert_null(n);
	assert_int_equal(sdnotify_ready(n, "x"), 0);
	assert_int_equal(sdnotify_status(n, "x"), 0);
	assert_int_equal(sdnotify_stopping(n, NULL), 0);
	assert_int_equal(sdnotify_reloading(n), 0);
	assert_int_equal(sdnotify_watchdog(n), 0);
	assert_int_equal(sdnotify_extend(n, 1), 0);
	assert_int_equal(sdnotify_store(n, "x", 0, true), 0);
	assert_int_equal(sdnotify_remove(n, "x"), 0);
	assert_int_equal(sdnotify_barrier(n, -1), 0);
	assert_int_equal(sdnotify_barrier_start(n, &fd), 0);
	assert_int_equal(fd, -1);
	assert_true(sdnotify_watchdog_us(n) == 0);
	sdnotify_close(n);
}

static void test_addresses_are_checked(void **state)
{
	struct sdnotify *n;
	char path[200];

	(void)state;
	assert_int_equal(sdnotify_open(&n, "relative"), -EINVAL);
	assert_int_equal(sdnotify_open(&n, "/"), -EINVAL);
	assert_int_equal(sdnotify_open(&n, "vsock:2:1"), -EINVAL);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[108] = '\0';
	assert_int_equal(sdnotify_open(&n, path), -ENAMETOOLONG);
	path[107] = '\0';
	assert_int_equal(sdnotify_open(&n, path), 0);
	sdnotify_close(n);
	/* An abstract name has no zero at its end: one byte more. */
	path[0] = '@';
	path[107] = 'x';
	assert_int_equal(sdnotify_open(&n, path), 0);
	sdnotify_close(n);
	path[108] = 'x';
	path[109] = '\0';
	assert_int_equal(sdnotify_open(&n, path), -ENAMETOOLONG);
	assert_null(n);
}

static uint64_t watchdog(const char *us, const char *pid)
{
	struct sdnotify *n;
	uint64_t out;

	setenv("NOTIFY_SOCKET", "/run/nobody", 1);
	setenv("WATCHDOG_USEC", us, 1);
	if (pid)
		setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(sdnotify_open(&n, NULL), 0);
	out = sdnotify_watchdog_us(n);
	sdnotify_close(n);
	/* No child speaks for us. */
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
	assert_null(getenv("WATCHDOG_PID"));
	return out;
}

static void test_the_watchdog_is_for_one_process(void **state)
{
	char us[32], other[32];

	(void)state;
	snprintf(us, sizeof(us), "%d", getpid());
	snprintf(other, sizeof(other), "%d", getppid());
	assert_true(watchdog("30000000", us) == 30000000);
	assert_true(watchdog("30000000", NULL) == 30000000);
	assert_true(watchdog("30000000", other) == 0);
	assert_true(watchdog("30s", us) == 0);
	assert_true(watchdog("-1", us) == 0);
	assert_true(watchdog("99999999999999999999", us) == 0);
}

/* ---- inherited fds ----------------------------------------------------- */

static void announce(const char *n, const char *names)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", n, 1);
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
	else
		unsetenv("LISTEN_FDNAMES");
}

/* In a child, so that fds 3 and 4 can be ours. */
static void in_child(void (*body)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		body();
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* assert_*() would run the rest of the group in the child. */
static void must(bool truth, int line)
{
	if (!truth) {
		fprintf(stderr, "%s:%d: child\n", __FILE__, line);
		_exit(1);
	}
}

#define MUST(x)	must((x), __LINE__)

static void take_two(void)
{
	struct sdnotify_fds fds;

	MUST(dup2(eventfd(0, 0), 3) == 3);
	MUST(dup2(eventfd(0, 0), 4) == 4);
	announce("2", "pool:");
	MUST(sdnotify_listen_fds(&fds) == 0);
	MUST(fds.n == 2);
	MUST(fds.fd[0].fd == 3 && strcmp(fds.fd[0].name, "pool") == 0);
	MUST(fds.fd[1].fd == 4 && strcmp(fds.fd[1].name, "unknown") == 0);
	MUST(fcntl(3, F_GETFD) & FD_CLOEXEC);
	MUST(fcntl(4, F_GETFD) & FD_CLOEXEC);
	MUST(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") &&
	     !getenv("LISTEN_FDNAMES"));
	sdnotify_fds_fini(&fds);
	MUST(fds.n == 0);
	MUST(fcntl(3, F_GETFD) >= 0);	/* fds stay open */
	/* A second call finds nothing. */
	MUST(sdnotify_listen_fds(&fds) == 0 && fds.n == 0);
}

static void take_without_names(void)
{
	struct sdnotify_fds fds;

	MUST(dup2(eventfd(0, 0), 3) == 3);
	announce("1", NULL);
	MUST(sdnotify_listen_fds(&fds) == 0);
	MUST(fds.n == 1 && strcmp(fds.fd[0].name, "unknown") == 0);
	sdnotify_fds_fini(&fds);
}

static void take_more_than_there_are(void)
{
	struct sdnotify_fds fds;

	MUST(dup2(eventfd(0, 0), 3) == 3);
	close(4);
	announce("2", "a:b");
	MUST(sdnotify_listen_fds(&fds) == -EINVAL);
	MUST(fds.n == 0);
	MUST(!getenv("LISTEN_FDS"));
}

static void test_listen_fds(void **state)
{
	(void)state;
	in_child(take_two);
	in_child(take_without_names);
	in_child(take_more_than_there_are);
}

static void test_fds_of_another_process_are_left_alone(void **state)
{
	struct sdnotify_fds fds;
	char pid[32];

	(void)state;
	announce("1", NULL);
	snprintf(pid, sizeof(pid), "%d", getppid());
	setenv("LISTEN_PID", pid, 1);
	assert_int_equal(sdnotify_listen_fds(&fds), 0);
	assert_int_equal(fds.n, 0);
	assert_null(getenv("LISTEN_PID"));
}

static void test_nonsense_in_listen_fds_is_an_error(void **state)
{
	static const char *const bad[] = { "-1", "x", "", "1x", "1000001" };
	struct sdnotify_fds fds;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		announce(bad[i], NULL);
		assert_int_equal(sdnotify_listen_fds(&fds), -EINVAL);
	}
	announce("1", NULL);
	setenv("LISTEN_PID", "self", 1);
	assert_int_equal(sdnotify_listen_fds(&fds), -EINVAL);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_simple_messages),
		T(test_reloading_carries_the_time),
		T(test_a_status_can_not_forge_an_assignment),
		T(test_store_sends_one_fd_with_its_name),
		T(test_bad_names_are_not_sent),
		T(test_a_barrier_ends_when_the_manager_has_read_it),
		T(test_a_barrier_that_nobody_reads_times_out),
		T(test_a_barrier_waits_for_a_manager_that_reads),
		T(test_a_full_queue_is_waited_for_then_given_up),
		T(test_a_manager_that_is_gone_is_an_error),
		cmocka_unit_test(test_an_abstract_name),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_addresses_are_checked),
		cmocka_unit_test(test_the_watchdog_is_for_one_process),
		cmocka_unit_test(test_listen_fds),
		cmocka_unit_test(test_fds_of_another_process_are_left_alone),
		cmocka_unit_test(test_nonsense_in_listen_fds_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
