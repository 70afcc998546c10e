/* SPDX-License-Identifier: MIT */
/*
 * regs.h - small messages through the machine's registers: what we send
 *
 * Two rings of ours besides the channels: `out`, which the daemon's register
 * service reads, and `in`, which it writes.  See "The registers of the
 * machine" in doc/architecture.md.
 */
#ifndef CLIENT_REGS_H
#define CLIENT_REGS_H

#include "client/engine.h"

/**
 * regs_heard() - REGISTERS has come
 *
 * Return: false: malformed, nothing has changed
 */
bool regs_heard(struct snoo *ctx, const struct snoo_wire_registers *m);

/** regs_resumed() - A new daemon: nothing goes that way until it says so */
void regs_resumed(struct snoo *ctx);

/**
 * regs_send() - Hand a send to the registers, if it may go that way now
 *
 * Return: true: it is complete; false: it goes by the channel
 */
bool regs_send(struct snoo *ctx, struct peer *p, struct snoo_request *req);

/**
 * regs_again() - Push what the registers did not deliver into @p's channel
 *
 * Return: true if anything was pushed; the caller owes @p a wake check
 */
bool regs_again(struct snoo *ctx, struct peer *p);

/** regs_look() - Wake the service if it sleeps: edge LOOK, shm_wake_look() */
void regs_look(struct snoo *ctx);

/** regs_turn() - One round: see what has gone, or must go by the channels */
int regs_turn(struct snoo *ctx);

/** regs_forget() - @p is gone or broken: nothing is sent to it again */
void regs_forget(struct peer *p);

/** regs_patience() - How long we may sleep, for what has not gone yet */
uint64_t regs_patience(const struct snoo *ctx);

/** regs_owes() - Is there no daemon for what we sent, and no room for it in the
 * channels yet? */
bool regs_owes(const struct snoo *ctx);

void regs_fini(struct snoo *ctx);

#endif /* CLIENT_REGS_H */
