/* SPDX-License-Identifier: MIT */
/*
 * mail_lane.c - lanes between cores: send, receive, answer, repeat
 *
 * Theory of operation
 * ===================
 *
 * A served core has an inbox for each of its mailboxes, where words come
 * together, and a lane to each other core: the message that is under way there,
 * and the answer that is owed to that core.  Lanes with either are in a list;
 * mail_poll() empties the mailboxes, then writes for each lane in the list.
 *
 * What a mailbox holds may be anybody's: garbage of the kernel, a word of a
 * peer that restarted, a hostile one.  A message is delivered only if its check
 * is right, and a sender takes a word for its answer only if the digest in it
 * is.  All else costs time: a repeat.
 *
 * Time is looked at only when nothing moved, or once in a while: not in a
 * round that has work.
 *
 * Ordering edges
 * ==============
 *
 *   edge  one end                       other end                so that
 *   MAIL, ACK: the back end's (hal/hal.h)
 *   LOCK  unlock: release store 0       lock: acquire CAS        words of two
 *                                                                senders do not
 *                                                                mix
 *
 * The word that the lock protects is a register: the back end's barriers around
 * each store keep it within the lock.  If they did not, words would mix, a
 * check would be wrong and the message be repeated.
 */
#include "hal/mail.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "hal/mail_impl.h"
#include "shm/testpoint.h"

#define SILENCES_MAX 6u	 /* doublings of the wait for an answer */
#define LOOK_ROUNDS  64u /* polls with work between looks at the clock */

uint64_t mail_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

struct served *mail_served(const struct mail *m, uint32_t core)
{
	if (core >= m->ncores || m->index[core] == MAIL_NOBODY)
		return NULL;
	return &m->served[m->index[core]];
}

/* ---- mailboxes and their locks ----------------------------------------- */

int mail_box(const struct mail *m, uint32_t from, uint32_t to, bool *shared)
{
	const struct hal_where *s, *r;
	uint32_t d;

	if (shared)
		*shared = m->nodes > 1;
	if (from >= m->ncores || to >= m->ncores || from == to)
		return -EINVAL;
	s = &m->where[from];
	r = &m->where[to];
	d = (s->core - r->core - 1) % HAL_NODE_CORES;
	/* The core of that number in another node. */
	if (d == HAL_NODE_CORES - 1)
		d = s->node % HAL_MAIL_LAST;
	return (int)(HAL_MAIL_FIRST + d);
}

static _Atomic uint32_t *lock_of(const struct mail *m, const struct lane *l)
{
	return &m->locks[l->to * HAL_MAIL_LAST + l->box - HAL_MAIL_FIRST]
			.holder;
}

/* The lane's mailbox is ours to write; @l->locked says how long. */
static bool lock(struct mail *m, struct lane *l)
{
	uint32_t none = 0;

	if (m->nodes <= 1 || l->locked)
		return true;
	/* LOCK, acquire side. */
	if (!atomic_compare_exchange_strong_explicit(
		    lock_of(m, l), &none, l->from + 1, memory_order_acquire,
		    memory_order_relaxed)) {
		m->counts.lock_busy++;
		return false;
	}
	l->locked = true;
	SNOO_TESTPOINT("mail_locked");
	return true;
}

/*
 * Only what is still ours: whoever thinks that we are dead may have freed it,
 * and another have it now.
 */
void mail_unlock(struct mail *m, struct lane *l)
{
	uint32_t ours = l->from + 1;

	if (!l->locked)
		return;
	l->locked = false;
	/* LOCK, release side. */
	atomic_compare_exchange_strong_explicit(lock_of(m, l), &ours, 0,
						memory_order_release,
						memory_order_relaxed);
}

void mail_unlock_dead(struct mail_lock *locks, uint32_t ncores, uint32_t core)
{
	for (uint32_t i = 0; i < ncores * HAL_MAIL_LAST; i++) {
		uint32_t theirs = core + 1;

		/* LOCK, release side, for the dead. */
		atomic_compare_exchange_strong_explicit(
			&locks[i].holder, &theirs, 0, memory_order_release,
			memory_order_relaxed);
	}
}

/* ---- lanes -------------------------------------------------------------- */

static void list_lane(struct mail *m, struct lane *l)
{
	if (l->listed)
		return;
	l->listed = true;
	l->next = NULL;
	l->prev = m->last;
	if (m->last)
		m->last->next = l;
	else
		m->first = l;
	m->last = l;
}

/* If it has nothing left to do. */
void mail_rest(struct mail *m, struct lane *l)
{
	if (!l->listed || l->state != LANE_IDLE || l->answer)
		return;
	l->listed = false;
	if (l->prev)
		l->prev->next = l->next;
	else
		m->first = l->next;
	if (l->next)
		l->next->prev = l->prev;
	else
		m->last = l->prev;
}

