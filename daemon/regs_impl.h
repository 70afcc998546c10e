/* SPDX-License-Identifier: MIT */
/*
 * regs_impl.h - what the files of the register service share
 */
#ifndef DAEMON_REGS_IMPL_H
#define DAEMON_REGS_IMPL_H

#include "daemon/regs.h"
#include "daemon/topo.h"
#include "shm/ring.h"

/*
 * Of each of a rank's two rings.  A power of two, so that a daemon that takes
 * over finds its place; so few that all of `out` may be under way at once.
 */
#define REGS_LINES	64u
#define REGS_WINDOW	(REGS_LINES / SNOO_ABI_REGISTER_LINES)
#define REGS_RING_BYTES	(sizeof(struct snoo_abi_ring) + \
			 (uint64_t)REGS_LINES * SNOO_ABI_LINE)

_Static_assert((REGS_LINES & (REGS_LINES - 1)) == 0, "regs: power of two");

/** struct regs_message - A register message; our own copy, checked */
struct regs_message {
	uint64_t number;
	uint32_t peer;
	uint32_t tag;
	uint16_t context;
	uint16_t length;
	uint8_t data[SNOO_ABI_INLINE_MAX];
};

enum regs_flight_state {
	REGS_WAITING,		/* for its turn, its lane, or room */
	REGS_UNDER_WAY,		/* in mailboxes; room for it is promised */
	REGS_ARRIVED,		/* in the receiver's ring, or not wanted */
};

/** struct regs_flight - What was read from `out` and is not told yet */
struct regs_flight {
	enum regs_flight_state state;
	struct regs_message m;
};

/** struct regs_rank - A rank that has register rings */
struct regs_rank {
	struct regs_rank *next;		/* of its domain */
	struct rank *rank;
	uint32_t id;			/* in messages: below MAIL_IDS */
	struct shm_rx out;
	struct shm_tx in;
	uint32_t promised;		/* lines of `in` */
	bool fresh;			/* regs_ring_look() saw something */
	bool closed;			/* nothing more is read from `out` */
	bool deaf;			/* nothing more is put into `in` */
	const char *spoilt;		/* found at adoption; NULL: well */
	uint32_t first, n;		/* flight[first], n of them, in a ring */
	uint32_t arrived;		/* lines of `out` that are done with */
	struct regs_flight flight[REGS_WINDOW];
	uint32_t dues;			/* GONE lines to be put */
	uint32_t due[SNOO_ABI_JOB_RANKS / 32];	/* whose */
};

/** struct regs_way - A message in the mailboxes: one for each lane in use */
struct regs_way {
	uint32_t from_core, to_core;
	uint32_t from_id, to_id;
	uint64_t number;
	struct regs_rank *from;		/* NULL: has been dropped */
	struct regs_rank *to;		/* that it is promised room; NULL: none */
	struct regs_flight *flight;	/* of from; NULL: it has arrived */
};

#define REGS_WAYS	256u

/** struct regs - The service */
struct regs {
	struct shared *sh;
	const struct hal_ops *ops;	/* NULL: lines */
	struct mail *mail;		/* NULL: lines */
	void *blocks;			/* emul: the register blocks */
	struct topo_set served;
	int64_t message_ns, line_ns;
	char chip[HAL_TEXT];
	char why[HAL_TEXT];
	char reason[REGS_TEXT];
	char warning[REGS_TEXT];
	int lock_fd;			/* one daemon uses the hardware; -1 */

	struct regs_way way[REGS_WAYS];
	uint32_t ways;
	uint32_t next_id;
	uint32_t ranks;			/* that have rings, of all domains */

	uint32_t polls;			/* of the mailboxes, in a round */
	bool busy;			/* polling */
	bool waiting;			/* somebody has no room, or the mail is
					 * not done */
	uint64_t moved_ns;		/* CLOCK_MONOTONIC: something moved */
	uint64_t refreshed_ns;		/* cores were looked at */
	uint64_t again_ms;
	struct loop_timer *again;
	struct regs_event *event;	/* NULL: by time only */
	uint64_t messages, copied, dropped, core_changes;
};

/* ---- regs_serve.c ---- */

int regs_serve_open(struct regs *g);
void regs_serve_close(struct regs *g);
/* There is, or may be, something to do. */
void regs_wake(struct regs *g);
/* Everything once: how much has moved. */
uint32_t regs_round(struct regs *g);
/* Cores may have come or gone. */
void regs_refresh(struct regs *g);
/* Read what @r has published, @most messages of it. */
void regs_take(struct regs_rank *r, uint32_t most);
extern const struct mail_ops regs_told;

/* ---- regs_ring.c: 0, or -EFAULT: the domain is lost ---- */

int regs_ring_open(struct regs_rank *r, uint32_t out, uint32_t in);
/* After the last daemon; -EPROTO: what is there cannot be. */
int regs_ring_resume(struct regs_rank *r, uint32_t out, uint32_t in);
/* Sets `fresh` of each rank of @d that may be read: how many, or -EFAULT. */
int regs_ring_look(struct domain *d);
/* Copy what is there, at most @most, behind flight[].  How many, or -EPROTO
 * after those. */
int regs_ring_take(struct regs_rank *r, uint32_t most);
/* `consumed` of out := r->arrived. */
int regs_ring_tell(struct regs_rank *r);
/* Has `in` room for @lines more, beyond what is promised?  1, 0, or -EPROTO:
 * its consumer's counter is impossible. */
int regs_ring_room(struct regs_rank *r, uint32_t lines);
/* There must be room. */
int regs_ring_put(struct regs_rank *r, const struct regs_message *m);
int regs_ring_put_gone(struct regs_rank *r, uint32_t rank);
/* `asleep` in the head; the fence of edge LOOK is the caller's. */
int regs_ring_asleep(struct domain *d, uint32_t asleep);

/* ---- regs_line.c ---- */

/* One way of one line between two cores, in ns; -ENODEV: there are no two;
 * -EAGAIN: they did not run at the same time for long enough. */
int64_t regs_line_measure(const struct topo_set *cores);

/* ---- regs_event.c ---- */

/* Call @fn whenever the kernel says that a cpu came or went.  -errno: this
 * process may not listen. */
int regs_event_open(struct regs_event **out, struct loop *l,
		    void (*fn)(void *arg), void *arg);
void regs_event_close(struct regs_event *e);
/* Does a message of the kernel speak of a cpu? */
bool regs_event_is_cpu(const char *msg, size_t bytes);

#endif /* DAEMON_REGS_IMPL_H */
