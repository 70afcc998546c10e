/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - the daemon's private books: what a domain's next daemon knows
 *
 * A memfd that no peer ever gets; the keeper holds it across the daemon's
 * death.  Who is a member, who died, which unit of the arena is whose: what
 * stands here is so, what stands in the pool is a copy of it.
 *
 * The file
 * ========
 *
 *   0x000000 +----------------------+
 *            | struct ledger_head   | written once, at creation
 *   0x001000 +----------------------+ LEDGER_DOMAIN_OFF
 *            | domain cell          | counters
 *            +----------------------+ jobs_off, nranks cells
 *            | job cells            |
 *            +----------------------+ ranks_off, nranks cells
 *            | rank cells           |
 *            +----------------------+ vms_off, nvms cells
 *            | VM cells             | one for each slot but the host's
 *            +----------------------+ map_off, arena_units words
 *            | arena map            | one 64-bit word for each unit
 *            +----------------------+ bytes
 *
 * A cell
 * ======
 *
 *   0x000 +-----------+  copy 0: seq   {number 32, its hash 32}
 *         | seq | sum |          sum   over number and payload
 *         | payload   |
 *         +-----------+  copy 1: the same
 *         | seq | sum |
 *         | payload   |
 *         +-----------+
 *
 * A put writes the payload and the sum of the older copy, then its seq with
 * one store: from there on it is the newer.  A kill between any two stores
 * leaves one copy whole, and in the other a seq that is older by one; that is
 * the only disorder a reader accepts.  Everything else is damage: -EBADMSG.
 *
 * The arena map
 * =============
 *
 *    63    60 59    54 53           30 29          8 7      0
 *   +--------+--------+---------------+-------------+--------+
 *   | kind   | order  | owner         | instance    | check  |
 *   +--------+--------+---------------+-------------+--------+
 *
 * The word of the unit at which a piece starts; 0: no piece starts here.  One
 * aligned store takes or gives a piece, so it is never half taken.
 *
 * Order of updates that belong together is the caller's: write first what
 * is harmless if the second never comes.
 *
 * One thread.  Puts make no system call and cannot fail.
 */
#ifndef DAEMON_LEDGER_H
#define DAEMON_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEDGER_MAGIC		UINT64_C(0x3147444c4f4f4e53)	/* "SNOOLDG1" */
#define LEDGER_VERSION		2u	/* 2: VM cells */
#define LEDGER_NAME		64u	/* bytes, NUL included */
#define LEDGER_TEXT		256u	/* bytes of a reason */
#define LEDGER_NONE		UINT32_MAX

/** struct ledger_head - Never changes after creation */
struct ledger_head {
	uint64_t magic;			/* LEDGER_MAGIC */
	uint32_t version;		/* LEDGER_VERSION */
	uint32_t nranks;		/* rank slots, and job cells */
	uint64_t pool_size;		/* bytes */
	uint32_t arena_units;
	uint32_t nvms;			/* VM slots without the host's */
	uint64_t jobs_off;
	uint64_t ranks_off;
	uint64_t vms_off;
	uint64_t map_off;
	uint64_t bytes;			/* of the file */
	char name[LEDGER_NAME];		/* the domain's */
	uint64_t created_ns;		/* CLOCK_REALTIME */
	uint64_t sum;			/* over everything above */
};

_Static_assert(sizeof(struct ledger_head) == 152, "ledger: head changed");

enum ledger_domain_state {
	LEDGER_DOMAIN_NEW	= 0,	/* being made: not to be adopted */
	LEDGER_DOMAIN_LIVE	= 1,
	LEDGER_DOMAIN_LOST	= 2,	/* ended; `lost` says why */
};

/** struct ledger_domain - Counters of the domain */
struct ledger_domain {
	uint32_t state;			/* enum ledger_domain_state */
	uint32_t epoch;			/* ledger_raise_epoch() */
	uint32_t next_job;		/* ledger_next_job() */
	uint32_t adoptions;		/* daemons that took over */
	uint32_t huge;			/* 1: the pool has 2 MiB pages */
	uint32_t vectors;		/* of each VM slot; 0: no VMs */
	uint64_t kept_next;		/* ledger_next_kept() */
	uint32_t unsealed;		/* 1: the pool is a file (pool_file.h) */
	uint32_t unused;
	uint64_t spare[3];		/* zero; for the daemon's use */
	char lost[LEDGER_NAME];
};

