/* SPDX-License-Identifier: MIT */
/*
 * mail.h - messages of up to 56 bytes through the mailboxes of a back end
 *
 * Theory of operation
 * ===================
 *
 * A mailbox is one 64-bit word without a full flag (hal/hal.h), so the word
 * says everything itself:
 *
 *    63    60 59                                             4 3    0
 *   +--------+------------------------------------------------+------+
 *   | mark   | 56 bits of content                             | type |
 *   +--------+------------------------------------------------+------+
 *
 *   type  DATA (0x1): header of a message; PIECE (0xa): a further word of it;
 *         CREDIT (0x6): answer of the receiver.  0 never: an empty mailbox
 *         is 0, and a word is never 0.
 *   mark  header: 1; word i of a message: 1 + i % 7; CREDIT: 7.  Never 0, 8,
 *         9, 0xa or 0xf, in which addresses of the kernel begin: bringing a
 *         core online leaves its stack and global pointer in its mailboxes.
 *
 *   word 0    header   length 6 | sequence, low 8 | core 10 | from 16 | to 16
 *   word 1    match    sequence, high 8 | context 16 | tag 32
 *   word 2    number   the low 56 bits
 *   word 3..  payload  7 bytes a word, ceil(length / 7) of them
 *   last      check    56 bits of a hash of all words before it
 *
 *   CREDIT             sequence, low 8 | core 10 | again 1 | digest 37
 *
 * `core` is the one that wrote the word: where cores share a mailbox the
 * receiver has to know whom to answer.  The digest is the low bits of the
 * check of the message that is answered; with `again`, when that never came,
 * of the check of its header alone.  So a word that nobody meant as one cannot
 * pass for an answer.
 *
 * One core sends to one other through a lane; one message of a lane is under
 * way at a time.  The receiver answers each with CREDIT in the lane of the
 * other direction, between or after the words of its own message there.  A word
 * that cannot be (garbage, a gap, a wrong check) ends the message: the
 * receiver says CREDIT with `again`, and passes words over until a header.
 * The sender repeats the message when told so, or when nothing was heard for a
 * while, each time twice as long, and its mailbox is empty.  The receiver knows
 * one that it has had by its check, which covers the sequence; answers it again
 * and does not deliver it twice.  A lane's first sequence comes from the clock,
 * so a sender that was started anew is not taken for its predecessor.
 *
 * Which mailbox
 * =============
 *
 * Within a node of four cores sender s has MailBox 1 + ((s - r - 1) & 3) of
 * receiver r for itself (numbers within the node): no lock.  On a machine with
 * more nodes senders share mailboxes: whoever sends holds the lock of that
 * mailbox, in cacheable memory that all senders share, from a message's first
 * word to its last, and for a CREDIT.  It is tried, never waited for.  The rule
 * is the same there; the core of the same number in another node takes
 * MailBox 1 + its node % 3.
 *
 * Threads: one for each struct mail.
 */
#ifndef HAL_MAIL_H
#define HAL_MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hal/hal.h"

#define MAIL_BYTES	56u	/* payload of a message, at most */
#define MAIL_WORDS	12u	/* of a message, at most */
#define MAIL_IDS	65536u	/* from, to: below this */
#define MAIL_CORES	1024u	/* that can send and receive: below this */
#define MAIL_REPEATS	64u	/* of a message, then it is given up */

/** struct mail_message - What travels */
struct mail_message {
	uint32_t from;			/* the caller's numbers, 0..65535 */
	uint32_t to;
	uint64_t number;		/* below 2^56 */
	uint32_t tag;
	uint16_t context;
	uint16_t length;		/* bytes, 0..MAIL_BYTES */
	uint8_t data[MAIL_BYTES];
};

/**
 * struct mail_lock - Of one shared mailbox; zeroed at the start
 *
 * Holds the number of the core that sends, plus 1.  If its process dies, who
 * cleans up calls mail_unlock_dead().
 */
struct mail_lock {
	_Alignas(64) _Atomic uint32_t holder;
};

struct mail;

/** struct mail_ops - What the user of a struct mail is told by mail_poll() */
struct mail_ops {
	/* @m has come for core @core.  The message is the callee's to copy. */
	void (*deliver)(void *arg, uint32_t core, const struct mail_message *m);

	/* The message from core @from to core @to is delivered (0), or was
	 * given up: -ENODEV, a core is offline; -EIO, repeated too often.
	 * It may have arrived all the same. */
	void (*done)(void *arg, uint32_t from, uint32_t to, int error);
};

/**
 * struct mail_params - What mail_open() needs
 * @ops:	Back end
 * @hal:	For it; `self` is set for each core
 * @core:	Kernel's numbers of the cores to serve
 * @ncores:	How many they are
 * @locks:	3 * hal_ncores() of them, shared by all who send; NULL: all
 *		senders are in this process
 * @told:	As above
 * @arg:	For those
 * @repeat_ns:	Repeat a message after so long without an answer, and after up
 *		to 64 times as long when that did not help; 0: 10 ms
 */
