/* SPDX-License-Identifier: MIT */
/*
 * test_control.c - what a guest daemon may say, and what it costs whom
 *
 * A bystander of the host is in a job of its own; it must not notice anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/admin_verb.h"
#include "daemon/control.h"
#include "daemon/reap.h"
#include "daemon/session.h"
#include "daemon/stats.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/home.h"

static const char *const sets[] = {
	"domains.default.ivshmem.slots=3",
	"domains.default.ivshmem.vectors=4",
	"domains.default.weights={\"slot:1\": 7}",
	NULL,
};

struct fixture {
	struct home h;
	struct fakevm v;
	struct fakerank by;		/* the bystander */
};

static void attach(struct fixture *f, struct fakevm *v)
{
	const struct conf_domain *c = f->h.d->conf;

	fakevm_init(v, home_step, &f->h);
	assert_int_equal(fakevm_attach(v, c->ivshmem.socket.path,
				       c->ivshmem.control_path), 0);
}

static void live(struct fixture *f, struct fakevm *v)
{
	attach(f, v);
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int ret = home_open(&f->h, sets);

	*state = f;
	if (ret)
		return ret;
	home_rank(&f->h, &f->by);
	ret = fakerank_attach(&f->by, f->h.path, "bystander", 99, 0, 1);
	if (ret)
		return ret;
	attach(f, &f->v);
	return 0;
}

/* It has heard nothing, and the daemon serves others as ever. */
static void bystander_lives(struct fixture *f)
{
	struct fakerank other;
	int ret;

	home_settle(&f->h);
	while ((ret = fakerank_recv(&f->by, false)) > 0)
		;
	assert_int_equal(ret, -EAGAIN);
	assert_int_equal(f->by.seen_gone, 0);
	assert_int_equal(f->by.error.head.type, 0);
	home_rank(&f->h, &other);
	assert_int_equal(fakerank_attach(&other, f->h.path, "other", 0, 0, 1),
			 0);
	assert_int_equal(fakerank_leave(&other), 0);
	fakerank_close(&other);
	home_settle(&f->h);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_null(f->h.d->lost);
	fakevm_close(&f->v);
	/* "QEMU" is this process, and lives. */
	home_bury(&f->h);
	bystander_lives(f);
	assert_int_equal(fakerank_leave(&f->by), 0);
	fakerank_close(&f->by);
	home_bury(&f->h);
	/* Whatever it did, nothing is left of it. */
	assert_int_equal(f->h.d->ranks, 0);
	assert_int_equal(f->h.d->jobs, 0);
	assert_int_equal(arena_free_bytes(f->h.d->arena),
			 (uint64_t)f->h.d->pool.region.arena_units * 4096);
	home_close(&f->h);
	free(f);
	return 0;
}

static struct vm *vm_of(struct fixture *f, const struct fakevm *v)
{
	return f->h.d->vm[v->pool.id];
}

static struct rank *rank_of(struct fixture *f, struct fakevm *v, uint32_t sid)
{
	return f->h.d->rank[v->rank[sid].welcome.slot];
}

static void expect_cut(struct fixture *f, struct fakevm *v)
{
	home_settle(&f->h);
	assert_true(fakevm_is_cut(v));
	assert_int_equal(vm_of(f, v)->led.state, LEDGER_VM_CUT);
	bystander_lives(f);
}

/* ---- the session ---- */

static void test_a_decent_guest_is_welcomed(void **state)
{
	struct fixture *f = *state;
	struct vm *vm = vm_of(f, &f->v);

	assert_int_equal(vm->led.state, LEDGER_VM_ATTACHED);
	assert_int_equal(fakevm_hello(&f->v, NULL), SNOO_CTL_WELCOME);
	assert_int_equal(vm->led.state, LEDGER_VM_LIVE);
	assert_int_equal(f->v.welcome.slot, 1);
	assert_int_equal(f->v.welcome.slots, 3);
	assert_int_equal(f->v.welcome.vectors, 4);
	assert_int_equal(f->v.welcome.ranks, 16);
	assert_int_equal(f->v.welcome.pool_bytes, f->h.d->pool.region.size);
	assert_string_equal(f->v.welcome.domain, "default");
	assert_string_equal(f->v.welcome.name, "vm-1");
	assert_string_equal(vm->led.host, "guest");
	assert_string_equal(vm->led.kernel, "6.1");
	/* The clocks of test and daemon are one. */
	assert_true(vm->led.clock_ns >= 0);
	assert_true(vm->led.clock_ns < INT64_C(30000000000));
	/* It is rung for what it is sent. */
	assert_true(fakeqemu_wait(&f->v.control, 0, 1000) > 0);
}

