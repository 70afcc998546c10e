/* SPDX-License-Identifier: MIT */
/*
 * seat.c - a rank's core: take, move, give; and who shares it
 */
#include "daemon/seat.h"

#include <stdlib.h>

#include "daemon/regs.h"
#include "daemon/touch.h"
#include "daemon/vm_state.h"

#define DO_NOT_PIN	(-2)		/* snoo_wire_hello.core */

static void mask_of(const struct snoo_wire_hello *h, struct topo_set *mask)
{
	topo_set_zero(mask);
	for (unsigned int cpu = 0; cpu < SNOO_WIRE_CPUS; cpu++)
		if (h->mask[cpu / 8] >> (cpu % 8) & 1)
			topo_set_add(mask, cpu);
}

int seat_take(struct shared *sh, const struct snoo_wire_hello *h,
	      struct place_seat *seat, char why[SNOO_WIRE_TEXT])
{
	struct topo_set mask;
	int wish = h->core >= 0 ? h->core : PLACE_NO_WISH;
	int ret;

	mask_of(h, &mask);
	ret = place_take(sh->place, &mask, wish, seat, why, SNOO_WIRE_TEXT);
	if (ret)
		return ret;
	if (h->core != DO_NOT_PIN && sh->conf->placement.pin)
		return 0;
	/* It runs where it likes: counted, not pinned. */
	place_give(sh->place, seat);
	seat->cpu = PLACE_NO_CPU;
	return place_adopt(sh->place, seat);
}

/* ---- seats that are kept for ranks to come ---- */

/* Anywhere, and pinned. */
static bool no_wish(const struct shared *sh, const struct snoo_wire_hello *h,
		    const struct topo_set *mask)
{
	return h->core < 0 && h->core != DO_NOT_PIN &&
	       sh->conf->placement.pin && place_unbound(sh->place, mask);
}

void seat_plan(struct job *j, const struct snoo_wire_hello *h)
{
	struct shared *sh = j->dom->sh;
	struct topo_set mask;

	mask_of(h, &mask);
	if (j->led.open || !no_wish(sh, h, &mask))
		return;
	j->planned = calloc(j->led.size, sizeof(*j->planned));
	if (j->planned && !place_plan(sh->place, j->led.size, j->planned)) {
		free(j->planned);
		j->planned = NULL;
	}
}

/* The seat that is kept for @rank is kept no more. */
static int unkeep(struct job *j, uint32_t rank)
{
	int cpu;

	if (!j->planned || rank >= j->led.size)
		return PLACE_NO_CPU;
	cpu = j->planned[rank];
	j->planned[rank] = PLACE_NO_CPU;
	return cpu;
}

void seat_unkeep(struct job *j, uint32_t rank)
{
	struct place_seat kept = { .cpu = unkeep(j, rank) };

	if (kept.cpu != PLACE_NO_CPU)
		place_give(j->dom->sh->place, &kept);
}

void seat_unplan(struct job *j)
{
	for (uint32_t i = 0; j->planned && i < j->led.size; i++)
		seat_unkeep(j, i);
}

int seat_take_kept(struct job *j, uint32_t rank,
		   const struct snoo_wire_hello *h, struct place_seat *seat,
		   char why[SNOO_WIRE_TEXT])
{
	struct shared *sh = j->dom->sh;
	struct topo_set mask;
	int cpu = unkeep(j, rank);

	mask_of(h, &mask);
	seat->cpu = cpu;
	if (cpu != PLACE_NO_CPU) {
		place_give(sh->place, seat);
		if (no_wish(sh, h, &mask))
			return place_take(sh->place, &mask, cpu, seat, why,
					  SNOO_WIRE_TEXT);
	}
	return seat_take(sh, h, seat, why);
}

