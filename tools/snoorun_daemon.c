/* SPDX-License-Identifier: MIT */
/*
 * snoorun_daemon.c - find the daemon that runs, or start a private one
 *
 * A private daemon has a directory of its own, keeps nothing, serves no VMs,
 * and ends with us: it watches for our death, whatever kills us.
 */
#include "tools/snoorun_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/where.h"

#define READY_MS	30000	/* populating a large pool takes a while */
#define STOP_MS		3000
#define ARGS_MAX	24

/* ---- one that runs ---------------------------------------------------- */

static int answers(const char *path)
{
	int fd = where_connect(path, SOCK_SEQPACKET);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int named(const char *from, const char *path, char *socket, size_t len)
{
	int ret = answers(path);

	if (ret) {
		snoorun_say("no daemon answers at %s (from %s): %s", path,
			    from, strerror(-ret));
		snoorun_say("--private starts one for this run");
		return ret == -ENOENT ? -ECONNREFUSED : ret;
	}
	snprintf(socket, len, "%s", path);
	return 0;
}

int daemon_find(const struct snoorun_opts *o, char *socket, size_t len)
{
	const char *env = getenv("SNOO_SOCKET");
	char file[80];

	if (o->socket)
		return named("--socket", o->socket, socket, len);
	if (env && *env)
		return named("$SNOO_SOCKET", env, socket, len);
	snprintf(file, sizeof(file), "%s.sock", o->domain);
	for (unsigned int i = 0; where_socket(file, i, socket, len); i++) {
		int ret = *socket ? answers(socket) : -ENOENT;

		if (ret == 0)
			return 0;
		if (ret == -EACCES)
			snoorun_say("%s is not for this user; going on "
				    "without it", socket);
	}
	return -ENOENT;
}

/* ---- starting one ----------------------------------------------------- */

static int make_dir(struct private_daemon *d)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	int ret;

	/* Short, since it becomes part of socket paths: no $TMPDIR. */
	if (xdg && *xdg == '/' && strlen(xdg) < 32) {
		snprintf(d->dir, sizeof(d->dir), "%s/snoorun-XXXXXX", xdg);
		if (mkdtemp(d->dir))
			return 0;
	}
	snprintf(d->dir, sizeof(d->dir), "/tmp/snoorun-XXXXXX");
	if (mkdtemp(d->dir))
		return 0;
	ret = -errno;
	snoorun_say("cannot make a directory in /tmp: %s", strerror(errno));
	d->dir[0] = '\0';
	return ret;
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	remove(path);
	return 0;
}

/**
 * struct args - The daemon's command line
 */
struct args {
	char *v[ARGS_MAX];
	char set[3][160];	/* --set values that are made here */
	unsigned int n, nsets;
};

static void arg(struct args *a, const char *name, const char *value)
{
	a->v[a->n++] = (char *)name;
	if (value)
		a->v[a->n++] = (char *)value;
}

/* Quotes: a domain's name may have dots. */
static void set_domain(struct args *a, const struct snoorun_opts *o,
		       const char *key, unsigned int value)
{
	char *text = a->set[a->nsets++];

	snprintf(text, sizeof(a->set[0]), "domains.\"%s\".%s=%u", o->domain,
		 key, value);
	arg(a, "--set", text);
}

static void make_args(struct args *a, const char *program,
		      const struct private_daemon *d, const char *ready_fd,
		      const struct snoorun_opts *o)
{
	*a = (struct args){ .n = 0 };
	arg(a, program, NULL);
	arg(a, "--runtime-dir", d->dir);
	arg(a, "--domain", o->domain);
	arg(a, "--ready-fd", ready_fd);
	arg(a, "--exit-with-parent", NULL);
	arg(a, "--log-level", o->verbose ? "info" : "warning");
	arg(a, "--set", "keeper=none");
	set_domain(a, o, "ivshmem.slots", 1);
	if (o->n > 256)
		set_domain(a, o, "ranks_max", o->n);
	if (o->pool_size)
		arg(a, "--pool-size", o->pool_size);
	if (o->place) {
		char *text = a->set[a->nsets++];

		snprintf(text, sizeof(a->set[0]), "placement.policy=%s",
			 o->place);
		arg(a, "--set", text);
	}
}

static void child(const struct args *a, const struct private_daemon *d,
		  int ready)
{
	int null = open("/dev/null", O_RDONLY);

	/* A group of its own: the terminal's interrupt is for the ranks, and
	 * the daemon has to outlive them. */
	setpgid(0, 0);
	dup2(null, STDIN_FILENO);
	if (d->log_fd >= 0) {
		dup2(d->log_fd, STDOUT_FILENO);
		dup2(d->log_fd, STDERR_FILENO);
	}
	fcntl(ready, F_SETFD, 0);
	sigprocmask(SIG_SETMASK, &snoorun_old_mask, NULL);
	signal(SIGPIPE, SIG_DFL);
	execv(a->v[0], a->v);
	dprintf(STDERR_FILENO, "%s: %s\n", a->v[0], strerror(errno));
	_exit(SNOORUN_NO_EXEC);
}

