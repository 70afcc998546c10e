/* SPDX-License-Identifier: MIT */
/*
 * guest_run.c - programs that the host starts in this VM: the guest daemon's
 *		 part
 */
#include "daemon/guest_run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/guest_runner.h"
#include "daemon/log.h"

#define KEPT		"guest/runner"
#define READS_A_TURN	64	/* messages; then others have their turn */

/** struct note - A frame that the runner's socket had no room for */
struct note {
	struct note *next;
	size_t bytes;
	unsigned char data[];
};

struct guest_run {
	struct keeper *keeper;
	struct loop *loop;
	int (*put)(void *arg, const struct snoo_ctl_frame *f,
		   const void *body, size_t bytes);
	void *arg;
	int fd;				/* to the runner; -1: there is none */
	bool allows;
	bool paused;			/* not read: the ring has no room */
	struct loop_watch *watch;
	struct note *queue, **queue_tail;
	size_t queued;			/* bytes */
	uint32_t sid[SNOO_CTL_RUNS_MAX];	/* runs, as the host knows */
	uint32_t n;
};

/* ---- the runner's beginning ---- */

/* Whatever else we have open is not for it, nor for its programs. */
static void keep_only(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0)
		dup2(null, STDIN_FILENO);
	if (dup2(fd, STDERR_FILENO + 1) < 0)
		_exit(1);
	fcntl(STDERR_FILENO + 1, F_SETFD, FD_CLOEXEC);
	if (syscall(SYS_close_range, STDERR_FILENO + 2, UINT_MAX, 0) == 0)
		return;
	for (int i = (int)sysconf(_SC_OPEN_MAX) - 1; i > STDERR_FILENO + 1; i--)
		close(i);
}

static void become_runner(const struct guest_run_params *p,
			  struct guest_rules *rules, int fd)
{
	struct guest_runner_params rp = {
		.socket = STDERR_FILENO + 1,
		.config = p->config,
		.ov = p->ov,
		.rules = *rules,
	};

	setsid();
	keep_only(fd);
	_exit(guest_runner_main(&rp));
}

/* A child of nobody we know: it is not ours to wait for. */
static int fork_runner(const struct guest_run_params *p,
		       struct guest_rules *rules, int fd)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			become_runner(p, rules, fd);
		_exit(pid < 0);
	}
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status == 0 ? 0 : -EAGAIN;
}

static int make_runner(struct guest_run *r, const struct guest_run_params *p,
		       struct guest_rules *rules)
{
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	ret = fork_runner(p, rules, pair[1]);
	close(pair[1]);
	if (ret == 0)
		ret = keeper_store(r->keeper, KEPT, pair[0], true);
	if (ret) {
		close(pair[0]);
		return ret;
	}
	r->fd = pair[0];
	return 0;
}

static int send_now(const struct guest_run *r, const void *msg, size_t bytes)
{
	ssize_t n;

	do
		n = send(r->fd, msg, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == EWOULDBLOCK || errno == ENOBUFS ? -EAGAIN : -errno;
}

/* A runner that died meanwhile shows by the end of its socket. */
static void adopt_runner(struct guest_run *r)
{
	struct guest_runner_adopt m = {
		.frame = { sizeof(m), GUEST_RUNNER_ADOPT, 0,
			   SNOO_CTL_NO_SLOT },
		.version = GUEST_RUNNER_VERSION,
	};

	if (send_now(r, &m, sizeof(m)) == -EAGAIN)
		log_warn("the runner does not read: it goes by its old rules");
}

int guest_run_open(struct guest_run **out, const struct guest_run_params *p)
{
	struct guest_run *r = calloc(1, sizeof(*r));
	char why[GUEST_RULES_TEXT];
	struct guest_rules rules;
	int ret;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->keeper = p->keeper;
	r->fd = keeper_take(p->keeper, KEPT);
	if (r->fd >= 0)
		adopt_runner(r);
	ret = guest_rules_make(&rules, p->conf, why);
	if (ret)
		log_warn("the host can start no programs here: %s", why);
	r->allows = ret == 0 && rules.programs > 0;
	ret = 0;
	if (r->allows && r->fd < 0)
		ret = make_runner(r, p, &rules);
	guest_rules_fini(&rules);
	if (ret) {
		free(r);
		return ret;
	}
	*out = r;
	return 0;
}

bool guest_run_allows(const struct guest_run *r)
{
	return r->allows && r->fd >= 0;
}

/* ---- which runs there are ---- */

static bool knows(const struct guest_run *r, uint32_t sid)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (r->sid[i] == sid)
			return true;
	return false;
}

