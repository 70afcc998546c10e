/* SPDX-License-Identifier: MIT */
/*
 * cpuinfo.c - which Loongson this is, and which core is which
 *
 * The kernel numbers its CPUs without gaps, also where the firmware keeps a
 * core for itself; "package" and "core" of /proc/cpuinfo say where each one
 * is.  Reading only what the kernel lists means online cores only, which are
 * the only ones whose mailboxes may be written.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hal/loongson/loongson.h"

/* "key : value" with the key in lower case; false if the line has no colon. */
static bool split(char *line, char **key, char **value)
{
	char *colon = strchr(line, ':');
	char *end;

	if (!colon)
		return false;
	for (end = colon; end > line && isspace((unsigned char)end[-1]); end--)
		;
	*end = '\0';
	for (char *c = line; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	*key = line;
	*value = colon + 1;
	while (isspace((unsigned char)**value))
		(*value)++;
	return true;
}

/* Firmware and kernel call virtual boards so: "loongson3-virt", "KVM", ... */
static bool names_guest(const char *value)
{
	static const char *const words[] = { "virt", "kvm", "qemu" };
	char low[128];
	size_t n = 0;

	for (; n < sizeof(low) - 1 && value[n]; n++)
		low[n] = (char)tolower((unsigned char)value[n]);
	low[n] = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(low, words[i]))
			return true;
	return false;
}

static const struct chip *find_chip(const char *key, char *value)
{
	/* "V0.1" must not be found in "V0.13": the table ends in a space. */
	value[strcspn(value, "\n")] = ' ';
	for (size_t i = 0; i < loongson_nchips; i++)
		if (strcmp(key, loongson_chips[i].key) == 0 &&
		    strstr(value, loongson_chips[i].match))
			return &loongson_chips[i];
	return NULL;
}

/* One line; @cur is the CPU whose paragraph we are in, or NULL. */
static int line_of(struct loongson_machine *m, char *key, char *value,
		   struct loongson_cpu **cur)
{
	unsigned long n;

	if (strcmp(key, "system type") == 0 || strcmp(key, "machine") == 0 ||
	    strcmp(key, "hypervisor vendor") == 0) {
		m->guest |= names_guest(value);
		return 0;
	}
	if (strcmp(key, "processor") == 0) {
		n = strtoul(value, NULL, 10);
		if (n >= LOONGSON_CPUS)
			return -ENODEV;
		*cur = &m->cpu[n];
		(*cur)->online = true;
		(*cur)->node = (uint32_t)n / HAL_NODE_CORES;
		(*cur)->core = (uint32_t)n % HAL_NODE_CORES;
		if (n >= m->ncpus)
			m->ncpus = (uint32_t)n + 1;
		return 0;
	}
	if (*cur && strcmp(key, "package") == 0) {
		n = strtoul(value, NULL, 10);
		if (n >= LOONGSON_NODES)
			return -ENODEV;
		(*cur)->node = (uint32_t)n;
		return 0;
	}
	if (*cur && strcmp(key, "core") == 0) {
		n = strtoul(value, NULL, 10);
		/* Some kernels count cores through all packages. */
		(*cur)->core = (uint32_t)n % HAL_NODE_CORES;
		return 0;
	}
	if (!m->chip)
		m->chip = find_chip(key, value);
	return 0;
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
			return -ENODEV;
		taken[c->node][c->core] = true;
	}
	return 0;
}

int loongson_cpuinfo(struct loongson_machine *m, FILE *f)
{
	struct loongson_cpu *cur = NULL;
	char line[512], *key, *value;
	int ret;

	memset(m, 0, sizeof(*m));
	while (fgets(line, sizeof(line), f)) {
		if (!split(line, &key, &value))
			continue;
		ret = line_of(m, key, value, &cur);
		if (ret)
			return ret;
	}
	if (!m->chip || m->ncpus == 0)
		return -ENODEV;
	return check_distinct(m);
}

uint64_t loongson_base(const struct chip *chip, uint32_t node)
{
	return chip->base + node * (CHIP_NODE + chip->node_skew);
}
