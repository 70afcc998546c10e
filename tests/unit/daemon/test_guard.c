/* SPDX-License-Identifier: MIT */
/* test_guard.c - pages that vanish under a guarded function, and elsewhere */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/guard.h"

#define SIZE	(16u * 4096u)

struct fixture {
	int fd;
	unsigned char *mem;
	struct guard guard;
};

static int setup(void **state)
{
	static struct fixture f;

	f.fd = memfd_create("guard", MFD_CLOEXEC);
	assert_true(f.fd >= 0);
	assert_int_equal(ftruncate(f.fd, SIZE), 0);
	f.mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
	assert_true(f.mem != MAP_FAILED);
	memset(f.mem, 0x5a, SIZE);
	guard_init(&f.guard, f.mem, SIZE);
	*state = &f;
	return 0;
}

/* In the test itself: cmocka puts handlers of its own before each. */
static struct fixture *begin(void **state)
{
	assert_int_equal(guard_open(), 0);
	return *state;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	guard_close();
	munmap(f->mem, SIZE);
	close(f->fd);
	return 0;
}

/* The puncher: nothing is left of the upper half. */
static void punch(struct fixture *f)
{
#if defined(__SANITIZE_THREAD__)
	print_message("ThreadSanitizer leaves all signals blocked after a jump "
		      "out of a handler\n");
	skip();
#endif
	assert_int_equal(ftruncate(f->fd, SIZE / 2), 0);
}

struct visit {
	volatile unsigned char *at;
	int before;
	int after;
};

static void visit(void *arg)
{
	struct visit *v = arg;

	v->before++;
	*v->at = 1;
	v->after++;
}

static void test_a_whole_pool_is_touched_as_if_unguarded(void **state)
{
	struct fixture *f = begin(state);
	struct visit v = { .at = f->mem + SIZE - 1 };

	assert_int_equal(guard_run(&f->guard, visit, &v), 0);
	assert_int_equal(v.after, 1);
	assert_int_equal(f->mem[SIZE - 1], 1);
	assert_int_equal(guard_hits(&f->guard), 0);
}

static void test_a_vanished_page_ends_the_call(void **state)
{
	struct fixture *f = begin(state);
	struct visit v = { .at = f->mem + SIZE / 2 + 100 };

	punch(f);
	for (unsigned int i = 1; i <= 1000; i++) {
		assert_int_equal(guard_run(&f->guard, visit, &v), -EFAULT);
		assert_int_equal(guard_hits(&f->guard), i);
	}
	assert_int_equal(v.before, 1000);
	assert_int_equal(v.after, 0);
	assert_int_equal(guard_where(&f->guard), SIZE / 2 + 100);

	/* The rest of the pool, and the process, go on. */
	v.at = f->mem;
	assert_int_equal(guard_run(&f->guard, visit, &v), 0);
	assert_int_equal(v.after, 1);
}

static void test_the_signal_mask_is_as_before(void **state)
{
	struct fixture *f = begin(state);
	struct visit v = { .at = f->mem + SIZE / 2 };
	sigset_t before, after;

	sigprocmask(SIG_SETMASK, NULL, &before);
	punch(f);
	assert_int_equal(guard_run(&f->guard, visit, &v), -EFAULT);
	sigprocmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(sigismember(&before, SIGBUS), 0);
	for (int sig = 1; sig < SIGRTMAX; sig++)
		assert_int_equal(sigismember(&before, sig),
				 sigismember(&after, sig));
}

static void test_copies_say_what_they_could_not_reach(void **state)
{
	struct fixture *f = begin(state);
	unsigned char buf[256];

	memset(buf, 7, sizeof(buf));
	assert_int_equal(guard_copy_in(&f->guard, f->mem, buf, sizeof(buf)),
			 0);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(guard_copy_out(&f->guard, buf, f->mem, sizeof(buf)),
			 0);
	assert_int_equal(buf[255], 7);
	assert_int_equal(guard_zero(&f->guard, f->mem, 128), 0);
	assert_int_equal(f->mem[127], 0);
	assert_int_equal(f->mem[128], 7);

	punch(f);
	assert_int_equal(guard_copy_out(&f->guard, buf, f->mem + SIZE / 2,
					sizeof(buf)), -EFAULT);
	assert_int_equal(guard_copy_in(&f->guard, f->mem + SIZE / 2, buf,
				       sizeof(buf)), -EFAULT);
	assert_int_equal(guard_zero(&f->guard, f->mem + SIZE - 8, 8),
			 -EFAULT);
}

