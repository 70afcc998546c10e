/* SPDX-License-Identifier: MIT */
/*
 * test_telemetry.c - the BPF programs: loaded, refused, switched off
 *
 * Where they can't be loaded (no privilege, no BTF, BPF=0) that is what is
 * looked at, and the rest is skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/types.h>

#include "daemon/bpf/run.h"
#include "daemon/privs.h"
#include "daemon/telemetry.h"
#include "tests/lib/home.h"

#define SLOTS	   4u
#define SLOT	   2u
#define INSTANCE   7u
#define BYTES	   (SLOTS * sizeof(struct run_rank))
#define PATIENCE_S 20

static int fd[TELEMETRY_FDS];
static const volatile struct run_rank *rank;

static int setup(void **state)
{
	char why[TELEMETRY_TEXT] = "";
	int ret;

	(void)state;
	for (int i = 0; i < TELEMETRY_FDS; i++)
		fd[i] = -1;
	rank = NULL;
	ret = telemetry_bpf_load(fd, SLOTS, why);
	if (ret == 0) {
		rank = mmap(NULL, BYTES, PROT_READ, MAP_SHARED,
			    fd[TELEMETRY_RANKS], 0);
		return rank == MAP_FAILED ? -1 : 0;
	}
	/* No half-made thing, and a reason. */
	if (!*why || fd[0] != -1 || (ret != -EPERM && ret != -ENOTSUP))
		return -1;
	print_message("# not here: %s\n", why);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (rank)
		munmap((void *)(uintptr_t)rank, BYTES);
	for (int i = 0; i < TELEMETRY_FDS; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	return 0;
}

static uint32_t state_of(uint32_t slot)
{
	return rank[slot].state;
}

/* A child that waits for a byte, then runs until it is killed. */
static pid_t start(int *pidfd, int *go)
{
	int p[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		close(p[1]);
		if (read(p[0], &c, 1) != 1)
			_exit(1);
		for (;;)
			atomic_signal_fence(memory_order_seq_cst);
	}
	close(p[0]);
	*go = p[1];
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(*pidfd >= 0);
	return pid;
}

static void nap(void)
{
	struct timespec ms = { .tv_nsec = 1000000 };

	nanosleep(&ms, NULL);
}

static bool comes_to(uint32_t slot, uint32_t state)
{
	time_t end = time(NULL) + PATIENCE_S;

	while (state_of(slot) != state) {
		if (time(NULL) > end)
			return false;
		nap();
	}
	return true;
}

static void test_what_a_marked_process_does_can_be_read(void **state)
{
	int pidfd, go;
	pid_t pid;

	(void)state;
	if (!rank)
		skip();
	pid = start(&pidfd, &go);
	assert_int_equal(
		telemetry_bpf_mark(fd[TELEMETRY_TASKS], pidfd, SLOT + 1,
				   INSTANCE), 0);
	assert_int_equal(state_of(SLOT), RUN_UNKNOWN);
	assert_int_equal(write(go, "x", 1), 1);
	assert_true(comes_to(SLOT, RUN_RUNS));
	assert_true(rank[SLOT].cpu < (uint32_t)sysconf(_SC_NPROCESSORS_CONF));
	assert_int_equal(rank[SLOT].instance, INSTANCE);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_true(comes_to(SLOT, RUN_SLEEPS));
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_true(comes_to(SLOT, RUN_RUNS));
	/* Of the others nothing was told. */
	for (uint32_t i = 0; i < SLOTS; i++)
		if (i != SLOT)
			assert_int_equal(state_of(i), RUN_UNKNOWN);
	/* Unmarked: its state stays as it was. */
	assert_int_equal(telemetry_bpf_mark(fd[TELEMETRY_TASKS], pidfd, 0, 0),
			 0);
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	assert_int_not_equal(state_of(SLOT), RUN_SLEEPS);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pidfd);
	close(go);
}

static void test_who_wants_a_core_and_has_it_not(void **state)
{
	int pidfd[2], go[2];
	pid_t pid[2];
	cpu_set_t one;
	int cpu = sched_getcpu();
	time_t end = time(NULL) + PATIENCE_S;
	bool seen = false;

	(void)state;
	if (!rank)
		skip();
	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	for (uint32_t i = 0; i < 2; i++) {
		pid[i] = start(&pidfd[i], &go[i]);
		assert_int_equal(sched_setaffinity(pid[i], sizeof(one), &one),
				 0);
		assert_int_equal(telemetry_bpf_mark(fd[TELEMETRY_TASKS],
						    pidfd[i], i + 1, 1),
				 0);
	}
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(write(go[i], "x", 1), 1);
	/* Both of them again and again: so one waits while the other runs. */
	while (!seen && time(NULL) <= end) {
		seen = rank[0].waits > 1 && rank[1].waits > 1 &&
		       rank[0].waited_ns > 0 && rank[1].waited_ns > 0;
		nap();
	}
	assert_true(seen);
	for (uint32_t i = 0; i < 2; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		close(pidfd[i]);
		close(go[i]);
	}
}

