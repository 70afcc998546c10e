/* SPDX-License-Identifier: MIT */
/*
 * cancel.pml - CANCEL against ACCEPT, DONE and the data under way
 *
 * A sender offers two messages, one after the other, and may cancel the first
 * at any time; a receiver has a receive posted, and may give one up and post
 * another one (client/send.c, client/recv.c).  Lines between the two are
 * first in, first out, in each direction; an answer is never lost.  A request
 * that is cancelled is complete at once: from then on its buffer is the
 * caller's.  Tokens are {index, generation}; here there is one index.
 *
 * Properties: nothing is read from or written to the buffer of a completed
 * request; bytes of one message never end up in the receive of another;
 * nobody waits for ever.
 */
#ifdef MODEL_FULL
#define PIECES	3
#else
#define PIECES	2
#endif
mtype = { OFFER, ACCEPT, DONE, CANCEL_OFFER, CANCEL_STREAM, DATA };

/* type, token of who reads it, second token or message */
chan down = [8] of { mtype, byte, byte };	/* sender to receiver */
chan up   = [8] of { mtype, byte, byte };	/* receiver to sender */

bool last_over;			/* the second message came or was refused */

/* A token that ends is not given out again: its generation is raised. */
#ifdef MUTANT_NO_GENERATION
#define NEXT(t)	t
#else
#define NEXT(t)	(t + 1)
#endif

proctype sender()
{
	byte msg = 0, token = 0, next = 1, theirs, sent, a, b;
	bool live;		/* the request of message msg */

	do
	:: !live && msg < 2 ->			/* push_offer() */
		msg++;
		token = next; theirs = 0; sent = 0; live = true;
		down ! OFFER, token, msg
	:: live && msg == 1 ->			/* send_cancel() */
		if
		:: theirs == 0 -> down ! CANCEL_OFFER, token, 0
		:: else -> down ! CANCEL_STREAM, theirs, 0
		fi;
		live = false; next = NEXT(next)
#ifndef MUTANT_DATA_AFTER_CANCEL
		; theirs = 0
#endif
	:: up ? ACCEPT, a, b ->			/* stream_accepted() */
		if
		:: live && a == token ->
			/* A second ACCEPT of one offer: a broken peer. */
			assert(theirs == 0);
			theirs = b
		:: else
		fi
	:: up ? DONE, a, b ->			/* send_ended() */
		if
		:: live && a == token ->
			live = false; next = NEXT(next); theirs = 0
		:: else
		fi
	:: theirs != 0 ->			/* pump_streams() */
		assert(live);
		down ! DATA, theirs, msg;
		sent++;
		if
		:: sent == PIECES ->
			live = false; next = NEXT(next); theirs = 0
		:: else
		fi
	:: !live && msg == 2 && last_over -> break
	od;
	/* Answers may still come; they find nobody. */
end:	do
	:: up ? _, a, b
	od
}

proctype receiver()
{
	byte token, next = 1, theirs, from, got, a, b;
	byte kept, kept_msg;		/* an offer that waits for a receive */
	bool posted, coming, gave_up;

	do
	:: last_over -> break
	/* recv_start(): it takes what waits, or is posted */
	:: !posted && !coming && !last_over -> posted = true
	:: posted && kept != 0 ->
		posted = false; coming = true;
		theirs = kept; from = kept_msg; got = 0; token = next;
		kept = 0;
		up ! ACCEPT, theirs, token
	/* recv_cancel(): once, at any time */
	:: (posted || coming) && !gave_up ->
		gave_up = true;
		if
		:: coming ->
			up ! DONE, theirs, 0;
			if
			:: from == 2 -> last_over = true
			:: else
			fi;
			coming = false; next = NEXT(next)
		:: else -> posted = false
		fi
	:: down ? OFFER, a, b ->
		assert(kept == 0);
		kept = a; kept_msg = b
	:: down ? CANCEL_OFFER, a, b ->		/* recv_cancelled() */
		if
		:: kept == a -> kept = 0
#ifndef MUTANT_CROSSING_IS_IGNORED
		:: kept != a && coming && theirs == a ->
			/* It crossed our ACCEPT. */
			assert(got == 0);
			coming = false; posted = true; next = NEXT(next)
#endif
		:: else
		fi
	:: down ? CANCEL_STREAM, a, b ->
		if
		:: coming && token == a ->
			/* With bytes in its buffer it fails, else waits on. */
			posted = (got == 0);
			coming = false; next = NEXT(next)
		:: else
		fi
	:: down ? DATA, a, b ->			/* recv_stream() */
		if
		:: coming && token == a ->
			assert(b == from);
			got++;
			if
			:: got == PIECES ->
				coming = false; next = NEXT(next);
				if
				:: from == 2 -> last_over = true
				:: else
				fi
			:: else
			fi
		:: else		/* we gave it up while this was under way */
		fi
	od;
end:	do
	:: down ? _, a, b
	od
}

init {
	atomic { run sender(); run receiver() }
}
