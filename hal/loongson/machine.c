/* SPDX-License-Identifier: MIT */
/*
 * machine.c - is this a Loongson whose registers a program can reach?
 *
 * Everything that is known without touching the registers, from files of the
 * kernel.  What is missing is said in a sentence with what to do about it: it
 * is for somebody who has the machine before him.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hal/loongson/machine.h"
#include "hal/loongson/mmio.h"

static int open_file(const char *path, int flags)
{
	return open(path, flags);
}

static void *map_file(size_t bytes, int fd, off_t at)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
}

const struct loongson_sys *loongson_sys(void)
{
	static struct loongson_sys sys = {
		.arch = MMIO_ARCH,
		.cpuinfo = "/proc/cpuinfo",
		.present = "/sys/devices/system/cpu/present",
		.online = "/sys/devices/system/cpu/online",
		.topology = "/sys/devices/system/cpu",
		.vendor = "/sys/class/dmi/id/sys_vendor",
		.lockdown = "/sys/kernel/security/lockdown",
		.mem = "/dev/mem",
		.open = open_file,
		.mmap = map_file,
	};

	sys.page = (size_t)sysconf(_SC_PAGESIZE);
	return &sys;
}

uint64_t loongson_base(const struct chip *chip, uint32_t node)
{
	return chip->base + node * (CHIP_NODE + chip->node_skew);
}

int loongson_refuse(char why[HAL_TEXT], int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, HAL_TEXT, fmt, ap);
	va_end(ap);
	return ret;
}

bool loongson_read_line(const char *path, char *line, size_t bytes)
{
	FILE *f = fopen(path, "re");
	bool read;

	line[0] = '\0';
	if (!f)
		return false;
	read = fgets(line, (int)bytes, f) != NULL;
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	return read;
}

/* ---- which core is where ------------------------------------------------ */

static bool read_id(const struct loongson_sys *sys, uint32_t cpu,
		    const char *what, uint32_t *out)
{
	char path[256], line[32], end;
	unsigned int n;

	snprintf(path, sizeof(path), "%s/cpu%u/topology/%s", sys->topology, cpu,
		 what);
	if (!loongson_read_line(path, line, sizeof(line)) ||
	    sscanf(line, "%u%c", &n, &end) != 1)
		return false;
	*out = n;
	return true;
}

/* Where each core is, for kernels whose cpuinfo does not say it. */
static int place_by_topology(struct loongson_machine *m,
			     const struct loongson_sys *sys)
{
	int ret = 0;

	for (uint32_t i = 0; i < m->ncpus && ret == 0; i++) {
		struct loongson_cpu *c = &m->cpu[i];
		uint32_t package, core;

		if (!c->online || c->placed)
			continue;
		if (!read_id(sys, i, "physical_package_id", &package) ||
		    !read_id(sys, i, "core_id", &core))
			return -ENOENT;
		ret = loongson_place(c, m->chip, package, core);
	}
	return ret;
}

/* Two CPUs on one block would be two receivers of one mailbox. */
static int check_distinct(const struct loongson_machine *m)
{
	bool taken[LOONGSON_NODES][HAL_NODE_CORES] = { 0 };

	for (uint32_t i = 0; i < m->ncpus; i++) {
		const struct loongson_cpu *c = &m->cpu[i];

		if (!c->online)
			continue;
		if (taken[c->node][c->core])
			return -ERANGE;
		taken[c->node][c->core] = true;
	}
	return 0;
}

/* Cores that are offline now have a number, too. */
static void count_present(struct loongson_machine *m,
			  const struct loongson_sys *sys)
{
	char line[256];
	uint64_t mask;

	if (!loongson_read_line(sys->present, line, sizeof(line)) ||
	    loongson_list(line, &mask))
		return;
	for (uint32_t i = m->ncpus; i < LOONGSON_CPUS; i++)
		if (mask >> i & 1)
			m->ncpus = i + 1;
}

int loongson_online(int fd, uint64_t *mask)
{
	char text[256];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return loongson_list(text, mask);
}

