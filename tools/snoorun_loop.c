/* SPDX-License-Identifier: MIT */
/*
 * snoorun_loop.c - start the ranks, pass on streams and signals, end them
 *
 * How a run ends early: something fails (a rank, the private daemon, the
 * timeout) or a signal asks.  Then the phases follow each other, each with a
 * time of its own, so that nothing can hang:
 *
 *   RUNNING -> NOTICE (others may see the failure and clean up)
 *           -> TERM   (SIGTERM was sent)
 *           -> KILL   (SIGKILL was sent)
 *           -> GIVE_UP (ranks of a VM that does not answer are left to it)
 */
#include "tools/snoorun_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/snoorun_input.h"
#include "tools/snoorun_lines.h"
#include "tools/snoorun_on.h"
#include "tools/snoorun_rank.h"
#include "tools/snoorun_remote.h"

#define NOTICE_MS	1000
#define GRACE_MS	3000
#define GIVE_UP_MS	5000

enum phase { RUNNING, NOTICE, TERM, KILL, GIVE_UP };

struct run {
	const struct snoorun_opts *o;
	struct private_daemon *d;
	struct rank *rank;
	unsigned int alive;
	struct sink out, err;
	struct input in;
	int sigfd;
	struct pollfd *poll;

	enum phase phase;
	int64_t phase_ends;	/* 0: never */
	int64_t timeout_at;	/* 0: never */
	bool input_ended;	/* rank 0 in a VM was told */
	bool failed;
	int code;		/* of the first failure */
	int told;		/* the signal that asked us to end */
	unsigned int interrupts;
};

/* ---- ending ----------------------------------------------------------- */

static void signal_all(struct run *r, int sig)
{
	for (unsigned int i = 0; i < r->o->n; i++)
		if (r->rank[i].ops)
			r->rank[i].ops->signal(&r->rank[i], sig);
}

static void enter(struct run *r, enum phase phase)
{
	if (phase <= r->phase)
		return;
	r->phase = phase;
	r->phase_ends = 0;
	switch (phase) {
	case RUNNING:
		break;
	case NOTICE:
		r->phase_ends = snoorun_now_ms() + NOTICE_MS;
		break;
	case TERM:
		signal_all(r, SIGTERM);
		signal_all(r, SIGCONT);		/* a stopped one can't end */
		r->phase_ends = snoorun_now_ms() + GRACE_MS;
		break;
	case KILL:
		signal_all(r, SIGKILL);
		r->phase_ends = snoorun_now_ms() + GIVE_UP_MS;
		break;
	case GIVE_UP:
		for (unsigned int i = 0; i < r->o->n; i++)
			if (r->rank[i].ops)
				r->rank[i].ops->give_up(&r->rank[i]);
		break;
	}
}

static void fail(struct run *r, int code, enum phase phase)
{
	if (!r->failed)
		r->code = code;
	r->failed = true;
	enter(r, phase);
}

static void check_times(struct run *r)
{
	int64_t now = snoorun_now_ms();

	if (r->timeout_at && now >= r->timeout_at) {
		r->timeout_at = 0;
		snoorun_say("time is up after %lld ms; ending %u rank%s",
			    (long long)r->o->timeout_ms, r->alive,
			    r->alive == 1 ? "" : "s");
		fail(r, SNOORUN_TIMEOUT, TERM);
	}
	if (r->phase_ends && now >= r->phase_ends)
		enter(r, r->phase + 1);
}

/* As much as goes without waiting. */
static void flush_now(struct sink *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };

	while (!sink_empty(s) && poll(&p, 1, 0) > 0)
		sink_flush(s);
}

/* ---- children --------------------------------------------------------- */

static const char *and_others(const struct run *r, char *buf, size_t len)
{
	if (!r->alive || r->phase != RUNNING)
		return "";
	snprintf(buf, len, "; ending the other %u", r->alive);
	return buf;
}

