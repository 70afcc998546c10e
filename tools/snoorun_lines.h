/* SPDX-License-Identifier: MIT */
/*
 * snoorun_lines.h - output of many ranks as whole lines with a prefix
 *
 * A sink is one of our own outputs; a source one stream of one rank.  Bytes
 * of a source wait until their line is whole, then the line goes to the
 * sink's queue as one piece, so that lines of different ranks never mix.
 */
#ifndef TOOLS_SNOORUN_LINES_H
#define TOOLS_SNOORUN_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* A sink takes no more from its sources while this much waits. */
#define SINK_HIGH	(1u << 20)
/* A line longer than this is broken in two. */
#define LINE_HIGH	(1u << 16)

struct sink {
	int fd;
	char *buf;
	size_t start, used, room;	/* used bytes from start on wait */
	bool dead;			/* nobody reads; what comes is dropped */
};

struct source {
	int fd;				/* -1: ended */
	struct sink *sink;
	char prefix[16];
	char *line;			/* the unfinished line */
	size_t used;
};

void sink_init(struct sink *s, int fd);
void sink_fini(struct sink *s);
bool sink_full(const struct sink *s);
bool sink_empty(const struct sink *s);

/* Queue bytes as they are; dropped if nobody reads. */
void sink_put(struct sink *s, const char *bytes, size_t len);

/* Write what the sink's fd takes without waiting.  The fd may be blocking:
 * call it only after poll(2) said POLLOUT. */
void sink_flush(struct sink *s);

/* 0, or -ENOMEM.  @fd becomes non-blocking and is the source's to close. */
int source_init(struct source *s, int fd, struct sink *sink,
		unsigned int rank);

/* Take what is there.  At its end the rest of a line is passed on with a
 * newline, and the fd is closed.  True: there may be more at once. */
bool source_read(struct source *s);

/* Take what is there, but no more than a full pipe holds: who inherited the
 * stream may write for ever. */
void source_drain(struct source *s);

/* Nobody will look again: take what is there, then end it. */
void source_end(struct source *s);

/* The part without file descriptors, for source_read() and its test. */
void source_feed(struct source *s, const char *bytes, size_t len);
void source_finish(struct source *s);

#endif
