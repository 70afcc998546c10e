/* SPDX-License-Identifier: MIT */
/*
 * place.c - which cpu a rank gets: the count of who sits where, and the choice
 */
#include "daemon/place.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place {
	const struct topo *topo;
	const struct place_policy *policy;
	uint32_t on_cpu[TOPO_CPUS];
	uint32_t on_core[TOPO_CPUS];
	uint32_t on_cluster[TOPO_CPUS];
	uint32_t position[TOPO_CPUS];
	uint32_t unpinned, total;
};

const struct place_policy place_none = { .name = "none" };

const struct place_policy *place_policy_find(const char *name)
{
	static const struct place_policy *const all[] = {
		&place_compact, &place_spread, &place_none,
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

int place_open(struct place **out, const struct topo *t,
	       const struct place_policy *policy)
{
	const unsigned int *order;
	struct place *p;
	unsigned int n;

	*out = NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->topo = t;
	p->policy = policy;
	order = topo_order(t, &n);
	for (unsigned int i = 0; i < n; i++)
		p->position[order[i]] = i;
	*out = p;
	return 0;
}

void place_close(struct place *p)
{
	free(p);
}

void place_set_policy(struct place *p, const struct place_policy *policy)
{
	p->policy = policy;
}

unsigned int place_on_cpu(const struct place *p, unsigned int cpu)
{
	return cpu < TOPO_CPUS ? p->on_cpu[cpu] : 0;
}

unsigned int place_on_core(const struct place *p, unsigned int cpu)
{
	return p->on_core[topo_core_of(p->topo, cpu)];
}

unsigned int place_on_cluster(const struct place *p, unsigned int cpu)
{
	return p->on_cluster[topo_cluster_of(p->topo, cpu)];
}

unsigned int place_unpinned(const struct place *p)
{
	return p->unpinned;
}

unsigned int place_total(const struct place *p)
{
	return p->total;
}

unsigned int place_position(const struct place *p, unsigned int cpu)
{
	return cpu < TOPO_CPUS ? p->position[cpu] : UINT32_MAX;
}

static void count(struct place *p, const struct place_seat *seat, int by)
{
	uint32_t n = (uint32_t)by;	/* 1 or, modulo 2^32, -1 */

	p->total += n;
	if (seat->cpu == PLACE_NO_CPU) {
		p->unpinned += n;
		return;
	}
	p->on_cpu[seat->cpu] += n;
	p->on_core[topo_core_of(p->topo, (unsigned int)seat->cpu)] += n;
	p->on_cluster[topo_cluster_of(p->topo, (unsigned int)seat->cpu)] += n;
}

static int no_wish(int ret, char *why, size_t len, int wish,
		   const char *reason, const struct topo_set *set)
{
	char list[128];

	if (len)
		snprintf(why, len, "cpu %d %s; it may be one of %s", wish,
			 reason, topo_set_format(set, list, sizeof(list)));
	return ret;
}

static int check_wish(const struct place *p, const struct topo_set *may,
		      int wish, char *why, size_t len)
{
	const struct topo_set *online = topo_online(p->topo);

	if (wish == PLACE_NO_WISH)
		return 0;
	if (wish < 0 || !topo_set_has(online, (unsigned int)wish))
		return no_wish(-ENODEV, why, len, wish,
			       "is not online on this machine", online);
	if (!topo_set_has(may, (unsigned int)wish))
		return no_wish(-EPERM, why, len, wish,
			       "is outside the affinity of this process", may);
	return 0;
}

/*
 * The fewest ranks per core first: two ranks that wait for each other must
 * not share a core while another is idle.  The policy decides among equals,
 * and the machine's order among its equals.
 */
static unsigned int choose(const struct place *p, const struct topo_set *may)
{
	unsigned int best = topo_set_next(may, 0);

	for (unsigned int c = best; c < TOPO_CPUS;
	     c = topo_set_next(may, c + 1)) {
		unsigned int x = place_on_core(p, c);
		unsigned int y = place_on_core(p, best);

		if (x < y || (x == y && p->policy->before(p, c, best)))
			best = c;
	}
	return best;
}

/* Where a rank's memory goes that may run anywhere in @may: the node with
 * the most of its cpus. */
static unsigned int home_node(const struct place *p,
			      const struct topo_set *may)
{
	uint32_t cpus[TOPO_CPUS] = { 0 };
	unsigned int best = 0;

	for (unsigned int c = topo_set_next(may, 0); c < TOPO_CPUS;
	     c = topo_set_next(may, c + 1))
		cpus[topo_node_of(p->topo, c)]++;
	for (unsigned int n = 1; n < topo_nodes(p->topo); n++)
		if (cpus[n] > cpus[best])
			best = n;
	return best;
}

int place_take(struct place *p, const struct topo_set *mask, int wish,
	       struct place_seat *seat, char *why, size_t why_len)
{
	struct topo_set may = *topo_online(p->topo);
	int ret;

	if (mask)
		topo_set_and(&may, mask);
	ret = check_wish(p, &may, wish, why, why_len);
	if (ret)
		return ret;
	if (topo_set_empty(&may)) {
		if (why_len)
			snprintf(why, why_len, "the affinity of this process "
				 "holds no cpu that is online here");
		return -EINVAL;
	}

	if (wish != PLACE_NO_WISH)
		seat->cpu = wish;
	else if (!p->policy->before)
		seat->cpu = PLACE_NO_CPU;
	else
		seat->cpu = (int)choose(p, &may);

	if (seat->cpu == PLACE_NO_CPU)
		seat->node = home_node(p, &may);
	else
		seat->node = topo_node_of(p->topo, (unsigned int)seat->cpu);
	count(p, seat, 1);
	return 0;
}

bool place_unbound(const struct place *p, const struct topo_set *mask)
{
	const struct topo_set *online = topo_online(p->topo);

	for (unsigned int c = topo_set_next(online, 0); c < TOPO_CPUS;
	     c = topo_set_next(online, c + 1))
		if (!topo_set_has(mask, c))
			return false;
	return true;
}

bool place_plan(struct place *p, uint32_t n, int32_t *cpus)
{
	const struct topo_set *online = topo_online(p->topo);
	struct place_seat seat = { 0 };

	if (!p->policy->before || topo_set_empty(online))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		seat.cpu = (int)choose(p, online);
		count(p, &seat, 1);
		cpus[i] = seat.cpu;
	}
	return true;
}

int place_adopt(struct place *p, const struct place_seat *seat)
{
	if (seat->cpu != PLACE_NO_CPU &&
	    (seat->cpu < 0 || !topo_set_has(topo_online(p->topo),
					    (unsigned int)seat->cpu)))
		return -ENODEV;
	count(p, seat, 1);
	return 0;
}

void place_give(struct place *p, const struct place_seat *seat)
{
	assert(p->total > 0);
	assert(seat->cpu == PLACE_NO_CPU ? p->unpinned > 0 :
	       place_on_cpu(p, (unsigned int)seat->cpu) > 0);
	count(p, seat, -1);
}

bool place_crowded(const struct place *p, const struct topo_set *mask)
{
	struct topo_set may = *topo_online(p->topo);
	unsigned int c;

	if (mask)
		topo_set_and(&may, mask);
	for (c = topo_set_next(&may, 0); c < TOPO_CPUS;
	     c = topo_set_next(&may, c + 1))
		if (place_on_core(p, c) > 1)
			return true;
	return p->unpinned > 0 && p->total > topo_cores(p->topo);
}
