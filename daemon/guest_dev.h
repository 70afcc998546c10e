/* SPDX-License-Identifier: MIT */
/*
 * guest_dev.h - a VM's two ivshmem devices, as the guest daemon uses them
 *
 * Finds `pool` and `control` among the PCI devices (1af4:1110), binds each to
 * vfio-pci, opens it, sets bus mastering, arms MSI-X, maps what is needed; or
 * takes all of it from the keeper, where the daemon before us left it.
 *
 *   way     memory                 bells in            bells out
 *   vfio    /dev/dax, else BAR2    MSI-X -> eventfd    VFIO_DEVICE_IOEVENTFD
 *   sysfs   /dev/dax, else BAR2    none: poll          the register
 *   socket  the memfd              eventfds            eventfds
 *
 * sysfs is for VMs without a vIOMMU (or with one that vfio refuses): ranks
 * then poll, and guest_dev_why() says why.
 *
 * socket is for containers, for hypervisors that pass the sockets through, and
 * for tests: guest.data_device and guest.control_device are paths of the
 * host's ivshmem sockets then, and we are the client that QEMU would be.  A
 * small process of ours stands for the VM (guest_holder.h).  When the host has
 * hung up, the next guest daemon begins a new VM; this one is not told, as a VM
 * is not.
 *
 * Privilege: root, or CAP_SYS_ADMIN-free with the unit's udev rule having bound
 * and chowned the devices before.  Everything is opened before privileges are
 * limited; afterwards guest_dev_bell() needs the open device alone.
 *
 * One thread.
 */
#ifndef DAEMON_GUEST_DEV_H
#define DAEMON_GUEST_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf.h"
#include "daemon/keeper.h"

#define GUEST_DEV_TEXT	256u

struct guest_dev;

/** struct guest_dev_map - What a rank maps as the pool */
struct guest_dev_map {
	int fd;				/* ours; passed to ranks */
	uint64_t offset;		/* where in fd: wire's map_offset */
	uint64_t skip;			/* wire's map_skip */
	uint32_t kind;			/* enum snoo_ctl_map_kind */
	char path[128];			/* "/dev/dax0.0", "0000:00:02.0 BAR2",
					 * or the socket's path */
};

/**
 * guest_dev_open() - Find, bind, open, arm, map both devices
 * @conf:	guest.data_device, .control_device, .dax_device: "" looks
 * @k:		The fds are stored under "guest/...", or taken from there
 * @why:	A sentence on failure: what is missing and how to get it
 *
 * Return: 0 on success, negative error code otherwise
 *	-ENODEV	 no pair of SNOO's devices in this VM
 *	-EACCES	 there is, and we may not open it
 *	-EBUSY	 another process has it
 *	-ECONNREFUSED	sockets: the host refuses us, or nobody listens
 *	-EPROTO	 sockets: what answers is no ivshmem server of ours
 *	-EPROTONOSUPPORT	the host's daemon speaks another major version
 */
int guest_dev_open(struct guest_dev **out, const struct conf *conf,
		   struct keeper *k, char why[GUEST_DEV_TEXT]);
/* The same, with sysfs, /dev and modules elsewhere: for tests. */
struct guest_sys;
int guest_dev_open_in(struct guest_dev **out, const struct guest_sys *sys,
		      const struct conf *conf, struct keeper *k,
		      char why[GUEST_DEV_TEXT]);
/* The keeper still has the fds. */
void guest_dev_close(struct guest_dev *g);

/* Are SNOO's devices here at all?  Changes nothing.  For role "auto". */
bool guest_dev_present(const struct conf *conf);

/* IVPosition of the pool device: our slot.  MSI-X entries it has; 0: the kernel
 * does not tell us (sysfs, not as root). */
uint32_t guest_dev_slot(const struct guest_dev *g);
uint32_t guest_dev_vectors(const struct guest_dev *g);
uint64_t guest_dev_pool_bytes(const struct guest_dev *g);

/* The control device: its memory, the eventfd that the host rings (-1: none,
 * poll), and the host's doorbell. */
void *guest_dev_control(const struct guest_dev *g, size_t *bytes);
int guest_dev_control_bell(const struct guest_dev *g);
void guest_dev_control_ring(struct guest_dev *g);

/* The pool, mapped by us from SNOO_ABI_HEAD_OFFSET on at least; @base is where
 * offset 0 would be. */
void *guest_dev_pool(const struct guest_dev *g);
const struct guest_dev_map *guest_dev_map(const struct guest_dev *g);

/* Do MSI-X interrupts arrive here?  false: ranks poll. */
bool guest_dev_has_bells(const struct guest_dev *g);
/* Why not, or "" ; and what to know of the memory's type ("" : nothing). */
const char *guest_dev_why(const struct guest_dev *g);
const char *guest_dev_memory_note(const struct guest_dev *g);

/* The eventfd that MSI-X vector @vector of the pool device raises; -1. */
int guest_dev_vector(const struct guest_dev *g, uint32_t vector);

/**
 * guest_dev_bell() - The eventfd by which a rank of ours rings @slot, @vector
 *
 * Made and bound to the doorbell register at its first use, kept with the
 * keeper ("guest/pool/bell/SLOT/VECTOR"), shared by the whole guest.  For our own
 * slot: guest_dev_vector().
 *
 * Return: an fd that stays ours, or negative error code
 *	-ENOSPC	 the device takes no more: guest_dev_ring()
 *	-EOPNOTSUPP	this way has no eventfds (sysfs)
 *	-EINVAL	 no such slot or vector, or none that we may ring
 */
int guest_dev_bell(struct guest_dev *g, uint32_t slot, uint32_t vector);

/* Ring a vector of the pool device ourselves, through the register. */
void guest_dev_ring(struct guest_dev *g, uint32_t slot, uint32_t vector);

#endif /* DAEMON_GUEST_DEV_H */
