/* SPDX-License-Identifier: MIT */
/*
 * qemu_ivshmem.c - what we assume of QEMU's ivshmem-doorbell device
 *
 * A real QEMU whose guest never starts (-S): by -qtest we are its processor.  We
 * set up the PCI device, write its doorbell, and read from the memory of the
 * machine what MSI-X wrote there.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/ivshmem.h"
#include "daemon/toll.h"

#define QEMU	"qemu-system-x86_64"
#define SLOTS	8u
#define VECTORS	4u
#define POOL	(1u << 20)
#define LONG_MS	30000			/* ends what hangs */

#define DEVICE	4u			/* on PCI bus 0 */
#define BAR0	0xf0000000u		/* registers */
#define BAR1	0xf0010000u		/* MSI-X table */
#define BAR2	0xe0000000u		/* the memory */
#define IVPOSITION	8u
#define DOORBELL	12u
#define MESSAGES	0x200000u	/* where vector v writes: + 16 v */

struct fixture {
	char dir[32];
	char path[64];
	int listener;
	int sock;
	int memory;
	uint32_t *pool;
	struct keeper *keeper;
	struct bells *b;
	pid_t qemu;
	rlim_t nofile;			/* of QEMU; 0: ours */
	FILE *to, *from;		/* qtest */
	int err;			/* what QEMU complains of */
};

/* ---- QEMU ---- */

static void exec_qemu(const struct fixture *f, int in, int out, int err)
{
	const struct rlimit r = { f->nofile, f->nofile };
	char chardev[128], device[128];

	if (f->nofile && setrlimit(RLIMIT_NOFILE, &r))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	snprintf(chardev, sizeof(chardev), "socket,path=%s,id=c", f->path);
	snprintf(device, sizeof(device), "ivshmem-doorbell,chardev=c,"
		 "vectors=%u,addr=%u", VECTORS, DEVICE);
	execlp(QEMU, QEMU, "-accel", "tcg", "-S", "-M", "pc", "-m", "16",
	       "-nodefaults", "-display", "none", "-qtest", "stdio",
	       "-qtest-log", "none", "-chardev", chardev, "-device", device,
	       (char *)NULL);
	_exit(127);
}

