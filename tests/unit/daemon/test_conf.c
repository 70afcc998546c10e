/* SPDX-License-Identifier: MIT */
/*
 * test_conf.c - reading, checking, comparing a configuration
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <pwd.h>

#include "daemon/conf.h"
#include "daemon/ivshmem.h"
#include "daemon/json.h"
#include "daemon/log.h"

/* A file with @text; its name is "conf-XXXXXX" below the test's directory. */
struct fixture {
	char path[64];
	struct conf *c;
	char *errors;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fd;

	assert_non_null(f);
	snprintf(f->path, sizeof(f->path), "/tmp/snoo-test-conf-XXXXXX");
	fd = mkstemp(f->path);
	assert_true(fd >= 0);
	close(fd);
	*state = f;
	return 0;
}

static void forget(struct fixture *f)
{
	conf_close(f->c);
	free(f->errors);
	f->c = NULL;
	f->errors = NULL;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	forget(f);
	unlink(f->path);
	free(f);
	return 0;
}

static void write_file(struct fixture *f, const char *text)
{
	FILE *out = fopen(f->path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
}

static int load(struct fixture *f, const char *text,
		const struct conf_overrides *ov)
{
	forget(f);
	if (text)
		write_file(f, text);
	return conf_load(&f->c, text ? f->path : NULL, ov, &f->errors);
}

static void load_ok(struct fixture *f, const char *text)
{
	int ret = load(f, text, NULL);

	if (ret)
		print_error("%s", f->errors);
	assert_int_equal(ret, 0);
	assert_null(f->errors);
	assert_non_null(f->c);
}

static int load_set(struct fixture *f, const char *text, const char *set)
{
	const struct conf_overrides ov = { .sets = &set, .nsets = 1 };

	return load(f, text, &ov);
}

/* @text is wrong, and the first line of the errors is at @line:@column and
 * holds @words. */
static void expect_wrong(struct fixture *f, const char *text,
			 unsigned int line, unsigned int column,
			 const char *words)
{
	char place[128];

	assert_int_equal(load(f, text, NULL), -EINVAL);
	assert_null(f->c);
	assert_non_null(f->errors);
	snprintf(place, sizeof(place), "%s:%u:%u: ", f->path, line, column);
	if (strncmp(f->errors, place, strlen(place)) != 0 ||
	    !strstr(f->errors, words)) {
		print_error("wanted %s...%s\ngot %s", place, words,
			    f->errors);
		fail();
	}
}

/* ---- defaults --------------------------------------------------------- */

static void test_no_file_is_needed(void **state)
{
	struct fixture *f = *state;
	const struct conf_domain *d;

	load_ok(f, NULL);
	assert_int_equal(f->c->ndomains, 1);
	d = conf_domain_find(f->c, "default");
	assert_ptr_equal(d, &f->c->domains[0]);
	assert_null(conf_domain_find(f->c, "other"));

	assert_int_equal(f->c->log_level, LOG_LEVEL_INFO);
	assert_int_equal(f->c->admin_socket.mode, 0600);
	assert_int_equal(f->c->limits.handshake_ms, 2000);
	assert_int_equal(f->c->limits.handshakes_per_uid, 1);
	assert_int_equal(f->c->limits.admin_line_bytes, 65536);
	assert_int_equal(f->c->limits.admin_clients, 16);
	assert_true(f->c->placement.pin);
	assert_int_equal(d->socket.mode, 0660);
	assert_int_equal(d->socket.gid, CONF_NO_GID);
	assert_int_equal(d->pool.size_bytes, 64u << 20);
	assert_int_equal(d->ranks_max, 256);
	assert_int_equal(d->job_ranks_max, 64);
	assert_int_equal(d->stream_bytes, 2 << 20);
	assert_int_equal(d->block_bytes.small, 16384);
	assert_int_equal(d->block_bytes.large, 65536);
	assert_int_equal(d->blocks_per_rank.small, 32);
	assert_int_equal(d->blocks_per_rank.large, 64);
	assert_int_equal(d->ring_bytes.small, 4096);
	assert_int_equal(d->ring_bytes.large, 65536);
	assert_int_equal(d->ivshmem.slots, 1);
	assert_int_equal(d->ivshmem.vectors, 8);
	assert_true(d->single_copy);
	assert_int_equal(d->spin_us, CONF_AUTO);
	assert_int_equal(d->weight_default, 1);
}

static void test_an_empty_object_is_the_defaults(void **state)
{
	struct fixture *f = *state;
	struct conf_change *change;
	struct conf *defaults;
	unsigned int n;

	load_ok(f, NULL);
	defaults = f->c;
	f->c = NULL;
	load_ok(f, "{}");
	assert_int_equal(conf_diff(defaults, f->c, &change, &n), 0);
	assert_int_equal(n, 0);
	conf_diff_free(change, n);
	conf_close(defaults);
}

static void test_the_runtime_directory_follows_the_user(void **state)
{
	char *dir, expect[64];

	(void)state;
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	dir = conf_default_runtime_dir();
	assert_string_equal(dir, geteuid() == 0 ? "/run/snoo" :
						  "/run/user/7/snoo");
	free(dir);

	unsetenv("XDG_RUNTIME_DIR");
	snprintf(expect, sizeof(expect), "/tmp/snoo-%u",
		 (unsigned int)geteuid());
	dir = conf_default_runtime_dir();
	assert_string_equal(dir, geteuid() == 0 ? "/run/snoo" : expect);
	free(dir);
}

static void test_paths_are_derived_from_the_runtime_directory(void **state)
{
	struct fixture *f = *state;

	load_ok(f, "{\"runtime_dir\": \"/x\", \"domains\": {"
		   "\"a\": {}, \"b\": {\"socket\": {\"path\": \"/y/s\"}}}}");
	assert_string_equal(f->c->admin_socket.path, "/x/admin.sock");
	assert_string_equal(f->c->domains[0].socket.path, "/x/a.sock");
	assert_string_equal(f->c->domains[0].ivshmem.socket.path,
			    "/x/a.ivshmem.sock");
	assert_string_equal(f->c->domains[0].ivshmem.control_path,
			    "/x/a.control.sock");
	assert_string_equal(f->c->domains[1].socket.path, "/y/s");
}

/* ---- values ----------------------------------------------------------- */

static void test_every_kind_of_value_is_read(void **state)
{
	struct fixture *f = *state;
	const struct conf_domain *d;

	load_ok(f, "{\"log_level\": \"debug\", \"placement\": {\"policy\": "
		"\"spread\", \"pin\": false}, \"domains\": {\"lab\": {"
		"\"pool\": {\"size_bytes\": \"1G\", \"huge_pages\": "
		"\"require\"}, \"socket\": {\"mode\": \"666\", \"group\": "
		"\"root\"}, \"eager_bytes\": 8192, \"spin_us\": 0, "
		"\"weights\": {\"cfd-*\": 4, \"*\": 2}, \"rate_limits\": "
		"{\"bulk\": \"2G\"}, \"admins\": {\"uids\": [\"root\", 7], "
		"\"gids\": [8]}}}}");
	d = &f->c->domains[0];
	assert_int_equal(f->c->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(f->c->placement.policy, CONF_PLACE_SPREAD);
	assert_false(f->c->placement.pin);
	assert_string_equal(d->name, "lab");
	assert_int_equal(d->pool.size_bytes, 1u << 30);
	assert_int_equal(d->pool.huge_pages, CONF_HUGE_REQUIRE);
	assert_int_equal(d->socket.mode, 0666);
	assert_string_equal(d->socket.group, "root");
	assert_int_equal(d->socket.gid, 0);
	assert_int_equal(d->eager_bytes, 8192);
	assert_int_equal(d->spin_us, 0);
	assert_int_equal(d->weights.n, 2);
	assert_string_equal(d->weights.rule[0].glob, "cfd-*");
	assert_int_equal(d->rate_limits.rule[0].value, 2ull << 30);
	assert_int_equal(d->admins.uids.n, 2);
	assert_int_equal(d->admins.uids.id[0], 0);
	assert_int_equal(d->admins.uids.id[1], 7);
	assert_int_equal(d->admins.gids.id[0], 8);
}

static void test_the_first_rule_that_matches_counts(void **state)
{
	struct fixture *f = *state;
	const struct conf_domain *d;

	load_ok(f, "{\"domains\": {\"d\": {\"weight_default\": 3, "
		   "\"weights\": {\"a*\": 5, \"ab\": 7, \"slot:1\": 9}, "
		   "\"rate_limits\": {\"bulk-?\": \"1M\"}}}}");
	d = &f->c->domains[0];
	assert_int_equal(conf_weight(d, "ab"), 5);
	assert_int_equal(conf_weight(d, "b"), 3);
	assert_int_equal(conf_weight(d, "slot:1"), 9);
	assert_int_equal(conf_rate_limit(d, "bulk-1"), 1u << 20);
	assert_int_equal(conf_rate_limit(d, "bulk-10"), 0);
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t bytes;
	} t[] = {
		{ "0", 0, 0 }, { "4096", 0, 4096 }, { "64K", 0, 65536 },
		{ "1M", 0, 1u << 20 }, { "3G", 0, 3ull << 30 },
		{ "16T", 0, 16ull << 40 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "16777216T", -ERANGE, 0 },
		{ "", -EINVAL, 0 }, { "K", -EINVAL, 0 },
		{ "64k", -EINVAL, 0 }, { "64KB", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 }, { " 1", -EINVAL, 0 },
		{ "1.5M", -EINVAL, 0 }, { "0x10", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint64_t bytes = 42;

		assert_int_equal(conf_parse_bytes(t[i].text, &bytes),
				 t[i].ret);
		assert_true(bytes == (t[i].ret ? 42 : t[i].bytes));
	}
}

static void test_names(void **state)
{
	char longest[CONF_NAME_MAX + 2];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[CONF_NAME_MAX + 1] = '\0';
	assert_false(conf_name_ok(longest));
	longest[CONF_NAME_MAX] = '\0';
	assert_true(conf_name_ok(longest));

	assert_true(conf_name_ok("A.b_c-9"));
	assert_true(conf_name_ok("..."));
	assert_false(conf_name_ok(""));
	assert_false(conf_name_ok("."));
	assert_false(conf_name_ok(".."));
	assert_false(conf_name_ok("a/b"));
	assert_false(conf_name_ok("a b"));
	assert_false(conf_name_ok("a\nb"));
	assert_false(conf_name_ok("\xc3\xa4"));
}

/* ---- mistakes --------------------------------------------------------- */

static void test_syntax_errors_have_line_and_column(void **state)
{
	expect_wrong(*state, "{\n  \"role\": ,\n}", 2, 11, "unexpected");
	expect_wrong(*state, "", 1, 0, "end of file");
	expect_wrong(*state, "[]", 1, 1, "an object, not an array");
}

static void test_a_duplicate_key_is_a_mistake(void **state)
{
	expect_wrong(*state, "{\n \"hal\": \"emul\",\n \"hal\": \"emul\"\n}",
		     3, 6, "duplicate object key");
}

static void test_an_unknown_key_lists_what_is_allowed(void **state)
{
	struct fixture *f = *state;

	expect_wrong(f, "{\n  \"limits\": {\n\t\"handshake\": 5\n  }\n}",
		     3, 2, "limits.handshake: unknown key; allowed here: "
		     "handshake_ms, handshakes_per_uid, admin_line_bytes, "
		     "admin_clients");
	expect_wrong(f, "{\"nonsense\": 1}", 1, 2, "runtime_dir, role");
	assert_non_null(strstr(f->errors, "placement, limits"));
	assert_non_null(strstr(f->errors, ", domains"));
	/* The keys of a group are listed, not those of its neighbours. */
	expect_wrong(f, "{\"domains\": {\"d\": {\"pool\": {\"Path\": 1}}}}",
		     1, 29, "allowed here: size_bytes, huge_pages, path, "
		     "mode, group, holder_user\n");
}

static void test_a_dotted_key_is_no_path(void **state)
{
	expect_wrong(*state, "{\"limits.handshake_ms\": 5}", 1, 2,
		     "\"limits.handshake_ms\": unknown key");
	expect_wrong(*state, "{\"\": 5}", 1, 2, "unknown key");
}

static void test_a_holders_user_may_name_a_group(void **state)
{
	struct passwd *pw = getpwuid(65534);
	const struct conf_domain *d;
	struct fixture *f = *state;
	uint32_t uid = 1, gid = 1;
	char text[256];

	load_ok(f, "{}");
	assert_string_equal(f->c->domains[0].pool.holder_user.name, "");
	assert_int_equal(f->c->domains[0].pool.holder_user.uid, CONF_NO_GID);
	assert_int_equal(f->c->domains[0].pool.holder_user.gid, CONF_NO_GID);
	if (!pw)
		skip();
	snprintf(text, sizeof(text),
		 "{\"domains\": {\"d\": {\"pool\": "
		 "{\"holder_user\": \"%s\"}}}}",
		 pw->pw_name);
	load_ok(f, text);
	d = &f->c->domains[0];
	assert_int_equal(d->pool.holder_user.uid, pw->pw_uid);
	assert_int_equal(d->pool.holder_user.gid, pw->pw_gid);
	snprintf(text, sizeof(text),
		 "{\"domains\": {\"d\": {\"pool\": "
		 "{\"holder_user\": \"%s:root\"}}}}",
		 pw->pw_name);
	load_ok(f, text);
	d = &f->c->domains[0];
	assert_int_equal(d->pool.holder_user.uid, pw->pw_uid);
	assert_int_equal(d->pool.holder_user.gid, 0);

	assert_int_equal(conf_owner_find("root:", &uid, &gid), -ENOENT);
	assert_int_equal(conf_owner_find(":root", &uid, &gid), -ENOENT);
	expect_wrong(f,
		     "{\"domains\": {\"d\": {\"pool\": {\"holder_user\": "
		     "\"no-such-user-x\"}}}}",
		     1, 44, "no user or group \"no-such-user-x\"");
	expect_wrong(f,
		     "{\"domains\": {\"d\": {\"pool\": {\"holder_user\": "
		     "\"root:no-such-x\"}}}}",
		     1, 44, "no user or group");
}

static void test_a_group_of_keys_must_be_an_object(void **state)
{
	expect_wrong(*state, "{\"limits\": 5}", 1, 12,
		     "limits: must be an object, not an integer");
}

static void test_wrong_types_and_ranges_are_told(void **state)
{
	static const struct {
		const char *text, *words;
		unsigned int column;
	} t[] = {
		{ "{\"role\": \"king\"}", "role: is \"king\", must be one of "
		  "\"auto\", \"host\", \"guest\"", 10 },
		{ "{\"role\": 5}", "must be one of", 10 },
		{ "{\"limits\": {\"handshake_ms\": 9}}",
		  "is 9, must be 10 to 600000", 29 },
		{ "{\"limits\": {\"handshake_ms\": 600001}}",
		  "is 600001, must be 10 to 600000", 29 },
		{ "{\"limits\": {\"handshake_ms\": -1}}", "is -1, must", 29 },
		{ "{\"limits\": {\"handshake_ms\": 20.0}}",
		  "must be an integer, not a real number", 29 },
		{ "{\"limits\": {\"handshake_ms\": \"20\"}}",
		  "must be an integer, not a string", 29 },
		{ "{\"limits\": {\"admin_line_bytes\": \"4\"}}",
		  "is 4, must be 4K to 16M", 33 },
		{ "{\"limits\": {\"admin_line_bytes\": true}}",
		  "not a boolean", 33 },
		{ "{\"placement\": {\"pin\": 1}}",
		  "must be true or false, not an integer", 23 },
		{ "{\"runtime_dir\": \"run\"}", "must be an absolute path",
		  17 },
		{ "{\"runtime_dir\": null}", "must be a string, not null",
		  17 },
		{ "{\"admin_socket\": {\"mode\": \"0888\"}}", "is no mode",
		  27 },
		{ "{\"admin_socket\": {\"mode\": \"4755\"}}", "is no mode",
		  27 },
		{ "{\"admin_socket\": {\"mode\": 384}}", "octal digits", 27 },
		{ "{\"admin_socket\": {\"group\": \"no-such-group-x\"}}",
		  "no group \"no-such-group-x\"", 28 },
		{ "{\"domains\": {\"d\": {\"spin_us\": \"never\"}}}",
		  "an integer or \"auto\"", 31 },
		{ "{\"domains\": {\"d\": {\"pool\": {\"size_bytes\": "
		  "\"48M\"}}}}", "is 48M, must be a power of two", 43 },
		{ "{\"domains\": {\"d\": {\"weights\": {\"a\": 0}}}}",
		  "domains.d.weights.a: is 0, must be 1 to 1000", 37 },
		{ "{\"domains\": {\"d\": {\"weights\": {\"a/b\": 1}}}}",
		  "a pattern is", 32 },
		{ "{\"domains\": {\"d\": {\"weights\": []}}}",
		  "not an array", 31 },
		{ "{\"domains\": {\"d\": {\"admins\": {\"uids\": [1, -1]"
		  "}}}}", "domains.d.admins.uids[1]: must be a user", 43 },
		{ "{\"domains\": {\"d\": {\"admins\": {\"gids\": "
		  "[\"no-such-group-x\"]}}}}", "no group", 40 },
		{ "{\"guest\": {\"run\": {\"programs\": [\"cat\"]}}}",
		  "guest.run.programs[0]: \"cat\" must be absolute", 33 },
		{ "{\"guest\": {\"run\": {\"programs\": [\"/a/../b\"]}}}",
		  "must not have . or ..", 33 },
		{ "{\"guest\": {\"run\": {\"programs\": [\"/a//b\"]}}}",
		  "must not have //", 33 },
		{ "{\"guest\": {\"run\": {\"programs\": [\"/a/\"]}}}",
		  "must not end with /", 33 },
		{ "{\"guest\": {\"run\": {\"programs\": [1]}}}",
		  "must be a string, not an integer", 33 },
		{ "{\"guest\": {\"run\": {\"programs\": \"/a\"}}}",
		  "must be an array of strings", 32 },
		{ "{\"guest\": {\"run\": {\"programs\": [\"/a\"]}}}",
		  "guest.run.user: must name the user", 19 },
		{ "{\"guest\": {\"run\": {\"user\": \"root\"}}}",
		  "never run as root", 28 },
		{ "{\"guest\": {\"run\": {\"user\": \"no-such-user-x\"}}}",
		  "no user \"no-such-user-x\"", 28 },
		{ "{\"guest\": {\"run\": {\"env\": [\"A B\"]}}}",
		  "NAME or NAME=VALUE", 28 },
		{ "{\"guest\": {\"run\": {\"env\": [\"1=2\"]}}}",
		  "NAME or NAME=VALUE", 28 },
		{ "{\"guest\": {\"run\": {\"env\": [\"LD_PRELOAD\"]}}}",
		  "load code", 28 },
		{ "{\"guest\": {\"run\": {\"env\": [\"SNOO_RANK\"]}}}",
		  "must not begin with SNOO_", 28 },
		{ "{\"guest\": {\"run\": {\"limits\": {\"nice\": -1}}}}",
		  "must be 0 to 19", 39 },
		{ "{\"domains\": {}}", "at least one", 13 },
		{ "{\"domains\": {\"..\": {}}}", "a domain's name is", 14 },
		{ "{\"domains\": {\"d\": []}}", "must be an object, not an "
		  "array", 19 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		expect_wrong(*state, t[i].text, 1, t[i].column, t[i].words);
}

static void test_the_ends_of_a_range_belong_to_it(void **state)
{
	struct fixture *f = *state;

	load_ok(f, "{\"limits\": {\"handshake_ms\": 600000}}");
	load_ok(f, "{\"limits\": {\"handshake_ms\": 10, "
		   "\"admin_line_bytes\": \"16M\"}}");
	load_ok(f, "{\"limits\": {\"admin_line_bytes\": 4096}}");
}

static void test_every_mistake_is_told_in_one_run(void **state)
{
	struct fixture *f = *state;
	unsigned int lines = 0;

	assert_int_equal(load(f, "{\"role\": 1,\n\"hal\": 2,\n\"zzz\": 3,\n"
				 "\"domains\": {\"d\": {\"ranks_max\": 0}}}",
			      NULL), -EINVAL);
	for (const char *p = f->errors; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 4);
	assert_non_null(strstr(f->errors, ":2:8: hal: "));
	assert_non_null(strstr(f->errors, ":3:1: zzz: "));
	assert_non_null(strstr(f->errors, ":4:32: domains.d.ranks_max: "));
}

/* The same key in another place, in a string, after escapes: the walk that
 * finds positions must not be led astray. */
static void test_positions_are_those_of_the_right_value(void **state)
{
	expect_wrong(*state,
		     "{\"guest\": {\"data_device\": \"\\\"role\\\": {\\\\\"},"
		     "\n \"domains\": {\"a\": {\"weights\": {\"[x]\": 1, "
		     "\"y\": 2}}},\n \"\\u0072ole\": 5}",
		     3, 15, "role: must be one of");
	/* Columns count characters, not bytes. */
	expect_wrong(*state, "{\"guest\": {\"data_device\": \"\xc3\xa4\"}, "
			     "\"role\": 5}", 1, 41, "role: must");
}

static void test_a_control_character_does_not_break_the_line(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "{\"a\\nb\": 1}", NULL), -EINVAL);
	assert_ptr_equal(strchr(f->errors, '\n'),
			 f->errors + strlen(f->errors) - 1);
}

static void test_what_belongs_together_is_checked(void **state)
{
	static const struct {
		const char *keys, *words;
	} t[] = {
		{ "\"block_bytes\": {\"small\": \"64K\"}",
		  "domains.d.block_bytes.small: must be smaller" },
		{ "\"ring_bytes\": {\"small\": \"128K\"}",
		  "domains.d.ring_bytes.small: must not be larger" },
		{ "\"eager_bytes\": \"65537\"", "eager_bytes: must not" },
		{ "\"job_ranks_max\": 257", "job_ranks_max: must not" },
		{ "\"pool\": {\"size_bytes\": \"2M\"}",
		  "blocks_per_rank: the blocks of one rank" },
		{ "\"socket\": {\"path\": \"/x/admin.sock\"}",
		  "is another socket's path already" },
		{ "\"ivshmem\": {\"slots\": 2, "
		  "\"control_path\": \"/x/d.sock\"}",
		  "domains.d.ivshmem.control_path: \"/x/d.sock\" is another" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text), "{\"runtime_dir\": \"/x\", "
			 "\"domains\": {\"d\": {%s}}}", t[i].keys);
		assert_int_equal(load(f, text, NULL), -EINVAL);
		if (!strstr(f->errors, t[i].words))
			print_error("%s", f->errors);
		assert_non_null(strstr(f->errors, t[i].words));
	}
}

static void test_a_socket_path_must_fit_its_address(void **state)
{
	struct fixture *f = *state;
	char dir[128], text[256];

	/* admin.sock and a slash are 11 bytes; without VMs the domain's own
	 * name is shorter. */
	memset(dir, 'x', sizeof(dir));
	dir[0] = '/';
	dir[107 - 11] = '\0';
	snprintf(text, sizeof(text), "{\"runtime_dir\": \"%s\", \"domains\": "
		 "{\"d\": {}}}", dir);
	load_ok(f, text);

	dir[107 - 11] = 'x';
	dir[107 - 10] = '\0';
	snprintf(text, sizeof(text), "{\"runtime_dir\": \"%s\", \"domains\": "
		 "{\"d\": {}}}", dir);
	assert_int_equal(load(f, text, NULL), -EINVAL);
	assert_non_null(strstr(f->errors, "is 108 bytes long, a socket's "
			       "path may have 107"));
}

static void test_slots_whose_handshake_fits_no_buffer_are_wrong(void **state)
{
	static const char text[] = "{\"domains\": {\"d\": {\n"
		"\"ivshmem\": {\"vectors\": 64, \"slots\": 64}}}}";
	struct fixture *f = *state;
	char why[IVSHMEM_TEXT];
	int allowed = ivshmem_buffer_check(64, 64, why);

	/* By default a machine allows a tenth of it. */
	assert_int_equal(load(f, text, NULL), allowed ? -EINVAL : 0);
	if (!allowed)
		return;
	assert_non_null(strstr(f->errors, ":2:37: domains.d.ivshmem.slots: "
			       "the handshake with QEMU takes"));
	assert_non_null(strstr(f->errors, "raise net.core.wmem_max to"));
}

static void test_an_unreadable_file_is_named(void **state)
{
	struct fixture *f = *state;

	forget(f);
	assert_int_equal(conf_load(&f->c, "/no/such/file", NULL, &f->errors),
			 -ENOENT);
	assert_string_equal(f->errors, "/no/such/file: No such file or "
			    "directory\n");
	forget(f);
	assert_int_equal(conf_load(&f->c, "/", NULL, &f->errors), -EISDIR);
	forget(f);
	assert_int_equal(conf_load(&f->c, "/dev/zero", NULL, &f->errors),
			 -EFBIG);
}

/* ---- the command line ------------------------------------------------- */

static void test_set_takes_json_and_bare_words(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load_set(f, NULL, "log_level=debug"), 0);
	assert_int_equal(f->c->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(load_set(f, NULL, "log_level=\"error\""), 0);
	assert_int_equal(f->c->log_level, LOG_LEVEL_ERROR);
	assert_int_equal(load_set(f, NULL, "placement.pin=false"), 0);
	assert_false(f->c->placement.pin);
	assert_int_equal(load_set(f, NULL, "limits={\"handshake_ms\":50}"),
			 0);
	assert_int_equal(f->c->limits.handshake_ms, 50);
	assert_int_equal(load_set(f, NULL, "domains.default.pool.size_bytes="
				  "8M"), 0);
	assert_int_equal(f->c->domains[0].pool.size_bytes, 8u << 20);
	assert_int_equal(load_set(f, NULL, "domains.\"a.b\".weights.\"x.*\""
				  "=7"), 0);
	assert_int_equal(f->c->ndomains, 2);
	assert_int_equal(conf_weight(&f->c->domains[1], "x.1"), 7);
}

static void test_set_is_stronger_than_the_file(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load_set(f, "{\"limits\": {\"handshake_ms\": 30, "
				  "\"admin_clients\": 3}}",
				  "limits.handshake_ms=40"), 0);
	assert_int_equal(f->c->limits.handshake_ms, 40);
	assert_int_equal(f->c->limits.admin_clients, 3);
}

