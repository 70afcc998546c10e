/* SPDX-License-Identifier: MIT */
/*
 * engine.h - a context and all that hangs on it
 *
 * Modules, top to bottom; each calls only those below it:
 *
 *   snoo.c p2p.c loans.c mpi.c coll.c  public calls: check arguments
 *   coll_reduce.c coll_move.c  collectives: how by size, the large ones by steps
 *   coll_step.c       messages of a collective
 *   coll_meet.c       meetings: enter, wait; the small ones are done there
 *   coll_op.c         operations on types
 *   wait.c            spin, yield, arm, sleep: until a request is complete
 *   patience.c        which of these comes next
 *   progress.c        one round: news, newcomers, lines, pumps, meeting
 *   meet.c            where all ranks meet: arrive, look, wake
 *   news.c            what the daemon says: rings, grants, deaths
 *   regs_in.c         messages that come by the daemon's register service
 *   arrive.c          one line that came in
 *   order.c           the messages of a pair, by their numbers
 *   peer.c            a peer is gone or broken: what becomes of its requests
 *   send.c recv.c     requests: envelopes, offers
 *   stream.c          the sender's half of accepted transfers
 *   regs.c            messages that go by the daemon's register service
 *   match.c           posted receives against arrivals
 *   member.c          may a peer still be sent to, or be waited for?
 *   channel.c         one peer: ring pair, answers, when to ring the bell
 *   bells.c           how: eventfds, where a futex does not reach
 *   lend.c            our grant of blocks
 *   alloc.c           buffers in the pool
 *   loan.c            blocks that messages are built in and read from
 *   stamps.c          the page by which others see whether our offers stand
 *   mates.c           which ranks of the job share our core
 *   oncpu.c           which ranks have a CPU, as the kernel says
 *   pace.c            cached stores or others: what is faster to a peer
 *   session.c join.c  the socket to the daemon
 *   map.c             the mapped pool
 *   request.c token.c list.h
 *
 * All state here is private to one thread; what is shared lies in the pool
 * and is reached through shm/ only.
 */
#ifndef CLIENT_ENGINE_H
#define CLIENT_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snoo/snoo.h>
#include <snoo/wire.h>

#include "client/list.h"
#include "client/pace.h"
#include "client/patience.h"
#include "client/token.h"
#include "client/ways.h"
#include "hal/hal.h"
#include "shm/counters.h"
#include "shm/job.h"
#include "shm/meet.h"
#include "shm/region.h"
#include "shm/ring.h"
#include "shm/wake.h"

#define ENGINE_ANY		UINT32_MAX	/* any source, any tag */
#define ENGINE_CONTEXT_USER	0		/* MPI_COMM_WORLD */
#define ENGINE_CONTEXT_COLL	1		/* collectives */
#define ENGINE_RUN_BYTES	512		/* longer ones go by block */
#define ENGINE_STREAM_BYTES	(1024u * 1024)	/* a daemon that says none */
#define ENGINE_SPARES		16		/* spare rings kept, each size */
#define ENGINE_REACHES		4		/* kinds of sizes, reach.c */

enum peer_state {
	PEER_LIVE	= 0,
	PEER_LEFT	= 1,	/* finalized */
	PEER_DEAD	= 2,
	PEER_BROKEN	= 3,	/* broke the protocol: we do not read it */
};

enum lend_size {
	LEND_SMALL,
	LEND_LARGE,
	LEND_SIZES
};

