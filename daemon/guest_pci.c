/* SPDX-License-Identifier: MIT */
/*
 * guest_pci.c - which PCI devices are SNOO's, and who drives them
 *
 * Sizes first, as they cost nothing; then the heads, because a VM may have
 * ivshmem devices of somebody else.
 */

#include "daemon/guest_pci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include <snoo/abi.h>
#include <snoo/control.h>

#define VENDOR	  0x1af4u
#define DEVICE	  0x1110u
#define FOUND_MAX 32u
#define PAGE	  4096u
#define VFIO	  "vfio-pci"

enum role { POOL, CONTROL };

static const char *const role_name[] = { "pool", "control" };
static const char *const role_key[] = { "guest.data_device",
					"guest.control_device" };

/* ---- sysfs ---- */

static bool path_of(const struct guest_sys *sys, const struct guest_pci *d,
		    const char *file, char path[GUEST_SYS_PATH])
{
	return guest_sys_path(path, "%s/bus/pci/devices/%s/%s", sys->sysfs,
			      d->address, file);
}

static bool number_is(const struct guest_sys *sys, const struct guest_pci *d,
		      const char *file, uint64_t wanted)
{
	char path[GUEST_SYS_PATH];
	uint64_t value;

	return path_of(sys, d, file, path) &&
	       guest_sys_number(path, &value) == 0 && value == wanted;
}

/* Lines of "start end flags", one for each BAR; zeros: not assigned. */
static int read_bars(const struct guest_sys *sys, struct guest_pci *d)
{
	char path[GUEST_SYS_PATH], text[2048];
	const char *line = text;

	if (!path_of(sys, d, "resource", path) ||
	    guest_sys_read(path, text, sizeof(text)) < 0)
		return -ENODEV;
	for (int bar = 0; bar <= 2; bar++) {
		uint64_t start, end;

		if (!line ||
		    sscanf(line, "%" SCNx64 " %" SCNx64, &start, &end) != 2)
			return -ENODEV;
		if (bar == 0)
			d->regs = start;
		if (bar == 2)
			d->bytes = start && end > start ? end - start + 1 : 0;
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return 0;
}

static void read_driver(const struct guest_sys *sys, struct guest_pci *d)
{
	char path[GUEST_SYS_PATH], group[32];

	d->driver[0] = '\0';
	d->group = -1;
	if (path_of(sys, d, "driver", path))
		guest_sys_link(path, d->driver, sizeof(d->driver));
	if (path_of(sys, d, "iommu_group", path)) {
		guest_sys_link(path, group, sizeof(group));
		if (group[0] >= '0' && group[0] <= '9')
			d->group = (int32_t)strtol(group, NULL, 10);
	}
}

static int compare(const void *a, const void *b)
{
	const struct guest_pci *x = a, *y = b;

	return strcmp(x->address, y->address);
}

/* All ivshmem devices, by address. */
static unsigned int scan(const struct guest_sys *sys, struct guest_pci *found)
{
	char path[GUEST_SYS_PATH];
	struct dirent *e;
	unsigned int n = 0;
	DIR *dir;

	if (!guest_sys_path(path, "%s/bus/pci/devices", sys->sysfs))
		return 0;
	dir = opendir(path);
	while (dir && n < FOUND_MAX && (e = readdir(dir))) {
		struct guest_pci *d = &found[n];

		*d = (struct guest_pci){ .group = -1 };
		if (e->d_name[0] == '.' ||
		    strlen(e->d_name) >= sizeof(d->address))
			continue;
		memcpy(d->address, e->d_name, strlen(e->d_name) + 1);
		if (!number_is(sys, d, "vendor", VENDOR) ||
		    !number_is(sys, d, "device", DEVICE) ||
		    read_bars(sys, d) < 0)
			continue;
		read_driver(sys, d);
		n++;
	}
	if (dir)
		closedir(dir);
	qsort(found, n, sizeof(*found), compare);
	return n;
}

/* ---- which is which ---- */

static bool size_fits(const struct guest_pci *d, enum role role)
{
	return role == CONTROL ? d->bytes == SNOO_CTL_BYTES
			       : d->bytes > SNOO_ABI_HEAD_OFFSET;
}

/* The word at @offset of BAR2; all ones: it cannot be read now. */
static uint64_t peek_at(const char *path, uint64_t offset)
{
	uint64_t word = UINT64_MAX;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const volatile uint64_t *at;

	if (fd < 0)
		return word;
	at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)offset);
	if (at != MAP_FAILED) {
		word = *at;
		munmap((void *)(uintptr_t)at, PAGE);
	}
	close(fd);
	return word;
}

