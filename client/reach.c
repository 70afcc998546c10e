/* SPDX-License-Identifier: MIT */
/*
 * reach.c - large messages straight out of the sender's memory
 *
 * Theory of operation
 * ===================
 *
 *     sender                                    receiver
 *     stamp = token ^ nonce
 *     OFFER {..., CMA, address, stamp} ------>  a receive matches:
 *                                               read the bytes
 *                                               read the stamp
 *            <-------------------------------  DONE {FETCHED}
 *
 * When.  What is too large to be eager (eager_bytes) is offered.  On a core that
 * ranks share the second copy of a stream is work that somebody else waits for:
 * there one copy by the kernel is better.  Where each rank has its core both copies
 * run at the same time, and it depends on the machine.  The kernel takes the
 * sender's pages one by one, but each line goes from one core to the other once,
 * where a block's lines go there to be read and back to be written.  With 50 ns for
 * a line (Zen 4) streams were faster by up to two times, with 190 ns (a server
 * Xeon's mesh) slower by as much.  So the sender offers both, and the receiver,
 * which alone sees what either costs it, takes what has cost less for that peer and
 * size, and from time to time the other one (ways.c).  A stream's time is from its
 * ACCEPT, or from the end of the one before it, to its last byte.  From
 * REACH_LARGE on streams are as fast everywhere, and let others' messages through
 * meanwhile.
 *
 * What a kind of size begins with is left only for what is a quarter better, so it
 * matters beyond the first messages.  Up to 1 MiB it is one copy: on the Xeon, windows
 * of 128 to 512 KiB take 0.77 to 1.05 of the time that they take if it is a stream;
 * to and fro it is the same.  Where streams are much faster, that costs what the
 * messages before the first try do.  Larger ones begin with a stream.
 *
 * But nothing is offered while the sender's bytes are counted, for want of blocks
 * or by a rate limit: what is offered is charged when it has been read, so several
 * at a time would go far beyond an allowance.
 *
 * Whom.  The pool says nothing that could be believed here: a member of the
 * domain that could name a process would make the receiver read that process's
 * memory, and take it for a message.  So the daemon, which knows the process by
 * its socket, says which it is (WHERE, PEER), and only of a process of the same
 * user, on this kernel, to one that sees the daemon's pids.  The kernel has the
 * last word: the first look is at the nonce, which only the daemon and those that
 * it told know.  An address in an OFFER names memory of the sender alone, whoever
 * has written it there: a member of the domain that forges one makes the receiver take
 * other memory of its partner's, one of the same user, for a message, as it could
 * forge the message.  Memory that never comes (userfaultfd)
 * keeps the receiver in the kernel, whatever its time limit; but a process of the
 * same user could stop it anyway.
 *
 * Still the message?  A send may end before it is read (its time limit, a cancel,
 * the receiver's death as the daemon sees it), and the buffer is the
 * application's again; or the process may have died, and another one may have its
 * pid.  So after the bytes the receiver looks whether anything of the kind has
 * happened at all, in a page of the sender's that both have mapped (stamps.c).  Where
 * it has, or there is no such page, it reads the stamp, a word in the sender's memory
 * that holds token ^ nonce as long as the offer stands.  If it does not, the bytes
 * are nobody's, and the message is asked for by ACCEPT as if there had been no
 * address; if the offer is gone, CANCEL is on its way.  The sender takes its stamp
 * away before it gives the buffer back:
 *
 *   edge    revoke                        fetch
 *   REVOKE  stamp = 0, revoked + 1,       read the bytes, fence, look at
 *           fence release, then the       revoked, or read the stamp
 *           application writes
 *
 * as for buffers in the pool (alloc.c), where its model is.
 */
#include "client/reach.h"

#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include "client/lend.h"
#include "client/session.h"
#include "client/stamps.h"
#include "shm/cpu.h"
#include "shm/line.h"
#include "shm/testpoint.h"

