/* SPDX-License-Identifier: MIT */
/*
 * regs_in.h - small messages through the machine's registers: what comes
 *
 * The ring `in`, which the daemon's register service writes; regs.h is the
 * other half.
 */
#ifndef CLIENT_REGS_IN_H
#define CLIENT_REGS_IN_H

#include "client/engine.h"

/** regs_in_drain() - Take what has come; how much it was */
int regs_in_drain(struct snoo *ctx);

/** regs_in_due() - Does something of @p, which is gone, still come this way? */
bool regs_in_due(const struct snoo *ctx, const struct peer *p);

/** regs_in_tell() - Give consumed lines back, before we sleep */
void regs_in_tell(struct snoo *ctx);

#endif /* CLIENT_REGS_IN_H */
