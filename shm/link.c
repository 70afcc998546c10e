/* SPDX-License-Identifier: MIT */
/*
 * link.c - one end of a VM's control channel: frames in and out
 *
 * Ordering edges
 * ==============
 *
 *   edge    one end                  other end                so that
 *   FRAME   put:  release tail       peek: acquire tail       a frame that can
 *                                                             be seen is whole
 *   ROOM    pop:  release head       put:  acquire head       a frame is copied
 *                                                             before its bytes
 *                                                             are written again
 *   FULL    put:  store full,        pop:  store head,        one of the two
 *                 fence, load head         fence, load full   sees the other:
 *                                                             no lost wake-up
 *   GEN     accept: start, then      accepted: acquire gen,   start belongs to
 *                 release gen              then start         that gen
 *
 * Our own counters are private and only written to the memory; the other
 * end's are loaded once, checked, and the checked copy is used.  Dying between
 * any two steps publishes nothing, or a whole frame.
 */
#include "shm/link.h"

#include <errno.h>
#include <string.h>

#include "shm/testpoint.h"

#define ALIGN		8u
#define MASK		(SNOO_CTL_RING - 1)

static uint32_t padded(uint32_t length)
{
	return (length + ALIGN - 1) & ~(ALIGN - 1);
}

void shm_link_format(void *mem)
{
	struct snoo_ctl_memory *m = mem;

	m->major = SNOO_CTL_MAJOR;
	m->minor = SNOO_CTL_MINOR;
	m->bytes = SNOO_CTL_BYTES;
	atomic_thread_fence(memory_order_release);
	m->magic = SNOO_CTL_MAGIC;
}

/*
 * One of ours, as the last process left it.  No process of ours leaves it
 * between two frames' places, but whoever scribbles does, and the other end
 * would call it nonsense for ever.
 */
static uint32_t own_counter(_Atomic uint32_t *counter)
{
	/* Relaxed: our side alone writes these, and we are its only thread. */
	uint32_t v = atomic_load_explicit(counter, memory_order_relaxed);

	if (v % ALIGN != 0) {
		v &= ~(ALIGN - 1);
		atomic_store_explicit(counter, v, memory_order_relaxed);
	}
	return v;
}

int shm_link_open(struct shm_link *l, void *mem, size_t bytes,
		  enum shm_link_side side)
{
	struct snoo_ctl_memory *m = mem;
	unsigned char *base = mem;
	bool host = side == SHM_LINK_HOST;

	memset(l, 0, sizeof(*l));
	if (bytes < SNOO_CTL_BYTES || m->magic != SNOO_CTL_MAGIC)
		return -EINVAL;
	if (m->major != SNOO_CTL_MAJOR)
		return -EPROTONOSUPPORT;
	l->mem = m;
	l->ours = host ? &m->host : &m->guest;
	l->theirs = host ? &m->guest : &m->host;
	l->out = base + (host ? SNOO_CTL_H2G : SNOO_CTL_G2H);
	l->in = base + (host ? SNOO_CTL_G2H : SNOO_CTL_H2G);
	l->tail = own_counter(&l->ours->tail);
	l->head = own_counter(&l->ours->head);
	return 0;
}

/* Bytes free in the ring that we fill; -EPROTO: their head is impossible. */
static int64_t room(const struct shm_link *l)
{
	/* ROOM, acquire side: they copied what lies before head. */
	uint32_t head = atomic_load_explicit(&l->theirs->head,
					     memory_order_acquire);
	uint32_t used = l->tail - head;

	if (used > SNOO_CTL_RING || used % ALIGN != 0)
		return -EPROTO;
	return SNOO_CTL_RING - used;
}

static void copy_in(struct shm_link *l, uint32_t at, const void *src,
		    size_t bytes)
{
	uint32_t from = at & MASK;
	size_t first = SNOO_CTL_RING - from;

	if (first > bytes)
		first = bytes;
	memcpy(l->out + from, src, first);
	memcpy(l->out, (const unsigned char *)src + first, bytes - first);
}

static void copy_out(const struct shm_link *l, uint32_t at, void *dst,
		     size_t bytes)
{
	uint32_t from = at & MASK;
	size_t first = SNOO_CTL_RING - from;

	if (first > bytes)
		first = bytes;
	memcpy(dst, l->in + from, first);
	memcpy((unsigned char *)dst + first, l->in, bytes - first);
}

/* Relaxed in both: the fence of FULL orders it where it matters. */
static void say_full(struct shm_link *l, uint32_t full)
{
	atomic_store_explicit(&l->ours->full, full, memory_order_relaxed);
}

int shm_link_put(struct shm_link *l, const struct snoo_ctl_frame *f,
		 const void *body, size_t bytes)
{
	struct snoo_ctl_frame head = *f;
	uint32_t need;
	int64_t have;

	if (bytes > SNOO_CTL_FRAME_MAX - sizeof(head))
		return -EMSGSIZE;
	head.length = (uint32_t)(sizeof(head) + bytes);
	need = padded(head.length);
	have = room(l);
	if (have >= 0 && have < need) {
		/*
		 * FULL: say that we wait, then look once more; pop() moves its
		 * head, then looks whether we wait.
		 */
		say_full(l, SNOO_CTL_FULL);
		atomic_thread_fence(memory_order_seq_cst);
		SNOO_TESTPOINT("link_full");
		have = room(l);
	}
	if (have < 0)
		return (int)have;
	if (have < need)
		return -EAGAIN;
	say_full(l, 0);
	copy_in(l, l->tail, &head, sizeof(head));
	if (bytes)
		copy_in(l, l->tail + (uint32_t)sizeof(head), body, bytes);
	SNOO_TESTPOINT("link_copied");
	l->tail += need;
	/* FRAME, release side. */
	atomic_store_explicit(&l->ours->tail, l->tail, memory_order_release);
	SNOO_TESTPOINT("link_published");
	return 0;
}

