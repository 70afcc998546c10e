/* SPDX-License-Identifier: MIT */
/*
 * test_probe.c - the report of --probe-registers, of a fake machine
 *
 * tests/lib/fakeloongson.h faults on any store but to MailBox1..3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/probe.h"
#include "hal/mail_word.h"
#include "tests/lib/fakeloongson.h"

#define STACK UINT64_C(0x98000000022afeb0)

static struct fakeloongson fake;
static char iomem[160];
static json_t *report;

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state)
{
	(void)state;
	fakeloongson_open(&fake, false);
	snprintf(iomem, sizeof(iomem), "%s/iomem", fake.dir);
	put(iomem, "00000000-0fffffff : System RAM\n"
		   "1fe00000-1fe000ff : elsewhere\n"
		   "  3ff01400-3ff0143f : interrupt-controller@3ff01400\n"
		   "3ff04000-3ff04fff : behind the page\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(report);
	report = NULL;
	unlink(iomem);
	fakeloongson_close(&fake);
	return 0;
}

static int probe(uint32_t flags)
{
	const struct probe p = {
		.sys = &fake.sys,
		.ops = &fake.ops,
		.iomem = iomem,
		.flags = flags,
		.limit_ns = 20000000,
	};

	return probe_report(&report, &p);
}

/* A path like "nodes.0.address". */
static const json_t *at(const char *path)
{
	const json_t *o = report;
	char name[64];

	while (o && *path) {
		size_t n = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		o = json_is_array(o) ? json_array_get(o, (size_t)atoi(name))
				     : json_object_get(o, name);
		path += n + (path[n] == '.');
	}
	return o;
}

static const char *text_at(const char *path)
{
	const char *text = json_string_value(at(path));

	return text ? text : "(no text)";
}

static json_int_t number_at(const char *path)
{
	assert_true(json_is_integer(at(path)));
	return json_integer_value(at(path));
}

/* ---- where there is nothing ---------------------------------------------- */

static void test_no_loongson_is_a_report_as_well(void **state)
{
	(void)state;
	fake.model = "AMD EPYC";
	fakeloongson_files(&fake);
	assert_int_equal(probe(PROBE_WRITE), -ENODEV);
	assert_string_equal(text_at("processor.model"), "AMD EPYC  FPU V0.1");
	assert_true(json_is_null(at("processor.chip")));
	assert_true(json_is_false(at("reachable")));
	assert_non_null(strstr(text_at("why"), "no Loongson"));
	assert_int_equal(number_at("page_bytes"), FAKELOONGSON_PAGE);
	assert_true(strlen(text_at("kernel.release")) > 2);
	assert_null(at("cores"));
	assert_null(at("write"));
	assert_int_equal(fake.seen->stores, 0);
}

static void test_what_keeps_us_away_is_reported(void **state)
{
	(void)state;
	fake.mmap_errno = EPERM;
	assert_int_equal(probe(0), -EACCES);
	assert_string_equal(text_at("processor.chip"), "3A3000");
	assert_non_null(strstr(text_at("why"), "iomem=relaxed"));
}

/* ---- looking ------------------------------------------------------------- */

static void test_a_look_writes_nothing(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < fake.ncpus; i++)
		fakeloongson_allow(&fake, i, false);
	fakeloongson_block(&fake, 1)->mail[1] = STACK;
	assert_int_equal(probe(0), 0);
	assert_int_equal(fake.seen->stores, 0);
	assert_true(fakeloongson_block(&fake, 1)->mail[1] == STACK);
	assert_string_equal(text_at("said"), "nothing was written");
	assert_null(at("write"));
}

static void test_a_look_says_what_there_is(void **state)
{
	(void)state;
	fakeloongson_offline(&fake, 3);
	fakeloongson_block(&fake, 1)->status = 0x2;
	assert_int_equal(probe(0), 0);
	assert_true(json_is_true(at("reachable")));
	assert_string_equal(text_at("nodes.0.address"), "0x3ff01000");
	assert_true(json_is_false(at("nodes.0.alias")));
	assert_int_equal(json_array_size(at("nodes.0.claimed")), 1);
	assert_string_equal(text_at("nodes.0.claimed.0"),
			    "3ff01400-3ff0143f "
			    "interrupt-controller@3ff01400");
	assert_int_equal(json_array_size(at("cores")), 4);
	assert_int_equal(number_at("cores.2.core"), 2);
	assert_true(json_is_true(at("cores.2.online")));
	assert_string_equal(text_at("cores.2.enable"), "0xffffffff");
	assert_string_equal(text_at("cores.1.status"), "0x2");
	assert_string_equal(text_at("cores.1.status_seen"), "0x2");
	assert_true(json_is_false(at("cores.3.online")));
	assert_null(at("cores.3.enable"));
	assert_true(json_is_false(at("in_use")));
}

