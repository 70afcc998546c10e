/* SPDX-License-Identifier: MIT */
/*
 * json.c - small helpers over jansson: typed members, errors with a path
 */
#include "daemon/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int json_fail(struct json_err *err, int ret, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
	}
	return ret;
}

const char *json_kind(const json_t *value)
{
	if (!value)
		return "nothing";
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a real number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		return "null";
	}
	return "something else";
}

/* The dot between a parent and its member; none below the root. */
static const char *dot(const char *at)
{
	return *at ? "." : "";
}

static int wrong_kind(const char *at, const char *key, const char *want,
		      const json_t *is, struct json_err *err)
{
	return json_fail(err, -EINVAL, "%s%s%s must be %s, not %s",
			 at, dot(at), key, want, json_kind(is));
}

static json_t *member(const json_t *obj, const char *at, const char *key,
		      struct json_err *err)
{
	json_t *value = json_object_get(obj, key);

	if (!value)
		json_fail(err, -ENOENT, "%s%s%s is missing",
			  at, dot(at), key);
	return value;
}

static int take_str(const json_t *value, const char *at, const char *key,
		    const char **out, struct json_err *err)
{
	if (!json_is_string(value))
		return wrong_kind(at, key, "a string", value, err);
	*out = json_string_value(value);
	return 0;
}

static int take_u64(const json_t *value, const char *at, const char *key,
		    uint64_t min, uint64_t max, uint64_t *out,
		    struct json_err *err)
{
	json_int_t n;

	if (!json_is_integer(value))
		return wrong_kind(at, key, "an integer", value, err);
	n = json_integer_value(value);
	if (n < 0 || (uint64_t)n < min || (uint64_t)n > max)
		return json_fail(err, -ERANGE,
				 "%s%s%s is %" JSON_INTEGER_FORMAT
				 ", must be %" PRIu64 " to %" PRIu64,
				 at, dot(at), key, n, min, max);
	*out = (uint64_t)n;
	return 0;
}

static int take_bool(const json_t *value, const char *at, const char *key,
		     bool *out, struct json_err *err)
{
	if (!json_is_boolean(value))
		return wrong_kind(at, key, "true or false", value, err);
	*out = json_is_true(value);
	return 0;
}

static int take_obj(json_t *value, const char *at, const char *key,
		    json_t **out, struct json_err *err)
{
	if (!json_is_object(value))
		return wrong_kind(at, key, "an object", value, err);
	*out = value;
	return 0;
}

int json_need_str(const json_t *obj, const char *at, const char *key,
		  const char **out, struct json_err *err)
{
	const json_t *value = member(obj, at, key, err);

	return value ? take_str(value, at, key, out, err) : -ENOENT;
}

int json_need_u64(const json_t *obj, const char *at, const char *key,
		  uint64_t min, uint64_t max, uint64_t *out,
		  struct json_err *err)
{
	const json_t *value = member(obj, at, key, err);

	return value ? take_u64(value, at, key, min, max, out, err) : -ENOENT;
}

int json_need_bool(const json_t *obj, const char *at, const char *key,
		   bool *out, struct json_err *err)
{
	const json_t *value = member(obj, at, key, err);

	return value ? take_bool(value, at, key, out, err) : -ENOENT;
}

int json_need_obj(const json_t *obj, const char *at, const char *key,
		  json_t **out, struct json_err *err)
{
	json_t *value = member(obj, at, key, err);

	return value ? take_obj(value, at, key, out, err) : -ENOENT;
}

int json_need_arr(const json_t *obj, const char *at, const char *key,
		  json_t **out, struct json_err *err)
{
	json_t *value = member(obj, at, key, err);

	if (!value)
		return -ENOENT;
	if (!json_is_array(value))
		return wrong_kind(at, key, "an array", value, err);
	*out = value;
	return 0;
}

/* A member that is there and says something. */
static json_t *given(const json_t *obj, const char *key)
{
	json_t *value = json_object_get(obj, key);

	return json_is_null(value) ? NULL : value;
}

int json_opt_str(const json_t *obj, const char *at, const char *key,
		 const char **out, struct json_err *err)
{
	const json_t *value = given(obj, key);

	return value ? take_str(value, at, key, out, err) : 0;
}

int json_opt_u64(const json_t *obj, const char *at, const char *key,
		 uint64_t min, uint64_t max, uint64_t *out,
		 struct json_err *err)
{
	const json_t *value = given(obj, key);

	return value ? take_u64(value, at, key, min, max, out, err) : 0;
}

int json_opt_bool(const json_t *obj, const char *at, const char *key,
		  bool *out, struct json_err *err)
{
	const json_t *value = given(obj, key);

	return value ? take_bool(value, at, key, out, err) : 0;
}

int json_opt_obj(const json_t *obj, const char *at, const char *key,
		 json_t **out, struct json_err *err)
{
	json_t *value = given(obj, key);

	return value ? take_obj(value, at, key, out, err) : 0;
}

static void list_keys(const char *const *keys, char *buf, size_t len)
{
	size_t used = 0;

	snprintf(buf, len, "none");
	for (; *keys && used < len; keys++)
		used += (size_t)snprintf(buf + used, len - used, "%s%s",
					 used ? ", " : "", *keys);
}

int json_only(const json_t *obj, const char *at, const char *const *keys,
	      struct json_err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)obj, key, value) {
		const char *const *k = keys;
		char allowed[160];

		while (*k && strcmp(*k, key) != 0)
			k++;
		if (*k)
			continue;
		list_keys(keys, allowed, sizeof(allowed));
		return json_fail(err, -EINVAL,
				 "%s%s%.40s is unknown; allowed: %s",
				 at, dot(at), key, allowed);
	}
	return 0;
}

int json_parse(json_t **out, const char *text, size_t len,
	       struct json_err *err)
{
	json_error_t e;

	*out = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
			  &e);
	if (*out)
		return 0;
	if (json_error_code(&e) == json_error_out_of_memory)
		return json_fail(err, -ENOMEM, "out of memory");
	return json_fail(err, -EINVAL, "line %d, column %d: %s",
			 e.line, e.column, e.text);
}

char *json_oneline(const json_t *value, size_t *len)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text && len)
		*len = strlen(text);
	return text;
}

int json_put(json_t *obj, const char *key, json_t *value)
{
	if (!value)
		return -ENOMEM;
	return json_object_set_new(obj, key, value) ? -ENOMEM : 0;
}

int json_put_str(json_t *obj, const char *key, const char *text)
{
	json_t *value = json_string(text);

	/* A peer's name may be no UTF-8, which JSON can't hold. */
	if (!value)
		value = json_string_nocheck("(not UTF-8)");
	return json_put(obj, key, value);
}

int json_put_u64(json_t *obj, const char *key, uint64_t number)
{
	/* JSON integers end at 2^63 - 1 here; counters never get there. */
	if (number > INT64_MAX)
		number = INT64_MAX;
	return json_put(obj, key, json_integer((json_int_t)number));
}

int json_put_bool(json_t *obj, const char *key, bool truth)
{
	return json_put(obj, key, json_boolean(truth));
}
