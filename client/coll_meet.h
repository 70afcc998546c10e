/* SPDX-License-Identifier: MIT */
/* coll_meet.h - one collective call: it enters a meeting, and waits there */
#ifndef CLIENT_COLL_MEET_H
#define CLIENT_COLL_MEET_H

#include "client/engine.h"

/** enum coll_stay - What a rank does after it has arrived */
enum coll_stay {
	COLL_GOES,			/* perhaps out of the call */
	COLL_STAYS,			/* coll_agree() at once */
};

/** struct coll - A collective call under way */
struct coll {
	struct snoo *ctx;
	struct shm_meet_part part;
	enum snoo_abi_call call;	/* what status shows */
	size_t at;			/* bytes that earlier meetings of this
					 * call have carried */
	struct idle idle;		/* the time limit is for the whole call */
};

/**
 * coll_begin() - A call begins
 * @what:	From coll_what()
 * @bytes:	The same at all ranks
 */
void coll_begin(struct coll *c, struct snoo *ctx, uint64_t what,
		uint64_t bytes);

/** coll_what() - The word by which ranks see that they do the same */
static inline uint64_t coll_what(enum snoo_abi_meet_kind kind,
				 unsigned int type, unsigned int op,
				 uint32_t root)
{
	return (uint64_t)kind | (uint64_t)type << 8 | (uint64_t)op << 16 |
	       (uint64_t)root << 32;
}

/**
 * coll_enter() - Arrive at the next meeting
 *
 * With c->part's data.  After a call that ran out of time its repetition goes
 * on in that call's meeting, with what was brought then; c->at says how far it
 * was.
 *
 * Return: 0; -EOPNOTSUPP, -ENOMEM; -EINVAL: another call has to be repeated;
 * -ETIMEDOUT, -EOWNERDEAD, -EPIPE, -EPROTO: of the meeting before
 */
int coll_enter(struct coll *c, enum coll_stay stay);

/**
 * coll_await() - Until rank @from has arrived, or with ENGINE_ANY all have
 *
 * Return: 0, or as wait_step(); -EOWNERDEAD, -EPIPE, -EPROTO: it will not
 */
int coll_await(struct coll *c, uint32_t from);

/** coll_like() - coll_await() for rank @from, who must do the same as we */
int coll_like(struct coll *c, uint32_t from);

/** coll_agree() - The same for all */
int coll_agree(struct coll *c);

/**
 * coll_reason() - Others have not done as we have: because of a death?
 *
 * Of which we may not have heard yet: it waits for that, for a second, or until
 * the call's time limit, if that is earlier.
 *
 * Return: -EOWNERDEAD; else @error, or what has ended the wait
 */
int coll_reason(struct coll *c, int error);

/** coll_end() - The call returns @ret */
int coll_end(struct coll *c, int ret);

#endif /* CLIENT_COLL_MEET_H */
