/* SPDX-License-Identifier: MIT */
/*
 * snoorun_common.c - what the parts of snoorun share
 */
#include "tools/snoorun_common.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

sigset_t snoorun_old_mask;

int64_t snoorun_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void snoorun_say(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "snoorun: %s\n", line);
}
