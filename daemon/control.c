/* SPDX-License-Identifier: MIT */
/*
 * control.c - the host's end of a VM's control channel: rings, bell, limits
 *
 * What a frame means is control_frame.c's.
 */
#include "daemon/control.h"

#include <errno.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/bells.h"
#include "daemon/toll.h"
#include "daemon/control_memory.h"
#include "daemon/control_queue.h"
#include "daemon/guard.h"
#include "daemon/log.h"
#include "shm/link.h"
#include "shm/testpoint.h"

#define NS_PER_MS	UINT64_C(1000000)

struct control {
	struct vm *vm;
	void *mem;
	struct guard guard;
	struct shm_link link;
	struct loop_watch *bell;
	struct loop_timer *mute;
	struct loop_timer *more;	/* frames wait: in the next turn */
	struct loop_work work;		/* `bad` */
	const char *bad;		/* cut it off, for this; NULL */
	struct control_queue queue;
	bool again;			/* the next frame may be dealt with */
	uint32_t half_gen;		/* asked too early, and logged */
	uint32_t idle;			/* rings for nothing, lately */
	uint64_t idle_since_ns;
	uint32_t *stray;		/* sids: END after WELCOME */
	uint32_t strays;
	struct control_counts counts;
	alignas(8) unsigned char frame[SNOO_CTL_FRAME_MAX];
};

static const struct control_handler *handler;

void control_handle(const struct control_handler *h)
{
	handler = h;
}

const struct control_handler *control_handler(void)
{
	return handler;
}

/* ---- the memory, each step guarded ---- */

struct step {
	struct control *c;
	const struct snoo_ctl_frame *f;
	const void *body;
	size_t bytes;
	uint32_t gen;
	bool discard;
	int64_t ret;
};

/* false: the memory has vanished, and the VM will end. */
static bool run(struct step *s, void (*fn)(void *step))
{
	if (guard_run(&s->c->guard, fn, s) == 0)
		return true;
	vm_break(s->c->vm, "its control memory has vanished");
	return false;
}

static void put_step(void *arg)
{
	struct step *s = arg;

	s->ret = shm_link_put(&s->c->link, s->f, s->body, s->bytes);
}

static void peek_step(void *arg)
{
	struct step *s = arg;

	s->ret = shm_link_peek(&s->c->link, s->c->frame);
}

static void pop_step(void *arg)
{
	struct step *s = arg;

	s->ret = shm_link_pop(&s->c->link, s->c->frame);
}

static void asked_step(void *arg)
{
	struct step *s = arg;

	s->ret = shm_link_asked(&s->c->link);
}

static void accept_step(void *arg)
{
	struct step *s = arg;

	shm_link_accept(&s->c->link, s->gen, s->discard);
}

static void cut_step(void *arg)
{
	struct step *s = arg;

	shm_link_cut(&s->c->link);
}

static void open_step(void *arg)
{
	struct step *s = arg;

	/* Also of an adopted one: the head is the guest's to scribble over. */
	shm_link_format(s->c->mem);
	s->ret = shm_link_open(&s->c->link, s->c->mem, SNOO_CTL_BYTES,
			       SHM_LINK_HOST);
}

static void ring(const struct control *c)
{
	bells_ring_control(c->vm->dom->bells, c->vm->slot);
}

/* ---- out ---- */

/* Not now: the caller may be walking over the ranks that this ends. */
static void condemn(struct control *c, const char *why)
{
	if (c->bad)
		return;
	c->bad = why;
	loop_defer(c->vm->dom->sh->loop, &c->work);
}

static void enqueue(struct control *c, const struct snoo_ctl_frame *f,
		    const void *body, size_t bytes)
{
	if (c->queue.bytes + bytes > CONTROL_QUEUE_BYTES)
		condemn(c, "it does not read its control channel");
	else if (control_queue_add(&c->queue, f, body, bytes))
		condemn(c, "the daemon is out of memory");
}