static void expect_refusal(struct fixture *f, int error, const char *text)
{
	assert_int_equal(fakevm_hello(&f->v, NULL), SNOO_CTL_ERROR);
	assert_int_equal(f->v.error.error, error);
	if (!strstr(f->v.error.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, f->v.error.text);
	expect_cut(f, &f->v);
}

static void test_what_does_not_fit_is_refused_with_a_sentence(void **state)
{
	struct fixture *f = *state;
	const struct snoo_ctl_hello good = f->v.hello;

	f->v.hello.vectors = 2;
	expect_refusal(f, EINVAL, "QEMU's device has vectors=2, the domain 4");
	f->v.hello = good;
	f->v.hello.slot = 2;
	expect_refusal(f, EXDEV, "the pool device is in slot 2 and the "
		       "control device in slot 1");
	f->v.hello = good;
	f->v.hello.pool_bytes /= 2;
	expect_refusal(f, EINVAL, "the guest sees a pool of 8388608 bytes");
	f->v.hello = good;
	f->v.hello.major++;
	expect_refusal(f, EPROTONOSUPPORT, "use one release");
	f->v.hello = good;
	f->v.hello.abi_major++;
	expect_refusal(f, EPROTONOSUPPORT, "use one release");
	f->v.hello = good;
	memset(f->v.hello.boot_id, 0, sizeof(f->v.hello.boot_id));
	expect_refusal(f, EINVAL, "without a boot id");
	f->v.hello = good;
	f->v.hello.vcpus = 0;
	expect_refusal(f, EINVAL, "0 vCPUs");
	f->v.hello = good;
	f->v.hello.vcpus = UINT32_MAX;
	expect_refusal(f, EINVAL, "vCPUs");
	f->v.hello = good;
	f->v.hello.bells = 7;
	expect_refusal(f, EINVAL, "bells 7");
	f->v.hello = good;
	memset(f->v.hello.host, 'x', sizeof(f->v.hello.host));
	expect_refusal(f, EINVAL, "a name that has no end");
	/* And after all that it may still come. */
	f->v.hello = good;
	assert_int_equal(fakevm_hello(&f->v, NULL), SNOO_CTL_WELCOME);
}

static void test_a_name_that_can_spoil_a_terminal_is_cleaned(void **state)
{
	struct fixture *f = *state;

	strcpy(f->v.hello.host, "a\033[2J\"\n\x7f" "b");
	assert_int_equal(fakevm_hello(&f->v, NULL), SNOO_CTL_WELCOME);
	assert_string_equal(vm_of(f, &f->v)->led.host, "a?[2J???b");
}

/* ---- ranks ---- */

static void test_a_rank_in_a_vm_is_a_rank(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct fakerank host;
	struct rank *r;

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	assert_int_equal(fakevm_rank(v, 7, 2, "mixed", 3, 1, 2), 0);
	assert_int_equal(v->rank[7].welcome.rank, 1);
	/* Its own terms: vCPUs. */
	assert_int_equal(v->rank[7].welcome.core, 2);
	assert_int_equal(v->rank[7].welcome.cores, 4);
	r = rank_of(f, v, 7);
	assert_int_equal(r->led.vm, 1);
	assert_int_equal(r->led.sid, 7);
	assert_int_equal(r->led.uid, 1000);
	assert_int_equal(r->led.pid, 107);
	assert_int_equal(r->led.vcpu, 2);
	home_settle(&f->h);
	assert_int_equal(r->session->state, SESSION_ATTACHED);
	assert_false(v->rank[7].started);

	home_rank(&f->h, &host);
	assert_int_equal(fakerank_attach(&host, f->h.path, "mixed", 3, 0, 2),
			 0);
	assert_int_equal(fakerank_until(&host, SNOO_WIRE_START),
			 SNOO_WIRE_START);
	fakevm_drain(v);
	assert_true(v->rank[7].started);
	assert_int_equal(v->rank[7].rings, 2);
	assert_true(v->rank[7].blocks >= 2);
	/* In whose news word the guest daemon says so; we have not. */
	assert_int_equal(v->rank[7].news_slot, r->slot);
	assert_int_equal(shm_region_rank(&f->h.d->pool.region, r->slot)->news,
			 0);

	/* It leaves: the slot waits for nobody's process. */
	assert_int_equal(fakevm_say_plain(v, 7, SNOO_WIRE_LEAVE), 0);
	fakevm_drain(v);
	assert_true(v->rank[7].bye);
	assert_int_equal(fakerank_until(&host, SNOO_WIRE_GONE),
			 SNOO_WIRE_GONE);
	assert_int_equal(host.gone.state, SNOO_ABI_LEFT);
	assert_int_equal(fakerank_ack(&host, host.seen_gone), 0);
	home_settle(&f->h);
	assert_int_equal(f->h.d->ranks, 2);
	assert_int_equal(fakevm_send(v, SNOO_CTL_CLOSED, 7, NULL, 0), 0);
	fakerank_close(&host);
}

/* A paused VM says nothing, for as long as it likes. */
static void test_no_deadline_runs_over_a_vm(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct snoo_wire_hello h;

	f->h.sh.conf->limits.handshake_ms = 1;
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	fakerank_hello_init(&h, "slow", 1, 0, 1);
	assert_int_equal(fakevm_join(v, 1, 0, &h), 0);
	home_settle(&f->h);
	usleep(20000);
	fakevm_drain(v);
	assert_int_equal(v->rank[1].welcomes, 1);
	assert_int_equal(v->rank[1].error.head.type, 0);
	assert_int_equal(rank_of(f, v, 1)->session->state, SESSION_WELCOMED);
	f->h.sh.conf->limits.handshake_ms = 2000;
}

/* LENT would be nonsense to a guest daemon that does not know it: its ranks
 * are told of a host that lends no blocks.  REACH means nothing in any guest. */
static void test_ranks_of_an_older_guest_daemon_are_not_lent_blocks(
	void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct snoo_wire_hello h;

	for (uint16_t minor = 1; minor <= SNOO_CTL_MINOR; minor++) {
		v->hello.minor = minor;
		assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
		fakerank_hello_init(&h, "old", minor, 0, 1);
		assert_int_equal(fakevm_join(v, minor, 0, &h), 0);
		fakevm_drain(v);
		assert_int_equal(rank_of(f, v, minor)->led.minor,
				 minor < 2 ? 3 : 4);
	}
}

/* Many ranks of one uid come at once: nobody waits for another's fd. */
static void test_guests_do_not_queue_by_uid(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct snoo_wire_hello h;

	f->h.sh.conf->limits.handshakes_per_uid = 1;
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	for (uint32_t sid = 1; sid <= 4; sid++) {
		fakerank_hello_init(&h, "crowd", 1, -1, 4);
		assert_int_equal(fakevm_join(v, sid, -1, &h), 0);
	}
	fakevm_drain(v);
	for (uint32_t sid = 1; sid <= 4; sid++)
		assert_int_equal(v->rank[sid].welcomes, 1);
}

static void test_a_dead_rank_waits_for_its_exit(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct rank *r;

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	assert_int_equal(fakevm_rank(v, 1, 0, "one", 1, 0, 1), 0);
	home_settle(&f->h);
	r = rank_of(f, v, 1);
	assert_int_equal(fakevm_send(v, SNOO_CTL_CLOSED, 1, NULL, 0), 0);
	fakevm_drain(v);
	/* It may still write in the pool. */
	assert_int_equal(r->led.state, LEDGER_RANK_DEAD);
	assert_false(r->exited);
	assert_ptr_equal(reap_waits_for(r), r);
	assert_int_equal(f->h.d->ranks, 2);
	/* The guest has closed it: no END comes. */
	assert_int_equal(v->rank[1].ends, 0);
	assert_int_equal(fakevm_send(v, SNOO_CTL_EXITED, 1, NULL, 0), 0);
	home_settle(&f->h);
	assert_int_equal(f->h.d->ranks, 1);
	/* Once more is nothing. */
	assert_int_equal(fakevm_send(v, SNOO_CTL_EXITED, 1, NULL, 0), 0);
	home_settle(&f->h);
	assert_int_equal(vm_of(f, v)->led.state, LEDGER_VM_LIVE);
}

static void test_a_refused_rank_is_told_and_hung_up_on(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	assert_int_equal(fakevm_rank(v, 1, 0, "no good", 1, 0, 1),
			 -EREMOTEIO);
	assert_int_equal(v->rank[1].error.error, EINVAL);
	fakevm_drain(v);
	assert_int_equal(v->rank[1].ends, 1);
	/* What it breaks is its own. */
	assert_int_equal(fakevm_rank(v, 2, 0, "two", 1, 0, 1), 0);
	assert_int_equal(fakevm_say_plain(v, 2, 4711), 0);
	fakevm_drain(v);
	assert_int_equal(v->rank[2].ends, 1);
	assert_int_equal(v->rank[2].error.error, EPROTO);
	assert_int_equal(vm_of(f, v)->led.state, LEDGER_VM_LIVE);
}

static void test_a_vm_can_not_have_more_sessions_than_ranks(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct snoo_wire_hello h;
	unsigned int welcomes = 0;

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	for (uint32_t sid = 1; sid <= 20; sid++) {
		/* One is the bystander's: jobs of their own. */
		fakerank_hello_init(&h, "many", sid, 0, 1);
		assert_int_equal(fakevm_join(v, sid, -1, &h), 0);
		fakevm_drain(v);
		welcomes += v->rank[sid].welcomes;
		if (!v->rank[sid].welcomes)
			assert_int_equal(v->rank[sid].ends, 1);
	}
	assert_int_equal(welcomes, 15);
	assert_int_equal(vm_of(f, v)->led.state, LEDGER_VM_LIVE);
}

/* ---- forged and broken ---- */

/* A frame that cuts it off; then it comes again, and is served. */
static void cuts(struct fixture *f, uint32_t type, uint32_t sid,
		 const void *body, size_t bytes)
{
	struct fakevm *v = &f->v;

	if (vm_of(f, v)->led.state != LEDGER_VM_LIVE)
		assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	assert_int_equal(fakevm_rank(v, 1, 0, "victim", 1, 0, 1), 0);
	home_settle(&f->h);
	assert_int_equal(fakevm_send(v, type, sid, body, bytes), 0);
	expect_cut(f, v);
	/* Its ranks are dead, and stay until it is known that they ended. */
	assert_int_equal(f->h.d->ranks, 2);
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	home_settle(&f->h);
	assert_int_equal(f->h.d->ranks, 1);
}

static void test_frames_that_make_no_sense_cut_the_vm_off(void **state)
{
	struct fixture *f = *state;
	unsigned char body[SNOO_CTL_FRAME_MAX - 16] = { 0 };
	struct snoo_ctl_data data = { .bytes = 9 };

	cuts(f, 0, 0, NULL, 0);
	cuts(f, 5, 0, NULL, 0);
	cuts(f, 200, 0, NULL, 0);
	cuts(f, UINT32_MAX, 0, body, 8);
	cuts(f, SNOO_CTL_WELCOME, 0, body, 200);
	/* Lengths. */
	cuts(f, SNOO_CTL_JOIN, 9, NULL, 0);
	cuts(f, SNOO_CTL_JOIN, 9, body, 16);
	cuts(f, SNOO_CTL_JOIN, 9, body, 16 + SNOO_WIRE_MAX + 1);
	cuts(f, SNOO_CTL_MSG, 1, NULL, 0);
	cuts(f, SNOO_CTL_MSG, 1, body, 7);
	cuts(f, SNOO_CTL_MSG, 1, body, SNOO_WIRE_MAX + 1);
	cuts(f, SNOO_CTL_CLOSED, 1, body, 4);
	cuts(f, SNOO_CTL_EXITED, 1, body, 1);
	cuts(f, SNOO_CTL_RING_FOR, 1, body, 4);
	cuts(f, SNOO_CTL_STARTED, 1, body, 7);
	cuts(f, SNOO_CTL_FINISHED, 1, body, 8);
	cuts(f, SNOO_CTL_CREDIT, 1, body, 4);
	cuts(f, SNOO_CTL_DATA, 1, &data.stream, sizeof(data) - 16);
	/* The session's beginning when it has begun. */
	cuts(f, SNOO_CTL_HELLO, 0, &f->v.hello.frame + 1,
	     sizeof(f->v.hello) - 16);
	cuts(f, SNOO_CTL_KNOWN, 1, NULL, 0);
	cuts(f, SNOO_CTL_READY, 0, NULL, 0);
}

static void test_joins_that_make_no_sense_cut_the_vm_off(void **state)
{
	struct fixture *f = *state;
	struct {
		struct snoo_ctl_join join;
		struct snoo_wire_hello hello;
	} m = { .join = { .vcpu = 0 } };
	const size_t bytes = sizeof(m) - sizeof(m.join.frame);
	const void *body = &m.join.frame + 1;

	fakerank_hello_init(&m.hello, "twice", 1, 0, 1);
	cuts(f, SNOO_CTL_JOIN, 1, body, bytes);	/* twice */
	cuts(f, SNOO_CTL_JOIN, 0, body, bytes);
	m.join.vcpu = 4;
	cuts(f, SNOO_CTL_JOIN, 9, body, bytes);
	m.join.vcpu = -2;
	cuts(f, SNOO_CTL_JOIN, 9, body, bytes);
	m.join.vcpu = INT32_MIN;
	cuts(f, SNOO_CTL_JOIN, 9, body, bytes);
}

static void test_before_hello_nothing_else_may_come(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;

	assert_int_equal(fakevm_ask(v), 0);
	assert_int_equal(fakevm_send(v, SNOO_CTL_READY, 0, NULL, 0), 0);
	expect_cut(f, v);
	assert_int_equal(fakevm_ask(v), 0);
	assert_int_equal(fakevm_send(v, SNOO_CTL_EXITED, 1, NULL, 0), 0);
	expect_cut(f, v);
	/* Without asking, nothing is read at all. */
	assert_int_equal(fakevm_send(v, SNOO_CTL_EXITED, 1, NULL, 0), 0);
	home_settle(&f->h);
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
}

/* A VM with one device is no VM yet. */
static void test_half_a_vm_is_not_welcomed(void **state)
{
	struct fixture *f = *state;
	const struct conf_domain *c = f->h.d->conf;
	struct fakevm v;
	size_t bytes;

	fakevm_init(&v, home_step, &f->h);
	assert_int_equal(fakevm_plug(&v, &v.control, c->ivshmem.control_path),
			 0);
	assert_int_equal(shm_link_open(&v.link,
				       fakeqemu_map(&v.control, &bytes),
				       SNOO_CTL_BYTES, SHM_LINK_GUEST), 0);
	shm_link_ask(&v.link);
	fakevm_ring(&v);
	home_settle(&f->h);
	assert_false(shm_link_accepted(&v.link));
	assert_int_equal(f->h.d->vm[2]->led.state, LEDGER_VM_HALF);
	/* With the other one it is, without another ring. */
	assert_int_equal(fakevm_plug(&v, &v.pool, c->ivshmem.socket.path), 0);
	home_settle(&f->h);
	assert_true(shm_link_accepted(&v.link));
	fakevm_close(&v);
}

/* Counters and lengths written straight into the memory. */
static void test_memory_that_makes_no_sense_cuts_the_vm_off(void **state)
{
	static const uint32_t tails[] = { 4, 8, SNOO_CTL_RING + 8,
					  UINT32_MAX, 0x80000000u };
	static const uint32_t lengths[] = { 0, 15, SNOO_CTL_FRAME_MAX + 1,
					    UINT32_MAX, 64 };
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct snoo_ctl_frame forged = { .type = SNOO_CTL_EXITED, .sid = 1 };

	for (size_t i = 0; i < 5; i++) {
		uint32_t tail;

		assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
		fakevm_drain(v);
		tail = v->link.tail;
		v->link.ours->tail = tail + tails[i];
		fakevm_ring(v);
		expect_cut(f, v);
		v->link.ours->tail = tail;
		v->link.tail = tail;
	}
	for (size_t i = 0; i < 5; i++) {
		uint32_t at;

		assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
		fakevm_drain(v);
		forged.length = lengths[i];
		at = v->link.tail & (SNOO_CTL_RING - 1);
		memcpy(v->link.out + at, &forged, sizeof(forged));
		v->link.tail += 16;
		v->link.ours->tail = v->link.tail;
		fakevm_ring(v);
		expect_cut(f, v);
	}
	/* The head of what it reads: we notice when we write. */
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	fakevm_drain(v);
	v->link.ours->head = v->link.head + 8;
	fakevm_send(v, SNOO_CTL_MSG, 33, forged.length ? &forged : NULL, 16);
	expect_cut(f, v);
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
}

/* Whoever spoils the memory's head loses nothing by the next daemon. */
static void test_a_spoilt_head_does_not_keep_the_next_daemon_out(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct vm *vm = vm_of(f, v);
	int fd;

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	v->link.mem->magic = 0;
	v->link.mem->major = 77;
	fd = dup(vm->memory);
	assert_true(fd >= 0);
	control_close(vm, true);
	vm->memory = fd;
	assert_int_equal(control_open(vm, true), 0);
	assert_true(v->link.mem->magic == SNOO_CTL_MAGIC);
	assert_int_equal(v->link.mem->major, SNOO_CTL_MAJOR);
	assert_int_equal(fakevm_rank(v, 1, 2, "on", 1, 0, 1), 0);
}

/* Sids are a VM's own: another's are as if there were none. */
static void test_a_vm_can_not_speak_for_anothers_ranks(void **state)
{
	struct fixture *f = *state;
	struct fakevm *a = &f->v, b;
	struct rank *r;

	assert_int_equal(fakevm_hello(a, NULL), SNOO_CTL_WELCOME);
	live(f, &b);
	assert_int_equal(fakevm_rank(a, 1, 0, "one", 1, 0, 1), 0);
	home_settle(&f->h);
	r = rank_of(f, a, 1);
	assert_int_equal(fakevm_say_plain(&b, 1, SNOO_WIRE_LEAVE), 0);
	assert_int_equal(fakevm_send(&b, SNOO_CTL_CLOSED, 1, NULL, 0), 0);
	assert_int_equal(fakevm_send(&b, SNOO_CTL_EXITED, 1, NULL, 0), 0);
	fakevm_drain(&b);
	assert_int_equal(r->led.state, LEDGER_RANK_ATTACHED);
	assert_int_equal(r->session->state, SESSION_ATTACHED);
	/* It is told that we know nothing of it. */
	assert_true(b.rank[1].ends > 0);
	assert_int_equal(vm_of(f, &b)->led.state, LEDGER_VM_LIVE);
	fakevm_close(&b);
	home_settle(&f->h);
	assert_int_equal(r->led.state, LEDGER_RANK_ATTACHED);
}

static void test_others_of_a_job_go_on_when_a_vm_is_cut_off(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct fakerank host;

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	home_rank(&f->h, &host);
	assert_int_equal(fakerank_attach(&host, f->h.path, "mixed", 1, 0, 2),
			 0);
	assert_int_equal(fakevm_rank(v, 1, 0, "mixed", 1, 1, 2), 0);
	assert_int_equal(fakerank_until(&host, SNOO_WIRE_START),
			 SNOO_WIRE_START);
	assert_int_equal(fakevm_send(v, 4711, 0, NULL, 0), 0);
	assert_int_equal(fakerank_until(&host, SNOO_WIRE_GONE),
			 SNOO_WIRE_GONE);
	assert_int_equal(host.gone.state, SNOO_ABI_DEAD);
	assert_int_equal(host.gone.rank, 1);
	expect_cut(f, v);
	fakerank_close(&host);
}

/* ---- again ---- */

static void test_a_new_boot_ends_the_ranks_of_the_last(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	uint32_t known[] = { 1, 0 };

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	assert_int_equal(fakevm_rank(v, 1, 0, "one", 1, 0, 1), 0);
	home_settle(&f->h);
	assert_int_equal(f->h.d->ranks, 2);
	v->hello.boot_id[3]++;
	/* Whatever it says that it knows: that was another kernel. */
	assert_int_equal(fakevm_hello(v, known), SNOO_CTL_WELCOME);
	home_settle(&f->h);
	assert_int_equal(f->h.d->ranks, 1);
	/* It still serves a session that we do not: it is told. */
	fakevm_drain(v);
	assert_int_equal(v->rank[1].ends, 1);
	assert_int_equal(v->rank[1].resumed, 0);
	/* The number is free again. */
	assert_int_equal(fakevm_rank(v, 1, 0, "one", 1, 0, 1), 0);
}

static void test_known_ranks_outlive_their_guest_daemon(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	uint32_t known[] = { 2, 4, 5, 0 };

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	for (uint32_t sid = 1; sid <= 4; sid++)
		assert_int_equal(fakevm_rank(v, sid, 0, "four", 1, (int)sid - 1,
					     4), 0);
	fakevm_drain(v);
	assert_true(v->rank[1].started);
	/* 4 died, and its process lives on. */
	assert_int_equal(fakevm_send(v, SNOO_CTL_CLOSED, 4, NULL, 0), 0);
	fakevm_drain(v);
	assert_int_equal(f->h.d->ranks, 5);

	/* The next one knows 2, the process of 4, and a 5 that never was. */
	memset(v->rank, 0, sizeof(v->rank));
	assert_int_equal(fakevm_hello(v, known), SNOO_CTL_WELCOME);
	fakevm_drain(v);
	assert_int_equal(v->rank[2].resumed, 1);
	assert_true(v->rank[2].started);
	assert_int_equal(v->rank[1].resumed, 0);
	assert_int_equal(v->rank[3].resumed, 0);
	assert_int_equal(v->rank[4].resumed, 0);
	assert_int_equal(v->rank[5].ends, 1);
	assert_int_equal(v->rank[4].ends, 1);
	/* What it missed: three have gone. */
	assert_int_equal(v->rank[2].gones >= 3, 1);
	assert_int_equal(v->rank[2].gone.gone, 3);

	/* Again, and again: RESUMED and STATE of one epoch, many times. */
	known[1] = 0;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fakevm_hello(v, known), SNOO_CTL_WELCOME);
		fakevm_drain(v);
	}
	assert_int_equal(v->rank[2].resumed, 4);
	assert_int_equal(v->rank[2].error.head.type, 0);
	/* It acknowledged the others; they are not known any more: freed. */
	home_settle(&f->h);
	assert_int_equal(f->h.d->ranks, 2);
	assert_int_equal(fakevm_say_plain(v, 2, SNOO_WIRE_LEAVE), 0);
	fakevm_drain(v);
	assert_true(v->rank[2].bye);
}

