/* SPDX-License-Identifier: MIT */
/*
 * conf_pos.c - find a value's line and column by walking the JSON text again
 *
 * The parser keeps no positions.  The text here has been parsed before, so
 * it is well-formed: this walk needs no errors, only ends.
 */
#include <string.h>

#include <jansson.h>

#include "daemon/conf_report.h"

struct scan {
	const char *p;
	const char *end;
};

static void skip_blanks(struct scan *s)
{
	while (s->p < s->end && strchr(" \t\r\n", *s->p) && *s->p)
		s->p++;
}

/* From the opening quote to behind the closing one. */
static void skip_string(struct scan *s)
{
	for (s->p++; s->p < s->end && *s->p != '"'; s->p++)
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
	if (s->p < s->end)
		s->p++;
}

static void skip_value(struct scan *s)
{
	unsigned int depth = 0;

	skip_blanks(s);
	while (s->p < s->end) {
		char c = *s->p;

		if (c == '"') {
			skip_string(s);
		} else if (c == '{' || c == '[') {
			depth++;
			s->p++;
		} else if (c == '}' || c == ']') {
			if (depth == 0)
				return;
			depth--;
			s->p++;
		} else if (c == ',' && depth == 0) {
			return;
		} else {
			s->p++;
			continue;
		}
		if (depth == 0)
			return;
	}
}

/* Does the string that starts at @s spell @key?  Escapes make it work for
 * the parser. */
static bool spells(const struct scan *s, const char *key)
{
	struct scan e = *s;
	json_t *string;
	bool same;

	skip_string(&e);
	string = json_loadb(s->p, (size_t)(e.p - s->p), JSON_DECODE_ANY, NULL);
	same = string && strcmp(json_string_value(string), key) == 0;
	json_decref(string);
	return same;
}

/* @s stands on a container; move to the part of its member, or say no. */
static bool enter_object(struct scan *s, const char *key, enum conf_part part)
{
	struct scan m = *s;

	for (m.p++; m.p < m.end; m.p++) {
		struct scan name;

		skip_blanks(&m);
		if (m.p >= m.end || *m.p != '"')
			return false;
		name = m;
		skip_string(&m);
		skip_blanks(&m);
		m.p++;			/* the colon */
		skip_blanks(&m);
		if (spells(&name, key)) {
			*s = part == CONF_AT_KEY ? name : m;
			return true;
		}
		skip_value(&m);
		skip_blanks(&m);	/* on the comma or the end */
		if (m.p < m.end && *m.p == '}')
			return false;
	}
	return false;
}

static bool enter_array(struct scan *s, size_t index)
{
	struct scan m = *s;

	for (m.p++; m.p < m.end; m.p++) {
		skip_blanks(&m);
		if (m.p < m.end && *m.p == ']')
			return false;
		if (index-- == 0) {
			*s = m;
			return true;
		}
		skip_value(&m);
		skip_blanks(&m);
		if (m.p < m.end && *m.p == ']')
			return false;
	}
	return false;
}

/* Move to @at or to the last thing on the way; true: all the way. */
static bool walk(struct scan *s, const struct conf_at *at, enum conf_part part)
{
	if (!at) {
		skip_blanks(s);
		return true;
	}
	if (!walk(s, at->up, CONF_AT_VALUE) || s->p >= s->end)
		return false;
	if (at->key && *s->p == '{')
		return enter_object(s, at->key, part);
	if (!at->key && *s->p == '[')
		return enter_array(s, at->index);
	return false;
}

void conf_pos_find(const char *text, size_t len, const struct conf_at *at,
		   enum conf_part part, unsigned int *line,
		   unsigned int *column)
{
	struct scan s = { text, text + len };

	walk(&s, at, part);
	*line = 1;
	*column = 1;
	for (const char *p = text; p < s.p; p++) {
		if (*p == '\n') {
			++*line;
			*column = 1;
		} else if (((unsigned char)*p & 0xc0) != 0x80) {
			++*column;	/* characters, not bytes of UTF-8 */
		}
	}
}
