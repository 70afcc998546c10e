/* SPDX-License-Identifier: MIT */
/*
 * fuzz_admin.c - any bytes as a request to the admin socket
 *
 * Each gets one line of JSON as its answer, with ok and a result or an error
 * that has a code and a message.  The domain has one rank to be asked about.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "daemon/admin_verb.h"
#include "tests/lib/home.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct home home;
static struct fakerank rank;
static struct admin_who who;

/* The fuzzer ends by exit(). */
static void leave_home(void)
{
	home_close(&home);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	who.uid = getuid();
	who.gid[0] = getgid();
	who.gids = 1;
	if (home_open(&home, NULL))
		abort();
	atexit(leave_home);
	home_rank(&home, &rank);
	if (fakerank_attach(&rank, home.path, "asked", 0, 0, 1))
		abort();
	return 0;
}

static void check(const char *text, size_t len)
{
	json_t *o, *error;

	if (!text || len == 0 || text[len - 1] != '\n' ||
	    memchr(text, '\n', len - 1))
		abort();
	o = json_loadb(text, len, 0, NULL);
	if (!json_is_boolean(json_object_get(o, "ok")))
		abort();
	error = json_object_get(o, "error");
	if (json_is_true(json_object_get(o, "ok"))
		    ? !json_object_get(o, "result")
		    : !json_is_string(json_object_get(error, "code")) ||
			      !json_is_string(
				      json_object_get(error, "message")))
		abort();
	json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = 0;
	char *line = malloc(size + 1), *text;

	if (!line)
		abort();
	memcpy(line, data, size);
	line[size] = '\0';
	text = admin_answer(&home.sh, &who, line, size, &len);
	check(text, len);
	free(text);
	free(line);
	return 0;
}
