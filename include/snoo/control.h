/* SPDX-License-Identifier: MIT */
/*
 * control.h - every byte that a VM's guest daemon and the host daemon share
 *
 * A VM has two ivshmem devices: `pool`, which every peer of the domain can
 * write, and `control`, whose memory is a memfd of its own that only this VM
 * and the host daemon have.  Control carries authority: who joined, who died,
 * which blocks were lent, what is to be started.  It is the long socket of the
 * guest's ranks: a guest daemon passes their wire.h messages on, as they are.
 *
 * Both sides treat the other as hostile: copy, check, use.  The host daemon
 * cuts a VM off whose control memory makes no sense; a guest daemon that finds
 * nonsense ends its ranks' sessions and begins again.
 *
 * The memory
 * ==========
 *
 *   0x00000 +--------------------+ host, before the device is handed out
 *           | frozen head        |
 *   0x00080 +--------------------+ host
 *           | struct end, host   | gen, state; tail of H2G, head of G2H
 *   0x00100 +--------------------+ guest
 *           | struct end, guest  | gen, state; tail of G2H, head of H2G
 *   0x40000 +--------------------+ host: H2G, frames to the guest
 *           | 256 KiB            |
 *   0x80000 +--------------------+ guest: G2H, frames to the host
 *           | 256 KiB            |
 *           +--------------------+ 0x100000
 *
 * A ring is a stream of frames, each at a multiple of 8 bytes, and wraps where
 * it likes, also inside a frame.  tail counts the bytes published, head the
 * bytes consumed; both run freely through 2^32, and `used = tail - head` may
 * not be above SNOO_CTL_RING.  The producer stores the frame, then tail with
 * release (edge FRAME); the consumer acquires tail, copies the frame, then
 * stores head with release (edge ROOM), which the producer acquires before it
 * writes there again.
 *
 * Bells
 * =====
 *
 * Whoever moves its tail, and whoever moves its head while the other end says
 * SNOO_CTL_FULL, rings the other's doorbell: peer 0 is the host, and a guest's
 * own number is its slot; there is one vector.  A bell that is rung for
 * nothing is allowed, one that is rung all the time is muted for a while.
 *
 * A session of the control channel
 * ================================
 *
 *     guest daemon                              host daemon
 *       gen := another number, bell ---------->   reads what G2H still holds,
 *       (not 0, not the last one)                 start := its tail of H2G
 *       <------------------------------- bell   gen := the same
 *       head of H2G := start
 *       HELLO --------------------------------->  version, boot id, vectors
 *       KNOWN, one for each session it kept --->
 *       READY --------------------------------->
 *       <-------------------- WELCOME or ERROR
 *       JOIN {sid, who, HELLO of wire.h} ------>  a rank wants to join
 *       <------------------------ MSG {sid} ...   what the socket would carry
 *       MSG {sid} ----------------------------->
 *       CLOSED {sid} -------------------------->  its socket has ended
 *       EXITED {sid} -------------------------->  its process has ended
 *       <----------------------------- END {sid}  hang up on it
 *
 * KNOWN names each session that the guest daemon still serves, and each of a
 * process that has not ended though its session has: one that is not named
 * counts as exited.  A host daemon that dies in the middle may say WELCOME,
 * and what follows it, once more: the guest bears that.  What is said to a
 * session that the guest does not know is ignored; to MSG of one that the host
 * does not know it answers END.
 *
 * A HELLO with another boot id ends all ranks of the former boot.  With the
 * same one, ranks whose sid was not named by a KNOWN are dead; the others get
 * RESUMED (wire.h), which heals what was lost between two guest daemons.  A
 * host daemon that dies is noticed by nobody: the next one finds its own tail
 * and head here and goes on.
 */
#ifndef SNOO_CONTROL_H
#define SNOO_CONTROL_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define SNOO_CTL_MAGIC	UINT64_C(0x314c54434f4f4e53)	/* "SNOOCTL1" */

/*
 * MAJOR: a peer with another number would misread memory; refuse it.
 * MINOR: reserved space gained a meaning; the smaller number is in force.
 */
