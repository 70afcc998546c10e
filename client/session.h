/* SPDX-License-Identifier: MIT */
/* session.h - our end of the socket to the daemon, and the mapped pool */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include <sys/types.h>

#include "client/engine.h"

/** struct session_text - Where the story of a failure goes */
struct session_text {
	char text[512];
};

/** struct session_join - How to join, settled by env.c */
struct session_join {
	const char *name;
	char socket[256];	/* path, or why there is none */
	int32_t rank;
	uint32_t size;
	int32_t core;
	uint64_t launch;
	int64_t timeout_ns;	/* 0: none */
};

/**
 * session_open() - Connect, say HELLO, map the pool, wait for START
 * @ctx:	region, job, me, rank, size and what WELCOME says are filled
 * @join:	What to say
 * @why:	A sentence on failure
 *
 * Return: 0 or a negative errno; on failure nothing stays mapped or open
 */
int session_open(struct snoo *ctx, const struct session_join *join,
		 struct session_text *why);

/**
 * session_enter() - Map the pool and fill the context from WELCOME
 * @pool:	Its memory file; closed either way
 *
 * On failure session_close() still has to be called.
 */
int session_enter(struct snoo *ctx, const struct snoo_wire_welcome *w,
		  int pool, struct session_text *why);

/** session_close() - Say LEAVE if @leave, close, unmap */
void session_close(struct snoo *ctx, bool leave);

/** session_need() - Say that rings or blocks run short, soon */
void session_need(struct snoo *ctx, uint32_t rings, uint32_t large_rings,
		  uint32_t small_blocks, uint32_t large_blocks);

/** session_ring() - RING: @p sleeps and we have no bell for it; never blocks */
void session_ring(struct snoo *ctx, struct peer *p);

/** session_look() - LOOK: a register message is there; never blocks */
void session_look(struct snoo *ctx);

/** session_loan() - LOAN: a block of @bytes, please; never blocks */
void session_loan(struct snoo *ctx, uint64_t bytes, uint32_t serial);

/** session_reach() - REACH: where partners may look in our memory */
void session_reach(struct snoo *ctx, uint64_t address, uint64_t nonce);

/** session_where() - WHERE: which process is @p?  Never blocks */
void session_where(struct snoo *ctx, struct peer *p);

/** session_flush() - Say what has not been said yet; never blocks */
void session_flush(struct snoo *ctx);

/** session_ack() - Everything of ranks gone up to @gone is drained */
void session_ack(struct snoo *ctx, uint32_t gone);

/** session_state() - Answer RESUMED */
void session_state(struct snoo *ctx, uint32_t epoch);

/** struct session_fds - What came with a message */
struct session_fds {
	uint32_t n;
	bool cut;			/* more came than we had room for */
	int fd[SNOO_WIRE_FDS + 2];	/* -1: taken out */
};

/** session_drop_fds() - Close those that nobody took */
void session_drop_fds(struct session_fds *fds);

/**
 * session_hear() - One message with its fds, all CLOEXEC
 * @flags:	Of recvmsg(2)
 *
 * Return: its length, 0: end of file, or -errno; without a message no fds
 */
ssize_t session_hear(int fd, void *buf, size_t size, int flags,
		     struct session_fds *fds);

/**
 * session_read() - One message, if there is one
 * @buf:	SNOO_WIRE_MAX bytes, aligned for any message
 * @fds:	To be dropped afterwards
 *
 * Return: its length; -EAGAIN: none; else the session is lost
 */
int session_read(struct snoo *ctx, void *buf, struct session_fds *fds);

/** session_lost() - The daemon has ended the session */
void session_lost(struct snoo *ctx, int error);

#endif /* CLIENT_SESSION_H */
