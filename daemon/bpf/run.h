/* SPDX-License-Identifier: MIT */
/*
 * run.h - what the BPF programs keep of a rank, for them and daemon/telemetry*.c
 */
#ifndef DAEMON_BPF_RUN_H
#define DAEMON_BPF_RUN_H

/* As enum snoo_wire_oncpu_state says it to ranks. */
enum run_state {
	RUN_UNKNOWN	= 0,	/* it has not moved since it was marked */
	RUN_RUNS	= 1,
	RUN_WANTS	= 2,	/* it waits for its CPU */
	RUN_SLEEPS	= 3,
};

/** struct run_task - In the storage of a rank's first thread */
struct run_task {
	__u32 slot;		/* rank slot + 1; 0: not ours any more */
	__u32 instance;		/* of the slot: whose entry it is */
	__u64 since_ns;		/* that it wants a CPU; 0: it does not, or has
				 * one */
};

/**
 * struct run_rank - Of a rank slot; the programs write, daemon and ranks map it
 *
 * Two cache lines, which no other rank's switches touch (46 ns a switch instead of
 * 92, with eight ranks on each of two cores).
 *
 * No two are written at once: a task is on one run queue at a time, and the
 * kernel holds its lock.  A reader that finds one half-written shows, once, a
 * time that is short of one wait.
 */
struct run_rank {
	__u64 waited_ns;	/* for a CPU, while it wanted one */
	__u64 waits;		/* times */
	__u32 state;		/* enum run_state */
	__u32 cpu;		/* where that was */
	__u32 instance;		/* of the rank that all this is of, the last
				 * one in the slot that was watched */
	__u32 reserved;
	__u64 more[12];
};

#endif /* DAEMON_BPF_RUN_H */