struct mail_params {
	const struct hal_ops *ops;
	struct hal_params hal;
	const uint32_t *core;
	uint32_t ncores;
	struct mail_lock *locks;
	const struct mail_ops *told;
	void *arg;
	uint64_t repeat_ns;
};

/**
 * mail_open() - Serve some cores of this machine
 *
 * Their mailboxes are emptied.
 *
 * Return: 0 on success, negative error code otherwise; *@out is NULL then
 *	as hal_open(), or
 *	-EINVAL		no core, a core twice, or a parameter is out of range
 *	-EOPNOTSUPP	the back end has no mailboxes
 */
int mail_open(struct mail **out, const struct mail_params *p);

/** mail_close() - Messages under way are lost, words in mailboxes are cleared
 *
 * In the mailboxes of the cores that were served.  NULL is allowed.
 */
void mail_close(struct mail *m);

/** mail_core() - Is @core served, and online when last looked? */
bool mail_core(const struct mail *m, uint32_t core);

/** mail_hal() - A handle for looking (hal_read_regs()); stays ours */
struct hal *mail_hal(const struct mail *m);

/**
 * mail_box() - The mailbox of core @to in which core @from sends
 * @shared:	Set: others send in it too, a lock is needed.  May be NULL
 *
 * Return: 1..3, or negative error code
 *	-EINVAL		no such core, or both are the same
 */
int mail_box(const struct mail *m, uint32_t from, uint32_t to, bool *shared);

/**
 * mail_send() - Begin to send; mail_poll() does the rest and tells the end
 * @from:	A core that is served
 * @to:		Another core
 * @msg:	Copied
 *
 * Return: 0 on success, negative error code otherwise
 *	-EAGAIN		the last message from @from to @to is still under way
 *	-EINVAL		@from is not served, @to is no other core, or a number
 *			in @msg is out of range
 *	-ENODEV		one of the two is offline
 */
int mail_send(struct mail *m, uint32_t from, uint32_t to,
	      const struct mail_message *msg);

/**
 * mail_poll() - Move every word that can be moved now, once
 *
 * Wait-free; reads and writes registers.  Calls back; a callback may call
 * mail_send(), not mail_close().
 *
 * Return: words moved; 0: nothing to do now
 */
uint32_t mail_poll(struct mail *m);

/** mail_busy() - Is a message or an answer of ours under way, or half of one
 * received?  The half of a sender that has fallen silent does not count. */
bool mail_busy(const struct mail *m);

/**
 * mail_refresh() - Look again which cores are online
 *
 * To be called from time to time while there is traffic, and at once when the
 * kernel says that a core has come or gone: writing into the mailboxes of a
 * core that is being brought online breaks its start.  Messages from and to a
 * core that went offline end with -ENODEV.  The mailboxes of one that came
 * back are emptied.
 *
 * Return: how many cores changed
 */
uint32_t mail_refresh(struct mail *m);

/** struct mail_counts - For status */
struct mail_counts {
	uint64_t sent;			/* messages delivered and answered */
	uint64_t received;
	uint64_t words;			/* written, answers included */
	uint64_t garbage;		/* words that could not be */
	uint64_t repeats;		/* messages sent again */
	uint64_t doubles;		/* messages that had come before */
	uint64_t given_up;
	uint64_t lock_busy;		/* times a lock was not to be had */
	uint64_t offline;		/* times a core went offline */
};

void mail_counts(const struct mail *m, struct mail_counts *out);

/**
 * mail_measure() - How long one message takes, both ends in this process
 * @bytes:	Payload
 * @rounds:	Messages; the median counts
 *
 * Between the first two cores that are served and online; only while nothing
 * is under way.  Nobody is told of these messages.
 *
 * Return: ns, or negative error code
 *	-ENODEV		there are no two such cores
 *	-EIO		a message did not arrive, or not as it was sent
 *	-EBUSY		something is under way
 *	-EINVAL		@bytes or @rounds is out of range
 *	-ENOMEM		no memory
 */
int64_t mail_measure(struct mail *m, uint32_t bytes, uint32_t rounds);

/** mail_unlock_dead() - Free what the process that served @core held */
void mail_unlock_dead(struct mail_lock *locks, uint32_t ncores, uint32_t core);

/** struct mail_word - A word of a mailbox, taken apart for people */
struct mail_word {
	const char *type;		/* "empty", "DATA", "PIECE", "CREDIT",
					 * "garbage" */
	uint32_t from, to;		/* DATA */
	uint32_t length;		/* DATA: bytes */
	uint32_t core;			/* DATA, CREDIT: who wrote it */
	uint32_t sequence;		/* DATA, CREDIT: the low 8 bits */
	uint32_t mark;
	bool again;			/* CREDIT */
};

/** mail_decode() - What a word is, as far as it says so itself
 *
 * What mail_poll() would make of it also depends on where it lies.
 */
void mail_decode(uint64_t word, struct mail_word *out);

#endif /* HAL_MAIL_H */