/* 0, -EAGAIN: no room now, -EPROTO: never. */
static int put(struct control *c, const struct snoo_ctl_frame *f,
	       const void *body, size_t bytes)
{
	struct step s = { .c = c, .f = f, .body = body, .bytes = bytes };

	if (!run(&s, put_step))
		return -EPROTO;
	if (s.ret == 0) {
		c->counts.frames_out++;
		ring(c);
	} else if (s.ret != -EAGAIN) {
		condemn(c, "its reading counter makes no sense");
	}
	return (int)s.ret;
}

/* What waits goes as far as there is room: true if something went. */
static bool flush(struct control *c)
{
	bool any = false;

	for (const struct control_parcel *p; (p = c->queue.first) && !c->bad;) {
		if (put(c, &p->f, p->body, p->bytes))
			break;
		any = true;
		control_queue_drop(&c->queue);
	}
	if (any && !control_busy(c->vm) && handler && handler->room)
		handler->room(c->vm);
	return any;
}

bool control_busy(const struct vm *vm)
{
	return vm->control && vm->control->queue.bytes >= CONTROL_BUSY_BYTES;
}

void control_answer(struct vm *vm, const struct snoo_ctl_frame *f,
		    const void *body, size_t bytes)
{
	struct control *c = vm->control;

	if (!c || c->bad || vm->broken[0])
		return;
	if (c->queue.first || put(c, f, body, bytes) == -EAGAIN)
		enqueue(c, f, body, bytes);
}

bool control_live(const struct vm *vm)
{
	return vm->control && vm->led.state == LEDGER_VM_LIVE;
}

void control_post(struct vm *vm, const struct snoo_ctl_frame *f,
		  const void *body, size_t bytes)
{
	if (control_live(vm))
		control_answer(vm, f, body, bytes);
}

void control_msg(const struct session *s, const void *msg, size_t bytes)
{
	struct snoo_ctl_frame f = {
		.type = SNOO_CTL_MSG,
		.sid = s->sid,
		.slot = s->rank ? s->rank->slot : SNOO_CTL_NO_SLOT,
	};

	control_post(s->vm, &f, msg, bytes);
}

void control_hang_up(const struct session *s)
{
	struct snoo_ctl_frame f = {
		.type = SNOO_CTL_END,
		.sid = s->sid,
		.slot = SNOO_CTL_NO_SLOT,
	};

	if (!s->closed)
		control_post(s->vm, &f, NULL, 0);
}

/* ---- the session ---- */

bool control_stray(struct vm *vm, uint32_t sid)
{
	struct control *c = vm->control;
	uint32_t *more;

	if (c->strays >= vm->dom->nranks)
		return false;
	more = realloc(c->stray, (c->strays + 1) * sizeof(*more));
	if (!more)
		return false;
	c->stray = more;
	c->stray[c->strays++] = sid;
	return true;
}

static void forget_strays(struct control *c)
{
	free(c->stray);
	c->stray = NULL;
	c->strays = 0;
}

void control_welcomed(struct vm *vm)
{
	struct control *c = vm->control;

	for (uint32_t i = 0; i < c->strays; i++) {
		struct snoo_ctl_frame f = {
			.type = SNOO_CTL_END,
			.sid = c->stray[i],
			.slot = SNOO_CTL_NO_SLOT,
		};

		control_post(vm, &f, NULL, 0);
	}
	forget_strays(c);
	if (handler && handler->live)
		handler->live(vm);
}

void control_count_stray(struct vm *vm)
{
	vm->control->counts.strays++;
}

static void accept_session(struct control *c, uint32_t gen)
{
	struct vm *vm = c->vm;
	bool fresh = vm->led.state == LEDGER_VM_CUT ||
		     (vm->led.state == LEDGER_VM_ATTACHED &&
		      !(vm->led.flags & (VM_ASKED | VM_GREETED)));
	struct step s = { .c = c, .gen = gen, .discard = fresh };

	/* What was for the last session heals by RESUMED. */
	control_queue_clear(&c->queue);
	forget_strays(c);
	vm->led.state = LEDGER_VM_ATTACHED;
	vm->led.flags = (vm->led.flags & ~VM_GREETED) | VM_ASKED;
	vm->led.sessions++;
	vm_put(vm);
	SNOO_TESTPOINT("daemon_control_asked");
	if (run(&s, accept_step))
		ring(c);
	log_info("guest daemon begins domain=%s vm=%s slot=%u gen=%u",
		 vm->dom->name, vm->led.name, vm->slot, gen);
}

