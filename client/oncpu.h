/* SPDX-License-Identifier: MIT */
/*
 * oncpu.h - who has a CPU, read from the kernel's map
 *
 * One thread, the rank's.  Nothing here is a system call, but for those that map
 * and unmap.
 */
#ifndef CLIENT_ONCPU_H
#define CLIENT_ONCPU_H

#include "client/engine.h"
#include "client/session.h"

/**
 * oncpu_heard() - ONCPU has come, with its fd or without
 *
 * Return: false: it makes no sense
 */
bool oncpu_heard(struct snoo *ctx, const struct snoo_wire_oncpu *m,
		 const struct session_fds *fds);

/** oncpu_resumed() - Another daemon: what we have may stand still */
void oncpu_resumed(struct snoo *ctx);

/** oncpu_close() - Unmap */
void oncpu_close(struct snoo *ctx);

/**
 * oncpu_hint() - Do those run who can end our wait?
 * @whom:	The rank that it is, or ENGINE_ANY; in a meeting it is who has
 *		not arrived
 *
 * Return: PATIENCE_RUNS: one of them; PATIENCE_RESTS: all of them sleep
 */
enum patience_hint oncpu_hint(struct snoo *ctx, uint32_t whom);

/** oncpu_waits() - How often we had to wait for our CPU; 0: not known */
uint64_t oncpu_waits(const struct snoo *ctx);

#endif /* CLIENT_ONCPU_H */
