/* SPDX-License-Identifier: MIT */
/*
 * wire.h - messages between a rank and its daemon, one SEQPACKET each
 *
 * The socket carries authority: what is said here is true, what stands in the
 * pool is data.  Every message starts with struct snoo_wire_head; its length
 * must be the type's own (or, for lists, agree with the count), else the
 * receiver ends the session.  Numbers are in the host's byte order: both ends
 * are on one machine.
 *
 *     rank                                   daemon
 *       | HELLO ------------------------------> |  name, size, rank, mask
 *       | <------------------- WELCOME + memfd  |  or ERROR, and end of file
 *       | PINNED -----------------------------> |  where it really runs
 *       | <------------------------ ONCPU + map |  if BPF programs see who has
 *       |                                       |  a CPU
 *       | <------------------------------ RINGS |  spare rings
 *       | <------------------------------ GRANT |  blocks
 *       | <------------------------------ BELLS |  + eventfds, if its job has
 *       |                                       |  ranks of another kernel
 *       | <-------------------------- REGISTERS |  if the machine's carry
 *       |                                       |  messages
 *       | <------------------------------ START |  all ranks are there
 *       |                 ...                   |
 *       | NEED -------------------------------> |  rings or blocks ran short
 *       | <------------------------------- GONE |  a rank left or died
 *       | ACK --------------------------------> |  drained what it had sent
 *       | RING -------------------------------> |  wake that one for me
 *       | LOOK -------------------------------> |  a register message is there
 *       | LOAN -------------------------------> |  a block of that size, please
 *       | <------------------------------- LENT |  here it is, or there is none
 *       | REACH ------------------------------> |  where partners may look in my
 *       |                                       |  memory
 *       | WHERE ------------------------------> |  which process is that one?
 *       | <------------------------------- PEER |  that one; or none to read
 *       | <--------------------------- RESUMED  |  a new daemon took over
 *       | STATE ------------------------------> |  what it may have missed
 *       | LEAVE ------------------------------> |  finalize
 *       | <------------------------------- BYE  |  the books are closed
 *
 * After each message that the daemon sends it raises the rank's `news` word
 * and rings if the rank sleeps, so that a rank reads its socket only when
 * there is something to read.
 *
 * Version rule: HELLO and ERROR never change their first 16 bytes.  Another
 * major number is refused with ERROR; the smaller minor number is in force.
 */
#ifndef SNOO_WIRE_H
#define SNOO_WIRE_H

#include <stdint.h>

#define SNOO_WIRE_MAGIC		0x4f4f4e53u	/* "SNOO" */
#define SNOO_WIRE_MAJOR		0u
#define SNOO_WIRE_MINOR		7u	/* 2: BELLS, RING, map_offset, RUN
					 * 3: REGISTERS, LOOK
					 * 4: LOAN, LENT; meets in its job's area;
					 *    costs and stream_units in WELCOME
					 * 5: REACH, WHERE, PEER
					 * 6: a rank takes BLOCK with INSTEAD
					 * 7: ONCPU */
#define SNOO_WIRE_MAX		4096		/* bytes of any message */
#define SNOO_WIRE_NAME		64		/* bytes, NUL included */
#define SNOO_WIRE_CPUS		1024		/* bits of an affinity mask */
#define SNOO_WIRE_TEXT		256		/* bytes, NUL included */
#define SNOO_WIRE_LIST		128		/* entries of a list, at most */

