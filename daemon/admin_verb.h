/* SPDX-License-Identifier: MIT */
/*
 * admin_verb.h - one request line to one answer line
 *
 * Codes of errors: parse (no JSON), request (no such form), unknown_verb,
 * arguments (an unknown one, a wrong type, one missing), denied, not_found,
 * ambiguous (several match), too_long and busy (admin.c), internal.
 */
#ifndef DAEMON_ADMIN_VERB_H
#define DAEMON_ADMIN_VERB_H

#include <stddef.h>
#include <sys/types.h>

#include "daemon/state.h"

#define ADMIN_GROUPS_MAX	64

/** struct admin_who - Who asks */
struct admin_who {
	uid_t uid;
	gid_t gid[ADMIN_GROUPS_MAX];	/* its own and supplementary ones */
	unsigned int gids;
};

/* May they use the verbs of that domain, and start programs in its VMs? */
bool admin_may(const struct domain *d, const struct admin_who *who);

/**
 * admin_answer() - Carry out one request
 * @line:	@len bytes, without the newline
 * @out_len:	Bytes of the answer, with its newline
 *
 * Return: malloc'd text, NULL if memory ran out
 */
char *admin_answer(struct shared *sh, const struct admin_who *who,
		   const char *line, size_t len, size_t *out_len);

/* An error that answers no particular request; as above. */
char *admin_refusal(const char *code, const char *message, size_t *out_len);

#endif /* DAEMON_ADMIN_VERB_H */
