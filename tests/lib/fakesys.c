/* SPDX-License-Identifier: MIT */
/*
 * fakesys.c - a sysfs of ordinary files, and a kernel that binds drivers there
 */

#include "tests/lib/fakesys.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <snoo/abi.h>
#include <snoo/control.h>

#define BAR2	     UINT64_C(0x800000000)
#define MSIX_ENTRIES 5u
#define DEVICES	     "sys/bus/pci/devices"
#define VFIO	     "sys/bus/pci/drivers/vfio-pci"

const struct fakesys_device fakesys_pool = {
	.address = "0000:00:02.0",
	.bytes = UINT64_C(8) << 20,
	.magic = SNOO_ABI_MAGIC,
	.magic_at = SNOO_ABI_HEAD_OFFSET,
	.slot = 3,
	.group = -1,
};

const struct fakesys_device fakesys_control = {
	.address = "0000:00:03.0",
	.bytes = SNOO_CTL_BYTES,
	.magic = SNOO_CTL_MAGIC,
	.slot = 3,
	.group = -1,
};

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	abort();
}

/* ---- files ---- */

static void path_in(const struct fakesys *f, char path[GUEST_SYS_PATH],
		    const char *name)
{
	must(guest_sys_path(path, "%s/%s", f->dir, name), name);
}

static void folders_of(const char *path)
{
	char copy[GUEST_SYS_PATH];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *c = copy + 1; *c; c++)
		if (*c == '/') {
			*c = '\0';
			must(mkdir(copy, 0700) == 0 || errno == EEXIST, copy);
			*c = '/';
		}
}

