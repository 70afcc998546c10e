/* SPDX-License-Identifier: MIT */
/*
 * regs_mode.c - whether the machine's registers carry messages, and why
 *
 *   registers  hal        there is hardware         there is none
 *   ---------  ---------  ------------------------  -----------------------
 *   lines      any        lines                     lines
 *   hardware   auto       its mailboxes             lines, with a warning
 *   hardware   loongson   its mailboxes             the daemon does not start
 *   hardware   emul       emulated mailboxes        emulated mailboxes
 *   auto       auto       whatever is faster        lines
 *   auto       loongson   whatever is faster        lines, with a warning
 *   auto       emul       lines                     lines
 *
 * The emulated blocks are private memory of this daemon: both ends of every
 * mailbox are here anyway.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/regs_impl.h"
#include "hal/loongson/loongson.h"

#define MEASURE_ROUNDS 200u
#define MEASURE_BYTES  8u
#define MEMORY	       "/dev/mem"

/* ---- opening a back end ---- */

static uint32_t cores_of(const struct topo_set *set, uint32_t core[TOPO_CPUS])
{
	uint32_t n = 0;

	for (unsigned int cpu = topo_set_next(set, 0); cpu < TOPO_CPUS;
	     cpu = topo_set_next(set, cpu + 1))
		core[n++] = cpu;
	return n;
}

static int open_mail(struct regs *g, const struct hal_ops *ops, uint32_t flags)
{
	uint32_t core[TOPO_CPUS];
	struct mail_params p = {
		.ops = ops,
		.hal.flags = flags,
		.core = core,
		.told = &regs_told,
		.arg = g,
	};
	size_t bytes;

	g->served = *topo_online(g->sh->topo);
	p.ncores = cores_of(&g->served, core);
	if (ops == &hal_emul) {
		p.hal.ncores = topo_cpus_end(g->sh->topo);
		bytes = (size_t)p.hal.ncores * HAL_REG_STRIDE;
		g->blocks = aligned_alloc(HAL_REG_STRIDE, bytes);
		if (!g->blocks)
			return -ENOMEM;
		memset(g->blocks, 0, bytes);
		p.hal.regs = g->blocks;
	}
	return mail_open(&g->mail, &p);
}

/*
 * Two daemons in the same mailboxes would take each other's words.  Where the
 * file can't be opened the back end can't open it either, and says why.
 */
