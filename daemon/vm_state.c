/* SPDX-License-Identifier: MIT */
/*
 * vm_state.c - what the daemon knows of a VM: struct, words, lookups
 */
#include "daemon/vm_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *vm_state_name(const struct vm *vm)
{
	switch (vm->led.state) {
	case LEDGER_VM_HALF:
		return "half";
	case LEDGER_VM_ATTACHED:
		return "attached";
	case LEDGER_VM_LIVE:
		return "live";
	case LEDGER_VM_CUT:
		return "cut";
	default:
		return "free";
	}
}

void vm_put(struct vm *vm)
{
	ledger_put_vm(vm->dom->ledger, vm->slot - 1, &vm->led);
}

struct vm *vm_find(struct domain *d, const char *name)
{
	char number[16];

	for (uint32_t i = 1; i < d->slots; i++) {
		struct vm *vm = d->vm[i];

		snprintf(number, sizeof(number), "%u", i);
		if (vm->control && (strcmp(name, vm->led.name) == 0 ||
				    strcmp(name, number) == 0))
			return vm;
	}
	return NULL;
}

void vm_break(struct vm *vm, const char *fmt, ...)
{
	va_list ap;

	if (vm->broken[0] || !vm->control)
		return;
	va_start(ap, fmt);
	vsnprintf(vm->broken, sizeof(vm->broken), fmt, ap);
	va_end(ap);
	loop_defer(vm->dom->sh->loop, &vm->work);
}

struct place_seat vm_cpu_seat(const struct vm *vm, int32_t vcpu)
{
	if (vcpu < 0 || (uint32_t)vcpu >= vm->nvcpu)
		return (struct place_seat){ .cpu = PLACE_NO_CPU };
	return vm->vcpu[vcpu].seat;
}
