/* SPDX-License-Identifier: MIT */
/*
 * state.h - what the daemon knows of a domain while it runs: structs, lookups
 *
 * Everything here is private memory.  What must outlive the daemon is in the
 * `led` copies, which are put into the ledger whenever they change; the rest
 * follows from them, the kept fds and the configuration (adopt.c).
 *
 *     struct domain ---- job[cell] ---- member[rank] --+
 *          |                                           |
 *          +------------ rank[slot] <------------------+
 *          |                 | session (NULL: it has ended)
 *          +---- sessions ---+
 *          |       | vm (NULL: it has a socket of ours)
 *          +---- vm[VM slot]
 */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <snoo/abi.h>
#include <snoo/control.h>
#include <snoo/wire.h>

#include "daemon/arena.h"
#include "daemon/conf.h"
#include "daemon/costs.h"
#include "daemon/holder.h"
#include "daemon/keeper.h"
#include "daemon/ledger.h"
#include "daemon/listen.h"
#include "daemon/loop.h"
#include "daemon/peer.h"
#include "daemon/place.h"
#include "daemon/pool.h"
#include "daemon/sched.h"
#include "daemon/topo.h"

struct bells;
struct hal;
struct guest;
struct guest_run;
struct regs;
struct regs_rank;
struct telemetry;
struct vm;
struct domain;
struct job;
struct rank;

/** struct shared - What all domains of this daemon use */
struct shared {
	struct loop *loop;
	struct conf *conf;
	struct topo *topo;
	struct place *place;
	struct keeper *keeper;
	struct regs *regs;		/* role host; NULL: lines only */
	struct domain *domains;		/* role host */
	struct guest *guest;		/* role guest; else NULL */
	struct guest_run *programs;	/* the same; NULL: none */
	struct costs costs;		/* of waiting, here */
	uint64_t started_ns;		/* CLOCK_MONOTONIC */
};

/**
 * enum session_state - Where a session is, and what it may do there
 *
 * NEW:		accepted, has said nothing
 *		- HELLO alone may come; limits.handshake_ms, then the end
 *		- at most SESSION_NEW_MAX for each uid: a further one ends the
 *		  oldest
 * WAITING:	its HELLO is well formed; others of its uid are being served
 *		- nothing may come
 *		- at most ranks_max for each uid: a further one is refused
 * WELCOMED:	it is a rank; WELCOME is on its way, with an fd
 *		- PINNED must come first; limits.handshake_ms, then the end
 *		- counts against limits.handshakes_per_uid
 * ATTACHED:	PINNED has come, so the fd has arrived
 *		- NEED, ACK, RING, LOOK, LOAN, LEAVE, PINNED again; STATE
 *		  after RESUMED
 * LEAVING:	LEAVE has come, BYE is on its way, the rank is LEFT
 *		- nothing may come but end of file
 * ENDED:	socket closed; the struct goes at the end of this turn
 */
enum session_state {
	SESSION_NEW,
	SESSION_WAITING,
	SESSION_WELCOMED,
	SESSION_ATTACHED,
	SESSION_LEAVING,
	SESSION_ENDED,
};

#define SESSION_QUEUE_MAX	64u	/* unsent messages, then it is broken */
#define SESSION_NEW_MAX		64u

/** struct letter - A message that the socket had no room for */
struct letter {
	struct letter *next;
	size_t bytes;
	unsigned int nfds;		/* the domain's, which outlives it */
	int *fd;			/* behind the message */
	_Alignas(8) unsigned char data[];
};

/**
 * struct session - One client: a socket of ours, or a number on the control
 * channel of a VM
 *
 * Of the second kind, the guest daemon holds the socket.  No deadline runs over
 * it: a VM may be paused.  Who it is, is the guest's claim.
 */
struct session {
	struct domain *dom;
	struct session *prev, *next;
	enum session_state state;
	int fd;				/* -1: it is in a VM */
	struct vm *vm;			/* NULL: it has a socket */
	uint32_t vm_slot;		/* where its process is; 0: the host */
	uint32_t sid;			/* if vm: its number there */
	int32_t vcpu;			/* if vm: where it sits; -1: anywhere */
	bool closed;			/* if vm: the guest needs no END */
	bool known;			/* if vm: its new guest daemon has it */
	struct loop_watch *watch;
	struct loop_timer *deadline;
	struct loop_work work;		/* broken or ended: look again */
	struct who who;
	struct rank *rank;		/* from WELCOMED on */
	struct letter *queue, **queue_tail;
	uint32_t queued;
	const char *broken;		/* why it must end; NULL: it need not */
	struct snoo_wire_hello hello;	/* WAITING */
	uint32_t resumed;		/* epoch of a RESUMED; 0: no STATE due */
	uint64_t serial;		/* order of arrival */
	uint32_t fds_out;		/* bells sent that it may not have read */
};

/* What a rank has asked for and not got yet. */
struct need {
	uint32_t rings[2];		/* small, large */
	uint32_t blocks[2];
};

enum { SMALL, LARGE, SIZES };

