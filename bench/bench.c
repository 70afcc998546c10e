/* SPDX-License-Identifier: MIT */
/* bench.c - clock, patterns, statistics and JSON lines for the benchmarks */
#include "bench/bench.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BENCH_LINE 2048 /* bytes of one JSON line */
#define BENCH_PAGE 4096u

static char line[BENCH_LINE];
static size_t used;

uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

void bench_die(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

uint64_t bench_number(const char *what, const char *text, uint64_t min,
		      uint64_t max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || n < min || n > max)
		bench_die("%s is '%s', must be %llu to %llu", what, text,
			  (unsigned long long)min, (unsigned long long)max);
	return n;
}

uint64_t bench_size(const char *text)
{
	static const char units[] = "KMG";
	unsigned long long n;
	const char *unit;
	unsigned int shift = 0;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *text == '-')
		bench_die("'%s' is no size", text);
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			bench_die("'%s' is no size: K, M or G may follow the "
				  "number",
				  text);
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	if (n > UINT64_C(1) << 40 >> shift)
		bench_die("'%s' is too large a size", text);
	return (uint64_t)n << shift;
}

unsigned char *bench_buffer(size_t bytes)
{
	size_t whole = (bytes + BENCH_PAGE) / BENCH_PAGE * BENCH_PAGE;
	unsigned char *p = aligned_alloc(BENCH_PAGE, whole);

	if (!p)
		bench_die("no memory for a buffer of %zu bytes", bytes);
	memset(p, 0x5a, whole);
	return p;
}

/* A different word for each place and seed; no two neighbours are alike. */
static unsigned char pattern(size_t i, uint32_t seed)
{
	uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15) + seed;

	return (unsigned char)(x >> 56 ^ x >> 21 ^ seed);
}

void bench_fill(unsigned char *buf, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = pattern(i, seed);
}

long long bench_check(const unsigned char *buf, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++) {
		if (buf[i] != pattern(i, seed))
			return (long long)i;
	}
	return -1;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_value);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

int bench_core(void)
{
	return sched_getcpu();
}

void bench_pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)core, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bench_die("cannot run on core %d: %s", core, strerror(errno));
}

int bench_allowed(int nth)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		bench_die("sched_getaffinity: %s", strerror(errno));
	for (int core = 0; core < CPU_SETSIZE; core++) {
		if (CPU_ISSET((unsigned int)core, &set) && nth-- == 0)
			return core;
	}
	return -1;
}

__attribute__((format(printf, 1, 2))) static void add(const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line + used, sizeof(line) - used, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(line) - used)
		bench_die("a line of results is too long");
	used += (size_t)n;
}

void bench_open(const char *name)
{
	used = 0;
	add("{\"bench\":\"%s\"", name);
}

void bench_text(const char *key, const char *value)
{
	add(",\"%s\":\"%s\"", key, value);
}

void bench_int(const char *key, uint64_t value)
{
	add(",\"%s\":%llu", key, (unsigned long long)value);
}

void bench_real(const char *key, double value)
{
	add(",\"%s\":%.6g", key, value);
}

void bench_reals(const char *key, const double *values, size_t n)
{
	add(",\"%s\":[", key);
	for (size_t i = 0; i < n; i++)
		add(i ? ",%.6g" : "%.6g", values[i]);
	add("]");
}

void bench_close(void)
{
	size_t done = 0;

	add("}\n");
	fflush(stdout);
	while (done < used) {
		ssize_t n = write(STDOUT_FILENO, line + done, used - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			bench_die("cannot write results: %s", strerror(errno));
		done += (size_t)n;
	}
	used = 0;
}
