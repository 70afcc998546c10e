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