/* BYE went to a guest daemon that died of it. */
static void test_a_bye_that_was_lost_is_said_again(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	uint32_t known[] = { 1, 0 };

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	assert_int_equal(fakevm_rank(v, 1, 0, "one", 1, 0, 1), 0);
	fakevm_drain(v);
	assert_int_equal(fakevm_say_plain(v, 1, SNOO_WIRE_LEAVE), 0);
	fakevm_drain(v);
	memset(v->rank, 0, sizeof(v->rank));
	assert_int_equal(fakevm_hello(v, known), SNOO_CTL_WELCOME);
	fakevm_drain(v);
	assert_true(v->rank[1].bye);
	assert_int_equal(fakevm_send(v, SNOO_CTL_CLOSED, 1, NULL, 0), 0);
}

/* What is on its way to a rank does not outlive its guest's daemon. */
static void test_welcome_is_said_until_it_has_arrived(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct snoo_wire_pinned pinned = {
		.head = { SNOO_WIRE_PINNED, sizeof(pinned) }, .core = -1,
	};
	struct snoo_wire_hello hello;
	uint32_t known[] = { 1, 0 };

	/* A rank that has no WELCOME answers nothing. */
	v->mute = true;
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	fakerank_hello_init(&hello, "late", 0, 0, 2);
	assert_int_equal(fakevm_join(v, 1, -1, &hello), 0);
	home_settle(&f->h);
	for (unsigned int i = 1; i <= 3; i++) {
		assert_int_equal(fakevm_hello(v, known), SNOO_CTL_WELCOME);
		fakevm_drain(v);
		assert_int_equal(v->rank[1].welcomes, i);
	}
	assert_int_equal(fakevm_say(v, 1, &pinned, sizeof(pinned)), 0);
	home_settle(&f->h);
	assert_int_equal(fakevm_hello(v, known), SNOO_CTL_WELCOME);
	fakevm_drain(v);
	assert_int_equal(v->rank[1].welcomes, 3);
	assert_true(v->rank[1].resumed >= 4);
}

