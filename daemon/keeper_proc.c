/* SPDX-License-Identifier: MIT */
/*
 * keeper_proc.c - the small process: start the daemon, keep its fds, start it
 *		   again
 *
 * Theory of operation
 * ===================
 *
 * One loop over three things: the notification socket, a signalfd, and the
 * kept fds that are watched for their end.  When the daemon dies, what it had
 * sent is read first (the messages outlive it in the socket), then it is
 * started again with everything kept.
 *
 * The socket lies in a directory that only this user can enter, because
 * anybody may fill the queue of an abstract one; the sender's pid, which the
 * kernel vouches for, must be the daemon's all the same.
 *
 * The keeper does nothing that could fail for the daemon's faults: it reads
 * no pool and no ledger, and allocates only for names.
 */

#include "daemon/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/keeper_shelf.h"
#include "daemon/log.h"

#define YOUNG_MS	1000	/* a daemon that lived longer starts at once */
#define READY_CAP_MS	100	/* it came up: whoever waits for it is served */
#define EVENTS		16

struct keeper_proc {
	const struct keeper_params *params;
	struct keeper_shelf shelf;
	int epoll;
	int signals;
	int socket;
	int outer;		/* to a service manager above us, or -1 */
	int ready_fd;
	char dir[64];
	struct sockaddr_un addr;
	sigset_t mask_before;
	pid_t child;		/* 0: none runs */
	uint64_t started_ms;
	uint64_t restart_ms;	/* when, if none runs */
	unsigned int young;	/* deaths in a row of young daemons */
	bool ready;		/* this daemon has said READY */
	bool ran;		/* the program could be started once */
	bool served;		/* some daemon has said READY */
	bool stopping;
	bool done;
	int code;		/* for main(), when done */
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- what has to be open ---- */

static int watch(struct keeper_proc *k, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int make_dir(char dir[64])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	const char *const where[] = { runtime, "/run", "/tmp" };

	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		if (!where[i] || where[i][0] != '/' || strlen(where[i]) > 40)
			continue;
		snprintf(dir, 64, "%s/snoo-keeper-XXXXXX", where[i]);
		if (mkdtemp(dir))
			return 0;
	}
	dir[0] = '\0';
	return -errno;
}

static int open_socket(struct keeper_proc *k)
{
	int on = 1;
	int ret;

	ret = make_dir(k->dir);
	if (ret)
		return ret;
	k->addr.sun_family = AF_UNIX;
	snprintf(k->addr.sun_path, sizeof(k->addr.sun_path), "%s/notify",
		 k->dir);
	k->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (k->socket < 0 ||
	    bind(k->socket, (struct sockaddr *)&k->addr, sizeof(k->addr)) ||
	    setsockopt(k->socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return -errno;
	return watch(k, k->socket);
}

static int open_signals(struct keeper_proc *k)
{
	static const int wanted[] = {
		SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE,
	};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		sigaddset(&set, wanted[i]);
	if (sigprocmask(SIG_BLOCK, &set, &k->mask_before))
		return -errno;
	k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (k->signals < 0)
		return -errno;
	return watch(k, k->signals);
}

/* A NOTIFY_SOCKET above us: readiness and status go on to it. */
static void open_outer(struct keeper_proc *k)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	socklen_t len;

	if (!path || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, strlen(path));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			  strlen(path));
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	else
		len++;
	k->outer = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (k->outer >= 0 &&
	    connect(k->outer, (struct sockaddr *)&to, len)) {
		close(k->outer);
		k->outer = -1;
	}
}

static void raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* ---- the daemon ---- */

/* In the child; returns only if it failed, with a negative error code. */
static int become_daemon(struct keeper_proc *k, int *report)
{
	const char *path = k->params->path;
	char number[24];
	int ret;

	snprintf(number, sizeof(number), "%d", (int)getppid());
	if (setenv("NOTIFY_SOCKET", k->addr.sun_path, 1) ||
	    setenv(KEEPER_ENV, number, 1))
		return -ENOMEM;
	/* WATCHDOG_USEC stays: the daemon's pings are passed on. */
	unsetenv("WATCHDOG_PID");
	ret = keeper_shelf_pass(&k->shelf, report);
	if (ret)
		return ret;
	sigprocmask(SIG_SETMASK, &k->mask_before, NULL);
	execv(path ? path : "/proc/self/exe", k->params->argv);
	return -errno;
}

