/* SPDX-License-Identifier: MIT */
/*
 * conf_value.c - one value of the configuration: from JSON, to JSON
 */
#include "daemon/conf_value.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf_run.h"
#include "daemon/json.h"

#define GLOB_MAX	127
#define IDS_MAX		256

static void *field(void *base, const struct conf_key *key)
{
	return (char *)base + key->offset;
}

static const void *cfield(const void *base, const struct conf_key *key)
{
	return (const char *)base + key->offset;
}

int conf_parse_bytes(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	unsigned int shift = 0;
	uint64_t n = 0;
	const char *p;

	for (p = text; isdigit((unsigned char)*p); p++) {
		unsigned int digit = (unsigned int)(*p - '0');

		if (n > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		n = n * 10 + digit;
	}
	if (p == text)
		return -EINVAL;
	if (*p) {
		const char *u = strchr(units, *p++);

		if (!u || *p)
			return -EINVAL;
		shift = 10 * (unsigned int)(u - units + 1);
	}
	if (n > UINT64_MAX >> shift)
		return -ERANGE;
	*out = n << shift;
	return 0;
}

/* 65536 as "64K", 65537 as "65537". */
static const char *bytes_text(uint64_t n, char *buf, size_t len)
{
	static const char units[] = " KMGT";
	unsigned int u = 0;

	while (u < 4 && n && n % 1024 == 0) {
		n /= 1024;
		u++;
	}
	snprintf(buf, len, u ? "%" PRIu64 "%c" : "%" PRIu64, n, units[u]);
	return buf;
}

/* ---- numbers ---------------------------------------------------------- */

static int read_int(const struct conf_key *key, const json_t *value,
		    const struct conf_at *at, struct conf_report *r,
		    uint64_t *out)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value))
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "must be an integer%s, not %s",
				  key->type == CONF_INT_AUTO ?
				  " or \"auto\"" : "", json_kind(value));
	if (n < 0 || (uint64_t)n < key->min || (uint64_t)n > key->max)
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "is %" JSON_INTEGER_FORMAT ", must be %"
				  PRIu64 " to %" PRIu64, n, key->min,
				  key->max);
	*out = (uint64_t)n;
	return 0;
}

static int read_size(const struct conf_key *key, const json_t *value,
		     const struct conf_at *at, struct conf_report *r,
		     uint64_t *out)
{
	char is[32], min[32], max[32];
	uint64_t n = 0;
	int ret = 0;

	bytes_text(key->min, min, sizeof(min));
	bytes_text(key->max, max, sizeof(max));

	if (json_is_integer(value)) {
		if (json_integer_value(value) < 0)
			ret = -ERANGE;
		else
			n = (uint64_t)json_integer_value(value);
	} else if (json_is_string(value)) {
		ret = conf_parse_bytes(json_string_value(value), &n);
	} else {
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "must be bytes (65536) or a string with a "
				  "unit (\"64K\"), not %s", json_kind(value));
	}
	if (ret == -EINVAL)
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "\"%.40s\" is no size; a size is digits and "
				  "maybe one of K, M, G, T (powers of 1024)",
				  json_string_value(value));
	if (ret || n < key->min || n > key->max)
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "is %s, must be %s to %s",
				  ret ? "out of range" :
				  bytes_text(n, is, sizeof(is)), min, max);
	if (key->pow2 && (n & (n - 1)))
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "is %s, must be a power of two from %s to "
				  "%s", bytes_text(n, is, sizeof(is)), min,
				  max);
	*out = n;
	return 0;
}

static int read_mode(const json_t *value, const struct conf_at *at,
		     struct conf_report *r, uint64_t *out)
{
	const char *text = json_string_value(value);
	const char *digits;

	if (!text)
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "must be a string of octal digits "
				  "(\"0660\"), not %s", json_kind(value));
	digits = text + (strlen(text) == 4 && *text == '0');
	if (strlen(digits) != 3 || strspn(digits, "01234567") != 3)
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "\"%.40s\" is no mode; three octal digits "
				  "with or without a 0 before them (\"0660\")",
				  text);
	*out = strtoul(digits, NULL, 8);
	return 0;
}

