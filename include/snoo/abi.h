/* SPDX-License-Identifier: MIT */
/*
 * abi.h - every byte that two processes share in a domain's pool
 *
 * Data only: no functions, no policy.  Not included by <snoo/snoo.h>, so that
 * an application never sees a layout.  The code over these bytes is shm/.
 *
 * Rules
 * =====
 *
 *  - No pointers, no enums or bit-fields as members, no locks, no `long`.
 *  - Offsets count bytes from the start of the pool.
 *  - One writer for each 128-byte line, named in the drawing.  The exceptions
 *    are words that several write by read-modify-write; each says so.
 *  - Every peer of the domain can write all of this.  A reader copies a field
 *    once, checks it, and uses the copy.  Nothing here carries authority: who
 *    joined, who died and who owns a block is said on the rank's socket
 *    (wire.h) and kept in the daemon's ledger.
 *
 * The pool
 * ========
 *
 *   0x000000 +----------------------+
 *            | kept free            | a guest's nvdimm info block lies here
 *   0x200000 +----------------------+ SNOO_ABI_HEAD_OFFSET
 *            | struct snoo_abi_pool | daemon, before the pool is handed out
 *            +----------------------+ hints_off, one page
 *            | reserved             |
 *            +----------------------+ regs_off, nranks * 0x100
 *            | register blocks      | hal/regs.h: one block for each rank slot
 *            +----------------------+ ranks_off, nranks * 0x400
 *            | struct snoo_abi_rank |
 *            +----------------------+ descs_off, arena_units * 64
 *            | struct snoo_abi_desc | one for each unit of the arena
 *            +----------------------+ arena_off, arena_units * 4096
 *            | arena                | rings, jobs, blocks: whole units
 *            +----------------------+ size
 */
#ifndef SNOO_ABI_H
#define SNOO_ABI_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define SNOO_ABI_MAGIC	UINT64_C(0x314d48534f4f4e53)	/* "SNOOSHM1" */

/*
 * MAJOR: a peer with another number would misread memory; refuse it.
 * MINOR: reserved space gained a meaning; the smaller number is in force.
 */
#define SNOO_ABI_MAJOR	0
#define SNOO_ABI_MINOR	7	/* 2: ASLEEP_EVENTFD is used; 3: REGISTER;
				 * 4: LOAN, meetings, read_ns; 5: turn_with,
				 * WAY_CMA; 6: INSTEAD, ns of DONE;
				 * 7: revoked, of WAY_CMA */

#define SNOO_ABI_AT(type, field, off)					\
	_Static_assert(offsetof(type, field) == (off),			\
		       "ABI: " #type "." #field " moved")
#define SNOO_ABI_SIZE(type, bytes)					\
	_Static_assert(sizeof(type) == (bytes), "ABI: " #type " grew")

/* A lock hidden in libatomic would not be shared between processes. */
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "need lock-free 32-bit atomics");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "need lock-free 64-bit atomics");
_Static_assert(sizeof(_Atomic uint32_t) == 4, "atomics must add no bytes");
_Static_assert(sizeof(_Atomic uint64_t) == 8, "atomics must add no bytes");

#define SNOO_ABI_LINE		64	/* bytes: the unit of a message */
#define SNOO_ABI_PAIR		128	/* bytes: what prefetchers fetch as one */
#define SNOO_ABI_UNIT		4096	/* bytes: the arena's smallest piece */
#define SNOO_ABI_HEAD_OFFSET	UINT64_C(0x200000)
#define SNOO_ABI_SIZE_MAX	(UINT64_C(1) << 38)	/* ring offsets / 64 fit 32 bits */
#define SNOO_ABI_JOB_RANKS	1024	/* ranks in one job, at most */
#define SNOO_ABI_REGS_STRIDE	0x100	/* bytes between register blocks */

