/* SPDX-License-Identifier: MIT */
/*
 * guest_vfio.h - a device held through vfio-pci: MSI-X in, ioeventfds out
 *
 * /dev/vfio/GROUP opens once in the whole VM, so the fds are the keeper's, too,
 * and a new daemon takes them as they are: interrupts and ioeventfds live with
 * the device's fd and go on while no daemon runs.
 *
 *   guest/vfio/container    guest/vfio/group/N    guest/PART/device/ADDRESS
 */
#ifndef DAEMON_GUEST_VFIO_H
#define DAEMON_GUEST_VFIO_H

#include "daemon/guest_pci.h"
#include "daemon/guest_port.h"
#include "daemon/guest_sys.h"

/* Both devices may be in one group. */
#define GUEST_VFIO_GROUPS	2u

/** struct guest_vfio - What the devices of a VM share */
struct guest_vfio {
	int container;			/* -1: not open */
	bool container_kept;		/* the keeper has it */
	unsigned int groups;
	bool group_kept[GUEST_VFIO_GROUPS];
	int32_t group[GUEST_VFIO_GROUPS];
	int fd[GUEST_VFIO_GROUPS];
};

void guest_vfio_init(struct guest_vfio *v);
/* Closes; the keeper still has them. */
void guest_vfio_fini(struct guest_vfio *v);
/* No device is held by vfio: closes, and the keeper forgets. */
void guest_vfio_forget(struct guest_vfio *v, struct keeper *k);

/* Take container and groups from the keeper; what is missing is opened later. */
void guest_vfio_adopt(struct guest_vfio *v, struct keeper *k);

/**
 * guest_vfio_adopt_port() - Take the device from the keeper
 *
 * What the daemon before us had not finished, vectors and bells, is finished.
 *
 * Return: 0, -ENOENT: it is not kept, or -errno: it is of no use
 */
int guest_vfio_adopt_port(struct guest_port *p, struct keeper *k);

/**
 * guest_vfio_open() - Open a device that is bound to vfio-pci
 * @v:	Container and group are opened if they are not
 *
 * Stored with the keeper when all is done.
 *
 * Return: 0 on success, negative error code otherwise; the port is clear
 *	-EOPNOTSUPP	there is no usable vIOMMU
 *	-EBUSY	 another process has the group
 *	-EACCES	 we may not open it
 *	-EPROTO	 a number of vectors that SNOO does not know
 */
int guest_vfio_open(struct guest_vfio *v, struct guest_port *p,
		    const struct guest_sys *sys, const struct guest_pci *d,
		    struct keeper *k, char why[GUEST_PORT_TEXT]);

#endif /* DAEMON_GUEST_VFIO_H */