static int read_enum(const struct conf_key *key, const json_t *value,
		     const struct conf_at *at, struct conf_report *r,
		     uint64_t *out)
{
	const char *text = json_string_value(value);
	char allowed[128] = "";
	size_t used = 0;

	for (const struct conf_word *w = key->words; w->word; w++) {
		if (text && strcmp(w->word, text) == 0) {
			*out = w->value;
			return 0;
		}
		if (used < sizeof(allowed))
			used += (size_t)snprintf(allowed + used,
						 sizeof(allowed) - used,
						 "%s\"%s\"", used ? ", " : "",
						 w->word);
	}
	if (text)
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "is \"%.40s\", must be one of %s", text,
				  allowed);
	return conf_wrong(r, at, CONF_AT_VALUE, "must be one of %s, not %s",
			  allowed, json_kind(value));
}

static int read_number(const struct conf_key *key, const json_t *value,
		       const struct conf_at *at, struct conf_report *r,
		       uint64_t *out)
{
	switch (key->type) {
	case CONF_INT_AUTO:
		if (json_is_string(value) &&
		    strcmp(json_string_value(value), "auto") == 0) {
			*out = CONF_AUTO;
			return 0;
		}
		return read_int(key, value, at, r, out);
	case CONF_SIZE32:
	case CONF_SIZE64:
	case CONF_RATES:
		return read_size(key, value, at, r, out);
	case CONF_MODE:
		return read_mode(value, at, r, out);
	case CONF_ENUM:
		return read_enum(key, value, at, r, out);
	default:
		return read_int(key, value, at, r, out);
	}
}

/* ---- text ------------------------------------------------------------- */

static int read_string(char **out, const struct conf_key *key,
		       const json_t *value, const struct conf_at *at,
		       struct conf_report *r)
{
	const char *text = json_string_value(value);

	if (!text)
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "must be a string, not %s",
				  json_kind(value));
	if (key->type == CONF_PATH && *text && *text != '/')
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "\"%.80s\" must be an absolute path, or "
				  "empty", text);
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

static int read_group(struct conf_socket *s, const struct conf_key *key,
		      const json_t *value, const struct conf_at *at,
		      struct conf_report *r)
{
	int ret = read_string(&s->group, key, value, at, r);
	const struct group *g;

	if (ret)
		return ret;
	s->gid = CONF_NO_GID;
	if (!*s->group)
		return 0;
	g = getgrnam(s->group);
	if (g) {
		s->gid = g->gr_gid;
		return 0;
	}
	ret = conf_wrong(r, at, CONF_AT_VALUE,
			 "this system has no group \"%.40s\"", s->group);
	free(s->group);
	s->group = NULL;
	return ret;
}

static struct conf_socket *socket_of(void *base, const struct conf_key *key)
{
	return (struct conf_socket *)((char *)base + key->offset -
				      offsetof(struct conf_socket, group));
}

static int read_owner(struct conf_owner *o, const struct conf_key *key,
		      const json_t *value, const struct conf_at *at,
		      struct conf_report *r)
{
	int ret = read_string(&o->name, key, value, at, r);

	if (ret || conf_owner_find(o->name, &o->uid, &o->gid) == 0)
		return ret;
	ret = conf_wrong(r, at, CONF_AT_VALUE,
			 "this system has no user or "
			 "group \"%.60s\"; \"user\" or \"user:group\"",
			 o->name);
	free(o->name);
	o->name = NULL;
	return ret;
}

/* ---- lists ------------------------------------------------------------ */

static bool glob_ok(const char *glob)
{
	size_t len = strlen(glob);

	return len >= 1 && len <= GLOB_MAX &&
	       strspn(glob, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "abcdefghijklmnopqrstuvwxyz"
			    "0123456789._-*?[]!:") == len;
}

static void free_rules(struct conf_rules *rules)
{
	for (unsigned int i = 0; i < rules->n; i++)
		free(rules->rule[i].glob);
	free(rules->rule);
	*rules = (struct conf_rules){ .n = 0 };
}

static int read_rules(struct conf_rules *out, const struct conf_key *key,
		      const json_t *value, const struct conf_at *at,
		      struct conf_report *r)
{
	struct conf_rules rules = { .n = 0 };
	int ret = 0, bad = 0;
	const char *glob;
	json_t *number;