static int create(const struct fakesys *f, const char *name)
{
	char path[GUEST_SYS_PATH];
	int fd;

	path_in(f, path, name);
	folders_of(path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(fd >= 0, path);
	return fd;
}

void fakesys_text(struct fakesys *f, const char *path, const char *text)
{
	int fd = create(f, path);

	must(ftruncate(fd, 0) == 0 &&
		     write(fd, text, strlen(text)) == (ssize_t)strlen(text),
	     path);
	close(fd);
}

bool fakesys_is(struct fakesys *f, const char *path, const char *text)
{
	char full[GUEST_SYS_PATH], have[256];

	path_in(f, full, path);
	return guest_sys_read(full, have, sizeof(have)) >= 0 &&
	       strcmp(have, text) == 0;
}

void *fakesys_map(struct fakesys *f, const char *path, uint64_t bytes)
{
	int fd = create(f, path);
	void *map;

	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(map != MAP_FAILED, path);
	close(fd);
	return map;
}

static void link_to(const struct fakesys *f, const char *name,
		    const char *target)
{
	char path[GUEST_SYS_PATH];

	path_in(f, path, name);
	folders_of(path);
	must(symlink(target, path) == 0, path);
}

/* ---- the kernel ---- */

static void probe(struct fakesys *f, const char *address)
{
	char name[GUEST_SYS_PATH], group[GUEST_SYS_PATH];

	must(guest_sys_path(name, DEVICES "/%s/driver_override", address),
	     address);
	if (f->refuse_probe || !fakesys_is(f, name, "vfio-pci"))
		return;
	must(guest_sys_path(name, DEVICES "/%s/driver", address), address);
	path_in(f, group, name);
	if (access(group, F_OK) < 0)
		link_to(f, name, "../../../bus/pci/drivers/vfio-pci");
}

static int fake_write(const struct guest_sys *sys, const char *path,
		      const char *text)
{
	struct fakesys *f = (struct fakesys *)(uintptr_t)sys;
	const char *name = path + strlen(f->dir) + 1;
	char driver[GUEST_SYS_PATH];

	f->writes++;
	if (f->write_error)
		return f->write_error;
	if (access(path, F_OK) < 0)
		return -ENOENT;
	fakesys_text(f, name, text);
	if (strcmp(name, "sys/bus/pci/drivers_probe") == 0)
		probe(f, text);
	if (strcmp(name, VFIO "/unbind") == 0) {
		must(guest_sys_path(driver, "%s/" DEVICES "/%s/driver", f->dir,
				    text),
		     text);
		unlink(driver);
	}
	return 0;
}

void fakesys_load_vfio(struct fakesys *f)
{
	fakesys_text(f, VFIO "/unbind", "");
	fakesys_text(f, "sys/module/vfio_iommu_type1/refcnt", "0\n");
}

static int fake_load(const struct guest_sys *sys, const char *const *modules)
{
	struct fakesys *f = (struct fakesys *)(uintptr_t)sys;

	f->loads++;
	if (!f->modules)
		return -ENOENT;
	for (; *modules; modules++) {
		if (strcmp(*modules, "vfio-pci") == 0)
			fakesys_load_vfio(f);
		if (strcmp(*modules, "device_dax") == 0 && f->dax_on_load)
			fakesys_dax(f, f->dax_on_load, f->dax_bytes, 4096, NULL,
				    0);
	}
	return 0;
}

/* ---- what is there ---- */

void fakesys_open(struct fakesys *f)
{
	memset(f, 0, sizeof(*f));
	strcpy(f->dir, "/tmp/snoo-fakesys-XXXXXX");
	must(mkdtemp(f->dir) != NULL, "mkdtemp");
	snprintf(f->sysfs, sizeof(f->sysfs), "%s/sys", f->dir);
	snprintf(f->dev, sizeof(f->dev), "%s/dev", f->dir);
	snprintf(f->proc, sizeof(f->proc), "%s/proc", f->dir);
	f->sys = (struct guest_sys){ .sysfs = f->sysfs,
				     .dev = f->dev,
				     .proc = f->proc,
				     .write = fake_write,
				     .load = fake_load };
	fakesys_text(f, "sys/bus/pci/drivers_probe", "");
	fakesys_text(f, "proc/cpuinfo", "vendor_id\t: GenuineIntel\n");
}

static int unlink_one(const char *path, const struct stat *st, int kind,
		      struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

void fakesys_close(struct fakesys *f)
{
	nftw(f->dir, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(struct fakesys *f, const struct fakesys_device *d,
		const char *file, uint64_t at, const void *bytes, size_t n)
{
	char name[GUEST_SYS_PATH];
	int fd;

	must(guest_sys_path(name, DEVICES "/%s/%s", d->address, file), file);
	fd = create(f, name);
	must(pwrite(fd, bytes, n, (off_t)at) == (ssize_t)n, name);
	close(fd);
}

static void say(struct fakesys *f, const struct fakesys_device *d,
		const char *file, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void say(struct fakesys *f, const struct fakesys_device *d,
		const char *file, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(f, d, file, 0, text, (size_t)n);
}

static void add_memory(struct fakesys *f, const struct fakesys_device *d)
{
	struct snoo_abi_pool a = { .magic = d->magic,
				   .major = SNOO_ABI_MAJOR,
				   .minor = SNOO_ABI_MINOR,
				   .size = d->bytes };
	struct snoo_ctl_memory c = { .magic = d->magic,
				     .major = SNOO_CTL_MAJOR,
				     .minor = SNOO_CTL_MINOR,
				     .bytes = SNOO_CTL_BYTES };

	put(f, d, "resource2", d->bytes - 1, "", 1);
	if (d->magic_at)
		put(f, d, "resource2", d->magic_at, &a, sizeof(a));
	else
		put(f, d, "resource2", 0, &c, sizeof(c));
}

static void add_config(struct fakesys *f, const struct fakesys_device *d)
{
	unsigned char config[256] = { 0 };

	/* A capability of another kind comes first. */
	config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
	config[PCI_CAPABILITY_LIST] = 0x40;
	config[0x40] = PCI_CAP_ID_EXP;
	config[0x41] = 0x80;
	config[0x80] = PCI_CAP_ID_MSIX;
	config[0x80 + PCI_MSIX_FLAGS] = MSIX_ENTRIES - 1;
	put(f, d, "config", 0, config, sizeof(config));
}

void fakesys_add(struct fakesys *f, const struct fakesys_device *d)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	char name[GUEST_SYS_PATH], target[64];

	say(f, d, "vendor", "0x%" PRIx64 "\n", d->vendor ? d->vendor : 0x1af4);
	say(f, d, "device", "0x%" PRIx64 "\n", d->device ? d->device : 0x1110);
	say(f, d, "resource",
	    "0x%016" PRIx64 " 0x%016" PRIx64 " 0x0000000000040200\n"
	    "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
	    "0x%016" PRIx64 " 0x%016" PRIx64 " 0x000000000014220c\n",
	    FAKESYS_BAR0, FAKESYS_BAR0 + 255, d->bytes ? BAR2 : 0,
	    d->bytes ? BAR2 + d->bytes - 1 : 0);
	say(f, d, "enable", "0\n");
	put(f, d, "driver_override", 0, "(null)\n", 7);
	put(f, d, "resource0", page - 1, "", 1);
	put(f, d, "resource0", FAKESYS_BAR0 % page + 8, &d->slot,
	    sizeof(d->slot));
	add_config(f, d);
	if (d->bytes)
		add_memory(f, d);
	if (d->driver) {
		must(guest_sys_path(name, DEVICES "/%s/driver", d->address),
		     "driver");
		snprintf(target, sizeof(target), "../../drivers/%s", d->driver);
		link_to(f, name, target);
	}
	if (d->group >= 0) {
		must(guest_sys_path(name, DEVICES "/%s/iommu_group",
				    d->address),
		     "group");
		snprintf(target, sizeof(target), "../../../iommu_groups/%d",
			 d->group);
		link_to(f, name, target);
	}
}

void fakesys_dax(struct fakesys *f, const char *name, uint64_t bytes,
		 uint64_t align, const void *head, uint64_t head_bytes)
{
	char path[GUEST_SYS_PATH], text[32];
	int fd;

	must(guest_sys_path(path, "sys/bus/dax/devices/%s/size", name), name);
	snprintf(text, sizeof(text), "%" PRIu64 "\n", bytes);
	fakesys_text(f, path, text);
	must(guest_sys_path(path, "sys/bus/dax/devices/%s/align", name), name);
	snprintf(text, sizeof(text), "%" PRIu64 "\n", align);
	fakesys_text(f, path, text);
	must(guest_sys_path(path, "dev/%s", name), name);
	fd = create(f, path);
	must(ftruncate(fd, (off_t)bytes) == 0, path);
	if (head)
		must(pwrite(fd, head, head_bytes, 0) == (ssize_t)head_bytes,
		     path);
	close(fd);
}