void control_cut(struct vm *vm, const char *fmt, ...)
{
	struct control *c = vm->control;
	struct step s = { .c = c };
	char why[VM_TEXT];
	va_list ap;

	if (vm->led.state == LEDGER_VM_CUT || !c)
		return;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	log_warn("VM cut off domain=%s vm=%s slot=%u pid=%d reason=\"%s\"",
		 vm->dom->name, vm->led.name, vm->slot, vm->led.pid, why);
	/* From here on nothing is said to it; the ledger comes last, so that
	 * who takes over meets the same nonsense. */
	vm->led.state = LEDGER_VM_CUT;
	vm->led.flags &= ~(VM_ASKED | VM_GREETED);
	control_queue_clear(&c->queue);
	forget_strays(c);
	c->bad = NULL;
	if (run(&s, cut_step))
		ring(c);
	control_end_ranks(vm, false);
	if (handler && handler->gone)
		handler->gone(vm);
	vm_put(vm);
}

/* ---- in ---- */

/* Is there a session whose frames are to be read? */
static bool reads(const struct vm *vm)
{
	if (vm->broken[0])
		return false;
	return vm->led.state == LEDGER_VM_LIVE ||
	       (vm->led.state == LEDGER_VM_ATTACHED &&
		(vm->led.flags & (VM_ASKED | VM_GREETED)));
}

/* Deal with one frame: false if there is none, or it was the last. */
static bool read_one(struct control *c)
{
	struct step s = { .c = c };

	if (!run(&s, peek_step) || s.ret == 0)
		return false;
	if (s.ret < 0) {
		control_cut(c->vm, "its ring makes no sense");
		return false;
	}
	c->counts.frames_in++;
	SNOO_TESTPOINT("daemon_control_peeked");
	control_frame(c->vm, (const struct snoo_ctl_frame *)
		      (const void *)c->frame, c->again);
	SNOO_TESTPOINT("daemon_control_done");
	if (!reads(c->vm))
		return false;
	c->again = false;
	if (!run(&s, pop_step))
		return false;
	if (s.ret)
		ring(c);
	return true;
}

/* It asks, and its pool device is not here (yet): said once for each time. */
static void say_half(struct control *c, uint32_t gen)
{
	if (gen == c->half_gen)
		return;
	c->half_gen = gen;
	log_warn("a guest daemon asks, but one device of its VM is not "
		 "connected domain=%s vm=%s slot=%u pid=%d", c->vm->dom->name,
		 c->vm->led.name, c->vm->slot, c->vm->led.pid);
}

/* true if there was something to do */
static bool turn(struct control *c)
{
	struct step s = { .c = c };
	bool read = reads(c->vm);
	uint32_t n = 0;

	if (c->vm->broken[0] || !run(&s, asked_step))
		return false;
	if (c->vm->led.state == LEDGER_VM_HALF) {
		if (s.ret)
			say_half(c, (uint32_t)s.ret);
		return false;
	}
	while (n < CONTROL_FRAMES_A_TURN && reads(c->vm) && read_one(c))
		n++;
	if (n == CONTROL_FRAMES_A_TURN) {
		/* Not deferred: that would be this turn still. */
		loop_timer_start(c->more, 0, 0);
		return true;
	}
	/* Whoever asks has read all of the last session, and so have we. */
	if (s.ret && !c->vm->broken[0])
		accept_session(c, (uint32_t)s.ret);
	return flush(c) || n > 0 || s.ret || read != reads(c->vm);
}

static void on_more(void *arg)
{
	turn(arg);
}

void control_kick(struct vm *vm)
{
	loop_timer_start(vm->control->more, 0, 0);
}

static void on_work(void *arg)
{
	struct control *c = arg;

	if (c->bad)
		control_cut(c->vm, "%s", c->bad);
}

/* ---- the bell ---- */

