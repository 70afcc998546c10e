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
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/fakerank.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/mortal.h"

#define TRIES	1000		/* of 2 ms and more: then something hangs */

struct story {
	struct mortal m;
	char pool[128], control[128];	/* QEMU's sockets */
	struct fakevm v;
	struct fakerank f;
	unsigned int attaches;
	int first;			/* what the first of them was told */
};

static const char *const sets[] = {
	"domains.default.ivshmem.slots=3",
	"domains.default.ivshmem.vectors=4",
	NULL,
};

/* ---- the story ---- */

/* A QEMU whose handshake was cut short is started again. */
static void come(struct story *s)
{
	for (int i = 0; i < TRIES; i++) {
		int ret;

		fakevm_init(&s->v, NULL, NULL);
		s->attaches++;
		ret = fakevm_attach(&s->v, s->pool, s->control);
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
		mortal_nap();
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
		mortal_nap();
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
	join(&s->f, s->m.path);
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

static void test_story(void **state)
{
	const char *point = *state;
	struct story s = { 0 };
	bool serving;

	/* What was sent with the second device is known to have been kept. */
	serving = strstr(point, "vm_kept") || strstr(point, "vm_served:1");
	mortal_start(&s.m, point, sets);
	mortal_path(&s.m, "default.ivshmem.sock", s.pool, sizeof(s.pool));
	mortal_path(&s.m, "default.control.sock", s.control,
		    sizeof(s.control));
	fakerank_init(&s.f, NULL, NULL);
	come(&s);
	live_and_die(&s);
	/* A QEMU that has been told nothing gives up, and does not spin. */
	if (strstr(point, "vm_kept:1"))
		assert_int_equal(s.first, -EPROTONOSUPPORT);
	mortal_expect_none(&s.m, "{\"cmd\":\"jobs\"}\n");
	/* Nobody hung up on it, and nothing was said a second time. */
	assert_int_equal(fakeqemu_pump(&s.v.pool), 0);
	assert_int_equal(fakeqemu_pump(&s.v.control), 0);
	if (!serving)
		assert_int_equal(s.attaches, 1);
	fakevm_close(&s.v);
	mortal_expect_none(&s.m, "{\"cmd\":\"vms\"}\n");
	mortal_expect_none(&s.m, "{\"cmd\":\"ranks\"}\n");
	mortal_stop(&s.m);
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
	return mortal_run(points, POINTS, test_story);
}
