/* SPDX-License-Identifier: MIT */
/*
 * guest_state.c - names and lookups
 */
#include "daemon/guest_state.h"

const char *guest_link_name(enum guest_link_state state)
{
	switch (state) {
	case GUEST_LINK_PAUSE:
		return "pause";
	case GUEST_LINK_ASKED:
		return "asked";
	case GUEST_LINK_GREETING:
	case GUEST_LINK_GREETED:
		return "greeting";
	case GUEST_LINK_LIVE:
		return "live";
	}
	return "?";
}

const char *guest_session_name(enum guest_session_state state)
{
	static const char *const names[] = {
		[GUEST_SESSION_NEW]	 = "new",
		[GUEST_SESSION_WAITING]	 = "waiting",
		[GUEST_SESSION_JOINING]	 = "joining",
		[GUEST_SESSION_WELCOMED] = "welcomed",
		[GUEST_SESSION_ATTACHED] = "attached",
		[GUEST_SESSION_CLOSED]	 = "closed",
		[GUEST_SESSION_ENDED]	 = "ended",
	};

	return names[state];
}

struct guest_session *guest_session_find(const struct guest *g, uint32_t sid)
{
	for (struct guest_session *s = g->sessions; s && sid; s = s->next)
		if (s->sid == sid && s->state != GUEST_SESSION_ENDED)
			return s;
	return NULL;
}
