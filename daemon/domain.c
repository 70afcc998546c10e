/* SPDX-License-Identifier: MIT */
/*
 * domain.c - one domain from beginning to end: make, adopt, serve, lose, close
 */
#include "daemon/domain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/adopt.h"
#include "daemon/log.h"
#include "daemon/reap.h"
#include "daemon/regs.h"
#include "daemon/run.h"
#include "daemon/seat.h"
#include "daemon/session.h"
#include "daemon/share.h"
#include "daemon/span.h"
#include "daemon/supply.h"
#include "daemon/telemetry.h"
#include "daemon/touch.h"
#include "daemon/vm.h"
#include "daemon/vm_cpu.h"
#include "hal/hal.h"
#include "shm/testpoint.h"

#define KEEPER_WAIT_MS	2000

/* ---- the lock ---- */

int domain_lock(int *out, const char *runtime_dir, const char *name,
		char why[DOMAIN_TEXT])
{
	char path[256], holder[32] = "";
	int fd, ret;
	ssize_t n;

	*out = -1;
	if (snprintf(path, sizeof(path), "%s/%s.lock", runtime_dir, name) >=
	    (int)sizeof(path)) {
		snprintf(why, DOMAIN_TEXT, "runtime_dir is too long");
		return -ENAMETOOLONG;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0) {
		ret = -errno;
		snprintf(why, DOMAIN_TEXT, "%s: %s", path, strerror(-ret));
		return ret;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		ret = -errno;
		n = pread(fd, holder, sizeof(holder) - 1, 0);
		holder[n > 0 ? n : 0] = '\0';
		holder[strcspn(holder, "\n")] = '\0';
		close(fd);
		if (ret != -EWOULDBLOCK) {
			snprintf(why, DOMAIN_TEXT, "%s: %s", path,
				 strerror(-ret));
			return ret;
		}
		snprintf(why, DOMAIN_TEXT, "domain \"%s\" is served already, "
			 "by process %s (%s)", name, *holder ? holder : "?",
			 path);
		return -EALREADY;
	}
	n = snprintf(holder, sizeof(holder), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, holder, (size_t)n, 0) != n)
		log_warn("cannot write the holder into the lock file path=%s "
			 "error=\"%s\"", path, strerror(errno));
	*out = fd;
	return 0;
}

/* ---- parts that a fresh and an adopted domain share ---- */

static int open_hal(struct domain *d, char why[DOMAIN_TEXT])
{
	struct hal_params p = {
		.regs = shm_region_regs(&d->pool.region),
		.ncores = d->pool.region.nranks,
		.self = HAL_SELF_NONE,
	};
	int ret = hal_open(&d->hal, &hal_emul, &p);

	if (ret)
		snprintf(why, DOMAIN_TEXT, "register blocks: %s",
			 strerror(-ret));
	return ret;
}

static int open_tables(struct domain *d, uint32_t nranks)
{
	d->nranks = nranks;
	d->rank = calloc(nranks, sizeof(struct rank *));
	d->job = calloc(nranks, sizeof(struct job *));
	return d->rank && d->job ? 0 : -ENOMEM;
}

static int open_telemetry(struct domain *d, char why[DOMAIN_TEXT])
{
	char text[TELEMETRY_TEXT];
	int ret = telemetry_open(d, text);

	if (ret)
		snprintf(why, DOMAIN_TEXT, "telemetry: %s", text);
	return ret;
}

static int open_arena(struct domain *d, char why[DOMAIN_TEXT])
{
	return arena_open(&d->arena, d->ledger, d->pool.zone, d->pool.nzones,
			  why);
}

static int store(struct domain *d, const char *what, int fd)
{
	char name[STATE_KEEP_MAX];

	return keeper_store(d->sh->keeper, state_keep_name(name, d, what), fd,
			    false);
}

static void forget(struct domain *d, const char *what)
{
	char name[STATE_KEEP_MAX];

	keeper_forget(d->sh->keeper, state_keep_name(name, d, what));
}

static int take(struct domain *d, const char *what)
{
	char name[STATE_KEEP_MAX];

	return keeper_take(d->sh->keeper, state_keep_name(name, d, what));
}

static int open_listener(struct domain *d, char why[DOMAIN_TEXT])
{
	char name[STATE_KEEP_MAX];

	return listen_kept(&d->listener, SOCK_SEQPACKET, &d->conf->socket,
			   d->sh->keeper,
			   state_keep_name(name, d, "listener"), why);
}

