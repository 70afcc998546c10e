/* SPDX-License-Identifier: MIT */
/*
 * vm.h - the VM slots of a domain: who comes, who is who, who is gone
 *
 * A QEMU connects twice, once for each of its devices (ivshmem.h).  The two
 * connections of a VM are brought together by the process that made them; a
 * process that has both already begins another slot.
 *
 *   FREE      nobody
 *   HALF      one of the two connections
 *   ATTACHED  both; no guest daemon has spoken, or it begins a session
 *   LIVE      the guest daemon was welcomed: ranks may join
 *   CUT       the guest broke the protocol (control.c): its ranks are dead, a
 *             new session begins again
 *
 * The end of either connection ends the slot and its ranks, and so does the
 * end of the process.  Whose process ends while both connections live was a
 * launcher that passed them on: no death.  A VM that is paused ends nothing.
 *
 * What the next daemon needs is in the ledger and with the keeper, as
 * "DOMAIN/vm/SLOT/INSTANCE/pool", ".../control", ".../pidfd", ".../memory",
 * before QEMU is answered.
 *
 * One thread.
 */
#ifndef DAEMON_VM_H
#define DAEMON_VM_H

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

/**
 * vm_open() - Bells, slots and sockets, if the domain has VM slots
 * @why:	VM_TEXT bytes: on failure a sentence
 *
 * d->slots and d->vectors are set, the ledger is open.  Before privileges are
 * given up.
 *
 * Return: 0 on success, negative error code otherwise; vm_close() in any case
 */
int vm_open(struct domain *d, char why[VM_TEXT]);
/* Slots with the host's that a fresh domain needs; 1: none for VMs, no bells.
 * Eventfds for the host's ranks alone (ivshmem.host_bells) take 2. */
uint32_t vm_slots(const struct conf_domain *conf);
/* Accept QEMUs: 0 or -errno. */
int vm_start(struct domain *d);

/* After vm_open(), before ranks are adopted: VMs that the last daemon had.
 * What can't be taken over ends when the loop runs. */
void vm_adopt(struct domain *d);

/* LISTEN_KEEP_FILE: the next daemon goes on.  Sessions have ended before. */
void vm_close(struct domain *d, enum listen_end end);

/**
 * vm_end() - The slot is free again; its ranks are dead
 * @why:	For the log
 *
 * Ranks whose QEMU still runs stay in quarantine until it ends.
 */
void vm_end(struct vm *vm, const char *why);

/* The same when the loop has done what it does now. */
void vm_break(struct vm *vm, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Put the copy into the ledger. */
void vm_put(struct vm *vm);

/* By name or by the slot's number; NULL: none that is in use. */
struct vm *vm_find(struct domain *d, const char *name);

/* "free", "half", "attached", "live", "cut". */
const char *vm_state_name(const struct vm *vm);

/* ---- vm_name.c ---- */

/* What QEMU's command line calls it, if the name may be had; else
 * "vm-SLOT". */
void vm_take_name(struct vm *vm);

/* The value of QEMU's -name in @len bytes of arguments, each with its NUL: 0,
 * or -ENOENT. */
int vm_name_of(const char *cmdline, size_t len, char name[CONF_NAME_MAX + 1]);

/* ---- vm_cpu.c ---- */

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

/* The cpu that a vCPU is pinned to, and its node; PLACE_NO_CPU, node 0. */
struct place_seat vm_cpu_seat(const struct vm *vm, int32_t vcpu);

#endif /* DAEMON_VM_H */
