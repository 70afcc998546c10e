/* SPDX-License-Identifier: MIT */
/*
 * conf_load.c - from a file and the command line to a checked struct conf
 *
 * Stages, each on the result of the one before: read the text, parse it, put
 * the command line's values into the tree, read every value by the table of
 * keys, derive what was left empty, check what belongs together.  A stage
 * that finds mistakes still goes through all of its values, so that one run
 * shows them all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/conf_run.h"
#include "daemon/conf_set.h"
#include "daemon/conf_tuned.h"
#include "daemon/conf_value.h"
#include "daemon/ivshmem.h"
#include "daemon/json.h"

#define FILE_MAX_BYTES	(1u << 20)
#define PATH_TEXT	256

/* A socket address holds its path and a zero. */
#define SOCKET_PATH_MAX	(sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

/* ---- the file --------------------------------------------------------- */

static int read_all(int fd, char **text, size_t *len)
{
	char *buf = malloc(FILE_MAX_BYTES + 1);
	size_t used = 0;
	ssize_t n;
	int ret;

	if (!buf)
		return -ENOMEM;
	while (used <= FILE_MAX_BYTES) {
		n = read(fd, buf + used, FILE_MAX_BYTES + 1 - used);
		if (n == 0) {
			*text = buf;
			*len = used;
			return 0;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			ret = -errno;
			goto out_free;
		}
		used += (size_t)n;
	}
	ret = -EFBIG;
out_free:
	free(buf);
	return ret;
}

static int read_file(const char *path, char **text, size_t *len,
		     struct conf_report *r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int ret;

	if (fd < 0)
		ret = -errno;
	else
		ret = read_all(fd, text, len);
	if (fd >= 0)
		close(fd);
	if (ret && ret != -ENOMEM)
		conf_wrong_at(r, path, "%s", strerror(-ret));
	return ret;
}

static int parse(json_t **tree, struct conf_report *r)
{
	json_error_t e;
	char place[512];

	*tree = json_loadb(r->text, r->len,
			   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
	if (!*tree) {
		if (json_error_code(&e) == json_error_out_of_memory)
			return -ENOMEM;
		snprintf(place, sizeof(place), "%s:%d:%d", r->file, e.line,
			 e.column);
		return conf_wrong_at(r, place, "%s", e.text);
	}
	if (!json_is_object(*tree)) {
		int ret = conf_wrong(r, NULL, CONF_AT_VALUE,
				     "a configuration is an object, not %s",
				     json_kind(*tree));

		json_decref(*tree);
		*tree = NULL;
		return ret;
	}
	return 0;
}

/* ---- values by the table ---------------------------------------------- */

/**
 * struct reader - One pass over one object of the tree
 */
struct reader {
	const struct conf_key *keys;
	void *base;		/* the struct that the keys' offsets mean */
	uint64_t seen;		/* bit i: keys[i] was in the file */
	struct conf_report *r;
	bool root;		/* "domains" and "$schema" may be here */
};

/* "limits" + "handshake_ms": the path in the table. */
static void join(char *buf, const char *prefix, const char *name)
{
	snprintf(buf, PATH_TEXT, "%s%s%s", prefix, *prefix ? "." : "", name);
}

static const struct conf_key *key_find(const struct reader *rd,
				       const char *path, bool *group)
{
	size_t len = strlen(path);

	*group = false;
	for (const struct conf_key *k = rd->keys; k->path; k++) {
		if (strcmp(k->path, path) == 0)
			return k;
		if (strncmp(k->path, path, len) == 0 && k->path[len] == '.')
			*group = true;
	}
	return NULL;
}

/* What may stand beside an unknown key, once each. */
static void allowed(const struct reader *rd, const char *prefix, char *buf,
		    size_t len)
{
	size_t skip = *prefix ? strlen(prefix) + 1 : 0, used = 0, last = 0;
	const char *before = "";

	buf[0] = '\0';
	for (const struct conf_key *k = rd->keys; k->path; k++) {
		const char *name = k->path + skip;
		size_t n;

		if (skip && (strncmp(k->path, prefix, skip - 1) != 0 ||
			     k->path[skip - 1] != '.'))
			continue;
		n = strcspn(name, ".");
		if (n == last && strncmp(name, before, n) == 0)
			continue;	/* the table keeps groups together */
		before = name;
		last = n;
		if (used < len)
			used += (size_t)snprintf(buf + used, len - used,
						 "%s%.*s", used ? ", " : "",
						 (int)n, name);
	}
	if (rd->root && !*prefix && used < len)
		snprintf(buf + used, len - used, ", domains");
}

static int unknown(const struct reader *rd, const char *prefix,
		   const struct conf_at *at)
{
	char list[512];

	allowed(rd, prefix, list, sizeof(list));
	return conf_wrong(rd->r, at, CONF_AT_KEY,
			  "unknown key; allowed here: %s", list);
}

static int read_object(struct reader *rd, const json_t *obj,
		       const char *prefix, const struct conf_at *at)
{
	int ret, bad = 0;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)obj, name, value) {
		const struct conf_at here = { .up = at, .key = name };
		const struct conf_key *key;
		char path[PATH_TEXT];
		bool group = false;

		if (rd->root && !*prefix && (!strcmp(name, "domains") ||
					     !strcmp(name, "$schema")))
			continue;
		join(path, prefix, name);
		/* A dot in a name is no way into a group. */
		key = *name && !strchr(name, '.') ?
		      key_find(rd, path, &group) : NULL;
		if (!key && !group) {
			ret = unknown(rd, prefix, &here);
		} else if (key) {
			rd->seen |= UINT64_C(1) << (key - rd->keys);
			ret = conf_value_read(rd->base, key, value, &here,
					      rd->r);
		} else if (json_is_object(value)) {
			ret = read_object(rd, value, path, &here);
		} else {
			ret = conf_wrong(rd->r, &here, CONF_AT_VALUE,
					 "must be an object, not %s",
					 json_kind(value));
		}
		if (ret == -ENOMEM)
			return ret;
		if (ret)
			bad = ret;
	}
	return bad;
}

