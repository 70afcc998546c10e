/* SPDX-License-Identifier: MIT */
/*
 * nvdimm.h - the info block that makes a pool a DAX device in a guest
 *
 * QEMU can show a guest the pool as an nvdimm.  Linux then looks for this block
 * at offset 4 KiB and, if it likes it, makes /dev/dax0.0 of all that lies
 * behind `dataoff`; without the block it makes a disk, and somebody has to
 * change that by hand in each new pool.  The pool's first 2 MiB are kept free
 * for it (abi.h), so that the guest's device begins with the pool's head:
 *
 *   0x000000 +---------------------+
 *            | zero                |
 *   0x001000 +---------------------+
 *            | struct nvdimm_info  |  Linux: struct nd_pfn_sb
 *   0x002000 +---------------------+
 *            | zero                |
 *   0x200000 +---------------------+  /dev/dax0.0, offset 0
 *            | struct snoo_abi_pool|
 *
 * The block is a function of the pool's name and size alone, so that it can be
 * written again at any time: a guest can spoil it, which only the next boot of
 * a guest notices.  Its uuid begins with the letters SNOO, by which a udev
 * rule and a guest daemon know the device.
 *
 * Layout and checks: Linux, drivers/nvdimm/pfn.h and nd_pfn_validate() in
 * pfn_devs.c; the same from 6.1 to 6.12.
 */
#ifndef DAEMON_NVDIMM_H
#define DAEMON_NVDIMM_H

#include <stddef.h>
#include <stdint.h>

#define NVDIMM_OFFSET	0x1000u		/* of the block in the pool */
#define NVDIMM_DATA	0x200000u	/* where the DAX device begins */
#define NVDIMM_UUID	"534e4f4f-"	/* how each of our uuids begins */

/** struct nvdimm_info - As Linux reads it; all numbers little-endian */
struct nvdimm_info {
	uint8_t signature[16];		/* "NVDIMM_DAX_INFO" */
	uint8_t uuid[16];		/* of the DAX device */
	uint8_t parent_uuid[16];	/* of the namespace: zero, no labels */
	uint32_t flags;			/* zero */
	uint16_t major;
	uint16_t minor;
	uint64_t dataoff;		/* bytes: NVDIMM_DATA */
	uint64_t npfns;			/* 4 KiB pages behind dataoff */
	uint32_t mode;			/* 1: struct page in the guest's RAM */
	uint32_t start_pad;		/* zero */
	uint32_t end_trunc;		/* zero */
	uint32_t align;			/* bytes: pages of 2 MiB */
	uint32_t page_size;		/* bytes: 4096 */
	uint16_t page_struct_size;	/* bytes: 64 */
	uint8_t padding[3994];		/* zero */
	uint64_t checksum;		/* nvdimm_sum() with zero here */
};

#define NVDIMM_AT(field, off)						\
	_Static_assert(offsetof(struct nvdimm_info, field) == (off),	\
		       "nvdimm: " #field " moved")

NVDIMM_AT(signature,		0x000);
NVDIMM_AT(uuid,			0x010);
NVDIMM_AT(parent_uuid,		0x020);
NVDIMM_AT(flags,		0x030);
NVDIMM_AT(major,		0x034);
NVDIMM_AT(minor,		0x036);
NVDIMM_AT(dataoff,		0x038);
NVDIMM_AT(npfns,		0x040);
NVDIMM_AT(mode,			0x048);
NVDIMM_AT(start_pad,		0x04c);
NVDIMM_AT(end_trunc,		0x050);
NVDIMM_AT(align,		0x054);
NVDIMM_AT(page_size,		0x058);
NVDIMM_AT(page_struct_size,	0x05c);
NVDIMM_AT(padding,		0x05e);
NVDIMM_AT(checksum,		0xff8);
_Static_assert(sizeof(struct nvdimm_info) == 4096, "nvdimm: the block changed");

/**
 * nvdimm_fill() - The block of a pool
 * @name:	The domain's: two pools in one guest differ in it
 * @size:	Bytes of the pool, above NVDIMM_DATA
 */
void nvdimm_fill(struct nvdimm_info *out, const char *name, uint64_t size);

/* The block's checksum: over everything but the checksum itself. */
uint64_t nvdimm_sum(const struct nvdimm_info *info);

/* "534e4f4f-...": the uuid as sysfs shows it; 37 bytes, NUL included. */
#define NVDIMM_UUID_TEXT	37u
void nvdimm_uuid(const char *name, uint64_t size, char text[NVDIMM_UUID_TEXT]);

#endif /* DAEMON_NVDIMM_H */
