/* SPDX-License-Identifier: MIT */
/*
 * snooctl_link.h - one question to the daemon's admin socket, one answer
 */
#ifndef TOOLS_SNOOCTL_LINK_H
#define TOOLS_SNOOCTL_LINK_H

#include <stdint.h>

#include <jansson.h>

struct link;

/**
 * link_open() - Connect to the admin socket
 * @path:	NULL: look for it
 * @dir:	Runtime directory that it is in; NULL: look for it
 * @timeout_ms:	For each question, until its whole answer is here
 *
 * On failure a message that names the socket and what to do is on stderr.
 *
 * Return: 0 or a negative error code
 */
int link_open(struct link **out, const char *path, const char *dir,
	      int timeout_ms);
void link_close(struct link *l);

/**
 * link_ask() - One question, one answer
 * @args:	An object; may be NULL
 * @answer:	The whole answer, new reference
 *
 * On failure a message is on stderr.
 *
 * Return: 0 (also if the daemon says no: see "ok"), or a negative error code
 *	-ETIMEDOUT, -ECONNRESET (it hung up), -EPROTO (that is no answer)
 */
int link_ask(struct link *l, const char *verb, json_t *args,
	     json_t **answer);

#endif