/* The report is to be sent to strangers. */
static void test_addresses_of_the_kernel_stay_here(void **state)
{
	static const uint64_t secret[] = {
		STACK,
		UINT64_C(0x9000000002345678),
		UINT64_C(0xffffffff82345678),
		UINT64_C(0xa800000002345678),
	};
	char *text;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		fakeloongson_block(&fake, i)->mail[1] = secret[i];
		fakeloongson_block(&fake, i)->mail[2] = secret[i] + 64;
	}
	fakeloongson_block(&fake, 0)->mail[3] = 0x1234;
	assert_int_equal(probe(0), 0);
	text = json_dumps(report, 0);
	assert_non_null(text);
	assert_null(strstr(text, "22afeb0"));
	assert_null(strstr(text, "2345678"));
	assert_null(strstr(text, "23456b8"));
	free(text);
	assert_string_equal(text_at("cores.0.mailboxes.0"), "empty");
	assert_string_equal(text_at("cores.0.mailboxes.1"), "kernel address");
	assert_string_equal(text_at("cores.3.mailboxes.2"), "kernel address");
	assert_string_equal(text_at("cores.0.mailboxes.3"), "0x1234");
}

static void test_the_alias_is_named(void **state)
{
	(void)state;
	fake.model = "Loongson-3A5000";
	fake.sys.arch = CHIP_LOONGARCH;
	fake.mmap_errno = EPERM;
	fake.mmap_at = 0x1fe00000;
	fakeloongson_files(&fake);
	assert_int_equal(probe(0), 0);
	assert_string_equal(text_at("nodes.0.address"), "0x3ff01000");
	assert_true(json_is_true(at("nodes.0.alias")));
}

static void test_a_guest_is_looked_at_and_called_one(void **state)
{
	(void)state;
	put(fake.sys.vendor, "QEMU\n");
	assert_int_equal(probe(0), 0);
	assert_true(json_is_true(at("processor.virtual")));
	assert_int_equal(json_array_size(at("cores")), 4);
}

/* The kernel puts something into a mailbox while we look. */
static void test_mailboxes_that_change_are_in_use(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		for (uint64_t i = 1;; i++) {
			fakeloongson_block(&fake, 2)->mail[2] = STACK + i * 16;
			usleep(1000);
		}
	}
	assert_int_equal(probe(PROBE_WRITE), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(number_at("cores.2.mailbox_changes.2") > 0);
	assert_int_equal(number_at("cores.2.mailbox_changes.1"), 0);
	assert_true(json_is_true(at("in_use")));
	assert_non_null(strstr(text_at("write"), "not done"));
	assert_int_equal(fake.seen->stores, 0);
}

static void test_a_daemon_at_work_is_left_alone(void **state)
{
	struct mail_message msg = { .from = 1, .to = 2, .length = 8 };
	uint64_t word[MAIL_WORDS];

	(void)state;
	mail_pack(word, &msg, 0, 1);
	fakeloongson_block(&fake, 2)->mail[1] = word[0];
	assert_int_equal(probe(PROBE_WRITE), 0);
	assert_string_equal(text_at("cores.2.mailboxes.1"), "DATA");
	assert_non_null(strstr(text_at("write"), "stop the daemon"));
	assert_int_equal(fake.seen->stores, 0);
	assert_true(fakeloongson_block(&fake, 2)->mail[1] == word[0]);
}

/*
 * The registers go away between the first look and the report's.  The list of
 * claims is read in between: it is a pipe, and who writes it takes them.
 */
