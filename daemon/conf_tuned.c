/* SPDX-License-Identifier: MIT */
/*
 * conf_tuned.c - sizes that "snooctl tune" has measured on this machine
 *
 *	{ "version": 1,
 *	  "machine": { "cpu": "model", "cores": 8 },
 *	  "measured": "2026-01-31T12:00:00Z",
 *	  "domain": { "block_bytes": { "large": 131072 }, ... } }
 */
#include "daemon/conf_tuned.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/conf_keys.h"
#include "daemon/machine.h"

#define VERSION	1

/* In the order of enum conf_size. */
static const char *const sizes[CONF_SIZES] = {
	"eager_bytes", "stream_bytes", "block_bytes.small",
	"block_bytes.large",
};

const char *conf_size_key(unsigned int size)
{
	return sizes[size];
}

const char *conf_size_from(const struct conf_domain *d, unsigned int size)
{
	static const char *const words[] = { "default", "tuned",
					     "configured" };

	return words[d->size_from[size]];
}

__attribute__((format(printf, 2, 3)))
static int refuse(char **why, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(why, fmt, args);
	va_end(args);
	if (n < 0)
		*why = NULL;
	return n < 0 ? -ENOMEM : 0;
}

/* "block_bytes.large" in {"block_bytes": {"large": ...}}. */
static json_t *member(const json_t *o, const char *path)
{
	size_t len = strcspn(path, ".");
	char name[32];

	if (!path[len])
		return json_object_get(o, path);
	snprintf(name, sizeof(name), "%.*s", (int)len, path);
	return json_object_get(json_object_get(o, name), path + len + 1);
}

static size_t members(const json_t *o)
{
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)o, name, value)
		n += json_is_object(value) ? json_object_size(value) : 1;
	return n;
}

/* Nothing but sizes, all of them numbers that the configuration would take. */
static bool good_keys(const json_t *keys)
{
	size_t known = 0;

	if (!json_is_object(keys))
		return false;
	for (unsigned int i = 0; i < CONF_SIZES; i++) {
		const json_t *value = member(keys, sizes[i]);

		if (value && !json_is_integer(value))
			return false;
		known += value != NULL;
	}
	return known == members(keys);
}

static int judge(const json_t *file, const struct machine *here,
		 json_t **out, char **why)
{
	const json_t *machine = json_object_get(file, "machine");
	const char *cpu = json_string_value(json_object_get(machine, "cpu"));
	json_int_t cores =
		json_integer_value(json_object_get(machine, "cores"));
	json_t *keys = json_object_get(file, "domain");

	if (json_integer_value(json_object_get(file, "version")) != VERSION ||
	    !cpu || !good_keys(keys))
		return refuse(why, "it is not what this version of snooctl "
				   "tune writes");
	if (strcmp(cpu, here->cpu) != 0 || cores != (json_int_t)here->cores)
		return refuse(why, "it was measured on another machine "
				   "(%.100s, %lld cores), this one has "
				   "%.100s, %u", cpu, (long long)cores,
			      here->cpu, here->cores);
	*out = json_incref(keys);
	return 0;
}

/*
 * The keys of a domain that were measured, or NULL and, as malloc'd text, why
 * not: NULL if there is no file.  A file of another machine, or one with
 * anything in it that is not known here, is not used at all: half of what was
 * measured together is worth nothing.
 */
static int read_tuned(const char *path, const struct machine *here,
		      json_t **out, char **why)
{
	json_error_t e;
	json_t *file;
	int ret;

	*out = NULL;
	*why = NULL;
	if (access(path, F_OK))
		return 0;
	file = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
	if (!file && json_error_code(&e) == json_error_out_of_memory)
		return -ENOMEM;
	if (!file)
		return refuse(why, "line %d: %.150s", e.line, e.text);
	ret = judge(file, here, out, why);
	json_decref(file);
	return ret;
}

static int merge_one(json_t *domain, const json_t *keys)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)keys, name, value) {
		json_t *has = json_object_get(domain, name);
		int ret;

		if (json_is_object(value) && json_is_object(has))
			ret = json_object_update_missing(has, value);
		else if (has)
			continue;
		else
			ret = json_object_set_new(domain, name,
						  json_deep_copy(value));
		if (ret)
			return -ENOMEM;
	}
	return 0;
}

/* Add @keys to every domain that does not set them. */
static int merge(json_t *tree, const json_t *keys)
{
	const char *name;
	json_t *domain;
	int ret = 0;

	json_object_foreach(json_object_get(tree, "domains"), name, domain)
		if (json_is_object(domain) && !ret)
			ret = merge_one(domain, keys);
	return ret;
}

/* Where sizes come from; @tree: before merge(), @keys: what was merged. */
static void mark(struct conf *c, const json_t *tree, const json_t *keys)
{
	const json_t *domains = json_object_get(tree, "domains");

	for (unsigned int i = 0; i < c->ndomains; i++) {
		struct conf_domain *d = &c->domains[i];
		const json_t *own = json_object_get(domains, d->name);

		for (unsigned int k = 0; k < CONF_SIZES; k++)
			d->size_from[k] = member(own, sizes[k]) ?
						  CONF_CONFIGURED :
					  member(keys, sizes[k]) ?
						  CONF_TUNED : CONF_DEFAULT;
	}
}

/*
 * What was measured was measured for other values of the rest: if it does not
 * go with the configuration it is left out, and that is no mistake.  NULL in
 * *@out then.
 */
static int build_tuned(struct conf **out, const json_t *tree,
		       const json_t *keys, const struct conf_report *r)
{
	struct conf_report quiet = *r;
	json_t *merged = json_deep_copy(tree);
	int ret = merged ? merge(merged, keys) : -ENOMEM;

	*out = NULL;
	quiet.out = NULL;
	quiet.out_len = 0;
	quiet.mistakes = 0;
	if (!ret)
		ret = conf_build(out, merged, &quiet);
	free(quiet.out);
	json_decref(merged);
	return ret == -ENOMEM ? ret : 0;
}

int conf_tuned_build(struct conf **out, json_t *tree, const char *path,
		     struct conf_report *r)
{
	json_t *keys = NULL;
	struct machine here;
	char *why = NULL;
	int ret = 0;

	*out = NULL;
	if (*path) {
		machine_read(&here, MACHINE_CPUINFO);
		ret = read_tuned(path, &here, &keys, &why);
	}
	if (!ret && keys)
		ret = build_tuned(out, tree, keys, r);
	if (!ret && keys && !*out) {
		json_decref(keys);
		keys = NULL;
		why = strdup("it does not go with the configuration");
	}
	if (!ret && !*out)
		ret = conf_build(out, tree, r);
	if (*out) {
		mark(*out, tree, keys);
		(*out)->tuned.in_force = keys != NULL;
		(*out)->tuned.path = strdup(path);
		(*out)->tuned.why_not = why;
		why = NULL;
		if (!(*out)->tuned.path) {
			conf_close(*out);
			*out = NULL;
			ret = -ENOMEM;
		}
	}
	free(why);
	json_decref(keys);
	return ret;
}
