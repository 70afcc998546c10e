/* SPDX-License-Identifier: MIT */
/*
 * place.h - which cpu a rank gets
 *
 * Every policy takes a cpu whose core carries the fewest ranks; they differ
 * in which of those comes first.  A rank's own affinity mask (a container's
 * cpuset) is never left.
 *
 * One thread.
 */
#ifndef DAEMON_PLACE_H
#define DAEMON_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/topo.h"

#define PLACE_NO_WISH	(-1)	/* the rank takes what it gets */
#define PLACE_NO_CPU	(-1)	/* the rank is not pinned */

struct place;

/**
 * struct place_policy - An order among cpus whose cores carry as many ranks
 */
struct place_policy {
	const char *name;		/* as in snoo.json */

	/* Is @a the better seat of the two?  A strict order: never true for
	 * (a, b) and (b, a).  NULL: ranks are counted, not pinned. */
	bool (*before)(const struct place *p, unsigned int a, unsigned int b);
};

extern const struct place_policy place_compact;
extern const struct place_policy place_spread;
extern const struct place_policy place_none;

/* "compact", "spread" or "none"; NULL for another name. */
const struct place_policy *place_policy_find(const char *name);

/**
 * struct place_seat - What a rank was given
 */
struct place_seat {
	int cpu;		/* PLACE_NO_CPU: anywhere in its mask */
	unsigned int node;	/* node for its memory */
};

/**
 * place_open() - An empty house
 * @t:		Must outlive it
 *
 * Return: 0 or -ENOMEM
 */
int place_open(struct place **out, const struct topo *t,
	       const struct place_policy *policy);
void place_close(struct place *p);

/* Ranks that sit already stay (reload). */
void place_set_policy(struct place *p, const struct place_policy *policy);

/**
 * place_take() - Give one rank a seat
 * @mask:	Where it may run; NULL: everywhere
 * @wish:	A cpu, or PLACE_NO_WISH.  A wish is honoured however many
 *		ranks share that core, and under every policy.
 * @seat:	The answer
 * @why:	One sentence on failure; @why_len may be 0
 *
 * Return: 0 on success, negative error code otherwise; nothing is taken then
 *	-ENODEV	@wish is no online cpu of this machine
 *	-EPERM	@wish is outside @mask
 *	-EINVAL	@mask holds no online cpu
 */
int place_take(struct place *p, const struct topo_set *mask, int wish,
	       struct place_seat *seat, char *why, size_t why_len);

/**
 * place_plan() - Give @n ranks of one job seats, in the order of their numbers
 * @cpus:	The answer; a rank that sits elsewhere gives its own back
 *
 * As @n calls of place_take() that may run everywhere and wish nothing: ranks
 * that follow each other sit on different cores, and near each other if there
 * are more cores than ranks, whoever comes first.  Nobody is counted under a
 * policy that does not pin.
 *
 * Return: has it?
 */
bool place_plan(struct place *p, uint32_t n, int32_t *cpus);

/* Is every online cpu in @mask? */
bool place_unbound(const struct place *p, const struct topo_set *mask);

/**
 * place_adopt() - Count a rank that sits already (after a restart)
 *
 * Return: 0, or -ENODEV: the cpu is gone; nothing is counted
 */
int place_adopt(struct place *p, const struct place_seat *seat);

/* The rank is gone.  A seat that was never taken is a bug: it asserts. */
void place_give(struct place *p, const struct place_seat *seat);

/* Ranks on this cpu, on its core (all hardware threads), on its cluster;
 * ranks that are not pinned; all ranks. */
unsigned int place_on_cpu(const struct place *p, unsigned int cpu);
unsigned int place_on_core(const struct place *p, unsigned int cpu);
unsigned int place_on_cluster(const struct place *p, unsigned int cpu);
unsigned int place_unpinned(const struct place *p);
unsigned int place_total(const struct place *p);

/* Position of a cpu in topo_order(): the last word of every policy. */
unsigned int place_position(const struct place *p, unsigned int cpu);

/* Is any core of @mask (NULL: the machine) shared by more than one rank?
 * Then waiting ranks should yield early. */
bool place_crowded(const struct place *p, const struct topo_set *mask);

#endif
