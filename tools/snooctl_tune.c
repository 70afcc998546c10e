/* SPDX-License-Identifier: MIT */
/*
 * snooctl_tune.c - measure sizes on this machine, for the daemon to use
 *
 * A private daemon serves each candidate as a domain of its own; two ranks
 * join all of them and take them in turn (snooctl_tune_rank.c); the judge
 * (tune_judge.c) says whether one is better than the default.  First how a
 * large message is cut into blocks, then, with that, up to which size
 * messages go without asking the receiver.
 */
#include "tools/snooctl_tune.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "tools/snooctl_link.h"
#include "tools/where.h"

#define K		1024u
#define READY_MS	30000
#define ROUNDS		15
#define CASE_US		1500
#define POOL		"16M"	/* of each candidate */

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_UNREACHABLE };

/** struct sizes - A candidate; 0: as the daemon has it */
struct sizes {
	uint32_t small, large, stream, eager;
};

/**
 * struct stage - What is tried at a time
 *
 * The first is what there is, the second the same once more: by how much the
 * two differ is what the machine's unrest is worth.
 */
struct stage {
	const char *what;
	unsigned int ncandidates, ncases;
	struct sizes candidate[TUNE_CANDIDATES];
	struct tune_case cases[TUNE_CASES];
};

static const struct stage stages[] = {
	{
		.what = "blocks of a stream",
		.ncandidates = 11,
		.candidate = {
			{ 0 },
			{ 0 },
			{ .large = 64 * K, .stream = 256 * K },
			{ .large = 64 * K, .stream = 512 * K },
			{ .large = 64 * K, .stream = 1024 * K },
			{ .large = 64 * K, .stream = 4096 * K },
			{ .large = 32 * K, .stream = 1024 * K },
			{ .large = 32 * K, .stream = 2048 * K },
			{ .large = 128 * K, .stream = 1024 * K },
			{ .large = 128 * K, .stream = 2048 * K },
			{ .large = 256 * K, .stream = 4096 * K },
		},
		.ncases = 8,
		.cases = {
			{ TUNE_PINGPONG, 64 * K }, { TUNE_WINDOW, 64 * K },
			{ TUNE_PINGPONG, 256 * K }, { TUNE_WINDOW, 256 * K },
			{ TUNE_PINGPONG, 1024 * K }, { TUNE_WINDOW, 1024 * K },
			{ TUNE_PINGPONG, 4096 * K }, { TUNE_WINDOW, 4096 * K },
		},
	},
	{
		.what = "up to where messages are eager",
		.ncandidates = 5,
		.candidate = {
			{ 0 },
			{ 0 },
			{ .eager = 8 * K },
			{ .eager = 16 * K },
			{ .eager = 32 * K },
		},
		.ncases = 8,
		.cases = {
			{ TUNE_PINGPONG, 12 * K }, { TUNE_WINDOW, 12 * K },
			{ TUNE_PINGPONG, 24 * K }, { TUNE_WINDOW, 24 * K },
			{ TUNE_PINGPONG, 32 * K }, { TUNE_WINDOW, 32 * K },
			{ TUNE_PINGPONG, 64 * K }, { TUNE_WINDOW, 64 * K },
		},
	},
};

#define STAGES	(sizeof(stages) / sizeof(stages[0]))

/** struct run - One daemon, and where it lives */
struct run {
	char dir[64];
	pid_t pid;
	json_t *machine;		/* "cpu" and "cores", as it says */
};

/* ---- a candidate as configuration ------------------------------------- */

static void put(json_t *o, const char *key, uint32_t value)
{
	if (value)
		json_object_set_new(o, key, json_integer(value));
}

static json_t *keys_of(const struct sizes *s)
{
	json_t *o = json_object(), *block = json_object();

	put(block, "small", s->small);
	put(block, "large", s->large);
	if (json_object_size(block))
		json_object_set(o, "block_bytes", block);
	json_decref(block);
	put(o, "stream_bytes", s->stream);
	put(o, "eager_bytes", s->eager);
	return o;
}

static struct sizes over(const struct sizes *base, const struct sizes *s)
{
	return (struct sizes){
		.small = s->small ? s->small : base->small,
		.large = s->large ? s->large : base->large,
		.stream = s->stream ? s->stream : base->stream,
		.eager = s->eager ? s->eager : base->eager,
	};
}

