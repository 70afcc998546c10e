/* SPDX-License-Identifier: MIT */
/*
 * telemetry_none.c - telemetry_bpf.h in a daemon built with BPF=0
 */
#include "daemon/telemetry_bpf.h"

#include <errno.h>
#include <stdio.h>

int telemetry_bpf_load(int fd[TELEMETRY_FDS], uint32_t slots,
		       char why[TELEMETRY_TEXT])
{
	(void)fd;
	(void)slots;
	snprintf(why, TELEMETRY_TEXT, "this daemon was built without it");
	return -ENOTSUP;
}

int telemetry_bpf_mark(int tasks, int pidfd, uint32_t slot, uint32_t instance)
{
	(void)tasks;
	(void)pidfd;
	(void)slot;
	(void)instance;
	return -ENOTSUP;
}