#define SNOO_WIRE_SIZE(type, bytes)					\
	_Static_assert(sizeof(type) == (bytes), "wire: " #type " changed")

enum snoo_wire_type {
	/* rank to daemon */
	SNOO_WIRE_HELLO		= 1,
	SNOO_WIRE_PINNED	= 2,
	SNOO_WIRE_NEED		= 3,
	SNOO_WIRE_ACK		= 4,
	SNOO_WIRE_STATE		= 5,
	SNOO_WIRE_LEAVE		= 6,
	SNOO_WIRE_RING		= 7,

	/* whoever starts a program in a VM, to the daemon */
	SNOO_WIRE_RUN		= 8,
	SNOO_WIRE_SIGNAL	= 9,

	/* rank to daemon */
	SNOO_WIRE_LOOK		= 10,
	SNOO_WIRE_LOAN		= 11,
	SNOO_WIRE_REACH		= 12,
	SNOO_WIRE_WHERE		= 13,

	/* daemon to rank */
	SNOO_WIRE_WELCOME	= 65,	/* carries the pool's memfd */
	SNOO_WIRE_START		= 66,
	SNOO_WIRE_RINGS		= 67,
	SNOO_WIRE_GRANT		= 68,
	SNOO_WIRE_GONE		= 69,
	SNOO_WIRE_RESUMED	= 70,
	SNOO_WIRE_BYE		= 71,
	SNOO_WIRE_ERROR		= 72,
	SNOO_WIRE_BELLS		= 73,	/* carries eventfds */
	SNOO_WIRE_REGISTERS	= 76,
	SNOO_WIRE_LENT		= 77,
	SNOO_WIRE_PEER		= 78,
	SNOO_WIRE_ONCPU		= 79,	/* carries a map of the kernel's */

	/* and back */
	SNOO_WIRE_STARTED	= 74,
	SNOO_WIRE_FINISHED	= 75,

	/* both ways */
	SNOO_WIRE_DATA		= 129,
	SNOO_WIRE_CREDIT	= 130,
};

struct snoo_wire_head {
	uint32_t type;		/* enum snoo_wire_type */
	uint32_t length;	/* bytes of the whole message */
};

SNOO_WIRE_SIZE(struct snoo_wire_head, 8);

/**
 * struct snoo_wire_hello - Ask to join a job
 *
 * A job is name + launch.  launch is the starter's number, equal for all
 * ranks that it started; 0 joins the job of that name that is still forming,
 * or begins a new one.  size 0: nobody stated it; ranks are numbered as they
 * come and the job grows up to the domain's limit.
 */
struct snoo_wire_hello {
	struct snoo_wire_head head;
	uint32_t magic;			/* SNOO_WIRE_MAGIC */
	uint16_t major;
	uint16_t minor;
	uint64_t launch;
	int32_t rank;			/* -1: the daemon numbers */
	uint32_t size;			/* ranks; 0: not stated */
	int32_t core;			/* wish; -1: none, -2: do not pin */
	uint32_t pid;			/* in its own PID namespace, for status */
	char name[SNOO_WIRE_NAME];
	uint8_t mask[SNOO_WIRE_CPUS / 8]; /* bit n: may run on CPU n */
	uint64_t reserved[4];		/* zero */
};

SNOO_WIRE_SIZE(struct snoo_wire_hello, 8 + 8 + 8 + 16 + 64 + 128 + 32);

/** struct snoo_wire_welcome - The rank is in; the memfd comes with it */
struct snoo_wire_welcome {
	struct snoo_wire_head head;
	uint16_t major;
	uint16_t minor;
	uint32_t rank;
	uint32_t size;			/* ranks; of an open job: so far */
	uint32_t capacity;		/* ranks that the directory has room for */
	uint32_t slot;			/* rank slot */
	uint32_t instance;		/* of the slot */
	uint32_t job;			/* the daemon's number */
	uint32_t open_job;		/* 1: nobody stated the size */
	uint64_t pool_bytes;
	uint64_t job_off;		/* struct snoo_abi_job */
	int32_t core;			/* pin yourself to it; -1: do not */
	uint32_t node;			/* NUMA node of that core */
	uint32_t epoch;			/* of the daemon */
	uint32_t gone_epoch;		/* deaths up to here do not concern you */
	uint64_t eager_bytes;		/* larger messages are offered */
	uint32_t small_bytes;		/* the two block sizes */
	uint32_t large_bytes;
	uint32_t spin_ns;		/* spin this long before sleeping */
	uint32_t cores;			/* cores of the machine */
	/*
	 * The fd that comes with it is mapped from map_offset on; it begins
	 * map_skip bytes into the pool, and what lies before is not to be had.
	 * Both are 0 for a memfd; a guest's /dev/dax begins 2 MiB into the
	 * pool, and BAR2 of a device lies at an offset of its fd.
	 */
	uint64_t map_offset;
	uint64_t map_skip;		/* a multiple of 2 MiB, below the head */
	/*
	 * What waiting costs where the rank runs, one way; 0: not measured.
	 * spin_fixed: spin_ns was configured and holds whatever those say.
	 */
	uint32_t wake_ns;		/* a sleeper whose core is idle */
	uint32_t yield_ns;		/* to a process that polls on this core */
	uint32_t hand_ns;		/* a sleeper, on the waker's core */
	uint16_t spin_fixed;
	uint16_t stream_units;		/* of streams, on their way to one peer:
					 * SNOO_ABI_UNIT bytes each; 0 from a
					 * daemon before 0.4 */
};

SNOO_WIRE_SIZE(struct snoo_wire_welcome, 8 + 4 + 28 + 16 + 16 + 8 + 16 + 32);

/** struct snoo_wire_pinned - Where the rank really runs */
struct snoo_wire_pinned {
	struct snoo_wire_head head;
	int32_t core;			/* -1: not pinned */
	int32_t error;			/* 0, or the errno of pinning */
};

SNOO_WIRE_SIZE(struct snoo_wire_pinned, 16);

/**
 * struct snoo_wire_need - Rings or blocks ran short
 *
 * Not a request with an answer: the daemon gives when there is something, and
 * the rank repeats it in STATE to a daemon that took over.
 */
struct snoo_wire_need {
	struct snoo_wire_head head;
	uint32_t rings;			/* small spare rings */
	uint32_t large_rings;		/* for channels that run hot */
	uint32_t small_blocks;		/* wanted beyond those held */
	uint32_t large_blocks;
};

SNOO_WIRE_SIZE(struct snoo_wire_need, 24);

/** struct snoo_wire_ack - Everything of ranks gone up to @gone is drained */
struct snoo_wire_ack {
	struct snoo_wire_head head;
	uint32_t gone;			/* gone_epoch of a GONE message */
	uint32_t reserved;
};

SNOO_WIRE_SIZE(struct snoo_wire_ack, 16);

/** struct snoo_wire_state - For a daemon that took over */
struct snoo_wire_state {
	struct snoo_wire_head head;
	uint32_t epoch;			/* of the RESUMED that it answers */
	uint32_t gone;			/* acknowledged so far */
	uint32_t seen_gone;		/* highest GONE received */
	uint32_t spare_rings;		/* unused */
	struct snoo_wire_need need;
};

SNOO_WIRE_SIZE(struct snoo_wire_state, 24 + 24);

/** struct snoo_wire_ring_for - RING: wake a rank of my job, I have no bell */
struct snoo_wire_ring_for {
	struct snoo_wire_head head;
	uint32_t rank;
	uint32_t reserved;
};

SNOO_WIRE_SIZE(struct snoo_wire_ring_for, 16);

/**
 * struct snoo_wire_bells - Eventfds instead of futexes
 *
 * Said to the ranks of a job that spans kernels, before START where the size
 * was stated.  From then on the rank sleeps on eventfds: the first @listen
 * fds of this message, and those of earlier ones.  It never reads them: an
 * epoll instance of its own, edge-triggered, tells it of each ring, so that
 * several ranks may listen to one eventfd.
 *
 * @count entries follow: rank @rank is woken by writing fd @listen + @fd of
 * this message; several ranks may share one.  A rank that no entry names is
 * woken by its futex, or, where that can't be, by RING.
 *
 * SNOO_WIRE_BELLS_ALL: forget what earlier ones said.  SNOO_WIRE_BELLS_POLL:
 * nobody can wake you, look by yourself from time to time.
 */
struct snoo_wire_bells {
	struct snoo_wire_head head;
	uint32_t flags;			/* SNOO_WIRE_BELLS_* */
	uint32_t listen;		/* fds */
	uint32_t count;			/* 0..SNOO_WIRE_LIST */
	uint32_t reserved;
	struct snoo_wire_bell {
		uint32_t rank;
		uint32_t fd;
	} bell[];
};

SNOO_WIRE_SIZE(struct snoo_wire_bells, 24);
SNOO_WIRE_SIZE(struct snoo_wire_bell, 8);

#define SNOO_WIRE_BELLS_ALL	0x1u
#define SNOO_WIRE_BELLS_POLL	0x2u
#define SNOO_WIRE_FDS		128	/* fds of one message, at most */

/** struct snoo_wire_plain - LEAVE, BYE, LOOK */
struct snoo_wire_plain {
	struct snoo_wire_head head;
};

/** struct snoo_wire_start - All ranks of a job of stated size are there */
struct snoo_wire_start {
	struct snoo_wire_head head;
	uint32_t size;
	uint32_t reserved;
};

SNOO_WIRE_SIZE(struct snoo_wire_start, 16);

/** struct snoo_wire_rings - Spare rings, zeroed; @count entries follow */
struct snoo_wire_rings {
	struct snoo_wire_head head;
	uint32_t count;			/* 1..SNOO_WIRE_LIST */
	uint32_t reserved;
	struct snoo_wire_ring {
		uint64_t offset;	/* bytes, a multiple of the unit */
		uint32_t bytes;		/* whole units */
		uint32_t nlines;
	} ring[];
};

SNOO_WIRE_SIZE(struct snoo_wire_rings, 16);
SNOO_WIRE_SIZE(struct snoo_wire_ring, 16);

/**
 * struct snoo_wire_registers - The machine's registers carry small messages
 *
 * Said to a rank of the host before GRANT, and again after each RESUMED; there
 * it may come for the first time.  From then on it may put messages of up to
 * @bytes for ranks whose slot says `registers` into the ring `out`, and must
 * take those that come in the ring `in` (struct snoo_abi_register); both are its
 * own, for as long as it is there, and have a power of two of lines, so that a
 * daemon that takes over finds its place in them.  Without
 * SNOO_WIRE_REGISTERS_ON it sends nothing more that way, and goes on taking what
 * comes.
 */
struct snoo_wire_registers {
	struct snoo_wire_head head;
	uint32_t flags;			/* SNOO_WIRE_REGISTERS_* */
	uint32_t bytes;			/* of a message, at most */
	struct snoo_wire_ring out;	/* the rank produces */
	struct snoo_wire_ring in;	/* the daemon produces */
};

SNOO_WIRE_SIZE(struct snoo_wire_registers, 16 + 2 * 16);

#define SNOO_WIRE_REGISTERS_ON	0x1u

/**
 * struct snoo_wire_grant - Blocks lent; @count entries follow
 *
 * A unit may come back in a block of another size: the generation says which
 * grant an entry speaks of, and the descriptor holds it until it is taken.
 */
struct snoo_wire_grant {
	struct snoo_wire_head head;
	uint32_t count;			/* 1..SNOO_WIRE_LIST */
	uint32_t reserved;
	struct snoo_wire_block {
		uint32_t unit;		/* of the arena */
		uint32_t bytes;		/* whole units */
		uint32_t generation;	/* of the descriptor */
		uint32_t reserved;
	} block[];
};

SNOO_WIRE_SIZE(struct snoo_wire_grant, 16);
SNOO_WIRE_SIZE(struct snoo_wire_block, 16);

/**
 * struct snoo_wire_loan - A block for a loan: one piece, however large
 *
 * Answered by LENT, at once: such a request does not wait for memory.  A rank
 * that has had no answer when RESUMED comes asks again.
 */
struct snoo_wire_loan {
	struct snoo_wire_head head;
	uint64_t bytes;			/* at least this many */
	uint32_t serial;		/* comes back in LENT; not 0 */
	uint32_t reserved;
};

SNOO_WIRE_SIZE(struct snoo_wire_loan, 24);

/**
 * struct snoo_wire_lent - Answer to LOAN
 *
 * The block is free, in the rank's grant: it may use it again and again, and
 * the daemon may recall it whenever it is free, as any other.
 */
struct snoo_wire_lent {
	struct snoo_wire_head head;
	uint32_t serial;		/* of the LOAN; 0: of none */
	int32_t error;			/* 0, or an errno, positive: no block */
	uint32_t unit;			/* of the arena */
	uint32_t generation;		/* of the descriptor */
	uint64_t bytes;			/* 2^n units */
};

SNOO_WIRE_SIZE(struct snoo_wire_lent, 32);

/**
 * struct snoo_wire_reach - Who may read our memory finds this there
 *
 * @address: of a struct snoo_abi_stamps, whose first word holds @nonce.  Said after
 * PINNED, and again after RESUMED.
 */
struct snoo_wire_reach {
	struct snoo_wire_head head;
	uint64_t address;
	uint64_t nonce;			/* random; not 0 */
};

SNOO_WIRE_SIZE(struct snoo_wire_reach, 24);

/** struct snoo_wire_where - Which process is rank @rank of my job? */
struct snoo_wire_where {
	struct snoo_wire_head head;
	uint32_t rank;
	uint32_t reserved;
};

SNOO_WIRE_SIZE(struct snoo_wire_where, 16);

/**
 * struct snoo_wire_peer - Answer to WHERE
 *
 * pid 0: the rank is not to read it.  Else it is one of the same user, on this
 * kernel, that has said REACH, and the pid is valid where the daemon lives, which
 * is where the rank lives.  The kernel may refuse nevertheless.
 */
struct snoo_wire_peer {
	struct snoo_wire_head head;
	uint32_t rank;			/* of the WHERE */
	int32_t pid;
	uint64_t address;		/* of its REACH */
	uint64_t nonce;
};

SNOO_WIRE_SIZE(struct snoo_wire_peer, 32);

enum snoo_wire_oncpu_state {
	SNOO_WIRE_ONCPU_UNKNOWN	= 0,
	SNOO_WIRE_ONCPU_RUNS	= 1,
	SNOO_WIRE_ONCPU_WANTS	= 2,	/* it waits for its CPU */
	SNOO_WIRE_ONCPU_SLEEPS	= 3,
};

/**
 * struct snoo_wire_oncpu - Who has a CPU, as the kernel's scheduler says
 *
 * Said to a rank of the host after WELCOME, and again after each RESUMED, where
 * BPF programs watch the domain's ranks; a daemon that does not say it again
 * has none, and what was mapped stands still.  One fd comes with it, or none if
 * it was refused on the way: a map of @slots entries of @stride bytes, to be
 * mapped from its beginning on, read-only.  An entry is of the rank slot of its
 * number, and in it are, in bytes from its beginning,
 *
 *	@state	   32 bits, enum snoo_wire_oncpu_state, of the rank's first
 *		   thread
 *	@instance  32 bits: of the slot.  Is it another than the slot's own,
 *		   the entry is of somebody who has gone
 *	@waits	   64 bits: times that it had to wait for a CPU
 *
 * Written at each switch, without any order: hints, for how long to spin.
 */
struct snoo_wire_oncpu {
	struct snoo_wire_head head;
	uint32_t slots;
	uint32_t stride;		/* a multiple of 8 */
	uint32_t state;
	uint32_t instance;
	uint32_t waits;
	uint32_t reserved;
};

SNOO_WIRE_SIZE(struct snoo_wire_oncpu, 32);

/** struct snoo_wire_gone - A rank of the job left or died */
struct snoo_wire_gone {
	struct snoo_wire_head head;
	uint32_t rank;
	uint32_t state;			/* SNOO_ABI_LEFT or SNOO_ABI_DEAD; plus
					 * SNOO_WIRE_GONE_REGISTERS */
	uint32_t gone;			/* epoch: grows with each GONE */
	uint32_t slot;			/* that it had */
};

SNOO_WIRE_SIZE(struct snoo_wire_gone, 24);

/* A SNOO_ABI_GONE line for it comes in the ring `in`: read until then. */
#define SNOO_WIRE_GONE_REGISTERS	0x100u

/** struct snoo_wire_resumed - A new daemon has adopted this session */
struct snoo_wire_resumed {
	struct snoo_wire_head head;
	uint32_t epoch;
	uint32_t reserved;
};

SNOO_WIRE_SIZE(struct snoo_wire_resumed, 16);

/** struct snoo_wire_error - Why the session ends; end of file follows */
struct snoo_wire_error {
	struct snoo_wire_head head;
	int32_t error;			/* errno, positive */
	uint32_t reserved;
	char text[SNOO_WIRE_TEXT];	/* a sentence, NUL-terminated */
};

SNOO_WIRE_SIZE(struct snoo_wire_error, 16 + 256);

/*
 * Programs in VMs
 * ===============
 *
 * A connection on which RUN is the first message never becomes a rank's: it
 * is one program in one VM, from its start to its end.
 *
 *     snoorun                                daemon
 *       | RUN --------------------------------> |  who may is checked here
 *       | <-------------------------- STARTED   |  or FINISHED with an error
 *       | <-------------------------- DATA ...  |  output
 *       | CREDIT -----------------------------> |  so much was passed on
 *       | DATA -------------------------------> |  input; 0 bytes: its end
 *       | <--------------------------- CREDIT   |
 *       | SIGNAL -----------------------------> |
 *       | <------------------------- FINISHED   |  and end of file
 *
 * Each stream may have SNOO_WIRE_CREDIT_MAX bytes on their way.  If the
 * connection ends before FINISHED, the program gets SIGTERM and, two seconds
 * later, SIGKILL; so it does if the daemon ends, also one that comes back.
 */
#define SNOO_WIRE_CREDIT_MAX	32768u
#define SNOO_WIRE_DATA_MAX	4032u	/* bytes of one message */
#define SNOO_WIRE_WORDS_MAX	3984u	/* bytes of arguments and environment */
#define SNOO_WIRE_WORDS		64u	/* arguments; and as many variables */

enum snoo_wire_stream {
	SNOO_WIRE_IN	= 0,
	SNOO_WIRE_OUT	= 1,
	SNOO_WIRE_ERR	= 2,
};

/**
 * struct snoo_wire_run - Start a program in a VM
 *
 * @argc strings follow, then @envc of the form NAME=VALUE, each with its NUL:
 * @bytes in all.  The first is the program, an absolute path.
 */
struct snoo_wire_run {
	struct snoo_wire_head head;
	uint32_t magic;			/* SNOO_WIRE_MAGIC */
	uint16_t major;
	uint16_t minor;
	uint32_t argc;			/* 1 .. SNOO_WIRE_WORDS */
	uint32_t envc;			/* 0 .. SNOO_WIRE_WORDS */
	uint32_t bytes;			/* 1 .. SNOO_WIRE_WORDS_MAX */
	uint32_t reserved0;
	char vm[SNOO_WIRE_NAME];	/* its name */
	uint64_t reserved[2];		/* zero */
	/* char words[bytes] */
};

SNOO_WIRE_SIZE(struct snoo_wire_run, 8 + 8 + 16 + 64 + 16);
_Static_assert(sizeof(struct snoo_wire_run) + SNOO_WIRE_WORDS_MAX ==
	       SNOO_WIRE_MAX, "wire: a RUN must fit a message");

/** struct snoo_wire_started - It runs */
struct snoo_wire_started {
	struct snoo_wire_head head;
	uint32_t pid;			/* in the VM */
	uint32_t uid;			/* that it runs as there */
};

SNOO_WIRE_SIZE(struct snoo_wire_started, 16);

/** struct snoo_wire_finished - It has ended, or never ran */
struct snoo_wire_finished {
	struct snoo_wire_head head;
	int32_t error;			/* errno, positive: no status */
	int32_t status;			/* as of waitpid(2) */
	char text[SNOO_WIRE_TEXT];	/* with an error: a sentence */
};

SNOO_WIRE_SIZE(struct snoo_wire_finished, 16 + 256);

/** struct snoo_wire_signal - To its process group */
struct snoo_wire_signal {
	struct snoo_wire_head head;
	uint32_t signal;
	uint32_t reserved;
};

SNOO_WIRE_SIZE(struct snoo_wire_signal, 16);

/**
 * struct snoo_wire_data - @bytes of a stream follow
 *
 * 0 bytes of input: its end.  0 bytes of an output, from snoorun: nobody reads
 * it any more.
 */
struct snoo_wire_data {
	struct snoo_wire_head head;
	uint32_t stream;		/* enum snoo_wire_stream */
	uint32_t bytes;			/* 0 .. SNOO_WIRE_DATA_MAX */
	/* char data[bytes] */
};

SNOO_WIRE_SIZE(struct snoo_wire_data, 16);

/** struct snoo_wire_credit - @bytes of a stream were consumed */
struct snoo_wire_credit {
	struct snoo_wire_head head;
	uint32_t stream;
	uint32_t bytes;			/* since the last one */
};

SNOO_WIRE_SIZE(struct snoo_wire_credit, 16);

#endif /* SNOO_WIRE_H */
