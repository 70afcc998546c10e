/* SPDX-License-Identifier: MIT */
/*
 * meet.c - all ranks of a job meet
 *
 * Theory of operation
 * ===================
 *
 * A counter that all add to is one line that wanders through all cores, and a
 * tree of messages makes every rank run twice: to pass on what came from below,
 * and what comes from above.  Where ranks share a core the second costs most:
 * each run is a switch of processes.  So here nobody waits for a parent.  A rank
 * stores that it has arrived, in lines of its own, and looks at its neighbours;
 * whoever finds all of them there, the last one to arrive, goes up and stores the
 * same for their node.  All others look at the few words at the top alone.
 *
 * A rank's cost is SNOO_ABI_MEET_FAN loads on each level that it climbs, and
 * as many while it waits: linear in the ranks, all together.
 *
 * Ordering edges
 * ==============
 *
 *   edge     one end                     other end                 so that
 *   MEET     arrive: store, fence, look  the same at another rank  one of the two sees
 *                                                                  the other: the last
 *                                                                  one goes up, and wakes
 *   ARRIVED  arrive: data, then release  look, there: acquire      data is whole, and
 *            `arrived`                                             what came before
 *                                                                  the meeting is seen
 *
 * If a rank dies before its store it has not arrived.  If it dies after it, and
 * before the store for its node, nobody else may go up: shm_meet_each() finds
 * it.  Several may write a node at once: all the same words.  None of them is
 * late, because the node's turn is used again only when all have left: see
 * struct snoo_abi_meet.
 */

#include "shm/meet.h"

#include <errno.h>
#include <string.h>

#include "shm/testpoint.h"

#define WORD	sizeof(uint64_t)

static uint32_t nodes_over(uint32_t n)
{
	return (n + SNOO_ABI_MEET_FAN - 1) / SNOO_ABI_MEET_FAN;
}

uint64_t shm_meet_bytes(uint32_t ranks)
{
	uint64_t n = ranks;

	while (ranks > SNOO_ABI_MEET_FAN) {
		ranks = nodes_over(ranks);
		n += ranks;
	}
	return n * sizeof(struct snoo_abi_meet);
}

void shm_meet_open(struct shm_meet *m, void *area, uint32_t ranks)
{
	uint32_t first = 0, n = ranks;

	memset(m, 0, sizeof(*m));
	m->all = area;
	m->ranks = ranks;
	for (;;) {
		m->first[m->levels] = first;
		m->count[m->levels] = n;
		m->levels++;
		if (n <= SNOO_ABI_MEET_FAN || m->levels == SHM_MEET_LEVELS)
			return;
		first += n;
		n = nodes_over(n);
	}
}

static struct snoo_abi_turn *turn(const struct shm_meet *m, uint32_t level,
				  uint32_t i, uint64_t number)
{
	return &m->all[m->first[level] + i].turn[number & 1];
}

/* The copies are word by word: who writes a node does so beside others. */
static void put(struct snoo_abi_turn *t, const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t word;
	size_t i;

	for (i = 0; len >= WORD; i++, p += WORD, len -= WORD) {
		memcpy(&word, p, WORD);
		/* Relaxed: `arrived` publishes it. */
		atomic_store_explicit(&t->data[i], word, memory_order_relaxed);
	}
	if (len > 0) {
		word = 0;
		memcpy(&word, p, len);
		atomic_store_explicit(&t->data[i], word, memory_order_relaxed);
	}
}

static void get(const struct snoo_abi_turn *t, void *to, size_t len)
{
	unsigned char *p = to;
	uint64_t word;
	size_t i;

	for (i = 0; len >= WORD; i++, p += WORD, len -= WORD) {
		/* Relaxed: `arrived` was acquired. */
		word = atomic_load_explicit(&t->data[i], memory_order_relaxed);
		memcpy(p, &word, WORD);
	}
	if (len > 0) {
		word = atomic_load_explicit(&t->data[i], memory_order_relaxed);
		memcpy(p, &word, len);
	}
}

static void say(struct snoo_abi_turn *t, const struct shm_meet_part *part,
		uint64_t what, const void *data, size_t len)
{
	put(t, data, len);
	/* Relaxed: `arrived` publishes both. */
	atomic_store_explicit(&t->what, what, memory_order_relaxed);
	atomic_store_explicit(&t->bytes, part->bytes, memory_order_relaxed);
	SNOO_TESTPOINT("meet_filled");
	/* ARRIVED, release side. */
	atomic_store_explicit(&t->arrived, part->number, memory_order_release);
	SNOO_TESTPOINT("meet_arrived");
}

static void settle(void)
{
	/*
	 * MEET: our store comes before our look at the neighbours, and theirs
	 * before their look at us.  Of all who arrive, the one whose fence is
	 * last sees everybody.
	 */
	atomic_thread_fence(memory_order_seq_cst);
}

static bool is_there(const struct snoo_abi_turn *t, uint64_t number)
{
	/* ARRIVED, acquire side. */
	return atomic_load_explicit(&t->arrived, memory_order_acquire) >=
	       number;
}

static int like(const struct snoo_abi_turn *t, uint64_t what, uint64_t bytes)
{
	/* Relaxed: `arrived` was acquired. */
	uint64_t said = atomic_load_explicit(&t->what, memory_order_relaxed);

	if (said == SNOO_ABI_MEET_SIZES)
		return -EMSGSIZE;
	if (said != what)
		return -EINVAL;
	return atomic_load_explicit(&t->bytes, memory_order_relaxed) == bytes ?
		       0 : -EMSGSIZE;
}