/* Ordinary pages for all: there may not be enough huge ones for every one. */
static int write_config(const struct run *run, const struct stage *stage,
			const struct sizes *base)
{
	json_t *domains = json_object(), *conf;
	char path[96], name[16];
	int ret;

	for (unsigned int c = 0; c < stage->ncandidates; c++) {
		struct sizes s = over(base, &stage->candidate[c]);
		json_t *keys = keys_of(&s);

		json_object_set_new(keys, "pool",
				    json_pack("{s:s,s:s}", "size_bytes", POOL,
					      "huge_pages", "never"));
		snprintf(name, sizeof(name), "c%u", c);
		json_object_set_new(domains, name, keys);
	}
	conf = json_pack("{s:s,s:s,s:o}", "keeper", "none", "log_level",
			 "error", "domains", domains);
	snprintf(path, sizeof(path), "%s/snoo.json", run->dir);
	ret = conf ? json_dump_file(conf, path, JSON_INDENT(1)) : -1;
	json_decref(conf);
	return ret ? -EIO : 0;
}

/* ---- the daemon ------------------------------------------------------- */

static int wait_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	if (poll(&p, 1, READY_MS) != 1 || read(fd, &byte, 1) != 1)
		return -ECHILD;
	return 0;
}

static int start(struct run *run)
{
	char program[4096], ready[16], config[96];
	int fd[2], ret;

	if (where_program("snoo-daemon", program, sizeof(program))) {
		fprintf(stderr, "snooctl: tune: snoo-daemon is neither beside "
			"snooctl nor in PATH\n");
		return -ENOENT;
	}
	if (pipe(fd))
		return -errno;
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	snprintf(ready, sizeof(ready), "%d", fd[1]);
	snprintf(config, sizeof(config), "%s/snoo.json", run->dir);
	run->pid = fork();
	if (run->pid == 0) {
		execl(program, program, "--config", config, "--runtime-dir",
		      run->dir, "--ready-fd", ready, "--exit-with-parent",
		      "--no-keeper", "--tuned", "", (char *)NULL);
		_exit(127);
	}
	ret = run->pid < 0 ? -errno : 0;
	close(fd[1]);
	if (!ret)
		ret = wait_ready(fd[0]);
	close(fd[0]);
	if (ret)
		fprintf(stderr, "snooctl: tune: the private daemon did not "
			"start\n");
	return ret;
}

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	remove(path);
	return 0;
}

static void stop(struct run *run)
{
	if (run->pid > 0) {
		kill(run->pid, SIGTERM);
		waitpid(run->pid, NULL, 0);
	}
	run->pid = 0;
}

/* The daemon's own words for the machine: it will compare them. */
static int learn(struct run *run)
{
	const json_t *status;
	json_t *answer;
	struct link *l;
	int ret;

	if (run->machine)
		return 0;
	ret = link_open(&l, NULL, run->dir, READY_MS);
	if (ret)
		return ret;
	ret = link_ask(l, "status", NULL, &answer);
	link_close(l);
	if (ret)
		return ret;
	status = json_object_get(answer, "result");
	run->machine = json_pack("{s:O,s:O}",
				 "cpu", json_object_get(status, "cpu"),
				 "cores", json_object_get(status, "cores"));
	json_decref(answer);
	return run->machine ? 0 : -EPROTO;
}

/* ---- one stage -------------------------------------------------------- */

static json_t *told(const struct stage *stage, const struct tune_gain *gain,
		    unsigned int best)
{
	json_t *list = json_array();

	for (unsigned int c = 0; c < stage->ncandidates; c++)
		json_array_append_new(list, json_pack("{s:o,s:f,s:f,s:f,s:f,s:b}",
			"keys", keys_of(&stage->candidate[c]),
			"gain", gain[c].median, "lower", gain[c].lower,
			"upper", gain[c].upper, "worst", gain[c].worst, "taken", (int)(c == best)));
	return json_pack("{s:s,s:b,s:o}", "what", stage->what, "steady",
			 (int)tune_steady(gain), "candidates", list);
}

static int try(struct run *run, const struct stage *stage,
	       struct sizes *base, json_t *report)
{
	struct tune_table *table = calloc(1, sizeof(*table));
	struct tune_gain gain[TUNE_CANDIDATES] = { 0 };
	struct tune_plan plan = {
		.dir = run->dir,
		.cases = stage->cases,
		.ncases = stage->ncases,
		.candidates = stage->ncandidates,
		.rounds = ROUNDS,
		.us = CASE_US,
	};
	unsigned int best;
	int ret = table ? write_config(run, stage, base) : -ENOMEM;

	if (!ret)
		ret = start(run);
	if (!ret)
		ret = learn(run);
	if (!ret)
		ret = tune_measure(&plan, table);
	stop(run);
	if (!ret) {
		best = tune_best(table, gain);
		*base = over(base, &stage->candidate[best]);
		json_array_append_new(report, told(stage, gain, best));
	}
	free(table);
	return ret;
}

