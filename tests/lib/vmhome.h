/* SPDX-License-Identifier: MIT */
/*
 * vmhome.h - a VM's daemon in the test's own process, and its host by hand
 *
 * The devices are the sockets of fakehost.h.  The test is the host's daemon:
 * it answers gens, hears frames and says some, also such as no host would.
 */
#ifndef TESTS_VMHOME_H
#define TESTS_VMHOME_H

#include <stdbool.h>
#include <stdint.h>

#include <snoo/control.h>
#include <snoo/wire.h>

#include "daemon/guest_state.h"
#include "shm/link.h"
#include "tests/lib/fakehost.h"
#include "tests/lib/fakerank.h"

#define VMHOME_RANKS	16u

struct vmhome {
	struct shared sh;
	struct guest *g;
	struct fakehost host;
	struct shm_link link;		/* the host's end */
	struct shm_region region;	/* the host's view of the pool */
	char dir[64];
	char path[128];			/* the client socket */
	struct snoo_ctl_hello hello;	/* the last one */
	uint32_t known[32];		/* of the last greeting */
	unsigned int nknown;

	/* the last frame, whole */
	union {
		struct snoo_ctl_frame head;
		struct snoo_ctl_join join;
		struct snoo_ctl_ring ring;
		uint64_t align;
		unsigned char bytes[SNOO_CTL_FRAME_MAX];
	} f;
};

/* @sets as home_open(); the host has not answered yet. */
void vmhome_open(struct vmhome *v, const char *const *sets);
void vmhome_close(struct vmhome *v);

void vmhome_step(void *vm);
void vmhome_settle(struct vmhome *v);

/* A fake rank that pumps this VM. */
void vmhome_rank(struct vmhome *v, struct fakerank *r);

/* The next frame, into v->f: its type; 0: none came (for a while, or, with
 * @wait false, now). */
uint32_t vmhome_hear(struct vmhome *v, bool wait);

/* Wait for a gen that is not answered, answer it, hear all up to READY. */
void vmhome_greeted(struct vmhome *v);
/* WELCOME, as it should be. */
void vmhome_welcome(struct vmhome *v);
/* Both. */
void vmhome_live(struct vmhome *v);

/* A frame, and the bell. */
void vmhome_say(struct vmhome *v, uint32_t type, uint32_t sid, uint32_t slot,
		const void *body, size_t bytes);
/* MSG */
void vmhome_msg(struct vmhome *v, uint32_t sid, uint32_t slot,
		const void *msg);
void vmhome_bell(struct vmhome *v);

/* WELCOME of wire.h, as a host says it: @rank of a job of 2, in @slot. */
void vmhome_wire_welcome(struct snoo_wire_welcome *w, uint32_t rank,
			 uint32_t slot);

/* Connect and say HELLO. */
void vmhome_hello(struct vmhome *v, struct fakerank *r, const char *job);

/* The whole way: @r is a rank in @slot, and has said PINNED.  Its sid. */
uint32_t vmhome_attach(struct vmhome *v, struct fakerank *r, uint32_t slot);

/* The eventfd of the VM's own @vector: the rings since last time. */
uint64_t vmhome_rung(struct vmhome *v, uint32_t slot, uint32_t vector);

#endif /* TESTS_VMHOME_H */
