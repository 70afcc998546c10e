/* SPDX-License-Identifier: MIT */
/* test_conf_tuned.c - measured sizes: between the defaults and the file */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>

#include "daemon/conf.h"
#include "daemon/machine.h"

struct fixture {
	char conf[40], tuned[40];
	struct machine here;
	struct conf *c;
	char *errors;
};

static void make(char *path, const char *name)
{
	int fd;

	sprintf(path, "/tmp/snoo-test-%s-XXXXXX", name);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	make(f->conf, "conf");
	make(f->tuned, "tuned");
	machine_read(&f->here, MACHINE_CPUINFO);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	conf_close(f->c);
	free(f->errors);
	unlink(f->conf);
	unlink(f->tuned);
	free(f);
	return 0;
}

static void put(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

/* Measured here, @keys of a domain; @cores more than there are. */
static void tuned(struct fixture *f, const char *keys, unsigned int cores)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"version\": 1, \"machine\": {\"cpu\": "
		 "\"%s\", \"cores\": %u}, \"measured\": \"now\", \"domain\": "
		 "%s}", f->here.cpu, f->here.cores + cores, keys);
	put(f->tuned, text);
}

static int load(struct fixture *f, const char *conf, const char *set)
{
	struct conf_overrides ov = {
		.tuned = f->tuned,
		.sets = &set,
		.nsets = set ? 1 : 0,
	};

	conf_close(f->c);
	free(f->errors);
	put(f->conf, conf);
	return conf_load(&f->c, f->conf, &ov, &f->errors);
}

static void test_measured_sizes_replace_defaults(void **state)
{
	struct fixture *f = *state;
	const struct conf_domain *d;

	tuned(f, "{\"stream_bytes\": 524288, "
		 "\"block_bytes\": {\"large\": 131072}}", 0);
	assert_int_equal(load(f, "{}", NULL), 0);
	d = &f->c->domains[0];
	assert_true(f->c->tuned.in_force);
	assert_null(f->c->tuned.why_not);
	assert_int_equal(d->stream_bytes, 524288);
	assert_int_equal(d->block_bytes.large, 131072);
	assert_int_equal(d->block_bytes.small, 16384);
	assert_string_equal(conf_size_from(d, CONF_STREAM), "tuned");
	assert_string_equal(conf_size_from(d, CONF_LARGE), "tuned");
	assert_string_equal(conf_size_from(d, CONF_SMALL), "default");
	assert_string_equal(conf_size_from(d, CONF_EAGER), "default");
}

static void test_what_is_configured_is_stronger(void **state)
{
	struct fixture *f = *state;
	const struct conf_domain *d;

	tuned(f, "{\"stream_bytes\": 524288, \"eager_bytes\": 8192, "
		 "\"block_bytes\": {\"large\": 131072}}", 0);
	assert_int_equal(load(f, "{\"domains\": {\"a\": {\"block_bytes\": "
				 "{\"large\": \"64K\"}}, \"b\": {}}}",
			      "domains.a.stream_bytes=65536"), 0);
	d = conf_domain_find(f->c, "a");
	assert_int_equal(d->block_bytes.large, 65536);
	assert_int_equal(d->stream_bytes, 65536);
	assert_int_equal(d->eager_bytes, 8192);
	assert_string_equal(conf_size_from(d, CONF_LARGE), "configured");
	assert_string_equal(conf_size_from(d, CONF_STREAM), "configured");
	assert_string_equal(conf_size_from(d, CONF_EAGER), "tuned");
	d = conf_domain_find(f->c, "b");
	assert_int_equal(d->block_bytes.large, 131072);
	assert_int_equal(d->stream_bytes, 524288);
}

static void unused(struct fixture *f, const char *conf, const char *words)
{
	assert_int_equal(load(f, conf, NULL), 0);
	assert_false(f->c->tuned.in_force);
	assert_int_equal(f->c->domains[0].stream_bytes, 2 << 20);
	assert_string_equal(conf_size_from(&f->c->domains[0], CONF_STREAM),
			    "default");
	assert_non_null(f->c->tuned.why_not);
	assert_non_null(strstr(f->c->tuned.why_not, words));
}

