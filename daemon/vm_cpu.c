/* SPDX-License-Identifier: MIT */
/*
 * vm_cpu.c - the vCPU threads of a QEMU: find, pin, tell where they are
 *
 * With -name ...,debug-threads=on QEMU calls them "CPU 0/KVM" or "CPU 0/TCG".
 * A vCPU sits on a cpu if its thread may run nowhere else, whoever saw to that;
 * so nothing of this needs to be kept for the next daemon but that it was us.
 */
#include "daemon/vm_cpu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/seat.h"
#include "daemon/touch.h"

#define TASKS_MAX	8192u	/* threads of a QEMU that are looked at */

/* The number in "CPU 12/KVM", or -1. */
static int vcpu_number(int pid, const char *tid)
{
	char path[64], comm[32], kind[8];
	ssize_t n;
	int fd, number;

	if (snprintf(path, sizeof(path), "/proc/%d/task/%.12s/comm", pid,
		     tid) >= (int)sizeof(path))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, comm, sizeof(comm) - 1);
	close(fd);
	comm[n > 0 ? n : 0] = '\0';
	if (sscanf(comm, "CPU %d/%4s", &number, kind) != 2 ||
	    (strcmp(kind, "KVM") != 0 && strcmp(kind, "TCG") != 0))
		return -1;
	return number;
}

/* Return: how many were found */
static uint32_t find_threads(struct vm *vm)
{
	const struct dirent *e;
	uint32_t found = 0, seen = 0;
	char path[40];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", vm->led.pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((e = readdir(dir)) && seen++ < TASKS_MAX) {
		int number = vcpu_number(vm->led.pid, e->d_name);

		if (number < 0 || (uint32_t)number >= vm->nvcpu ||
		    vm->vcpu[number].tid)
			continue;
		vm->vcpu[number].tid = atoi(e->d_name);
		found++;
	}
	closedir(dir);
	return found;
}

/* Where it is: the one cpu that it may run on. */
static void look(const struct vm *vm, struct vm_vcpu *v)
{
	struct topo_set set;
	unsigned int cpu;

	v->seat = (struct place_seat){ .cpu = PLACE_NO_CPU };
	if (!v->tid || topo_set_of(&set, v->tid) ||
	    topo_set_count(&set) != 1)
		return;
	cpu = topo_set_next(&set, 0);
	v->seat.cpu = (int)cpu;
	v->seat.node = topo_node_of(vm->dom->sh->topo, cpu);
}

/* Count a vCPU that we have pinned; one that went offline is not. */
static void sit(const struct vm *vm, struct vm_vcpu *v)
{
	if (v->seat.cpu != PLACE_NO_CPU && !v->seated)
		v->seated = place_adopt(vm->dom->sh->place, &v->seat) == 0;
}

static void stand_up(const struct vm *vm, struct vm_vcpu *v)
{
	if (v->seated)
		place_give(vm->dom->sh->place, &v->seat);
	v->seated = false;
}

static int pin(const struct vm *vm, struct vm_vcpu *v)
{
	struct place *p = vm->dom->sh->place;
	struct place_seat seat;
	struct topo_set mask;
	char why[VM_TEXT];
	int ret = topo_set_of(&mask, v->tid);

	if (ret == 0)
		ret = place_take(p, &mask, PLACE_NO_WISH, &seat, why,
				 sizeof(why));
	if (ret || seat.cpu == PLACE_NO_CPU) {
		/* Policy "none": nobody is pinned. */
		if (ret == 0)
			place_give(p, &seat);
		return ret;
	}
	ret = topo_pin(v->tid, (unsigned int)seat.cpu);
	if (ret) {
		place_give(p, &seat);
		return ret;
	}
	v->seat = seat;
	v->seated = true;
	return 0;
}

