/* SPDX-License-Identifier: MIT */
/*
 * job.c - the rules for joining a job
 */
#include "daemon/job.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int no(char why[SNOO_WIRE_TEXT], int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int no(char why[SNOO_WIRE_TEXT], int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, SNOO_WIRE_TEXT, fmt, ap);
	va_end(ap);
	return error;
}

static bool name_char(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static int check_name(const char *name, char why[SNOO_WIRE_TEXT])
{
	size_t len = strnlen(name, SNOO_WIRE_NAME);

	if (len == 0)
		return no(why, -EINVAL, "the job's name is empty; give it 1 to "
			  "%d characters of A-Z a-z 0-9 . _ -",
			  SNOO_WIRE_NAME - 1);
	if (len == SNOO_WIRE_NAME)
		return no(why, -EINVAL, "the job's name is too long; at most "
			  "%d characters", SNOO_WIRE_NAME - 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (name_char(c))
			continue;
		if (c > ' ' && c < 0x7f)
			return no(why, -EINVAL, "the job's name has '%c' at "
				  "character %zu; allowed are A-Z a-z 0-9 . _ -",
				  c, i + 1);
		return no(why, -EINVAL, "the job's name has byte 0x%02x at "
			  "character %zu; allowed are A-Z a-z 0-9 . _ -",
			  c, i + 1);
	}
	return 0;
}

int job_check(const struct snoo_wire_hello *h, char why[SNOO_WIRE_TEXT])
{
	if (h->magic != SNOO_WIRE_MAGIC)
		return no(why, -EPROTO, "this is no HELLO: magic number "
			  "0x%08x instead of 0x%08x", h->magic,
			  SNOO_WIRE_MAGIC);
	if (h->major != SNOO_WIRE_MAJOR)
		return no(why, -EPROTONOSUPPORT, "the client speaks version "
			  "%u.%u, this daemon %u.%u: use a library and a "
			  "daemon of one release", h->major, h->minor,
			  SNOO_WIRE_MAJOR, SNOO_WIRE_MINOR);
	if (h->head.length != sizeof(*h))
		return no(why, -EPROTO, "HELLO has %u bytes instead of %zu",
			  h->head.length, sizeof(*h));
	if (h->rank < -1)
		return no(why, -EINVAL, "rank %d is no rank; -1 lets the "
			  "daemon number", h->rank);
	if (h->size > SNOO_ABI_JOB_RANKS)
		return no(why, -ENOSPC, "a job of %u ranks is too large: at "
			  "most %d", h->size, SNOO_ABI_JOB_RANKS);
	if (h->size && h->rank >= 0 && (uint32_t)h->rank >= h->size)
		return no(why, -ERANGE, "rank %d is outside of a job of %u "
			  "ranks (0 to %u)", h->rank, h->size, h->size - 1);
	if (h->core < -2)
		return no(why, -EINVAL, "core %d is no core; -1 leaves it to "
			  "the daemon, -2 does not pin", h->core);
	return check_name(h->name, why);
}

bool job_takes(const struct job *j)
{
	if (j->failing || j->led.left)
		return false;
	return j->led.state == LEDGER_JOB_FORMING ||
	       (j->led.state == LEDGER_JOB_RUNNING && j->led.open);
}

/* The job that this HELLO means, if there is one. */
static struct job *find(const struct domain *d,
			const struct snoo_wire_hello *h)
{
	struct job *best = NULL;

	for (uint32_t i = 0; i < d->nranks; i++) {
		struct job *j = d->job[i];

		if (!j || j->led.launch != h->launch ||
		    strncmp(j->led.name, h->name, SNOO_WIRE_NAME) != 0)
			continue;
		if (job_takes(j))
			return j;
		/* With a starter's number, a complete one is meant too. */
		if (h->launch && (!best || j->led.number > best->led.number))
			best = j;
	}
	return best;
}

static uint32_t open_capacity(const struct domain *d)
{
	uint32_t most = d->conf->job_ranks_max;

	if (most > SNOO_ABI_JOB_RANKS)
		most = SNOO_ABI_JOB_RANKS;
	return most < d->nranks ? most : d->nranks;
}

static int begin(struct domain *d, const struct snoo_wire_hello *h,
		 struct job_seat *seat, char why[SNOO_WIRE_TEXT])
{
	seat->size = h->size;
	seat->capacity = h->size ? h->size : open_capacity(d);
	seat->rank = h->rank < 0 ? 0 : (uint32_t)h->rank;
	if (h->size > d->nranks)
		return no(why, -ENOSPC, "a job of %u ranks does not fit into "
			  "domain \"%s\": at most %u; raise ranks_max in its "
			  "configuration", h->size, d->name, d->nranks);
	if (seat->rank >= seat->capacity)
		return no(why, -ERANGE, "rank %d is outside of a job of no "
			  "stated size: at most %u ranks; raise job_ranks_max "
			  "of domain \"%s\", or state the size", h->rank,
			  seat->capacity, d->name);
	seat->cell = state_free_cell(d);
	if (seat->cell == LEDGER_NONE)
		return no(why, -ENOSPC, "domain \"%s\" has no room for one "
			  "more job: %u are there; raise ranks_max in its "
			  "configuration", d->name, d->jobs);
	return 0;
}

/* The lowest number that was never given out; capacity if there is none. */
static uint32_t next_number(const struct job *j)
{
	uint32_t rank = 0;

	while (rank < j->led.capacity && j->member[rank].used)
		rank++;
	return rank;
}

static int join(struct domain *d, const struct snoo_wire_hello *h,
		struct job *j, struct job_seat *seat,
		char why[SNOO_WIRE_TEXT])
{
	if (!job_takes(j) && (j->failing || j->led.left))
		return no(why, -EISCONN, "job \"%s\" of this launch is ending: "
			  "ranks have left it or died", j->led.name);
	if (!job_takes(j))
		return no(why, -EISCONN, "job \"%s\" of this launch is "
			  "complete: all its %u ranks have joined",
			  j->led.name, j->led.size);
	if (h->size && j->led.open)
		return no(why, -EEXIST, "job \"%s\" is open, begun by a rank "
			  "that stated no size, and this rank states %u: state "
			  "the same size for all of them", j->led.name,
			  h->size);
	if (h->size && h->size != j->led.size)
		return no(why, -EEXIST, "job \"%s\" is forming with %u ranks, "
			  "and this rank states %u", j->led.name, j->led.size,
			  h->size);
	seat->job = j;
	seat->rank = h->rank < 0 ? next_number(j) : (uint32_t)h->rank;
	if (h->rank < 0 && seat->rank >= j->led.capacity)
		return no(why, -ENOSPC, "job \"%s\" is full: it has %u ranks; "
			  "raise job_ranks_max of domain \"%s\", or state the "
			  "size", j->led.name, j->led.joined, d->name);
	if (seat->rank >= j->led.capacity)
		return no(why, -ERANGE, "rank %d is outside of job \"%s\" of "
			  "%u ranks (0 to %u)", h->rank, j->led.name,
			  j->led.capacity, j->led.capacity - 1);
	if (j->member[seat->rank].used) {
		const struct rank *r = j->member[seat->rank].rank;

		if (r && state_rank_alive(r))
			return no(why, -EADDRINUSE, "rank %u of job \"%s\" is "
				  "taken by process %d", seat->rank,
				  j->led.name, r->led.pid);
		return no(why, -EADDRINUSE, "rank %u of job \"%s\" was taken "
			  "by a process that has ended", seat->rank,
			  j->led.name);
	}
	return 0;
}

int job_admit(struct domain *d, const struct snoo_wire_hello *h,
	      struct job_seat *seat, char why[SNOO_WIRE_TEXT])
{
	struct job *j = find(d, h);

	memset(seat, 0, sizeof(*seat));
	if (d->ranks >= d->nranks)
		return no(why, -ENOSPC, "no rank slot of domain \"%s\" is "
			  "free: all %u are in use or in quarantine; raise "
			  "ranks_max in its configuration", d->name,
			  d->nranks);
	if (j)
		return join(d, h, j, seat, why);
	return begin(d, h, seat, why);
}