static void test_known_of_more_than_there_can_be_cuts_off(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;

	assert_int_equal(fakevm_ask(v), 0);
	assert_int_equal(fakevm_send(v, SNOO_CTL_HELLO, 0,
				     &v->hello.frame + 1,
				     sizeof(v->hello) - 16), 0);
	for (uint32_t sid = 1; sid <= 17; sid++)
		assert_int_equal(fakevm_put(v, SNOO_CTL_KNOWN, sid, NULL, 0),
				 0);
	fakevm_ring(v);
	expect_cut(f, v);
}

/* ---- limits ---- */

static void test_a_full_ring_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct snoo_ctl_frame frame = { .type = SNOO_CTL_DATA, .sid = 1 };
	static unsigned char body[8000];
	struct control_counts n;
	unsigned int got = 0;

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	fakevm_drain(v);
	for (unsigned int i = 0; i < 100; i++) {
		memcpy(body, &i, sizeof(i));
		control_post(vm_of(f, v), &frame, body, sizeof(body));
	}
	control_counts(vm_of(f, v), &n);
	assert_true(n.queued_bytes > 60 * sizeof(body));
	home_settle(&f->h);
	assert_int_equal(vm_of(f, v)->led.state, LEDGER_VM_LIVE);
	/* In order, all of them, by its own bell alone. */
	while (got < 100) {
		unsigned int i;

		assert_int_equal(fakevm_recv(v, true), SNOO_CTL_DATA);
		memcpy(&i, &v->in.f + 1, sizeof(i));
		assert_int_equal(i, got++);
	}
	control_counts(vm_of(f, v), &n);
	assert_int_equal(n.queued_bytes, 0);
}