/** struct peer - What we know of one rank of the job, ourselves included */
struct peer {
	uint32_t rank;
	uint32_t slot;
	uint32_t instance;		/* of the slot */
	struct snoo_abi_rank *there;	/* its slot; NULL: not known yet */
	enum peer_state state;
	enum peer_state going;		/* gone, but not all is read yet */
	bool tx_open;
	bool tx_short;			/* and the short way is legal: fast.h */
	bool rx_open;
	bool rx_short;			/* likewise */
	bool unsaid;			/* NUMBER goes before the next envelope */
	bool registers;			/* register messages reach it */
	bool gone_waits;		/* GONE says that a line will come */
	bool gone_line;			/* and it has */
	bool broken;			/* it is about to be PEER_BROKEN */
	bool unreported;		/* a death that no wildcard has seen */
	bool moving;			/* waits for a large ring */
	bool large;			/* has one */
	bool rx_moved;			/* its sender has moved, once */
	bool ring_due;			/* RING for it not said yet */
	uint32_t full;			/* times that the ring was full */
	uint64_t sent;			/* envelopes; number of the next one */
	uint64_t turn;			/* number of the next one to be matched */
	uint64_t ahead;			/* number of the next one in its
					 * channel, less turn */
	uint64_t eager_out[LEND_SIZES];	/* bytes in blocks that it has not
					 * read, of each size */
	uint32_t held;			/* its loans that we have not released */
	uint32_t gone_epoch;		/* of its GONE; 0: it is there */
	uint64_t stream_out;		/* bytes in blocks of transfers, on
					 * their way */
	uint32_t filled[2];		/* blocks, likewise, below PACE_BYTES and
					 * others, */
	uint32_t timed[2];		/* and read: for one in PACE_SAMPLE */
	struct pace pace;		/* how its blocks are best filled */
	struct {			/* reach.c: its memory */
		enum { REACH_UNKNOWN, REACH_ASKED, REACH_READS, REACH_NOT
		} state;
		bool due;		/* WHERE, not said yet */
		uint32_t asks;
		int32_t pid;
		uint64_t address;	/* of its stamps */
		uint64_t nonce;
		uint64_t since_ns;	/* its streams have had us; 0: untimed */
		struct {		/* by size: what costs less */
			struct ways way;  /* the first: begins_direct() */
			uint32_t cost[2]; /* of a stream, of one copy: ns
					   * for 64 KiB; 0: unknown */
		} kind[ENGINE_REACHES];
		uint64_t took_ns;	/* the last copy */
		const struct snoo_abi_stamps *page; /* NULL: not mapped */
		uint32_t life_at;	/* in it, a word, */
		uint32_t life;		/* and what that is as long as it is
					 * there */
	} reach;
	struct {			/* instead.c: eager ones that are offered */
		struct {		/* below PACE_BYTES; the others */
			struct ways way[2]; /* we answer; we only send */
			uint32_t cost;	    /* of an offer, ns for 64 KiB */
		} kind[2];
		uint64_t turn;		/* of its messages at our last one */
		struct list link;	/* in ctx->instead while there are some */
		uint32_t out;		/* offers that may become blocks */
		uint32_t late_ns;
		uint64_t since_ns;	/* that none has been taken */
		uint32_t asked;		/* in a row, by ACCEPT instead of DONE */
	} instead;
	struct {			/* hold.c: cores kept until it answers */
		uint32_t failed;	/* in vain, less those that were not */
		uint32_t skip;		/* waits until the next trial */
	} hold;
	struct shm_tx tx;
	struct shm_rx rx;
	struct list busy;		/* in ctx->busy when there is something */
	struct list answers;		/* struct answer: before any envelope */
	struct list again;		/* struct kept: sent, not delivered */
	struct list envelopes;		/* sends not published yet, in order */
	struct list offered;		/* sends that wait for ACCEPT or DONE */
	struct list streams;		/* sends that were accepted */
	struct list posted;		/* receives from this source */
	struct list incoming;		/* receives whose data is on its way */
	struct list arrivals;		/* messages without a receive */
	struct list parked;		/* messages before their turn, sorted */
	struct bell *bell;		/* bells.c; NULL: none */
};

enum request_kind {
	REQUEST_SEND,
	REQUEST_RECV,
};

/**
 * struct snoo_request - A send or receive under way
 *
 * All that a small message touches comes first and fills a cache line;
 * request_more() aligns it.
 */
struct snoo_request {
	struct list link;		/* in one list of its peer, or ctx->wild */
	unsigned char *buf;		/* a send only reads it */
	uint64_t len;			/* bytes to send; room to receive */
	uint64_t seq;			/* order of posting */
	enum request_kind kind;
	int error;
	uint32_t peer;			/* rank, or ENGINE_ANY */
	uint32_t tag;			/* or ENGINE_ANY */
	uint16_t context;
	bool done;
	bool counted;			/* in ctx->moving */
	bool self_copy;			/* a send to ourselves, not matched yet */
	uint8_t stamp;			/* of its offer, in reach.stamp; 0: none */
	bool instead;			/* offered, and might have been eager */