static void tell_domain(struct domain *d, int cpu)
{
	uint32_t n = place_on_cpu(d->sh->place, (unsigned int)cpu);

	/*
	 * The register service may need this core too: who waits for it in a
	 * spin keeps it from serving.  Seen with two ranks on two cores: 9 us
	 * for a message to and fro when they yield, 100 us when they spin.
	 */
	n += regs_mail(d->sh->regs) != NULL;
	for (uint32_t i = 0; i < d->nranks; i++) {
		struct rank *r = d->rank[i];

		if (!r || !r->seated || !state_rank_alive(r) ||
		    r->seat.cpu != cpu)
			continue;
		touch_sharers(r, n);
		touch_wake(r);
	}
}

void seat_tell(struct shared *sh, const struct place_seat *seat)
{
	if (seat->cpu == PLACE_NO_CPU)
		return;
	for (struct domain *d = sh->domains; d; d = d->next)
		tell_domain(d, seat->cpu);
}

/* ---- ranks in a VM ---- */

static bool on_vcpu(const struct rank *r, uint32_t vm, int32_t vcpu)
{
	return r && state_rank_alive(r) && r->led.vm == vm &&
	       r->led.vcpu == vcpu;
}

static void tell_vcpu(struct domain *d, uint32_t vm, int32_t vcpu)
{
	uint32_t n = 0;

	if (vcpu < 0)
		return;
	for (uint32_t i = 0; i < d->nranks; i++)
		n += on_vcpu(d->rank[i], vm, vcpu);
	for (uint32_t i = 0; i < d->nranks; i++) {
		if (!on_vcpu(d->rank[i], vm, vcpu))
			continue;
		touch_sharers(d->rank[i], n);
		touch_wake(d->rank[i]);
	}
}

void seat_vm_moved(struct rank *r)
{
	const struct vm *vm = state_rank_vm(r);

	r->seat = (struct place_seat){ .cpu = PLACE_NO_CPU };
	if (vm)
		r->seat = vm_cpu_seat(vm, r->led.vcpu);
	r->led.core = r->seat.cpu;
	r->led.node = r->seat.node;
}

static void move_vm(struct rank *r, int32_t vcpu)
{
	const struct vm *vm = state_rank_vm(r);
	int32_t before = r->led.vcpu;

	if (vcpu < 0 || !vm || (uint32_t)vcpu >= vm->led.vcpus)
		vcpu = PLACE_NO_CPU;
	r->led.vcpu = vcpu;
	seat_vm_moved(r);
	tell_vcpu(r->dom, r->led.vm, before);
	tell_vcpu(r->dom, r->led.vm, vcpu);
}

void seat_tell_rank(const struct rank *r)
{
	if (state_rank_vm(r))
		tell_vcpu(r->dom, r->led.vm, r->led.vcpu);
	else
		seat_tell(r->dom->sh, &r->seat);
}

/* ---- one rank ---- */

void seat_adopt(struct rank *r)
{
	struct place *p = r->dom->sh->place;

	if (state_rank_vm(r)) {
		seat_vm_moved(r);
		seat_tell_rank(r);
		return;
	}
	r->seat.cpu = r->led.core;
	r->seat.node = r->led.node;
	r->seated = place_adopt(p, &r->seat) == 0;
	if (!r->seated) {
		/* That cpu went offline: it runs somewhere. */
		r->seat.cpu = PLACE_NO_CPU;
		r->seat.node = 0;
		r->seated = place_adopt(p, &r->seat) == 0;
	}
	r->led.core = r->seat.cpu;
	seat_tell(r->dom->sh, &r->seat);
}

void seat_give(struct rank *r)
{
	struct place_seat before = r->seat;

	if (state_rank_vm(r))
		seat_tell_rank(r);
	if (!r->seated)
		return;
	place_give(r->dom->sh->place, &r->seat);
	r->seated = false;
	seat_tell(r->dom->sh, &before);
}

void seat_move(struct rank *r, int cpu)
{
	if (state_rank_vm(r)) {
		move_vm(r, cpu);
	} else {
		seat_give(r);
		r->led.core = cpu >= 0 ? cpu : PLACE_NO_CPU;
		seat_adopt(r);
	}
	touch_rank_again(r);
}