/*
 * The line
 * ========
 *
 *            63        32 31       16 15     10 9    6 5   4 3    0
 *           +------------+-----------+---------+------+-----+------+
 *   word 0  | tag        | context   | inline  | flags| lap | type |
 *           +------------+-----------+---------+------+-----+------+
 *   word 1..7   payload, or what the type says below
 *
 * The writer stores words 1..7, then word 0 with release; a writer that dies
 * half-way has published nothing.  The reader loads word 0 once with acquire.
 * A ring is zeroed before it is handed out and laps start at 1, so a line is
 * fresh if and only if its lap is the reader's own.
 */
#define SNOO_ABI_TYPE_BITS	4
#define SNOO_ABI_LAP_SHIFT	4
#define SNOO_ABI_LAP_MASK	UINT64_C(0x3)
#define SNOO_ABI_FLAG_SHIFT	6
#define SNOO_ABI_FLAG_MASK	UINT64_C(0xf)
#define SNOO_ABI_INLINE_SHIFT	10
#define SNOO_ABI_INLINE_MASK	UINT64_C(0x3f)
#define SNOO_ABI_CONTEXT_SHIFT	16
#define SNOO_ABI_CONTEXT_MASK	UINT64_C(0xffff)
#define SNOO_ABI_TAG_SHIFT	32

#define SNOO_ABI_INLINE_MAX	56	/* bytes in words 1..7 */
#define SNOO_ABI_WIDE_MAX	40	/* bytes in words 3..7 */
#define SNOO_ABI_PIECE_MAX	48	/* bytes in words 2..7 */
#define SNOO_ABI_RUN_LINES	62	/* PIECE lines of a run, at most */

/*
 * type     word 1         word 2        word 3      word 4      word 5
 * -------  -------------  ------------  ----------  ----------  ---------
 * DATA     payload ...                                          (WIDE: match, immediate, payload)
 * DATA*    length         payload ...                           (* flag STREAM: a run, see below)
 * BLOCK    match          index | gen   length      0
 * BLOCK*   rx token       index | gen   length      offset                (* flag STREAM)
 * BLOCK+   tx token       index | gen   length      0                     (+ flag INSTEAD: it was offered, and is here)
 * LOAN     match          index | gen   length      0                     (may be read in place)
 * OFFER    match          tx token      length      ways        offset    (word 6: index | gen, of WAY_POOL; stamp | revoked, of WAY_CMA)
 * ACCEPT   tx token       rx token      length      way
 * DONE     tx token       status        ns                                (of a copy; 0: not said)
 * CANCEL   tx token       0                                               (sender: end this offer)
 * CANCEL*  rx token       status                                          (* flag STREAM: transfer ends early)
 * PIECE*   rx token       payload ...                           (* flag STREAM)
 * PIECE    payload ...                                          (part of a run)
 * CONTROL  verb           argument                                        (enum snoo_abi_verb)
 * LEAVE    0
 *
 * A run is a message in several lines: DATA with flag STREAM, whose inline
 * field counts the PIECE lines without flags that follow it, 56 bytes in each.
 * They are published first, the DATA line last: who sees it sees all of them.
 *
 * index | gen: unit of the arena in the low 32 bits, generation above.
 * A token is {index 32 low, generation 32 high} in the table of the rank that
 * made it; it comes back unchanged and is bounds- and generation-checked.
 */
enum snoo_abi_type {
	SNOO_ABI_NONE		= 0x0,
	SNOO_ABI_DATA		= 0x1,
	SNOO_ABI_BLOCK		= 0x2,
	SNOO_ABI_OFFER		= 0x3,
	SNOO_ABI_ACCEPT		= 0x4,
	SNOO_ABI_DONE		= 0x5,
	SNOO_ABI_CREDIT		= 0x6,	/* mailboxes only */
	SNOO_ABI_CONTROL	= 0x7,
	SNOO_ABI_LOAN		= 0x8,
	SNOO_ABI_CANCEL		= 0x9,
	SNOO_ABI_PIECE		= 0xa,
	SNOO_ABI_LEAVE		= 0xf,
};

