/* SPDX-License-Identifier: MIT */
/*
 * snooctl_table.c - any JSON as text for people: tables and key-value lists
 */
#include "tools/snooctl_table.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CELL_MAX	256
#define COLUMNS_MAX	48

/* ---- one value -------------------------------------------------------- */

/* Characters of UTF-8, not bytes. */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static void put_bytes(char *buf, size_t len, json_int_t n)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)n;
	unsigned int u = 0;

	while (u < 4 && (v >= 1024 || v <= -1024)) {
		v /= 1024;
		u++;
	}
	if (u == 0 || v == (double)(int64_t)v)
		snprintf(buf, len, "%.0f %s", v, unit[u]);
	else
		snprintf(buf, len, "%.1f %s", v, unit[u]);
}

/* @ns nanoseconds, in the largest unit that leaves digits before the dot. */
static void put_time(char *buf, size_t len, double ns)
{
	if (ns < 1e3)
		snprintf(buf, len, "%.0f ns", ns);
	else if (ns < 1e6)
		snprintf(buf, len, "%.3g us", ns / 1e3);
	else if (ns < 1e9)
		snprintf(buf, len, "%.3g ms", ns / 1e6);
	else if (ns < 120e9)
		snprintf(buf, len, "%.3g s", ns / 1e9);
	else if (ns < 7200e9)
		snprintf(buf, len, "%.0f min", ns / 60e9);
	else
		snprintf(buf, len, "%.1f h", ns / 3600e9);
}

static void put_number(const char *key, const json_t *value, char *buf,
		       size_t len)
{
	double v = json_number_value(value);

	if (key && (ends_with(key, "_bytes") || !strcmp(key, "bytes")) &&
	    json_is_integer(value))
		put_bytes(buf, len, json_integer_value(value));
	else if (key && ends_with(key, "_ns"))
		put_time(buf, len, v);
	else if (key && ends_with(key, "_us"))
		put_time(buf, len, v * 1e3);
	else if (key && ends_with(key, "_ms"))
		put_time(buf, len, v * 1e6);
	else if (key && ends_with(key, "_s"))
		put_time(buf, len, v * 1e9);
	else if (json_is_integer(value))
		snprintf(buf, len, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
	else
		snprintf(buf, len, "%.4g", v);
}

static void clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

/* An array in one cell: what it holds, or the names of what it holds. */
static void put_array(const json_t *array, char *buf, size_t len)
{
	size_t i, used = 0;
	json_t *value;

	snprintf(buf, len, "%s", json_array_size(array) ? "" : "-");
	json_array_foreach(array, i, value) {
		json_t *name = json_object_get(value, "name");
		char one[64];

		table_cell(NULL, name ? name : value, one, sizeof(one));
		if (used < len)
			used += (size_t)snprintf(buf + used, len - used,
						 "%s%s", i ? ", " : "", one);
	}
}

const char *table_cell(const char *key, const json_t *value, char *buf,
		       size_t len)
{
	char *text;

	buf[0] = '\0';
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		snprintf(buf, len, "%s", *json_string_value(value) ?
			 json_string_value(value) : "-");
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		put_number(key, value, buf, len);
		break;
	case JSON_TRUE:
		snprintf(buf, len, "yes");
		break;
	case JSON_FALSE:
		snprintf(buf, len, "no");
		break;
	case JSON_NULL:
		snprintf(buf, len, "-");
		break;
	case JSON_ARRAY:
		put_array(value, buf, len);
		break;
	case JSON_OBJECT:
		text = json_dumps(value, JSON_COMPACT);
		snprintf(buf, len, "%s", text ? text : "?");
		free(text);
		break;
	}
	clean(buf);
	return buf;
}

/* ---- a table ---------------------------------------------------------- */

struct column {
	const char *key;
	int width;
	bool numbers;		/* nothing else in it: align to the right */
};

struct columns {
	struct column c[COLUMNS_MAX];
	unsigned int n;
};

static void add_column(struct columns *t, const char *key)
{
	for (unsigned int i = 0; i < t->n; i++)
		if (strcmp(t->c[i].key, key) == 0)
			return;
	if (t->n < COLUMNS_MAX)
		t->c[t->n++] = (struct column){ key, 0, true };
}

static bool any_has(const json_t *rows, const char *key)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
		if (json_object_get(row, key))
			return true;
	return false;
}

/* "wait_since_ns" as a heading: "WAIT SINCE"; the cells carry the unit. */
static const char *heading(const char *key, char *buf, size_t len)
{
	static const char *const units[] = { "_bytes", "_ns", "_us", "_ms",
					     "_s" };
	size_t n = strlen(key);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ends_with(key, units[i])) {
			n -= strlen(units[i]);
			break;
		}
	}
	if (n >= len)
		n = len - 1;
	for (size_t i = 0; i < n; i++) {
		char c = key[i];

		buf[i] = c == '_' ? ' ' :
			 c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	buf[n] = '\0';
	clean(buf);
	return buf;
}

static void measure(struct columns *t, const json_t *rows)
{
	char cell[CELL_MAX];
	size_t i;
	json_t *row;

	for (unsigned int k = 0; k < t->n; k++) {
		struct column *c = &t->c[k];

		c->width = width(heading(c->key, cell, sizeof(cell)));
		json_array_foreach(rows, i, row) {
			const json_t *v = json_object_get(row, c->key);
			int w = width(table_cell(c->key, v, cell,
						 sizeof(cell)));

			if (w > c->width)
				c->width = w;
			if (v && !json_is_number(v) && !json_is_null(v))
				c->numbers = false;
		}
	}
}

