/* SPDX-License-Identifier: MIT */
/* test_env.c - options, then the environment, then defaults */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/env.h"

static const char *const variables[] = {
	"SNOO_RANK", "SNOO_SIZE", "SNOO_LAUNCH", "SNOO_CORE", "SNOO_SOCKET",
	"SNOO_DOMAIN", "SNOO_TIMEOUT_MS", "PMI_RANK", "PMI_SIZE",
	"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMIX_NAMESPACE",
	"SLURM_PROCID", "SLURM_NTASKS", "SLURM_JOB_ID", "SLURM_STEP_ID",
	"XDG_RUNTIME_DIR",
};

static int clear(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	return 0;
}

static struct session_join join;
static struct session_text why;

static int settle(const char *name, const struct snoo_options *o)
{
	why.text[0] = '\0';
	return env_join(&join, name, o, &why);
}

static void test_nothing_set_means_an_open_job(void **state)
{
	(void)state;
	assert_int_equal(settle("job", NULL), 0);
	assert_int_equal(join.rank, -1);
	assert_int_equal(join.size, 0);
	assert_int_equal(join.core, -1);
	assert_int_equal(join.launch, 0);
	assert_string_equal(join.name, "job");
	assert_non_null(strstr(join.socket, "default.sock"));
}

static void check_starter(const char *rank, const char *size)
{
	clear(NULL);
	setenv(rank, "3", 1);
	setenv(size, "7", 1);
	assert_int_equal(settle("job", NULL), 0);
	assert_int_equal(join.rank, 3);
	assert_int_equal(join.size, 7);
	unsetenv(size);
	assert_int_equal(settle("job", NULL), -EINVAL);
	assert_non_null(strstr(why.text, size));
	setenv(size, "seven", 1);
	assert_int_equal(settle("job", NULL), -EINVAL);
	assert_non_null(strstr(why.text, size));
	setenv(size, "0", 1);
	assert_int_equal(settle("job", NULL), -EINVAL);
}

static void test_each_starter_is_recognised(void **state)
{
	(void)state;
	check_starter("SNOO_RANK", "SNOO_SIZE");
	check_starter("PMI_RANK", "PMI_SIZE");
	check_starter("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE");
	check_starter("SLURM_PROCID", "SLURM_NTASKS");
}

static void test_two_starts_of_one_program_are_two_jobs(void **state)
{
	uint64_t first;

	(void)state;
	setenv("OMPI_COMM_WORLD_RANK", "0", 1);
	setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
	setenv("PMIX_NAMESPACE", "101", 1);
	assert_int_equal(settle("job", NULL), 0);
	first = join.launch;
	assert_int_not_equal(first, 0);
	setenv("PMIX_NAMESPACE", "102", 1);
	assert_int_equal(settle("job", NULL), 0);
	assert_int_not_equal(join.launch, first);
	setenv("SNOO_LAUNCH", "ab", 1);
	assert_int_equal(settle("job", NULL), 0);
	assert_int_equal(join.launch, 0xab);
	setenv("SNOO_LAUNCH", "xy", 1);
	assert_int_equal(settle("job", NULL), -EINVAL);
	assert_non_null(strstr(why.text, "SNOO_LAUNCH=xy"));
}

static void test_options_come_first(void **state)
{
	struct snoo_options o = SNOO_OPTIONS_INIT;

	(void)state;
	setenv("SNOO_RANK", "3", 1);
	setenv("SNOO_SIZE", "7", 1);
	setenv("SNOO_SOCKET", "/a/b.sock", 1);
	setenv("SNOO_TIMEOUT_MS", "5", 1);
	o.rank = 1;
	o.size = 2;
	o.socket = "/c/d.sock";
	assert_int_equal(settle("job", &o), 0);
	assert_int_equal(join.rank, 1);
	assert_int_equal(join.size, 2);
	assert_int_equal(join.timeout_ns, 5000000);
	assert_string_equal(join.socket, "/c/d.sock");
	o.bytes = 3;
	assert_int_equal(settle("job", &o), -EINVAL);
	assert_non_null(strstr(why.text, "SNOO_OPTIONS_INIT"));
}

static void test_names_that_cannot_be(void **state)
{
	char name[80];

	(void)state;
	assert_int_equal(settle(NULL, NULL), -EINVAL);
	assert_int_equal(settle("", NULL), -EINVAL);
	assert_non_null(strstr(why.text, "empty"));
	memset(name, 'x', 64);
	name[64] = '\0';
	assert_int_equal(settle(name, NULL), -EINVAL);
	assert_non_null(strstr(why.text, "64 characters"));
	name[63] = '\0';
	assert_int_equal(settle(name, NULL), 0);
	assert_int_equal(settle("a/b", NULL), -EINVAL);
	assert_non_null(strstr(why.text, "character 2"));
}

static void test_paths_longer_than_a_socket_takes(void **state)
{
	char path[200];

	(void)state;
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[108] = '\0';
	setenv("SNOO_SOCKET", path, 1);
	assert_int_equal(settle("job", NULL), -EINVAL);
	assert_non_null(strstr(why.text, "107 bytes"));
	path[107] = '\0';
	setenv("SNOO_SOCKET", path, 1);
	assert_int_equal(settle("job", NULL), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, clear)
	const struct CMUnitTest tests[] = {
		T(test_nothing_set_means_an_open_job),
		T(test_each_starter_is_recognised),
		T(test_two_starts_of_one_program_are_two_jobs),
		T(test_options_come_first),
		T(test_names_that_cannot_be),
		T(test_paths_longer_than_a_socket_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
