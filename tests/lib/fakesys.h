/* SPDX-License-Identifier: MIT */
/*
 * fakesys.h - a sysfs of ordinary files, and a kernel that binds drivers there
 *
 * BAR0 and BAR2 are files, so that a device can be opened, mapped and rung.
 */
#ifndef TESTS_FAKESYS_H
#define TESTS_FAKESYS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/guest_sys.h"

/* Where the registers are: in the middle of a page, of whatever size. */
#define FAKESYS_BAR0	UINT64_C(0xfebf1100)

struct fakesys {
	struct guest_sys sys;		/* first: the kernel finds itself by it */
	char dir[64];
	char sysfs[96], dev[96], proc[96];

	/* What the kernel will do. */
	bool refuse_probe;		/* vfio-pci does not take it */
	int write_error;		/* of all writes, negative; 0: none */
	bool modules;			/* loading them works */
	const char *dax_on_load;	/* then this device appears */
	uint64_t dax_bytes;

	unsigned int loads;		/* how often modules were asked for */
	unsigned int writes;
};

struct fakesys_device {
	const char *address;		/* "0000:00:02.0" */
	uint64_t vendor, device;	/* 0: ivshmem's */
	uint64_t bytes;			/* of BAR2 */
	uint64_t magic;			/* 0: none */
	uint64_t magic_at;
	uint32_t slot;			/* IVPosition */
	int group;			/* -1: no vIOMMU */
	const char *driver;		/* NULL: none */
};

/* An ivshmem device of SNOO's: pool of 8 MiB and control in slot 3. */
extern const struct fakesys_device fakesys_pool, fakesys_control;

void fakesys_open(struct fakesys *f);
void fakesys_close(struct fakesys *f);

void fakesys_add(struct fakesys *f, const struct fakesys_device *d);
/* The driver vfio-pci and its module are loaded. */
void fakesys_load_vfio(struct fakesys *f);

/* /dev/NAME and what sysfs says of it; its first bytes are @head's. */
void fakesys_dax(struct fakesys *f, const char *name, uint64_t bytes,
		 uint64_t align, const void *head, uint64_t head_bytes);

/* A file below the root: its text, or what it is to be. */
void fakesys_text(struct fakesys *f, const char *path, const char *text);
bool fakesys_is(struct fakesys *f, const char *path, const char *text);

/* Map a file of the fake; the caller unmaps. */
void *fakesys_map(struct fakesys *f, const char *path, uint64_t bytes);

#endif /* TESTS_FAKESYS_H */
