/* SPDX-License-Identifier: MIT */
/*
 * ring.c - one producer, one consumer, lines that say themselves when fresh
 *
 * Theory of operation
 * ===================
 *
 * A line carries its lap, so the consumer reads no other cache line than the
 * one that it wants, and never writes one that it reads.  The way back, the
 * credit, is a running count in a line that only the consumer writes, and it
 * writes it at most twice for each lap.  So one message costs the transfer of
 * one cache line.
 *
 * Laps run 1, 2, 3, 0, 1, ...  Credits let the producer be at most one lap
 * ahead, hence a line holds either the lap that the consumer waits for or the
 * one before (0 in a zeroed ring), and two bits tell them apart.
 *
 * Ordering edges
 * ==============
 *
 *   edge    one end                 other end                 so that
 *   LINE    publish: release word0  peek: acquire word0       a fresh line is whole
 *   SPACE   tell: release consumed  refresh: acquire consumed a line is read before
 *                                                             it is written again
 *
 * tests/model/ has a model for each edge, and a mutant without it that fails.
 *
 * Coming back
 * ===========
 *
 * Who lost its private end (a daemon that died, and the one after it) finds
 * its place in the ring itself.  Where the number of lines is a power of two,
 * the running count says place and lap also after 2^32 lines.  The consumer
 * goes on at `consumed`, so it sees lines again that it had not told; the
 * producer goes on behind the last line that carries the lap due there, so it
 * repeats nothing.  Of a run that was not finished the PIECE lines are taken
 * away: a shorter message would lie before them, and they would seem fresh.
 */

#include "shm/ring.h"

#include <errno.h>
#include <string.h>

#include "shm/testpoint.h"

uint32_t shm_ring_lines(uint64_t bytes)
{
	uint64_t lines;

	if (bytes <= sizeof(struct snoo_abi_ring))
		return 0;
	lines = (bytes - sizeof(struct snoo_abi_ring)) / SNOO_ABI_LINE;
	if (lines > SNOO_ABI_RING_MAX)
		lines = SNOO_ABI_RING_MAX;
	return lines < SNOO_ABI_RING_MIN ? 0 : (uint32_t)lines;
}

static struct snoo_abi_ring *ring_at(const struct shm_region *r,
				     uint64_t offset, uint32_t nlines)
{
	if (nlines < SNOO_ABI_RING_MIN || nlines > SNOO_ABI_RING_MAX)
		return NULL;
	if (offset < r->arena_off)
		return NULL;
	return shm_region_at(r, offset, sizeof(struct snoo_abi_ring) +
			     (uint64_t)nlines * SNOO_ABI_LINE, SNOO_ABI_UNIT);
}

int64_t shm_ring_format(const struct shm_region *r, uint64_t offset,
			uint64_t bytes, uint32_t home)
{
	uint32_t nlines = shm_ring_lines(bytes);
	struct snoo_abi_ring *abi = ring_at(r, offset, nlines);

	if (!abi)
		return -EINVAL;
	memset(abi, 0, sizeof(*abi) + (size_t)nlines * SNOO_ABI_LINE);
	abi->nlines = nlines;
	abi->home = home;
	return nlines;
}

int shm_tx_open(struct shm_tx *tx, const struct shm_region *r,
		uint64_t offset, uint32_t nlines)
{
	struct snoo_abi_ring *abi = ring_at(r, offset, nlines);

	if (!abi)
		return -EINVAL;
	memset(tx, 0, sizeof(*tx));
	tx->abi = abi;
	tx->nlines = nlines;
	tx->lines = (struct shm_line *)(void *)(abi + 1);
	tx->end = tx->lines + nlines;
	tx->next = tx->lines;
	tx->lap = UINT64_C(1) << SNOO_ABI_LAP_SHIFT;
	tx->limit = nlines;
	tx->offset = offset;
	return 0;
}

int shm_tx_refresh(struct shm_tx *tx)
{
	/*
	 * SPACE, acquire side; shm_rx_tell() releases.  The consumer's copies
	 * come before this load, our stores into those lines after it.
	 */
	uint32_t consumed = atomic_load_explicit(&tx->abi->consumed,
						 memory_order_acquire);

	/* It may only grow, and never beyond what we have published. */
	if (consumed - tx->consumed > tx->published - tx->consumed)
		return -EPROTO;
	tx->consumed = consumed;
	tx->limit = consumed + tx->nlines;
	return 0;
}

