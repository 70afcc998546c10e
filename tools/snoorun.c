/* SPDX-License-Identifier: MIT */
/*
 * snoorun.c - start the ranks of a job on this host
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tools/snoorun_common.h"
#include "tools/snoorun_daemon.h"
#include "tools/snoorun_loop.h"
#include "tools/snoorun_on.h"

#ifndef SNOO_VERSION
#define SNOO_VERSION	"unknown"
#endif

#define CORES_MAX	SNOORUN_RANKS_MAX
#define CPU_MAX		1023u		/* as many as the daemon counts */

static const char usage[] =
"usage: snoorun -n N [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
"       snoorun --on LIST [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
"\n"
"  -n, --ranks N           how many ranks\n"
"      --on LIST           where, and how many there: host:1,vm-a:2\n"
"  -N, --name JOB          the job's name, stronger than the program's own\n"
"  -d, --domain NAME       domain of the daemon (default)\n"
"  -s, --socket PATH       the daemon's client socket\n"
"  -p, --private           start a daemon for this run, even if one runs\n"
"      --pool-size SIZE    of the private daemon's pool: 256M\n"
"      --place POLICY      of the private daemon: compact, spread or none\n"
"  -c, --core-list LIST    cpus for rank 0, 1, ...: 0,2,4-7; starts over\n"
"      --prefix            put \"[rank] \" before each line of output\n"
"      --no-prefix         leave the output alone\n"
"  -x, --env NAME[=VALUE]  set it for all ranks, in VMs that allow it, too\n"
"  -t, --timeout SECONDS   end the run after that long\n"
"  -v, --verbose           say what the private daemon says\n"
"  -h, --help              this text\n"
"\n"
"Lines have prefixes by default if the output is a terminal.\n"
"Exit code: that of the first rank that failed (128 + signal if killed),\n"
"0 if none did; 2 usage, 124 timeout, 125 no daemon, 126 and 127 no program.\n";

static int bad(const char *what)
{
	snoorun_say("%s; snoorun --help tells more", what);
	return -EINVAL;
}

/* ---- options ---------------------------------------------------------- */

static int number(const char **text, unsigned int max, unsigned int *out)
{
	unsigned int n = 0;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	for (; isdigit((unsigned char)**text); (*text)++) {
		n = n * 10 + (unsigned int)(**text - '0');
		if (n > max)
			return -ERANGE;
	}
	*out = n;
	return 0;
}

static int parse_ranks(const char *text, unsigned int *out)
{
	if (number(&text, SNOORUN_RANKS_MAX, out) || *text || *out == 0)
		return bad("-n takes a number of ranks, 1 to 1024");
	return 0;
}

static int parse_cores(struct snoorun_opts *o, const char *text)
{
	static const char what[] =
		"--core-list takes cpus like 0,2,4-7, each 0 to 1023";
	unsigned int first, last;

	free(o->core);
	o->ncores = 0;
	o->core = calloc(CORES_MAX, sizeof(*o->core));
	if (!o->core)
		return bad("out of memory");
	for (;;) {
		if (number(&text, CPU_MAX, &first))
			return bad(what);
		last = first;
		if (*text == '-') {
			text++;
			if (number(&text, CPU_MAX, &last) || last < first)
				return bad(what);
		}
		for (; first <= last; first++) {
			if (o->ncores == CORES_MAX)
				return bad("--core-list is too long");
			o->core[o->ncores++] = first;
		}
		if (!*text)
			return 0;
		if (*text++ != ',')
			return bad(what);
	}
}

static int parse_timeout(const char *text, int64_t *ms)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !isfinite(s) || s < 0.001 || s > 1e9)
		return bad("--timeout takes seconds, from 0.001");
	*ms = (int64_t)(s * 1000);
	return 0;
}

static int check_name(const char *what, const char *name)
{
	size_t len = strlen(name);

	if (len >= 1 && len <= 63 &&
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "abcdefghijklmnopqrstuvwxyz0123456789._-") == len &&
	    strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		return 0;
	snoorun_say("%s \"%s\" is no name; a name is 1 to 63 of A-Z a-z 0-9 "
		    ". _ -", what, name);
	return -EINVAL;
}

static int check_place(const char *place)
{
	if (strcmp(place, "compact") == 0 || strcmp(place, "spread") == 0 ||
	    strcmp(place, "none") == 0)
		return 0;
	return bad("--place takes compact, spread or none");
}

/* Into our own environment, from which ranks on the host have it anyway. */
static int parse_env(struct snoorun_opts *o, char *text)
{
	static const char what[] = "-x takes NAME=VALUE, or the NAME of a "
				   "variable that is set";
	char *value = strchr(text, '=');

	if (o->nenv == sizeof(o->env) / sizeof(o->env[0]))
		return bad("-x may be given 16 times");
	if (value) {
		*value++ = '\0';
		if (setenv(text, value, 1))
			return bad(what);
	}
	if (!*text || !getenv(text))
		return bad(what);
	o->env[o->nenv++] = text;
	return 0;
}

enum { OPT_POOL = 256, OPT_ON, OPT_PLACE, OPT_PREFIX, OPT_NO_PREFIX };