/* ---- the file --------------------------------------------------------- */

static char *default_file(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *path;
	int n;

	if (geteuid() == 0)
		n = asprintf(&path, "/var/lib/snoo/tuned.json");
	else if (state && *state == '/')
		n = asprintf(&path, "%s/snoo/tuned.json", state);
	else
		n = asprintf(&path, "%s/.local/state/snoo/tuned.json",
			     home ? home : "");
	return n < 0 ? NULL : path;
}

static int make_parents(const char *path)
{
	char dir[4096];

	if (strlen(path) >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, path, strlen(path) + 1);
	for (char *p = strchr(dir + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(dir, 0755) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

/* A reader finds the old file or the new one, never half of one. */
static int save(const char *path, const json_t *file)
{
	char temp[4096];
	int ret = make_parents(path);

	if (ret)
		return ret;
	if (snprintf(temp, sizeof(temp), "%s.new", path) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	if (json_dump_file(file, temp, JSON_INDENT(1)))
		return errno ? -errno : -EIO;
	return rename(temp, path) ? -errno : 0;
}

static json_t *file_of(const struct run *run, const struct sizes *base)
{
	char when[32];
	time_t now = time(NULL);
	struct tm tm;

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ",
		 gmtime_r(&now, &tm));
	return json_pack("{s:i,s:O,s:s,s:o}", "version", 1, "machine",
			 run->machine, "measured", when, "domain",
			 keys_of(base));
}

/* ---- for people ------------------------------------------------------- */

static void show_keys(const json_t *keys)
{
	char *text = json_dumps(keys, JSON_COMPACT);

	printf("%s", json_object_size(keys) && text ? text : "as it is");
	free(text);
}

static void show_stage(const json_t *stage)
{
	size_t i;
	json_t *c;

	printf("%s: gain, its quartiles, worst case%s\n",
	       json_string_value(json_object_get(stage, "what")),
	       json_is_true(json_object_get(stage, "steady")) ? "" :
	       " (too unsteady to tell)");
	json_array_foreach(json_object_get(stage, "candidates"), i, c) {
		printf("  %5.2f %5.2f-%.2f %5.2f  ",
		       json_real_value(json_object_get(c, "gain")),
		       json_real_value(json_object_get(c, "lower")),
		       json_real_value(json_object_get(c, "upper")),
		       json_real_value(json_object_get(c, "worst")));
		show_keys(json_object_get(c, "keys"));
		printf("%s\n", json_is_true(json_object_get(c, "taken")) ?
			       "  <- taken" : "");
	}
}

static void show(const json_t *report, const json_t *file, const char *path,
		 bool json)
{
	size_t i;
	json_t *stage;

	if (json) {
		json_t *all = json_pack("{s:O,s:O?,s:s}", "stages", report,
					"file", file, "path", path);

		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(all);
		return;
	}
	json_array_foreach(report, i, stage)
		show_stage(stage);
	if (file)
		printf("written to %s; a daemon takes it when it starts\n",
		       path);
}

/* What was measured before is better than what could not be measured now. */
static bool all_steady(const json_t *report)
{
	size_t i;
	json_t *stage;

	json_array_foreach(report, i, stage)
		if (!json_is_true(json_object_get(stage, "steady")))
			return false;
	return true;
}

static int measure_all(struct run *run, struct sizes *base, json_t *report)
{
	int ret = 0;

	tune_listen();
	snprintf(run->dir, sizeof(run->dir), "/tmp/snootune-XXXXXX");
	if (!mkdtemp(run->dir))
		return -errno;
	for (size_t i = 0; i < STAGES && !ret && all_steady(report); i++)
		ret = try(run, &stages[i], base, report);
	nftw(run->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return ret;
}

int tune(const char *file, bool json)
{
	char *path = file ? strdup(file) : default_file();
	json_t *report = json_array(), *out = NULL;
	struct sizes base = { 0 };
	struct run run = { .pid = 0 };
	int ret = path ? measure_all(&run, &base, report) : -ENOMEM;

	if (!ret && !all_steady(report)) {
		show(report, NULL, path, json);
		fprintf(stderr, "snooctl: tune: the machine is too busy to "
			"tell; nothing is written\n");
		ret = -EAGAIN;
	} else if (!ret) {
		out = file_of(&run, &base);
		ret = out ? save(path, out) : -ENOMEM;
		if (ret)
			fprintf(stderr, "snooctl: tune: %s: %s\n", path,
				strerror(-ret));
	}
	if (!ret)
		show(report, out, path, json);
	json_decref(out);
	json_decref(report);
	json_decref(run.machine);
	free(path);
	return ret ? EXIT_FAILED : EXIT_OK;
}
