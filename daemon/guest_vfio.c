/* SPDX-License-Identifier: MIT */
/*
 * guest_vfio.c - a device held through vfio-pci: MSI-X in, ioeventfds out
 *
 *     container   VFIO_TYPE1v2_IOMMU; nothing is mapped for DMA
 *       group     of the vIOMMU; opens once
 *         device  config space: memory and bus mastering on, as opening it
 *                 clears the latter, and without it no MSI-X arrives
 *                 MSI-X: an eventfd for each vector
 *                 BAR0: the slot is read, the doorbell rung
 *                 BAR2: the memory; its fd is the device's
 *                 ioeventfds: a write of one is a write to the doorbell
 *
 * Source: the kernel's Documentation/driver-api/vfio.rst, linux/vfio.h.
 */

#include "daemon/guest_vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/cpu.h"

#define CONTAINER "guest/vfio/container"
#define GROUP	  "guest/vfio/group/"

/* ---- bells out ---- */

static void ring(struct guest_port *p, uint32_t slot, uint32_t vector)
{
	uint32_t value = guest_doorbell(slot, vector);

	cpu_device_fence();
	if (p->regs)
		p->regs[GUEST_REG_DOORBELL] = value;
	else
		(void)!pwrite(p->fd, &value, sizeof(value),
			      (off_t)(p->regs_at + GUEST_REG_DOORBELL * 4));
}

static int set_ioeventfd(const struct guest_port *p, uint32_t slot,
			 uint32_t vector, int fd)
{
	struct vfio_device_ioeventfd io = {
		.argsz = sizeof(io),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = p->regs_at + GUEST_REG_DOORBELL * 4,
		.data = guest_doorbell(slot, vector),
		.fd = fd,
	};

	return ioctl(p->fd, VFIO_DEVICE_IOEVENTFD, &io) < 0 ? -errno : 0;
}

/*
 * One for each value: what stands there from a daemon that died before it
 * stored its eventfd is of no use to anybody.
 */
static int bind_bell(struct guest_port *p, uint32_t slot, uint32_t vector,
		     int fd)
{
	int ret = set_ioeventfd(p, slot, vector, fd);

	if (ret != -EEXIST)
		return ret;
	ret = set_ioeventfd(p, slot, vector, -1);
	return ret ? ret : set_ioeventfd(p, slot, vector, fd);
}

static const struct guest_way vfio_way = {
	.name = "vfio",
	.ring = ring,
	.bind = bind_bell,
};

/* ---- the device ---- */

static int region(const struct guest_port *p, uint32_t index,
		  struct vfio_region_info *r)
{
	*r = (struct vfio_region_info){ .argsz = sizeof(*r), .index = index };
	return ioctl(p->fd, VFIO_DEVICE_GET_REGION_INFO, r) < 0 ? -errno : 0;
}