static void test_who_does_not_read_for_ever_is_cut_off(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct snoo_ctl_frame frame = { .type = SNOO_CTL_DATA, .sid = 1 };
	static unsigned char body[8000];

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	for (unsigned int i = 0; i < 1000; i++)
		control_post(vm_of(f, v), &frame, body, sizeof(body));
	/* Not under the caller. */
	assert_int_equal(vm_of(f, v)->led.state, LEDGER_VM_LIVE);
	expect_cut(f, v);
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
}

static void test_a_bell_rung_for_nothing_is_muted(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct control_counts n;

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	for (unsigned int i = 0; i < 2 * CONTROL_IDLE_RINGS; i++) {
		fakevm_ring(v);
		home_step(&f->h);
	}
	control_counts(vm_of(f, v), &n);
	assert_int_equal(n.mutes, 1);
	assert_true(n.muted);
	assert_true(n.rings <= CONTROL_IDLE_RINGS + 16);
	/* What it says meanwhile is heard, later. */
	assert_int_equal(fakevm_rank(v, 1, 0, "late", 1, 0, 1) == 0 ||
			 v->rank[1].welcomes == 0, 1);
	usleep(CONTROL_MUTE_MS * 1000 + 20000);
	fakevm_drain(v);
	assert_int_equal(v->rank[1].welcomes, 1);
	control_counts(vm_of(f, v), &n);
	assert_false(n.muted);
}

