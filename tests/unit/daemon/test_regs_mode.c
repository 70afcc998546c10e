/* SPDX-License-Identifier: MIT */
/* test_regs_mode.c - who carries messages, as configuration and machine have it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/regs_impl.h"
#include "hal/emul/emul.h"

/* ---- a machine that has registers, or lacks something ---- */

static struct {
	int probe; /* what it answers */
	const char *why;
	int open;
	uint32_t flags; /* of the last open */
	unsigned int opened;
} machine;

_Alignas(HAL_REG_STRIDE) static struct hal_block blocks[64];

static int fake_probe(char why[HAL_TEXT])
{
	if (machine.probe)
		snprintf(why, HAL_TEXT, "%s", machine.why);
	return machine.probe;
}

static int fake_open(struct hal **out, const struct hal_params *p)
{
	struct hal_params mine = *p;

	machine.flags = p->flags;
	machine.opened++;
	if (machine.open)
		return machine.open;
	mine.regs = blocks;
	mine.ncores = 64;
	mine.flags |= HAL_FAULT_OFFLINE;
	return hal_emul.open(out, &mine);
}

static struct hal_ops fake_hardware(void)
{
	struct hal_ops ops = hal_emul;

	ops.name = "fake";
	ops.probe = fake_probe;
	ops.open = fake_open;
	return ops;
}

struct fixture {
	struct shared sh;
	struct hal_ops hw;
	struct regs *g;
	uint32_t core; /* one that is served */
	struct regs_report r;
	char why[REGS_TEXT];
};

static int setup(void **state)
{
	struct fixture *t = calloc(1, sizeof(*t));

	memset(&machine, 0, sizeof(machine));
	memset(blocks, 0, sizeof(blocks));
	log_open(LOG_LEVEL_ERROR);
	t->hw = fake_hardware();
	*state = t;
	if (topo_open(&t->sh.topo) || loop_open(&t->sh.loop))
		return -1;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *t = *state;

	regs_close(t->g);
	loop_close(t->sh.loop);
	topo_close(t->sh.topo);
	conf_close(t->sh.conf);
	free(t);
	return 0;
}

static int decide(struct fixture *t, const char *registers, const char *hal,
		  bool in_guest)
{
	char a[64], b[64];
	const char *const sets[] = { a, b,
				     in_guest ? "registers_in_guest=true"
					      : "registers_in_guest=false" };
	struct conf_overrides ov = { .sets = sets, .nsets = 3 };
	char *errors;
	int ret;

	snprintf(a, sizeof(a), "registers=%s", registers);
	snprintf(b, sizeof(b), "hal=%s", hal);
	regs_close(t->g);
	t->g = NULL;
	conf_close(t->sh.conf);
	t->sh.conf = NULL;
	assert_int_equal(conf_load(&t->sh.conf, NULL, &ov, &errors), 0);
	machine.opened = 0;
	ret = regs_open_on(&t->g, &t->sh, &t->hw, t->why);
	if (ret)
		assert_null(t->g);
	else
		regs_report(t->g, &t->r);
	return ret;
}

static void expect(const char *text, const char *word)
{
	if (!strstr(text, word))
		fail_msg("\"%s\" is not in \"%s\"", word, text);
}

static void no_hardware(int ret)
{
	machine.probe = ret;
	machine.why = "this machine lacks what it takes";
}

/* ---- what follows ---- */

static void test_lines_look_at_nothing(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(decide(t, "lines", "loongson", false), 0);
	assert_false(t->r.hardware);
	assert_int_equal(machine.opened, 0);
	assert_string_equal(t->r.warning, "");
	expect(t->r.reason, "the configuration says so");
	assert_null(regs_mail(t->g));
	assert_true(t->r.asleep);
}

static void test_hardware_that_is_there(void **state)
{
	struct fixture *t = *state;
	static const char *const hals[] = { "auto", "loongson" };

	for (int i = 0; i < 2; i++) {
		assert_int_equal(decide(t, "hardware", hals[i], false), 0);
		assert_true(t->r.hardware);
		assert_string_equal(t->r.backend, "fake");
		assert_string_equal(t->r.why, "");
		assert_string_equal(t->r.warning, "");
		assert_int_equal(machine.flags & HAL_ALLOW_GUEST, 0);
		assert_int_equal(t->r.cores,
				 topo_set_count(topo_online(t->sh.topo)));
	}
}