static bool says_who_is_online(const struct loongson_sys *sys)
{
	int fd = open(sys->online, O_RDONLY | O_CLOEXEC);
	uint64_t mask;
	bool says = fd >= 0 && loongson_online(fd, &mask) == 0;

	if (fd >= 0)
		close(fd);
	return says;
}

/* ---- what machine ------------------------------------------------------- */

static bool vendor_is_virtual(const struct loongson_sys *sys)
{
	static const char *const vendors[] = { "QEMU", "KVM", "VMware", "Xen" };
	char line[64];

	if (!loongson_read_line(sys->vendor, line, sizeof(line)))
		return false;
	for (size_t i = 0; i < sizeof(vendors) / sizeof(*vendors); i++)
		if (strstr(line, vendors[i]))
			return true;
	return false;
}

static int check_chip(const struct loongson_machine *m,
		      const struct loongson_sys *sys, char why[HAL_TEXT])
{
	if (!m->chip && !strstr(m->model, "Loongson-3"))
		return loongson_refuse(
			why, -ENODEV,
			"this is no Loongson 3 but \"%s\": use "
			"cache lines, or the emulation (hal: emul)",
			m->model[0] ? m->model
				    : "a processor without a "
				      "name");
	if (!m->chip)
		return loongson_refuse(
			why, -ENODEV,
			"it is not known where \"%s\" has its "
			"registers (hal/loongson/chips.c): use cache "
			"lines",
			m->model);
	if (m->chip->arch != sys->arch)
		return loongson_refuse(
			why, -ENODEV,
			"this program was not built for a Loongson "
			"%s: use the build for its architecture",
			m->chip->name);
	if (m->chip->base == 0)
		return loongson_refuse(
			why, -ENODEV,
			"the registers of a Loongson %s have no "
			"address that is known; only the kernel reaches "
			"them (IOCSR): use cache lines",
			m->chip->name);
	return 0;
}

int loongson_look(struct loongson_machine *m, const struct loongson_sys *sys,
		  char why[HAL_TEXT])
{
	FILE *f = fopen(sys->cpuinfo, "re");
	int ret, bad;

	memset(m, 0, sizeof(*m));
	if (!f)
		return loongson_refuse(why, -ENODEV, "%s cannot be read: %s",
				       sys->cpuinfo, strerror(errno));
	bad = loongson_cpuinfo(m, f);
	fclose(f);
	ret = check_chip(m, sys, why);
	if (ret)
		return ret;
	if (bad == 0)
		bad = place_by_topology(m, sys);
	if (bad == -ENOENT)
		return loongson_refuse(why, -ENODEV,
				       "neither %s nor %s says "
				       "which core is which (package, core): "
				       "use cache lines",
				       sys->cpuinfo, sys->topology);
	if (bad == 0)
		bad = check_distinct(m);
	if (bad || m->ncpus == 0)
		return loongson_refuse(
			why, -ENODEV,
			"the cores in %s are not those of a "
			"Loongson %s: too many, none, or two in one "
			"place",
			sys->cpuinfo, m->chip->name);
	if (!says_who_is_online(sys))
		return loongson_refuse(
			why, -ENODEV,
			"%s does not say which cores are online, and nobody "
			"may write into the registers of one that is not: "
			"mount /sys, or use cache lines",
			sys->online);
	count_present(m, sys);
	m->guest |= vendor_is_virtual(sys);
	return 0;
}

int loongson_guest(const struct loongson_machine *m, uint32_t flags,
		   char why[HAL_TEXT])
{
	if (!m->guest)
		return 0;
	/* QEMU and KVM have the block in IOCSR space, and nothing here. */
	if (m->chip->arch == CHIP_LOONGARCH)
		return loongson_refuse(
			why, -ENODEV,
			"this is a virtual machine, and a LoongArch "
			"one has no registers with an address: use "
			"cache lines");
	if (flags & HAL_ALLOW_GUEST)
		return 0;
	return loongson_refuse(
		why, -ENODEV,
		"this is a virtual machine: its registers are "
		"imitated by software, for it alone, and slower than "
		"cache lines: use those");
}
