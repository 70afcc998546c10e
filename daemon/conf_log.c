/* SPDX-License-Identifier: MIT */
/*
 * conf_log.c - what a reload changes, for the log
 */
#include "daemon/conf_log.h"

#include "daemon/log.h"

void conf_log_changes(const struct conf *before, const struct conf *after)
{
	struct conf_change *change;
	unsigned int n;

	if (conf_diff(before, after, &change, &n))
		return;
	for (unsigned int i = 0; i < n; i++)
		log_always(change[i].live ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
			   "configuration %s key=%s before=%s after=%s",
			   change[i].live ? "changed" :
			   "would change at a restart", change[i].path,
			   change[i].before, change[i].after);
	if (n == 0)
		log_always(LOG_LEVEL_INFO, "configuration is unchanged");
	conf_diff_free(change, n);
}

void conf_log_tuned(const struct conf *c)
{
	if (c->tuned.why_not)
		log_warn("measured sizes are not used path=%s: %s",
			 c->tuned.path, c->tuned.why_not);
	else if (c->tuned.in_force)
		log_always(LOG_LEVEL_INFO, "measured sizes are in force "
			   "path=%s", c->tuned.path);
}
