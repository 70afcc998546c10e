/* SPDX-License-Identifier: MIT */
/*
 * state.c - what the daemon knows of a domain while it runs: structs, lookups
 */
#include "daemon/state.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/log.h"

const char *state_keep_name(char buf[STATE_KEEP_MAX], const struct domain *d,
			    const char *what)
{
	snprintf(buf, STATE_KEEP_MAX, "%s/%s", d->name, what);
	return buf;
}

const char *state_keep_rank(char buf[STATE_KEEP_MAX], const struct rank *r,
			    const char *what)
{
	/* With the instance: a slot's last guest is never taken for this. */
	snprintf(buf, STATE_KEEP_MAX, "%s/rank/%u/%u/%s", r->dom->name,
		 r->slot, r->led.instance, what);
	return buf;
}

void state_put_job(struct job *j)
{
	ledger_put_job(j->dom->ledger, j->cell, &j->led);
}

void state_put_rank(struct rank *r)
{
	ledger_put_rank(r->dom->ledger, r->slot, &r->led);
}

struct job *state_job_new(struct domain *d, uint32_t cell, uint32_t capacity)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->member = calloc(capacity, sizeof(*j->member));
	if (!j->member) {
		free(j);
		return NULL;
	}
	j->dom = d;
	j->cell = cell;
	d->job[cell] = j;
	d->jobs++;
	return j;
}

void state_job_free(struct job *j)
{
	j->dom->job[j->cell] = NULL;
	j->dom->jobs--;
	free(j->member);
	free(j->planned);
	free(j);
}

struct rank *state_rank_new(struct domain *d, uint32_t slot, struct job *j)
{
	struct rank *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->dom = d;
	r->slot = slot;
	r->job = j;
	r->pidfd = -1;
	d->rank[slot] = r;
	d->ranks++;
	return r;
}

void state_rank_free(struct rank *r)
{
	r->dom->rank[r->slot] = NULL;
	r->dom->ranks--;
	free(r);
}

uint32_t state_free_slot(struct domain *d)
{
	/* Round robin, so that a slot rests as long as possible. */
	for (uint32_t i = 0; i < d->nranks; i++) {
		uint32_t slot = (d->next_slot + i) % d->nranks;

		if (!d->rank[slot]) {
			d->next_slot = slot + 1;
			return slot;
		}
	}
	return LEDGER_NONE;
}

uint32_t state_free_cell(const struct domain *d)
{
	for (uint32_t i = 0; i < d->nranks; i++)
		if (!d->job[i])
			return i;
	return LEDGER_NONE;
}

bool state_rank_alive(const struct rank *r)
{
	return r->led.state == LEDGER_RANK_ATTACHED;
}

struct vm *state_rank_vm(const struct rank *r)
{
	/* sid 0: the VM, or the boot, that it was in is no more. */
	if (!r->led.vm || !r->led.sid || r->led.vm >= r->dom->slots)
		return NULL;
	return r->dom->vm[r->led.vm];
}

uint32_t state_epoch(const struct domain *d)
{
	return 2 * ledger_epoch(d->ledger);
}

void state_lose(struct domain *d, const char *why)
{
	if (d->lost)
		return;
	d->lost = why;
	log_always(LOG_LEVEL_ERROR, "domain lost domain=%s reason=\"%s\"",
		   d->name, why);
	if (d->lost_work.fn)
		loop_defer(d->sh->loop, &d->lost_work);
}

uint32_t state_member(const struct rank *r)
{
	switch (r->led.state) {
	case LEDGER_RANK_ATTACHED:
		return SNOO_ABI_JOINED;
	case LEDGER_RANK_LEFT:
		return SNOO_ABI_LEFT;
	case LEDGER_RANK_DEAD:
		return SNOO_ABI_DEAD;
	default:
		return SNOO_ABI_VACANT;
	}
}

const char *state_rank_name(const struct rank *r)
{
	switch (r->led.state) {
	case LEDGER_RANK_ATTACHED:
		return "attached";
	case LEDGER_RANK_LEFT:
		return "left";
	case LEDGER_RANK_DEAD:
		return "dead";
	default:
		return "free";
	}
}

const char *state_job_name(const struct job *j)
{
	switch (j->led.state) {
	case LEDGER_JOB_FORMING:
		return "forming";
	case LEDGER_JOB_RUNNING:
		return "running";
	case LEDGER_JOB_ENDING:
		return "ending";
	default:
		return "free";
	}
}

const char *state_session_name(enum session_state state)
{
	switch (state) {
	case SESSION_NEW:
		return "new";
	case SESSION_WAITING:
		return "waiting";
	case SESSION_WELCOMED:
		return "welcomed";
	case SESSION_ATTACHED:
		return "attached";
	case SESSION_LEAVING:
		return "leaving";
	case SESSION_ENDED:
		break;
	}
	return "ended";
}
