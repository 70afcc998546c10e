/* SPDX-License-Identifier: MIT */
/*
 * opts.h - the command line of snoo-daemon
 */
#ifndef DAEMON_OPTS_H
#define DAEMON_OPTS_H

#include <stdbool.h>

#include "daemon/conf.h"

#define OPTS_CONFIG	"/etc/snoo/snoo.json"	/* read if it is there */
#define OPTS_SETS_MAX	64
#define OPTS_TUNED	"/var/lib/snoo/tuned.json"
#define OPTS_PATH_MAX	512

enum opts_do {
	OPTS_RUN,
	OPTS_CHECK,		/* --check-config */
	OPTS_PROBE,		/* --probe-registers */
	OPTS_EXIT,		/* --help, --version: said and done */
	OPTS_WRONG,		/* the mistake has been printed */
};

/** struct opts - What the command line says */
struct opts {
	enum opts_do what;
	const char *config;	/* NULL: none */
	struct conf_overrides ov;
	const char *sets[OPTS_SETS_MAX];
	char tuned[OPTS_PATH_MAX];	/* what ov.tuned points to, if the
					 * command line does not say */
	int ready_fd;		/* -1: none */
	bool exit_with_parent;
	bool no_keeper;
	bool probe_writes;	/* --probe-registers=write */
};

/* @o points into @argv afterwards, and into itself: do not copy it. */
void opts_parse(struct opts *o, int argc, char **argv);

#endif /* DAEMON_OPTS_H */
