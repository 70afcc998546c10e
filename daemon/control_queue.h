/* SPDX-License-Identifier: MIT */
/*
 * control_queue.h - frames that a VM's ring had no room for, in order
 */
#ifndef DAEMON_CONTROL_QUEUE_H
#define DAEMON_CONTROL_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include <snoo/control.h>

/** struct control_parcel - One frame */
struct control_parcel {
	struct control_parcel *next;
	struct snoo_ctl_frame f;
	size_t bytes;
	unsigned char body[];
};

/** struct control_queue - Zeroed: empty */
struct control_queue {
	struct control_parcel *first, **end;
	uint64_t bytes;			/* of all of it */
};

/* 0 or -ENOMEM */
int control_queue_add(struct control_queue *q, const struct snoo_ctl_frame *f,
		      const void *body, size_t bytes);
/* The first one is dealt with. */
void control_queue_drop(struct control_queue *q);
void control_queue_clear(struct control_queue *q);

#endif /* DAEMON_CONTROL_QUEUE_H */