#define STAMPS	    64u		  /* the first one is the nonce */
#define ASKS_MAX    3u		  /* it may not have said REACH yet */
#define TRY	    4u		  /* messages that go the other way */
#define PART_BYTES  (1u << 30)	  /* of one call */

static void say_where_we_are(struct snoo *ctx)
{
	if (ctx->reach.page && ctx->session.minor >= REACH_MINOR)
		session_reach(ctx, (uint64_t)(uintptr_t)ctx->reach.page,
			      ctx->reach.nonce);
}

void reach_open(struct snoo *ctx)
{
	struct reach *r = &ctx->reach;

	if (getrandom(&r->nonce, sizeof(r->nonce), GRND_NONBLOCK) !=
		    (ssize_t)sizeof(r->nonce) ||
	    r->nonce == 0)
		return;
	r->page = stamps_open(r->nonce);
	if (!r->page)
		return;
	r->file = (int)r->page->file - 1;
	r->free = ~UINT64_C(1);
	say_where_we_are(ctx);
}

void reach_close(struct snoo *ctx)
{
	for (uint32_t i = 0; ctx->peers && i < ctx->capacity; i++)
		stamps_unmap(&ctx->peers[i]);
	if (!ctx->reach.page)
		return;
	/* Relaxed: it is ours, or a copy. */
	if (atomic_load_explicit(ctx->alive, memory_order_relaxed) == 1)
		stamps_close(ctx->reach.page);
	else if (ctx->reach.file >= 0)
		close(ctx->reach.file);
	ctx->reach.page = NULL;
}

static bool on(const struct snoo *ctx)
{
	return ctx->reach.page && ctx->session.minor >= REACH_MINOR;
}

/*
 * Does another rank sit on that one's core?  The service of the registers, which
 * counts there as one that may have to run, needs it for a mailbox now and then.
 * Relaxed: hints.
 */
static bool shares(const struct snoo *ctx, const struct snoo_abi_rank *r)
{
	return atomic_load_explicit(&r->sharers, memory_order_relaxed) >
	       1u + ctx->registers.open;
}

bool reach_crowded(const struct snoo *ctx, const struct peer *p)
{
	return shares(ctx, ctx->me) || (p->there && shares(ctx, p->there));
}

bool reach_may(const struct snoo *ctx, const struct peer *p, uint64_t len)
{
	return len > REACH_BYTES && on(ctx) &&
	       (len < REACH_LARGE || reach_crowded(ctx, p)) && lend_unlimited(ctx);
}

void reach_offer(struct snoo *ctx, const struct peer *p,
		 struct snoo_request *req, uint64_t words[3])
{
	struct reach *r = &ctx->reach;
	uint32_t i;

	if ((words[0] & SNOO_ABI_WAY_POOL) || r->free == 0 ||
	    !reach_may(ctx, p, req->len))
		return;
	i = (uint32_t)__builtin_ctzll(r->free);
	r->free &= r->free - 1;
	r->out++;
	req->stamp = (uint8_t)i;
	/* Relaxed: the OFFER line, which says where, releases it. */
	atomic_store_explicit(&r->page->stamp[i], req->token ^ r->nonce,
			      memory_order_relaxed);
	words[0] |= SNOO_ABI_WAY_CMA;
	words[1] = (uint64_t)(uintptr_t)req->buf;
	words[2] = line_pair(i, atomic_load_explicit(&r->page->revoked,
						     memory_order_relaxed));
}

void reach_ended(struct snoo *ctx, struct snoo_request *req, int error)
{
	struct reach *r = &ctx->reach;

	atomic_store_explicit(&r->page->stamp[req->stamp], 0,
			      memory_order_relaxed);
	/* REVOKE: what the application writes from now on comes after both. */
	if (error)
		stamps_revoke(r->page);
	r->free |= UINT64_C(1) << req->stamp;
	r->out--;
	req->stamp = 0;
	request_stays_offer(ctx, req);
}

