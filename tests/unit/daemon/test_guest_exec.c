/* SPDX-License-Identifier: MIT */
/*
 * test_guest_exec.c - which programs the host may start in a VM, and as what
 *
 * Needs root: what is refused depends on who owns it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/guest_exec.h"
#include "daemon/privs.h"

#define PATH	300

struct fixture {
	char dir[64];			/* root's, 0755, in a sticky folder */
	struct guest_rules rules;
	char listed[PATH];		/* the one program that is listed */
	char why[GUEST_EXEC_TEXT];
};

static void in_dir(const struct fixture *f, char out[PATH], const char *name)
{
	snprintf(out, PATH, "%s/%s", f->dir, name);
}

static void copy(const char *from, const char *to, mode_t mode)
{
	int in = open(from, O_RDONLY), out;
	char buf[65536];
	ssize_t n;

	unlink(to);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	assert_int_equal(fchmod(out, mode), 0);
	close(in);
	close(out);
}

static void make_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* List @name of the folder, or an absolute path. */
static void list(struct fixture *f, const char *name)
{
	if (*name == '/')
		snprintf(f->listed, sizeof(f->listed), "%s", name);
	else
		in_dir(f, f->listed, name);
	f->rules.program[0] = f->listed;
	f->rules.programs = 1;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct passwd *p = getpwnam("nobody");
	char path[PATH];

	if (!f || !p)
		return -1;
	snprintf(f->dir, sizeof(f->dir), "/tmp/snoo-exec.XXXXXX");
	if (!mkdtemp(f->dir) || chmod(f->dir, 0755))
		return -1;
	f->rules.uid = p->pw_uid;
	f->rules.gid = p->pw_gid;
	f->rules.group[0] = p->pw_gid;
	f->rules.groups = 1;
	f->rules.processes = 4;
	f->rules.nofile = 64;
	f->rules.home = "/";
	f->rules.socket = "";
	in_dir(f, path, "cat");
	copy("/usr/bin/cat", path, 0755);
	list(f, "cat");
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

static bool not_root(void)
{
	return geteuid() != 0;
}

static void expect_refused(struct fixture *f, const char *path, int error,
			   const char *words)
{
	int fd = guest_exec_open(&f->rules, path, f->why);

	if (fd >= 0)
		fail_msg("%s may be started", path);
	if (fd != error || !strstr(f->why, words))
		fail_msg("%s: %d \"%s\", not %d \"%s\"", path, fd, f->why,
			 error, words);
}

/* What is listed, as it stands. */
static void expect_listed_refused(struct fixture *f, int error,
				  const char *words)
{
	expect_refused(f, f->listed, error, words);
}

static void expect_allowed(struct fixture *f)
{
	int fd = guest_exec_open(&f->rules, f->listed, f->why);

	if (fd < 0)
		fail_msg("%s", f->why);
	close(fd);
}

/* ---- the list ---- */

static void test_a_listed_program_may_be_started(void **state)
{
	struct fixture *f = *state;

	if (not_root())
		skip();
	expect_allowed(f);
	list(f, "/usr/bin/cat");
	expect_allowed(f);
}

static void test_no_other_program_may(void **state)
{
	struct fixture *f = *state;
	char path[PATH];

	if (not_root())
		skip();
	expect_refused(f, "/usr/bin/id", -EACCES, "guest.run.programs");
	in_dir(f, path, "ca");
	expect_refused(f, path, -EACCES, "guest.run.programs");
	in_dir(f, path, "catt");
	expect_refused(f, path, -EACCES, "guest.run.programs");
	f->rules.programs = 0;
	expect_listed_refused(f, -EACCES, "guest.run.programs");
}

static void test_only_the_very_path_counts(void **state)
{
	struct fixture *f = *state;
	static const char *const ways[] = {
		"cat", "./cat", "", "usr/bin/cat",
	};
	char path[PATH];

	if (not_root())
		skip();
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		expect_refused(f, ways[i], -EACCES, "must be absolute");
	in_dir(f, path, "../x");
	expect_refused(f, path, -EACCES, "must not have . or ..");
	in_dir(f, path, "./cat");
	expect_refused(f, path, -EACCES, "must not have . or ..");
	in_dir(f, path, "/cat");
	expect_refused(f, path, -EACCES, "must not have //");
	in_dir(f, path, "cat/");
	expect_refused(f, path, -EACCES, "must not end with /");
	/* Also if the list itself has it: nobody has checked that one. */
	list(f, "../tmp/cat");
	expect_listed_refused(f, -EACCES, "must not have . or ..");
}

/* ---- links ---- */

static void test_a_link_is_not_followed(void **state)
{
	struct fixture *f = *state;
	char path[PATH];

	if (not_root())
		skip();
	in_dir(f, path, "link");
	assert_int_equal(symlink("cat", path), 0);
	list(f, "link");
	expect_listed_refused(f, -ELOOP, "is a symbolic link");
}

static void test_a_link_on_the_way_is_not_followed(void **state)
{
	struct fixture *f = *state;
	char real[PATH], link[PATH], path[PATH];

	if (not_root())
		skip();
	in_dir(f, real, "real");
	in_dir(f, link, "way");
	assert_int_equal(mkdir(real, 0755), 0);
	assert_int_equal(symlink("real", link), 0);
	in_dir(f, path, "real/cat");
	copy("/usr/bin/cat", path, 0755);
	list(f, "real/cat");
	expect_allowed(f);
	list(f, "way/cat");
	expect_listed_refused(f, -ELOOP, "is a symbolic link");
	if (strstr(f->why, "/way is") == NULL)
		fail_msg("\"%s\" does not say which part", f->why);
	/* Magic links are links. */
	list(f, "/proc/self/root/usr/bin/cat");
	expect_listed_refused(f, -ELOOP, "is a symbolic link");
}

/* ---- the file ---- */

static void test_a_program_that_is_not_roots_is_refused(void **state)
{
	struct fixture *f = *state;

	if (not_root())
		skip();
	assert_int_equal(chown(f->listed, f->rules.uid, 0), 0);
	expect_listed_refused(f, -EACCES, "is not root's");
}

static void test_a_program_that_others_can_write_is_refused(void **state)
{
	struct fixture *f = *state;

	if (not_root())
		skip();
	assert_int_equal(chmod(f->listed, 0757), 0);
	expect_listed_refused(f, -EACCES, "can be written by others");
	assert_int_equal(chmod(f->listed, 0775), 0);
	expect_allowed(f);		/* root's group */
	assert_int_equal(chown(f->listed, 0, f->rules.gid), 0);
	expect_listed_refused(f, -EACCES, "can be written by others");
}

static void test_a_set_user_id_program_is_refused(void **state)
{
	struct fixture *f = *state;

	if (not_root())
		skip();
	assert_int_equal(chmod(f->listed, 04755), 0);
	expect_listed_refused(f, -EACCES, "set-user-ID");
	assert_int_equal(chmod(f->listed, 02755), 0);
	expect_listed_refused(f, -EACCES, "set-user-ID");
}

static void test_a_script_is_refused(void **state)
{
	struct fixture *f = *state;

	if (not_root())
		skip();
	make_file(f->listed, "#!/bin/sh\necho here\n", 0755);
	expect_listed_refused(f, -ENOEXEC, "is a script");
}

static void test_what_is_no_file_is_refused(void **state)
{
	struct fixture *f = *state;
	char path[PATH];

	if (not_root())
		skip();
	list(f, "none");
	expect_listed_refused(f, -ENOENT, "No such file");
	in_dir(f, path, "fifo");
	assert_int_equal(mkfifo(path, 0755), 0);
	list(f, "fifo");
	expect_listed_refused(f, -EACCES, "is no regular file");
	in_dir(f, path, "dir");
	assert_int_equal(mkdir(path, 0755), 0);
	list(f, "dir");
	expect_listed_refused(f, -EACCES, "is no regular file");
	list(f, "cat/cat");
	expect_listed_refused(f, -ENOTDIR, "is no folder");
	list(f, "/dev/null");
	expect_listed_refused(f, -EACCES, "is no regular file");
}

/* ---- the way to it ---- */

static void test_a_folder_of_others_is_refused(void **state)
{
	struct fixture *f = *state;

	if (not_root())
		skip();
	assert_int_equal(chown(f->dir, f->rules.uid, f->rules.gid), 0);
	expect_listed_refused(f, -EACCES, "is not root's");
}

static void test_a_folder_that_others_can_write_is_refused(void **state)
{
	struct fixture *f = *state;
	char sub[PATH], path[PATH];

	if (not_root())
		skip();
	in_dir(f, sub, "sub");
	assert_int_equal(mkdir(sub, 0755), 0);
	in_dir(f, path, "sub/cat");
	copy("/usr/bin/cat", path, 0755);
	list(f, "sub/cat");
	expect_allowed(f);
	assert_int_equal(chmod(f->dir, 0777), 0);
	expect_listed_refused(f, -EACCES, "can be written by others");
	/* Sticky: root's folder in it stays root's folder ... */
	assert_int_equal(chmod(f->dir, 01777), 0);
	expect_allowed(f);
	/* ... but a program's name may be free, and be taken. */
	list(f, "cat");
	expect_listed_refused(f, -EACCES, "can be written by others");
}

/* ---- the environment ---- */

static const char *value(const char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

static unsigned int length(const char *const *env)
{
	unsigned int n = 0;

	while (env[n])
		n++;
	return n;
}

static void test_the_environment_is_what_is_listed(void **state)
{
	struct fixture *f = *state;
	const char *asked[] = {
		"SNOO_RANK=3", "SNOO_SIZE=4", "SNOO_LAUNCH=0123456789abcdef",
		"SNOO_JOB=solver", "SNOO_TIMEOUT_MS=500",
		"SNOO_SOCKET=/elsewhere", "SNOO_DOMAIN=other", "SNOO_RAN=1",
		"PATH=/home/evil", "LD_PRELOAD=/tmp/x.so", "FIXED=no",
		"OMP_NUM_THREADS=2", "OMP_NUM_THREADS=9", "OMP_NUM=1",
		"A=1", NULL,
	};
	const char *out[GUEST_EXEC_ENV];
	char own[256];

	f->rules.socket = "/run/snoo/default.sock";
	f->rules.env[0] = "OMP_NUM_THREADS";
	f->rules.env[1] = "FIXED=yes";
	f->rules.env[2] = "PATH=/usr/bin";
	f->rules.envs = 3;
	guest_exec_env(&f->rules, asked, out, own);
	assert_string_equal(value(out, "SNOO_RANK"), "3");
	assert_string_equal(value(out, "SNOO_SIZE"), "4");
	assert_string_equal(value(out, "SNOO_LAUNCH"), "0123456789abcdef");
	assert_string_equal(value(out, "SNOO_JOB"), "solver");
	assert_string_equal(value(out, "SNOO_TIMEOUT_MS"), "500");
	assert_string_equal(value(out, "SNOO_SOCKET"),
			    "/run/snoo/default.sock");
	assert_string_equal(value(out, "FIXED"), "yes");
	assert_string_equal(value(out, "PATH"), "/usr/bin");
	assert_string_equal(value(out, "OMP_NUM_THREADS"), "2");
	assert_int_equal(length(out), 9);
}

static void test_as_many_variables_as_can_be_fit(void **state)
{
	struct fixture *f = *state;
	static char entry[GUEST_RULES_LIST][16], set[RUN_WORDS_MAX][16];
	const char *asked[RUN_WORDS_MAX + 1], *out[GUEST_EXEC_ENV];
	char own[256];

	for (uint32_t i = 0; i < GUEST_RULES_LIST; i++) {
		snprintf(entry[i], sizeof(entry[i]), "E%u%s", i,
			 i % 2 ? "=1" : "");
		f->rules.env[i] = entry[i];
	}
	f->rules.envs = GUEST_RULES_LIST;
	for (uint32_t i = 0; i < RUN_WORDS_MAX; i++) {
		snprintf(set[i], sizeof(set[i]), "E%u=2", i);
		asked[i] = set[i];
	}
	asked[RUN_WORDS_MAX] = NULL;
	f->rules.socket = "/s";
	guest_exec_env(&f->rules, asked, out, own);
	assert_int_equal(length(out), 65);
	assert_string_equal(value(out, "E0"), "2");
	assert_string_equal(value(out, "E1"), "1");
	assert_string_equal(value(out, "SNOO_SOCKET"), "/s");
}

/* ---- what runs ---- */

/* Start what is listed with @script for a shell; its output, and its end. */
static int run(struct fixture *f, const char *script, char *out, size_t len)
{
	struct guest_child c;
	char words[1024];
	struct run_words w = { .text = words, .argc = 3, .envc = 1 };
	size_t used = 0;
	int status;

	w.bytes = (uint32_t)snprintf(words, sizeof(words),
				     "%s%c-c%c%s%cSNOO_RANK=7", f->listed, 0,
				     0, script, 0) + 1;
	assert_null(run_words_wrong(&w));
	if (guest_exec_start(&c, &f->rules, &w, f->why))
		fail_msg("%s", f->why);
	fcntl(c.out, F_SETFL, 0);
	while (used < len - 1) {
		ssize_t n = read(c.out, out + used, len - 1 - used);

		if (n <= 0)
			break;
		used += (size_t)n;
	}
	out[used] = '\0';
	close(c.in);
	close(c.out);
	close(c.err);
	assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
	return status;
}

/* Effective again, after a change of user that kept the permitted ones. */
static int restore_caps(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted;
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

static void take_shell(struct fixture *f)
{
	char path[PATH];

	in_dir(f, path, "sh");
	copy("/usr/bin/dash", path, 0755);
	list(f, "sh");
}

static void test_it_runs_as_the_user_alone(void **state)
{
	struct fixture *f = *state;
	char out[4096], want[128];

	if (not_root())
		skip();
	take_shell(f);
	run(f, "/usr/bin/id -u; /usr/bin/id -ru; /usr/bin/id -G; "
	    "/usr/bin/grep -E '^(CapPrm|CapEff|CapAmb|NoNewPrivs|Seccomp):' "
	    "/proc/self/status | /usr/bin/tr -d '\\t'", out, sizeof(out));
	snprintf(want, sizeof(want), "%u\n%u\n%u\n", f->rules.uid,
		 f->rules.uid, f->rules.gid);
	if (strncmp(out, want, strlen(want)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", out, want);
	assert_non_null(strstr(out, "CapPrm:0000000000000000\n"));
	assert_non_null(strstr(out, "CapEff:0000000000000000\n"));
	assert_non_null(strstr(out, "CapAmb:0000000000000000\n"));
	assert_non_null(strstr(out, "NoNewPrivs:0\n"));
}

static void test_it_has_the_limits_of_the_configuration(void **state)
{
	struct fixture *f = *state;
	char out[4096];

	if (not_root())
		skip();
	take_shell(f);
	f->rules.nofile = 32;
	f->rules.nice = 5;
	f->rules.as_bytes = UINT64_C(1) << 30;
	run(f, "ulimit -n; ulimit -Hn; ulimit -c; ulimit -v; /usr/bin/nice; "
	    "pwd; umask; /usr/bin/tr '\\0' ' ' </proc/$$/environ", out,
	    sizeof(out));
	assert_string_equal(out, "32\n32\n0\n1048576\n5\n/\n0022\n"
				 "SNOO_RANK=7 ");
}

static void test_it_has_a_session_of_its_own_and_no_fds_of_ours(void **state)
{
	struct fixture *f = *state;
	int open_here = open("/dev/null", O_RDONLY);	/* not CLOEXEC */
	char out[4096], want[64];
	int a, b, c;

	if (not_root())
		skip();
	assert_true(open_here > 2);
	take_shell(f);
	run(f, "read -r pid _ _ _ pgrp sid _ </proc/self/stat; "
	    "echo $$ $pgrp $sid; for i in 0 1 2 3 4 5 6 7 8 9; do "
	    "[ -e /proc/$$/fd/$i ] && printf %s $i; done; :", out,
	    sizeof(out));
	assert_int_equal(sscanf(out, "%d %d %d\n%63s", &a, &b, &c, want), 4);
	assert_int_equal(a, b);
	assert_int_equal(a, c);
	assert_string_equal(want, "012");
	close(open_here);
}

static void test_signals_are_as_a_program_expects_them(void **state)
{
	struct fixture *f = *state;
	unsigned long long blocked, ignored;
	char out[4096];
	sigset_t set, before;

	if (not_root())
		skip();
	take_shell(f);
	sigfillset(&set);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, &before);
	run(f, "/usr/bin/grep -E '^Sig(Blk|Ign):' /proc/self/status | "
	    "/usr/bin/tr -d '\\t'", out, sizeof(out));
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGPIPE, SIG_DFL);
	assert_int_equal(sscanf(out, "SigBlk:%llx SigIgn:%llx", &blocked,
				&ignored), 2);
	assert_int_equal(blocked, 0);
	/* 32 and 33 are the C library's own. */
	assert_int_equal(ignored & ~0x180000000ull, 0);
}

/* As the unit in a VM: a user of its own, with capabilities. */
static void run_with_capabilities(struct fixture *f, int to)
{
	char out[4096] = "", why[PRIVS_TEXT];

	if (prctl(PR_SET_KEEPCAPS, 1) || setresgid(65531, 65531, 65531) ||
	    setresuid(65531, 65531, 65531))
		_exit(1);
	if (restore_caps() ||
	    privs_limit(PRIVS_CAP_SETGID | PRIVS_CAP_SETUID, why))
		_exit(2);
	run(f, "/usr/bin/id -u; /usr/bin/id -G; /usr/bin/grep -E "
	    "'^Cap(Prm|Eff|Amb|Inh):' /proc/self/status | "
	    "/usr/bin/tr -d '\\t'", out, sizeof(out));
	_exit(write(to, out, strlen(out)) < 0);
}

static void test_a_daemon_with_capabilities_hands_none_down(void **state)
{
	struct fixture *f = *state;
	char out[4096] = "", want[512];
	int fd[2], status;
	pid_t pid;

#if defined(__SANITIZE_THREAD__)
	print_message("ThreadSanitizer's own thread lacks the capabilities "
		      "that ours takes back, and libc aborts over it\n");
	skip();
#endif
	if (not_root())
		skip();
	take_shell(f);
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0)
		run_with_capabilities(f, fd[1]);
	close(fd[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(read(fd[0], out, sizeof(out) - 1) > 0);
	close(fd[0]);
	snprintf(want, sizeof(want), "%u\n%u\nCapInh:%016x\nCapPrm:%016x\n"
		 "CapEff:%016x\nCapAmb:%016x\n", f->rules.uid, f->rules.gid,
		 0, 0, 0, 0);
	assert_string_equal(out, want);
}

static void test_it_never_runs_as_root(void **state)
{
	struct fixture *f = *state;
	char text[PATH];
	struct run_words w = { .text = text, .argc = 1 };
	struct guest_child c;

	if (not_root())
		skip();
	f->rules.uid = 0;
	w.bytes = (uint32_t)snprintf(text, sizeof(text), "%s", f->listed) + 1;
	assert_int_equal(guest_exec_start(&c, &f->rules, &w, f->why), -EPERM);
}

static void test_why_it_does_not_run_is_told(void **state)
{
	struct fixture *f = *state;
	char text[PATH];
	struct run_words w = { .text = text, .argc = 1 };
	struct guest_child c;

	if (not_root())
		skip();
	w.bytes = (uint32_t)snprintf(text, sizeof(text), "%s", f->listed) + 1;
	make_file(f->listed, "no program", 0755);
	assert_int_equal(guest_exec_start(&c, &f->rules, &w, f->why),
			 -ENOEXEC);
	assert_non_null(strstr(f->why, "Exec format error"));
	copy("/usr/bin/cat", f->listed, 0700);
	assert_int_equal(guest_exec_start(&c, &f->rules, &w, f->why),
			 -EACCES);
	copy("/usr/bin/cat", f->listed, 0755);
	f->rules.home = "/no/such/home";
	assert_int_equal(guest_exec_start(&c, &f->rules, &w, f->why),
			 -ENOENT);
	assert_non_null(strstr(f->why, "/no/such/home"));
}

/* ---- the rules ---- */

static void expect_rules(const char *user, int want, const char *words)
{
	char programs[] = "guest.run.programs=[\"/usr/bin/cat\"]";
	struct conf_overrides ov = { .sets = (const char *const[]){ programs,
				     "guest.run.user=nobody" }, .nsets = 2 };
	char why[GUEST_RULES_TEXT] = "", *errors;
	struct guest_rules r;
	struct conf *conf;

	assert_int_equal(conf_load(&conf, NULL, &ov, &errors), 0);
	/* The user may have gone since the configuration was read. */
	free(conf->guest.run.user);
	conf->guest.run.user = strdup(user);
	assert_int_equal(guest_rules_make(&r, conf, why), want);
	if (!strstr(why, words))
		fail_msg("\"%s\" is not in \"%s\"", words, why);
	guest_rules_fini(&r);
	conf_close(conf);
}

static void test_the_user_must_exist_and_not_be_root(void **state)
{
	(void)state;
	expect_rules("root", -EPERM, "never run as root");
	expect_rules("no-such-user-x", -ENOENT, "no user");
	if (geteuid() == 0)
		expect_rules("nobody", 0, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_a_listed_program_may_be_started),
		T(test_no_other_program_may),
		T(test_only_the_very_path_counts),
		T(test_a_link_is_not_followed),
		T(test_a_link_on_the_way_is_not_followed),
		T(test_a_program_that_is_not_roots_is_refused),
		T(test_a_program_that_others_can_write_is_refused),
		T(test_a_set_user_id_program_is_refused),
		T(test_a_script_is_refused),
		T(test_what_is_no_file_is_refused),
		T(test_a_folder_of_others_is_refused),
		T(test_a_folder_that_others_can_write_is_refused),
		T(test_the_environment_is_what_is_listed),
		T(test_as_many_variables_as_can_be_fit),
		T(test_it_runs_as_the_user_alone),
		T(test_it_has_the_limits_of_the_configuration),
		T(test_it_has_a_session_of_its_own_and_no_fds_of_ours),
		T(test_signals_are_as_a_program_expects_them),
		T(test_a_daemon_with_capabilities_hands_none_down),
		T(test_it_never_runs_as_root),
		T(test_why_it_does_not_run_is_told),
		T(test_the_user_must_exist_and_not_be_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
