/* SPDX-License-Identifier: MIT */
/*
 * guest_seat.c - a rank's vCPU: take, move, give
 */
#include "daemon/guest_seat.h"

#include "daemon/seat.h"

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
	/* That vCPU is offline: it runs somewhere. */
	if (!s->seated && cpu != PLACE_NO_CPU)
		sit(s, PLACE_NO_CPU);
}

void guest_seat_give(struct guest_session *s)
{
	if (!s->seated)
		return;
	place_give(s->g->sh->place, &s->seat);
	s->seated = false;
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