/*
 * All of @n bytes at @from in that process?  In one call as far as it goes, and
 * behind them, in the same, the word at @word into @stamp, unless that is NULL.
 */
static bool read_all(const struct peer *p, uint64_t from, void *to, uint64_t n,
		     uint64_t word, uint64_t *stamp)
{
	unsigned char *at = to;

	while (n > 0) {
		size_t part = n < PART_BYTES ? (size_t)n : PART_BYTES;
		unsigned long parts = stamp && part == n ? 2 : 1;
		const struct iovec here[] = {
			{ at, part }, { stamp, sizeof(*stamp) },
		};
		const struct iovec there[] = {
			{ (void *)(uintptr_t)from, part },
			{ (void *)(uintptr_t)word, sizeof(*stamp) },
		};
		ssize_t got = process_vm_readv(p->reach.pid, here, parts, there,
					       parts, 0);

		if (got <= 0)
			return false;
		if ((uint64_t)got > part)
			return (uint64_t)got == part + sizeof(*stamp);
		/* All but the stamp: it is not there to be read. */
		if (parts == 2 && (size_t)got == part)
			return false;
		at += got;
		from += (uint64_t)got;
		n -= (uint64_t)got;
	}
	return true;
}

static bool read_word(const struct peer *p, uint64_t from, uint64_t *word)
{
	return read_all(p, from, word, sizeof(*word), 0, NULL);
}

/*
 * The bytes, and then the stamp.  REVOKE: the bytes are read before it, the kernel
 * takes the pieces of a call in their order, and a processor that keeps its loads
 * in order keeps these; others get a fence, and so a call of its own.
 */
static bool read_stamped(const struct peer *p, uint64_t from, void *to,
			 uint64_t n, uint64_t word, uint64_t *stamp)
{
	if (CPU_LOADS_IN_ORDER)
		return read_all(p, from, to, n, word, stamp);
	if (!read_all(p, from, to, n, 0, NULL))
		return false;
	atomic_thread_fence(memory_order_acquire);
	return read_word(p, word, stamp);
}

/*
 * Read an offer's bytes, and then its stamp, or what stands for it.
 *
 * Return: true: *@stamp is valid
 */
static bool read_offer(const struct peer *p, const struct offer *o, void *to,
		       uint64_t n, uint64_t *stamp)
{
	uint64_t word = p->reach.address + o->unit * sizeof(*stamp);

	if (!p->reach.page)
		return read_stamped(p, o->offset, to, n, word, stamp);
	if (!read_all(p, o->offset, to, n, 0, NULL))
		return false;
	/* REVOKE: the bytes are read before the page is. */
	atomic_thread_fence(memory_order_acquire);
	if (!stamps_stand(p, o->generation))
		return read_word(p, word, stamp);
	*stamp = o->token ^ p->reach.nonce;
	return true;
}

static unsigned int kind_of(uint64_t n)
{
	return n <= 64 * 1024 ? 0 :
	       n <= 256 * 1024 ? 1 : n <= 1024 * 1024 ? 2 : 3;
}

/* The first way of a kind, while nothing is known: one copy, or a stream? */
static bool begins_direct(unsigned int kind)
{
	return kind < ENGINE_REACHES - 1;
}

/* The first way is left only when something is known of what both cost. */
static bool next_direct(struct peer *p, unsigned int kind)
{
	const uint32_t *cost = p->reach.kind[kind].cost;
	bool first = begins_direct(kind);
	const uint32_t costs[2] = { cost[first], cost[!first] };

	return ways_next(&p->reach.kind[kind].way, costs, TRY) != first;
}

static bool costs_less(const struct snoo *ctx, struct peer *p,
		       const struct offer *o, uint64_t n)
{
	/* Its sender has found that one copy costs less: rather.c. */
	if (o->length <= ctx->eager_bytes ||
	    (o->length > REACH_SHARE && reach_crowded(ctx, p)))
		return true;
	return n > REACH_BYTES && n < REACH_LARGE && next_direct(p, kind_of(n));
}

