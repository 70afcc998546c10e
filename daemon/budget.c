/* SPDX-License-Identifier: MIT */
/*
 * budget.c - how many fds a configuration takes, and whether they are to be had
 */
#include "daemon/budget.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/bells.h"
#include "daemon/keeper_shelf.h"

/* The loop, the log, the topology, the keeper, and some to spare. */
#define OWN_FDS		48u
/* Lock, ledger, pool, listener of the clients; two maps and two links. */
#define DOMAIN_FDS	8u
/* Listeners of the two devices. */
#define VM_LISTENERS	2u
/* Of a VM: two sockets, its control memory, its pidfd. */
#define VM_FDS		4u
/* Of a rank: socket, pidfd. */
#define RANK_FDS	2u

/* Longest names below a domain's, '/' and separator included. */
#define NAME_OTHER	16u		/* "/ledger:" and the like */
#define NAME_BELL	sizeof("/bell/control/63/out")
#define NAME_VM		sizeof("/vm/63/4294967295/control")
#define NAME_RANK	sizeof("/rank/4095/4294967295/socket")

static void add(struct budget *b, const struct conf_domain *d, uint64_t n,
		uint64_t name)
{
	b->open += n;
	b->kept += n;
	b->name_bytes += n * (strlen(d->name) + name);
}

static void add_domain(struct budget *b, const struct conf_domain *d)
{
	uint32_t slots = d->ivshmem.slots;

	add(b, d, DOMAIN_FDS, NAME_OTHER);
	if (slots == 1)
		return;
	add(b, d, VM_LISTENERS, NAME_OTHER);
	add(b, d, bells_count(slots, d->ivshmem.vectors), NAME_BELL);
	add(b, d, (uint64_t)(slots - 1) * VM_FDS, NAME_VM);
}

void budget_start(const struct conf *c, struct budget *out)
{
	*out = (struct budget){
		.open = OWN_FDS + c->limits.admin_clients,
	};
	for (unsigned int i = 0; i < c->ndomains; i++)
		add_domain(out, &c->domains[i]);
}

void budget_full(const struct conf *c, struct budget *out)
{
	budget_start(c, out);
	for (unsigned int i = 0; i < c->ndomains; i++)
		add(out, &c->domains[i],
		    (uint64_t)c->domains[i].ranks_max * RANK_FDS, NAME_RANK);
}

void budget_limits(struct budget *out, unsigned int room, bool store)
{
	struct rlimit r;

	*out = (struct budget){
		.open = UINT64_MAX, .kept = UINT64_MAX,
		.name_bytes = UINT64_MAX,
	};
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		const struct rlimit all = { r.rlim_max, r.rlim_max };

		/* Nothing of ours uses select(). */
		if (r.rlim_cur < r.rlim_max &&
		    setrlimit(RLIMIT_NOFILE, &all) == 0)
			r = all;
		if (r.rlim_cur != RLIM_INFINITY)
			out->open = r.rlim_cur;
	}
	if (!store)
		return;
	if (room)
		out->kept = room;
	out->name_bytes = KEEPER_SHELF_NAMES;
}

int budget_compare(const struct budget *need, const struct budget *has,
		   char why[BUDGET_TEXT])
{
	why[0] = '\0';
	if (need->open > has->open) {
		snprintf(why, BUDGET_TEXT, "%" PRIu64 " fds are needed and %"
			 PRIu64 " allowed: raise LimitNOFILE of the daemon, "
			 "or have fewer slots, vectors or ranks",
			 need->open, has->open);
		return -EMFILE;
	}
	if (need->kept > has->kept) {
		snprintf(why, BUDGET_TEXT, "%" PRIu64 " fds are to be kept "
			 "for the next daemon, and the keeper holds %" PRIu64
			 " (systemd: raise FileDescriptorStoreMax): have fewer "
			 "slots, vectors or ranks", need->kept, has->kept);
		return -ENOSPC;
	}
	if (need->name_bytes > has->name_bytes) {
		snprintf(why, BUDGET_TEXT, "the names of %" PRIu64 " fds that "
			 "are to be kept for the next daemon take %" PRIu64
			 " bytes, and it can be handed %" PRIu64 ": have fewer "
			 "slots, vectors or ranks, or shorter names of domains",
			 need->kept, need->name_bytes, has->name_bytes);
		return -ENOSPC;
	}
	return 0;
}
