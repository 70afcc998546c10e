/* SPDX-License-Identifier: MIT */
/* test_guest_pci.c - finding, binding and mapping in VMs made of files */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <snoo/abi.h>
#include <snoo/control.h>

#include "daemon/guest_dev.h"
#include "daemon/guest_pci.h"
#include "tests/lib/fakesys.h"

#define POOL	   "sys/bus/pci/devices/0000:00:02.0/"
#define CONTROL	   "sys/bus/pci/devices/0000:00:03.0/"
#define POOL_BYTES (UINT64_C(8) << 20)
#define SKIP	   (UINT64_C(2) << 20)

struct vm {
	struct fakesys f;
	struct guest_pci pool, control;
	char why[GUEST_DEV_TEXT];
	struct conf conf;
	struct keeper *keeper;
	struct guest_dev *dev;
};

static int setup(void **state)
{
	static char none[] = "";
	struct vm *vm = calloc(1, sizeof(*vm));

	fakesys_open(&vm->f);
	assert_int_equal(keeper_open(&vm->keeper, NULL), 0);
	vm->conf.guest.data_device = none;
	vm->conf.guest.control_device = none;
	vm->conf.guest.dax_device = none;
	*state = vm;
	return 0;
}

static int teardown(void **state)
{
	struct vm *vm = *state;

	guest_dev_close(vm->dev);
	keeper_close(vm->keeper);
	fakesys_close(&vm->f);
	free(vm);
	return 0;
}

static int find(struct vm *vm, const char *data, const char *control)
{
	vm->why[0] = '\0';
	return guest_pci_find(&vm->f.sys, data, control, &vm->pool,
			      &vm->control, vm->why);
}

static bool present(struct vm *vm, const char *data, const char *control)
{
	unsigned int writes = vm->f.writes;
	bool there = guest_pci_present(&vm->f.sys, data, control);

	assert_int_equal(vm->f.writes, writes);
	return there;
}

static void add_both(struct vm *vm, int pool_group, int control_group,
		     const char *driver)
{
	struct fakesys_device d = fakesys_pool;

	d.group = pool_group;
	d.driver = driver;
	fakesys_add(&vm->f, &d);
	d = fakesys_control;
	d.group = control_group;
	d.driver = driver;
	fakesys_add(&vm->f, &d);
}

/* ---- finding ---- */

static void test_a_vm_without_devices_is_told_what_it_lacks(void **state)
{
	struct vm *vm = *state;
	struct fakesys_device other = fakesys_pool;

	assert_false(present(vm, "", ""));
	assert_int_equal(find(vm, "", ""), -ENODEV);
	assert_non_null(strstr(vm->why, "pool"));
	/* Another PCI device, of that size and with that content. */
	other.device = 0x1111;
	fakesys_add(&vm->f, &other);
	assert_false(present(vm, "", ""));
	assert_int_equal(find(vm, "", ""), -ENODEV);
	assert_non_null(strstr(vm->why, "0 of 1af4:1110"));
	fakesys_add(&vm->f, &fakesys_control);
	assert_false(present(vm, "", ""));
	assert_int_equal(find(vm, "", ""), -ENODEV);
	assert_non_null(strstr(vm->why, "pool"));
}

static void test_a_pool_alone_is_not_enough(void **state)
{
	struct vm *vm = *state;

	fakesys_add(&vm->f, &fakesys_pool);
	assert_false(present(vm, "", ""));
	assert_int_equal(find(vm, "", ""), -ENODEV);
	assert_non_null(strstr(vm->why, "control"));
}

static void test_the_two_are_told_apart(void **state)
{
	struct vm *vm = *state;

	add_both(vm, 7, -1, NULL);
	assert_true(present(vm, "", ""));
	assert_int_equal(find(vm, "", ""), 0);
	assert_string_equal(vm->pool.address, "0000:00:02.0");
	assert_string_equal(vm->control.address, "0000:00:03.0");
	assert_int_equal(vm->pool.bytes, POOL_BYTES);
	assert_int_equal(vm->control.bytes, SNOO_CTL_BYTES);
	assert_int_equal(vm->pool.group, 7);
	assert_int_equal(vm->control.group, -1);
	assert_string_equal(vm->pool.driver, "");
	/* What was turned on for a look is off again. */
	assert_true(fakesys_is(&vm->f, POOL "enable", "0"));
	assert_true(fakesys_is(&vm->f, CONTROL "enable", "0"));
}

