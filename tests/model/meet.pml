/* SPDX-License-Identifier: MIT */
/*
 * meet.pml - edge MEET: nobody leaves a meeting early, nobody sleeps for ever
 *
 * Three ranks of one level (shm/meet.c, client/meet.c).  From the first meeting
 * nobody waits for all (a broadcast), from the second rank 0 does (a reduction),
 * from the others all do (barriers).  Who goes on waits for the end of a meeting
 * only when it enters the next.  Who waits polls or sleeps, as it likes
 * (client/wait.c: doze()).
 *
 * As in sleep.pml each shared word is stored into a buffer of its own, which
 * reaches memory at any later time; a fence waits until the thread's are empty.
 *
 * Properties: who leaves a meeting that it stays for has seen all arrive
 * (assert); a rank that sleeps for ever is an invalid end state.
 */
#define N	3
#ifdef MODEL_FULL
#define MEETINGS 4
#else
#define MEETINGS 3
#endif

byte word[N];			/* arrived, as memory has it */
byte word_buf[N];
bool word_full[N];
bool asleep[N];			/* the wait word */
bool asleep_buf[N];
bool asleep_full[N];
bool bell[N];
byte come[N];			/* in program order: for the assertion */

#define ROOT		0
#define STAYS(i, n)	((n) > 2 || (n) == 2 && (i) == ROOT)
/* A thread reads its own stores. */
#define SEEN(me, j)	((me) == (j) && word_full[j] -> word_buf[j] : word[j])
#define ALL(me, n)	(SEEN(me, 0) >= (n) && SEEN(me, 1) >= (n) && \
			 SEEN(me, 2) >= (n))

active proctype memory()
{
end:	do
	:: word_full[0] -> atomic { word[0] = word_buf[0]; word_full[0] = false }
	:: word_full[1] -> atomic { word[1] = word_buf[1]; word_full[1] = false }
	:: word_full[2] -> atomic { word[2] = word_buf[2]; word_full[2] = false }
	:: asleep_full[0] -> atomic { asleep[0] = asleep_buf[0]; asleep_full[0] = false }
	:: asleep_full[1] -> atomic { asleep[1] = asleep_buf[1]; asleep_full[1] = false }
	:: asleep_full[2] -> atomic { asleep[2] = asleep_buf[2]; asleep_full[2] = false }
	od
}

inline fence(i)
{
	!word_full[i] && !asleep_full[i]
}

/* A buffer holds one store: the next to the same word waits for it. */
inline set_asleep(i, value)
{
	atomic {
		!asleep_full[i];
		asleep_buf[i] = value;
		asleep_full[i] = true
	}
}

inline wake(i, j)
{
	if
	:: j != i && asleep[j] -> bell[j] = true
	:: else
	fi
}

inline wake_all(i)
{
#ifndef MUTANT_NO_FENCE_BEFORE_WAKING
	fence(i);
#endif
	wake(i, 0);
	wake(i, 1);
	wake(i, 2)
}

/* Until all have arrived at @n. */
inline stay(i, n)
{
	do
	:: ALL(i, n) -> break
	:: else ->
		if
		:: skip			/* look again */
		:: bell[i] = false;
		   set_asleep(i, true);
#ifndef MUTANT_NO_FENCE_IN_ARM
		   fence(i);
#endif
#ifdef MUTANT_NO_SECOND_LOOK
		   bell[i];
#else
		   if
		   :: ALL(i, n)
		   :: else -> bell[i]
		   fi;
#endif
		   set_asleep(i, false)
		fi
	od;
#ifndef MUTANT_WHO_STAYS_WAKES_NOBODY
	wake_all(i);
#endif
	assert(come[0] >= n && come[1] >= n && come[2] >= n)
}

inline arrive(i, n)
{
	come[i] = n;
	atomic {
		!word_full[i];
		word_buf[i] = n;
		word_full[i] = true
	}
}

proctype rank(byte i)
{
	byte n = 1;
	bool complete = true;

	do
	:: n > MEETINGS -> break
	:: else ->
#ifndef MUTANT_TWO_MEETINGS_AHEAD
		if
		:: !complete -> stay(i, n - 1)
		:: else
		fi;
#endif
		arrive(i, n);
		if
		:: STAYS(i, n) ->
			stay(i, n);
			complete = true
		:: else ->
			/* Without it two may miss each other, and be late for a
			 * third one by as much as they stay away: litmus MEET. */
			fence(i);
			complete = false;
			if
			:: ALL(i, n) ->
				complete = true;
#ifndef MUTANT_LAST_ONE_WAKES_NOBODY
				wake_all(i)
#endif
			:: else
			fi
		fi;
		/* Two turns: nobody may still be in the last but one. */
		assert(come[0] + 2 > n && come[1] + 2 > n && come[2] + 2 > n);
		n++
	od
}

init {
	atomic { run rank(0); run rank(1); run rank(2) }
}
