/* SPDX-License-Identifier: MIT */
/*
 * job.h - the rules for joining a job
 *
 * A job is name + launch in its domain.
 *
 *  - launch other than 0 is a starter's number: its ranks join exactly that
 *    job, and nobody after it is complete.
 *  - launch 0 joins the job of that name that is forming, or begins a new
 *    one.  A job that is complete, or that somebody has left, takes nobody
 *    in and is in nobody's way.
 *  - The first rank states the size.  size 0: an open job, which is never
 *    complete: it takes ranks in up to job_ranks_max until the first leaves.
 *    A rank that states no size joins a forming job of any size.
 *  - A rank that states no number gets the lowest that was never given out.
 *
 * Deciding changes nothing: attach.c carries it out.
 */
#ifndef DAEMON_JOB_H
#define DAEMON_JOB_H

#include "daemon/state.h"

/** struct job_seat - What job_admit() decided */
struct job_seat {
	struct job *job;		/* NULL: begin one ... */
	uint32_t cell;			/* ... in this cell ... */
	uint32_t size;			/* ... of this size; 0: open ... */
	uint32_t capacity;		/* ... with room for so many */
	uint32_t rank;
};

/**
 * job_check() - Is a HELLO in itself in order?
 * @why:	SNOO_WIRE_TEXT bytes: on failure what is wrong
 *
 * Return: 0 on success, negative error code otherwise
 *	-EPROTONOSUPPORT another version
 *	-EINVAL		 the name or a number
 *	-ERANGE		 rank outside of size
 */
int job_check(const struct snoo_wire_hello *h, char why[SNOO_WIRE_TEXT]);

/**
 * job_admit() - Which job, which rank?
 *
 * Return: 0 on success, negative error code otherwise
 *	-EEXIST		the forming job has another size
 *	-EADDRINUSE	the rank number is taken
 *	-ERANGE		the rank number is outside of the job's size
 *	-ENOSPC		the domain has no room for it
 *	-EISCONN	the job of this launch is complete
 */
int job_admit(struct domain *d, const struct snoo_wire_hello *h,
	      struct job_seat *seat, char why[SNOO_WIRE_TEXT]);

/* Does the job take ranks in? */
bool job_takes(const struct job *j);

#endif /* DAEMON_JOB_H */
