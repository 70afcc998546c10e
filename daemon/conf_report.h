/* SPDX-License-Identifier: MIT */
/*
 * conf_report.h - mistakes in a configuration: where they are, and the list
 */
#ifndef DAEMON_CONF_REPORT_H
#define DAEMON_CONF_REPORT_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct conf_at - Where a reader stands in the tree of values
 *
 * Lives on the reader's stack, one a level; NULL is the root.
 */
struct conf_at {
	const struct conf_at *up;
	const char *key;		/* NULL: an element of an array */
	size_t index;
};

/**
 * struct conf_set - A value that the command line put into the tree
 */
struct conf_set {
	char *spelled;			/* "--set limits.handshake_ms=5" */
	char **key;			/* its path */
	unsigned int nkeys;
};

/**
 * struct conf_report - Where the values came from, and what was wrong
 */
struct conf_report {
	const char *file;		/* NULL: no file */
	const char *text;		/* its bytes, valid JSON */
	size_t len;
	struct conf_set *set;		/* in the order of application */
	unsigned int nsets;

	char *out;			/* one line a mistake; NULL: none */
	size_t out_len;
	unsigned int mistakes;
};

enum conf_part { CONF_AT_KEY, CONF_AT_VALUE };

/**
 * conf_wrong() - Add a mistake at the key or value that @at names
 *
 * Return: -EINVAL, so that a reader can return the call; -ENOMEM
 */
int conf_wrong(struct conf_report *r, const struct conf_at *at,
	       enum conf_part part, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The same with a place of the caller's own ("snoo.json:3:7"). */
int conf_wrong_at(struct conf_report *r, const char *place,
		  const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "domains.default.weights"; members with odd characters in quotes. */
void conf_at_text(const struct conf_at *at, char *buf, size_t len);

/**
 * conf_pos_find() - Line and column of a key or value in the text it came from
 *
 * A value that the text does not hold (a default) has the place of the
 * nearest object around it.
 */
void conf_pos_find(const char *text, size_t len, const struct conf_at *at,
		   enum conf_part part, unsigned int *line,
		   unsigned int *column);

#endif
