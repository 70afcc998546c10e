/* SPDX-License-Identifier: MIT */
/*
 * test_holder.c - who can open a pool by the holder's path, and for how long
 *
 * The program is its own holder: main() does what the daemon's does.
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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/conf.h"
#include "daemon/holder.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/privs.h"

#define OTHER 65533u /* a user and group that nobody else is */
#define WORD  "SNOOSHM1"

struct fixture {
	char dir[64];
	int pool;
	struct holder_params p;
	struct holder h;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/snoo-holder-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(chmod(f->dir, 0755), 0);
	f->pool = memfd_create("pool", MFD_CLOEXEC);
	assert_int_equal(pwrite(f->pool, WORD, 8, 0), 8);
	f->p = (struct holder_params){
		.domain = "lab.a",
		.runtime_dir = f->dir,
		.pool_fd = f->pool,
		.uid = CONF_NO_GID,
		.gid = CONF_NO_GID,
	};
	holder_init(&f->h);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char cmd[128];

	holder_close(&f->h);
	close(f->pool);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
	assert_int_equal(system(cmd), 0);
	free(f);
	return 0;
}

/* As another user, without any capability: can it write there?  0 or errno. */
static int opens_as(uint32_t uid, uint32_t gid, const char *path)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int fd;

		if (syscall(SYS_setgroups, 0, NULL) ||
		    syscall(SYS_setresgid, gid, gid, gid) ||
		    syscall(SYS_setresuid, uid, uid, uid))
			_exit(255);
		fd = open(path, O_RDWR);
		if (fd < 0)
			_exit(errno);
		_exit(pwrite(fd, "x", 1, 100) == 1 ? 0 : 254);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static char *status_of(pid_t pid, char *text, size_t len)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? 0 : read(fd, text, len - 1);
	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

/* Up to 5 s, which only a failure takes. */
static bool is_gone(pid_t pid)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	char text[4096];

	for (int i = 0; i < 5000; i++) {
		if (!strstr(status_of(pid, text, sizeof(text)), "State:") ||
		    strstr(text, "State:\tZ"))
			return true;
		nanosleep(&ms, NULL);
	}
	return false;
}

static void test_the_path_leads_to_the_pool(void **state)
{
	struct fixture *f = *state;
	char path[128], word[8];
	struct stat st;
	int fd;

	assert_int_equal(holder_open(&f->h, &f->p), 0);
	assert_string_equal(f->h.warning, "");
	snprintf(path, sizeof(path), "%s/lab.a.pool", f->dir);
	assert_string_equal(f->h.path, path);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, word, 8, 0), 8);
	assert_memory_equal(word, WORD, 8);
	close(fd);
}

static void test_qemus_user_can_open_it_and_no_other(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	f->p.uid = f->p.gid = OTHER;
	assert_int_equal(holder_open(&f->h, &f->p), 0);
	assert_int_equal(opens_as(OTHER, OTHER, f->h.path), 0);
	/* Both must be the same, as holder.h and the manual say. */
	assert_int_equal(opens_as(OTHER - 1, OTHER, f->h.path), EACCES);
	assert_int_equal(opens_as(OTHER, OTHER - 1, f->h.path), EACCES);
}

/* Why there is a holder at all. */
static void test_our_own_fd_is_closed_to_others(void **state)
{
	struct fixture *f = *state;
	char path[64];

	if (geteuid() != 0)
		skip();
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), f->pool);
	assert_int_equal(opens_as(OTHER, OTHER, path), EACCES);
}

static void test_it_has_no_capability_and_nothing_of_ours(void **state)
{
	struct fixture *f = *state;
	char text[4096], cmd[160], line[256];
	const char *groups;
	FILE *in;
	int fds = 0;

	if (geteuid() == 0)
		f->p.uid = f->p.gid = OTHER;
	assert_int_equal(holder_open(&f->h, &f->p), 0);
	status_of(f->h.pid, text, sizeof(text));
	assert_non_null(strstr(text, "Name:\tsnoo-holder\n"));
	assert_non_null(strstr(text, "CapPrm:\t0000000000000000"));
	assert_non_null(strstr(text, "CapEff:\t0000000000000000"));
	assert_non_null(strstr(text, "CapAmb:\t0000000000000000"));
	assert_non_null(strstr(text, "NoNewPrivs:\t1"));
	if (geteuid() == 0) {
		assert_non_null(strstr(text, "Uid:\t65533\t65533\t65533\t"
					     "65533"));
		groups = strstr(text, "Groups:\t");
		assert_non_null(groups);
		assert_int_equal(strspn(groups + 8, " \n") > 0, 1);
	}
	/* 0 to 4, and no page of the pool or of another mapping of ours. */
	snprintf(cmd, sizeof(cmd),
		 "ls -l /proc/%d/fd; grep -c memfd "
		 "/proc/%d/maps",
		 (int)f->h.pid, (int)f->h.pid);
	in = popen(cmd, "r");
	assert_non_null(in);
	while (fgets(line, sizeof(line), in))
		fds += strstr(line, " -> ") != NULL;
	pclose(in);
	assert_int_equal(fds, HOLDER_FD + 2);
	assert_string_equal(line, "0\n");
}