void shm_tx_note(struct shm_tx *tx)
{
	/* Relaxed: a number for status, nothing follows from it. */
	atomic_store_explicit(&tx->abi->published, tx->published,
			      memory_order_relaxed);
}

bool shm_tx_drained(struct shm_tx *tx)
{
	return shm_tx_refresh(tx) == 0 && tx->consumed == tx->published;
}

static uint64_t next_lap(uint64_t lap)
{
	return (lap + (UINT64_C(1) << SNOO_ABI_LAP_SHIFT)) &
	       SNOO_ABI_LAP_MASK << SNOO_ABI_LAP_SHIFT;
}

void shm_tx_publish_run(struct shm_tx *tx, uint64_t word0, const void *data,
			size_t n)
{
	struct shm_line *head = tx->next, *line = tx->next;
	uint64_t piece = line_word(SNOO_ABI_PIECE, 0, 0, 0, 0);
	uint64_t head_lap = tx->lap, lap = tx->lap;
	const unsigned char *from = data;
	size_t at = SNOO_ABI_PIECE_MAX;
	uint32_t lines = 1;

	head->word[0] = n;
	memcpy(&head->word[1], from, SNOO_ABI_PIECE_MAX);
	for (; at < n; at += SNOO_ABI_INLINE_MAX, lines++) {
		size_t left = n - at;

		if (++line == tx->end) {
			line = tx->lines;
			lap = next_lap(lap);
		}
		if (left >= SNOO_ABI_INLINE_MAX)
			memcpy(line->word, from + at, SNOO_ABI_INLINE_MAX);
		else
			line_copy(line->word, from + at, left);
		/* Relaxed: seen through the DATA line, which comes last. */
		atomic_store_explicit(&line->word0, piece | lap,
				      memory_order_relaxed);
	}
	SNOO_TESTPOINT("run_filled");
	/* LINE, release side, for all lines of the run at once. */
	atomic_store_explicit(&head->word0, word0 | head_lap,
			      memory_order_release);
	tx->published += lines;
	tx->next = line + 1;
	tx->lap = lap;
	if (tx->next == tx->end) {
		tx->next = tx->lines;
		tx->lap = next_lap(lap);
	}
}

int64_t shm_rx_run(const struct shm_rx *rx, uint64_t word0, uint64_t n)
{
	uint32_t run = line_inlined(word0);
	const struct shm_line *line = rx->next;
	uint64_t lap = rx->lap;

	if (n <= SNOO_ABI_INLINE_MAX ||
	    n > SNOO_ABI_PIECE_MAX + (uint64_t)run * SNOO_ABI_INLINE_MAX ||
	    shm_ring_run(n) != run || run > SNOO_ABI_RUN_LINES ||
	    run >= rx->nlines)
		return -EPROTO;
	for (uint32_t i = 0; i < run; i++) {
		if (++line == rx->end) {
			line = rx->lines;
			lap = next_lap(lap);
		}
		/* Relaxed: whole since before the DATA line was published. */
		if (atomic_load_explicit(&line->word0, memory_order_relaxed) !=
		    (line_word(SNOO_ABI_PIECE, 0, 0, 0, 0) | lap))
			return -EPROTO;
	}
	return run;
}

void shm_rx_gather(const struct shm_rx *rx, void *to, uint64_t n)
{
	const struct shm_line *line = rx->next;
	unsigned char *at = to;
	uint64_t part = n < SNOO_ABI_PIECE_MAX ? n : SNOO_ABI_PIECE_MAX;

	line_copy(at, &line->word[1], (size_t)part);
	for (at += part, n -= part; n > 0; at += part, n -= part) {
		if (++line == rx->end)
			line = rx->lines;
		part = n < SNOO_ABI_INLINE_MAX ? n : SNOO_ABI_INLINE_MAX;
		if (part == SNOO_ABI_INLINE_MAX)
			memcpy(at, line->word, SNOO_ABI_INLINE_MAX);
		else
			line_copy(at, line->word, (size_t)part);
	}
}

