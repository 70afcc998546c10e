/* SPDX-License-Identifier: MIT */
/*
 * bell.pml - edges BELL and ARM: a ring ends the sleep (hal/emul/doorbell.c)
 *
 * Two ringers, one sleeper.  STATUS is changed by atomic OR and exchange; the
 * sleeper's store to ENABLE goes through a buffer (see sleep.pml); the futex
 * compares STATUS and begins to sleep in one step.  Ringer 1 may die between
 * raising its bit and waking the sleeper; whoever cleans up calls
 * hal_nudge(), which wakes whether or not a bit is fresh.
 *
 * Property: the sleeper gets all the work; nobody is stuck.
 */
#ifdef MODEL_FULL
#define N	3
#else
#define N	2
#endif

byte work[2];
bool status, enable, enable_buf, enable_full;
bool sleeping;			/* in the kernel, on STATUS */
bool died;

active proctype enable_buffer()
{
end:	do
	:: atomic { enable_full -> enable = enable_buf; enable_full = false }
	od
}

inline ring()
{
#ifdef MUTANT_ENABLE_READ_FIRST
	on = enable;
	atomic { fresh = !status; status = true }
#else
	atomic { fresh = !status; status = true }
	on = enable;
#endif
}

proctype ringer(byte me; bool mortal)
{
	byte n;
	bool fresh, on;

	do
	:: n < N ->
#ifdef MUTANT_RING_BEFORE_WORK
		ring();
#endif
		n++;
		work[me] = n;
#ifndef MUTANT_RING_BEFORE_WORK
		ring();
#endif
		if
		:: mortal -> atomic { died = true; goto done }
		:: true
		fi;
		if
		:: fresh && on -> sleeping = false	/* FUTEX_WAKE */
		:: else
		fi
	:: n == N -> break
	od;
done:	skip
}

proctype cleaner()
{
	bool fresh, on;

end:	died;
#ifdef MUTANT_CLEANER_TRUSTS_THE_BIT
	ring();
	if
	:: fresh && on -> sleeping = false
	:: else
	fi
#else
	atomic { status = true; sleeping = false }
#endif
}

#define all	((got[0] == N) && (got[1] == N || (died && got[1] == work[1])))

byte got[2];

proctype sleeper()
{
	bool seen;

	do
	:: all -> break
	:: else ->
		status = false;				/* hal_take() */
		atomic { !enable_full; enable_buf = true; enable_full = true }
#ifndef MUTANT_ARM_FENCE
		!enable_full;
#endif
		/* look; whether it finds something or not, sleep if need be */
		if
		:: got[0] != work[0] -> got[0] = work[0]
		:: got[1] != work[1] -> got[1] = work[1]
		:: else ->
			if
			:: all
			:: else ->
			do				/* hal_wait() */
			:: seen = status;
			   if
			   :: seen -> break
			   :: else ->
#ifdef MUTANT_FUTEX_DOES_NOT_COMPARE
				sleeping = true;
				!sleeping
#else
				if
				:: atomic { status == seen ->
					    sleeping = true };
				   !sleeping
				:: status != seen
				fi
#endif
			   fi
			od
			fi
		fi;
		atomic { !enable_full; enable_buf = false; enable_full = true }
		!enable_full
	od
}

init {
	atomic { run ringer(0, false); run ringer(1, true); run cleaner();
		 run sleeper() }
}
