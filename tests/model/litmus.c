/* SPDX-License-Identifier: MIT */
/*
 * litmus.c - every execution that C11 allows of an edge's few accesses
 *
 * TSan does not know fences, Spin knows only one order of all accesses.  This
 * program enumerates, for each edge, all candidate executions (where each read
 * reads from, in which order the stores to each word land) and keeps those
 * that are consistent in RC11, the repaired C11 model: so it speaks for every
 * processor that a C11 compiler may target, however weak.
 *
 *   Lahav, Vafeiadis, Kang, Hur, Dreyer: Repairing Sequential Consistency in
 *   C/C++11, PLDI 2017: coherence, atomicity, SC (psc).
 *
 * Two choices make it weaker, so what it forbids stays forbidden: release
 * sequences continue through read-modify-writes alone (C17), and the axiom
 * against out-of-thin-air values, which also forbids load buffering, is left
 * out: the programs are straight lines of constants, and processors do buffer
 * loads.
 *
 * Plain accesses are taken as relaxed ones: that they do not race is TSan's
 * business (edges.c).
 *
 * An edge has an outcome that must not be; a mutant of it has one access
 * weakened (or a few: where two orders do the same work) and must have it.
 * Usage: litmus [models|mutants]; prints TAP without a plan.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LOCS	4
#define REGS	4
#define EVENTS	32	/* initial stores included */

enum order { RLX, ACQ, REL, AR, SC, GONE };	/* GONE: not there at all */
enum op { END, LOAD, STORE, FENCE, XCHG, OR, CAS };

/** struct access - One access: r = op(loc, value) */
struct access {
	enum op op;
	int loc;
	unsigned int value;	/* stored, or the bits, or CAS: new */
	enum order order;
	int reg;		/* where what was read goes */
	unsigned int expect;	/* CAS */
};

struct mutant {
	const char *name;
	struct { int thread, at; enum order order; } change[3];
	int changes;
};

struct outcome {
	unsigned int r[REGS];
	unsigned int last[LOCS];
};

struct edge {
	const char *name;
	const char *what;		/* the outcome that must not be */
	struct access thread[3][6];
	unsigned int first[LOCS];	/* values at the start */
	bool (*bad)(const struct outcome *o);
	bool broken;			/* the whole of it is a mutant */
	struct mutant mutant[4];
};

/* ---- relations: row i, bit j: i before j ---- */

typedef uint32_t rel[EVENTS];

struct run {
	struct access a[EVENTS];	/* the first LOCS: initial stores */
	int thread[EVENTS];
	int n;
	int from[EVENTS];	/* a read's store */
	unsigned int got[EVENTS], put[EVENTS];
	bool reads[EVENTS], writes[EVENTS];
	int rank[EVENTS];	/* place among the stores to its loc */
};

static void compose(rel out, const rel x, const rel y, int n)
{
	rel t = { 0 };

	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			if (x[i] >> j & 1)
				t[i] |= y[j];
	memcpy(out, t, sizeof(rel));
}

static void close_over(rel x, int n)
{
	for (int k = 0; k < n; k++)
		for (int i = 0; i < n; i++)
			if (x[i] >> k & 1)
				x[i] |= x[k];
}

static bool reflexive(const rel x, int n)
{
	for (int i = 0; i < n; i++)
		if (x[i] >> i & 1)
			return true;
	return false;
}

static bool acquires(enum order o)
{
	return o == ACQ || o == AR || o == SC;
}

static bool releases(enum order o)
{
	return o == REL || o == AR || o == SC;
}

static bool sb(const struct run *e, int i, int j)
{
	if (i < LOCS)
		return j >= LOCS;	/* the initial stores come first */
	return i < j && e->thread[i] == e->thread[j];
}

/* Is store @w the head of a release sequence that @s continues? */
static bool in_sequence(const struct run *e, int w, int s)
{
	while (s != w) {
		if (!e->reads[s] || !e->writes[s])
			return false;
		s = e->from[s];
	}
	return true;
}

/* Does fence or store @a release what read or fence @b acquires? */
static void synchronises(const struct run *e, rel sw)
{
	for (int w = LOCS; w < e->n; w++)
		for (int r = LOCS; r < e->n; r++) {
			uint32_t heads = 0, tails = 0;

			if (!e->writes[w] || !e->reads[r] ||
			    !in_sequence(e, w, e->from[r]))
				continue;
			if (releases(e->a[w].order))
				heads |= 1u << w;
			if (acquires(e->a[r].order))
				tails |= 1u << r;
			for (int f = LOCS; f < e->n; f++) {
				if (e->a[f].op != FENCE)
					continue;
				if (releases(e->a[f].order) && sb(e, f, w))
					heads |= 1u << f;
				if (acquires(e->a[f].order) && sb(e, r, f))
					tails |= 1u << f;
			}
			for (int h = 0; h < e->n; h++)
				if (heads >> h & 1)
					sw[h] |= tails;
		}
}

