/* SPDX-License-Identifier: MIT */
/*
 * guest_runner.h - the process in a VM that starts programs for the host
 *
 * It speaks frames of control.h on a SEQPACKET socket, one a message, with a
 * guest daemon that passes them on: RUN, DATA, CREDIT, SIGNAL, RUNS from the
 * host, STARTED, DATA, CREDIT, FINISHED to it.  It outlives the guest daemon;
 * when nobody holds the other end any more, it ends its programs and itself.
 *
 * What may be started it reads from the configuration, never from the socket:
 * the daemon at the other end has given up the privilege to become another
 * user, and should not have it by way of us.
 */
#ifndef DAEMON_GUEST_RUNNER_H
#define DAEMON_GUEST_RUNNER_H

#include <stdint.h>

#include <snoo/control.h>

#include "daemon/conf.h"
#include "daemon/guest_rules.h"

/* Raised when these messages change: a runner may be older than its daemon. */
#define GUEST_RUNNER_VERSION	1u

/* A daemon has adopted this runner: read the configuration again. */
#define GUEST_RUNNER_ADOPT	0x1001u

struct guest_runner_adopt {
	struct snoo_ctl_frame frame;
	uint32_t version;		/* another one: end */
	uint32_t reserved;
};

struct guest_runner_params {
	int socket;
	const char *config;		/* as for conf_load() */
	const struct conf_overrides *ov;
	struct guest_rules rules;	/* ours from now on */
};

/**
 * guest_runner_main() - Be the runner, until the socket ends
 *
 * In a process of its own with one thread and no other fds than the standard
 * ones.  Signals: SIGTERM ends it and its programs.
 *
 * Return: the exit code
 */
int guest_runner_main(struct guest_runner_params *p);

#endif /* DAEMON_GUEST_RUNNER_H */
