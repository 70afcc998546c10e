/* SPDX-License-Identifier: MIT */
/*
 * guest_port.c - what all ways share: tables of bells, memory, kept fds
 */

#include "daemon/guest_port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/kick.h"

#define BELLS ((size_t)BELLS_SLOTS_MAX * BELLS_VECTORS_MAX)

int guest_fail(int error, char why[GUEST_PORT_TEXT], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, GUEST_PORT_TEXT, fmt, ap);
	va_end(ap);
	return error;
}

int guest_port_init(struct guest_port *p, const char *part)
{
	*p = (struct guest_port){ .part = part, .mem_fd = -1, .fd = -1 };
	p->bell = malloc(BELLS * sizeof(*p->bell));
	if (!p->bell)
		return -ENOMEM;
	for (size_t i = 0; i < BELLS; i++)
		p->bell[i] = -1;
	return 0;
}

static void close_all(int *fd, size_t n)
{
	for (size_t i = 0; fd && i < n; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
		fd[i] = -1;
	}
}

void guest_port_clear(struct guest_port *p)
{
	if (p->vector)
		close_all(p->vector, p->vectors);
	free(p->vector);
	close_all(p->bell, BELLS);
	if (p->mem)
		munmap(p->mem, p->bytes);
	if (p->regs_map)
		munmap(p->regs_map, p->regs_bytes);
	if (p->mem_fd >= 0 && p->mem_fd != p->fd)
		close(p->mem_fd);
	if (p->fd >= 0)
		close(p->fd);
	kick_close(p->kick);
	*p = (struct guest_port){
		.part = p->part, .bell = p->bell, .mem_fd = -1, .fd = -1
	};
}

void guest_port_fini(struct guest_port *p)
{
	guest_port_clear(p);
	free(p->bell);
	p->bell = NULL;
}

int guest_port_vectors(struct guest_port *p, uint32_t vectors)
{
	if (vectors == 0 || vectors > BELLS_VECTORS_MAX)
		return -EPROTO;
	p->vector = malloc(vectors * sizeof(*p->vector));
	if (!p->vector)
		return -ENOMEM;
	for (uint32_t v = 0; v < vectors; v++)
		p->vector[v] = -1;
	p->vectors = vectors;
	return 0;
}

int *guest_port_bell(const struct guest_port *p, uint32_t slot, uint32_t vector)
{
	if (slot >= BELLS_SLOTS_MAX || vector >= BELLS_VECTORS_MAX)
		return NULL;
	return &p->bell[(size_t)slot * BELLS_VECTORS_MAX + vector];
}

int guest_port_map(struct guest_port *p, int fd, uint64_t offset,
		   uint64_t bytes)
{
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 (off_t)offset);

	if (mem == MAP_FAILED)
		return -errno;
	/* A program that we start must not write what is ours. */
	madvise(mem, bytes, MADV_DONTFORK);
	p->mem = mem;
	p->bytes = bytes;
	return 0;
}

/* ---- kept fds ---- */

static void name_of(char name[SDNOTIFY_NAME_MAX + 1], const char *part,
		    const char *fmt, va_list ap)
{
	int n = snprintf(name, SDNOTIFY_NAME_MAX + 1, "guest/%s/", part);

	vsnprintf(name + n, SDNOTIFY_NAME_MAX + 1 - (size_t)n, fmt, ap);
}

