/* SPDX-License-Identifier: MIT */
/*
 * snooctl_link.c - one question to the daemon's admin socket, one answer
 *
 * One JSON object a line in either direction.  An answer carries the
 * question's id; a line with another id is an answer that came too late.
 */
#include "tools/snooctl_link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tools/where.h"

/* An answer beyond this is no answer. */
#define ANSWER_MAX	(64u << 20)

struct link {
	int fd;
	int timeout_ms;
	json_int_t id;
	char path[512];
	char *buf;		/* received, not yet used */
	size_t used, room;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- finding and connecting ------------------------------------------- */

static int cannot(const char *path, int err)
{
	const char *hint = "";

	if (err == -ENOENT || err == -ECONNREFUSED)
		hint = "\n  no daemon listens there: start one (systemctl "
		       "start snoo-daemon), or say\n  where it is (--socket, "
		       "--runtime-dir or $SNOO_ADMIN)";
	else if (err == -EACCES || err == -EPERM)
		hint = "\n  the socket is not for this user: run as the "
		       "daemon's user or root, or\n  have admin_socket.group "
		       "and .mode let you in";
	else if (err == -ENAMETOOLONG)
		hint = "\n  a socket's path has at most 107 bytes";
	fprintf(stderr, "snooctl: cannot reach the daemon at %s: %s%s\n",
		path, strerror(-err), hint);
	return err;
}

static int try_path(struct link *l, const char *path)
{
	snprintf(l->path, sizeof(l->path), "%s", path);
	l->fd = where_connect(l->path, SOCK_STREAM);
	return l->fd < 0 ? l->fd : 0;
}

/* The first that answers.  Else the error of the first that is there at all:
 * a socket that refuses us says more than three that do not exist. */
static int search(struct link *l)
{
	char path[512], there[512] = "";
	int ret = -ENOENT, first = 0;

	for (unsigned int i = 0; where_socket("admin.sock", i, path,
					      sizeof(path)); i++) {
		if (!*path)
			continue;
		ret = try_path(l, path);
		if (ret == 0)
			return 0;
		if (ret != -ENOENT && !first) {
			first = ret;
			snprintf(there, sizeof(there), "%s", path);
		}
	}
	if (!first)
		first = -ENOENT;
	else
		snprintf(l->path, sizeof(l->path), "%s", there);
	return first;
}

int link_open(struct link **out, const char *path, const char *dir,
	      int timeout_ms)
{
	const char *env = getenv("SNOO_ADMIN");
	struct link *l = calloc(1, sizeof(*l));
	char in_dir[512];
	int ret;

	*out = NULL;
	if (!l) {
		fprintf(stderr, "snooctl: out of memory\n");
		return -ENOMEM;
	}
	l->timeout_ms = timeout_ms;
	if (dir) {
		snprintf(in_dir, sizeof(in_dir), "%s/admin.sock", dir);
		path = in_dir;
	}
	if (!path && env && *env)
		path = env;
	ret = path ? try_path(l, path) : search(l);
	if (ret) {
		cannot(l->path, ret);
		free(l);
		return ret;
	}
	*out = l;
	return 0;
}

void link_close(struct link *l)
{
	if (!l)
		return;
	close(l->fd);
	free(l->buf);
	free(l);
}

/* ---- asking ----------------------------------------------------------- */

static int wait_for(struct link *l, short events, int64_t until_ms)
{
	struct pollfd p = { .fd = l->fd, .events = events };
	int64_t left = until_ms - now_ms();
	int n = poll(&p, 1, left > 0 ? (int)left : 0);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n == 0 && left <= 0 ? -ETIMEDOUT : 0;
}

static int send_all(struct link *l, const char *text, size_t len,
		    int64_t until_ms)
{
	while (len) {
		ssize_t n = send(l->fd, text, len, MSG_NOSIGNAL |
						   MSG_DONTWAIT);
		int ret;

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		ret = wait_for(l, POLLOUT, until_ms);
		if (ret)
			return ret;
	}
	return 0;
}

static int grow(struct link *l)
{
	size_t room = l->room ? 2 * l->room : 65536;
	char *buf;

	if (l->room >= ANSWER_MAX)
		return -EPROTO;
	buf = realloc(l->buf, room);
	if (!buf)
		return -ENOMEM;
	l->buf = buf;
	l->room = room;
	return 0;
}

/* Until a whole line is at the start of the buffer: its length. */
static ssize_t receive_line(struct link *l, int64_t until_ms)
{
	size_t looked = 0;

	for (;;) {
		char *end = l->used > looked ?
			    memchr(l->buf + looked, '\n', l->used - looked) :
			    NULL;
		ssize_t n;
		int ret;

		if (end)
			return end - l->buf;
		looked = l->used;
		ret = l->used == l->room ? grow(l) : 0;
		if (ret)
			return ret;
		ret = wait_for(l, POLLIN, until_ms);
		if (ret)
			return ret;
		n = recv(l->fd, l->buf + l->used, l->room - l->used,
			 MSG_DONTWAIT);
		if (n == 0)
			return -ECONNRESET;
		if (n > 0)
			l->used += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
}

static int receive(struct link *l, json_t **answer, int64_t until_ms)
{
	for (;;) {
		ssize_t len = receive_line(l, until_ms);
		json_t *line, *id;

		if (len < 0)
			return (int)len;
		line = json_loadb(l->buf, (size_t)len, 0, NULL);
		l->used -= (size_t)len + 1;
		memmove(l->buf, l->buf + len + 1, l->used);
		id = json_object_get(line, "id");
		if (!json_is_object(line) ||
		    !json_is_boolean(json_object_get(line, "ok"))) {
			json_decref(line);
			return -EPROTO;
		}
		/* A daemon that could not read our line has no id to name. */
		if (json_integer_value(id) == l->id || !json_is_integer(id)) {
			*answer = line;
			return 0;
		}
		json_decref(line);
	}
}

static int failed(const struct link *l, const char *verb, int err)
{
	if (err == -ETIMEDOUT)
		fprintf(stderr, "snooctl: no answer to \"%s\" from %s within "
			"%d.%03d s; a longer --timeout may help\n", verb,
			l->path, l->timeout_ms / 1000, l->timeout_ms % 1000);
	else if (err == -ECONNRESET || err == -EPIPE)
		fprintf(stderr, "snooctl: the daemon at %s hung up; its log "
			"says why (journalctl -u snoo-daemon)\n", l->path);
	else if (err == -EPROTO)
		fprintf(stderr, "snooctl: what answered at %s is no "
			"snoo-daemon's admin socket\n", l->path);
	else
		fprintf(stderr, "snooctl: %s: %s\n", l->path, strerror(-err));
	return err;
}

int link_ask(struct link *l, const char *verb, json_t *args, json_t **answer)
{
	int64_t until_ms = now_ms() + l->timeout_ms;
	json_t *question;
	char *text, *line;
	int ret;

	*answer = NULL;
	question = json_pack("{s:I, s:s, s:O?}", "id", ++l->id, "cmd", verb,
			     "args", args ? args : json_null());
	if (question && !args)
		json_object_del(question, "args");
	text = question ? json_dumps(question, JSON_COMPACT) : NULL;
	json_decref(question);
	if (!text || asprintf(&line, "%s\n", text) < 0) {
		free(text);
		return failed(l, verb, -ENOMEM);
	}
	free(text);
	ret = send_all(l, line, strlen(line), until_ms);
	free(line);
	/* Turned away before we spoke: the reason is there to read. */
	if (!ret || ret == -EPIPE)
		ret = receive(l, answer, until_ms);
	return ret ? failed(l, verb, ret) : 0;
}
