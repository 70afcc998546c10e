/* SPDX-License-Identifier: MIT */
/*
 * control_queue.c - frames that a VM's ring had no room for, in order
 */
#include "daemon/control_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int control_queue_add(struct control_queue *q, const struct snoo_ctl_frame *f,
		      const void *body, size_t bytes)
{
	struct control_parcel *p = malloc(sizeof(*p) + bytes);

	if (!p)
		return -ENOMEM;
	p->next = NULL;
	p->f = *f;
	p->bytes = bytes;
	if (bytes)
		memcpy(p->body, body, bytes);
	if (!q->first)
		q->end = &q->first;
	*q->end = p;
	q->end = &p->next;
	q->bytes += sizeof(*p) + bytes;
	return 0;
}

void control_queue_drop(struct control_queue *q)
{
	struct control_parcel *p = q->first;

	q->first = p->next;
	q->bytes -= sizeof(*p) + p->bytes;
	free(p);
}

void control_queue_clear(struct control_queue *q)
{
	while (q->first)
		control_queue_drop(q);
}