static int take_option(struct snoorun_opts *o, int c, char *value)
{
	switch (c) {
	case 'n':
		if (o->nplaces)
			return bad("-n or --on, not both");
		return parse_ranks(value, &o->n);
	case OPT_ON:
		if (o->n && !o->nplaces)
			return bad("-n or --on, not both");
		return on_parse(o, value);
	case 'x':
		return parse_env(o, value);
	case 'N':
		o->job = value;
		return check_name("--name", value);
	case 'd':
		o->domain = value;
		return check_name("--domain", value);
	case 's':
		o->socket = value;
		return 0;
	case 'p':
		o->private = true;
		return 0;
	case 'c':
		return parse_cores(o, value);
	case 't':
		return parse_timeout(value, &o->timeout_ms);
	case 'v':
		o->verbose = true;
		return 0;
	case OPT_POOL:
		o->pool_size = value;
		return 0;
	case OPT_PLACE:
		o->place = value;
		return check_place(value);
	case OPT_PREFIX:
		o->prefix = true;
		return 0;
	case OPT_NO_PREFIX:
		o->prefix = false;
		return 0;
	}
	return -EINVAL;			/* getopt has said what is wrong */
}

/* 0, -EINVAL (told), or 1: help was asked for and given. */
static int parse(struct snoorun_opts *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "ranks",	required_argument, NULL, 'n' },
		{ "on",		required_argument, NULL, OPT_ON },
		{ "env",	required_argument, NULL, 'x' },
		{ "name",	required_argument, NULL, 'N' },
		{ "domain",	required_argument, NULL, 'd' },
		{ "socket",	required_argument, NULL, 's' },
		{ "private",	no_argument,	   NULL, 'p' },
		{ "pool-size",	required_argument, NULL, OPT_POOL },
		{ "place",	required_argument, NULL, OPT_PLACE },
		{ "core-list",	required_argument, NULL, 'c' },
		{ "prefix",	no_argument,	   NULL, OPT_PREFIX },
		{ "no-prefix",	no_argument,	   NULL, OPT_NO_PREFIX },
		{ "timeout",	required_argument, NULL, 't' },
		{ "verbose",	no_argument,	   NULL, 'v' },
		{ "help",	no_argument,	   NULL, 'h' },
		{ "version",	no_argument,	   NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c, ret;

	/* '+': what follows the program is the program's. */
	while ((c = getopt_long(argc, argv, "+n:N:d:s:pc:t:x:vhV", longs,
				NULL)) >= 0) {
		if (c == 'h' || c == 'V') {
			fputs(c == 'h' ? usage : "snoorun " SNOO_VERSION "\n",
			      stdout);
			return 1;
		}
		ret = take_option(o, c, optarg);
		if (ret)
			return ret;
	}
	o->argv = argv + optind;
	if (!*o->argv)
		return bad("name a program to run");
	if (!o->n)
		return bad("-n says how many ranks, or --on how many where");
	if (o->nplaces && o->private)
		return bad("VMs are attached to a daemon that runs: --on and "
			   "--private don't go together");
	if (on_any_vm(o) && **o->argv != '/')
		return bad("a program for VMs is named by its absolute path");
	if (o->private && o->socket)
		return bad("--private or --socket, not both");
	return 0;
}

/* ---- the run ---------------------------------------------------------- */

/* What nohup or a shell made us ignore stays ignored, for the ranks as well.
 * A blocked signal would be queued and reach the signal file even so. */
static bool ignored(int sig)
{
	struct sigaction sa;

	return sigaction(sig, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN;
}

static int open_signals(void)
{
	static const int ours[] = {
		SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2,
		SIGTSTP, SIGCONT,
	};
	sigset_t set;

	sigemptyset(&set);
	signal(SIGCHLD, SIG_DFL);	/* ignored, it would lose exit codes */
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!ignored(ours[i]))
			sigaddset(&set, ours[i]);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, &snoorun_old_mask);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int find_daemon(const struct snoorun_opts *o,
		       struct private_daemon *d, int sigfd, char *socket,
		       size_t len)
{
	int ret = -ENOENT;

	if (!o->private)
		ret = daemon_find(o, socket, len);
	if (ret == 0 && (o->place || o->pool_size)) {
		snoorun_say("%s is for a private daemon, and one runs at %s; "
			    "--private starts another",
			    o->place ? "--place" : "--pool-size", socket);
		return -EINVAL;
	}
	if (ret == -ENOENT && o->nplaces) {
		snoorun_say("no daemon runs, and --on needs the one that the "
			    "VMs are attached to");
		return ret;
	}
	if (ret == -ENOENT)
		ret = daemon_start(d, o, sigfd, socket, len);
	return ret;
}

static int run(const struct snoorun_opts *o)
{
	struct private_daemon d = { .log_fd = -1 };
	char socket[256];
	int sigfd, ret, code = SNOORUN_FAILED;

	sigfd = open_signals();
	if (sigfd < 0) {
		snoorun_say("signalfd: %s", strerror(errno));
		return SNOORUN_FAILED;
	}
	ret = find_daemon(o, &d, sigfd, socket, sizeof(socket));
	if (ret == 0)
		code = loop_run(o, socket, &d, sigfd);
	else if (ret == -EINVAL)
		code = SNOORUN_USAGE;
	daemon_stop(&d);
	close(sigfd);
	return code;
}

int main(int argc, char **argv)
{
	struct snoorun_opts o = { .domain = "default",
				  .prefix = isatty(STDOUT_FILENO) };
	int ret = parse(&o, argc, argv), code;

	if (ret > 0)
		code = 0;
	else if (ret < 0)
		code = SNOORUN_USAGE;
	else
		code = run(&o);
	free(o.core);
	on_free(&o);
	return code;
}
