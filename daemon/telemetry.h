/* SPDX-License-Identifier: MIT */
/*
 * telemetry.h - who runs where: a domain's BPF programs, and what they tell
 *
 * For status, and hints to ranks: nothing depends on it.  Where it can't be had,
 * telemetry_describe() says why.
 *
 *     domain_open()   telemetry_open()	  loaded, or taken from the keeper
 *     a rank comes    telemetry_attach() its process is marked
 *     it goes	       telemetry_detach()
 *     status	       telemetry_of()
 *
 * One thread, the loop's.
 */
#ifndef DAEMON_TELEMETRY_H
#define DAEMON_TELEMETRY_H

#include <stdbool.h>
#include <stdint.h>

#include <snoo/wire.h>

#include "daemon/telemetry_bpf.h"

struct domain;
struct rank;
struct shared;
struct telemetry;

/**
 * telemetry_open() - Have the domain's programs run, if they may
 * @d:		Its nranks is known; nobody is in it yet, or they are about to
 *		be adopted
 *
 * Return: 0, also if there is none; negative error code only if the
 * configuration says "on" (then @why is a sentence), or without memory
 */
int telemetry_open(struct domain *d, char why[TELEMETRY_TEXT]);

/* The keeper goes on holding them. */
void telemetry_close(struct domain *d);
/* And no longer. */
void telemetry_forget(struct domain *d);

/* Do any of our domains' programs run?  Then bpf(2) must stay allowed. */
bool telemetry_any(const struct shared *sh);

/* "on", or "off, ..." and why. */
const char *telemetry_describe(const struct domain *d);

/* Mark the process of @r; nothing in a VM. */
void telemetry_attach(struct rank *r);
void telemetry_detach(struct rank *r);

/**
 * telemetry_describe_to() - What @r has to know to read it
 *
 * Return: the fd of the map, which stays ours; -1: there is nothing for @r
 */
int telemetry_describe_to(const struct rank *r, struct snoo_wire_oncpu *m);

/** struct telemetry_rank - What is known of a rank */
struct telemetry_rank {
	const char *state;	/* "runs", ... */
	int32_t cpu;		/* where that was; -1: unknown */
	uint64_t waited_ns;	/* for a CPU, since it came */
	uint64_t waits;		/* times */
};

/* false: nothing is. */
bool telemetry_of(const struct rank *r, struct telemetry_rank *out);

#endif /* DAEMON_TELEMETRY_H */
