/* SPDX-License-Identifier: MIT */
/*
 * test_guest_run.c - the guest daemon's part of programs: fork, adopt, pass on
 *
 * The test is the control ring, which may be full.  Needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/guest_run.h"
#include "daemon/guest_runner.h"
#include "daemon/log.h"

#define SH		"/usr/bin/dash"
#define HEARD_MAX	256
#define TURNS		20000

struct fixture {
	struct loop *loop;
	struct keeper *keeper;
	struct conf *conf;
	struct conf_overrides ov;
	struct guest_run *run;
	bool full;			/* the ring takes nothing */
	union frame {
		struct snoo_ctl_frame head;
		struct snoo_ctl_run_pid pid;
		struct snoo_ctl_run_end end;
		struct snoo_ctl_data data;
		unsigned char bytes[SNOO_CTL_FRAME_MAX];
	} heard[HEARD_MAX];
	unsigned int n;
};

static const char *const allowed[] = {
	"guest.run.programs=[\"" SH "\"]", "guest.run.user=nobody",
};

static int put(void *arg, const struct snoo_ctl_frame *f, const void *body,
	       size_t bytes)
{
	struct fixture *x = arg;

	if (x->full)
		return -EAGAIN;
	assert_true(x->n < HEARD_MAX);
	x->heard[x->n].head = *f;
	x->heard[x->n].head.length = (uint32_t)(sizeof(*f) + bytes);
	memcpy(x->heard[x->n].bytes + sizeof(*f), body, bytes);
	x->n++;
	return 0;
}

static void open_run(struct fixture *f)
{
	struct guest_run_params p = {
		.conf = f->conf, .ov = &f->ov, .keeper = f->keeper,
	};

	assert_int_equal(guest_run_open(&f->run, &p), 0);
	assert_int_equal(guest_run_start(f->run, f->loop, put, f), 0);
}

static void open_all(struct fixture *f, unsigned int nsets)
{
	char *errors;

	log_open(LOG_LEVEL_ERROR);
	f->ov = (struct conf_overrides){ .sets = allowed, .nsets = nsets };
	assert_int_equal(conf_load(&f->conf, NULL, &f->ov, &errors), 0);
	assert_int_equal(keeper_open(&f->keeper, NULL), 0);
	assert_int_equal(loop_open(&f->loop), 0);
	open_run(f);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	guest_run_close(f->run, false);
	loop_close(f->loop);
	keeper_close(f->keeper);
	conf_close(f->conf);
	free(f);
	return 0;
}

#define need_root() do { if (geteuid() != 0) skip(); } while (0)

/* Serve until a frame of @type of @sid was heard; it. */
static union frame *until(struct fixture *f, uint32_t type, uint32_t sid)
{
	for (int i = 0; i < TURNS; i++) {
		for (unsigned int k = 0; k < f->n; k++)
			if (f->heard[k].head.type == type &&
			    f->heard[k].head.sid == sid)
				return &f->heard[k];
		loop_step(f->loop);
		poll(NULL, 0, 1);
	}
	fail_msg("no frame of type %u of run %u", type, sid);
	return NULL;
}

static int say_run(struct fixture *f, uint32_t sid, const char *script)
{
	struct {
		struct snoo_ctl_run run;
		char words[512];
	} m = { .run = { .argc = 3 } };
	int n = snprintf(m.words, sizeof(m.words), SH "%c-c%c%s", 0, 0,
			 script) + 1;

	m.run.bytes = (uint32_t)n;
	m.run.frame = (struct snoo_ctl_frame){
		(uint32_t)(sizeof(m.run) + (size_t)n), SNOO_CTL_RUN, sid,
		SNOO_CTL_NO_SLOT };
	return guest_run_frame(f->run, &m.run.frame, m.run.frame.length);
}

static int say_runs(struct fixture *f, uint32_t sid)
{
	struct {
		struct snoo_ctl_runs runs;
		uint32_t sid;
	} m = { .runs = { .count = 1 }, .sid = sid };

	m.runs.frame = (struct snoo_ctl_frame){
		sizeof(m.runs) + sizeof(sid), SNOO_CTL_RUNS, 0,
		SNOO_CTL_NO_SLOT };
	return guest_run_frame(f->run, &m.runs.frame, m.runs.frame.length);
}

static void test_without_a_list_there_is_no_runner(void **state)
{
	struct fixture *f = *state;
	union frame *m;

	open_all(f, 0);
	assert_false(guest_run_allows(f->run));
	assert_int_equal(say_run(f, 1, "exit 0"), 0);
	m = until(f, SNOO_CTL_FINISHED, 1);
	assert_int_equal(m->end.error, EOPNOTSUPP);
	assert_non_null(strstr(m->end.text, "guest.run.programs"));
}