static int lock_machine(struct regs *g)
{
	g->lock_fd = open(MEMORY, O_RDONLY | O_CLOEXEC);
	if (g->lock_fd < 0 || flock(g->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return 0;
	snprintf(g->why, sizeof(g->why),
		 "another daemon uses the registers of "
		 "this machine: stop it, or let this one use lines");
	return -EBUSY;
}

/* For people: which processor's registers these are. */
static void name_chip(struct regs *g)
{
	struct loongson_machine m;
	char why[HAL_TEXT];

	if (loongson_look(&m, loongson_sys(), why))
		return;
	snprintf(g->chip, sizeof(g->chip), "%s%s%s%s", m.chip->name,
		 *m.model ? " (" : "", m.model, *m.model ? ")" : "");
}

/* On failure g->why says what is missing. */
static int open_hardware(struct regs *g, const struct hal_ops *hw)
{
	const struct conf *c = g->sh->conf;
	/* Asked for twice: in a guest the block is the hypervisor's. */
	bool guest = c->registers_in_guest && c->hal == CONF_HAL_LOONGSON;
	int ret = guest ? 0 : hal_probe(hw, g->why);

	if (ret == 0 && hw == &hal_loongson)
		ret = lock_machine(g);
	if (ret == 0)
		ret = open_mail(g, hw, guest ? HAL_ALLOW_GUEST : 0);
	if (ret == 0) {
		g->ops = hw;
		g->why[0] = '\0';
		if (hw == &hal_loongson)
			name_chip(g);
		return 0;
	}
	if (!*g->why && hal_probe(hw, g->why) == 0)
		snprintf(g->why, sizeof(g->why),
			 "the registers cannot be "
			 "mapped: %s",
			 strerror(-ret));
	return ret;
}

static void close_hardware(struct regs *g)
{
	mail_close(g->mail);
	g->mail = NULL;
	g->ops = NULL;
	free(g->blocks);
	g->blocks = NULL;
	if (g->lock_fd >= 0)
		close(g->lock_fd);
	g->lock_fd = -1;
}

/* ---- what it costs ---- */

static void measure(struct regs *g)
{
	g->message_ns = mail_measure(g->mail, MEASURE_BYTES, MEASURE_ROUNDS);
	g->line_ns = regs_line_measure(&g->served);
}

/* A register message is two lines and what is between them. */
static int64_t whole_ns(const struct regs *g)
{
	return g->message_ns + 2 * g->line_ns;
}

static bool measured(const struct regs *g)
{
	return g->message_ns >= 0 && g->line_ns >= 0;
}

static const char *why_not_measured(int64_t ret)
{
	switch (ret) {
	case -ENODEV:
		return "it takes two cores";
	case -EAGAIN:
		return "the cores were busy, or the clock is too coarse";
	default:
		return strerror((int)-ret);
	}
}

static void say(struct regs *g, const char *choice)
{
	if (!measured(g))
		snprintf(g->reason, sizeof(g->reason), "%s; not measured: %s",
			 choice,
			 why_not_measured(g->message_ns < 0 ? g->message_ns
							    : g->line_ns));
	else
		snprintf(g->reason, sizeof(g->reason),
			 "%s: a register message takes %lld ns (%lld in "
			 "mailboxes, and two lines), a line %lld ns",
			 choice, (long long)whole_ns(g),
			 (long long)g->message_ns, (long long)g->line_ns);
}

/* ---- the decision ---- */

static void stay_with_lines(struct regs *g, const char *why)
{
	snprintf(g->reason, sizeof(g->reason), "%s", why);
}

static void warn(struct regs *g)
{
	const struct conf *c = g->sh->conf;

	snprintf(g->warning, sizeof(g->warning),
		 "registers is \"%s\" and hal \"%s\", but cache lines carry "
		 "all messages: %s",
		 conf_registers_name(c->registers), conf_hal_name(c->hal),
		 g->why);
	log_warn("%s", g->warning);
}

static int decide_hardware(struct regs *g, const struct hal_ops *hw,
			   char why[REGS_TEXT])
{
	const struct conf *c = g->sh->conf;
	int ret;

	if (c->hal == CONF_HAL_EMUL) {
		ret = open_mail(g, &hal_emul, 0);
		if (ret) {
			snprintf(why, REGS_TEXT, "emulated registers: %s",
				 strerror(-ret));
			return ret;
		}
		g->ops = &hal_emul;
	} else if (open_hardware(g, hw)) {
		if (c->hal == CONF_HAL_LOONGSON) {
			snprintf(why, REGS_TEXT,
				 "registers is \"hardware\" "
				 "and hal \"loongson\", but %s; or set "
				 "registers to \"lines\"",
				 g->why);
			return -EINVAL;
		}
		stay_with_lines(g, "there are no registers to use");
		close_hardware(g);
		warn(g);
		return 0;
	}
	measure(g);
	say(g, "the configuration says so");
	return 0;
}

static void decide_auto(struct regs *g, const struct hal_ops *hw)
{
	const struct conf *c = g->sh->conf;

	if (c->hal == CONF_HAL_EMUL) {
		stay_with_lines(g, "emulated registers are made of lines, and "
				   "slower");
		return;
	}
	if (open_hardware(g, hw)) {
		stay_with_lines(g, "there are no registers to use");
		close_hardware(g);
		if (c->hal == CONF_HAL_LOONGSON)
			warn(g);
		return;
	}
	measure(g);
	if (measured(g) && whole_ns(g) < g->line_ns) {
		say(g, "the registers are faster");
		return;
	}
	say(g, measured(g) ? "lines are faster" : "lines are the rule");
	close_hardware(g);
}

static int decide(struct regs *g, const struct hal_ops *hw, char why[REGS_TEXT])
{
	switch (g->sh->conf->registers) {
	case CONF_REGS_HARDWARE:
		return decide_hardware(g, hw, why);
	case CONF_REGS_AUTO:
		decide_auto(g, hw);
		return 0;
	default:
		stay_with_lines(g, "the configuration says so");
		return 0;
	}
}

static void on_event(void *arg)
{
	regs_refresh(arg);
}

static void listen_for_cores(struct regs *g)
{
	int ret = regs_event_open(&g->event, g->sh->loop, on_event, g);

	if (ret)
		log_info("cores that come and go are noticed by looking only "
			 "error=\"%s\"",
			 strerror(-ret));
}

int regs_open_on(struct regs **out, struct shared *sh,
		 const struct hal_ops *hardware, char why[REGS_TEXT])
{
	struct regs *g = calloc(1, sizeof(*g));
	int ret;

	*out = NULL;
	if (!g) {
		snprintf(why, REGS_TEXT, "out of memory");
		return -ENOMEM;
	}
	g->sh = sh;
	g->lock_fd = -1;
	g->message_ns = g->line_ns = -ENODATA;
	ret = decide(g, hardware, why);
	if (ret)
		goto err;
	ret = regs_serve_open(g);
	if (ret) {
		snprintf(why, REGS_TEXT, "%s", strerror(-ret));
		goto err;
	}
	if (g->mail)
		listen_for_cores(g);
	log_info("register messages in_use=%s backend=%s reason=\"%s\"",
		 g->mail ? "hardware" : "lines", g->ops ? g->ops->name : "none",
		 g->reason);
	*out = g;
	return 0;

err:
	close_hardware(g);
	free(g);
	return ret;
}

int regs_open(struct regs **out, struct shared *sh, char why[REGS_TEXT])
{
	return regs_open_on(out, sh, &hal_loongson, why);
}

void regs_close(struct regs *g)
{
	if (!g)
		return;
	regs_event_close(g->event);
	regs_serve_close(g);
	close_hardware(g);
	free(g);
}

/* ---- for people ---- */

struct mail *regs_mail(const struct regs *g)
{
	return g ? g->mail : NULL;
}

uint32_t regs_next_core(const struct regs *g, uint32_t from)
{
	unsigned int cpu = topo_set_next(&g->served, from);

	return cpu < TOPO_CPUS ? cpu : UINT32_MAX;
}

void regs_report(const struct regs *g, struct regs_report *out)
{
	memset(out, 0, sizeof(*out));
	if (!g) {
		out->backend = out->chip = out->why = out->reason =
			out->warning = "";
		out->message_ns = out->line_ns = -ENODATA;
		out->asleep = true;
		return;
	}
	out->hardware = g->mail != NULL;
	out->backend = g->ops ? g->ops->name : "";
	out->chip = g->chip;
	out->why = g->why;
	out->reason = g->reason;
	out->warning = g->warning;
	out->message_ns = g->message_ns;
	out->line_ns = g->line_ns;
	out->messages = g->messages;
	out->copied = g->copied;
	out->dropped = g->dropped;
	out->core_changes = g->core_changes;
	out->asleep = !g->busy;
	if (!g->mail)
		return;
	for (uint32_t core = regs_next_core(g, 0); core != UINT32_MAX;
	     core = regs_next_core(g, core + 1))
		out->cores += mail_core(g->mail, core);
	mail_counts(g->mail, &out->mail);
}
