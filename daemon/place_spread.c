/* SPDX-License-Identifier: MIT */
/*
 * place_spread.c - policy: one rank per cluster first
 *
 * For ranks that compute much: each gets as much cache and memory bandwidth
 * as there is.
 */
#include "daemon/place.h"

static bool spread_before(const struct place *p, unsigned int a,
			  unsigned int b)
{
	if (place_on_cluster(p, a) != place_on_cluster(p, b))
		return place_on_cluster(p, a) < place_on_cluster(p, b);
	if (place_on_cpu(p, a) != place_on_cpu(p, b))
		return place_on_cpu(p, a) < place_on_cpu(p, b);
	return place_position(p, a) < place_position(p, b);
}

const struct place_policy place_spread = {
	.name	= "spread",
	.before	= spread_before,
};
