/* SPDX-License-Identifier: MIT */
/*
 * snoorun_remote.c - one rank in a VM, started through the daemon
 *
 * Output is credited when our own output has room for more, so that what a
 * program writes faster than anybody reads waits at the program.
 */
#include "tools/snoorun_remote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <snoo/wire.h>

#include "tools/where.h"

#define READS_A_TURN	32
#define CREDIT_EACH	(SNOO_WIRE_CREDIT_MAX / 4)

/** struct letter - A message that the socket had no room for */
struct letter {
	struct letter *next;
	size_t bytes;
	unsigned char data[];
};

struct remote {
	int fd;
	struct letter *queue, **queue_tail;
	struct sink *sink[3];		/* by stream; [0] unused */
	bool prefix;
	bool unread[3];			/* the rank was told that */
	uint32_t owed[3];		/* bytes taken, not yet credited */
	uint32_t in_room;		/* bytes of input that it takes */
};

union message {
	struct snoo_wire_head head;
	struct snoo_wire_run run;
	struct snoo_wire_finished finished;
	struct snoo_wire_error error;
	struct snoo_wire_signal signal;
	struct snoo_wire_data data;
	struct snoo_wire_credit credit;
	unsigned char bytes[SNOO_WIRE_MAX];
};

/* ---- to the daemon ---- */