	uint64_t message;		/* bytes of the whole message */
	uint32_t from;			/* who sent it */
	uint32_t mark;			/* its tag */
	uint64_t token;			/* ours, 0: none */
	uint64_t their_token;
	uint64_t total;			/* bytes that this transfer moves */
	uint64_t moved;			/* bytes moved so far */
	struct loan *pool;		/* offered from this block; or NULL */
	union {
		struct loan *loan;	/* a send of this block; or NULL */
		struct view *view;	/* a receive for this view; or NULL */
	};
};

_Static_assert(offsetof(struct snoo_request, message) == SNOO_ABI_LINE,
	       "what a small message touches fills a line");

enum arrival_kind {
	ARRIVAL_LINE,			/* payload in data */
	ARRIVAL_BLOCK,			/* payload in the sender's block */
	ARRIVAL_LOAN,			/* the same; it may stay there */
	ARRIVAL_HEAP,			/* payload in heap */
	ARRIVAL_OFFER,			/* payload at the sender */
	ARRIVAL_SELF,			/* payload in our own send request */
	ARRIVAL_VOID,			/* withdrawn; parked for its number */
};

/** struct arrival - A message that came before its receive or its turn */
struct arrival {
	struct list by_peer;		/* or in peer.parked */
	struct list all;
	enum arrival_kind kind;
	uint32_t from;
	uint32_t tag;
	uint16_t context;
	uint64_t length;
	uint64_t number;		/* of a parked one */
	uint32_t unit;			/* BLOCK, LOAN, OFFER */
	uint32_t generation;		/* BLOCK, LOAN, OFFER */
	uint64_t token;			/* OFFER: the sender's */
	uint64_t ways;			/* OFFER */
	uint64_t offset;		/* OFFER */
	void *heap;			/* HEAP */
	struct snoo_request *self;	/* SELF */
	unsigned char data[SNOO_ABI_INLINE_MAX];
};

/** struct lend_class - The blocks of one size that the daemon lent us */
struct lend_class {
	uint32_t bytes;
	uint32_t held;			/* blocks */
	bool asked;			/* NEED said, no GRANT since */
	struct list free;
	struct list out;
};

struct spares {
	uint32_t count;
	bool asked;
	struct snoo_wire_ring ring[ENGINE_SPARES];
};

/** struct session - Our end of the socket */
struct session {
	int fd;				/* -1: lost */
	bool lost;			/* the daemon ended it */
	int lost_error;			/* why, negative errno */
	char text[SNOO_WIRE_TEXT];	/* the daemon's words about it */
	struct snoo_wire_need need;	/* not said yet */
	bool need_dirty;
	uint32_t ack;			/* not said yet, 0: nothing */
	uint32_t epoch;			/* RESUMED not answered yet, 0: none */
	bool ring_dirty;		/* of some peer, ring_due */
	uint32_t minor;			/* of the wire protocol */
	bool look_due;			/* LOOK, not said yet */
	bool loan_due;			/* LOAN, not said yet */
	struct snoo_wire_loan loan;	/* not answered yet; serial 0: none */
	bool reach_due;			/* REACH, not said yet */
	bool where_dirty;		/* WHERE of some peer, reach.due */
	struct snoo_wire_reach reach;
};

/** struct registers - Small messages by way of the daemon; see regs.c */
struct registers {
	bool open;			/* REGISTERS has come */
	bool on;			/* messages may go that way */
	bool stuck;			/* not before `out` is empty */
	bool spoilt;			/* `out` was written by somebody else */
	bool deaf;			/* `in` was: it is not read any more */
	uint32_t bytes;			/* of a message, at most */
	struct shm_tx out;
	struct shm_rx in;
	struct kept *kept;		/* what is in `out`, from `first` on */
	uint32_t room;			/* of them */
	uint32_t first;
	uint32_t count;
	uint64_t since_ns;		/* that `out` stands still */
	uint64_t still_ns;		/* so long: by the channel again */
};

