/* SPDX-License-Identifier: MIT */
/*
 * test_loongson_probe.c - what the hardware back end says where it cannot run
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/fakeloongson.h"

static struct fakeloongson fake;

static int setup(void **state)
{
	(void)state;
	fakeloongson_open(&fake, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	/* Whatever went wrong, nothing was written. */
	assert_int_equal(fake.seen->stores, 0);
	fakeloongson_close(&fake);
	return 0;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* The sentence has all these words in it, and fits; open() refuses as well. */
static void refused(int want, const char *const *words)
{
	struct hal_params p = { .self = 0, .flags = HAL_ALLOW_GUEST };
	struct hal *h = (struct hal *)&fake;
	char why[HAL_TEXT];

	memset(why, 'x', sizeof(why));
	assert_int_equal(hal_probe(&fake.ops, why), want);
	assert_non_null(memchr(why, '\0', sizeof(why)));
	/* Not cut off. */
	assert_true(strlen(why) < sizeof(why) - 1);
	assert_null(strchr(why, '\n'));
	for (; *words; words++)
		if (!strstr(why, *words))
			fail_msg("\"%s\" is not in: %s", *words, why);
	assert_int_equal(hal_open(&h, &fake.ops, &p), want);
	assert_null(h);
}

#define REFUSED(want, ...) \
	refused(want, (const char *const[]){ __VA_ARGS__, NULL })

static void test_a_loongson_is_driven(void **state)
{
	char why[HAL_TEXT];

	(void)state;
	assert_int_equal(hal_probe(&fake.ops, why), 0);
	fake.model = "Loongson-3A5000";
	fake.sys.arch = CHIP_LOONGARCH;
	fakeloongson_files(&fake);
	assert_int_equal(hal_probe(&fake.ops, why), 0);
}

static void test_another_processor_is_named(void **state)
{
	(void)state;
	fake.model = "MIPS 24Kc V8.0";
	fakeloongson_files(&fake);
	REFUSED(-ENODEV, "no Loongson", "MIPS 24Kc", "emul");
	put(fake.sys.cpuinfo, "processor : 0\n");
	REFUSED(-ENODEV, "no Loongson", "without a name");
	unlink(fake.sys.cpuinfo);
	REFUSED(-ENODEV, "cpuinfo", "No such file");
}

static void test_a_loongson_that_is_not_in_the_table(void **state)
{
	(void)state;
	fake.model = "ICT Loongson-3 V0.99";
	fakeloongson_files(&fake);
	REFUSED(-ENODEV, "not known where", "V0.99", "chips.c");
	fake.model = "Loongson-3A6000";
	fake.sys.arch = CHIP_LOONGARCH;
	fakeloongson_files(&fake);
	REFUSED(-ENODEV, "3A6000", "no address", "IOCSR", "cache lines");
}

static void test_a_build_for_another_processor(void **state)
{
	(void)state;
	fake.sys.arch = CHIP_OTHER;
	REFUSED(-ENODEV, "not built", "3A3000");
	fake.sys.arch = CHIP_LOONGARCH;
	REFUSED(-ENODEV, "not built", "3A3000");
}

static void test_cores_that_cannot_be_there(void **state)
{
	(void)state;
	/* Two in one place. */
	fake.cpu[1].core = 0;
	fakeloongson_files(&fake);
	REFUSED(-ENODEV, "cores", "3A3000", "one place");
	put(fake.sys.cpuinfo, "cpu model : ICT Loongson-3 V0.13\n");
	REFUSED(-ENODEV, "cores", "none");
}

/* Who is not told that a core goes would write into its mailboxes afterwards. */
static void test_a_kernel_that_does_not_say_who_is_online(void **state)
{
	(void)state;
	put(fake.sys.online, "everybody\n");
	REFUSED(-ENODEV, fake.sys.online, "online", "cache lines");
	unlink(fake.sys.online);
	REFUSED(-ENODEV, fake.sys.online, "online", "/sys");
}

/* cpuinfo without places: the kernel's other files have them, or nobody. */
static void test_places_come_from_topology_as_well(void **state)
{
	char dir[160], path[220], why[HAL_TEXT];

	(void)state;
	put(fake.sys.cpuinfo, "processor : 0\n"
			      "cpu model : ICT Loongson-3 V0.13\n"
			      "processor : 1\n");
	REFUSED(-ENODEV, "which core is which", "topology");

	mkdir(fake.sys.topology, 0700);
	for (int cpu = 0; cpu < 2; cpu++) {
		snprintf(dir, sizeof(dir), "%s/cpu%d", fake.sys.topology, cpu);
		mkdir(dir, 0700);
		snprintf(path, sizeof(path), "%s/topology", dir);
		mkdir(path, 0700);
		snprintf(path, sizeof(path), "%s/topology/core_id", dir);
		put(path, cpu ? "3\n" : "2\n");
		snprintf(path, sizeof(path), "%s/topology/physical_package_id",
			 dir);
		put(path, "0\n");
	}
	assert_int_equal(hal_probe(&fake.ops, why), 0);

	struct hal_params p = { .self = HAL_SELF_NONE };
	struct hal_where w;
	struct hal *h;

	assert_int_equal(hal_open(&h, &fake.ops, &p), 0);
	assert_int_equal(hal_where(h, 1, &w), 0);
	assert_int_equal(w.core, 3);
	hal_close(h);

	for (int cpu = 0; cpu < 2; cpu++) {
		snprintf(dir, sizeof(dir), "%s/cpu%d", fake.sys.topology, cpu);
		snprintf(path, sizeof(path), "%s/topology/core_id", dir);
		unlink(path);
		snprintf(path, sizeof(path), "%s/topology/physical_package_id",
			 dir);
		unlink(path);
		snprintf(path, sizeof(path), "%s/topology", dir);
		rmdir(path);
		rmdir(dir);
	}
	rmdir(fake.sys.topology);
}

