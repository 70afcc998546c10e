/* SPDX-License-Identifier: MIT */
/*
 * loan.h - blocks that a message is built in and read from
 *
 * They are apart from those that copies go through (lend.h), so that loans
 * never keep a copy waiting: pieces of 2^n units that the daemon lends us one
 * by one, and that we keep for the next loan of that size.  A block is free,
 * held (a message is being built in it), or out (its LOAN line is published and
 * the reader has not released it), or no longer ours, as its descriptor says
 * when we look.
 */
#ifndef CLIENT_LOAN_H
#define CLIENT_LOAN_H

#include "client/engine.h"

/** struct loan - A block for loans, of ours */
struct loan {
	struct list link;		/* free or out, by its order */
	unsigned char *data;
	uint64_t bytes;			/* 2^order units */
	uint64_t id;			/* token while it is held; else 0 */
	uint32_t unit;
	uint32_t generation;		/* granted, taken or given back with */
	uint32_t order;
	uint32_t peer;			/* who reads it */
	uint32_t offers;		/* alloc.c: sends from it under way */
};

/** struct view - A message that the application reads, or waits for */
struct view {
	const void *data;
	void *heap;			/* its own memory, not a block */
	uint64_t id;			/* token */
	uint32_t peer;			/* whose block */
	uint32_t unit;
	uint32_t generation;
	bool in_place;			/* the block is still to be given back */
};

/** loan_open() - Before the first use; 0 or -ENOMEM */
int loan_open(struct snoo *ctx);
void loan_fini(struct snoo *ctx);

/**
 * loan_hold() - A block of at least @bytes to build a message in
 *
 * Asks nobody.  Return: the block, with an id, or NULL: we have none free
 */
struct loan *loan_hold(struct snoo *ctx, uint64_t bytes);

/** loan_hold_larger() - The same, any that is large enough */
struct loan *loan_hold_larger(struct snoo *ctx, uint64_t bytes);

/** loan_ask() - Say LOAN; loan_answered() tells when LENT has come */
void loan_ask(struct snoo *ctx, uint64_t bytes);
bool loan_answered(const struct snoo *ctx, int *error);

/** loan_withdraw() - Nobody waits for that answer any more */
void loan_withdraw(struct snoo *ctx);

/** loan_lent() - LENT has come; false: it makes no sense */
bool loan_lent(struct snoo *ctx, const struct snoo_wire_lent *m);

/** loan_resumed() - A new daemon: what was asked of the last is asked again */
void loan_resumed(struct snoo *ctx);

/** loan_held() - The block of that id, or NULL */
struct loan *loan_held(const struct snoo *ctx, uint64_t id);

/** loan_keep() - A held block has no id any more: somebody else keeps it */
void loan_keep(struct snoo *ctx, struct loan *b);

/** loan_drop() - A held or kept block is free again */
void loan_drop(struct snoo *ctx, struct loan *b);

/**
 * loan_push() - Publish a request's loan; the caller has seen that there is room
 *
 * Return: true: done; false: @p takes no loans, send a copy
 */
bool loan_push(struct snoo *ctx, struct peer *p, struct snoo_request *req);

/** loan_out() - A held block is with @peer from now on */
void loan_out(struct snoo *ctx, struct loan *b, uint32_t peer);

/** loan_back() - Take back what @p, which is gone, will not release */
void loan_back(struct snoo *ctx, struct peer *p);

/** loan_came() - @p lends us a block: it is to be given back by loan_give() */
void loan_came(struct peer *p);

/**
 * loan_give() - Release a block of @p
 *
 * Nobody waits for it, so nobody is woken.
 */
void loan_give(struct snoo *ctx, struct peer *p, uint32_t unit,
	       uint32_t generation);

/** view_new() - A view that waits for its message, or NULL */
struct view *view_new(struct snoo *ctx);

/** view_find() - The view of that id, or NULL */
struct view *view_find(const struct snoo *ctx, uint64_t id);

/** view_free() - Give its block back, forget it */
void view_free(struct snoo *ctx, struct view *v);

/**
 * view_room() - A message that is no loan gets memory of its own
 *
 * Return: 0, or -ENOMEM
 */
int view_room(struct snoo_request *req, uint64_t length);

/** view_lay() - The message of @req lies in a block of @p: read it there */
void view_lay(struct snoo *ctx, struct snoo_request *req, struct peer *p,
	      uint32_t unit, uint32_t generation);

/** loan_leave() - We finalize: give back what we read, free what we hold */
void loan_leave(struct snoo *ctx);

#endif /* CLIENT_LOAN_H */
