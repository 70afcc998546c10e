/* SPDX-License-Identifier: MIT */
/*
 * fakeloongson.h - a Loongson of files and memory, which faults on a bad store
 *
 * The back end is opened on it as on a machine: /proc/cpuinfo and the like are
 * files in a folder, /dev/mem is a memfd.  The pages that it maps are read-only.
 * A store faults; the handler looks where it goes:
 *
 *   MailBox1..3 of a core that may be written	the page is made writable, the
 *						one instruction is run by the
 *						processor's trap flag, and the
 *						page is read-only again
 *   anywhere else				the process ends with
 *						FAKELOONGSON_BAD_STORE
 *
 * So every store of the code that ships is seen, by address, one by one: not a
 * build with hooks in it, and not only what has changed afterwards.  Where the
 * C library has no name for a trap flag (REG_EFL: other processors than x86)
 * the page stays writable until the operation ends: there only the first
 * store of each is seen, and what others change.  Threads share the page: what
 * one stores while another one's instruction runs is not looked at.
 *
 * The test has its own mapping, which it may write: it is the kernel.
 *
 * One machine in a process at a time; children may use their parent's.
 */
#ifndef TESTS_FAKELOONGSON_H
#define TESTS_FAKELOONGSON_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/hal.h"
#include "hal/loongson/loongson.h"

#define FAKELOONGSON_CPUS	8u
#define FAKELOONGSON_PAGE	16384u
#define FAKELOONGSON_IPI	0x1000u	/* of core 0's block in the page */
#define FAKELOONGSON_BAD_STORE	98	/* exit status */

/** struct fakeloongson_cpu - Where a core of the kernel's numbering is */
struct fakeloongson_cpu {
	uint32_t package, core;
	bool online;
};

/** struct fakeloongson_seen - What was written, over all processes */
struct fakeloongson_seen {
	_Atomic uint32_t allowed;	/* mask of CPUs that may be written */
	_Atomic uint64_t stores;
	_Atomic uint64_t store[FAKELOONGSON_CPUS][HAL_MAILBOXES];
};

/**
 * struct fakeloongson - The machine
 * @model:	Line of cpuinfo: "ICT Loongson-3 V0.13", "Loongson-3A5000"
 * @open_errno:	sys.open fails so
 * @mmap_errno:	sys.mmap fails so, @mmap_at alone or, if that is 0, always
 * @sigbus:	Pages raise SIGBUS when they are read
 * @dead_box:	This mailbox keeps nothing; only if fakeloongson_steps()
 */
struct fakeloongson {
	struct loongson_sys sys;
	const char *model;
	struct fakeloongson_cpu cpu[FAKELOONGSON_CPUS];
	uint32_t ncpus;
	int open_errno;
	int mmap_errno;
	uint64_t mmap_at;
	bool sigbus;
	uint32_t dead_box;
	struct fakeloongson_seen *seen;
	struct hal_ops ops;		/* the back end, on this machine */
	char dir[64];
	uint8_t *page[LOONGSON_NODES];	/* the kernel's mapping */
	int memfd;
};

/* Four cores of a 3A3000; or seven on two nodes, the firmware keeps one: 5, core
 * 0 of node 1, is offline, and 3, 4, 6 are cores 1, 2, 3 of that node. */
void fakeloongson_open(struct fakeloongson *f, bool two_nodes);
void fakeloongson_close(struct fakeloongson *f);

/* Zero all pages, but for ENABLE of each block, which the kernel has set. */
void fakeloongson_reset(struct fakeloongson *f);

/* Write the kernel's files anew from @f->cpu and @f->model. */
void fakeloongson_files(struct fakeloongson *f);

/* Take a core off the kernel's lists, or put it there; its MailBox1..3 are
 * what Linux puts there when it comes. */
void fakeloongson_offline(struct fakeloongson *f, uint32_t cpu);
void fakeloongson_online(struct fakeloongson *f, uint32_t cpu);

/* From now on a store to its mailboxes is a bad one, or none. */
void fakeloongson_allow(struct fakeloongson *f, uint32_t cpu, bool allow);

/* The kernel's pointer to a block. */
struct hal_block *fakeloongson_block(struct fakeloongson *f, uint32_t cpu);

/* Is each single store looked at, as said above? */
bool fakeloongson_steps(void);

#endif /* TESTS_FAKELOONGSON_H */
