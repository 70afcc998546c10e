/* SPDX-License-Identifier: MIT */
/*
 * snoorun_lines.c - output of many ranks as whole lines with a prefix
 */
#include "tools/snoorun_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A pipe holds 64 KiB unless somebody raised that, to 1 MiB at most. */
#define READ_BYTES	16384
#define DRAIN_READS	((1u << 20) / READ_BYTES)

/* ---- sinks ------------------------------------------------------------ */

void sink_init(struct sink *s, int fd)
{
	*s = (struct sink){ .fd = fd };
}

void sink_fini(struct sink *s)
{
	free(s->buf);
	s->buf = NULL;
}

bool sink_full(const struct sink *s)
{
	return s->used >= SINK_HIGH;
}

bool sink_empty(const struct sink *s)
{
	return s->used == 0;
}

static void sink_die(struct sink *s)
{
	s->dead = true;
	s->used = 0;
}

void sink_put(struct sink *s, const char *bytes, size_t len)
{
	if (s->dead)
		return;
	if (s->start + s->used + len > s->room) {
		size_t room = s->used + len + 65536;
		char *buf = malloc(room);

		if (!buf) {
			sink_die(s);	/* no memory for output: no output */
			return;
		}
		if (s->used)
			memcpy(buf, s->buf + s->start, s->used);
		free(s->buf);
		s->buf = buf;
		s->room = room;
		s->start = 0;
	}
	memcpy(s->buf + s->start + s->used, bytes, len);
	s->used += len;
}

void sink_flush(struct sink *s)
{
	size_t n = s->used < PIPE_BUF ? s->used : PIPE_BUF;
	ssize_t done;

	if (s->dead || n == 0)
		return;
	/* POLLOUT on a pipe promises room for PIPE_BUF bytes, not more: a
	 * larger write to a blocking fd could hang us with signals waiting. */
	done = write(s->fd, s->buf + s->start, n);
	if (done < 0) {
		if (errno != EAGAIN && errno != EINTR)
			sink_die(s);
		return;
	}
	s->start += (size_t)done;
	s->used -= (size_t)done;
	if (s->used == 0)
		s->start = 0;
}

/* ---- sources ---------------------------------------------------------- */

int source_init(struct source *s, int fd, struct sink *sink,
		unsigned int rank)
{
	int flags;

	*s = (struct source){ .fd = -1, .sink = sink };
	s->line = malloc(LINE_HIGH);
	if (!s->line)
		return -ENOMEM;
	snprintf(s->prefix, sizeof(s->prefix), "[%u] ", rank);
	s->fd = fd;
	flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;
	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	return 0;
}

static void pass_line(struct source *s)
{
	sink_put(s->sink, s->prefix, strlen(s->prefix));
	sink_put(s->sink, s->line, s->used);
	sink_put(s->sink, "\n", 1);
	s->used = 0;
}

void source_feed(struct source *s, const char *bytes, size_t len)
{
	while (len) {
		const char *end = memchr(bytes, '\n', len);
		size_t n = end ? (size_t)(end - bytes) : len;

		if (n > LINE_HIGH - s->used) {
			n = LINE_HIGH - s->used;
			end = NULL;
		}
		memcpy(s->line + s->used, bytes, n);
		s->used += n;
		bytes += n;
		len -= n;
		if (end) {
			bytes++;
			len--;
			pass_line(s);
		} else if (s->used == LINE_HIGH) {
			pass_line(s);
		}
	}
}

void source_finish(struct source *s)
{
	if (s->used)
		pass_line(s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	free(s->line);
	s->line = NULL;
}

bool source_read(struct source *s)
{
	char bytes[READ_BYTES];
	ssize_t n;

	if (s->sink->dead) {		/* the rank shall learn it: SIGPIPE */
		source_finish(s);
		return false;
	}
	n = read(s->fd, bytes, sizeof(bytes));
	if (n > 0) {
		source_feed(s, bytes, (size_t)n);
		return true;
	}
	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	/* 0, or EIO: a pseudoterminal whose other side is closed. */
	source_finish(s);
	return false;
}

void source_drain(struct source *s)
{
	for (unsigned int i = 0; i < DRAIN_READS && s->fd >= 0; i++)
		if (!source_read(s))
			return;
}

void source_end(struct source *s)
{
	source_drain(s);
	if (s->fd >= 0)
		source_finish(s);
}
