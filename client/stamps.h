/* SPDX-License-Identifier: MIT */
/*
 * stamps.h - the page by which others see whether our offers still stand
 *
 * struct snoo_abi_stamps: we write ours, and look at those of peers.  What there is
 * to it is in reach.c.
 */
#ifndef CLIENT_STAMPS_H
#define CLIENT_STAMPS_H

#include "client/engine.h"

/**
 * stamps_open() - Make our page, for the life of the calling thread
 * @nonce:	Not 0
 *
 * Return: NULL: without memory
 */
struct snoo_abi_stamps *stamps_open(uint64_t nonce);

/** stamps_revoke() - An offer was given up: its buffer is about to be given back */
void stamps_revoke(struct snoo_abi_stamps *page);

/**
 * stamps_close() - Nothing stands any more, and the page goes
 *
 * It stays mapped if the thread that has opened it is another one and lives.  Not in
 * a forked child, which has no such page.
 */
void stamps_close(struct snoo_abi_stamps *page);

/**
 * stamps_map() - Map @p's page, of which @copy was read in its memory
 *
 * Nothing happens where that can't be: p->reach.page stays NULL.
 */
void stamps_map(struct peer *p, const struct snoo_abi_stamps *copy);
void stamps_unmap(struct peer *p);

/**
 * stamps_stand() - What was read from @p before: was it @p, and its offer?
 * @revoked:	As its OFFER says
 *
 * Return: true: both; false: one must ask the other way
 */
bool stamps_stand(const struct peer *p, uint32_t revoked);

#endif /* CLIENT_STAMPS_H */
