/* SPDX-License-Identifier: MIT */
/*
 * log.h - levels, rate limit per place, one line per event
 *
 * A line reads "text key=value key=value".  Values that may hold blanks are
 * the caller's to quote; control characters are replaced, so that a peer's
 * name never breaks a line in two.
 *
 * Under systemd (JOURNAL_STREAM names our stderr) a line starts with "<N>",
 * the syslog priority; elsewhere with the local time and the level.
 *
 * Threads: any.  A line is one write(2).  Not async-signal-safe.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stdatomic.h>
#include <stdint.h>

/* The syslog priorities, so that "<N>" is the number itself. */
enum log_level {
	LOG_LEVEL_ERROR		= 3,
	LOG_LEVEL_WARNING	= 4,
	LOG_LEVEL_INFO		= 6,
	LOG_LEVEL_DEBUG		= 7,
};

/* A place that logs may say LOG_BURST lines in LOG_WINDOW_MS; the first line
 * of the next window says how many were left out. */
#define LOG_BURST	10
#define LOG_WINDOW_MS	5000

/**
 * struct log_site - One place in the source that logs
 *
 * Static, made by the macros below; holds the rate limit of that place.
 */
struct log_site {
	_Atomic uint64_t window_ms;	/* when this window began; 0: never */
	_Atomic uint32_t said;		/* lines in this window */
	_Atomic uint32_t left_out;	/* lines that this window swallowed */
};

/**
 * log_open() - Choose the format and the level; may be called again
 * @level:	Least urgent level that is printed
 *
 * Before the first call everything down to LOG_LEVEL_INFO goes to stderr.
 */
void log_open(enum log_level level);

/* Change the level alone (reload). */
void log_set_level(enum log_level level);
enum log_level log_level(void);

/**
 * log_level_parse() - "error", "warning", "info" or "debug" to a level
 *
 * Return: 0, or -EINVAL; @out is untouched then
 */
int log_level_parse(const char *name, enum log_level *out);
const char *log_level_name(enum log_level level);

/* The function behind the macros; @site may be NULL: no rate limit. */
void log_line(struct log_site *site, enum log_level level,
	      const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Each use is a site with a rate limit of its own. */
#define log_at(level, ...) do {						\
	static struct log_site log_site_here;				\
	log_line(&log_site_here, (level), __VA_ARGS__);			\
} while (0)

#define log_err(...)	log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)	log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* For the few events of which none may be left out (start, stop, death). */
#define log_always(level, ...)	log_line(NULL, (level), __VA_ARGS__)

#endif
