/* SPDX-License-Identifier: MIT */
/*
 * loop.c - owns the uv_loop_t; the only uv_run()
 *
 * Deferred work runs in a check handle, after the fds and timers of one turn;
 * an idle handle that is started only while work waits keeps that turn from
 * sleeping.  So a loop with nothing to do makes no system call at all.  Whoever
 * polls memory has an idle handle of its own, which is called in every turn
 * before the fds are looked at.
 */
#include "daemon/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <uv.h>

struct loop {
	uv_loop_t uv;
	uv_check_t check;
	uv_idle_t idle;
	uv_idle_t busy;
	void (*busy_fn)(void *arg);
	void *busy_arg;
	struct loop_work work;		/* head of a ring: first asked first */
	int code;
};

struct loop_watch {
	uv_poll_t uv;
	void (*fn)(void *arg, unsigned int events);
	void *arg;
};

struct loop_timer {
	uv_timer_t uv;
	void (*fn)(void *arg);
	void *arg;
};

struct loop_sig {
	uv_signal_t uv;
	void (*fn)(void *arg, int signum);
	void *arg;
};

/* ---- deferred work ---- */

static void no_work(uv_idle_t *idle)
{
	(void)idle;
}

void loop_undefer(struct loop_work *w)
{
	if (!w->next)
		return;
	w->next->prev = w->prev;
	w->prev->next = w->next;
	w->next = w->prev = NULL;
}

void loop_defer(struct loop *l, struct loop_work *w)
{
	if (w->next)
		return;
	w->next = &l->work;
	w->prev = l->work.prev;
	w->prev->next = w;
	l->work.prev = w;
	uv_idle_start(&l->idle, no_work);
}

static void run_work(uv_check_t *check)
{
	struct loop *l = check->data;

	while (l->work.next != &l->work) {
		struct loop_work *w = l->work.next;

		loop_undefer(w);
		w->fn(w->arg);
	}
	uv_idle_stop(&l->idle);
}

/* ---- polling ---- */

static void on_turn(uv_idle_t *idle)
{
	struct loop *l = idle->data;

	l->busy_fn(l->busy_arg);
}

void loop_busy(struct loop *l, void (*fn)(void *arg), void *arg)
{
	l->busy_fn = fn;
	l->busy_arg = arg;
	if (fn)
		uv_idle_start(&l->busy, on_turn);
	else
		uv_idle_stop(&l->busy);
}

/* ---- the loop ---- */

int loop_open(struct loop **out)
{
	struct loop *l = calloc(1, sizeof(*l));
	int ret;

	*out = NULL;
	if (!l)
		return -ENOMEM;
	ret = uv_loop_init(&l->uv);
	if (ret) {
		free(l);
		return ret;
	}
	l->work.next = l->work.prev = &l->work;
	uv_check_init(&l->uv, &l->check);
	l->check.data = l;
	uv_check_start(&l->check, run_work);
	uv_unref((uv_handle_t *)&l->check);
	uv_idle_init(&l->uv, &l->idle);
	uv_idle_init(&l->uv, &l->busy);
	l->busy.data = l;
	*out = l;
	return 0;
}

/* Every watch, timer and signal is malloc'd with its handle first. */
static void close_one(uv_handle_t *handle, void *arg)
{
	struct loop *l = arg;

	if (uv_is_closing(handle))
		return;
	if (handle == (uv_handle_t *)&l->check ||
	    handle == (uv_handle_t *)&l->idle ||
	    handle == (uv_handle_t *)&l->busy)
		uv_close(handle, NULL);
	else
		uv_close(handle, (uv_close_cb)free);
}

void loop_close(struct loop *l)
{
	if (!l)
		return;
	while (l->work.next != &l->work)
		loop_undefer(l->work.next);
	uv_walk(&l->uv, close_one, l);
	while (uv_loop_close(&l->uv) == UV_EBUSY)
		uv_run(&l->uv, UV_RUN_DEFAULT);
	free(l);
}

int loop_run(struct loop *l)
{
	l->code = 0;
	uv_run(&l->uv, UV_RUN_DEFAULT);
	return l->code;
}

