/* SPDX-License-Identifier: MIT */
/*
 * guest_stats.h - what the daemon of a VM knows, as JSON
 *
 * Each returns a new reference, or NULL when memory ran out.  What the host
 * said is shown as the host's word, what ranks say in the pool as it is.
 */
#ifndef DAEMON_GUEST_STATS_H
#define DAEMON_GUEST_STATS_H

#include <stdbool.h>

#include "daemon/json.h"

struct guest;

/* Is it the domain's name, the host's for it or ours? */
bool guest_stats_is_domain(const struct guest *g, const char *name);

json_t *guest_stats_status(struct guest *g);
/* @job: its name, or the host's number for it; NULL: all */
json_t *guest_stats_ranks(struct guest *g, const char *job);

#endif /* DAEMON_GUEST_STATS_H */