static void test_a_mistake_in_a_set_names_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load_set(f, "{}", "limits.handshake_ms=1"), -EINVAL);
	assert_string_equal(f->errors, "--set limits.handshake_ms=1: "
			    "limits.handshake_ms: is 1, must be 10 to "
			    "600000\n");
	assert_int_equal(load_set(f, "{}", "limits={\"handshake_ms\":1}"),
			 -EINVAL);
	assert_non_null(strstr(f->errors, "--set limits={\"handshake_ms\":1}:"
			       " limits.handshake_ms: "));
	/* A mistake of the file stays the file's. */
	assert_int_equal(load_set(f, "{\"limits\": {\"admin_clients\": 0}}",
				  "limits.handshake_ms=20"), -EINVAL);
	assert_non_null(strstr(f->errors, ":1:30: limits.admin_clients: "));
	assert_int_equal(load_set(f, NULL, "bogus=1"), -EINVAL);
	assert_non_null(strstr(f->errors, "--set bogus=1: bogus: unknown"));
	assert_int_equal(load_set(f, NULL, "limits"), -EINVAL);
	assert_non_null(strstr(f->errors, "must read key.path=value"));
	assert_int_equal(load_set(f, NULL, "=1"), -EINVAL);
	assert_int_equal(load_set(f, NULL, "a..b=1"), -EINVAL);
	assert_int_equal(load_set(f, NULL, "\"a=1"), -EINVAL);
	assert_int_equal(load_set(f, NULL, "a.b.c.d.e.f.g.h.i=1"), -EINVAL);
	assert_int_equal(load_set(f, "{\"limits\": 3}",
				  "limits.handshake_ms=20"), -EINVAL);
	assert_non_null(strstr(f->errors, "limits is no object"));
}

