/* SPDX-License-Identifier: MIT */
/*
 * regs.h - the register service: small messages through the machine's mailboxes
 *
 * Theory of operation
 * ===================
 *
 * doc/architecture.md, "The registers of the machine", has the way of a
 * message and what holds at its edges; hal/mail.h moves it from core to core.
 *
 *     regs_mode.c	whether there is a back end, and what it costs
 *     regs_line.c	what a line costs
 *     regs_rank.c	a rank's two rings: lend, find again, close
 *     regs_ring.c	each step in them, guarded
 *     regs_serve.c	the rounds, and when to sleep
 *     regs_event.c	the kernel says that a core came or went
 *
 * A rank that has its rings keeps them as long as its slot is its own, whatever
 * the configuration of the next daemon says: what is in them is delivered.
 *
 * One thread.
 */
#ifndef DAEMON_REGS_H
#define DAEMON_REGS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/state.h"
#include "hal/hal.h"
#include "hal/mail.h"

#define REGS_TEXT	(2 * HAL_TEXT)	/* bytes of a sentence, NUL included */

/**
 * regs_open() - Decide who carries register messages
 * @sh:		Its configuration, loop and topology; outlives us
 * @why:	On failure a sentence
 *
 * Before privileges are given up: this may map registers.
 *
 * Return: 0 on success, negative error code otherwise; *@out is NULL then
 *	-EINVAL	the configuration asks for registers that can't be had
 *	-ENOMEM
 */
int regs_open(struct regs **out, struct shared *sh, char why[REGS_TEXT]);

/* The same with another back end for the hardware's, for tests. */
int regs_open_on(struct regs **out, struct shared *sh,
		 const struct hal_ops *hardware, char why[REGS_TEXT]);

/* After the domains.  NULL is allowed. */
void regs_close(struct regs *g);

/* ---- ranks (regs_rank.c) ---- */

/* After its WELCOME: lend it rings and say so, if registers are in use. */
void regs_attach(struct rank *r);

/**
 * regs_adopt() - Find the rings of a rank that the last daemon has served
 *
 * What is wrong with them ends its session in regs_adopted().
 *
 * Return: 0 or -ENOMEM
 */
int regs_adopt(struct rank *r);
/* When all ranks of @d are found: which GONE lines may be missing. */
void regs_adopt_dues(struct domain *d);
/* After its RESUMED. */
void regs_adopted(struct rank *r);

/* It has left or died, and the ledger has it: read what it has published, and
 * let the others' GONE lines follow that. */
void regs_gone(struct rank *r);
/* Does a GONE line for @gone come in the ring of @r? */
bool regs_says_gone(const struct rank *r, const struct rank *gone);

/* Before its rings are given back. */
void regs_drop(struct rank *r);

/* LOOK came: 0, or -EPROTO: it has no rings. */
int regs_look(struct rank *r);

/* Fill in REGISTERS for it; false: it has no rings. */
bool regs_describe(const struct rank *r, struct snoo_wire_registers *m);

/* ---- for people (stats_regs.c) ---- */

/** struct regs_report - What is in use, why, and what it has done */
struct regs_report {
	bool hardware;			/* else lines */
	const char *backend;		/* "loongson", "emul"; "": none */
	const char *chip;		/* "": none, or emulated */
	const char *why;		/* why there is none; "": there is */
	const char *reason;		/* of the choice: a sentence */
	const char *warning;		/* "": none */
	int64_t message_ns;		/* through mailboxes; < 0: not measured */
	int64_t line_ns;		/* the same of a line */
	uint32_t cores;			/* served, and online */
	uint64_t messages;		/* delivered through mailboxes */
	uint64_t copied;		/* delivered from ring to ring */
	uint64_t dropped;		/* for ranks that were gone */
	uint64_t core_changes;
	bool asleep;
	struct mail_counts mail;
};

/* NULL is allowed: there is no service. */
void regs_report(const struct regs *g, struct regs_report *out);

/* Cores that are served: the first at or above @from, or UINT32_MAX. */
uint32_t regs_next_core(const struct regs *g, uint32_t from);
/* NULL: no back end, or no service. */
struct mail *regs_mail(const struct regs *g);
/* The rank that messages call @id; NULL: none. */
const struct rank *regs_of_id(const struct regs *g, uint32_t id);

#endif /* DAEMON_REGS_H */
