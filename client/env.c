/* SPDX-License-Identifier: MIT */
/*
 * env.c - how to join: options, then the environment, then defaults
 *
 * A variable that is set but cannot be meant (SNOO_RANK=abc) is an error that
 * names it, not a silent default.
 */

#include "client/env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* Who may have started us: the first pair that is set counts. */
static const struct {
	const char *rank;
	const char *size;
	const char *start[2];	/* what tells one start from another */
} starters[] = {
	{ "SNOO_RANK", "SNOO_SIZE", { NULL, NULL } },
	{ "PMI_RANK", "PMI_SIZE", { NULL, NULL } },
	{ "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
	  { "PMIX_NAMESPACE", NULL } },
	{ "SLURM_PROCID", "SLURM_NTASKS",
	  { "SLURM_JOB_ID", "SLURM_STEP_ID" } },
};

static int number(const char *name, long long min, long long max,
		  long long *out, struct session_text *why)
{
	const char *text = getenv(name);
	char *end;
	long long value;

	if (!text || !*text)
		return 0;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || *end || value < min || value > max) {
		snprintf(why->text, sizeof(why->text),
			 "%s=%s: expected a number from %lld to %lld", name,
			 text, min, max);
		return -EINVAL;
	}
	*out = value;
	return 1;
}

/* FNV-1a over the variables that are set; 0: none is. */
static uint64_t start_of(const char *const names[2])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	bool any = false;

	for (int i = 0; i < 2; i++) {
		const char *text = names[i] ? getenv(names[i]) : NULL;

		if (!text || !*text)
			continue;
		any = true;
		for (; *text; text++)
			hash = (hash ^ (unsigned char)*text) *
			       UINT64_C(0x100000001b3);
	}
	return any ? hash | 1 : 0;
}

static int rank_and_size(struct session_join *join, struct session_text *why)
{
	for (size_t i = 0; i < sizeof(starters) / sizeof(starters[0]); i++) {
		long long rank = -1, size = 0;
		int got_rank, got_size;

		got_size = number(starters[i].size, 1, SNOO_ABI_JOB_RANKS,
				  &size, why);
		got_rank = number(starters[i].rank, 0, SNOO_ABI_JOB_RANKS - 1,
				  &rank, why);
		if (got_size < 0 || got_rank < 0)
			return -EINVAL;
		if (got_size == 0 && got_rank == 0)
			continue;
		if (got_size == 0) {
			snprintf(why->text, sizeof(why->text),
				 "%s is set but %s is not", starters[i].rank,
				 starters[i].size);
			return -EINVAL;
		}
		if (join->rank < 0)
			join->rank = (int32_t)rank;
		if (join->size == 0)
			join->size = (uint32_t)size;
		if (join->launch == 0)
			join->launch = start_of(starters[i].start);
		return 0;
	}
	return 0;
}

static int launch_of(struct session_join *join, struct session_text *why)
{
	const char *text = getenv("SNOO_LAUNCH");
	char *end;

	if (join->launch || !text || !*text)
		return 0;
	errno = 0;
	join->launch = strtoull(text, &end, 16);
	if (errno || *end) {
		snprintf(why->text, sizeof(why->text),
			 "SNOO_LAUNCH=%s: expected a hexadecimal number", text);
		return -EINVAL;
	}
	return 0;
}

static int put_path(struct session_join *join, struct session_text *why,
		    const char *a, const char *b)
{
	int n;

	n = b ? snprintf(join->socket, sizeof(join->socket), "%s%s.sock", a, b)
	      : snprintf(join->socket, sizeof(join->socket), "%s", a);
	if (n < 0 || (size_t)n >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		snprintf(why->text, sizeof(why->text),
			 "%.200s: a socket's path may have at most %zu bytes",
			 join->socket,
			 sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
		return -EINVAL;
	}
	return 0;
}

/* The user's daemon, else the system's, else the one without XDG. */
static int find_socket(struct session_join *join, const char *domain,
		       struct session_text *why)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	char dir[3][200];
	int ret;

	if (xdg && *xdg)
		snprintf(dir[0], sizeof(dir[0]), "%s/snoo/", xdg);
	else
		dir[0][0] = '\0';
	snprintf(dir[1], sizeof(dir[1]), "/run/snoo/");
	snprintf(dir[2], sizeof(dir[2]), "/tmp/snoo-%u/", getuid());
	for (int i = 0; i < 3; i++) {
		if (!dir[i][0])
			continue;
		ret = put_path(join, why, dir[i], domain);
		if (ret)
			return ret;
		if (access(join->socket, F_OK) == 0)
			return 0;
	}
	return put_path(join, why, "/run/snoo/", domain);
}

static int check_name(const char *name, struct session_text *why)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789._-";
	size_t n;

	if (!name || !*name) {
		snprintf(why->text, sizeof(why->text),
			 "the job's name is empty");
		return -EINVAL;
	}
	n = strlen(name);
	if (n > SNOO_NAME_MAX) {
		snprintf(why->text, sizeof(why->text),
			 "job name '%.20s...' has %zu characters, at most %d are allowed",
			 name, n, SNOO_NAME_MAX);
		return -EINVAL;
	}
	if (strspn(name, allowed) != n) {
		snprintf(why->text, sizeof(why->text),
			 "job name '%s': character %zu is not one of A-Z a-z 0-9 . _ -",
			 name, strspn(name, allowed) + 1);
		return -EINVAL;
	}
	return 0;
}

int env_join(struct session_join *join, const char *name,
	     const struct snoo_options *options, struct session_text *why)
{
	static const struct snoo_options none = SNOO_OPTIONS_INIT;
	const struct snoo_options *o = options ? options : &none;
	const char *domain = o->domain ? o->domain : getenv("SNOO_DOMAIN");
	const char *path = o->socket ? o->socket : getenv("SNOO_SOCKET");
	long long core = -1, timeout_ms = 0;
	int ret;

	memset(join, 0, sizeof(*join));
	if (o->bytes != sizeof(*o)) {
		snprintf(why->text, sizeof(why->text),
			 "struct snoo_options has %zu bytes, expected %zu: use SNOO_OPTIONS_INIT",
			 o->bytes, sizeof(*o));
		return -EINVAL;
	}
	ret = check_name(name, why);
	if (ret)
		return ret;
	if (o->rank < -1 || o->size < 0 || o->size > SNOO_ABI_JOB_RANKS ||
	    o->core < -2 || o->timeout_ns < 0) {
		snprintf(why->text, sizeof(why->text),
			 "an option is out of range: rank %d, size %d, core %d",
			 o->rank, o->size, o->core);
		return -EINVAL;
	}
	join->name = name;
	join->rank = o->rank;
	join->size = (uint32_t)o->size;
	join->core = o->core;
	join->launch = o->launch;
	join->timeout_ns = o->timeout_ns;

	ret = launch_of(join, why);
	if (ret)
		return ret;
	ret = rank_and_size(join, why);
	if (ret)
		return ret;
	ret = number("SNOO_CORE", -2, SNOO_WIRE_CPUS - 1, &core, why);
	if (ret < 0)
		return ret;
	if (join->core == -1)
		join->core = (int32_t)core;
	ret = number("SNOO_TIMEOUT_MS", 0, INT64_MAX / 1000000, &timeout_ms,
		     why);
	if (ret < 0)
		return ret;
	if (join->timeout_ns == 0)
		join->timeout_ns = timeout_ms * 1000000;

	if (path && *path)
		return put_path(join, why, path, NULL);
	return find_socket(join, domain && *domain ? domain : "default", why);
}
