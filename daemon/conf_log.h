/* SPDX-License-Identifier: MIT */
/*
 * conf_log.h - what a reload changes, for the log
 */
#ifndef DAEMON_CONF_LOG_H
#define DAEMON_CONF_LOG_H

#include "daemon/conf.h"

/* One line for each difference; which take a restart, as a warning. */
void conf_log_changes(const struct conf *before, const struct conf *after);

/* Measured sizes: that they are in force, or why not. */
void conf_log_tuned(const struct conf *c);

#endif /* DAEMON_CONF_LOG_H */
