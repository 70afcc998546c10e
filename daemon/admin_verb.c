/* SPDX-License-Identifier: MIT */
/*
 * admin_verb.c - one request line to one answer line
 */
#include "daemon/admin_verb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/guest_stats.h"
#include "daemon/stats.h"
#include "daemon/vm.h"

#include <snoo/abi.h>
#include <snoo/wire.h>

#ifndef SNOO_VERSION
#define SNOO_VERSION "unknown"
#endif

enum privilege { ANY, DOMAIN, OWNER };

static const char *const privilege_name[] = {
	[ANY] = "any", [DOMAIN] = "domain", [OWNER] = "owner",
};

/* A request while it is carried out. */
struct ask {
	struct shared *sh;
	const struct admin_who *who;
	const json_t *args;		/* NULL: none */
	struct stats_filter filter;
	char job[CONF_NAME_MAX + 1];
	const char *code;		/* of the error; NULL: none */
	struct json_err err;
};

static json_t *refuse(struct ask *a, const char *code, const char *text)
{
	a->code = code;
	if (text)
		snprintf(a->err.text, sizeof(a->err.text), "%s", text);
	return NULL;
}

/* ---- who may ---- */

static bool is_owner(const struct admin_who *who)
{
	return who->uid == 0 || who->uid == geteuid();
}

static bool in_ids(const struct conf_ids *ids, uint32_t id)
{
	for (unsigned int i = 0; i < ids->n; i++)
		if (ids->id[i] == id)
			return true;
	return false;
}

static bool is_admin(const struct admin_who *who, const struct conf_domain *d)
{
	if (is_owner(who) || in_ids(&d->admins.uids, who->uid))
		return true;
	for (unsigned int i = 0; i < who->gids; i++)
		if (in_ids(&d->admins.gids, who->gid[i]))
			return true;
	return false;
}

bool admin_may(const struct domain *d, const struct admin_who *who)
{
	return is_admin(who, d->conf);
}

static bool may_see(void *arg, const struct domain *d)
{
	return is_admin(arg, d->conf);
}

static bool sees_any(const struct ask *a)
{
	/* In a VM the first domain that is configured is the one. */
	if (a->sh->guest)
		return is_admin(a->who, &a->sh->conf->domains[0]);
	for (const struct domain *d = a->sh->domains; d; d = d->next)
		if (may_see((void *)a->who, d))
			return true;
	return false;
}

/* ---- arguments ---- */

static int take_job(struct ask *a)
{
	const json_t *v = json_object_get(a->args, "job");

	/* A name, or the daemon's number. */
	if (json_is_integer(v))
		snprintf(a->job, sizeof(a->job), "%lld",
			 (long long)json_integer_value(v));
	else if (json_is_string(v))
		snprintf(a->job, sizeof(a->job), "%s", json_string_value(v));
	else if (v && !json_is_null(v))
		return json_fail(&a->err, -EINVAL, "args.job must be a name "
				 "or a number, not %s", json_kind(v));
	else
		return 0;
	a->filter.job = a->job;
	return 0;
}

static bool domain_exists(const struct ask *a)
{
	if (a->sh->guest)
		return guest_stats_is_domain(a->sh->guest, a->filter.domain);
	for (const struct domain *d = a->sh->domains; d; d = d->next)
		if (strcmp(d->name, a->filter.domain) == 0)
			return may_see((void *)a->who, d);
	return false;
}

/* false: a->code says why not */
static bool take_filter(struct ask *a)
{
	a->filter.may = may_see;
	a->filter.arg = (void *)a->who;
	if (json_opt_str(a->args, "args", "domain", &a->filter.domain,
			 &a->err) || take_job(a)) {
		a->code = "arguments";
		return false;
	}
	if (a->filter.domain && !domain_exists(a)) {
		json_fail(&a->err, 0, "there is no domain \"%.63s\"",
			  a->filter.domain);
		a->code = "not_found";
		return false;
	}
	return true;
}

/* ---- verbs ---- */

static json_t *verb_status(struct ask *a)
{
	if (a->sh->guest)
		return guest_stats_status(a->sh->guest);
	return stats_status(a->sh, &a->filter);
}

static json_t *verb_domains(struct ask *a)
{
	return stats_domains(a->sh, &a->filter);
}

static json_t *verb_jobs(struct ask *a)
{
	return stats_jobs(a->sh, &a->filter);
}

static json_t *verb_ranks(struct ask *a)
{
	if (a->sh->guest)
		return guest_stats_ranks(a->sh->guest, a->filter.job);
	return stats_ranks(a->sh, &a->filter);
}

static json_t *verb_channels(struct ask *a)
{
	return stats_channels(a->sh, &a->filter);
}

static json_t *verb_pool(struct ask *a)
{
	return stats_pool(a->sh, &a->filter);
}

static json_t *verb_scheduler(struct ask *a)
{
	return stats_scheduler(a->sh, &a->filter);
}