/* The message of @l has come to an end; the lane is free for the next. */
void mail_end(struct mail *m, struct lane *l, int error)
{
	mail_unlock(m, l);
	l->state = LANE_IDLE;
	if (error == 0)
		m->counts.sent++;
	else
		m->counts.given_up++;
	m->told->done(m->arg, l->from, l->to, error);
}

static void begin(struct lane *l)
{
	l->state = LANE_SENDING;
	l->at = 0;
	l->since_ns = 0;
}

static void repeat(struct mail *m, struct lane *l)
{
	if (l->state == LANE_SENDING && l->at == 0)
		return; /* not a word of it is out yet */
	if (l->repeats == MAIL_REPEATS) {
		mail_end(m, l, -EIO);
		return;
	}
	l->repeats++;
	m->counts.repeats++;
	begin(l);
}

int mail_send(struct mail *m, uint32_t from, uint32_t to,
	      const struct mail_message *msg)
{
	struct served *s = mail_served(m, from);
	struct lane *l;

	if (!s || to >= m->ncores || to == from)
		return -EINVAL;
	if (msg->from >= MAIL_IDS || msg->to >= MAIL_IDS ||
	    msg->length > MAIL_BYTES || msg->number >> 56 != 0)
		return -EINVAL;
	if (!m->where[from].online || !m->where[to].online)
		return -ENODEV;
	l = &s->lane[to];
	if (l->state != LANE_IDLE)
		return -EAGAIN;

	l->box = (uint32_t)mail_box(m, from, to, NULL);
	l->sequence++;
	l->words = mail_pack(l->word, msg, from, l->sequence);
	l->repeats = 0;
	l->silences = 0;
	begin(l);
	list_lane(m, l);
	return 0;
}

/* ---- receiving ---------------------------------------------------------- */

/* Only the last answer counts: a core has one message under way to us. */
static void owe(struct mail *m, struct served *s, const struct inbox *in,
		bool again)
{
	struct lane *l = &s->lane[in->core];

	l->answer = mail_answer(in->word, s->core, again);
	list_lane(m, l);
}

void mail_empty_inbox(struct mail *m, struct inbox *in)
{
	if (in->need && !in->silent)
		m->halves--;
	in->need = 0;
	in->silent = false;
}

/* A word that cannot be: it ends the message, and its sender is told so. */
static void spoil(struct mail *m, struct served *s, struct inbox *in)
{
	m->counts.garbage++;
	if (in->need)
		owe(m, s, in, true);
	mail_empty_inbox(m, in);
}

/* Can core @core have written into mailbox @box of @s? */
static bool writes_here(const struct mail *m, const struct served *s,
			uint32_t core, uint32_t box)
{
	return mail_box(m, core, s->core, NULL) == (int)box &&
	       m->where[core].online;
}

static void take_head(struct mail *m, struct served *s, struct inbox *in,
		      uint64_t word, const struct mail_head *head)
{
	(void)s;
	mail_empty_inbox(m, in);
	in->word[0] = word;
	in->have = 1;
	in->need = mail_count(head->length);
	in->core = head->core;
	in->since_ns = 0;
	m->halves++;
}

static void take_piece(struct mail *m, struct served *s, struct inbox *in,
		       uint64_t word)
{
	struct lane *back = &s->lane[in->core];
	struct mail_message msg;
	uint64_t check;

	if (in->silent)
		m->halves++;
	in->silent = false;
	in->since_ns = 0;
	in->word[in->have++] = word;
	if (in->have < in->need)
		return;
	if (mail_unpack(&msg, &check, in->word)) {
		spoil(m, s, in);
		return;
	}
	owe(m, s, in, false);
	mail_empty_inbox(m, in);
	if (check == back->had) {
		m->counts.doubles++;
		return;
	}
	back->had = check;
	m->counts.received++;
	m->told->deliver(m->arg, s->core, &msg);
}

static void take_credit(struct mail *m, struct served *s,
			const struct mail_credit *credit)
{
	struct lane *l = &s->lane[credit->core];

	/* An answer to what has ended meanwhile is none. */
	if (l->state == LANE_IDLE || !mail_answers(credit, l->word))
		return;
	if (credit->again)
		repeat(m, l);
	else
		mail_end(m, l, 0);
}

static void take_word(struct mail *m, struct served *s, uint32_t box,
		      uint64_t word)
{
	struct inbox *in = &s->in[box - HAL_MAIL_FIRST];
	struct mail_credit credit;
	struct mail_head head;

	if (mail_is_head(word, &head) && writes_here(m, s, head.core, box))
		take_head(m, s, in, word, &head);
	else if (mail_is_credit(word, &credit) &&
		 writes_here(m, s, credit.core, box))
		take_credit(m, s, &credit);
	else if (in->need && mail_is_piece(word, in->have))
		take_piece(m, s, in, word);
	else if (in->need || !mail_is_any_piece(word))
		spoil(m, s, in);
	/* else: the rest of a message that has ended */
}

