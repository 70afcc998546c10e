/* SPDX-License-Identifier: MIT */
/*
 * admin.c - the admin socket: one JSON object a line, limits
 *
 * A client's lines are carried out one after the other; as long as an answer
 * is not read, its next line waits.  So a client costs the daemon one line
 * and one answer, whatever it does.
 */
#include "daemon/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/admin_verb.h"
#include "daemon/log.h"
#include "daemon/peer.h"

struct client {
	struct admin *admin;
	struct client *next;
	int fd;
	struct loop_watch *watch;
	struct admin_who who;
	char *in;			/* line_max + 2 bytes */
	size_t line_max;
	size_t in_used;
	char *out;			/* what is left of the last answer */
	size_t out_at, out_len;
	uint64_t moved_ns;		/* when a byte last went in or out */
	bool eof;			/* it will say no more */
	bool ending;			/* close once `out` is read */
};

struct admin {
	struct shared *sh;
	struct listener listener;
	struct client *clients;
	unsigned int nclients;
};

static void close_client(struct client *c)
{
	struct admin *a = c->admin;

	for (struct client **p = &a->clients; *p; p = &(*p)->next) {
		if (*p == c) {
			*p = c->next;
			break;
		}
	}
	a->nclients--;
	loop_unwatch(c->watch);
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

/* 1: all is sent, 0: it must read first, -errno: it is gone */
static int flush(struct client *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at,
				 c->out_len - c->out_at,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		c->out_at += (size_t)n;
		c->moved_ns = loop_now_ns();
	}
	free(c->out);
	c->out = NULL;
	c->out_at = c->out_len = 0;
	return 1;
}

static void answer(struct client *c, char *text, size_t len)
{
	c->out = text;
	c->out_at = 0;
	c->out_len = text ? len : 0;
	if (!text)
		c->ending = true;	/* no memory to say so */
}

static void take_line(struct client *c, size_t len, size_t with_newline)
{
	size_t out_len = 0;
	char *out = NULL;

	/* An empty line is not worth an answer. */
	if (strspn(c->in, " \t\r") < len) {
		out = admin_answer(c->admin->sh, &c->who, c->in, len,
				   &out_len);
		answer(c, out, out_len);
	}
	c->in_used -= with_newline;
	memmove(c->in, c->in + with_newline, c->in_used);
}

/* Is there a line?  Carry it out.  false: nothing to do now. */
static bool next_line(struct client *c)
{
	char *end = memchr(c->in, '\n', c->in_used);
	size_t out_len = 0;
	char text[96], *out;

	if (end) {
		*end = '\0';
		take_line(c, (size_t)(end - c->in),
			  (size_t)(end - c->in) + 1);
		return true;
	}
	if (c->in_used > c->line_max) {
		snprintf(text, sizeof(text), "a line is longer than %zu bytes "
			 "(limits.admin_line_bytes)", c->line_max);
		out = admin_refusal("too_long", text, &out_len);
		answer(c, out, out_len);
		c->in_used = 0;
		c->ending = true;
		return true;
	}
	if (c->eof && c->in_used) {
		c->in[c->in_used] = '\0';
		take_line(c, c->in_used, c->in_used);
		return true;
	}
	return false;
}

/* Send, carry out, send ... as far as it goes; may close @c. */
static void go_on(struct client *c)
{
	int sent = flush(c);

	while (sent > 0 && !c->ending && next_line(c))
		sent = flush(c);
	if (sent < 0 || (sent > 0 && (c->ending || c->eof))) {
		close_client(c);
		return;
	}
	loop_watch_events(c->watch, sent > 0 ? LOOP_READ : LOOP_WRITE);
}

static void on_client(void *arg, unsigned int events)
{
	struct client *c = arg;
	ssize_t n;

	if (!(events & LOOP_WRITE)) {
		/* One byte beyond the limit tells that it is too long. */
		n = recv(c->fd, c->in + c->in_used,
			 c->line_max + 1 - c->in_used, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			close_client(c);
			return;
		}
		c->eof = n == 0;
		c->in_used += (size_t)n;
		c->moved_ns = loop_now_ns();
	}
	go_on(c);
}

/*
 * All places are taken: the client that has been still the longest gives its
 * own up, if that is longer than a handshake may take.  So silent ones keep
 * nobody out for good, and one that asks now and then stays while there is
 * room.
 */
static bool make_room(struct admin *a)
{
	uint64_t patience = (uint64_t)a->sh->conf->limits.handshake_ms *
			    UINT64_C(1000000);
	struct client *still = a->clients;

	for (struct client *c = a->clients; c; c = c->next)
		if (c->moved_ns < still->moved_ns)
			still = c;
	if (!still || loop_now_ns() - still->moved_ns < patience)
		return false;
	close_client(still);
	return true;
}

static int turn_away(int fd, const char *text)
{
	size_t len;
	char *out = admin_refusal("busy", text, &len);

	if (out && send(fd, out, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("an admin client left at once");
	free(out);
	close(fd);
	return -EBUSY;
}

static int on_connect(void *arg, int fd)
{
	struct admin *a = arg;
	unsigned int most = a->sh->conf->limits.admin_clients;
	struct client *c;
	struct who who;
	char text[96];

	if (a->nclients >= most && !make_room(a)) {
		snprintf(text, sizeof(text), "%u clients are connected "
			 "already (limits.admin_clients)", most);
		return turn_away(fd, text);
	}
	c = calloc(1, sizeof(*c));
	if (!c || peer_credentials(fd, &who)) {
		free(c);
		close(fd);
		return -ENOMEM;
	}
	c->admin = a;
	c->fd = fd;
	c->who.uid = who.uid;
	c->moved_ns = loop_now_ns();
	c->who.gids = peer_groups(fd, who.gid, c->who.gid, ADMIN_GROUPS_MAX);
	/* A reload changes the limit for those who come after it. */
	c->line_max = a->sh->conf->limits.admin_line_bytes;
	c->in = malloc(c->line_max + 2);
	if (!c->in || loop_watch(&c->watch, a->sh->loop, fd, LOOP_READ,
				 on_client, c)) {
		free(c->in);
		free(c);
		close(fd);
		return -ENOMEM;
	}
	c->next = a->clients;
	a->clients = c;
	a->nclients++;
	return 0;
}

int admin_open(struct admin **out, struct shared *sh, char why[LISTEN_TEXT])
{
	struct admin *a = calloc(1, sizeof(*a));
	int ret;

	*out = NULL;
	if (!a) {
		snprintf(why, LISTEN_TEXT, "out of memory");
		return -ENOMEM;
	}
	a->sh = sh;
	ret = listen_open(&a->listener, SOCK_STREAM, &sh->conf->admin_socket,
			  why);
	if (ret == 0) {
		ret = listen_start(&a->listener, sh->loop, on_connect, a);
		if (ret)
			snprintf(why, LISTEN_TEXT, "admin socket: %s",
				 strerror(-ret));
	}
	if (ret) {
		admin_close(a);
		return ret;
	}
	*out = a;
	return 0;
}

void admin_close(struct admin *a)
{
	if (!a)
		return;
	for (struct client *c = a->clients, *next; c; c = next) {
		next = c->next;
		close_client(c);
	}
	listen_close(&a->listener, LISTEN_UNLINK);
	free(a);
}
