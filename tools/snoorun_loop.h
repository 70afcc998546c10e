/* SPDX-License-Identifier: MIT */
/*
 * snoorun_loop.h - start the ranks, pass on streams and signals, end them
 */
#ifndef TOOLS_SNOORUN_LOOP_H
#define TOOLS_SNOORUN_LOOP_H

#include "tools/snoorun_common.h"
#include "tools/snoorun_daemon.h"

/**
 * loop_run() - Run the program to its end
 * @socket:	Client socket of the daemon
 * @d:		The private daemon, or one with pid 0
 * @sigfd:	All signals that are ours to handle are blocked and come here
 *
 * Return: the exit code
 */
int loop_run(const struct snoorun_opts *o, const char *socket,
	     struct private_daemon *d, int sigfd);

#endif
