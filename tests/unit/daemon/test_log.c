/* SPDX-License-Identifier: MIT */
/*
 * test_log.c - what reaches stderr, and in which form
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>

#include "daemon/log.h"

static char text[65536];

/* stderr goes into a file while a test runs; a failed assertion speaks on
 * stderr too, so tests look at the text only after restore(). */
struct capture {
	FILE *file;
	int saved;
};

static void begin(struct capture *c)
{
	fflush(stderr);
	c->file = tmpfile();
	assert_non_null(c->file);
	c->saved = dup(STDERR_FILENO);
	dup2(fileno(c->file), STDERR_FILENO);
}

static void restore(struct capture *c)
{
	size_t n;

	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	rewind(c->file);
	n = fread(text, 1, sizeof(text) - 1, c->file);
	text[n] = '\0';
	fclose(c->file);
}

static unsigned int lines(void)
{
	unsigned int n = 0;

	for (const char *p = text; *p; p++)
		n += *p == '\n';
	return n;
}

static void test_less_urgent_lines_are_left_out(void **state)
{
	struct capture c;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	begin(&c);
	log_open(LOG_LEVEL_WARNING);
	log_err("one");
	log_warn("two");
	log_info("three");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("four n=%d", 4);
	restore(&c);
	assert_int_equal(lines(), 3);
	assert_non_null(strstr(text, " error   one\n"));
	assert_non_null(strstr(text, " warning two\n"));
	assert_null(strstr(text, "three"));
	assert_non_null(strstr(text, " debug   four n=4\n"));
}

static void test_the_journal_gets_priorities(void **state)
{
	char stream[64];
	struct capture c;
	struct stat st;

	(void)state;
	begin(&c);
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open(LOG_LEVEL_DEBUG);
	log_err("a");
	log_debug("b");
	restore(&c);
	unsetenv("JOURNAL_STREAM");
	assert_string_equal(text, "<3>a\n<7>b\n");
}

/* After "2>file" the variable still names the journal, stderr does not. */
static void test_a_redirected_stderr_is_not_the_journal(void **state)
{
	char stream[64];
	struct capture c;
	struct stat st;

	(void)state;
	begin(&c);
	/* Another file of the same file system. */
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino + 1);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open(LOG_LEVEL_DEBUG);
	log_err("a");
	restore(&c);
	unsetenv("JOURNAL_STREAM");
	assert_true(text[0] != '<');
}

static void test_one_place_can_not_flood(void **state)
{
	struct capture c;

	(void)state;
	begin(&c);
	log_open(LOG_LEVEL_INFO);
	for (int i = 0; i < 1000; i++)
		log_warn("flood i=%d", i);
	log_warn("another place");
	restore(&c);
	assert_int_equal(lines(), LOG_BURST + 1);
	assert_non_null(strstr(text, "another place"));
}

static void test_the_next_window_says_what_was_left_out(void **state)
{
	struct log_site site = { 0 };
	struct capture c;

	(void)state;
	begin(&c);
	log_open(LOG_LEVEL_INFO);
	for (int i = 0; i < LOG_BURST + 7; i++)
		log_line(&site, LOG_LEVEL_WARNING, "early");
	/* The window began long ago. */
	atomic_store_explicit(&site.window_ms, 1, memory_order_relaxed);
	log_line(&site, LOG_LEVEL_WARNING, "late");
	log_line(&site, LOG_LEVEL_WARNING, "later");
	restore(&c);
	assert_int_equal(lines(), LOG_BURST + 2);
	assert_non_null(strstr(text, "late left_out=7\n"));
	assert_non_null(strstr(text, "later\n"));
}

static void test_nothing_is_left_out_without_a_site(void **state)
{
	struct capture c;

	(void)state;
	begin(&c);
	log_open(LOG_LEVEL_INFO);
	for (int i = 0; i < 100; i++)
		log_always(LOG_LEVEL_INFO, "i=%d", i);
	restore(&c);
	assert_int_equal(lines(), 100);
}

static void test_a_name_can_not_forge_a_line(void **state)
{
	struct capture c;

	(void)state;
	begin(&c);
	log_open(LOG_LEVEL_INFO);
	log_err("job=%s", "x\n<0>forged\033[2J\177");
	restore(&c);
	assert_int_equal(lines(), 1);
	assert_non_null(strstr(text, "job=x?<0>forged?[2J?\n"));
}

static void test_a_long_line_ends_in_dots(void **state)
{
	static char name[5000];
	struct capture c;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	begin(&c);
	log_open(LOG_LEVEL_INFO);
	log_err("name=%s", name);
	restore(&c);
	assert_int_equal(lines(), 1);
	assert_true(strlen(text) <= 1024);
	assert_non_null(strstr(text, "nnn...\n"));
}

static void test_errno_survives(void **state)
{
	struct capture c;
	int after;

	(void)state;
	begin(&c);
	log_open(LOG_LEVEL_INFO);
	close(STDERR_FILENO);		/* the write fails with EBADF */
	errno = ENOTTY;
	log_err("x");
	after = errno;
	dup2(c.saved, STDERR_FILENO);
	restore(&c);
	assert_int_equal(after, ENOTTY);
}

static void test_level_names(void **state)
{
	enum log_level level = LOG_LEVEL_ERROR;

	(void)state;
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("verbose", &level), -EINVAL);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_string_equal(log_level_name(LOG_LEVEL_WARNING), "warning");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_less_urgent_lines_are_left_out),
		cmocka_unit_test(test_the_journal_gets_priorities),
		cmocka_unit_test(test_a_redirected_stderr_is_not_the_journal),
		cmocka_unit_test(test_one_place_can_not_flood),
		cmocka_unit_test(test_the_next_window_says_what_was_left_out),
		cmocka_unit_test(test_nothing_is_left_out_without_a_site),
		cmocka_unit_test(test_a_name_can_not_forge_a_line),
		cmocka_unit_test(test_a_long_line_ends_in_dots),
		cmocka_unit_test(test_errno_survives),
		cmocka_unit_test(test_level_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