static void pad(FILE *out, int n)
{
	fprintf(out, "%*s", n > 0 ? n : 0, "");
}

static void print_cell(FILE *out, const struct column *c, const char *text,
		       bool last)
{
	int room = c->width - width(text);

	if (c->numbers)
		pad(out, room);
	fputs(text, out);
	if (!last) {
		if (!c->numbers)
			pad(out, room);
		fputs("  ", out);
	}
}

static void choose(struct columns *t, const json_t *rows, const char *path,
		   const struct table_style *s)
{
	const char *const *named = s->columns(path);
	const char *key;
	json_t *row, *value;
	size_t i;

	for (const char *const *k = named; k && *k; k++)
		if (any_has(rows, *k))
			add_column(t, *k);
	if (t->n && !s->all)
		return;
	json_array_foreach(rows, i, row)
		json_object_foreach(row, key, value)
			add_column(t, key);
}

static void print_table(FILE *out, const json_t *rows, const char *path,
			const struct table_style *s, int indent)
{
	struct columns t = { .n = 0 };
	char cell[CELL_MAX];
	json_t *row, *value;
	size_t i;

	choose(&t, rows, path, s);
	measure(&t, rows);

	pad(out, indent);
	for (unsigned int k = 0; k < t.n; k++)
		print_cell(out, &t.c[k], heading(t.c[k].key, cell,
						 sizeof(cell)), k + 1 == t.n);
	fputc('\n', out);
	json_array_foreach(rows, i, row) {
		pad(out, indent);
		for (unsigned int k = 0; k < t.n; k++) {
			value = json_object_get(row, t.c[k].key);
			print_cell(out, &t.c[k],
				   table_cell(t.c[k].key, value, cell,
					      sizeof(cell)), k + 1 == t.n);
		}
		fputc('\n', out);
	}
}

/* ---- anything --------------------------------------------------------- */

static bool is_table(const json_t *value)
{
	size_t i;
	json_t *row;

	if (!json_is_array(value) || json_array_size(value) == 0)
		return false;
	json_array_foreach(value, i, row)
		if (!json_is_object(row))
			return false;
	return true;
}

static bool is_block(const json_t *value)
{
	return (json_is_object(value) && json_object_size(value)) ||
	       is_table(value);
}

/* A list of scalars on one line: "0, 1, 5". */
static void print_list(FILE *out, const json_t *array)
{
	char cell[CELL_MAX];
	size_t i;
	json_t *value;

	if (json_array_size(array) == 0)
		fputs("none", out);
	json_array_foreach(array, i, value)
		fprintf(out, "%s%s", i ? ", " : "",
			table_cell(NULL, value, cell, sizeof(cell)));
}

static void print_scalar(FILE *out, const char *key, const json_t *value)
{
	char cell[CELL_MAX];

	if (json_is_array(value))
		print_list(out, value);
	else if (json_is_object(value))
		fputs("none", out);
	else
		fputs(table_cell(key, value, cell, sizeof(cell)), out);
	fputc('\n', out);
}

/* "pool_bytes" as a name in a list: "pool". */
static const char *label(const char *key, char *buf, size_t len)
{
	heading(key, buf, len);
	for (char *p = buf; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return buf;
}

static void print_any(FILE *out, const json_t *value, const char *path,
		      const struct table_style *s, int indent);

static int label_width(const json_t *obj)
{
	char name[CELL_MAX];
	const char *key;
	json_t *value;
	int wide = 0;

	json_object_foreach((json_t *)obj, key, value)
		if (!is_block(value) &&
		    width(label(key, name, sizeof(name))) > wide)
			wide = width(name);
	return wide;
}

static void print_object(FILE *out, const json_t *obj, const char *path,
			 const struct table_style *s, int indent)
{
	int wide = label_width(obj);
	char name[CELL_MAX], inner[CELL_MAX];
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)obj, key, value) {
		if (is_block(value))
			continue;
		pad(out, indent);
		fputs(label(key, name, sizeof(name)), out);
		pad(out, wide - width(name) + 2);
		print_scalar(out, key, value);
	}
	json_object_foreach((json_t *)obj, key, value) {
		if (!is_block(value))
			continue;
		pad(out, indent);
		fprintf(out, "%s:\n", label(key, name, sizeof(name)));
		snprintf(inner, sizeof(inner), "%s.%s", path, key);
		print_any(out, value, inner, s, indent + 2);
	}
}

static void print_any(FILE *out, const json_t *value, const char *path,
		      const struct table_style *s, int indent)
{
	if (is_table(value)) {
		print_table(out, value, path, s, indent);
	} else if (json_is_object(value) && json_object_size(value)) {
		print_object(out, value, path, s, indent);
	} else {
		pad(out, indent);
		print_scalar(out, NULL, value);
	}
}

static void print_text(FILE *out, const char *text)
{
	unsigned char last = '\0';

	for (; *text; text++) {
		last = (unsigned char)*text;
		if ((last < ' ' && last != '\n' && last != '\t') ||
		    last == 0x7f)
			last = '?';
		fputc(last, out);
	}
	if (last != '\n')
		fputc('\n', out);
}

void table_any(FILE *out, const json_t *value, const struct table_style *s)
{
	const char *text = json_string_value(value);

	/* Text of several lines, like metrics: its line breaks stay. */
	if (text) {
		print_text(out, text);
		return;
	}
	print_any(out, value, s->verb, s, 0);
}
