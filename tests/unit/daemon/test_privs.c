/* SPDX-License-Identifier: MIT */
/* test_privs.c - what can still be done after each stage */

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/privs.h"

/* Stages cannot be undone: each test has a process.  Its exit code is the
 * number of the check that failed. */
#define CHECK(number, condition)					\
	((condition) ? (void)0 : _exit(number))

static void in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status))
		fail_msg("killed by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int begin_twice(void)
{
	char why[PRIVS_TEXT];
	struct privs_report r;

	CHECK(1, privs_begin(why) == 0);
	CHECK(2, privs_begin(why) == 0);
	privs_report(&r);
	CHECK(3, r.no_new_privs);
	CHECK(4, strstr(r.text, "no new privileges") != NULL);
	return 0;
}

static void test_stage_one_forbids_new_privileges(void **state)
{
	(void)state;
	in_child(begin_twice);
}

static int limit(void)
{
	char why[PRIVS_TEXT];
	struct privs_report before, r;

	privs_report(&before);
	CHECK(1, privs_begin(why) == 0);
	CHECK(2, privs_limit(PRIVS_KEEP, why) == 0);
	privs_report(&r);
	CHECK(3, (r.effective & ~PRIVS_KEEP) == 0);
	CHECK(4, (r.permitted & ~PRIVS_KEEP) == 0);
	CHECK(5, r.effective == (before.effective & PRIVS_KEEP));
	if (before.effective == 0)
		return 77;
	CHECK(6, (r.bounding & ~PRIVS_KEEP) == 0);
	CHECK(7, mount("none", "/", "tmpfs", 0, NULL) < 0 && errno == EPERM);
	/* And once more, with less. */
	CHECK(8, privs_limit(0, why) == 0);
	privs_report(&r);
	CHECK(9, r.effective == 0 && r.permitted == 0);
	CHECK(10, strstr(r.text, "capabilities none") != NULL);
	return 0;
}

static void test_stage_two_keeps_what_was_named(void **state)
{
	(void)state;
	in_child(limit);
}

static int unprivileged(void)
{
	char why[PRIVS_TEXT];

	if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
		return 77;
	CHECK(1, privs_begin(why) == 0);
	CHECK(2, privs_limit(PRIVS_KEEP, why) == 0);
	CHECK(3, privs_filter(0, why) == 0);
	return 0;
}

static void test_all_stages_pass_without_any_privilege(void **state)
{
	(void)state;
	in_child(unprivileged);
}

static void *one(void *arg)
{
	return arg;
}

static int filter_all(void)
{
	char why[PRIVS_TEXT];
	struct privs_report r;
	pthread_t thread;
	void *got;
	int fd;

	CHECK(1, privs_begin(why) == 0);
	if (privs_filter(0, why) == -ENOTSUP)
		return 77;
	privs_report(&r);
	CHECK(2, r.seccomp == 2);
	CHECK(3, r.denied > 40);

	/* Denied, by EPERM and not by death. */
	CHECK(10, ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 &&
		  errno == EPERM);
	CHECK(11, mount("none", "/", "tmpfs", 0, NULL) < 0 &&
		  errno == EPERM);
	CHECK(12, unshare(CLONE_NEWUSER) < 0 && errno == EPERM);
	CHECK(13, syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == EPERM);
	CHECK(14, execl("/bin/true", "true", (char *)NULL) < 0 &&
		  errno == EPERM);
	CHECK(15, socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM);
	CHECK(16, setuid(0) < 0 && errno == EPERM);
	CHECK(17, syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) <
		  0 && errno == EPERM);
	CHECK(18, syscall(SYS_userfaultfd, 0) < 0 && errno == EPERM);

	/* What a daemon does. */
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CHECK(30, fd >= 0);
	CHECK(31, pthread_create(&thread, NULL, one, &fd) == 0);
	CHECK(32, pthread_join(thread, &got) == 0 && got == &fd);
	CHECK(33, syscall(SYS_memfd_create, "x", 0) >= 0);
	CHECK(34, open("/proc/self/stat", O_RDONLY) >= 0);
	CHECK(35, syscall(SYS_pidfd_open, getpid(), 0) >= 0);
	return 0;
}

static void test_stage_three_denies_what_is_foreign(void **state)
{
	(void)state;
	in_child(filter_all);
}

/* By the number of a call of x32. */
static int foreign_call(void)
{
	char why[PRIVS_TEXT];

	prctl(PR_SET_DUMPABLE, 0);
	CHECK(1, privs_begin(why) == 0);
	if (privs_filter(0, why) == -ENOTSUP)
		return 77;
	return syscall(0x40000000 + SYS_getpid) > 0 ? 2 : 3;
}

