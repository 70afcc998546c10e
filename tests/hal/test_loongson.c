/* SPDX-License-Identifier: MIT */
/*
 * test_loongson.c - the hardware back end on a page of memory
 *
 * Conformance of the register accesses; which store can reach which byte of
 * the page; what is read from /proc/cpuinfo.  What only silicon can tell
 * (barriers, latency) is not tested here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "hal/loongson/loongson.h"
#include "tests/hal/conformance.h"

#define PAGE 16384
#define IPI  0x1000 /* of core 0's block in the page */

static uint8_t *page[2]; /* two nodes */
static struct loongson_machine machine;

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

static int parse(struct loongson_machine *m, const char *text)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int ret = loongson_cpuinfo(m, f);

	fclose(f);
	return ret;
}

static void fresh(void)
{
	memset(page[0], 0, PAGE);
	memset(page[1], 0, PAGE);
}

static int open_core(struct hal **out, uint32_t self, uint32_t flags)
{
	void *node[LOONGSON_NODES] = { page[0] + IPI, page[1] + IPI };
	struct hal_params p = { .self = self, .flags = flags };

	return loongson_open_at(out, &p, &machine, node);
}

static int fake_open(struct hal **out, const struct hal_params *p)
{
	return open_core(out, p->self, p->flags);
}

/* The back end, but for where its registers are. */
static void params(struct mail_params *p)
{
	static struct hal_ops fake;

	fake = hal_loongson;
	fake.open = fake_open;
	p->ops = &fake;
}

static struct hal_block *block(uint32_t core)
{
	const struct loongson_cpu *c = &machine.cpu[core];

	return (struct hal_block *)(void *)(page[c->node] + IPI +
					    c->core * HAL_REG_STRIDE);
}

static const struct conformance loongson = {
	.ncores = 5,
	.caps = HAL_CAP_MAIL,
	.fresh = fresh,
	.open = open_core,
	.params = params,
	.block = block,
};

static int setup(void **state)
{
	(void)state;
	fresh();
	return 0;
}

static void test_cpuinfo_tells_chip_and_cores(void **state)
{
	(void)state;
	assert_string_equal(machine.chip->name, "3A3000");
	assert_false(machine.guest);
	assert_int_equal(machine.ncpus, 7);
	assert_true(machine.cpu[0].online);
	assert_false(machine.cpu[5].online);
	assert_int_equal(machine.cpu[3].node, 1);
	assert_int_equal(machine.cpu[3].core, 1);
	assert_int_equal(machine.cpu[6].core, 3);
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
	};
	static const char *const unknown[] = {
		"model name\t: Loongson-3A6000",
		"cpu model\t: MIPS 24Kc V8.0",
		"model name\t: AMD EPYC",
		"cpu model\t: ICT Loongson-3 V0.99",
	};
	struct loongson_machine m;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		snprintf(text, sizeof(text), "processor : 0\n%s\n",
			 known[i].line);
		assert_int_equal(parse(&m, text), 0);
		assert_string_equal(m.chip->name, known[i].name);
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		snprintf(text, sizeof(text), "processor : 0\n%s\n", unknown[i]);
		assert_int_equal(parse(&m, text), -ENODEV);
	}
}

static void test_impossible_numbers_are_refused(void **state)
{
	static const char *const bad[] = {
		"processor : 64\n",
		"processor : -1\n",
		"processor : 0\npackage : 16\n",
		/* two CPUs on one block */
		("processor : 0\npackage : 0\ncore : 1\n"
		 "processor : 1\npackage : 0\ncore : 1\n"),
		"",
	};
	struct loongson_machine m;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "%sModel Name : Loongson-3A5000\n",
			 bad[i]);
		assert_int_equal(parse(&m, text), -ENODEV);
	}
}