/* A path for QEMU's nvdimm.  Without one VMs still have the PCI device. */
static void open_path(struct domain *d)
{
	struct holder_params p = {
		.domain = d->name,
		.runtime_dir = d->sh->conf->runtime_dir,
		.pool_fd = d->pool.fd,
		.uid = d->conf->pool.holder_user.uid,
		.gid = d->conf->pool.holder_user.gid,
		.loop = d->sh->loop,
	};
	int ret;

	if (d->conf->ivshmem.slots == 1)
		return;
	ret = *d->pool.path ? holder_link(&d->holder, p.domain, p.runtime_dir,
					  d->pool.path)
			    : holder_open(&d->holder, &p);
	if (ret)
		log_warn("domain %s: %s", d->name, d->holder.warning);
	else
		log_info("the pool has a path domain=%s path=%s target=%s "
			 "sealed=%s",
			 d->name, d->holder.path, d->holder.target,
			 d->pool.sealed ? "yes" : "no");
}

/* ---- a fresh domain ---- */

static int make(struct domain *d, char why[DOMAIN_TEXT])
{
	struct pool_params pp = {
		.name = d->name,
		.size = d->conf->pool.size_bytes,
		.nranks = d->conf->ranks_max,
		.huge = (enum conf_huge)d->conf->pool.huge_pages,
		.topo = d->sh->topo,
		.vms = d->conf->ivshmem.slots > 1,
		.path = d->conf->pool.path,
		.mode = d->conf->pool.mode,
		.gid = d->conf->pool.gid,
	};
	struct ledger_params lp = {
		.name = d->name,
		.pool_size = d->conf->pool.size_bytes,
		.nranks = d->conf->ranks_max,
		.nvms = vm_slots(d->conf) - 1,
	};
	struct ledger_domain led;
	int ret;

	ret = pool_create(&d->pool, &pp, why);
	if (ret)
		return ret;
	ret = ledger_create(&d->ledger, &lp);
	if (ret) {
		snprintf(why, DOMAIN_TEXT, "ledger: %s", strerror(-ret));
		return ret;
	}
	ledger_get_domain(d->ledger, &led);
	led.huge = d->pool.huge;
	d->slots = lp.nvms + 1;
	d->vectors = led.vectors = lp.nvms ? d->conf->ivshmem.vectors : 0;
	led.unsealed = !d->pool.sealed;
	ledger_put_domain(d->ledger, &led);
	ret = open_tables(d, pp.nranks);
	if (ret == 0)
		ret = open_telemetry(d, why);
	if (ret == 0)
		ret = open_arena(d, why);
	if (ret == 0)
		ret = open_hal(d, why);
	if (ret == 0)
		ret = open_listener(d, why);
	if (ret == 0)
		ret = vm_open(d, why);
	if (ret)
		return ret;
	SNOO_TESTPOINT("daemon_domain_made");
	ret = store(d, "ledger", ledger_fd(d->ledger));
	if (ret == 0)
		ret = store(d, "pool", d->pool.fd);
	if (ret == 0)
		ret = keeper_barrier(d->sh->keeper, KEEPER_WAIT_MS);
	if (ret) {
		snprintf(why, DOMAIN_TEXT, "the keeper does not take the "
			 "pool: %s", strerror(-ret));
		return ret;
	}
	SNOO_TESTPOINT("daemon_domain_kept");
	ledger_raise_epoch(d->ledger);
	touch_head(d, state_epoch(d), SNOO_ABI_POOL_LIVE);
	ledger_set_state(d->ledger, LEDGER_DOMAIN_LIVE, NULL);
	return 0;
}

/* ---- a domain of a daemon that died ---- */

