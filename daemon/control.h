/* SPDX-License-Identifier: MIT */
/*
 * control.h - the host's end of a VM's control channel (include/snoo/control.h)
 *
 * The memory is the guest's to write, and QEMU has its memfd: every access is
 * through shm/link.h, inside guard_run(), and what comes out is a copy.  A
 * frame that is not allowed, or not well formed, cuts this VM off, by name;
 * others do not notice.
 *
 *   limits of one VM			past it
 *   CONTROL_FRAMES_A_TURN		others have their turn first
 *   sessions: the domain's ranks_max	the session is refused
 *   CONTROL_BUSY_BYTES unread		input of its programs waits
 *   CONTROL_QUEUE_BYTES unread		cut off: it does not read
 *   CONTROL_IDLE_RINGS for nothing	its bell is not heard for
 *   within CONTROL_MUTE_MS		CONTROL_MUTE_MS, again and again
 *
 * A frame is dealt with and in the ledger before it leaves the ring, so a
 * daemon that dies reads nothing twice but the one it was at: handlers bear
 * that (`again` below).
 *
 * One thread.  control_post() and control_msg() never end a VM or a session
 * under their caller.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <snoo/control.h>

#include "daemon/vm_state.h"

#define CONTROL_FRAMES_A_TURN	64u
#define CONTROL_QUEUE_BYTES	(4u << 20)
#define CONTROL_BUSY_BYTES	(1u << 20)	/* who can wait, waits */
#define CONTROL_IDLE_RINGS	256u
#define CONTROL_MUTE_MS		100u

/**
 * control_open() - Format and map vm->memory, listen to its bell
 * @adopted:	The last daemon's: go on where it stopped
 *
 * Return: 0 on success, negative error code otherwise
 */
int control_open(struct vm *vm, bool adopted);
/* The guest finds CUT in its memory, unless @let_go: the next daemon goes on.
 * NULL control is allowed. */
void control_close(struct vm *vm, bool let_go);

/* Both devices are here: who asked before is answered now. */
void control_kick(struct vm *vm);

/* Has the guest daemon been welcomed?  Only then is anything sent. */
bool control_live(const struct vm *vm);

/**
 * control_post() - A frame to the guest daemon, queued if the ring is full
 * @f:		type, sid and slot; its length is filled in
 * @body:	@bytes that follow the head, SNOO_CTL_FRAME_MAX - 16 at most
 *
 * Without effect on a VM that is not live: its next session begins afresh.
 */
void control_post(struct vm *vm, const struct snoo_ctl_frame *f,
		  const void *body, size_t bytes);

/* So much is queued that what can wait should: until control_handler.room. */
bool control_busy(const struct vm *vm);

/* MSG: a message of wire.h to a rank of a VM. */
void control_msg(const struct session *s, const void *msg, size_t bytes);
/* END, unless the guest has closed it. */
void control_hang_up(const struct session *s);

/**
 * control_cut() - The VM has broken the protocol: its ranks are dead
 *
 * For handlers of frames.  A new session begins again.
 */
void control_cut(struct vm *vm, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * struct control_handler - Who deals with the frames of programs (run.c)
 *
 * @frame: STARTED, FINISHED, DATA or CREDIT; a private copy, whose length is
 * at least that of the type's struct and for DATA exact.  @again: a daemon that
 * died may have dealt with it already.  May call control_cut().
 * @live: the guest daemon was welcomed, or came back to the same boot.
 * @room: it is not busy any more.
 * @gone: this VM, or this boot of it, is no more, or was cut off.
 *
 * One for the process; NULL (at first): such frames are not expected, and
 * ignored.
 */
struct control_handler {
	void (*frame)(struct vm *vm, const struct snoo_ctl_frame *f,
		      bool again);
	void (*live)(struct vm *vm);
	void (*room)(struct vm *vm);
	void (*gone)(struct vm *vm);
};

void control_handle(const struct control_handler *h);

/** struct control_counts - For status */
struct control_counts {
	uint64_t frames_in;
	uint64_t frames_out;
	uint64_t rings;			/* of its bell */
	uint64_t mutes;
	uint64_t strays;		/* frames for nobody we know */
	uint64_t queued_bytes;
	bool muted;
};

void control_counts(const struct vm *vm, struct control_counts *out);

/* ---- control_frame.c, for control.c ---- */

/**
 * control_frame() - Carry one frame out
 * @f:		A private copy of f->length bytes, aligned to 8
 */
void control_frame(struct vm *vm, const struct snoo_ctl_frame *f, bool again);

/* Its sessions end, nobody answers for its ranks; @exited: their processes are
 * gone too. */
void control_end_ranks(struct vm *vm, bool exited);

/* ---- control.c, for control_frame.c ---- */

/* A frame of the handshake: sent whatever the state. */
void control_answer(struct vm *vm, const struct snoo_ctl_frame *f,
		    const void *body, size_t bytes);
/* Sids to be ENDed after WELCOME: false: too many. */
bool control_stray(struct vm *vm, uint32_t sid);
void control_welcomed(struct vm *vm);
void control_count_stray(struct vm *vm);
const struct control_handler *control_handler(void);

#endif /* DAEMON_CONTROL_H */
