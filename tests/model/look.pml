/* SPDX-License-Identifier: MIT */
/*
 * look.pml - edge LOOK: a register service that sleeps misses nothing
 *
 * One rank puts messages into its `out` ring, another takes them from its `in`
 * ring; the daemon's service carries them, and sleeps on its sockets when it
 * can't: because there is nothing, or no room in `in`.  A rank that has
 * published, or given half of `in` back, says LOOK on its socket if it sees the
 * service asleep (client/regs.c, shm_wake_look()).  Less than half is given
 * back without a word (regs_in_tell()), by a rank that found nothing and is about
 * to arm: if the service filled the ring and slept meanwhile, the look after
 * the arming finds more than half of it.
 *
 * As in sleep.pml each stored word has a buffer of its own, which reaches
 * memory at any later time; a fence waits until the thread's own is empty.
 *
 * Property: everything arrives; nobody is stuck.
 */
#ifdef MODEL_FULL
#define N	8		/* messages */
#else
#define N	6
#endif
#define OUT	2		/* messages that a ring holds */
#define IN	4
#define HALF	2

/* Words, as memory has them, and their buffers. */
byte published, published_buf;
bool published_full;
byte told, told_buf;
bool told_full;
bool asleep, asleep_buf, asleep_full;

byte consumed, delivered;	/* the service's; others may see them late */
bool socket;			/* LOOK is there to be read */
bool done;

active proctype buffers()
{
end:	do
	:: atomic { published_full -> published = published_buf;
		    published_full = false }
	:: atomic { told_full -> told = told_buf; told_full = false }
	:: atomic { asleep_full -> asleep = asleep_buf; asleep_full = false }
	od
}

inline look()
{
	if
	:: asleep -> socket = true
	:: else
	fi
}

active proctype sender()
{
	byte n;

	do
	:: n < N && n - consumed < OUT ->
		atomic { !published_full; n++; published_buf = n;
			 published_full = true }
#ifndef MUTANT_SENDER_FENCE
		!published_full;
#endif
		look()
	:: n == N -> break
	od
}

active proctype receiver()
{
	byte read, said;

	do
	:: read < N && read != delivered ->
		read++;
		if
		:: read - said >= HALF ->
			atomic { !told_full; said = read; told_buf = read;
				 told_full = true }
#ifndef MUTANT_RECEIVER_FENCE
			!told_full;
#endif
#ifndef MUTANT_NO_LOOK_WHEN_GIVING_BACK
			look()
#endif
		:: else
		fi
#ifdef MUTANT_SILENT_WHILE_THERE_IS_MORE
	:: read != said ->
#else
	:: read != said && read == delivered ->
#endif
		/* doze(): nothing was found */
		atomic { !told_full; said = read; told_buf = read;
			 told_full = true }
	:: read == N -> break
	od;
	done = true
}

#define can_carry	(published != consumed && delivered - told < IN)

inline say(value)
{
	atomic { !asleep_full; asleep_buf = value; asleep_full = true }
}

active proctype service()
{
	do
	:: can_carry ->
		/* First there, then not here any more. */
		delivered++;
		consumed++
	:: done -> break
	:: !can_carry ->
		say(true);
#ifndef MUTANT_SERVICE_FENCE
		!asleep_full;
#endif
		if
#ifndef MUTANT_NO_SECOND_LOOK
#ifdef MUTANT_SECOND_LOOK_AT_MESSAGES_ALONE
		:: published != consumed && delivered < IN
#else
		:: can_carry
#endif
#endif
		:: else ->
#ifdef MUTANT_LOOK_IS_DROPPED_AFTER_ARMING
			socket = false;
#endif
			if
			:: socket -> socket = false
			:: done
			fi
		fi;
		say(false)
	od
}
