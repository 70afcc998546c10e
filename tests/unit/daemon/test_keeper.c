/* SPDX-License-Identifier: MIT */
/*
 * test_keeper.c - daemons that die under the keeper and find their fds again
 *
 * The fake daemons are this program, started by the keeper with the name of
 * their part.  A fake daemon that finds something wrong says so and exits with
 * FAILED, which ends the keeper with the same code.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/keeper.h"
#include "daemon/log.h"

#define FAILED	KEEPER_EXIT_CONFIG
#define ROUNDS	20u
#define MANY	300u

/* ---- fake daemons ---- */

#define NEED(condition) need((condition), #condition, __LINE__)

static void need(bool ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "# fake daemon, line %d: %s\n", line, what);
	_exit(FAILED);
}

static struct sdnotify *notify;
static struct keeper *keeper;

static void come_up(void)
{
	NEED(sdnotify_open(&notify, NULL) == 0);
	NEED(keeper_open(&keeper, notify) == 0);
	NEED(keeper_has_store(keeper));
	NEED(strncmp(keeper_describe(keeper), "keeper process", 14) == 0);
	NEED(keeper_pidfd(keeper) >= 0);
	NEED(getenv("LISTEN_FDS") == NULL && getenv("NOTIFY_SOCKET") == NULL);
}

static int memory(uint32_t value)
{
	int fd = memfd_create("kept", MFD_CLOEXEC);

	NEED(fd >= 0 && pwrite(fd, &value, sizeof(value), 0) == 4);
	return fd;
}

static uint32_t value_of(int fd)
{
	uint32_t value = 0;

	NEED(pread(fd, &value, sizeof(value), 0) == 4);
	return value;
}

static void die(void)
{
	kill(getpid(), SIGKILL);
}

