/* SPDX-License-Identifier: MIT */
/*
 * guest_exec.c - may this program be started here, and how it is started
 */
#include "daemon/guest_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/conf_run.h"
#include "daemon/privs.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC	4u
#endif

static int refuse(int error, char *why, const char *path, const char *what)
{
	snprintf(why, GUEST_EXEC_TEXT, "%.180s %s", path, what);
	return error;
}

/* ---- the program ---- */

static bool listed(const struct guest_rules *r, const char *path)
{
	for (uint32_t i = 0; i < r->programs; i++)
		if (strcmp(r->program[i], path) == 0)
			return true;
	return false;
}

/* Can anybody but root put something else there? */
static bool others_write(const struct stat *st)
{
	return (st->st_mode & S_IWOTH) ||
	       ((st->st_mode & S_IWGRP) && st->st_gid != 0);
}

static int check_dir(const struct stat *st, const char *path, bool last,
		     char *why)
{
	if (S_ISLNK(st->st_mode))
		return refuse(-ELOOP, why, path, "is a symbolic link");
	if (!S_ISDIR(st->st_mode))
		return refuse(-ENOTDIR, why, path, "is no folder");
	if (st->st_uid != 0)
		return refuse(-EACCES, why, path, "is not root's");
	/* Sticky: what is root's in it stays, but a name that is free may be
	 * taken by another file of root's. */
	if (others_write(st) && (last || !(st->st_mode & S_ISVTX)))
		return refuse(-EACCES, why, path,
			      "can be written by others than root");
	return 0;
}

static int check_file(const struct stat *st, const char *path, char *why)
{
	if (S_ISLNK(st->st_mode))
		return refuse(-ELOOP, why, path, "is a symbolic link");
	if (!S_ISREG(st->st_mode))
		return refuse(-EACCES, why, path, "is no regular file");
	if (st->st_uid != 0)
		return refuse(-EACCES, why, path, "is not root's");
	if (others_write(st))
		return refuse(-EACCES, why, path,
			      "can be written by others than root");
	if (st->st_mode & (S_ISUID | S_ISGID))
		return refuse(-EACCES, why, path,
			      "is set-user-ID or set-group-ID");
	return 0;
}

/* What it is made of, now that it is open. */
static int check_content(int fd, const char *path, char *why)
{
	struct stat st;
	char magic[2];
	int ret;

	if (fstat(fd, &st))
		return refuse(-errno, why, path, strerror(errno));
	ret = check_file(&st, path, why);
	if (ret)
		return ret;
	if (fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return refuse(-EACCES, why, path, "has capabilities");
	if (pread(fd, magic, 2, 0) == 2 && memcmp(magic, "#!", 2) == 0)
		return refuse(-ENOEXEC, why, path,
			      "is a script; list a program");
	return 0;
}

/* One step of the way; closes @dir. */
static int step(int dir, const char *name, const char *path, struct stat *st,
		char *why)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int ret = 0;

	if (fd < 0 || fstat(fd, st))
		ret = refuse(-errno, why, path, strerror(errno));
	close(dir);
	if (ret == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return ret;
}

/* The folder that holds the last part of @path; @name is that part. */
static int walk(const char *path, char name[NAME_MAX + 1], char *why)
{
	char so_far[CONF_RUN_BYTES + 1] = "/";
	int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), ret;
	const char *p = path + 1, *end;
	struct stat st;

	if (dir < 0 || fstat(dir, &st)) {
		ret = refuse(-errno, why, "/", strerror(errno));
		goto fail;
	}
	for (; (end = strchr(p, '/')); p = end + 1) {
		ret = check_dir(&st, so_far, false, why);
		if (ret)
			goto fail;
		snprintf(name, NAME_MAX + 1, "%.*s", (int)(end - p), p);
		snprintf(so_far, sizeof(so_far), "%.*s", (int)(end - path),
			 path);
		dir = step(dir, name, so_far, &st, why);
		if (dir < 0)
			return dir;
	}
	ret = check_dir(&st, so_far, true, why);
	if (ret)
		goto fail;
	snprintf(name, NAME_MAX + 1, "%s", p);
	return dir;

fail:
	if (dir >= 0)
		close(dir);
	return ret;
}

int guest_exec_open(const struct guest_rules *r, const char *path,
		    char why[GUEST_EXEC_TEXT])
{
	const char *wrong = conf_run_path_wrong(path);
	char name[NAME_MAX + 1];
	struct stat st;
	int dir, fd, ret;

	if (wrong)
		return refuse(-EACCES, why, path, wrong);
	if (!listed(r, path))
		return refuse(-EACCES, why, path, "is not in this VM's "
			      "guest.run.programs");
	dir = walk(path, name, why);
	if (dir < 0)
		return dir;
	/* Looked at before it is opened: opening a device does things. */
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		ret = refuse(-errno, why, path, strerror(errno));
	else
		ret = check_file(&st, path, why);
	fd = ret ? -1 : openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
			       O_NOCTTY | O_CLOEXEC);
	if (ret == 0 && fd < 0)
		ret = refuse(-errno, why, path, strerror(errno));
	close(dir);
	if (ret)
		return ret;
	ret = check_content(fd, path, why);
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