	if (!json_is_object(value))
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "must be an object of \"job or pattern\": "
				  "value, not %s", json_kind(value));
	rules.rule = calloc(json_object_size(value) + 1, sizeof(*rules.rule));
	if (!rules.rule)
		return -ENOMEM;

	json_object_foreach((json_t *)value, glob, number) {
		const struct conf_at here = { .up = at, .key = glob };
		struct conf_rule *rule = &rules.rule[rules.n];

		if (glob_ok(glob))
			ret = read_number(key, number, &here, r, &rule->value);
		else
			ret = conf_wrong(r, &here, CONF_AT_KEY,
					 "a pattern is 1 to %d characters of "
					 "A-Z a-z 0-9 . _ - : and * ? [ ] !",
					 GLOB_MAX);
		if (ret == -EINVAL) {
			bad = ret;
			continue;
		}
		rule->glob = strdup(glob);
		if (!rule->glob) {
			free_rules(&rules);
			return -ENOMEM;
		}
		rules.n++;
	}
	if (bad)
		free_rules(&rules);
	else
		*out = rules;
	return bad;
}

static int read_id(uint32_t *out, const struct conf_key *key,
		   const json_t *value, const struct conf_at *at,
		   struct conf_report *r)
{
	const char *kind = key->type == CONF_UIDS ? "user" : "group";
	const char *name = json_string_value(value);
	json_int_t n = json_integer_value(value);

	if (name && key->type == CONF_UIDS) {
		const struct passwd *p = getpwnam(name);

		if (p) {
			*out = p->pw_uid;
			return 0;
		}
	} else if (name) {
		const struct group *g = getgrnam(name);

		if (g) {
			*out = g->gr_gid;
			return 0;
		}
	}
	if (name)
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "this system has no %s \"%.40s\"", kind,
				  name);
	/* The kernel keeps the largest number for "no id". */
	if (!json_is_integer(value) || n < 0 || n >= UINT32_MAX)
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "must be a %s's name or number", kind);
	*out = (uint32_t)n;
	return 0;
}

static int read_ids(struct conf_ids *out, const struct conf_key *key,
		    const json_t *value, const struct conf_at *at,
		    struct conf_report *r)
{
	struct conf_ids ids = { .n = 0 };
	size_t n = json_array_size(value);
	int ret, bad = 0;

	if (!json_is_array(value))
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "must be an array, not %s",
				  json_kind(value));
	if (n > IDS_MAX)
		return conf_wrong(r, at, CONF_AT_VALUE,
				  "holds %zu, at most %d are allowed; use a "
				  "group", n, IDS_MAX);
	ids.id = calloc(n + 1, sizeof(*ids.id));
	if (!ids.id)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct conf_at here = { .up = at, .index = i };

		ret = read_id(&ids.id[i], key, json_array_get(value, i),
			      &here, r);
		if (ret)
			bad = ret;
	}
	ids.n = (unsigned int)n;
	if (bad)
		free(ids.id);
	else
		*out = ids;
	return bad;
}

/* ---- every type ------------------------------------------------------- */

int conf_value_read(void *base, const struct conf_key *key,
		    const json_t *value, const struct conf_at *at,
		    struct conf_report *r)
{
	void *f = field(base, key);
	uint64_t n = 0;
	int ret;

	switch (key->type) {
	case CONF_STRING:
	case CONF_PATH:
		return read_string(f, key, value, at, r);
	case CONF_GROUP:
		return read_group(socket_of(base, key), key, value, at, r);
	case CONF_OWNER:
		return read_owner(f, key, value, at, r);
	case CONF_BOOL:
		if (!json_is_boolean(value))
			return conf_wrong(r, at, CONF_AT_VALUE,
					  "must be true or false, not %s",
					  json_kind(value));
		*(bool *)f = json_is_true(value);
		return 0;
	case CONF_WEIGHTS:
	case CONF_RATES:
		return read_rules(f, key, value, at, r);
	case CONF_UIDS:
	case CONF_GIDS:
		return read_ids(f, key, value, at, r);
	case CONF_PROGRAMS:
	case CONF_ENV:
		return conf_run_read(f, key, value, at, r);
	case CONF_SIZE64:
		return read_number(key, value, at, r, f);
	default:
		ret = read_number(key, value, at, r, &n);
		if (!ret)
			*(uint32_t *)f = (uint32_t)n;
		return ret;
	}
}