static void mute(struct control *c)
{
	if (c->counts.muted)
		return;
	c->counts.muted = true;
	c->idle = 0;
	loop_watch_events(c->bell, 0);
	loop_timer_start(c->mute, CONTROL_MUTE_MS, 0);
}

static void on_mute_end(void *arg)
{
	struct control *c = arg;

	c->counts.muted = false;
	loop_watch_events(c->bell, LOOP_READ);
	turn(c);
}

static void on_bell(void *arg, unsigned int events)
{
	struct control *c = arg;
	uint64_t now;

	(void)events;
	c->counts.rings++;
	toll_take(bells_control_in(c->vm->dom->bells, c->vm->slot));
	if (turn(c)) {
		c->idle = 0;
		return;
	}
	/* One that was cut off may ask again, not more often than so. */
	if (c->vm->led.state == LEDGER_VM_CUT) {
		mute(c);
		return;
	}
	now = loop_now_ns();
	if (now - c->idle_since_ns > CONTROL_MUTE_MS * NS_PER_MS) {
		c->idle = 0;
		c->idle_since_ns = now;
	}
	if (++c->idle < CONTROL_IDLE_RINGS)
		return;
	if (c->counts.mutes++ == 0)
		log_warn("VM rings for nothing: its bell is muted domain=%s "
			 "vm=%s slot=%u pid=%d", c->vm->dom->name,
			 c->vm->led.name, c->vm->slot, c->vm->led.pid);
	mute(c);
}

/* ---- beginning and end ---- */

static int map_memory(struct control *c, int fd)
{
	int ret = control_memory_map(fd, &c->mem);

	if (ret == 0)
		guard_init(&c->guard, c->mem, SNOO_CTL_BYTES);
	return ret;
}

static int listen_to(struct control *c)
{
	struct loop *l = c->vm->dom->sh->loop;
	int ret = loop_timer_open(&c->mute, l, on_mute_end, c);

	if (ret == 0)
		ret = loop_timer_open(&c->more, l, on_more, c);
	if (ret == 0)
		ret = loop_watch(&c->bell, l,
				 bells_control_in(c->vm->dom->bells,
						  c->vm->slot),
				 LOOP_READ, on_bell, c);
	return ret;
}

int control_open(struct vm *vm, bool adopted)
{
	struct control *c = calloc(1, sizeof(*c));
	struct step s = { .c = c };
	int ret;

	if (!c)
		return -ENOMEM;
	c->vm = vm;
	c->work.fn = on_work;
	c->work.arg = c;
	if (!adopted) {
		ret = control_memory_make();
		if (ret < 0)
			goto err_free;
		vm->memory = ret;
	}
	vm->control = c;
	ret = map_memory(c, vm->memory);
	if (ret == 0)
		ret = run(&s, open_step) ? (int)s.ret : -EFAULT;
	if (ret == 0)
		ret = listen_to(c);
	if (ret) {
		control_close(vm, true);
		return ret;
	}
	c->again = adopted;
	/* Frames may wait there, and the last daemon took their ring. */
	if (adopted)
		loop_timer_start(c->more, 0, 0);
	return 0;

err_free:
	free(c);
	return ret;
}

void control_close(struct vm *vm, bool let_go)
{
	struct control *c = vm->control;
	struct step s = { .c = c };

	if (!c)
		return;
	if (!let_go && guard_run(&c->guard, cut_step, &s) == 0)
		ring(c);
	loop_undefer(&c->work);
	loop_unwatch(c->bell);
	loop_timer_close(c->mute);
	loop_timer_close(c->more);
	control_queue_clear(&c->queue);
	forget_strays(c);
	if (c->mem)
		munmap(c->mem, SNOO_CTL_BYTES);
	free(c);
	vm->control = NULL;
	if (vm->memory >= 0)
		close(vm->memory);
	vm->memory = -1;
}

void control_counts(const struct vm *vm, struct control_counts *out)
{
	memset(out, 0, sizeof(*out));
	if (!vm->control)
		return;
	*out = vm->control->counts;
	out->queued_bytes = vm->control->queue.bytes;
}
