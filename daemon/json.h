/* SPDX-License-Identifier: MIT */
/*
 * json.h - small helpers over jansson: typed members, errors with a path
 *
 * All of them read an object @obj that the caller calls @at in error texts
 * ("args", "domains.default"; "" for the root).  On failure *@out is
 * untouched and @err->text is one sentence without a full stop.
 */
#ifndef DAEMON_JSON_H
#define DAEMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct json_err {
	char text[256];
};

/* Write an error text; returns @ret, so that a caller can return the call. */
int json_fail(struct json_err *err, int ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Required members.
 *
 * Return: 0 on success, negative error code otherwise
 *	-ENOENT	 no such member
 *	-EINVAL	 another type
 *	-ERANGE	 a number outside @min .. @max
 */
int json_need_str(const json_t *obj, const char *at, const char *key,
		  const char **out, struct json_err *err);
int json_need_u64(const json_t *obj, const char *at, const char *key,
		  uint64_t min, uint64_t max, uint64_t *out,
		  struct json_err *err);
int json_need_bool(const json_t *obj, const char *at, const char *key,
		   bool *out, struct json_err *err);
int json_need_obj(const json_t *obj, const char *at, const char *key,
		  json_t **out, struct json_err *err);
int json_need_arr(const json_t *obj, const char *at, const char *key,
		  json_t **out, struct json_err *err);

/* Optional members: absent or null is success and leaves *@out alone. */
int json_opt_str(const json_t *obj, const char *at, const char *key,
		 const char **out, struct json_err *err);
int json_opt_u64(const json_t *obj, const char *at, const char *key,
		 uint64_t min, uint64_t max, uint64_t *out,
		 struct json_err *err);
int json_opt_bool(const json_t *obj, const char *at, const char *key,
		  bool *out, struct json_err *err);
int json_opt_obj(const json_t *obj, const char *at, const char *key,
		 json_t **out, struct json_err *err);

/**
 * json_only() - Refuse members that nobody will read
 * @keys:	Allowed names, ended by NULL
 *
 * Return: 0, or -EINVAL; the text names the member and what is allowed
 */
int json_only(const json_t *obj, const char *at, const char *const *keys,
	      struct json_err *err);

/**
 * json_parse() - Text to a value; duplicate members are an error
 * @out:	New reference, NULL on failure
 * @text:	@len bytes; needs no zero at the end
 *
 * Return: 0, -EINVAL (text says line and column) or -ENOMEM
 */
int json_parse(json_t **out, const char *text, size_t len,
	       struct json_err *err);

/**
 * json_oneline() - A value as one line of text, members in their order
 * @len:	Bytes without the zero; may be NULL
 *
 * Return: malloc'd text without a newline, or NULL (no memory)
 */
char *json_oneline(const json_t *value, size_t *len);

/* What a value is, for error texts: "a string", "an object", ... */
const char *json_kind(const json_t *value);

/*
 * Builders.  Each steals nothing and checks nothing but memory: 0 or -ENOMEM.
 * json_put() steals @value (and takes NULL for "no memory").
 */
int json_put(json_t *obj, const char *key, json_t *value);
int json_put_str(json_t *obj, const char *key, const char *text);
int json_put_u64(json_t *obj, const char *key, uint64_t value);
int json_put_bool(json_t *obj, const char *key, bool value);

#endif