/* ---- the environment ---- */

static bool same_name(const char *a, const char *b, size_t len)
{
	return strncmp(a, b, len) == 0 && a[len] == '=' &&
	       (b[len] == '=' || b[len] == '\0');
}

/* May the request set this one? */
static bool may_set(const struct guest_rules *r, const char *entry, size_t len)
{
	static const char *const launcher[] = {
		"SNOO_RANK", "SNOO_SIZE", "SNOO_JOB", "SNOO_LAUNCH",
		"SNOO_TIMEOUT_MS",
	};

	for (size_t i = 0; i < sizeof(launcher) / sizeof(launcher[0]); i++)
		if (same_name(entry, launcher[i], len) &&
		    launcher[i][len] == '\0')
			return true;
	for (uint32_t i = 0; i < r->envs; i++)
		if (same_name(entry, r->env[i], len))
			return r->env[i][len] == '\0';
	return false;
}

static bool has(const char *const *list, unsigned int n, const char *entry,
		size_t len)
{
	for (unsigned int i = 0; i < n; i++)
		if (same_name(list[i], entry, len))
			return true;
	return false;
}

void guest_exec_env(const struct guest_rules *r, const char *const *asked,
		    const char *out[GUEST_EXEC_ENV], char own[256])
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < r->envs; i++) {
		size_t len = run_words_name(r->env[i]);

		if (len && !has(out, n, r->env[i], len))
			out[n++] = r->env[i];
	}
	for (; *asked && n < GUEST_EXEC_ENV - 2; asked++) {
		size_t len = run_words_name(*asked);

		if (len && may_set(r, *asked, len) &&
		    !has(out, n, *asked, len))
			out[n++] = *asked;
	}
	if (*r->socket) {
		snprintf(own, 256, "SNOO_SOCKET=%s", r->socket);
		out[n++] = own;
	}
	out[n] = NULL;
}

/* ---- the start ---- */

/**
 * struct pipes - Both ends of what a program is connected to
 */
struct pipes {
	int in[2], out[2], err[2];
	int failed[2];			/* what went wrong; closes at exec */
};

/* What the child says when it can't become the program. */
struct failure {
	int error;			/* -errno */
	char what[64];
};

