/* SPDX-License-Identifier: MIT */
/*
 * snooctl_metrics.c - the daemon's numbers as text for Prometheus
 *
 * Every number in a row of a table becomes a sample: its name from the verb
 * and the key, its labels from the keys that say whose row it is.  Times are
 * in seconds, as that format asks.  Samples of one name stand together.
 */
#include "tools/snooctl_metrics.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES	160

static const struct {
	const char *verb, *member;	/* NULL: the answer itself */
	const char *name;
} sources[] = {
	{ "status",	NULL,		"snoo" },
	{ "status",	"registers",	"snoo_registers" },
	{ "status",	"waiting",	"snoo_waiting" },
	{ "domains",	NULL,		"snoo_domain" },
	{ "jobs",	NULL,		"snoo_job" },
	{ "ranks",	NULL,		"snoo_rank" },
	{ "vms",	NULL,		"snoo_vm" },
	{ "channels",	NULL,		"snoo_channel" },
	{ "pool",	"arenas",	"snoo_arena" },
	{ "pool",	"use",		"snoo_arena_use" },
	{ "pool",	"quarantine",	"snoo_quarantine" },
	{ "scheduler",	"domains",	"snoo_scheduler" },
	{ "scheduler",	"ranks",	"snoo_scheduler_rank" },
};

/* Whose row it is. */
static const char *const labels[] = {
	"domain", "job", "number", "rank", "slot", "from", "to", "class",
	"name", NULL,
};

/* Numbers that are names of things, not amounts. */
static const char *const no_amounts[] = {
	"pid", "uid", "core", "run_cpu", "node", "vm", "vcpu", "launch", "ring", "epoch", "gone_epoch",
	NULL,
};

struct sample {
	char *name;
	char *line;
	size_t order;
};

struct metrics {
	struct sample *sample;
	size_t n, room;
	int error;
};

static bool listed(const char *const *list, const char *key)
{
	for (; *list; list++)
		if (strcmp(*list, key) == 0)
			return true;
	return false;
}

/* Takes @name and @line. */
static void add(struct metrics *m, char *name, char *line)
{
	if (name && line && m->n == m->room) {
		size_t room = m->room ? 2 * m->room : 256;
		struct sample *s = realloc(m->sample, room * sizeof(*s));

		if (s) {
			m->sample = s;
			m->room = room;
		}
	}
	if (!name || !line || m->n == m->room) {
		free(name);
		free(line);
		m->error = -ENOMEM;
		return;
	}
	m->sample[m->n] = (struct sample){ name, line, m->n };
	m->n++;
}

/* ---- labels ----------------------------------------------------------- */

static void put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		else
			fputc(*text, out);
	}
}

static void put_labels(FILE *out, const json_t *row)
{
	bool first = true;

	for (const char *const *k = labels; *k; k++) {
		const json_t *v = json_object_get(row, *k);

		if (!json_is_string(v) && !json_is_integer(v))
			continue;
		fprintf(out, "%c%s=\"", first ? '{' : ',', *k);
		if (json_is_string(v))
			put_escaped(out, json_string_value(v));
		else
			fprintf(out, "%" JSON_INTEGER_FORMAT,
				json_integer_value(v));
		fputc('"', out);
		first = false;
	}
	if (!first)
		fputc('}', out);
}

/* ---- samples ---------------------------------------------------------- */

static double unit_of(const char **end, const char *key)
{
	static const struct {
		const char *end;
		double seconds;
	} units[] = { { "_ms", 1e-3 }, { "_us", 1e-6 }, { "_ns", 1e-9 },
		      { "_s", 1 } };
	size_t n = strlen(key);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].end);

		if (n > len && strcmp(key + n - len, units[i].end) == 0) {
			*end = key + n - len;
			return units[i].seconds;
		}
	}
	*end = key + n;
	return 0;
}