static void first_round(void)
{
	int pair[2];
	int fd;

	NEED(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	NEED(send(pair[0], "0", 1, 0) == 1);
	NEED(keeper_store(keeper, "sock.a", pair[0], true) == 0);
	NEED(keeper_store(keeper, "sock.b", pair[1], true) == 0);
	fd = eventfd(7, EFD_CLOEXEC | EFD_NONBLOCK);
	NEED(keeper_store(keeper, "event", fd, false) == 0);
	for (uint32_t i = 0; i < MANY; i++) {
		char name[32];

		snprintf(name, sizeof(name), "mem.%u", i);
		fd = memory(i);
		NEED(keeper_store(keeper, name, fd, i % 2) == 0);
		close(fd);
	}
	NEED(keeper_store(keeper, "round", memory(1), false) == 0);
	NEED(keeper_stored(keeper) == MANY + 4);
	NEED(keeper_barrier(keeper, 10000) == 0);
}

static void check_kept(uint32_t round)
{
	char expect[16], got[16];
	uint64_t count = 0;
	ssize_t n;
	int a, b, fd;

	for (uint32_t i = 0; i < MANY; i++) {
		char name[32];

		snprintf(name, sizeof(name), "mem.%u", i);
		fd = keeper_take(keeper, name);
		NEED(fd >= 0 && value_of(fd) == i);
		NEED(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	a = keeper_take(keeper, "sock.a");
	b = keeper_take(keeper, "sock.b");
	NEED(a >= 0 && b >= 0);
	/* What the daemon before us sent is still under way. */
	snprintf(expect, sizeof(expect), "%u", round - 1);
	n = recv(b, got, sizeof(got), MSG_DONTWAIT);
	NEED(n == (ssize_t)strlen(expect) &&
	     memcmp(got, expect, (size_t)n) == 0);
	snprintf(expect, sizeof(expect), "%u", round);
	NEED(send(a, expect, strlen(expect), 0) > 0);
	fd = keeper_take(keeper, "event");
	NEED(fd >= 0 && read(fd, &count, sizeof(count)) == 8);
	NEED(count == 6 + round);
	count++;
	NEED(write(fd, &count, sizeof(count)) == 8);
}

/* 20 rounds, 19 violent deaths. */
static int part_rounds(void)
{
	uint32_t round;
	int fd;

	come_up();
	fd = keeper_find(keeper, "round");
	if (fd < 0) {
		first_round();
		sdnotify_ready(notify, NULL);
		die();
	}
	NEED(keeper_take(keeper, "round") == fd);
	round = value_of(fd);
	check_kept(round);
	NEED(keeper_drop_rest(keeper) == 0);
	/* Each round leaves one fd more, in its very last moment. */
	round++;
	NEED(pwrite(fd, &round, sizeof(round), 0) == 4);
	sdnotify_ready(notify, NULL);
	if (round == ROUNDS)
		return 0;
	die();
	return FAILED;
}

/* The store's own rules: forgetting, ends of file, strangers, last words. */
static int part_rules(void)
{
	const struct keeper_fd *list;
	int pair[2];
	pid_t pid;

	come_up();
	if (keeper_find(keeper, "last.words") >= 0) {
		NEED(keeper_find(keeper, "forgotten") < 0);
		NEED(keeper_find(keeper, "ended") < 0);
		NEED(keeper_find(keeper, "stranger") < 0);
		NEED(keeper_find(keeper, "unwatched") >= 0);
		NEED(value_of(keeper_find(keeper, "twice")) == 8);
		NEED(keeper_inherited(keeper, &list) == 4);
		NEED(strcmp(list[0].name, "unwatched") == 0);
		NEED(keeper_take(keeper, "twice") >= 0);
		NEED(keeper_find(keeper, "twice") >= 0);
		NEED(keeper_drop_rest(keeper) == 3);
		NEED(keeper_inherited(keeper, &list) == 0);
		keeper_close(keeper);
		return 0;
	}
	NEED(keeper_store(keeper, "last\nwords", 0, false) == -EINVAL);
	NEED(keeper_store(keeper, "a:b", 0, false) == -EINVAL);
	NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	NEED(keeper_store(keeper, "unwatched", pair[0], false) == 0);
	NEED(keeper_store(keeper, "ended", pair[0], true) == 0);
	close(pair[1]);
	NEED(keeper_store(keeper, "forgotten", memory(1), true) == 0);
	NEED(keeper_store(keeper, "forgotten", memory(2), true) == 0);
	NEED(keeper_forget(keeper, "forgotten") == 0);
	/* One open file under one name is kept once, two are kept twice. */
	pair[0] = memory(8);
	NEED(keeper_store(keeper, "twice", pair[0], false) == 0);
	NEED(keeper_store(keeper, "twice", pair[0], false) == 0);
	NEED(keeper_store(keeper, "twice", memory(9), false) == 0);
	/* A child of ours is not us. */
	pid = fork();
	if (pid == 0) {
		keeper_store(keeper, "stranger", memory(3), false);
		_exit(0);
	}
	NEED(waitpid(pid, NULL, 0) == pid);
	/* No barrier: sent is enough. */
	NEED(keeper_store(keeper, "last.words", memory(4), false) == 0);
	die();
	return FAILED;
}

static int part_config(void)
{
	return KEEPER_EXIT_CONFIG;
}

static int part_unclean(void)
{
	int fd;

	come_up();
	fd = keeper_find(keeper, "seen");
	if (fd >= 0)
		return 0;
	NEED(keeper_store(keeper, "seen", memory(1), false) == 0);
	/* Before READY an exit is a start that failed. */
	sdnotify_ready(notify, NULL);
	return 1;
}

static void on_term(int sig)
{
	(void)sig;
	_exit(0);
}

static int part_wait(void)
{
	sigset_t set;

	signal(SIGTERM, on_term);
	come_up();
	sigprocmask(SIG_SETMASK, NULL, &set);
	NEED(!sigismember(&set, SIGTERM) && !sigismember(&set, SIGCHLD));
	NEED(sdnotify_ready(notify, "up") == 0);
	pause();
	return FAILED;
}

static const struct part {
	const char *name;
	int (*fn)(void);
} parts[] = {
	{ "rounds", part_rounds },
	{ "rules", part_rules },
	{ "config", part_config },
	{ "unclean", part_unclean },
	{ "wait", part_wait },
};

/* ---- tests ---- */

static pid_t start_keeper(const char *part, const char *path, int ready_fd)
{
	char *const argv[] = { "test_keeper", (char *)(uintptr_t)part, NULL };
	const struct keeper_params params = {
		.path = path, .argv = argv, .ready_fd = ready_fd,
	};
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		log_open(LOG_LEVEL_ERROR);
		_exit(keeper_run(&params));
	}
	return pid;
}

static int exit_code(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int run(const char *part)
{
	return exit_code(start_keeper(part, NULL, -1));
}

static void test_twenty_daemons_find_what_was_kept(void **state)
{
	(void)state;
	assert_int_equal(run("rounds"), 0);
}

static void test_the_rules_of_the_store(void **state)
{
	(void)state;
	assert_int_equal(run("rules"), 0);
}

static void test_a_bad_configuration_is_not_tried_again(void **state)
{
	(void)state;
	assert_int_equal(run("config"), KEEPER_EXIT_CONFIG);
}

static void test_an_unclean_exit_is_a_death(void **state)
{
	(void)state;
	assert_int_equal(run("unclean"), 0);
}

static void test_a_program_that_is_not_there_is_the_end(void **state)
{
	(void)state;
	assert_int_equal(exit_code(start_keeper("x", "/nonexistent", -1)), 1);
}

static void test_readiness_is_passed_on_sigterm_stops(void **state)
{
	char line[16] = "";
	int fds[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = start_keeper("wait", NULL, fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], line, sizeof(line)), 6);
	assert_string_equal(line, "READY\n");
	/* The daemon has no end of the pipe: this is the end of file. */
	assert_int_equal(read(fds[0], line, sizeof(line)), 0);
	close(fds[0]);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(exit_code(pid), 0);
}

static void test_a_notify_socket_above_hears_of_readiness(void **state)
{
	struct sockaddr_storage addr = { .ss_family = AF_UNIX };
	socklen_t len = sizeof(addr.ss_family);
	char path[64] = "", text[256];
	ssize_t n;
	pid_t pid;
	int fd;

	(void)state;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	len = sizeof(addr);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	snprintf(path, sizeof(path), "@%.*s", (int)(len - sizeof(sa_family_t) -
		 1), (const char *)&addr + sizeof(sa_family_t) + 1);
	setenv("NOTIFY_SOCKET", path, 1);
	pid = start_keeper("wait", NULL, -1);
	unsetenv("NOTIFY_SOCKET");
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "READY=1"));
	kill(pid, SIGTERM);
	assert_int_equal(exit_code(pid), 0);
	close(fd);
}

