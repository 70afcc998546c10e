/* SPDX-License-Identifier: MIT */
/* test_machine.c - the processor's name, from every kind of /proc/cpuinfo */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/machine.h"

static void says(const char *text, const char *cpu)
{
	char path[] = "/tmp/snoo-test-machine-XXXXXX";
	struct machine m;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	machine_read(&m, path);
	unlink(path);
	assert_string_equal(m.cpu, cpu);
	assert_int_equal(m.cores, sysconf(_SC_NPROCESSORS_CONF));
}

static void test_each_kind_of_processor_has_a_name(void **state)
{
	(void)state;
	says("processor\t: 0\nvendor_id\t: AuthenticAMD\n"
	     "model name\t: AMD EPYC\nprocessor\t: 1\nmodel name\t: other\n",
	     "AMD EPYC");
	says("system type\t: generic\nModel Name\t\t: Loongson-3A5000\n",
	     "Loongson-3A5000");
	says("system type\t: x\ncpu model\t\t: ICT Loongson-3 V0.13\n",
	     "ICT Loongson-3 V0.13");
	says("CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n", "0xd0c");
}

/* What stands in a worse line above does not hide it. */
static void test_the_best_name_counts(void **state)
{
	(void)state;
	says("cpu\t\t: old\nmodel name\t: new\n", "new");
	says("model name mangled : x\nmodel name:y\n", "y");
}

static void test_a_machine_that_says_nothing_is_unknown(void **state)
{
	char longest[400], zeros[128];
	struct machine m;

	(void)state;
	says("", "unknown");
	says("model name\t:\n", "unknown");
	machine_read(&m, "/no/such/file");
	assert_string_equal(m.cpu, "unknown");
	snprintf(longest, sizeof(longest), "model name: %0300d\n", 0);
	memset(zeros, '0', sizeof(zeros) - 1);
	zeros[sizeof(zeros) - 1] = '\0';
	says(longest, zeros);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind_of_processor_has_a_name),
		cmocka_unit_test(test_the_best_name_counts),
		cmocka_unit_test(test_a_machine_that_says_nothing_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