static void test_a_guest_is_recognised(void **state)
{
	struct loongson_machine m;

	(void)state;
	assert_int_equal(parse(&m,
			       "machine : loongson,loongson64v-4core-virtio\n"
			       "processor : 0\n"
			       "cpu model : ICT Loongson-3 V0.1 FPU V0.1\n"),
			 0);
	assert_true(m.guest);
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

/* The page holds the interrupt router and the address windows as well. */
static void test_only_three_mailboxes_are_ever_written(void **state)
{
	struct hal *h, *me;
	uint64_t word;

	(void)state;
	memset(page[0], 0xa5, PAGE);
	memset(page[1], 0xa5, PAGE);
	memset((void *)&block(3)->mail[1], 0, 3 * sizeof(uint64_t));
	assert_int_equal(open_core(&h, 0, 0), 0);
	assert_int_equal(open_core(&me, 3, 0), 0);
	for (uint32_t box = 0; box < 8; box++)
		hal_mail_send(h, 3, box, 1 + box);
	for (uint32_t core = 0; core < 80; core++)
		hal_ring(h, core, UINT32_MAX);
	hal_arm(h, UINT32_MAX);
	hal_take(h);
	for (uint32_t box = 0; box < 8; box++)
		hal_mail_recv(me, box, &word);
	hal_close(h);
	hal_close(me);

	memset((void *)&block(0)->mail[1], 0xa5, 3 * sizeof(uint64_t));
	memset((void *)&block(3)->mail[1], 0xa5, 3 * sizeof(uint64_t));
	for (size_t i = 0; i < PAGE; i++) {
		assert_int_equal(page[0][i], 0xa5);
		assert_int_equal(page[1][i], 0xa5);
	}
}

/* A word in MailBox0..3 of an offline core makes it run from there. */
static void test_an_offline_core_is_out_of_reach(void **state)
{
	struct hal *h;
	struct hal_regs r;

	(void)state;
	assert_int_equal(open_core(&h, 5, 0), -ENODEV);
	assert_null(h);
	assert_int_equal(open_core(&h, 7, 0), -EINVAL);
	assert_int_equal(open_core(&h, 0, 0), 0);
	assert_int_equal(hal_mail_send(h, 5, 1, 1), -ENODEV);
	assert_int_equal(hal_read_regs(h, 5, &r), -ENODEV);
	hal_close(h);
}

static void test_what_the_kernel_left_is_cleared(void **state)
{
	struct hal *h;
	uint64_t word;

	(void)state;
	block(1)->mail[1] = UINT64_C(0x98000000022afeb0);
	block(1)->mail[2] = UINT64_C(0x9800000002280000);
	assert_int_equal(open_core(&h, 1, 0), 0);
	for (uint32_t box = 1; box <= 3; box++)
		assert_int_equal(hal_mail_recv(h, box, &word), -EAGAIN);
	hal_close(h);

	/* Unless a dead process's words are to be taken over. */
	block(1)->mail[1] = 77;
	assert_int_equal(open_core(&h, 1, HAL_KEEP_MAIL), 0);
	assert_int_equal(hal_mail_recv(h, 1, &word), 0);
	assert_int_equal(word, 77);
	hal_close(h);
}

static void test_other_machines_are_refused(void **state)
{
	struct hal_params p = { .self = 0 };
	struct hal *h = (struct hal *)page[0];
	char why[HAL_TEXT];
	int ret = hal_probe(&hal_loongson, why);

	(void)state;
	if (ret == 0) {
		print_message("# this is a Loongson\n");
		skip();
	}
	assert_true(ret == -ENODEV || ret == -EACCES);
	assert_true(hal_open(&h, &hal_loongson, &p) < 0);
	assert_null(h);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_cpuinfo_tells_chip_and_cores),
		T(test_each_known_model_is_told_apart),
		T(test_impossible_numbers_are_refused),
		T(test_a_guest_is_recognised),
		T(test_bases_are_the_manuals),
		T(test_only_three_mailboxes_are_ever_written),
		T(test_an_offline_core_is_out_of_reach),
		T(test_what_the_kernel_left_is_cleared),
		T(test_other_machines_are_refused),
	};
	int failed;

	for (int i = 0; i < 2; i++) {
		page[i] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (page[i] == MAP_FAILED)
			return 99;
	}
	if (parse(&machine, cpuinfo_3a3000)) {
		puts("the sample of /proc/cpuinfo was refused");
		return 99;
	}
	failed = conformance_run("loongson", &loongson);
	failed += cmocka_run_group_tests_name("loongson's own", tests, NULL,
					      NULL);
	return failed ? 1 : 0;
}
