/* SPDX-License-Identifier: MIT */
/*
 * guest_port.h - one ivshmem device as the guest daemon holds it
 *
 * Private to guest_dev.c and the ways by which a device is held.  A way fills
 * a port in; everybody else reads it.
 *
 *   way      file              memory        bells in          bells out
 *   vfio     guest_vfio.c      BAR2          MSI-X -> eventfd  ioeventfd
 *   sysfs    guest_sysfs.c     BAR2          none              BAR0
 *   socket   guest_socket.c    a memfd       eventfds          eventfds
 *
 * Names with the keeper begin with "guest/PART/":
 *
 *   memory, vector/VECTOR, bell/SLOT/VECTOR, and of the fd itself
 *   socket/SLOT or device/ADDRESS (with '_' for ':')
 */
#ifndef DAEMON_GUEST_PORT_H
#define DAEMON_GUEST_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/bells.h"
#include "daemon/keeper.h"

#define GUEST_PORT_TEXT	256u	/* of a sentence that says why */

struct guest_port;

/** struct guest_way - How a doorbell is rung by a way */
struct guest_way {
	const char *name;
	void (*ring)(struct guest_port *p, uint32_t slot, uint32_t vector);
	/* Make writes of @fd ring: 0 or -errno; NULL: what is there is all. */
	int (*bind)(struct guest_port *p, uint32_t slot, uint32_t vector,
		    int fd);
};

struct guest_port {
	const char *part;		/* "pool", "control" */
	const struct guest_way *way;	/* NULL: not open */
	char where[112];		/* PCI address, or the socket's path */
	char kept[48];			/* the fd's name with the keeper */
	uint32_t slot;			/* IVPosition */
	uint32_t vectors;

	int *vector;			/* [vectors]; NULL: no bells in */
	int *bell;			/* [slot * VECTORS_MAX + vector]; -1 */

	int mem_fd;			/* to be passed on; -1: none */
	uint64_t mem_offset;		/* where in mem_fd */
	uint64_t bytes;
	void *mem;			/* all of it, mapped by us */

	/* the way's own */
	int fd;				/* vfio: device; socket: its socket */
	struct kick *kick;		/* socket: how bells are rung */
	uint64_t regs_at;		/* vfio: BAR0's offset in fd */
	void *regs_map;			/* BAR0, as it was mapped */
	size_t regs_bytes;
	volatile uint32_t *regs;	/* BAR0; NULL: not mapped */
};

/* Registers of ivshmem, as indices of 32-bit words; QEMU's ivshmem-spec. */
#define GUEST_REG_IVPOSITION	2u
#define GUEST_REG_DOORBELL	3u

/* What goes into the doorbell. */
static inline uint32_t guest_doorbell(uint32_t slot, uint32_t vector)
{
	return slot << 16 | vector;
}

/* Fill @why and return @error. */
int guest_fail(int error, char why[GUEST_PORT_TEXT], const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* 0 or -ENOMEM. */
int guest_port_init(struct guest_port *p, const char *part);
/* Closes and unmaps all; the keeper still has the fds.  Twice is allowed. */
void guest_port_fini(struct guest_port *p);

/* Room for that many vectors, all -1: 0, -ENOMEM, or -EPROTO: too many. */
int guest_port_vectors(struct guest_port *p, uint32_t vectors);

/* The table's entry for a bell; NULL: out of bounds. */
int *guest_port_bell(const struct guest_port *p, uint32_t slot,
		     uint32_t vector);

/* Close and unmap all but the table of bells, which is empty then. */
void guest_port_clear(struct guest_port *p);

/* An eventfd that rings @vector of @slot, made, stored and bound at its first
 * use.  For our own slot the vector itself.  An fd that stays the port's, or
 * -errno: -EINVAL (no such bell), -EOPNOTSUPP (none by this way), -ENOSPC. */
int guest_port_ring_by(struct guest_port *p, struct keeper *k, uint32_t slot,
		       uint32_t vector);

/* Map @bytes at @offset of @fd as the port's memory: 0 or -errno. */
int guest_port_map(struct guest_port *p, int fd, uint64_t offset,
		   uint64_t bytes);

/* Store or take an fd under "guest/PART/" and the rest of its name. */
int guest_port_store(const struct guest_port *p, struct keeper *k, int fd,
		     bool watch, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
int guest_port_take(const struct guest_port *p, struct keeper *k,
		    const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Take what is kept of the vectors, which are counted: how many were there. */
uint32_t guest_port_take_vectors(struct guest_port *p, struct keeper *k);
/* Take all bells that are kept; how many, or -EPROTO: a name makes no sense. */
int guest_port_take_bells(struct guest_port *p, struct keeper *k);
/* Store all vectors and bells: 0 or -errno. */
int guest_port_store_all(const struct guest_port *p, struct keeper *k);

/* Begin again: close all, also what is kept and not taken, and let the keeper
 * forget it.  The port is as after guest_port_init(). */
void guest_port_forget(struct guest_port *p, struct keeper *k);

/* Say which socket, or which PCI device, the fd is: fills kept, and where. */
void guest_port_socket(struct guest_port *p, const char *path);
void guest_port_address(struct guest_port *p, const char *address);

/* Take the fd from the keeper, and with it the slot or the address that its
 * name tells: false if it is not kept. */
bool guest_port_take_socket(struct guest_port *p, struct keeper *k,
			    const char *path);
bool guest_port_take_device(struct guest_port *p, struct keeper *k);

#endif /* DAEMON_GUEST_PORT_H */
