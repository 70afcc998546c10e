/* SPDX-License-Identifier: MIT */
/*
 * guest_sysfs.c - a device held through sysfs: memory and doorbell, no bells in
 *
 * resource2 is mapped uncached-minus by the guest's kernel; resource2_wc would
 * be write-combining, which the pool must never be (doc/memory-layout.md).
 */

#include "daemon/guest_sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/cpu.h"

#define CONFIG_BYTES 256u
#define CAPS_MAX     48 /* in 256 bytes; more of them are a circle */

static void ring(struct guest_port *p, uint32_t slot, uint32_t vector)
{
	cpu_device_fence();
	p->regs[GUEST_REG_DOORBELL] = guest_doorbell(slot, vector);
}

static const struct guest_way sysfs_way = { .name = "sysfs", .ring = ring };

/* BAR2 is mapped by now: MSI-X entries, so that the host can compare. */
static uint32_t msix_entries(const unsigned char *config, size_t bytes)
{
	uint8_t at;

	if (bytes < CONFIG_BYTES || !(config[PCI_STATUS] & PCI_STATUS_CAP_LIST))
		return 0;
	at = config[PCI_CAPABILITY_LIST] & 0xfc;
	for (int i = 0; at >= PCI_STD_HEADER_SIZEOF && i < CAPS_MAX; i++) {
		if (config[at] == PCI_CAP_ID_MSIX) {
			uint32_t flags =
				config[at + PCI_MSIX_FLAGS] |
				(uint32_t)config[at + PCI_MSIX_FLAGS + 1] << 8;

			return (flags & PCI_MSIX_FLAGS_QSIZE) + 1;
		}
		at = config[at + PCI_CAP_LIST_NEXT] & 0xfc;
	}
	return 0;
}

static void read_vectors(struct guest_port *p, const struct guest_sys *sys)
{
	unsigned char config[CONFIG_BYTES] = { 0 };
	char path[GUEST_SYS_PATH];
	ssize_t n = -1;
	int fd = -1;

	if (guest_sys_path(path, "%s/bus/pci/devices/%s/config", sys->sysfs,
			   p->where))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, config, sizeof(config));
		close(fd);
	}
	p->vectors = msix_entries(config, n > 0 ? (size_t)n : 0);
}

static int open_bar(const struct guest_port *p, const struct guest_sys *sys,
		    int bar)
{
	char path[GUEST_SYS_PATH];
	int fd;

	if (!guest_sys_path(path, "%s/bus/pci/devices/%s/resource%d",
			    sys->sysfs, p->where, bar))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* BAR0 is smaller than a page of this kernel, and lies somewhere in one. */
static int map_registers(struct guest_port *p, const struct guest_sys *sys,
			 uint64_t start)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = open_bar(p, sys, 0);
	char *map;

	if (fd < 0)
		return fd;
	map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return -errno;
	madvise(map, page, MADV_DONTFORK);
	p->regs_map = map;
	p->regs_bytes = page;
	p->regs = (void *)(map + start % page);
	return 0;
}

static int turn_on(const struct guest_sys *sys, const struct guest_pci *d)
{
	char path[GUEST_SYS_PATH];
	uint64_t on;
	int ret;

	if (!guest_sys_path(path, "%s/bus/pci/devices/%s/enable", sys->sysfs,
			    d->address))
		return -ENAMETOOLONG;
	if (guest_sys_number(path, &on) == 0 && on > 0)
		return 0;
	ret = sys->write(sys, path, "1");
	return ret == -EPERM ? -EACCES : ret;
}

static int explain(int ret, const struct guest_pci *d, char *why)
{
	switch (ret) {
	case -EACCES:
		return guest_fail(ret, why, "%s: not permitted: start as root",
				  d->address);
	case -EPERM:
		return guest_fail(-EACCES, why,
				  "%s: the kernel does not let "
				  "programs map devices: lockdown, as with "
				  "Secure Boot?",
				  d->address);
	/* IO_STRICT_DEVMEM: a driver has claimed the memory. */
	case -EINVAL:
		return guest_fail(-EBUSY, why,
				  "%s: another process holds it "
				  "through vfio",
				  d->address);
	case -EPROTO:
		return guest_fail(ret, why, "%s: its slot is none of SNOO's",
				  d->address);
	default:
		return guest_fail(-ENODEV, why, "%s: %s", d->address,
				  strerror(-ret));
	}
}

int guest_sysfs_open(struct guest_port *p, const struct guest_sys *sys,
		     const struct guest_pci *d, char why[GUEST_PORT_TEXT])
{
	int ret = turn_on(sys, d);

	snprintf(p->where, sizeof(p->where), "%s", d->address);
	p->way = &sysfs_way;
	if (!ret)
		ret = map_registers(p, sys, d->regs);
	if (!ret) {
		p->slot = p->regs[GUEST_REG_IVPOSITION];
		if (p->slot == 0 || p->slot >= BELLS_SLOTS_MAX)
			ret = -EPROTO;
	}
	if (!ret) {
		p->mem_fd = open_bar(p, sys, 2);
		ret = p->mem_fd < 0 ? p->mem_fd
				    : guest_port_map(p, p->mem_fd, 0, d->bytes);
	}
	if (ret) {
		guest_port_clear(p);
		return explain(ret, d, why);
	}
	read_vectors(p, sys);
	return 0;
}