static json_t *verb_registers(struct ask *a)
{
	return stats_registers(a->sh, &a->filter);
}

static const struct rank *find_rank(struct ask *a, uint64_t number,
				    unsigned int *matches)
{
	const struct rank *found = NULL;

	*matches = 0;
	for (struct domain *d = a->sh->domains; d; d = d->next) {
		if (!stats_shows(&a->filter, d))
			continue;
		for (uint32_t i = 0; i < d->nranks; i++) {
			const struct job *j = d->job[i];

			if (!j || !stats_shows_job(&a->filter, j) ||
			    number >= j->led.capacity ||
			    !j->member[number].rank)
				continue;
			found = j->member[number].rank;
			(*matches)++;
		}
	}
	return found;
}

static json_t *verb_why(struct ask *a)
{
	const struct rank *r;
	unsigned int matches;
	uint64_t number;

	if (json_need_u64(a->args, "args", "rank", 0, SNOO_ABI_JOB_RANKS - 1,
			  &number, &a->err))
		return refuse(a, "arguments", NULL);
	r = find_rank(a, number, &matches);
	if (matches == 0)
		return refuse(a, "not_found", "there is no such rank; `ranks` "
			      "lists them");
	if (matches > 1)
		return refuse(a, "ambiguous", "several jobs have a rank of "
			      "that number; say which job, by name or number");
	return stats_why(r);
}

static json_t *verb_vms(struct ask *a)
{
	return stats_vms(a->sh, &a->filter);
}

/* A name, or a slot's number. */
static int take_vm(struct ask *a, char name[CONF_NAME_MAX + 1])
{
	const json_t *v = json_object_get(a->args, "vm");

	if (json_is_integer(v))
		snprintf(name, CONF_NAME_MAX + 1, "%lld",
			 (long long)json_integer_value(v));
	else if (json_is_string(v) && json_string_length(v) > CONF_NAME_MAX)
		return json_fail(&a->err, -EINVAL, "args.vm is longer than a "
				 "VM's name can be");
	else if (json_is_string(v))
		snprintf(name, CONF_NAME_MAX + 1, "%s", json_string_value(v));
	else
		return json_fail(&a->err, -EINVAL, "args.vm must be a VM's "
				 "name or slot, not %s", json_kind(v));
	return 0;
}

static json_t *verb_evict(struct ask *a)
{
	struct vm *found = NULL;
	char name[CONF_NAME_MAX + 1];

	if (take_vm(a, name))
		return refuse(a, "arguments", NULL);
	for (struct domain *d = a->sh->domains; d; d = d->next) {
		struct vm *vm = stats_shows(&a->filter, d) ?
				vm_find(d, name) : NULL;

		if (vm && found)
			return refuse(a, "ambiguous", "several domains have "
				      "a VM of that name; say which domain");
		if (vm)
			found = vm;
	}
	if (!found)
		return refuse(a, "not_found", "there is no such VM; `vms` "
			      "lists them");
	return stats_evict(found, a->who->uid);
}

static json_t *verb_config(struct ask *a)
{
	return conf_dump(a->sh->conf);
}

static json_t *verb_version(struct ask *a)
{
	json_t *o = json_object();
	char text[32];

	(void)a;
	json_put_str(o, "version", SNOO_VERSION);
	snprintf(text, sizeof(text), "%d.%d", SNOO_ABI_MAJOR, SNOO_ABI_MINOR);
	json_put_str(o, "abi", text);
	snprintf(text, sizeof(text), "%u.%u", SNOO_WIRE_MAJOR,
		 SNOO_WIRE_MINOR);
	json_put_str(o, "wire", text);
	return o;
}

static json_t *verb_help(struct ask *a);