enum snoo_abi_flag {
	SNOO_ABI_WIDE	= 0x1,	/* word 1 match, word 2 immediate */
	SNOO_ABI_SYNC	= 0x2,	/* the sender wants DONE at match */
	SNOO_ABI_INSTEAD = 0x4,	/* a block of what was offered */
	SNOO_ABI_STREAM	= 0x8,	/* part of an accepted transfer; a run */
};

/* Verbs of a CONTROL line: in a channel, or (GONE) in a register ring. */
enum snoo_abi_verb {
	SNOO_ABI_MOVED	= 1,	/* the channel goes on in the ring at word 2 */
	SNOO_ABI_NUMBER	= 2,	/* the next envelope here is the pair's message
				 * number word 2; see struct snoo_abi_register */
	SNOO_ABI_GONE	= 3,	/* daemon: nothing more of rank word 2 comes */
};

/**
 * struct snoo_abi_register - A register message on its way to or from the daemon
 *
 * The messages (DATA, BLOCK without STREAM, LOAN, OFFER: the envelopes) of one
 * rank to another are numbered from 0 on, however they travel.  Of what comes
 * in a channel the number follows from the one before it, unless a NUMBER line
 * says it; what comes through the registers says its own.  The receiver
 * matches each in its turn, keeps those that come early, and drops one whose
 * number it has had: so a message may be sent again on the other path.
 *
 * Two lines: DATA with STREAM (a run), context and tag in word 0, this struct
 * as its payload, always whole.  In the rank's `out` ring @peer is whom it is
 * for, in its `in` ring who sent it.
 */
struct snoo_abi_register {
	uint32_t peer;			/* a rank of the job */
	uint32_t length;		/* bytes, 0..SNOO_ABI_INLINE_MAX */
	uint64_t number;
	uint8_t data[SNOO_ABI_INLINE_MAX];	/* the rest of it is 0 */
};

SNOO_ABI_AT(struct snoo_abi_register, number, 8);
SNOO_ABI_AT(struct snoo_abi_register, data,   16);
SNOO_ABI_SIZE(struct snoo_abi_register,       72);

#define SNOO_ABI_REGISTER_LINES	2

/* Ways in which an offer can be fetched: bits of OFFER, one of ACCEPT. */
enum snoo_abi_way {
	SNOO_ABI_WAY_STREAM	= 0x1,	/* blocks and pieces */
	SNOO_ABI_WAY_CMA	= 0x2,	/* process_vm_readv at word 5, as long
					 * as the stamp that word 6 names holds
					 * token ^ nonce, which it does while
					 * `revoked` is as there: copy, then
					 * DONE */
	SNOO_ABI_WAY_POOL	= 0x4,	/* pool offset in word 5, in the block
					 * of word 6: copy, then DONE */
};

/* Status of a DONE line. */
enum snoo_abi_done {
	SNOO_ABI_FETCHED	= 0,
	SNOO_ABI_TRUNCATED	= 1,
	SNOO_ABI_REFUSED	= 2,
	SNOO_ABI_CANCELLED	= 3,
};

/**
 * struct snoo_abi_pool - Head of the pool, at SNOO_ABI_HEAD_OFFSET
 *
 * The first 32 bytes are frozen: no revision may move them.
 */
struct snoo_abi_pool {
	alignas(SNOO_ABI_PAIR)
	uint64_t magic;			/* SNOO_ABI_MAGIC, written last */
	uint32_t major;
	uint32_t minor;
	uint64_t size;			/* bytes of the whole pool */
	uint64_t reserved0;

	uint64_t hints_off;		/* bytes */
	uint64_t regs_off;		/* bytes */
	uint64_t ranks_off;		/* bytes */
	uint64_t descs_off;		/* bytes */
	uint64_t arena_off;		/* bytes, a multiple of SNOO_ABI_UNIT */
	uint32_t arena_units;
	uint32_t nranks;		/* rank slots */

