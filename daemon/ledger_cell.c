/* SPDX-License-Identifier: MIT */
/*
 * ledger_cell.c - two copies, and which of them counts
 *
 * Theory of operation
 * ===================
 *
 * The only thing that can stop a put half-way is the death of this process;
 * the memory outlives it, and its stores arrive there in the order in which
 * the program made them, as one core sees its own stores.  So a release store
 * (which also keeps the compiler from moving the payload below it) is all
 * that a commit needs.
 *
 * put, step by step, with copy `new` the older one:
 *
 *   payload of new    sum fails: only the other copy is whole
 *   sum of new        sum fails: it covers the number, which is still old
 *   seq of new        both whole, new is newer
 *
 * What a reader accepts follows: two whole copies whose numbers differ by
 * one; or one whole copy, and one that is not whole with a number that is
 * lower by one.  A broken copy with any other number is damage: it may have
 * been the newer.  The number carries its own hash in the same word, so that
 * a flipped bit cannot make it another number.
 *
 * Edges: COMMIT, release at seq in put(); the reader is another process that
 * starts after this one has ended: the kernel orders them.
 */

#include "daemon/ledger_cell.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "shm/testpoint.h"

#define SEED	UINT64_C(0x736e6f6f6c656467)

struct copy {
	_Atomic uint64_t seq;
	uint64_t sum;
	unsigned char payload[];
};

_Static_assert(sizeof(struct copy) == 16, "ledger: copy changed");

/* ---- sums ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	/* Each step is a bijection of h: no change of v is ever lost. */
	h ^= v;
	h *= UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

uint64_t ledger_cell_sum(uint64_t seed, const void *data, size_t bytes)
{
	const unsigned char *p = data;
	uint64_t h = mix(SEED, seed);

	for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
		uint64_t v;

		memcpy(&v, p + i, sizeof(v));
		h = mix(h, v);
	}
	return mix(h, bytes);
}

static uint64_t seq_word(uint32_t number)
{
	return (uint64_t)number << 32 |
	       (uint32_t)(mix(SEED, number) >> 32);
}

static bool seq_ok(uint64_t word)
{
	return word == seq_word((uint32_t)(word >> 32));
}

static uint32_t seq_number(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

/* ---- cells ---- */

size_t ledger_cell_bytes(size_t payload)
{
	return 2 * (sizeof(struct copy) + payload);
}

static struct copy *copy_at(void *cell, size_t payload, unsigned int which)
{
	return (void *)((unsigned char *)cell +
			which * (sizeof(struct copy) + payload));
}

static const struct copy *copy_of(const void *cell, size_t payload,
				  unsigned int which)
{
	return (const void *)((const unsigned char *)cell +
			      which * (sizeof(struct copy) + payload));
}

static uint64_t seq_of(const struct copy *c)
{
	/* Relaxed: only this thread writes it. */
	return atomic_load_explicit(&c->seq, memory_order_relaxed);
}

static bool whole(const struct copy *c, size_t payload)
{
	uint64_t seq = seq_of(c);

	return seq_ok(seq) &&
	       c->sum == ledger_cell_sum(seq, c->payload, payload);
}

/* The newer of two copies that cell_check() has found in order. */
static unsigned int newer(const void *cell, size_t payload)
{
	const struct copy *a = copy_of(cell, payload, 0);
	const struct copy *b = copy_of(cell, payload, 1);

	return (int32_t)(seq_number(seq_of(b)) - seq_number(seq_of(a))) > 0;
}

int ledger_cell_check(const void *cell, size_t payload)
{
	const struct copy *c[2] = {
		copy_of(cell, payload, 0),
		copy_of(cell, payload, 1),
	};
	unsigned int n;

	if (!seq_ok(seq_of(c[0])) || !seq_ok(seq_of(c[1])))
		return -EBADMSG;
	n = newer(cell, payload);
	if (seq_number(seq_of(c[n])) - seq_number(seq_of(c[!n])) != 1)
		return -EBADMSG;
	if (!whole(c[n], payload))
		return -EBADMSG;
	return 0;
}

void ledger_cell_get(const void *cell, void *out, size_t payload)
{
	unsigned int n = newer(cell, payload);

	memcpy(out, copy_of(cell, payload, n)->payload, payload);
}

void ledger_cell_put(void *cell, const void *in, size_t payload)
{
	unsigned int n = newer(cell, payload);
	const struct copy *old = copy_of(cell, payload, n);
	struct copy *c = copy_at(cell, payload, !n);
	uint64_t seq = seq_word(seq_number(seq_of(old)) + 1);
	size_t half = payload / 16 * 8;

	if (memcmp(old->payload, in, payload) == 0)
		return;

	SNOO_TESTPOINT("ledger_put_begin");
	memcpy(c->payload, in, half);
	atomic_signal_fence(memory_order_seq_cst);
	SNOO_TESTPOINT("ledger_put_half");
	memcpy(c->payload + half, (const unsigned char *)in + half,
	       payload - half);
	atomic_signal_fence(memory_order_seq_cst);
	SNOO_TESTPOINT("ledger_put_payload");
	c->sum = ledger_cell_sum(seq, in, payload);
	atomic_signal_fence(memory_order_seq_cst);
	SNOO_TESTPOINT("ledger_put_sum");
	/* COMMIT: before this store the old copy counts, after it the new. */
	atomic_store_explicit(&c->seq, seq, memory_order_release);
	SNOO_TESTPOINT("ledger_put_done");
}

void ledger_cell_init(void *cell, const void *in, size_t payload)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct copy *c = copy_at(cell, payload, i);

		memcpy(c->payload, in, payload);
		c->sum = ledger_cell_sum(seq_word(i + 1), in, payload);
		atomic_init(&c->seq, seq_word(i + 1));
	}
}

/* Polynomial 0x07: Hamming distance 4 up to 119 bits. */
uint64_t ledger_cell_crc(uint64_t word, uint32_t unit)
{
	uint32_t crc = 0;

	for (int shift = 56; shift >= -24; shift -= 8) {
		crc ^= shift > 0 ? (uint32_t)(word >> shift & 0xff) :
				   unit >> -shift & 0xff;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 0x80 ? crc << 1 ^ 0x07 : crc << 1) & 0xff;
	}
	return crc;
}
