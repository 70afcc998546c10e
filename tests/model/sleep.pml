/* SPDX-License-Identifier: MIT */
/*
 * sleep.pml - edge SLEEP: a rank that sleeps misses nothing that it wants
 *
 * Two senders, a daemon, one receiver.  The receiver wants source 0, source 1
 * or any, as it likes, each time anew; between receives it polls or sleeps
 * (client/wait.c: doze()).  Sender 0 may die at any step, also between
 * publishing and ringing; then the daemon says so and rings whatever is
 * wanted (client/news.c, daemon/reap.c).
 *
 * Spin is sequentially consistent, processors are not: a line and the wait
 * word are stored into a buffer of their own, which reaches memory at any
 * later time and in any order (weaker than x86: like PSO); a fence waits
 * until the thread's buffers are empty.
 *
 * Property: nobody is stuck.  A receiver that sleeps for ever while what it
 * wants is in memory is an invalid end state.
 */
#ifdef MODEL_FULL
#define N	3
#else
#define N	2
#endif
#define ANY	2
#define POLLING	0
#define ASLEEP	1

byte line[2];			/* published by each, as memory has it */
byte line_buf[2];
bool line_full[2];

byte wait_mode, wait_from;	/* one word: always together */
byte wait_buf_mode, wait_buf_from;
bool wait_full;

bool gone, news;		/* sender 0 is dead; the daemon said so */
bool bell;			/* the pending bit: sticky (hal/emul) */

active [2] proctype sender_buffer()
{
	byte s = _pid % 2;
end:	do
	:: atomic { line_full[s] -> line[s] = line_buf[s];
		    line_full[s] = false }
	od
}

active proctype wait_buffer()
{
end:	do
	:: atomic { wait_full -> wait_mode = wait_buf_mode;
		    wait_from = wait_buf_from; wait_full = false }
	od
}

/* shm_wake_check() */
inline check(source)
{
#ifndef MUTANT_SENDER_FENCE
	!line_full[source];
#endif
	atomic { mode = wait_mode; from = wait_from }
	if
	:: mode == ASLEEP && (from == ANY || from == source) -> bell = true
	:: else
	fi
}

proctype sender(byte me; bool mortal)
{
	byte n, mode, from;

	do
	:: n < N ->
		/* The buffer holds one store: an older one goes first. */
		atomic { !line_full[me]; n++; line_buf[me] = n;
			 line_full[me] = true }
		if
		:: mortal -> goto dead
		:: true
		fi;
		check(me)
	:: mortal -> break
	:: n == N -> break
	od;
dead:	if
	:: mortal -> gone = true
	:: else
	fi
}

proctype daemon()
{
	byte mode, from;

end:	atomic { gone && !line_full[0] };	/* what died wrote has landed */
	news = true;
#ifdef MUTANT_DAEMON_ASKS_WHAT_IS_WANTED
	atomic { mode = wait_mode; from = wait_from }
	if
	:: mode == ASLEEP && from == ANY -> bell = true
	:: else
	fi
#else
	bell = true
#endif
}

byte seen[2], have[2];
bool told;
bool found;

inline look()
{
	atomic {
		found = (line[0] != seen[0]) || (news && !told);
		have[0] = have[0] + line[0] - seen[0];
		seen[0] = line[0];
		told = news
	}
	atomic {
		found = found || line[1] != seen[1];
		have[1] = have[1] + line[1] - seen[1];
		seen[1] = line[1]
	}
}

inline arm(m, f)
{
	atomic { !wait_full; wait_buf_mode = m; wait_buf_from = f;
		 wait_full = true }
#ifndef MUTANT_SLEEPER_FENCE
	!wait_full
#endif
}

#define left(s)	(taken[s] < N && !(s == 0 && told && have[0] == 0))

proctype receiver()
{
	byte taken[2], want, armed = ANY;

	do
	:: !left(0) && !left(1) -> break
	:: left(0) || left(1) ->
		if
		:: left(0) -> want = 0
		:: left(1) -> want = 1
		:: true -> want = ANY
		fi;
		do
		:: atomic { want != 1 && have[0] > 0 -> have[0]--; taken[0]++;
			    break }
		:: atomic { want != 0 && have[1] > 0 -> have[1]--; taken[1]++;
			    break }
		:: want == 0 && !left(0) -> break
		:: want == ANY && !left(0) && !left(1) -> break
		:: else ->
			if
			:: (line[0] != seen[0] || line[1] != seen[1] ||
			    news != told) -> look()	/* spin */
			:: true ->			/* doze */
#ifdef MUTANT_OLD_WANTED
				/* Asleep before: the word need not change. */
				if
				:: armed == ANY -> armed = want
				:: else
				fi;
#else
				armed = want;
#endif
#ifndef MUTANT_TAKE_AFTER_ARM
				bell = false;
#endif
				arm(ASLEEP, armed);
#ifdef MUTANT_NO_SECOND_LOOK
				found = false;
#else
				look();
#endif
#ifdef MUTANT_TAKE_AFTER_ARM
				bell = false;
#endif
				if
				:: found
				:: !found -> bell	/* hal_wait() */
				fi;
				arm(POLLING, ANY);
				look()
			fi
		od
	od
}

init {
	atomic {
		run sender(0, true); run sender(0 + 1, false);
		run daemon(); run receiver()
	}
}
