/* SPDX-License-Identifier: MIT */
/*
 * conf_report.c - the list of mistakes in a configuration
 */
#include "daemon/conf_report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than this is one mistake repeated; the rest helps nobody. */
#define MISTAKES_MAX	32

static bool plain(const char *key)
{
	return *key && strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz"
				   "0123456789_-") == strlen(key);
}

static size_t put(char *buf, size_t len, size_t used, const char *fmt,
		  const char *sep, const char *key)
{
	int n;

	if (used >= len)
		return used;
	n = snprintf(buf + used, len - used, fmt, sep, key);
	return used + (n > 0 ? (size_t)n : 0);
}

static size_t path(const struct conf_at *at, char *buf, size_t len)
{
	size_t used;
	char index[24];

	if (!at)
		return 0;
	used = path(at->up, buf, len);
	if (at->key)
		return put(buf, len, used, plain(at->key) ? "%s%s" :
			   "%s\"%s\"", used ? "." : "", at->key);
	snprintf(index, sizeof(index), "%zu]", at->index);
	return put(buf, len, used, "%s%s", "[", index);
}

void conf_at_text(const struct conf_at *at, char *buf, size_t len)
{
	snprintf(buf, len, "%s", "");
	path(at, buf, len);
}

static size_t depth(const struct conf_at *at)
{
	size_t n = 0;

	for (; at; at = at->up)
		n++;
	return n;
}

/* Is what @set put into the tree at @at or around it? */
static bool covers(const struct conf_set *set, const struct conf_at *at)
{
	size_t n = depth(at);

	for (; n > set->nkeys; n--)
		at = at->up;
	if (n < set->nkeys)
		return false;
	for (; n; n--, at = at->up)
		if (!at->key || strcmp(at->key, set->key[n - 1]) != 0)
			return false;
	return true;
}

static void place_of(const struct conf_report *r, const struct conf_at *at,
		     enum conf_part part, char *buf, size_t len)
{
	unsigned int line, column;

	for (unsigned int i = r->nsets; i-- > 0; ) {
		if (covers(&r->set[i], at)) {
			snprintf(buf, len, "%s", r->set[i].spelled);
			return;
		}
	}
	if (!r->file) {
		snprintf(buf, len, "defaults");
		return;
	}
	conf_pos_find(r->text, r->len, at, part, &line, &column);
	snprintf(buf, len, "%s:%u:%u", r->file, line, column);
}

static int add(struct conf_report *r, const char *line)
{
	size_t n = strlen(line);
	char *out;

	if (++r->mistakes > MISTAKES_MAX)
		return -EINVAL;
	out = realloc(r->out, r->out_len + n + 2);
	if (!out)
		return -ENOMEM;
	memcpy(out + r->out_len, line, n);
	memcpy(out + r->out_len + n, "\n", 2);
	r->out = out;
	r->out_len += n + 1;
	return -EINVAL;
}

/* A line of its own whatever the file holds. */
static int add_clean(struct conf_report *r, const char *place,
		     const char *where, const char *what)
{
	char *line;
	int ret;

	if (asprintf(&line, "%s: %s%s%s", place, where, *where ? ": " : "",
		     what) < 0)
		return -ENOMEM;
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	ret = add(r, line);
	free(line);
	return ret;
}

int conf_wrong(struct conf_report *r, const struct conf_at *at,
	       enum conf_part part, const char *fmt, ...)
{
	char place[512], where[256], what[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	place_of(r, at, part, place, sizeof(place));
	conf_at_text(at, where, sizeof(where));
	return add_clean(r, place, where, what);
}

int conf_wrong_at(struct conf_report *r, const char *place,
		  const char *fmt, ...)
{
	char what[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return add_clean(r, place, "", what);
}
