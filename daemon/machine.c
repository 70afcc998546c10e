/* SPDX-License-Identifier: MIT */
/* machine.c - which machine this is, as far as what was measured depends on it */
#include "daemon/machine.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE 512

/* The first that a machine has: x86, Loongson and POWER, MIPS, RISC-V, Arm. */
static const char *const names[] = {
	"model name", "Model Name", "cpu model", "cpu", "uarch", "CPU part",
};

#define NAMES (sizeof(names) / sizeof(names[0]))

/* "model name	: AMD EPYC" begins with @name, then blanks and a colon. */
static const char *value_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(line, name, len) != 0)
		return NULL;
	line += len;
	line += strspn(line, " \t");
	if (*line != ':')
		return NULL;
	return line + 1 + strspn(line + 1, " \t");
}

void machine_read(struct machine *m, const char *cpuinfo)
{
	FILE *f = fopen(cpuinfo, "re");
	size_t best = NAMES;
	char line[LINE];
	long cores = sysconf(_SC_NPROCESSORS_CONF);

	m->cores = cores > 0 ? (uint32_t)cores : 1;
	snprintf(m->cpu, sizeof(m->cpu), "unknown");
	while (f && best > 0 && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		for (size_t i = 0; i < best; i++) {
			const char *value = value_of(line, names[i]);

			if (!value || !*value)
				continue;
			snprintf(m->cpu, sizeof(m->cpu), "%.*s",
				 (int)sizeof(m->cpu) - 1, value);
			best = i;
		}
	}
	if (f)
		fclose(f);
}