/*
 * A device without a driver has its memory off: turn it on for a look.  With a
 * driver it is as it is, and reads as all ones if it is off.
 */
static uint64_t peek(const struct guest_sys *sys, const struct guest_pci *d,
		     uint64_t offset)
{
	char path[GUEST_SYS_PATH], enable[GUEST_SYS_PATH];
	bool turned = false;
	uint64_t word;

	if (!path_of(sys, d, "resource2", path) ||
	    !path_of(sys, d, "enable", enable))
		return UINT64_MAX;
	if (d->driver[0] == '\0' && number_is(sys, d, "enable", 0))
		turned = sys->write(sys, enable, "1") == 0;
	word = peek_at(path, offset);
	if (turned)
		sys->write(sys, enable, "0");
	return word;
}

static bool head_fits(const struct guest_sys *sys, const struct guest_pci *d,
		      enum role role)
{
	uint64_t word = peek(sys, d,
			     role == CONTROL ? 0 : SNOO_ABI_HEAD_OFFSET);

	return word == UINT64_MAX ||
	       word == (role == CONTROL ? SNOO_CTL_MAGIC : SNOO_ABI_MAGIC);
}

/* "00:02.0" means "0000:00:02.0". */
static bool address_is(const struct guest_pci *d, const char *wanted)
{
	return strcasecmp(d->address, wanted) == 0 ||
	       (strncmp(d->address, "0000:", 5) == 0 &&
		strcasecmp(d->address + 5, wanted) == 0);
}

static int choose(const struct guest_sys *sys, const struct guest_pci *found,
		  unsigned int n, enum role role, const char *wanted,
		  struct guest_pci *out, char *why)
{
	const struct guest_pci *one = NULL;
	unsigned int fit = 0;

	for (unsigned int i = 0; i < n; i++) {
		const struct guest_pci *d = &found[i];

		if (wanted[0] ? !address_is(d, wanted)
			      : !size_fits(d, role) || !head_fits(sys, d, role))
			continue;
		one = d;
		fit++;
	}
	if (fit == 1 && size_fits(one, role)) {
		*out = *one;
		return 0;
	}
	if (wanted[0])
		return guest_fail(-ENODEV, why, "%s: %s is %s", role_key[role],
				  wanted,
				  one ? "of another size"
				      : "no ivshmem device (1af4:1110)");
	if (fit > 1)
		return guest_fail(-ENODEV, why,
				  "%u PCI devices could be "
				  "SNOO's %s device: say which in %s",
				  fit, role_name[role], role_key[role]);
	return guest_fail(-ENODEV, why,
			  "no PCI device is SNOO's %s device "
			  "(%u of 1af4:1110 are here): the VM needs an "
			  "ivshmem-doorbell device on the domain's %s socket",
			  role_name[role], n,
			  role == POOL ? "ivshmem" : "control");
}

int guest_pci_find(const struct guest_sys *sys, const char *data,
		   const char *control, struct guest_pci *pool,
		   struct guest_pci *ctl, char why[GUEST_PORT_TEXT])
{
	struct guest_pci found[FOUND_MAX];
	unsigned int n = scan(sys, found);
	int ret;

	ret = choose(sys, found, n, POOL, data, pool, why);
	return ret ? ret : choose(sys, found, n, CONTROL, control, ctl, why);
}