static int adopt(struct domain *d, int ledger, int pool,
		 char why[DOMAIN_TEXT])
{
	const struct ledger_head *head;
	struct pool_params pp = { .name = d->name, .topo = d->sh->topo };
	struct ledger_domain led;
	int ret;

	ret = ledger_open(&d->ledger, ledger, why);
	if (ret) {
		close(pool);
		return ret;
	}
	head = ledger_head(d->ledger);
	ledger_get_domain(d->ledger, &led);
	if (led.state == LEDGER_DOMAIN_NEW) {
		/* Nobody has been in it yet. */
		close(pool);
		return -ENOENT;
	}
	if (led.state != LEDGER_DOMAIN_LIVE) {
		close(pool);
		snprintf(why, DOMAIN_TEXT, "%s", led.lost);
		return -EBADMSG;
	}
	pp.size = head->pool_size;
	pp.nranks = head->nranks;
	pp.vms = head->nvms > 0;
	ret = pool_adopt(&d->pool, &pp, pool, !led.unsealed, why);
	if (ret)
		return ret;
	d->pool.huge = led.huge;
	/* As QEMUs and guests know them, whatever the file says now. */
	d->slots = head->nvms + 1;
	d->vectors = led.vectors;
	ret = open_tables(d, head->nranks);
	/* "on" asks for it at the start: ranks that are in do not end for it. */
	if (ret == 0 && open_telemetry(d, why))
		log_warn("domain %s: %s", d->name, why);
	if (ret == 0)
		ret = open_arena(d, why);
	if (ret == 0)
		ret = open_hal(d, why);
	if (ret == 0)
		ret = vm_open(d, why);
	if (ret)
		return ret;
	led.adoptions++;
	ledger_put_domain(d->ledger, &led);
	ledger_raise_epoch(d->ledger);
	touch_head(d, state_epoch(d) - 1, SNOO_ABI_POOL_LIVE);
	SNOO_TESTPOINT("daemon_adopt_begun");
	return 0;
}

/* Ranks may be told from here on. */
static int adopt_rest(struct domain *d, char why[DOMAIN_TEXT])
{
	int ret;

	vm_adopt(d);
	ret = adopt_ranks(d);
	if (ret) {
		snprintf(why, DOMAIN_TEXT, "ledger: %s", ret == -EBADMSG ?
			 "its records contradict each other" : strerror(-ret));
		return ret;
	}
	touch_head(d, state_epoch(d), SNOO_ABI_POOL_LIVE);
	log_always(LOG_LEVEL_INFO, "domain adopted domain=%s epoch=%u "
		   "ranks=%u jobs=%u", d->name, state_epoch(d), d->ranks,
		   d->jobs);
	return 0;
}

/* ---- opening ---- */

static void close_parts(struct domain *d)
{
	for (uint32_t i = 0; d->rank && i < d->nranks; i++) {
		struct rank *r = d->rank[i];

		if (!r)
			continue;
		regs_drop(r);
		if (r->seated)
			place_give(d->sh->place, &r->seat);
		loop_unwatch(r->death);
		if (r->pidfd >= 0)
			close(r->pidfd);
		state_rank_free(r);
	}
	for (uint32_t i = 0; d->job && i < d->nranks; i++)
		if (d->job[i]) {
			seat_unplan(d->job[i]);
			state_job_free(d->job[i]);
		}
	free(d->rank);
	free(d->job);
	d->rank = NULL;
	d->job = NULL;
	telemetry_close(d);
	hal_close(d->hal);
	d->hal = NULL;
	arena_close(d->arena);
	d->arena = NULL;
	ledger_close(d->ledger);
	d->ledger = NULL;
	pool_close(&d->pool);
	d->sched.jobs = NULL;
	d->sched.ranks = NULL;
}

static void lose(void *arg);

static int open_domain(struct domain *d, char why[DOMAIN_TEXT])
{
	int ledger = take(d, "ledger"), pool = take(d, "pool"), ret;
	int words = pool >= 0 ? dup(pool) : -1;

	if (ledger < 0 || pool < 0) {
		/* One of the two alone: the keeper has lost the other. */
		if (ledger >= 0)
			close(ledger);
		if (pool >= 0)
			close(pool);
		ret = ledger >= 0 || pool >= 0 ? -EBADMSG : -ENOENT;
		snprintf(why, DOMAIN_TEXT, "the keeper has lost its %s",
			 pool >= 0 ? "ledger" : "pool");
	} else {
		ret = adopt(d, ledger, pool, why);
		if (ret == 0)
			ret = adopt_rest(d, why);
	}
	if (ret == 0) {
		if (words >= 0)
			close(words);
		return open_listener(d, why);
	}
	session_end_all(d, ENODEV, why);
	vm_close(d, LISTEN_UNLINK);
	pool_remove(&d->pool);
	close_parts(d);
	if (ret != -ENOENT) {
		log_always(LOG_LEVEL_ERROR, "domain lost domain=%s "
			   "reason=\"%s\"", d->name, why);
		adopt_refuse(d->sh->keeper, d->name, words, why);
	} else if (words >= 0) {
		close(words);
	}
	forget(d, "ledger");
	forget(d, "pool");
	telemetry_forget(d);
	return make(d, why);
}

