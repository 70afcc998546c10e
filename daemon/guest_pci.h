/* SPDX-License-Identifier: MIT */
/*
 * guest_pci.h - which PCI devices are SNOO's, and who drives them
 */
#ifndef DAEMON_GUEST_PCI_H
#define DAEMON_GUEST_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/guest_port.h"
#include "daemon/guest_sys.h"

/** struct guest_pci - An ivshmem device (1af4:1110), as sysfs shows it */
struct guest_pci {
	char address[32];		/* "0000:00:02.0" */
	char driver[32];		/* "": none */
	int32_t group;			/* of the IOMMU; -1: none */
	uint64_t regs;			/* where BAR0 lies */
	uint64_t bytes;			/* of BAR2 */
};

/**
 * guest_pci_find() - Tell `pool` and `control` among the ivshmem devices
 * @data:	Address of the pool device, "0000:00:02.0" or "00:02.0"; ""
 *		looks: a BAR2 of more than 2 MiB with a pool's head in it
 * @control:	The same: a BAR2 of 1 MiB with the head of a control channel
 *
 * A device whose memory cannot be read now (another process holds it, or it is
 * off) goes by its size alone.
 *
 * Return: 0 on success, negative error code otherwise
 *	-ENODEV	 none, or several that it could be
 */
int guest_pci_find(const struct guest_sys *sys, const char *data,
		   const char *control, struct guest_pci *pool,
		   struct guest_pci *ctl, char why[GUEST_PORT_TEXT]);

/* Are both there, by their sizes alone?  Changes nothing. */
bool guest_pci_present(const struct guest_sys *sys, const char *data,
		       const char *control);

/**
 * guest_pci_bind() - Give the device to vfio-pci; it may have it already
 *
 * Return: 0 on success, negative error code otherwise
 *	-EOPNOTSUPP	no IOMMU group, no vfio-pci, or it does not take it
 *	-EACCES	 not for us to do
 *	-EBUSY	 another driver has it
 */
int guest_pci_bind(const struct guest_sys *sys, struct guest_pci *d,
		   char why[GUEST_PORT_TEXT]);

/* Take it away from vfio-pci again; 0 or -errno. */
int guest_pci_unbind(const struct guest_sys *sys, struct guest_pci *d);

#endif /* DAEMON_GUEST_PCI_H */
