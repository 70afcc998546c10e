/* SPDX-License-Identifier: MIT */
/*
 * adopt.c - take over the ranks of a daemon that died
 */
#include "daemon/adopt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/attach.h"
#include "daemon/control.h"
#include "daemon/loans.h"
#include "daemon/log.h"
#include "daemon/post.h"
#include "daemon/reap.h"
#include "daemon/regs.h"
#include "daemon/seat.h"
#include "daemon/session.h"
#include "daemon/share.h"
#include "daemon/span.h"
#include "daemon/supply.h"
#include "daemon/telemetry.h"
#include "daemon/touch.h"
#include "hal/hal.h"
#include "shm/testpoint.h"

/* ---- 1, 2 ---- */

static void free_orphans(struct domain *d)
{
	for (uint32_t i = 0; i < d->nranks; i++) {
		struct ledger_job job;
		struct ledger_rank rank;

		ledger_get_job(d->ledger, i, &job);
		if (job.state == LEDGER_JOB_FREE)
			arena_give_all(d->arena, true, i);
		ledger_get_rank(d->ledger, i, &rank);
		if (rank.state == LEDGER_RANK_FREE)
			supply_seize(d, i);
	}
}

static int read_jobs(struct domain *d)
{
	for (uint32_t i = 0; i < d->nranks; i++) {
		struct ledger_job led;
		struct job *j;

		ledger_get_job(d->ledger, i, &led);
		if (led.state == LEDGER_JOB_FREE)
			continue;
		j = state_job_new(d, i, led.capacity);
		if (!j)
			return -ENOMEM;
		j->led = led;
		share_add_job(j);
	}
	return 0;
}

/* The last daemon may have put the rank and not yet its job. */
static void count_rank(struct rank *r)
{
	struct job *j = r->job;

	j->member[r->led.rank].rank = r;
	j->member[r->led.rank].used = true;
	if (j->led.open && r->led.rank >= j->led.size)
		j->led.size = r->led.rank + 1;
	if (state_rank_alive(r)) {
		j->attached++;
		return;
	}
	j->quarantined++;
	if (r->led.gone > j->led.gone_epoch) {
		j->led.gone_epoch = r->led.gone;
		j->led.left++;
	}
}

static int read_ranks(struct domain *d)
{
	for (uint32_t i = 0; i < d->nranks; i++) {
		struct ledger_rank led;
		struct rank *r;

		ledger_get_rank(d->ledger, i, &led);
		if (led.state == LEDGER_RANK_FREE)
			continue;
		if (led.job >= d->nranks || !d->job[led.job] ||
		    led.rank >= d->job[led.job]->led.capacity ||
		    d->job[led.job]->member[led.rank].rank)
			return -EBADMSG;
		r = state_rank_new(d, i, d->job[led.job]);
		if (!r)
			return -ENOMEM;
		r->led = led;
		count_rank(r);
		supply_count(r);
		if (regs_adopt(r))
			return -ENOMEM;
	}
	return 0;
}

static void complete_jobs(struct domain *d)
{
	for (uint32_t i = 0; i < d->nranks; i++) {
		struct job *j = d->job[i];

		if (!j)
			continue;
		j->led.joined = j->attached + j->led.left;
		if (j->led.state == LEDGER_JOB_FORMING && !j->led.left &&
		    j->led.joined == j->led.size)
			j->led.state = LEDGER_JOB_RUNNING;
		if (j->led.state == LEDGER_JOB_RUNNING && j->attached == 0)
			j->led.state = LEDGER_JOB_ENDING;
		state_put_job(j);
	}
}

/* ---- 3, 4 ---- */

static void take_fds(struct rank *r)
{
	struct keeper *k = r->dom->sh->keeper;
	char name[STATE_KEEP_MAX];
	int fd;

	r->pidfd = keeper_take(k, state_keep_rank(name, r, "pidfd"));
	if (r->led.vm) {
		struct vm *vm = state_rank_vm(r);

		if (state_rank_alive(r) && vm && vm->control)
			session_adopt_vm(r, vm);
		return;
	}
	fd = keeper_take(k, state_keep_rank(name, r, "socket"));
	if (fd < 0)
		return;
	if (!state_rank_alive(r) || r->pidfd < 0) {
		/* The keeper's copy would keep the connection open. */
		shutdown(fd, SHUT_RDWR);
		close(fd);
		return;
	}
	if (session_adopt(r, fd) == 0 && session_watch(r))
		session_end(r->session);
}

static void write_again(struct rank *r)
{
	touch_rank_again(r);
	touch_member(r);
	if (!state_rank_alive(r))
		return;
	seat_adopt(r);
	share_add_rank(r);
}

/* ---- 5, 6 ---- */

