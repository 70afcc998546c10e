/* SPDX-License-Identifier: MIT */
/*
 * conf.c - look things up in a configuration; names and where the sockets are
 */
#include "daemon/conf.h"

#include <errno.h>
#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool conf_name_ok(const char *name)
{
	size_t len = strlen(name);

	return len >= 1 && len <= CONF_NAME_MAX &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "abcdefghijklmnopqrstuvwxyz0123456789._-") == len &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

char *conf_default_runtime_dir(void)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	char *dir;
	int n;

	if (geteuid() == 0)
		n = asprintf(&dir, "/run/snoo");
	else if (xdg && *xdg == '/')
		n = asprintf(&dir, "%s/snoo", xdg);
	else
		n = asprintf(&dir, "/tmp/snoo-%u", (unsigned int)geteuid());
	return n < 0 ? NULL : dir;
}

int conf_owner_find(const char *name, uint32_t *uid, uint32_t *gid)
{
	const char *colon = strchr(name, ':');
	const struct passwd *pw;
	const struct group *gr;
	char *user;

	*uid = *gid = CONF_NO_GID;
	if (!*name)
		return 0;
	user = strndup(name, colon ? (size_t)(colon - name) : strlen(name));
	pw = user ? getpwnam(user) : NULL;
	free(user);
	gr = colon ? getgrnam(colon + 1) : NULL;
	if (!pw || (colon && !gr))
		return -ENOENT;
	*uid = pw->pw_uid;
	*gid = gr ? gr->gr_gid : pw->pw_gid;
	return 0;
}

const struct conf_domain *conf_domain_find(const struct conf *c,
					   const char *name)
{
	for (unsigned int i = 0; i < c->ndomains; i++)
		if (strcmp(c->domains[i].name, name) == 0)
			return &c->domains[i];
	return NULL;
}

static const struct conf_rule *rule_for(const struct conf_rules *rules,
					const char *name)
{
	for (unsigned int i = 0; i < rules->n; i++)
		if (fnmatch(rules->rule[i].glob, name, 0) == 0)
			return &rules->rule[i];
	return NULL;
}

uint32_t conf_weight(const struct conf_domain *d, const char *name)
{
	const struct conf_rule *rule = rule_for(&d->weights, name);

	return rule ? (uint32_t)rule->value : d->weight_default;
}

uint64_t conf_rate_limit(const struct conf_domain *d, const char *name)
{
	const struct conf_rule *rule = rule_for(&d->rate_limits, name);

	return rule ? rule->value : 0;
}

/* The first rule that means the job, or the VM that it lies in. */
static const struct conf_rule *rule_in(const struct conf_rules *rules,
				       const char *job, uint32_t slot)
{
	char vm[16];

	snprintf(vm, sizeof(vm), "slot:%u", slot);
	for (unsigned int i = 0; i < rules->n; i++)
		if (fnmatch(rules->rule[i].glob, job, 0) == 0 ||
		    (slot && fnmatch(rules->rule[i].glob, vm, 0) == 0))
			return &rules->rule[i];
	return NULL;
}

uint32_t conf_weight_in(const struct conf_domain *d, const char *job,
			uint32_t slot)
{
	const struct conf_rule *rule = rule_in(&d->weights, job, slot);

	return rule ? (uint32_t)rule->value : d->weight_default;
}

uint64_t conf_rate_limit_in(const struct conf_domain *d, const char *job,
			    uint32_t slot)
{
	const struct conf_rule *rule = rule_in(&d->rate_limits, job, slot);

	return rule ? rule->value : 0;
}

int conf_check(const char *path, const struct conf_overrides *ov)
{
	struct conf *c;
	char *errors;
	int ret = conf_load(&c, path, ov, &errors);

	if (!ret)
		printf("%s: OK\n", path ? path : "defaults");
	else
		fputs(errors ? errors : "out of memory\n", stderr);
	free(errors);
	conf_close(c);
	return ret;
}
