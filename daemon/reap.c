/* SPDX-License-Identifier: MIT */
/*
 * reap.c - a rank has left or died: tell, quarantine, free
 */
#include "daemon/reap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/peer.h"
#include "daemon/post.h"
#include "daemon/regs.h"
#include "daemon/seat.h"
#include "daemon/share.h"
#include "daemon/supply.h"
#include "daemon/telemetry.h"
#include "daemon/touch.h"
#include "shm/testpoint.h"

static void look_soon(struct domain *d)
{
	loop_defer(d->sh->loop, &d->reap_work);
}

/* ---- 1 to 3 ---- */

static void commit(struct rank *r, uint32_t state)
{
	struct job *j = r->job;

	r->led.state = state;
	r->led.gone = j->led.gone_epoch + 1;
	state_put_rank(r);
	SNOO_TESTPOINT("daemon_reap_marked");
	/* The next daemon takes the largest of the ranks' epochs too. */
	j->led.gone_epoch = r->led.gone;
	j->led.left++;
	j->attached--;
	j->quarantined++;
	if (j->attached == 0 && j->led.state == LEDGER_JOB_RUNNING)
		j->led.state = LEDGER_JOB_ENDING;
	state_put_job(j);
	SNOO_TESTPOINT("daemon_reap_counted");
}

static void fail_forming(struct job *j, const struct rank *why)
{
	if (j->led.open || j->led.state != LEDGER_JOB_FORMING || j->failing)
		return;
	j->failing = true;
	for (uint32_t i = 0; i < j->led.capacity; i++) {
		struct rank *m = j->member[i].rank;

		if (!m || !m->session || !state_rank_alive(m))
			continue;
		post_error(m->session, ECONNABORTED,
			   "rank %u ended before the job was complete: %u of "
			   "%u ranks of job \"%s\" had joined", why->led.rank,
			   j->led.joined, j->led.size, j->led.name);
		post_break(m->session, "its job can't be complete");
	}
}

static void tell_members(const struct rank *gone)
{
	const struct job *j = gone->job;

	for (uint32_t i = 0; i < j->led.capacity; i++) {
		struct rank *m = j->member[i].rank;

		if (m && m != gone && state_rank_alive(m))
			post_gone(m, gone);
	}
	SNOO_TESTPOINT("daemon_reap_told");
}

/* The keeper's copies of what nobody needs any more. */
static void forget(const struct rank *r, const char *what)
{
	char name[STATE_KEEP_MAX];

	/* Of a rank in a VM there is at most the pidfd of its QEMU. */
	if (r->led.vm && (r->pidfd < 0 || strcmp(what, "pidfd") != 0))
		return;
	keeper_forget(r->dom->sh->keeper, state_keep_rank(name, r, what));
}

/* May its process still touch the pool, and will somebody say when not? */
static bool ends_later(const struct rank *r)
{
	if (r->led.state == LEDGER_RANK_LEFT)
		return false;
	return r->pidfd >= 0 || (state_rank_vm(r) &&
				 !(r->led.flags & STATE_RANK_EXITED));
}

static void drop_pidfd(struct rank *r)
{
	loop_unwatch(r->death);
	r->death = NULL;
	forget(r, "pidfd");
	if (r->pidfd >= 0)
		close(r->pidfd);
	r->pidfd = -1;
	r->exited = true;
}

static void show(struct rank *r)
{
	touch_rank_again(r);
	touch_member(r);
	supply_recall(r);
	SNOO_TESTPOINT("daemon_reap_shown");
}

void reap_rank(struct rank *r, uint32_t state)
{
	if (!state_rank_alive(r))
		return;
	commit(r, state);
	log_info("rank %s domain=%s job=%s number=%u rank=%u slot=%u vm=%u "
		 "pid=%d gone=%u", state_rank_name(r), r->dom->name,
		 r->job->led.name, r->job->led.number, r->led.rank, r->slot,
		 r->led.vm, r->led.pid, r->led.gone);
	share_del_rank(r);
	telemetry_detach(r);
	show(r);
	regs_gone(r);
	tell_members(r);
	/* Who waits in a write of its bell, because it was filled, goes on. */
	touch_toll(r);
	fail_forming(r->job, r);
	if (r->session) {
		r->session->rank = NULL;
		r->session = NULL;
	}
	seat_give(r);
	forget(r, "socket");
	if (!ends_later(r))
		drop_pidfd(r);
	look_soon(r->dom);
}

void reap_exited(struct rank *r)
{
	reap_rank(r, LEDGER_RANK_DEAD);
	if (r->led.vm) {
		r->led.flags |= STATE_RANK_EXITED;
		state_put_rank(r);
	}
	drop_pidfd(r);
	look_soon(r->dom);
}

