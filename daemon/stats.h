/* SPDX-License-Identifier: MIT */
/*
 * stats.h - what the daemon knows, as JSON
 *
 * Each returns a new reference, or NULL when memory ran out.  What ranks say
 * about themselves in the pool is copied once and shown as it is; times that
 * make no sense are left out.
 */
#ifndef DAEMON_STATS_H
#define DAEMON_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/json.h"
#include "daemon/state.h"

/** struct stats_filter - What the asker wants to see, and may */
struct stats_filter {
	const char *domain;		/* NULL: all */
	const char *job;		/* name or number; NULL: all */
	bool (*may)(void *arg, const struct domain *d);
	void *arg;
};

bool stats_shows(const struct stats_filter *f, const struct domain *d);
bool stats_shows_job(const struct stats_filter *f, const struct job *j);

json_t *stats_status(struct shared *sh, const struct stats_filter *f);
json_t *stats_domains(struct shared *sh, const struct stats_filter *f);
json_t *stats_jobs(struct shared *sh, const struct stats_filter *f);
json_t *stats_ranks(struct shared *sh, const struct stats_filter *f);

/* stats_pool.c */
json_t *stats_channels(struct shared *sh, const struct stats_filter *f);
json_t *stats_pool(struct shared *sh, const struct stats_filter *f);
json_t *stats_scheduler(struct shared *sh, const struct stats_filter *f);

/* stats_regs.c */
/* Who carries register messages, and what they did: a member of status. */
json_t *stats_regs(const struct shared *sh);
void stats_regs_warning(const struct shared *sh, json_t *warnings);
/* The register blocks, as they are now. */
json_t *stats_registers(struct shared *sh, const struct stats_filter *f);

/* stats_wait.c */
/* What waiting costs, as measured: a member of status. */
json_t *stats_waiting(const struct shared *sh);
/* Where a rank runs, and how long it waited for that; nothing if unknown. */
void stats_put_run(json_t *o, const struct rank *r);

/* stats_vm.c */
json_t *stats_vms(struct shared *sh, const struct stats_filter *f);
/* Says what it was, and ends it (vm_end()). */
json_t *stats_evict(struct vm *vm, uint32_t uid);
/* VM slot, name and vCPU of a rank. */
void stats_put_vm(json_t *o, const struct rank *r);
/* A time of a rank's own clock, in ours: a guest's differs. */
uint64_t stats_guest_ns(const struct rank *r, uint64_t ns);

/* stats_why.c */
json_t *stats_why(const struct rank *r);

/* Milliseconds since a time of CLOCK_MONOTONIC, as a member "since_ms"; left
 * out if that time is 0 or in the future. */
void stats_since(json_t *o, const char *key, uint64_t ns);

/* "recv", "barrier", ... of enum snoo_abi_call. */
const char *stats_call(uint32_t call);
/* "polling", "asleep", ... of a wait word. */
const char *stats_wait(uint64_t word);

#endif /* DAEMON_STATS_H */
