/* SPDX-License-Identifier: MIT */
/*
 * guest_link.c - the guest's end of the control channel: ask, greet, frames
 *
 *              1 s                gen answered           all said
 *     PAUSE ---------> ASKED -----------------> GREETING ---------> GREETED
 *       ^                                                              |
 *       |    nonsense, ERROR, CUT: all local sessions end              | WELCOME
 *       +-----------------------------------------------  LIVE  <------+
 */
#include "daemon/guest_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "daemon/bells.h"
#include "daemon/guest_pool.h"
#include "daemon/log.h"
#include "shm/testpoint.h"

#define RETRY_MS	1000
#define FRAMES_A_TURN	64	/* then others have their turn */

/* Without a bell we look by ourselves: often while frames pass. */
#define LOOK_BUSY_MS	1
#define LOOK_IDLE_MS	20
#define BUSY_NS		UINT64_C(200000000)

static void set_state(struct guest *g, enum guest_link_state state)
{
	g->link.state = state;
	g->link.since_ns = loop_now_ns();
	if (state == GUEST_LINK_LIVE)
		loop_timer_stop(g->link.retry);
	else
		loop_timer_start(g->link.retry, RETRY_MS, RETRY_MS);
}

bool guest_link_live(const struct guest *g)
{
	return g->link.state == GUEST_LINK_LIVE && !*g->link.wrong;
}

/* ---- out ---- */

static void ring_host(void *arg)
{
	struct guest *g = arg;

	guest_dev_control_ring(g->dev);
}

/* One bell for all that this turn of the loop has to say. */
static void owe_bell(struct guest *g)
{
	loop_defer(g->sh->loop, &g->link.ring_work);
}

static int put(struct guest *g, const struct snoo_ctl_frame *f,
	       const void *body, size_t bytes)
{
	struct guest_link *l = &g->link;
	int ret = shm_link_put(&l->shm, f, body, bytes);

	if (ret == -EPROTO) {
		guest_link_wrong(g, "the host has read more than was written");
		return -EAGAIN;
	}
	if (ret == -EAGAIN)
		l->wants_room = true;
	if (ret)
		return ret;
	l->busy_ns = loop_now_ns();
	owe_bell(g);
	return 0;
}

int guest_link_put(struct guest *g, const struct snoo_ctl_frame *f,
		   const void *body, size_t bytes)
{
	/* Going live tells everybody that there is room. */
	if (!guest_link_live(g))
		return -EAGAIN;
	return put(g, f, body, bytes);
}

/* ---- the end ---- */

static void end(struct guest *g, int error, const char *why)
{
	struct guest_link *l = &g->link;
	uint32_t had = g->ranks;

	set_state(g, GUEST_LINK_PAUSE);
	for (unsigned int i = 0; i < GUEST_USERS && g->user[i]; i++)
		g->user[i]->ended(g, error, why);
	log_always(had ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "the session "
		   "with the host has ended, the next begins in %d ms "
		   "ranks=%u reason=\"%s\"", RETRY_MS, had, why);
	*l->wrong = '\0';
}

static void on_end_work(void *arg)
{
	struct guest *g = arg;
	char why[SNOO_CTL_TEXT + 64];

	if (!*g->link.wrong)
		return;
	snprintf(why, sizeof(why), "the host's control channel makes no "
		 "sense: %s", g->link.wrong);
	end(g, EPROTO, why);
}

void guest_link_wrong(struct guest *g, const char *fmt, ...)
{
	struct guest_link *l = &g->link;
	va_list ap;

	/* The first reason is the one that tells. */
	if (*l->wrong)
		return;
	va_start(ap, fmt);
	vsnprintf(l->wrong, sizeof(l->wrong), fmt, ap);
	va_end(ap);
	loop_defer(g->sh->loop, &l->end_work);
}

/* ---- the greeting ---- */

static int boot_id(uint8_t out[16])
{
	char text[40] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	unsigned int at = 0, byte;

	if (fd >= 0)
		close(fd);
	for (const char *p = text; n > 0 && *p && at < 16; p += 2) {
		if (*p == '-')
			p++;
		if (sscanf(p, "%2x", &byte) != 1)
			break;
		out[at++] = (uint8_t)byte;
	}
	return at == 16 ? 0 : -ENOENT;
}