static void learn(struct peer *p, bool direct, uint64_t n, uint64_t ns)
{
	if (n > REACH_BYTES && n < REACH_LARGE)
		ways_learn(&p->reach.kind[kind_of(n)].cost[direct], n, ns);
}

void reach_accepted(struct peer *p)
{
	if (list_empty(&p->incoming))
		p->reach.since_ns = p->reach.state == REACH_READS ?
					    clock_ns() : 0;
}

void reach_streamed(struct peer *p, uint64_t n)
{
	uint64_t now;

	if (p->reach.state != REACH_READS)
		return;
	now = clock_ns();
	if (p->reach.since_ns != 0)
		learn(p, false, n, now - p->reach.since_ns);
	p->reach.since_ns = now;
}

bool reach_reads(struct snoo *ctx, struct peer *p)
{
	if (ctx->session.minor < REACH_MINOR)
		return false;
	if (p->reach.state == REACH_UNKNOWN && p->reach.asks < ASKS_MAX) {
		p->reach.asks++;
		p->reach.state = REACH_ASKED;
		session_where(ctx, p);
	}
	return p->reach.state == REACH_READS;
}

bool reach_fetch(struct snoo *ctx, struct peer *p, const struct offer *o,
		 void *to, uint64_t n)
{
	uint64_t stamp, start, now;

	if (!reach_reads(ctx, p) || o->unit == 0 || o->unit >= STAMPS ||
	    !costs_less(ctx, p, o, n))
		return false;
	start = clock_ns();
	if (!read_offer(p, o, to, n, &stamp)) {
		/* The memory of a send that has ended may be gone. */
		if (!read_word(p, p->reach.address + o->unit * sizeof(stamp),
			       &stamp) ||
		    stamp == (o->token ^ p->reach.nonce))
			p->reach.state = REACH_NOT;
		return false;
	}
	SNOO_TESTPOINT("reach_fetched");
	now = clock_ns();
	/* Some clocks tick every 4 ms; 0 would say nothing. */
	p->reach.took_ns = now > start ? now - start : 1;
	learn(p, true, n, p->reach.took_ns);
	/* A stream that is under way had to wait for it. */
	if (p->reach.since_ns != 0)
		p->reach.since_ns = now;
	return stamp == (o->token ^ p->reach.nonce);
}

/* Is it the process that the daemon speaks of?  Then see what it shows us. */
static bool meet(struct peer *p)
{
	struct snoo_abi_stamps copy = { 0 };

	if (!read_all(p, p->reach.address, &copy,
		      offsetof(struct snoo_abi_stamps, owner), 0, NULL) ||
	    atomic_load_explicit(&copy.stamp[0], memory_order_relaxed) !=
		    p->reach.nonce)
		return false;
	stamps_map(p, &copy);
	return true;
}

bool reach_heard(struct snoo *ctx, const struct snoo_wire_peer *m)
{
	struct peer *p;

	if (m->rank >= ctx->capacity)
		return false;
	p = &ctx->peers[m->rank];
	if (p->reach.state != REACH_ASKED)
		return true;
	p->reach.state = REACH_UNKNOWN;
	if (m->pid <= 0)
		return true;
	p->reach.pid = m->pid;
	p->reach.address = m->address;
	p->reach.nonce = m->nonce;
	p->reach.state = meet(p) ? REACH_READS : REACH_NOT;
	return true;
}

void reach_resumed(struct snoo *ctx)
{
	say_where_we_are(ctx);
	/* The last one may have died before it answered. */
	for (uint32_t i = 0; i < ctx->capacity; i++) {
		if (ctx->peers[i].reach.state == REACH_ASKED)
			ctx->peers[i].reach.state = REACH_UNKNOWN;
	}
}