/* Also root's exec gives none back. */
static void test_a_holder_of_root_has_no_capability(void **state)
{
	struct fixture *f = *state;
	char text[4096];

	if (geteuid() != 0)
		skip();
	assert_int_equal(holder_open(&f->h, &f->p), 0);
	status_of(f->h.pid, text, sizeof(text));
	assert_non_null(strstr(text, "Uid:\t0\t0\t0\t0"));
	assert_non_null(strstr(text, "CapPrm:\t0000000000000000"));
}

static void test_it_uses_no_cpu(void **state)
{
	const struct timespec wait = { .tv_nsec = 200000000 };
	struct fixture *f = *state;
	char text[4096];
	unsigned long u[2], s[2];
	char path[64];

	assert_int_equal(holder_open(&f->h, &f->p), 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)f->h.pid);
	for (int i = 0; i < 2; i++) {
		FILE *in = fopen(path, "r");

		assert_non_null(in);
		assert_int_equal(fscanf(in,
					"%*d (%*[^)]) %*c %*d %*d %*d %*d "
					"%*d %*u %*u %*u %*u %*u %lu %lu",
					&u[i], &s[i]),
				 2);
		fclose(in);
		nanosleep(&wait, NULL);
	}
	assert_int_equal(u[0], u[1]);
	assert_int_equal(s[0], s[1]);
	assert_non_null(
		strstr(status_of(f->h.pid, text, sizeof(text)), "State:\tS"));
}

static void test_signals_that_mean_the_daemon_do_not_end_it(void **state)
{
	static const int sig[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGQUIT };
	struct fixture *f = *state;

	assert_int_equal(holder_open(&f->h, &f->p), 0);
	for (size_t i = 0; i < sizeof(sig) / sizeof(sig[0]); i++)
		assert_int_equal(kill(f->h.pid, sig[i]), 0);
	assert_int_equal(access(f->h.path, F_OK), 0);
	assert_int_equal(kill(f->h.pid, 0), 0);
	assert_int_equal(waitpid(f->h.pid, NULL, WNOHANG), 0);
}

/* A daemon that is killed: even by a holder of another user, which it could
 * not signal. */
static void test_it_ends_with_the_daemon(void **state)
{
	struct fixture *f = *state;
	int out[2];
	pid_t daemon, pid = 0;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	if (geteuid() == 0)
		f->p.uid = f->p.gid = OTHER;
	daemon = fork();
	if (daemon == 0) {
		char why[PRIVS_TEXT];

		if (holder_open(&f->h, &f->p) || privs_limit(0, why) ||
		    write(out[1], &f->h.pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		for (;;)
			pause();
	}
	close(out[1]);
	assert_int_equal(read(out[0], &pid, sizeof(pid)), sizeof(pid));
	close(out[0]);
	assert_int_equal(kill(pid, 0), 0);
	kill(daemon, SIGKILL);
	assert_int_equal(waitpid(daemon, NULL, 0), daemon);
	assert_true(is_gone(pid));
}

/* QEMU starts, has the pool, and ends. */
static void test_it_outlives_those_who_opened_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(holder_open(&f->h, &f->p), 0);
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			int fd = open(f->h.path, O_RDWR);

			raise(fd < 0 ? SIGABRT : SIGKILL);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WTERMSIG(status), SIGKILL);
	}
	assert_int_equal(waitpid(f->h.pid, NULL, WNOHANG), 0);
}

static void test_the_next_daemon_turns_the_link(void **state)
{
	struct fixture *f = *state;
	char first[HOLDER_PATH];
	struct holder next;
	pid_t pid;

	assert_int_equal(holder_open(&f->h, &f->p), 0);
	strcpy(first, f->h.target);
	pid = f->h.pid;
	holder_init(&next);
	assert_int_equal(holder_open(&next, &f->p), 0);
	assert_string_not_equal(next.target, first);
	/* The first one's end leaves a link that is not its own. */
	holder_close(&f->h);
	assert_true(is_gone(pid));
	assert_int_equal(access(next.path, R_OK | W_OK), 0);
	pid = next.pid;
	holder_close(&next);
	assert_true(is_gone(pid));
	snprintf(first, sizeof(first), "%s/lab.a.pool", f->dir);
	assert_int_equal(readlink(first, next.path, 10), -1);
	assert_int_equal(errno, ENOENT);
	holder_close(&next);
}

static void test_what_is_no_link_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/lab.a.pool", f->dir);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(holder_open(&f->h, &f->p), -EEXIST);
	assert_non_null(strstr(f->h.warning, path));
	assert_int_equal(f->h.pid, 0);
	assert_int_equal(holder_link(&f->h, "lab.a", f->dir, "/x"), -EEXIST);
	assert_int_equal(holder_link(&f->h, "lab.a", f->dir, path), -EEXIST);
	holder_close(&f->h);
	assert_int_equal(access(path, F_OK), 0);
}