/* A flood of frames: others have their turn in between. */
static void test_a_flood_leaves_others_their_turn(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct control_counts before, after;

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	control_counts(vm_of(f, v), &before);
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(fakevm_put(v, SNOO_CTL_EXITED, 50, NULL, 0),
				 0);
	fakevm_ring(v);
	home_step(&f->h);
	control_counts(vm_of(f, v), &after);
	assert_true(after.frames_in - before.frames_in <=
		    2 * CONTROL_FRAMES_A_TURN);
	for (int i = 0; i < 40; i++)
		home_step(&f->h);
	control_counts(vm_of(f, v), &after);
	assert_int_equal(after.frames_in - before.frames_in, 1000);
}

/* ---- programs ---- */

static struct {
	unsigned int frames, lives, goes;
	uint32_t type, sid;
} seen;

static void on_frame(struct vm *vm, const struct snoo_ctl_frame *f, bool again)
{
	(void)vm;
	assert_false(again);
	seen.frames++;
	seen.type = f->type;
	seen.sid = f->sid;
}

static void on_live(struct vm *vm)
{
	(void)vm;
	seen.lives++;
}

static void on_gone(struct vm *vm)
{
	(void)vm;
	seen.goes++;
}

static void test_frames_of_programs_go_to_their_handler(void **state)
{
	static const struct control_handler handler = {
		.frame = on_frame, .live = on_live, .gone = on_gone,
	};
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct snoo_ctl_data data = { .bytes = 0 };
	struct control_counts n;

	/* Nobody wants them: nothing happens. */
	control_handle(NULL);
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	assert_int_equal(fakevm_send(v, SNOO_CTL_DATA, 3, &data.stream,
				     sizeof(data) - 16),
			 0);
	home_settle(&f->h);
	control_counts(vm_of(f, v), &n);
	assert_int_equal(n.strays, 1);

	memset(&seen, 0, sizeof(seen));
	control_handle(&handler);
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	assert_int_equal(seen.lives, 1);
	assert_int_equal(fakevm_send(v, SNOO_CTL_DATA, 3, &data.stream,
				     sizeof(data) - 16),
			 0);
	home_settle(&f->h);
	assert_int_equal(seen.frames, 1);
	assert_int_equal(seen.type, SNOO_CTL_DATA);
	assert_int_equal(seen.sid, 3);
	fakevm_close(v);
	home_settle(&f->h);
	assert_int_equal(seen.goes, 1);
	control_handle(NULL);
}