static void on_qemu_end(void *arg, unsigned int events)
{
	(void)events;
	reap_exited(arg);
}

/* Its end is the end of its QEMU now, as if that were its process. */
static int watch_qemu(struct rank *r, int pidfd)
{
	char name[STATE_KEEP_MAX];
	int ret;

	r->pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 0);
	if (r->pidfd < 0)
		return -errno;
	ret = keeper_store(r->dom->sh->keeper,
			   state_keep_rank(name, r, "pidfd"), r->pidfd, false);
	if (ret)
		return ret;
	return loop_watch(&r->death, r->dom->sh->loop, r->pidfd, LOOP_READ,
			  on_qemu_end, r);
}

void reap_vm_gone(struct rank *r, int pidfd)
{
	bool over;

	reap_rank(r, LEDGER_RANK_DEAD);
	over = r->exited || pidfd < 0 || peer_ended(pidfd) ||
	       watch_qemu(r, pidfd);
	r->led.sid = 0;
	state_put_rank(r);
	if (over)
		reap_exited(r);
}

void reap_again(struct rank *r)
{
	show(r);
	fail_forming(r->job, r);
	forget(r, "socket");
	if (!ends_later(r))
		drop_pidfd(r);
	look_soon(r->dom);
}

/* ---- 4 ---- */

int reap_ack(struct rank *r, uint32_t gone)
{
	if (gone > r->job->led.gone_epoch)
		return -EPROTO;
	if (gone <= r->led.acked)
		return 0;
	r->led.acked = gone;
	state_put_rank(r);
	SNOO_TESTPOINT("daemon_acked");
	look_soon(r->dom);
	return 0;
}

void reap_tell(struct rank *r, uint32_t seen)
{
	const struct job *j = r->job;

	/* In the order in which they went. */
	for (uint32_t epoch = seen; epoch < j->led.gone_epoch; ) {
		const struct rank *next = NULL;

		for (uint32_t i = 0; i < j->led.capacity; i++) {
			const struct rank *m = j->member[i].rank;

			if (m && m->led.gone > epoch &&
			    (!next || m->led.gone < next->led.gone))
				next = m;
		}
		if (!next)
			return;
		post_gone(r, next);
		epoch = next->led.gone;
	}
}

const struct rank *reap_waits_for(const struct rank *r)
{
	const struct job *j = r->job;

	for (uint32_t i = 0; i < j->led.capacity; i++) {
		const struct rank *m = j->member[i].rank;

		if (m && m != r && state_rank_alive(m) &&
		    m->led.acked < r->led.gone)
			return m;
	}
	return r->exited ? NULL : r;
}

/* ---- 5 and 6 ---- */

static void end_job(struct job *j)
{
	struct domain *d = j->dom;

	log_info("job ended domain=%s job=%s number=%u ranks=%u", d->name,
		 j->led.name, j->led.number, j->led.joined);
	share_del_job(j);
	seat_unplan(j);
	memset(&j->led, 0, sizeof(j->led));
	state_put_job(j);
	SNOO_TESTPOINT("daemon_job_ended");
	arena_give_all(d->arena, true, j->cell);
	state_job_free(j);
}

void reap_job(struct job *j)
{
	if (j->attached == 0 && j->quarantined == 0)
		end_job(j);
}

static void finish(struct rank *r)
{
	struct domain *d = r->dom;
	struct job *j = r->job;
	struct ledger_rank free_cell = {
		.state = LEDGER_RANK_FREE,
		.instance = r->led.instance,
		.job = LEDGER_NONE,
	};

	regs_drop(r);
	supply_seize(d, r->slot);
	SNOO_TESTPOINT("daemon_reap_emptied");
	j->member[r->led.rank].rank = NULL;
	ledger_put_rank(d->ledger, r->slot, &free_cell);
	SNOO_TESTPOINT("daemon_reap_freed");
	state_rank_free(r);
	j->quarantined--;
	reap_job(j);
}

static void look(void *arg)
{
	struct domain *d = arg;
	bool freed = false;

	if (d->lost)
		return;
	for (uint32_t i = 0; i < d->nranks; i++) {
		struct rank *r = d->rank[i];

		if (!r || state_rank_alive(r) || reap_waits_for(r))
			continue;
		finish(r);
		freed = true;
	}
	if (freed)
		supply_retry(d);
}

void reap_open(struct domain *d)
{
	d->reap_work.fn = look;
	d->reap_work.arg = d;
}

void reap_close(struct domain *d)
{
	loop_undefer(&d->reap_work);
}