	/* daemon: raised once by each new daemon, odd while it repairs */
	alignas(SNOO_ABI_PAIR)
	_Atomic uint32_t epoch;
	_Atomic uint32_t state;		/* enum snoo_abi_pool_state */
	/* daemon: 1: its register service sleeps, say LOOK after publishing */
	_Atomic uint32_t asleep;
};

SNOO_ABI_AT(struct snoo_abi_pool, magic,       0x000);
SNOO_ABI_AT(struct snoo_abi_pool, major,       0x008);
SNOO_ABI_AT(struct snoo_abi_pool, minor,       0x00c);
SNOO_ABI_AT(struct snoo_abi_pool, size,        0x010);
SNOO_ABI_AT(struct snoo_abi_pool, hints_off,   0x020);
SNOO_ABI_AT(struct snoo_abi_pool, regs_off,    0x028);
SNOO_ABI_AT(struct snoo_abi_pool, ranks_off,   0x030);
SNOO_ABI_AT(struct snoo_abi_pool, descs_off,   0x038);
SNOO_ABI_AT(struct snoo_abi_pool, arena_off,   0x040);
SNOO_ABI_AT(struct snoo_abi_pool, arena_units, 0x048);
SNOO_ABI_AT(struct snoo_abi_pool, nranks,      0x04c);
SNOO_ABI_AT(struct snoo_abi_pool, epoch,       0x080);
SNOO_ABI_AT(struct snoo_abi_pool, state,       0x084);
SNOO_ABI_AT(struct snoo_abi_pool, asleep,      0x088);
SNOO_ABI_SIZE(struct snoo_abi_pool,            0x100);

enum snoo_abi_pool_state {
	SNOO_ABI_POOL_NEW	= 0,
	SNOO_ABI_POOL_LIVE	= 1,
	SNOO_ABI_POOL_LOST	= 2,	/* the domain has ended */
};

/**
 * struct snoo_abi_rank - One rank slot
 *
 *   0x000 +-------------------+ daemon
 *         | who it is, grant  |
 *   0x080 +-------------------+ the rank
 *         | wait word         |
 *   0x100 +-------------------+ the rank
 *         | need              |
 *   0x180 +-------------------+ any sender: fetch_or;  the rank: exchange 0
 *         | summary           | "source s has something for you"
 *   0x200 +-------------------+ any sender: fetch_or;  the rank: exchange 0
 *         | newcomers         | "source s has a new channel for you"
 *   0x280 +-------------------+ the rank
 *         | counters          | shm/counters.def
 *         +-------------------+ 0x400
 */
struct snoo_abi_rank {
	alignas(SNOO_ABI_PAIR)
	_Atomic uint32_t state;		/* enum snoo_abi_member_state */
	uint32_t rank;
	uint32_t job;			/* the daemon's number for the job */
	uint32_t instance;		/* raised whenever the slot is reused */
	_Atomic uint32_t news;		/* messages sent on the rank's socket */
	_Atomic uint32_t sharers;	/* ranks pinned to this rank's core, and
					 * the daemon, if it may be there */
	_Atomic uint64_t allow;		/* bytes through blocks, since attach;
					 * SNOO_ABI_UNLIMITED: no limit */
	_Atomic uint32_t core;		/* kernel's number, or UINT32_MAX */
	_Atomic uint32_t registers;	/* 1: register messages can reach it */
	_Atomic uint32_t minor;		/* of wire.h; from 4 on it takes LOAN */

	alignas(SNOO_ABI_PAIR)
	_Atomic uint64_t wait;		/* mode, wanted source: below */

	alignas(SNOO_ABI_PAIR)
	_Atomic uint64_t used;		/* bytes through blocks, since attach */
	_Atomic uint64_t want;		/* bytes that wait for blocks; 0: none */
	_Atomic uint64_t want_since_ns;	/* CLOCK_MONOTONIC of the oldest */
	_Atomic uint32_t want_peer;	/* its destination */
	_Atomic uint32_t call;		/* enum snoo_abi_call: what it is in */
	_Atomic uint64_t call_since_ns;	/* CLOCK_MONOTONIC, set when blocking */
	_Atomic uint32_t turn_with;	/* it keeps its core for this rank of
					 * the job, less 1; 0: for none.  A
					 * hint for that one */