/* A daemon that is no root can't become another user, and says what to do. */
static void test_without_setuid_the_warning_says_so(void **state)
{
	struct fixture *f = *state;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		char why[PRIVS_TEXT];
		int ret;

		if (privs_limit(PRIVS_KEEP, why))
			_exit(1);
		f->p.uid = f->p.gid = OTHER;
		ret = holder_open(&f->h, &f->p);
		if (ret != -EPERM || f->h.pid || *f->h.path)
			_exit(2);
		if (!strstr(f->h.warning, "CAP_SETUID"))
			_exit(3);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_a_program_that_is_not_there_is_told(void **state)
{
	struct fixture *f = *state;

	f->p.program = "/no/such/program";
	assert_int_equal(holder_open(&f->h, &f->p), -ENOENT);
	assert_non_null(strstr(f->h.warning, "No such file"));
	f->p.program = "/bin/true";
	assert_true(holder_open(&f->h, &f->p) < 0);
	assert_int_equal(f->h.pid, 0);
}

/* Whose user stops it before it has said anything. */
static void test_one_that_never_says_anything_is_given_up(void **state)
{
	struct fixture *f = *state;
	char script[128], number[128];
	int pid = 0;
	FILE *s;

	snprintf(script, sizeof(script), "%s/stop", f->dir);
	snprintf(number, sizeof(number), "%s/pid", f->dir);
	s = fopen(script, "w");
	assert_non_null(s);
	fprintf(s, "#!/bin/sh\necho $$ > %s\nkill -STOP $$\n", number);
	fclose(s);
	assert_int_equal(chmod(script, 0755), 0);
	f->p.program = script;
	alarm(30);
	assert_int_equal(holder_open(&f->h, &f->p), -ETIMEDOUT);
	alarm(0);
	assert_int_equal(f->h.pid, 0);
	s = fopen(number, "r");
	assert_non_null(s);
	assert_int_equal(fscanf(s, "%d", &pid), 1);
	fclose(s);
	assert_true(pid > 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* It would begin anew as itself, for ever. */
static int in_a_program_that_is_no_holder(const char *self)
{
	char *const argv[] = { (char *)(uintptr_t)self, "no-holder", NULL };
	struct holder_params p = { .domain = "x", .runtime_dir = "/tmp" };
	struct holder h;
	pid_t pid;
	int status;

	if (self) {
		pid = fork();
		if (pid == 0) {
			execv("/proc/self/exe", argv);
			_exit(9);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		return status;
	}
	holder_init(&h);
	if (holder_open(&h, &p) != -ENOEXEC || h.pid)
		return 1;
	return strstr(h.warning, "cannot be a holder") ? 0 : 2;
}

static void test_a_program_that_is_no_holder_is_not_run(void **state)
{
	(void)state;
	assert_int_equal(in_a_program_that_is_no_holder("test"), 0);
}

static void test_its_death_takes_the_link_away(void **state)
{
	struct fixture *f = *state;
	const struct timespec ms = { .tv_nsec = 1000000 };
	char path[HOLDER_PATH], byte[1];
	struct loop *loop;

	log_open(LOG_LEVEL_ERROR);
	assert_int_equal(loop_open(&loop), 0);
	f->p.loop = loop;
	assert_int_equal(holder_open(&f->h, &f->p), 0);
	strcpy(path, f->h.path);
	kill(f->h.pid, SIGKILL);
	for (int i = 0; i < 5000 && f->h.pid; i++) {
		loop_step(loop);
		nanosleep(&ms, NULL);
	}
	assert_int_equal(f->h.pid, 0);
	assert_non_null(strstr(f->h.warning, "the holder was killed"));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(readlink(path, byte, 1), -1);
	loop_close(loop);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define HOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		HOLDER_TEST(test_the_path_leads_to_the_pool),
		HOLDER_TEST(test_qemus_user_can_open_it_and_no_other),
		HOLDER_TEST(test_our_own_fd_is_closed_to_others),
		HOLDER_TEST(test_it_has_no_capability_and_nothing_of_ours),
		HOLDER_TEST(test_a_holder_of_root_has_no_capability),
		HOLDER_TEST(test_it_uses_no_cpu),
		HOLDER_TEST(test_signals_that_mean_the_daemon_do_not_end_it),
		HOLDER_TEST(test_it_ends_with_the_daemon),
		HOLDER_TEST(test_it_outlives_those_who_opened_it),
		HOLDER_TEST(test_the_next_daemon_turns_the_link),
		HOLDER_TEST(test_what_is_no_link_is_left_alone),
		HOLDER_TEST(test_without_setuid_the_warning_says_so),
		HOLDER_TEST(test_a_program_that_is_not_there_is_told),
		HOLDER_TEST(test_one_that_never_says_anything_is_given_up),
		HOLDER_TEST(test_a_program_that_is_no_holder_is_not_run),
		HOLDER_TEST(test_its_death_takes_the_link_away),
	};

	if (argc == 2 && strcmp(argv[1], "no-holder") == 0)
		return in_a_program_that_is_no_holder(NULL);
	holder_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
