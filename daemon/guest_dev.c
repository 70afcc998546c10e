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

#include "daemon/guest_dax.h"
#include "daemon/guest_pci.h"
#include "daemon/guest_port.h"
#include "daemon/guest_socket.h"
#include "daemon/guest_sysfs.h"
#include "daemon/guest_vfio.h"

#define BARRIER_MS 5000

struct guest_dev {
	struct guest_port pool;
	struct guest_port control;
	struct guest_vfio vfio;
	struct guest_dax dax;
	const struct guest_sys *sys;
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
static int check_control(const struct guest_port *p, char *why)
{
	const struct snoo_ctl_memory *c = p->mem;
	uint32_t major;

	if (p->bytes != SNOO_CTL_BYTES || c->magic != SNOO_CTL_MAGIC)
		return guest_fail(-ENODEV, why,
				  "%s is no control device of "
				  "SNOO",
				  p->where);
	major = c->major;
	if (major != SNOO_CTL_MAJOR)
		return guest_fail(-EPROTONOSUPPORT, why,
				  "%s: the host speaks "
				  "version %u of the control channel, we speak "
				  "%u",
				  p->where, major, SNOO_CTL_MAJOR);
	return 0;
}

static const void *head_of(const struct guest_port *pool)
{
	return (const char *)pool->mem + SNOO_ABI_HEAD_OFFSET;
}

static int check_pool(const struct guest_port *p, char *why)
{
	const struct snoo_abi_pool *a = head_of(p);
	uint32_t major;

	if (p->bytes <= SNOO_ABI_HEAD_OFFSET + sizeof(*a))
		return guest_fail(-ENODEV, why, "%s is too small for a pool",
				  p->where);
	if (a->magic != SNOO_ABI_MAGIC || a->size != p->bytes)
		return guest_fail(-ENODEV, why, "%s is no pool of SNOO",
				  p->where);
	major = a->major;
	if (major != SNOO_ABI_MAJOR)
		return guest_fail(-EPROTONOSUPPORT, why,
				  "%s: the pool has "
				  "layout %u, we know %u",
				  p->where, major, SNOO_ABI_MAJOR);
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
			ret = check_pool(&g->pool, why);
		if (!ret)
			ret = check_control(&g->control, why);
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

/* ---- PCI devices ---- */

/* By vfio, or by sysfs if there is no vIOMMU: then @g->why says so. */
static int open_one(struct guest_dev *g, struct guest_port *p,
		    struct guest_pci *d, char *why)
{
	int ret = guest_pci_bind(g->sys, d, why);

	if (!ret)
		ret = guest_vfio_open(&g->vfio, p, g->sys, d, g->keeper, why);
	if (ret != -EOPNOTSUPP)
		return ret;
	snprintf(g->why, sizeof(g->why), "%s", why);
	ret = guest_pci_unbind(g->sys, d);
	if (ret)
		return guest_fail(ret, why,
				  "%.150s; and vfio-pci cannot be "
				  "made to let %s go: %s",
				  g->why, d->address, strerror(-ret));
	ret = guest_sysfs_open(p, g->sys, d, why);
	if (ret) {
		char text[GUEST_PORT_TEXT];

		snprintf(text, sizeof(text), "%s", why);
		guest_fail(ret, why, "%.120s; and %.120s", g->why, text);
	}
	return ret;
}

static bool by_vfio(const struct guest_port *p)
{
	return p->way && p->fd >= 0;
}

static int open_devices(struct guest_dev *g, const struct conf *conf, char *why)
{
	bool pool, control;
	struct guest_pci d[2];
	int ret;

	guest_vfio_adopt(&g->vfio, g->keeper);
	pool = guest_vfio_adopt_port(&g->pool, g->keeper) == 0;
	control = guest_vfio_adopt_port(&g->control, g->keeper) == 0;
	if (pool && control)
		return 0;
	ret = guest_pci_find(g->sys, conf->guest.data_device,
			     conf->guest.control_device, &d[0], &d[1], why);
	if (!ret && !pool) {
		ret = open_one(g, &g->pool, &d[0], why);
		if (!ret)
			ret = check_pool(&g->pool, why);
	}
	if (!ret && !control) {
		ret = open_one(g, &g->control, &d[1], why);
		if (!ret)
			ret = check_control(&g->control, why);
	}
	if (ret) {
		guest_port_forget(&g->pool, g->keeper);
		guest_port_forget(&g->control, g->keeper);
	}
	if (!by_vfio(&g->pool) && !by_vfio(&g->control))
		guest_vfio_forget(&g->vfio, g->keeper);
	return ret;
}

/* What ranks map: the nvdimm, if the host gives one, or the BAR. */
static int choose_memory(struct guest_dev *g, const struct conf *conf,
			 char *why)
{
	char text[GUEST_PORT_TEXT];
	int ret;

	ret = guest_dax_open(&g->dax, g->sys, conf->guest.dax_device,
			     head_of(&g->pool), g->pool.bytes, g->keeper, text);
	if (ret && conf->guest.dax_device[0])
		return guest_fail(-ENODEV, why, "guest.dax_device: %s", text);
	if (!ret) {
		g->base = g->dax.base;
		g->map = (struct guest_dev_map){ .fd = g->dax.fd,
						 .skip = GUEST_DAX_SKIP,
						 .kind = SNOO_CTL_MAP_DAX };
		snprintf(g->map.path, sizeof(g->map.path), "%s", g->dax.path);
		return 0;
	}
	g->base = g->pool.mem;
	g->map = (struct guest_dev_map){
		.fd = g->pool.mem_fd,
		.offset = g->pool.mem_offset,
		.kind = by_vfio(&g->pool) ? SNOO_CTL_MAP_BAR
					  : SNOO_CTL_MAP_SYSFS,
	};
	snprintf(g->map.path, sizeof(g->map.path), "%s BAR2", g->pool.where);
	guest_dax_note(g->sys, g->note);
	return 0;
}

static int open_pci(struct guest_dev *g, const struct conf *conf, char *why)
{
	int ret = open_devices(g, conf, why);

	return ret ? ret : choose_memory(g, conf, why);
}

/* ---- open and close ---- */

static int open_all(struct guest_dev *g, const struct conf *conf, char *why)
{
	int ret = guest_port_init(&g->pool, "pool");

	if (!ret)
		ret = guest_port_init(&g->control, "control");
	if (ret)
		return ret;
	if (is_path(conf->guest.data_device) ||
	    is_path(conf->guest.control_device))
		ret = open_sockets(g, conf, why);
	else
		ret = open_pci(g, conf, why);
	if (ret)
		return ret;
	ret = keeper_barrier(g->keeper, BARRIER_MS);
	if (ret)
		guest_fail(ret, why, "the keeper does not answer: %s",
			   strerror(-ret));
	return ret;
}

int guest_dev_open_in(struct guest_dev **out, const struct guest_sys *sys,
		      const struct conf *conf, struct keeper *k,
		      char why[GUEST_DEV_TEXT])
{
	struct guest_dev *g;
	int ret;

	*out = NULL;
	why[0] = '\0';
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->sys = sys;
	g->keeper = k;
	g->holder = -1;
	g->map.fd = -1;
	guest_vfio_init(&g->vfio);
	guest_dax_init(&g->dax);
	ret = open_all(g, conf, why);
	if (ret) {
		if (why[0] == '\0')
			guest_fail(ret, why, "%s", strerror(-ret));
		guest_dev_close(g);
		return ret;
	}
	*out = g;
	return 0;
}

int guest_dev_open(struct guest_dev **out, const struct conf *conf,
		   struct keeper *k, char why[GUEST_DEV_TEXT])
{
	return guest_dev_open_in(out, &guest_sys_real, conf, k, why);
}

void guest_dev_close(struct guest_dev *g)
{
	if (!g)
		return;
	guest_dax_fini(&g->dax);
	guest_port_fini(&g->pool);
	guest_port_fini(&g->control);
	guest_vfio_fini(&g->vfio);
	if (g->holder >= 0)
		close(g->holder);
	free(g);
}

bool guest_dev_present(const struct conf *conf)
{
	const char *data = conf->guest.data_device;

	return is_path(data) || guest_pci_present(&guest_sys_real, data,
						  conf->guest.control_device);
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
	if (slot < BELLS_SLOTS_MAX && vector < BELLS_VECTORS_MAX)
		g->pool.way->ring(&g->pool, slot, vector);
}
