/* SPDX-License-Identifier: MIT */
/*
 * costs.c - what waiting costs on this machine, measured once at the start
 *
 * Theory of operation
 * ===================
 *
 * A child process and we pass a word on: we make it odd, the child makes it
 * even.  A process, not a thread: ranks are processes, and a switch between
 * two address spaces is dearer.  On one core we do so with sched_yield(2) and
 * with futexes, on two cores with a rest before each wake-up, so that the
 * other core has gone idle.
 */
#include "daemon/costs.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_NS UINT64_C(60000000) /* for all of it */
#define LOOK_NS	 20000000l	    /* a futex wait, at most */
#define REST_NS	 400000l	    /* until a core is idle */
#define WAKES	 9u		    /* of which we take the median */
#define BATCHES	 8u		    /* of which we take the best */
#define PASSES	 16u		    /* there and back, in a batch */
#define NO_CPU	 UINT32_MAX

#define USUAL_SPIN_NS 50000u
#define SPIN_WAKES    4u /* idle wake-ups that a spin may cost */
#define SPIN_MIN_NS   20000u
#define SPIN_MAX_NS   1000000u

/** struct bed - What the two share */
struct bed {
	_Alignas(128) _Atomic uint32_t turn;  /* odd: the child's */
	_Alignas(128) _Atomic uint32_t polls; /* 1: yield, 0: sleep */
	_Atomic uint64_t woken_ns;	      /* when the child last had it */
};

/** struct test - One measurement */
struct test {
	struct bed *bed;
	pid_t child;
	uint64_t end_ns;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	struct timespec most = { .tv_nsec = LOOK_NS };

	syscall(SYS_futex, word, FUTEX_WAIT, value, &most, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* seq_cst throughout: two processes and a handful of words. */
static void rest(struct bed *b, uint32_t turn)
{
	if (atomic_load(&b->polls))
		sched_yield();
	else
		futex_wait(&b->turn, turn);
}

static void hand_on(struct bed *b, uint32_t turn)
{
	atomic_store(&b->turn, turn + 1);
	if (!atomic_load(&b->polls))
		futex_wake(&b->turn);
}

/* ---- the child ---- */

_Noreturn static void be_child(struct bed *b, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have ended before we asked. */
	while (getppid() == parent) {
		uint32_t turn = atomic_load(&b->turn);

		if (!(turn & 1)) {
			rest(b, turn);
			continue;
		}
		atomic_store(&b->woken_ns, now_ns());
		hand_on(b, turn);
	}
	_exit(0);
}

/* ---- we ---- */

/* There and back; false: no time is left. */
static bool pass(const struct test *t, bool spin)
{
	struct bed *b = t->bed;
	uint32_t turn = atomic_load(&b->turn);

	hand_on(b, turn);
	for (uint32_t i = 1;; i++) {
		turn = atomic_load(&b->turn);
		if (!(turn & 1))
			return true;
		if (i % 16 == 0 && now_ns() > t->end_ns)
			return false;
		if (!spin)
			rest(b, turn);
	}
}

/* Each way of the best batch; 0: no time. */
static uint32_t best(const struct test *t)
{
	uint64_t ns = UINT64_MAX;

	for (uint32_t i = 0; i < BATCHES; i++) {
		uint64_t before = now_ns(), took;

		for (uint32_t k = 0; k < PASSES; k++) {
			if (!pass(t, false))
				return 0;
		}
		took = now_ns() - before;
		if (took < ns)
			ns = took;
	}
	return (uint32_t)(ns / (2 * PASSES)) + 1;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t idle_wake(const struct test *t)
{
	uint64_t ns[WAKES];

	for (uint32_t i = 0; i < WAKES; i++) {
		struct timespec pause = { .tv_nsec = REST_NS };
		uint64_t before, after;

		nanosleep(&pause, NULL);
		before = now_ns();
		if (before > t->end_ns || !pass(t, true))
			return 0;
		after = atomic_load(&t->bed->woken_ns);
		ns[i] = after > before ? after - before : 1;
	}
	qsort(ns, WAKES, sizeof(ns[0]), by_value);
	/* It is in bounds: end_ns was not reached. */
	return (uint32_t)ns[WAKES / 2];
}

/* Two cpus of ours, on two cores that are near each other; NO_CPU: none. */
static void choose(const struct topo *t, const struct topo_set *may,
		   uint32_t cpu[2])
{
	unsigned int n;
	const unsigned int *order = topo_order(t, &n);

	cpu[0] = cpu[1] = NO_CPU;
	for (unsigned int i = 0; i < n && cpu[1] == NO_CPU; i++) {
		if (!topo_set_has(may, order[i]))
			continue;
		if (cpu[0] == NO_CPU)
			cpu[0] = order[i];
		else if (topo_core_of(t, order[i]) != topo_core_of(t, cpu[0]))
			cpu[1] = order[i];
	}
}

static void run_tests(const struct test *t, const uint32_t cpu[2],
		      struct costs *out)
{
	if (topo_pin(0, cpu[0]) || topo_pin(t->child, cpu[0])) {
		snprintf(out->why, sizeof(out->why), "pinning: %s",
			 strerror(errno));
		return;
	}
	out->hand_ns = best(t);
	atomic_store(&t->bed->polls, 1);
	futex_wake(&t->bed->turn);
	out->yield_ns = best(t);
	atomic_store(&t->bed->polls, 0);
	if (cpu[1] == NO_CPU) {
		snprintf(out->why, sizeof(out->why),
			 "waking an idle core: there is one core only");
		return;
	}
	if (topo_pin(t->child, cpu[1]) == 0)
		out->wake_ns = idle_wake(t);
	if (!out->hand_ns || !out->yield_ns || !out->wake_ns)
		snprintf(out->why, sizeof(out->why),
			 "the machine was too busy to measure all of it");
}

void costs_measure(struct costs *out, const struct topo *t)
{
	struct topo_set mine;
	struct test test = { .end_ns = now_ns() + LIMIT_NS };
	uint32_t cpu[2];
	pid_t parent = getpid();

	*out = (struct costs){ 0 };
	if (topo_set_of(&mine, 0))
		topo_set_zero(&mine);
	choose(t, &mine, cpu);
	test.bed = mmap(NULL, sizeof(*test.bed), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (test.bed == MAP_FAILED || cpu[0] == NO_CPU) {
		snprintf(out->why, sizeof(out->why), "no %s to measure with",
			 cpu[0] == NO_CPU ? "cpu" : "memory");
		goto out_unmap;
	}
	test.child = fork();
	if (test.child == 0)
		be_child(test.bed, parent);
	if (test.child < 0) {
		snprintf(out->why, sizeof(out->why), "fork: %s",
			 strerror(errno));
		goto out_unmap;
	}
	run_tests(&test, cpu, out);
	kill(test.child, SIGKILL);
	waitpid(test.child, NULL, 0);
	topo_confine(0, &mine);
out_unmap:
	if (test.bed != MAP_FAILED)
		munmap(test.bed, sizeof(*test.bed));
}

uint32_t costs_spin_ns(const struct costs *c)
{
	uint64_t ns = (uint64_t)c->wake_ns * SPIN_WAKES;

	if (ns == 0)
		return USUAL_SPIN_NS;
	if (ns < SPIN_MIN_NS)
		return SPIN_MIN_NS;
	return ns < SPIN_MAX_NS ? (uint32_t)ns : SPIN_MAX_NS;
}