static int map_registers(struct guest_port *p)
{
	struct vfio_region_info r;
	void *map;
	int ret = region(p, VFIO_PCI_BAR0_REGION_INDEX, &r);

	if (ret)
		return ret;
	if (r.size < (GUEST_REG_DOORBELL + 1) * 4)
		return -ENODEV;
	p->regs_at = r.offset;
	if (!(r.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return 0;
	map = mmap(NULL, r.size, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd,
		   (off_t)r.offset);
	if (map == MAP_FAILED)
		return 0;
	madvise(map, r.size, MADV_DONTFORK);
	p->regs_map = map;
	p->regs_bytes = r.size;
	p->regs = map;
	return 0;
}

static int read_slot(struct guest_port *p)
{
	uint32_t value;

	if (p->regs)
		value = p->regs[GUEST_REG_IVPOSITION];
	else if (pread(p->fd, &value, sizeof(value),
		       (off_t)(p->regs_at + GUEST_REG_IVPOSITION * 4)) !=
		 sizeof(value))
		return -EIO;
	if (value == 0 || value >= BELLS_SLOTS_MAX)
		return -EPROTO;
	p->slot = value;
	return 0;
}

static int map_memory(struct guest_port *p)
{
	struct vfio_region_info r;
	int ret = region(p, VFIO_PCI_BAR2_REGION_INDEX, &r);

	if (ret)
		return ret;
	if (r.size == 0 || !(r.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return -ENODEV;
	p->mem_fd = p->fd;
	p->mem_offset = r.offset;
	return guest_port_map(p, p->fd, r.offset, r.size);
}

/* Memory and bus mastering on. */
static int enable(struct guest_port *p)
{
	struct vfio_region_info r;
	uint16_t command;
	off_t at;
	int ret = region(p, VFIO_PCI_CONFIG_REGION_INDEX, &r);

	if (ret)
		return ret;
	at = (off_t)r.offset + PCI_COMMAND;
	if (pread(p->fd, &command, sizeof(command), at) != sizeof(command))
		return -EIO;
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(p->fd, &command, sizeof(command), at) != sizeof(command))
		return -EIO;
	return 0;
}

static int count_vectors(struct guest_port *p)
{
	struct vfio_irq_info info = { .argsz = sizeof(info),
				      .index = VFIO_PCI_MSIX_IRQ_INDEX };

	if (ioctl(p->fd, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0)
		return -errno;
	return guest_port_vectors(p, info.count);
}

/* Eventfds for all vectors, those that are missing made here. */
static int arm(struct guest_port *p)
{
	size_t bytes = p->vectors * sizeof(p->vector[0]);
	struct vfio_irq_set *set;
	int ret = 0;

	for (uint32_t v = 0; v < p->vectors; v++) {
		if (p->vector[v] < 0)
			p->vector[v] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (p->vector[v] < 0)
			return -errno;
	}
	set = malloc(sizeof(*set) + bytes);
	if (!set)
		return -ENOMEM;
	*set = (struct vfio_irq_set){
		.argsz = (uint32_t)(sizeof(*set) + bytes),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD |
			 VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.count = p->vectors,
	};
	memcpy(set->data, p->vector, bytes);
	if (ioctl(p->fd, VFIO_DEVICE_SET_IRQS, set) < 0)
		ret = -errno;
	free(set);
	return ret;
}

/* What an open device looks like, fresh or kept. */
static int look(struct guest_port *p)
{
	int ret = map_registers(p);

	if (!ret)
		ret = read_slot(p);
	if (!ret)
		ret = map_memory(p);
	if (!ret)
		ret = count_vectors(p);
	p->way = &vfio_way;
	return ret;
}

/* ---- container and group ---- */

void guest_vfio_init(struct guest_vfio *v)
{
	*v = (struct guest_vfio){ .container = -1 };
}

void guest_vfio_fini(struct guest_vfio *v)
{
	for (unsigned int i = 0; i < v->groups; i++)
		close(v->fd[i]);
	if (v->container >= 0)
		close(v->container);
	guest_vfio_init(v);
}

static const char *first_group(struct keeper *k)
{
	const struct keeper_fd *list;
	size_t n = keeper_inherited(k, &list);

	for (size_t i = 0; i < n; i++)
		if (strncmp(list[i].name, GROUP, strlen(GROUP)) == 0)
			return list[i].name;
	return NULL;
}

void guest_vfio_adopt(struct guest_vfio *v, struct keeper *k)
{
	const char *name;

	while (v->groups < GUEST_VFIO_GROUPS && (name = first_group(k))) {
		unsigned int i = v->groups++;

		v->group[i] = (int32_t)strtol(name + strlen(GROUP), NULL, 10);
		v->fd[i] = keeper_take(k, name);
		v->group_kept[i] = true;
	}
	v->container = keeper_take(k, CONTAINER);
	v->container_kept = v->container >= 0;
}

void guest_vfio_forget(struct guest_vfio *v, struct keeper *k)
{
	char name[64];

	for (unsigned int i = 0; i < v->groups; i++) {
		snprintf(name, sizeof(name), GROUP "%d", v->group[i]);
		if (v->group_kept[i])
			keeper_forget(k, name);
	}
	if (v->container_kept)
		keeper_forget(k, CONTAINER);
	guest_vfio_fini(v);
}

static int open_container(struct guest_vfio *v, const struct guest_sys *sys,
			  char *why)
{
	char path[GUEST_SYS_PATH];

	if (v->container >= 0)
		return 0;
	guest_sys_path(path, "%s/vfio/vfio", sys->dev);
	v->container = open(path, O_RDWR | O_CLOEXEC);
	if (v->container < 0)
		return guest_fail(errno == EACCES ? -EACCES : -EOPNOTSUPP, why,
				  "%s: %s", path, strerror(errno));
	if (ioctl(v->container, VFIO_GET_API_VERSION) != VFIO_API_VERSION ||
	    !ioctl(v->container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU)) {
		close(v->container);
		v->container = -1;
		return guest_fail(-EOPNOTSUPP, why,
				  "vfio has no type 1 IOMMU "
				  "here: modprobe vfio_iommu_type1");
	}
	return 0;
}

static int group_error(int error, const char *path, char *why)
{
	switch (error) {
	case EBUSY:
		return guest_fail(-EBUSY, why,
				  "%s: another process has it; if "
				  "ranks of an earlier daemon have, they must "
				  "end first",
				  path);
	case EACCES:
	case EPERM:
		return guest_fail(-EACCES, why,
				  "%s: %s; 70-snoo.rules "
				  "gives it to the group snoo",
				  path, strerror(error));
	default:
		return guest_fail(-EOPNOTSUPP, why, "%s: %s", path,
				  strerror(error));
	}
}

static int attach_group(const struct guest_vfio *v, int group, const char *path,
			char *why)
{
	struct vfio_group_status s = { .argsz = sizeof(s) };

	if (ioctl(group, VFIO_GROUP_GET_STATUS, &s) < 0)
		return group_error(errno, path, why);
	if (!(s.flags & VFIO_GROUP_FLAGS_VIABLE))
		return guest_fail(-EOPNOTSUPP, why,
				  "%s: other devices of this "
				  "group have drivers: put SNOO's devices on "
				  "root ports of their own",
				  path);
	if (s.flags & VFIO_GROUP_FLAGS_CONTAINER_SET)
		return 0;
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &v->container) < 0)
		return group_error(errno, path, why);
	/* The second group finds it set. */
	if (ioctl(v->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0 &&
	    v->groups == 0) {
		if (errno == EPERM)
			return guest_fail(-EOPNOTSUPP, why,
					  "the vIOMMU does "
					  "not remap interrupts: give QEMU "
					  "intremap=on, or load vfio_iommu_"
					  "type1 with allow_unsafe_interrupts"
					  "=1");
		return guest_fail(-EOPNOTSUPP, why, "VFIO_SET_IOMMU: %s",
				  strerror(errno));
	}
	return 0;
}

/* The fd of a group, opened and attached at its first use; or -errno. */
static int get_group(struct guest_vfio *v, const struct guest_sys *sys,
		     int32_t number, char *why)
{
	char path[GUEST_SYS_PATH];
	int fd, ret;

	for (unsigned int i = 0; i < v->groups; i++)
		if (v->group[i] == number)
			return v->fd[i];
	if (v->groups == GUEST_VFIO_GROUPS)
		return -ENOSPC;
	guest_sys_path(path, "%s/vfio/%d", sys->dev, number);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return group_error(errno, path, why);
	ret = attach_group(v, fd, path, why);
	if (ret) {
		close(fd);
		return ret;
	}
	v->group[v->groups] = number;
	v->fd[v->groups++] = fd;
	return fd;
}

/* ---- open ---- */

static int store_shared(struct guest_vfio *v, struct keeper *k)
{
	char name[64];
	int ret = 0;

	for (unsigned int i = 0; i < v->groups && !ret; i++) {
		if (v->group_kept[i])
			continue;
		snprintf(name, sizeof(name), GROUP "%d", v->group[i]);
		ret = keeper_store(k, name, v->fd[i], false);
		v->group_kept[i] = !ret;
	}
	if (!ret && !v->container_kept) {
		ret = keeper_store(k, CONTAINER, v->container, false);
		v->container_kept = !ret;
	}
	return ret;
}

/* The device last: who finds it finds the rest. */
static int store(struct guest_vfio *v, const struct guest_port *p,
		 struct keeper *k)
{
	int ret = store_shared(v, k);

	if (!ret)
		ret = guest_port_store_all(p, k);
	return ret ? ret : guest_port_store(p, k, p->fd, false, "%s", p->kept);
}

/* A group that was opened for nothing: the device is to leave vfio. */
static void drop_group(struct guest_vfio *v, struct keeper *k)
{
	char name[64];
	unsigned int i = --v->groups;

	snprintf(name, sizeof(name), GROUP "%d", v->group[i]);
	if (v->group_kept[i])
		keeper_forget(k, name);
	v->group_kept[i] = false;
	close(v->fd[i]);
}

static int open_device(struct guest_port *p, int group,
		       const struct guest_pci *d, char *why)
{
	int ret;

	p->fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, d->address);
	if (p->fd < 0)
		return guest_fail(-EOPNOTSUPP, why, "vfio does not give %s: %s",
				  d->address, strerror(errno));
	fcntl(p->fd, F_SETFD, FD_CLOEXEC);
	guest_port_address(p, d->address);
	ret = enable(p);
	if (!ret)
		ret = look(p);
	if (!ret)
		ret = arm(p);
	if (ret == -EPROTO)
		guest_fail(ret, why,
			   "%s: its slot, or its number of vectors, "
			   "is none of SNOO's",
			   d->address);
	else if (ret)
		guest_fail(ret, why, "%s: %s", d->address, strerror(-ret));
	return ret;
}

int guest_vfio_open(struct guest_vfio *v, struct guest_port *p,
		    const struct guest_sys *sys, const struct guest_pci *d,
		    struct keeper *k, char why[GUEST_PORT_TEXT])
{
	unsigned int groups = v->groups;
	int ret = open_container(v, sys, why);
	int group = ret ? ret : get_group(v, sys, d->group, why);

	if (group < 0)
		return group;
	ret = open_device(p, group, d, why);
	if (!ret) {
		ret = store(v, p, k);
		if (ret)
			guest_fail(ret, why,
				   "the keeper does not take the "
				   "fds of %s: %s",
				   d->address, strerror(-ret));
	}
	if (ret) {
		guest_port_forget(p, k);
		if (v->groups > groups)
			drop_group(v, k);
	}
	return ret;
}

int guest_vfio_adopt_port(struct guest_port *p, struct keeper *k)
{
	int ret;

	if (!guest_port_take_device(p, k))
		return -ENOENT;
	ret = look(p);
	if (!ret && guest_port_take_vectors(p, k) < p->vectors) {
		ret = enable(p);
		if (!ret)
			ret = arm(p);
		if (!ret)
			ret = guest_port_store_all(p, k);
	}
	if (!ret && guest_port_take_bells(p, k) < 0)
		ret = -EPROTO;
	/* One that was stored and not bound yet; the others exist. */
	for (uint32_t i = 0; i < BELLS_SLOTS_MAX * BELLS_VECTORS_MAX && !ret;
	     i++)
		if (p->bell[i] >= 0) {
			ret = set_ioeventfd(p, i / BELLS_VECTORS_MAX,
					    i % BELLS_VECTORS_MAX, p->bell[i]);
			if (ret == -EEXIST)
				ret = 0;
		}
	if (ret)
		guest_port_forget(p, k);
	return ret;
}
