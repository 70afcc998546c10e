/* SPDX-License-Identifier: MIT */
/*
 * regs_ring.c - what the register service does in a rank's rings, guarded
 *
 * Each step may be left at any load or store of the pool (touch.h), so it
 * touches the pool, its rank's ends of the rings and its struct step.  What is
 * read is copied once and checked here; what comes out is ours.
 */
#include <errno.h>
#include <string.h>

#include "daemon/regs_impl.h"
#include "daemon/touch.h"
#include "shm/cpu.h"
#include "shm/testpoint.h"

struct step {
	struct domain *d;
	struct regs_rank *r;
	const struct regs_message *m;
	uint64_t a, b;
	int ret;
};

static int run(struct step *s, void (*fn)(void *step))
{
	if (s->r)
		s->d = s->r->rank->dom;
	return touch_run(s->d, fn, s) ? -EFAULT : s->ret;
}

/* ---- opening ---- */

static void open_step(void *arg)
{
	struct step *s = arg;
	const struct shm_region *region = &s->d->pool.region;

	s->ret = shm_rx_open(&s->r->out, region, s->a);
	if (s->ret == 0)
		s->ret = shm_tx_open(&s->r->in, region, s->b, REGS_LINES);
}

int regs_ring_open(struct regs_rank *r, uint32_t out, uint32_t in)
{
	const struct pool *p = &r->rank->dom->pool;
	struct step s = { .r = r,
			  .a = pool_offset(p, out),
			  .b = pool_offset(p, in) };

	return run(&s, open_step);
}

static void resume_step(void *arg)
{
	struct step *s = arg;
	const struct shm_region *region = &s->d->pool.region;

	s->ret = shm_rx_resume(&s->r->out, region, s->a);
	if (s->ret == 0 && s->r->out.nlines != REGS_LINES)
		s->ret = -EPROTO;
	if (s->ret == 0)
		s->ret = shm_tx_resume(&s->r->in, region, s->b, REGS_LINES);
}

int regs_ring_resume(struct regs_rank *r, uint32_t out, uint32_t in)
{
	const struct pool *p = &r->rank->dom->pool;
	struct step s = { .r = r,
			  .a = pool_offset(p, out),
			  .b = pool_offset(p, in) };
	int ret = run(&s, resume_step);

	r->arrived = r->out.told;
	return ret;
}

/* ---- out ---- */

static void look_step(void *arg)
{
	struct step *s = arg;
	uint64_t word0;

	for (struct regs_rank *r = s->d->regs; r; r = r->next) {
		r->fresh = !r->closed && r->n < REGS_WINDOW &&
			   shm_rx_peek(&r->out, &word0);
		s->ret += r->fresh;
	}
}

int regs_ring_look(struct domain *d)
{
	struct step s = { .d = d };

	return run(&s, look_step);
}

/* The message whose first line is there; false: that is none. */
static bool read_one(struct regs_rank *r, uint64_t word0,
		     struct regs_message *m)
{
	struct snoo_abi_register body;
	uint64_t n;

	/* A copy, like everything that is checked here. */
	n = *(const volatile uint64_t *)shm_rx_words(&r->out);
	if (line_type(word0) != SNOO_ABI_DATA ||
	    line_flags(word0) != SNOO_ABI_STREAM || n != sizeof(body) ||
	    shm_rx_run(&r->out, word0, n) != SNOO_ABI_REGISTER_LINES - 1)
		return false;
	shm_rx_gather(&r->out, &body, sizeof(body));
	cpu_settle();
	if (body.peer >= r->rank->job->led.capacity ||
	    body.peer == r->rank->led.rank || body.length > sizeof(m->data))
		return false;
	m->number = body.number;
	m->peer = body.peer;
	m->tag = line_tag(word0);
	m->context = line_context(word0);
	m->length = (uint16_t)body.length;
	memset(m->data, 0, sizeof(m->data));
	memcpy(m->data, body.data, body.length);
	return true;
}

