/* SPDX-License-Identifier: MIT */
/*
 * guest_runner.c - the process in a VM that starts programs for the host
 *
 * Theory of operation
 * ===================
 *
 * One loop over the daemon's socket, a signalfd and the pipes of the programs.
 * At most one message waits for room in the socket (`late`); while it does,
 * nothing is read that would have to be answered: not the socket, no output.
 * What else is to be said (STARTED, CREDIT, FINISHED) are flags and counters
 * of the run, looked at in each turn.
 *
 * Output is read as far as the host has given credit, so that a program whose
 * output nobody takes waits in write(2), as with a pipe.
 */
#include "daemon/guest_runner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/guest_program.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/run_words.h"

#define READS_A_TURN	64		/* messages; then programs have theirs */

struct runner {
	int socket;			/* -1: its other end is gone */
	int signals;
	struct guest_runner_params *params;
	struct program *programs;
	unsigned int n;
	bool stopping;
	unsigned char late[SNOO_CTL_FRAME_MAX];
	size_t late_bytes;		/* 0: none waits */
	struct pollfd *poll;		/* 2 + 3 * n of them */
	unsigned int poll_room;
};

union frame {
	struct snoo_ctl_frame head;
	struct snoo_ctl_run run;
	struct snoo_ctl_signal signal;
	struct snoo_ctl_data data;
	struct snoo_ctl_credit credit;
	struct snoo_ctl_runs runs;
	struct guest_runner_adopt adopt;
	unsigned char bytes[SNOO_CTL_FRAME_MAX];
};

/* ---- to the daemon ---- */

static bool can_say(const struct runner *r)
{
	return r->socket >= 0 && r->late_bytes == 0;
}

/* It is gone, and so is whoever kept its end. */
static void lose_daemon(struct runner *r)
{
	if (r->socket >= 0)
		close(r->socket);
	r->socket = -1;
	r->late_bytes = 0;
	r->stopping = true;
}

static bool send_now(struct runner *r, const void *msg, size_t bytes)
{
	ssize_t n;

	do
		n = send(r->socket, msg, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return true;
	if (errno == EAGAIN || errno == ENOBUFS)
		return false;
	lose_daemon(r);
	return true;
}

/* Only when can_say(). */
static void say(struct runner *r, const void *msg, size_t bytes)
{
	if (send_now(r, msg, bytes))
		return;
	memcpy(r->late, msg, bytes);
	r->late_bytes = bytes;
}

static void say_late(struct runner *r)
{
	if (r->late_bytes && send_now(r, r->late, r->late_bytes))
		r->late_bytes = 0;
}

static struct snoo_ctl_frame head(uint32_t type, uint32_t sid, size_t bytes)
{
	return (struct snoo_ctl_frame){ (uint32_t)bytes, type, sid,
					SNOO_CTL_NO_SLOT };
}

static void say_end(struct runner *r, uint32_t sid, int error, int status,
		    const char *text)
{
	struct snoo_ctl_run_end m = {
		.frame = head(SNOO_CTL_FINISHED, sid, sizeof(m)),
		.error = error,
		.status = status,
	};

	snprintf(m.text, sizeof(m.text), "%s", text);
	say(r, &m, sizeof(m));
}

static void say_credit(struct runner *r, const struct program *p,
		       uint32_t stream, uint32_t total)
{
	struct snoo_ctl_credit m = {
		.frame = head(SNOO_CTL_CREDIT, p->sid, sizeof(m)),
		.stream = stream,
		.total = total,
	};

	say(r, &m, sizeof(m));
}

/* ---- programs ---- */

static struct program *find(const struct runner *r, uint32_t sid)
{
	struct program *p = r->programs;

	while (p && p->sid != sid)
		p = p->next;
	return p;
}

static void forget(struct runner *r, struct program *p)
{
	struct program **at = &r->programs;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	r->n--;
	guest_program_free(p);
}

static void stop_all(struct runner *r)
{
	r->stopping = true;
	for (struct program *p = r->programs; p; p = p->next)
		guest_program_orphan(p);
}

/*
 * Look before reaping: until then the number of its group is surely its own,
 * so that what it has started ends with it.
 */
static void reap(struct runner *r)
{
	struct program *p;
	siginfo_t si;
	int status;

	for (;;) {
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) ||
		    si.si_pid == 0)
			return;
		for (p = r->programs; p && p->pid != si.si_pid; p = p->next)
			;
		if (p)
			guest_program_signal(p, SIGKILL);
		if (waitpid(si.si_pid, &status, 0) == si.si_pid && p)
			guest_program_ended(p, status);
	}
}