static void test_it_can_only_be_read(void **state)
{
	void *p;

	(void)state;
	if (!rank)
		skip();
	p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		 fd[TELEMETRY_RANKS], 0);
	assert_ptr_equal(p, MAP_FAILED);
	assert_int_not_equal(mprotect((void *)(uintptr_t)rank, BYTES,
				      PROT_READ | PROT_WRITE),
			     0);
}

static void test_a_process_that_may_not_is_told_so(void **state)
{
	char why[TELEMETRY_TEXT] = "", text[PRIVS_TEXT];
	int none[TELEMETRY_FDS], status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		if (privs_limit(0, text))
			_exit(1);
		if (telemetry_bpf_load(none, SLOTS, why) == 0)
			_exit(2);
		_exit(strstr(why, "CAP_BPF") || strstr(why, "built without")
			      ? 0
			      : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_switched_off_is_off(void **state)
{
	struct home h;

	(void)state;
	assert_int_equal(home_open(&h, NULL), 0);
	assert_string_equal(telemetry_describe(h.d),
			    "off, by the configuration");
	assert_false(telemetry_any(&h.sh));
	home_close(&h);
}

static void test_a_domain_has_it_or_says_why_not(void **state)
{
	static const char *const sets[] = { "telemetry=auto", NULL };
	struct home h;

	(void)state;
	assert_int_equal(home_open(&h, sets), 0);
	if (rank)
		assert_string_equal(telemetry_describe(h.d), "on");
	else
		assert_memory_equal(telemetry_describe(h.d), "off, ", 5);
	assert_true(telemetry_any(&h.sh) == (rank != NULL));
	home_close(&h);
}

/* Joins as a rank of a library of wire version 0.@minor; is it told? */
static bool is_told(struct home *h, uint16_t minor)
{
	struct snoo_wire_oncpu m;
	struct snoo_wire_hello hello;
	struct fakerank f;
	bool told = false;
	void *map;

	home_rank(h, &f);
	fakerank_hello_init(&hello, "told", minor, 0, 1);
	hello.minor = minor;
	assert_int_equal(fakerank_connect(&f, h->path), 0);
	assert_int_equal(fakerank_send(&f, &hello, sizeof(hello)), 0);
	while (!f.started) {
		int type = fakerank_recv(&f, true);

		assert_true(type > 0);
		if (type != SNOO_WIRE_ONCPU)
			continue;
		told = true;
		memcpy(&m, f.msg.bytes, sizeof(m));
		assert_int_equal(m.head.length, sizeof(m));
		assert_true(m.slots > f.welcome.slot);
		assert_int_equal(f.nfds, 1);
		map = mmap(NULL, (size_t)m.slots * m.stride, PROT_READ,
			   MAP_SHARED, f.fds[0], 0);
		assert_ptr_not_equal(map, MAP_FAILED);
		munmap(map, (size_t)m.slots * m.stride);
		/* To read, and for nothing else. */
		map = mmap(NULL, (size_t)m.slots * m.stride,
			   PROT_READ | PROT_WRITE, MAP_SHARED, f.fds[0], 0);
		assert_ptr_equal(map, MAP_FAILED);
	}
	fakerank_close(&f);
	home_bury(h);
	return told;
}

static void test_ranks_are_told_where_it_is(void **state)
{
	static const char *const sets[] = { "telemetry=auto", NULL };
	struct home h;

	(void)state;
	assert_int_equal(home_open(&h, sets), 0);
	assert_true(is_told(&h, SNOO_WIRE_MINOR) == (rank != NULL));
	assert_true(is_told(&h, 7) == (rank != NULL));
	/* Who would take it for nonsense is not. */
	assert_false(is_told(&h, 6));
	home_close(&h);
	assert_int_equal(home_open(&h, NULL), 0);
	assert_false(is_told(&h, SNOO_WIRE_MINOR));
	home_close(&h);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_a_marked_process_does_can_be_read),
		T(test_who_wants_a_core_and_has_it_not),
		T(test_it_can_only_be_read),
		T(test_a_process_that_may_not_is_told_so),
		T(test_switched_off_is_off),
		T(test_a_domain_has_it_or_says_why_not),
		T(test_ranks_are_told_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
