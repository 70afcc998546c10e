/* SPDX-License-Identifier: MIT */
/*
 * bench.h - clock, patterns, statistics and JSON lines for the benchmarks
 *
 * Knows neither SNOO nor MPI: the same object serves both.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** bench_now_ns() - CLOCK_MONOTONIC */
uint64_t bench_now_ns(void);

/** bench_die() - Print "program: ..." and end with status 1 */
_Noreturn void bench_die(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/**
 * bench_size() - A number of bytes: "4096", "64K", "4M", "1G"
 *
 * Ends the program if @text is none.
 */
uint64_t bench_size(const char *text);

/** bench_number() - A whole number in @min .. @max; ends the program if not */
uint64_t bench_number(const char *what, const char *text, uint64_t min,
		      uint64_t max);

/** bench_buffer() - @bytes, page-aligned and touched */
unsigned char *bench_buffer(size_t bytes);

/** bench_keep() - The compiler must have finished with *@p here */
static inline void bench_keep(const void *p)
{
	__asm__ __volatile__("" : : "r"(p) : "memory");
}

/*
 * Patterns: byte i depends on @seed and i, so that bytes that were lost,
 * moved or left over from another message show.
 */
void bench_fill(unsigned char *buf, size_t n, uint32_t seed);

/** bench_check() - First byte that is not the pattern's; -1: all are */
long long bench_check(const unsigned char *buf, size_t n, uint32_t seed);

/** bench_median() - Of @n values, n > 0; sorts them */
double bench_median(double *values, size_t n);

/** bench_core() - The core that this thread runs on now */
int bench_core(void);

/** bench_pin() - Stay on @core; ends the program if that is not allowed */
void bench_pin(int core);

/** bench_allowed() - The @nth core of our affinity mask, or -1 */
int bench_allowed(int nth);

/*
 * One JSON object on a line of standard output:
 *
 *	bench_open("pingpong");
 *	bench_text("api", "snoo");
 *	bench_int("bytes", 8);
 *	bench_close();
 *
 * The line leaves in one write, so that launchers do not cut it.
 */
void bench_open(const char *name);
void bench_text(const char *key, const char *value);
void bench_int(const char *key, uint64_t value);
void bench_real(const char *key, double value);
void bench_reals(const char *key, const double *values, size_t n);
void bench_close(void);

#endif /* BENCH_BENCH_H */