/* ---- RUN ---- */

static int add(struct runner *r, uint32_t sid, uint32_t uid,
	       const struct run_words *w, char *why)
{
	const struct guest_rules *rules = &r->params->rules;
	struct program *p;
	int ret;

	if (r->stopping) {
		snprintf(why, GUEST_EXEC_TEXT, "the runner of this VM ends");
		return -ESHUTDOWN;
	}
	if (r->n >= rules->processes) {
		snprintf(why, GUEST_EXEC_TEXT, "%u programs run in this VM "
			 "already (guest.run.limits.processes)", r->n);
		return -EAGAIN;
	}
	ret = guest_program_start(&p, sid, uid, rules, w, why);
	if (ret)
		return ret;
	p->next = r->programs;
	r->programs = p;
	r->n++;
	log_always(LOG_LEVEL_INFO, "program started run=%u uid=%u pid=%d "
		   "as=%u program=\"%s\"", sid, uid, (int)p->pid, p->as,
		   w->text);
	return 0;
}

static void on_run(struct runner *r, const union frame *f)
{
	const struct snoo_ctl_run *m = &f->run;
	struct run_words w = {
		.text = (const char *)f->bytes + sizeof(*m),
		.bytes = m->bytes, .argc = m->argc, .envc = m->envc,
	};
	struct program *known = find(r, m->frame.sid);
	char why[GUEST_EXEC_TEXT] = "";
	const char *wrong;
	int ret = 0;

	if (known) {
		known->started_due = true;
		return;
	}
	wrong = run_words_wrong(&w);
	if (wrong) {
		snprintf(why, sizeof(why), "the request makes no sense: %s",
			 wrong);
		ret = -EINVAL;
	} else {
		ret = add(r, m->frame.sid, m->uid, &w, why);
	}
	if (ret == 0)
		return;
	log_always(LOG_LEVEL_WARNING, "program refused run=%u uid=%u "
		   "program=\"%s\" reason=\"%s\"", m->frame.sid, m->uid,
		   wrong ? "?" : w.text, why);
	say_end(r, m->frame.sid, -ret, 0, why);
}

static bool listed(const uint32_t *sid, uint32_t count, uint32_t one)
{
	for (uint32_t i = 0; i < count; i++)
		if (sid[i] == one)
			return true;
	return false;
}

/* All others end.  Those of the list that we do not know are answered when
 * the host asks for them: it says CREDIT of each. */
static void on_runs(struct runner *r, const union frame *f)
{
	uint32_t sid[SNOO_CTL_RUNS_MAX];

	memcpy(sid, f->bytes + sizeof(f->runs),
	       f->runs.count * sizeof(uint32_t));
	for (struct program *p = r->programs; p; p = p->next)
		if (!listed(sid, f->runs.count, p->sid))
			guest_program_orphan(p);
}

static void on_adopt(struct runner *r, const struct guest_runner_adopt *m)
{
	struct guest_rules fresh;
	char why[GUEST_RULES_TEXT];
	struct conf *conf;
	char *errors;
	int ret;

	if (m->version != GUEST_RUNNER_VERSION) {
		log_warn("the daemon is of another version than its runner: "
			 "programs end, and the next start of the daemon "
			 "makes a new one");
		stop_all(r);
		return;
	}
	ret = conf_load(&conf, r->params->config, r->params->ov, &errors);
	if (ret) {
		log_warn("runner: configuration is wrong, the old rules stay "
			 "in force: %s", errors ? errors : strerror(-ret));
		free(errors);
		return;
	}
	ret = guest_rules_make(&fresh, conf, why);
	conf_close(conf);
	if (ret) {
		log_warn("runner: the old rules stay in force: %s", why);
		return;
	}
	guest_rules_fini(&r->params->rules);
	r->params->rules = fresh;
}

