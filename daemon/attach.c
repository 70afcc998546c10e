/* SPDX-License-Identifier: MIT */
/*
 * attach.c - from HELLO to WELCOME: one rank joins
 */
#include "daemon/attach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/job.h"
#include "daemon/log.h"
#include "daemon/post.h"
#include "daemon/regs.h"
#include "daemon/seat.h"
#include "daemon/share.h"
#include "daemon/span.h"
#include "daemon/supply.h"
#include "daemon/telemetry.h"
#include "daemon/touch.h"
#include "daemon/vm_state.h"
#include "shm/job.h"
#include "shm/testpoint.h"

#define KEEPER_WAIT_MS	2000

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)ts.tv_nsec;
}

/* ---- the job ---- */

static struct job *begin_job(struct session *s, const struct job_seat *seat,
			     char why[SNOO_WIRE_TEXT])
{
	struct domain *d = s->dom;
	struct job *j = state_job_new(d, seat->cell, seat->capacity);
	struct arena_want want = {
		.bytes = shm_job_bytes(seat->capacity),
		.kind = ARENA_JOB,
		.owner = seat->cell,
		.node = ARENA_ANY_NODE,
	};
	uint32_t unit;

	if (!j) {
		snprintf(why, SNOO_WIRE_TEXT, "the daemon is out of memory");
		return NULL;
	}
	j->led.number = ledger_next_job(d->ledger);
	want.instance = j->led.number;
	if (supply_take(d, &want, &unit) < 0) {
		snprintf(why, SNOO_WIRE_TEXT, "the pool of domain \"%s\" is "
			 "full: no %llu bytes for a job of %u ranks; raise "
			 "pool.size_bytes", d->name,
			 (unsigned long long)want.bytes, seat->capacity);
		goto err_free;
	}
	SNOO_TESTPOINT("daemon_job_taken");
	j->led.state = seat->size ? LEDGER_JOB_FORMING : LEDGER_JOB_RUNNING;
	memcpy(j->led.name, s->hello.name, sizeof(j->led.name));
	j->led.launch = s->hello.launch;
	j->led.job_off = pool_offset(&d->pool, unit);
	j->led.created_ns = wall_ns();
	j->led.size = seat->size;
	j->led.capacity = seat->capacity;
	j->led.open = seat->size == 0;
	j->led.uid = s->who.uid;
	if (touch_job_begin(j)) {
		snprintf(why, SNOO_WIRE_TEXT, "domain \"%s\" is lost", d->name);
		goto err_give;
	}
	state_put_job(j);
	SNOO_TESTPOINT("daemon_job_put");
	share_add_job(j);
	if (!s->vm_slot)
		seat_plan(j, &s->hello);
	return j;

err_give:
	arena_give(d->arena, unit);
err_free:
	state_job_free(j);
	return NULL;
}

/* A job that nobody came to be in. */
static void drop_job(struct job *j)
{
	struct domain *d = j->dom;

	share_del_job(j);
	seat_unplan(j);
	memset(&j->led, 0, sizeof(j->led));
	state_put_job(j);
	arena_give_all(d->arena, true, j->cell);
	state_job_free(j);
}

/* ---- the rank ---- */

static int keep_fds(struct rank *r, const struct session *s)
{
	struct keeper *k = r->dom->sh->keeper;
	char name[STATE_KEEP_MAX];
	int ret;

	/* The guest's keeper has them. */
	if (s->vm)
		return 0;
	/* Not watched: what it said before it closed is still to be read. */
	ret = keeper_store(k, state_keep_rank(name, r, "socket"), s->fd, false);
	if (ret == 0 && s->who.pidfd >= 0)
		ret = keeper_store(k, state_keep_rank(name, r, "pidfd"),
				   s->who.pidfd, false);
	if (ret == 0)
		ret = keeper_barrier(k, KEEPER_WAIT_MS);
	if (ret) {
		keeper_forget(k, state_keep_rank(name, r, "socket"));
		keeper_forget(k, state_keep_rank(name, r, "pidfd"));
	}
	return ret;
}

/* The version in force: its own, ours, and that of whoever is in between. */
static uint32_t minor_of(const struct session *s)
{
	uint32_t minor = s->hello.minor < SNOO_WIRE_MINOR ? s->hello.minor :
							    SNOO_WIRE_MINOR;

	/* LENT would be nonsense to an older guest daemon. */
	if (s->vm && s->vm->led.minor < 2 && minor > 3)
		minor = 3;
	/* Nobody reads the memory of a VM. */
	if (s->vm && minor > 4)
		minor = 4;
	return minor;
}

static void fill(struct rank *r, const struct session *s,
		 const struct job_seat *seat)
{
	struct ledger_rank old;

	ledger_get_rank(r->dom->ledger, r->slot, &old);
	r->led.state = LEDGER_RANK_ATTACHED;
	r->led.instance = old.instance + 1;
	r->led.job = r->job->cell;
	r->led.rank = seat->rank;
	r->led.pid = s->who.pid;
	r->led.uid = s->who.uid;
	r->led.gid = s->who.gid;
	r->led.core = r->seat.cpu;
	r->led.start_time = s->who.start_time;
	r->led.node = r->seat.node;
	/* Whoever is gone by now has never heard of it. */
	r->led.acked = r->job->led.gone_epoch;
	r->led.peer_pid = s->hello.pid;
	r->led.minor = minor_of(s);
	r->led.attached_ns = wall_ns();
	r->led.vm = s->vm_slot;
	r->led.sid = s->sid;
	r->led.vcpu = s->vcpu;
}