static int read_defaults(const struct reader *rd)
{
	int ret = 0;

	for (const struct conf_key *k = rd->keys; k->path && !ret; k++) {
		json_t *value;

		if (rd->seen & UINT64_C(1) << (k - rd->keys))
			continue;
		value = json_loads(k->def, JSON_DECODE_ANY, NULL);
		if (!value)
			return -ENOMEM;
		ret = conf_value_read(rd->base, k, value, NULL, rd->r);
		json_decref(value);
	}
	return ret;
}

static int read_keys(void *base, const struct conf_key *keys,
		     const json_t *obj, const struct conf_at *at, bool root,
		     struct conf_report *r)
{
	struct reader rd = { .keys = keys, .base = base, .r = r,
			     .root = root };
	int bad = read_object(&rd, obj, "", at);
	int ret = bad == -ENOMEM ? bad : read_defaults(&rd);

	return ret ? ret : bad;
}

static int read_domain(struct conf_domain *d, const char *name,
		       const json_t *obj, const struct conf_at *at,
		       struct conf_report *r)
{
	if (!conf_name_ok(name))
		return conf_wrong(r, at, CONF_AT_KEY,
				  "a domain's name is 1 to %d of A-Z a-z 0-9 "
				  ". _ - and not \".\" or \"..\"",
				  CONF_NAME_MAX);
	if (!json_is_object(obj))
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "must be an object, not %s",
				  json_kind(obj));
	d->name = strdup(name);
	if (!d->name)
		return -ENOMEM;
	return read_keys(d, conf_domain_keys, obj, at, false, r);
}

static int read_domains(struct conf *c, const json_t *tree,
			struct conf_report *r)
{
	const struct conf_at at = { .key = "domains" };
	json_t *domains = json_object_get(tree, "domains"), *obj;
	int ret, bad = 0;
	const char *name;

	if (!json_is_object(domains) || json_object_size(domains) == 0)
		return conf_wrong(r, &at, CONF_AT_VALUE,
				  "must be an object with at least one "
				  "\"name\": {...}");
	c->domains = calloc(json_object_size(domains), sizeof(*c->domains));
	if (!c->domains)
		return -ENOMEM;

	json_object_foreach(domains, name, obj) {
		const struct conf_at here = { .up = &at, .key = name };

		ret = read_domain(&c->domains[c->ndomains++], name, obj,
				  &here, r);
		if (ret == -ENOMEM)
			return ret;
		if (ret)
			bad = ret;
	}
	return bad;
}

static int read_tree(struct conf *c, const json_t *tree,
		     struct conf_report *r)
{
	int ret = read_keys(c, conf_keys, tree, NULL, true, r);
	int domains;

	if (ret == -ENOMEM)
		return ret;
	domains = read_domains(c, tree, r);
	return domains ? domains : ret;
}

