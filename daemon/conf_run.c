/* SPDX-License-Identifier: MIT */
/*
 * conf_run.c - guest.run: lists of programs and variables, what goes together
 */
#include "daemon/conf_run.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/json.h"

/* Names that say how a program is loaded: the list of programs would mean
 * nothing if the host could set them. */
#define LOADER	"LD_"

const char *conf_run_path_wrong(const char *path)
{
	size_t len = strlen(path);

	if (*path != '/')
		return "must be absolute";
	if (len > CONF_RUN_BYTES)
		return "is longer than 255 bytes";
	if (path[len - 1] == '/')
		return "must not end with /";
	for (const char *p = path; *p; p += strcspn(p, "/")) {
		size_t part = strcspn(++p, "/");

		if (part == 0)
			return "must not have // in it";
		if ((part == 1 && p[0] == '.') ||
		    (part == 2 && p[0] == '.' && p[1] == '.'))
			return "must not have . or .. in it";
	}
	return NULL;
}

static const char *env_wrong(const char *entry)
{
	size_t name = strspn(entry, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz_0123456789");

	if (strlen(entry) > CONF_RUN_BYTES)
		return "is longer than 255 bytes";
	if (name == 0 || (*entry >= '0' && *entry <= '9') ||
	    (entry[name] && entry[name] != '='))
		return "must be NAME or NAME=VALUE";
	if (strncmp(entry, "SNOO_", 5) == 0)
		return "must not begin with SNOO_: those are set anyway";
	if (!entry[name] && strncmp(entry, LOADER, strlen(LOADER)) == 0)
		return "would let the host load code into programs; say "
		       "NAME=VALUE";
	return NULL;
}

static int read_one(char **out, const struct conf_key *key,
		    const json_t *value, const struct conf_at *at,
		    struct conf_report *r)
{
	const char *text = json_string_value(value), *wrong;

	if (!text)
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "must be a string, not %s",
				  json_kind(value));
	wrong = key->type == CONF_PROGRAMS ? conf_run_path_wrong(text) :
		env_wrong(text);
	if (wrong)
		return conf_wrong(r, at, CONF_AT_VALUE, "\"%.80s\" %s", text,
				  wrong);
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

void conf_run_free(struct conf_strings *list)
{
	for (unsigned int i = 0; i < list->n; i++)
		free(list->s[i]);
	free(list->s);
	*list = (struct conf_strings){ .n = 0 };
}

int conf_run_read(struct conf_strings *out, const struct conf_key *key,
		  const json_t *value, const struct conf_at *at,
		  struct conf_report *r)
{
	struct conf_strings list = { .n = 0 };
	size_t n = json_array_size(value);
	int ret, bad = 0;

	if (!json_is_array(value))
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "must be an array of strings, not %s",
				  json_kind(value));
	if (n > CONF_RUN_LIST)
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "holds %zu, at most %u are allowed", n,
				  CONF_RUN_LIST);
	list.s = calloc(n + 1, sizeof(*list.s));
	if (!list.s)
		return -ENOMEM;
	for (size_t i = 0; i < n && bad != -ENOMEM; i++) {
		const struct conf_at here = { .up = at, .index = i };

		ret = read_one(&list.s[list.n], key, json_array_get(value, i),
			       &here, r);
		if (ret)
			bad = ret;
		else
			list.n++;
	}
	if (bad)
		conf_run_free(&list);
	else
		*out = list;
	return bad;
}

json_t *conf_run_write(const struct conf_strings *list)
{
	json_t *array = json_array();

	for (unsigned int i = 0; array && i < list->n; i++) {
		if (json_array_append_new(array, json_string(list->s[i]))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

int conf_run_check(const struct conf *c, struct conf_report *r)
{
	const struct conf_at guest = { .key = "guest" };
	const struct conf_at run = { .up = &guest, .key = "run" };
	const struct conf_at user = { .up = &run, .key = "user" };
	const char *name = c->guest.run.user;
	const struct passwd *p;

	if (!*name && c->guest.run.programs.n)
		return conf_wrong(r, &user, CONF_AT_VALUE,
				  "must name the user that guest.run.programs "
				  "run as");
	if (!*name)
		return 0;
	p = getpwnam(name);
	if (!p)
		return conf_wrong(r, &user, CONF_AT_VALUE,
				  "this system has no user \"%.40s\"", name);
	if (p->pw_uid == 0)
		return conf_wrong(r, &user, CONF_AT_VALUE,
				  "\"%.40s\" is uid 0: programs never run as "
				  "root", name);
	return 0;
}