int domain_open(struct domain **out, struct shared *sh,
		const struct conf_domain *conf, int lock_fd,
		char why[DOMAIN_TEXT])
{
	struct domain *d = calloc(1, sizeof(*d));
	int ret;

	*out = NULL;
	if (!d) {
		snprintf(why, DOMAIN_TEXT, "out of memory");
		close(lock_fd);
		return -ENOMEM;
	}
	d->sh = sh;
	d->conf = conf;
	d->lock_fd = lock_fd;
	d->pool.fd = d->pool.lock_fd = -1;
	holder_init(&d->holder);
	d->listener.fd = d->listener.spare = -1;
	for (int i = 0; i < VM_LINES; i++)
		d->vm_listener[i].fd = d->vm_listener[i].spare = -1;
	d->slots = 1;
	snprintf(d->name, sizeof(d->name), "%s", conf->name);
	d->lost_work.fn = lose;
	d->lost_work.arg = d;
	reap_open(d);
	span_open(d);
	d->next = sh->domains;
	sh->domains = d;
	ret = guard_open();
	if (ret == 0)
		ret = share_open(d);
	if (ret)
		snprintf(why, DOMAIN_TEXT, "%s", strerror(-ret));
	else
		ret = open_domain(d, why);
	if (ret) {
		domain_close(d, DOMAIN_STOP);
		return ret;
	}
	open_path(d);
	*out = d;
	return 0;
}

static int on_client(void *arg, int fd)
{
	return session_open(arg, fd);
}

int domain_start(struct domain *d)
{
	int ret = listen_start(&d->listener, d->sh->loop, on_client, d);

	run_start(d);
	return ret ? ret : vm_start(d);
}

/* ---- the end ---- */

/* The pool is gone: tell everybody who may sleep on it. */
static void lose(void *arg)
{
	struct domain *d = arg;
	char text[SNOO_WIRE_TEXT];

	snprintf(text, sizeof(text), "domain \"%s\" is lost: %s", d->name,
		 d->lost);
	ledger_set_state(d->ledger, LEDGER_DOMAIN_LOST, d->lost);
	touch_head(d, state_epoch(d), SNOO_ABI_POOL_LOST);
	session_end_all(d, ENODEV, text);
	loop_timer_stop(d->rounds);
}

static void forget_ranks(struct domain *d)
{
	for (uint32_t i = 0; d->rank && i < d->nranks; i++) {
		char name[STATE_KEEP_MAX];
		const struct rank *r = d->rank[i];

		if (!r)
			continue;
		if (!r->led.vm)
			keeper_forget(d->sh->keeper,
				      state_keep_rank(name, r, "socket"));
		if (!r->led.vm || r->pidfd >= 0)
			keeper_forget(d->sh->keeper,
				      state_keep_rank(name, r, "pidfd"));
	}
	forget(d, "listener");
	forget(d, "ledger");
	forget(d, "pool");
	telemetry_forget(d);
	pool_remove(&d->pool);
}

static void tell_stop(struct domain *d)
{
	if (!d->ledger || !d->pool.region.head)
		return;
	ledger_set_state(d->ledger, LEDGER_DOMAIN_LOST, "the daemon stops");
	if (!d->lost)
		touch_head(d, state_epoch(d), SNOO_ABI_POOL_LOST);
}

static void unlink_from(struct shared *sh, struct domain *d)
{
	for (struct domain **p = &sh->domains; *p; p = &(*p)->next) {
		if (*p == d) {
			*p = d->next;
			return;
		}
	}
}

void domain_close(struct domain *d, enum domain_end end)
{
	enum listen_end file = LISTEN_UNLINK;

	if (!d)
		return;
	if (end == DOMAIN_HAND_OVER && keeper_has_store(d->sh->keeper))
		file = LISTEN_KEEP_FILE;
	/* Nobody comes in while we say good-bye. */
	listen_close(&d->listener, file);
	if (file == LISTEN_UNLINK) {
		forget_ranks(d);
		tell_stop(d);
		session_end_all(d, ESHUTDOWN, "the daemon stops");
	} else {
		session_let_go(d);
	}
	run_close(d, file == LISTEN_UNLINK ? "the daemon stops" :
		  "the daemon was restarted");
	vm_close(d, file);
	holder_close(&d->holder);
	share_close(d);
	reap_close(d);
	span_close(d);
	loop_undefer(&d->lost_work);
	close_parts(d);
	unlink_from(d->sh, d);
	guard_close();
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	free(d);
}

void domain_reload(struct domain *d)
{
	share_conf(d);
	vm_cpu_reload(d);
	supply_retry(d);
}
