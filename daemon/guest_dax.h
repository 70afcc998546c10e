/* SPDX-License-Identifier: MIT */
/*
 * guest_dax.h - the pool as /dev/daxX.Y: write-back, huge pages
 */
#ifndef DAEMON_GUEST_DAX_H
#define DAEMON_GUEST_DAX_H

#include <stdint.h>

#include "daemon/guest_port.h"
#include "daemon/guest_sys.h"
#include "daemon/keeper.h"

/* A device begins behind the info block: the pool's head is its offset 0. */
#define GUEST_DAX_SKIP	(UINT64_C(2) << 20)

/** struct guest_dax - The device, open and mapped */
struct guest_dax {
	int fd;				/* -1: none */
	char path[64];			/* "/dev/dax0.0" */
	void *base;			/* where the pool's offset 0 would be */
	void *map;			/* all that was reserved for it */
	uint64_t map_bytes;
};

void guest_dax_init(struct guest_dax *x);
/* Closes and unmaps; the keeper still has the fd. */
void guest_dax_fini(struct guest_dax *x);

/**
 * guest_dax_open() - Find the device that is the pool's memory, and map it
 * @wanted:	"/dev/dax0.0"; "" looks at all, and loads the modules if the
 *		VM has an nvdimm and no device is there yet
 * @head:	The pool's head, as BAR2 shows it: the device must begin so
 * @bytes:	Of the whole pool
 *
 * Stored with the keeper as "guest/dax/NAME", and taken from there, then
 * without a look at what it holds.
 *
 * Return: 0 on success, negative error code otherwise
 *	-ENOENT	 none; @why says what was there
 *	-errno of opening or mapping the one that is the pool
 */
int guest_dax_open(struct guest_dax *x, const struct guest_sys *sys,
		   const char *wanted, const void *head, uint64_t bytes,
		   struct keeper *k, char why[GUEST_PORT_TEXT]);

/* What to know of the memory's type without it; "" for processors of which
 * nothing is known. */
void guest_dax_note(const struct guest_sys *sys, char note[GUEST_PORT_TEXT]);

#endif /* DAEMON_GUEST_DAX_H */