static void pin_all(struct vm *vm)
{
	uint32_t pinned = 0;
	int ret = 0;

	for (uint32_t i = 0; i < vm->nvcpu && ret == 0; i++) {
		struct vm_vcpu *v = &vm->vcpu[i];

		if (!v->tid)
			continue;
		/* Somebody else's pinning stays. */
		if (v->seat.cpu == PLACE_NO_CPU)
			ret = pin(vm, v);
		else
			sit(vm, v);
		pinned += v->seated;
	}
	if (ret)
		log_warn("vCPUs can't be pinned domain=%s vm=%s slot=%u "
			 "pid=%d error=\"%s\"; it takes CAP_SYS_NICE",
			 vm->dom->name, vm->led.name, vm->slot, vm->led.pid,
			 strerror(-ret));
	if (!pinned)
		return;
	vm->led.flags |= VM_PINNED;
	vm_put(vm);
	log_info("vCPUs pinned domain=%s vm=%s slot=%u pid=%d vcpus=%u of=%u",
		 vm->dom->name, vm->led.name, vm->slot, vm->led.pid, pinned,
		 vm->nvcpu);
}

/* Its number may be another thread's by now, in any process. */
static bool is_still(const struct vm *vm, uint32_t vcpu)
{
	char tid[16];

	snprintf(tid, sizeof(tid), "%d", vm->vcpu[vcpu].tid);
	return !(vm->led.flags & VM_LAUNCHED) &&
	       vcpu_number(vm->led.pid, tid) == (int)vcpu;
}

/* They may run where the rest of QEMU may. */
static void unpin_all(struct vm *vm)
{
	struct topo_set mask;
	int ret = topo_set_of(&mask, vm->led.pid);

	for (uint32_t i = 0; i < vm->nvcpu; i++) {
		struct vm_vcpu *v = &vm->vcpu[i];

		if (!v->seated)
			continue;
		stand_up(vm, v);
		if (ret == 0 && is_still(vm, i))
			topo_confine(v->tid, &mask);
		look(vm, v);
	}
	vm->led.flags &= ~VM_PINNED;
	vm_put(vm);
}

/* Its ranks are where their vCPUs are. */
static void tell_ranks(struct vm *vm)
{
	struct domain *d = vm->dom;

	for (uint32_t i = 0; i < d->nranks; i++) {
		struct rank *r = d->rank ? d->rank[i] : NULL;

		if (!r || !state_rank_alive(r) || state_rank_vm(r) != vm)
			continue;
		seat_vm_moved(r);
		state_put_rank(r);
		touch_rank_again(r);
	}
}

void vm_cpu_forget(struct vm *vm)
{
	for (uint32_t i = 0; i < vm->nvcpu; i++)
		stand_up(vm, &vm->vcpu[i]);
	free(vm->vcpu);
	vm->vcpu = NULL;
	vm->nvcpu = 0;
}

void vm_cpu_find(struct vm *vm)
{
	bool wanted = vm->dom->conf->ivshmem.pin_vcpus;
	uint32_t found;

	vm_cpu_forget(vm);
	if (vm->led.vcpus == 0 || vm->led.flags & VM_LAUNCHED)
		return;
	vm->vcpu = calloc(vm->led.vcpus, sizeof(*vm->vcpu));
	if (!vm->vcpu)
		return;
	vm->nvcpu = vm->led.vcpus;
	found = find_threads(vm);
	for (uint32_t i = 0; i < vm->nvcpu; i++)
		look(vm, &vm->vcpu[i]);
	if (wanted && found < vm->nvcpu)
		log_warn("only %u of %u vCPUs of a VM are known, so they "
			 "can't be pinned: start QEMU with -name "
			 "...,debug-threads=on domain=%s vm=%s slot=%u pid=%d",
			 found, vm->nvcpu, vm->dom->name, vm->led.name,
			 vm->slot, vm->led.pid);
	if (wanted && found)
		pin_all(vm);
	tell_ranks(vm);
}

void vm_cpu_reload(struct domain *d)
{
	for (uint32_t i = 1; d->vm && i < d->slots; i++) {
		struct vm *vm = d->vm[i];
		bool pinned = vm->led.flags & VM_PINNED;

		if (!vm->control || pinned == d->conf->ivshmem.pin_vcpus)
			continue;
		if (pinned)
			unpin_all(vm);
		else
			vm_cpu_find(vm);
		tell_ranks(vm);
	}
}
