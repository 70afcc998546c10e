/* SPDX-License-Identifier: MIT */
/*
 * probe.h - snoo-daemon --probe-registers: what a machine's registers are like
 *
 * For whoever has a Loongson before him: a report, to be sent back, of what
 * manuals and an emulator could not tell.  doc/hal.md says which surprise
 * each part of it would show.
 *
 * Looking reads the registers and writes nothing at all.  With PROBE_WRITE it
 * also writes MailBox1..3 of the cores that are online, through the same
 * function as the daemon (hal/loongson/map.h), and leaves them empty.
 *
 * Whatever touches registers runs in a child: one that the machine kills has
 * told how far it came.
 */
#ifndef DAEMON_PROBE_H
#define DAEMON_PROBE_H

#include <stdatomic.h>
#include <stdint.h>

#include "daemon/json.h"
#include "hal/hal.h"
#include "hal/loongson/loongson.h"
#include "hal/loongson/map.h"

#define PROBE_WRITE	0x1u		/* flags */

/**
 * struct probe - What is probed
 * @sys:	The machine
 * @ops:	The back end on it, for mail_measure()
 * @iomem:	Who has which physical address, "/proc/iomem"
 * @flags:	PROBE_*
 * @limit_ns:	For each measurement; 0: 0.2 s
 */
struct probe {
	const struct loongson_sys *sys;
	const struct hal_ops *ops;
	const char *iomem;
	uint32_t flags;
	uint64_t limit_ns;
};

/**
 * probe_report() - Look, and make the report
 * @out:	New reference; NULL: no memory
 *
 * Return: 0; -ENODEV or -EACCES: there are no registers to look at, and the
 * report says why; -EIO: a look ended badly, the report says which; -ENOMEM
 */
int probe_report(json_t **out, const struct probe *p);

/**
 * probe_main() - The option: this machine's report to stdout
 *
 * Return: like probe_report(); -EPIPE: it could not be written
 */
int probe_main(uint32_t flags);

/* ---- between probe.c and probe_write.c ---------------------------------- */

#define PROBE_STAGE	96u

/**
 * struct probe_child - What a child has
 * @stage:	What it does, for the parent if it dies; PROBE_STAGE bytes
 */
struct probe_child {
	const struct probe *p;
	const struct loongson_machine *m;
	struct loongson_map *map;
	char *stage;
};

void probe_stage(const struct probe_child *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A mailbox for people: never an address of the kernel.  New reference. */
json_t *probe_word(uint64_t word);

/* The part of the report that writes; NULL: no memory. */
json_t *probe_write(const struct probe_child *c);

#endif /* DAEMON_PROBE_H */
