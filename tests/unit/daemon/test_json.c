/* SPDX-License-Identifier: MIT */
/*
 * test_json.c - typed members, error texts, parsing and writing one line
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "daemon/json.h"

static json_t *parse(const char *text)
{
	struct json_err err;
	json_t *value;

	if (json_parse(&value, text, strlen(text), &err))
		print_error("%s\n", err.text);
	assert_non_null(value);
	return value;
}

static void test_required_members(void **state)
{
	json_t *obj = parse("{\"s\":\"x\",\"n\":7,\"b\":true,\"o\":{},"
			    "\"a\":[]}");
	const char *s = NULL;
	struct json_err err;
	json_t *o, *a;
	uint64_t n;
	bool b;

	(void)state;
	assert_int_equal(json_need_str(obj, "", "s", &s, &err), 0);
	assert_string_equal(s, "x");
	assert_int_equal(json_need_u64(obj, "", "n", 7, 7, &n, &err), 0);
	assert_int_equal(n, 7);
	assert_int_equal(json_need_bool(obj, "", "b", &b, &err), 0);
	assert_true(b);
	assert_int_equal(json_need_obj(obj, "", "o", &o, &err), 0);
	assert_int_equal(json_need_arr(obj, "", "a", &a, &err), 0);
	json_decref(obj);
}

static void test_errors_name_the_member_and_leave_out_alone(void **state)
{
	json_t *obj = parse("{\"s\":5,\"n\":\"x\",\"neg\":-1,\"big\":9}");
	const char *s = "before";
	struct json_err err;
	uint64_t n = 42;

	(void)state;
	assert_int_equal(json_need_str(obj, "args", "s", &s, &err), -EINVAL);
	assert_string_equal(err.text, "args.s must be a string, not an "
			    "integer");
	assert_string_equal(s, "before");
	assert_int_equal(json_need_str(obj, "args", "t", &s, &err), -ENOENT);
	assert_string_equal(err.text, "args.t is missing");
	assert_int_equal(json_need_u64(obj, "", "n", 0, 9, &n, &err),
			 -EINVAL);
	assert_string_equal(err.text, "n must be an integer, not a string");
	assert_int_equal(json_need_u64(obj, "", "neg", 0, UINT64_MAX, &n,
				       &err), -ERANGE);
	assert_int_equal(json_need_u64(obj, "", "big", 1, 8, &n, &err),
			 -ERANGE);
	assert_string_equal(err.text, "big is 9, must be 1 to 8");
	assert_int_equal(n, 42);
	json_decref(obj);
}

static void test_optional_members_may_be_absent_or_null(void **state)
{
	json_t *obj = parse("{\"s\":null,\"n\":3}");
	const char *s = "default";
	struct json_err err;
	json_t *o = NULL;
	bool b = true;
	uint64_t n = 1;

	(void)state;
	assert_int_equal(json_opt_str(obj, "", "s", &s, &err), 0);
	assert_string_equal(s, "default");
	assert_int_equal(json_opt_u64(obj, "", "n", 0, 9, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_int_equal(json_opt_bool(obj, "", "b", &b, &err), 0);
	assert_true(b);
	assert_int_equal(json_opt_obj(obj, "", "o", &o, &err), 0);
	assert_null(o);
	assert_int_equal(json_opt_str(obj, "", "n", &s, &err), -EINVAL);
	/* "args" was no object at all: nothing is there. */
	assert_int_equal(json_opt_str(NULL, "", "s", &s, &err), 0);
	json_decref(obj);
}

static void test_members_that_nobody_reads_are_refused(void **state)
{
	static const char *const keys[] = { "rank", "job", NULL };
	static const char *const none[] = { NULL };
	json_t *good = parse("{\"job\":1}"), *bad = parse("{\"jbo\":1}");
	struct json_err err;

	(void)state;
	assert_int_equal(json_only(good, "args", keys, &err), 0);
	assert_int_equal(json_only(bad, "args", keys, &err), -EINVAL);
	assert_string_equal(err.text, "args.jbo is unknown; allowed: rank, "
			    "job");
	assert_int_equal(json_only(bad, "", none, &err), -EINVAL);
	assert_string_equal(err.text, "jbo is unknown; allowed: none");
	json_decref(good);
	json_decref(bad);
}

static void test_parse_refuses_what_is_no_single_value(void **state)
{
	static const char *const bad[] = {
		"", "{", "{\"a\":1,\"a\":2}", "{} {}", "nul", "{\"a\":1e999}",
		"99999999999999999999", "\"\\u0000\"",
	};
	struct json_err err;
	json_t *value;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(json_parse(&value, bad[i], strlen(bad[i]),
					    &err), -EINVAL);
		assert_null(value);
		assert_non_null(strstr(err.text, "column"));
	}
}

static void test_parse_needs_no_zero_at_the_end(void **state)
{
	struct json_err err;
	json_t *value;

	(void)state;
	assert_int_equal(json_parse(&value, "[1]garbage", 3, &err), 0);
	assert_int_equal(json_array_size(value), 1);
	json_decref(value);
}

static void test_one_line_has_no_newline_and_keeps_the_order(void **state)
{
	json_t *obj = json_object();
	size_t len;
	char *text;

	(void)state;
	assert_int_equal(json_put_str(obj, "z", "a\nb"), 0);
	assert_int_equal(json_put_u64(obj, "a", 5), 0);
	assert_int_equal(json_put_bool(obj, "m", false), 0);
	text = json_oneline(obj, &len);
	assert_string_equal(text, "{\"z\":\"a\\nb\",\"a\":5,\"m\":false}");
	assert_int_equal(len, strlen(text));
	free(text);
	json_decref(obj);
}

static void test_builders_survive_what_json_can_not_hold(void **state)
{
	json_t *obj = json_object();

	(void)state;
	assert_int_equal(json_put_str(obj, "s", "\xff\xfe"), 0);
	assert_string_equal(json_string_value(json_object_get(obj, "s")),
			    "(not UTF-8)");
	assert_int_equal(json_put_u64(obj, "n", UINT64_MAX), 0);
	assert_int_equal(json_integer_value(json_object_get(obj, "n")),
			 INT64_MAX);
	assert_int_equal(json_put(obj, "x", NULL), -ENOMEM);
	json_decref(obj);
}

static void test_a_long_error_is_cut_not_overrun(void **state)
{
	struct json_err err;
	char key[1024];

	(void)state;
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	assert_int_equal(json_fail(&err, -EPERM, "%s", key), -EPERM);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_int_equal(json_fail(NULL, -EPERM, "%s", key), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_required_members),
		cmocka_unit_test(
			test_errors_name_the_member_and_leave_out_alone),
		cmocka_unit_test(test_optional_members_may_be_absent_or_null),
		cmocka_unit_test(test_members_that_nobody_reads_are_refused),
		cmocka_unit_test(test_parse_refuses_what_is_no_single_value),
		cmocka_unit_test(test_parse_needs_no_zero_at_the_end),
		cmocka_unit_test(
			test_one_line_has_no_newline_and_keeps_the_order),
		cmocka_unit_test(test_builders_survive_what_json_can_not_hold),
		cmocka_unit_test(test_a_long_error_is_cut_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