	alignas(SNOO_ABI_PAIR)
	_Atomic uint32_t summary[SNOO_ABI_JOB_RANKS / 32];

	alignas(SNOO_ABI_PAIR)
	_Atomic uint32_t newcomers[SNOO_ABI_JOB_RANKS / 32];

	alignas(SNOO_ABI_PAIR)
	_Atomic uint64_t counters[48];
};

SNOO_ABI_AT(struct snoo_abi_rank, state,         0x000);
SNOO_ABI_AT(struct snoo_abi_rank, rank,          0x004);
SNOO_ABI_AT(struct snoo_abi_rank, job,           0x008);
SNOO_ABI_AT(struct snoo_abi_rank, instance,      0x00c);
SNOO_ABI_AT(struct snoo_abi_rank, news,          0x010);
SNOO_ABI_AT(struct snoo_abi_rank, sharers,       0x014);
SNOO_ABI_AT(struct snoo_abi_rank, allow,         0x018);
SNOO_ABI_AT(struct snoo_abi_rank, core,          0x020);
SNOO_ABI_AT(struct snoo_abi_rank, registers,     0x024);
SNOO_ABI_AT(struct snoo_abi_rank, minor,         0x028);
SNOO_ABI_AT(struct snoo_abi_rank, wait,          0x080);
SNOO_ABI_AT(struct snoo_abi_rank, used,          0x100);
SNOO_ABI_AT(struct snoo_abi_rank, want,          0x108);
SNOO_ABI_AT(struct snoo_abi_rank, want_since_ns, 0x110);
SNOO_ABI_AT(struct snoo_abi_rank, want_peer,     0x118);
SNOO_ABI_AT(struct snoo_abi_rank, call,          0x11c);
SNOO_ABI_AT(struct snoo_abi_rank, call_since_ns, 0x120);
SNOO_ABI_AT(struct snoo_abi_rank, turn_with,     0x128);
SNOO_ABI_AT(struct snoo_abi_rank, summary,       0x180);
SNOO_ABI_AT(struct snoo_abi_rank, newcomers,     0x200);
SNOO_ABI_AT(struct snoo_abi_rank, counters,      0x280);
SNOO_ABI_SIZE(struct snoo_abi_rank,              0x400);

#define SNOO_ABI_UNLIMITED	UINT64_MAX

/*
 * The wait word: who must be told when something is written for this rank.
 *
 *    63          40 39            8 7     0
 *   +--------------+---------------+-------+
 *   | 0            | wanted source | mode  |
 *   +--------------+---------------+-------+
 *
 * wanted: a rank of the job, or SNOO_ABI_ANY.
 */
#define SNOO_ABI_ANY		UINT32_MAX
#define SNOO_ABI_WAIT_SHIFT	8

enum snoo_abi_wait {
	SNOO_ABI_POLLING	= 0,	/* looks at the lines by itself */
	SNOO_ABI_SUMMARY	= 1,	/* looks at its summary only */
	SNOO_ABI_ASLEEP_FUTEX	= 2,	/* ring the register block: IPI_Set */
	SNOO_ABI_ASLEEP_EVENTFD	= 3,	/* write its eventfd: BELLS of wire.h */
};

/* Bits of the emulated IPI registers. */
#define SNOO_ABI_BELL_DATA	0x1	/* something was written for you */
#define SNOO_ABI_BELL_NEWS	0x2	/* read your socket */

/* What a rank is in, for `snooctl why`. */
enum snoo_abi_call {
	SNOO_ABI_CALL_NONE	= 0,	/* computing: no call of ours */
	SNOO_ABI_CALL_SEND	= 1,
	SNOO_ABI_CALL_RECV	= 2,
	SNOO_ABI_CALL_WAIT	= 3,
	SNOO_ABI_CALL_PROBE	= 4,
	SNOO_ABI_CALL_BARRIER	= 5,
	SNOO_ABI_CALL_INIT	= 6,
	SNOO_ABI_CALL_FINALIZE	= 7,
	SNOO_ABI_CALL_LOAN	= 8,
	SNOO_ABI_CALL_COLLECTIVE = 9,
};

