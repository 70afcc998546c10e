/* SPDX-License-Identifier: MIT */
/*
 * run_impl.h - one program in a VM, as run.c and run_link.c know it
 */
#ifndef DAEMON_RUN_IMPL_H
#define DAEMON_RUN_IMPL_H

#include <snoo/control.h>

#include "daemon/peer.h"
#include "daemon/run_words.h"
#include "daemon/vm.h"

_Static_assert(SNOO_WIRE_CREDIT_MAX == SNOO_CTL_CREDIT_MAX &&
	       SNOO_WIRE_DATA_MAX == SNOO_CTL_DATA_MAX &&
	       (int)SNOO_WIRE_ERR == (int)SNOO_CTL_ERR,
	       "streams are the same on either way");

#define RUN_SIGNALS	(SNOO_CTL_SIGNALS_MAX + 1u)	/* SIGKILL fits */
#define RUN_NAME	128u

/** struct run_note - A message that the client's socket had no room for */
struct run_note {
	struct run_note *next;
	size_t bytes;
	unsigned char data[];
};

/** struct run - One program; all counts are modulo 2^32 */
struct run {
	struct run *next;
	struct domain *dom;
	struct vm *vm;			/* NULL: it has ended */
	uint32_t sid;
	struct who who;
	char program[RUN_NAME];		/* for the log */

	int fd;				/* -1: the client is gone */
	struct loop_watch *watch;
	struct run_note *queue, **queue_tail;
	struct loop_work work;		/* it has ended: free it */

	bool started;
	char *words;			/* as long as it has not started */
	struct run_words said;

	uint32_t got[3];		/* bytes of output, by stream */
	uint32_t passed[3];		/* of them, the client has consumed */
	bool unread[3];			/* nobody reads that output */
	char *input;			/* SNOO_CTL_CREDIT_MAX, a ring */
	uint32_t in_got;		/* bytes of input */
	uint32_t in_done;		/* of them, the program has consumed */
	uint32_t in_said;		/* of them, the guest was sent */
	bool in_eof;
	bool eof_said;
	uint8_t signal[RUN_SIGNALS];	/* number n at n % RUN_SIGNALS */
	uint32_t signals;		/* asked for */
	uint32_t signals_done;		/* of them, sent */
};

/* ---- run.c ---- */

/* To the client: queued if it does not read.  It is bounded by credit. */
void run_tell(struct run *r, const void *msg, size_t bytes);

/**
 * run_end() - FINISHED to the client, and the end of the run
 * @error:	errno, positive: no status, @text says why
 *
 * @r is freed at the end of this turn of the loop.
 */
void run_end(struct run *r, int error, int status, const char *text);

/* ---- run_link.c ---- */

void run_link_start(const struct run *r);	/* RUN */
void run_link_credit(const struct run *r, uint32_t stream);
void run_link_unread(const struct run *r, uint32_t stream);
/* Input that was not sent yet, as far as the VM is not busy. */
void run_link_input(struct run *r);
void run_link_signal(const struct run *r, uint32_t number);
/* What we know of that VM: it ends the rest. */
void run_link_runs(struct vm *vm);
/* Frames of guests come to us from here on. */
void run_link_listen(void);

#endif /* DAEMON_RUN_IMPL_H */
