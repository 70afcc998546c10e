/* SPDX-License-Identifier: MIT */
/*
 * mail_impl.h - what the files of hal/mail.h share
 */
#ifndef HAL_MAIL_IMPL_H
#define HAL_MAIL_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/mail.h"
#include "hal/mail_word.h"

enum lane_state {
	LANE_IDLE	= 0,
	LANE_SENDING	= 1,		/* word[at] is the next */
	LANE_WAITING	= 2,		/* for the answer */
};

/**
 * struct lane - From a served core to another one
 * @word:	The message under way
 * @since_ns:	When we began to wait for its answer; 0: not looked at yet
 * @answer:	CREDIT that we owe core @to; 0: none
 * @had:	Check of the last message that we delivered from core @to
 */
struct lane {
	struct lane *prev, *next;	/* of those with work */
	bool listed;
	bool locked;
	uint32_t from, to;		/* cores */
	uint32_t box;
	enum lane_state state;
	uint64_t word[MAIL_WORDS];
	uint32_t words, at;
	uint32_t sequence;
	uint32_t repeats;
	uint32_t silences;		/* repeats because nobody answered */
	uint64_t since_ns;
	uint64_t answer;
	uint64_t had;
};

/**
 * struct inbox - What has come in one mailbox
 * @need:	Words of the message; 0: none has begun
 * @silent:	Nothing has come for a while; does not count as half
 */
struct inbox {
	uint64_t word[MAIL_WORDS];
	uint32_t have, need;
	uint32_t core;
	bool silent;
	uint64_t since_ns;
};

/** struct served - A core of ours */
struct served {
	uint32_t core;
	struct hal *hal;
	struct inbox in[HAL_MAIL_LAST];
	struct lane *lane;		/* one for each core */
};

struct mail {
	struct served *served;
	uint32_t nserved;
	uint32_t ncores;
	uint32_t *index;		/* of a core in `served` */
	struct hal_where *where;
	uint32_t nodes;			/* more than 1: mailboxes are shared */
	struct mail_lock *locks, *own_locks;
	const struct mail_ops *told;
	void *arg;
	uint64_t repeat_ns;
	struct lane *first, *last;	/* lanes with work */
	uint32_t halves;		/* inboxes with a part of a message */
	uint32_t rounds;		/* since we looked at the clock */
	struct mail_counts counts;
};

#define MAIL_NOBODY	UINT32_MAX

/* ---- mail_lane.c -------------------------------------------------------------- */

uint64_t mail_now_ns(void);

/* The core if it is served, else NULL. */
struct served *mail_served(const struct mail *m, uint32_t core);

/* Give back the lock of the lane's mailbox, if we hold it. */
void mail_unlock(struct mail *m, struct lane *l);

/* The lane's message has come to an end: tell it. */
void mail_end(struct mail *m, struct lane *l, int error);

/* Take the lane off the list, if it has nothing left to do. */
void mail_rest(struct mail *m, struct lane *l);

/* Forget the half of a message. */
void mail_empty_inbox(struct mail *m, struct inbox *in);

/** mail_abort() - End everything that is under way with -EIO */
void mail_abort(struct mail *m);

#endif /* HAL_MAIL_IMPL_H */
