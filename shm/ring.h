/* SPDX-License-Identifier: MIT */
/*
 * ring.h - one producer, one consumer, lines that say themselves when fresh
 *
 * Who may call: one thread the tx functions, one thread the rx functions.
 * All are wait-free, make no system call, and do not need the peer alive.
 */
#ifndef SHM_RING_H
#define SHM_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <snoo/abi.h>

#include "shm/cpu.h"
#include "shm/line.h"
#include "shm/region.h"

#define SHM_TX_AHEAD	6	/* lines: 4 to 8 were measured alike */

struct shm_line {
	_Atomic uint64_t word0;
	uint64_t word[SHM_LINE_WORDS - 1];	/* words 1..7 */
};

_Static_assert(sizeof(struct shm_line) == SNOO_ABI_LINE, "a line is a line");

/** struct shm_tx - Producer's end; private, the peer cannot steer it */
struct shm_tx {
	struct shm_line *next;		/* the line to fill */
	uint64_t lap;			/* of that line, in place in word 0 */
	uint32_t published;		/* lines, runs freely */
	uint32_t limit;			/* published may not pass this */
	struct shm_line *lines;
	struct shm_line *end;
	struct snoo_abi_ring *abi;
	uint32_t nlines;
	uint32_t consumed;		/* as last seen */
	uint64_t offset;		/* of the ring in the pool */
};

/** struct shm_rx - Consumer's end; private */
struct shm_rx {
	const struct shm_line *next;	/* the line to look at */
	uint64_t lap;
	uint32_t consumed;		/* lines, runs freely */
	uint32_t told;			/* consumed, as the producer sees it */
	const struct shm_line *lines;
	const struct shm_line *end;
	struct snoo_abi_ring *abi;
	uint32_t nlines;
	uint32_t batch;			/* lines consumed before telling */
	uint64_t offset;
};

/** shm_ring_lines() - Lines that fit into a ring of @bytes */
uint32_t shm_ring_lines(uint64_t bytes);

/**
 * shm_ring_format() - Zero a ring and write its geometry
 * @r:		Pool
 * @offset:	Where; a multiple of SNOO_ABI_UNIT
 * @bytes:	Of the whole ring
 * @home:	Producer's slot
 *
 * Only before the ring is handed out.
 *
 * Return: lines, or -EINVAL if it does not fit the pool or the bounds
 */
int64_t shm_ring_format(const struct shm_region *r, uint64_t offset,
			uint64_t bytes, uint32_t home);

/**
 * shm_tx_open() - Begin to produce into a zeroed ring
 *
 * Return: 0, or -EINVAL: outside the pool, or an impossible number of lines
 */
int shm_tx_open(struct shm_tx *tx, const struct shm_region *r,
		uint64_t offset, uint32_t nlines);

/**
 * shm_tx_refresh() - Read the consumer's counter again
 *
 * Return: 0, or -EPROTO: the counter is impossible; the peer is broken
 */
int shm_tx_refresh(struct shm_tx *tx);

/**
 * shm_tx_room() - Lines that may be published now without @reserve of them
 *
 * Looks at the consumer's line only when the known credit is spent.
 *
 * Return: lines, 0 if full, -EPROTO if the consumer's counter is impossible
 */
static inline int64_t shm_tx_room(struct shm_tx *tx, uint32_t reserve)
{
	uint32_t room = tx->limit - tx->published;

	if (room <= reserve) {
		int ret = shm_tx_refresh(tx);

		if (ret)
			return ret;
		room = tx->limit - tx->published;
	}
	return room > reserve ? (int64_t)(room - reserve) : 0;
}

/** shm_tx_words() - Words 1..7 of the next line; only when there is room */
static inline uint64_t *shm_tx_words(struct shm_tx *tx)
{
	return tx->next->word;
}

/**
 * shm_tx_publish() - Publish the next line, whose words are filled
 * @word0:	From line_word(); the lap is added here
 *
 * The caller owes the consumer a wake check (shm/wake.h) after the last line
 * of a batch.
 */
static inline void shm_tx_publish(struct shm_tx *tx, uint64_t word0)
{
	/*
	 * LINE, release side; shm_rx_peek() acquires.  Words 1..7 are whole
	 * before word 0 can be seen with this lap.
	 */
	atomic_store_explicit(&tx->next->word0, word0 | tx->lap,
			      memory_order_release);
	tx->published++;
	if (++tx->next == tx->end) {
		tx->next = tx->lines;
		tx->lap = (tx->lap + (UINT64_C(1) << SNOO_ABI_LAP_SHIFT)) &
			  SNOO_ABI_LAP_MASK << SNOO_ABI_LAP_SHIFT;
	}
	/*
	 * The consumer's cache has the lines since the last lap, and the
	 * fence after a batch waits until ours have them back: so they come
	 * early.  Not the next ones, which the consumer may be looking at.
	 */
	if (tx->end - tx->next > SHM_TX_AHEAD)
		cpu_prefetch_write(tx->next + SHM_TX_AHEAD);
}

/**
 * shm_ring_run() - PIECE lines that a message of @n bytes needs in a run
 *
 * The first 48 bytes are in the DATA line.
 */
static inline uint32_t shm_ring_run(uint64_t n)
{
	if (n <= SNOO_ABI_PIECE_MAX)
		return 0;
	return (uint32_t)((n - SNOO_ABI_PIECE_MAX + SNOO_ABI_INLINE_MAX - 1) /
			  SNOO_ABI_INLINE_MAX);
}