static void test_somebody_elses_ivshmem_is_passed_over(void **state)
{
	struct vm *vm = *state;
	struct fakesys_device other = fakesys_pool;

	other.address = "0000:00:01.0";
	other.magic = 0x1234;
	fakesys_add(&vm->f, &other);
	other = fakesys_control;
	other.address = "0000:00:04.0";
	other.magic = 0;
	fakesys_add(&vm->f, &other);
	other.address = "0000:00:05.0";
	other.bytes = 0; /* a BAR that has no place */
	fakesys_add(&vm->f, &other);
	add_both(vm, -1, -1, NULL);
	assert_int_equal(find(vm, "", ""), 0);
	assert_string_equal(vm->pool.address, "0000:00:02.0");
	assert_string_equal(vm->control.address, "0000:00:03.0");
}

static void test_memory_that_cannot_be_read_goes_by_size(void **state)
{
	struct vm *vm = *state;
	char path[GUEST_SYS_PATH];
	uint64_t *word;

	add_both(vm, 1, 2, "vfio-pci");
	/* Off: all ones. */
	word = fakesys_map(&vm->f, POOL "resource2", POOL_BYTES);
	word[SNOO_ABI_HEAD_OFFSET / 8] = UINT64_MAX;
	munmap(word, POOL_BYTES);
	guest_sys_path(path, "%s/" CONTROL "resource2", vm->f.dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(find(vm, "", ""), 0);
	assert_string_equal(vm->pool.driver, "vfio-pci");
	assert_int_equal(vm->f.writes, 0);
}

static void test_two_pools_ask_for_a_choice(void **state)
{
	struct vm *vm = *state;
	struct fakesys_device second = fakesys_pool;

	add_both(vm, -1, -1, NULL);
	second.address = "0000:01:00.0";
	second.bytes *= 2;
	fakesys_add(&vm->f, &second);
	assert_int_equal(find(vm, "", ""), -ENODEV);
	assert_non_null(strstr(vm->why, "guest.data_device"));
	assert_int_equal(find(vm, "0000:01:00.0", ""), 0);
	assert_int_equal(vm->pool.bytes, 2 * POOL_BYTES);
	assert_int_equal(find(vm, "01:00.0", "00:03.0"), 0);
	assert_string_equal(vm->pool.address, "0000:01:00.0");
	assert_string_equal(vm->control.address, "0000:00:03.0");
}

static void test_an_address_that_is_wrong_is_said(void **state)
{
	struct vm *vm = *state;

	add_both(vm, -1, -1, NULL);
	assert_int_equal(find(vm, "0000:00:09.0", ""), -ENODEV);
	assert_non_null(strstr(vm->why, "0000:00:09.0"));
	assert_int_equal(find(vm, "0000:00:03.0", ""), -ENODEV);
	assert_non_null(strstr(vm->why, "size"));
	assert_int_equal(find(vm, "", "00:02.0"), -ENODEV);
	assert_non_null(strstr(vm->why, "guest.control_device"));
	assert_false(present(vm, "", "00:02.0"));
	assert_true(present(vm, "00:02.0", "00:03.0"));
}

static void test_a_torn_resource_file_is_no_device(void **state)
{
	struct vm *vm = *state;
	static const char *const torn[] = {
		"",
		"x",
		"0x1 0x2 0x3\n",
		"0x1 0x2 0x3\n0x1 0x2 0x3\n0x",
		"\n\n\n",
		"0x1 0x2 0x3\n0x0 0x0 0x0\n0x2000000 0x1000000 0x1\n"
	};

	for (size_t i = 0; i < sizeof(torn) / sizeof(torn[0]); i++) {
		add_both(vm, -1, -1, NULL);
		fakesys_text(&vm->f, POOL "resource", torn[i]);
		assert_int_equal(find(vm, "", ""), -ENODEV);
		fakesys_close(&vm->f);
		fakesys_open(&vm->f);
	}
}

/* ---- binding ---- */

static int bind_pool(struct vm *vm)
{
	assert_int_equal(find(vm, "", ""), 0);
	vm->f.writes = 0;
	return guest_pci_bind(&vm->f.sys, &vm->pool, vm->why);
}

static void test_a_free_device_is_bound(void **state)
{
	struct vm *vm = *state;

	add_both(vm, 1, 2, NULL);
	fakesys_load_vfio(&vm->f);
	assert_int_equal(bind_pool(vm), 0);
	assert_string_equal(vm->pool.driver, "vfio-pci");
	assert_true(fakesys_is(&vm->f, POOL "driver_override", "vfio-pci"));
	assert_int_equal(vm->f.loads, 0);
	assert_int_equal(guest_pci_unbind(&vm->f.sys, &vm->pool), 0);
	assert_string_equal(vm->pool.driver, "");
	assert_true(fakesys_is(&vm->f, POOL "driver_override", "\n"));
}

static void test_a_bound_device_is_left_alone(void **state)
{
	struct vm *vm = *state;

	add_both(vm, 1, 2, "vfio-pci");
	fakesys_load_vfio(&vm->f);
	assert_int_equal(bind_pool(vm), 0);
	assert_int_equal(vm->f.writes, 0);
}

static void test_missing_modules_are_loaded(void **state)
{
	struct vm *vm = *state;

	add_both(vm, 1, 2, NULL);
	vm->f.modules = true;
	assert_int_equal(bind_pool(vm), 0);
	assert_int_equal(vm->f.loads, 1);
	assert_string_equal(vm->pool.driver, "vfio-pci");
}

static void test_modules_that_cannot_be_had_are_named(void **state)
{
	struct vm *vm = *state;

	add_both(vm, 1, 2, NULL);
	assert_int_equal(bind_pool(vm), -EOPNOTSUPP);
	assert_non_null(strstr(vm->why, "modprobe vfio_iommu_type1"));
	assert_non_null(strstr(vm->why, "modprobe vfio-pci"));
	assert_int_equal(vm->f.writes, 0);
}

static void test_without_an_iommu_nothing_is_touched(void **state)
{
	struct vm *vm = *state;

	add_both(vm, -1, -1, NULL);
	vm->f.modules = true;
	assert_int_equal(bind_pool(vm), -EOPNOTSUPP);
	assert_non_null(strstr(vm->why, "intremap=on"));
	assert_int_equal(vm->f.writes, 0);
	assert_int_equal(vm->f.loads, 0);
}

static void test_another_driver_keeps_its_device(void **state)
{
	struct vm *vm = *state;

	add_both(vm, 1, 2, "uio_pci_generic");
	fakesys_load_vfio(&vm->f);
	assert_int_equal(bind_pool(vm), -EBUSY);
	assert_non_null(strstr(vm->why, "uio_pci_generic"));
	assert_int_equal(vm->f.writes, 0);
}

static void test_a_refused_device_gets_its_override_back(void **state)
{
	struct vm *vm = *state;

	add_both(vm, 1, 2, NULL);
	fakesys_load_vfio(&vm->f);
	vm->f.refuse_probe = true;
	assert_int_equal(bind_pool(vm), -EOPNOTSUPP);
	assert_true(fakesys_is(&vm->f, POOL "driver_override", "\n"));
}

static void test_who_may_not_bind_is_told_who_may(void **state)
{
	struct vm *vm = *state;

	add_both(vm, 1, 2, NULL);
	fakesys_load_vfio(&vm->f);
	assert_int_equal(find(vm, "", ""), 0);
	vm->f.write_error = -EACCES;
	assert_int_equal(guest_pci_bind(&vm->f.sys, &vm->pool, vm->why),
			 -EACCES);
	assert_non_null(strstr(vm->why, "root"));
}

/* ---- the sysfs way, from end to end ---- */

static int open_vm(struct vm *vm)
{
	guest_dev_close(vm->dev);
	return guest_dev_open_in(&vm->dev, &vm->f.sys, &vm->conf, vm->keeper,
				 vm->why);
}

static uint32_t doorbell(struct vm *vm, const char *file)
{
	const size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *page = fakesys_map(&vm->f, file, bytes);
	uint32_t value;

	memcpy(&value, page + FAKESYS_BAR0 % bytes + 12, sizeof(value));
	munmap(page, bytes);
	return value;
}

static void test_without_an_iommu_sysfs_does(void **state)
{
	struct vm *vm = *state;
	const struct guest_dev_map *map;
	unsigned char *pool;
	size_t bytes;

	add_both(vm, -1, -1, NULL);
	assert_int_equal(open_vm(vm), 0);
	assert_false(guest_dev_has_bells(vm->dev));
	assert_non_null(strstr(guest_dev_why(vm->dev), "vIOMMU"));
	assert_non_null(strstr(guest_dev_memory_note(vm->dev), "nvdimm"));
	assert_int_equal(guest_dev_slot(vm->dev), 3);
	assert_int_equal(guest_dev_vectors(vm->dev), 5);
	assert_int_equal(guest_dev_pool_bytes(vm->dev), POOL_BYTES);
	assert_int_equal(guest_dev_bell(vm->dev, 0, 1), -EOPNOTSUPP);
	assert_int_equal(guest_dev_bell(vm->dev, 3, 1), -EOPNOTSUPP);
	assert_int_equal(guest_dev_vector(vm->dev, 1), -1);
	assert_int_equal(guest_dev_control_bell(vm->dev), -1);
	guest_dev_ring(vm->dev, 9, 2);
	assert_int_equal(doorbell(vm, POOL "resource0"), 9 << 16 | 2);
	guest_dev_control_ring(vm->dev);
	assert_int_equal(doorbell(vm, CONTROL "resource0"), 0);
	map = guest_dev_map(vm->dev);
	assert_int_equal(map->kind, SNOO_CTL_MAP_SYSFS);
	assert_int_equal(map->offset, 0);
	assert_int_equal(map->skip, 0);
	assert_string_equal(map->path, "0000:00:02.0 BAR2");
	pool = fakesys_map(&vm->f, POOL "resource2", POOL_BYTES);
	pool[SNOO_ABI_HEAD_OFFSET + 9999] = 42;
	assert_int_equal(((unsigned char *)guest_dev_pool(
				 vm->dev))[SNOO_ABI_HEAD_OFFSET + 9999],
			 42);
	munmap(pool, POOL_BYTES);
	assert_non_null(guest_dev_control(vm->dev, &bytes));
	assert_int_equal(bytes, SNOO_CTL_BYTES);
	assert_true(fakesys_is(&vm->f, POOL "enable", "1"));
}

/* Who is not root reads 64 bytes of a device's configuration. */
static void test_vectors_that_are_not_to_be_known_are_none(void **state)
{
	struct vm *vm = *state;
	static const unsigned char circle[256] = {
		[6] = 0x10, [0x34] = 0x40, [0x40] = 0x05, [0x41] = 0x40
	};
	char path[GUEST_SYS_PATH];
	unsigned char *config;

	add_both(vm, -1, -1, NULL);
	guest_sys_path(path, "%s/" POOL "config", vm->f.dir);
	config = fakesys_map(&vm->f, POOL "config", sizeof(circle));
	memcpy(config, circle, sizeof(circle));
	munmap(config, sizeof(circle));
	assert_int_equal(open_vm(vm), 0);
	assert_int_equal(guest_dev_vectors(vm->dev), 0);
	assert_int_equal(truncate(path, 64), 0);
	assert_int_equal(open_vm(vm), 0);
	assert_int_equal(guest_dev_vectors(vm->dev), 0);
}

static void test_a_slot_that_is_none_is_refused(void **state)
{
	struct vm *vm = *state;
	struct fakesys_device d = fakesys_pool;

	d.slot = 0;
	fakesys_add(&vm->f, &d);
	fakesys_add(&vm->f, &fakesys_control);
	assert_int_equal(open_vm(vm), -EPROTO);
	d.slot = UINT32_MAX;
	fakesys_close(&vm->f);
	fakesys_open(&vm->f);
	fakesys_add(&vm->f, &d);
	fakesys_add(&vm->f, &fakesys_control);
	assert_int_equal(open_vm(vm), -EPROTO);
}

static void test_a_refused_device_is_had_by_sysfs(void **state)
{
	struct vm *vm = *state;

	/* Bound, but /dev/vfio is not there: back it goes. */
	add_both(vm, 1, 2, NULL);
	fakesys_load_vfio(&vm->f);
	assert_int_equal(open_vm(vm), 0);
	assert_false(guest_dev_has_bells(vm->dev));
	assert_non_null(strstr(guest_dev_why(vm->dev), "/vfio/vfio"));
	assert_int_equal(find(vm, "", ""), 0);
	assert_string_equal(vm->pool.driver, "");
}

static void test_versions_and_heads_are_looked_at(void **state)
{
	struct vm *vm = *state;
	struct snoo_ctl_memory *c;
	unsigned char *pool;
	struct snoo_abi_pool *a;

	add_both(vm, -1, -1, NULL);
	c = fakesys_map(&vm->f, CONTROL "resource2", SNOO_CTL_BYTES);
	pool = fakesys_map(&vm->f, POOL "resource2", POOL_BYTES);
	a = (void *)(pool + SNOO_ABI_HEAD_OFFSET);
	c->major++;
	assert_int_equal(open_vm(vm), -EPROTONOSUPPORT);
	c->major--;
	a->major++;
	assert_int_equal(open_vm(vm), -EPROTONOSUPPORT);
	a->major--;
	a->size /= 2;
	assert_int_equal(open_vm(vm), -ENODEV);
	a->size *= 2;
	assert_int_equal(open_vm(vm), 0);
	munmap(c, SNOO_CTL_BYTES);
	munmap(pool, POOL_BYTES);
}

/* ---- /dev/dax ---- */

static void add_dax(struct vm *vm, const char *name, uint64_t bytes,
		    uint64_t align)
{
	unsigned char *pool = fakesys_map(&vm->f, POOL "resource2", POOL_BYTES);

	fakesys_dax(&vm->f, name, bytes, align, pool + SNOO_ABI_HEAD_OFFSET,
		    4096);
	munmap(pool, POOL_BYTES);
}

static void test_dax_is_the_pool_without_its_first_bytes(void **state)
{
	struct vm *vm = *state;
	const struct guest_dev_map *map;
	unsigned char *dax;

	add_both(vm, -1, -1, NULL);
	/* The wrong size, the wrong content, an alignment too large. */
	add_dax(vm, "dax0.0", POOL_BYTES, 4096);
	fakesys_dax(&vm->f, "dax0.1", POOL_BYTES - SKIP, 4096, NULL, 0);
	add_dax(vm, "dax0.2", POOL_BYTES - SKIP, UINT64_C(1) << 30);
	add_dax(vm, "dax1.0", POOL_BYTES - SKIP, UINT64_C(2) << 20);
	assert_int_equal(open_vm(vm), 0);
	map = guest_dev_map(vm->dev);
	assert_int_equal(map->kind, SNOO_CTL_MAP_DAX);
	assert_int_equal(map->offset, 0);
	assert_int_equal(map->skip, SKIP);
	assert_non_null(strstr(map->path, "dev/dax1.0"));
	assert_string_equal(guest_dev_memory_note(vm->dev), "");
	assert_int_equal((uintptr_t)guest_dev_pool(vm->dev) % SKIP, 0);
	dax = fakesys_map(&vm->f, "dev/dax1.0", POOL_BYTES - SKIP);
	dax[POOL_BYTES - SKIP - 1] = 17;
	assert_int_equal(
		((unsigned char *)guest_dev_pool(vm->dev))[POOL_BYTES - 1], 17);
	munmap(dax, POOL_BYTES - SKIP);
	assert_int_equal(vm->f.loads, 0);
}

static void test_a_dax_device_of_another_pool_is_not_taken(void **state)
{
	struct vm *vm = *state;
	static char name[] = "/dev/dax0.0";
	struct snoo_abi_pool head = { .magic = SNOO_ABI_MAGIC,
				      .major = SNOO_ABI_MAJOR,
				      .minor = SNOO_ABI_MINOR,
				      .size = POOL_BYTES,
				      .nranks = 77 };

	add_both(vm, -1, -1, NULL);
	fakesys_dax(&vm->f, "dax0.0", POOL_BYTES - SKIP, 4096, &head,
		    sizeof(head));
	assert_int_equal(open_vm(vm), 0);
	assert_int_equal(guest_dev_map(vm->dev)->kind, SNOO_CTL_MAP_SYSFS);
	/* Who asks for it by name is told. */
	vm->conf.guest.dax_device = name;
	assert_int_equal(open_vm(vm), -ENODEV);
	assert_non_null(strstr(vm->why, "not this pool"));
	name[strlen(name) - 1] = '7';
	assert_int_equal(open_vm(vm), -ENODEV);
	assert_non_null(strstr(vm->why, "no dax0.7"));
	name[strlen(name) - 1] = '0';
}

static void test_an_nvdimm_without_a_device_gets_its_modules(void **state)
{
	struct vm *vm = *state;
	unsigned char *pool;

	add_both(vm, -1, -1, NULL);
	vm->f.modules = true;
	vm->f.dax_on_load = "dax0.0";
	vm->f.dax_bytes = POOL_BYTES - SKIP;
	assert_int_equal(open_vm(vm), 0);
	assert_int_equal(vm->f.loads, 0);
	fakesys_text(&vm->f, "sys/firmware/acpi/tables/NFIT", "NFIT");
	/* What appears is empty: not this pool. */
	pool = guest_dev_pool(vm->dev);
	assert_int_equal(pool[SNOO_ABI_HEAD_OFFSET], 'S');
	assert_int_equal(open_vm(vm), 0);
	assert_int_equal(vm->f.loads, 1);
	assert_int_equal(guest_dev_map(vm->dev)->kind, SNOO_CTL_MAP_SYSFS);
	add_dax(vm, "dax0.0", POOL_BYTES - SKIP, 4096);
	assert_int_equal(open_vm(vm), 0);
	assert_int_equal(vm->f.loads, 1);
	assert_int_equal(guest_dev_map(vm->dev)->kind, SNOO_CTL_MAP_DAX);
}

static void test_the_processor_says_what_a_bar_costs(void **state)
{
	struct vm *vm = *state;

	add_both(vm, -1, -1, NULL);
	assert_int_equal(open_vm(vm), 0);
	assert_non_null(
		strstr(guest_dev_memory_note(vm->dev), "passed through"));
	fakesys_text(&vm->f, "proc/cpuinfo", "vendor_id\t: AuthenticAMD\n");
	assert_int_equal(open_vm(vm), 0);
	assert_non_null(strstr(guest_dev_memory_note(vm->dev), "uncached"));
	fakesys_text(&vm->f, "proc/cpuinfo", "system type\t: generic\n");
	assert_int_equal(open_vm(vm), 0);
	assert_string_equal(guest_dev_memory_note(vm->dev), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_vm_without_devices_is_told_what_it_lacks),
		TEST(test_a_pool_alone_is_not_enough),
		TEST(test_the_two_are_told_apart),
		TEST(test_somebody_elses_ivshmem_is_passed_over),
		TEST(test_memory_that_cannot_be_read_goes_by_size),
		TEST(test_two_pools_ask_for_a_choice),
		TEST(test_an_address_that_is_wrong_is_said),
		TEST(test_a_torn_resource_file_is_no_device),
		TEST(test_a_free_device_is_bound),
		TEST(test_a_bound_device_is_left_alone),
		TEST(test_missing_modules_are_loaded),
		TEST(test_modules_that_cannot_be_had_are_named),
		TEST(test_without_an_iommu_nothing_is_touched),
		TEST(test_another_driver_keeps_its_device),
		TEST(test_a_refused_device_gets_its_override_back),
		TEST(test_who_may_not_bind_is_told_who_may),
		TEST(test_without_an_iommu_sysfs_does),
		TEST(test_vectors_that_are_not_to_be_known_are_none),
		TEST(test_a_slot_that_is_none_is_refused),
		TEST(test_a_refused_device_is_had_by_sysfs),
		TEST(test_versions_and_heads_are_looked_at),
		TEST(test_dax_is_the_pool_without_its_first_bytes),
		TEST(test_a_dax_device_of_another_pool_is_not_taken),
		TEST(test_an_nvdimm_without_a_device_gets_its_modules),
		TEST(test_the_processor_says_what_a_bar_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
