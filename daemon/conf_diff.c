/* SPDX-License-Identifier: MIT */
/*
 * conf_diff.c - a configuration as JSON; two of them compared; a reload
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf_value.h"
#include "daemon/json.h"

/* ---- as JSON ---------------------------------------------------------- */

/* The object that holds a key's last member, made on the way. */
static json_t *parent_of(json_t *obj, const char *path, const char **last)
{
	size_t len;

	while (obj && path[len = strcspn(path, ".")] == '.') {
		json_t *next;
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		next = json_object_get(obj, name);
		if (!next && json_put(obj, name, json_object()) == 0)
			next = json_object_get(obj, name);
		obj = next;
		path += len + 1;
	}
	*last = path;
	return obj;
}

static int dump_keys(json_t *obj, const void *base,
		     const struct conf_key *keys)
{
	for (const struct conf_key *k = keys; k->path; k++) {
		const char *last;
		json_t *in = parent_of(obj, k->path, &last);

		if (!in || json_put(in, last, conf_value_write(base, k)))
			return -ENOMEM;
	}
	return 0;
}

struct json_t *conf_dump(const struct conf *c)
{
	json_t *root = json_object(), *domains = json_object();
	int ret = root && domains ? dump_keys(root, c, conf_keys) : -ENOMEM;

	for (unsigned int i = 0; i < c->ndomains && !ret; i++) {
		const struct conf_domain *d = &c->domains[i];

		ret = json_put(domains, d->name, json_object());
		if (!ret)
			ret = dump_keys(json_object_get(domains, d->name), d,
					conf_domain_keys);
	}
	if (!ret)
		ret = json_put(root, "domains", json_incref(domains));
	json_decref(domains);
	if (ret) {
		json_decref(root);
		return NULL;
	}
	return root;
}

/* ---- two configurations ----------------------------------------------- */

/**
 * struct diff - A list of changes while it grows
 */
struct diff {
	struct conf_change *change;
	unsigned int n;
};

void conf_diff_free(struct conf_change *change, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		free(change[i].path);
		free(change[i].before);
		free(change[i].after);
	}
	free(change);
}

/* Takes the path and the texts, also on failure. */
static int diff_add(struct diff *diff, char *path, char *before, char *after,
		    bool live)
{
	struct conf_change *list = NULL;

	if (path && before && after)
		list = realloc(diff->change, (diff->n + 1) * sizeof(*list));
	if (!list) {
		free(path);
		free(before);
		free(after);
		return -ENOMEM;
	}
	list[diff->n++] = (struct conf_change){ path, before, after, live };
	diff->change = list;
	return 0;
}

static char *full_path(const char *domain, const char *key)
{
	bool dotted = domain && strchr(domain, '.');
	char *path;
	int n;

	if (domain)
		n = asprintf(&path, dotted ? "domains.\"%s\"%s%s" :
			     "domains.%s%s%s", domain, *key ? "." : "", key);
	else
		n = asprintf(&path, "%s", key);
	return n < 0 ? NULL : path;
}

static int diff_keys(struct diff *diff, const void *before, const void *after,
		     const struct conf_key *keys, const char *domain)
{
	int ret = 0;

	for (const struct conf_key *k = keys; k->path && !ret; k++) {
		json_t *a = conf_value_write(before, k);
		json_t *b = conf_value_write(after, k);
		char *x = a ? json_oneline(a, NULL) : NULL;
		char *y = b ? json_oneline(b, NULL) : NULL;

		/* As text: the order of rules matters, json_equal()
		 * does not see it. */
		if (x && y && strcmp(x, y) == 0) {
			free(x);
			free(y);
		} else {
			ret = diff_add(diff, full_path(domain, k->path), x, y,
				       k->live);
		}
		json_decref(a);
		json_decref(b);
	}
	return ret;
}

/* Domains of @a that @b has not; @before_after: 0 when they went. */
static int diff_missing(struct diff *diff, const struct conf *a,
			const struct conf *b, const char *before,
			const char *after)
{
	int ret = 0;

	for (unsigned int i = 0; i < a->ndomains && !ret; i++) {
		const char *name = a->domains[i].name;

		if (!conf_domain_find(b, name))
			ret = diff_add(diff, full_path(name, ""),
				       strdup(before), strdup(after), false);
	}
	return ret;
}

int conf_diff(const struct conf *before, const struct conf *after,
	      struct conf_change **out, unsigned int *n)
{
	struct diff diff = { .n = 0 };
	int ret = diff_keys(&diff, before, after, conf_keys, NULL);

	*out = NULL;
	*n = 0;
	for (unsigned int i = 0; i < before->ndomains && !ret; i++) {
		const struct conf_domain *d = &before->domains[i];
		const struct conf_domain *e = conf_domain_find(after, d->name);

		if (e)
			ret = diff_keys(&diff, d, e, conf_domain_keys,
					d->name);
	}
	if (!ret)
		ret = diff_missing(&diff, before, after, "{}", "null");
	if (!ret)
		ret = diff_missing(&diff, after, before, "null", "{}");
	if (ret) {
		conf_diff_free(diff.change, diff.n);
		return ret;
	}
	*out = diff.change;
	*n = diff.n;
	return 0;
}

static void swap_live(void *running, void *fresh, const struct conf_key *keys)
{
	for (const struct conf_key *k = keys; k->path; k++)
		if (k->live)
			conf_value_swap(running, fresh, k);
}

/* Values that are good each on its own side may not be good together: a new
 * eager_bytes against the old block_bytes.  The old block size wins. */
static void keep_together(struct conf_domain *d)
{
	if (d->eager_bytes > d->block_bytes.large)
		d->eager_bytes = d->block_bytes.large;
	if (d->job_ranks_max > d->ranks_max)
		d->job_ranks_max = d->ranks_max;
}

static void swap_tuned(struct conf *running, struct conf *fresh)
{
	struct conf old = { .tuned = running->tuned };

	running->tuned = fresh->tuned;
	fresh->tuned = old.tuned;
}

/* Where a size comes from goes with the size. */
static void apply_from(struct conf_domain *d, const struct conf_domain *fresh)
{
	for (unsigned int i = 0; i < CONF_SIZES; i++)
		for (const struct conf_key *k = conf_domain_keys; k->path; k++)
			if (k->live && strcmp(k->path, conf_size_key(i)) == 0)
				d->size_from[i] = fresh->size_from[i];
}

void conf_apply(struct conf *running, struct conf *fresh)
{
	swap_live(running, fresh, conf_keys);
	swap_tuned(running, fresh);
	for (unsigned int i = 0; i < running->ndomains; i++) {
		struct conf_domain *d = &running->domains[i];

		for (unsigned int j = 0; j < fresh->ndomains; j++) {
			if (strcmp(fresh->domains[j].name, d->name) != 0)
				continue;
			swap_live(d, &fresh->domains[j], conf_domain_keys);
			apply_from(d, &fresh->domains[j]);
			keep_together(d);
		}
	}
}