static void test_hardware_that_is_not(void **state)
{
	struct fixture *t = *state;

	no_hardware(-EACCES);
	assert_int_equal(decide(t, "hardware", "auto", false), 0);
	assert_false(t->r.hardware);
	expect(t->r.warning, machine.why);
	expect(t->r.warning, "cache lines");
	assert_string_equal(t->r.why, machine.why);
	assert_int_equal(machine.opened, 0);
	/* Asked for by name: it does not start. */
	assert_int_equal(decide(t, "hardware", "loongson", false), -EINVAL);
	expect(t->why, machine.why);
	expect(t->why, "\"lines\"");
}

/* The probe promises more than can be had. */
static void test_hardware_that_does_not_open(void **state)
{
	struct fixture *t = *state;

	machine.open = -EIO;
	assert_int_equal(decide(t, "hardware", "auto", false), 0);
	assert_false(t->r.hardware);
	expect(t->r.warning, strerror(EIO));
	assert_int_equal(decide(t, "hardware", "loongson", false), -EINVAL);
	assert_int_equal(decide(t, "auto", "auto", false), 0);
	assert_false(t->r.hardware);
	assert_string_equal(t->r.warning, "");
}

static void test_emulated_only_if_asked_for(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(decide(t, "hardware", "emul", false), 0);
	assert_true(t->r.hardware);
	assert_string_equal(t->r.backend, "emul");
	assert_int_equal(machine.opened, 0);
	assert_int_equal(decide(t, "auto", "emul", false), 0);
	assert_false(t->r.hardware);
	expect(t->r.reason, "emulated");
	assert_string_equal(t->r.warning, "");
}

static void test_auto_measures(void **state)
{
	struct fixture *t = *state;

	if (topo_set_count(topo_online(t->sh.topo)) < 2)
		skip();
	/* Two lines and something between them are not faster than one. */
	assert_int_equal(decide(t, "auto", "auto", false), 0);
	assert_true(machine.opened > 0);
	assert_false(t->r.hardware);
	assert_string_equal(t->r.warning, "");
	assert_true(t->r.message_ns > 0);
	if (t->r.line_ns == -EAGAIN) {
		expect(t->r.reason, "busy");
		return;
	}
	assert_true(t->r.line_ns > 0);
	expect(t->r.reason, "lines are faster");
	expect(t->r.reason, " ns");
}

static void test_auto_without_hardware(void **state)
{
	struct fixture *t = *state;

	no_hardware(-ENODEV);
	assert_int_equal(decide(t, "auto", "auto", false), 0);
	assert_false(t->r.hardware);
	assert_string_equal(t->r.warning, "");
	assert_string_equal(t->r.why, machine.why);
	assert_int_equal(decide(t, "auto", "loongson", false), 0);
	assert_false(t->r.hardware);
	expect(t->r.warning, machine.why);
}

/* In a guest the probe says no; it takes both keys to go on. */
static void test_in_a_guest_it_must_be_asked_for_twice(void **state)
{
	struct fixture *t = *state;

	no_hardware(-ENODEV);
	assert_int_equal(decide(t, "hardware", "loongson", true), 0);
	assert_true(t->r.hardware);
	assert_int_equal(machine.flags & HAL_ALLOW_GUEST, HAL_ALLOW_GUEST);
	assert_int_equal(decide(t, "hardware", "auto", true), 0);
	assert_false(t->r.hardware);
	machine.open = -ENODEV;
	assert_int_equal(decide(t, "hardware", "loongson", true), -EINVAL);
	expect(t->why, machine.why);
}