/**
 * struct snoo_abi_desc - What a block is doing; one for each unit
 *
 *    63           32 31        8 7     0
 *   +---------------+-----------+-------+
 *   | generation    | home slot | state |
 *   +---------------+-----------+-------+
 *
 * Changes are compare-and-swap from the exact value expected, but for those
 * that the daemon makes to a block that nobody else may touch then (marked !):
 *
 *   NONE -> FREE ! daemon    grants the block to `home`, raises generation
 *   FREE -> BUSY   home      takes it, raises generation
 *   BUSY -> FREE   receiver  has copied it out, or read it in place (LOAN);
 *                            or home, if nobody got it
 *   FREE -> NONE   daemon    recalls it, also while home computes; raises it
 *   BUSY -> NONE ! daemon    after the death of home, when nobody reads it
 *
 * Only the unit at which a block starts counts; the daemon's ledger alone
 * says who really owns what.
 *
 * units: how long a block for loans is, written by the daemon before it grants
 * it; 0 for others.  The receiver of a LOAN compares the length with it.
 */
struct snoo_abi_desc {
	alignas(SNOO_ABI_LINE)
	_Atomic uint64_t word;
	_Atomic uint32_t units;
	_Atomic uint32_t read_ns;	/* receiver, before BUSY -> FREE: how
					 * long its copy took; 0: not told */
	uint64_t reserved[6];
};

SNOO_ABI_AT(struct snoo_abi_desc, units, 8);
SNOO_ABI_AT(struct snoo_abi_desc, read_ns, 12);
SNOO_ABI_SIZE(struct snoo_abi_desc, SNOO_ABI_LINE);

#define SNOO_ABI_DESC_HOME_SHIFT	8
#define SNOO_ABI_DESC_HOME_MASK		UINT64_C(0xffffff)
#define SNOO_ABI_DESC_GEN_SHIFT		32

enum snoo_abi_desc_state {
	SNOO_ABI_BLOCK_NONE	= 0,	/* the daemon's */
	SNOO_ABI_BLOCK_FREE	= 1,	/* in home's grant */
	SNOO_ABI_BLOCK_BUSY	= 2,	/* filled, published or being read */
};

/**
 * struct snoo_abi_job - A job's members and who talks to whom
 *
 *   0x000 +-------------------+ daemon
 *         | size              |
 *   0x080 +-------------------+ daemon
 *         | member[stride]    |
 *         +-------------------+ 0x080 + 8 * stride
 *         | directory         | [receiver][sender], stride entries a row:
 *         |                   | ring offset / 64, written once by the sender
 *         +-------------------+ 0x080 + 8 * stride + 4 * stride * stride
 *         | meetings          | if `meets` is 1: struct snoo_abi_meet for each
 *         |                   | rank, then for each node of the tree over them
 *         +-------------------+
 *
 * stride: the capacity, rounded up to a multiple of 32 entries, so that no
 * two receivers share a line.
 */
struct snoo_abi_job {
	alignas(SNOO_ABI_PAIR)
	uint32_t job;			/* the daemon's number */
	uint32_t capacity;		/* ranks, 1..SNOO_ABI_JOB_RANKS */
	uint32_t stride;		/* entries */
	_Atomic uint32_t size;		/* ranks known so far */
	_Atomic uint32_t joined;	/* ranks that have attached so far */
	_Atomic uint32_t meets;		/* 1: the area of meetings is there and
					 * all members use it; settled by START */
};