/** struct rank - One rank slot in use; outlives its session */
struct rank {
	struct domain *dom;
	struct job *job;
	uint32_t slot;
	struct ledger_rank led;
	struct session *session;	/* NULL: it has ended */
	int pidfd;			/* -1: known to be dead, or LEFT */
	struct loop_watch *death;
	struct place_seat seat;
	bool seated;
	bool exited;			/* its process can't touch the pool */
	bool bells_due;			/* span.c: BELLS before START */
	bool ring_due;			/* span.c: RING came for it */
	bool registers;			/* register messages can reach it */
	struct regs_rank *regs;		/* regs_rank.c; NULL: it has no rings */
	uint64_t reach_address;		/* of its stamps, in its memory */
	uint64_t reach_nonce;		/* 0: REACH has not come */
	struct need need;
	uint64_t need_since_ns;		/* CLOCK_MONOTONIC; 0: none */
	uint32_t rings[SIZES];		/* that it holds */
	uint32_t blocks[SIZES];
	uint32_t fair[SIZES];		/* blocks, as last shared out */
	uint32_t loans;			/* blocks for loans that it holds */
	uint64_t loan_bytes;		/* in them */
	struct sched_rank sched;
};

/** struct member - A rank number of a job */
struct member {
	struct rank *rank;		/* NULL: not there, or forgotten */
	bool used;			/* the number was given out */
};

/** struct job - One job cell in use */
struct job {
	struct domain *dom;
	uint32_t cell;
	struct ledger_job led;
	struct member *member;		/* led.capacity of them */
	uint32_t attached;		/* ranks that are alive */
	uint32_t quarantined;		/* ranks gone whose slot is not free */
	bool failing;			/* its forming has failed */
	uint64_t slots;			/* VM slots that it spans; 0: one
					 * kernel, futexes do (span.c) */
	int32_t *planned;		/* the cpu of each rank to come, or
					 * PLACE_NO_CPU; NULL: as they come */
	struct sched_job sched;
};

/** struct domain - One pool and all that belongs to it */
struct domain {
	struct domain *next;
	struct shared *sh;
	const struct conf_domain *conf;
	char name[CONF_NAME_MAX + 1];
	int lock_fd;
	struct pool pool;
	struct holder holder;		/* slots > 1: the pool for QEMU */
	struct ledger *ledger;
	struct arena *arena;
	struct hal *hal;
	struct telemetry *telemetry;	/* NULL: not opened yet */
	/* A frame for the guest daemon in a VM slot; NULL: no bells. */
	void (*to_guest)(struct domain *d, uint32_t slot,
			 const struct snoo_ctl_frame *f, const void *body,
			 size_t bytes);
	struct listener listener;
	struct listener vm_listener[2];	/* enum vm_line_kind */
	struct bells *bells;		/* NULL: futexes only */
	struct vm **vm;			/* by VM slot; [0] is NULL */
	uint32_t slots;			/* VM slots, the host's too; 1: none */
	uint32_t vectors;		/* of each; 0: none */
	uint32_t nranks;		/* rank slots, and job cells */
	struct rank **rank;		/* by slot */
	struct job **job;		/* by cell */
	uint32_t ranks;			/* slots in use */
	uint32_t expected;		/* ranks that blocks are for: supply.c */
	uint32_t jobs;			/* cells in use */
	struct session *sessions;
	struct run *runs;		/* run.c: programs in VMs */
	struct regs_rank *regs;		/* ranks with register rings */
	uint64_t serial;		/* of the last session */
	uint64_t vm_serial;		/* of the last VM that came */
	uint32_t next_slot;		/* where the search for one begins */
	struct sched sched;
	struct loop_timer *rounds;	/* share.c */
	uint64_t idle_ms;		/* share.c: until the next look */
	struct loop_work share_work;	/* share.c: somebody is short */
	struct loop_work lost_work;	/* domain.c: the pool is gone */
	struct loop_work reap_work;	/* reap.c: look at the quarantines */
	struct loop_work ring_work;	/* span.c: ranks with ring_due */
	uint64_t shrink_ns;		/* loans.c: for asking, not before */
	const char *lost;		/* why; NULL: it lives */
};

/* The keeper's name of something of this domain; `what` as printf. */
#define STATE_KEEP_MAX	128
const char *state_keep_name(char buf[STATE_KEEP_MAX], const struct domain *d,
			    const char *what);
const char *state_keep_rank(char buf[STATE_KEEP_MAX], const struct rank *r,
			    const char *what);

/* Put the copy into the ledger. */
void state_put_job(struct job *j);
void state_put_rank(struct rank *r);

/* A struct for a cell or slot that is free; NULL: no memory. */
struct job *state_job_new(struct domain *d, uint32_t cell, uint32_t capacity);
void state_job_free(struct job *j);
struct rank *state_rank_new(struct domain *d, uint32_t slot, struct job *j);
void state_rank_free(struct rank *r);

/* The first free one, or LEDGER_NONE. */
uint32_t state_free_slot(struct domain *d);
uint32_t state_free_cell(const struct domain *d);

bool state_rank_alive(const struct rank *r);

/* struct ledger_rank.flags */
#define STATE_RANK_CONFIRMED	0x1u	/* its WELCOME has arrived */
#define STATE_RANK_EXITED	0x2u	/* of a VM: its process has ended */
#define STATE_RANK_KNOWN	0x4u	/* of a VM: its new guest daemon has it */

/* The VM that it is in, as long as that one answers for it; else NULL. */
struct vm *state_rank_vm(const struct rank *r);

/* As in the pool's head and in messages; an odd number below it: repairing. */
uint32_t state_epoch(const struct domain *d);

/**
 * state_lose() - The domain must end; said once, done at the end of this turn
 * @why:	A sentence that stays valid
 */
void state_lose(struct domain *d, const char *why);

/* enum snoo_abi_member_state of a rank, and words for people. */
uint32_t state_member(const struct rank *r);
const char *state_rank_name(const struct rank *r);
const char *state_job_name(const struct job *j);
const char *state_session_name(enum session_state state);

#endif /* DAEMON_STATE_H */
