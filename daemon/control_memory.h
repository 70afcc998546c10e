/* SPDX-License-Identifier: MIT */
/*
 * control_memory.h - the memory of a VM's control device: make, check, map
 */
#ifndef DAEMON_CONTROL_MEMORY_H
#define DAEMON_CONTROL_MEMORY_H

/* A zeroed memfd of SNOO_CTL_BYTES, sealed, with all its pages; or -errno. */
int control_memory_make(void);

/* 0, -EBADMSG: it is none of those, or -errno; *@out is NULL then. */
int control_memory_map(int fd, void **out);

#endif /* DAEMON_CONTROL_MEMORY_H */