static uint32_t receive(struct mail *m, struct served *s)
{
	uint32_t moved = 0;
	uint64_t word;

	for (uint32_t box = HAL_MAIL_FIRST; box <= HAL_MAIL_LAST; box++) {
		if (hal_mail_recv(s->hal, box, &word))
			continue;
		SNOO_TESTPOINT("mail_taken");
		moved++;
		take_word(m, s, box, word);
	}
	return moved;
}

/* ---- sending ------------------------------------------------------------ */

static int write_word(struct mail *m, struct lane *l, uint64_t word)
{
	struct served *s = mail_served(m, l->from);
	int ret = hal_mail_send(s->hal, l->to, l->box, word);

	if (ret == 0)
		m->counts.words++;
	return ret;
}

/* Within our own message the lock is ours anyway, and stays. */
static uint32_t send_answer(struct mail *m, struct lane *l)
{
	bool had = l->locked;
	int ret;

	if (l->state == LANE_IDLE)
		l->box = (uint32_t)mail_box(m, l->from, l->to, NULL);
	if (!lock(m, l))
		return 0;
	ret = write_word(m, l, l->answer);
	if (ret != -EAGAIN)
		l->answer = 0;
	if (!had)
		mail_unlock(m, l);
	return ret == 0;
}

static uint32_t send_word(struct mail *m, struct lane *l)
{
	int ret;

	if (!lock(m, l))
		return 0;
	ret = write_word(m, l, l->word[l->at]);
	if (ret == -EAGAIN)
		return 0;
	if (ret) {
		mail_end(m, l, ret);
		return 0;
	}
	SNOO_TESTPOINT("mail_written");
	l->since_ns = 0;
	if (++l->at == l->words) {
		l->state = LANE_WAITING;
		mail_unlock(m, l);
	}
	return 1;
}

static uint32_t push(struct mail *m, struct lane *l)
{
	/* One mailbox: after an answer there is no room for a word. */
	if (l->answer)
		return send_answer(m, l);
	if (l->state == LANE_SENDING)
		return send_word(m, l);
	return 0;
}

/* ---- time --------------------------------------------------------------- */

/* True once @since_ns, set at the first look, is @ns ago. */
static bool waited(uint64_t *since_ns, uint64_t now, uint64_t ns)
{
	if (*since_ns == 0)
		*since_ns = now;
	return now - *since_ns >= ns;
}

/*
 * Each silence is waited for twice as long as the one before: who answers late
 * because everybody repeats would answer later still.
 */
static bool is_silent(const struct mail *m, struct lane *l, uint64_t now)
{
	if (!waited(&l->since_ns, now, m->repeat_ns << l->silences))
		return false;
	if (l->silences < SILENCES_MAX)
		l->silences++;
	return true;
}

static void look_at_clock(struct mail *m)
{
	uint64_t now = mail_now_ns();
	struct lane *next;

	m->rounds = 0;
	for (struct lane *l = m->first; l; l = next) {
		next = l->next;
		if (l->state == LANE_WAITING && is_silent(m, l, now))
			repeat(m, l);
		mail_rest(m, l);
	}
	for (uint32_t i = 0; i < m->nserved * HAL_MAIL_LAST; i++) {
		struct inbox *in =
			&m->served[i / HAL_MAIL_LAST].in[i % HAL_MAIL_LAST];

		/* It is not dropped: its sender may only be slow. */
		if (in->need && !in->silent &&
		    waited(&in->since_ns, now, m->repeat_ns)) {
			in->silent = true;
			m->halves--;
		}
	}
}

bool mail_busy(const struct mail *m)
{
	return m->first || m->halves > 0;
}

uint32_t mail_poll(struct mail *m)
{
	struct lane *next;
	uint32_t moved = 0;

	for (uint32_t i = 0; i < m->nserved; i++)
		if (m->where[m->served[i].core].online)
			moved += receive(m, &m->served[i]);
	/* A callback may list a lane at the end, but takes none out. */
	for (struct lane *l = m->first; l; l = next) {
		moved += push(m, l);
		next = l->next;
		mail_rest(m, l);
	}
	if (mail_busy(m) && (moved == 0 || ++m->rounds >= LOOK_ROUNDS))
		look_at_clock(m);
	return moved;
}

void mail_abort(struct mail *m)
{
	struct lane *next;

	for (struct lane *l = m->first; l; l = next) {
		next = l->next;
		if (l->state != LANE_IDLE)
			mail_end(m, l, -EIO);
		mail_rest(m, l);
	}
}