/* ---- frames ---- */

/* Bytes that a frame of this type has; 0: none of ours. */
static size_t want_bytes(const union frame *f, size_t have)
{
	switch (f->head.type) {
	case SNOO_CTL_RUN:
		return have < sizeof(f->run) ||
		       f->run.bytes > SNOO_CTL_WORDS_MAX ? 0 :
		       sizeof(f->run) + f->run.bytes;
	case SNOO_CTL_SIGNAL:
		return sizeof(f->signal);
	case SNOO_CTL_DATA:
		return have < sizeof(f->data) ||
		       f->data.stream > SNOO_CTL_ERR ||
		       f->data.bytes > SNOO_CTL_DATA_MAX ? 0 :
		       sizeof(f->data) + f->data.bytes;
	case SNOO_CTL_CREDIT:
		return sizeof(f->credit);
	case SNOO_CTL_RUNS:
		return have < sizeof(f->runs) ||
		       f->runs.count > SNOO_CTL_RUNS_MAX ? 0 :
		       sizeof(f->runs) + f->runs.count * sizeof(uint32_t);
	case GUEST_RUNNER_ADOPT:
		return sizeof(f->adopt);
	default:
		return 0;
	}
}

static void of_program(struct runner *r, const union frame *f)
{
	struct program *p = find(r, f->head.sid);

	if (!p) {
		say_end(r, f->head.sid, ESRCH, 0, "this VM no longer has that "
			"program: its runner was restarted");
		return;
	}
	if (f->head.type == SNOO_CTL_DATA)
		guest_program_on_data(p, &f->data, f->bytes + sizeof(f->data));
	else if (f->head.type == SNOO_CTL_CREDIT)
		guest_program_on_credit(p, &f->credit);
	else
		guest_program_on_signal(p, &f->signal);
}

static void on_frame(struct runner *r, const union frame *f, size_t bytes)
{
	if (bytes < sizeof(f->head) || f->head.length != bytes ||
	    want_bytes(f, bytes) != bytes) {
		log_warn("runner: a message that makes no sense bytes=%zu",
			 bytes);
		return;
	}
	switch (f->head.type) {
	case SNOO_CTL_RUN:
		on_run(r, f);
		break;
	case SNOO_CTL_RUNS:
		on_runs(r, f);
		break;
	case GUEST_RUNNER_ADOPT:
		on_adopt(r, &f->adopt);
		break;
	default:
		of_program(r, f);
	}
}

static void read_socket(struct runner *r)
{
	union frame f;

	for (int i = 0; i < READS_A_TURN && can_say(r); i++) {
		ssize_t n = recv(r->socket, &f, sizeof(f),
				 MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			lose_daemon(r);
			return;
		}
		on_frame(r, &f, (size_t)n);
	}
}

/* ---- to the host ---- */

/* Pass output on; true: there may be more at once. */
static bool pass_on(struct runner *r, struct program *p, unsigned int i)
{
	union frame f;
	uint32_t n, offset = p->out[i].sent;

	if (!p->orphan && !can_say(r))
		return false;
	n = guest_program_read(p, i, f.bytes + sizeof(f.data));
	if (n == 0 || p->orphan)
		return n > 0;
	f.data.frame = head(SNOO_CTL_DATA, p->sid, sizeof(f.data) + n);
	f.data.stream = SNOO_CTL_OUT + i;
	f.data.bytes = n;
	f.data.offset = offset;
	f.data.reserved = 0;
	say(r, &f, f.data.frame.length);
	return true;
}

static void tell(struct runner *r, struct program *p)
{
	struct snoo_ctl_run_pid m = {
		.frame = head(SNOO_CTL_STARTED, p->sid, sizeof(m)),
		.pid = (uint32_t)p->told_pid,
		.uid = p->as,
	};
	uint32_t taken = p->in_done - p->in_told;

	if (p->started_due && can_say(r)) {
		say(r, &m, sizeof(m));
		p->started_due = false;
	}
	if (taken && (taken >= SNOO_CTL_CREDIT_MAX / 4 ||
		      p->in_done == p->in_got) && can_say(r)) {
		say_credit(r, p, SNOO_CTL_IN, p->in_done);
		p->in_told = p->in_done;
	}
	if (p->signals_due && can_say(r)) {
		say_credit(r, p, SNOO_CTL_SIGNALS, p->signals);
		p->signals_due = false;
	}
}

