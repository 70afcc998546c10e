/* SPDX-License-Identifier: MIT */
/*
 * token.h - numbers that a peer may hold in place of our pointers
 *
 * A token is {index, generation}.  Whatever comes back is looked up here, so
 * a stale or invented token finds nothing.
 */
#ifndef CLIENT_TOKEN_H
#define CLIENT_TOKEN_H

#include <stdint.h>

struct token_entry {
	void *what;		/* NULL: free */
	uint32_t generation;
	uint32_t next;		/* of the free list */
};

struct token_table {
	struct token_entry *entry;
	uint32_t size;
	uint32_t free;		/* first free, or UINT32_MAX */
};

void token_init(struct token_table *t);
void token_fini(struct token_table *t);

/**
 * token_new() - A token for @what (not NULL)
 *
 * Return: 0, or -ENOMEM
 */
int token_new(struct token_table *t, void *what, uint64_t *token);

/** token_find() - What the token stands for, or NULL */
void *token_find(const struct token_table *t, uint64_t token);

/** token_end() - It stands for nothing any more */
void token_end(struct token_table *t, uint64_t token);

#endif /* CLIENT_TOKEN_H */
