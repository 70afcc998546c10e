/* SPDX-License-Identifier: MIT */
/*
 * coll_step.h - messages of a collective
 *
 * They go in a context of their own, so that no receive or probe of the
 * application ever sees one, with the meeting's number as their tag: what a
 * call that failed has left behind matches nothing later.
 */
#ifndef CLIENT_COLL_STEP_H
#define CLIENT_COLL_STEP_H

#include "client/coll_meet.h"

#define STEP_PIECE	65536	/* bytes: what is put together in one go */

/** struct step - One side of an exchange */
struct step {
	uint32_t peer;
	void *buf;			/* only read, if it is sent */
	size_t len;			/* exactly */
};

/**
 * step_swap() - Send and receive; with NULL one of them alone
 *
 * Return: 0, or as wait_step(); -EMSGSIZE: a peer sent another length; what
 * member_error() says of a rank of the job that is gone, be it our partner or
 * one whom somebody waits for whom we wait for
 */
int step_swap(struct coll *c, const struct step *send,
	      const struct step *recv);

/**
 * step_room() - Room for two pieces of STEP_PIECE bytes; before coll_enter()
 *
 * Return: aligned for any type, the context's; NULL: no memory
 */
unsigned char *step_room(struct snoo *ctx);

int step_send(struct coll *c, uint32_t to, const void *buf, size_t len);
int step_recv(struct coll *c, uint32_t from, void *buf, size_t len);

#endif /* CLIENT_COLL_STEP_H */
