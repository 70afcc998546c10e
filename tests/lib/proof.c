/* SPDX-License-Identifier: MIT */
/* proof.c - what the programs of the end-to-end tests share */

#include "tests/lib/proof.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *program = "?";
static int our_rank = -1;

void proof_begin(const char *name)
{
	const char *text = getenv("PROOF_ALARM_S");

	program = name;
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm((unsigned int)(text ? proof_number(text) : 60));
}

void proof_rank(int rank)
{
	our_rank = rank;
}

void proof_die(int code, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (our_rank < 0)
		fprintf(stderr, "%s: %s\n", program, text);
	else
		fprintf(stderr, "%s: rank %d: %s\n", program, our_rank, text);
	exit(code);
}

void proof_must(int ret, const char *call)
{
	if (ret)
		proof_die(PROOF_ERROR, "%s: %s (%d)", call, snoo_strerror(ret),
			  ret);
}

void proof_is(int ret, int want, const char *what)
{
	if (ret != want)
		proof_die(PROOF_WRONG, "%s: %d (%s) instead of %d", what, ret,
			  snoo_strerror(ret), want);
}

struct snoo *proof_join(const char *job)
{
	const char *name = getenv("SNOO_JOB");
	struct snoo *ctx;
	int ret = snoo_init(&ctx, name ? name : job, NULL);

	if (ret)
		proof_die(PROOF_ERROR, "snoo_init: %s (%d)", snoo_last_error(),
			  ret);
	proof_rank(snoo_rank(ctx));
	return ctx;
}

void proof_leave(struct snoo *ctx)
{
	char where[64];
	uint64_t missed = proof_missed_bells(where, sizeof(where));

	proof_must(snoo_finalize(ctx), "snoo_finalize");
	if (missed)
		proof_die(PROOF_WRONG, "%" PRIu64 " bells were missed, in slots%s",
			  missed, where);
}

long long proof_number(const char *text)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	if (end == text || *end || n < 0)
		proof_die(PROOF_USAGE, "\"%s\" is no number", text);
	return n;
}

uint64_t proof_mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* The eight bytes at place i; cheap, because gigabytes go through it. */
static uint64_t word_at(size_t i, uint64_t seed)
{
	return (seed + i) * UINT64_C(0x9e3779b97f4a7c15) ^ seed >> 7;
}

void proof_fill(void *buf, size_t n, uint64_t seed)
{
	unsigned char *p = buf;
	uint64_t w;

	for (size_t i = 0; i < n / 8; i++) {
		w = word_at(i, seed);
		memcpy(p + i * 8, &w, 8);
	}
	if (n % 8) {
		w = word_at(n / 8, seed);
		memcpy(p + n / 8 * 8, &w, n % 8);
	}
}

long long proof_check(const void *buf, size_t n, uint64_t seed)
{
	const unsigned char *p = buf;

	for (size_t at = 0; at < n; at += 8) {
		size_t len = n - at < 8 ? n - at : 8;
		uint64_t w = word_at(at / 8, seed);

		if (memcmp(p + at, &w, len) == 0)
			continue;
		while (p[at] == ((unsigned char *)&w)[at % 8])
			at++;
		return (long long)at;
	}
	return -1;
}

/* One line of /proc/self/maps: is it the whole of a pool? */
static int try_map(const char *line, struct proof_pool *out)
{
	uint64_t from, to;
	char mode[8];

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s 0", &from, &to, mode) !=
		    3 ||
	    strcmp(mode, "rw-s") != 0 ||
	    to - from <= SNOO_ABI_HEAD_OFFSET + SNOO_ABI_UNIT)
		return 0;
	out->base = (unsigned char *)(uintptr_t)from;
	out->size = to - from;
	out->head = (void *)(out->base + SNOO_ABI_HEAD_OFFSET);
	if (out->head->magic != SNOO_ABI_MAGIC || out->head->size != out->size)
		return 0;
	out->rank = (void *)(out->base + out->head->ranks_off);
	return 1;
}

int proof_pool(struct proof_pool *out)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int found = 0;

	while (maps && !found && fgets(line, sizeof(line), maps))
		found = try_map(line, out);
	if (maps)
		fclose(maps);
	return found ? 0 : -ENOENT;
}

/* Where the counter stands in shm/counters.def. */
enum {
#define COUNTER(name, unit, meaning) INDEX_##name,
#include "shm/counters.def"
#undef COUNTER
};

uint64_t proof_missed_bells(char *where, size_t size)
{
	struct proof_pool pool;
	uint64_t n, sum = 0;
	size_t at = 0;

	if (size)
		where[0] = '\0';
	if (proof_pool(&pool))
		return 0;
	for (uint32_t i = 0; i < pool.head->nranks; i++) {
		/* Relaxed: a count. */
		n = atomic_load_explicit(
			&pool.rank[i].counters[INDEX_missed_bells],
			memory_order_relaxed);
		sum += n;
		if (n && at < size)
			at += (size_t)snprintf(where + at, size - at,
					       " %" PRIu32, i);
	}
	return sum;
}
