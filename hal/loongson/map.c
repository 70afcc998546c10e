/* SPDX-License-Identifier: MIT */
/*
 * map.c - the pages with the registers: mapped, read, and one kind of store
 *
 * Theory of operation
 * ===================
 *
 * The page that holds the register blocks of a chip's four cores also holds
 * its interrupt router and its address windows: one stray store there re-routes
 * physical memory.  So only a trusted process maps it, one page for each chip,
 * uncached (O_SYNC: without it the kernel hands out a cacheable mapping, and
 * says nothing).  Pointers into it stay in this file, and in the struct that
 * they point to all but MailBox1..3 is const: another store is an error of the
 * compiler, or a warning, which is one in CI.
 *
 * Never written, and why:
 *
 *   MailBox0	offline cores poll it and jump where it points
 *   ENABLE	the kernel needs all its bits; without, its own calls hang
 *   CLEAR	would take a bit that the kernel has not seen yet
 *   SET	costs the target a kernel interrupt, whose handler wipes all of
 *		STATUS: the bit is gone before anybody can look
 *
 * Nobody has told us that the address is right but a table.  A wrong one may
 * raise a bus error, or be another device: a child takes the first look, and
 * what does not have ENABLE as Linux sets it is not written.
 */
#include "hal/loongson/map.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hal/loongson/mmio.h"

/* A block, with what we may change. */
struct registers {
	const uint32_t status, enable, set, clear;
	const uint32_t none[4];
	const uint64_t mailbox0;
	uint64_t mailbox[3]; /* MailBox1..3 */
	const uint64_t rest[24];
};

#define MAP_AT(field, off)                                         \
	_Static_assert(offsetof(struct registers, field) == (off), \
		       "register " #field " moved")

MAP_AT(status, HAL_REG_STATUS);
MAP_AT(enable, HAL_REG_ENABLE);
MAP_AT(mailbox0, HAL_REG_MAILBOX0);
MAP_AT(mailbox, HAL_REG_MAILBOX1);
_Static_assert(sizeof(struct registers) == HAL_REG_STRIDE, "block grew");

#define ENABLED UINT32_MAX /* what Linux writes into ENABLE */

/**
 * struct loongson_map - Everything that has an address in such a page
 * @page:	For each node what munmap() gets; NULL: not mapped
 * @node:	For each node the blocks of its four cores
 * @at:		Their physical address
 * @cpu:	For each core of the kernel's numbering; NULL: out of reach
 */
struct loongson_map {
	size_t bytes;
	void *page[LOONGSON_NODES];
	volatile struct registers *node[LOONGSON_NODES];
	uint64_t at[LOONGSON_NODES];
	volatile struct registers *cpu[LOONGSON_CPUS];
};

/* ---- access ------------------------------------------------------------- */

static volatile struct registers *reach(const struct loongson_map *map,
					uint32_t cpu)
{
	return cpu < LOONGSON_CPUS ? map->cpu[cpu] : NULL;
}

int loongson_map_store(struct loongson_map *map, uint32_t cpu,
		       enum loongson_box box, uint64_t word)
{
	volatile struct registers *r = reach(map, cpu);

	if (!r)
		return -ENODEV;
	if (box < LOONGSON_MAILBOX1 || box > LOONGSON_MAILBOX3)
		return -EINVAL;
	mmio_store64(&r->mailbox[box - LOONGSON_MAILBOX1], word);
	return 0;
}

int loongson_map_load(const struct loongson_map *map, uint32_t cpu,
		      enum loongson_box box, uint64_t *word)
{
	volatile struct registers *r = reach(map, cpu);

	if (!r)
		return -ENODEV;
	if (box < LOONGSON_MAILBOX1 || box > LOONGSON_MAILBOX3)
		return -EINVAL;
	*word = mmio_load64(&r->mailbox[box - LOONGSON_MAILBOX1]);
	return 0;
}

int loongson_map_regs(const struct loongson_map *map, uint32_t cpu,
		      struct hal_regs *snapshot)
{
	volatile struct registers *r = reach(map, cpu);

	if (!r)
		return -ENODEV;
	snapshot->status = mmio_load32(&r->status);
	snapshot->enable = mmio_load32(&r->enable);
	snapshot->mail[0] = mmio_load64(&r->mailbox0);
	for (uint32_t i = 0; i < 3; i++)
		snapshot->mail[1 + i] = mmio_load64(&r->mailbox[i]);
	return 0;
}

/* ---- which cores can be reached ----------------------------------------- */

bool loongson_map_show(struct loongson_map *map, uint32_t cpu,
		       const struct loongson_cpu *at)
{
	volatile struct registers *r = map->node[at->node];

	if (!r)
		return false;
	r += at->core;
	for (uint32_t i = 0; i < LOONGSON_CPUS; i++)
		if (i != cpu && map->cpu[i] == r)
			return false;
	map->cpu[cpu] = r;
	return true;
}

void loongson_map_hide(struct loongson_map *map, uint32_t cpu)
{
	map->cpu[cpu] = NULL;
}

uint64_t loongson_map_address(const struct loongson_map *map, uint32_t node)
{
	return node < LOONGSON_NODES ? map->at[node] : 0;
}

/* ---- mapping ------------------------------------------------------------ */

static bool locked_down(const struct loongson_sys *sys)
{
	char line[128];

	if (!loongson_read_line(sys->lockdown, line, sizeof(line)))
		return false;
	return strchr(line, '[') && !strstr(line, "[none]");
}

/* O_SYNC is what makes the mapping uncached; see the head of this file. */
static int open_mem(const struct loongson_sys *sys, char why[HAL_TEXT])
{
	int fd = sys->open(sys->mem, O_RDWR | O_SYNC | O_CLOEXEC);
	int error = errno;

	if (fd >= 0)
		return fd;
	switch (error) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return loongson_refuse(why, -ENODEV,
				       "there is no %s: the kernel has no "
				       "CONFIG_DEVMEM, or the service has "
				       "PrivateDevices= (the drop-in "
				       "snoo-registers.conf changes that)",
				       sys->mem);
	case EPERM:
		if (locked_down(sys))
			return loongson_refuse(
				why, -EACCES,
				"the kernel is locked down "
				"(%s) and gives nobody %s: boot it "
				"without lockdown= and secure boot, or "
				"use cache lines",
				sys->lockdown, sys->mem);
		return loongson_refuse(
			why, -EACCES,
			"%s needs CAP_SYS_RAWIO and, in a "
			"service, DeviceAllow=: run as root, or with the "
			"drop-in snoo-registers.conf",
			sys->mem);
	case EACCES:
		return loongson_refuse(
			why, -EACCES,
			"%s may not be opened: run as "
			"root, or in group kmem with the drop-in "
			"snoo-registers.conf",
			sys->mem);
	default:
		return loongson_refuse(why, -ENODEV, "%s: %s", sys->mem,
				       strerror(error));
	}
}

