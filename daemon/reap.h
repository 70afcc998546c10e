/* SPDX-License-Identifier: MIT */
/*
 * reap.h - a rank has left or died: tell, quarantine, free
 *
 * Theory of operation
 * ===================
 *
 * Each step is committed to the ledger before the next, and may be repeated:
 *
 *  1. the rank is LEFT or DEAD, with a GONE epoch of its job's own
 *  2. its state is shown in the pool; its free blocks come back
 *  3. every other member gets GONE, and is rung whatever it does; what the
 *     rank has published for the registers goes first (regs.h)
 *  4. quarantine: its rings and busy blocks stay until every member that was
 *     there when it went has acknowledged that epoch or is gone itself, and
 *     until its process has ended (one that left keeps its hands off)
 *  5. the rest is seized, the slot is free
 *  6. with the last slot of a job, the job's area
 *
 * A job of stated size that loses a rank while it is forming can never be
 * complete: the others get ERROR.
 */
#ifndef DAEMON_REAP_H
#define DAEMON_REAP_H

#include "daemon/state.h"

/**
 * reap_rank() - The rank is gone; steps 1 to 3
 * @state:	LEDGER_RANK_LEFT or LEDGER_RANK_DEAD
 *
 * Once gone it stays gone: a second call does nothing.  Its session, if there
 * is one, is no longer its own.
 */
void reap_rank(struct rank *r, uint32_t state);

/* Its process has ended. */
void reap_exited(struct rank *r);

/**
 * reap_vm_gone() - Nobody answers for the ranks of that VM, or boot, any more
 * @pidfd:	Of its QEMU, to be copied: as long as that runs, the rank may
 *		touch the pool; -1: it can't
 */
void reap_vm_gone(struct rank *r, int pidfd);

/* ACK: 0, or -EPROTO: an epoch that never was. */
int reap_ack(struct rank *r, uint32_t gone);

/* GONE again of everybody who went after epoch @seen. */
void reap_tell(struct rank *r, uint32_t seen);

/* Is somebody still reading what @r has published?  NULL: nobody. */
const struct rank *reap_waits_for(const struct rank *r);

/* Steps 5 and 6, for all that are ready: d->reap_work does it. */
void reap_open(struct domain *d);
void reap_close(struct domain *d);

/* After adoption: steps that the last daemon may have left undone. */
void reap_again(struct rank *r);
/* After adoption, of a job without ranks. */
void reap_job(struct job *j);

#endif /* DAEMON_REAP_H */
