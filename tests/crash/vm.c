/* SPDX-License-Identifier: MIT */
/*
 * vm.c - a daemon killed at each step that a VM can see
 *
 * One story, told once for each test point: a VM attaches, its guest daemon is
 * welcomed, two of its ranks join, one beside a rank of the host, one dies;
 * the guest daemon is started again; the other leaves, the VM goes.  Somewhere
 * on the way the host's daemon dies and the next one goes on.  The guest never
 * connects again: nothing of it is lost.  A QEMU that was being served may be.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/fakerank.h"
#include "tests/lib/fakevm.h"

#define TRIES	1000		/* of 2 ms and more: then something hangs */

struct story {
	const char *point;		/* "name:passage"; "": nobody dies */
	char dir[64];
	char path[5][128];
	pid_t keeper;
	struct fakevm v;
	struct fakerank f;
	unsigned int attaches;
	int first;			/* what the first of them was told */
};

enum { CLIENT, POOL, CONTROL, ADMIN, ONCE };

static const char *const files[] = {
	[CLIENT] = "default.sock", [POOL] = "default.ivshmem.sock",
	[CONTROL] = "default.control.sock", [ADMIN] = "admin.sock",
	[ONCE] = "once",
};

static void nap(void)
{
	poll(NULL, 0, 2);
}

/* ---- the daemon ---- */

static void exec_daemon(const struct story *s, int ready)
{
	char program[512], fd[16];
	const char *tp = getenv("TP");

	snprintf(program, sizeof(program), "%s/bin/snoo-daemon",
		 tp ? tp : "build/tp");
	snprintf(fd, sizeof(fd), "%d", ready);
	setenv("SNOO_TESTPOINT", s->point, 1);
	setenv("SNOO_TESTPOINT_ONCE", s->path[ONCE], 1);
	unsetenv("NOTIFY_SOCKET");
	execl(program, program, "--runtime-dir", s->dir, "--pool-size", "8M",
	      "--ready-fd", fd, "--log-level",
	      getenv("V") ? "debug" : "error", "--exit-with-parent",
	      "--set", "domains.default.pool.huge_pages=never",
	      "--set", "domains.default.ranks_max=64",
	      "--set", "domains.default.ivshmem.slots=3",
	      "--set", "domains.default.ivshmem.vectors=4", (char *)NULL);
	_exit(127);
}

static void start_daemon(struct story *s)
{
	char line[16];
	int ready[2], fd;

	strcpy(s->dir, "/tmp/snoo-vm-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	for (int i = 0; i < 5; i++)
		snprintf(s->path[i], sizeof(s->path[i]), "%s/%s", s->dir,
			 files[i]);
	fd = open(s->path[ONCE], O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(pipe(ready), 0);
	s->keeper = fork();
	assert_true(s->keeper >= 0);
	if (s->keeper == 0) {
		close(ready[0]);
		exec_daemon(s, ready[1]);
	}
	close(ready[1]);
	/* End of file: it has ended without becoming ready. */
	assert_true(read(ready[0], line, sizeof(line)) > 0);
	close(ready[0]);
}

static int ask(const struct story *s, const char *request, char *answer,
	       size_t len)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t used = 0;
	ssize_t n;

	strcpy(addr.sun_path, s->path[ADMIN]);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
		close(fd);
		return -EAGAIN;
	}
	shutdown(fd, SHUT_WR);
	while (used < len - 1 &&
	       (n = read(fd, answer + used, len - 1 - used)) > 0)
		used += (size_t)n;
	answer[used] = '\0';
	close(fd);
	return used ? 0 : -EAGAIN;
}

/* Until the answer is an empty list. */
static void expect_none(const struct story *s, const char *request)
{
	char answer[16384] = "";

	for (int i = 0; i < TRIES; i++) {
		if (ask(s, request, answer, sizeof(answer)) == 0 &&
		    strstr(answer, "\"result\":[]"))
			return;
		nap();
	}
	fail_msg("%s: something is left: %s", request, answer);
}

/* ---- the story ---- */

/* A QEMU whose handshake was cut short is started again. */
static void come(struct story *s)
{
	for (int i = 0; i < TRIES; i++) {
		int ret;

		fakevm_init(&s->v, NULL, NULL);
		s->attaches++;
		ret = fakevm_attach(&s->v, s->path[POOL], s->path[CONTROL]);
		if (s->attaches == 1)
			s->first = ret;
		/* What the last daemon had not written down it has lost. */
		if (ret == 0)
			ret = fakeqemu_pump(&s->v.pool);
		if (ret == 0)
			ret = fakevm_hello(&s->v, NULL);
		if (ret == SNOO_CTL_WELCOME)
			return;
		fakevm_close(&s->v);
		nap();
	}
	fail_msg("no VM gets in");
}

static void join(struct fakerank *f, const char *path)
{
	for (int i = 0; i < TRIES; i++) {
		int ret;

		fakerank_close(f);
		ret = fakerank_attach(f, path, "story", 7, 0, 2);
		if (ret == 0)
			return;
		if (ret == -EREMOTEIO)
			fail_msg("host rank: %s", f->error.text);
		nap();
	}
	fail_msg("the host's rank does not get in");
}