static void test_a_guest_has_registers_of_its_own(void **state)
{
	struct hal_params p = { .self = HAL_SELF_NONE,
				.flags = HAL_ALLOW_GUEST };
	char why[HAL_TEXT];
	struct hal *h;

	(void)state;
	put(fake.sys.vendor, "QEMU\n");
	assert_int_equal(hal_probe(&fake.ops, why), -ENODEV);
	assert_non_null(strstr(why, "virtual machine"));
	assert_int_equal(hal_open(&h, &fake.ops, &p), 0);
	hal_close(h);
	p.flags = 0;
	assert_int_equal(hal_open(&h, &fake.ops, &p), -ENODEV);

	/* What else is missing comes first: it is in the way in any case. */
	fake.open_errno = ENOENT;
	REFUSED(-ENODEV, "there is no /dev/mem");
	fake.open_errno = 0;
	/* A LoongArch machine's are nowhere in memory; not even looked at. */
	fake.model = "Loongson-3A5000";
	fake.sys.arch = CHIP_LOONGARCH;
	fake.sigbus = true;
	fakeloongson_files(&fake);
	REFUSED(-ENODEV, "virtual machine", "LoongArch");
}

static void test_what_keeps_us_from_dev_mem_is_said(void **state)
{
	(void)state;
	fake.open_errno = ENOENT;
	REFUSED(-ENODEV, "there is no /dev/mem", "CONFIG_DEVMEM",
		"snoo-registers.conf");
	fake.open_errno = EACCES;
	REFUSED(-EACCES, "may not be opened", "root", "snoo-registers.conf");
	fake.open_errno = EPERM;
	REFUSED(-EACCES, "CAP_SYS_RAWIO", "snoo-registers.conf");
	put(fake.sys.lockdown, "none [integrity] confidentiality\n");
	REFUSED(-EACCES, "locked down", "lockdown=");
	put(fake.sys.lockdown, "[none] integrity confidentiality\n");
	REFUSED(-EACCES, "CAP_SYS_RAWIO");
	unlink(fake.sys.lockdown);
	REFUSED(-EACCES, "CAP_SYS_RAWIO");
	fake.open_errno = EMFILE;
	REFUSED(-ENODEV, "Too many open files");
}

static void test_what_keeps_us_from_the_page_is_said(void **state)
{
	(void)state;
	fake.mmap_errno = EPERM;
	REFUSED(-EACCES, "0x3ff01000", "STRICT_DEVMEM", "iomem=relaxed");
	fake.mmap_errno = EINVAL;
	REFUSED(-ENODEV, "0x3ff01000", "Invalid argument");
}

/* The page at 0x1fe01000 has a serial port in it; its alias has not. */
static void test_the_alias_is_tried_where_the_base_is_claimed(void **state)
{
	char why[HAL_TEXT];

	(void)state;
	fake.model = "Loongson-3A5000";
	fake.sys.arch = CHIP_LOONGARCH;
	fakeloongson_files(&fake);
	fake.mmap_errno = EPERM;
	fake.mmap_at = 0x1fe00000;
	assert_int_equal(hal_probe(&fake.ops, why), 0);
	fake.mmap_at = 0;
	REFUSED(-EACCES, "0x1fe01000", "iomem=relaxed");
}

static void test_a_page_that_is_something_else_is_left_alone(void **state)
{
	char number[32];

	(void)state;
	fakeloongson_block(&fake, 2)->enable = 0;
	REFUSED(-ENODEV, "3A3000", "0x3ff01000", "ENABLE");
	fakeloongson_block(&fake, 2)->enable = UINT32_MAX;
	fake.sigbus = true;
	snprintf(number, sizeof(number), "signal %d", SIGBUS);
	REFUSED(-ENODEV, "0x3ff01000", number, "cache lines");
}

/* This machine's own files: whatever it is, there is an answer. */
static void test_the_real_machine_has_an_answer(void **state)
{
	struct hal_params p = { .self = 0 };
	char why[HAL_TEXT];
	struct hal *h;
	int ret = hal_probe(&hal_loongson, why);

	(void)state;
	if (ret == 0) {
		print_message("# this is a Loongson\n");
		skip();
	}
	assert_true(ret == -ENODEV || ret == -EACCES);
	assert_true(strlen(why) > 20);
	print_message("# %s\n", why);
	assert_true(hal_open(&h, &hal_loongson, &p) < 0);
	assert_null(h);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_loongson_is_driven),
		T(test_another_processor_is_named),
		T(test_a_loongson_that_is_not_in_the_table),
		T(test_a_build_for_another_processor),
		T(test_cores_that_cannot_be_there),
		T(test_a_kernel_that_does_not_say_who_is_online),
		T(test_places_come_from_topology_as_well),
		T(test_a_guest_has_registers_of_its_own),
		T(test_what_keeps_us_from_dev_mem_is_said),
		T(test_what_keeps_us_from_the_page_is_said),
		T(test_the_alias_is_tried_where_the_base_is_claimed),
		T(test_a_page_that_is_something_else_is_left_alone),
		T(test_the_real_machine_has_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
