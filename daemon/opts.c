/* SPDX-License-Identifier: MIT */
/*
 * opts.c - the command line of snoo-daemon
 */
#include "daemon/opts.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef SNOO_VERSION
#define SNOO_VERSION "unknown"
#endif

static const char help[] =
"usage: snoo-daemon [options]\n"
"\n"
"The daemon of SNOO: owns each domain's pool, lets ranks join, notices their\n"
"death, shares what is short.  No option and no file is needed.\n"
"\n"
"  -c, --config FILE        configuration (" OPTS_CONFIG " if it is there)\n"
"      --check-config [FILE]\n"
"                           say what is wrong with a configuration, and end\n"
"      --runtime-dir DIR    where sockets and locks are\n"
"      --domain NAME        serve this domain alone; it may be a new one\n"
"      --pool-size SIZE     of every domain served: 64M, 2G\n"
"      --log-level LEVEL    error, warning, info or debug\n"
"      --set KEY=VALUE      any key of the configuration; may be repeated\n"
"      --tuned FILE         sizes that snooctl tune has measured; \"\": none\n"
"      --ready-fd N         write a line to this descriptor when ready\n"
"      --exit-with-parent   stop when the process that started this one ends\n"
"      --no-keeper          no process that keeps sockets and memory while\n"
"                           the daemon is started again\n"
"      --probe-registers[=write]\n"
"                           report on this machine's mailbox registers, as\n"
"                           JSON, and end; by itself it writes none of them\n"
"      --version, --help\n"
"\n"
"Signals: TERM and INT stop, HUP reads the configuration again, USR1 hands\n"
"over to a new daemon without a rank noticing.\n"
"\n"
"Exit codes: 0 stopped as asked, 1 failed, 2 wrong usage or configuration,\n"
"3 the domain is served already, 69 no registers to report on.\n";

enum {
	OPT_CHECK = 256,
	OPT_RUNTIME_DIR,
	OPT_DOMAIN,
	OPT_POOL_SIZE,
	OPT_LOG_LEVEL,
	OPT_SET,
	OPT_TUNED,
	OPT_READY_FD,
	OPT_EXIT_WITH_PARENT,
	OPT_NO_KEEPER,
	OPT_PROBE,
	OPT_VERSION,
};

static const struct option options[] = {
	{ "config",		required_argument, NULL, 'c' },
	{ "check-config",	optional_argument, NULL, OPT_CHECK },
	{ "runtime-dir",	required_argument, NULL, OPT_RUNTIME_DIR },
	{ "domain",		required_argument, NULL, OPT_DOMAIN },
	{ "pool-size",		required_argument, NULL, OPT_POOL_SIZE },
	{ "log-level",		required_argument, NULL, OPT_LOG_LEVEL },
	{ "set",		required_argument, NULL, OPT_SET },
	{ "tuned",		required_argument, NULL, OPT_TUNED },
	{ "ready-fd",		required_argument, NULL, OPT_READY_FD },
	{ "exit-with-parent",	no_argument, NULL, OPT_EXIT_WITH_PARENT },
	{ "no-keeper",		no_argument, NULL, OPT_NO_KEEPER },
	{ "probe-registers",	optional_argument, NULL, OPT_PROBE },
	{ "version",		no_argument, NULL, OPT_VERSION },
	{ "help",		no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void wrong(struct opts *o, const char *text, const char *value)
{
	fprintf(stderr, "snoo-daemon: %s: %s; see --help\n", text, value);
	o->what = OPTS_WRONG;
}

static void take_fd(struct opts *o, const char *text)
{
	char *end;
	long fd;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno || *end || end == text || fd < 0 || fd > 1 << 20)
		wrong(o, "--ready-fd takes a descriptor's number", text);
	else
		o->ready_fd = (int)fd;
}

static void take_set(struct opts *o, const char *text)
{
	if (o->ov.nsets == OPTS_SETS_MAX)
		wrong(o, "too many --set", text);
	else if (!strchr(text, '='))
		wrong(o, "--set takes KEY=VALUE", text);
	else
		o->sets[o->ov.nsets++] = text;
}

static void take_probe(struct opts *o, const char *text)
{
	o->what = OPTS_PROBE;
	if (text && strcmp(text, "write") == 0)
		o->probe_writes = true;
	else if (text)
		wrong(o, "--probe-registers takes nothing, or =write", text);
}

static void take(struct opts *o, int opt, char **argv)
{
	switch (opt) {
	case 'c':
		o->config = optarg;
		break;
	case OPT_CHECK:
		o->what = OPTS_CHECK;
		if (optarg)
			o->config = optarg;
		else if (argv[optind] && argv[optind][0] != '-')
			o->config = argv[optind++];
		break;
	case OPT_RUNTIME_DIR:
		o->ov.runtime_dir = optarg;
		break;
	case OPT_DOMAIN:
		o->ov.domain = optarg;
		break;
	case OPT_POOL_SIZE:
		o->ov.pool_size = optarg;
		break;
	case OPT_LOG_LEVEL:
		o->ov.log_level = optarg;
		break;
	case OPT_SET:
		take_set(o, optarg);
		break;
	case OPT_TUNED:
		o->ov.tuned = optarg;
		break;
	case OPT_READY_FD:
		take_fd(o, optarg);
		break;
	case OPT_EXIT_WITH_PARENT:
		o->exit_with_parent = true;
		break;
	case OPT_NO_KEEPER:
		o->no_keeper = true;
		break;
	case OPT_PROBE:
		take_probe(o, optarg);
		break;
	case OPT_VERSION:
		printf("snoo-daemon %s\n", SNOO_VERSION);
		o->what = OPTS_EXIT;
		break;
	case 'h':
		fputs(help, stdout);
		o->what = OPTS_EXIT;
		break;
	default:
		/* getopt has said what. */
		fputs("see snoo-daemon --help\n", stderr);
		o->what = OPTS_WRONG;
	}
}

/* The user's own before the machine's, as "snooctl tune" writes them. */
static void find_tuned(struct opts *o)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n = -1;

	o->ov.tuned = OPTS_TUNED;
	if (geteuid() == 0)
		return;
	if (state && *state == '/')
		n = snprintf(o->tuned, sizeof(o->tuned), "%s/snoo/tuned.json",
			     state);
	else if (home && *home == '/')
		n = snprintf(o->tuned, sizeof(o->tuned),
			     "%s/.local/state/snoo/tuned.json", home);
	if (n > 0 && (size_t)n < sizeof(o->tuned) &&
	    access(o->tuned, F_OK) == 0)
		o->ov.tuned = o->tuned;
}

void opts_parse(struct opts *o, int argc, char **argv)
{
	int opt;

	memset(o, 0, sizeof(*o));
	o->ready_fd = -1;
	o->ov.sets = o->sets;
	while (o->what != OPTS_EXIT && o->what != OPTS_WRONG &&
	       (opt = getopt_long(argc, argv, "+c:h", options, NULL)) != -1)
		take(o, opt, argv);
	if ((o->what == OPTS_RUN || o->what == OPTS_CHECK ||
	     o->what == OPTS_PROBE) && optind < argc)
		wrong(o, "this is no option", argv[optind]);
	if (!o->ov.tuned)
		find_tuned(o);
	if (!o->config && access(OPTS_CONFIG, F_OK) == 0)
		o->config = OPTS_CONFIG;
}