/**
 * shm_tx_publish_run() - Publish a message in several lines
 * @word0:	Of the DATA line, with flag STREAM and the count of PIECE lines
 * @data:	@n bytes, SNOO_ABI_INLINE_MAX < @n
 *
 * There must be room for 1 + shm_ring_run(@n) lines.
 */
void shm_tx_publish_run(struct shm_tx *tx, uint64_t word0, const void *data,
			size_t n);

/** shm_tx_note() - Show the published count to who reads status */
void shm_tx_note(struct shm_tx *tx);

/** shm_tx_drained() - Has the consumer taken (and said so) all lines? */
bool shm_tx_drained(struct shm_tx *tx);

/**
 * shm_rx_open() - Begin to consume a ring that a peer has announced
 *
 * The geometry lies in the pool: it is copied and checked here, once.
 *
 * Return: 0, or -EPROTO: outside the pool or impossible
 */
int shm_rx_open(struct shm_rx *rx, const struct shm_region *r,
		uint64_t offset);

/**
 * shm_rx_peek() - Is the next line there?
 * @word0:	Its word 0, valid if true is returned
 */
static inline bool shm_rx_peek(const struct shm_rx *rx, uint64_t *word0)
{
	/* LINE, acquire side; shm_tx_publish() releases. */
	uint64_t w = atomic_load_explicit(&rx->next->word0,
					  memory_order_acquire);

	*word0 = w;
	return (w & SNOO_ABI_LAP_MASK << SNOO_ABI_LAP_SHIFT) == rx->lap;
}

/** shm_rx_words() - Words 1..7 of the line that shm_rx_peek() has seen */
static inline const uint64_t *shm_rx_words(const struct shm_rx *rx)
{
	return rx->next->word;
}

/** shm_rx_pop() - The line is copied: go on to the next */
static inline void shm_rx_pop(struct shm_rx *rx)
{
	rx->consumed++;
	if (++rx->next == rx->end) {
		rx->next = rx->lines;
		rx->lap = (rx->lap + (UINT64_C(1) << SNOO_ABI_LAP_SHIFT)) &
			  SNOO_ABI_LAP_MASK << SNOO_ABI_LAP_SHIFT;
	}
}

/**
 * shm_rx_run() - Check the run whose DATA line shm_rx_peek() has seen
 * @word0:	Of that line
 * @n:		Bytes of the message, as its word 1 says (a copy)
 *
 * Return: PIECE lines, or -EPROTO: this is no run of @n bytes
 */
int64_t shm_rx_run(const struct shm_rx *rx, uint64_t word0, uint64_t n);

/**
 * shm_rx_gather() - Copy the first @n bytes of a run that was checked
 *
 * The lines stay where they are: pop the PIECE lines and the DATA line.
 */
void shm_rx_gather(const struct shm_rx *rx, void *to, uint64_t n);

/**
 * shm_rx_take_run() - Check a run, copy its first bytes, pop all but one line
 * @word0:	Of the DATA line that shm_rx_peek() has seen
 * @room:	Bytes to copy at most
 * @length:	Bytes of the message
 *
 * Return: bytes copied, or -EPROTO as shm_rx_run(): nothing was popped
 */
int64_t shm_rx_take_run(struct shm_rx *rx, uint64_t word0, void *to,
			size_t room, uint64_t *length);

/** shm_rx_due() - Is it time to tell the producer? */
static inline bool shm_rx_due(const struct shm_rx *rx)
{
	return rx->consumed - rx->told >= rx->batch;
}

/**
 * shm_rx_tell() - Give the lines consumed so far back to the producer
 *
 * The caller owes the producer a wake check afterwards.
 *
 * Return: true if there was something to tell
 */
static inline bool shm_rx_tell(struct shm_rx *rx)
{
	if (rx->consumed == rx->told)
		return false;
	rx->told = rx->consumed;
	/*
	 * SPACE, release side; shm_tx_refresh() acquires.  Our copies out of
	 * the lines are complete before the producer may write them again.
	 */
	atomic_store_explicit(&rx->abi->consumed, rx->consumed,
			      memory_order_release);
	return true;
}

/**
 * shm_rx_tell_to() - Give back lines up to count @to only
 * @to:		Between what was told and what was consumed
 *
 * For a consumer that is done with a line only some time after it popped it:
 * if it dies before, the next one sees that line again.
 */
static inline void shm_rx_tell_to(struct shm_rx *rx, uint32_t to)
{
	rx->told = to;
	/* SPACE, release side, as in shm_rx_tell(). */
	atomic_store_explicit(&rx->abi->consumed, to, memory_order_release);
}

/**
 * shm_rx_resume() - Consume on in a ring whose last consumer is dead
 *
 * From what that one told on: lines that it had consumed since come again.
 *
 * Return: 0, or -EPROTO: as shm_rx_open(), or the number of lines is no power
 *	   of two, or the lines carry laps that cannot be
 */
int shm_rx_resume(struct shm_rx *rx, const struct shm_region *r,
		  uint64_t offset);

/**
 * shm_tx_resume() - Produce on in a ring whose last producer is dead
 *
 * Behind the last line that it published.
 *
 * Return: 0, or negative error code
 *	-EINVAL	as shm_tx_open(), or @nlines is no power of two
 *	-EPROTO	the lines carry laps that cannot be
 */
int shm_tx_resume(struct shm_tx *tx, const struct shm_region *r,
		  uint64_t offset, uint32_t nlines);

#endif /* SHM_RING_H */
