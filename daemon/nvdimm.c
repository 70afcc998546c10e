/* SPDX-License-Identifier: MIT */
/*
 * nvdimm.c - the info block that makes a pool a DAX device in a guest
 */
#include "daemon/nvdimm.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include <snoo/abi.h>

#define MODE_RAM    1u
#define PAGE	    4096u
#define PAGE_STRUCT 64u
#define ALIGN	    0x200000u /* the guest maps pages of 2 MiB */

_Static_assert(NVDIMM_DATA == SNOO_ABI_HEAD_OFFSET,
	       "a guest's DAX device begins with the pool's head");
_Static_assert(NVDIMM_OFFSET + sizeof(struct nvdimm_info) <= NVDIMM_DATA,
	       "the block lies before the data");

/* FNV-1a: nothing here is secret, names only have to differ. */
static uint64_t hash(uint64_t h, const void *data, size_t bytes)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < bytes; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* "SNOO", then twelve bytes of hash, marked as version 8 (RFC 9562: custom). */
static void make_uuid(uint8_t uuid[16], const char *name, uint64_t size)
{
	uint64_t le = htole64(size);
	uint64_t a = hash(UINT64_C(0xcbf29ce484222325), &le, sizeof(le));
	uint64_t b;

	a = hash(a, name, strlen(name));
	b = htole64(hash(a, &le, sizeof(le)));
	a = htole64(a);
	memcpy(uuid, "SNOO", 4);
	memcpy(uuid + 4, &a, 4);
	memcpy(uuid + 8, &b, 8);
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x80);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

void nvdimm_uuid(const char *name, uint64_t size, char text[NVDIMM_UUID_TEXT])
{
	uint8_t uuid[16];
	size_t at = 0;

	make_uuid(uuid, name, size);
	for (size_t i = 0; i < sizeof(uuid); i++)
		at += (size_t)snprintf(
			text + at, NVDIMM_UUID_TEXT - at, "%s%02x",
			i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			uuid[i]);
}

/* Two running sums over 32-bit words, the second of the first; each of them
 * is cut to 32 bits in the end (Linux: nd_fletcher64()). */
uint64_t nvdimm_sum(const struct nvdimm_info *info)
{
	const unsigned char *p = (const unsigned char *)info;
	size_t end = offsetof(struct nvdimm_info, checksum);
	uint32_t low = 0, high = 0;

	for (size_t i = 0; i < sizeof(*info); i += sizeof(uint32_t)) {
		uint32_t word = 0;

		if (i < end)
			memcpy(&word, p + i, sizeof(word));
		low += le32toh(word);
		high += low;
	}
	return (uint64_t)high << 32 | low;
}

void nvdimm_fill(struct nvdimm_info *out, const char *name, uint64_t size)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->signature, "NVDIMM_DAX_INFO", sizeof(out->signature));
	make_uuid(out->uuid, name, size);
	out->major = htole16(1);
	out->minor = htole16(4);
	out->dataoff = htole64(NVDIMM_DATA);
	out->npfns = htole64((size - NVDIMM_DATA) / PAGE);
	out->mode = htole32(MODE_RAM);
	out->align = htole32(ALIGN);
	out->page_size = htole32(PAGE);
	out->page_struct_size = htole16(PAGE_STRUCT);
	out->checksum = htole64(nvdimm_sum(out));
}
