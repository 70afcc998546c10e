/* SPDX-License-Identifier: MIT */
/*
 * wait.c - spin, yield, arm, look again, sleep
 *
 * Theory of operation
 * ===================
 *
 * How long to look before sleeping, and whether to give the core away between
 * two looks, is decided in patience.c; here is how it is done.
 *
 * Going to sleep is edge SLEEP (shm/wake.c): say in the wait word that we
 * sleep, look at everything once more, sleep on the bell.  Every sleep ends
 * after a second to look again; what is found then without a bell having rung
 * counts as missed_bells, and must never happen.
 *
 * The bell is a futex or, in a job that spans kernels, eventfds (bells.c); the
 * order is the same: forget old rings, arm, look, sleep.  Which of the two is
 * settled before arming and holds until disarming: BELLS that comes while we
 * are armed is read by the look, which then has found something, so that we
 * do not sleep on what partners no longer ring.  A partner that saw the old
 * mode published before it looked, and the look after the next arming finds
 * what it published (tests/model/switch.pml).
 *
 * A rank that nobody can wake (a guest without interrupts) naps and looks: 20
 * to 500 us at a time, each costing some 5 us of processor time: 1 to 2 % of a
 * core in a long wait, and up to 10 % in the first millisecond of one.
 */

#include "client/wait.h"

#include <sched.h>
#include <time.h>

#include "client/bells.h"
#include "client/channel.h"
#include "client/hold.h"
#include "client/mates.h"
#include "client/news.h"
#include "client/oncpu.h"
#include "client/patience.h"
#include "client/progress.h"
#include "client/rather.h"
#include "client/reach.h"
#include "client/regs.h"
#include "client/regs_in.h"
#include "client/session.h"
#include "shm/cpu.h"

#define WAIT_ROUNDS	64u		     /* rounds between clock reads */
#define WAIT_LOOK_NS	UINT64_C(1000000000) /* sleep at most */
#define WAIT_LATE_NS	UINT64_C(200000000)  /* a bell may be this late */
#define WAIT_UNSAID_NS	UINT64_C(10000000)   /* until RING is tried again */
#define WAIT_NAP_NS	UINT64_C(20000)	     /* the first nap */
#define WAIT_NAP_MAX_NS UINT64_C(500000)
#define WAIT_BELLS	(SNOO_ABI_BELL_DATA | SNOO_ABI_BELL_NEWS)

void wait_begin(struct idle *idle)
{
	*idle = (struct idle){ .whom = ENGINE_ANY };
}

/* The one source that can end our wait, or any. */
static uint32_t wanted(const struct snoo *ctx)
{
	if (ctx->posted != 1 || ctx->moving != 0 || !list_empty(&ctx->wild) ||
	    !list_empty(&ctx->busy) || ctx->going != 0 || ctx->meet.waiting)
		return SNOO_ABI_ANY;
	for (uint32_t i = 0; i < ctx->nrx; i++) {
		if (!list_empty(&ctx->rx[i]->posted))
			return ctx->rx[i]->rank;
	}
	return SNOO_ABI_ANY;
}

/* How partners wake us from now on until disarm(). */
static enum snoo_abi_wait get_ready(struct snoo *ctx)
{
	if (ctx->bells.on) {
		bells_clear(ctx);
		return SNOO_ABI_ASLEEP_EVENTFD;
	}
	hal_take(ctx->hal);
	hal_arm(ctx->hal, WAIT_BELLS);
	return SNOO_ABI_ASLEEP_FUTEX;
}

static int sleep_on(struct snoo *ctx, enum snoo_abi_wait mode, uint64_t ns)
{
	if (mode == SNOO_ABI_ASLEEP_EVENTFD)
		return bells_sleep(ctx, ns);
	return hal_wait(ctx->hal, (int64_t)ns);
}

static void disarm(struct snoo *ctx, enum snoo_abi_wait mode)
{
	shm_wake_arm(ctx->me, ctx->rest, SNOO_ABI_ANY);
	if (mode == SNOO_ABI_ASLEEP_FUTEX) {
		hal_arm(ctx->hal, 0);
		hal_take(ctx->hal);
	}
	ctx->rescan = true;
}

/* After a second without a bell: was one missed, is the daemon still there? */
static void look_again(struct snoo *ctx, enum snoo_abi_wait mode)
{
	bool missed;

	if (mode == SNOO_ABI_ASLEEP_EVENTFD)
		bells_unstick(ctx);
	/* The writer may be between publishing and ringing: let it ring. */
	missed = progress(ctx) > 0 &&
		 sleep_on(ctx, mode, WAIT_LATE_NS) == -ETIMEDOUT;
	news_read(ctx);
	/* Whom the daemon has let go reads what are others' rings by now. */
	if (missed && !ctx->session.lost)
		shm_count(ctx->me, SHM_COUNT_missed_bells, 1);
}