/* Frames come until it is so. */
#define AWAIT(v, condition)						\
	while (!(condition)) {						\
		int got_ = fakevm_recv(v, true);			\
									\
		if (got_ < 0)						\
			fail_msg("%s: %d", #condition, got_);		\
	}

static void live_and_die(struct story *s)
{
	struct fakevm *v = &s->v;
	uint32_t known[] = { 1, 0 };

	assert_int_equal(fakevm_rank(v, 1, 0, "story", 7, 1, 2), 0);
	join(&s->f, s->path[CLIENT]);
	while (!s->f.started)
		if (fakerank_recv(&s->f, true) <= 0)
			fail_msg("the host's rank has lost its session");
	AWAIT(v, v->rank[1].started);

	assert_int_equal(fakevm_rank(v, 2, 1, "solo", 1, 0, 1), 0);
	AWAIT(v, v->rank[2].started);
	assert_int_equal(fakevm_send(v, SNOO_CTL_CLOSED, 2, NULL, 0), 0);
	assert_int_equal(fakevm_send(v, SNOO_CTL_EXITED, 2, NULL, 0), 0);

	/* The guest's daemon dies and comes back. */
	assert_int_equal(fakevm_hello(v, known), SNOO_CTL_WELCOME);
	AWAIT(v, v->rank[1].resumed);
	assert_int_equal(v->rank[1].error.head.type, 0);
	assert_int_equal(v->rank[1].ends, 0);

	assert_int_equal(fakevm_say_plain(v, 1, SNOO_WIRE_LEAVE), 0);
	AWAIT(v, v->rank[1].bye || v->rank[1].ends);
	assert_int_equal(fakevm_send(v, SNOO_CTL_CLOSED, 1, NULL, 0), 0);
	while (s->f.seen_gone < 1)
		if (fakerank_recv(&s->f, true) <= 0)
			fail_msg("the host's rank has lost its session");
	assert_int_equal(s->f.gone.state, SNOO_ABI_LEFT);
	assert_int_equal(fakerank_ack(&s->f, s->f.seen_gone), 0);
	assert_int_equal(fakerank_leave(&s->f), 0);
	fakerank_close(&s->f);
}

static void remove_dir(const struct story *s)
{
	char path[160];

	for (int i = 0; i < 5; i++)
		unlink(s->path[i]);
	snprintf(path, sizeof(path), "%s/default.lock", s->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/default.pool", s->dir);
	unlink(path);
	rmdir(s->dir);
}

static void test_story(void **state)
{
	struct story s = { .point = *state };
	bool reached, serving;
	int status;

	/* What was sent with the second device is known to have been kept. */
	serving = strstr(s.point, "vm_kept") || strstr(s.point, "vm_served:1");
	start_daemon(&s);
	fakerank_init(&s.f, NULL, NULL);
	come(&s);
	live_and_die(&s);
	/* A QEMU that has been told nothing gives up, and does not spin. */
	if (strstr(s.point, "vm_kept:1"))
		assert_int_equal(s.first, -EPROTONOSUPPORT);
	expect_none(&s, "{\"cmd\":\"jobs\"}\n");
	/* Nobody hung up on it, and nothing was said a second time. */
	assert_int_equal(fakeqemu_pump(&s.v.pool), 0);
	assert_int_equal(fakeqemu_pump(&s.v.control), 0);
	if (!serving)
		assert_int_equal(s.attaches, 1);
	fakevm_close(&s.v);
	expect_none(&s, "{\"cmd\":\"vms\"}\n");
	expect_none(&s, "{\"cmd\":\"ranks\"}\n");
	reached = access(s.path[ONCE], F_OK) != 0;
	kill(s.keeper, SIGTERM);
	waitpid(s.keeper, &status, 0);
	remove_dir(&s);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	if (*s.point && !reached)
		fail_msg("test point %s was never passed", s.point);
}

/* With the passage at which it happens. */
static const char *const points[] = {
	"",
	"daemon_vm_kept:1", "daemon_vm_kept:2",
	"daemon_vm_served:1", "daemon_vm_served:2",
	"daemon_vm_put:1", "daemon_vm_put:2",
	"daemon_control_asked:1", "daemon_control_asked:2",
	"link_accepted:1", "link_accepted:2",
	"daemon_control_peeked:1", "daemon_control_done:1", /* HELLO */
	"daemon_control_peeked:2", "daemon_control_done:2", /* READY */
	"daemon_control_live:1", "daemon_control_live:2",
	"daemon_control_done:3", "daemon_control_done:4",
	"daemon_control_done:5", "daemon_control_done:6",
	"daemon_control_done:7", "daemon_control_done:8",
	"daemon_control_done:9", "daemon_control_done:10",
	"daemon_control_done:11", "daemon_control_done:12",
	"daemon_control_done:13",
	"link_popped:1", "link_popped:5", "link_popped:9",
	"link_copied:1", "link_copied:3", "link_copied:7",
	"link_published:1", "link_published:4", "link_published:8",
	"daemon_attach_kept:1", "daemon_attach_put:1",
	"daemon_attach_welcomed:1", "daemon_leave_put:1",
	"daemon_vm_reaped:1", "daemon_vm_freed:1",
};

#define POINTS	(sizeof(points) / sizeof(points[0]))

int main(void)
{
	struct CMUnitTest tests[POINTS];
	char names[POINTS][64];

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < POINTS; i++) {
		snprintf(names[i], sizeof(names[i]), "killed_at_%s",
			 *points[i] ? points[i] : "nowhere");
		tests[i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = test_story,
			.initial_state = (void *)points[i],
		};
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