static void show_log(const struct private_daemon *d)
{
	char bytes[4096];
	off_t at = 0;
	ssize_t n;

	while (d->log_fd >= 0 &&
	       (n = pread(d->log_fd, bytes, sizeof(bytes), at)) > 0) {
		at += n;
		if (write(STDERR_FILENO, bytes, (size_t)n) < 0)
			return;
	}
}

/* Signals come while we wait: a dead child shows on the ready pipe anyhow,
 * anything else that ends programs ends the wait. */
static int interrupted(int sigfd)
{
	struct signalfd_siginfo si;

	if (read(sigfd, &si, sizeof(si)) != sizeof(si))
		return 0;
	return si.ssi_signo == SIGINT || si.ssi_signo == SIGTERM ||
	       si.ssi_signo == SIGHUP ? -EINTR : 0;
}

static int wait_ready(int ready, int sigfd)
{
	struct pollfd p[2] = { { .fd = ready, .events = POLLIN },
			       { .fd = sigfd, .events = POLLIN } };
	int64_t until = snoorun_now_ms() + READY_MS;

	for (;;) {
		int64_t left = until - snoorun_now_ms();
		char byte;
		int n, ret;

		n = left > 0 ? poll(p, 2, (int)left) : 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ETIMEDOUT;
		if (n > 0 && p[0].revents)
			return read(ready, &byte, 1) == 1 ? 0 : -ECHILD;
		if (n > 0 && p[1].revents) {
			ret = interrupted(sigfd);
			if (ret)
				return ret;
		}
	}
}

static int run(struct private_daemon *d, const struct snoorun_opts *o,
	       const char *program, int sigfd)
{
	char ready_fd[16];
	struct args a;
	int ready[2], ret;

	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	snprintf(ready_fd, sizeof(ready_fd), "%d", ready[1]);
	make_args(&a, program, d, ready_fd, o);
	d->pid = fork();
	if (d->pid == 0)
		child(&a, d, ready[1]);
	close(ready[1]);
	if (d->pid < 0) {
		d->pid = 0;
		ret = -errno;
	} else {
		ret = wait_ready(ready[0], sigfd);
	}
	close(ready[0]);
	return ret;
}

int daemon_start(struct private_daemon *d, const struct snoorun_opts *o,
		 int sigfd, char *socket, size_t len)
{
	char program[4096];
	int ret;

	*d = (struct private_daemon){ .log_fd = -1 };
	ret = where_program("snoo-daemon", program, sizeof(program));
	if (ret) {
		snoorun_say("no daemon runs, and snoo-daemon to start one is "
			    "neither beside snoorun nor in PATH");
		return ret;
	}
	ret = make_dir(d);
	if (ret)
		return ret;
	if (!o->verbose)
		d->log_fd = memfd_create("snoo-daemon log", MFD_CLOEXEC);
	else
		snoorun_say("private daemon in %s", d->dir);

	ret = run(d, o, program, sigfd);
	if (ret) {
		show_log(d);
		if (ret == -ETIMEDOUT)
			snoorun_say("the private daemon is not ready after "
				    "%d s", READY_MS / 1000);
		else if (ret == -ECHILD)
			snoorun_say("the private daemon (%s) did not start",
				    program);
		else if (ret != -EINTR)
			snoorun_say("cannot start %s: %s", program,
				    strerror(-ret));
		daemon_stop(d);
		return ret;
	}
	snprintf(socket, len, "%s/%s.sock", d->dir, o->domain);
	return 0;
}

/* ---- ending it -------------------------------------------------------- */

void daemon_died(struct private_daemon *d, int status)
{
	show_log(d);
	if (WIFSIGNALED(status))
		snoorun_say("the private daemon was killed by %s",
			    strsignal(WTERMSIG(status)));
	else
		snoorun_say("the private daemon ended with code %d",
			    WEXITSTATUS(status));
	d->pid = 0;
}

/* Gone within @ms?  SIGCHLD is blocked, so it can be waited for. */
static bool gone(pid_t pid, int64_t ms)
{
	int64_t until = snoorun_now_ms() + ms;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (;;) {
		int64_t left = until - snoorun_now_ms();
		struct timespec ts;

		if (waitpid(pid, NULL, WNOHANG))
			return true;
		if (left <= 0)
			return false;
		ts.tv_sec = left / 1000;
		ts.tv_nsec = left % 1000 * 1000000;
		sigtimedwait(&set, NULL, &ts);
	}
}

void daemon_stop(struct private_daemon *d)
{
	if (d->pid > 0) {
		kill(d->pid, SIGTERM);
		if (!gone(d->pid, STOP_MS)) {
			snoorun_say("the private daemon does not end; killing "
				    "it");
			kill(d->pid, SIGKILL);
			waitpid(d->pid, NULL, 0);
		}
		d->pid = 0;
	}
	if (d->log_fd >= 0)
		close(d->log_fd);
	d->log_fd = -1;
	if (*d->dir)
		nftw(d->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	d->dir[0] = '\0';
}
