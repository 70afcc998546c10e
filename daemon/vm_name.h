/* SPDX-License-Identifier: MIT */
/*
 * vm_name.h - what a QEMU's command line calls its VM
 */
#ifndef DAEMON_VM_NAME_H
#define DAEMON_VM_NAME_H

#include "daemon/vm_state.h"

/* What QEMU's command line calls it, if the name may be had; else
 * "vm-SLOT". */
void vm_take_name(struct vm *vm);

/* The value of QEMU's -name in @len bytes of arguments, each with its NUL: 0,
 * or -ENOENT. */
int vm_name_of(const char *cmdline, size_t len, char name[CONF_NAME_MAX + 1]);

#endif /* DAEMON_VM_NAME_H */
