/* SPDX-License-Identifier: MIT */
/* token.c - numbers that a peer may hold in place of our pointers */

#include "client/token.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "shm/line.h"

#define TOKEN_NONE	UINT32_MAX
#define TOKEN_FIRST	16u

void token_init(struct token_table *t)
{
	t->entry = NULL;
	t->size = 0;
	t->free = TOKEN_NONE;
}

void token_fini(struct token_table *t)
{
	free(t->entry);
	token_init(t);
}

static int grow(struct token_table *t)
{
	uint32_t size = t->size ? t->size * 2 : TOKEN_FIRST;
	struct token_entry *entry;

	if (size < t->size || size > UINT32_MAX / sizeof(*entry))
		return -ENOMEM;
	entry = realloc(t->entry, size * sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	for (uint32_t i = t->size; i < size; i++) {
		entry[i].what = NULL;
		entry[i].generation = 1;
		entry[i].next = i + 1 < size ? i + 1 : TOKEN_NONE;
	}
	t->free = t->size;
	t->entry = entry;
	t->size = size;
	return 0;
}

int token_new(struct token_table *t, void *what, uint64_t *token)
{
	struct token_entry *e;
	uint32_t index;

	if (t->free == TOKEN_NONE) {
		int ret = grow(t);

		if (ret)
			return ret;
	}
	index = t->free;
	e = &t->entry[index];
	t->free = e->next;
	e->what = what;
	*token = line_pair(index, e->generation);
	return 0;
}

void *token_find(const struct token_table *t, uint64_t token)
{
	uint32_t index = line_index(token);

	if (index >= t->size ||
	    t->entry[index].generation != line_generation(token))
		return NULL;
	return t->entry[index].what;
}

void token_end(struct token_table *t, uint64_t token)
{
	struct token_entry *e;

	if (!token_find(t, token))
		return;
	e = &t->entry[line_index(token)];
	e->what = NULL;
	/* Never 0: {0, 0} would read as no token. */
	if (++e->generation == 0)
		e->generation = 1;
	e->next = t->free;
	t->free = line_index(token);
}
