/* SPDX-License-Identifier: MIT */
/*
 * guest_sysfs.h - a device held through sysfs: memory and doorbell, no bells in
 *
 * For VMs without a vIOMMU.  Nothing is kept: a new daemon opens it again.
 */
#ifndef DAEMON_GUEST_SYSFS_H
#define DAEMON_GUEST_SYSFS_H

#include "daemon/guest_pci.h"
#include "daemon/guest_port.h"
#include "daemon/guest_sys.h"

/**
 * guest_sysfs_open() - Turn the device on, map BAR0 and BAR2
 * @d:		Without a driver
 *
 * Return: 0 on success, negative error code otherwise; the port is clear
 *	-EACCES	 not for us to do, or the kernel is locked down
 *	-EBUSY	 another process holds it through vfio
 *	-EPROTO	 its slot is none of SNOO's
 *	-ENODEV	 it cannot be turned on, or has no memory
 */
int guest_sysfs_open(struct guest_port *p, const struct guest_sys *sys,
		     const struct guest_pci *d, char why[GUEST_PORT_TEXT]);

#endif /* DAEMON_GUEST_SYSFS_H */