SNOO_ABI_AT(struct snoo_abi_job, job,      0x000);
SNOO_ABI_AT(struct snoo_abi_job, capacity, 0x004);
SNOO_ABI_AT(struct snoo_abi_job, stride,   0x008);
SNOO_ABI_AT(struct snoo_abi_job, size,     0x00c);
SNOO_ABI_AT(struct snoo_abi_job, joined,   0x010);
SNOO_ABI_AT(struct snoo_abi_job, meets,    0x014);
SNOO_ABI_SIZE(struct snoo_abi_job,         0x080);

struct snoo_abi_member {
	_Atomic uint32_t slot;		/* rank slot + 1; 0: not there yet */
	_Atomic uint32_t state;		/* enum snoo_abi_member_state */
};

SNOO_ABI_SIZE(struct snoo_abi_member, 8);

enum snoo_abi_member_state {
	SNOO_ABI_VACANT		= 0,
	SNOO_ABI_JOINED		= 1,
	SNOO_ABI_LEFT		= 2,	/* finalized */
	SNOO_ABI_DEAD		= 3,
};

/**
 * struct snoo_abi_turn - A rank's, or a node's, part in one meeting
 *
 * All ranks of a job meet in the order in which they call collectives; the
 * meetings are numbered from 1.  A rank fills `what`, `bytes` and its data,
 * then stores the meeting's number in `arrived`, with release.
 */
struct snoo_abi_turn {
	alignas(SNOO_ABI_LINE)
	_Atomic uint64_t arrived;	/* number of the meeting; 0: none yet */
	_Atomic uint64_t what;		/* below: the same at all ranks */
	_Atomic uint64_t bytes;		/* of the call; likewise */
	_Atomic uint64_t data[128];
	uint64_t reserved[5];
};

SNOO_ABI_AT(struct snoo_abi_turn, what,  0x008);
SNOO_ABI_AT(struct snoo_abi_turn, bytes, 0x010);
SNOO_ABI_AT(struct snoo_abi_turn, data,  0x018);
SNOO_ABI_SIZE(struct snoo_abi_turn,      0x440);

/**
 * struct snoo_abi_meet - Where one rank, or a node of the tree, meets the others
 *
 *   0x000 +-------------------+ even meetings
 *         | turn[0]           |
 *   0x440 +-------------------+ odd meetings
 *         | turn[1]           |
 *         +-------------------+ 0x880
 *
 * A rank's is written by that rank.  A node's belongs to SNOO_ABI_MEET_FAN ranks
 * (or nodes) one after the other: whichever of them sees all of them arrived
 * writes it, perhaps several, and then all write the same.
 *
 * Two turns are enough: a rank arrives at meeting n + 1 only when all have
 * arrived at meeting n, so when it writes turn n + 2 nobody reads turn n any
 * more.
 *
 * With a capacity of up to SNOO_ABI_MEET_FAN there are no nodes.  Else the
 * ranks have ceil(capacity / SNOO_ABI_MEET_FAN) nodes, these again have nodes,
 * and so on until so few are left; each level follows the one below it.
 *
 * 34 lines, not 32: so the first lines of many ranks spread over a cache's sets.
 */
struct snoo_abi_meet {
	alignas(SNOO_ABI_PAIR)
	struct snoo_abi_turn turn[2];
};

SNOO_ABI_SIZE(struct snoo_abi_meet, 0x880);

#define SNOO_ABI_MEET_FAN	8	/* children of a node */
#define SNOO_ABI_MEET_DATA	1024	/* bytes in a turn */

/*
 * what: kind in bits 0-7 (enum snoo_abi_meet_kind), type 8-15, operation 16-23
 * (of snoo.h, 0: none), root 32-63.
 */
enum snoo_abi_meet_kind {
	SNOO_ABI_MEET_BARRIER	= 1,
	SNOO_ABI_MEET_BCAST	= 2,
	SNOO_ABI_MEET_REDUCE	= 3,
	SNOO_ABI_MEET_ALLREDUCE	= 4,
	SNOO_ABI_MEET_GATHER	= 5,
	SNOO_ABI_MEET_SCATTER	= 6,
	SNOO_ABI_MEET_ALLGATHER	= 7,
	SNOO_ABI_MEET_ALLTOALL	= 8,
	SNOO_ABI_MEET_SIZES	= 254,	/* of a node: its ranks' bytes differ */
	SNOO_ABI_MEET_UNLIKE	= 255,	/* of a node: they do not do the same */
};

