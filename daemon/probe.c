/* SPDX-License-Identifier: MIT */
/*
 * probe.c - the report of --probe-registers, and what only looks
 */
#include "daemon/probe.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hal/mail.h"

#define FORMAT	 1   /* of the report */
#define LOOKS	 200 /* at each core, over a fifth of a second */
#define PATIENCE 300 /* s, then a child is given up */

void probe_stage(const struct probe_child *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->stage, PROBE_STAGE, fmt, ap);
	va_end(ap);
}

static json_t *hex(uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return json_string(text);
}

/* User space and physical addresses begin with 0; the kernel's with more. */
json_t *probe_word(uint64_t word)
{
	struct mail_word w;

	mail_decode(word, &w);
	if (strcmp(w.type, "garbage") != 0)
		return json_string(w.type);
	return word >> 60 ? json_string("kernel address") : hex(word);
}

/* ---- without touching a register ---------------------------------------- */

static int put_kernel(json_t *o)
{
	json_t *k = json_object();
	struct utsname u;

	if (uname(&u))
		return -errno;
	if (json_put_str(k, "release", u.release) ||
	    json_put_str(k, "version", u.version) ||
	    json_put_str(k, "machine", u.machine)) {
		json_decref(k);
		return -ENOMEM;
	}
	return json_put(o, "kernel", k);
}

static int put_cpu(json_t *o, const struct loongson_machine *m)
{
	json_t *c = json_object();
	int ret = json_put_str(c, "model", m->model);

	if (ret == 0)
		ret = json_put(c, "chip",
			       m->chip ? json_string(m->chip->name)
				       : json_null());
	if (ret == 0)
		ret = json_put_bool(c, "virtual", m->guest);
	if (ret) {
		json_decref(c);
		return ret;
	}
	return json_put(o, "processor", c);
}

/* Who else has a part of the page: a driver, or nobody that the kernel knows. */
static json_t *claims(const struct probe *p, uint64_t page)
{
	json_t *list = json_array();
	FILE *f = fopen(p->iomem, "re");
	uint64_t first, last;
	char line[256], name[128];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %" SCNx64 "-%" SCNx64 " : %127[^\n]", &first,
			   &last, name) != 3)
			continue;
		if (last < page || first >= page + p->sys->page)
			continue;
		json_array_append_new(list,
				      json_sprintf("%" PRIx64 "-%" PRIx64 " %s",
						   first, last, name));
	}
	if (f)
		fclose(f);
	return list;
}

static json_t *node_of(const struct probe_child *c, uint32_t node)
{
	uint64_t at = loongson_map_address(c->map, node);
	json_t *o = json_object();
	int ret;

	ret = json_put_u64(o, "node", node);
	if (ret == 0)
		ret = json_put(o, "address", hex(at));
	if (ret == 0)
		ret = json_put_bool(o, "alias",
				    at != loongson_base(c->m->chip, node));
	if (ret == 0)
		ret = json_put(
			o, "claimed",
			claims(c->p, at & ~(uint64_t)(c->p->sys->page - 1)));
	if (ret == 0)
		return o;
	json_decref(o);
	return NULL;
}

static int put_nodes(json_t *o, const struct probe_child *c)
{
	json_t *list = json_array();

	for (uint32_t n = 0; n < LOONGSON_NODES; n++)
		if (loongson_map_address(c->map, n))
			json_array_append_new(list, node_of(c, n));
	return json_put(o, "nodes", list);
}

/* ---- a look at each core ------------------------------------------------ */

/* A core's registers over some time: what the kernel does to them. */
struct watched {
	struct hal_regs first, last;
	uint32_t changes[HAL_MAILBOXES];
	uint32_t pending; /* bits of STATUS that were seen */
};

static void watch(const struct probe_child *c, struct watched *w)
{
	const struct timespec pause = { 0, 1000000 };

	for (int look = 0; look < LOOKS; look++) {
		for (uint32_t i = 0; i < c->m->ncpus; i++) {
			struct hal_regs r;

			if (!c->m->cpu[i].online)
				continue;
			probe_stage(c, "reading the registers of core %u", i);
			if (loongson_map_regs(c->map, i, &r))
				continue;
			if (look == 0)
				w[i].first = w[i].last = r;
			for (uint32_t b = 0; b < HAL_MAILBOXES; b++)
				w[i].changes[b] += r.mail[b] !=
						   w[i].last.mail[b];
			w[i].pending |= r.status;
			w[i].last = r;
		}
		nanosleep(&pause, NULL);
	}
}

