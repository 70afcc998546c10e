/* SPDX-License-Identifier: MIT */
/*
 * test_conf_schema.c - the table of keys, the schema, the shipped files and
 *			the manual page say the same
 *
 * The schema is walked by hand: what is compared is every key with its type,
 * default, range and words, both ways round.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "daemon/conf.h"
#include "daemon/conf_keys.h"

static const char *in_tree(const char *name)
{
	static char path[512];
	const char *top = getenv("TOP");

	snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
	return path;
}

static json_t *schema_file(void)
{
	json_error_t e;
	json_t *schema = json_load_file(in_tree("config/snoo.schema.json"),
					JSON_REJECT_DUPLICATES, &e);

	if (!schema)
		print_error("%s:%d: %s\n", e.source, e.line, e.text);
	assert_non_null(schema);
	return schema;
}

/* The schema of a key below @object, NULL if there is none. */
static json_t *schema_of(json_t *object, const char *path)
{
	while (object) {
		size_t len = strcspn(path, ".");
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		object = json_object_get(json_object_get(object, "properties"),
					 name);
		if (!path[len])
			return object;
		path += len + 1;
	}
	return NULL;
}

static void expect_range(const struct conf_key *key, json_t *schema)
{
	json_t *min = json_object_get(schema, "minimum");
	json_t *max = json_object_get(schema, "maximum");

	if (!json_is_integer(min) || !json_is_integer(max))
		print_error("%s: no range in the schema\n", key->path);
	assert_true(json_is_integer(min) && json_is_integer(max));
	assert_int_equal(json_integer_value(min), key->min);
	assert_int_equal(json_integer_value(max), key->max);
	assert_string_equal(json_string_value(json_object_get(schema, "type")),
			    "integer");
}

/* A size: an integer in range, or a string with a unit. */
static void expect_size(const struct conf_key *key, json_t *schema)
{
	json_t *any = json_object_get(schema, "anyOf");

	assert_int_equal(json_array_size(any), 2);
	expect_range(key, json_array_get(any, 0));
	assert_string_equal(json_string_value(json_object_get(
			    json_array_get(any, 1), "pattern")),
			    "^[0-9]+[KMGT]?$");
}

static void expect_words(const struct conf_key *key, json_t *schema)
{
	json_t *words = json_object_get(schema, "enum");
	size_t n = 0;

	for (const struct conf_word *w = key->words; w->word; w++, n++)
		assert_string_equal(json_string_value(json_array_get(words,
								     n)),
				    w->word);
	assert_int_equal(json_array_size(words), n);
}

static void expect_type(json_t *schema, const char *type)
{
	assert_string_equal(json_string_value(json_object_get(schema, "type")),
			    type);
}

static void expect_same(const struct conf_key *key, json_t *schema)
{
	json_t *def, *any, *pow2;

	if (!schema)
		print_error("%s is not in the schema\n", key->path);
	assert_non_null(schema);

	switch (key->type) {
	case CONF_STRING:
	case CONF_GROUP:
	case CONF_OWNER:
	case CONF_PATH:
	case CONF_MODE:
		expect_type(schema, "string");
		break;
	case CONF_BOOL:
		expect_type(schema, "boolean");
		break;
	case CONF_INT:
		expect_range(key, schema);
		break;
	case CONF_INT_AUTO:
		any = json_object_get(schema, "anyOf");
		expect_range(key, json_array_get(any, 0));
		assert_string_equal(json_string_value(json_object_get(
				    json_array_get(any, 1), "const")), "auto");
		break;
	case CONF_SIZE32:
	case CONF_SIZE64:
		expect_size(key, schema);
		break;
	case CONF_ENUM:
		expect_words(key, schema);
		break;
	case CONF_WEIGHTS:
		expect_range(key, json_object_get(schema,
						  "additionalProperties"));
		break;
	case CONF_RATES:
		expect_size(key, json_object_get(schema,
						 "additionalProperties"));
		break;
	case CONF_UIDS:
	case CONF_GIDS:
	case CONF_PROGRAMS:
	case CONF_ENV:
		expect_type(schema, "array");
		break;
	}

	def = json_loads(key->def, JSON_DECODE_ANY, NULL);
	if (!json_equal(def, json_object_get(schema, "default")))
		print_error("%s: another default in the schema\n", key->path);
	assert_true(json_equal(def, json_object_get(schema, "default")));
	json_decref(def);

	pow2 = json_object_get(schema, "x-snoo-power-of-two");
	assert_int_equal(json_is_true(pow2), key->pow2);
	assert_string_equal(json_string_value(json_object_get(schema,
			    "x-snoo-reload")), key->live ? "live" : "restart");
	assert_non_null(json_object_get(schema, "description"));
}

static const struct conf_key *key_of(const struct conf_key *keys,
				     const char *path)
{
	for (; keys->path; keys++)
		if (strcmp(keys->path, path) == 0)
			return keys;
	return NULL;
}

