/* SPDX-License-Identifier: MIT */
/*
 * guest_pool.h - what a VM's daemon does in the pool, each step guarded
 *
 * Where the rank slots lie follows from the host's WELCOME, not from the
 * pool's head, which every peer can write: a pool that another VM has
 * scribbled over serves those that can still use it.
 *
 * A page that is missing ends nothing here: the host's daemon sees it too, and
 * the domain is its to end.
 */
#ifndef DAEMON_GUEST_POOL_H
#define DAEMON_GUEST_POOL_H

#include "daemon/guest_state.h"

/**
 * guest_pool_open() - After WELCOME
 *
 * Return: 0, or -EPROTO: such a pool can't be, or is not the device's
 */
int guest_pool_open(struct guest *g, const struct snoo_ctl_welcome *w);

/**
 * guest_pool_news() - A message went to the socket of the rank in @slot
 * @always:	ring whatever its wait word says
 *
 * Return: must its bell be rung?  false too if there is no such slot
 */
bool guest_pool_news(struct guest *g, uint32_t slot, bool always);

/** struct guest_pool_words - What a slot says of its rank; a copy, unchecked */
struct guest_pool_words {
	uint64_t wait;
	uint32_t call;
	uint32_t rank;
	uint32_t job;
	uint64_t call_since_ns;
};

/* 0, or -EFAULT: no such slot, no such page; @out is zero then */
int guest_pool_words(struct guest *g, uint32_t slot,
		     struct guest_pool_words *out);

#endif /* DAEMON_GUEST_POOL_H */
