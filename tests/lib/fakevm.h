/* SPDX-License-Identifier: MIT */
/*
 * fakevm.h - a VM with a guest daemon and ranks, without QEMU and guest
 *
 * Two devices (fakeqemu.h) and the guest's end of the control channel.  It can
 * say anything at any time, also what no decent guest would.  Its ranks are
 * numbers: what they are told is booked, what they say the test says.
 *
 * In a test that has the daemon's loop in its own process, `pump` is called
 * while waiting.
 */
#ifndef TESTS_FAKEVM_H
#define TESTS_FAKEVM_H

#include <stdbool.h>
#include <stdint.h>

#include <snoo/control.h>
#include <snoo/wire.h>

#include "shm/link.h"
#include "tests/lib/fakeqemu.h"

#define FAKEVM_SIDS	64	/* of which ranks are booked; 0 is none */
#define FAKEVM_VECTORS	4	/* vectors= of its pool device; pool.want */

/** struct fakevm_rank - What was said to the rank of one sid */
struct fakevm_rank {
	struct snoo_wire_welcome welcome;	/* head.type 0: none */
	struct snoo_wire_error error;
	struct snoo_wire_gone gone;		/* the last one */
	unsigned int welcomes, gones, resumed;
	unsigned int rings, blocks;
	bool started, bye;
	unsigned int ends;			/* END */
	uint32_t news_slot;			/* of the last MSG's frame */
};

struct fakevm {
	struct fakeqemu pool, control;
	struct shm_link link;
	void (*pump)(void *arg);
	void *arg;

	struct snoo_ctl_hello hello;	/* as fakevm_hello() says it */
	bool mute;			/* answer no RESUMED */
	struct snoo_ctl_welcome welcome;
	unsigned int welcomes;
	struct snoo_ctl_error error;	/* frame.type 0: none */
	struct fakevm_rank rank[FAKEVM_SIDS];

	/* the last frame, whole */
	union {
		struct snoo_ctl_frame f;
		uint64_t align;
		unsigned char bytes[SNOO_CTL_FRAME_MAX];
	} in;
};

void fakevm_init(struct fakevm *v, void (*pump)(void *arg), void *arg);
/* What QEMU's exit does. */
void fakevm_close(struct fakevm *v);

/* Connect one device: 0 or as fakeqemu_connect(). */
int fakevm_plug(struct fakevm *v, struct fakeqemu *q, const char *path);

/**
 * fakevm_attach() - Both devices, and the control memory
 *
 * v->hello is filled in with what a decent guest says.
 */
int fakevm_attach(struct fakevm *v, const char *pool_path,
		  const char *control_path);

/* Another guest daemon: asks for a session and waits until it is there. */
int fakevm_ask(struct fakevm *v);
/* Ask, HELLO; KNOWN of each sid in @known, which 0 ends (NULL: none); READY.
 * Return: SNOO_CTL_WELCOME, SNOO_CTL_ERROR, or -errno */
int fakevm_hello(struct fakevm *v, const uint32_t *known);

/* Any frame: 0, or as shm_link_put().  Rings. */
int fakevm_send(struct fakevm *v, uint32_t type, uint32_t sid,
		const void *body, size_t bytes);
/* The same without the bell. */
int fakevm_put(struct fakevm *v, uint32_t type, uint32_t sid,
	       const void *body, size_t bytes);
void fakevm_ring(struct fakevm *v);

/**
 * fakevm_recv() - Next frame, into v->in; books what it says
 *
 * Return: its type, -EAGAIN: nothing came (@wait: for a long time), -EPROTO
 */
int fakevm_recv(struct fakevm *v, bool wait);
/* Read until a frame of @type: @type, or as above. */
int fakevm_until(struct fakevm *v, uint32_t type);
/* All that is there now. */
void fakevm_drain(struct fakevm *v);
/* Is the VM cut off?  Waits a little for it. */
bool fakevm_is_cut(struct fakevm *v);

/* ---- ranks ---- */

/* JOIN alone. */
int fakevm_join(struct fakevm *v, uint32_t sid, int32_t vcpu,
		const struct snoo_wire_hello *h);
/* MSG */
int fakevm_say(struct fakevm *v, uint32_t sid, const void *msg, size_t bytes);
int fakevm_say_plain(struct fakevm *v, uint32_t sid, uint32_t type);

/* JOIN, WELCOME, PINNED: 0, -EREMOTEIO (see rank[sid].error), or -errno */
int fakevm_rank(struct fakevm *v, uint32_t sid, int32_t vcpu,
		const char *name, uint64_t launch, int32_t rank,
		uint32_t size);

#endif /* TESTS_FAKEVM_H */
