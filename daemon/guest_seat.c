/* SPDX-License-Identifier: MIT */
/*
 * guest_seat.c - a rank's vCPU: take, move, give; and who shares it
 */
#include "daemon/guest_seat.h"

#include "daemon/guest_pool.h"
#include "daemon/seat.h"

static void tell_one(struct guest_session *s)
{
	struct place *p = s->g->sh->place;

	if (s->slot == SNOO_CTL_NO_SLOT || !guest_session_is_rank(s))
		return;
	guest_pool_sharers(s->g, s->slot, s->seat.cpu == PLACE_NO_CPU ? 1 :
			   place_on_cpu(p, (unsigned int)s->seat.cpu));
}

/* All ranks on that vCPU. */
static void tell(struct guest *g, int cpu)
{
	if (cpu == PLACE_NO_CPU)
		return;
	for (struct guest_session *s = g->sessions; s; s = s->next)
		if (s->seated && s->seat.cpu == cpu)
			tell_one(s);
}

void guest_seat_tell(struct guest_session *s)
{
	if (!s->seated)
		return;
	if (s->seat.cpu == PLACE_NO_CPU)
		tell_one(s);
	else
		tell(s->g, s->seat.cpu);
}

int guest_seat_take(struct guest_session *s, char why[SNOO_WIRE_TEXT])
{
	int ret = seat_take(s->g->sh, &s->hello, &s->seat, why);

	s->seated = ret == 0;
	return ret;
}

static void sit(struct guest_session *s, int cpu)
{
	struct shared *sh = s->g->sh;

	s->seat.cpu = cpu;
	s->seat.node = cpu == PLACE_NO_CPU ? 0 :
		       topo_node_of(sh->topo, (unsigned int)cpu);
	s->seated = place_adopt(sh->place, &s->seat) == 0;
	if (!s->seated && cpu != PLACE_NO_CPU) {
		/* That vCPU is offline: it runs somewhere. */
		sit(s, PLACE_NO_CPU);
		return;
	}
	guest_seat_tell(s);
}

void guest_seat_give(struct guest_session *s)
{
	if (!s->seated)
		return;
	place_give(s->g->sh->place, &s->seat);
	s->seated = false;
	tell(s->g, s->seat.cpu);
}

void guest_seat_move(struct guest_session *s, int cpu)
{
	guest_seat_give(s);
	sit(s, cpu >= 0 && cpu < (int)TOPO_CPUS ? cpu : PLACE_NO_CPU);
}

void guest_seat_adopt(struct guest_session *s)
{
	struct topo_set set;
	int cpu = PLACE_NO_CPU;

	if (topo_set_of(&set, (int)s->who.pid) == 0 &&
	    topo_set_count(&set) == 1 &&
	    topo_cpus(s->g->sh->topo) > 1)
		cpu = (int)topo_set_next(&set, 0);
	sit(s, cpu);
}