static int all_like(const struct shm_meet *m, uint32_t level, uint32_t first,
		    uint32_t end, const struct shm_meet_part *part)
{
	int ret = 0;

	for (uint32_t i = first; i < end && ret != -EINVAL; i++) {
		int one = like(turn(m, level, i, part->number), part->what,
			       part->bytes);

		if (one)
			ret = one;
	}
	return ret;
}

static uint32_t end_of(const struct shm_meet *m, uint32_t level, uint32_t first)
{
	uint32_t left = m->count[level] - first;

	return first + (left < SNOO_ABI_MEET_FAN ? left : SNOO_ABI_MEET_FAN);
}

static void fold(const struct shm_meet *m, const struct shm_meet_part *part,
		 uint32_t level, uint32_t first, uint32_t end, void *acc);

/* What a rank brought or a node has put together, or would have. */
static void value(const struct shm_meet *m, const struct shm_meet_part *part,
		  uint32_t level, uint32_t i, void *to)
{
	const struct snoo_abi_turn *t = turn(m, level, i, part->number);
	uint32_t first = i * SNOO_ABI_MEET_FAN;

	if (level == 0 || is_there(t, part->number))
		get(t, to, part->len);
	else
		fold(m, part, level - 1, first, end_of(m, level - 1, first),
		     to);
}

static void fold(const struct shm_meet *m, const struct shm_meet_part *part,
		 uint32_t level, uint32_t first, uint32_t end, void *acc)
{
	uint64_t in[SNOO_ABI_MEET_DATA / WORD];

	value(m, part, level, first, acc);
	for (uint32_t i = first + 1; i < end; i++) {
		value(m, part, level, i, in);
		part->fold(acc, in, part->arg);
	}
}

/* All of a node's children are there: now the node is. */
static void go_up(const struct shm_meet *m, const struct shm_meet_part *part,
		  uint32_t level, uint32_t first, uint32_t end)
{
	struct snoo_abi_turn *t = turn(m, level + 1,
				       first / SNOO_ABI_MEET_FAN, part->number);
	uint64_t acc[SNOO_ABI_MEET_DATA / WORD];
	int ret = all_like(m, level, first, end, part);

	if (ret) {
		say(t, part, ret == -EMSGSIZE ? SNOO_ABI_MEET_SIZES :
						SNOO_ABI_MEET_UNLIKE, "", 0);
		return;
	}
	if (part->fold)
		fold(m, part, level, first, end, acc);
	say(t, part, part->what, acc, part->fold ? part->len : 0);
}

void shm_meet_come(const struct shm_meet *m, uint32_t rank,
		   const struct shm_meet_part *part)
{
	say(turn(m, 0, rank, part->number), part, part->what, part->data,
	    part->len);
}

bool shm_meet_arrive(const struct shm_meet *m, uint32_t rank,
		     const struct shm_meet_part *part)
{
	uint32_t i = rank, at = 0;

	shm_meet_come(m, rank, part);
	settle();
	for (uint32_t level = 0; level + 1 < m->levels; level++) {
		uint32_t first = i - i % SNOO_ABI_MEET_FAN;
		uint32_t end = end_of(m, level, first);

		for (uint32_t k = first; k < end; k++) {
			if (!is_there(turn(m, level, k, part->number),
				      part->number))
				return false;
		}
		go_up(m, part, level, first, end);
		settle();
		i /= SNOO_ABI_MEET_FAN;
	}
	return shm_meet_look(m, part->number, &at);
}

bool shm_meet_there(const struct shm_meet *m, uint32_t rank, uint64_t number)
{
	return is_there(turn(m, 0, rank, number), number);
}

bool shm_meet_look(const struct shm_meet *m, uint64_t number, uint32_t *at)
{
	uint32_t top = m->levels - 1;

	for (; *at < m->count[top]; ++*at) {
		if (!is_there(turn(m, top, *at, number), number))
			return false;
	}
	return true;
}

bool shm_meet_each(const struct shm_meet *m, uint64_t number)
{
	for (uint32_t i = 0; i < m->ranks; i++) {
		if (!shm_meet_there(m, i, number))
			return false;
	}
	return true;
}

int shm_meet_like(const struct shm_meet *m, uint32_t rank,
		  const struct shm_meet_part *part)
{
	return like(turn(m, 0, rank, part->number), part->what, part->bytes);
}

int shm_meet_alike(const struct shm_meet *m, const struct shm_meet_part *part)
{
	uint32_t top = m->levels - 1, at = 0;

	/* A node that nobody has told: its ranks say it themselves. */
	if (!shm_meet_look(m, part->number, &at))
		top = 0;
	return all_like(m, top, 0, m->count[top], part);
}

void shm_meet_read(const struct shm_meet *m, uint32_t rank, uint64_t number,
		   void *to, size_t len)
{
	get(turn(m, 0, rank, number), to, len);
}

void shm_meet_fold(const struct shm_meet *m, const struct shm_meet_part *part,
		   void *acc)
{
	uint32_t top = m->levels - 1;

	fold(m, part, top, 0, m->count[top], acc);
}
