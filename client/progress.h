/* SPDX-License-Identifier: MIT */
/* progress.h - one round of everything that is outstanding */
#ifndef CLIENT_PROGRESS_H
#define CLIENT_PROGRESS_H

#include "client/engine.h"

#define PROGRESS_MANY	16	/* channels; beyond, the summary is cheaper */

/**
 * progress() - Look at everything once, push what can be pushed
 *
 * Never blocks.  Return: how much was done; 0: nothing
 */
int progress(struct snoo *ctx);

#endif /* CLIENT_PROGRESS_H */
