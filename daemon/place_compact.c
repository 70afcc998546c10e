/* SPDX-License-Identifier: MIT */
/*
 * place_compact.c - policy: fill a cluster before the next
 *
 * For ranks that talk much: lines cross one shared cache.  Hardware threads
 * of a core that is in use come after idle cores, because choosing counts
 * ranks per core first.
 */
#include "daemon/place.h"

static bool compact_before(const struct place *p, unsigned int a,
			   unsigned int b)
{
	if (place_on_cpu(p, a) != place_on_cpu(p, b))
		return place_on_cpu(p, a) < place_on_cpu(p, b);
	return place_position(p, a) < place_position(p, b);
}

const struct place_policy place_compact = {
	.name	= "compact",
	.before	= compact_before,
};