static int say_hello(struct guest *g)
{
	struct snoo_ctl_hello h = {
		.frame = { .type = SNOO_CTL_HELLO,
			   .slot = SNOO_CTL_NO_SLOT },
		.major = SNOO_CTL_MAJOR,
		.minor = SNOO_CTL_MINOR,
		.abi_major = SNOO_ABI_MAJOR,
		.wire_minor = SNOO_WIRE_MINOR,
		.slot = guest_dev_slot(g->dev),
		.vectors = guest_dev_vectors(g->dev),
		.pool_bytes = guest_dev_pool_bytes(g->dev),
		.bells = guest_dev_has_bells(g->dev) ?
			 SNOO_CTL_BELLS_EVENTFD : SNOO_CTL_BELLS_POLL,
		.memory = guest_dev_map(g->dev)->kind,
		.vcpus = topo_cpus_end(g->sh->topo),
		.runs = g->runs,
		.clock_ns = loop_now_ns(),
	};
	struct utsname u;

	if (boot_id(h.boot_id))
		log_warn("this kernel tells no boot id: a reboot will not be "
			 "told from a new daemon");
	if (uname(&u) == 0) {
		snprintf(h.host, sizeof(h.host), "%.63s", u.nodename);
		snprintf(h.kernel, sizeof(h.kernel), "%.63s", u.release);
	}
	return put(g, &h.frame, &h.frame + 1, sizeof(h) - sizeof(h.frame));
}

/* As far as there is room; the rest when the host has read some. */
static void greet(struct guest *g)
{
	struct snoo_ctl_frame ready = {
		.type = SNOO_CTL_READY, .slot = SNOO_CTL_NO_SLOT,
	};
	struct guest_link *l = &g->link;

	if (!l->said_hello && say_hello(g))
		return;
	l->said_hello = true;
	SNOO_TESTPOINT("guest_hello");
	for (struct guest_session *s = g->sessions; s; s = s->next) {
		struct snoo_ctl_frame known = {
			.type = SNOO_CTL_KNOWN, .sid = s->sid,
			.slot = SNOO_CTL_NO_SLOT,
		};

		if (!s->joined || s->known ||
		    s->state == GUEST_SESSION_ENDED)
			continue;
		if (put(g, &known, NULL, 0))
			return;
		s->known = true;
	}
	SNOO_TESTPOINT("guest_known");
	if (put(g, &ready, NULL, 0))
		return;
	set_state(g, GUEST_LINK_GREETED);
}

static void begin_greeting(struct guest *g)
{
	set_state(g, GUEST_LINK_GREETING);
	g->link.said_hello = false;
	for (struct guest_session *s = g->sessions; s; s = s->next)
		s->known = false;
	greet(g);
}

static void ask(struct guest *g)
{
	shm_link_ask(&g->link.shm);
	SNOO_TESTPOINT("guest_asked");
	set_state(g, GUEST_LINK_ASKED);
	owe_bell(g);
}

/* Say where we stand: "" it is as we know it, else what does not fit. */
static const char *misfit(const struct guest *g,
			  const struct snoo_ctl_welcome *w)
{
	if (w->major != SNOO_CTL_MAJOR)
		return "WELCOME of another version";
	if (w->slots < 2 || w->slots > BELLS_SLOTS_MAX ||
	    w->slot >= w->slots || w->slot != guest_dev_slot(g->dev))
		return "WELCOME names a slot that is not the device's";
	/* 0: not to be seen through sysfs by this user, who polls. */
	if (w->vectors < 2 || w->vectors > BELLS_VECTORS_MAX ||
	    (guest_dev_vectors(g->dev) &&
	     w->vectors != guest_dev_vectors(g->dev)))
		return "WELCOME has another number of vectors than the "
		       "device: QEMU's vectors= must be the domain's";
	return "";
}

/*
 * A host's daemon that dies after it has said WELCOME, but before it has taken
 * READY from the ring, leaves READY to its successor, who says WELCOME again.
 */
static bool said_again(const struct guest_link *l,
		       const struct snoo_ctl_welcome *w)
{
	return l->state == GUEST_LINK_LIVE && w->slot == l->welcome.slot &&
	       w->pool_bytes == l->welcome.pool_bytes &&
	       w->ranks == l->welcome.ranks &&
	       strcmp(w->domain, l->welcome.domain) == 0 &&
	       strcmp(w->name, l->welcome.name) == 0;
}

