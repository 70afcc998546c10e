/* SPDX-License-Identifier: MIT */
/*
 * machine.h - is this a Loongson, and which of its cores is where?
 */
#ifndef HAL_LOONGSON_MACHINE_H
#define HAL_LOONGSON_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "hal/hal.h"
#include "hal/loongson/chips.h"

#define LOONGSON_CPUS	64	/* four nodes of four cores, with room */
#define LOONGSON_NODES	16	/* four address bits name the node */
#define LOONGSON_MODEL	64	/* bytes of the processor's name, NUL included */

/**
 * struct loongson_sys - Where the machine is looked at
 * @arch:	What this program was built for
 * @page:	Bytes of a page
 * @cpuinfo:	Text: processor, model, where each core is
 * @present:	A list like "0-3": cores that there can be
 * @online:	A list: those that the kernel runs on now
 * @topology:	Folder with one for each core; for what @cpuinfo lacks
 * @vendor:	Text: who made the board
 * @lockdown:	Text: "none [integrity] confidentiality"
 * @mem:	Physical memory
 * @open:	For @mem alone; errno on failure
 * @mmap:	For @mem alone, to read and write; MAP_FAILED and errno
 *
 * loongson_sys() is the real machine; tests have others.
 */
struct loongson_sys {
	enum chip_arch arch;
	size_t page;
	const char *cpuinfo;
	const char *present;
	const char *online;
	const char *topology;
	const char *vendor;
	const char *lockdown;
	const char *mem;
	int (*open)(const char *path, int flags);
	void *(*mmap)(size_t bytes, int fd, off_t at);
};

/** loongson_sys() - This machine */
const struct loongson_sys *loongson_sys(void);

/**
 * struct loongson_cpu - Where a core of the kernel's numbering really is
 * @online:	The kernel runs on it; MailBox0..3 of an offline core start it
 * @placed:	@node and @core are known: always, while it is online
 * @node:	Four cores whose registers share a page
 * @core:	Core within the node, 0..3: reserved cores shift the kernel's
 *		numbers against these
 */
struct loongson_cpu {
	bool online;
	bool placed;
	uint32_t node;
	uint32_t core;
};

/**
 * struct loongson_machine - What the kernel says of the machine
 * @chip:	NULL if it is no Loongson that we know
 * @guest:	A virtual machine: its register block is emulated, for it alone
 * @ncpus:	One more than the highest number
 * @model:	The processor as the kernel names it; "" if it does not
 */
struct loongson_machine {
	const struct chip *chip;
	bool guest;
	uint32_t ncpus;
	char model[LOONGSON_MODEL];
	struct loongson_cpu cpu[LOONGSON_CPUS];
};

/* ---- cpuinfo.c ---------------------------------------------------------- */

/**
 * loongson_cpuinfo() - Read the text of /proc/cpuinfo
 *
 * Return: 0, or -ERANGE: its numbers are none of a machine that we know.
 * Another processor is no error: @m->chip is NULL then.
 */
int loongson_cpuinfo(struct loongson_machine *m, FILE *f);

/**
 * loongson_place() - Core @core of package @package, as the kernel counts them
 *
 * Return: 0, or -ERANGE: there is no such core
 */
int loongson_place(struct loongson_cpu *c, const struct chip *chip,
		   uint32_t package, uint32_t core);

/**
 * loongson_list() - Read a list of cores, "0-3,5"
 * @mask:	Bit n for core n
 *
 * Return: 0, or -EINVAL: this is none, or a core is out of range
 */
int loongson_list(const char *text, uint64_t *mask);

/* ---- machine.c ---------------------------------------------------------- */

/**
 * loongson_look() - What machine is this?
 * @why:	On failure a sentence
 *
 * Return: 0, or -ENODEV: none with registers that this program can reach
 */
int loongson_look(struct loongson_machine *m, const struct loongson_sys *sys,
		  char why[HAL_TEXT]);

/**
 * loongson_guest() - May the registers of a virtual machine be used?
 *
 * Return: 0, or -ENODEV with a sentence in @why
 */
int loongson_guest(const struct loongson_machine *m, uint32_t flags,
		   char why[HAL_TEXT]);

/**
 * loongson_online() - Which cores are online, by @fd on @sys->online
 *
 * Return: 0, or negative error code: it cannot be read, or is no list
 */
int loongson_online(int fd, uint64_t *mask);

/** loongson_read_line() - The first line of a file; false if there is none */
bool loongson_read_line(const char *path, char *line, size_t bytes);

/** loongson_refuse() - Write the sentence; returns @ret */
int loongson_refuse(char why[HAL_TEXT], int ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** loongson_base() - Physical address of the block of core 0 of @node */
uint64_t loongson_base(const struct chip *chip, uint32_t node);

#endif /* HAL_LOONGSON_MACHINE_H */