static void put_value(FILE *out, const json_t *value, double seconds)
{
	if (seconds > 0)
		fprintf(out, " %.9g\n", json_number_value(value) * seconds);
	else if (json_is_integer(value))
		fprintf(out, " %" JSON_INTEGER_FORMAT "\n",
			json_integer_value(value));
	else if (json_is_real(value))
		fprintf(out, " %.9g\n", json_real_value(value));
	else
		fprintf(out, " %d\n", json_is_true(value));
}

static void add_sample(struct metrics *m, const char *prefix, const char *key,
		       const json_t *value, const json_t *row)
{
	char name[NAME_MAX_BYTES], *line = NULL;
	const char *end;
	double seconds = unit_of(&end, key);
	size_t len;
	FILE *out;

	snprintf(name, sizeof(name), "%s_%.*s%s", prefix, (int)(end - key),
		 key, seconds > 0 ? "_seconds" : "");
	out = open_memstream(&line, &len);
	if (!out) {
		m->error = -ENOMEM;
		return;
	}
	fputs(name, out);
	put_labels(out, row);
	put_value(out, value, seconds);
	if (fclose(out))
		m->error = -ENOMEM;
	add(m, strdup(name), line);
}

/* Is there a source of its own for that member? */
static bool has_source(const char *prefix, const char *key)
{
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (sources[i].member && strcmp(sources[i].member, key) == 0 &&
		    strncmp(sources[i].name, prefix, strlen(prefix)) == 0)
			return true;
	return false;
}

/* @row carries the labels; @obj is the row or an object in it. */
static void add_row(struct metrics *m, const char *prefix, const json_t *obj,
		    const json_t *row)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)obj, key, value) {
		if (json_is_object(value) && !has_source(prefix, key))
			add_row(m, prefix, value, row);
		else if ((json_is_number(value) || json_is_boolean(value)) &&
			 !listed(no_amounts, key) &&
			 !(obj == row && listed(labels, key)))
			add_sample(m, prefix, key, value, row);
	}
}

static void add_answer(struct metrics *m, const char *prefix,
		       const json_t *result)
{
	size_t i;
	json_t *row;

	if (json_is_object(result))
		add_row(m, prefix, result, result);
	json_array_foreach(result, i, row)
		add_row(m, prefix, row, row);
}

/* ---- all of them ------------------------------------------------------ */

static int ask(struct metrics *m, struct link *l, const char *verb)
{
	json_t *answer;
	const json_t *result;
	int ret = link_ask(l, verb, NULL, &answer);

	if (ret)
		return ret;
	result = json_object_get(answer, "result");
	/* A verb that this daemon lacks or refuses gives no numbers. */
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (strcmp(sources[i].verb, verb) == 0)
			add_answer(m, sources[i].name, sources[i].member ?
				   json_object_get(result, sources[i].member) :
				   result);
	json_decref(answer);
	return m->error;
}

static int by_name(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int names = strcmp(x->name, y->name);

	return names ? names : x->order < y->order ? -1 : x->order > y->order;
}

static void print(const struct metrics *m, FILE *out)
{
	const char *before = "";

	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->sample[i].name, before) != 0)
			fprintf(out, "# TYPE %s untyped\n",
				m->sample[i].name);
		before = m->sample[i].name;
		fputs(m->sample[i].line, out);
	}
}

int metrics_print(struct link *l, FILE *out)
{
	struct metrics m = { .n = 0 };
	const char *before = "";
	int ret = 0;

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]) && !ret;
	     i++) {
		if (strcmp(sources[i].verb, before) != 0)
			ret = ask(&m, l, sources[i].verb);
		before = sources[i].verb;
	}
	if (!ret) {
		qsort(m.sample, m.n, sizeof(m.sample[0]), by_name);
		print(&m, out);
	} else if (ret == -ENOMEM) {
		fprintf(stderr, "snooctl: out of memory\n");
	}
	for (size_t i = 0; i < m.n; i++) {
		free(m.sample[i].name);
		free(m.sample[i].line);
	}
	free(m.sample);
	return ret;
}