/* ---- derived values --------------------------------------------------- */

static int derive_path(char **path, const struct conf *c, const char *name,
		       const char *ending)
{
	char *derived;

	if (*path && **path)
		return 0;
	if (asprintf(&derived, "%s/%s%s", c->runtime_dir, name, ending) < 0)
		return -ENOMEM;
	free(*path);
	*path = derived;
	return 0;
}

static int derive(struct conf *c)
{
	int ret;

	if (!c->runtime_dir || !*c->runtime_dir) {
		free(c->runtime_dir);
		c->runtime_dir = conf_default_runtime_dir();
		if (!c->runtime_dir)
			return -ENOMEM;
	}
	ret = derive_path(&c->admin_socket.path, c, "admin", ".sock");
	for (unsigned int i = 0; i < c->ndomains && !ret; i++) {
		struct conf_domain *d = &c->domains[i];

		/* The default is for blocks of that size, or larger ones. */
		if (d->eager_bytes == CONF_EAGER_USUAL &&
		    d->block_bytes.large < CONF_EAGER_USUAL)
			d->eager_bytes = d->block_bytes.large;
		ret = derive_path(&d->socket.path, c, d->name, ".sock");
		if (!ret)
			ret = derive_path(&d->ivshmem.socket.path, c, d->name,
					  ".ivshmem.sock");
		if (!ret)
			ret = derive_path(&d->ivshmem.control_path, c,
					  d->name, ".control.sock");
	}
	return ret;
}

/* ---- what belongs together -------------------------------------------- */

/* The place of a key with one or two members below @up. */
static int wrong_key(struct conf_report *r, const struct conf_at *up,
		     const char *key, const char *sub, const char *text)
{
	const struct conf_at first = { .up = up, .key = key };
	const struct conf_at second = { .up = &first, .key = sub };

	return conf_wrong(r, sub ? &second : &first, CONF_AT_VALUE, "%s",
			  text);
}

static int check_numbers(const struct conf_domain *d,
			 const struct conf_at *at, struct conf_report *r)
{
	uint32_t large = d->blocks_per_rank.large;
	uint64_t grant = (uint64_t)d->blocks_per_rank.small *
			 d->block_bytes.small;
	int bad = 0;

	/* Of more each rank gets what the pool has for all. */
	if (large > CONF_LARGE_FEW)
		large = CONF_LARGE_FEW;
	grant += (uint64_t)large * d->block_bytes.large;

	if (d->block_bytes.small >= d->block_bytes.large)
		bad = wrong_key(r, at, "block_bytes", "small",
				"must be smaller than block_bytes.large");
	if (d->ring_bytes.small > d->ring_bytes.large)
		bad = wrong_key(r, at, "ring_bytes", "small",
				"must not be larger than ring_bytes.large");
	if (d->eager_bytes > d->block_bytes.large)
		bad = wrong_key(r, at, "eager_bytes", NULL,
				"must not be larger than block_bytes.large: "
				"an eager message travels in one block");
	if (d->job_ranks_max > d->ranks_max)
		bad = wrong_key(r, at, "job_ranks_max", NULL,
				"must not be larger than ranks_max");
	if (grant > d->pool.size_bytes / 2)
		bad = wrong_key(r, at, "blocks_per_rank", NULL,
				"the blocks of one rank would fill more than "
				"half the pool; fewer blocks, or a larger "
				"pool.size_bytes");
	return bad;
}

/* A QEMU must be told of all slots in one go. */
static int check_slots(const struct conf_domain *d, const struct conf_at *at,
		       struct conf_report *r)
{
	char why[IVSHMEM_TEXT];

	if (d->ivshmem.slots == 1 ||
	    ivshmem_buffer_check(d->ivshmem.slots, d->ivshmem.vectors,
				 why) == 0)
		return 0;
	return wrong_key(r, at, "ivshmem", "slots", why);
}

/**
 * struct socket_use - One path that somebody will bind
 */
struct socket_use {
	const char *path;
	struct conf_at at[4];		/* its key, innermost last */
	const struct conf_at *key;
};

static void use(struct socket_use *u, const char *path,
		const char *const *keys)
{
	const struct conf_at *up = NULL;

	u->path = path;
	for (unsigned int i = 0; keys[i]; i++) {
		u->at[i] = (struct conf_at){ .up = up, .key = keys[i] };
		up = &u->at[i];
	}
	u->key = up;
}