/**
 * struct snoo_abi_ring - One direction of one pair of ranks
 *
 *   0x000 +-------------------+ daemon before it is handed out, then producer
 *         | geometry          |
 *   0x080 +-------------------+ consumer
 *         | consumed          |
 *   0x100 +-------------------+ producer
 *         | lines             |
 *         +-------------------+ 0x100 + 64 * nlines
 *
 * `consumed` runs freely through 2^32.  The consumer stores it at most half a
 * ring late.  The last SNOO_ABI_RING_ANSWERS free lines are for ACCEPT, DONE
 * and CANCEL, so that answers never wait behind envelopes.
 */
struct snoo_abi_ring {
	alignas(SNOO_ABI_PAIR)
	uint32_t nlines;
	uint32_t home;			/* producer's slot */
	_Atomic uint32_t published;	/* for status: stored when convenient */
	uint32_t reserved0;

	alignas(SNOO_ABI_PAIR)
	_Atomic uint32_t consumed;	/* lines */
};

SNOO_ABI_AT(struct snoo_abi_ring, nlines,    0x000);
SNOO_ABI_AT(struct snoo_abi_ring, home,      0x004);
SNOO_ABI_AT(struct snoo_abi_ring, published, 0x008);
SNOO_ABI_AT(struct snoo_abi_ring, consumed,  0x080);
SNOO_ABI_SIZE(struct snoo_abi_ring,          0x100);

#define SNOO_ABI_RING_ANSWERS	8	/* lines kept for answers */
#define SNOO_ABI_RING_MIN	32	/* lines */
#define SNOO_ABI_RING_MAX	65536	/* lines */

/**
 * struct snoo_abi_stamps - By which others see whether a rank's offers stand
 *
 *   0x000 +-------------------+ the rank
 *         | stamp[64]         | [0]: the nonce of REACH;
 *         |                   | [i]: token ^ nonce while offer i stands, else 0
 *   0x200 +-------------------+ the rank, seldom
 *         | revoked           |
 *         | life_at, file     |
 *   0x280 +-------------------+ the rank's C library, and the kernel
 *         | owner             |
 *         +-------------------+ 0x1000
 *
 * Not in the pool: a page of the rank's own, whose address REACH says (wire.h).  Who
 * may read the rank's memory finds there where the same page is to be mapped,
 * read-only; ranks of a library before wire 0.7 have the stamps alone, and zeros behind
 * them.  See client/stamps.c.
 */
struct snoo_abi_stamps {
	alignas(SNOO_ABI_PAIR)
	_Atomic uint64_t stamp[64];

	alignas(SNOO_ABI_PAIR)
	_Atomic uint32_t revoked;	/* raised before the buffer of an offer
					 * that was given up is given back */
	uint32_t life_at;		/* offset of a word that the kernel
					 * changes when the rank's thread ends;
					 * 0: there is none */
	uint32_t file;			/* fd of the page in the rank's process,
					 * plus 1; 0: there is none */

	alignas(SNOO_ABI_PAIR)
	unsigned char owner[4096 - 0x280];
};

SNOO_ABI_AT(struct snoo_abi_stamps, stamp,   0x000);
SNOO_ABI_AT(struct snoo_abi_stamps, revoked, 0x200);
SNOO_ABI_AT(struct snoo_abi_stamps, life_at, 0x204);
SNOO_ABI_AT(struct snoo_abi_stamps, file,    0x208);
SNOO_ABI_AT(struct snoo_abi_stamps, owner,   0x280);
SNOO_ABI_SIZE(struct snoo_abi_stamps,        0x1000);

#endif /* SNOO_ABI_H */
