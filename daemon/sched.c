/* SPDX-License-Identifier: MIT */
/*
 * sched.c - who may move how many bytes, who may hold how many blocks
 */
#include "daemon/sched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S	UINT64_C(1000000000)

/* No rank moves this much between two looks; who says so is lying. */
#define LEAP_MAX	(UINT64_C(1) << 50)
#define USED_MAX	(UINT64_C(1) << 62)

#define BURST_NS	(20 * UINT64_C(1000000))	/* of a rate limit */
#define BURST_MIN	(INT64_C(1) << 20)		/* bytes */

void sched_init(struct sched *s)
{
	memset(s, 0, sizeof(*s));
	s->scale = 1;
}

void sched_job_add(struct sched *s, struct sched_job *j)
{
	j->ranks = 0;
	j->busy = 0;
	j->tokens = 0;
	j->filled_ns = 0;
	j->moved = 0;
	j->next = s->jobs;
	s->jobs = j;
}

void sched_job_del(struct sched *s, struct sched_job *j)
{
	for (struct sched_job **p = &s->jobs; *p; p = &(*p)->next) {
		if (*p == j) {
			*p = j->next;
			return;
		}
	}
}

void sched_rank_add(struct sched *s, struct sched_rank *r, uint64_t used)
{
	struct sched_job *job = r->job;

	memset(r, 0, sizeof(*r));
	r->job = job;
	r->used = used < USED_MAX ? used : 0;
	r->round_used = r->used;
	/* Told anew by the next tick. */
	r->share = SCHED_UNLIMITED;
	r->allow = SCHED_UNLIMITED;
	r->changed = true;
	job->ranks++;
	r->next = s->ranks;
	s->ranks = r;
	if (s->contended)
		r->share = r->used + s->quantum;
	if (s->contended || job->rate)
		r->allow = r->used + s->quantum;
}

void sched_rank_del(struct sched *s, struct sched_rank *r)
{
	for (struct sched_rank **p = &s->ranks; *p; p = &(*p)->next) {
		if (*p == r) {
			*p = r->next;
			r->job->ranks--;
			return;
		}
	}
}

void sched_report(struct sched_rank *r, uint64_t used, uint64_t want)
{
	r->want = want;
	if (used < r->used || used - r->used > LEAP_MAX || used > USED_MAX)
		return;
	r->job->moved += used - r->used;
	r->used = used;
}

void sched_short(struct sched *s, uint64_t now_ns)
{
	s->waited_ns = now_ns;
	if (s->contended)
		return;
	s->contended = true;
	s->contended_since_ns = now_ns;
	s->round_since_ns = now_ns;
	s->scale = 1;
	s->rounds++;
	for (struct sched_rank *r = s->ranks; r; r = r->next) {
		r->share = r->used + s->quantum * r->job->weight;
		r->round_used = r->used;
		r->busy_ns = now_ns;
		r->late = 0;
		r->slow = false;
	}
}

void sched_enough(struct sched *s)
{
	s->contended = false;
}

static uint64_t room(const struct sched_rank *r)
{
	return r->share > r->used ? r->share - r->used : 0;
}

/* Has it nothing left that it could use? */
static bool spent(const struct sched *s, const struct sched_rank *r)
{
	uint64_t left = room(r);

	return left < s->slack;
}

/* Who has something to move?  Counts them, by job too. */
static uint32_t find_busy(struct sched *s, uint64_t now_ns)
{
	uint32_t busy = 0;

	for (struct sched_job *j = s->jobs; j; j = j->next)
		j->busy = 0;
	for (struct sched_rank *r = s->ranks; r; r = r->next) {
		if (r->want || r->used != r->round_used)
			r->busy_ns = now_ns;
		if (r->want)
			s->waited_ns = now_ns;
		/* A short pause between two messages is no end. */
		r->busy = r->busy_ns && now_ns - r->busy_ns < 2 * s->round_ns;
		if (r->busy) {
			r->job->busy++;
			busy++;
		}
	}
	return busy;
}

