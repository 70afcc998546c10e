/* SPDX-License-Identifier: MIT */
/*
 * adopt.c - a daemon killed at each step that a rank can see
 *
 * One story, told once for each test point: three ranks join a job, one asks
 * for blocks, one is killed, two leave.  Somewhere on the way the daemon dies;
 * its keeper starts the next one.  The story ends the same each time: nobody
 * attached loses its session, everybody hears of each death once or more,
 * and in the end the pool is as empty as it was.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/fakerank.h"
#include "tests/lib/mortal.h"

#define RANKS		3
#define PATIENCE_MS	30000	/* then something hangs */

struct story {
	struct mortal m;
	struct fakerank f[RANKS];
	pid_t child;			/* rank 2 lives in there */
	int to_child;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- ranks ---- */

/* As the library does: a daemon that dies before WELCOME is asked again. */
static int join(struct fakerank *f, const char *path, int32_t rank)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	int ret;

	do {
		fakerank_close(f);
		ret = fakerank_attach(f, path, "story", 7, rank, RANKS);
		if (ret == 0)
			return 0;
		if (ret == -EREMOTEIO)
			return ret;
		mortal_nap();
	} while (now_ms() < end);
	return ret;
}

/* Rank 2: joins, hears START, says so, and waits to be killed. */
static void child_rank(const struct story *s, int up)
{
	struct fakerank f;
	char yes = 'y';

	fakerank_init(&f, NULL, NULL);
	if (join(&f, s->m.path, 2))
		_exit(1);
	/* WELCOME: the parent may go on. */
	if (write(up, &yes, 1) != 1)
		_exit(2);
	while (!f.started)
		if (fakerank_recv(&f, true) <= 0)
			_exit(3);
	if (write(up, &yes, 1) != 1)
		_exit(4);
	for (;;)
		fakerank_recv(&f, true);
}

static void expect_yes(int fd)
{
	char c = 0;

	assert_int_equal(read(fd, &c, 1), 1);
	assert_int_equal(c, 'y');
}

static void join_all(struct story *s)
{
	int up[2];

	for (int i = 0; i < 2; i++) {
		fakerank_init(&s->f[i], NULL, NULL);
		if (join(&s->f[i], s->m.path, i))
			fail_msg("rank %d: %s", i, s->f[i].error.text);
	}
	assert_int_equal(pipe(up), 0);
	s->child = fork();
	assert_true(s->child >= 0);
	if (s->child == 0)
		child_rank(s, up[1]);
	close(up[1]);
	expect_yes(up[0]);
	for (int i = 0; i < 2; i++) {
		while (!s->f[i].started) {
			int ret = fakerank_recv(&s->f[i], true);

			if (ret <= 0 || ret == SNOO_WIRE_ERROR)
				fail_msg("rank %d has lost its session: %d %s",
					 i, ret, s->f[i].error.text);
		}
	}
	expect_yes(up[0]);
	close(up[0]);
}

static void read_until_gone(struct fakerank *f, uint32_t epoch)
{
	while (f->seen_gone < epoch) {
		int ret = fakerank_recv(f, true);

		if (ret <= 0 || ret == SNOO_WIRE_ERROR)
			fail_msg("a session is lost: %d %s", ret,
				 f->error.text);
	}
	assert_int_equal(fakerank_ack(f, epoch), 0);
}

static void ask_for_blocks(struct fakerank *f)
{
	unsigned int before;

	while (fakerank_recv(f, false) > 0)
		;
	before = f->blocks;
	assert_int_equal(fakerank_need(f, 1, 2, 1), 0);
	while (f->asked[0] || f->blocks == before) {
		int ret = fakerank_recv(f, true);

		if (ret <= 0 || ret == SNOO_WIRE_ERROR)
			fail_msg("no blocks came: %d %s", ret, f->error.text);
	}
}

static void test_story(void **state)
{
	struct story s = { 0 };

	mortal_start(&s.m, *state, NULL);
	join_all(&s);
	ask_for_blocks(&s.f[0]);
	kill(s.child, SIGKILL);
	waitpid(s.child, NULL, 0);
	read_until_gone(&s.f[0], 1);
	read_until_gone(&s.f[1], 1);
	assert_int_equal(fakerank_leave(&s.f[1]), 0);
	fakerank_close(&s.f[1]);
	read_until_gone(&s.f[0], 2);
	assert_int_equal(fakerank_leave(&s.f[0]), 0);
	fakerank_close(&s.f[0]);
	mortal_expect_empty(&s.m);
	mortal_stop(&s.m);
}

/* With the passage at which it happens. */
static const char *const points[] = {
	"",
	"daemon_domain_made:1", "daemon_domain_kept:1",
	"daemon_domains_open:1", "daemon_ready:1",
	"daemon_job_taken:1", "daemon_job_put:1",
	"daemon_attach_zeroed:1", "daemon_attach_zeroed:3",
	"daemon_attach_kept:1", "daemon_attach_kept:2",
	"daemon_attach_put:1", "daemon_attach_put:3",
	"daemon_attach_counted:1", "daemon_attach_counted:3",
	"daemon_attach_welcomed:1", "daemon_attach_welcomed:3",
	"daemon_ring_taken:1", "daemon_ring_taken:4",
	"daemon_rings_sent:1", "daemon_rings_sent:3",
	"daemon_grant_taken:1", "daemon_grant_taken:20",
	"daemon_grant_marked:2", "daemon_grant_marked:37",
	"daemon_grant_sent:1", "daemon_grant_sent:7",
	"daemon_pinned:1", "daemon_pinned:3",
	"daemon_started:1",
	"daemon_reap_marked:1", "daemon_reap_marked:2",
	"daemon_reap_marked:3", "daemon_reap_counted:1",
	"daemon_reap_counted:3", "daemon_recall_taken:1",
	"daemon_reap_shown:1", "daemon_reap_shown:2",
	"daemon_reap_told:1", "daemon_reap_told:2",
	"daemon_acked:1", "daemon_acked:2",
	"daemon_reap_seized:1", "daemon_reap_seized:2",
	"daemon_reap_emptied:1", "daemon_reap_freed:1",
	"daemon_reap_freed:3", "daemon_leave_read:1",
	"daemon_leave_put:1", "daemon_leave_bye:2",
	"daemon_job_ended:1",
};

#define POINTS	(sizeof(points) / sizeof(points[0]))

int main(void)
{
	return mortal_run(points, POINTS, test_story);
}