/* A rank in a VM sits where its vCPU sits, and takes no seat of its own. */
static int take_seat(const struct session *s, struct job *j, uint32_t rank,
		     struct place_seat *seat, char why[SNOO_WIRE_TEXT])
{
	if (!s->vm_slot)
		return seat_take_kept(j, rank, &s->hello, seat, why);
	seat_unkeep(j, rank);
	*seat = vm_cpu_seat(s->vm, s->vcpu);
	return 0;
}

static void count_in(struct rank *r)
{
	struct job *j = r->job;

	j->member[r->led.rank].rank = r;
	j->member[r->led.rank].used = true;
	j->attached++;
	j->led.joined++;
	if (j->led.open && r->led.rank >= j->led.size)
		j->led.size = r->led.rank + 1;
	if (!j->led.open && j->led.joined == j->led.size)
		j->led.state = LEDGER_JOB_RUNNING;
	state_put_job(j);
}

int attach_hello(struct session *s, char why[SNOO_WIRE_TEXT])
{
	struct domain *d = s->dom;
	struct place_seat place;
	struct job_seat seat;
	struct job *j;
	struct rank *r;
	int ret;

	ret = job_admit(d, &s->hello, &seat, why);
	if (ret)
		return ret;
	ret = span_admit(d, seat.job, s->vm_slot, s->hello.minor, why);
	if (ret)
		return ret;
	j = seat.job ? seat.job : begin_job(s, &seat, why);
	if (!j)
		return -ENOSPC;
	ret = take_seat(s, j, seat.rank, &place, why);
	if (ret)
		goto err_job;
	r = state_rank_new(d, state_free_slot(d), j);
	if (!r) {
		snprintf(why, SNOO_WIRE_TEXT, "the daemon is out of memory");
		ret = -ENOMEM;
		goto err_seat;
	}
	r->seat = place;
	r->seated = !s->vm_slot;
	fill(r, s, &seat);
	ret = touch_rank_begin(r);
	if (ret) {
		snprintf(why, SNOO_WIRE_TEXT, "domain \"%s\" is lost", d->name);
		goto err_rank;
	}
	SNOO_TESTPOINT("daemon_attach_zeroed");
	ret = keep_fds(r, s);
	if (ret) {
		snprintf(why, SNOO_WIRE_TEXT, "the daemon's keeper does not "
			 "take the socket (%s): try again", strerror(-ret));
		goto err_rank;
	}
	SNOO_TESTPOINT("daemon_attach_kept");
	state_put_rank(r);
	SNOO_TESTPOINT("daemon_attach_put");

	count_in(r);
	SNOO_TESTPOINT("daemon_attach_counted");
	r->session = s;
	r->pidfd = s->who.pidfd;
	s->who.pidfd = -1;
	s->rank = r;
	touch_member(r);
	touch_job_counts(j);
	share_add_rank(r);
	seat_tell_rank(r);
	post_welcome(r);
	SNOO_TESTPOINT("daemon_attach_welcomed");
	telemetry_attach(r);
	post_oncpu(r);
	regs_attach(r);
	log_info("rank attached domain=%s job=%s number=%u rank=%u slot=%u "
		 "vm=%u pid=%d uid=%u cpu=%d", d->name, j->led.name,
		 j->led.number, r->led.rank, r->slot, r->led.vm, r->led.pid,
		 r->led.uid, r->led.core);
	attach_supply(r);
	return 0;

err_rank:
	state_rank_free(r);
err_seat:
	if (!s->vm_slot)
		place_give(d->sh->place, &place);
err_job:
	if (!seat.job)
		drop_job(j);
	return ret;
}

void attach_supply(struct rank *r)
{
	struct job *j = r->job;

	supply_start(r);
	span_joined(r);
	if (j->led.open) {
		post_start(r);
		return;
	}
	if (j->led.state != LEDGER_JOB_RUNNING)
		return;
	for (uint32_t i = 0; i < j->led.capacity; i++) {
		struct rank *m = j->member[i].rank;

		if (m && state_rank_alive(m))
			post_start(m);
	}
	SNOO_TESTPOINT("daemon_started");
}

void attach_confirmed(struct rank *r)
{
	r->led.flags |= STATE_RANK_CONFIRMED;
	state_put_rank(r);
}

void attach_pinned(struct rank *r, const struct snoo_wire_pinned *m)
{
	if (m->error)
		log_warn("rank could not be pinned domain=%s job=%s rank=%u "
			 "cpu=%d error=\"%s\"", r->dom->name, r->job->led.name,
			 r->led.rank, r->led.core, strerror(m->error));
	if (m->core != (state_rank_vm(r) ? r->led.vcpu : r->led.core)) {
		seat_move(r, m->core);
		state_put_rank(r);
	}
}
