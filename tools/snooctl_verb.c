/* SPDX-License-Identifier: MIT */
/*
 * snooctl_verb.c - what snooctl knows about verbs beyond what the daemon says
 *
 * The daemon describes its verbs ("help"): each with "verb" (or "name"),
 * "args" and a line of help, where "args" is a list of names or of objects
 * with a "name".
 */
#include "tools/snooctl_verb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *path;
	const char *columns[20];
} known[] = {
	{ "status.domains", { "domain", "state", "pool_bytes", "free_bytes",
			      "huge_pages", "sealed", "pool_path", "jobs",
			      "ranks", "ranks_max", "contended", "bpf" } },
	{ "domains", { "domain", "state", "pool_bytes", "free_bytes", "jobs",
		       "ranks", "ranks_max", "socket", "pool_path", "sealed",
		       "warning" } },
	{ "jobs", { "domain", "job", "number", "state", "size", "ranks",
		    "gone", "uid", "weight" } },
	{ "ranks", { "domain", "job", "number", "rank", "pid", "uid", "slot",
		     "vm_name", "vcpu", "core", "node", "state", "session",
		     "call", "waiting", "waits_for", "run",
		     "run_waited_ns" } },
	{ "vms", { "domain", "slot", "name", "pid", "state", "host", "kernel",
		   "memory", "bells", "vcpus", "cores", "ranks", "muted",
		   "since_ms" } },
	{ "channels", { "domain", "job", "number", "from", "to", "path",
			"ring_bytes", "lines", "published", "consumed" } },
	{ "scheduler.ranks", { "domain", "job", "rank", "slot", "weight",
			       "used_bytes", "left_bytes", "want_bytes",
			       "waits_for" } },
	{ "help", { "verb", "args", "privilege", "help" } },
};

const char *const *verb_columns(const char *path)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].path, path) == 0)
			return known[i].columns;
	return NULL;
}

static const char *name_of(const json_t *described)
{
	const json_t *name = json_object_get(described, "verb");

	if (!name)
		name = json_object_get(described, "name");
	return json_string_value(name);
}

/* The verb's part of what "help" answers: an array of verbs, or an object
 * that holds one, or an object of verbs by name. */
static const json_t *find_verb(const json_t *help, const char *verb)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(help)) {
		value = json_object_get(help, verb);
		if (json_is_object(value))
			return value;
		json_object_foreach((json_t *)help, key, value) {
			const json_t *found = json_is_array(value) ?
					      find_verb(value, verb) : NULL;

			if (found)
				return found;
		}
		return NULL;
	}
	json_array_foreach(help, i, value) {
		const char *name = name_of(value);

		if (name && strcmp(name, verb) == 0)
			return value;
	}
	return NULL;
}

static const char *arg_name(const json_t *verb, size_t i)
{
	const json_t *arg = json_array_get(json_object_get(verb, "args"), i);

	return json_string_value(json_is_object(arg) ?
				 json_object_get(arg, "name") : arg);
}

static int ask_help(struct link *l, json_t **help)
{
	json_t *answer;
	int ret = link_ask(l, "help", NULL, &answer);

	*help = NULL;
	if (ret)
		return ret;
	*help = json_incref(json_object_get(answer, "result"));
	json_decref(answer);
	return 0;
}

static int put_arg(json_t *args, const char *key, const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	if (!value)
		value = json_string(text);
	if (!value) {
		fprintf(stderr, "snooctl: argument %s is no UTF-8\n", key);
		return -EINVAL;
	}
	return json_object_set_new(args, key, value) ? -ENOMEM : 0;
}

/* job=x: a name before the first '=', and nothing odd in it. */
static size_t name_len(const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz_");

	return word[n] == '=' ? n : 0;
}

static int put_named(json_t *args, const char *word, size_t len)
{
	char key[64];

	if (len >= sizeof(key)) {
		fprintf(stderr, "snooctl: no argument has a name as long as "
			"in \"%s\"\n", word);
		return -EINVAL;
	}
	memcpy(key, word, len);
	key[len] = '\0';
	return put_arg(args, key, word + len + 1);
}

static int put_bare(struct link *l, const char *verb, const char *word,
		    size_t position, json_t *args, json_t **help)
{
	const json_t *described;
	const char *name;
	int ret;

	if (!*help) {
		ret = ask_help(l, help);
		if (ret)
			return ret;
	}
	described = find_verb(*help, verb);
	name = arg_name(described, position);
	if (!described) {
		fprintf(stderr, "snooctl: the daemon has no verb \"%s\"; "
			"snooctl help lists them\n", verb);
		return -EINVAL;
	}
	if (!name) {
		fprintf(stderr, "snooctl: %s takes %zu argument%s, \"%s\" is "
			"one too many\n", verb, position,
			position == 1 ? "" : "s", word);
		return -EINVAL;
	}
	return put_arg(args, name, word);
}

int verb_args(struct link *l, const char *verb, char **words, int n,
	      json_t **args)
{
	json_t *help = NULL;
	size_t bare = 0;
	int ret = 0;

	*args = n ? json_object() : NULL;
	if (n && !*args)
		return -ENOMEM;
	for (int i = 0; i < n && !ret; i++) {
		size_t len = name_len(words[i]);

		if (len)
			ret = put_named(*args, words[i], len);
		else
			ret = put_bare(l, verb, words[i], bare++, *args,
				       &help);
	}
	json_decref(help);
	if (ret) {
		json_decref(*args);
		*args = NULL;
	}
	return ret;
}