static const char *in_vm(const struct rank *k, char *buf, size_t len)
{
	if (!k->vm)
		return "";
	snprintf(buf, len, " in %s", k->vm);
	return buf;
}

static void rank_ended(struct run *r, unsigned int i, int status)
{
	struct rank *k = &r->rank[i];
	char others[48], where[80];
	int sig;

	k->pid = 0;
	k->alive = false;
	r->alive--;
	/* Its last words before ours about it. */
	k->ops->drain(k);
	flush_now(&r->out);
	flush_now(&r->err);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;

	if (WIFEXITED(status)) {
		if (!r->failed)
			snoorun_say("rank %u%s ended with code %d%s", i,
				    in_vm(k, where, sizeof(where)),
				    WEXITSTATUS(status),
				    and_others(r, others, sizeof(others)));
		fail(r, WEXITSTATUS(status), NOTICE);
		return;
	}
	sig = WTERMSIG(status);
	/* No news if it died of what we passed on or did. */
	if (sig != r->told && (r->phase < TERM ||
			       (sig != SIGTERM && sig != SIGKILL)))
		snoorun_say("rank %u%s was killed by signal %d (%s)%s%s", i,
			    in_vm(k, where, sizeof(where)), sig,
			    strsignal(sig),
			    WCOREDUMP(status) ? ", core dumped" : "",
			    and_others(r, others, sizeof(others)));
	fail(r, 128 + sig, NOTICE);
}

/* As of a program that can't be executed here, where it is that. */
static int code_of(const struct rank *k)
{
	if (k->started)
		return SNOORUN_FAILED;
	switch (k->error) {
	case ENOENT:
		return SNOORUN_NO_FILE;
	case EACCES:
	case EPERM:
	case ENOEXEC:
	case ELOOP:
	case ENOTDIR:
		return SNOORUN_NO_EXEC;
	default:
		return SNOORUN_FAILED;
	}
}

/* A rank in a VM that never ran, or of whose end nobody knows. */
static void rank_lost(struct run *r, unsigned int i)
{
	struct rank *k = &r->rank[i];
	char others[48];

	k->alive = false;
	r->alive--;
	flush_now(&r->out);
	flush_now(&r->err);
	/* One that is told from the others' first is no news. */
	if (!r->failed || k->started)
		snoorun_say("rank %u in %s: %s%s", i, k->vm, k->text,
			    and_others(r, others, sizeof(others)));
	fail(r, code_of(k), k->started ? NOTICE : TERM);
}

/* What serve() has found out of ranks in VMs. */
static void take_ends(struct run *r)
{
	for (unsigned int i = 0; i < r->o->n; i++) {
		struct rank *k = &r->rank[i];

		if (!k->alive || !k->ended)
			continue;
		if (k->error)
			rank_lost(r, i);
		else
			rank_ended(r, i, k->status);
	}
}

static void child_ended(struct run *r, pid_t pid, int status)
{
	if (pid == r->d->pid) {
		daemon_died(r->d, status);
		fail(r, SNOORUN_FAILED, NOTICE);
		return;
	}
	for (unsigned int i = 0; i < r->o->n; i++) {
		if (r->rank[i].pid == pid) {
			rank_ended(r, i, status);
			return;
		}
	}
}

/*
 * Look before reaping: until a rank is reaped its process group's number is
 * surely its own, so that what it started can be ended with it.
 */
static void reap(struct run *r)
{
	siginfo_t si;
	int status;

	for (;;) {
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) ||
		    si.si_pid == 0)
			return;
		if (si.si_pid != r->d->pid &&
		    (r->phase != RUNNING || si.si_code != CLD_EXITED ||
		     si.si_status != 0))
			kill(-si.si_pid, SIGKILL);
		if (waitpid(si.si_pid, &status, 0) == si.si_pid)
			child_ended(r, si.si_pid, status);
	}
}

/* ---- signals ---------------------------------------------------------- */

