/* SPDX-License-Identifier: MIT */
/*
 * vm_cpu.h - the vCPU threads of a QEMU: find, pin, tell where they are
 */
#ifndef DAEMON_VM_CPU_H
#define DAEMON_VM_CPU_H

#include "daemon/vm_state.h"

/**
 * vm_cpu_find() - Which threads are its vCPUs, and where do they run?
 *
 * led.vcpus is what the guest says it has.  With ivshmem.pin_vcpus they are
 * pinned, each to a cpu of its own as far as there are, and take a seat there.
 */
void vm_cpu_find(struct vm *vm);
void vm_cpu_forget(struct vm *vm);
/* pin_vcpus may have changed. */
void vm_cpu_reload(struct domain *d);

#endif /* DAEMON_VM_CPU_H */
