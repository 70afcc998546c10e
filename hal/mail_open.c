/* SPDX-License-Identifier: MIT */
/*
 * mail_open.c - which cores a struct mail serves: opening, closing, hotplug
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hal/mail_impl.h"

#define REPEAT_NS UINT64_C(10000000)

/* ---- which cores there are ---------------------------------------------- */

static void drain(struct served *s)
{
	uint64_t word;

	for (uint32_t box = HAL_MAIL_FIRST; box <= HAL_MAIL_LAST; box++)
		hal_mail_recv(s->hal, box, &word);
}

/* A core is online if every handle says so: each refuses by its own view. */
static void look_where(struct mail *m, uint32_t core, struct hal_where *out)
{
	struct hal_where w;

	hal_where(m->served[0].hal, core, out);
	for (uint32_t i = 1; i < m->nserved; i++) {
		hal_where(m->served[i].hal, core, &w);
		out->online &= w.online;
	}
}

static void count_nodes(struct mail *m)
{
	m->nodes = 1;
	for (uint32_t i = 1; i < m->ncores; i++)
		if (m->where[i].node != m->where[0].node)
			m->nodes = 2;
}

/* Nothing more to or from @core; who waits for it is told. */
static void lose_core(struct mail *m, uint32_t core)
{
	struct served *self = mail_served(m, core);

	m->counts.offline++;
	for (uint32_t i = 0; i < m->nserved; i++) {
		struct served *s = &m->served[i];

		for (uint32_t b = 0; b < HAL_MAIL_LAST; b++)
			if (s->in[b].need &&
			    (s == self || s->in[b].core == core))
				mail_empty_inbox(m, &s->in[b]);
		for (uint32_t to = 0; to < m->ncores; to++) {
			struct lane *l = &s->lane[to];

			if (s != self && to != core)
				continue;
			l->answer = 0;
			if (l->state != LANE_IDLE)
				mail_end(m, l, -ENODEV);
			mail_rest(m, l);
		}
	}
}

uint32_t mail_refresh(struct mail *m)
{
	uint32_t changed = 0;

	for (uint32_t i = 0; i < m->nserved; i++)
		hal_refresh(m->served[i].hal);
	for (uint32_t core = 0; core < m->ncores; core++) {
		bool was = m->where[core].online;

		look_where(m, core, &m->where[core]);
		if (m->where[core].online == was)
			continue;
		changed++;
		if (was)
			lose_core(m, core);
		else if (mail_served(m, core))
			drain(mail_served(m, core));
	}
	if (changed)
		count_nodes(m);
	return changed;
}

/* ---- looking, opening, closing ------------------------------------------ */

bool mail_core(const struct mail *m, uint32_t core)
{
	return mail_served(m, core) && m->where[core].online;
}

struct hal *mail_hal(const struct mail *m)
{
	return m->served[0].hal;
}

void mail_counts(const struct mail *m, struct mail_counts *out)
{
	*out = m->counts;
}

/* Handles first: the first of them says how many cores there are. */
static int open_cores(struct mail *m, const struct mail_params *p)
{
	for (uint32_t i = 0; i < p->ncores; i++) {
		struct hal_params hp = p->hal;
		struct served *s = &m->served[i];
		int ret;

		hp.self = p->core[i];
		if (hp.self >= MAIL_CORES)
			return -EINVAL;
		for (uint32_t k = 0; k < i; k++)
			if (p->core[k] == hp.self)
				return -EINVAL;
		ret = hal_open(&s->hal, p->ops, &hp);
		if (ret)
			return ret;
		s->core = hp.self;
		m->nserved++;
		if (!(hal_caps(s->hal) & HAL_CAP_MAIL))
			return -EOPNOTSUPP;
	}
	m->ncores = hal_ncores(m->served[0].hal);
	if (m->ncores > MAIL_CORES)
		m->ncores = MAIL_CORES;
	return 0;
}

static int open_lanes(struct mail *m, struct served *s)
{
	uint64_t now = mail_now_ns();

	s->lane = calloc(m->ncores, sizeof(*s->lane));
	if (!s->lane)
		return -ENOMEM;
	for (uint32_t to = 0; to < m->ncores; to++) {
		uint64_t seed[3] = { now, (uint64_t)getpid(),
				     (uint64_t)s->core << 32 | to };
		struct lane *l = &s->lane[to];

		l->from = s->core;
		l->to = to;
		l->sequence = (uint32_t)mail_check(seed, 3);
		l->had = UINT64_MAX; /* no check is: it has 56 bits */
	}
	return 0;
}

static int open_tables(struct mail *m, const struct mail_params *p)
{
	size_t nlocks = (size_t)hal_ncores(m->served[0].hal) * HAL_MAIL_LAST;
	int ret = 0;

	m->index = malloc(m->ncores * sizeof(*m->index));
	m->where = calloc(m->ncores, sizeof(*m->where));
	if (!p->locks)
		m->own_locks = aligned_alloc(_Alignof(struct mail_lock),
					     nlocks * sizeof(*m->own_locks));
	m->locks = p->locks ? p->locks : m->own_locks;
	if (!m->index || !m->where || !m->locks)
		return -ENOMEM;
	if (m->own_locks)
		memset((void *)m->own_locks, 0, nlocks * sizeof(*m->own_locks));
	for (uint32_t i = 0; i < m->ncores; i++)
		m->index[i] = MAIL_NOBODY;
	for (uint32_t i = 0; i < m->nserved; i++)
		m->index[m->served[i].core] = i;
	for (uint32_t i = 0; i < m->ncores; i++)
		look_where(m, i, &m->where[i]);
	count_nodes(m);
	for (uint32_t i = 0; i < m->nserved && ret == 0; i++)
		ret = open_lanes(m, &m->served[i]);
	return ret;
}

int mail_open(struct mail **out, const struct mail_params *p)
{
	struct mail *m;
	int ret;

	*out = NULL;
	if (p->ncores == 0 || p->ncores > MAIL_CORES)
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->told = p->told;
	m->arg = p->arg;
	m->repeat_ns = p->repeat_ns ? p->repeat_ns : REPEAT_NS;
	m->served = calloc(p->ncores, sizeof(*m->served));
	ret = m->served ? open_cores(m, p) : -ENOMEM;
	if (ret == 0)
		ret = open_tables(m, p);
	if (ret) {
		mail_close(m);
		return ret;
	}
	for (uint32_t i = 0; i < m->nserved; i++)
		drain(&m->served[i]);
	*out = m;
	return 0;
}

void mail_close(struct mail *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->nserved; i++) {
		struct served *s = &m->served[i];

		for (uint32_t to = 0; s->lane && to < m->ncores; to++)
			mail_unlock(m, &s->lane[to]);
		/* Whoever closes may not have looked for long. */
		hal_refresh(s->hal);
		drain(s);
		hal_close(s->hal);
		free(s->lane);
	}
	free(m->own_locks);
	free(m->where);
	free(m->index);
	free(m->served);
	free(m);
}
