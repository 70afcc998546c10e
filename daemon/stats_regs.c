/* SPDX-License-Identifier: MIT */
/*
 * stats_regs.c - what the daemon knows, as JSON: the machine's registers
 */
#include "daemon/stats.h"

#include <stdio.h>
#include <string.h>

#include "daemon/regs.h"
#include "daemon/touch.h"

#define WORD_TEXT 256

/* ---- status ---- */

static void put_ns(json_t *o, const char *key, int64_t ns)
{
	if (ns >= 0)
		json_put_u64(o, key, (uint64_t)ns);
}

json_t *stats_regs(const struct shared *sh)
{
	json_t *o = json_object();
	struct regs_report r;

	regs_report(sh->regs, &r);
	json_put_str(o, "configured", conf_registers_name(sh->conf->registers));
	json_put_str(o, "in_use", r.hardware ? "hardware" : "lines");
	json_put_str(o, "backend", *r.backend ? r.backend : "none");
	if (*r.chip)
		json_put_str(o, "chip", r.chip);
	if (*r.why)
		json_put_str(o, "why", r.why);
	put_ns(o, "message_ns", r.message_ns);
	put_ns(o, "line_ns", r.line_ns);
	json_put_str(o, "reason", r.reason);
	json_put_u64(o, "cores", r.cores);
	json_put_u64(o, "messages", r.messages);
	json_put_u64(o, "words", r.mail.words);
	json_put_u64(o, "copied", r.copied);
	json_put_u64(o, "dropped", r.dropped);
	json_put_u64(o, "garbage", r.mail.garbage);
	json_put_u64(o, "repeats", r.mail.repeats);
	json_put_u64(o, "given_up", r.mail.given_up);
	json_put_u64(o, "core_changes", r.core_changes);
	json_put_bool(o, "asleep", r.asleep);
	return o;
}

void stats_regs_warning(const struct shared *sh, json_t *warnings)
{
	struct regs_report r;

	regs_report(sh->regs, &r);
	if (*r.warning)
		json_array_append_new(warnings, json_string(r.warning));
}

/* ---- the blocks ---- */

static void put_hex(json_t *o, const char *key, uint64_t value, int digits)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%0*llx", digits,
		 (unsigned long long)value);
	json_put_str(o, key, text);
}

/* Where a MIPS or LoongArch kernel's addresses begin.  No word of ours does. */
static bool like_an_address(uint64_t word)
{
	switch (word >> 60) {
	case 0x8:
	case 0x9:
	case 0xa:
	case 0xb:
	case 0xf:
		return true;
	default:
		return false;
	}
}

static const char *rank_text(const struct regs *g, uint32_t id, char buf[],
			     size_t len)
{
	const struct rank *r = regs_of_id(g, id);

	if (r)
		snprintf(buf, len, "%s.%u", r->job->led.name, r->led.rank);
	else
		snprintf(buf, len, "nobody");
	return buf;
}

/* "DATA pair.0 > pair.1, 8 bytes": what stands in one cell of a table. */
static void describe(const struct regs *g, uint64_t word,
		     const struct mail_word *w, char text[WORD_TEXT])
{
	char from[CONF_NAME_MAX + 16], to[CONF_NAME_MAX + 16];

	if (strcmp(w->type, "DATA") == 0)
		snprintf(text, WORD_TEXT, "DATA %s > %s, %u bytes",
			 rank_text(g, w->from, from, sizeof(from)),
			 rank_text(g, w->to, to, sizeof(to)), w->length);
	else if (strcmp(w->type, "CREDIT") == 0)
		snprintf(text, WORD_TEXT, "CREDIT of cpu %u%s", w->core,
			 w->again ? ", again" : "");
	else if (strcmp(w->type, "garbage") == 0 && like_an_address(word))
		snprintf(text, WORD_TEXT, "garbage: a kernel address");
	else
		snprintf(text, WORD_TEXT, "%s", w->type);
}

/* Cores that write into that mailbox. */
static void put_writers(json_t *o, const struct mail *m, uint32_t core,
			uint32_t box)
{
	struct topo_set cpus;
	uint32_t n = hal_ncores(mail_hal(m));
	char text[128];

	topo_set_zero(&cpus);
	for (uint32_t c = 0; c < n && c < TOPO_CPUS; c++)
		if (mail_box(m, c, core, NULL) == (int)box)
			topo_set_add(&cpus, c);
	json_put_str(o, "writers", topo_set_format(&cpus, text, sizeof(text)));
}