/* Wait until the program runs: 0, or what kept it from running. */
static int wait_exec(int fd)
{
	int error = 0;
	ssize_t n;

	do {
		n = read(fd, &error, sizeof(error));
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(error) ? error : 0;
}

static void start(struct keeper_proc *k)
{
	int report[2];
	pid_t pid;
	int ret;

	k->started_ms = now_ms();
	k->ready = false;
	/* What the last one stored as it died may have ended: no event yet. */
	keeper_shelf_ended(&k->shelf);
	if (pipe2(report, O_CLOEXEC)) {
		ret = -errno;
		goto out;
	}
	pid = fork();
	if (pid == 0) {
		ret = become_daemon(k, &report[1]);
		if (write(report[1], &ret, sizeof(ret)) < 0)
			_exit(126);
		_exit(127);
	}
	ret = pid < 0 ? -errno : 0;
	close(report[1]);
	if (pid > 0)
		ret = wait_exec(report[0]);
	close(report[0]);
	if (!ret) {
		k->child = pid;
		k->ran = true;
		return;
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
out:
	log_err("keeper: cannot start %s: %s", k->params->path ?
		k->params->path : "the daemon", strerror(-ret));
	if (!k->ran) {
		k->done = true;
		k->code = 1;
		return;
	}
	k->restart_ms = now_ms() + 1000;
}

/* How long to wait after the n-th young death in a row. */
static uint64_t delay_ms(unsigned int young, bool ready)
{
	static const uint64_t delay[] = {
		0, 0, 10, 20, 50, 100, 200, 500, 1000,
	};
	size_t last = sizeof(delay) / sizeof(delay[0]) - 1;
	uint64_t ms = delay[young < last ? young : last];

	return ready && ms > READY_CAP_MS ? READY_CAP_MS : ms;
}

static void pass_on(struct keeper_proc *k, const struct keeper_note *note)
{
	static const char ready[] = "READY\n";

	if (note->ready)
		k->ready = k->served = true;
	if (note->ready && k->ready_fd >= 0) {
		if (write(k->ready_fd, ready, sizeof(ready) - 1) < 0)
			log_warn("keeper: nobody waits for readiness");
		close(k->ready_fd);
		k->ready_fd = -1;
	}
	/* Without blocking: a manager that does not read is its own fault. */
	if (k->outer >= 0 && note->text_bytes > 0 &&
	    send(k->outer, note->text, note->text_bytes,
		 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_warn("keeper: NOTIFY_SOCKET: %s", strerror(errno));
}

static void read_socket(struct keeper_proc *k)
{
	struct keeper_note note;

	/* An error is of one message: the next is as good as ever. */
	while (keeper_shelf_receive(&k->shelf, k->socket, k->child, &note) > 0)
		pass_on(k, &note);
}

static void on_death(struct keeper_proc *k, int status)
{
	bool young = now_ms() - k->started_ms < YOUNG_MS;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) :
		   128 + WTERMSIG(status);
	uint64_t wait_ms;
	char how[48];

	/* Its last words: they are in the socket, and its pid is still ours. */
	read_socket(k);
	k->child = 0;
	/* A first start that fails is not tried again: it has said why. */
	if (k->stopping || code == 0 || code == KEEPER_EXIT_CONFIG ||
	    (WIFEXITED(status) && !k->served)) {
		k->done = true;
		k->code = code;
		return;
	}
	k->young = young ? k->young + 1 : 0;
	wait_ms = delay_ms(k->young, k->ready);
	k->restart_ms = now_ms() + wait_ms;
	if (WIFEXITED(status))
		snprintf(how, sizeof(how), "exited with code %d", code);
	else
		snprintf(how, sizeof(how), "was killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	log_always(LOG_LEVEL_WARNING, "keeper: the daemon %s; starting it "
		   "again with %zu fds in %llu ms", how, k->shelf.n,
		   (unsigned long long)wait_ms);
}

static void reap(struct keeper_proc *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == k->child)
			on_death(k, status);
}

static void on_signal(struct keeper_proc *k, int sig)
{
	switch (sig) {
	case SIGCHLD:
		reap(k);
		return;
	case SIGPIPE:
		return;
	case SIGTERM:
	case SIGINT:
		k->stopping = true;
		sig = SIGTERM;
		if (k->child == 0)
			k->done = true;
		break;
	default:
		break;
	}
	if (k->child > 0)
		kill(k->child, sig);
}

static void read_signals(struct keeper_proc *k)
{
	struct signalfd_siginfo info;

	while (read(k->signals, &info, sizeof(info)) == sizeof(info))
		on_signal(k, (int)info.ssi_signo);
}

/* ---- the loop ---- */

static int timeout(const struct keeper_proc *k)
{
	uint64_t now = now_ms();

	if (k->child > 0)
		return -1;
	return k->restart_ms > now ? (int)(k->restart_ms - now) : 0;
}

static void loop(struct keeper_proc *k)
{
	struct epoll_event ev[EVENTS];

	start(k);
	while (!k->done) {
		int n = epoll_wait(k->epoll, ev, EVENTS, timeout(k));

		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;

			if (fd == k->socket)
				read_socket(k);
			else if (fd == k->signals)
				read_signals(k);
			else
				keeper_shelf_hangup(&k->shelf, fd);
		}
		if (!k->done && k->child == 0 && timeout(k) == 0)
			start(k);
	}
}

static int open_all(struct keeper_proc *k)
{
	int ret;

	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (k->epoll < 0)
		return -errno;
	keeper_shelf_init(&k->shelf, k->epoll);
	ret = open_signals(k);
	if (ret)
		return ret;
	open_outer(k);
	return open_socket(k);
}

static void close_all(struct keeper_proc *k)
{
	const int fds[] = {
		k->socket, k->signals, k->outer, k->ready_fd, k->epoll,
	};

	if (k->epoll >= 0)
		keeper_shelf_fini(&k->shelf);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (k->addr.sun_path[0])
		unlink(k->addr.sun_path);
	if (k->dir[0])
		rmdir(k->dir);
}

int keeper_run(const struct keeper_params *params)
{
	struct keeper_proc k = {
		.params = params,
		.epoll = -1,
		.signals = -1,
		.socket = -1,
		.outer = -1,
		.ready_fd = params->ready_fd,
	};
	int ret;

	raise_limit();
	/* The daemon writes READY through us; exec must not hand it on. */
	if (k.ready_fd >= 0)
		fcntl(k.ready_fd, F_SETFD, FD_CLOEXEC);
	ret = open_all(&k);
	if (ret) {
		log_err("keeper: cannot start: %s", strerror(-ret));
		k.code = 1;
	} else {
		loop(&k);
	}
	close_all(&k);
	return k.code;
}
