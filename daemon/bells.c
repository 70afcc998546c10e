/* SPDX-License-Identifier: MIT */
/*
 * bells.c - the eventfds of a domain's VM slots, made, kept and found again
 *
 * What the daemon itself rings is written by a thread (toll.c).
 */
#include "daemon/bells.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/conf.h"
#include "daemon/toll.h"

#define NAME_BYTES	(CONF_NAME_MAX + 33)	/* a terminated name */

struct bells {
	char domain[CONF_NAME_MAX + 1];
	uint32_t slots;
	uint32_t vectors;
	uint32_t n;
	int *fd;			/* n of them: index_of() */
	struct keeper *keeper;
	bool adopted;

	struct toll *toll;
};

/* Those of pool devices; the control devices' come behind them. */
static uint32_t pool_count(uint32_t slots, uint32_t vectors)
{
	return (2 * slots - 1) * vectors;
}

uint32_t bells_count(uint32_t slots, uint32_t vectors)
{
	return slots > 1 ? pool_count(slots, vectors) + 2 * (slots - 1) : 0;
}

static uint32_t index_of(const struct bells *b, uint32_t from, uint32_t to,
			 uint32_t vector)
{
	assert(from < b->slots && to < b->slots && vector < b->vectors);
	return (to ? b->slots + to - 1 : from) * b->vectors + vector;
}

int bells_fd(const struct bells *b, uint32_t from, uint32_t to,
	     uint32_t vector)
{
	return b->fd[index_of(b, from, to, vector)];
}

uint32_t bells_slots(const struct bells *b)
{
	return b->slots;
}

uint32_t bells_vectors(const struct bells *b)
{
	return b->vectors;
}

static uint32_t control_index(const struct bells *b, uint32_t slot,
			      uint32_t way)
{
	assert(slot > 0 && slot < b->slots);
	return pool_count(b->slots, b->vectors) + 2 * (slot - 1) + way;
}

int bells_control_in(const struct bells *b, uint32_t slot)
{
	return b->fd[control_index(b, slot, 0)];
}

int bells_control_out(const struct bells *b, uint32_t slot)
{
	return b->fd[control_index(b, slot, 1)];
}

bool bells_adopted(const struct bells *b)
{
	return b->adopted;
}

void bells_ring(struct bells *b, uint32_t to, uint32_t vector)
{
	toll_ring(b->toll, index_of(b, 0, to, vector));
}

void bells_ring_control(struct bells *b, uint32_t slot)
{
	toll_ring(b->toll, control_index(b, slot, 1));
}

void bells_drain(struct bells *b, uint32_t slot)
{
	assert(slot < b->slots);
	if (slot > 0) {
		toll_drop(b->toll, control_index(b, slot, 1));
		toll_take(bells_control_in(b, slot));
		toll_take(bells_control_out(b, slot));
	}
	for (uint32_t v = 0; v < b->vectors; v++) {
		toll_drop(b->toll, index_of(b, 0, slot, v));
		toll_take(bells_fd(b, 0, slot, v));
		/* What the former owner rang at the host. */
		toll_take(bells_fd(b, slot, 0, v));
	}
}

/* ---- making, keeping, taking ---- */

static const char *name_of(const struct bells *b, uint32_t i,
			   char buf[NAME_BYTES])
{
	uint32_t row = i / b->vectors, vector = i % b->vectors;
	uint32_t pool = pool_count(b->slots, b->vectors);

	if (i >= pool)
		snprintf(buf, NAME_BYTES, "%s/bell/control/%u/%s", b->domain,
			 (i - pool) / 2 + 1, (i - pool) % 2 ? "out" : "in");
	else if (row < b->slots)
		snprintf(buf, NAME_BYTES, "%s/bell/0/%u/%u", b->domain,
			 row, vector);
	else
		snprintf(buf, NAME_BYTES, "%s/bell/%u/any/%u", b->domain,
			 row - b->slots + 1, vector);
	return buf;
}

/* The first @n. */
static void forget(struct bells *b, uint32_t n)
{
	char name[NAME_BYTES];

	for (uint32_t i = 0; i < n; i++)
		keeper_forget(b->keeper, name_of(b, i, name));
}

/* All or none: true if we have them all.  A part of them was left by a daemon
 * that died before anybody was told of any. */
static bool take_all(struct bells *b)
{
	char name[NAME_BYTES];
	uint32_t found = 0;

	for (uint32_t i = 0; i < b->n; i++)
		found += keeper_find(b->keeper, name_of(b, i, name)) >= 0;
	for (uint32_t i = 0; found > 0 && i < b->n; i++) {
		b->fd[i] = keeper_take(b->keeper, name_of(b, i, name));
		if (found == b->n || b->fd[i] < 0)
			continue;
		close(b->fd[i]);
		b->fd[i] = -1;
		keeper_forget(b->keeper, name);
	}
	return found == b->n;
}

static int make_all(struct bells *b)
{
	char name[NAME_BYTES];
	uint32_t i;
	int ret;

	/* All of them before the first is stored: a lack of fds ends here. */
	for (i = 0; i < b->n; i++) {
		b->fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (b->fd[i] < 0)
			return -errno;
	}
	for (i = 0; i < b->n; i++) {
		ret = keeper_store(b->keeper, name_of(b, i, name), b->fd[i],
				   false);
		if (ret) {
			forget(b, i);
			return ret;
		}
	}
	return 0;
}

static void free_all(struct bells *b)
{
	for (uint32_t i = 0; b->fd && i < b->n; i++)
		if (b->fd[i] >= 0)
			close(b->fd[i]);
	free(b->fd);
	free(b);
}

int bells_open(struct bells **out, const struct bells_params *p)
{
	struct bells *b;
	int ret;

	assert(p->slots >= 2 && p->slots <= BELLS_SLOTS_MAX);
	assert(p->vectors >= 2 && p->vectors <= BELLS_VECTORS_MAX);
	*out = NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	snprintf(b->domain, sizeof(b->domain), "%s", p->domain);
	b->slots = p->slots;
	b->vectors = p->vectors;
	b->keeper = p->keeper;
	b->n = bells_count(p->slots, p->vectors);
	b->fd = malloc(b->n * sizeof(*b->fd));
	ret = b->fd ? 0 : -ENOMEM;
	if (ret)
		goto out_free;
	memset(b->fd, -1, b->n * sizeof(*b->fd));
	b->adopted = take_all(b);
	if (!b->adopted)
		ret = make_all(b);
	if (ret)
		goto out_free;
	ret = toll_open(&b->toll, b->fd, b->n);
	if (ret)
		goto out_forget;
	*out = b;
	return 0;

out_forget:
	/* Taken ones stay kept: the next daemon may have more luck. */
	if (!b->adopted)
		forget(b, b->n);
out_free:
	free_all(b);
	return ret;
}

void bells_close(struct bells *b)
{
	if (!b)
		return;
	toll_close(b->toll);
	free_all(b);
}

void bells_forget(struct bells *b)
{
	forget(b, b->n);
}