static int put_registers(json_t *o, const struct watched *w)
{
	json_t *boxes = json_array(), *changes = json_array();
	int ret;

	for (uint32_t b = 0; b < HAL_MAILBOXES; b++) {
		json_array_append_new(boxes, probe_word(w->first.mail[b]));
		json_array_append_new(changes, json_integer(w->changes[b]));
	}
	ret = json_put(o, "status", hex(w->first.status));
	if (ret == 0)
		ret = json_put(o, "status_seen", hex(w->pending));
	if (ret == 0)
		ret = json_put(o, "enable", hex(w->first.enable));
	if (json_put(o, "mailboxes", boxes))
		ret = -ENOMEM;
	if (json_put(o, "mailbox_changes", changes))
		ret = -ENOMEM;
	return ret;
}

static json_t *core_of(const struct probe_child *c, uint32_t cpu,
		       const struct watched *w)
{
	const struct loongson_cpu *at = &c->m->cpu[cpu];
	json_t *o = json_object();
	int ret;

	ret = json_put_u64(o, "cpu", cpu);
	if (ret == 0)
		ret = json_put_bool(o, "online", at->online);
	if (ret == 0 && at->placed)
		ret = json_put_u64(o, "node", at->node);
	if (ret == 0 && at->placed)
		ret = json_put_u64(o, "core", at->core);
	if (ret == 0 && at->online)
		ret = put_registers(o, w);
	if (ret == 0)
		return o;
	json_decref(o);
	return NULL;
}

static bool is_mail(uint64_t word)
{
	struct mail_word w;

	mail_decode(word, &w);
	return strcmp(w.type, "empty") != 0 && strcmp(w.type, "garbage") != 0;
}

/* Is a mailbox in use?  Then a daemon is at work, and writing would disturb. */
static bool has_mail(const struct probe_child *c, const struct watched *w)
{
	for (uint32_t i = 0; i < c->m->ncpus; i++)
		for (uint32_t b = 1; b < HAL_MAILBOXES; b++)
			if (w[i].changes[b] || is_mail(w[i].last.mail[b]))
				return true;
	return false;
}

static json_t *look(const struct probe_child *c)
{
	struct watched w[LOONGSON_CPUS] = { 0 };
	json_t *o = json_object(), *list = json_array();
	int ret;

	watch(c, w);
	probe_stage(c, "writing the report");
	for (uint32_t i = 0; i < c->m->ncpus; i++)
		json_array_append_new(list, core_of(c, i, &w[i]));
	ret = json_put(o, "cores", list);
	if (ret == 0)
		ret = json_put_bool(o, "in_use", has_mail(c, w));
	if (ret == 0)
		return o;
	json_decref(o);
	return NULL;
}

/* ---- children ----------------------------------------------------------- */

static void write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			_exit(1);
		text += n;
		len -= (size_t)n;
	}
}

static void run_child(const struct probe_child *c,
		      json_t *(*fn)(const struct probe_child *), int fd)
{
	json_t *o;
	char *text;
	size_t len;

	/* The machine's answer to a bad access is a result, not a dump. */
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGBUS, SIG_DFL);
	signal(SIGILL, SIG_DFL);
	alarm(PATIENCE);
	o = fn(c);
	text = o ? json_oneline(o, &len) : NULL;
	if (!text)
		_exit(1);
	write_all(fd, text, len);
	_exit(0);
}

