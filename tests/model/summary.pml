/* SPDX-License-Identifier: MIT */
/*
 * summary.pml - edge SUMMARY: a bit for every line that no look will find
 *
 * Two senders and a receiver that goes from polling over summary to asleep
 * and back (client/progress.c, client/wait.c).  In summary mode it looks only
 * where a bit says so; after each change of mode it looks at every line once.
 * One look takes at most one line of each sender (ARRIVE_BATCH), so lines may
 * be left over: their bit is set again, or the full look repeated.
 *
 * Store buffers as in sleep.pml.  A polling receiver is one that waits for a
 * line, one in summary mode waits for a bit: a lost bit is a deadlock.
 */
#ifdef MODEL_FULL
#define N	3
#else
#define N	2
#endif
#define POLLING	0
#define SUMMARY	1
#define ASLEEP	2

byte line[2];
byte line_buf[2];
bool line_full[2];
byte wait_mode, wait_buf;
bool wait_full;
bool flag[2];			/* two bits of one word of the bitmap */
bool bell;

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

proctype sender(byte me)
{
	byte n, mode;

	do
	:: n < N ->
#ifdef MUTANT_FLAG_BEFORE_LINE
		mode = wait_mode;
		if
		:: mode != POLLING -> flag[me] = true
		:: else
		fi;
#endif
		atomic { !line_full[me]; n++; line_buf[me] = n;
			 line_full[me] = true }
#ifndef MUTANT_SENDER_FENCE
		!line_full[me];
#endif
		mode = wait_mode;
#ifndef MUTANT_FLAG_BEFORE_LINE
		if
		:: mode != POLLING -> flag[me] = true	/* fetch_or */
		:: else
		fi;
#endif
		if
		:: mode == ASLEEP -> bell = true
		:: else
		fi
	:: n == N -> break
	od
}

byte seen[2];
bool rescan, found;
bool took[2];

/* arrive_drain() of one sender: at most one line. */
inline drain(s)
{
	if
	:: atomic { line[s] != seen[s] -> seen[s]++; found = true }
	:: else
	fi
}

inline scan_all()
{
	found = false;
	rescan = false;
	drain(0);
	drain(1);
#ifndef MUTANT_FORGET_THE_REST
	if
	:: line[0] != seen[0] || line[1] != seen[1] -> rescan = true
	:: else
	fi
#endif
}

inline scan_one(s)
{
	if
	:: took[s] ->
		drain(s);
		if
		:: line[s] != seen[s] -> flag[s] = true
		:: else
		fi;
		took[s] = false
	:: else
	fi
}

inline scan_summary()
{
	found = false;
	/* shm_wake_collect(): one exchange */
#ifdef MUTANT_COLLECT_IN_TWO_STEPS
	atomic { took[0] = flag[0]; took[1] = flag[1] }
	atomic { flag[0] = false; flag[1] = false }
#else
	atomic { took[0] = flag[0]; took[1] = flag[1];
		 flag[0] = false; flag[1] = false }
#endif
	scan_one(0);
	scan_one(1)
}

inline arm(m)
{
	atomic { !wait_full; wait_buf = m; wait_full = true }
#ifndef MUTANT_RECEIVER_FENCE
	!wait_full;
#endif
#ifndef MUTANT_NO_RESCAN
	rescan = true
#else
	rescan = false
#endif
}

proctype receiver()
{
	byte rest = POLLING;

	do
	:: seen[0] + seen[1] == 2 * N -> break
	:: else ->
		if
		:: rest == POLLING ->		/* it has few channels */
			(line[0] != seen[0] || line[1] != seen[1]);
			drain(0); drain(1)
		:: rest == POLLING ->		/* it has many from now on */
			rest = SUMMARY;
			arm(SUMMARY);
		:: rest == SUMMARY && rescan -> scan_all()
		:: rest == SUMMARY && !rescan ->
			(flag[0] || flag[1]);
			scan_summary()
		:: true ->			/* doze */
			bell = false;
			arm(ASLEEP);
			scan_all();
			if
			:: found
			:: !found && rescan
			:: !found && !rescan -> bell
			fi;
			arm(rest)
		fi
	od
}

init {
	atomic { run sender(0); run sender(1); run receiver() }
}