static void test_frames_pass_both_ways(void **state)
{
	struct fixture *f = *state;
	union frame *m;

	need_root();
	open_all(f, 2);
	assert_true(guest_run_allows(f->run));
	assert_int_equal(say_run(f, 5, "echo here; exit 4"), 0);
	m = until(f, SNOO_CTL_FINISHED, 5);
	assert_int_equal(m->end.status, 4 << 8);
	m = until(f, SNOO_CTL_DATA, 5);
	assert_int_equal(m->data.bytes, 5);
	assert_memory_equal(m->bytes + sizeof(m->data), "here\n", 5);
}

static void test_nothing_is_lost_while_the_ring_is_full(void **state)
{
	struct fixture *f = *state;

	need_root();
	open_all(f, 2);
	f->full = true;
	say_run(f, 1, "echo one; exit 0");
	say_run(f, 2, "echo two; exit 0");
	for (int i = 0; i < 200; i++) {
		loop_step(f->loop);
		poll(NULL, 0, 1);
	}
	assert_int_equal(f->n, 0);
	f->full = false;
	guest_run_room(f->run);
	until(f, SNOO_CTL_FINISHED, 1);
	until(f, SNOO_CTL_FINISHED, 2);
	until(f, SNOO_CTL_STARTED, 1);
	until(f, SNOO_CTL_DATA, 1);
	until(f, SNOO_CTL_DATA, 2);
}

static pid_t runner_of(struct fixture *f, uint32_t sid)
{
	uint32_t pid = until(f, SNOO_CTL_STARTED, sid)->pid.pid;
	char path[64], text[512] = "";
	FILE *in;
	int ppid = 0;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	in = fopen(path, "re");
	assert_non_null(in);
	assert_non_null(fgets(text, sizeof(text), in));
	fclose(in);
	assert_int_equal(sscanf(strrchr(text, ')') + 1, " %*c %d", &ppid), 1);
	return ppid;
}

static void test_a_runner_that_dies_ends_its_runs(void **state)
{
	struct fixture *f = *state;
	union frame *m;

	need_root();
	open_all(f, 2);
	say_run(f, 1, "exec /usr/bin/sleep 100");
	kill(runner_of(f, 1), SIGKILL);
	m = until(f, SNOO_CTL_FINISHED, 1);
	assert_int_equal(m->end.error, ECHILD);
	assert_false(guest_run_allows(f->run));
	/* And whatever the host asks for afterwards. */
	f->n = 0;
	say_run(f, 2, "exit 0");
	assert_int_equal(until(f, SNOO_CTL_FINISHED, 2)->end.error, ECHILD);
	say_runs(f, 3);
	assert_int_equal(until(f, SNOO_CTL_FINISHED, 3)->end.error, ECHILD);
}

static void test_a_list_of_runs_that_makes_no_sense_is_told(void **state)
{
	struct fixture *f = *state;
	struct snoo_ctl_runs m = {
		.frame = { sizeof(m), SNOO_CTL_RUNS, 0, SNOO_CTL_NO_SLOT },
		.count = 1,
	};

	open_all(f, 0);
	assert_int_equal(guest_run_frame(f->run, &m.frame, sizeof(m)),
			 -EPROTO);
	m.count = SNOO_CTL_RUNS_MAX + 1;
	assert_int_equal(guest_run_frame(f->run, &m.frame, sizeof(m)),
			 -EPROTO);
	m.count = 0;
	assert_int_equal(guest_run_frame(f->run, &m.frame, 16), -EPROTO);
	assert_int_equal(guest_run_frame(f->run, &m.frame, sizeof(m)), 0);
}

static void test_more_runs_than_there_can_be_are_told(void **state)
{
	struct fixture *f = *state;

	open_all(f, 0);
	f->full = true;
	for (uint32_t sid = 1; sid <= SNOO_CTL_RUNS_MAX; sid++)
		assert_int_equal(say_run(f, sid, "exit 0"), 0);
	assert_int_equal(say_run(f, SNOO_CTL_RUNS_MAX + 1, "exit 0"), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_without_a_list_there_is_no_runner),
		T(test_frames_pass_both_ways),
		T(test_nothing_is_lost_while_the_ring_is_full),
		T(test_a_runner_that_dies_ends_its_runs),
		T(test_a_list_of_runs_that_makes_no_sense_is_told),
		T(test_more_runs_than_there_can_be_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
