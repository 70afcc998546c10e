/* SPDX-License-Identifier: MIT */
/*
 * topo_set.c - sets of cpus as plain bits, and a task's affinity
 */
#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/topo.h"

_Static_assert(sizeof(struct topo_set) == TOPO_CPUS / 8,
	       "no padding: sets are compared as bytes");
_Static_assert(CPU_SETSIZE == TOPO_CPUS, "one size with the C library");

static bool inside(unsigned int cpu)
{
	return cpu < TOPO_CPUS;
}

static uint64_t bit(unsigned int cpu)
{
	return UINT64_C(1) << (cpu % 64);
}

void topo_set_zero(struct topo_set *s)
{
	memset(s, 0, sizeof(*s));
}

void topo_set_add(struct topo_set *s, unsigned int cpu)
{
	if (inside(cpu))
		s->word[cpu / 64] |= bit(cpu);
}

void topo_set_del(struct topo_set *s, unsigned int cpu)
{
	if (inside(cpu))
		s->word[cpu / 64] &= ~bit(cpu);
}

bool topo_set_has(const struct topo_set *s, unsigned int cpu)
{
	return inside(cpu) && (s->word[cpu / 64] & bit(cpu));
}

bool topo_set_empty(const struct topo_set *s)
{
	return topo_set_next(s, 0) == TOPO_CPUS;
}

bool topo_set_equal(const struct topo_set *a, const struct topo_set *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

unsigned int topo_set_count(const struct topo_set *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < TOPO_CPUS / 64; i++)
		n += (unsigned int)__builtin_popcountll(s->word[i]);
	return n;
}

void topo_set_and(struct topo_set *s, const struct topo_set *other)
{
	for (unsigned int i = 0; i < TOPO_CPUS / 64; i++)
		s->word[i] &= other->word[i];
}

unsigned int topo_set_next(const struct topo_set *s, unsigned int from)
{
	while (from < TOPO_CPUS) {
		uint64_t rest = s->word[from / 64] >> (from % 64);

		if (rest)
			return from + (unsigned int)__builtin_ctzll(rest);
		from = (from / 64 + 1) * 64;
	}
	return TOPO_CPUS;
}

const char *topo_set_format(const struct topo_set *s, char *buf, size_t len)
{
	unsigned int cpu = topo_set_next(s, 0);
	size_t used = 0;

	buf[0] = '\0';
	while (cpu < TOPO_CPUS) {
		unsigned int last = cpu;
		char part[24];
		size_t n;

		while (topo_set_has(s, last + 1))
			last++;
		n = (size_t)snprintf(part, sizeof(part),
				     last > cpu ? "%s%u-%u" : "%s%u",
				     used ? "," : "", cpu, last);
		if (used + n + 4 > len) {	/* room for the dots after it */
			memcpy(buf + used, "...", 4);
			break;
		}
		memcpy(buf + used, part, n + 1);
		used += n;
		cpu = topo_set_next(s, last + 1);
	}
	return buf;
}

/* One number of a list; moves @p behind it. */
static int parse_cpu(const char **p, unsigned int *cpu)
{
	unsigned int n = 0;

	if (!isdigit((unsigned char)**p))
		return -EINVAL;
	for (; isdigit((unsigned char)**p); (*p)++) {
		n = n * 10 + (unsigned int)(**p - '0');
		if (!inside(n))
			return -ERANGE;
	}
	*cpu = n;
	return 0;
}

int topo_set_parse(struct topo_set *s, const char *list)
{
	struct topo_set out = { .word = { 0 } };
	const char *p = list;
	int ret;

	for (;;) {
		unsigned int first, last;

		ret = parse_cpu(&p, &first);
		if (ret)
			return ret;
		last = first;
		if (*p == '-') {
			p++;
			ret = parse_cpu(&p, &last);
			if (ret)
				return ret;
		}
		if (last < first)
			return -EINVAL;
		for (; first <= last; first++)
			topo_set_add(&out, first);
		if (*p == '\0')
			break;
		if (*p++ != ',')
			return -EINVAL;
	}
	*s = out;
	return 0;
}

/* glibc's cpu_set_t has the same 1024 bits; going through its macros keeps
 * this right on 32-bit and big-endian machines, where words differ. */
static void to_kernel(cpu_set_t *k, const struct topo_set *s)
{
	CPU_ZERO(k);
	for (unsigned int c = topo_set_next(s, 0); c < TOPO_CPUS;
	     c = topo_set_next(s, c + 1))
		CPU_SET(c, k);
}

int topo_set_of(struct topo_set *s, int pid)
{
	cpu_set_t k;

	if (sched_getaffinity(pid, sizeof(k), &k))
		return -errno;
	topo_set_zero(s);
	for (unsigned int c = 0; c < TOPO_CPUS; c++)
		if (CPU_ISSET(c, &k))
			topo_set_add(s, c);
	return 0;
}

int topo_confine(int pid, const struct topo_set *s)
{
	cpu_set_t k;

	to_kernel(&k, s);
	return sched_setaffinity(pid, sizeof(k), &k) ? -errno : 0;
}

int topo_pin(int pid, unsigned int cpu)
{
	struct topo_set s;

	topo_set_zero(&s);
	topo_set_add(&s, cpu);
	return topo_confine(pid, &s);
}