/* Is somebody left for whom this round should go on? */
static bool round_waits(const struct sched *s, uint64_t now_ns)
{
	uint64_t age = now_ns - s->round_since_ns;

	for (const struct sched_rank *r = s->ranks; r; r = r->next) {
		bool moves = r->used != r->round_used;

		if (!r->busy || r->slow || r->share == SCHED_UNLIMITED ||
		    spent(s, r))
			continue;
		if (age < (moves ? SCHED_PATIENCE : 1) * s->round_ns)
			return true;
	}
	return false;
}

/* Who made this round end by the clock?  Returns how many. */
static uint32_t judge_late(struct sched *s)
{
	uint32_t late = 0;

	for (struct sched_rank *r = s->ranks; r; r = r->next) {
		if (!r->busy || r->share == SCHED_UNLIMITED)
			continue;
		if (spent(s, r)) {
			r->late = 0;
			r->slow = false;
		} else if (!r->slow) {
			late++;
			if (s->scale == 1 && ++r->late >= SCHED_LATE_MAX)
				r->slow = true;
		}
	}
	return late;
}

static void begin_round(struct sched *s, uint64_t now_ns)
{
	uint64_t age = now_ns - s->round_since_ns;

	if (judge_late(s)) {
		s->late_rounds++;
		if (s->scale > 1)
			s->scale /= 2;
	} else if (age < s->round_ns * SCHED_PATIENCE / 2 &&
		   s->scale < SCHED_SCALE_MAX) {
		s->scale *= 2;
	}
	for (struct sched_rank *r = s->ranks; r; r = r->next) {
		uint64_t bytes = s->quantum * s->scale * r->job->weight;
		bool fresh = r->share == SCHED_UNLIMITED || !r->busy;

		if (r->job->busy > 1)
			bytes /= r->job->busy;
		/* Its deficit is reset; or it keeps two rounds' worth. */
		r->share = fresh ? r->used + bytes : r->share + bytes;
		if (room(r) > 2 * bytes)
			r->share = r->used + 2 * bytes;
		r->round_used = r->used;
	}
	s->round_since_ns = now_ns;
	s->rounds++;
}

static void share_rounds(struct sched *s, uint64_t now_ns)
{
	uint32_t busy = find_busy(s, now_ns);

	if (s->contended && now_ns - s->waited_ns > s->contended_ns)
		s->contended = false;
	if (!s->contended) {
		for (struct sched_rank *r = s->ranks; r; r = r->next) {
			r->share = SCHED_UNLIMITED;
			r->round_used = r->used;
		}
		return;
	}
	if (busy <= 1) {
		for (struct sched_rank *r = s->ranks; r; r = r->next) {
			r->share = r->busy ? SCHED_UNLIMITED :
				   r->used + s->quantum * r->job->weight;
			r->round_used = r->used;
		}
		s->round_since_ns = now_ns;
		return;
	}
	/* Whoever was alone until now is limited from here on. */
	for (struct sched_rank *r = s->ranks; r; r = r->next)
		if (r->share == SCHED_UNLIMITED)
			r->share = r->used + s->quantum * r->job->weight;
	if (!round_waits(s, now_ns))
		begin_round(s, now_ns);
}

static uint64_t scaled(uint64_t rate, uint64_t ns)
{
	return rate / NS_PER_S * ns + rate % NS_PER_S * ns / NS_PER_S;
}

static int64_t burst_of(const struct sched_job *j)
{
	uint64_t burst = scaled(j->rate, BURST_NS);

	return burst > (uint64_t)BURST_MIN ? (int64_t)burst : BURST_MIN;
}

