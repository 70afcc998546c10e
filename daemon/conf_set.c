/* SPDX-License-Identifier: MIT */
/*
 * conf_set.c - put the command line's values into the tree of the file's
 *
 * Order: the named options, then --set in the order given; the last wins.
 */
#include "daemon/conf_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_KEYS_MAX	8

static void free_set(struct conf_set *set)
{
	for (unsigned int i = 0; i < set->nkeys; i++)
		free(set->key[i]);
	free(set->key);
	free(set->spelled);
}

void conf_set_fini(struct conf_report *r)
{
	for (unsigned int i = 0; i < r->nsets; i++)
		free_set(&r->set[i]);
	free(r->set);
	r->set = NULL;
	r->nsets = 0;
}

/* A new override in the report's list, its path still empty. */
static struct conf_set *note(struct conf_report *r, const char *option,
			     const char *text)
{
	struct conf_set *list, *set;

	list = realloc(r->set, (r->nsets + 1) * sizeof(*list));
	if (!list)
		return NULL;
	r->set = list;
	set = &list[r->nsets];
	*set = (struct conf_set){ .nkeys = 0 };
	set->key = calloc(PATH_KEYS_MAX, sizeof(*set->key));
	if (!set->key)
		return NULL;
	if (asprintf(&set->spelled, "%s %s", option, text) < 0) {
		free(set->key);
		return NULL;
	}
	r->nsets++;
	return set;
}

static int note_key(struct conf_set *set, const char *key, size_t len)
{
	if (set->nkeys == PATH_KEYS_MAX)
		return -EINVAL;
	set->key[set->nkeys] = strndup(key, len);
	if (!set->key[set->nkeys])
		return -ENOMEM;
	set->nkeys++;
	return 0;
}

/* Put @value (stolen) at the override's path, making objects on the way. */
static int put(json_t *tree, const struct conf_set *set, json_t *value,
	       struct conf_report *r)
{
	json_t *obj = tree, *next;

	if (!value)
		return -ENOMEM;
	for (unsigned int i = 0; i + 1 < set->nkeys; i++) {
		next = json_object_get(obj, set->key[i]);
		if (!next) {
			next = json_object();
			if (json_object_set_new(obj, set->key[i], next))
				goto no_memory;
		} else if (!json_is_object(next)) {
			json_decref(value);
			return conf_wrong_at(r, set->spelled,
					     "%s is no object, it has no "
					     "member %s", set->key[i],
					     set->key[i + 1]);
		}
		obj = next;
	}
	if (json_object_set_new(obj, set->key[set->nkeys - 1], value))
		return -ENOMEM;		/* the value is gone either way */
	return 0;

no_memory:
	json_decref(value);
	return -ENOMEM;
}

/* One of the options that stand for a key. */
static int set_option(json_t *tree, struct conf_report *r, const char *option,
		      const char *text, const char *const *keys)
{
	struct conf_set *set = note(r, option, text);
	json_t *value;
	int ret = 0;

	if (!set)
		return -ENOMEM;
	for (; *keys && !ret; keys++)
		ret = note_key(set, *keys, strlen(*keys));
	if (ret)
		return ret;
	value = json_string(text);
	if (!value)
		return conf_wrong_at(r, option, "the value is no UTF-8");
	return put(tree, set, value, r);
}

/* key.path=value; a key with a dot in it stands in double quotes. */
static int split_path(struct conf_set *set, const char **text)
{
	const char *p = *text;
	size_t len;
	int ret;

	for (;;) {
		if (*p == '"') {
			p++;
			len = strcspn(p, "\"");
			if (p[len] != '"')
				return -EINVAL;
			ret = note_key(set, p, len);
			p += len + 1;
		} else {
			len = strcspn(p, ".=\"");
			if (len == 0)
				return -EINVAL;
			ret = note_key(set, p, len);
			p += len;
		}
		if (ret)
			return ret;
		if (*p == '=') {
			*text = p + 1;
			return 0;
		}
		if (*p++ != '.')
			return -EINVAL;
	}
}

static int set_one(json_t *tree, struct conf_report *r, const char *text)
{
	struct conf_set *set = note(r, "--set", text);
	const char *spelled = text;
	json_t *value;
	int ret;

	if (!set)
		return -ENOMEM;
	ret = split_path(set, &text);
	if (ret == -EINVAL)
		return conf_wrong_at(r, "--set", "\"%.80s\" must read "
				     "key.path=value", spelled);
	if (ret)
		return ret;
	value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
			   NULL);
	if (!value)
		value = json_string(text);	/* log_level=debug */
	if (!value)
		return conf_wrong_at(r, set->spelled, "the value is no UTF-8");
	return put(tree, set, value, r);
}

/* Serve @name alone: every other domain of the file goes. */
static int only_domain(json_t *tree, const char *name, struct conf_report *r)
{
	json_t *domains = json_object_get(tree, "domains"), *kept, *one;

	if (!conf_name_ok(name))
		return conf_wrong_at(r, "--domain", "\"%.80s\" is no name; a "
				     "name is 1 to %d of A-Z a-z 0-9 . _ -",
				     name, CONF_NAME_MAX);
	if (domains && !json_is_object(domains))
		return 0;		/* the reader will say so */
	one = json_object_get(domains, name);
	one = one ? json_incref(one) : json_object();
	kept = json_object();
	if (json_object_set_new(kept, name, one)) {
		json_decref(kept);
		return -ENOMEM;
	}
	return json_object_set_new(tree, "domains", kept) ? -ENOMEM : 0;
}

static int pool_size(json_t *tree, const char *text, struct conf_report *r)
{
	json_t *domains = json_object_get(tree, "domains"), *one;
	const char *name;
	void *next;
	int ret = 0;

	json_object_foreach_safe(domains, next, name, one) {
		const char *const keys[] = { "domains", name, "pool",
					     "size_bytes", NULL };

		ret = set_option(tree, r, "--pool-size", text, keys);
		if (ret)
			return ret;
	}
	return ret;
}

/* Without a file that names domains there is one. */
static int default_domain(json_t *tree)
{
	json_t *domains;

	if (json_object_get(tree, "domains"))
		return 0;
	domains = json_pack("{s:{}}", "default");
	return json_object_set_new(tree, "domains", domains) ? -ENOMEM : 0;
}

int conf_set_all(json_t *tree, const struct conf_overrides *ov,
		 struct conf_report *r)
{
	static const char *const dir[] = { "runtime_dir", NULL };
	static const char *const level[] = { "log_level", NULL };
	int ret = 0, bad = 0;

	if (ov && ov->domain)
		ret = only_domain(tree, ov->domain, r);
	if (!ret)
		ret = default_domain(tree);
	if (ret || !ov)
		return ret;

	if (ov->runtime_dir)
		ret = set_option(tree, r, "--runtime-dir", ov->runtime_dir,
				 dir);
	if (!ret && ov->log_level)
		ret = set_option(tree, r, "--log-level", ov->log_level, level);
	if (!ret && ov->pool_size)
		ret = pool_size(tree, ov->pool_size, r);
	for (unsigned int i = 0; ret != -ENOMEM && i < ov->nsets; i++) {
		ret = set_one(tree, r, ov->sets[i]);
		if (ret)
			bad = ret;
	}
	return ret ? ret : bad;
}
