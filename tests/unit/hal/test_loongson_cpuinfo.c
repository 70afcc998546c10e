/* SPDX-License-Identifier: MIT */
/*
 * test_loongson_cpuinfo.c - which Loongson, which core is which, from texts
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "hal/loongson/loongson.h"

/* Eight cores on two chips; CPU 5 is offline; the firmware keeps a core. */
static const char cpuinfo_3a3000[] =
	"system type\t\t: Generic Loongson64 System\n"
	"machine\t\t\t: loongson,loongson64c-4core-ls7a\n"
	"processor\t\t: 0\ncpu model\t\t: ICT Loongson-3 V0.13  FPU V0.1\n"
	"package\t\t\t: 0\ncore\t\t\t: 0\n\n"
	"processor\t\t: 1\ncpu model\t\t: ICT Loongson-3 V0.13  FPU V0.1\n"
	"package\t\t\t: 0\ncore\t\t\t: 1\n\n"
	"processor\t\t: 2\npackage\t\t\t: 0\ncore\t\t\t: 2\n\n"
	"processor\t\t: 3\npackage\t\t\t: 1\ncore\t\t\t: 1\n\n"
	"processor\t\t: 4\npackage\t\t\t: 1\ncore\t\t\t: 2\n\n"
	"processor\t\t: 6\npackage\t\t\t: 1\ncore\t\t\t: 3\n\n";

/* As a LoongArch kernel prints it: names in another case, model after core. */
static const char cpuinfo_3a5000[] =
	"system type\t\t: generic-loongson-machine\n\n"
	"processor\t\t: 0\npackage\t\t\t: 0\ncore\t\t\t: 0\n"
	"global_id\t\t: 0\nCPU Family\t\t: Loongson-64bit\n"
	"Model Name\t\t: Loongson-3A5000\nCPU Revision\t\t: 0x11\n\n"
	"processor\t\t: 1\npackage\t\t\t: 0\ncore\t\t\t: 1\n"
	"global_id\t\t: 1\nCPU Family\t\t: Loongson-64bit\n"
	"Model Name\t\t: Loongson-3A5000\nCPU Revision\t\t: 0x11\n\n";

static int parse(struct loongson_machine *m, const char *text)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int ret = loongson_cpuinfo(m, f);

	fclose(f);
	return ret;
}

static void test_cpuinfo_tells_chip_and_cores(void **state)
{
	struct loongson_machine m;

	(void)state;
	assert_int_equal(parse(&m, cpuinfo_3a3000), 0);
	assert_string_equal(m.chip->name, "3A3000");
	assert_string_equal(m.model, "ICT Loongson-3 V0.13  FPU V0.1");
	assert_false(m.guest);
	assert_int_equal(m.ncpus, 7);
	assert_true(m.cpu[0].online && m.cpu[0].placed);
	assert_false(m.cpu[5].online || m.cpu[5].placed);
	assert_int_equal(m.cpu[3].node, 1);
	assert_int_equal(m.cpu[3].core, 1);
	assert_int_equal(m.cpu[6].core, 3);

	assert_int_equal(parse(&m, cpuinfo_3a5000), 0);
	assert_string_equal(m.chip->name, "3A5000");
	assert_int_equal(m.ncpus, 2);
	assert_true(m.cpu[1].placed);
	assert_int_equal(m.cpu[1].core, 1);
}

static void test_each_known_model_is_told_apart(void **state)
{
	static const struct {
		const char *line, *name;
	} known[] = {
		{ "cpu model\t: ICT Loongson-3 V0.5  FPU V0.1", "3A1000" },
		{ "cpu model\t: ICT Loongson-3 V0.6  FPU V0.1", "3B1000" },
		{ "cpu model\t: ICT Loongson-3 V0.7  FPU V0.1", "3B1500" },
		{ "cpu model\t: ICT Loongson-3 V0.8  FPU V0.1", "3A2000" },
		{ "cpu model\t: ICT Loongson-3 V0.1  FPU V0.1", "3A4000" },
		{ "cpu model\t: ICT Loongson-3 V0.13  FPU V0.1", "3A3000" },
		{ "cpu model\t: ICT Loongson-3 V0.12", "3A2000" },
		{ "Model Name\t: Loongson-3A5000-HV", "3A5000" },
		{ "Model Name\t: Loongson-3A6000", "3A6000" },
	};
	static const char *const unknown[] = {
		"model name\t: Loongson-3C5000",
		"cpu model\t: MIPS 24Kc V8.0",
		"model name\t: AMD EPYC",
		"cpu model\t: ICT Loongson-3 V0.99",
		"Model Name\t: ICT Loongson-3 V0.5",
	};
	struct loongson_machine m;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		snprintf(text, sizeof(text), "processor : 0\n%s\n",
			 known[i].line);
		assert_int_equal(parse(&m, text), 0);
		assert_non_null(m.chip);
		assert_string_equal(m.chip->name, known[i].name);
		assert_true((m.chip->arch == CHIP_LOONGARCH) ==
			    (known[i].line[0] == 'M'));
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		snprintf(text, sizeof(text), "processor : 0\n%s\n", unknown[i]);
		assert_int_equal(parse(&m, text), 0);
		assert_null(m.chip);
		assert_non_null(strstr(unknown[i], m.model));
	}
}

