/* SPDX-License-Identifier: MIT */
/*
 * vm_state.h - what the daemon knows of a VM: struct, words, lookups
 *
 * The states are drawn in vm.h.  What must outlive the daemon is in `led`.
 */
#ifndef DAEMON_VM_STATE_H
#define DAEMON_VM_STATE_H

#include "daemon/state.h"

struct control;

#define VM_TEXT		256u

enum vm_line_kind { VM_POOL, VM_CONTROL, VM_LINES };

/* struct ledger_vm.flags */
#define VM_ASKED	0x1u	/* a session has begun, HELLO is due */
#define VM_GREETED	0x2u	/* HELLO has come, READY is due */
#define VM_PINNED	0x4u	/* its vCPUs sit where we put them */
#define VM_LAUNCHED	0x8u	/* who connected has passed the sockets on */

/** struct vm_line - One connection of a QEMU */
struct vm_line {
	struct vm *vm;
	int fd;				/* -1: not there */
	struct loop_watch *watch;
};

/** struct vm_vcpu - A thread of QEMU */
struct vm_vcpu {
	int tid;			/* 0: not found */
	struct place_seat seat;		/* cpu: where it is pinned, by anybody */
	bool seated;			/* by us: it counts in place.h */
};

/** struct vm - One VM slot, in use or not; as long as the domain */
struct vm {
	struct domain *dom;
	uint32_t slot;
	struct ledger_vm led;
	struct vm_line line[VM_LINES];
	int pidfd;			/* -1: not known, or it has ended */
	struct loop_watch *death;
	int memory;			/* of the control device; -1 */
	struct control *control;	/* NULL while FREE */
	struct vm_vcpu *vcpu;		/* vm_cpu.c */
	uint32_t nvcpu;
	struct loop_work work;		/* broken: end it */
	char broken[VM_TEXT];		/* why; "": it is not */
};

/* vm_end() of vm.h, when the loop has done what it does now. */
void vm_break(struct vm *vm, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Put the copy into the ledger. */
void vm_put(struct vm *vm);

/* By name or by the slot's number; NULL: none that is in use. */
struct vm *vm_find(struct domain *d, const char *name);

/* "free", "half", "attached", "live", "cut". */
const char *vm_state_name(const struct vm *vm);

/* The cpu that a vCPU is pinned to, and its node; PLACE_NO_CPU, node 0. */
struct place_seat vm_cpu_seat(const struct vm *vm, int32_t vcpu);

#endif /* DAEMON_VM_STATE_H */
