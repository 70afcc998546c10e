/* SPDX-License-Identifier: MIT */
/*
 * cpuinfo.c - the kernel's texts: which Loongson this is, which core is which
 *
 * The kernel numbers its CPUs without gaps, also where the firmware keeps a
 * core for itself; "package" and "core" of /proc/cpuinfo say where each one
 * is.  It lists online cores only, which are the only ones whose mailboxes may
 * be written.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hal/loongson/machine.h"

#define UNSAID UINT32_MAX

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
	(*value)[strcspn(*value, "\n")] = '\0';
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

static const struct chip *find_chip(const char *key, const char *value)
{
	char text[128];

	/* "V0.1" must not be found in "V0.13": the table ends in a space. */
	snprintf(text, sizeof(text), "%s ", value);
	for (size_t i = 0; i < loongson_nchips; i++)
		if (strcmp(key, loongson_chips[i].key) == 0 &&
		    strstr(text, loongson_chips[i].match))
			return &loongson_chips[i];
	return NULL;
}

/* Once for all: the kernel says it of each core. */
static void take_model(struct loongson_machine *m, const char *key,
		       const char *value)
{
	if (strcmp(key, "cpu model") != 0 && strcmp(key, "model name") != 0)
		return;
	if (!m->chip)
		m->chip = find_chip(key, value);
	if (!m->model[0])
		snprintf(m->model, sizeof(m->model), "%s", value);
}

/* A number below @limit, and nothing behind it. */
static bool number(const char *text, unsigned long limit, uint32_t *out)
{
	unsigned long n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	n = strtoul(text, &end, 10);
	while (isspace((unsigned char)*end))
		end++;
	if (*end || n >= limit)
		return false;
	*out = (uint32_t)n;
	return true;
}

/* One line; @cur is the CPU whose paragraph we are in, or NULL. */
static int line_of(struct loongson_machine *m, const char *key,
		   const char *value, struct loongson_cpu **cur)
{
	uint32_t n;

	if (strcmp(key, "system type") == 0 || strcmp(key, "machine") == 0 ||
	    strcmp(key, "hypervisor vendor") == 0) {
		m->guest |= names_guest(value);
	} else if (strcmp(key, "processor") == 0) {
		if (!number(value, LOONGSON_CPUS, &n))
			return -ERANGE;
		*cur = &m->cpu[n];
		(*cur)->online = true;
		if (n >= m->ncpus)
			m->ncpus = n + 1;
	} else if (*cur && strcmp(key, "package") == 0) {
		if (!number(value, UINT32_MAX, &(*cur)->node))
			return -ERANGE;
	} else if (*cur && strcmp(key, "core") == 0) {
		if (!number(value, UINT32_MAX, &(*cur)->core))
			return -ERANGE;
	} else {
		take_model(m, key, value);
	}
	return 0;
}

int loongson_place(struct loongson_cpu *c, const struct chip *chip,
		   uint32_t package, uint32_t core)
{
	uint32_t at;

	if (package >= LOONGSON_NODES)
		return -ERANGE;
	/* Some kernels count cores through all packages. */
	at = package * chip->cores + core % chip->cores;
	if (at >= LOONGSON_NODES * HAL_NODE_CORES)
		return -ERANGE;
	c->node = at / HAL_NODE_CORES;
	c->core = at % HAL_NODE_CORES;
	c->placed = true;
	return 0;
}

int loongson_cpuinfo(struct loongson_machine *m, FILE *f)
{
	struct loongson_cpu *cur = NULL;
	char line[512], *key, *value;
	int bad = 0;

	memset(m, 0, sizeof(*m));
	for (uint32_t i = 0; i < LOONGSON_CPUS; i++)
		m->cpu[i].node = m->cpu[i].core = UNSAID;
	while (fgets(line, sizeof(line), f)) {
		if (!split(line, &key, &value))
			continue;
		if (line_of(m, key, value, &cur)) {
			bad = -ERANGE;
			cur = NULL;
		}
	}
	/* Another machine may have as many cores as it likes. */
	if (!m->chip)
		return 0;
	for (uint32_t i = 0; i < LOONGSON_CPUS && bad == 0; i++) {
		struct loongson_cpu *c = &m->cpu[i];

		if (c->node != UNSAID && c->core != UNSAID)
			bad = loongson_place(c, m->chip, c->node, c->core);
	}
	return bad;
}

int loongson_list(const char *text, uint64_t *mask)
{
	uint64_t found = 0;

	/* There is always one: somebody reads it. */
	for (;; text++) {
		unsigned long first, last;
		char *end;

		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		first = last = strtoul(text, &end, 10);
		if (*end == '-' && isdigit((unsigned char)end[1]))
			last = strtoul(end + 1, &end, 10);
		if (last < first || last >= LOONGSON_CPUS)
			return -EINVAL;
		for (; first <= last; first++)
			found |= UINT64_C(1) << first;
		text = end;
		if (*text != ',')
			break;
	}
	if (*text && *text != '\n')
		return -EINVAL;
	*mask = found;
	return 0;
}