static bool sc_is_acyclic(const struct run *e, const rel hb, const rel eco,
			  const rel mo, const rel rb)
{
	int n = e->n;
	rel scb = { 0 }, far = { 0 }, left = { 0 }, right = { 0 }, psc, t;

	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++) {
			bool same = e->a[i].loc == e->a[j].loc &&
				    e->a[i].op != FENCE && e->a[j].op != FENCE;

			if (sb(e, i, j)) {
				scb[i] |= 1u << j;
				if (!same)
					far[i] |= 1u << j;
			}
			if (same && hb[i] >> j & 1)
				scb[i] |= 1u << j;
		}
	compose(t, far, hb, n);
	compose(t, t, far, n);
	for (int i = 0; i < n; i++)
		scb[i] |= t[i] | mo[i] | rb[i];

	/* left: [SC] or [SC fence];hb?   right: [SC] or hb?;[SC fence] */
	for (int i = LOCS; i < n; i++) {
		if (e->a[i].order != SC)
			continue;
		left[i] |= 1u << i;
		right[i] |= 1u << i;
		if (e->a[i].op != FENCE)
			continue;
		left[i] |= hb[i];
		for (int j = 0; j < n; j++)
			if (hb[j] >> i & 1)
				right[j] |= 1u << i;
	}
	compose(psc, left, scb, n);
	compose(psc, psc, right, n);

	compose(t, hb, eco, n);
	compose(t, t, hb, n);
	for (int i = LOCS; i < n; i++)
		for (int j = LOCS; j < n; j++)
			if (e->a[i].op == FENCE && e->a[i].order == SC &&
			    e->a[j].op == FENCE && e->a[j].order == SC &&
			    (hb[i] | t[i]) >> j & 1)
				psc[i] |= 1u << j;
	close_over(psc, n);
	return !reflexive(psc, n);
}

static bool consistent(const struct run *e)
{
	rel hb = { 0 }, mo = { 0 }, rb = { 0 }, eco = { 0 }, t;
	int n = e->n;

	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++) {
			if (i == j || e->a[i].op == FENCE ||
			    e->a[j].op == FENCE || e->a[i].loc != e->a[j].loc)
				continue;
			if (e->writes[i] && e->writes[j] &&
			    e->rank[i] < e->rank[j])
				mo[i] |= 1u << j;
			if (e->reads[i] && e->writes[j] &&
			    e->rank[e->from[i]] < e->rank[j])
				rb[i] |= 1u << j;
		}
	/* Atomicity: nothing lands between what is read and what is written. */
	for (int i = LOCS; i < n; i++)
		if (e->reads[i] && e->writes[i] &&
		    e->rank[i] != e->rank[e->from[i]] + 1)
			return false;

	synchronises(e, hb);
	for (int i = 0; i < n; i++) {
		for (int j = 0; j < n; j++)
			if (sb(e, i, j))
				hb[i] |= 1u << j;
		eco[i] |= mo[i] | rb[i];
		if (e->reads[i])
			eco[e->from[i]] |= 1u << i;
	}
	close_over(hb, n);
	close_over(eco, n);
	compose(t, hb, eco, n);
	if (reflexive(hb, n) || reflexive(eco, n) || reflexive(t, n))
		return false;
	return sc_is_acyclic(e, hb, eco, mo, rb);
}

/* ---- enumeration ---- */

struct search {
	const struct edge *edge;
	struct run e;
	int good, bad;
};

/* What each access reads and writes, given from[]; false: no such run. */
static bool evaluate(struct run *e)
{
	bool known[EVENTS] = { false };

	for (int round = 0; round <= e->n; round++)
		for (int i = 0; i < e->n; i++) {
			struct access *a = &e->a[i];
			bool needs = e->reads[i];

			if (known[i] || (needs && !known[e->from[i]]))
				continue;
			if (needs)
				e->got[i] = e->put[e->from[i]];
			e->put[i] = a->op == OR ? e->got[i] | a->value :
						  a->value;
			if (a->op == CAS)
				e->writes[i] = e->got[i] == a->expect;
			known[i] = true;
		}
	for (int i = 0; i < e->n; i++)
		if (!known[i] || (e->reads[i] && !e->writes[e->from[i]]))
			return false;
	return true;
}