static void test_a_look_that_kills_is_reported(void **state)
{
	pid_t pid;

	(void)state;
	unlink(iomem);
	assert_int_equal(mkfifo(iomem, 0600), 0);
	pid = fork();
	if (pid == 0) {
		int fd = open(iomem, O_WRONLY);

		_exit(fd < 0 || ftruncate(fake.memfd, 0));
	}
	assert_int_equal(probe(PROBE_WRITE), -EIO);
	waitpid(pid, NULL, 0);
	assert_non_null(strstr(text_at("died"), "registers of core 0"));
	assert_int_equal(number_at("signal"), SIGBUS);
	assert_string_equal(text_at("processor.chip"), "3A3000");
	assert_null(at("cores"));
	assert_null(at("write"));
}

/* ---- writing ------------------------------------------------------------- */

static void test_writing_finds_mailboxes_that_work(void **state)
{
	size_t i;
	json_t *o;

	(void)state;
	fakeloongson_offline(&fake, 3);
	fakeloongson_allow(&fake, 3, false);
	fakeloongson_block(&fake, 1)->mail[1] = STACK;
	assert_int_equal(probe(PROBE_WRITE), 0);
	assert_true(fake.seen->stores > 0);
	assert_non_null(strstr(text_at("said"), "MailBox1..3"));
	assert_int_equal(json_array_size(at("write.kept")), 3);
	for (int cpu = 0; cpu < 3; cpu++) {
		char path[64];

		snprintf(path, sizeof(path), "write.kept.%d.boxes", cpu);
		assert_int_equal(json_array_size(at(path)), 12);
		json_array_foreach((json_t *)(uintptr_t)at(path), i, o)
			assert_true(json_is_true(json_object_get(o, "keeps")));
		for (uint32_t box = 0; box < HAL_MAILBOXES; box++)
			assert_true(fakeloongson_block(&fake, (uint32_t)cpu)
					    ->mail[box] == 0);
	}
	assert_int_equal(number_at("write.torn.torn"), 0);
	assert_true(number_at("write.torn.reads") > 0);
	assert_int_equal(number_at("write.order.stale"), 0);
	assert_true(number_at("write.order.words") > 0);
	assert_true(number_at("write.access_ns.load_other.rounds") > 0);
	assert_true(number_at("write.access_ns.store_own.median") > 0);
	assert_int_equal(json_array_size(at("write.one_way_ns")), 3);
	assert_true(number_at("write.one_way_ns.0.rounds") > 0);
	assert_int_equal(json_array_size(at("write.message_ns")), 3);
	assert_true(number_at("write.message_ns.2.ns") > 0);
}

static void test_a_mailbox_that_keeps_nothing_is_named(void **state)
{
	size_t i;
	json_t *o;

	(void)state;
	if (!fakeloongson_steps()) {
		print_message("# no trap flag here\n");
		skip();
	}
	fake.dead_box = 2;
	assert_int_equal(probe(PROBE_WRITE), 0);
	json_array_foreach((json_t *)(uintptr_t)at("write.kept.1.boxes"), i, o)
		assert_int_equal(
			json_is_true(json_object_get(o, "keeps")),
			json_integer_value(json_object_get(o, "box")) != 2);
	assert_string_equal(text_at("write.message_error"), strerror(EIO));
}

static void test_one_core_has_nobody_to_talk_to(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < 4; i++)
		fakeloongson_offline(&fake, i);
	assert_int_equal(probe(PROBE_WRITE), 0);
	assert_int_equal(json_array_size(at("write.kept")), 1);
	assert_null(at("write.torn"));
	assert_non_null(strstr(text_at("write.note"), "one core"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_no_loongson_is_a_report_as_well),
		T(test_what_keeps_us_away_is_reported),
		T(test_a_look_writes_nothing),
		T(test_a_look_says_what_there_is),
		T(test_addresses_of_the_kernel_stay_here),
		T(test_the_alias_is_named),
		T(test_a_guest_is_looked_at_and_called_one),
		T(test_mailboxes_that_change_are_in_use),
		T(test_a_daemon_at_work_is_left_alone),
		T(test_a_look_that_kills_is_reported),
		T(test_writing_finds_mailboxes_that_work),
		T(test_a_mailbox_that_keeps_nothing_is_named),
		T(test_one_core_has_nobody_to_talk_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