static void test_named_options(void **state)
{
	const struct conf_overrides ov = {
		.runtime_dir = "/r", .log_level = "warning", .domain = "b",
		.pool_size = "16M",
	};
	struct fixture *f = *state;

	assert_int_equal(load(f, "{\"domains\": {\"a\": {}, \"b\": "
				 "{\"ranks_max\": 80}}}", &ov), 0);
	assert_string_equal(f->c->runtime_dir, "/r");
	assert_int_equal(f->c->log_level, LOG_LEVEL_WARNING);
	assert_int_equal(f->c->ndomains, 1);
	assert_string_equal(f->c->domains[0].name, "b");
	assert_int_equal(f->c->domains[0].ranks_max, 80);
	assert_int_equal(f->c->domains[0].pool.size_bytes, 16u << 20);
}

static void test_a_domain_of_the_command_line_may_be_new(void **state)
{
	const struct conf_overrides ov = { .domain = "new" };
	const struct conf_overrides bad = { .domain = "a/b" };
	const struct conf_overrides size = { .pool_size = "3M" };
	struct fixture *f = *state;

	assert_int_equal(load(f, "{\"domains\": {\"a\": {}}}", &ov), 0);
	assert_int_equal(f->c->ndomains, 1);
	assert_string_equal(f->c->domains[0].name, "new");
	assert_int_equal(load(f, NULL, &bad), -EINVAL);
	assert_non_null(strstr(f->errors, "--domain: \"a/b\" is no name"));
	assert_int_equal(load(f, NULL, &size), -EINVAL);
	assert_non_null(strstr(f->errors, "--pool-size 3M: domains.default."
			       "pool.size_bytes: is 3M, must be a power"));
}

