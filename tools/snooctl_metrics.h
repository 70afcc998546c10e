/* SPDX-License-Identifier: MIT */
/*
 * snooctl_metrics.h - the daemon's numbers as text for Prometheus
 */
#ifndef TOOLS_SNOOCTL_METRICS_H
#define TOOLS_SNOOCTL_METRICS_H

#include <stdio.h>

#include "tools/snooctl_link.h"

/**
 * metrics_print() - Ask for everything that counts, print it
 *
 * Return: 0, or a negative error code, told on stderr; nothing is printed
 */
int metrics_print(struct link *l, FILE *out);

#endif