#define SNOO_CTL_MAJOR		0u
#define SNOO_CTL_MINOR		2u	/* 2: LENT is passed on to a rank */

#define SNOO_CTL_BYTES		0x100000u	/* of the whole device */
#define SNOO_CTL_H2G		0x40000u	/* where the rings lie */
#define SNOO_CTL_G2H		0x80000u
#define SNOO_CTL_RING		0x40000u	/* bytes of one ring */
#define SNOO_CTL_VECTORS	1u		/* QEMU's vectors= for it */
#define SNOO_CTL_FRAME_MAX	8192u		/* bytes of a frame, head too */
#define SNOO_CTL_DATA_MAX	4032u		/* bytes of input or output */
#define SNOO_CTL_NAME		64u		/* bytes, NUL included */
#define SNOO_CTL_TEXT		256u		/* bytes, NUL included */
#define SNOO_CTL_PEERS		128u		/* entries of a BELLS frame */

#define SNOO_CTL_AT(type, field, off)					\
	_Static_assert(offsetof(type, field) == (off),			\
		       "control: " #type "." #field " moved")
#define SNOO_CTL_SIZE(type, bytes)					\
	_Static_assert(sizeof(type) == (bytes), "control: " #type " changed")

/** struct snoo_ctl_end - What one end says of itself; only it writes this */
struct snoo_ctl_end {
	alignas(128)
	_Atomic uint32_t gen;		/* guest: asks; host: answers */
	_Atomic uint32_t state;		/* enum snoo_ctl_state */
	_Atomic uint32_t tail;		/* of the ring that it produces */
	_Atomic uint32_t head;		/* of the ring that it consumes */
	_Atomic uint32_t start;		/* host: tail of H2G when gen changed */
	_Atomic uint32_t full;		/* SNOO_CTL_FULL: ring when you consume */
	uint32_t reserved[2];
};

SNOO_CTL_AT(struct snoo_ctl_end, gen,	0x00);
SNOO_CTL_AT(struct snoo_ctl_end, state,	0x04);
SNOO_CTL_AT(struct snoo_ctl_end, tail,	0x08);
SNOO_CTL_AT(struct snoo_ctl_end, head,	0x0c);
SNOO_CTL_AT(struct snoo_ctl_end, start,	0x10);
SNOO_CTL_AT(struct snoo_ctl_end, full,	0x14);
SNOO_CTL_SIZE(struct snoo_ctl_end,	0x80);

#define SNOO_CTL_FULL	1u

enum snoo_ctl_state {
	SNOO_CTL_NEW	= 0,		/* no session yet */
	SNOO_CTL_LIVE	= 1,
	SNOO_CTL_CUT	= 2,		/* host: this VM broke the protocol; a
					 * new gen begins again */
};

/** struct snoo_ctl_memory - The head of the device; the first 32 bytes frozen */
struct snoo_ctl_memory {
	alignas(128)
	uint64_t magic;			/* SNOO_CTL_MAGIC, written last */
	uint32_t major;
	uint32_t minor;
	uint64_t bytes;			/* SNOO_CTL_BYTES */
	uint64_t reserved;

	struct snoo_ctl_end host;
	struct snoo_ctl_end guest;
};

SNOO_CTL_AT(struct snoo_ctl_memory, magic, 0x000);
SNOO_CTL_AT(struct snoo_ctl_memory, major, 0x008);
SNOO_CTL_AT(struct snoo_ctl_memory, minor, 0x00c);
SNOO_CTL_AT(struct snoo_ctl_memory, bytes, 0x010);
SNOO_CTL_AT(struct snoo_ctl_memory, host,  0x080);
SNOO_CTL_AT(struct snoo_ctl_memory, guest, 0x100);
SNOO_CTL_SIZE(struct snoo_ctl_memory,	   0x180);

/*
 * Frames
 * ======
 */
enum snoo_ctl_type {
	/* guest to host */
	SNOO_CTL_HELLO		= 1,	/* struct snoo_ctl_hello */
	SNOO_CTL_KNOWN		= 2,	/* sid */
	SNOO_CTL_READY		= 3,
	SNOO_CTL_JOIN		= 4,	/* struct snoo_ctl_join */
	SNOO_CTL_CLOSED		= 6,	/* sid */
	SNOO_CTL_EXITED		= 7,	/* sid */
	SNOO_CTL_RING_FOR	= 8,	/* struct snoo_ctl_ring */
	SNOO_CTL_STARTED	= 9,	/* sid: the run's; struct snoo_ctl_run_pid */
	SNOO_CTL_FINISHED	= 10,	/* sid: the run's; struct snoo_ctl_run_end */

	/* host to guest */
	SNOO_CTL_WELCOME	= 65,	/* struct snoo_ctl_welcome */
	SNOO_CTL_ERROR		= 66,	/* struct snoo_ctl_error */
	SNOO_CTL_END		= 67,	/* sid: hang up */
	SNOO_CTL_BELLS		= 68,	/* sid, struct snoo_ctl_bells */
	SNOO_CTL_RUN		= 69,	/* sid: the run's; struct snoo_ctl_run */
	SNOO_CTL_SIGNAL		= 70,	/* sid: the run's; struct snoo_ctl_signal */
	SNOO_CTL_RUNS		= 71,	/* struct snoo_ctl_runs */

	/* both ways */
	SNOO_CTL_MSG		= 129,	/* sid, a message of wire.h */
	SNOO_CTL_DATA		= 130,	/* sid: the run's; struct snoo_ctl_data */
	SNOO_CTL_CREDIT		= 131,	/* sid: the run's; struct snoo_ctl_credit */
};

/**
 * struct snoo_ctl_frame - Head of every frame
 *
 * sid: the session's number, chosen by the guest daemon, not 0 and not used by
 * another session of this boot; for RUN and what follows it, the run's number,
 * chosen by the host.  slot: in MSG to the guest the rank slot, in whose news
 * word the guest daemon says that a message came; SNOO_CTL_NO_SLOT: none.
 */
struct snoo_ctl_frame {
	uint32_t length;		/* bytes, with this head; not padded */
	uint32_t type;			/* enum snoo_ctl_type */
	uint32_t sid;
	uint32_t slot;
};

SNOO_CTL_SIZE(struct snoo_ctl_frame, 16);
#define SNOO_CTL_NO_SLOT	UINT32_MAX

/* How a guest's ranks are woken: struct snoo_ctl_hello.bells. */
enum snoo_ctl_bells_kind {
	SNOO_CTL_BELLS_EVENTFD	= 1,
	SNOO_CTL_BELLS_POLL	= 2,	/* no vIOMMU: they look by themselves */
};

/* What its ranks map as the pool: struct snoo_ctl_hello.memory. */
enum snoo_ctl_map_kind {
	SNOO_CTL_MAP_DAX	= 1,	/* /dev/daxX.Y */
	SNOO_CTL_MAP_BAR	= 2,	/* BAR2, through vfio */
	SNOO_CTL_MAP_SYSFS	= 3,	/* BAR2, through sysfs */
	SNOO_CTL_MAP_MEMFD	= 4,	/* no VM: a client of the sockets */
};

/** struct snoo_ctl_hello - A guest daemon comes, or comes back */
struct snoo_ctl_hello {
	struct snoo_ctl_frame frame;
	uint32_t major;			/* SNOO_CTL_* */
	uint32_t minor;
	uint32_t abi_major;		/* SNOO_ABI_MAJOR that it was built for */
	uint32_t wire_minor;
	uint8_t boot_id[16];		/* /proc/sys/kernel/random/boot_id */
	uint32_t slot;			/* IVPosition of its pool device */
	uint32_t vectors;		/* MSI-X entries of its pool device; 0,
					 * with BELLS_POLL: it can't see them */
	uint64_t pool_bytes;		/* of BAR2 */
	uint32_t bells;			/* enum snoo_ctl_bells_kind */
	uint32_t memory;		/* enum snoo_ctl_map_kind */
	uint32_t vcpus;			/* above the number of each */
	uint32_t runs;			/* 1: it starts programs that it allows */
	uint64_t clock_ns;		/* CLOCK_MONOTONIC, when this was said */
	char host[SNOO_CTL_NAME];	/* its node name: a claim, for people */
	char kernel[SNOO_CTL_NAME];	/* its release */
	uint64_t reserved[4];
};

SNOO_CTL_SIZE(struct snoo_ctl_hello, 16 + 16 + 16 + 8 + 8 + 16 + 8 + 128 + 32);

/** struct snoo_ctl_welcome - The host takes the guest in */
struct snoo_ctl_welcome {
	struct snoo_ctl_frame frame;
	uint32_t major;
	uint32_t minor;
	uint32_t slot;
	uint32_t slots;			/* of the domain, the host's too */
	uint32_t vectors;
	uint32_t ranks;			/* rank slots of the pool */
	uint64_t pool_bytes;
	char domain[SNOO_CTL_NAME];
	char name[SNOO_CTL_NAME];	/* of this VM, as the host calls it */
	uint64_t reserved[4];
};

SNOO_CTL_SIZE(struct snoo_ctl_welcome, 16 + 24 + 8 + 128 + 32);

/** struct snoo_ctl_error - Why the host does not; then its state is CUT */
struct snoo_ctl_error {
	struct snoo_ctl_frame frame;
	int32_t error;			/* errno, positive */
	uint32_t reserved;
	char text[SNOO_CTL_TEXT];	/* a sentence, NUL-terminated */
};

SNOO_CTL_SIZE(struct snoo_ctl_error, 16 + 8 + 256);

/**
 * struct snoo_ctl_join - A process of the guest says HELLO
 *
 * uid, gid and pid are the guest's own numbers.  The wire message follows.
 */
struct snoo_ctl_join {
	struct snoo_ctl_frame frame;
	uint32_t uid;
	uint32_t gid;
	uint32_t pid;
	int32_t vcpu;			/* where it will sit; -1: anywhere */
	/* struct snoo_wire_hello */
};

SNOO_CTL_SIZE(struct snoo_ctl_join, 16 + 16);

/** struct snoo_ctl_ring - Ring that VM's vector for us: we have no bell */
struct snoo_ctl_ring {
	struct snoo_ctl_frame frame;	/* sid: who asks */
	uint32_t rank;			/* of its job */
	uint32_t reserved;
};

SNOO_CTL_SIZE(struct snoo_ctl_ring, 24);

/**
 * struct snoo_ctl_bells - How a rank is woken, and how it wakes the others
 *
 * The guest daemon turns this into BELLS of wire.h with eventfds.  All ranks
 * of slot 0 and of a VM are reached by that slot's vector.
 */
struct snoo_ctl_bells {
	struct snoo_ctl_frame frame;
	uint32_t flags;			/* SNOO_WIRE_BELLS_* */
	uint32_t vector;		/* that wakes this rank, 1 .. vectors - 1 */
	uint32_t count;			/* entries that follow */
	uint32_t reserved;
	struct snoo_ctl_bell {
		uint32_t rank;		/* of the job */
		uint16_t slot;		/* VM slot, 0: the host */
		uint16_t vector;
	} bell[];
};

SNOO_CTL_SIZE(struct snoo_ctl_bells, 32);
SNOO_CTL_SIZE(struct snoo_ctl_bell, 8);

/*
 * Programs
 * ========
 *
 *     host                                  guest
 *       RUN ------------------------------>  looks it up in what it allows
 *       <----------------------- STARTED or FINISHED with an error
 *       <----------------------- DATA ...    output, as far as credit goes
 *       CREDIT --------------------------->  so much of it was passed on
 *       DATA ----------------------------->  input; 0 bytes: its end
 *       <----------------------- CREDIT
 *       SIGNAL --------------------------->
 *       <----------------------- CREDIT      so many signals were sent
 *       <----------------------- FINISHED    after the last output
 *       RUNS ----------------------------->  end all others
 *
 * A guest daemon may die when it has read a frame and not yet acted on it, or
 * not yet noted that it has.  So nothing here is a difference: DATA says where
 * in its stream it begins, CREDIT how much was consumed since the beginning,
 * SIGNAL which one it is, all modulo 2^32; what was there before is dropped.
 * In each new session of the control channel the host says it all again: RUN
 * where no STARTED has come, CREDIT, DATA and SIGNAL that no CREDIT answers,
 * and at last RUNS, the runs that it knows.  The guest ends those that are not
 * in the list (SIGTERM, two seconds later SIGKILL) and answers FINISHED for
 * those that it does not know.  The host also says RUNS when nobody waits for
 * a program any more.
 *
 * DATA of stream 1 or 2 from the host, with 0 bytes: nobody reads it any more.
 * A RUN whose sid the guest knows is the same RUN, said again.
 */

#define SNOO_CTL_CREDIT_MAX	32768u	/* bytes on their way, each stream */
#define SNOO_CTL_SIGNALS_MAX	16u	/* signals on their way */
#define SNOO_CTL_WORDS_MAX	4096u	/* bytes of arguments and environment */

/**
 * struct snoo_ctl_run - Start a program
 *
 * @argc strings follow, then @envc of the form NAME=VALUE, each with its NUL:
 * @bytes in all.  The first is the program, an absolute path.
 */
struct snoo_ctl_run {
	struct snoo_ctl_frame frame;
	uint32_t uid;			/* who asks, on the host */
	uint32_t argc;			/* 1 .. 64 */
	uint32_t envc;			/* 0 .. 64 */
	uint32_t bytes;			/* 1 .. SNOO_CTL_WORDS_MAX */
	/* char words[bytes] */
};

SNOO_CTL_SIZE(struct snoo_ctl_run, 32);

struct snoo_ctl_run_pid {
	struct snoo_ctl_frame frame;
	uint32_t pid;			/* in the guest */
	uint32_t uid;			/* that it runs as there */
};

SNOO_CTL_SIZE(struct snoo_ctl_run_pid, 24);

struct snoo_ctl_run_end {
	struct snoo_ctl_frame frame;
	int32_t error;			/* errno, positive: it never ran */
	int32_t status;			/* as of waitpid(2) */
	char text[SNOO_CTL_TEXT];	/* with an error: a sentence */
};

SNOO_CTL_SIZE(struct snoo_ctl_run_end, 24 + 256);

struct snoo_ctl_signal {
	struct snoo_ctl_frame frame;
	uint32_t signal;		/* to its process group */
	uint32_t number;		/* of the run's first one: 0 */
};

SNOO_CTL_SIZE(struct snoo_ctl_signal, 24);

enum snoo_ctl_stream {
	SNOO_CTL_IN		= 0,
	SNOO_CTL_OUT		= 1,
	SNOO_CTL_ERR		= 2,
	SNOO_CTL_SIGNALS	= 3,	/* in CREDIT: signals, not bytes */
};

struct snoo_ctl_data {
	struct snoo_ctl_frame frame;
	uint32_t stream;		/* enum snoo_ctl_stream, but SIGNALS */
	uint32_t bytes;			/* 0: its end; SNOO_CTL_DATA_MAX at most */
	uint32_t offset;		/* bytes of the stream before these */
	uint32_t reserved;
	/* char data[bytes] */
};

SNOO_CTL_SIZE(struct snoo_ctl_data, 32);

struct snoo_ctl_credit {
	struct snoo_ctl_frame frame;
	uint32_t stream;		/* enum snoo_ctl_stream */
	uint32_t total;			/* consumed since it began */
};

SNOO_CTL_SIZE(struct snoo_ctl_credit, 24);

/** struct snoo_ctl_runs - The runs that the host knows; @count sids follow */
struct snoo_ctl_runs {
	struct snoo_ctl_frame frame;
	uint32_t count;			/* 0 .. SNOO_CTL_RUNS_MAX */
	uint32_t reserved;
	/* uint32_t sid[count] */
};

SNOO_CTL_SIZE(struct snoo_ctl_runs, 24);
#define SNOO_CTL_RUNS_MAX	1024u	/* programs in one VM at a time */

#endif /* SNOO_CONTROL_H */
