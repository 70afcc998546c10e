/* SPDX-License-Identifier: MIT */
/*
 * snoorun_common.h - what the parts of snoorun share
 */
#ifndef TOOLS_SNOORUN_COMMON_H
#define TOOLS_SNOORUN_COMMON_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SNOORUN_RANKS_MAX	1024

/* Exit codes of our own; env(1) and timeout(1) use the same. */
enum {
	SNOORUN_USAGE	= 2,
	SNOORUN_TIMEOUT	= 124,
	SNOORUN_FAILED	= 125,
	SNOORUN_NO_EXEC	= 126,
	SNOORUN_NO_FILE	= 127,
};

/* A part of --on. */
struct snoorun_place {
	char name[64];
	unsigned int ranks;
};

/**
 * struct snoorun_opts - What the command line asked for
 */
struct snoorun_opts {
	unsigned int n;
	const char *job;		/* NULL: the program's own name */
	const char *domain;
	const char *socket;		/* NULL: look for it */
	const char *place;		/* NULL: the daemon's own policy */
	const char *pool_size;
	bool private;
	bool prefix;
	bool verbose;
	int64_t timeout_ms;		/* 0: none */
	unsigned int *core;		/* cpu wished for by rank i % ncores */
	unsigned int ncores;
	struct snoorun_place *on;	/* in the order of ranks */
	unsigned int nplaces;		/* 0: all on the host */
	const char *env[16];		/* -x: names for ranks in VMs, too */
	unsigned int nenv;
	char **argv;			/* the program, ended by NULL */
};

/* The mask before we blocked our signals: what a child gets back. */
extern sigset_t snoorun_old_mask;

int64_t snoorun_now_ms(void);

/* "snoorun: ..." and a newline on stderr. */
void snoorun_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
