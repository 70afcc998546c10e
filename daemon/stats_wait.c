/* SPDX-License-Identifier: MIT */
/*
 * stats_wait.c - what waiting costs here, and who runs, as JSON
 */
#include "daemon/stats.h"

#include "daemon/telemetry.h"

json_t *stats_waiting(const struct shared *sh)
{
	const struct costs *c = &sh->costs;
	json_t *o = json_object();

	if (c->wake_ns)
		json_put_u64(o, "wake_ns", c->wake_ns);
	if (c->yield_ns)
		json_put_u64(o, "yield_ns", c->yield_ns);
	if (c->hand_ns)
		json_put_u64(o, "hand_ns", c->hand_ns);
	json_put_u64(o, "spin_ns", costs_spin_ns(c));
	if (*c->why)
		json_put_str(o, "why", c->why);
	return o;
}

void stats_put_run(json_t *o, const struct rank *r)
{
	struct telemetry_rank t;

	if (!telemetry_of(r, &t))
		return;
	json_put_str(o, "run", t.state);
	json_put(o, "run_cpu", json_integer(t.cpu));
	json_put_u64(o, "run_waited_ns", t.waited_ns);
	json_put_u64(o, "run_waits", t.waits);
}
