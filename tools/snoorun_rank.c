/* SPDX-License-Identifier: MIT */
/*
 * snoorun_rank.c - a rank on this host: environment, streams, process group
 *
 * Between fork() and exec() the child makes only async-signal-safe calls;
 * its environment and its fds are made before.
 */
#include "tools/snoorun_rank.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

/* Spare fds beside the ranks' own. */
#define FDS_OF_OURS	32

static struct rlimit old_limit;
static bool limit_raised;

int rank_limits(unsigned int n)
{
	rlim_t need = FDS_OF_OURS + 2 * (rlim_t)n;
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &old_limit))
		return -errno;
	if (old_limit.rlim_cur >= need)
		return 0;
	now = old_limit;
	now.rlim_cur = need;
	if (now.rlim_max < need || setrlimit(RLIMIT_NOFILE, &now))
		return -EMFILE;
	limit_raised = true;
	return 0;
}

int rank_launch(struct rank_common *c)
{
	uint64_t bits;

	if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
		return -errno;
	snprintf(c->launch, sizeof(c->launch), "%016llx",
		 (unsigned long long)bits);
	return 0;
}

/* ---- environment ------------------------------------------------------ */

/* What an outer launcher or an earlier run said is not for our ranks. */
static bool ours(const char *entry)
{
	static const char *const names[] = {
		"SNOO_RANK=", "SNOO_SIZE=", "SNOO_LAUNCH=", "SNOO_JOB=",
		"SNOO_SOCKET=", "SNOO_CORE=",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(entry, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/**
 * struct env - Our environment with the variables of one rank
 */
struct env {
	char **list;
	char *own[6];
	unsigned int nown;
	bool failed;
};

static void env_add(struct env *e, size_t *n, char *text)
{
	if (!text) {
		e->failed = true;
		return;
	}
	e->own[e->nown++] = text;
	e->list[(*n)++] = text;
}

static char *text(const char *name, const char *value)
{
	char *out;

	return asprintf(&out, "%s=%s", name, value) < 0 ? NULL : out;
}

static char *number(const char *name, unsigned int value)
{
	char *out;

	return asprintf(&out, "%s=%u", name, value) < 0 ? NULL : out;
}

static void env_free(struct env *e)
{
	for (unsigned int i = 0; i < e->nown; i++)
		free(e->own[i]);
	free(e->list);
}

static int env_make(struct env *e, unsigned int i,
		    const struct rank_common *c)
{
	const struct snoorun_opts *o = c->opts;
	size_t n = 0, have = 0;

	while (environ[have])
		have++;
	*e = (struct env){ .list = calloc(have + 7, sizeof(char *)) };
	if (!e->list)
		return -ENOMEM;
	for (size_t k = 0; k < have; k++)
		if (!ours(environ[k]))
			e->list[n++] = environ[k];
	env_add(e, &n, number("SNOO_RANK", i));
	env_add(e, &n, number("SNOO_SIZE", o->n));
	env_add(e, &n, text("SNOO_LAUNCH", c->launch));
	env_add(e, &n, text("SNOO_SOCKET", c->socket));
	if (o->job)
		env_add(e, &n, text("SNOO_JOB", o->job));
	if (o->ncores)
		env_add(e, &n, number("SNOO_CORE", o->core[i % o->ncores]));
	if (e->failed) {
		env_free(e);
		return -ENOMEM;
	}
	return 0;
}

/* ---- streams ---------------------------------------------------------- */

/* A pseudoterminal in raw mode: the C library of the rank then writes line
 * by line as it would to our terminal, and the bytes pass unchanged. */
static int open_pty(int fd[2])
{
	struct winsize size;
	struct termios t;
	char name[64];
	int ret;

	fd[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd[0] < 0)
		return -errno;
	if (grantpt(fd[0]) || unlockpt(fd[0]) ||
	    ptsname_r(fd[0], name, sizeof(name)))
		goto fail;
	fd[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd[1] < 0)
		goto fail;
	if (tcgetattr(fd[1], &t) == 0) {
		cfmakeraw(&t);
		tcsetattr(fd[1], TCSANOW, &t);
	}
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(fd[1], TIOCSWINSZ, &size);
	return 0;

fail:
	ret = -errno;
	close(fd[0]);
	fd[0] = -1;
	return ret;
}

static int open_stream(int fd[2], bool terminal)
{
	if (terminal && open_pty(fd) == 0)
		return 0;
	return pipe2(fd, O_CLOEXEC) ? -errno : 0;
}

static void close_pair(const int fd[2])
{
	if (fd[0] >= 0)
		close(fd[0]);
	if (fd[1] >= 0)
		close(fd[1]);
}

/**
 * struct streams - Both ends of what a rank is connected to
 */
struct streams {
	int in;			/* not ours to close */
	int out[2], err[2];	/* -1: inherited */
	int failed[2];		/* exec's errno; closes on success */
};

static void streams_close(const struct streams *s)
{
	close_pair(s->out);
	close_pair(s->err);
	close_pair(s->failed);
}

static int streams_open(struct streams *s, unsigned int i,
			const struct rank_common *c)
{
	int ret = 0;

	*s = (struct streams){ i == 0 ? c->stdin_fd : -1, { -1, -1 },
			       { -1, -1 }, { -1, -1 } };
	if (c->opts->prefix) {
		ret = open_stream(s->out, isatty(STDOUT_FILENO));
		if (!ret)
			ret = open_stream(s->err, false);
	}
	if (!ret && pipe2(s->failed, O_CLOEXEC))
		ret = -errno;
	if (ret)
		streams_close(s);
	return ret;
}

/* ---- the child -------------------------------------------------------- */

static int stdin_of(const struct streams *s)
{
	int fd = s->in >= 0 ? s->in : open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd == STDIN_FILENO)
		return 0;
	return fd < 0 || dup2(fd, STDIN_FILENO) < 0 ? -errno : 0;
}

static int connect_streams(const struct streams *s)
{
	int ret = stdin_of(s);

	if (ret)
		return ret;
	if (s->out[1] >= 0 && dup2(s->out[1], STDOUT_FILENO) < 0)
		return -errno;
	if (s->err[1] >= 0 && dup2(s->err[1], STDERR_FILENO) < 0)
		return -errno;
	return 0;
}

static void restore_signals(void)
{
	/* Ours are blocked for the signal file and SIGPIPE is ignored; a
	 * program expects neither. */
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &snoorun_old_mask, NULL);
}

static void child(const struct streams *s, const struct env *e, char **argv,
		  pid_t parent)
{
	int err;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)	/* it died before we asked */
		_exit(SNOORUN_FAILED);
	if (limit_raised)
		setrlimit(RLIMIT_NOFILE, &old_limit);
	err = -connect_streams(s);
	if (!err) {
		restore_signals();
		execvpe(argv[0], argv, e->list);
		err = errno;
	}
	/* Nobody to tell if this write fails; the parent sees the exit. */
	if (write(s->failed[1], &err, sizeof(err)) < 0)
		_exit(SNOORUN_FAILED);
	_exit(SNOORUN_NO_FILE);
}