static void test_without_a_store_nothing_fails(void **state)
{
	const struct keeper_fd *list;
	struct keeper *k;

	(void)state;
	assert_int_equal(keeper_open(&k, NULL), 0);
	assert_false(keeper_has_store(k));
	assert_non_null(strstr(keeper_describe(k), "none"));
	assert_int_equal(keeper_store(k, "x", 0, true), 0);
	assert_int_equal(keeper_forget(k, "x"), 0);
	assert_int_equal(keeper_barrier(k, 0), 0);
	assert_int_equal(keeper_stored(k), 0);
	assert_int_equal(keeper_pidfd(k), -1);
	assert_int_equal(keeper_find(k, "x"), -1);
	assert_int_equal(keeper_take(k, "x"), -1);
	assert_int_equal(keeper_inherited(k, &list), 0);
	assert_int_equal(keeper_drop_rest(k), 0);
	keeper_close(k);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_twenty_daemons_find_what_was_kept),
		cmocka_unit_test(test_the_rules_of_the_store),
		cmocka_unit_test(test_a_bad_configuration_is_not_tried_again),
		cmocka_unit_test(test_an_unclean_exit_is_a_death),
		cmocka_unit_test(test_a_program_that_is_not_there_is_the_end),
		cmocka_unit_test(test_readiness_is_passed_on_sigterm_stops),
		cmocka_unit_test(test_a_notify_socket_above_hears_of_readiness),
		cmocka_unit_test(test_without_a_store_nothing_fails),
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (argc == 2 && strcmp(argv[1], parts[i].name) == 0)
			return parts[i].fn();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