static void fill_buckets(struct sched *s, uint64_t now_ns)
{
	for (struct sched_job *j = s->jobs; j; j = j->next) {
		int64_t burst = burst_of(j);
		uint64_t ns = now_ns - j->filled_ns;
		int64_t debt_max = 64 * burst;

		if (j->filled_ns == 0 || ns > NS_PER_S)
			ns = NS_PER_S;
		j->filled_ns = now_ns;
		if (!j->rate) {
			j->moved = 0;
			continue;
		}
		j->tokens += (int64_t)scaled(j->rate, ns);
		if (j->tokens > burst)
			j->tokens = burst;
		/* A liar's debt ends one day. */
		if (j->moved > (uint64_t)debt_max)
			j->moved = (uint64_t)debt_max;
		j->tokens -= (int64_t)j->moved;
		if (j->tokens < -debt_max)
			j->tokens = -debt_max;
		j->moved = 0;
	}
}

static uint64_t rate_allow(const struct sched_rank *r)
{
	const struct sched_job *j = r->job;
	uint32_t among = r->busy && j->busy ? j->busy : j->ranks;

	if (!j->rate)
		return SCHED_UNLIMITED;
	if (j->tokens <= 0)
		return r->used;
	return r->used + (uint64_t)j->tokens / (among ? among : 1);
}

bool sched_tick(struct sched *s, uint64_t now_ns)
{
	bool limited = false;

	share_rounds(s, now_ns);
	fill_buckets(s, now_ns);
	for (struct sched_rank *r = s->ranks; r; r = r->next) {
		uint64_t by_rate = rate_allow(r);
		uint64_t allow = r->share < by_rate ? r->share : by_rate;

		if (r->job->rate && r->busy)
			limited = true;
		if (allow != r->allow) {
			r->allow = allow;
			r->changed = true;
		}
	}
	return s->contended || limited;
}

/* ---- blocks ---- */

struct part {
	uint32_t weight;
	uint64_t most;
	uint64_t fair;
};

/* The one that is furthest below its weight and can use one more. */
static struct part *poorest(struct part *p, uint32_t n)
{
	struct part *best = NULL;

	for (uint32_t i = 0; i < n; i++) {
		if (p[i].fair >= p[i].most)
			continue;
		if (!best || (p[i].fair + 1) * best->weight <
			     (best->fair + 1) * p[i].weight)
			best = &p[i];
	}
	return best;
}

/* Weighted max-min: whole shares while they last, the rest one by one. */
static void share_out(struct part *p, uint32_t n, uint64_t total)
{
	for (;;) {
		uint64_t weights = 0, given = 0;

		for (uint32_t i = 0; i < n; i++)
			if (p[i].fair < p[i].most)
				weights += p[i].weight;
		if (weights == 0 || total < weights)
			break;
		for (uint32_t i = 0; i < n; i++) {
			uint64_t gap = p[i].most - p[i].fair;
			uint64_t more = total / weights * p[i].weight;

			if (p[i].fair >= p[i].most)
				continue;
			if (more > gap)
				more = gap;
			p[i].fair += more;
			given += more;
		}
		total -= given;
	}
	while (total) {
		struct part *p1 = poorest(p, n);

		if (!p1)
			return;
		p1->fair++;
		total--;
	}
}

int sched_fair(struct sched_claim *c, uint32_t n, uint32_t total)
{
	struct part *job, *rank;
	uint32_t njobs = 0;

	for (uint32_t i = 0; i < n; i++)
		c[i].fair = 0;
	if (n == 0)
		return 0;
	job = calloc(n, sizeof(*job));
	rank = calloc(n, sizeof(*rank));
	if (!job || !rank) {
		free(job);
		free(rank);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (i == 0 || c[i].job != c[i - 1].job)
			job[njobs++].weight = c[i].weight;
		job[njobs - 1].most += c[i].most;
		rank[i].weight = 1;
		rank[i].most = c[i].most;
	}
	share_out(job, njobs, total);
	for (uint32_t i = 0, j = 0, end; i < n; i = end, j++) {
		for (end = i + 1; end < n && c[end].job == c[i].job; end++)
			;
		share_out(rank + i, end - i, job[j].fair);
	}
	for (uint32_t i = 0; i < n; i++)
		c[i].fair = (uint32_t)rank[i].fair;
	free(job);
	free(rank);
	return 0;
}