static void test_impossible_numbers_are_refused(void **state)
{
	static const char *const bad[] = {
		"processor : 64\n",
		"processor : -1\n",
		"processor : 1x\n",
		"processor : \n",
		"processor : 0\npackage : 16\ncore : 0\n",
		"processor : 0\npackage : 4294967296\ncore : 0\n",
		"processor : 0\npackage : 0\ncore : -1\n",
	};
	struct loongson_machine m;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "%sModel Name : Loongson-3A5000\n",
			 bad[i]);
		assert_int_equal(parse(&m, text), -ERANGE);
		/* On another machine they are nobody's business. */
		snprintf(text, sizeof(text), "%sModel Name : EPYC\n", bad[i]);
		assert_int_equal(parse(&m, text), 0);
		assert_null(m.chip);
	}
}

/* Both lines, or we do not know where it is. */
static void test_half_a_place_is_none(void **state)
{
	struct loongson_machine m;

	(void)state;
	assert_int_equal(parse(&m, "processor : 2\npackage : 0\n"
				   "Model Name : Loongson-3A5000\n"),
			 0);
	assert_true(m.cpu[2].online);
	assert_false(m.cpu[2].placed);
	assert_int_equal(parse(&m, "processor : 2\ncore : 1\n"
				   "Model Name : Loongson-3A5000\n"),
			 0);
	assert_false(m.cpu[2].placed);
}

/* Two nodes in a package; kernels that count cores through all packages. */
static void test_packages_become_nodes_of_four(void **state)
{
	static const struct {
		const char *chip;
		uint32_t package, core, node, within;
	} want[] = {
		{ "3A1000", 0, 3, 0, 3 }, { "3A1000", 3, 2, 3, 2 },
		{ "3A3000", 1, 5, 1, 1 }, { "3B1500", 0, 3, 0, 3 },
		{ "3B1500", 0, 4, 1, 0 }, { "3B1500", 1, 7, 3, 3 },
		{ "3B1000", 1, 0, 2, 0 }, { "3A5000", 2, 1, 2, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		struct loongson_cpu c = { 0 };

		for (size_t k = 0; k < loongson_nchips; k++)
			if (!strcmp(loongson_chips[k].name, want[i].chip))
				assert_int_equal(
					loongson_place(&c, &loongson_chips[k],
						       want[i].package,
						       want[i].core),
					0);
		assert_true(c.placed);
		assert_int_equal(c.node, want[i].node);
		assert_int_equal(c.core, want[i].within);
	}
}

static void test_a_guest_is_recognised(void **state)
{
	static const char *const guests[] = {
		"machine : loongson,loongson64v-4core-virtio\n",
		"system type : QEMU Loongson64\n",
		"Hypervisor Vendor : KVM\n",
	};
	struct loongson_machine m;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(guests) / sizeof(guests[0]); i++) {
		snprintf(text, sizeof(text),
			 "%sprocessor : 0\ncpu model : ICT Loongson-3 V0.1\n",
			 guests[i]);
		assert_int_equal(parse(&m, text), 0);
		assert_true(m.guest);
	}
}

/* Linux 6.1, arch/mips/loongson64/env.c, smp_group[]; 3A5000 user manual. */
static void test_bases_are_the_manuals(void **state)
{
	static const struct {
		const char *name;
		uint32_t node;
		uint64_t base;
	} want[] = {
		{ "3A1000", 0, 0x3ff01000 },
		{ "3A3000", 1, 0x10003ff01000 },
		{ "3A4000", 3, 0x30003ff01000 },
		{ "3B1500", 1, 0x10003ff05000 },
		{ "3B1000", 3, 0x30003ff0d000 },
		{ "3A5000", 0, 0x1fe01000 },
		{ "3A5000", 1, 0x10001fe01000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const struct chip *chip = NULL;

		for (size_t k = 0; k < loongson_nchips; k++)
			if (!strcmp(loongson_chips[k].name, want[i].name))
				chip = &loongson_chips[k];
		assert_non_null(chip);
		assert_true(loongson_base(chip, want[i].node) == want[i].base);
	}
}

static void test_lists_of_cores(void **state)
{
	static const struct {
		const char *text;
		uint64_t mask;
	} good[] = {
		{ "0", 1 },
		{ "0\n", 1 },
		{ "0-3\n", 0xf },
		{ "0-1,3\n", 0xb },
		{ "0,2,4-5\n", 0x35 },
		{ "63\n", UINT64_C(1) << 63 },
		{ "0-63\n", UINT64_MAX },
	};
	static const char *const bad[] = { "",	    "\n",    "0-\n",
					   "-3\n",  "0,\n",  "0,,1\n",
					   "3-1\n", "64\n",  "0-64\n",
					   "a\n",   "0 1\n", "0-3-5\n" };
	uint64_t mask;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(loongson_list(good[i].text, &mask), 0);
		assert_true(mask == good[i].mask);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		mask = 5;
		assert_int_equal(loongson_list(bad[i], &mask), -EINVAL);
		assert_int_equal(mask, 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpuinfo_tells_chip_and_cores),
		cmocka_unit_test(test_each_known_model_is_told_apart),
		cmocka_unit_test(test_impossible_numbers_are_refused),
		cmocka_unit_test(test_half_a_place_is_none),
		cmocka_unit_test(test_packages_become_nodes_of_four),
		cmocka_unit_test(test_a_guest_is_recognised),
		cmocka_unit_test(test_bases_are_the_manuals),
		cmocka_unit_test(test_lists_of_cores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
