/* SPDX-License-Identifier: MIT */
/*
 * snoorun_daemon.h - find the daemon that runs, or start a private one
 */
#ifndef TOOLS_SNOORUN_DAEMON_H
#define TOOLS_SNOORUN_DAEMON_H

#include "tools/snoorun_common.h"

/**
 * struct private_daemon - A daemon for this launch alone
 */
struct private_daemon {
	pid_t pid;		/* 0: none, or it has ended */
	int log_fd;		/* what it said, shown if it fails */
	char dir[64];		/* 0700, removed at the end */
};

/**
 * daemon_find() - The client socket of a daemon that answers
 * @socket:	Its path
 *
 * Return: 0; -ENOENT: none runs; another error: told on stderr
 */
int daemon_find(const struct snoorun_opts *o, char *socket, size_t len);

/**
 * daemon_start() - Start one and wait until it is ready
 * @sigfd:	Our signals: an interrupt ends the wait
 *
 * Return: 0, or a negative error code, told on stderr; nothing is left over
 */
int daemon_start(struct private_daemon *d, const struct snoorun_opts *o,
		 int sigfd, char *socket, size_t len);

/* It has ended while it was needed; @status is from waitpid(2). */
void daemon_died(struct private_daemon *d, int status);

/* End it, remove its directory.  Nothing to do if there is none. */
void daemon_stop(struct private_daemon *d);

#endif