/* ---- verbs ---- */

static char *ask(struct fixture *f, const char *line)
{
	struct admin_who who = { .uid = geteuid() };
	size_t len;
	char *text = admin_answer(&f->h.sh, &who, line, strlen(line), &len);

	assert_non_null(text);
	return text;
}

static void expect_answer(struct fixture *f, const char *line,
			  const char *part)
{
	char *text = ask(f, line);

	if (!strstr(text, part))
		fail_msg("\"%s\" is not in %s", part, text);
	free(text);
}

static void test_vms_are_shown_and_evicted(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct rank *r;

	expect_answer(f, "{\"cmd\":\"vms\"}", "\"state\":\"attached\"");
	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	assert_int_equal(fakevm_rank(v, 1, 2, "one", 1, 0, 1), 0);
	home_settle(&f->h);
	r = rank_of(f, v, 1);
	expect_answer(f, "{\"cmd\":\"vms\"}", "\"name\":\"vm-1\"");
	expect_answer(f, "{\"cmd\":\"vms\"}", "\"state\":\"live\"");
	expect_answer(f, "{\"cmd\":\"vms\"}", "\"boot_id\":"
		      "\"b0b0b0b0-b0b0-b0b0-b0b0-b0b0b0b0b0b0\"");
	expect_answer(f, "{\"cmd\":\"vms\"}", "\"cores\":[-1,-1,-1,-1]");
	expect_answer(f, "{\"cmd\":\"ranks\"}", "\"vm_name\":\"vm-1\","
		      "\"vcpu\":2");
	expect_answer(f, "{\"cmd\":\"evict\"}", "\"arguments\"");
	expect_answer(f, "{\"cmd\":\"evict\",\"args\":{\"vm\":2}}",
		      "\"not_found\"");
	expect_answer(f, "{\"cmd\":\"evict\",\"args\":{\"vm\":\"vm-1\"}}",
		      "\"ranks\":1");
	assert_int_equal(r->led.state, LEDGER_RANK_DEAD);
	assert_int_equal(vm_of(f, v)->led.state, LEDGER_VM_FREE);
	assert_true(shm_link_is_cut(&v->link));
	assert_int_equal(fakeqemu_pump(&v->pool), -EPIPE);
	assert_int_equal(fakeqemu_pump(&v->control), -EPIPE);
	/* The QEMU lives, and has the pool mapped. */
	home_settle(&f->h);
	assert_int_equal(f->h.d->ranks, 2);
	expect_answer(f, "{\"cmd\":\"why\",\"args\":{\"rank\":0,"
		      "\"job\":\"one\"}}", "until the QEMU of VM slot 1");
	expect_answer(f, "{\"cmd\":\"vms\"}", "\"result\":[]");
}

