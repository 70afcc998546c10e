/* SPDX-License-Identifier: MIT */
/* machine.h - which machine this is, as far as what was measured depends on it */
#ifndef DAEMON_MACHINE_H
#define DAEMON_MACHINE_H

#include <stdint.h>

#define MACHINE_CPUINFO	"/proc/cpuinfo"

/** struct machine - Two machines with the same are taken for alike */
struct machine {
	char cpu[128];		/* model, "unknown" if nobody says */
	uint32_t cores;		/* configured processors */
};

/**
 * machine_read() - Learn it
 * @cpuinfo:	MACHINE_CPUINFO, or what stands in for it in a test
 */
void machine_read(struct machine *m, const char *cpuinfo);

#endif /* DAEMON_MACHINE_H */