/** struct reach - What those that may read our memory look at; see reach.c */
struct reach {
	struct snoo_abi_stamps *page;	/* NULL: nobody does */
	int file;			/* of the page; -1: none */
	uint64_t nonce;
	uint64_t free;			/* bit for each stamp */
	uint32_t out;			/* stamps in use */
};

/** struct oncpu - Which ranks have a CPU; see oncpu.c and ONCPU of wire.h */
struct oncpu {
	const unsigned char *map;	/* NULL: nobody says */
	size_t bytes;
	uint32_t slots;
	uint32_t stride;
	uint32_t state;
	uint32_t instance;
	uint32_t waits;
};

/** struct bells - How we sleep once BELLS has come; see bells.c */
struct bells {
	bool on;			/* it has */
	bool poll;			/* nobody can wake us */
	int epoll;			/* -1: none */
	uint32_t listening;
	int *fd;			/* that we listen to */
};

/** struct mates - The others on our core, beginning after us; see mates.c */
struct mates {
	uint32_t *rank;
	uint32_t n;
	uint32_t sharers;		/* ranks on the core, as we looked */
	uint32_t since;			/* that, while some were missing */
};

/** struct meet - Where all ranks of the job meet; see meet.c */
struct meet {
	bool known;			/* `on` is settled */
	bool on;			/* the job has such a place */
	bool waiting;			/* progress looks at it */
	bool due;			/* arrived, but given up waiting */
	struct shm_meet area;
	uint64_t number;		/* the meeting that we arrived at last */
	uint64_t complete;		/* all are known to have been there */
	uint64_t until;			/* the one that we wait for */
	uint32_t from;			/* this rank in it, or ENGINE_ANY: all */
	uint32_t at;			/* the first one not seen yet */
	int error;			/* why it will not be; negative errno */
	uint64_t what, bytes;		/* of `number`, while it is due */
	size_t carried;			/* by the meetings before, likewise */
	uint32_t mate;			/* the first of our mates not seen yet */
	uint32_t since;			/* meetings since we looked who that is */
	uint32_t late;			/* yields that came to one who computes */
	uint64_t lost_ns;		/* by those, less what the others saved */
	uint64_t doze_until_ns;		/* no yielding to mates before; 0: none */
	uint32_t doze_sharers;		/* ranks on the core when that was found */
};

/** struct idle - How long a call has been waiting; see wait.c */
struct idle {
	uint64_t start_ns;
	uint64_t deadline_ns;		/* 0: none */
	uint32_t rounds;		/* that found nothing */
	uint32_t busy;			/* that found something */
	struct patience_wait patience;
	struct peer *with;		/* hold.c: it alone can end the wait */
	uint64_t hold_ns;		/* the core is kept for it since; 0: no */
	bool no_hold;			/* and not to be in this turn */
	bool dozes;			/* coll_meet.c: yields would not pay */
	uint32_t whom;			/* who can end it, or ENGINE_ANY */
	uint64_t waits;			/* for our CPU, when it began */
	enum patience_hint hinted;	/* what is counted already */
};

struct snoo {
	struct snoo_abi_rank *me;	/* our slot */
	uint32_t rank;
	uint32_t nrx;			/* open incoming channels */
	struct peer *peers;		/* capacity of them */
	struct peer **rx;		/* the open ones, in the order opened */
	uint32_t news_seen;
	enum snoo_abi_wait rest;	/* POLLING or SUMMARY */
	bool rescan;			/* look at every channel once */
	bool no_memory;			/* a line waits until there is some */
	uint32_t searched;		/* steps in lists of parked messages */
	uint32_t rx_first;		/* where the next scan starts */
	uint32_t fast;			/* messages that took the short way */
	uint32_t any;			/* calls of snoo_waitany() */
	bool turn_due;			/* so many that all others have a turn */
	struct list busy;		/* peers with something to push */
	struct list wild;		/* posted receives from any source */
	struct list arrivals;		/* all of them, oldest first */
	uint64_t seq;
	uint32_t posted;		/* receives waiting for a message */
	uint32_t moving;		/* transfers under way, both directions */
	uint32_t unreported;		/* peers with that mark */
	uint32_t gone;			/* peers that left, died or broke */

