/* SPDX-License-Identifier: MIT */
/*
 * switch.pml - edges SLEEP and BELL with eventfds: a rank that is told of its
 *		eventfds while partners ring misses nothing
 *
 * Two senders, one of the sleeper's kernel and one of another; a daemon; a
 * neighbour that listens to the same eventfd.  The sleeper begins with its
 * futex, which the far sender cannot wake, and sleeps on its eventfd once BELLS
 * has come (client/wait.c: doze(), client/bells.c).  The near sender hears of
 * the eventfd at any time, or never; who has no bell says RING, and the daemon
 * rings by whatever the wait word says (daemon/span.c).
 *
 * Stores of lines and of the wait word go through buffers (see sleep.pml).  An
 * epoll instance with EPOLLET holds "it was written", which each write sets;
 * epoll_wait(2) takes it, and believes it only if the counter is not 0.
 *
 * Property: nobody is stuck.
 */
#ifdef MODEL_FULL
#define N_NEAR	2
#define N_FAR	2
#else
#define N_NEAR	2
#define N_FAR	1
#endif
#define NEAR	0
#define FAR	1
#define POLLING	0
#define FUTEX	1
#define EVENTFD	2

byte line[2], line_buf[2];
bool line_full[2];
byte wait_mode, wait_buf;
bool wait_full;

bool futex;			/* the pending bit: sticky (hal/emul) */
bool written;			/* on the sleeper's epoll instance */
bool counter;			/* of the eventfd: not 0 */
bool asked;			/* RING is in the daemon's socket */
bool bells;			/* BELLS is in the sleeper's socket */
bool near_knows;		/* the near sender has its BELLS */

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
	:: atomic { wait_full -> wait_mode = wait_buf; wait_full = false }
	od
}

inline write_eventfd()
{
	atomic { counter = true; written = true }
}

/* shm_wake_check(), bells_reach() */
inline check(me)
{
	!line_full[me];
	mode = wait_mode;
	if
	:: mode == FUTEX && me == NEAR -> futex = true
	:: mode == FUTEX && me == FAR ->
#ifndef MUTANT_FAR_SENDER_TRUSTS_THE_FUTEX
		asked = true
#else
		skip
#endif
	:: mode == EVENTFD && (me == FAR || near_knows) -> write_eventfd()
	:: mode == EVENTFD && me == NEAR && !near_knows ->
#ifndef MUTANT_NO_BELL_NO_RING
		asked = true
#else
		skip
#endif
	:: mode == POLLING
	fi
}

proctype sender(byte me; byte last)
{
	byte n, mode;

	do
	:: n < last ->
		atomic { !line_full[me]; n++; line_buf[me] = n;
			 line_full[me] = true }
		check(me)
	:: n == last -> break
	od
}

inline ring_by_mode()
{
	mode = wait_mode;
	if
#ifdef MUTANT_DAEMON_KNOWS_FUTEXES_ALONE
	:: mode != POLLING -> futex = true
#else
	:: mode == FUTEX -> futex = true
	:: mode == EVENTFD -> write_eventfd()
#endif
	:: mode == POLLING
	fi
}

proctype daemon()
{
	byte mode;
	bool told;

end:	do
	:: !told -> told = true;
		if
		:: bells = true; ring_by_mode()
		:: true				/* its socket is full */
		fi
	:: told && !near_knows -> near_knows = true
	:: atomic { asked -> asked = false }; ring_by_mode()
	od
}

/* It sleeps on the same eventfd, and may be rung for its own sake. */
proctype neighbour()
{
	if
	:: write_eventfd()
	:: true
	fi;
#ifdef MUTANT_A_NEIGHBOUR_READS
	do
	:: counter = false
	:: break
	od
#endif
}

byte have[2];
bool on, found;

inline look()
{
	found = false;
	atomic { if :: line[NEAR] != have[NEAR] -> have[NEAR] = line[NEAR];
		 found = true :: else fi };
	atomic { if :: line[FAR] != have[FAR] -> have[FAR] = line[FAR];
		 found = true :: else fi };
	atomic {
		if
		:: bells && !on -> on = true;
#ifndef MUTANT_SWITCH_WHILE_ARMED
			found = true
#endif
		:: else
		fi
	}
}

inline arm(m)
{
	atomic { !wait_full; wait_buf = m; wait_full = true }
#ifndef MUTANT_SLEEPER_FENCE
	!wait_full
#endif
}

inline clear()
{
	if
	:: mode == EVENTFD -> written = false
	:: mode == FUTEX -> futex = false
	fi
}

inline sleep()
{
#ifdef MUTANT_SWITCH_WHILE_ARMED
	mode = (on -> EVENTFD : FUTEX);
#endif
	if
	:: mode == FUTEX -> futex
	:: mode == EVENTFD ->
		do
		:: atomic { written -> written = false };
			if
			:: counter -> break
			:: !counter
			fi
		od
	fi
}

proctype sleeper()
{
	byte mode;

	do
	:: have[NEAR] == N_NEAR && have[FAR] == N_FAR -> break
	:: else ->
		mode = (on -> EVENTFD : FUTEX);
#ifndef MUTANT_CLEAR_AFTER_ARM
		clear();
#endif
		arm(mode);
#ifdef MUTANT_NO_SECOND_LOOK
		found = false;
#else
		look();
#endif
#ifdef MUTANT_CLEAR_AFTER_ARM
		clear();
#endif
		if
		:: found
		:: !found -> sleep()
		fi;
		arm(POLLING);
		look()
	od
}

init {
	atomic { run sender(NEAR, N_NEAR); run sender(FAR, N_FAR); run daemon();
		 run neighbour(); run sleeper() }
}
