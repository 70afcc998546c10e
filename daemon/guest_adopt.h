/* SPDX-License-Identifier: MIT */
/*
 * guest_adopt.h - take over the sessions of a daemon that died
 */
#ifndef DAEMON_GUEST_ADOPT_H
#define DAEMON_GUEST_ADOPT_H

#include "daemon/guest_state.h"

/**
 * guest_adopt() - All sessions that the keeper has
 *
 * The host is told their numbers with KNOWN, says RESUMED to the ranks that it
 * knows, and END for the others; the ranks notice nothing else.
 */
void guest_adopt(struct guest *g);

#endif /* DAEMON_GUEST_ADOPT_H */
