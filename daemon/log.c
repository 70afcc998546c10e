/* SPDX-License-Identifier: MIT */
/*
 * log.c - levels, rate limit per place, one line per event
 */
#include "daemon/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES	1024

static const struct {
	const char *name;
	enum log_level level;
} names[] = {
	{ "error",	LOG_LEVEL_ERROR },
	{ "warning",	LOG_LEVEL_WARNING },
	{ "info",	LOG_LEVEL_INFO },
	{ "debug",	LOG_LEVEL_DEBUG },
};

#define NAMES	(sizeof(names) / sizeof(names[0]))

/* Relaxed everywhere: a line more or less around a change is no matter. */
static _Atomic int threshold = LOG_LEVEL_INFO;
static _Atomic bool to_journal;

/* JOURNAL_STREAM is "device:inode" of the journal's socket; after a
 * redirection our stderr is another file, and the prefix would be noise. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%ju:%ju", &dev, &ino) != 2)
		return false;
	if (fstat(STDERR_FILENO, &st))
		return false;
	return st.st_dev == dev && st.st_ino == ino;
}

void log_open(enum log_level level)
{
	atomic_store_explicit(&to_journal, stderr_is_journal(),
			      memory_order_relaxed);
	log_set_level(level);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

enum log_level log_level(void)
{
	return (enum log_level)atomic_load_explicit(&threshold,
						    memory_order_relaxed);
}

int log_level_parse(const char *name, enum log_level *out)
{
	for (size_t i = 0; i < NAMES; i++) {
		if (strcmp(names[i].name, name) == 0) {
			*out = names[i].level;
			return 0;
		}
	}
	return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
	for (size_t i = 0; i < NAMES; i++)
		if (names[i].level == level)
			return names[i].name;
	return "?";
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/**
 * admit() - May this place speak?
 * @left_out:	Lines swallowed in the window that has just ended
 *
 * Two threads may both open a window; then one window says a few lines more.
 * All orders are relaxed: the counts guard nothing but themselves.
 */
static bool admit(struct log_site *site, uint32_t *left_out)
{
	uint64_t now = now_ms();
	uint64_t began = atomic_load_explicit(&site->window_ms,
					      memory_order_relaxed);

	*left_out = 0;
	if (began == 0 || now - began >= LOG_WINDOW_MS) {
		atomic_store_explicit(&site->window_ms, now,
				      memory_order_relaxed);
		atomic_store_explicit(&site->said, 1, memory_order_relaxed);
		*left_out = atomic_exchange_explicit(&site->left_out, 0,
						     memory_order_relaxed);
		return true;
	}
	if (atomic_fetch_add_explicit(&site->said, 1,
				      memory_order_relaxed) < LOG_BURST)
		return true;
	atomic_fetch_add_explicit(&site->left_out, 1, memory_order_relaxed);
	return false;
}

static size_t prefix(char *buf, size_t len, enum log_level level)
{
	struct timespec ts;
	struct tm tm;
	int n;

	if (atomic_load_explicit(&to_journal, memory_order_relaxed)) {
		n = snprintf(buf, len, "<%d>", (int)level);
	} else {
		clock_gettime(CLOCK_REALTIME, &ts);
		localtime_r(&ts.tv_sec, &tm);
		n = snprintf(buf, len, "%02d:%02d:%02d.%03ld %-7s ",
			     tm.tm_hour, tm.tm_min, tm.tm_sec,
			     ts.tv_nsec / 1000000, log_level_name(level));
	}
	return n > 0 ? (size_t)n : 0;
}

/* A newline or escape in a peer's name must not forge a line. */
static void clean(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

static size_t append(char *line, size_t used, const char *fmt, va_list ap)
{
	size_t room = LINE_MAX_BYTES - 1 - used;	/* 1 for the newline */
	int n = vsnprintf(line + used, room, fmt, ap);

	if (n < 0)
		return used;
	if ((size_t)n < room)
		return used + (size_t)n;
	memcpy(line + used + room - 4, "...", 3);
	return used + room - 1;
}

void log_line(struct log_site *site, enum log_level level,
	      const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	uint32_t left_out = 0;
	size_t used, start;
	int saved = errno;
	va_list ap;

	if ((int)level > (int)log_level())
		return;
	if (site && !admit(site, &left_out))
		goto out;

	start = used = prefix(line, sizeof(line), level);
	va_start(ap, fmt);
	used = append(line, used, fmt, ap);
	va_end(ap);
	if (left_out && used + 40 < sizeof(line))
		used += (size_t)snprintf(line + used, sizeof(line) - used,
					 " left_out=%" PRIu32, left_out);
	clean(line + start, used - start);
	line[used++] = '\n';

	/* One write, so that lines of several threads never mix.  Nowhere to
	 * say that it failed. */
	while (write(STDERR_FILENO, line, used) < 0 && errno == EINTR)
		;
out:
	errno = saved;		/* "%s failed" callers still hold it */
}
