/* SPDX-License-Identifier: MIT */
/*
 * run.c - programs in VMs: who may ask, the client's socket, beginning and end
 */
#include "daemon/run.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/admin_verb.h"
#include "daemon/control.h"
#include "daemon/log.h"
#include "daemon/run_impl.h"

#define READS_A_TURN	32	/* messages; then others have their turn */

union message {
	struct snoo_wire_head head;
	struct snoo_wire_run run;
	struct snoo_wire_signal signal;
	struct snoo_wire_data data;
	struct snoo_wire_credit credit;
	unsigned char bytes[SNOO_WIRE_MAX];
};

/* ---- the end ---- */

static void discard(struct run *r)
{
	while (r->queue) {
		struct run_note *n = r->queue;

		r->queue = n->next;
		free(n);
	}
}

static void close_client(struct run *r)
{
	loop_unwatch(r->watch);
	r->watch = NULL;
	discard(r);
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

static void free_run(struct run *r)
{
	struct run **at = &r->dom->runs;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	loop_undefer(&r->work);
	close_client(r);
	free(r->words);
	free(r->input);
	free(r);
}

/* Deferred: it has ended.  Its last message goes first, however long the
 * client takes to read it. */
static void on_work(void *arg)
{
	struct run *r = arg;

	if (r->fd < 0 || !r->queue)
		free_run(r);
}

/* The program is wanted no more. */
static void abandon(struct run *r, const char *why)
{
	struct vm *vm = r->vm;

	close_client(r);
	loop_defer(r->dom->sh->loop, &r->work);
	if (!vm)
		return;
	r->vm = NULL;
	log_info("program is wanted no more domain=%s vm=%s run=%u pid=%d "
		 "uid=%u program=\"%s\" reason=\"%s\"", r->dom->name,
		 vm->led.name, r->sid, (int)r->who.pid, r->who.uid,
		 r->program, why);
	run_link_runs(vm);
}

/* ---- to the client ---- */

/* 0, -EAGAIN: no room now, or -errno: never */
static int send_now(const struct run *r, const void *msg, size_t bytes)
{
	ssize_t n;

	do
		n = send(r->fd, msg, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == EWOULDBLOCK || errno == ENOBUFS ? -EAGAIN : -errno;
}

static void keep(struct run *r, const void *msg, size_t bytes)
{
	struct run_note *n = malloc(sizeof(*n) + bytes);

	if (!n) {
		abandon(r, "out of memory");
		return;
	}
	n->next = NULL;
	n->bytes = bytes;
	memcpy(n->data, msg, bytes);
	if (!r->queue)
		r->queue_tail = &r->queue;
	*r->queue_tail = n;
	r->queue_tail = &n->next;
	loop_watch_events(r->watch, LOOP_READ | LOOP_WRITE);
}

void run_tell(struct run *r, const void *msg, size_t bytes)
{
	int ret;

	if (r->fd < 0)
		return;
	ret = r->queue ? -EAGAIN : send_now(r, msg, bytes);
	if (ret == -EAGAIN)
		keep(r, msg, bytes);
	/* Otherwise it has closed: its end of file says so to the reader. */
}

static void flush(struct run *r)
{
	while (r->queue) {
		struct run_note *n = r->queue;
		int ret = send_now(r, n->data, n->bytes);

		if (ret == -EAGAIN)
			return;
		r->queue = n->next;
		free(n);
	}
	loop_watch_events(r->watch, LOOP_READ);
	if (!r->vm)
		loop_defer(r->dom->sh->loop, &r->work);
}

static void describe(int error, int status, char *buf, size_t len,
		     const char *text)
{
	if (error)
		snprintf(buf, len, "%s", text);
	else if (WIFSIGNALED(status))
		snprintf(buf, len, "signal %d", WTERMSIG(status));
	else
		snprintf(buf, len, "code %d", WEXITSTATUS(status));
}

void run_end(struct run *r, int error, int status, const char *text)
{
	struct snoo_wire_finished m = {
		.head = { SNOO_WIRE_FINISHED, sizeof(m) },
		.error = error,
		.status = status,
	};
	char how[SNOO_WIRE_TEXT];

	if (!r->vm)
		return;
	describe(error, status, how, sizeof(how), text);
	log_info("program ended domain=%s vm=%s run=%u uid=%u program=\"%s\" "
		 "how=\"%s\"", r->dom->name, r->vm->led.name, r->sid,
		 r->who.uid, r->program, how);
	snprintf(m.text, sizeof(m.text), "%s", text);
	r->vm = NULL;
	run_tell(r, &m, sizeof(m));
	loop_defer(r->dom->sh->loop, &r->work);
}

/* ---- from the client ---- */

static void wrong(struct run *r, const char *what)
{
	struct vm *vm = r->vm;

	run_end(r, EPROTO, 0, what);
	if (vm)
		run_link_runs(vm);
}

static void on_input(struct run *r, const union message *m)
{
	const char *bytes = (const char *)m->bytes + sizeof(m->data);
	uint32_t n = m->data.bytes;

	if (r->in_eof) {
		wrong(r, "input after its end");
		return;
	}
	if (n > SNOO_WIRE_CREDIT_MAX - (r->in_got - r->in_done)) {
		wrong(r, "more input than there was credit for");
		return;
	}
	if (n && !r->input)
		r->input = malloc(SNOO_CTL_CREDIT_MAX);
	if (n && !r->input) {
		wrong(r, "the daemon is out of memory");
		return;
	}
	for (uint32_t i = 0; i < n; i++, r->in_got++)
		r->input[r->in_got % SNOO_CTL_CREDIT_MAX] = bytes[i];
	r->in_eof = n == 0;
	run_link_input(r);
}

static void on_data(struct run *r, const union message *m)
{
	if (m->data.stream == SNOO_WIRE_IN) {
		on_input(r, m);
	} else if (m->data.stream <= SNOO_WIRE_ERR && m->data.bytes == 0) {
		r->unread[m->data.stream] = true;
		run_link_unread(r, m->data.stream);
	} else {
		wrong(r, "DATA of a stream that is not the client's");
	}
}

static void on_credit(struct run *r, const struct snoo_wire_credit *m)
{
	if (m->stream != SNOO_WIRE_OUT && m->stream != SNOO_WIRE_ERR) {
		wrong(r, "CREDIT of a stream that is not the program's");
		return;
	}
	if (m->bytes > r->got[m->stream] - r->passed[m->stream]) {
		wrong(r, "CREDIT for more than was sent");
		return;
	}
	r->passed[m->stream] += m->bytes;
	run_link_credit(r, m->stream);
}

static void on_signal(struct run *r, const struct snoo_wire_signal *m)
{
	uint32_t waiting = r->signals - r->signals_done;

	if (m->signal < 1 || m->signal >= NSIG) {
		wrong(r, "a signal that there is not");
		return;
	}
	/* As many as these are merged by any kernel, too.  The last one, for
	 * which there is room beyond, is final. */
	if (waiting >= SNOO_CTL_SIGNALS_MAX &&
	    (m->signal != SIGKILL || waiting >= RUN_SIGNALS))
		return;
	r->signal[r->signals % RUN_SIGNALS] = (uint8_t)m->signal;
	run_link_signal(r, r->signals++);
}

/* Bytes that a message of this type has; 0: none of a client's. */
static size_t want_bytes(const union message *m, size_t have)
{
	switch (m->head.type) {
	case SNOO_WIRE_SIGNAL:
		return sizeof(m->signal);
	case SNOO_WIRE_CREDIT:
		return sizeof(m->credit);
	case SNOO_WIRE_DATA:
		return have < sizeof(m->data) ||
		       m->data.bytes > SNOO_WIRE_DATA_MAX ? 0 :
		       sizeof(m->data) + m->data.bytes;
	default:
		return 0;
	}
}

static void on_message(struct run *r, const union message *m, size_t bytes)
{
	if (bytes < sizeof(m->head) || m->head.length != bytes ||
	    want_bytes(m, bytes) != bytes) {
		wrong(r, "a message that makes no sense");
		return;
	}
	if (m->head.type == SNOO_WIRE_DATA)
		on_data(r, m);
	else if (m->head.type == SNOO_WIRE_CREDIT)
		on_credit(r, &m->credit);
	else
		on_signal(r, &m->signal);
}

/* false: there is nothing more to read */
static bool read_one(struct run *r)
{
	union message m;
	/* No room for control data: fds that come are closed by the kernel. */
	ssize_t n = recv(r->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	/* It closed with messages of ours unread; its own last ones follow. */
	if (n < 0 && errno == ECONNRESET)
		return true;
	if (n <= 0) {
		abandon(r, "the client has ended");
		return false;
	}
	if (r->vm)
		on_message(r, &m, (size_t)n);
	return r->fd >= 0;
}

static void on_ready(void *arg, unsigned int events)
{
	struct run *r = arg;

	if (events & LOOP_WRITE)
		flush(r);
	if (!(events & (LOOP_READ | LOOP_HANGUP)))
		return;
	for (int i = 0; i < READS_A_TURN; i++)
		if (!read_one(r))
			return;
}

/* ---- the beginning ---- */

static int say_why(int error, char *why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int say_why(int error, char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, SNOO_WIRE_TEXT, fmt, ap);
	va_end(ap);
	return error;
}

/* By the socket alone: what the message says of itself is nothing. */
static int check_who(const struct domain *d, int fd, const struct who *who,
		     char *why)
{
	struct admin_who a = { .uid = who->uid };

	a.gids = peer_groups(fd, who->gid, a.gid, ADMIN_GROUPS_MAX);
	if (admin_may(d, &a))
		return 0;
	return say_why(-EPERM, why, "uid %u may not start programs in VMs: "
		       "domains.%s.admins.uids or .gids of the host's "
		       "snoo.json must name it", who->uid, d->name);
}

/* 0 or -EPROTO; @m was copied, @bytes of it. */
static int check_form(const union message *m, size_t bytes,
		      struct run_words *w, char *why)
{
	const struct snoo_wire_run *q = &m->run;
	const char *what;

	if (bytes < sizeof(*q) || q->magic != SNOO_WIRE_MAGIC)
		return say_why(-EPROTO, why, "a RUN that makes no sense");
	if (q->major != SNOO_WIRE_MAJOR)
		return say_why(-EPROTO, why, "snoorun speaks version %u, this "
			       "daemon %u: use one release", q->major,
			       SNOO_WIRE_MAJOR);
	if (q->bytes != bytes - sizeof(*q) ||
	    !memchr(q->vm, '\0', sizeof(q->vm)))
		return say_why(-EPROTO, why, "a RUN that makes no sense");
	*w = (struct run_words){ (const char *)m->bytes + sizeof(*q),
				 q->bytes, q->argc, q->envc };
	what = run_words_wrong(w);
	return what ? say_why(-EPROTO, why, "a RUN that makes no sense: %s",
			      what) : 0;
}

static void list_vms(const struct domain *d, char *buf, size_t len)
{
	size_t at = 0;

	snprintf(buf, len, "none");
	for (uint32_t i = 1; i < d->slots && at < len; i++)
		if (d->vm[i]->control)
			at += (size_t)snprintf(buf + at, len - at, "%s%s",
					       at ? ", " : "",
					       d->vm[i]->led.name);
}

/* The VM, if it can start programs; else NULL, and why not. */
static struct vm *find_vm(struct domain *d, const char *name, int *error,
			  char *why)
{
	struct vm *vm = vm_find(d, name);
	char all[128];

	if (!vm) {
		list_vms(d, all, sizeof(all));
		*error = d->slots > 1 ?
			 say_why(-ENXIO, why, "domain \"%s\" has no VM "
				 "\"%.63s\"; attached: %s", d->name, name,
				 all) :
			 say_why(-ENXIO, why, "domain \"%s\" takes no VMs: "
				 "set domains.%s.ivshmem.slots in the host's "
				 "snoo.json", d->name, d->name);
		return NULL;
	}
	if (!control_live(vm)) {
		*error = say_why(-ENOTCONN, why, "no snoo-daemon serves in VM "
				 "\"%s\" (it is %s): start it there",
				 vm->led.name, vm_state_name(vm));
		return NULL;
	}
	if (!vm->led.runs) {
		*error = say_why(-EOPNOTSUPP, why, "VM \"%s\" lets the host "
				 "start nothing: set guest.run.programs and "
				 "guest.run.user in its snoo.json and restart "
				 "its daemon", vm->led.name);
		return NULL;
	}
	return vm;
}

static uint32_t count(const struct vm *vm)
{
	uint32_t n = 0;

	for (const struct run *r = vm->dom->runs; r; r = r->next)
		n += r->vm == vm;
	return n;
}

/* Not the last daemon's: the runner may still be ending those. */
static uint32_t fresh_sid(const struct domain *d)
{
	static uint32_t last;
	bool taken;

	if (last == 0 && getrandom(&last, sizeof(last), 0) != sizeof(last))
		last = (uint32_t)loop_now_ns();
	do {
		last++;
		taken = last == 0;
		for (const struct run *r = d->runs; r && !taken; r = r->next)
			taken = r->sid == last;
	} while (taken);
	return last;
}

static int begin(struct domain *d, struct vm *vm, int fd,
		 const struct who *who, const struct run_words *w)
{
	struct run *r = calloc(1, sizeof(*r));

	assert(w->bytes > 0);		/* check_form() */
	if (!r)
		return -ENOMEM;
	r->words = malloc(w->bytes);
	if (!r->words ||
	    loop_watch(&r->watch, d->sh->loop, fd, LOOP_READ, on_ready, r)) {
		free(r->words);
		free(r);
		return -ENOMEM;
	}
	memcpy(r->words, w->text, w->bytes);
	r->said = *w;
	r->said.text = r->words;
	r->dom = d;
	r->vm = vm;
	r->fd = fd;
	r->who = *who;
	r->sid = fresh_sid(d);
	r->work.fn = on_work;
	r->work.arg = r;
	snprintf(r->program, sizeof(r->program), "%s", r->words);
	r->next = d->runs;
	d->runs = r;
	log_info("program asked for domain=%s vm=%s run=%u pid=%d uid=%u "
		 "program=\"%s\"", d->name, vm->led.name, r->sid,
		 (int)who->pid, who->uid, r->program);
	run_link_start(r);
	return 0;
}

static void refuse(const struct domain *d, int fd, const struct who *who,
		   int error, const char *why)
{
	struct snoo_wire_finished m = {
		.head = { SNOO_WIRE_FINISHED, sizeof(m) },
		.error = error,
	};

	log_warn("program refused domain=%s pid=%d uid=%u reason=\"%s\"",
		 d->name, (int)who->pid, who->uid, why);
	snprintf(m.text, sizeof(m.text), "%s", why);
	if (send(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("who asked for a program left at once");
	close(fd);
}

void run_open(struct domain *d, int fd, const struct who *who,
	      const void *msg, size_t bytes)
{
	char why[SNOO_WIRE_TEXT] = "";
	struct run_words w = { 0 };
	struct vm *vm = NULL;
	union message m;
	int ret;

	memcpy(&m, msg, bytes);
	ret = check_form(&m, bytes, &w, why);
	if (ret == 0)
		ret = check_who(d, fd, who, why);
	if (ret == 0)
		vm = find_vm(d, m.run.vm, &ret, why);
	if (vm && count(vm) >= SNOO_CTL_RUNS_MAX)
		ret = say_why(-EAGAIN, why, "%u programs run in VM \"%s\" "
			      "already", SNOO_CTL_RUNS_MAX, vm->led.name);
	if (ret == 0) {
		ret = begin(d, vm, fd, who, &w);
		if (ret)
			say_why(ret, why, "the daemon is out of memory");
	}
	if (ret)
		refuse(d, fd, who, -ret, why);
}

void run_start(struct domain *d)
{
	run_link_listen();
	for (uint32_t i = 1; i < d->slots; i++)
		run_link_runs(d->vm[i]);
}

void run_close(struct domain *d, const char *why)
{
	for (struct run *r = d->runs, *next; r; r = next) {
		next = r->next;
		run_end(r, ESHUTDOWN, 0, why);
		free_run(r);
	}
	for (uint32_t i = 1; d->vm && i < d->slots; i++)
		run_link_runs(d->vm[i]);
}