static void close_pipes(const struct pipes *p)
{
	const int fd[] = {
		p->in[0], p->in[1], p->out[0], p->out[1], p->err[0],
		p->err[1], p->failed[0], p->failed[1],
	};

	for (size_t i = 0; i < sizeof(fd) / sizeof(fd[0]); i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static int open_pipes(struct pipes *p)
{
	int ret;

	*p = (struct pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
	if (pipe2(p->in, O_CLOEXEC) == 0 && pipe2(p->out, O_CLOEXEC) == 0 &&
	    pipe2(p->err, O_CLOEXEC) == 0 && pipe2(p->failed, O_CLOEXEC) == 0)
		return 0;
	ret = -errno;
	close_pipes(p);
	return ret;
}

static int fail(struct failure *f, const char *what)
{
	f->error = -errno;
	snprintf(f->what, sizeof(f->what), "%s", what);
	return f->error;
}

static int limit(struct failure *f, int resource, const char *what, rlim_t n)
{
	const struct rlimit l = { n, n };

	/* __rlimit_resource_t is an enum in C++ and an int in C. */
	return setrlimit((__rlimit_resource_t)resource, &l) ?
	       fail(f, what) : 0;
}

static int set_limits(struct failure *f, const struct guest_rules *r)
{
	int ret = limit(f, RLIMIT_CORE, "RLIMIT_CORE", 0);

	if (ret == 0)
		ret = limit(f, RLIMIT_NOFILE, "guest.run.limits.nofile",
			    r->nofile);
	if (ret == 0 && r->as_bytes)
		ret = limit(f, RLIMIT_AS, "guest.run.limits.as_bytes",
			    r->as_bytes);
	if (ret == 0 && setpriority(PRIO_PROCESS, 0, (int)r->nice))
		ret = fail(f, "guest.run.limits.nice");
	return ret;
}

/*
 * Be the user, for good: all of it, or nothing runs.  A daemon that is not
 * root but has capabilities keeps them through a change of user; so they are
 * taken away afterwards.
 */
static int become(struct failure *f, const struct guest_rules *r)
{
	char why[PRIVS_TEXT];

	if (geteuid() != r->uid &&
	    (setgroups((size_t)r->groups, r->group) ||
	     setresgid(r->gid, r->gid, r->gid) ||
	     setresuid(r->uid, r->uid, r->uid)))
		return fail(f, "guest.run.user");
	if ((prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) &&
	     errno != EINVAL) || privs_limit(0, why))
		return fail(f, "capabilities");
	if (r->uid == 0 || getuid() != r->uid || geteuid() != r->uid ||
	    setuid(0) == 0) {
		errno = EPERM;
		return fail(f, "guest.run.user");
	}
	return 0;
}

static void reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The daemon may be one that the kernel spares when memory runs out. */
static void be_killable(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : write(fd, "0", 1);

	(void)n;			/* then it is as the daemon is */
	if (fd >= 0)
		close(fd);
}

static int connect_pipes(struct failure *f, const struct pipes *p)
{
	if (dup2(p->in[0], STDIN_FILENO) < 0 ||
	    dup2(p->out[1], STDOUT_FILENO) < 0 ||
	    dup2(p->err[1], STDERR_FILENO) < 0)
		return fail(f, "dup2");
	return 0;
}

static int prepare(struct failure *f, const struct guest_rules *r,
		   const struct pipes *p, pid_t runner)
{
	int ret;

	if (setsid() < 0)
		return fail(f, "setsid");
	be_killable();
	ret = connect_pipes(f, p);
	if (ret == 0)
		ret = set_limits(f, r);
	if (ret == 0)
		ret = become(f, r);
	if (ret)
		return ret;
	/* Not before: a change of user takes it back. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return fail(f, "PR_SET_PDEATHSIG");
	if (getppid() != runner)	/* it died before we asked */
		_exit(1);
	umask(022);
	return chdir(r->home) ? fail(f, r->home) : 0;
}

static void child(const struct guest_rules *r, const struct pipes *p,
		  int program, const char *const *argv,
		  const char *const *env, pid_t runner)
{
	struct failure f = { 0 };

	if (prepare(&f, r, p, runner) == 0) {
		reset_signals();
		/* Whatever is open beyond the three closes at exec. */
		syscall(SYS_close_range, 3u, UINT_MAX, CLOSE_RANGE_CLOEXEC);
		syscall(SYS_execveat, program, "", argv, env, AT_EMPTY_PATH);
		fail(&f, argv[0]);
	}
	if (write(p->failed[1], &f, sizeof(f)) < 0)
		_exit(126);
	_exit(127);
}

/* Wait until it runs: 0, or what kept it from running. */
static int wait_exec(int fd, char *why)
{
	struct failure f = { 0 };
	ssize_t n;

	do {
		n = read(fd, &f, sizeof(f));
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(f))
		return 0;
	f.what[sizeof(f.what) - 1] = '\0';
	return refuse(f.error, why, f.what, strerror(-f.error));
}

/* Our ends, the program's are closed. */
static void take_ends(struct guest_child *c, struct pipes *p)
{
	c->in = p->in[1];
	c->out = p->out[0];
	c->err = p->err[0];
	p->in[1] = p->out[0] = p->err[0] = -1;
	fcntl(c->in, F_SETFL, O_NONBLOCK);
	fcntl(c->out, F_SETFL, O_NONBLOCK);
	fcntl(c->err, F_SETFL, O_NONBLOCK);
}

static int start(struct guest_child *c, const struct guest_rules *r,
		 const struct run_words *w, int program, char *why)
{
	const char *argv[RUN_WORDS_MAX + 1], *asked[RUN_WORDS_MAX + 1];
	const char *env[GUEST_EXEC_ENV];
	pid_t runner = getpid();
	struct pipes p;
	char own[256];
	int ret = open_pipes(&p);

	if (ret)
		return refuse(ret, why, "pipe:", strerror(-ret));
	run_words_split(w, argv, asked);
	guest_exec_env(r, asked, env, own);
	c->pid = fork();
	if (c->pid == 0)
		child(r, &p, program, argv, env, runner);
	if (c->pid < 0) {
		ret = refuse(-errno, why, "fork:", strerror(errno));
		goto out;
	}
	close(p.failed[1]);
	p.failed[1] = -1;
	ret = wait_exec(p.failed[0], why);
	if (ret)
		waitpid(c->pid, NULL, 0);
	else
		take_ends(c, &p);
out:
	close_pipes(&p);
	return ret;
}

int guest_exec_start(struct guest_child *c, const struct guest_rules *r,
		     const struct run_words *w, char why[GUEST_EXEC_TEXT])
{
	int program, ret;

	c->pid = 0;
	c->in = c->out = c->err = -1;
	program = guest_exec_open(r, w->text, why);
	if (program < 0)
		return program;
	ret = start(c, r, w, program, why);
	close(program);
	return ret;
}