int64_t shm_link_room(struct shm_link *l)
{
	int64_t have = room(l);
	int64_t head = (int64_t)sizeof(struct snoo_ctl_frame);

	if (have < 0)
		return have;
	if (have > SNOO_CTL_FRAME_MAX)
		have = SNOO_CTL_FRAME_MAX;
	return have > head ? have - head : 0;
}

int shm_link_peek(struct shm_link *l, void *buf)
{
	struct snoo_ctl_frame f;
	/* FRAME, acquire side. */
	uint32_t tail = atomic_load_explicit(&l->theirs->tail,
					     memory_order_acquire);
	uint32_t used = tail - l->head;

	if (used == 0)
		return 0;
	if (used > SNOO_CTL_RING || used % ALIGN != 0 || used < sizeof(f))
		return -EPROTO;
	copy_out(l, l->head, &f, sizeof(f));
	if (f.length < sizeof(f) || f.length > SNOO_CTL_FRAME_MAX ||
	    padded(f.length) > used)
		return -EPROTO;
	/* The head that was checked, not what may stand there by now. */
	memcpy(buf, &f, sizeof(f));
	copy_out(l, l->head + (uint32_t)sizeof(f),
		 (unsigned char *)buf + sizeof(f), f.length - sizeof(f));
	return (int)f.length;
}

bool shm_link_pop(struct shm_link *l, const void *buf)
{
	const struct snoo_ctl_frame *f = buf;

	l->head += padded(f->length);
	/* ROOM, release side: our copy is complete. */
	atomic_store_explicit(&l->ours->head, l->head, memory_order_release);
	SNOO_TESTPOINT("link_popped");
	/* FULL, the other side. */
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(&l->theirs->full, memory_order_relaxed) ==
	       SNOO_CTL_FULL;
}

/* ---- the session ---- */

/*
 * Our end of the memory as it should be, whoever has scribbled over it: the
 * other end goes by it from the next gen on.  Relaxed: gen follows.
 */
static void restore(struct shm_link *l)
{
	atomic_store_explicit(&l->ours->tail, l->tail, memory_order_relaxed);
	atomic_store_explicit(&l->ours->head, l->head, memory_order_relaxed);
	say_full(l, 0);
}

void shm_link_ask(struct shm_link *l)
{
	/* Relaxed: the host answers the number, whenever it sees it. */
	uint32_t ours = atomic_load_explicit(&l->ours->gen,
					     memory_order_relaxed);
	uint32_t theirs = atomic_load_explicit(&l->theirs->gen,
					       memory_order_relaxed);
	uint32_t gen = ours + 1;

	while (gen == 0 || gen == theirs)
		gen++;
	restore(l);
	/* Release: our counters are what the host will find. */
	atomic_store_explicit(&l->ours->gen, gen, memory_order_release);
	SNOO_TESTPOINT("link_asked");
}

uint32_t shm_link_asked(const struct shm_link *l)
{
	uint32_t gen = atomic_load_explicit(&l->theirs->gen,
					    memory_order_acquire);
	/* Relaxed: ours. */
	uint32_t done = atomic_load_explicit(&l->ours->gen,
					     memory_order_relaxed);

	return gen != done ? gen : 0;
}

void shm_link_accept(struct shm_link *l, uint32_t gen, bool discard)
{
	if (discard) {
		l->head = atomic_load_explicit(&l->theirs->tail,
					       memory_order_acquire);
		l->head &= ~(ALIGN - 1);
	}
	shm_link_format(l->mem);
	restore(l);
	atomic_store_explicit(&l->ours->start, l->tail, memory_order_relaxed);
	atomic_store_explicit(&l->ours->state, SNOO_CTL_LIVE,
			      memory_order_relaxed);
	/* GEN, release side: start and state are this gen's. */
	atomic_store_explicit(&l->ours->gen, gen, memory_order_release);
	SNOO_TESTPOINT("link_accepted");
}

bool shm_link_accepted(struct shm_link *l)
{
	/* GEN, acquire side. */
	uint32_t gen = atomic_load_explicit(&l->theirs->gen,
					    memory_order_acquire);
	uint32_t start;

	/* Relaxed: ours. */
	if (gen == 0 || gen != atomic_load_explicit(&l->ours->gen,
						    memory_order_relaxed))
		return false;
	start = atomic_load_explicit(&l->theirs->start, memory_order_relaxed);
	l->head = start & ~(ALIGN - 1);
	atomic_store_explicit(&l->ours->head, l->head, memory_order_release);
	return true;
}

void shm_link_cut(struct shm_link *l)
{
	/* Relaxed: a word for the guest's log. */
	atomic_store_explicit(&l->ours->state, SNOO_CTL_CUT,
			      memory_order_relaxed);
}

bool shm_link_is_cut(const struct shm_link *l)
{
	return atomic_load_explicit(&l->theirs->state,
				    memory_order_relaxed) == SNOO_CTL_CUT;
}
