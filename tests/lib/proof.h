/* SPDX-License-Identifier: MIT */
/*
 * proof.h - what the programs of the end-to-end tests share
 *
 * Patterns by which a lost, doubled, reordered or spoilt message is noticed; a
 * watchdog; a look at the pool from inside.  Public API only.
 */
#ifndef TESTS_LIB_PROOF_H
#define TESTS_LIB_PROOF_H

#include <stddef.h>
#include <stdint.h>

#include <snoo/abi.h>
#include <snoo/snoo.h>

/* Exit codes of the programs. */
#define PROOF_WRONG	1	/* what must not be: data, order, count, code */
#define PROOF_USAGE	2
#define PROOF_ERROR	3	/* a call failed; its text is on stderr */

/**
 * proof_begin() - Name for messages; the watchdog
 *
 * The process is killed by SIGALRM after PROOF_ALARM_S seconds (60).
 */
void proof_begin(const char *program);

/** proof_rank() - Rank for messages, when it is known */
void proof_rank(int rank);

/** proof_die() - Say it on stderr and exit with @code */
void proof_die(int code, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/** proof_must() - Exit with PROOF_ERROR unless @ret is 0 */
void proof_must(int ret, const char *call);

/** proof_is() - Exit with PROOF_WRONG unless @ret is @want */
void proof_is(int ret, int want, const char *what);

/** proof_join() - snoo_init() as the environment says, or exit */
struct snoo *proof_join(const char *job);

/** proof_leave() - No bell may have been missed; snoo_finalize() */
void proof_leave(struct snoo *ctx);

/** proof_number() - A whole number, or exit with PROOF_USAGE */
long long proof_number(const char *text);

/** proof_mix() - 64 well mixed bits of @x */
uint64_t proof_mix(uint64_t x);

/** proof_fill() - Write @n bytes that tell place and seed */
void proof_fill(void *buf, size_t n, uint64_t seed);

/** proof_check() - First byte that differs from proof_fill(), or -1 */
long long proof_check(const void *buf, size_t n, uint64_t seed);

/** struct proof_pool - The pool as this process maps it */
struct proof_pool {
	unsigned char *base;
	uint64_t size;
	struct snoo_abi_pool *head;
	struct snoo_abi_rank *rank;	/* head->nranks of them */
};

/** proof_pool() - Find it in /proc/self/maps: 0, or -ENOENT */
int proof_pool(struct proof_pool *out);

/**
 * proof_missed_bells() - Of all slots, since each was taken last
 * @where: set to the slots, those that were left included; @size bytes
 */
uint64_t proof_missed_bells(char *where, size_t size);

#endif /* TESTS_LIB_PROOF_H */
