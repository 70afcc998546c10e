/* SPDX-License-Identifier: MIT */
/* reach.c - which rank may read which other one's memory */
#include "daemon/reach.h"

#include <errno.h>

#include "daemon/post.h"

void reach_said(struct rank *r, const struct snoo_wire_reach *m)
{
	r->reach_address = m->address;
	r->reach_nonce = m->nonce;
}

/*
 * Of one kernel and one user: @r could read it without us.  What the kernel says
 * of the pid behind @to's socket holds where we live, so @r must live there, too.
 */
static bool may(const struct rank *r, const struct rank *to)
{
	return r->dom->conf->single_copy && to && to != r &&
	       state_rank_alive(to) && !r->led.vm && !to->led.vm &&
	       r->led.uid == to->led.uid && r->led.gid == to->led.gid &&
	       r->led.peer_pid == (uint32_t)r->led.pid && to->reach_nonce != 0;
}

int reach_where(struct rank *r, const struct snoo_wire_where *m)
{
	struct snoo_wire_peer answer = {
		.head = { SNOO_WIRE_PEER, sizeof(answer) },
		.rank = m->rank,
	};
	const struct rank *to;

	if (m->rank >= r->job->led.capacity)
		return -EPROTO;
	to = r->job->member[m->rank].rank;
	if (may(r, to)) {
		answer.pid = to->led.pid;
		answer.address = to->reach_address;
		answer.nonce = to->reach_nonce;
	}
	post_peer(r, &answer);
	return 0;
}
