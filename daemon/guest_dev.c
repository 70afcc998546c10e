/* SPDX-License-Identifier: MIT */
/*
 * guest_dev.c - the VM's two devices: which way they are held, what to map
 */

#include "daemon/guest_dev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snoo/abi.h>
#include <snoo/control.h>

#include "daemon/guest_port.h"
#include "daemon/guest_socket.h"

#define BARRIER_MS 5000

struct guest_dev {
	struct guest_port pool;
	struct guest_port control;
	struct keeper *keeper;
	int holder; /* sockets: keeps the VM alive; or -1 */
	struct guest_dev_map map;
	void *base;		   /* offset 0 of the pool */
	char why[GUEST_DEV_TEXT];  /* no bells */
	char note[GUEST_DEV_TEXT]; /* on the memory's type */
};

/* ---- checks ---- */

/*
 * Fresh devices have whole heads.  One that was adopted may have been scribbled
 * over meanwhile: what its sessions find is for them to judge.
 */
static int check_heads(const struct guest_dev *g, char *why)
{
	const struct snoo_ctl_memory *c = g->control.mem;
	const struct snoo_abi_pool *a;
	uint32_t major;

	if (g->control.bytes != SNOO_CTL_BYTES || c->magic != SNOO_CTL_MAGIC)
		return guest_fail(-ENODEV, why,
				  "%s is no control device of "
				  "SNOO",
				  g->control.where);
	if (g->pool.bytes <= SNOO_ABI_HEAD_OFFSET + sizeof(*a))
		return guest_fail(-ENODEV, why, "%s is too small for a pool",
				  g->pool.where);
	a = (const void *)((const char *)g->pool.mem + SNOO_ABI_HEAD_OFFSET);
	if (a->magic != SNOO_ABI_MAGIC || a->size != g->pool.bytes)
		return guest_fail(-ENODEV, why, "%s is no pool of SNOO",
				  g->pool.where);
	major = c->major;
	if (major != SNOO_CTL_MAJOR)
		return guest_fail(-EPROTONOSUPPORT, why,
				  "%s: the host speaks "
				  "version %u of the control channel, we speak "
				  "%u",
				  g->control.where, major, SNOO_CTL_MAJOR);
	major = a->major;
	if (major != SNOO_ABI_MAJOR)
		return guest_fail(-EPROTONOSUPPORT, why,
				  "%s: the pool has "
				  "layout %u, we know %u",
				  g->pool.where, major, SNOO_ABI_MAJOR);
	return 0;
}

/* ---- sockets ---- */

static bool is_path(const char *device)
{
	return device[0] == '/';
}

static int open_sockets(struct guest_dev *g, const struct conf *conf, char *why)
{
	const char *const path[2] = { conf->guest.data_device,
				      conf->guest.control_device };
	int ret;

	if (!is_path(path[0]) || !is_path(path[1]))
		return guest_fail(-EINVAL, why,
				  "guest.data_device and "
				  "guest.control_device: both are paths of "
				  "sockets, or none is");
	ret = guest_socket_adopt(&g->pool, &g->control, path, &g->holder,
				 g->keeper);
	if (ret) {
		ret = guest_socket_open(&g->pool, &g->control, path, &g->holder,
					why);
		if (!ret)
			ret = check_heads(g, why);
		if (!ret)
			ret = guest_socket_store(&g->pool, &g->control,
						 &g->holder, g->keeper);
	}
	if (ret)
		return ret;
	g->base = g->pool.mem;
	g->map = (struct guest_dev_map){ .fd = g->pool.mem_fd,
					 .kind = SNOO_CTL_MAP_MEMFD };
	snprintf(g->map.path, sizeof(g->map.path), "%s", g->pool.where);
	return 0;
}

/* ---- open and close ---- */

int guest_dev_open(struct guest_dev **out, const struct conf *conf,
		   struct keeper *k, char why[GUEST_DEV_TEXT])
{
	struct guest_dev *g;
	int ret;

	*out = NULL;
	why[0] = '\0';
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->keeper = k;
	g->holder = -1;
	g->map.fd = -1;
	ret = guest_port_init(&g->pool, "pool");
	if (!ret)
		ret = guest_port_init(&g->control, "control");
	if (!ret && (is_path(conf->guest.data_device) ||
		     is_path(conf->guest.control_device)))
		ret = open_sockets(g, conf, why);
	else if (!ret)
		ret = guest_fail(-ENODEV, why, "no device");
	if (!ret) {
		ret = keeper_barrier(k, BARRIER_MS);
		if (ret)
			guest_fail(ret, why, "the keeper does not answer: %s",
				   strerror(-ret));
	}
	if (ret) {
		if (why[0] == '\0')
			guest_fail(ret, why, "%s", strerror(-ret));
		guest_dev_close(g);
		return ret;
	}
	*out = g;
	return 0;
}

void guest_dev_close(struct guest_dev *g)
{
	if (!g)
		return;
	guest_port_fini(&g->pool);
	guest_port_fini(&g->control);
	if (g->holder >= 0)
		close(g->holder);
	free(g);
}

bool guest_dev_present(const struct conf *conf)
{
	return is_path(conf->guest.data_device);
}

/* ---- what is there ---- */

uint32_t guest_dev_slot(const struct guest_dev *g)
{
	return g->pool.slot;
}

uint32_t guest_dev_vectors(const struct guest_dev *g)
{
	return g->pool.vectors;
}

uint64_t guest_dev_pool_bytes(const struct guest_dev *g)
{
	return g->pool.bytes;
}

void *guest_dev_control(const struct guest_dev *g, size_t *bytes)
{
	*bytes = g->control.bytes;
	return g->control.mem;
}

void *guest_dev_pool(const struct guest_dev *g)
{
	return g->base;
}

const struct guest_dev_map *guest_dev_map(const struct guest_dev *g)
{
	return &g->map;
}

bool guest_dev_has_bells(const struct guest_dev *g)
{
	return g->pool.vector != NULL;
}

const char *guest_dev_why(const struct guest_dev *g)
{
	return g->why;
}

const char *guest_dev_memory_note(const struct guest_dev *g)
{
	return g->note;
}

/* ---- bells ---- */

int guest_dev_control_bell(const struct guest_dev *g)
{
	return g->control.vector ? g->control.vector[0] : -1;
}

void guest_dev_control_ring(struct guest_dev *g)
{
	g->control.way->ring(&g->control, 0, 0);
}

int guest_dev_vector(const struct guest_dev *g, uint32_t vector)
{
	if (!g->pool.vector || vector >= g->pool.vectors)
		return -1;
	return g->pool.vector[vector];
}

int guest_dev_bell(struct guest_dev *g, uint32_t slot, uint32_t vector)
{
	return guest_port_ring_by(&g->pool, g->keeper, slot, vector);
}

void guest_dev_ring(struct guest_dev *g, uint32_t slot, uint32_t vector)
{
	g->pool.way->ring(&g->pool, slot, vector);
}
