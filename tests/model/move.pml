/* SPDX-License-Identifier: MIT */
/*
 * move.pml - a channel moves to a larger ring; the old one is used again
 *
 * The sender may move as soon as it knows that the receiver has read a line:
 * the last line in the old ring says where the channel goes on, the directory
 * names the new ring.  When the receiver has read that line and said so, the
 * old ring is zeroed and goes to another channel (client/channel.c).
 *
 * Properties: the receiver gets every message once, in order; it never reads
 * a line of another channel; nobody is stuck.
 */
#ifdef MODEL_FULL
#define K	4
#else
#define K	3
#endif
#define SMALL	2		/* lines in ring 0 */
#define MOVED	100
#define FOREIGN	101
#define NOWHERE	255

/* Two rings.  Line i of lap l is at i % size; cleared when consumed, so that
 * only what is fresh is seen. */
byte line0[SMALL];
byte line1[8];
byte consumed[2];
byte directory = NOWHERE;
bool moved, reused;
byte got;			/* messages received */

inline publish(value)
{
	if
	:: at == 0 -> line0[published[0] % SMALL] = value
	:: at == 1 -> line1[published[1]] = value
	fi;
	published[at]++
}

inline refresh()
{
	known = consumed[0]
}

proctype sender()
{
	byte at, m = 1, known, published[2], mark;

	do
	:: m <= K && (at == 1 || published[0] - known < SMALL) ->
		publish(m);
		m++;
		/* DIRECTORY: only after the first line there, or before it;
		 * the receiver finds the ring empty then. */
		if
		:: directory == NOWHERE -> directory = 0
		:: else
		fi
	:: at == 0 && known != consumed[0] -> refresh()
#ifdef MUTANT_MOVE_BEFORE_OPEN
	:: at == 0 && directory != NOWHERE && published[0] - known < SMALL ->
#else
	:: at == 0 && known != 0 && published[0] - known < SMALL ->
#endif
		mark = published[0];
		publish(MOVED);
#ifndef MUTANT_MARK_WITHOUT_THE_LAST_LINE
		mark = published[0];
#endif
		directory = 1;
		at = 1;
		moved = true
	:: moved && !reused &&
#ifdef MUTANT_REUSED_UNREAD
	   true ->
#else
	   consumed[0] == mark ->
#endif
		/* shm_ring_format(), then lines for somebody else */
		atomic { line0[0] = 0; line0[1] = 0; reused = true }
		line0[0] = FOREIGN;
		line0[1] = FOREIGN
	:: m > K && got == K && (!moved || reused) -> break
	od
}

proctype receiver()
{
	byte at = NOWHERE, next[2], value;

end:	do
	:: at == NOWHERE && directory != NOWHERE -> at = directory
	:: at == 0 && line0[next[0] % SMALL] != 0 ->
		value = line0[next[0] % SMALL];
		assert(value != FOREIGN);
#ifdef MUTANT_TOLD_BEFORE_READ
		consumed[0] = next[0] + 1;
#endif
		if
		:: value == MOVED ->
			/* channel_moved(): open the new one, give all back */
			at = 1;
			line0[next[0] % SMALL] = 0;
			next[0]++;
			consumed[0] = next[0]
		:: else ->
			assert(value == got + 1);
			got++;
			line0[next[0] % SMALL] = 0;
			next[0]++;
			consumed[0] = next[0]
		fi
	:: at == 1 && line1[next[1]] != 0 ->
		assert(line1[next[1]] == got + 1);
		got++;
		next[1]++
	od
}

init {
	atomic { run sender(); run receiver() }
}
