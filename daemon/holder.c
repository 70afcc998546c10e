/* SPDX-License-Identifier: MIT */
/*
 * holder.c - a path that QEMU can open as the pool
 */
#include "daemon/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/conf.h"
#include "daemon/log.h"

#define ARGV0	   "snoo-holder" /* as which we are run anew */
#define LINE_FD	   (HOLDER_FD + 1)
#define END_MS	   1000 /* for a holder to end when told */
#define STEP_USER  1	/* what failed in the child */
#define STEP_START 2

/* A program that would not ask holder_main() would begin anew as itself. */
static bool can_be_holder;

/* The child's only message, before it sleeps. */
struct report {
	int32_t error; /* negative error code, 0: it holds */
	int32_t step;
};

/* ---- capabilities ---- */

static int caps_none(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { { 0 } };

	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

static bool caps_any(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { { 0 } };

	return syscall(SYS_capget, &head, data) || data[0].permitted ||
	       data[1].permitted;
}

/* ---- in the child, between fork and exec: system calls only ---- */

static void say(int line, int error, int step)
{
	struct report r = { .error = error, .step = step };

	if (send(line, &r, sizeof(r), MSG_NOSIGNAL) < 0)
		_exit(126);
}

/* The system calls themselves: the C library's would look for threads that
 * are not in this process. */
static int change_user(uint32_t uid, uint32_t gid)
{
	if (uid == CONF_NO_GID)
		return 0;
	if (uid == geteuid() && gid == getegid())
		return 0;
	if (syscall(SYS_setgroups, 0, NULL) ||
	    syscall(SYS_setresgid, gid, gid, gid) ||
	    syscall(SYS_setresuid, uid, uid, uid))
		return -errno;
	return 0;
}

/* 0, 1, 2 lead nowhere, 3 is the pool, 4 the line, and nothing else is open. */
static int arrange_fds(int pool_fd, int *line)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int pool = fcntl(pool_fd, F_DUPFD_CLOEXEC, LINE_FD + 1);
	int end = fcntl(*line, F_DUPFD_CLOEXEC, LINE_FD + 1);

	if (null < 0 || pool < 0 || end < 0)
		return -errno;
	*line = end;
	for (int fd = 0; fd < HOLDER_FD; fd++)
		if (null != fd && dup2(null, fd) < 0)
			return -errno;
	if (dup2(pool, HOLDER_FD) < 0 || dup2(end, LINE_FD) < 0)
		return -errno;
	*line = LINE_FD;
	/* Kernels before 5.9 lack it; our fds are all close-on-exec anyway. */
	syscall(SYS_close_range, LINE_FD + 1, ~0u, 0);
	return 0;
}