static void asked_to_end(struct run *r, int sig)
{
	r->told = sig;
	if (sig == SIGINT && ++r->interrupts == 1) {
		signal_all(r, SIGINT);
		return;
	}
	if (sig == SIGINT && r->interrupts > 2) {
		enter(r, KILL);
		return;
	}
	signal_all(r, sig);
	signal_all(r, SIGCONT);
	if (r->phase < TERM) {		/* as TERM, but with their signal */
		r->phase = TERM;
		r->phase_ends = snoorun_now_ms() + GRACE_MS;
	}
}

static void take_signal(struct run *r, int sig)
{
	switch (sig) {
	case SIGCHLD:
		reap(r);
		break;
	case SIGINT:
	case SIGTERM:
	case SIGHUP:
	case SIGQUIT:
		asked_to_end(r, sig);
		break;
	case SIGTSTP:
		signal_all(r, SIGSTOP);
		raise(SIGSTOP);
		break;
	default:			/* SIGCONT, SIGUSR1, SIGUSR2 */
		signal_all(r, sig);
		break;
	}
}

static void take_signals(struct run *r)
{
	struct signalfd_siginfo si;

	while (read(r->sigfd, &si, sizeof(si)) == sizeof(si))
		take_signal(r, (int)si.ssi_signo);
}

/* ---- one turn --------------------------------------------------------- */

/* Rank 0 in a VM takes input by messages, as much as it has room for. */
static bool wants_input(const struct run *r)
{
	if (!input_wants(&r->in))
		return false;
	return !r->in.remote || (r->rank[0].remote && r->rank[0].alive &&
				 remote_room(&r->rank[0]) > 0);
}

static void pass_input(struct run *r)
{
	struct input *in = &r->in;
	struct rank *k = &r->rank[0];
	size_t n;

	if (!in->remote || !k->remote || !k->alive)
		return;
	while (in->used && (n = remote_room(k)) > 0) {
		if (n > in->used)
			n = in->used;
		remote_input(k, in->buf + in->start, n);
		input_passed(in, n);
	}
	if (in->from < 0 && in->used == 0 && !r->input_ended) {
		r->input_ended = true;
		remote_input_end(k);
	}
}

static void watch(struct run *r, nfds_t *n, int fd, short events)
{
	r->poll[(*n)++] = (struct pollfd){ .fd = fd, .events = events };
}

/* The order here is the order in which serve() looks. */
static nfds_t watch_all(struct run *r)
{
	nfds_t n = 0;

	watch(r, &n, r->sigfd, POLLIN);
	watch(r, &n, sink_empty(&r->out) ? -1 : r->out.fd, POLLOUT);
	watch(r, &n, sink_empty(&r->err) ? -1 : r->err.fd, POLLOUT);
	watch(r, &n, wants_input(r) ? r->in.from : -1, POLLIN);
	watch(r, &n, input_has(&r->in) ? r->in.to : -1, POLLOUT);
	for (unsigned int i = 0; i < r->o->n; i++) {
		struct rank *k = &r->rank[i];

		watch(r, &n, -1, 0);
		watch(r, &n, -1, 0);
		if (k->ops)
			k->ops->watch(k, &r->poll[n - 2]);
	}
	return n;
}

static int poll_ms(const struct run *r)
{
	int64_t until = r->phase_ends, left;

	if (r->timeout_at && (!until || r->timeout_at < until))
		until = r->timeout_at;
	if (!until)
		return -1;
	left = until - snoorun_now_ms();
	return left < 0 ? 0 : left > 1000000 ? 1000000 : (int)left;
}

static void serve(struct run *r)
{
	const struct pollfd *p = r->poll;

	if (p[1].revents)
		sink_flush(&r->out);
	if (p[2].revents)
		sink_flush(&r->err);
	if (p[3].revents)
		input_read(&r->in);
	if (p[4].revents)
		input_write(&r->in);
	for (unsigned int i = 0; i < r->o->n; i++) {
		struct rank *k = &r->rank[i];

		if (k->ops)
			k->ops->serve(k, &p[5 + 2 * i]);
	}
	pass_input(r);
	/* Last: what a rank wrote before it ended comes before its end. */
	if (p[0].revents)
		take_signals(r);
}

