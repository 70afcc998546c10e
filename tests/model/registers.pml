/* SPDX-License-Identifier: MIT */
/*
 * registers.pml - two paths from one rank to another, and a service that dies
 *
 * A sender gives each of its messages to the daemon's register service (its
 * `out` ring) or to the channel, as it likes.  When `out` stands still, and
 * that may be at any time, what is in it goes again by the channel
 * (client/regs.c).  The service carries from `out` to `in`, tells what it has
 * delivered by `consumed`, and may crash between any two steps; the next one
 * finds its place in both rings.  The sender ends at any step; then the service
 * delivers what `out` holds and puts a GONE line behind it.  The receiver
 * reads both paths in any order, matches by number (client/order.c), and
 * acknowledges GONE when it has seen that line and the end of the channel.
 *
 * Properties: the channel's numbers are those of its messages; every message
 * is matched once, in the order sent; what was sent before the end is matched;
 * nobody is stuck.
 */
#ifdef MODEL_FULL
#define K	4		/* messages */
#define CRASHES	2
#else
#define K	3
#define CRASHES	1
#endif
#define OUT	2		/* messages that a ring holds */
#define IN	2
#define LINE	100		/* GONE, in the `in` ring */

mtype = { NUMBER, MESSAGE };

chan channel = [4 * K] of { mtype, byte };
byte out[OUT], published, consumed;
byte in[IN], told;		/* a cell is 0, or the message's number + 1 */

byte sent;			/* by the sender, before it died */
bool dead, gone, acked;
bool book_gone;			/* the ledger */

proctype sender()
{
	byte i;
	bool unsaid, stuck;

	do
	:: sent < K && !stuck && published - consumed < OUT ->
		atomic { out[published % OUT] = sent; published++; sent++;
			 unsaid = true }
	:: sent < K ->
		if
		:: unsaid ->
#ifndef MUTANT_NUMBER_IS_NOT_SAID
			channel ! NUMBER, sent;
#endif
			unsaid = false
		:: else
		fi;
		atomic { channel ! MESSAGE, sent; sent++ }
	:: !stuck && published != consumed ->
		stuck = true;
		i = consumed;
		do
		:: i != published ->
#ifndef MUTANT_NUMBER_IS_NOT_SAID_AGAIN
			channel ! NUMBER, out[i % OUT];
#endif
			channel ! MESSAGE, out[i % OUT];
			i++
		:: else -> break
		od;
		unsaid = true
	:: stuck && published == consumed -> stuck = false
	:: break
	od;
	dead = true
}

inline maybe_crash()
{
	if
	:: crashes < CRASHES -> crashes++; goto again
	:: true
	fi
}

proctype service()
{
	byte taken, put, crashes, m;
	bool line;

again:	/* A new one finds its place. */
	line = false;
#ifdef MUTANT_GOES_ON_BEHIND_WHAT_WAS_TAKEN
	taken = published;
#else
	taken = consumed;
#endif
	d_step {
		put = told;
#ifndef MUTANT_WRITES_OVER_WHAT_IS_UNREAD
		do
		:: put - told < IN && in[put % IN] != 0 -> put++
		:: else -> break
		od
#endif
	};
	do
	:: taken != published && put - told < IN ->
		m = out[taken % OUT];
		taken++;
		maybe_crash();
#ifdef MUTANT_TOLD_BEFORE_DELIVERED
		consumed = taken;
		maybe_crash();
#endif
		in[put % IN] = m + 1;
		put++;
		maybe_crash();
		consumed = taken
	:: dead && !book_gone -> book_gone = true; maybe_crash();
		gone = true		/* on the socket, which is kept */
	:: book_gone && !gone -> gone = true
#ifdef MUTANT_LINE_BEFORE_THE_LAST_MESSAGE
	:: book_gone && !line && put - told < IN ->
#elif defined(MUTANT_LINE_IS_NOT_PUT_AGAIN)
	:: book_gone && !line && consumed == published && put - told < IN &&
	   crashes == 0 ->
#else
	:: book_gone && !line && consumed == published && put - told < IN ->
#endif
		in[put % IN] = LINE;
		put++;
		line = true
	:: acked -> break
	od
}

byte turn, parked;		/* parked: a bit for each number */

/* client/order.c */
inline match(n)
{
	d_step {
		if
#ifndef MUTANT_DOUBLES_ARE_MATCHED
		:: n < turn || parked >> n & 1
#endif
#ifdef MUTANT_MATCHED_AS_IT_COMES
		:: n >= turn ->
			assert(n == turn);
			turn = n + 1
#else
		:: !(n < turn || parked >> n & 1) && n != turn ->
			parked = parked | 1 << n
		:: else ->
			assert(n == turn);
			turn++;
			do
			:: parked >> turn & 1 ->
				parked = parked & ~(1 << turn);
				turn++
			:: else -> break
			od
#endif
		fi
	}
}

proctype receiver()
{
	byte next, m, read;
	bool line;

	do
	:: channel ? NUMBER, m -> next = m
	:: channel ? MESSAGE, m ->
		assert(m == next);
		match(m);
		next++
	:: in[read % IN] != 0 ->
		m = in[read % IN];
		if
		:: m == LINE -> line = true
		:: else -> m--; match(m)
		fi;
		atomic { in[read % IN] = 0; read++; told = read }
	:: gone && empty(channel) &&
#ifdef MUTANT_GONE_WAITS_FOR_NO_LINE
	   !acked ->
#else
	   line && !acked ->
#endif
		/* Nothing more will come: all of it has. */
		assert(turn == sent && parked == 0);
		acked = true;
		break
	od
}

init {
	atomic { run sender(); run service(); run receiver() }
}