static void test_copies_outside_the_guard_are_refused(void **state)
{
	struct fixture *f = begin(state);
	unsigned char buf[16];

	assert_int_equal(guard_copy_out(&f->guard, buf, f->mem + SIZE - 8,
					16), -EINVAL);
	assert_int_equal(guard_copy_in(&f->guard, f->mem + SIZE, buf, 1),
			 -EINVAL);
	assert_int_equal(guard_copy_in(&f->guard, f->mem - 1, buf, 1),
			 -EINVAL);
	assert_int_equal(guard_zero(&f->guard, f->mem, SIZE_MAX), -EINVAL);
}

struct nest {
	struct fixture *f;
	struct guard inner;
	struct visit visit;
	int inner_result;
	int returned;
};

static void nested(void *arg)
{
	struct nest *n = arg;

	n->inner_result = guard_run(&n->inner, visit, &n->visit);
	n->returned++;
}

/* Two domains: the fault belongs to the one whose page it was. */
static void test_a_fault_goes_to_the_guard_of_its_range(void **state)
{
	struct fixture *f = begin(state);
	struct nest n = { .f = f };

	punch(f);

	/* The inner guard's own range. */
	guard_init(&n.inner, f->mem + SIZE / 2, SIZE / 2);
	guard_init(&f->guard, f->mem, SIZE / 2);
	n.visit.at = f->mem + SIZE / 2;
	assert_int_equal(guard_run(&f->guard, nested, &n), 0);
	assert_int_equal(n.inner_result, -EFAULT);
	assert_int_equal(n.returned, 1);

	/* The outer one's: the inner call never returns. */
	guard_init(&n.inner, f->mem, SIZE / 2);
	guard_init(&f->guard, f->mem + SIZE / 2, SIZE / 2);
	assert_int_equal(guard_run(&f->guard, nested, &n), -EFAULT);
	assert_int_equal(n.returned, 1);

	/* And the chain is whole again. */
	n.visit.at = f->mem;
	assert_int_equal(guard_run(&n.inner, visit, &n.visit), 0);
}

/* In a child: the status in which @fn leaves it. */
static int status_of(void (*fn)(struct fixture *f), struct fixture *f)
{
	const struct rlimit no_core = { 0, 0 };
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		guard_close();
		signal(SIGBUS, SIG_DFL);
		guard_open();
		fn(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void touch_unguarded(struct fixture *f)
{
	*(volatile unsigned char *)(f->mem + SIZE / 2) = 1;
}

static void touch_beside_guard(struct fixture *f)
{
	struct visit v = { .at = f->mem + SIZE / 2 };

	guard_init(&f->guard, f->mem, SIZE / 2);
	guard_run(&f->guard, visit, &v);
}

static void raise_sigbus(void *arg)
{
	(void)arg;
	raise(SIGBUS);
}

static void sent_by_kill(struct fixture *f)
{
	guard_run(&f->guard, raise_sigbus, NULL);
}

static void test_a_fault_elsewhere_is_deadly(void **state)
{
	struct fixture *f = begin(state);
	int status;

#if defined(__SANITIZE_ADDRESS__)
	skip();			/* it turns the signal into an exit code */
#endif
	punch(f);
	status = status_of(touch_unguarded, f);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	status = status_of(touch_beside_guard, f);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	status = status_of(sent_by_kill, f);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_a_whole_pool_is_touched_as_if_unguarded),
		T(test_a_vanished_page_ends_the_call),
		T(test_the_signal_mask_is_as_before),
		T(test_copies_say_what_they_could_not_reach),
		T(test_copies_outside_the_guard_are_refused),
		T(test_a_fault_goes_to_the_guard_of_its_range),
		T(test_a_fault_elsewhere_is_deadly),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