static void test_another_machine_s_is_not_used(void **state)
{
	struct fixture *f = *state;

	tuned(f, "{\"stream_bytes\": 524288}", 1);
	unused(f, "{}", "another machine");
	put(f->tuned, "{\"version\": 1, \"machine\": {\"cpu\": \"x\", "
		      "\"cores\": 1}, \"domain\": {}}");
	unused(f, "{}", "another machine");
}

static void test_a_file_that_is_not_ours_is_not_used(void **state)
{
	struct fixture *f = *state;
	static const char *const keys[] = {
		"{\"stream_bytes\": \"1M\"}", "{\"ranks_max\": 4}",
		"{\"stream_bytes\": 8192, \"pool\": {\"size_bytes\": 1}}",
		"{\"block_bytes\": 4096}", "[]", "null",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		tuned(f, keys[i], 0);
		unused(f, "{}", "not what this version");
	}
	put(f->tuned, "{\"version\": 1,");
	unused(f, "{}", "line 1");
	put(f->tuned, "[1]");
	unused(f, "{}", "not what this version");
}

/* The file is not wrong for it: it is left out, and that is said. */
static void test_what_does_not_go_with_the_file_is_left_out(void **state)
{
	struct fixture *f = *state;

	tuned(f, "{\"stream_bytes\": 524288, "
		 "\"block_bytes\": {\"large\": 1048576}}", 0);
	unused(f, "{\"domains\": {\"default\": {\"pool\": {\"size_bytes\": "
		  "\"8M\"}}}}", "does not go");
	tuned(f, "{\"stream_bytes\": 1}", 0);
	unused(f, "{}", "does not go");
}

static void test_mistakes_of_the_file_are_still_told(void **state)
{
	struct fixture *f = *state;

	tuned(f, "{\"stream_bytes\": 524288}", 0);
	assert_int_equal(load(f, "{\"log_level\": 3}", NULL), -EINVAL);
	assert_null(f->c);
	assert_non_null(strstr(f->errors, "log_level"));
}

static void test_no_file_is_no_matter(void **state)
{
	struct fixture *f = *state;

	unlink(f->tuned);
	assert_int_equal(load(f, "{}", NULL), 0);
	assert_false(f->c->tuned.in_force);
	assert_null(f->c->tuned.why_not);
}

/* Where a size comes from goes over with it, if it can change at all. */
static void test_a_reload_carries_the_origin(void **state)
{
	struct fixture *f = *state;
	struct conf *running;

	tuned(f, "{\"stream_bytes\": 524288, "
		 "\"block_bytes\": {\"large\": 131072}}", 0);
	assert_int_equal(load(f, "{}", NULL), 0);
	running = f->c;
	f->c = NULL;
	unlink(f->tuned);
	assert_int_equal(load(f, "{}", NULL), 0);
	conf_apply(running, f->c);
	assert_int_equal(running->domains[0].stream_bytes, 2 << 20);
	assert_string_equal(conf_size_from(&running->domains[0], CONF_STREAM),
			    "default");
	assert_int_equal(running->domains[0].block_bytes.large, 131072);
	assert_string_equal(conf_size_from(&running->domains[0], CONF_LARGE),
			    "tuned");
	assert_false(running->tuned.in_force);
	conf_close(running);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_measured_sizes_replace_defaults),
		TEST(test_what_is_configured_is_stronger),
		TEST(test_another_machine_s_is_not_used),
		TEST(test_a_file_that_is_not_ours_is_not_used),
		TEST(test_what_does_not_go_with_the_file_is_left_out),
		TEST(test_mistakes_of_the_file_are_still_told),
		TEST(test_no_file_is_no_matter),
		TEST(test_a_reload_carries_the_origin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