	struct shm_region region;
	struct shm_job job;
	struct hal *hal;
	const _Atomic uint32_t *alive;	/* 1; 0 in a forked child */
	uint32_t capacity;
	uint32_t size;			/* of a job with stated size, else 0 */
	uint32_t slot;
	uint32_t gone_seen;		/* the last GONE that we have read */
	uint32_t gone_done;		/* and the last one that is drained */
	uint32_t going;			/* peers whose last lines we read */
	bool started;			/* all ranks are there */
	int core;
	struct mates mates;

	struct session session;
	struct registers registers;
	struct bells bells;
	struct reach reach;
	struct oncpu oncpu;
	struct list instead;		/* peers with offers that may become blocks */
	struct meet meet;
	unsigned char *coll_room;	/* coll_step.h; NULL: not needed yet */
	struct spares spare[LEND_SIZES];
	struct list retired;		/* rings that a channel moved out of */
	struct lend_class lend[LEND_SIZES];
	uint8_t *lend_known;		/* bit for each unit of the arena */
	struct loans *loans;		/* loan.c; NULL: never used */
	struct list allocs;		/* alloc.c: the application's buffers */
	bool released;			/* the last loan of somebody gone */
	uint64_t used;			/* bytes through blocks */
	uint64_t eager_bytes;
	uint64_t stream_bytes;		/* of streams, on their way to one peer */
	struct token_table offers;	/* sends that wait */
	struct token_table accepts;	/* receives under way */
	struct list request_pool;
	struct list arrival_pool;
	struct snoo_request sent;	/* stands for all that are complete */

	struct patience patience;
	uint64_t turn_ns;		/* we have the core since; 0: not known */
	uint32_t turn_with;		/* as in our slot */
	uint64_t timeout_ns;
	bool waiting_for_blocks;	/* want words are set */
	void *old_affinity;		/* before we were pinned */
};

/* request.c */

/** request_more() - Second half of request_take(); not for others */
struct snoo_request *request_more(void);

/** request_take() - A request as somebody left it, or NULL */
static inline struct snoo_request *request_take(struct snoo *ctx)
{
	if (list_empty(&ctx->request_pool))
		return request_more();
	return list_entry(list_take(&ctx->request_pool), struct snoo_request,
			  link);
}

/** request_free() - Forget a request; ctx->sent stays */
static inline void request_free(struct snoo *ctx, struct snoo_request *req)
{
	/* Last in, first out: the one used last is still in the cache. */
	if (req != &ctx->sent)
		list_insert(ctx->request_pool.next, &req->link);
}

/** request_done() - Complete it; it is in no list and has no token */
void request_done(struct snoo *ctx, struct snoo_request *req, int error);

struct arrival *arrival_new(struct snoo *ctx);
void arrival_free(struct snoo *ctx, struct arrival *a);
void request_fini(struct snoo *ctx);

/**
 * request_init() - Begin anew, in a request that was taken or on the stack
 *
 * Field by field: for so many bytes compilers use a string instruction, and
 * its start costs more than the message's line.
 */
static inline void request_init(struct snoo_request *req,
				enum request_kind kind)
{
	list_init(&req->link);
	req->buf = NULL;
	req->len = 0;
	req->seq = 0;
	req->kind = kind;
	req->error = 0;
	req->peer = 0;
	req->tag = 0;
	req->context = 0;
	req->done = false;
	req->counted = false;
	req->self_copy = false;
	req->mark = 0;
	req->message = 0;
	req->from = 0;
	req->token = 0;
	req->their_token = 0;
	req->total = 0;
	req->moved = 0;
	req->pool = NULL;
	req->stamp = 0;
	req->instead = false;
	req->loan = NULL;	/* and the view */
}

/** request_stays_offer() - It does not become a block if it lasts */
static inline void request_stays_offer(struct snoo *ctx,
				       struct snoo_request *req)
{
	struct peer *p = &ctx->peers[req->peer];

	if (!req->instead)
		return;
	req->instead = false;
	if (--p->instead.out == 0)
		list_remove(&p->instead.link);
}

static inline uint64_t clock_ns(void)
{
	return snoo_clock_ns();
}

#endif /* CLIENT_ENGINE_H */