static void nap(struct snoo *ctx, uint64_t left_ns)
{
	uint64_t now = clock_ns(), end = now + left_ns;

	shm_count(ctx->me, SHM_COUNT_sleeps, 1);
	for (uint64_t ns = WAIT_NAP_NS; now < end; now = clock_ns()) {
		struct timespec t = {
			.tv_nsec = (long)(end - now < ns ? end - now : ns),
		};

		nanosleep(&t, NULL);
		if (progress(ctx) > 0)
			return;
		if (ns < WAIT_NAP_MAX_NS)
			ns += ns / 2;
	}
	news_read(ctx);
}

static void doze(struct snoo *ctx, uint64_t left_ns)
{
	uint64_t ns = left_ns < WAIT_LOOK_NS ? left_ns : WAIT_LOOK_NS;
	uint64_t patience;
	enum snoo_abi_wait mode;
	int ret;

	for (uint32_t i = 0; i < ctx->nrx; i++)
		channel_tell(ctx, ctx->rx[i]);
	regs_in_tell(ctx);
	if (ctx->bells.poll) {
		nap(ctx, ns);
		return;
	}
	mode = get_ready(ctx);
	/* SLEEP: arm, then look at everything once more. */
	shm_wake_arm(ctx->me, mode, wanted(ctx));
	ctx->rescan = true;
	if (progress(ctx) > 0) {
		disarm(ctx, mode);
		return;
	}
	shm_count(ctx->me, SHM_COUNT_sleeps, 1);
	patience = regs_patience(ctx);
	if ((ctx->session.ring_dirty || ctx->session.look_due) &&
	    ns > WAIT_UNSAID_NS)
		ns = WAIT_UNSAID_NS;
	if (ns > patience)
		ns = patience;
	patience = rather_patience(ctx);
	if (ns > patience)
		ns = patience;
	ret = sleep_on(ctx, mode, ns);
	if (ret == -ETIMEDOUT && ns == WAIT_LOOK_NS) {
		ctx->rescan = true;
		look_again(ctx, mode);
	}
	/* A device's memory has no futex; until BELLS comes we must look. */
	if (ret == -EOPNOTSUPP)
		ctx->bells.poll = true;
	disarm(ctx, mode);
}

static void show_call(struct snoo *ctx, enum snoo_abi_call call, uint64_t now)
{
	/* Relaxed: for status. */
	atomic_store_explicit(&ctx->me->call_since_ns, now,
			      memory_order_relaxed);
	atomic_store_explicit(&ctx->me->call, (uint32_t)call,
			      memory_order_relaxed);
}

static void give_way(struct snoo *ctx, struct idle *idle, uint32_t sharers,
		     uint64_t now)
{
	uint64_t took, after, messages = 0;
	bool work;

	shm_count(ctx->me, SHM_COUNT_yields, 1);
	hold_leave(ctx);
	sched_yield();
	after = clock_ns();
	hold_turn(ctx, idle, after);
	took = after - now;
	work = progress(ctx) > 0;
	if (patience_late(&ctx->patience, sharers, took, work))
		messages = mates_messages(ctx);
	patience_yielded(&ctx->patience, &idle->patience, sharers, took, work,
			 messages, after);
}

/*
 * Our partners leave bits for us, so that our mates see whether we have something
 * to do, and we see it of them; back to looking at the lines when the core is
 * ours again.
 */
static void rest_by_summary(struct snoo *ctx, bool yes)
{
	enum snoo_abi_wait rest = yes || ctx->nrx > PROGRESS_MANY ?
					  SNOO_ABI_SUMMARY : SNOO_ABI_POLLING;

	if (ctx->rest == rest)
		return;
	ctx->rest = rest;
	/* SUMMARY against arm: then one look at everything. */
	shm_wake_arm(ctx->me, rest, SNOO_ABI_ANY);
	ctx->rescan = true;
}

static bool keep_core(struct snoo *ctx, struct idle *idle, uint64_t now)
{
	/* What others read from us moves without us. */
	bool moving = ctx->moving > reach_out(ctx) || !list_empty(&ctx->busy);
	bool few = mates_few(ctx);

	rest_by_summary(ctx, few);
	return few && patience_keeps(&ctx->patience, &idle->patience, moving,
				     mates_want(ctx), now);
}

/*
 * Is a sleep cheaper than more yields?  Where nobody can wake us it never is.  The
 * service of the registers counts as a sharer, but hardly ever runs.
 */
static bool enough(struct snoo *ctx, const struct idle *idle, uint32_t sharers)
{
	return patience_enough(&ctx->patience, &idle->patience,
			       sharers - ctx->registers.open) &&
	       !ctx->meet.waiting && !ctx->bells.poll && mates_awake(ctx);
}

/* Do those run who can end this wait?  Only for whom has a core to itself. */
static enum patience_hint hint(struct snoo *ctx, const struct idle *idle,
			       uint32_t sharers)
{
	enum patience_hint h;

	if (!patience_alone(&idle->patience, sharers))
		return PATIENCE_UNKNOWN;
	h = oncpu_hint(ctx, idle->whom);
	/* Somebody else has had our core, and may want it again. */
	if (h == PATIENCE_RUNS && oncpu_waits(ctx) != idle->waits)
		return PATIENCE_UNKNOWN;
	return h;
}