static json_t *one_mailbox(const struct regs *g, uint32_t core, uint32_t box,
			   uint64_t word)
{
	json_t *o = json_object();
	char text[WORD_TEXT], from[CONF_NAME_MAX + 16];
	struct mail_word w;

	mail_decode(word, &w);
	describe(g, word, &w, text);
	json_put_u64(o, "box", box);
	json_put_str(o, "name", text);
	json_put_str(o, "type", w.type);
	if (like_an_address(word))
		json_put_str(o, "word", "a kernel address");
	else
		put_hex(o, "word", word, 16);
	put_writers(o, regs_mail(g), core, box);
	if (strcmp(w.type, "DATA") == 0) {
		json_put_str(o, "from",
			     rank_text(g, w.from, from, sizeof(from)));
		json_put_str(o, "to", rank_text(g, w.to, from, sizeof(from)));
		json_put_u64(o, "bytes", w.length);
	}
	if (strcmp(w.type, "DATA") == 0 || strcmp(w.type, "CREDIT") == 0) {
		json_put_u64(o, "cpu", w.core);
		json_put_u64(o, "sequence", w.sequence);
	}
	return o;
}

static json_t *one_core(const struct regs *g, uint32_t core)
{
	json_t *o = json_object(), *boxes = json_array();
	struct hal *h = mail_hal(regs_mail(g));
	struct hal_where where;
	struct hal_regs regs;

	hal_where(h, core, &where);
	json_put_u64(o, "cpu", core);
	json_put_u64(o, "node", where.node);
	json_put_u64(o, "core", where.core);
	json_put_bool(o, "online", where.online);
	if (where.online && hal_read_regs(h, core, &regs) == 0) {
		put_hex(o, "status", regs.status, 8);
		put_hex(o, "enable", regs.enable, 8);
		/* Mailbox 0 is the kernel's: what is in it is its own affair. */
		for (uint32_t b = HAL_MAIL_FIRST; b <= HAL_MAIL_LAST; b++)
			json_array_append_new(
				boxes, one_mailbox(g, core, b, regs.mail[b]));
	}
	json_put(o, "mailboxes", boxes);
	return o;
}

static const char *bells(uint32_t bits, char text[64])
{
	uint32_t other = bits &
			 ~(uint32_t)(SNOO_ABI_BELL_DATA | SNOO_ABI_BELL_NEWS);

	snprintf(text, 64, "%s%s%s%s", bits & SNOO_ABI_BELL_DATA ? "data" : "",
		 bits & SNOO_ABI_BELL_DATA && bits & SNOO_ABI_BELL_NEWS ? ", "
									: "",
		 bits & SNOO_ABI_BELL_NEWS ? "news" : "",
		 other ? " and unknown ones" : "");
	return text;
}

static json_t *one_slot(const struct rank *r)
{
	json_t *o = json_object();
	struct hal_regs regs;
	char text[64];

	touch_regs(r, &regs);
	json_put_str(o, "domain", r->dom->name);
	json_put_u64(o, "slot", r->slot);
	json_put_str(o, "job", r->job->led.name);
	json_put_u64(o, "number", r->job->led.number);
	json_put_u64(o, "rank", r->led.rank);
	put_hex(o, "status", regs.status, 8);
	put_hex(o, "enable", regs.enable, 8);
	json_put_str(o, "pending", bells(regs.status, text));
	json_put_str(o, "armed", bells(regs.enable, text));
	return o;
}

static void add_slots(json_t *list, const struct domain *d)
{
	for (uint32_t i = 0; i < d->nranks; i++)
		if (d->rank[i] && state_rank_alive(d->rank[i]))
			json_array_append_new(list, one_slot(d->rank[i]));
}

json_t *stats_registers(struct shared *sh, const struct stats_filter *f)
{
	json_t *o = json_object(), *list = json_array();
	const struct regs *g = sh->regs;

	if (regs_mail(g)) {
		for (uint32_t core = regs_next_core(g, 0); core != UINT32_MAX;
		     core = regs_next_core(g, core + 1))
			json_array_append_new(list, one_core(g, core));
		json_put(o, "cores", list);
		return o;
	}
	for (const struct domain *d = sh->domains; d; d = d->next)
		if (stats_shows(f, d))
			add_slots(list, d);
	json_put(o, "slots", list);
	return o;
}