static json_t *write_rules(const struct conf_rules *rules)
{
	json_t *obj = json_object();

	for (unsigned int i = 0; obj && i < rules->n; i++) {
		if (json_put_u64(obj, rules->rule[i].glob,
				 rules->rule[i].value)) {
			json_decref(obj);
			return NULL;
		}
	}
	return obj;
}

static json_t *write_ids(const struct conf_ids *ids)
{
	json_t *array = json_array();

	for (unsigned int i = 0; array && i < ids->n; i++) {
		if (json_array_append_new(array, json_integer(ids->id[i]))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *write_word(const struct conf_word *w, uint32_t value)
{
	while (w->word && w->value != value)
		w++;
	return json_string(w->word ? w->word : "?");
}

json_t *conf_value_write(const void *base, const struct conf_key *key)
{
	const void *f = cfield(base, key);

	switch (key->type) {
	case CONF_STRING:
	case CONF_PATH:
	case CONF_GROUP:
	case CONF_OWNER:
		return json_string(*(char *const *)f);
	case CONF_BOOL:
		return json_boolean(*(const bool *)f);
	case CONF_WEIGHTS:
	case CONF_RATES:
		return write_rules(f);
	case CONF_UIDS:
	case CONF_GIDS:
		return write_ids(f);
	case CONF_PROGRAMS:
	case CONF_ENV:
		return conf_run_write(f);
	case CONF_SIZE64:
		return json_integer((json_int_t)*(const uint64_t *)f);
	case CONF_MODE:
		return json_sprintf("%04o", *(const uint32_t *)f);
	case CONF_ENUM:
		return write_word(key->words, *(const uint32_t *)f);
	case CONF_INT_AUTO:
		if (*(const uint32_t *)f == CONF_AUTO)
			return json_string("auto");
		break;
	case CONF_INT:
	case CONF_SIZE32:
		break;
	}
	return json_integer(*(const uint32_t *)f);
}

void conf_value_free(void *base, const struct conf_key *key)
{
	void *f = field(base, key);

	switch (key->type) {
	case CONF_STRING:
	case CONF_PATH:
	case CONF_GROUP:
	case CONF_OWNER:
		free(*(char **)f);
		*(char **)f = NULL;
		break;
	case CONF_WEIGHTS:
	case CONF_RATES:
		free_rules(f);
		break;
	case CONF_UIDS:
	case CONF_GIDS:
		free(((struct conf_ids *)f)->id);
		*(struct conf_ids *)f = (struct conf_ids){ .n = 0 };
		break;
	case CONF_PROGRAMS:
	case CONF_ENV:
		conf_run_free(f);
		break;
	default:
		break;
	}
}

static size_t field_size(enum conf_type type)
{
	switch (type) {
	case CONF_STRING:
	case CONF_PATH:
		return sizeof(char *);
	case CONF_GROUP:
		return sizeof(struct conf_socket) -
		       offsetof(struct conf_socket, group);
	case CONF_OWNER:
		return sizeof(struct conf_owner);
	case CONF_BOOL:
		return sizeof(bool);
	case CONF_SIZE64:
		return sizeof(uint64_t);
	case CONF_WEIGHTS:
	case CONF_RATES:
		return sizeof(struct conf_rules);
	case CONF_UIDS:
	case CONF_GIDS:
		return sizeof(struct conf_ids);
	case CONF_PROGRAMS:
	case CONF_ENV:
		return sizeof(struct conf_strings);
	default:
		return sizeof(uint32_t);
	}
}

void conf_value_swap(void *a, void *b, const struct conf_key *key)
{
	char tmp[sizeof(struct conf_rules) + sizeof(struct conf_socket)];
	size_t size = field_size(key->type);

	memcpy(tmp, field(a, key), size);
	memcpy(field(a, key), field(b, key), size);
	memcpy(field(b, key), tmp, size);
}