/* ---- dump, diff, apply ------------------------------------------------ */

static void test_a_dump_loads_as_the_same_configuration(void **state)
{
	struct fixture *f = *state;
	struct conf_change *change;
	struct conf *first;
	unsigned int n;
	json_t *dump;
	char *text;

	load_ok(f, "{\"runtime_dir\": \"/x\", \"domains\": {\"a\": "
		   "{\"weights\": {\"b\": 2, \"a\": 3}, \"admins\": "
		   "{\"uids\": [5]}, \"socket\": {\"mode\": \"0606\"}}, "
		   "\"b\": {\"spin_us\": 9}}}");
	dump = conf_dump(f->c);
	assert_non_null(dump);
	text = json_oneline(dump, NULL);
	json_decref(dump);
	first = f->c;
	f->c = NULL;

	load_ok(f, text);
	assert_int_equal(conf_diff(first, f->c, &change, &n), 0);
	assert_int_equal(n, 0);
	conf_diff_free(change, n);
	conf_close(first);
	free(text);
}

static const struct conf_change *find(const struct conf_change *change,
				      unsigned int n, const char *path)
{
	for (unsigned int i = 0; i < n; i++)
		if (strcmp(change[i].path, path) == 0)
			return &change[i];
	return NULL;
}

static void test_diff_tells_what_needs_a_restart(void **state)
{
	struct fixture *f = *state;
	const struct conf_change *c;
	struct conf_change *change;
	struct conf *before;
	unsigned int n;

	load_ok(f, "{\"runtime_dir\": \"/x\", \"domains\": {\"a\": "
		   "{\"weights\": {\"x\": 1, \"y\": 2}}, \"gone\": {}}}");
	before = f->c;
	f->c = NULL;
	load_ok(f, "{\"runtime_dir\": \"/x\", \"log_level\": \"debug\", "
		   "\"domains\": {\"a\": {\"weights\": {\"y\": 2, \"x\": 1},"
		   "\"ranks_max\": 99}, \"n.w\": {}}}");
	assert_int_equal(conf_diff(before, f->c, &change, &n), 0);
	assert_int_equal(n, 5);

	c = find(change, n, "log_level");
	assert_non_null(c);
	assert_string_equal(c->before, "\"info\"");
	assert_string_equal(c->after, "\"debug\"");
	assert_true(c->live);

	c = find(change, n, "domains.a.ranks_max");
	assert_non_null(c);
	assert_string_equal(c->after, "99");
	assert_false(c->live);

	/* Rules are tried in order: the same rules in another order differ. */
	c = find(change, n, "domains.a.weights");
	assert_non_null(c);
	assert_string_equal(c->after, "{\"y\":2,\"x\":1}");
	assert_true(c->live);

	c = find(change, n, "domains.gone");
	assert_non_null(c);
	assert_string_equal(c->after, "null");
	assert_false(c->live);
	c = find(change, n, "domains.\"n.w\"");
	assert_non_null(c);
	assert_string_equal(c->before, "null");

	conf_diff_free(change, n);
	conf_close(before);
}