static void test_this_machine_is_no_loongson(void **state)
{
	struct fixture *t = *state;
	char *errors;
	const char *const sets[] = { "registers=hardware", "hal=loongson" };
	struct conf_overrides ov = { .sets = sets, .nsets = 2 };
	char why[HAL_TEXT];

	if (hal_probe(&hal_loongson, why) == 0)
		skip();
	assert_int_equal(conf_load(&t->sh.conf, NULL, &ov, &errors), 0);
	assert_int_equal(regs_open(&t->g, &t->sh, t->why), -EINVAL);
	expect(t->why, why);
}

static void test_a_line_takes_two_cores(void **state)
{
	struct topo_set one;

	(void)state;
	topo_set_zero(&one);
	assert_int_equal(regs_line_measure(&one), -ENODEV);
	topo_set_add(&one, 0);
	assert_int_equal(regs_line_measure(&one), -ENODEV);
	/* A cpu that is not there can't be pinned to. */
	topo_set_add(&one, TOPO_CPUS - 1);
	assert_true(regs_line_measure(&one) < 0);
}

/* ---- cores that come and go ---- */

static void test_the_kernels_words_on_cpus(void **state)
{
	static const char cpu[] = "offline@/devices/system/cpu/cpu1\0"
				  "ACTION=offline\0"
				  "DEVPATH=/devices/system/cpu/cpu1\0"
				  "SUBSYSTEM=cpu\0DRIVER=processor\0SEQNUM=7";
	static const char other[] = "add@/devices/x\0ACTION=add\0"
				    "SUBSYSTEM=cpufreq\0X=SUBSYSTEM=cpu";

	(void)state;
	assert_true(regs_event_is_cpu(cpu, sizeof(cpu)));
	for (size_t n = 0; n < sizeof(cpu); n++)
		assert_int_equal(regs_event_is_cpu(cpu, n),
				 n >= sizeof(cpu) - sizeof("DRIVER=processor") -
						 sizeof("SEQNUM=7") - 1);
	assert_false(regs_event_is_cpu(other, sizeof(other)));
	assert_false(regs_event_is_cpu("", 0));
	assert_false(regs_event_is_cpu("SUBSYSTEM=cpu", 12));
}

#define POINTER UINT64_C(0x98000000022afeb0)

/* The kernel has put a word there, for a core that has yet to read it. */
static void being_started(struct fixture *t)
{
	emul_offline(blocks, t->core, true);
	blocks[t->core].mail[1] = POINTER;
}

static void with_cores(struct fixture *t)
{
	assert_int_equal(decide(t, "hardware", "auto", false), 0);
	t->core = regs_next_core(t->g, 0);
	assert_true(t->core < 64);
}

static void until_asleep(struct fixture *t)
{
	for (long i = 0; i < 10000000 && t->g->busy; i++)
		loop_step(t->sh.loop);
	assert_false(t->g->busy);
}

/* While it slept nobody looked: the first thing that it does is to look. */
static void test_who_wakes_looks_before_it_writes(void **state)
{
	struct fixture *t = *state;

	with_cores(t);
	regs_wake(t->g);
	until_asleep(t);
	being_started(t);
	t->g->refreshed_ns -= 1000000000;
	regs_wake(t->g);
	until_asleep(t);
	assert_true(blocks[t->core].mail[1] == POINTER);
	emul_offline(blocks, t->core, false);
	t->g->refreshed_ns -= 1000000000;
	regs_wake(t->g);
	until_asleep(t);
	assert_true(blocks[t->core].mail[1] == 0);
}

static void test_who_ends_looks_before_it_writes(void **state)
{
	struct fixture *t = *state;

	with_cores(t);
	being_started(t);
	regs_close(t->g);
	t->g = NULL;
	assert_true(blocks[t->core].mail[1] == POINTER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_lines_look_at_nothing),
		T(test_hardware_that_is_there),
		T(test_hardware_that_is_not),
		T(test_hardware_that_does_not_open),
		T(test_emulated_only_if_asked_for),
		T(test_auto_measures),
		T(test_auto_without_hardware),
		T(test_in_a_guest_it_must_be_asked_for_twice),
		T(test_this_machine_is_no_loongson),
		T(test_a_line_takes_two_cores),
		T(test_the_kernels_words_on_cpus),
		T(test_who_wakes_looks_before_it_writes),
		T(test_who_ends_looks_before_it_writes),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
