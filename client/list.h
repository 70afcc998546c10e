/* SPDX-License-Identifier: MIT */
/* list.h - circular doubly-linked list with a head, links inside the members */
#ifndef CLIENT_LIST_H
#define CLIENT_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

#define list_entry(node, type, member) \
	((type *)(void *)((char *)(node) - offsetof(type, member)))

static inline void list_init(struct list *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

/* Before @at: with the head, at the tail. */
static inline void list_insert(struct list *at, struct list *node)
{
	node->next = at;
	node->prev = at->prev;
	at->prev->next = node;
	at->prev = node;
}

static inline void list_append(struct list *head, struct list *node)
{
	list_insert(head, node);
}

/* Afterwards the node is a list of itself: removing it again is harmless. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* The first member, out of the list; the list must not be empty. */
static inline struct list *list_take(struct list *head)
{
	struct list *node = head->next;

	head->next = node->next;
	node->next->prev = head;
	list_init(node);
	return node;
}

#endif /* CLIENT_LIST_H */