_Static_assert(sizeof(struct ledger_domain) == 128, "ledger: domain changed");

enum ledger_job_state {
	LEDGER_JOB_FREE		= 0,
	LEDGER_JOB_FORMING	= 1,	/* of stated size: some are missing */
	LEDGER_JOB_RUNNING	= 2,
	LEDGER_JOB_ENDING	= 3,	/* nobody attached; quarantine only */
};

/** struct ledger_job - One job; its index is the cell's number */
struct ledger_job {
	uint32_t state;			/* enum ledger_job_state */
	uint32_t number;		/* from ledger_next_job(), never 0 */
	char name[LEDGER_NAME];
	uint64_t launch;		/* the starter's number */
	uint64_t job_off;		/* its area: bytes in the pool */
	uint64_t created_ns;		/* CLOCK_REALTIME */
	uint32_t size;			/* ranks; open: so far */
	uint32_t capacity;		/* ranks, at most */
	uint32_t open;			/* 1: nobody stated the size */
	uint32_t joined;		/* ranks that have attached so far */
	uint32_t gone_epoch;		/* of the last GONE of this job */
	uint32_t left;			/* ranks that left or died */
	uint32_t uid;			/* of the rank that began it */
	uint32_t flags;			/* the daemon's use */
	uint64_t spare[4];		/* zero; for the daemon's use */
};

_Static_assert(sizeof(struct ledger_job) == 160, "ledger: job changed");

enum ledger_rank_state {
	LEDGER_RANK_FREE	= 0,
	LEDGER_RANK_ATTACHED	= 1,
	LEDGER_RANK_LEFT	= 2,	/* finalized; quarantined */
	LEDGER_RANK_DEAD	= 3,	/* died; quarantined */
};

/** struct ledger_rank - One rank slot */
struct ledger_rank {
	uint32_t state;			/* enum ledger_rank_state */
	uint32_t instance;		/* of the slot; outlives FREE */
	uint32_t job;			/* job cell; LEDGER_NONE if FREE */
	uint32_t rank;			/* in the job */
	int32_t pid;			/* in our PID namespace */
	uint32_t uid;
	uint32_t gid;
	int32_t core;			/* kernel's number; -1: not pinned */
	uint64_t start_time;		/* of pid: field 22 of its stat */
	uint32_t node;
	uint32_t gone;			/* GONE epoch of its end; 0: none */
	uint32_t acked;			/* GONE epoch that it acknowledged */
	uint32_t flags;			/* the daemon's use */
	uint32_t peer_pid;		/* as it said in HELLO */
	uint32_t minor;			/* of its wire protocol */
	uint64_t attached_ns;		/* CLOCK_REALTIME */
	uint32_t vm;			/* slot of its VM; 0: a host process */
	uint32_t sid;			/* of its session on control, if vm */
	uint32_t vector;		/* that wakes it; 0: none, by futex */
	int32_t vcpu;			/* if vm; -1: not pinned there */
	uint32_t regs_out;		/* unit + 1 of its register ring `out` */
	uint32_t regs_in;		/* the same of `in`; 0: none */
	uint64_t spare[1];		/* zero; for the daemon's use */
};

_Static_assert(sizeof(struct ledger_rank) == 104, "ledger: rank changed");

enum ledger_vm_state {
	LEDGER_VM_FREE		= 0,
	LEDGER_VM_HALF		= 1,	/* one of its two connections */
	LEDGER_VM_ATTACHED	= 2,	/* both; no guest daemon yet */
	LEDGER_VM_LIVE		= 3,	/* the guest daemon was welcomed */
	LEDGER_VM_CUT		= 4,	/* it broke the protocol */
};

/** struct ledger_vm - One VM slot; its cell's number is the slot, less 1 */
struct ledger_vm {
	uint32_t state;			/* enum ledger_vm_state */
	uint32_t instance;		/* of the slot; outlives FREE */
	int32_t pid;			/* of who connected */
	uint32_t uid;
	uint32_t gid;
	uint32_t flags;			/* the daemon's use */
	uint64_t start_time;		/* of pid: field 22 of its stat */
	uint64_t serial;		/* order of attachment in the domain */
	uint64_t attached_ns;		/* CLOCK_REALTIME */
	uint8_t boot_id[16];		/* zero: no HELLO yet */
	int64_t clock_ns;		/* our CLOCK_MONOTONIC less the guest's */
	uint32_t minor;			/* of the control channel, in force */
	uint32_t bells;			/* enum snoo_ctl_bells_kind */
	uint32_t memory;		/* enum snoo_ctl_map_kind */
	uint32_t vcpus;
	uint32_t runs;			/* 1: it starts programs */
	uint32_t sessions;		/* of the guest daemon, so far */
	char name[LEDGER_NAME];
	char host[LEDGER_NAME];		/* the guest's own name: a claim */
	char kernel[LEDGER_NAME];
	uint64_t spare[4];		/* zero; for the daemon's use */
};

