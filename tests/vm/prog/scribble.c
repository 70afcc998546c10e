/* SPDX-License-Identifier: MIT */
/*
 * scribble.c - root in a guest writes what it likes into SNOO's devices
 *
 * usage: scribble HOW
 *
 *   pool		random bytes over all of the pool, twice
 *   bells		every vector of every slot, once
 *   storm		the host's bells, without end
 *   control-tail	a ring that holds more than it can
 *   control-frames	frames that are none
 *   control-all	random bytes over all of the control memory
 *
 * It takes the opened devices from the guest daemon, which runs on.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/vfio.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <snoo/control.h>

#include "tests/vm/prog/port.h"

#define DOORBELL 12 /* in BAR0: slot << 16 | vector */
#define SLOTS	 64u
#define VECTORS	 64u

/** struct device - One of the two, by its file descriptor of vfio */
struct device {
	int fd; /* -1: not found */
	uint64_t registers;
	uint64_t bytes; /* of BAR2 */
	unsigned char *memory;
};

static struct device pool = { .fd = -1 }, control = { .fd = -1 };

static struct vfio_region_info region(int fd, uint32_t index)
{
	struct vfio_region_info r = { .argsz = sizeof(r), .index = index };

	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &r))
		port_die("a region of the device: %s", strerror(errno));
	return r;
}

/* What @pid has as @fd, if that is a device of ours that we have not yet. */
static void take(int pid, int fd)
{
	struct vfio_region_info r;
	struct device *d;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), ours;

	if (pidfd < 0)
		return;
	ours = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	close(pidfd);
	if (ours < 0)
		return;
	r = region(ours, VFIO_PCI_BAR2_REGION_INDEX);
	d = r.size == SNOO_CTL_BYTES ? &control : &pool;
	if (d->fd >= 0) {
		close(ours);
		return;
	}
	d->fd = ours;
	d->bytes = r.size;
	d->registers = region(ours, VFIO_PCI_BAR0_REGION_INDEX).offset;
	d->memory = mmap(NULL, r.size, PROT_READ | PROT_WRITE, MAP_SHARED, ours,
			 (off_t)r.offset);
	if (d->memory == MAP_FAILED)
		port_die("mmap: %s", strerror(errno));
}

static bool is_daemon(int pid)
{
	char path[64], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		name[0] = '\0';
	fclose(f);
	return strcmp(name, "snoo-daemon\n") == 0;
}

static void search(int pid)
{
	char path[64], target[64];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, target,
				       sizeof(target) - 1);

		if (n < 0)
			continue;
		target[n] = '\0';
		if (strcmp(target, "anon_inode:[vfio-device]") == 0)
			take(pid, atoi(e->d_name));
	}
	if (d)
		closedir(d);
}

static void find_devices(void)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (atoi(e->d_name) > 0 && is_daemon(atoi(e->d_name)))
			search(atoi(e->d_name));
	if (d)
		closedir(d);
	if (pool.fd < 0 || control.fd < 0)
		port_die("no daemon with both devices");
}

static void ring(const struct device *d, uint32_t slot, uint32_t vector)
{
	uint32_t value = slot << 16 | vector;

	if (pwrite(d->fd, &value, sizeof(value),
		   (off_t)(d->registers + DOORBELL)) != sizeof(value))
		port_die("doorbell: %s", strerror(errno));
}

static void noise(unsigned char *to, uint64_t bytes)
{
	uint64_t x = UINT64_C(88172645463325252);

	for (uint64_t i = 0; i + sizeof(x) <= bytes; i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(to + i, &x, sizeof(x));
	}
}

static void spoil_pool(void)
{
	struct timespec pause = { 0, 300000000 };

	noise(pool.memory, pool.bytes);
	nanosleep(&pause, NULL);
	noise(pool.memory, pool.bytes);
}

static void ring_all(void)
{
	for (uint32_t s = 0; s < SLOTS; s++)
		for (uint32_t v = 0; v < VECTORS; v++)
			ring(&pool, s, v);
}

_Noreturn static void storm(void)
{
	for (;;) {
		for (uint32_t v = 0; v < VECTORS; v++)
			ring(&pool, 0, v);
		ring(&control, 0, 0);
	}
}

static void spoil_control(const char *how)
{
	struct snoo_ctl_memory *m = (void *)control.memory;
	uint32_t tail = atomic_load(&m->guest.tail);

	if (strcmp(how, "tail") == 0) {
		atomic_store(&m->guest.tail,
			     atomic_load(&m->host.head) + SNOO_CTL_RING + 64);
	} else if (strcmp(how, "frames") == 0) {
		/* Also where the daemon beside us publishes meanwhile. */
		memset(control.memory + SNOO_CTL_G2H, 0xff, SNOO_CTL_RING);
		atomic_store(&m->guest.tail, tail + 4096);
	} else if (strcmp(how, "all") == 0) {
		noise(control.memory, control.bytes);
	} else {
		port_die("unknown: control-%s", how);
	}
	ring(&control, 0, 0);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		port_die("usage: see the head of the source");
	find_devices();
	if (strcmp(argv[1], "pool") == 0)
		spoil_pool();
	else if (strcmp(argv[1], "bells") == 0)
		ring_all();
	else if (strcmp(argv[1], "storm") == 0)
		storm();
	else if (strncmp(argv[1], "control-", 8) == 0)
		spoil_control(argv[1] + 8);
	else
		port_die("unknown: %s", argv[1]);
	puts("done");
	return 0;
}