/* Every leaf of the schema is in the table. */
static void expect_known(const struct conf_key *keys, json_t *object,
			 const char *prefix)
{
	const char *name;
	json_t *schema;

	/* An object that takes any key would hide mistakes. */
	if (*prefix)
		assert_true(json_is_false(json_object_get(object,
					  "additionalProperties")));
	json_object_foreach(json_object_get(object, "properties"), name,
			    schema) {
		char path[256];

		snprintf(path, sizeof(path), "%s%s%s", prefix,
			 *prefix ? "." : "", name);
		if (strcmp(path, "$schema") == 0 ||
		    strcmp(path, "domains") == 0)
			continue;
		if (json_object_get(schema, "properties"))
			expect_known(keys, schema, path);
		else if (!key_of(keys, path)) {
			print_error("%s is in the schema alone\n", path);
			fail();
		}
	}
}

static void test_the_table_and_the_schema_agree(void **state)
{
	json_t *root = schema_file();
	json_t *domain = json_object_get(schema_of(root, "domains"),
					 "additionalProperties");

	(void)state;
	assert_true(json_is_object(domain));
	for (const struct conf_key *k = conf_keys; k->path; k++)
		expect_same(k, schema_of(root, k->path));
	for (const struct conf_key *k = conf_domain_keys; k->path; k++)
		expect_same(k, schema_of(domain, k->path));
	expect_known(conf_keys, root, "");
	expect_known(conf_domain_keys, domain, "");
	json_decref(root);
}

static struct conf *load(const char *path)
{
	struct conf *c;
	char *errors;

	if (conf_load(&c, path, NULL, &errors))
		print_error("%s", errors);
	free(errors);
	assert_non_null(c);
	return c;
}

static void test_the_shipped_file_is_the_defaults(void **state)
{
	struct conf *defaults = load(NULL);
	struct conf *shipped = load(in_tree("config/snoo.json"));
	struct conf_change *change;
	unsigned int n;

	(void)state;
	assert_int_equal(conf_diff(defaults, shipped, &change, &n), 0);
	if (n)
		print_error("%s: %s, shipped %s\n", change->path,
			    change->before, change->after);
	assert_int_equal(n, 0);
	conf_diff_free(change, n);
	conf_close(defaults);
	conf_close(shipped);
}

/* And every key is in it, so that it can be edited without the manual. */
static void test_the_shipped_file_shows_every_key(void **state)
{
	json_t *file = json_load_file(in_tree("config/snoo.json"), 0, NULL);
	json_t *domain = json_object_get(json_object_get(file, "domains"),
					 "default");
	const struct conf_key *const tables[] = { conf_keys,
						  conf_domain_keys };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		for (const struct conf_key *k = tables[i]; k->path; k++) {
			json_t *at = i ? domain : file;
			const char *p = k->path;

			while (at && *p) {
				size_t len = strcspn(p, ".");
				char name[64];

				snprintf(name, sizeof(name), "%.*s", (int)len,
					 p);
				at = json_object_get(at, name);
				p += len + (p[len] == '.');
			}
			if (!at)
				print_error("%s is missing\n", k->path);
			assert_non_null(at);
		}
	}
	json_decref(file);
}

static void test_the_examples_are_good(void **state)
{
	(void)state;
	conf_close(load(in_tree("config/emul-2core.json")));
	conf_close(load(in_tree("config/loongson-3a.json")));
}

/* It names the group of Debian's libvirt, which this machine may not have. */
static void test_the_example_for_vms_is_good(void **state)
{
	static const char group[] = "libvirt-qemu", ours[] = "root        ";
	FILE *in = fopen(in_tree("config/snoo-vms.json"), "r"), *out;
	char path[] = "/tmp/snoo-test-vms-XXXXXX", text[4096], *at;
	const struct conf_domain *d;
	struct conf *c;
	int fd;

	(void)state;
	assert_non_null(in);
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	assert_non_null(strstr(text, group));
	while ((at = strstr(text, group))) {
		memcpy(at, ours, strlen(group));
		at[4] = '"';
		at[strlen(group)] = ' ';
	}
	fd = mkstemp(path);
	assert_true(fd >= 0);
	out = fdopen(fd, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
	c = load(path);
	remove(path);
	d = &c->domains[0];
	assert_true(d->ivshmem.slots > 1);
	assert_string_equal(d->pool.path, "/dev/hugepages/snoo/default.pool");
	assert_int_equal(d->pool.gid, 0);
	conf_close(c);
}

/* What the manual calls a key: its own name where a list of a group's keys
 * explains it. */
static void test_the_manual_page_explains_every_key(void **state)
{
	FILE *in = fopen(in_tree("doc/man/snoo.json.5"), "r");
	const struct conf_key *const tables[] = { conf_keys,
						  conf_domain_keys };
	static char text[65536];
	size_t len;

	(void)state;
	assert_non_null(in);
	len = fread(text, 1, sizeof(text) - 1, in);
	text[len] = '\0';
	fclose(in);
	for (unsigned int i = 0; i < 2; i++) {
		for (const struct conf_key *k = tables[i]; k->path; k++) {
			char item[128];

			snprintf(item, sizeof(item), "\n.It Cm %s ", k->path);
			if (!strstr(text, item))
				print_error("%s is not explained\n", k->path);
			assert_non_null(strstr(text, item));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_table_and_the_schema_agree),
		cmocka_unit_test(test_the_shipped_file_is_the_defaults),
		cmocka_unit_test(test_the_shipped_file_shows_every_key),
		cmocka_unit_test(test_the_examples_are_good),
		cmocka_unit_test(test_the_example_for_vms_is_good),
		cmocka_unit_test(test_the_manual_page_explains_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
