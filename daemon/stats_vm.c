/* SPDX-License-Identifier: MIT */
/*
 * stats_vm.c - the VMs of a domain, as JSON
 */
#include <stdio.h>
#include <time.h>

#include "daemon/control.h"
#include "daemon/stats.h"
#include "daemon/vm.h"

static const char *bells_kind(uint32_t kind)
{
	switch (kind) {
	case SNOO_CTL_BELLS_EVENTFD:
		return "eventfd";
	case SNOO_CTL_BELLS_POLL:
		return "poll";
	}
	return "";
}

static const char *memory_kind(uint32_t kind)
{
	switch (kind) {
	case SNOO_CTL_MAP_DAX:
		return "dax";
	case SNOO_CTL_MAP_BAR:
		return "bar";
	case SNOO_CTL_MAP_SYSFS:
		return "sysfs";
	case SNOO_CTL_MAP_MEMFD:
		return "memfd";
	}
	return "";
}

/* As the kernel writes it, or "" before HELLO. */
static void put_boot_id(json_t *o, const uint8_t id[16])
{
	char text[37] = "";
	bool any = false;

	for (int i = 0; i < 16; i++)
		any = any || id[i];
	for (int i = 0, at = 0; any && i < 16; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%02x",
			       i == 4 || i == 6 || i == 8 || i == 10 ? "-" :
			       "", id[i]);
	json_put_str(o, "boot_id", text);
}

static json_t *cores(const struct vm *vm)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < vm->nvcpu; i++)
		json_array_append_new(list,
				      json_integer(vm->vcpu[i].seat.cpu));
	return list;
}

static uint64_t count_ranks(const struct vm *vm)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < vm->dom->nranks; i++) {
		const struct rank *r = vm->dom->rank[i];

		n += r && state_rank_alive(r) && state_rank_vm(r) == vm;
	}
	return n;
}

static uint64_t since_ms(uint64_t wall_ns)
{
	struct timespec ts;
	uint64_t now;

	clock_gettime(CLOCK_REALTIME, &ts);
	now = (uint64_t)ts.tv_sec * UINT64_C(1000000000) +
	      (uint64_t)ts.tv_nsec;
	return now > wall_ns ? (now - wall_ns) / UINT64_C(1000000) : 0;
}

static json_t *one_vm(const struct vm *vm)
{
	const struct ledger_vm *led = &vm->led;
	struct control_counts n;
	json_t *o = json_object();

	control_counts(vm, &n);
	json_put_str(o, "domain", vm->dom->name);
	json_put_u64(o, "slot", vm->slot);
	json_put_str(o, "name", led->name);
	json_put(o, "pid", json_integer(led->pid));
	json_put_u64(o, "uid", led->uid);
	json_put_str(o, "state", vm_state_name(vm));
	json_put_str(o, "host", led->host);
	json_put_str(o, "kernel", led->kernel);
	put_boot_id(o, led->boot_id);
	json_put_str(o, "memory", memory_kind(led->memory));
	json_put_str(o, "bells", bells_kind(led->bells));
	json_put_u64(o, "vectors", vm->dom->vectors);
	json_put_u64(o, "vcpus", led->vcpus);
	json_put(o, "cores", cores(vm));
	json_put_bool(o, "pinned", (led->flags & VM_PINNED) != 0);
	json_put_bool(o, "runs", led->runs != 0);
	json_put_u64(o, "ranks", count_ranks(vm));
	json_put_u64(o, "sessions", led->sessions);
	json_put_u64(o, "frames_in", n.frames_in);
	json_put_u64(o, "frames_out", n.frames_out);
	json_put_u64(o, "queued_bytes", n.queued_bytes);
	json_put_u64(o, "strays", n.strays);
	json_put_u64(o, "rings", n.rings);
	json_put_u64(o, "mutes", n.mutes);
	json_put_bool(o, "muted", n.muted);
	json_put_u64(o, "since_ms", since_ms(led->attached_ns));
	return o;
}

json_t *stats_vms(struct shared *sh, const struct stats_filter *f)
{
	json_t *list = json_array();

	for (struct domain *d = sh->domains; d; d = d->next) {
		if (!stats_shows(f, d))
			continue;
		for (uint32_t i = 1; i < d->slots; i++)
			if (d->vm[i]->control)
				json_array_append_new(list,
						      one_vm(d->vm[i]));
	}
	return list;
}

json_t *stats_evict(struct vm *vm, uint32_t uid)
{
	json_t *o = json_object();
	char why[64];

	json_put_str(o, "domain", vm->dom->name);
	json_put_u64(o, "slot", vm->slot);
	json_put_str(o, "name", vm->led.name);
	json_put(o, "pid", json_integer(vm->led.pid));
	json_put_u64(o, "ranks", count_ranks(vm));
	snprintf(why, sizeof(why), "evicted by uid %u", uid);
	vm_end(vm, why);
	return o;
}

uint64_t stats_guest_ns(const struct rank *r, uint64_t ns)
{
	const struct vm *vm = state_rank_vm(r);

	/* A sum that makes no sense is in the future, and is not shown. */
	return ns && vm ? ns + (uint64_t)vm->led.clock_ns : ns;
}

void stats_put_vm(json_t *o, const struct rank *r)
{
	const struct vm *vm = state_rank_vm(r);

	json_put_u64(o, "vm", r->led.vm);
	if (!r->led.vm)
		return;
	json_put_str(o, "vm_name", vm ? vm->led.name : "");
	json_put(o, "vcpu", json_integer(r->led.vcpu));
}