_Static_assert(sizeof(struct ledger_vm) == 320, "ledger: VM changed");

struct ledger;

struct ledger_params {
	const char *name;		/* the domain's */
	uint64_t pool_size;
	uint32_t nranks;
	uint32_t nvms;			/* 0 .. LEDGER_VMS_MAX */
};

#define LEDGER_VMS_MAX	63u

/**
 * ledger_create() - Begin the books of a new domain
 *
 * The domain is NEW, everything else FREE.  arena_units follow from size and
 * ranks by shm_region_plan().
 *
 * Return: 0 on success, negative error code otherwise
 *	-EINVAL, -ENOSPC  as shm_region_plan(), or the name is too long, or
 *			  there are too many VMs
 *	-ENOMEM, or -errno of memfd_create(2) and others
 */
int ledger_create(struct ledger **out, const struct ledger_params *params);

/**
 * ledger_open() - Read the books of a daemon that died
 * @fd:		From the keeper; ours to close either way
 * @why:	On failure a sentence: what is damaged, and where
 *
 * Checks every cell, and every value that has a range.  The map is checked
 * by arena_open().
 *
 * Return: 0 on success, negative error code otherwise
 *	-EBADMSG	 damaged: the domain cannot go on
 *	-EPROTONOSUPPORT written by a daemon of another version
 *	-ENOMEM, or -errno
 */
int ledger_open(struct ledger **out, int fd, char why[LEDGER_TEXT]);

/* Unmap and close; the file lives on in the keeper.  NULL is allowed. */
void ledger_close(struct ledger *l);

int ledger_fd(const struct ledger *l);
const struct ledger_head *ledger_head(const struct ledger *l);

/*
 * Records, by copy.  @i is below nranks (of a VM: nvms), else it asserts.  A put that changes
 * nothing writes nothing.
 */
void ledger_get_domain(const struct ledger *l, struct ledger_domain *out);
void ledger_put_domain(struct ledger *l, const struct ledger_domain *in);
void ledger_get_job(const struct ledger *l, uint32_t i, struct ledger_job *out);
void ledger_put_job(struct ledger *l, uint32_t i, const struct ledger_job *in);
void ledger_get_rank(const struct ledger *l, uint32_t i,
		     struct ledger_rank *out);
void ledger_put_rank(struct ledger *l, uint32_t i,
		     const struct ledger_rank *in);
void ledger_get_vm(const struct ledger *l, uint32_t i, struct ledger_vm *out);
void ledger_put_vm(struct ledger *l, uint32_t i, const struct ledger_vm *in);

/* Counters: committed before they are returned, so that no number is used
 * twice.  None of them is ever 0. */
uint32_t ledger_next_job(struct ledger *l);
uint64_t ledger_next_kept(struct ledger *l);
uint32_t ledger_raise_epoch(struct ledger *l);
uint32_t ledger_epoch(const struct ledger *l);

/*
 * The state, and the reason if it is LOST (cut to fit; NULL: none).
 */
void ledger_set_state(struct ledger *l, enum ledger_domain_state state,
		      const char *lost);

/* The arena map: for arena.c alone, which knows what a word means. */
#define LEDGER_MAP_KIND_SHIFT		60
#define LEDGER_MAP_ORDER_SHIFT		54
#define LEDGER_MAP_ORDER_MASK		UINT64_C(0x3f)
#define LEDGER_MAP_OWNER_SHIFT		30
#define LEDGER_MAP_OWNER_MASK		UINT64_C(0xffffff)
#define LEDGER_MAP_INSTANCE_SHIFT	8
#define LEDGER_MAP_INSTANCE_MASK	UINT64_C(0x3fffff)

/* @word without its check byte, which is added; 0 clears. */
void ledger_put_map(struct ledger *l, uint32_t unit, uint64_t word);
/* 0 and the word without its check byte, or -EBADMSG: it is damaged. */
int ledger_get_map(const struct ledger *l, uint32_t unit, uint64_t *word);

#endif
