/* SPDX-License-Identifier: MIT */
/*
 * mortal.c - a real daemon with its keeper, which dies at a test point once
 */
#include "tests/lib/mortal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TRIES	 15000 /* of 2 ms: then something hangs */
#define SETS_MAX 16
#define TEST_MAX 128

void mortal_nap(void)
{
	poll(NULL, 0, 2);
}

const char *mortal_path(const struct mortal *m, const char *name, char *buf,
			size_t len)
{
	snprintf(buf, len, "%s/%s", m->dir, name);
	return buf;
}

static void exec_daemon(const struct mortal *m, const char *const *sets,
			int ready)
{
	char program[512], fd[16];
	const char *tp = getenv("TP");
	const char *arg[16 + 2 * SETS_MAX] = {
		program,
		"--runtime-dir",
		m->dir,
		"--pool-size",
		"8M",
		"--ready-fd",
		fd,
		"--log-level",
		getenv("V") ? "debug" : "error",
		"--exit-with-parent",
		"--set",
		"domains.default.pool.huge_pages=never",
		"--set",
		"domains.default.ranks_max=64",
	};
	size_t n = 14;

	for (; sets && *sets && n + 2 < sizeof(arg) / sizeof(arg[0]); sets++) {
		arg[n++] = "--set";
		arg[n++] = *sets;
	}
	snprintf(program, sizeof(program), "%s/bin/snoo-daemon",
		 tp ? tp : "build/tp");
	snprintf(fd, sizeof(fd), "%d", ready);
	setenv("SNOO_TESTPOINT", m->point, 1);
	setenv("SNOO_TESTPOINT_ONCE", m->once, 1);
	unsetenv("NOTIFY_SOCKET");
	execv(program, (char *const *)arg);
	_exit(127);
}

void mortal_start(struct mortal *m, const char *point, const char *const *sets)
{
	char line[16];
	int ready[2], fd;

	memset(m, 0, sizeof(*m));
	m->point = point;
	strcpy(m->dir, "/tmp/snoo-mortal-XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	mortal_path(m, "default.sock", m->path, sizeof(m->path));
	mortal_path(m, "once", m->once, sizeof(m->once));
	fd = open(m->once, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(pipe(ready), 0);
	m->keeper = fork();
	assert_true(m->keeper >= 0);
	if (m->keeper == 0) {
		close(ready[0]);
		exec_daemon(m, sets, ready[1]);
	}
	close(ready[1]);
	/* End of file: it has ended without becoming ready. */
	assert_true(read(ready[0], line, sizeof(line)) > 0);
	close(ready[0]);
}

int mortal_ask(const struct mortal *m, const char *request, char *answer,
	       size_t len)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t used = 0;
	ssize_t n;

	mortal_path(m, "admin.sock", addr.sun_path, sizeof(addr.sun_path));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
		close(fd);
		return -EAGAIN;
	}
	shutdown(fd, SHUT_WR);
	while (used < len - 1 &&
	       (n = read(fd, answer + used, len - 1 - used)) > 0)
		used += (size_t)n;
	answer[used] = '\0';
	close(fd);
	return used ? 0 : -EAGAIN;
}

void mortal_expect_none(const struct mortal *m, const char *request)
{
	char answer[16384] = "";

	for (int i = 0; i < TRIES; i++) {
		if (mortal_ask(m, request, answer, sizeof(answer)) == 0 &&
		    strstr(answer, "\"result\":[]"))
			return;
		mortal_nap();
	}
	fail_msg("%s: something is left: %s", request, answer);
}

static long long member(const char *json, const char *key)
{
	char quoted[64];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	at = strstr(json, quoted);
	return at ? atoll(at + strlen(quoted)) : -1;
}

void mortal_expect_empty(const struct mortal *m)
{
	char pool[8192] = "";

	mortal_expect_none(m, "{\"cmd\":\"jobs\"}\n");
	for (int i = 0; i < TRIES; i++) {
		if (mortal_ask(m, "{\"cmd\":\"pool\"}\n", pool, sizeof(pool)) ==
			    0 &&
		    member(pool, "free_bytes") > 0 &&
		    member(pool, "free_bytes") == member(pool, "arena_bytes"))
			return;
		mortal_nap();
	}
	fail_msg("something is left: %s", pool);
}

void mortal_kill(const struct mortal *m)
{
	char path[128], pid[32] = "";
	int fd = open(mortal_path(m, "default.lock", path, sizeof(path)),
		      O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, pid, sizeof(pid) - 1) > 0);
	close(fd);
	/* It may just have died by itself. */
	if (atoi(pid) > 0)
		kill(atoi(pid), SIGKILL);
}

static void remove_dir(const struct mortal *m)
{
	static const char *const files[] = {
		"once",		"default.lock",		"default.sock",
		"admin.sock",	"default.ivshmem.sock", "default.control.sock",
		"default.pool",
	};
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(mortal_path(m, files[i], path, sizeof(path)));
	rmdir(m->dir);
}

void mortal_stop(struct mortal *m)
{
	bool reached = access(m->once, F_OK) != 0;
	int status;

	kill(m->keeper, SIGTERM);
	waitpid(m->keeper, &status, 0);
	remove_dir(m);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	if (*m->point && !reached)
		fail_msg("test point %s was never passed", m->point);
}

int mortal_run(const char *const *points, size_t n, void (*story)(void **))
{
	struct CMUnitTest tests[TEST_MAX];
	char names[TEST_MAX][64];

	signal(SIGPIPE, SIG_IGN);
	assert_true(n <= TEST_MAX);
	memset(tests, 0, sizeof(tests));
	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "killed_at_%s",
			 *points[i] ? points[i] : "nowhere");
		tests[i].name = names[i];
		tests[i].test_func = story;
		tests[i].initial_state = (void *)points[i];
	}
	return _cmocka_run_group_tests("tests", tests, n, NULL, NULL);
}
