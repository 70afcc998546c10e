/* SPDX-License-Identifier: MIT */
/*
 * snooctl.c - ask the daemon and show the answer
 *
 * The verbs are the daemon's: a new one needs no new snooctl.  Local are
 * "config check FILE", which runs the daemon's own check, "tune", which
 * measures, "top", which repeats, "metrics", which asks several verbs, and
 * "version", which adds ours.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "tools/snooctl_link.h"
#include "tools/snooctl_metrics.h"
#include "tools/snooctl_table.h"
#include "tools/snooctl_tune.h"
#include "tools/snooctl_verb.h"
#include "tools/where.h"

#ifndef SNOO_VERSION
#define SNOO_VERSION	"unknown"
#endif

enum { EXIT_OK, EXIT_REFUSED, EXIT_USAGE, EXIT_UNREACHABLE };

static const char usage[] =
"usage: snooctl [OPTION...] VERB [ARGUMENT...]\n"
"\n"
"  status                  the daemon: role, registers, warnings\n"
"  domains jobs ranks      what is there\n"
"  channels                which path messages take\n"
"  pool scheduler          blocks, quarantine, shares and who waits\n"
"  registers               what is in the register blocks\n"
"  why RANK                what a rank waits for\n"
"  config                  the configuration in force\n"
"  config check FILE       check a file; needs no daemon\n"
"  tune [FILE]             measure block sizes and where messages change their\n"
"                          way, for the daemon to use; needs no daemon\n"
"  metrics                 counters as Prometheus text\n"
"  top                     status and ranks, again and again\n"
"  version                 versions of this program and of the daemon\n"
"  help                    every verb that this daemon knows\n"
"\n"
"  -s, --socket PATH       the daemon's admin socket\n"
"  -r, --runtime-dir DIR   the directory it is in\n"
"  -j, --json              print the result as JSON, on one line\n"
"  -a, --all               show every column\n"
"  -t, --timeout SECONDS   wait that long for an answer (5)\n"
"  -e, --every SECONDS     repeat until interrupted\n"
"  -h, --help              this text\n"
"\n"
"An argument is a word in the verb's order, or name=value.\n"
"Exit code: 0 done, 1 the daemon said no, 2 usage, 3 no daemon.\n";

struct options {
	const char *socket, *dir;
	bool json, all;
	int timeout_ms, every_ms;
};

static int bad_usage(const char *what)
{
	fprintf(stderr, "snooctl: %s; snooctl --help tells more\n", what);
	return EXIT_USAGE;
}

/* Seconds, with a fraction; at most a day. */
static bool seconds(const char *text, int *ms)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !isfinite(s) || s < 0.001 || s > 86400)
		return false;
	*ms = (int)(s * 1000);
	return true;
}

/* ---- showing ---------------------------------------------------------- */

static int print_json(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	if (!text) {
		fprintf(stderr, "snooctl: out of memory\n");
		return EXIT_REFUSED;
	}
	puts(text);
	free(text);
	return EXIT_OK;
}

/* As it would stand in snoo.json: that is where one wants to change it. */
static int print_config(const json_t *config)
{
	char *text = json_dumps(config, JSON_INDENT(4));

	if (!text) {
		fprintf(stderr, "snooctl: out of memory\n");
		return EXIT_REFUSED;
	}
	puts(text);
	free(text);
	return EXIT_OK;
}

static void print_error(const json_t *error)
{
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *text = json_string_value(json_object_get(error,
							     "message"));
	char clean_text[512], clean_code[64];

	table_cell(NULL, json_object_get(error, "message"), clean_text,
		   sizeof(clean_text));
	table_cell(NULL, json_object_get(error, "code"), clean_code,
		   sizeof(clean_code));
	fprintf(stderr, "snooctl: %s%s%s%s\n",
		text ? clean_text : "the daemon said no",
		code ? " (" : "", code ? clean_code : "", code ? ")" : "");
}

/* {"ranks": [...]} is the table, not an object with one member. */
static const json_t *unwrap(const json_t *result)
{
	void *only = json_object_iter((json_t *)result);

	if (json_object_size(result) == 1 &&
	    json_is_array(json_object_iter_value(only)))
		return json_object_iter_value(only);
	return result;
}

static int show(const char *verb, const json_t *answer,
		const struct options *o)
{
	const struct table_style style = { verb, o->all, verb_columns };
	const json_t *result = json_object_get(answer, "result");

	if (!json_is_true(json_object_get(answer, "ok"))) {
		if (o->json)
			print_json(answer);
		print_error(json_object_get(answer, "error"));
		return EXIT_REFUSED;
	}
	if (o->json)
		return print_json(result ? result : json_null());
	if (result && strcmp(verb, "config") == 0)
		return print_config(result);
	if (result)
		table_any(stdout, unwrap(result), &style);
	return EXIT_OK;
}

static int ask(struct link *l, const char *verb, json_t *args,
	       const struct options *o)
{
	json_t *answer;
	int code;

	if (link_ask(l, verb, args, &answer))
		return EXIT_UNREACHABLE;
	code = show(verb, answer, o);
	json_decref(answer);
	return code;
}