static void judge(struct search *s)
{
	struct run *e = &s->e;
	struct outcome o = { .r = { 0 } };
	int top[LOCS] = { 0 };

	if (!consistent(e))
		return;
	for (int i = 0; i < e->n; i++) {
		if (i >= LOCS && e->reads[i])
			o.r[e->a[i].reg] = e->got[i];
		if (e->writes[i] && e->rank[i] >= top[e->a[i].loc]) {
			top[e->a[i].loc] = e->rank[i];
			o.last[e->a[i].loc] = e->put[i];
		}
	}
	if (s->edge->bad(&o))
		s->bad++;
	else
		s->good++;
}

/* Give each store its place: the initial one is 0. */
static void order_stores(struct search *s, int i)
{
	struct run *e = &s->e;
	int before = 0;

	while (i < e->n && (!e->writes[i] || e->a[i].op == FENCE))
		i++;
	if (i == e->n) {
		judge(s);
		return;
	}
	for (int j = 0; j < i; j++)
		before += e->writes[j] && e->a[j].loc == e->a[i].loc;
	/* Insert it behind @at of those that have a place. */
	for (int at = 1; at <= before; at++) {
		for (int j = 0; j < i; j++)
			if (e->writes[j] && e->a[j].loc == e->a[i].loc &&
			    e->rank[j] >= at)
				e->rank[j]++;
		e->rank[i] = at;
		order_stores(s, i + 1);
		for (int j = 0; j < i; j++)
			if (e->writes[j] && e->a[j].loc == e->a[i].loc &&
			    e->rank[j] > at)
				e->rank[j]--;
	}
}

static void choose_sources(struct search *s, int i)
{
	struct run *e = &s->e;

	while (i < e->n && !e->reads[i])
		i++;
	if (i == e->n) {
		struct run saved = *e;

		if (evaluate(e)) {
			for (int j = 0; j < LOCS; j++)
				e->rank[j] = 0;
			order_stores(s, LOCS);
		}
		*e = saved;
		return;
	}
	for (int j = 0; j < e->n; j++) {
		if (j == i || !e->writes[j] || e->a[j].loc != e->a[i].loc)
			continue;
		e->from[i] = j;
		choose_sources(s, i + 1);
	}
}

static void setup(struct search *s, const struct edge *edge,
		  const struct mutant *m)
{
	struct run *e = &s->e;

	memset(s, 0, sizeof(*s));
	s->edge = edge;
	for (int i = 0; i < LOCS; i++) {
		e->a[i] = (struct access){ STORE, i, edge->first[i], RLX, 0,
					   0 };
		e->writes[i] = true;
	}
	e->n = LOCS;
	for (int t = 0; t < 3; t++)
		for (int k = 0; edge->thread[t][k].op != END; k++) {
			struct access a = edge->thread[t][k];

			for (int c = 0; m && c < m->changes; c++)
				if (m->change[c].thread == t &&
				    m->change[c].at == k)
					a.order = m->change[c].order;
			if (a.order == GONE)
				continue;
			e->a[e->n] = a;
			e->thread[e->n] = t;
			e->reads[e->n] = a.op != STORE && a.op != FENCE;
			e->writes[e->n] = a.op != LOAD && a.op != FENCE;
			e->n++;
		}
}

#include "tests/model/litmus.def"

static int number;

static bool report(const struct edge *edge, const struct mutant *m)
{
	static struct search s;
	bool must = m || edge->broken, ok;

	setup(&s, edge, m);
	choose_sources(&s, LOCS);
	/* There must be something to forbid it among. */
	ok = s.good > 0 && (s.bad > 0) == must;
	printf("%sok %d - litmus %s%s%s: %s: %s (%d of %d executions)\n",
	       ok ? "" : "not ", ++number, edge->name, m ? ", " : "",
	       m ? m->name : "", edge->what, s.bad ? "happens" : "never",
	       s.bad, s.bad + s.good);
	return ok;
}

int main(int argc, char **argv)
{
	bool models = argc < 2 || strcmp(argv[1], "mutants") != 0;
	bool mutants = argc < 2 || strcmp(argv[1], "models") != 0;
	bool ok = true;

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		const struct edge *e = &edges[i];

		if (e->broken ? mutants : models)
			ok &= report(e, NULL);
		for (int m = 0; mutants && m < 4 && e->mutant[m].name; m++)
			ok &= report(e, &e->mutant[m]);
	}
	return ok ? 0 : 1;
}
