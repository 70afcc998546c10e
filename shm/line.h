/* SPDX-License-Identifier: MIT */
/*
 * line.h - the register message: one 64-byte line, word 0 in fields
 *
 * The layout is drawn in <snoo/abi.h>.  Nothing here touches shared memory.
 */
#ifndef SHM_LINE_H
#define SHM_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <snoo/abi.h>

#define SHM_LINE_WORDS	8

/* Word 0 without its lap, which the ring adds. */
static inline uint64_t line_word(enum snoo_abi_type type, unsigned int flags,
				 unsigned int inlined, uint16_t context,
				 uint32_t tag)
{
	return (uint64_t)type |
	       (uint64_t)flags << SNOO_ABI_FLAG_SHIFT |
	       (uint64_t)inlined << SNOO_ABI_INLINE_SHIFT |
	       (uint64_t)context << SNOO_ABI_CONTEXT_SHIFT |
	       (uint64_t)tag << SNOO_ABI_TAG_SHIFT;
}

static inline enum snoo_abi_type line_type(uint64_t word)
{
	return (enum snoo_abi_type)(word & 0xf);
}

static inline unsigned int line_flags(uint64_t word)
{
	return (unsigned int)(word >> SNOO_ABI_FLAG_SHIFT & SNOO_ABI_FLAG_MASK);
}

static inline unsigned int line_inlined(uint64_t word)
{
	return (unsigned int)(word >> SNOO_ABI_INLINE_SHIFT &
			      SNOO_ABI_INLINE_MASK);
}

static inline uint16_t line_context(uint64_t word)
{
	return (uint16_t)(word >> SNOO_ABI_CONTEXT_SHIFT &
			  SNOO_ABI_CONTEXT_MASK);
}

static inline uint32_t line_tag(uint64_t word)
{
	return (uint32_t)(word >> SNOO_ABI_TAG_SHIFT);
}

/* Matching is on 64 bits; MPI uses the low 48: context above tag. */
static inline uint64_t line_match(uint16_t context, uint32_t tag)
{
	return (uint64_t)context << 32 | tag;
}

/* {index, generation}: tokens, and word 2 of BLOCK. */
static inline uint64_t line_pair(uint32_t index, uint32_t generation)
{
	return (uint64_t)generation << 32 | index;
}

static inline uint32_t line_index(uint64_t pair)
{
	return (uint32_t)pair;
}

static inline uint32_t line_generation(uint64_t pair)
{
	return (uint32_t)(pair >> 32);
}

/**
 * line_copy() - Copy the payload of a line, 0..56 bytes
 *
 * Moves of fixed size, the last two overlapping: a call of memcpy() for an
 * unknown small size costs more than the message's cache line.
 */
static inline void line_copy(void *to, const void *from, size_t n)
{
	unsigned char *d = to;
	const unsigned char *s = from;

	if (n >= 8) {
		for (size_t i = 0; i + 8 <= n; i += 8)
			memcpy(d + i, s + i, 8);
		memcpy(d + n - 8, s + n - 8, 8);
	} else if (n >= 4) {
		memcpy(d, s, 4);
		memcpy(d + n - 4, s + n - 4, 4);
	} else if (n > 0) {
		d[0] = s[0];
		d[n / 2] = s[n / 2];
		d[n - 1] = s[n - 1];
	}
}

#endif /* SHM_LINE_H */
