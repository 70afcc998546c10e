/* SPDX-License-Identifier: MIT */
/*
 * loop.h - the event loop: fds, timers, signals, deferred work, one way out
 *
 * The rest of the daemon sees this header and never libuv.  A handle that was
 * closed never calls back, not even from an event that was already collected;
 * its memory goes later, by itself.
 *
 * One thread.
 */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#define LOOP_READ	0x1u
#define LOOP_WRITE	0x2u
#define LOOP_HANGUP	0x4u	/* reported only: the peer has closed */

struct loop;
struct loop_watch;
struct loop_timer;

/**
 * struct loop_work - Work to do once, before the loop sleeps again
 *
 * Lies in the caller's struct, zeroed.  Asking twice before it has run is
 * asking once.
 */
struct loop_work {
	struct loop_work *next, *prev;	/* NULL while not asked for */
	void (*fn)(void *arg);
	void *arg;
};

/**
 * loop_open() - An empty loop
 *
 * Return: 0 on success, negative error code otherwise
 */
int loop_open(struct loop **out);

/* Closes what is still open.  NULL is allowed. */
void loop_close(struct loop *l);

/**
 * loop_run() - Serve until somebody calls loop_stop()
 *
 * Return: what loop_stop() was given
 */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int code);

/**
 * loop_step() - Serve what is there now, at most once, without waiting
 *
 * For tests and for the last words before the end.
 */
void loop_step(struct loop *l);

/* CLOCK_MONOTONIC, fresh. */
uint64_t loop_now_ns(void);

/**
 * loop_watch() - Call @fn whenever @fd is ready for @events
 * @fd:		Stays the caller's; it is made non-blocking.  Unwatch before
 *		closing it.
 *
 * Return: 0 on success, negative error code otherwise; *@out is NULL then
 */
int loop_watch(struct loop_watch **out, struct loop *l, int fd,
	       unsigned int events,
	       void (*fn)(void *arg, unsigned int events), void *arg);
/* 0 stops the calls. */
int loop_watch_events(struct loop_watch *w, unsigned int events);
/* NULL is allowed. */
void loop_unwatch(struct loop_watch *w);

/**
 * loop_timer_open() - A timer that is not running
 */
int loop_timer_open(struct loop_timer **out, struct loop *l,
		    void (*fn)(void *arg), void *arg);
/* repeat_ms 0: once. */
void loop_timer_start(struct loop_timer *t, uint64_t in_ms,
		      uint64_t repeat_ms);
void loop_timer_stop(struct loop_timer *t);
bool loop_timer_running(const struct loop_timer *t);
/* NULL is allowed. */
void loop_timer_close(struct loop_timer *t);

/* Call @fn for each @signum, until loop_close(). */
int loop_signal(struct loop *l, int signum, void (*fn)(void *arg, int signum),
		void *arg);

/* Ask for @w, whose fn and arg are set; and take that back. */
void loop_defer(struct loop *l, struct loop_work *w);
void loop_undefer(struct loop_work *w);

/**
 * loop_busy() - Call @fn in every turn, and let no turn wait
 * @fn:		NULL: no more.  It may say so itself, and is brief: fds and
 *		timers have their turn after it.
 *
 * There is one at a time.
 */
void loop_busy(struct loop *l, void (*fn)(void *arg), void *arg);

#endif /* DAEMON_LOOP_H */