/* ---- verbs ------------------------------------------------------------ */

static int config_check(char **words, int n)
{
	char daemon[4096];

	if (n != 1)
		return bad_usage("config check takes one file");
	if (where_program("snoo-daemon", daemon, sizeof(daemon))) {
		fprintf(stderr, "snooctl: snoo-daemon, which checks the file, "
			"is neither beside snooctl nor in PATH\n");
		return EXIT_UNREACHABLE;
	}
	execl(daemon, daemon, "--check-config", words[0], (char *)NULL);
	fprintf(stderr, "snooctl: %s: %s\n", daemon, strerror(errno));
	return EXIT_UNREACHABLE;
}

/* Home and clear; a pipe gets a blank line instead. */
static void new_page(bool first)
{
	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	else if (!first)
		putchar('\n');
}

static int run_once(struct link *l, const char *verb, json_t *args,
		    const struct options *o)
{
	int code;

	if (strcmp(verb, "metrics") == 0)
		return metrics_print(l, stdout) ? EXIT_UNREACHABLE : EXIT_OK;
	if (strcmp(verb, "top") != 0)
		return ask(l, verb, args, o);
	code = ask(l, "status", NULL, o);
	if (!o->json)
		putchar('\n');
	return code ? code : ask(l, "ranks", args, o);
}

static int run(struct link *l, const char *verb, json_t *args,
	       const struct options *o)
{
	struct timespec pause = { .tv_sec = o->every_ms / 1000,
				  .tv_nsec = o->every_ms % 1000 * 1000000L };
	int code;

	if (!o->every_ms)
		return run_once(l, verb, args, o);
	for (bool first = true; ; first = false) {
		if (!o->json)
			new_page(first);
		code = run_once(l, verb, args, o);
		if (code || fflush(stdout))
			return code;
		nanosleep(&pause, NULL);
	}
}

static int talk(char **words, int n, const struct options *o)
{
	struct link *l;
	json_t *args;
	int ret, code;

	if (link_open(&l, o->socket, o->dir, o->timeout_ms))
		return EXIT_UNREACHABLE;
	ret = verb_args(l, words[0], words + 1, n - 1, &args);
	if (ret == -EINVAL)
		code = EXIT_USAGE;
	else if (ret)
		code = EXIT_UNREACHABLE;
	else
		code = run(l, words[0], args, o);
	json_decref(args);
	link_close(l);
	return code;
}

static int dispatch(char **words, int n, struct options *o)
{
	if (strcmp(words[0], "config") == 0 && n > 1 &&
	    strcmp(words[1], "check") == 0)
		return config_check(words + 2, n - 2);
	if (strcmp(words[0], "tune") == 0)
		return n > 2 ? bad_usage("tune takes one file at most") :
			       tune(words[1], o->json);
	if (strcmp(words[0], "top") == 0 && !o->every_ms)
		o->every_ms = 1000;
	if (strcmp(words[0], "version") == 0 && !o->json) {
		printf("snooctl %s\n", SNOO_VERSION);
		fflush(stdout);
	}
	return talk(words, n, o);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "socket",	 required_argument, NULL, 's' },
		{ "runtime-dir", required_argument, NULL, 'r' },
		{ "json",	 no_argument,	    NULL, 'j' },
		{ "all",	 no_argument,	    NULL, 'a' },
		{ "timeout",	 required_argument, NULL, 't' },
		{ "every",	 required_argument, NULL, 'e' },
		{ "help",	 no_argument,	    NULL, 'h' },
		{ "version",	 no_argument,	    NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .timeout_ms = 5000 };
	int c, code;

	while ((c = getopt_long(argc, argv, "s:r:jat:e:hV", longs, NULL)) >= 0)
		switch (c) {
		case 's':
			o.socket = optarg;
			break;
		case 'r':
			o.dir = optarg;
			break;
		case 'j':
			o.json = true;
			break;
		case 'a':
			o.all = true;
			break;
		case 't':
			if (!seconds(optarg, &o.timeout_ms))
				return bad_usage("--timeout takes seconds, "
						 "0.001 to 86400");
			break;
		case 'e':
			if (!seconds(optarg, &o.every_ms))
				return bad_usage("--every takes seconds, "
						 "0.001 to 86400");
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_OK;
		case 'V':
			printf("snooctl %s\n", SNOO_VERSION);
			return EXIT_OK;
		default:
			return EXIT_USAGE;
		}
	if (optind == argc)
		return bad_usage("say what: snooctl status");
	if (o.socket && o.dir)
		return bad_usage("--socket or --runtime-dir, not both");
	code = dispatch(argv + optind, argc - optind, &o);
	/* A full disk or a closed pipe is no success. */
	if ((fflush(stdout) || ferror(stdout)) && !code) {
		fprintf(stderr, "snooctl: cannot write the answer: %s\n",
			strerror(errno));
		code = EXIT_REFUSED;
	}
	return code;
}