static void turn(struct run *r)
{
	nfds_t n = watch_all(r);

	if (poll(r->poll, n, poll_ms(r)) > 0)
		serve(r);
	check_times(r);
	take_ends(r);
}

/* ---- the run ---------------------------------------------------------- */

static int start_failed(struct run *r, const char *stage, int err)
{
	bool exec = strcmp(stage, "exec") == 0;

	if (exec)
		snoorun_say("cannot run %s: %s", r->o->argv[0],
			    strerror(-err));
	else
		snoorun_say("cannot start a rank: %s: %s", stage,
			    strerror(-err));
	if (!exec)
		return SNOORUN_FAILED;
	return err == -ENOENT ? SNOORUN_NO_FILE : SNOORUN_NO_EXEC;
}

static void start_ranks(struct run *r, struct rank_common *c)
{
	for (unsigned int i = 0; i < r->o->n; i++) {
		const char *stage;
		const char *vm = on_vm(r->o, i);
		int ret = vm ? remote_start(&r->rank[i], i, vm, c, &stage) :
			  rank_start(&r->rank[i], i, c, &stage);

		if (r->rank[i].alive)
			r->alive++;
		if (ret) {
			/* Its exit code is not the news, and waiting for the
			 * others to notice would be for nothing. */
			fail(r, start_failed(r, stage, ret), TERM);
			return;
		}
	}
}

static void drain(struct run *r)
{
	for (unsigned int i = 0; i < r->o->n; i++) {
		if (r->rank[i].ops)
			r->rank[i].ops->close(&r->rank[i]);
		r->rank[i].ops = NULL;
	}
	input_close(&r->in);
	/* A reader that is stopped must not keep us for ever: a signal that
	 * asks us to end ends this as well. */
	r->told = 0;
	while (!(sink_empty(&r->out) && sink_empty(&r->err)) &&
	       r->told != SIGINT && r->told != SIGTERM && r->told != SIGHUP)
		turn(r);
}

int loop_run(const struct snoorun_opts *o, const char *socket,
	     struct private_daemon *d, int sigfd)
{
	struct run r = { .o = o, .d = d, .sigfd = sigfd };
	struct rank_common c = { .opts = o, .socket = socket,
				 .out = &r.out, .err = &r.err };
	int ret = rank_limits(o->n);

	if (ret) {
		snoorun_say("%u ranks need more open files than ulimit -n "
			    "allows", o->n);
		return SNOORUN_FAILED;
	}
	ret = rank_launch(&c);
	r.rank = calloc(o->n, sizeof(*r.rank));
	r.poll = calloc(5 + 2 * (size_t)o->n, sizeof(*r.poll));
	if (!ret && (!r.rank || !r.poll))
		ret = -ENOMEM;
	if (!ret)
		ret = input_open(&r.in, on_vm(o, 0) != NULL);
	if (ret) {
		snoorun_say("cannot start: %s", strerror(-ret));
		free(r.rank);
		free(r.poll);
		return SNOORUN_FAILED;
	}
	for (unsigned int i = 0; i < o->n; i++)
		r.rank[i].out.fd = r.rank[i].err.fd = -1;
	sink_init(&r.out, STDOUT_FILENO);
	sink_init(&r.err, STDERR_FILENO);
	c.stdin_fd = r.in.rank_fd;
	if (o->timeout_ms)
		r.timeout_at = snoorun_now_ms() + o->timeout_ms;

	start_ranks(&r, &c);
	input_started(&r.in);
	while (r.alive)
		turn(&r);
	drain(&r);

	sink_fini(&r.out);
	sink_fini(&r.err);
	free(r.rank);
	free(r.poll);
	return r.code;
}