static bool remember(struct guest_run *r, uint32_t sid)
{
	if (knows(r, sid))
		return true;
	if (r->n == SNOO_CTL_RUNS_MAX)
		return false;
	r->sid[r->n++] = sid;
	return true;
}

static void forget(struct guest_run *r, uint32_t sid)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (r->sid[i] == sid)
			r->sid[i--] = r->sid[--r->n];
}

/* ---- a runner that is gone, or never was ---- */

static int say_none(struct guest_run *r, uint32_t sid)
{
	struct snoo_ctl_run_end m = {
		.frame = { .type = SNOO_CTL_FINISHED, .sid = sid,
			   .slot = SNOO_CTL_NO_SLOT },
		.error = r->allows ? ECHILD : EOPNOTSUPP,
	};

	snprintf(m.text, sizeof(m.text), "%s", r->allows ?
		 "the process that starts programs in this VM has ended, and "
		 "its programs with it: restart the VM's snoo-daemon" :
		 "this VM lets the host start nothing: set guest.run.programs "
		 "and guest.run.user in its snoo.json and restart its "
		 "snoo-daemon");
	return r->put(r->arg, &m.frame, &m.frame + 1,
		      sizeof(m) - sizeof(m.frame));
}

/* All that we know of end, as far as there is room to say so. */
static void end_all(struct guest_run *r)
{
	while (r->n && say_none(r, r->sid[r->n - 1]) == 0)
		r->n--;
}

static void lose_runner(struct guest_run *r)
{
	log_err("the process that starts programs for the host has ended, and "
		"%u programs with it: the next start of the daemon makes "
		"another", r->n);
	loop_unwatch(r->watch);
	r->watch = NULL;
	close(r->fd);
	r->fd = -1;
	keeper_forget(r->keeper, KEPT);
	while (r->queue) {
		struct note *n = r->queue;

		r->queue = n->next;
		free(n);
	}
	r->queued = 0;
	end_all(r);
}

/* ---- from the runner to the host ---- */

static bool passes(const struct snoo_ctl_frame *f, size_t bytes)
{
	return bytes >= sizeof(*f) && f->length == bytes &&
	       bytes <= SNOO_CTL_FRAME_MAX &&
	       (f->type == SNOO_CTL_STARTED || f->type == SNOO_CTL_FINISHED ||
		f->type == SNOO_CTL_DATA || f->type == SNOO_CTL_CREDIT);
}

/* false: there is nothing more to pass on now */
static bool pass_one(struct guest_run *r)
{
	union {
		struct snoo_ctl_frame f;
		unsigned char bytes[SNOO_CTL_FRAME_MAX];
	} m;
	ssize_t n = recv(r->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_PEEK |
			 MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		lose_runner(r);
		return false;
	}
	if (!passes(&m.f, (size_t)n)) {
		log_warn("the runner says something that makes no sense "
			 "bytes=%zd", n);
	} else if (r->put(r->arg, &m.f, &m.f + 1,
			  (size_t)n - sizeof(m.f)) == -EAGAIN) {
		r->paused = true;
		loop_watch_events(r->watch, r->queue ? LOOP_WRITE : 0);
		return false;
	} else if (m.f.type == SNOO_CTL_FINISHED) {
		forget(r, m.f.sid);
	}
	/* Now that the host has it. */
	return recv(r->fd, &m, sizeof(m), MSG_DONTWAIT) >= 0;
}

