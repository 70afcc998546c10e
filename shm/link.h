/* SPDX-License-Identifier: MIT */
/*
 * link.h - one end of a VM's control channel: frames in and out
 *
 * The memory is another party's to write at any time (control.h).  Nothing in
 * it is read twice; the counters are checked before they are used; a frame is
 * copied out before it is looked at.
 *
 * Who may call: one thread for each end.  Nothing here blocks, makes a system
 * call or allocates; who publishes or consumes something owes the other end a
 * bell if the function says so.
 */
#ifndef SHM_LINK_H
#define SHM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snoo/control.h>

enum shm_link_side {
	SHM_LINK_HOST,
	SHM_LINK_GUEST,
};

/** struct shm_link - Our end; private, but for what it points to */
struct shm_link {
	struct snoo_ctl_memory *mem;
	struct snoo_ctl_end *ours;
	struct snoo_ctl_end *theirs;
	unsigned char *out;		/* the ring that we fill */
	const unsigned char *in;
	uint32_t tail;			/* of out; ours alone */
	uint32_t head;			/* of in; ours alone */
};

/** shm_link_format() - Write the head of fresh, zeroed memory (host) */
void shm_link_format(void *mem);

/**
 * shm_link_open() - Begin, or go on where the last process of ours stopped
 * @bytes:	Of the memory, as said by who handed it out
 *
 * Our tail and head are read back from our own end: what stands there is
 * bounded when it is used, so that a forged one harms this link alone.
 *
 * Return: 0 on success, negative error code otherwise
 *	-EINVAL		too small, or not a control device
 *	-EPROTONOSUPPORT another major version
 */
int shm_link_open(struct shm_link *l, void *mem, size_t bytes,
		  enum shm_link_side side);

/**
 * shm_link_put() - Publish a frame
 * @f:		Its head; length and what follows it are filled by us
 * @body:	@bytes that follow the head; may be NULL if 0
 *
 * Edge FRAME, release side.  The caller rings the other end's doorbell.
 *
 * Return: 0 on success, negative error code otherwise; nothing changed
 *	-EAGAIN	 no room: our end says FULL now, and the other rings when it
 *		 has consumed something.  Put this frame next: another one that
 *		 fits takes FULL back.
 *	-EMSGSIZE longer than SNOO_CTL_FRAME_MAX
 *	-EPROTO	 the other end's head is impossible
 */
int shm_link_put(struct shm_link *l, const struct snoo_ctl_frame *f,
		 const void *body, size_t bytes);

/** shm_link_room() - Bytes of body for which there is room now; or -EPROTO */
int64_t shm_link_room(struct shm_link *l);

/**
 * shm_link_peek() - Copy the next frame out; it stays where it is
 * @buf:	SNOO_CTL_FRAME_MAX bytes, aligned to 8
 *
 * Return: its length, 0: there is none, or -EPROTO: tail or length are
 * impossible
 */
int shm_link_peek(struct shm_link *l, void *buf);

/**
 * shm_link_pop() - The frame that was peeked is dealt with
 *
 * Edge ROOM, release side.
 *
 * Return: true if the other end waits for room: ring it
 */
bool shm_link_pop(struct shm_link *l, const void *buf);

/* ---- the session (control.h) ---- */

/** shm_link_ask() - Guest: another gen, not 0; ring afterwards
 *
 * This, and the host's answer, also put right what was scribbled over: each
 * its own end, the host the frozen head. */
void shm_link_ask(struct shm_link *l);

/** shm_link_asked() - Host: does the guest ask for a session we have not
 * answered?  Its gen, or 0. */
uint32_t shm_link_asked(const struct shm_link *l);

/**
 * shm_link_accept() - Host: answer @gen; state LIVE; ring afterwards
 *
 * The caller has consumed, or given up, what was in the ring before.
 * @discard: skip all that is unread (after a CUT)
 */
void shm_link_accept(struct shm_link *l, uint32_t gen, bool discard);

/** shm_link_accepted() - Guest: has the host answered what we asked?  From then
 * on frames come, beginning with its first of this session.  Not to be asked
 * again after it has said so: it would begin there again. */
bool shm_link_accepted(struct shm_link *l);

/** shm_link_cut() - Host: state CUT; shm_link_is_cut() - guest: are we? */
void shm_link_cut(struct shm_link *l);
bool shm_link_is_cut(const struct shm_link *l);

#endif /* SHM_LINK_H */