static void test_a_call_of_another_abi_ends_the_process(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(foreign_call());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void test_an_abi_has_the_name_that_the_kernel_gives_it(void **state)
{
	static const struct {
		uint16_t machine;
		unsigned char class, data;
		uint32_t arch;
	} abi[] = {
		{ EM_X86_64, ELFCLASS64, ELFDATA2LSB, AUDIT_ARCH_X86_64 },
		{ EM_AARCH64, ELFCLASS64, ELFDATA2LSB, AUDIT_ARCH_AARCH64 },
		{ EM_MIPS, ELFCLASS64, ELFDATA2LSB, AUDIT_ARCH_MIPSEL64 },
		{ EM_MIPS, ELFCLASS64, ELFDATA2MSB, AUDIT_ARCH_MIPS64 },
		{ EM_RISCV, ELFCLASS64, ELFDATA2LSB, AUDIT_ARCH_RISCV64 },
		{ EM_LOONGARCH, ELFCLASS64, ELFDATA2LSB,
		  AUDIT_ARCH_LOONGARCH64 },
		{ EM_PPC64, ELFCLASS64, ELFDATA2LSB, AUDIT_ARCH_PPC64LE },
		{ EM_S390, ELFCLASS64, ELFDATA2MSB, AUDIT_ARCH_S390X },
		/* i386, x32, n32 */
		{ EM_386, ELFCLASS32, ELFDATA2LSB, 0 },
		{ EM_X86_64, ELFCLASS32, ELFDATA2LSB, 0 },
		{ EM_MIPS, ELFCLASS32, ELFDATA2LSB, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(abi) / sizeof(abi[0]); i++) {
		unsigned char ident[EI_NIDENT] = {
			[EI_CLASS] = abi[i].class, [EI_DATA] = abi[i].data,
		};

		assert_int_equal(privs_arch(ident, abi[i].machine),
				 abi[i].arch);
	}
}

static _Atomic int go;

static void *other_thread(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&go, memory_order_acquire))
		sched_yield();
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 && errno == EPERM ?
		(void *)1 : NULL;
}

static int filter_threads(void)
{
	char why[PRIVS_TEXT];
	pthread_t thread;
	void *got;

	CHECK(1, privs_begin(why) == 0);
	CHECK(2, pthread_create(&thread, NULL, other_thread, NULL) == 0);
	if (privs_filter(0, why) == -ENOTSUP)
		return 77;
	atomic_store_explicit(&go, 1, memory_order_release);
	CHECK(3, pthread_join(thread, &got) == 0);
	CHECK(4, got == (void *)1);
	return 0;
}

static void test_threads_that_exist_are_covered(void **state)
{
	(void)state;
	in_child(filter_threads);
}

static int filter_allow(void)
{
	char why[PRIVS_TEXT];

	CHECK(1, privs_begin(why) == 0);
	if (privs_filter(PRIVS_ALLOW_EXEC | PRIVS_ALLOW_BPF, why) == -ENOTSUP)
		return 77;
	CHECK(2, syscall(SYS_bpf, 9999, NULL, 0) < 0 && errno != ENOSYS);
	execl("/bin/true", "true", (char *)NULL);
	return 3;
}

static void test_what_is_asked_for_is_allowed(void **state)
{
	(void)state;
	in_child(filter_allow);
}

static void test_masks_have_names(void **state)
{
	char buf[64];

	(void)state;
	assert_string_equal(privs_caps(0, buf, sizeof(buf)), "none");
	assert_string_equal(privs_caps(PRIVS_KEEP, buf, sizeof(buf)),
			    "chown,sys_nice");
	assert_string_equal(privs_caps(PRIVS_CAP_BPF | UINT64_C(1) << 63, buf,
				       sizeof(buf)), "bpf,63");
	assert_string_equal(privs_caps(UINT64_MAX, buf, 20),
			    "chown,dac_override");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stage_one_forbids_new_privileges),
		cmocka_unit_test(test_stage_two_keeps_what_was_named),
		cmocka_unit_test(test_all_stages_pass_without_any_privilege),
		cmocka_unit_test(test_stage_three_denies_what_is_foreign),
		cmocka_unit_test(test_a_call_of_another_abi_ends_the_process),
		cmocka_unit_test(
			test_an_abi_has_the_name_that_the_kernel_gives_it),
		cmocka_unit_test(test_threads_that_exist_are_covered),
		cmocka_unit_test(test_what_is_asked_for_is_allowed),
		cmocka_unit_test(test_masks_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
