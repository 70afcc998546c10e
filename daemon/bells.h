/* SPDX-License-Identifier: MIT */
/*
 * bells.h - the eventfds of a domain's VM slots, and a thread that rings them
 *
 * Each VM slot t > 0 has one eventfd for each vector: QEMU turns a write of it
 * into MSI-X.  Slot 0, the host, has one for each vector *and each slot that
 * may ring it*, so that the daemon sees who rings and can stop listening to
 * one; bells_fd(b, 0, 0, v) is for host processes among themselves.
 *
 *                 to slot 0          to slot 1   to slot 2
 *   from slot 0   [0][0][v]          [1][v]      [2][v]
 *   from slot 1   [0][1][v]             -        [2][v]
 *   from slot 2   [0][2][v]          [1][v]         -
 *
 * Beside them each VM slot has two for its control device, one each way, which
 * no other slot is told of.
 *
 * All are made once, with the domain, and kept: their ids never change hands
 * while a QEMU or a rank holds them (static slots, doc/virtual-machines.md).
 *
 * Shared eventfds are hostile: any holder can take O_NONBLOCK off the shared
 * description and fill the counter, and then a write hangs.  So the loop never
 * writes one: it marks a bit, and the bell thread of the domain writes; it
 * empties a full counter first.  Who fills it again, fast enough, withholds
 * bells of its own domain.  Reading is by preadv2(RWF_NOWAIT) only.
 *
 * bells_ring(): any thread.  The others: the loop's thread.
 */
#ifndef DAEMON_BELLS_H
#define DAEMON_BELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/keeper.h"

#define BELLS_SLOTS_MAX		64u
#define BELLS_VECTORS_MAX	64u

struct bells;

struct bells_params {
	const char *domain;		/* for the keeper's names */
	/* An adopted domain's are in its ledger: the file may have changed. */
	uint32_t slots;			/* with slot 0: 2 .. BELLS_SLOTS_MAX */
	uint32_t vectors;		/* 2 .. BELLS_VECTORS_MAX */
	struct keeper *keeper;
};

/**
 * bells_open() - Make them all, or take them from the keeper, all or none
 *
 * Fresh ones are stored with the keeper (FDPOLL=0), by names
 * "DOMAIN/bell/TO/FROM/VECTOR" (FROM is "any" where TO is a VM's slot); the
 * caller does the barrier.  It starts the thread that rings them (toll.h).
 *
 * Return: 0 on success, negative error code otherwise; nothing stays open
 *	-EMFILE	 raise LimitNOFILE: bells_count() of them are needed
 *	-ENOMEM, or -errno of eventfd(2) and pthread_create(3)
 */
int bells_open(struct bells **out, const struct bells_params *p);
/* Were they the keeper's?  Then QEMUs may hold them; else nobody does. */
bool bells_adopted(const struct bells *b);
/* Ends the thread, also one that hangs in a write; NULL is allowed. */
void bells_close(struct bells *b);
/* The domain ends: the keeper forgets them. */
void bells_forget(struct bells *b);

uint32_t bells_slots(const struct bells *b);
uint32_t bells_vectors(const struct bells *b);

/* How many eventfds that many slots and vectors need; 0 for the host alone. */
uint32_t bells_count(uint32_t slots, uint32_t vectors);

/* The eventfd by which @from rings @vector of @to; it asserts its bounds.  A
 * VM's own vectors: any @from will do. */
int bells_fd(const struct bells *b, uint32_t from, uint32_t to,
	     uint32_t vector);

/* Of the control device of slot @slot > 0: what the VM rings us by, and what we
 * ring the VM by. */
int bells_control_in(const struct bells *b, uint32_t slot);
int bells_control_out(const struct bells *b, uint32_t slot);
/* As bells_ring(). */
void bells_ring_control(struct bells *b, uint32_t slot);

/* The daemon rings @vector of slot @to.  Never blocks; a bell that is not
 * written yet is written once. */
void bells_ring(struct bells *b, uint32_t to, uint32_t vector);

/* A slot has a new owner: what was rung before is not for it. */
void bells_drain(struct bells *b, uint32_t slot);


#endif /* DAEMON_BELLS_H */