/* A rule for a slot is for jobs that lie in that VM, and in no other kernel. */
static void test_a_vm_has_its_weight(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	struct fakerank host;
	const struct job *in, *across;

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	assert_int_equal(fakevm_rank(v, 1, 2, "in", 1, 0, 2), 0);
	assert_int_equal(fakevm_rank(v, 2, 2, "across", 1, 0, 2), 0);
	home_settle(&f->h);
	in = rank_of(f, v, 1)->job;
	across = rank_of(f, v, 2)->job;
	assert_int_equal(in->sched.weight, 7);
	assert_int_equal(across->sched.weight, 7);
	home_rank(&f->h, &host);
	assert_int_equal(fakerank_attach(&host, f->h.path, "across", 1, 1, 2),
			 0);
	assert_int_equal(across->sched.weight, 1);
	assert_int_equal(in->sched.weight, 7);
	fakerank_close(&host);
}

/* A guest's clock is another: what its ranks write is converted. */
static void test_times_of_a_guest_are_shown_in_our_clock(void **state)
{
	struct fixture *f = *state;
	struct fakevm *v = &f->v;
	uint64_t now, shown;
	struct rank *r;

	assert_int_equal(fakevm_hello(v, NULL), SNOO_CTL_WELCOME);
	assert_int_equal(fakevm_rank(v, 1, 2, "one", 1, 0, 1), 0);
	home_settle(&f->h);
	r = rank_of(f, v, 1);
	/* Booted an hour after us: its 5 s are our 3605 s. */
	vm_of(f, v)->led.clock_ns = INT64_C(3600000000000);
	now = UINT64_C(5000000000);
	shown = stats_guest_ns(r, now);
	assert_int_equal(shown, UINT64_C(3605000000000));
	assert_int_equal(stats_guest_ns(r, 0), 0);
	vm_of(f, v)->led.clock_ns = -INT64_C(1000000000);
	assert_int_equal(stats_guest_ns(r, now), UINT64_C(4000000000));
}

#define TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_decent_guest_is_welcomed),
		TEST(test_what_does_not_fit_is_refused_with_a_sentence),
		TEST(test_a_name_that_can_spoil_a_terminal_is_cleaned),
		TEST(test_a_rank_in_a_vm_is_a_rank),
		TEST(test_ranks_of_an_older_guest_daemon_are_not_lent_blocks),
		TEST(test_no_deadline_runs_over_a_vm),
		TEST(test_guests_do_not_queue_by_uid),
		TEST(test_a_dead_rank_waits_for_its_exit),
		TEST(test_a_refused_rank_is_told_and_hung_up_on),
		TEST(test_a_vm_can_not_have_more_sessions_than_ranks),
		TEST(test_frames_that_make_no_sense_cut_the_vm_off),
		TEST(test_joins_that_make_no_sense_cut_the_vm_off),
		TEST(test_before_hello_nothing_else_may_come),
		TEST(test_half_a_vm_is_not_welcomed),
		TEST(test_memory_that_makes_no_sense_cuts_the_vm_off),
		TEST(test_a_spoilt_head_does_not_keep_the_next_daemon_out),
		TEST(test_a_vm_can_not_speak_for_anothers_ranks),
		TEST(test_others_of_a_job_go_on_when_a_vm_is_cut_off),
		TEST(test_a_new_boot_ends_the_ranks_of_the_last),
		TEST(test_known_ranks_outlive_their_guest_daemon),
		TEST(test_a_bye_that_was_lost_is_said_again),
		TEST(test_welcome_is_said_until_it_has_arrived),
		TEST(test_known_of_more_than_there_can_be_cuts_off),
		TEST(test_a_full_ring_is_waited_for),
		TEST(test_who_does_not_read_for_ever_is_cut_off),
		TEST(test_a_bell_rung_for_nothing_is_muted),
		TEST(test_a_flood_leaves_others_their_turn),
		TEST(test_frames_of_programs_go_to_their_handler),
		TEST(test_vms_are_shown_and_evicted),
		TEST(test_a_vm_has_its_weight),
		TEST(test_times_of_a_guest_are_shown_in_our_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