static void become_holder(const struct holder_params *p, int line)
{
	char name[] = ARGV0;
	char *const argv[] = { name, (char *)(uintptr_t)p->domain, NULL };
	char *const env[] = { NULL };
	int ret = arrange_fds(p->pool_fd, &line);
	sigset_t all;

	if (ret == 0) {
		ret = change_user(p->uid, p->gid);
		if (ret) {
			say(line, ret, STEP_USER);
			_exit(127);
		}
	}
	/* With it not even root gets capabilities back by exec. */
	if (ret == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		ret = -errno;
	if (ret == 0)
		ret = caps_none();
	/* A terminal's or systemd's signals mean the daemon. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (ret == 0 && chdir("/"))
		ret = -errno;
	if (ret == 0) {
		execve(p->program ? p->program : "/proc/self/exe", argv, env);
		ret = -errno;
	}
	say(line, ret, STEP_START);
	_exit(127);
}

/* ---- the holder ---- */

static int check_self(void)
{
	struct rlimit none = { 0, 0 };

	if (fcntl(HOLDER_FD, F_GETFD) < 0 || fcntl(LINE_FD, F_GETFD) < 0)
		return -EBADF;
	if (caps_any())
		return -EPERM;
	setrlimit(RLIMIT_CORE, &none);
	/* Without it /proc/self/fd belongs to root. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
		return -errno;
	return 0;
}

void holder_main(int argc, char **argv)
{
	int ret;

	can_be_holder = true;
	if (argc != 2 || strcmp(argv[0], ARGV0) != 0)
		return;
	prctl(PR_SET_NAME, ARGV0, 0, 0, 0);
	ret = check_self();
	say(LINE_FD, ret, STEP_START);
	while (ret == 0) {
		char byte;
		ssize_t n = recv(LINE_FD, &byte, 1, 0);

		/* The daemon says nothing; the end is all there is to hear. */
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
	}
	_exit(ret ? 1 : 0);
}

/* ---- the daemon's side: process ---- */

static int fail(struct holder *h, int error, const char *what)
{
	snprintf(h->warning, sizeof(h->warning),
		 "no path for QEMU's nvdimm: "
		 "%.160s: %s",
		 what, strerror(-error));
	return error;
}

static int fail_start(struct holder *h, const struct holder_params *p,
		      const struct report *r)
{
	if (r->step != STEP_USER)
		return fail(h, r->error, "the holder did not start");
	snprintf(h->warning, sizeof(h->warning),
		 "no path for QEMU's nvdimm: "
		 "the daemon cannot become uid %u gid %u (%s): it takes "
		 "CAP_SETUID and CAP_SETGID (snoo-vms.conf), or pool.path",
		 p->uid, p->gid, strerror(-r->error));
	return r->error;
}

static void on_death(void *arg, unsigned int events)
{
	struct holder *h = arg;

	(void)events;
	holder_close(h);
	snprintf(h->warning, sizeof(h->warning),
		 "no path for QEMU's nvdimm: "
		 "the holder was killed; the next daemon starts one "
		 "(SIGUSR1)");
	log_err("%s", h->warning);
}

/* The child has 5 s: it only runs a program of ours. */
static int hear(int line, struct report *r)
{
	struct pollfd pfd = { .fd = line, .events = POLLIN };
	ssize_t n;
	int ready;

	do {
		ready = poll(&pfd, 1, 5000);
	} while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return ready ? -errno : -ETIMEDOUT;
	n = recv(line, r, sizeof(*r), MSG_DONTWAIT);
	if (n != (ssize_t)sizeof(*r))
		return n < 0 ? -errno : -ECHILD;
	return 0;
}

static int start(struct holder *h, const struct holder_params *p)
{
	struct report r = { 0 };
	int pair[2], ret;

	if (!p->program && !can_be_holder)
		return fail(h, -ENOEXEC, "this program cannot be a holder");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return fail(h, -errno, "socketpair");
	h->pid = fork();
	if (h->pid == 0)
		become_holder(p, pair[1]);
	ret = h->pid < 0 ? -errno : 0;
	close(pair[1]);
	h->line = pair[0];
	if (ret) {
		h->pid = 0;
		return fail(h, ret, "fork");
	}
	/* Before anything that may fail: stop() waits by it, not for ever. */
	h->pidfd = (int)syscall(SYS_pidfd_open, h->pid, 0);
	if (h->pidfd < 0)
		return fail(h, -errno, "pidfd_open");
	fcntl(h->pidfd, F_SETFD, FD_CLOEXEC);
	ret = hear(h->line, &r);
	if (ret)
		return fail(h, ret, "the holder did not start");
	if (r.error)
		return fail_start(h, p, &r);
	if (!p->loop)
		return 0;
	ret = loop_watch(&h->death, p->loop, h->pidfd, LOOP_READ, on_death, h);
	return ret ? fail(h, ret, "watching the holder") : 0;
}

static void stop(struct holder *h)
{
	struct pollfd pfd = { .fd = h->pidfd, .events = POLLIN };

	loop_unwatch(h->death);
	h->death = NULL;
	if (h->line >= 0)
		close(h->line);
	h->line = -1;
	if (h->pid > 0) {
		/* Its user may have stopped it: then it is not waited for. */
		if (h->pidfd >= 0)
			poll(&pfd, 1, END_MS);
		waitpid(h->pid, NULL, h->pidfd >= 0 ? WNOHANG : 0);
	}
	h->pid = 0;
	if (h->pidfd >= 0)
		close(h->pidfd);
	h->pidfd = -1;
}

/* ---- the link ---- */

/* Does a link of ours stand there? */
static bool leads_to(const char *path, const char *target)
{
	char now[HOLDER_PATH];
	ssize_t n = readlink(path, now, sizeof(now) - 1);

	if (n < 0)
		return false;
	now[n] = '\0';
	return strcmp(now, target) == 0;
}

int holder_link(struct holder *h, const char *domain, const char *runtime_dir,
		const char *target)
{
	char path[HOLDER_PATH], fresh[HOLDER_PATH];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/%s.pool", runtime_dir, domain) >=
		    (int)sizeof(path) ||
	    snprintf(fresh, sizeof(fresh), "%s/.%s.pool.new", runtime_dir,
		     domain) >= (int)sizeof(fresh))
		return fail(h, -ENAMETOOLONG, "the link");
	if (strcmp(path, target) == 0)
		return fail(h, -EEXIST, "pool.path is the link's own name");
	if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))
		return fail(h, -EEXIST, path);
	/* Nobody finds it missing, or half made. */
	unlink(fresh);
	if (symlink(target, fresh) || rename(fresh, path))
		return fail(h, -errno, path);
	snprintf(h->path, sizeof(h->path), "%s", path);
	snprintf(h->target, sizeof(h->target), "%s", target);
	return 0;
}

/* ---- the public functions ---- */

void holder_init(struct holder *h)
{
	memset(h, 0, sizeof(*h));
	h->pidfd = h->line = -1;
}

int holder_open(struct holder *h, const struct holder_params *p)
{
	char target[64];
	int ret = start(h, p);

	if (ret == 0) {
		snprintf(target, sizeof(target), "/proc/%d/fd/%d", (int)h->pid,
			 HOLDER_FD);
		ret = holder_link(h, p->domain, p->runtime_dir, target);
	}
	if (ret)
		stop(h);
	return ret;
}

void holder_close(struct holder *h)
{
	if (*h->path && leads_to(h->path, h->target))
		unlink(h->path);
	h->path[0] = '\0';
	stop(h);
}