static char *read_all(int fd, size_t *len)
{
	size_t room = 1 << 16, used = 0;
	char *text = malloc(room);
	ssize_t n;

	while (text && (n = read(fd, text + used, room - used)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		used += n > 0 ? (size_t)n : 0;
		if (used == room) {
			char *more = realloc(text, room * 2);

			if (!more)
				break;
			text = more;
			room *= 2;
		}
	}
	*len = used;
	return text;
}

/* What a child said, or how it ended. */
static json_t *result_of(const struct probe_child *c, int fd, pid_t pid)
{
	struct json_err err;
	json_t *o = NULL;
	int status = 0;
	size_t len;
	char *text;

	text = read_all(fd, &len);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (text && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		json_parse(&o, text, len, &err);
	free(text);
	if (o)
		return o;
	return json_pack("{s:s, s:i, s:i}", "died", c->stage, "signal",
			 WIFSIGNALED(status) ? WTERMSIG(status) : 0, "exit",
			 WIFEXITED(status) ? WEXITSTATUS(status) : 0);
}

static json_t *in_child(const struct probe_child *c,
			json_t *(*fn)(const struct probe_child *))
{
	json_t *o = NULL;
	int fds[2];
	pid_t pid;

	if (pipe(fds))
		return NULL;
	snprintf(c->stage, PROBE_STAGE, "starting");
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		run_child(c, fn, fds[1]);
	}
	close(fds[1]);
	if (pid > 0)
		o = result_of(c, fds[0], pid);
	close(fds[0]);
	return o;
}

/* ---- the report --------------------------------------------------------- */

static const char *said(const struct probe *p)
{
	return p->flags & PROBE_WRITE
		       ? "MailBox1..3 of online cores, and nothing else, were "
			 "written"
		       : "nothing was written";
}

static int look_and_write(json_t *o, const struct probe_child *c)
{
	json_t *looked = in_child(c, look), *wrote = NULL;
	int ret = 0;

	if (!looked)
		return -ENOMEM;
	if (json_object_get(looked, "died"))
		ret = -EIO;
	if (ret == 0 && c->p->flags & PROBE_WRITE) {
		if (json_is_true(json_object_get(looked, "in_use")))
			wrote = json_string("not done: the mailboxes are in "
					    "use, stop the daemon first");
		else
			wrote = in_child(c, probe_write);
		if (!wrote)
			ret = -ENOMEM;
		else if (json_object_get(wrote, "died"))
			ret = -EIO;
	}
	if (json_object_update(o, looked))
		ret = -ENOMEM;
	json_decref(looked);
	if (wrote && json_put(o, "write", wrote))
		ret = -ENOMEM;
	return ret;
}

/* The registers, if there are any; the sentence, if not. */
static int put_all(json_t *o, const struct probe *p)
{
	struct loongson_machine m;
	struct probe_child c = { .p = p, .m = &m };
	char why[HAL_TEXT] = "";
	int ret, reach;

	reach = loongson_look(&m, p->sys, why);
	ret = put_cpu(o, &m);
	/* The option is asked for by hand: a guest is no reason not to look. */
	if (reach == 0)
		reach = loongson_guest(&m, HAL_ALLOW_GUEST, why);
	if (reach == 0)
		reach = loongson_map_open(&c.map, p->sys, &m, why);
	if (ret == 0)
		ret = json_put_bool(o, "reachable", reach == 0);
	if (ret == 0 && reach)
		ret = json_put_str(o, "why", why);
	if (ret || reach)
		goto out;
	ret = put_nodes(o, &c);
	c.stage = mmap(NULL, PROBE_STAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ret == 0)
		ret = c.stage == MAP_FAILED ? -ENOMEM : look_and_write(o, &c);
	if (c.stage != MAP_FAILED)
		munmap(c.stage, PROBE_STAGE);
out:
	loongson_map_close(c.map);
	return ret ? ret : reach;
}

int probe_report(json_t **out, const struct probe *p)
{
	json_t *o = json_object();
	int ret;

	*out = NULL;
	ret = json_put_u64(o, "format", FORMAT);
	if (ret == 0)
		ret = json_put_str(o, "snoo", SNOO_VERSION);
	if (ret == 0)
		ret = json_put_str(o, "said", said(p));
	if (ret == 0)
		ret = put_kernel(o);
	if (ret == 0)
		ret = json_put_u64(o, "page_bytes", p->sys->page);
	if (ret == 0)
		ret = put_all(o, p);
	if (ret == -ENOMEM) {
		json_decref(o);
		return ret;
	}
	*out = o;
	return ret;
}

int probe_main(uint32_t flags)
{
	const struct probe p = {
		.sys = loongson_sys(),
		.ops = &hal_loongson,
		.iomem = "/proc/iomem",
		.flags = flags,
	};
	json_t *report;
	int ret = probe_report(&report, &p);

	if (!report) {
		fprintf(stderr, "snoo-daemon: %s\n", strerror(-ret));
		return ret;
	}
	if (json_dumpf(report, stdout, JSON_INDENT(2)) ||
	    putchar('\n') == EOF || fflush(stdout))
		ret = -EPIPE;
	json_decref(report);
	return ret;
}
