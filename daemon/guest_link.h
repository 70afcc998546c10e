/* SPDX-License-Identifier: MIT */
/*
 * guest_link.h - the guest's end of the control channel: ask, greet, frames
 *
 * The host is not trusted with our memory: a frame is copied out before it is
 * looked at, its length and numbers are checked by whoever handles it, and
 * nonsense ends this session of the channel and all ranks' with it.  Then we
 * begin again.  A host that is silent is waited for, however long: its daemon
 * may be coming back, or the VM was paused.
 */
#ifndef DAEMON_GUEST_LINK_H
#define DAEMON_GUEST_LINK_H

#include "daemon/guest_state.h"

/**
 * guest_link_open() - Look at the control device's memory
 * @why:	On failure a sentence
 *
 * Return: 0, -EINVAL or -EPROTONOSUPPORT (as shm_link_open()), -ENOMEM
 */
int guest_link_open(struct guest *g, char why[GUEST_DEV_TEXT]);

/* Who handles frames of @type; NULL: nobody, they are logged and dropped. */
void guest_link_handle(struct guest *g, uint32_t type, guest_handler fn);

/* Who else sends frames; GUEST_USERS at most. */
void guest_link_use(struct guest *g, const struct guest_user *user);

/* Listen to the bell and ask for a session: 0 or -errno. */
int guest_link_start(struct guest *g);

/* The memory stays as it is, for the next daemon. */
void guest_link_close(struct guest *g);

/* Do sessions' messages pass? */
bool guest_link_live(const struct guest *g);

/**
 * guest_link_put() - Publish a frame; the host is rung before the loop sleeps
 * @f:		type, sid, slot; the length is filled in
 *
 * Return: 0 on success, negative error code otherwise; nothing changed
 *	-EAGAIN	 no room, or no session now: guest_user.room() is called when
 *		 it is worth another try
 *	-EMSGSIZE longer than a frame may be
 */
int guest_link_put(struct guest *g, const struct snoo_ctl_frame *f,
		   const void *body, size_t bytes);

/* Say what is wrong with the host's word; the session of the channel ends
 * before the loop sleeps. */
void guest_link_wrong(struct guest *g, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* DAEMON_GUEST_LINK_H */