int guest_port_store(const struct guest_port *p, struct keeper *k, int fd,
		     bool watch, const char *fmt, ...)
{
	char name[SDNOTIFY_NAME_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	name_of(name, p->part, fmt, ap);
	va_end(ap);
	return keeper_store(k, name, fd, watch);
}

int guest_port_take(const struct guest_port *p, struct keeper *k,
		    const char *fmt, ...)
{
	char name[SDNOTIFY_NAME_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	name_of(name, p->part, fmt, ap);
	va_end(ap);
	return keeper_take(k, name);
}

uint32_t guest_port_take_vectors(struct guest_port *p, struct keeper *k)
{
	uint32_t found = 0;

	for (uint32_t v = 0; v < p->vectors; v++) {
		p->vector[v] = guest_port_take(p, k, "vector/%u", v);
		if (p->vector[v] >= 0)
			found++;
	}
	return found;
}

/* The first inherited fd whose name begins so; NULL: none. */
static const char *kept(struct keeper *k, const char *prefix)
{
	const struct keeper_fd *list;
	size_t n = keeper_inherited(k, &list);

	for (size_t i = 0; i < n; i++)
		if (strncmp(list[i].name, prefix, strlen(prefix)) == 0)
			return list[i].name;
	return NULL;
}

int guest_port_take_bells(struct guest_port *p, struct keeper *k)
{
	char prefix[64];
	const char *name;
	int n = 0;

	snprintf(prefix, sizeof(prefix), "guest/%s/bell/", p->part);
	while ((name = kept(k, prefix))) {
		unsigned int slot, vector;
		int *bell = NULL;

		if (sscanf(name + strlen(prefix), "%u/%u", &slot, &vector) == 2)
			bell = guest_port_bell(p, slot, vector);
		if (!bell || *bell >= 0)
			return -EPROTO;
		*bell = keeper_take(k, name);
		n++;
	}
	return n;
}

int guest_port_store_all(const struct guest_port *p, struct keeper *k)
{
	int ret = 0;

	for (uint32_t v = 0; !ret && v < p->vectors; v++)
		if (p->vector)
			ret = guest_port_store(p, k, p->vector[v], false,
					       "vector/%u", v);
	for (uint32_t i = 0; !ret && i < BELLS; i++)
		if (p->bell[i] >= 0)
			ret = guest_port_store(
				p, k, p->bell[i], false, "bell/%u/%u",
				i / BELLS_VECTORS_MAX, i % BELLS_VECTORS_MAX);
	return ret;
}

static void forget(const struct guest_port *p, struct keeper *k,
		   const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void forget(const struct guest_port *p, struct keeper *k,
		   const char *fmt, ...)
{
	char name[SDNOTIFY_NAME_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	name_of(name, p->part, fmt, ap);
	va_end(ap);
	keeper_forget(k, name);
}

void guest_port_forget(struct guest_port *p, struct keeper *k)
{
	char prefix[64], copy[SDNOTIFY_NAME_MAX + 1];
	const char *name;

	/* What was taken. */
	for (uint32_t v = 0; p->vector && v < p->vectors; v++)
		if (p->vector[v] >= 0)
			forget(p, k, "vector/%u", v);
	for (uint32_t i = 0; i < BELLS; i++)
		if (p->bell[i] >= 0)
			forget(p, k, "bell/%u/%u", i / BELLS_VECTORS_MAX,
			       i % BELLS_VECTORS_MAX);
	if (p->mem_fd >= 0 && p->mem_fd != p->fd)
		forget(p, k, "memory");
	if (p->kept[0])
		forget(p, k, "%s", p->kept);
	guest_port_clear(p);
	/* What was not. */
	snprintf(prefix, sizeof(prefix), "guest/%s/", p->part);
	while ((name = kept(k, prefix))) {
		snprintf(copy, sizeof(copy), "%s", name);
		close(keeper_take(k, copy));
		keeper_forget(k, copy);
	}
}

void guest_port_socket(struct guest_port *p, const char *path)
{
	snprintf(p->where, sizeof(p->where), "%s", path);
	snprintf(p->kept, sizeof(p->kept), "socket/%u", p->slot);
}

void guest_port_address(struct guest_port *p, const char *address)
{
	snprintf(p->where, sizeof(p->where), "%s", address);
	snprintf(p->kept, sizeof(p->kept), "device/%s", address);
	/* The service manager's protocol ends a name at a colon. */
	for (char *c = p->kept; *c; c++)
		if (*c == ':')
			*c = '_';
}

/* Take the first fd of that kind; what follows in its name, or NULL. */
static const char *take_kind(struct guest_port *p, struct keeper *k,
			     const char *kind)
{
	char prefix[64];
	const char *name;

	snprintf(prefix, sizeof(prefix), "guest/%s/%s/", p->part, kind);
	name = kept(k, prefix);
	if (!name)
		return NULL;
	p->fd = keeper_take(k, name);
	snprintf(p->kept, sizeof(p->kept), "%s/%s", kind,
		 name + strlen(prefix));
	return name + strlen(prefix);
}

bool guest_port_take_socket(struct guest_port *p, struct keeper *k,
			    const char *path)
{
	const char *slot = take_kind(p, k, "socket");

	if (!slot || sscanf(slot, "%u", &p->slot) != 1 || p->slot == 0 ||
	    p->slot >= BELLS_SLOTS_MAX)
		return false;
	guest_port_socket(p, path);
	return true;
}

bool guest_port_take_device(struct guest_port *p, struct keeper *k)
{
	const char *address = take_kind(p, k, "device");

	if (!address)
		return false;
	snprintf(p->where, sizeof(p->where), "%s", address);
	for (char *c = p->where; *c; c++)
		if (*c == '_')
			*c = ':';
	return true;
}

/* ---- bells out ---- */

int guest_port_ring_by(struct guest_port *p, struct keeper *k, uint32_t slot,
		       uint32_t vector)
{
	int *bell = guest_port_bell(p, slot, vector);
	int fd, ret;

	if (!bell || vector >= p->vectors)
		return -EINVAL;
	if (slot == p->slot)
		return p->vector ? p->vector[vector] : -EOPNOTSUPP;
	if (*bell >= 0)
		return *bell;
	if (!p->way->bind)
		return p->vector ? -EINVAL : -EOPNOTSUPP;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	/*
	 * Stored before it is bound: a daemon that finds it binds it again,
	 * which does no harm, while one that was bound and is not kept could
	 * never be had again.
	 */
	ret = guest_port_store(p, k, fd, false, "bell/%u/%u", slot, vector);
	if (!ret) {
		ret = p->way->bind(p, slot, vector, fd);
		if (ret)
			forget(p, k, "bell/%u/%u", slot, vector);
	}
	if (ret) {
		close(fd);
		return ret;
	}
	*bell = fd;
	return fd;
}