static const struct verb {
	const char *name;
	const char *args;		/* names, a blank between them */
	enum privilege privilege;
	json_t *(*fn)(struct ask *a);
	const char *help;
} verbs[] = {
#define VERB(name, args, privilege, help)				\
	{ #name, args, privilege, verb_##name, help },
#include "daemon/admin.def"
#undef VERB
};

#define VERBS	(sizeof(verbs) / sizeof(verbs[0]))

/* In a VM there are fewer: the books are with the host's daemon. */
static bool is_here(const struct shared *sh, const struct verb *v)
{
	static const char *const in_guest[] = {
		"status", "ranks", "config", "version", "help",
	};

	if (!sh->guest)
		return true;
	for (size_t i = 0; i < sizeof(in_guest) / sizeof(in_guest[0]); i++)
		if (strcmp(in_guest[i], v->name) == 0)
			return true;
	return false;
}

static const struct verb *find_verb(const struct shared *sh, const char *name)
{
	for (size_t i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return is_here(sh, &verbs[i]) ? &verbs[i] : NULL;
	return NULL;
}

/* Names in a list like "job domain": call @fn for each. */
static const char *next_arg(const char *list, char buf[32])
{
	size_t n;

	list += strspn(list, " ");
	n = strcspn(list, " ");
	if (n == 0)
		return NULL;
	snprintf(buf, 32, "%.*s", (int)n, list);
	return list + n;
}

static json_t *describe(const struct verb *v)
{
	json_t *o = json_object(), *args = json_array();
	const char *at = v->args;
	char name[32];

	while ((at = next_arg(at, name)))
		json_array_append_new(args, json_string(name));
	json_put_str(o, "verb", v->name);
	json_put(o, "args", args);
	json_put_str(o, "privilege", privilege_name[v->privilege]);
	json_put_str(o, "help", v->help);
	return o;
}

static json_t *verb_help(struct ask *a)
{
	const char *name = NULL;
	json_t *list;

	if (json_opt_str(a->args, "args", "verb", &name, &a->err))
		return refuse(a, "arguments", NULL);
	if (name && !find_verb(a->sh, name))
		return refuse(a, "not_found", "there is no such verb");
	list = json_array();
	for (size_t i = 0; i < VERBS; i++)
		if (is_here(a->sh, &verbs[i]) &&
		    (!name || strcmp(verbs[i].name, name) == 0))
			json_array_append_new(list, describe(&verbs[i]));
	return list;
}

/* ---- one request ---- */

static bool args_known(struct ask *a, const struct verb *v)
{
	char names[8][32];
	const char *keys[9] = { NULL };
	const char *at = v->args;
	unsigned int n = 0;

	while (n < 8 && (at = next_arg(at, names[n]))) {
		keys[n] = names[n];
		n++;
	}
	keys[n] = NULL;
	return json_only(a->args, "args", keys, &a->err) == 0;
}

static json_t *carry_out(struct ask *a, const struct verb *v)
{
	json_t *result;

	if (v->privilege == OWNER && !is_owner(a->who))
		return refuse(a, "denied", "this takes root or the daemon's "
			      "own user");
	if (v->privilege == DOMAIN && !is_owner(a->who) && !sees_any(a))
		return refuse(a, "denied", "this takes root or an admin of a "
			      "domain; see \"admins\" in snoo.json(5)");
	if (!args_known(a, v))
		return refuse(a, "arguments", NULL);
	if (!take_filter(a))
		return NULL;
	result = v->fn(a);
	if (!result && !a->code)
		return refuse(a, "internal", "the daemon is out of memory");
	return result;
}

static json_t *obey(struct ask *a, const json_t *request)
{
	static const char *const keys[] = { "id", "cmd", "args", NULL };
	const struct verb *v;
	const char *cmd;
	json_t *args = NULL;

	if (!json_is_object(request)) {
		json_fail(&a->err, 0, "a request is an object, not %s",
			  json_kind(request));
		return refuse(a, "request", NULL);
	}
	if (json_only(request, "", keys, &a->err) ||
	    json_need_str(request, "", "cmd", &cmd, &a->err) ||
	    json_opt_obj(request, "", "args", &args, &a->err))
		return refuse(a, "request", NULL);
	a->args = args;
	v = find_verb(a->sh, cmd);
	if (!v) {
		json_fail(&a->err, 0, "there is no verb \"%.40s\"%s; `help` "
			  "lists them", cmd, a->sh->guest ?
			  " in a VM's daemon" : "");
		return refuse(a, "unknown_verb", NULL);
	}
	return carry_out(a, v);
}

static char *line_of(json_t *answer, size_t *len)
{
	char *text = answer ? json_oneline(answer, len) : NULL, *line;

	json_decref(answer);
	if (!text)
		return NULL;
	line = realloc(text, *len + 2);
	if (!line) {
		free(text);
		return NULL;
	}
	line[(*len)++] = '\n';
	line[*len] = '\0';
	return line;
}

static json_t *error_object(const char *code, const char *text)
{
	json_t *e = json_object();

	json_put_str(e, "code", code);
	json_put_str(e, "message", text);
	return e;
}

char *admin_refusal(const char *code, const char *message, size_t *out_len)
{
	json_t *o = json_object();

	json_put(o, "id", json_null());
	json_put_bool(o, "ok", false);
	json_put(o, "error", error_object(code, message));
	return line_of(o, out_len);
}

char *admin_answer(struct shared *sh, const struct admin_who *who,
		   const char *line, size_t len, size_t *out_len)
{
	struct ask a = { .sh = sh, .who = who };
	json_t *request, *result = NULL, *id, *o = json_object();

	if (json_parse(&request, line, len, &a.err))
		a.code = "parse";
	else
		result = obey(&a, request);
	id = json_is_object(request) ? json_object_get(request, "id") : NULL;
	json_put(o, "id", id ? json_incref(id) : json_null());
	json_put_bool(o, "ok", !a.code);
	if (a.code)
		json_put(o, "error", error_object(a.code, a.err.text));
	else
		json_put(o, "result", result);
	json_decref(request);
	return line_of(o, out_len);
}
