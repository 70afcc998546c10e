/* SPDX-License-Identifier: MIT */
/*
 * share.h - the rounds of a domain: read the ranks, decide, tell them
 *
 * Carries out what sched.h decides.  Asleep while nobody is limited and
 * nobody is short: then there is no timer.  NEED asks for a look
 * (d->share_work); from there on a timer looks every round while the pool is
 * short, and now and then as long as somebody has less than he has asked for.
 */
#ifndef DAEMON_SHARE_H
#define DAEMON_SHARE_H

#include "daemon/state.h"

int share_open(struct domain *d);
void share_close(struct domain *d);

/* A job or a rank takes part from now on, or no longer does. */
void share_add_job(struct job *j);
void share_del_job(struct job *j);
void share_add_rank(struct rank *r);
void share_del_rank(struct rank *r);

/* Weights, rates and times from the configuration (again). */
void share_conf(struct domain *d);

#endif /* DAEMON_SHARE_H */