static void start_qemu(struct fixture *f)
{
	struct pollfd p = { .fd = f->listener, .events = POLLIN };
	int in[2], out[2], err[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	f->qemu = fork();
	assert_true(f->qemu >= 0);
	if (f->qemu == 0)
		exec_qemu(f, in[0], out[1], err[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	f->to = fdopen(in[1], "w");
	f->from = fdopen(out[0], "r");
	f->err = err[0];
	assert_int_equal(poll(&p, 1, LONG_MS), 1);
	f->sock = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(f->sock >= 0);
}

/* Its exit status; @said: what it complained of. */
static int end_of_qemu(struct fixture *f, char *said, size_t len)
{
	struct pollfd p = { .fd = f->err, .events = POLLIN };
	size_t used = 0;
	int status;

	while (used + 1 < len) {
		ssize_t n;

		/* A QEMU that spins says nothing: that is a failure here. */
		assert_int_equal(poll(&p, 1, LONG_MS), 1);
		n = read(f->err, said + used, len - 1 - used);
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	said[used] = '\0';
	assert_int_equal(waitpid(f->qemu, &status, 0), f->qemu);
	f->qemu = -1;
	return status;
}

static void open_world(struct fixture *f)
{
	struct bells_params p = {
		.domain = "dom", .slots = SLOTS, .vectors = VECTORS,
	};
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	assert_int_equal(keeper_open(&f->keeper, NULL), 0);
	p.keeper = f->keeper;
	assert_int_equal(bells_open(&f->b, &p), 0);
	f->memory = memfd_create("pool", MFD_CLOEXEC);
	assert_int_equal(ftruncate(f->memory, POOL), 0);
	f->pool = mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_SHARED,
		       f->memory, 0);
	assert_true(f->pool != MAP_FAILED);
	strcpy(f->dir, "/tmp/qemu_ivshmem.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	strcpy(addr.sun_path, f->path);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&addr,
			      sizeof(addr)), 0);
	assert_int_equal(listen(f->listener, 4), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	if (!f)
		return -1;
	f->qemu = f->sock = f->listener = f->memory = f->err = -1;
	open_world(f);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->qemu > 0) {
		kill(f->qemu, SIGKILL);
		waitpid(f->qemu, NULL, 0);
	}
	if (f->to)
		fclose(f->to);
	if (f->from)
		fclose(f->from);
	close(f->err);
	close(f->sock);
	close(f->listener);
	munmap(f->pool, POOL);
	close(f->memory);
	bells_close(f->b);
	keeper_close(f->keeper);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* ---- its processor ---- */

static uint64_t order(struct fixture *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static uint64_t order(struct fixture *f, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vfprintf(f->to, fmt, ap);
	va_end(ap);
	fputc('\n', f->to);
	fflush(f->to);
	assert_non_null(fgets(line, sizeof(line), f->from));
	if (strncmp(line, "OK", 2) != 0)
		fail_msg("qtest: %s", line);
	return strtoull(line + 2, NULL, 0);
}

static uint32_t config(struct fixture *f, unsigned int reg)
{
	order(f, "outl 0xcf8 %#x", 0x80000000u | DEVICE << 11 | reg);
	return (uint32_t)order(f, "inl 0xcfc");
}

static void configure(struct fixture *f, unsigned int reg, uint32_t value)
{
	order(f, "outl 0xcf8 %#x", 0x80000000u | DEVICE << 11 | reg);
	order(f, "outl 0xcfc %#x", value);
}

static unsigned int find_msix(struct fixture *f)
{
	unsigned int at = config(f, 0x34) & 0xfc;

	while (at && (config(f, at) & 0xff) != 0x11)
		at = config(f, at) >> 8 & 0xfc;
	assert_true(at != 0);
	return at;
}

static void enable_device(struct fixture *f)
{
	unsigned int msix;

	assert_int_equal(config(f, 0), 0x11101af4);
	configure(f, 0x10, BAR0);
	configure(f, 0x14, BAR1);
	configure(f, 0x18, BAR2);
	configure(f, 0x1c, 0);
	configure(f, 0x04, 0x6);	/* memory, bus master */
	msix = find_msix(f);
	assert_int_equal(config(f, msix) >> 16 & 0x7ff, VECTORS - 1);
	for (uint32_t v = 0; v < VECTORS; v++) {
		uint32_t entry = BAR1 + 16 * v;

		order(f, "writel %#x %#x", entry, MESSAGES + 16 * v);
		order(f, "writel %#x 0", entry + 4);
		order(f, "writel %#x %#x", entry + 8, 0xabc0 + v);
		order(f, "writel %#x 0", entry + 12);
		order(f, "writel %#x 0", MESSAGES + 16 * v);
	}
	configure(f, msix, config(f, msix) | 0x80000000u);
}

static void serve(struct fixture *f, uint32_t slot)
{
	char why[IVSHMEM_TEXT];
	struct ivshmem_offer o;

	assert_int_equal(ivshmem_peer_check(f->qemu, SLOTS, VECTORS, why), 0);
	assert_int_equal(ivshmem_offer_pool(&o, f->b, slot, f->memory), 0);
	assert_int_equal(ivshmem_serve(f->sock, &o, why), 0);
	ivshmem_offer_fini(&o);
}

/* ---- tests ---- */

static void wait_message(struct fixture *f, uint32_t v)
{
	uint32_t at = MESSAGES + 16 * v;

	/* QEMU's main loop takes the eventfd when it comes to it. */
	for (int i = 0; i < LONG_MS; i++) {
		if (order(f, "readl %#x", at) == 0xabc0 + v)
			return;
		usleep(1000);
	}
	fail_msg("no MSI-X message of vector %u", v);
}

static void test_doorbell_and_msix_go_where_the_handshake_says(void **state)
{
	struct fixture *f = *state;
	const uint32_t slot = 5;

	start_qemu(f);
	serve(f, slot);
	enable_device(f);
	assert_int_equal(order(f, "readl %#x", BAR0 + IVPOSITION), slot);
	f->pool[7] = 0x12345678;
	assert_int_equal(order(f, "readl %#x", BAR2 + 28), 0x12345678);
	order(f, "writel %#x 0x9abcdef0", BAR2 + POOL - 4);
	assert_int_equal(f->pool[POOL / 4 - 1], 0x9abcdef0);
	for (uint32_t to = 0; to < SLOTS; to++) {
		for (uint32_t v = 0; v < VECTORS && to != slot; v++) {
			order(f, "writel %#x %#x", BAR0 + DOORBELL,
			      to << 16 | v);
			assert_int_equal(toll_take(bells_fd(f->b, slot, to,
							     v)), 1);
		}
	}
	for (uint32_t v = 0; v < VECTORS; v++) {
		bells_ring(f->b, slot, v);
		wait_message(f, v);
	}
}

static void test_a_ring_at_nobody_is_ignored(void **state)
{
	struct fixture *f = *state;

	start_qemu(f);
	serve(f, 1);
	enable_device(f);
	order(f, "writel %#x %#x", BAR0 + DOORBELL, SLOTS << 16);
	order(f, "writel %#x %#x", BAR0 + DOORBELL, 0xffffffffu);
	order(f, "writel %#x %#x", BAR0 + DOORBELL, 2u << 16 | VECTORS);
	order(f, "writel %#x %#x", BAR0 + DOORBELL, 2u << 16);
	assert_int_equal(toll_take(bells_fd(f->b, 1, 2, 0)), 1);
	for (uint32_t to = 0; to < SLOTS; to++)
		for (uint32_t v = 0; v < VECTORS; v++)
			assert_int_equal(toll_take(bells_fd(f->b, 1, to, v)),
					 0);
}

static void test_after_the_handshake_the_socket_may_end(void **state)
{
	struct fixture *f = *state;

	start_qemu(f);
	serve(f, 1);
	enable_device(f);
	shutdown(f->sock, SHUT_RDWR);
	for (int i = 0; i < 10; i++) {
		order(f, "writel %#x %#x", BAR0 + DOORBELL, 2u << 16 | 1);
		assert_int_equal(toll_take(bells_fd(f->b, 1, 2, 1)), 1);
	}
	bells_ring(f->b, 1, 3);
	wait_message(f, 3);
}

static void test_the_limit_of_fds_that_we_ask_for_is_enough(void **state)
{
	struct fixture *f = *state;

	f->nofile = SLOTS * VECTORS + IVSHMEM_QEMU_FDS;
	start_qemu(f);
	serve(f, 7);
	enable_device(f);
	order(f, "writel %#x %#x", BAR0 + DOORBELL, 6u << 16 | (VECTORS - 1));
	assert_int_equal(toll_take(bells_fd(f->b, 7, 6, VECTORS - 1)), 1);
	bells_ring(f->b, 7, VECTORS - 1);
	wait_message(f, VECTORS - 1);
}

static void test_refusal_ends_qemu_with_a_message(void **state)
{
	struct fixture *f = *state;
	char said[1024];
	int status;

	start_qemu(f);
	ivshmem_refuse(f->sock);
	close(f->sock);
	status = end_of_qemu(f, said, sizeof(said));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(strstr(said, "server sent version 99"));
}

static void test_a_handshake_that_fails_halfway_ends_qemu(void **state)
{
	struct fixture *f = *state;
	struct ivshmem_offer o = { .id = 1, .memory = 1000000 };
	char why[IVSHMEM_TEXT], said[1024];
	int status;

	start_qemu(f);
	assert_int_equal(ivshmem_serve(f->sock, &o, why), -EBADF);
	close(f->sock);
	status = end_of_qemu(f, said, sizeof(said));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(strstr(said, "server sent invalid message"));
}

#define F(test)	cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		F(test_doorbell_and_msix_go_where_the_handshake_says),
		F(test_a_ring_at_nobody_is_ignored),
		F(test_after_the_handshake_the_socket_may_end),
		F(test_the_limit_of_fds_that_we_ask_for_is_enough),
		F(test_refusal_ends_qemu_with_a_message),
		F(test_a_handshake_that_fails_halfway_ends_qemu),
	};

	signal(SIGPIPE, SIG_IGN);
	if (system("command -v " QEMU " >/dev/null")) {
		puts("1..0 # SKIP " QEMU " is not installed");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
