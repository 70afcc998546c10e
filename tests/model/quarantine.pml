/* SPDX-License-Identifier: MIT */
/*
 * quarantine.pml - what a dead rank published is freed when nobody reads it
 *
 * Rank 0 publishes to its two partners and dies.  The daemon commits that to
 * its ledger, says GONE, and frees the rank's rings and blocks when every
 * partner has acknowledged or is dead itself (daemon/reap.c).  A partner
 * reads the socket in batches, drains, closes the channel, says ACK
 * (client/news.c); a partner may die.  The daemon may crash at any step: the
 * ledger and the sockets with what is in them outlive it (the keeper), the
 * new daemon says RESUMED, the partner answers STATE, what the old one may
 * not have said is said again.
 *
 * What was published may be a loan: the partner then reads it in place for as
 * long as it likes, also after GONE, and acknowledges when it has released it
 * (edge VIEW).
 *
 * Properties: nobody reads rings or blocks after they were freed; whatever was
 * published before the death is read by each partner that lives, and once;
 * the quarantine ends.
 */
#ifdef MODEL_FULL
#define CRASHES	2
#else
#define CRASHES	1
#endif
#define LINES	1

mtype = { GONE, RESUMED, ACK, STATE };

chan to[2]   = [6] of { mtype };
chan from[2] = [6] of { mtype, bool, bool };	/* acknowledged, seen */

/* The pool. */
byte ring[2];			/* lines that rank 0 has published */
bool newcomer[2];		/* its bit in the partner's bitmap */
bool freed;			/* rings and blocks are another job's now */

/* Facts. */
bool dead0;
bool dead[2];
bool delivered[2];		/* all of it was read */

/* The ledger. */
bool book_gone;
bool book_acked[2];

proctype rank0()
{
	byte i;

	do
	:: i < 2 ->
		if
		:: ring[i] < LINES -> ring[i]++; newcomer[i] = true
		:: true
		fi;
		i++
	:: break
	od;
	dead0 = true
}

inline drain()
{
	if
	:: open && read < ring[me] ->
		assert(!freed && !closed);
		read = ring[me];
		if
		:: holds = true			/* the last one was a loan */
		:: true
		fi
	:: else
	fi
}

proctype partner(byte me; bool mortal)
{
	byte read;
	bool open, seen, going, closed, acked, holds;

end:	do		/* it may wait for ever: the daemon may not */
	:: mortal -> dead[me] = true; break
	/* channel_newcomers(): only a live peer's channel is opened. */
#ifdef MUTANT_A_GONE_PEER_IS_OPENED_AGAIN
	:: newcomer[me] && !open ->
		newcomer[me] = false; open = true; read = 0
#else
	:: newcomer[me] && !open ->
		newcomer[me] = false; open = !closed
#endif
	:: open && read < ring[me] -> drain()
	/* A view is read once more, then released. */
	:: holds -> assert(!freed); holds = false
	/* news_read(): all that is there, then news_gone() */
	:: to[me] ? GONE ->
		if
		/* said again */
#ifdef MUTANT_GONE_SAID_AGAIN_ENDS_A_VIEW
		:: closed -> from[me] ! ACK, true, true
#else
		:: closed && acked -> from[me] ! ACK, true, true
		:: closed && !acked -> skip
#endif
		:: else -> seen = true; going = true
		fi
#ifdef MUTANT_ACK_BEFORE_DRAIN
		; from[me] ! ACK, true, true; acked = true
#endif
	:: to[me] ? RESUMED ->
#ifdef MUTANT_STATE_CLAIMS_WHAT_IS_NOT_DRAINED
		from[me] ! STATE, seen, seen
#else
		from[me] ! STATE, acked, seen
#endif
	:: going && !(to[me] ? [GONE] || to[me] ? [RESUMED]) ->
		/* Opened from the directory if it never was. */
		open = !closed;
		drain();
		delivered[me] = true;
		assert(freed || read == ring[me]);
		open = false; closed = true; going = false
#ifdef MUTANT_ACK_WITH_AN_OPEN_VIEW
	:: closed && !acked ->
#else
	/* drained(), by news_gone() or by the last release */
	:: closed && !acked && !holds ->
#endif
		from[me] ! ACK, true, true; acked = true
	od
}

inline say_gone(i)
{
	if
	:: !dead[i] -> to[i] ! GONE
	:: else
	fi
}

inline crash()
{
	crashes++;
#ifdef MUTANT_ACKS_ARE_NOT_KEPT
	book_acked[0] = false;
	book_acked[1] = false;
#endif
	resumed = true;
	goto again
}

proctype daemon()
{
	byte crashes;
	bool resumed, a, s;

again:
	if
	:: resumed ->
		if
		:: !dead[0] -> to[0] ! RESUMED
		:: else
		fi;
		if
		:: !dead[1] -> to[1] ! RESUMED
		:: else
		fi
	:: else
	fi;
	do
	:: crashes < CRASHES -> crash()
	:: dead0 && !book_gone ->
		book_gone = true;		/* one commit */
		if
		:: crashes < CRASHES -> crash()
		:: true
		fi;
		say_gone(0);
		if
		:: crashes < CRASHES -> crash()
		:: true
		fi;
		say_gone(1)
	:: from[0] ? ACK, a, s -> book_acked[0] = true
	:: from[1] ? ACK, a, s -> book_acked[1] = true
	:: from[0] ? STATE, a, s ->
#ifndef MUTANT_ACKS_ARE_NOT_KEPT
		if
		:: a -> book_acked[0] = true
		:: else
		fi
#endif
#ifndef MUTANT_NOT_SAID_AGAIN
		;if
		:: book_gone && !s -> say_gone(0)
		:: else
		fi
#endif
	:: from[1] ? STATE, a, s ->
#ifndef MUTANT_ACKS_ARE_NOT_KEPT
		if
		:: a -> book_acked[1] = true
		:: else
		fi
#endif
#ifndef MUTANT_NOT_SAID_AGAIN
		;if
		:: book_gone && !s -> say_gone(1)
		:: else
		fi
#endif
#ifdef MUTANT_FREED_WITHOUT_ACK
	:: book_gone -> break
#elif defined(MUTANT_THE_DEAD_ARE_WAITED_FOR)
	:: book_gone && book_acked[0] && book_acked[1] -> break
#elif defined(MUTANT_ONE_ACK_IS_ENOUGH)
	:: book_gone && (book_acked[0] || book_acked[1]) -> break
#else
	:: book_gone && (book_acked[0] || dead[0]) &&
	   (book_acked[1] || dead[1]) -> break
#endif
	od;
	assert(delivered[0] || dead[0]);
	assert(delivered[1] || dead[1]);
	/* Another job writes there. */
	atomic { freed = true; ring[0] = LINES; ring[1] = LINES }
}

init {
	atomic { run rank0(); run partner(0, true); run partner(1, false);
		 run daemon() }
}
