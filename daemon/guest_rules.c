/* SPDX-License-Identifier: MIT */
/*
 * guest_rules.c - what the host may start in this VM, and as whom
 */
#include "daemon/guest_rules.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/privs.h"

void guest_rules_fini(struct guest_rules *r)
{
	free(r->text);
	memset(r, 0, sizeof(*r));
}

/* Root, or who has the capabilities for it. */
static bool may_become_others(void)
{
	const uint64_t need = PRIVS_CAP_SETGID | PRIVS_CAP_SETUID;
	struct privs_report have;

	privs_report(&have);
	return (have.effective & need) == need;
}

static int find_user(struct guest_rules *r, const char *name,
		     const char **home, char *why)
{
	const struct passwd *p = getpwnam(name);
	int n = GUEST_RULES_GROUPS;

	if (!p) {
		snprintf(why, GUEST_RULES_TEXT, "guest.run.user: this system "
			 "has no user \"%.40s\"", name);
		return -ENOENT;
	}
	if (p->pw_uid == 0) {
		snprintf(why, GUEST_RULES_TEXT, "guest.run.user: \"%.40s\" is "
			 "uid 0: programs never run as root", name);
		return -EPERM;
	}
	if (geteuid() != p->pw_uid && !may_become_others()) {
		snprintf(why, GUEST_RULES_TEXT, "guest.run.user: a daemon of "
			 "uid %u can't start programs as \"%.40s\"",
			 (unsigned int)geteuid(), name);
		return -EPERM;
	}
	r->uid = p->pw_uid;
	r->gid = p->pw_gid;
	/* More groups than we have room for: the first ones. */
	if (getgrouplist(name, p->pw_gid, r->group, &n) < 0)
		n = GUEST_RULES_GROUPS;
	r->groups = n;
	*home = p->pw_dir;
	return 0;
}

static const char *put(char **at, const char *text)
{
	size_t n = strlen(text) + 1;
	char *here = *at;

	memcpy(here, text, n);
	*at += n;
	return here;
}

static size_t list_bytes(const struct conf_strings *list)
{
	size_t n = 0;

	for (unsigned int i = 0; i < list->n; i++)
		n += strlen(list->s[i]) + 1;
	return n;
}

/* Everything in one piece of memory. */
static int gather(struct guest_rules *r, const struct conf *conf,
		  const char *home)
{
	const char *socket = conf->domains[0].socket.path;
	const struct conf_strings *programs = &conf->guest.run.programs;
	const struct conf_strings *env = &conf->guest.run.env;
	char *at;

	if (programs->n > GUEST_RULES_LIST || env->n > GUEST_RULES_LIST)
		return -E2BIG;
	at = malloc(list_bytes(programs) + list_bytes(env) + strlen(home) +
		    strlen(socket) + 2);
	if (!at)
		return -ENOMEM;
	r->text = at;
	r->home = put(&at, home);
	r->socket = put(&at, socket);
	for (unsigned int i = 0; i < programs->n; i++)
		r->program[r->programs++] = put(&at, programs->s[i]);
	for (unsigned int i = 0; i < env->n; i++)
		r->env[r->envs++] = put(&at, env->s[i]);
	return 0;
}

int guest_rules_make(struct guest_rules *r, const struct conf *conf,
		     char why[GUEST_RULES_TEXT])
{
	const char *home = "/";
	int ret = 0;

	memset(r, 0, sizeof(*r));
	if (conf->guest.run.programs.n)
		ret = find_user(r, conf->guest.run.user, &home, why);
	if (ret)
		goto fail;
	r->processes = conf->guest.run.limits.processes;
	r->nofile = conf->guest.run.limits.nofile;
	r->nice = conf->guest.run.limits.nice;
	r->as_bytes = conf->guest.run.limits.as_bytes;
	ret = gather(r, conf, conf->guest.run.home ? home : "/");
	if (ret == 0)
		return 0;
	snprintf(why, GUEST_RULES_TEXT, "guest.run: %s", strerror(-ret));
fail:
	guest_rules_fini(r);
	return ret;
}
