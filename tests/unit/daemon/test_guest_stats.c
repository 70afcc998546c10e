/* SPDX-License-Identifier: MIT */
/* test_guest_stats.c - what a VM's admin socket answers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "daemon/admin_verb.h"
#include "tests/lib/vmhome.h"

static int setup(void **state)
{
	struct vmhome *v = malloc(sizeof(*v));

	vmhome_open(v, NULL);
	*state = v;
	return 0;
}

static int teardown(void **state)
{
	vmhome_close(*state);
	free(*state);
	return 0;
}

/* The whole answer; to be given back. */
static json_t *ask_as(struct vmhome *v, uid_t uid, const char *line)
{
	struct admin_who who = { .uid = uid, .gid = { 12345 }, .gids = 1 };
	size_t len;
	char *text = admin_answer(&v->sh, &who, line, strlen(line), &len);
	json_t *o;

	assert_non_null(text);
	o = json_loads(text, 0, NULL);
	assert_non_null(o);
	free(text);
	return o;
}

static json_t *result(struct vmhome *v, const char *line)
{
	json_t *o = ask_as(v, getuid(), line), *r;

	if (!json_is_true(json_object_get(o, "ok")))
		fail_msg("%s", json_dumps(o, 0));
	r = json_incref(json_object_get(o, "result"));
	json_decref(o);
	return r;
}

static void is_text(const json_t *o, const char *key, const char *want)
{
	const char *have = json_string_value(json_object_get(o, key));

	if (!have || strcmp(have, want) != 0)
		fail_msg("%s is \"%s\" instead of \"%s\"", key,
			 have ? have : "(none)", want);
}

static void is_number(const json_t *o, const char *key, long long want)
{
	const json_t *v = json_object_get(o, key);

	assert_true(json_is_integer(v));
	assert_int_equal(json_integer_value(v), want);
}

static bool has_warning(const json_t *o, const char *text)
{
	const json_t *w;
	size_t i;

	json_array_foreach(json_object_get(o, "warnings"), i, w)
		if (strstr(json_string_value(w), text))
			return true;
	return false;
}

static void test_status_shows_devices_and_how_it_stands_with_the_host(
	void **state)
{
	struct vmhome *v = *state;
	json_t *o = result(v, "{\"cmd\":\"status\"}");

	is_text(o, "role", "guest");
	is_text(o, "host", "asked");
	is_text(o, "domain", "default");
	is_text(o, "vm", "");
	is_number(o, "slot", FAKEHOST_SLOT);
	is_number(o, "vectors", FAKEHOST_VECTORS);
	is_number(o, "pool_bytes", FAKEHOST_POOL_BYTES);
	is_text(o, "memory", "memfd");
	is_text(o, "bells", "eventfd");
	assert_true(has_warning(o, "nobody keeps"));
	assert_false(has_warning(o, "trust each other"));
	json_decref(o);

	vmhome_live(v);
	o = result(v, "{\"cmd\":\"status\"}");
	is_text(o, "host", "live");
	is_text(o, "domain", "lab");
	is_text(o, "vm", "vm-a");
	is_number(o, "slots", FAKEHOST_SLOTS);
	json_decref(o);
}

static void test_status_quotes_a_host_that_refuses(void **state)
{
	struct vmhome *v = *state;
	struct snoo_ctl_error e = { .error = 1, .text = "not you" };
	json_t *o;

	vmhome_greeted(v);
	vmhome_say(v, SNOO_CTL_ERROR, 0, SNOO_CTL_NO_SLOT, &e.frame + 1,
		   sizeof(e) - sizeof(e.frame));
	vmhome_settle(v);
	o = result(v, "{\"cmd\":\"status\"}");
	is_text(o, "host", "pause");
	is_text(o, "refused", "not you");
	assert_true(has_warning(o, "not you"));
	json_decref(o);
}

static void test_ranks_show_process_slot_and_vcpu(void **state)
{
	struct vmhome *v = *state;
	struct fakerank r;
	uint32_t sid;
	json_t *list, *o;

	vmhome_live(v);
	sid = vmhome_attach(v, &r, 3);
	list = result(v, "{\"cmd\":\"ranks\"}");
	assert_int_equal(json_array_size(list), 1);
	o = json_array_get(list, 0);
	is_text(o, "domain", "lab");
	is_text(o, "job", "job");
	is_number(o, "number", 7);
	is_number(o, "rank", 1);
	is_number(o, "slot", 3);
	is_number(o, "sid", sid);
	is_number(o, "pid", getpid());
	is_number(o, "vcpu", r.welcome.core);
	is_text(o, "session", "attached");
	is_text(o, "waiting", "polling");
	json_decref(list);

	list = result(v, "{\"cmd\":\"ranks\",\"args\":{\"job\":\"other\"}}");
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	list = result(v, "{\"cmd\":\"ranks\",\"args\":{\"job\":7,"
		      "\"domain\":\"lab\"}}");
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	fakerank_close(&r);
}

static void is_refused(struct vmhome *v, uid_t uid, const char *line,
		       const char *code)
{
	json_t *o = ask_as(v, uid, line);

	assert_true(json_is_false(json_object_get(o, "ok")));
	is_text(json_object_get(o, "error"), "code", code);
	json_decref(o);
}

static void test_the_hosts_verbs_are_the_hosts(void **state)
{
	struct vmhome *v = *state;
	json_t *list = result(v, "{\"cmd\":\"help\"}");

	assert_int_equal(json_array_size(list), 5);
	json_decref(list);
	is_refused(v, getuid(), "{\"cmd\":\"pool\"}", "unknown_verb");
	is_refused(v, getuid(), "{\"cmd\":\"jobs\"}", "unknown_verb");
	is_refused(v, getuid(),
		   "{\"cmd\":\"help\",\"args\":{\"verb\":\"pool\"}}",
		   "not_found");
	is_refused(v, getuid(),
		   "{\"cmd\":\"ranks\",\"args\":{\"domain\":\"other\"}}",
		   "not_found");
}

static void test_others_see_nothing(void **state)
{
	struct vmhome *v = *state;
	json_t *o;

	is_refused(v, 4711, "{\"cmd\":\"status\"}", "denied");
	is_refused(v, 4711, "{\"cmd\":\"ranks\"}", "denied");
	o = ask_as(v, 4711, "{\"cmd\":\"version\"}");
	assert_true(json_is_true(json_object_get(o, "ok")));
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_status_shows_devices_and_how_it_stands_with_the_host),
		T(test_status_quotes_a_host_that_refuses),
		T(test_ranks_show_process_slot_and_vcpu),
		T(test_the_hosts_verbs_are_the_hosts),
		T(test_others_see_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