static int map_at(struct loongson_map *map, const struct loongson_sys *sys,
		  int fd, uint32_t node, uint64_t base)
{
	uint64_t within = base & (sys->page - 1);
	void *at = sys->mmap(sys->page, fd, (off_t)(base - within));

	if (at == MAP_FAILED)
		return -errno;
	map->page[node] = at;
	map->node[node] = (volatile struct registers *)((uint8_t *)at + within);
	map->at[node] = base;
	return 0;
}

static int map_node(struct loongson_map *map, const struct loongson_sys *sys,
		    const struct chip *chip, int fd, uint32_t node,
		    char why[HAL_TEXT])
{
	uint64_t base = loongson_base(chip, node);
	int ret = map_at(map, sys, fd, node, base);

	/* A device of the page is claimed by its driver: see chips.c. */
	if (ret == -EPERM && chip->alias)
		ret = map_at(map, sys, fd, node,
			     base - chip->base + chip->alias);
	if (ret == -EPERM || ret == -EACCES)
		return loongson_refuse(
			why, -EACCES,
			"the kernel does not map the "
			"registers at 0x%llx (CONFIG_STRICT_DEVMEM): "
			"boot it with iomem=relaxed, or one without "
			"that option",
			(unsigned long long)base);
	if (ret)
		return loongson_refuse(why, -ENODEV,
				       "the registers at 0x%llx cannot "
				       "be mapped: %s",
				       (unsigned long long)base,
				       strerror(-ret));
	return 0;
}

/* A bus error ends the child alone.  True: this is what Linux left there. */
static bool looks_right(const struct loongson_map *map)
{
	for (uint32_t i = 0; i < LOONGSON_CPUS; i++)
		if (map->cpu[i] && mmio_load32(&map->cpu[i]->enable) != ENABLED)
			return false;
	return true;
}

static int first_look(const struct loongson_map *map,
		      const struct loongson_machine *m, char why[HAL_TEXT])
{
	unsigned long long at = map->at[m->cpu[0].node];
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return loongson_refuse(why, -ENOMEM,
				       "no process for a look at the "
				       "registers: %s",
				       strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_DUMPABLE, 0);
		signal(SIGBUS, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		_exit(looks_right(map) ? 0 : 1);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return loongson_refuse(why, -ENODEV,
					       "a look at the registers: "
					       "%s",
					       strerror(errno));
	if (!WIFEXITED(status))
		return loongson_refuse(
			why, -ENODEV,
			"reading the registers of this "
			"Loongson %s at 0x%llx raised signal %d: they "
			"are not there; use cache lines",
			m->chip->name, at, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return loongson_refuse(
			why, -ENODEV,
			"what this Loongson %s has at "
			"0x%llx is not what Linux makes of the registers "
			"(ENABLE of each core ffffffff): use cache lines",
			m->chip->name, at);
	return 0;
}

int loongson_map_open(struct loongson_map **out, const struct loongson_sys *sys,
		      const struct loongson_machine *m, char why[HAL_TEXT])
{
	struct loongson_map *map;
	int fd, ret = 0;

	*out = NULL;
	map = calloc(1, sizeof(*map));
	if (!map)
		return loongson_refuse(why, -ENOMEM, "no memory");
	map->bytes = sys->page;
	fd = open_mem(sys, why);
	if (fd < 0) {
		free(map);
		return fd;
	}
	for (uint32_t i = 0; i < m->ncpus && ret == 0; i++) {
		const struct loongson_cpu *c = &m->cpu[i];

		if (!c->online)
			continue;
		if (!map->page[c->node])
			ret = map_node(map, sys, m->chip, fd, c->node, why);
		if (ret == 0)
			loongson_map_show(map, i, c);
	}
	close(fd);
	if (ret == 0)
		ret = first_look(map, m, why);
	if (ret) {
		loongson_map_close(map);
		return ret;
	}
	*out = map;
	return 0;
}

void loongson_map_close(struct loongson_map *map)
{
	if (!map)
		return;
	for (uint32_t i = 0; i < LOONGSON_NODES; i++)
		if (map->page[i])
			munmap(map->page[i], map->bytes);
	free(map);
}