bool guest_pci_present(const struct guest_sys *sys, const char *data,
		       const char *control)
{
	struct guest_pci found[FOUND_MAX];
	unsigned int n = scan(sys, found);
	bool have[2] = { false, false };

	for (unsigned int i = 0; i < n; i++)
		for (int role = POOL; role <= CONTROL; role++) {
			const char *wanted = role == POOL ? data : control;

			if ((!wanted[0] || address_is(&found[i], wanted)) &&
			    size_fits(&found[i], (enum role)role))
				have[role] = true;
		}
	return have[POOL] && have[CONTROL];
}

/* ---- drivers ---- */

static bool have_vfio(const struct guest_sys *sys)
{
	char path[GUEST_SYS_PATH];

	return guest_sys_path(path, "%s/bus/pci/drivers/" VFIO, sys->sysfs) &&
	       access(path, F_OK) == 0;
}

static bool have_type1(const struct guest_sys *sys)
{
	char path[GUEST_SYS_PATH];

	return guest_sys_path(path, "%s/module/vfio_iommu_type1", sys->sysfs) &&
	       access(path, F_OK) == 0;
}

static int need_modules(const struct guest_sys *sys, char *why)
{
	static const char *const modules[] = { "vfio_iommu_type1", VFIO, NULL };

	if (have_vfio(sys) && have_type1(sys))
		return 0;
	sys->load(sys, modules);
	if (have_vfio(sys) && have_type1(sys))
		return 0;
	return guest_fail(-EOPNOTSUPP, why,
			  "vfio is not loaded: modprobe "
			  "vfio_iommu_type1 && modprobe vfio-pci, before the "
			  "daemon starts (snoo-guest.modules does it)");
}

static int write_override(const struct guest_sys *sys,
			  const struct guest_pci *d, const char *driver)
{
	char path[GUEST_SYS_PATH];

	return path_of(sys, d, "driver_override", path)
		       ? sys->write(sys, path, driver)
		       : -ENAMETOOLONG;
}

int guest_pci_bind(const struct guest_sys *sys, struct guest_pci *d,
		   char why[GUEST_PORT_TEXT])
{
	char path[GUEST_SYS_PATH];
	int ret;

	if (d->group < 0)
		return guest_fail(-EOPNOTSUPP, why,
				  "the VM has no vIOMMU, "
				  "which interrupts need: give QEMU -device "
				  "intel-iommu,intremap=on");
	ret = need_modules(sys, why);
	if (ret || strcmp(d->driver, VFIO) == 0)
		return ret;
	if (d->driver[0])
		return guest_fail(-EBUSY, why, "%s belongs to the driver %s",
				  d->address, d->driver);
	ret = write_override(sys, d, VFIO);
	if (!ret &&
	    guest_sys_path(path, "%s/bus/pci/drivers_probe", sys->sysfs))
		ret = sys->write(sys, path, d->address);
	read_driver(sys, d);
	if (strcmp(d->driver, VFIO) == 0)
		return 0;
	if (ret == -EACCES || ret == -EPERM)
		return guest_fail(-EACCES, why,
				  "%s is not bound to vfio-pci, "
				  "and we may not do it: start as root, or "
				  "have 70-snoo.rules bind it",
				  d->address);
	write_override(sys, d, "\n");
	return guest_fail(-EOPNOTSUPP, why, "vfio-pci does not take %s (%s)",
			  d->address, strerror(ret ? -ret : ENODEV));
}

int guest_pci_unbind(const struct guest_sys *sys, struct guest_pci *d)
{
	char path[GUEST_SYS_PATH];
	int ret;

	if (strcmp(d->driver, VFIO) != 0)
		return 0;
	if (!guest_sys_path(path, "%s/bus/pci/drivers/" VFIO "/unbind",
			    sys->sysfs))
		return -ENAMETOOLONG;
	ret = sys->write(sys, path, d->address);
	write_override(sys, d, "\n");
	read_driver(sys, d);
	return ret;
}
