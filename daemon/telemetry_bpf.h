/* SPDX-License-Identifier: MIT */
/*
 * telemetry_bpf.h - the programs in the kernel: load, mark, read
 *
 * telemetry_bpf.c is the door to libbpf; a daemon built with BPF=0 has
 * telemetry_none.c in its place, which can do nothing and says so.
 */
#ifndef DAEMON_TELEMETRY_BPF_H
#define DAEMON_TELEMETRY_BPF_H

#include <stdint.h>

#define TELEMETRY_TEXT	192

/* What keeps the programs running: as long as one copy of each is open. */
enum telemetry_fd {
	TELEMETRY_RANKS,	/* map: struct run_rank of each slot */
	TELEMETRY_TASKS,	/* map: storage of ranks' tasks */
	TELEMETRY_SWITCH,	/* link: sched_switch */
	TELEMETRY_WAKEUP,	/* link: sched_wakeup */
	TELEMETRY_FDS,
};

/**
 * telemetry_bpf_load() - Load and attach both programs
 * @fd:		TELEMETRY_FDS of them, the caller's to close; untouched on error
 * @slots:	Rank slots
 *
 * Needs CAP_BPF and CAP_PERFMON.  Some tens of milliseconds.
 *
 * Return: 0 on success, negative error code otherwise, with a sentence in @why
 *	-EPERM	  not allowed
 *	-ENOTSUP  the kernel can't, or this daemon was built without
 */
int telemetry_bpf_load(int fd[TELEMETRY_FDS], uint32_t slots,
		       char why[TELEMETRY_TEXT]);

/**
 * telemetry_bpf_mark() - The first thread of a process is a rank
 * @tasks:	TELEMETRY_TASKS
 * @slot:	Its slot + 1; 0: it is none any more
 * @instance:	Of the slot, which says whose entry it is
 *
 * A process that ends needs no unmarking.
 *
 * Return: 0, or -errno of bpf(2)
 */
int telemetry_bpf_mark(int tasks, int pidfd, uint32_t slot,
		       uint32_t instance);

#endif /* DAEMON_TELEMETRY_BPF_H */