/* It has ended: its last output, then its end, then it is forgotten. */
static void finish(struct runner *r, struct program *p)
{
	for (unsigned int i = 0; i < 2; i++)
		while (pass_on(r, p, i))
			;
	if (p->out[0].fd >= 0 || p->out[1].fd >= 0)
		return;			/* when there is room again */
	if (r->socket >= 0) {
		if (!can_say(r) || p->started_due)
			return;
		say_end(r, p->sid, 0, p->status, "");
	}
	forget(r, p);
}

static void serve_program(struct runner *r, struct program *p)
{
	if (p->kill_ns && loop_now_ns() >= p->kill_ns) {
		guest_program_signal(p, SIGKILL);
		p->kill_ns = 0;
	}
	guest_program_write(p);
	tell(r, p);
	if (p->pid == 0) {
		finish(r, p);
		return;
	}
	pass_on(r, p, 0);
	pass_on(r, p, 1);
}

/* ---- the loop ---- */

static int make_poll(struct runner *r)
{
	struct pollfd *list;
	unsigned int room = 2 + 3 * (r->n + 16);

	if (2 + 3 * r->n <= r->poll_room)
		return 0;
	list = realloc(r->poll, room * sizeof(*list));
	if (!list)
		return -ENOMEM;
	r->poll = list;
	r->poll_room = room;
	return 0;
}

static nfds_t fill_poll(struct runner *r)
{
	struct pollfd *q = r->poll;

	*q++ = (struct pollfd){ .fd = r->signals, .events = POLLIN };
	*q++ = (struct pollfd){ .fd = r->socket, .events =
				r->late_bytes ? POLLOUT : POLLIN };
	for (struct program *p = r->programs; p; p = p->next) {
		*q++ = (struct pollfd){ .fd = p->in_done == p->in_got ?
					-1 : p->in, .events = POLLOUT };
		for (unsigned int i = 0; i < 2; i++) {
			bool now = p->pid && guest_program_room(p, i) &&
				   (p->orphan || can_say(r));

			*q++ = (struct pollfd){ .events = POLLIN, .fd = now ?
						p->out[i].fd : -1 };
		}
	}
	return (nfds_t)(q - r->poll);
}

static int wait_ms(const struct runner *r)
{
	uint64_t now = loop_now_ns(), first = 0;

	for (const struct program *p = r->programs; p; p = p->next)
		if (p->kill_ns && (!first || p->kill_ns < first))
			first = p->kill_ns;
	if (!first)
		return -1;
	return first <= now ? 0 : (int)((first - now) / 1000000 + 1);
}

static void read_signals(struct runner *r)
{
	struct signalfd_siginfo si;

	while (read(r->signals, &si, sizeof(si)) == sizeof(si))
		if (si.ssi_signo == SIGTERM)
			stop_all(r);
	reap(r);
}

static void turn(struct runner *r)
{
	struct program *next;

	if (make_poll(r)) {
		log_err("runner: out of memory");
		stop_all(r);
		lose_daemon(r);
	}
	if (r->poll)
		poll(r->poll, fill_poll(r), wait_ms(r));
	say_late(r);
	if (can_say(r))
		read_socket(r);
	read_signals(r);
	for (struct program *p = r->programs; p; p = next) {
		next = p->next;
		serve_program(r, p);
	}
	if (r->socket < 0)
		stop_all(r);
}

static int open_signals(struct runner *r)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_SETMASK, &set, NULL))
		return -errno;
	r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signals < 0 ? -errno : 0;
}

int guest_runner_main(struct guest_runner_params *p)
{
	struct runner r = { .socket = p->socket, .params = p };
	int ret = open_signals(&r);

	if (ret) {
		log_err("runner: signals: %s", strerror(-ret));
		return 1;
	}
	prctl(PR_SET_NAME, "snoo-runner");
	while (!(r.stopping && r.n == 0))
		turn(&r);
	lose_daemon(&r);
	close(r.signals);
	free(r.poll);
	guest_rules_fini(&p->rules);
	return 0;
}
