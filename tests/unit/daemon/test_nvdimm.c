/* SPDX-License-Identifier: MIT */
/* test_nvdimm.c - the info block, against one that Linux wrote */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <snoo/abi.h>

#include "daemon/nvdimm.h"

#define MIB (UINT64_C(1) << 20)

/*
 * What Debian's 6.1.0-56-cloud-amd64 wrote at offset 0x1000 of an empty 64 MiB
 * nvdimm, when a devdax namespace was made there through sysfs (align 2 MiB,
 * mode ram, and the uuid below).  Zero from here to the checksum.
 */
static const uint8_t linux_head[] = {
	0x4e, 0x56, 0x44, 0x49, 0x4d, 0x4d, 0x5f, 0x44, 0x41, 0x58, 0x5f, 0x49,
	0x4e, 0x46, 0x4f, 0x00, 0x53, 0x45, 0x4e, 0x44, 0x00, 0x01, 0x40, 0x00,
	0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x04, 0x00, 0x00, 0x00, 0x20, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x3e, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x20, 0x00, 0x00, 0x10, 0x00, 0x00, 0x40, 0x00,
};
static const uint8_t linux_sum[8] = {
	0x3f, 0xd7, 0x24, 0x1d, 0x1c, 0xc8, 0x3e, 0x9d,
};

static void linux_block(struct nvdimm_info *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out, linux_head, sizeof(linux_head));
	memcpy(&out->checksum, linux_sum, sizeof(linux_sum));
}

static void test_our_sum_of_linux_block_is_linux_sum(void **state)
{
	struct nvdimm_info info;

	(void)state;
	linux_block(&info);
	assert_int_equal(nvdimm_sum(&info), UINT64_C(0x9d3ec81c1d24d73f));
	assert_memory_equal(&info.checksum, linux_sum, sizeof(linux_sum));

	/* It notices each byte, and the order of words. */
	info.padding[3993] ^= 1;
	assert_int_not_equal(nvdimm_sum(&info), UINT64_C(0x9d3ec81c1d24d73f));
	linux_block(&info);
	info.start_pad = info.mode;
	info.mode = 0;
	assert_int_not_equal(nvdimm_sum(&info), UINT64_C(0x9d3ec81c1d24d73f));
}

static void test_only_the_uuid_differs_from_what_linux_writes(void **state)
{
	struct nvdimm_info ours, theirs;

	(void)state;
	linux_block(&theirs);
	nvdimm_fill(&ours, "default", 64 * MIB);
	assert_int_equal(ours.checksum, nvdimm_sum(&ours));
	assert_memory_not_equal(ours.uuid, theirs.uuid, 16);
	memcpy(ours.uuid, theirs.uuid, 16);
	ours.checksum = nvdimm_sum(&ours);
	assert_memory_equal(&ours, &theirs, sizeof(ours));
}

/* The kernel's own words (nd_pfn_validate), said again. */
static void test_every_size_of_pool_passes_the_checks_of_linux(void **state)
{
	(void)state;
	for (uint64_t size = 4 * MIB; size <= SNOO_ABI_SIZE_MAX; size *= 2) {
		static const uint8_t zero[16];
		struct nvdimm_info b;

		nvdimm_fill(&b, "lab.a", size);
		assert_string_equal((const char *)b.signature,
				    "NVDIMM_DAX_INFO");
		assert_memory_equal(b.parent_uuid, zero, 16);
		assert_int_equal(b.mode, 1);
		assert_true(b.dataoff < size);
		assert_true(b.align < size);
		assert_int_equal(b.dataoff % b.align, 0);
		assert_int_equal(b.npfns * 4096 + b.dataoff, size);
	}
}

static void test_uuids_begin_with_snoo_and_differ(void **state)
{
	char a[NVDIMM_UUID_TEXT], b[NVDIMM_UUID_TEXT];
	struct nvdimm_info info;
	char raw[33];

	(void)state;
	nvdimm_uuid("default", 64 * MIB, a);
	assert_int_equal(strlen(a), 36);
	assert_memory_equal(a, NVDIMM_UUID, strlen(NVDIMM_UUID));
	assert_int_equal(a[14], '8');
	assert_non_null(strchr("89ab", a[19]));

	/* The text is that of the block. */
	nvdimm_fill(&info, "default", 64 * MIB);
	for (size_t i = 0; i < 16; i++)
		snprintf(raw + 2 * i, 3, "%02x", info.uuid[i]);
	for (size_t i = 0, at = 0; a[i]; i++)
		if (a[i] != '-')
			assert_int_equal(a[i], raw[at++]);

	nvdimm_uuid("default", 64 * MIB, b);
	assert_string_equal(a, b);
	nvdimm_uuid("default", 128 * MIB, b);
	assert_string_not_equal(a, b);
	nvdimm_uuid("defaulu", 64 * MIB, b);
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_our_sum_of_linux_block_is_linux_sum),
		cmocka_unit_test(
			test_only_the_uuid_differs_from_what_linux_writes),
		cmocka_unit_test(
			test_every_size_of_pool_passes_the_checks_of_linux),
		cmocka_unit_test(test_uuids_begin_with_snoo_and_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