static int on_welcome(struct guest *g, const struct snoo_ctl_frame *f,
		      size_t bytes)
{
	struct guest_link *l = &g->link;
	struct snoo_ctl_welcome w;
	const char *wrong;

	if (bytes != sizeof(w))
		return -EPROTO;
	memcpy(&w, f, sizeof(w));
	w.domain[sizeof(w.domain) - 1] = '\0';
	w.name[sizeof(w.name) - 1] = '\0';
	if (said_again(l, &w))
		return 0;
	if (l->state != GUEST_LINK_GREETED)
		return -EPROTO;
	wrong = misfit(g, &w);
	if (!*wrong && guest_pool_open(g, &w))
		wrong = "WELCOME describes a pool that is not the device's";
	if (*wrong) {
		guest_link_wrong(g, "%s", wrong);
		return 0;
	}
	l->welcome = w;
	l->sessions++;
	*l->refused = '\0';
	set_state(g, GUEST_LINK_LIVE);
	SNOO_TESTPOINT("guest_welcomed");
	log_always(LOG_LEVEL_INFO, "the host has taken this VM in domain=%s "
		   "name=%s slot=%u ranks=%u", w.domain, w.name, w.slot,
		   g->ranks);
	l->wants_room = true;
	return 0;
}

static int on_error(struct guest *g, const struct snoo_ctl_frame *f,
		    size_t bytes)
{
	struct snoo_ctl_error e;

	if (bytes != sizeof(e))
		return -EPROTO;
	memcpy(&e, f, sizeof(e));
	e.text[sizeof(e.text) - 1] = '\0';
	memcpy(g->link.refused, e.text, sizeof(g->link.refused));
	end(g, e.error > 0 ? e.error : ECONNREFUSED, e.text);
	return 0;
}

/* ---- in ---- */

static void dispatch(struct guest *g, const struct snoo_ctl_frame *f,
		     size_t bytes)
{
	struct guest_link *l = &g->link;
	guest_handler fn = f->type < GUEST_TYPES ? l->on[f->type] : NULL;

	if (l->state != GUEST_LINK_LIVE && f->type != SNOO_CTL_WELCOME &&
	    f->type != SNOO_CTL_ERROR) {
		guest_link_wrong(g, "a frame of type %u before WELCOME",
				 f->type);
		return;
	}
	if (!fn) {
		log_warn("the host says something that this daemon does not "
			 "know type=%u", f->type);
		return;
	}
	if (fn(g, f, bytes))
		guest_link_wrong(g, "a frame of type %u and %zu bytes", f->type,
				 bytes);
}

/* Returns false when there is nothing more to read. */
static bool read_one(struct guest *g)
{
	union {
		struct snoo_ctl_frame head;
		uint64_t align;
		unsigned char bytes[SNOO_CTL_FRAME_MAX];
	} u;
	struct guest_link *l = &g->link;
	int n = shm_link_peek(&l->shm, &u);

	if (n == 0)
		return false;
	if (n < 0) {
		guest_link_wrong(g, "a ring that no host would leave so");
		return false;
	}
	l->busy_ns = loop_now_ns();
	dispatch(g, &u.head, (size_t)n);
	/* A frame is taken out when it is dealt with: what a daemon that dies
	 * here has not passed on is healed by RESUMED. */
	if (l->state == GUEST_LINK_PAUSE || *l->wrong)
		return false;
	if (shm_link_pop(&l->shm, &u))
		owe_bell(g);
	return true;
}

static void tell_room(struct guest *g)
{
	struct guest_link *l = &g->link;

	if (!l->wants_room)
		return;
	l->wants_room = false;
	if (l->state == GUEST_LINK_GREETING)
		greet(g);
	if (!guest_link_live(g))
		return;
	for (unsigned int i = 0; i < GUEST_USERS && g->user[i]; i++)
		g->user[i]->room(g);
}

static void next_look(struct guest *g, bool more)
{
	struct guest_link *l = &g->link;
	bool busy = loop_now_ns() - l->busy_ns < BUSY_NS;

	if (more)
		loop_timer_start(l->again, 0, 0);
	else if (!l->bell)
		loop_timer_start(l->again, busy ? LOOK_BUSY_MS : LOOK_IDLE_MS,
				 0);
}