/* ---- from the host to the runner ---- */

static void watch(struct guest_run *r)
{
	loop_watch_events(r->watch, (r->paused ? 0 : LOOP_READ) |
			  (r->queue ? LOOP_WRITE : 0));
}

static int enqueue(struct guest_run *r, const void *msg, size_t bytes)
{
	struct note *n;

	/* Credit bounds what there can be. */
	if (r->queued + bytes > GUEST_RUN_QUEUE_BYTES)
		return -EPROTO;
	n = malloc(sizeof(*n) + bytes);
	if (!n)
		return -EPROTO;
	n->next = NULL;
	n->bytes = bytes;
	memcpy(n->data, msg, bytes);
	if (!r->queue)
		r->queue_tail = &r->queue;
	*r->queue_tail = n;
	r->queue_tail = &n->next;
	r->queued += bytes;
	watch(r);
	return 0;
}

static void flush(struct guest_run *r)
{
	while (r->queue && send_now(r, r->queue->data, r->queue->bytes) !=
			   -EAGAIN) {
		struct note *n = r->queue;

		r->queue = n->next;
		r->queued -= n->bytes;
		free(n);
	}
	watch(r);
}

static void on_ready(void *arg, unsigned int events)
{
	struct guest_run *r = arg;

	if (events & LOOP_WRITE)
		flush(r);
	if (!(events & (LOOP_READ | LOOP_HANGUP)) || r->paused)
		return;
	for (int i = 0; i < READS_A_TURN; i++)
		if (!pass_one(r))
			return;
}

/* The host's list of runs: what else we thought of is no more. */
static int take_runs(struct guest_run *r, const struct snoo_ctl_frame *f,
		     size_t bytes)
{
	struct snoo_ctl_runs m;

	if (bytes < sizeof(m))
		return -EPROTO;
	memcpy(&m, f, sizeof(m));
	if (m.count > SNOO_CTL_RUNS_MAX ||
	    bytes != sizeof(m) + m.count * sizeof(uint32_t))
		return -EPROTO;
	memcpy(r->sid, (const char *)f + sizeof(m),
	       m.count * sizeof(uint32_t));
	r->n = m.count;
	return 0;
}

int guest_run_frame(struct guest_run *r, const struct snoo_ctl_frame *f,
		    size_t bytes)
{
	int ret = 0;

	if (f->type == SNOO_CTL_RUNS)
		ret = take_runs(r, f, bytes);
	else if (f->type == SNOO_CTL_RUN && !remember(r, f->sid))
		ret = -EPROTO;
	if (ret)
		return ret;
	if (r->fd < 0) {
		end_all(r);
		return 0;
	}
	ret = r->queue ? -EAGAIN : send_now(r, f, bytes);
	/* Its end shows when it is read. */
	return ret == -EAGAIN ? enqueue(r, f, bytes) : 0;
}

void guest_run_room(struct guest_run *r)
{
	if (r->fd < 0) {
		end_all(r);
		return;
	}
	if (!r->paused)
		return;
	r->paused = false;
	watch(r);
}

/* ---- beginning and end ---- */

int guest_run_start(struct guest_run *r, struct loop *loop,
		    int (*put)(void *arg, const struct snoo_ctl_frame *f,
			       const void *body, size_t bytes), void *arg)
{
	r->loop = loop;
	r->put = put;
	r->arg = arg;
	if (r->fd < 0)
		return 0;
	return loop_watch(&r->watch, loop, r->fd, LOOP_READ, on_ready, r);
}

void guest_run_close(struct guest_run *r, bool let_go)
{
	if (!r)
		return;
	loop_unwatch(r->watch);
	if (r->fd >= 0) {
		if (!let_go)
			keeper_forget(r->keeper, KEPT);
		close(r->fd);
	}
	while (r->queue) {
		struct note *n = r->queue;

		r->queue = n->next;
		free(n);
	}
	free(r);
}