static void take_step(void *arg)
{
	struct step *s = arg;
	struct regs_rank *r = s->r;
	uint64_t word0;

	while (s->a-- > 0 && r->n < REGS_WINDOW &&
	       shm_rx_peek(&r->out, &word0)) {
		struct regs_flight *f =
			&r->flight[(r->first + r->n) % REGS_WINDOW];

		if (!read_one(r, word0, &f->m)) {
			s->ret = -EPROTO;
			return;
		}
		for (int i = 0; i < SNOO_ABI_REGISTER_LINES; i++)
			shm_rx_pop(&r->out);
		f->state = REGS_WAITING;
		r->n++;
		s->ret++;
	}
}

int regs_ring_take(struct regs_rank *r, uint32_t most)
{
	struct step s = { .r = r, .a = most };
	int ret = run(&s, take_step);

	SNOO_TESTPOINT("daemon_regs_read");
	return ret;
}

static void tell_step(void *arg)
{
	struct step *s = arg;

	shm_rx_tell_to(&s->r->out, s->r->arrived);
}

int regs_ring_tell(struct regs_rank *r)
{
	struct step s = { .r = r };
	int ret = run(&s, tell_step);

	SNOO_TESTPOINT("daemon_regs_told");
	return ret;
}

/* ---- in ---- */

static void room_step(void *arg)
{
	struct step *s = arg;
	int64_t room = shm_tx_room(&s->r->in, (uint32_t)s->a - 1);

	s->ret = room < 0 ? (int)room : room > 0;
}

int regs_ring_room(struct regs_rank *r, uint32_t lines)
{
	struct step s = { .r = r, .a = r->promised + lines };

	/* Mostly the credit that we know of is enough. */
	if (r->in.limit - r->in.published >= s.a)
		return 1;
	return run(&s, room_step);
}

static void put_step(void *arg)
{
	struct step *s = arg;
	const struct regs_message *m = s->m;
	struct snoo_abi_register body = {
		.peer = m->peer,
		.length = m->length,
		.number = m->number,
	};

	memcpy(body.data, m->data, sizeof(body.data));
	shm_tx_publish_run(&s->r->in,
			   line_word(SNOO_ABI_DATA, SNOO_ABI_STREAM,
				     SNOO_ABI_REGISTER_LINES - 1, m->context,
				     m->tag),
			   &body, sizeof(body));
	shm_tx_note(&s->r->in);
}

int regs_ring_put(struct regs_rank *r, const struct regs_message *m)
{
	struct step s = { .r = r, .m = m };
	int ret = run(&s, put_step);

	SNOO_TESTPOINT("daemon_regs_put");
	return ret;
}

static void gone_step(void *arg)
{
	struct step *s = arg;
	uint64_t *words = shm_tx_words(&s->r->in);

	memset(words, 0, (SHM_LINE_WORDS - 1) * sizeof(*words));
	words[0] = SNOO_ABI_GONE;
	words[1] = s->a;
	shm_tx_publish(&s->r->in, line_word(SNOO_ABI_CONTROL, 0, 0, 0, 0));
	shm_tx_note(&s->r->in);
}

int regs_ring_put_gone(struct regs_rank *r, uint32_t rank)
{
	struct step s = { .r = r, .a = rank };
	int ret = run(&s, gone_step);

	SNOO_TESTPOINT("daemon_regs_gone_put");
	return ret;
}

/* ---- head ---- */

static void asleep_step(void *arg)
{
	struct step *s = arg;

	/* Relaxed: LOOK's fence is regs_serve.c's. */
	atomic_store_explicit(&s->d->pool.region.head->asleep, (uint32_t)s->a,
			      memory_order_relaxed);
}

int regs_ring_asleep(struct domain *d, uint32_t asleep)
{
	struct step s = { .d = d, .a = asleep };

	return run(&s, asleep_step);
}
