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
 * end of the process.  When all slots are taken, the oldest that has been HALF
 * for longer than limits.handshake_ms ends too.  Whose process ends while both connections live was a
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

#include "daemon/vm_state.h"

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

/* ---- vm.c, for vm_slots.c ---- */

/* "pool", "control" */
extern const char *const vm_line_name[VM_LINES];

/* Somebody has connected: as listen_start()'s function. */
int vm_connected(struct domain *d, int fd, enum vm_line_kind kind);
void vm_on_work(void *vm);
/* From the keeper: -1 if it has none. */
int vm_take_kept(const struct vm *vm, const char *what);
int vm_watch_line(struct vm *vm, enum vm_line_kind kind, int fd);
int vm_watch_process(struct vm *vm);
/* Close our side of it; not @let_go: the keeper's and QEMU's too. */
void vm_hang_up(struct vm *vm, bool let_go);

#endif /* DAEMON_VM_H */
