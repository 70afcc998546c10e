/* SPDX-License-Identifier: MIT */
/*
 * guest_state.h - what the daemon of a VM knows while it runs: structs, lookups
 *
 *     struct guest --- dev ------- the two devices (guest_dev.h)
 *          |     `---- link ------ frames to and from the host (guest_link.c)
 *          |     `---- pool ------ the ranks' slots (guest_pool.c)
 *          |     `---- ring ------ the bell thread (toll.c)
 *          `---------- sessions -- sockets of processes (guest_session.c)
 *
 * Nothing here is authority: jobs, ranks and deaths are the host's to decide.
 * What must outlive the daemon is held by the keeper alone (guest_adopt.c).
 */
#ifndef DAEMON_GUEST_STATE_H
#define DAEMON_GUEST_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snoo/control.h>
#include <snoo/wire.h>

#include "daemon/guard.h"
#include "daemon/guest_dev.h"
#include "daemon/listen.h"
#include "daemon/loop.h"
#include "daemon/peer.h"
#include "daemon/place.h"
#include "daemon/state.h"
#include "shm/link.h"
#include "shm/region.h"

#define GUEST_QUEUE_MAX	64u	/* unsent messages, then it is cut off */
#define GUEST_NEW_MAX	64u	/* silent connections of one uid */
#define GUEST_TYPES	192u	/* types of frames, at most */
#define GUEST_USERS	2u

struct guest;
struct toll;
struct guest_user;

/* ---- the link ---- */

/**
 * enum guest_link_state - Where the control channel is
 *
 * PAUSE:	something went wrong; a second later we ask
 * ASKED:	our gen is set, the host has not answered; ranks go on
 * GREETING:	it has; HELLO, KNOWN ... READY are being said
 * GREETED:	WELCOME or ERROR is to come
 * LIVE:	sessions' messages pass
 */
enum guest_link_state {
	GUEST_LINK_PAUSE,
	GUEST_LINK_ASKED,
	GUEST_LINK_GREETING,
	GUEST_LINK_GREETED,
	GUEST_LINK_LIVE,
};

/**
 * guest_handler - A frame of the host's, a copy, its length checked to be
 * @bytes, the head in it
 *
 * Return: 0, or -EPROTO: the host broke the contract; the session of the
 * control channel ends, and all ranks' with it
 */
typedef int (*guest_handler)(struct guest *g, const struct snoo_ctl_frame *f,
			     size_t bytes);

/** struct guest_link - Our end of the control channel */
struct guest_link {
	struct shm_link shm;
	enum guest_link_state state;
	uint64_t since_ns;		/* of this state */
	struct loop_watch *bell;
	struct loop_timer *retry;	/* asks, asks again, looks for a cut */
	struct loop_timer *again;	/* frames are left for the next turn */
	struct loop_work ring_work;	/* the host is owed a bell */
	struct loop_work end_work;	/* something is wrong: begin again */
	char wrong[SNOO_CTL_TEXT];	/* what; "": nothing */
	char refused[SNOO_CTL_TEXT];	/* the host's word; "": none */
	bool said_hello;
	bool wants_room;		/* somebody was told -EAGAIN */
	uint64_t busy_ns;		/* when a frame last passed */
	struct snoo_ctl_welcome welcome;	/* LIVE, and while it was */
	uint32_t sessions;		/* WELCOMEs so far */
	guest_handler on[GUEST_TYPES];
};

/* ---- the pool ---- */

/** struct guest_pool - The rank slots, as the host's WELCOME lays them out */
struct guest_pool {
	struct shm_region region;	/* base NULL: not known yet */
	struct guard guard;
	bool lost;			/* a page was not there; said once */
};

/* ---- sessions ---- */

/**
 * enum guest_session_state - Where a session is, and what it may do there
 *
 * NEW:		accepted, has said nothing; limits.handshake_ms
 * WAITING:	its HELLO is in order; others of its uid are being served, or
 *		the host is silent; as many of each uid as there are ranks
 * JOINING:	JOIN is with the host
 * WELCOMED:	WELCOME is in the socket; PINNED must come within
 *		limits.handshake_ms
 * ATTACHED:	messages pass both ways
 * CLOSED:	the socket is gone; its process may not be
 * ENDED:	the struct goes at the end of this turn
 */