static int send_now(const struct remote *m, const void *msg, size_t bytes)
{
	ssize_t n;

	do
		n = send(m->fd, msg, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == EAGAIN || errno == ENOBUFS ? -EAGAIN : -errno;
}

/* If it has closed, its end of file says so. */
static void tell(struct remote *m, const void *msg, size_t bytes)
{
	struct letter *l;

	if (!m->queue && send_now(m, msg, bytes) != -EAGAIN)
		return;
	l = malloc(sizeof(*l) + bytes);
	if (!l)
		return;
	l->next = NULL;
	l->bytes = bytes;
	memcpy(l->data, msg, bytes);
	if (!m->queue)
		m->queue_tail = &m->queue;
	*m->queue_tail = l;
	m->queue_tail = &l->next;
}

static void flush(struct remote *m)
{
	while (m->queue) {
		struct letter *l = m->queue;

		if (send_now(m, l->data, l->bytes) == -EAGAIN)
			return;
		m->queue = l->next;
		free(l);
	}
}

static void tell_data(struct remote *m, uint32_t stream, const char *bytes,
		      size_t len)
{
	union message u = {
		.data = {
			.head = { SNOO_WIRE_DATA,
				  (uint32_t)(sizeof(u.data) + len) },
			.stream = stream,
			.bytes = (uint32_t)len,
		},
	};

	if (len)
		memcpy(u.bytes + sizeof(u.data), bytes, len);
	tell(m, &u, u.head.length);
}

/* What is owed, if our output has room; what nobody reads is said to be. */
static void settle(struct remote *m, uint32_t stream)
{
	struct snoo_wire_credit u = {
		.head = { SNOO_WIRE_CREDIT, sizeof(u) },
		.stream = stream,
		.bytes = m->owed[stream],
	};
	const struct sink *s = m->sink[stream];

	if (s->dead && !m->unread[stream]) {
		m->unread[stream] = true;
		tell_data(m, stream, NULL, 0);
	}
	if (m->owed[stream] < CREDIT_EACH || sink_full(s))
		return;
	m->owed[stream] = 0;
	tell(m, &u, sizeof(u));
}

/* ---- from it ---- */

static void hang_up(struct rank *r)
{
	struct remote *m = r->remote;

	while (m->queue) {
		struct letter *l = m->queue;

		m->queue = l->next;
		free(l);
	}
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

static void end(struct rank *r, int error, int status, const char *text)
{
	hang_up(r);
	r->ended = true;
	r->error = error;
	r->status = status;
	snprintf(r->text, sizeof(r->text), "%s", text);
}

static void on_data(struct rank *r, const union message *u)
{
	struct remote *m = r->remote;
	uint32_t stream = u->data.stream, n = u->data.bytes;
	const char *bytes = (const char *)u->bytes + sizeof(u->data);
	struct source *source = stream == SNOO_WIRE_OUT ? &r->out : &r->err;

	if (m->prefix)
		source_feed(source, bytes, n);
	else
		sink_put(m->sink[stream], bytes, n);
	m->owed[stream] += n;
}

static bool data_ok(const union message *u, size_t bytes)
{
	return bytes >= sizeof(u->data) &&
	       u->data.bytes == bytes - sizeof(u->data) &&
	       (u->data.stream == SNOO_WIRE_OUT ||
		u->data.stream == SNOO_WIRE_ERR);
}

static void on_message(struct rank *r, union message *u, size_t bytes)
{
	struct remote *m = r->remote;

	if (bytes < sizeof(u->head) || u->head.length != bytes) {
		end(r, EPROTO, 0, "the daemon says something that makes no "
		    "sense");
	} else if (u->head.type == SNOO_WIRE_STARTED) {
		r->started = true;
	} else if (u->head.type == SNOO_WIRE_DATA && data_ok(u, bytes)) {
		on_data(r, u);
	} else if (u->head.type == SNOO_WIRE_CREDIT &&
		   bytes == sizeof(u->credit)) {
		m->in_room += u->credit.bytes;
	} else if (u->head.type == SNOO_WIRE_FINISHED &&
		   bytes == sizeof(u->finished)) {
		u->finished.text[sizeof(u->finished.text) - 1] = '\0';
		end(r, u->finished.error, u->finished.status,
		    u->finished.text);
	} else if (u->head.type == SNOO_WIRE_ERROR &&
		   bytes == sizeof(u->error)) {
		u->error.text[sizeof(u->error.text) - 1] = '\0';
		end(r, u->error.error ? u->error.error : EPROTO, 0,
		    u->error.text);
	} else {
		end(r, EPROTO, 0, "the daemon is of another release: it says "
		    "something that snoorun does not know");
	}
}

static void read_some(struct rank *r, int most)
{
	struct remote *m = r->remote;
	union message u;

	while (most-- > 0 && m->fd >= 0) {
		ssize_t n = recv(m->fd, &u, sizeof(u), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		/* It closed with messages of ours unread; its own follow. */
		if (n < 0 && errno == ECONNRESET)
			continue;
		if (n <= 0) {
			end(r, ECONNRESET, 0, "the daemon has ended or was "
			    "restarted; the program gets SIGTERM");
			return;
		}
		on_message(r, &u, (size_t)n);
	}
}

/* ---- as a rank ---- */

static void ops_watch(struct rank *r, struct pollfd p[2])
{
	struct remote *m = r->remote;

	if (m->fd >= 0) {
		settle(m, SNOO_WIRE_OUT);
		settle(m, SNOO_WIRE_ERR);
	}
	p[0].fd = m->fd;
	p[0].events = (short)(POLLIN | (m->queue ? POLLOUT : 0));
	p[1].fd = -1;
}

static void ops_serve(struct rank *r, const struct pollfd p[2])
{
	if (p[0].revents & POLLOUT)
		flush(r->remote);
	if (p[0].revents & ~POLLOUT)
		read_some(r, READS_A_TURN);
}

static void ops_signal(const struct rank *r, int sig)
{
	struct snoo_wire_signal u = {
		.head = { SNOO_WIRE_SIGNAL, sizeof(u) },
		.signal = (uint32_t)sig,
	};

	if (r->remote->fd >= 0)
		tell(r->remote, &u, sizeof(u));
}

static void ops_drain(struct rank *r)
{
	(void)r;			/* its end comes last anyway */
}

static void ops_give_up(struct rank *r)
{
	if (r->alive && !r->ended)
		end(r, ETIMEDOUT, 0, "its VM does not answer");
}

static void ops_close(struct rank *r)
{
	hang_up(r);
	if (r->out.line)
		source_finish(&r->out);
	if (r->err.line)
		source_finish(&r->err);
	free(r->remote);
	r->remote = NULL;
}

static const struct rank_ops ops = {
	.watch = ops_watch, .serve = ops_serve, .signal = ops_signal,
	.drain = ops_drain, .give_up = ops_give_up, .close = ops_close,
};

size_t remote_room(const struct rank *r)
{
	const struct remote *m = r->remote;

	if (m->fd < 0)
		return 0;
	return m->in_room < SNOO_WIRE_DATA_MAX ? m->in_room :
	       SNOO_WIRE_DATA_MAX;
}

void remote_input(struct rank *r, const char *bytes, size_t len)
{
	r->remote->in_room -= (uint32_t)len;
	tell_data(r->remote, SNOO_WIRE_IN, bytes, len);
}

void remote_input_end(struct rank *r)
{
	if (r->remote->fd >= 0)
		tell_data(r->remote, SNOO_WIRE_IN, NULL, 0);
}

/* ---- the start ---- */

static bool add(union message *u, uint32_t *count, const char *text)
{
	size_t n = strlen(text) + 1;

	if (*count == SNOO_WIRE_WORDS || n > SNOO_WIRE_WORDS_MAX - u->run.bytes)
		return false;
	memcpy(u->bytes + sizeof(u->run) + u->run.bytes, text, n);
	u->run.bytes += (uint32_t)n;
	(*count)++;
	return true;
}

static bool add_var(union message *u, const char *name, const char *value)
{
	char text[SNOO_WIRE_WORDS_MAX];

	if (!value)
		return true;
	if (snprintf(text, sizeof(text), "%s=%s", name, value) >=
	    (int)sizeof(text))
		return false;
	return add(u, &u->run.envc, text);
}

/* What a local rank has in its environment for SNOO, and what -x names. */
static bool add_env(union message *u, unsigned int i,
		    const struct rank_common *c)
{
	const struct snoorun_opts *o = c->opts;
	char number[16];
	bool fits;

	snprintf(number, sizeof(number), "%u", i);
	fits = add_var(u, "SNOO_RANK", number);
	snprintf(number, sizeof(number), "%u", o->n);
	fits = fits && add_var(u, "SNOO_SIZE", number) &&
	       add_var(u, "SNOO_LAUNCH", c->launch) &&
	       add_var(u, "SNOO_JOB", o->job) &&
	       add_var(u, "SNOO_TIMEOUT_MS", getenv("SNOO_TIMEOUT_MS"));
	for (unsigned int k = 0; fits && k < o->nenv; k++)
		fits = add_var(u, o->env[k], getenv(o->env[k]));
	return fits;
}

static int make_run(union message *u, unsigned int i, const char *vm,
		    const struct rank_common *c)
{
	bool fits = true;

	memset(u, 0, sizeof(*u));
	u->run.magic = SNOO_WIRE_MAGIC;
	u->run.major = SNOO_WIRE_MAJOR;
	u->run.minor = SNOO_WIRE_MINOR;
	snprintf(u->run.vm, sizeof(u->run.vm), "%s", vm);
	for (char **arg = c->opts->argv; *arg && fits; arg++)
		fits = add(u, &u->run.argc, *arg);
	if (!fits || !add_env(u, i, c))
		return -E2BIG;
	u->run.head.type = SNOO_WIRE_RUN;
	u->run.head.length = (uint32_t)sizeof(u->run) + u->run.bytes;
	return 0;
}

static int open_sources(struct rank *r, unsigned int i,
			const struct rank_common *c)
{
	int ret;

	r->remote->prefix = c->opts->prefix;
	if (!c->opts->prefix)
		return 0;
	ret = source_init(&r->out, -1, c->out, i);
	return ret ? ret : source_init(&r->err, -1, c->err, i);
}

int remote_start(struct rank *r, unsigned int i, const char *vm,
		 const struct rank_common *c, const char **stage)
{
	union message u;
	int ret;

	*stage = "memory";
	r->remote = calloc(1, sizeof(*r->remote));
	if (!r->remote)
		return -ENOMEM;
	r->ops = &ops;
	r->vm = vm;
	r->remote->fd = -1;
	r->remote->sink[SNOO_WIRE_OUT] = c->out;
	r->remote->sink[SNOO_WIRE_ERR] = c->err;
	r->remote->in_room = SNOO_WIRE_CREDIT_MAX;
	ret = open_sources(r, i, c);
	if (ret)
		return ret;
	*stage = "its arguments and variables are more than 64, or more than "
		 "3984 bytes";
	ret = make_run(&u, i, vm, c);
	if (ret)
		return ret;
	*stage = c->socket;
	r->remote->fd = where_connect(c->socket, SOCK_SEQPACKET);
	if (r->remote->fd < 0)
		return r->remote->fd;
	r->alive = true;
	tell(r->remote, &u, u.head.length);
	return 0;
}