/* ---- as a rank ---- */

static void ops_watch(struct rank *r, struct pollfd p[2])
{
	p[0].fd = r->out.fd >= 0 && !sink_full(r->out.sink) ? r->out.fd : -1;
	p[1].fd = r->err.fd >= 0 && !sink_full(r->err.sink) ? r->err.fd : -1;
	p[0].events = p[1].events = POLLIN;
}

static void ops_serve(struct rank *r, const struct pollfd p[2])
{
	if (p[0].revents && r->out.fd >= 0)
		source_read(&r->out);
	if (p[1].revents && r->err.fd >= 0)
		source_read(&r->err);
}

static void ops_signal(const struct rank *r, int sig)
{
	if (r->pid > 0 && kill(-r->pid, sig) && errno == ESRCH)
		kill(r->pid, sig);
}

/* Who inherited its streams may go on talking. */
static void ops_drain(struct rank *r)
{
	source_drain(&r->out);
	source_drain(&r->err);
}

static void ops_give_up(struct rank *r)
{
	(void)r;			/* SIGKILL is sure */
}

static void ops_close(struct rank *r)
{
	if (r->out.fd >= 0)
		source_end(&r->out);
	if (r->err.fd >= 0)
		source_end(&r->err);
}

static const struct rank_ops ops = {
	.watch = ops_watch, .serve = ops_serve, .signal = ops_signal,
	.drain = ops_drain, .give_up = ops_give_up, .close = ops_close,
};

/* ---- the parent ------------------------------------------------------- */

/* The errno that exec failed with, 0 if it did not. */
static int exec_error(int fd)
{
	int err = 0;
	ssize_t n;

	do {
		n = read(fd, &err, sizeof(err));
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(err) ? err : 0;
}

static int take_sources(struct rank *r, unsigned int i, struct streams *s,
			const struct rank_common *c)
{
	int ret;

	r->out.fd = r->err.fd = -1;
	if (s->out[0] < 0)
		return 0;
	ret = source_init(&r->out, s->out[0], c->out, i);
	if (ret)
		return ret;
	s->out[0] = -1;
	ret = source_init(&r->err, s->err[0], c->err, i);
	if (!ret)
		s->err[0] = -1;
	return ret;
}

int rank_start(struct rank *r, unsigned int i, const struct rank_common *c,
	       const char **stage)
{
	pid_t parent = getpid();
	struct streams s;
	struct env e;
	int ret;

	r->ops = &ops;
	r->pid = 0;
	r->out.fd = r->err.fd = -1;
	*stage = "pipe";
	ret = streams_open(&s, i, c);
	if (ret)
		return ret;
	*stage = "memory";
	ret = env_make(&e, i, c);
	if (ret)
		goto out_streams;

	*stage = "fork";
	r->pid = fork();
	if (r->pid == 0)
		child(&s, &e, c->opts->argv, parent);
	if (r->pid < 0) {
		ret = -errno;
		r->pid = 0;
		goto out_env;
	}
	r->alive = true;
	/* Both sides do it, so that it is done whoever comes first. */
	setpgid(r->pid, r->pid);
	close(s.failed[1]);
	s.failed[1] = -1;
	*stage = "exec";
	ret = -exec_error(s.failed[0]);
	if (!ret) {
		*stage = "memory";
		ret = take_sources(r, i, &s, c);
	}
out_env:
	env_free(&e);
out_streams:
	streams_close(&s);
	return ret;
}