static unsigned int list_sockets(const struct conf *c, struct socket_use *u)
{
	unsigned int n = 0;

	use(&u[n++], c->admin_socket.path,
	    (const char *const[]){ "admin_socket", "path", NULL });
	for (unsigned int i = 0; i < c->ndomains; i++) {
		const struct conf_domain *d = &c->domains[i];

		use(&u[n++], d->socket.path, (const char *const[]){
		    "domains", d->name, "socket", NULL });
		if (d->ivshmem.slots == 1)
			continue;
		use(&u[n++], d->ivshmem.socket.path, (const char *const[]){
		    "domains", d->name, "ivshmem", "socket", NULL });
		use(&u[n++], d->ivshmem.control_path, (const char *const[]){
		    "domains", d->name, "ivshmem", "control_path", NULL });
	}
	return n;
}

static int check_sockets(const struct conf *c, struct conf_report *r)
{
	struct socket_use *u;
	unsigned int n;
	int bad = 0;

	u = calloc(1 + 3 * (size_t)c->ndomains, sizeof(*u));
	if (!u)
		return -ENOMEM;
	n = list_sockets(c, u);
	for (unsigned int i = 0; i < n && bad != -ENOMEM; i++) {
		size_t len = strlen(u[i].path);

		if (len > SOCKET_PATH_MAX)
			bad = conf_wrong(r, u[i].key, CONF_AT_VALUE,
					 "\"%.200s\" is %zu bytes long, a "
					 "socket's path may have %zu; use a "
					 "shorter runtime_dir or path",
					 u[i].path, len, SOCKET_PATH_MAX);
		for (unsigned int j = 0; j < i; j++)
			if (strcmp(u[i].path, u[j].path) == 0)
				bad = conf_wrong(r, u[i].key, CONF_AT_VALUE,
						 "\"%.200s\" is another "
						 "socket's path already",
						 u[i].path);
	}
	free(u);
	return bad;
}

static int check(const struct conf *c, struct conf_report *r)
{
	const struct conf_at domains = { .key = "domains" };
	int ret = check_sockets(c, r);
	int wrong = ret == -ENOMEM ? ret : conf_run_check(c, r);

	if (wrong)
		ret = wrong;
	for (unsigned int i = 0; i < c->ndomains && ret != -ENOMEM; i++) {
		const struct conf_domain *d = &c->domains[i];
		const struct conf_at at = { .up = &domains, .key = d->name };
		int numbers = check_numbers(d, &at, r);
		int slots = check_slots(d, &at, r);

		if (numbers || slots)
			ret = numbers ? numbers : slots;
	}
	return ret;
}

/* ---- all of it -------------------------------------------------------- */

static void free_keys(void *base, const struct conf_key *keys)
{
	for (const struct conf_key *k = keys; k->path; k++)
		conf_value_free(base, k);
}

void conf_close(struct conf *c)
{
	if (!c)
		return;
	for (unsigned int i = 0; i < c->ndomains; i++) {
		free_keys(&c->domains[i], conf_domain_keys);
		free(c->domains[i].name);
	}
	free_keys(c, conf_keys);
	free(c->tuned.path);
	free(c->tuned.why_not);
	free(c->domains);
	free(c);
}

int conf_build(struct conf **out, json_t *tree, struct conf_report *r)
{
	struct conf *c = calloc(1, sizeof(*c));
	int ret = c ? read_tree(c, tree, r) : -ENOMEM;

	if (!ret)
		ret = derive(c);
	if (!ret)
		ret = check(c, r);
	if (ret) {
		conf_close(c);
		c = NULL;
	}
	*out = c;
	return ret;
}

int conf_load(struct conf **out, const char *path,
	      const struct conf_overrides *ov, char **errors)
{
	struct conf_report r = { .file = path };
	json_t *tree = NULL;
	char *text = NULL;
	int ret;

	*out = NULL;
	*errors = NULL;

	if (path)
		ret = read_file(path, &text, &r.len, &r);
	else
		ret = (text = strdup("{}")) ? 0 : -ENOMEM;
	if (ret)
		goto out;
	r.text = text;
	if (!path)
		r.len = strlen(text);
	ret = parse(&tree, &r);
	if (ret)
		goto out;
	ret = conf_set_all(tree, ov, &r);
	if (!ret)
		ret = conf_tuned_build(out, tree,
				       ov && ov->tuned ? ov->tuned : "", &r);
out:
	conf_set_fini(&r);
	json_decref(tree);
	free(text);
	*errors = r.out;
	return ret;
}