static void test_apply_carries_over_live_values_only(void **state)
{
	struct fixture *f = *state;
	const struct conf_domain *d;
	struct conf *running;

	load_ok(f, "{\"domains\": {\"a\": {}, \"b\": {}}}");
	running = f->c;
	f->c = NULL;
	d = conf_domain_find(running, "b");
	load_ok(f, "{\"log_level\": \"error\", \"role\": \"host\", "
		   "\"domains\": {\"b\": {\"weights\": {\"x\": 5}, "
		   "\"ranks_max\": 9, \"job_ranks_max\": 9, \"block_bytes\": "
		   "{\"large\": \"1M\"}, \"eager_bytes\": \"1M\", "
		   "\"blocks_per_rank\": {\"large\": 1}}, \"c\": {}}}");
	conf_apply(running, f->c);

	assert_int_equal(running->log_level, LOG_LEVEL_ERROR);
	assert_int_equal(running->role, CONF_ROLE_AUTO);
	assert_int_equal(running->ndomains, 2);
	assert_ptr_equal(d, conf_domain_find(running, "b"));
	assert_int_equal(conf_weight(d, "x"), 5);
	assert_int_equal(d->ranks_max, 256);
	assert_int_equal(d->job_ranks_max, 9);
	assert_int_equal(d->block_bytes.large, 65536);
	/* Cut down to the block size that stays. */
	assert_int_equal(d->eager_bytes, 65536);
	conf_close(running);
}