void adopt_tell(struct rank *r)
{
	struct session *s = r->session;

	if (!(r->led.flags & STATE_RANK_CONFIRMED)) {
		post_welcome(r);
		/*
		 * It is in the socket, which outlives us.  What is on its way
		 * to a VM does not outlive the guest's daemon: PINNED says that
		 * it has arrived.
		 */
		if (!s->vm)
			attach_confirmed(r);
	}
	s->resumed = state_epoch(r->dom);
	loans_adopted(r);
	post_resumed(r);
	telemetry_attach(r);
	post_oncpu(r);
	regs_adopted(r);
	if (r->rings[SMALL] == 0)
		supply_start(r);
	span_adopted(r);
	if (r->job->led.state == LEDGER_JOB_RUNNING)
		post_start(r);
	SNOO_TESTPOINT("daemon_adopt_told");
}

static void reap_on(struct rank *r)
{
	if (state_rank_vm(r) && !state_rank_vm(r)->control) {
		/* The last daemon had not come to it. */
		reap_vm_gone(r, -1);
	} else if (!state_rank_alive(r)) {
		if (session_watch(r))
			reap_exited(r);
		reap_again(r);
	} else if (!r->session) {
		reap_rank(r, LEDGER_RANK_DEAD);
		session_watch(r);
	}
}

static void each_rank(struct domain *d, void (*fn)(struct rank *r))
{
	for (uint32_t i = 0; i < d->nranks; i++)
		if (d->rank[i])
			fn(d->rank[i]);
}

static void tell_alive(struct rank *r)
{
	struct session *s = r->session;

	/* Whose guest daemon is just coming is told when it is READY. */
	if (state_rank_alive(r) && s && (!s->vm || control_live(s->vm)))
		adopt_tell(r);
}

int adopt_ranks(struct domain *d)
{
	int ret;

	free_orphans(d);
	SNOO_TESTPOINT("daemon_adopt_orphans");
	ret = read_jobs(d);
	if (ret == 0)
		ret = read_ranks(d);
	if (ret)
		return ret;
	complete_jobs(d);
	regs_adopt_dues(d);
	each_rank(d, take_fds);
	for (uint32_t i = 0; i < d->nranks; i++)
		if (d->job[i])
			touch_job_counts(d->job[i]);
	each_rank(d, write_again);
	for (uint32_t i = 0; i < d->nranks; i++)
		if (d->job[i])
			span_adopt(d->job[i]);
	SNOO_TESTPOINT("daemon_adopt_written");
	each_rank(d, tell_alive);
	each_rank(d, reap_on);
	for (uint32_t i = 0; i < d->nranks; i++)
		if (d->job[i])
			reap_job(d->job[i]);
	SNOO_TESTPOINT("daemon_adopt_reaped");
	return 0;
}

/* ---- a domain that can't be taken over ---- */

struct last_words {
	void *base;
	uint64_t size;
};

/* The books are gone, so the pool's own head must do, for waking alone. */
static void ring_all(void *arg)
{
	struct last_words *w = arg;
	struct shm_region region;
	struct hal_params p = { .self = HAL_SELF_NONE };
	struct hal *h;

	if (shm_region_open(&region, w->base, w->size))
		return;
	atomic_store_explicit(&region.head->state, SNOO_ABI_POOL_LOST,
			      memory_order_release);
	p.regs = shm_region_regs(&region);
	p.ncores = region.nranks;
	if (hal_open(&h, &hal_emul, &p))
		return;
	for (uint32_t i = 0; i < region.nranks; i++) {
		struct snoo_abi_rank *r = shm_region_rank(&region, i);

		atomic_fetch_add_explicit(&r->news, 1, memory_order_release);
		hal_nudge(h, i, SNOO_ABI_BELL_NEWS | SNOO_ABI_BELL_DATA);
	}
	hal_close(h);
}

static void wake_all(int pool_fd)
{
	struct last_words w;
	struct guard guard;
	struct stat st;

	if (fstat(pool_fd, &st) || st.st_size <= 0)
		return;
	w.size = (uint64_t)st.st_size;
	w.base = mmap(NULL, w.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      pool_fd, 0);
	if (w.base == MAP_FAILED)
		return;
	if (guard_open() == 0) {
		guard_init(&guard, w.base, w.size);
		guard_run(&guard, ring_all, &w);
		guard_close();
	}
	munmap(w.base, w.size);
}

static void refuse_one(int fd, const char *name, const char *why)
{
	struct snoo_wire_error m = {
		.head = { SNOO_WIRE_ERROR, sizeof(m) },
		.error = ENODEV,
	};

	snprintf(m.text, sizeof(m.text), "domain \"%s\" is lost: %s", name,
		 why);
	send(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void adopt_refuse(struct keeper *k, const char *name, int pool_fd,
		  const char *why)
{
	char prefix[STATE_KEEP_MAX];
	const struct keeper_fd *list;
	size_t n;

	snprintf(prefix, sizeof(prefix), "%s/rank/", name);
	n = keeper_inherited(k, &list);
	/* Sockets only understand it; on a pidfd send() fails, harmlessly. */
	for (size_t i = 0; i < n; i++)
		if (strncmp(list[i].name, prefix, strlen(prefix)) == 0)
			refuse_one(list[i].fd, name, why);
	if (pool_fd >= 0) {
		wake_all(pool_fd);
		close(pool_fd);
	}
}