/* Once in a wait: for those who ask whether the hints do anything. */
static void count_hint(struct snoo *ctx, struct idle *idle,
		       enum patience_hint h, bool sleeps, uint64_t waited)
{
	bool usual = waited >= ctx->patience.spin_ns;

	if (ctx->patience.fixed || idle->hinted == h ||
	    sleeps != (h == PATIENCE_RESTS) || usual != (h == PATIENCE_RUNS))
		return;
	idle->hinted = h;
	shm_count(ctx->me, h == PATIENCE_RUNS ? SHM_COUNT_waits_longer :
						SHM_COUNT_waits_shorter, 1);
}

static enum patience_way way(struct snoo *ctx, struct idle *idle,
			     uint32_t sharers, uint64_t now)
{
	uint64_t waited = now - idle->start_ns;
	enum patience_hint h;
	enum patience_way way;

	if (idle->dozes)
		return PATIENCE_SLEEP;
	if (enough(ctx, idle, sharers))
		return PATIENCE_SLEEP;
	h = hint(ctx, idle, sharers);
	way = patience_way(&ctx->patience, &idle->patience, sharers, h, waited,
			   now);
	if (h != PATIENCE_UNKNOWN)
		count_hint(ctx, idle, h, way == PATIENCE_SLEEP, waited);
	return way;
}

static int wait_a_little(struct snoo *ctx, struct idle *idle,
			 enum snoo_abi_call call)
{
	uint64_t now, left = WAIT_LOOK_NS;
	uint32_t sharers;

	/* Relaxed: a hint from the daemon. */
	sharers = atomic_load_explicit(&ctx->me->sharers, memory_order_relaxed);
	if (++idle->rounds % WAIT_ROUNDS != 0 && sharers < 2) {
		cpu_pause();
		return 0;
	}
	now = clock_ns();
	if (idle->start_ns == 0) {
		idle->start_ns = now;
		idle->waits = oncpu_waits(ctx);
		show_call(ctx, call, now);
	}
	if (idle->deadline_ns) {
		if (now >= idle->deadline_ns)
			return -ETIMEDOUT;
		left = idle->deadline_ns - now;
	}
	if (hold_core(ctx, idle, sharers, now) || keep_core(ctx, idle, now)) {
		cpu_pause();
		return 0;
	}
	switch (way(ctx, idle, sharers, now)) {
	case PATIENCE_SPIN:
		cpu_pause();
		return 0;
	case PATIENCE_YIELD:
		give_way(ctx, idle, sharers, now);
		return 0;
	case PATIENCE_SLEEP:
		break;
	}
	/* What flows goes on, but nobody would tell us of a death. */
	if (ctx->session.lost && now - idle->start_ns >= WAIT_LOOK_NS)
		return -ENOTCONN;
	hold_leave(ctx);
	doze(ctx, left);
	hold_turn(ctx, idle, clock_ns());
	return 0;
}

void wait_turn(struct snoo *ctx)
{
	uint32_t sharers = atomic_load_explicit(&ctx->me->sharers,
						memory_order_relaxed);
	struct idle idle;
	uint64_t now;

	/* Relaxed: a hint from the daemon. */
	if (sharers < HOLD_SHARERS)
		return;
	now = clock_ns();
	if (!hold_over(ctx, now) ||
	    patience_sleeps(&ctx->patience, sharers, now))
		return;
	wait_begin(&idle);
	give_way(ctx, &idle, sharers, now);
}

/* The time limit holds also while there is always something to do. */
static int still_time(struct idle *idle)
{
	if (idle->deadline_ns == 0 || ++idle->busy % WAIT_ROUNDS != 0)
		return 0;
	return clock_ns() >= idle->deadline_ns ? -ETIMEDOUT : 0;
}

int wait_step(struct snoo *ctx, struct idle *idle, enum snoo_abi_call call)
{
	if (idle->deadline_ns == 0 && ctx->timeout_ns)
		idle->deadline_ns = clock_ns() + ctx->timeout_ns;
	if (progress(ctx) > 0) {
		/* The wait begins anew; the time limit is for the whole call. */
		idle->rounds = 0;
		patience_anew(&idle->patience);
		hold_paid(idle);
		if (idle->start_ns != 0) {
			idle->start_ns = clock_ns();
			idle->waits = oncpu_waits(ctx);
		}
		return still_time(idle);
	}
	if (ctx->no_memory)
		return -ENOMEM;
	if (ctx->session.lost && ctx->session.lost_error == -ENODEV)
		return -ENODEV;
	return wait_a_little(ctx, idle, call);
}

void wait_end(struct snoo *ctx, struct idle *idle)
{
	if (idle->start_ns == 0)
		return;
	atomic_store_explicit(&ctx->me->call, SNOO_ABI_CALL_NONE,
			      memory_order_relaxed);
}

int wait_request(struct snoo *ctx, const struct snoo_request *req,
		 enum snoo_abi_call call)
{
	struct idle idle;
	int ret = 0;

	wait_begin(&idle);
	hold_begin(&idle, ctx, req);
	idle.whom = req->peer;
	while (!req->done && ret == 0)
		ret = wait_step(ctx, &idle, call);
	wait_end(ctx, &idle);
	return req->done ? 0 : ret;
}