static void look(struct guest *g)
{
	struct guest_link *l = &g->link;
	bool more = true;

	if (*l->wrong)
		return;
	if (l->state == GUEST_LINK_ASKED && shm_link_accepted(&l->shm))
		begin_greeting(g);
	if (l->state == GUEST_LINK_PAUSE || l->state == GUEST_LINK_ASKED) {
		next_look(g, false);
		return;
	}
	for (int i = 0; i < FRAMES_A_TURN && more; i++)
		more = read_one(g);
	if (l->state != GUEST_LINK_PAUSE && !*l->wrong) {
		tell_room(g);
		/* After the frames: an ERROR says why. */
		if (!more && shm_link_is_cut(&l->shm))
			end(g, ECONNRESET, "the host has cut this VM off");
	}
	next_look(g, more && l->state != GUEST_LINK_PAUSE);
}

static void on_bell(void *arg, unsigned int events)
{
	struct guest *g = arg;
	uint64_t rings;

	(void)events;
	/* Ours alone to read, and the kernel's or QEMU's to write. */
	if (read(guest_dev_control_bell(g->dev), &rings, sizeof(rings)) < 0 &&
	    errno != EAGAIN && errno != EINTR)
		log_warn("the control device's eventfd error=\"%s\"",
			 strerror(errno));
	look(g);
}

static void on_again(void *arg)
{
	look(arg);
}

static void on_retry(void *arg)
{
	struct guest *g = arg;

	if (*g->link.wrong)
		return;
	if (g->link.state == GUEST_LINK_PAUSE) {
		ask(g);
	} else {
		/* A host that comes back may have missed the first one. */
		if (g->link.state == GUEST_LINK_ASKED)
			owe_bell(g);
		look(g);
	}
}

/* ---- opening ---- */

void guest_link_handle(struct guest *g, uint32_t type, guest_handler fn)
{
	if (type < GUEST_TYPES)
		g->link.on[type] = fn;
}

void guest_link_use(struct guest *g, const struct guest_user *user)
{
	for (unsigned int i = 0; i < GUEST_USERS; i++) {
		if (g->user[i])
			continue;
		g->user[i] = user;
		return;
	}
}

int guest_link_open(struct guest *g, char why[GUEST_DEV_TEXT])
{
	struct guest_link *l = &g->link;
	size_t bytes;
	void *mem = guest_dev_control(g->dev, &bytes);
	int ret = shm_link_open(&l->shm, mem, bytes, SHM_LINK_GUEST);

	if (ret) {
		snprintf(why, GUEST_DEV_TEXT, "the control device: %s",
			 ret == -EPROTONOSUPPORT ?
			 "the host's daemon is of another release" :
			 "its memory is none of SNOO's; was it scribbled over?"
			 " Plug it anew");
		return ret;
	}
	l->ring_work.fn = ring_host;
	l->ring_work.arg = g;
	l->end_work.fn = on_end_work;
	l->end_work.arg = g;
	guest_link_handle(g, SNOO_CTL_WELCOME, on_welcome);
	guest_link_handle(g, SNOO_CTL_ERROR, on_error);
	ret = loop_timer_open(&l->retry, g->sh->loop, on_retry, g);
	if (ret == 0)
		ret = loop_timer_open(&l->again, g->sh->loop, on_again, g);
	if (ret)
		snprintf(why, GUEST_DEV_TEXT, "out of memory");
	return ret;
}

int guest_link_start(struct guest *g)
{
	int fd = guest_dev_control_bell(g->dev), ret = 0;

	if (fd >= 0)
		ret = loop_watch(&g->link.bell, g->sh->loop, fd, LOOP_READ,
				 on_bell, g);
	if (ret == 0) {
		ask(g);
		next_look(g, false);
	}
	return ret;
}

void guest_link_close(struct guest *g)
{
	struct guest_link *l = &g->link;

	loop_undefer(&l->ring_work);
	loop_undefer(&l->end_work);
	loop_unwatch(l->bell);
	loop_timer_close(l->retry);
	loop_timer_close(l->again);
	l->bell = NULL;
	l->retry = l->again = NULL;
}