void loop_stop(struct loop *l, int code)
{
	l->code = code;
	uv_stop(&l->uv);
}

void loop_step(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_NOWAIT);
}

uint64_t loop_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)ts.tv_nsec;
}

/* ---- fds ---- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct loop_watch *w = poll->data;
	unsigned int ours = 0;

	if (status < 0) {
		/* Let the owner find the error by reading. */
		w->fn(w->arg, LOOP_READ | LOOP_HANGUP);
		return;
	}
	if (events & UV_READABLE)
		ours |= LOOP_READ;
	if (events & UV_WRITABLE)
		ours |= LOOP_WRITE;
	if (events & UV_DISCONNECT)
		ours |= LOOP_HANGUP;
	if (ours)
		w->fn(w->arg, ours);
}

int loop_watch_events(struct loop_watch *w, unsigned int events)
{
	int uv = 0;

	if (events & LOOP_READ)
		uv |= UV_READABLE;
	if (events & LOOP_WRITE)
		uv |= UV_WRITABLE;
	if (events & LOOP_HANGUP)
		uv |= UV_DISCONNECT;
	return uv ? uv_poll_start(&w->uv, uv, on_poll) : uv_poll_stop(&w->uv);
}

int loop_watch(struct loop_watch **out, struct loop *l, int fd,
	       unsigned int events,
	       void (*fn)(void *arg, unsigned int events), void *arg)
{
	struct loop_watch *w = calloc(1, sizeof(*w));
	int ret;

	*out = NULL;
	if (!w)
		return -ENOMEM;
	ret = uv_poll_init(&l->uv, &w->uv, fd);
	if (ret) {
		free(w);
		return ret;
	}
	w->uv.data = w;
	w->fn = fn;
	w->arg = arg;
	ret = loop_watch_events(w, events);
	if (ret) {
		uv_close((uv_handle_t *)&w->uv, (uv_close_cb)free);
		return ret;
	}
	*out = w;
	return 0;
}

void loop_unwatch(struct loop_watch *w)
{
	if (w)
		uv_close((uv_handle_t *)&w->uv, (uv_close_cb)free);
}

/* ---- timers ---- */

static void on_timer(uv_timer_t *timer)
{
	struct loop_timer *t = timer->data;

	t->fn(t->arg);
}

int loop_timer_open(struct loop_timer **out, struct loop *l,
		    void (*fn)(void *arg), void *arg)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (!t)
		return -ENOMEM;
	uv_timer_init(&l->uv, &t->uv);
	t->uv.data = t;
	t->fn = fn;
	t->arg = arg;
	*out = t;
	return 0;
}

void loop_timer_start(struct loop_timer *t, uint64_t in_ms, uint64_t repeat_ms)
{
	/* libuv counts from the start of this turn. */
	uv_update_time(t->uv.loop);
	uv_timer_start(&t->uv, on_timer, in_ms, repeat_ms);
}

void loop_timer_stop(struct loop_timer *t)
{
	uv_timer_stop(&t->uv);
}

bool loop_timer_running(const struct loop_timer *t)
{
	return uv_is_active((const uv_handle_t *)&t->uv);
}

void loop_timer_close(struct loop_timer *t)
{
	if (t)
		uv_close((uv_handle_t *)&t->uv, (uv_close_cb)free);
}

/* ---- signals ---- */

static void on_signal(uv_signal_t *sig, int signum)
{
	struct loop_sig *s = sig->data;

	s->fn(s->arg, signum);
}

int loop_signal(struct loop *l, int signum, void (*fn)(void *arg, int signum),
		void *arg)
{
	struct loop_sig *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	ret = uv_signal_init(&l->uv, &s->uv);
	if (ret) {
		free(s);
		return ret;
	}
	s->uv.data = s;
	s->fn = fn;
	s->arg = arg;
	ret = uv_signal_start(&s->uv, on_signal, signum);
	if (ret)
		uv_close((uv_handle_t *)&s->uv, (uv_close_cb)free);
	return ret;
}