int64_t shm_rx_take_run(struct shm_rx *rx, uint64_t word0, void *to,
			size_t room, uint64_t *length)
{
	uint64_t n = *(const volatile uint64_t *)shm_rx_words(rx);
	int64_t run = shm_rx_run(rx, word0, n);

	if (run < 0)
		return run;
	*length = n;
	if (n > room)
		n = room;
	shm_rx_gather(rx, to, n);
	for (; run > 0; run--)
		shm_rx_pop(rx);
	return (int64_t)n;
}

int shm_rx_open(struct shm_rx *rx, const struct shm_region *r,
		uint64_t offset)
{
	struct snoo_abi_ring *abi;
	uint32_t nlines;

	memset(rx, 0, sizeof(*rx));
	abi = ring_at(r, offset, SNOO_ABI_RING_MIN);
	if (!abi)
		return -EPROTO;
	nlines = *(volatile uint32_t *)&abi->nlines;
	if (!ring_at(r, offset, nlines))
		return -EPROTO;

	rx->abi = abi;
	rx->nlines = nlines;
	rx->lines = (const struct shm_line *)(const void *)(abi + 1);
	rx->end = rx->lines + nlines;
	rx->next = rx->lines;
	rx->lap = UINT64_C(1) << SNOO_ABI_LAP_SHIFT;
	rx->batch = nlines / 2;
	rx->offset = offset;
	return 0;
}

/* ---- coming back ---- */

static uint64_t lap_at(uint32_t count, uint32_t nlines)
{
	return (((uint64_t)(count / nlines) + 1) & SNOO_ABI_LAP_MASK)
	       << SNOO_ABI_LAP_SHIFT;
}

static uint64_t lap_of(const _Atomic uint64_t *word0)
{
	/* LINE, acquire side: what is found published is whole. */
	return atomic_load_explicit(word0, memory_order_acquire) &
	       SNOO_ABI_LAP_MASK << SNOO_ABI_LAP_SHIFT;
}

static bool power_of_two(uint32_t n)
{
	return (n & (n - 1)) == 0;
}

/* Does each line from @count on carry its lap, or the one before? */
static bool laps_possible(const struct shm_line *lines, uint32_t nlines,
			  uint32_t count)
{
	for (uint32_t i = 0; i < nlines; i++, count++) {
		uint64_t lap = lap_of(&lines[count & (nlines - 1)].word0);

		if (lap != lap_at(count, nlines) &&
		    lap != lap_at(count - nlines, nlines))
			return false;
	}
	return true;
}

int shm_rx_resume(struct shm_rx *rx, const struct shm_region *r,
		  uint64_t offset)
{
	uint32_t consumed;
	int ret = shm_rx_open(rx, r, offset);

	if (ret)
		return ret;
	if (!power_of_two(rx->nlines))
		return -EPROTO;
	/* Relaxed: ours, or of one before us that is dead. */
	consumed = atomic_load_explicit(&rx->abi->consumed,
					memory_order_relaxed);
	if (!laps_possible(rx->lines, rx->nlines, consumed))
		return -EPROTO;
	rx->consumed = rx->told = consumed;
	rx->next = rx->lines + (consumed & (rx->nlines - 1));
	rx->lap = lap_at(consumed, rx->nlines);
	return 0;
}

int shm_tx_resume(struct shm_tx *tx, const struct shm_region *r,
		  uint64_t offset, uint32_t nlines)
{
	uint32_t at, end;
	int ret = shm_tx_open(tx, r, offset, nlines);

	if (ret)
		return ret;
	if (!power_of_two(nlines))
		return -EINVAL;
	/* SPACE, acquire side. */
	at = atomic_load_explicit(&tx->abi->consumed, memory_order_acquire);
	end = at + nlines;
	if (!laps_possible(tx->lines, nlines, at))
		return -EPROTO;
	tx->consumed = at;
	tx->limit = end;
	while (at != end && lap_of(&tx->lines[at & (nlines - 1)].word0) ==
				    lap_at(at, nlines))
		at++;
	tx->published = at;
	tx->next = tx->lines + (at & (nlines - 1));
	tx->lap = lap_at(at, nlines);
	for (; at != end; at++)
		/* Relaxed: it is read only behind what we publish next. */
		atomic_store_explicit(&tx->lines[at & (nlines - 1)].word0,
				      lap_at(at - nlines, nlines),
				      memory_order_relaxed);
	return 0;
}