static void test_check_says_ok_or_fails(void **state)
{
	struct fixture *f = *state;

	write_file(f, "{\"role\": \"host\"}");
	assert_int_equal(conf_check(f->path, NULL), 0);
	write_file(f, "{\"role\": \"nobody\"}");
	assert_int_equal(conf_check(f->path, NULL), -EINVAL);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_no_file_is_needed),
		T(test_an_empty_object_is_the_defaults),
		T(test_the_runtime_directory_follows_the_user),
		T(test_paths_are_derived_from_the_runtime_directory),
		T(test_every_kind_of_value_is_read),
		T(test_the_first_rule_that_matches_counts),
		T(test_sizes),
		T(test_names),
		T(test_syntax_errors_have_line_and_column),
		T(test_a_duplicate_key_is_a_mistake),
		T(test_an_unknown_key_lists_what_is_allowed),
		T(test_a_dotted_key_is_no_path),
		T(test_a_holders_user_may_name_a_group),
		T(test_a_group_of_keys_must_be_an_object),
		T(test_wrong_types_and_ranges_are_told),
		T(test_the_ends_of_a_range_belong_to_it),
		T(test_every_mistake_is_told_in_one_run),
		T(test_positions_are_those_of_the_right_value),
		T(test_a_control_character_does_not_break_the_line),
		T(test_what_belongs_together_is_checked),
		T(test_a_socket_path_must_fit_its_address),
		T(test_slots_whose_handshake_fits_no_buffer_are_wrong),
		T(test_an_unreadable_file_is_named),
		T(test_set_takes_json_and_bare_words),
		T(test_set_is_stronger_than_the_file),
		T(test_a_mistake_in_a_set_names_it),
		T(test_named_options),
		T(test_a_domain_of_the_command_line_may_be_new),
		T(test_a_dump_loads_as_the_same_configuration),
		T(test_diff_tells_what_needs_a_restart),
		T(test_apply_carries_over_live_values_only),
		T(test_check_says_ok_or_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