enum guest_session_state {
	GUEST_SESSION_NEW,
	GUEST_SESSION_WAITING,
	GUEST_SESSION_JOINING,
	GUEST_SESSION_WELCOMED,
	GUEST_SESSION_ATTACHED,
	GUEST_SESSION_CLOSED,
	GUEST_SESSION_ENDED,
};

/** struct guest_letter - A message that the socket had no room for */
struct guest_letter {
	struct guest_letter *next;
	size_t bytes;
	uint32_t slot;			/* whose news word says so */
	unsigned int nfds;
	int *fd;			/* in this allocation; not ours */
	unsigned char *data;
};

/* How a rank of its job is woken: BELLS of control.h; slot SLOT_NONE: no
 * entry named it. */
struct guest_bell {
	uint16_t slot;
	uint16_t vector;
};

#define GUEST_SLOT_NONE	UINT16_MAX

/** struct guest_session - One client socket, or a process that had one */
struct guest_session {
	struct guest *g;
	struct guest_session *prev, *next;
	enum guest_session_state state;
	uint32_t sid;			/* 0: none yet */
	uint64_t serial;		/* order of arrival */
	int fd;				/* -1: gone */
	struct loop_watch *watch;
	struct loop_watch *death;	/* of who.pidfd */
	struct loop_timer *deadline;
	struct loop_work work;		/* broken or ended: look again */
	const char *broken;		/* why it must end; NULL: it need not */
	struct who who;
	struct snoo_wire_hello hello;
	struct place_seat seat;
	bool seated;
	bool kept;			/* the keeper has its fds */
	bool joined;			/* JOIN is said, as far as we know */
	bool adopted;			/* from a daemon before us */
	bool known;			/* KNOWN is said, in this session */
	bool paused;			/* not read: the ring has no room */
	bool hung_up;			/* the host said END */
	bool exited;			/* the pidfd says so */
	uint32_t rest;			/* exited: messages still to be read */
	bool said_bye;			/* BYE was passed on */
	bool owes_closed;		/* the host has to hear it */
	uint32_t slot;			/* rank slot; SNOO_CTL_NO_SLOT */
	int64_t rank;			/* of the job; -1: not known */
	uint32_t job;			/* the host's number */
	uint32_t vector;		/* that wakes it; 0: not known */
	struct guest_bell *bell;	/* by rank */
	uint32_t bells;			/* entries of bell */
	struct guest_letter *queue, **queue_tail;
	uint32_t queued;
	uint32_t fds_out;		/* bells sent that it may not have read */
};

/** struct guest - The daemon of a VM */
struct guest {
	struct shared *sh;
	const struct conf_domain *conf;
	int lock_fd;
	bool guarded;			/* guard_open() was called */
	struct guest_dev *dev;
	struct guest_link link;
	struct guest_pool pool;
	struct toll *ring;
	struct listener listener;
	struct guest_session *sessions;
	uint32_t ranks;			/* WELCOMED and ATTACHED */
	uint64_t serial;
	uint32_t last_sid;
	uint32_t runs;			/* HELLO's word on programs */
	uint32_t adopted;		/* sessions taken over */
	const struct guest_user *user[GUEST_USERS];	/* of the link */
	void (*on_ready)(void *session, unsigned int events);
	void (*on_death)(void *session, unsigned int events);
};

/**
 * struct guest_user - Who sends frames: sessions, programs
 *
 * @room: it is worth another try, or a session of the channel begins.
 * @ended: that session is over; what the host knew of us it has forgotten.
 */
struct guest_user {
	void (*room)(struct guest *g);
	void (*ended)(struct guest *g, int error, const char *why);
};

const char *guest_link_name(enum guest_link_state state);
const char *guest_session_name(enum guest_session_state state);

/* By number; NULL: there is none. */
struct guest_session *guest_session_find(const struct guest *g, uint32_t sid);

/* Is it one of the host's ranks, as far as we know? */
static inline bool guest_session_is_rank(const struct guest_session *s)
{
	return s->state == GUEST_SESSION_WELCOMED ||
	       s->state == GUEST_SESSION_ATTACHED;
}

#endif /* DAEMON_GUEST_STATE_H */
