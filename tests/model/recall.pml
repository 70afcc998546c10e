/* SPDX-License-Identifier: MIT */
/*
 * recall.pml - edge RECALL: a block has one owner, and one size
 *
 * The daemon lends home a large block, takes it back while home computes,
 * cuts it, lends the first half to home again as a small block and the other
 * half to somebody else, and puts both together again.  Home learns of grants
 * by messages that it reads when it likes; it takes a block by what its list
 * says.  The list must name the very loan: a take succeeds only from the
 * generation of that loan's own message (or of the last give-back).
 *
 * Properties: who writes into bytes owns them; the daemon never lends bytes
 * that home has taken.
 */
#ifdef MODEL_FULL
#define MOVES	8
#define TAKES	5
#else
#define MOVES	5
#define TAKES	3
#endif
#define NONE	0
#define FREE	1
#define BUSY	2
#define SMALL	1
#define LARGE	2

/* The descriptor of the first unit: one word, changed by CAS. */
byte gen, state;
/* Whose the two halves are, in the daemon's book: home's? */
bool half[2];
/* What home has taken just now. */
bool writing;
byte writes;

chan grant = [MOVES] of { byte, byte };	/* size, generation */

inline lend(size)
{
	atomic {
		assert(!writing);
		half[0] = true;
		half[1] = (size == LARGE);
		gen++;
		state = FREE;
		lent = size
	}
	grant ! size, gen
}

proctype daemon()
{
	byte lent = NONE, moves, word_gen, word_state;

	lend(LARGE);
	do
	:: moves < MOVES ->
		moves++;
		if
		:: lent != NONE ->
			/* shm_block_recall(): look, then CAS */
			atomic { word_gen = gen; word_state = state }
			if
			:: word_state != FREE
			:: word_state == FREE ->
#ifdef MUTANT_RECALL_STORES
				atomic { gen = word_gen + 1; state = NONE;
					 lent = NONE; half[0] = false;
					 half[1] = false }
#else
				atomic {
					if
					:: gen == word_gen && state == FREE ->
						gen++; state = NONE;
						lent = NONE;
						half[0] = false;
						half[1] = false
					:: else
					fi
				}
#endif
			fi
		:: lent == NONE -> lend(SMALL)
		:: lent == NONE -> lend(LARGE)
		fi
	:: moves == MOVES -> break
	od
}

proctype home()
{
	byte size = NONE, mine, takes, got_size, got_gen;
	byte word_gen, word_state;

end:	do
	:: grant ? got_size, got_gen ->		/* lend_granted() */
#ifdef MUTANT_KNOWN_IS_KEPT
		/* "We have it listed": the old entry stands for the new loan,
		 * and nobody asks which loan it was. */
		if
		:: size == NONE -> size = got_size; mine = got_gen
		:: else
		fi
#else
		size = got_size; mine = got_gen
#endif
	:: size != NONE && takes < TAKES ->	/* shm_block_take() */
		takes++;
		atomic { word_gen = gen; word_state = state }
		if
#ifdef MUTANT_KNOWN_IS_KEPT
		:: word_state == FREE ->
#else
		:: word_state == FREE && word_gen == mine ->
#endif
#ifdef MUTANT_TAKE_STORES
			atomic { gen = word_gen + 1; state = BUSY;
				 mine = gen; writing = true }
#else
			atomic {
				if
				:: gen == word_gen && state == FREE ->
					gen++; state = BUSY; mine = gen;
					writing = true
				:: else -> size = NONE
				fi
			}
#endif
			if
			:: writing ->
				assert(half[0]);
				assert(size == SMALL || half[1]);
				/* published, read, given back: another CAS */
				atomic {
					assert(gen == mine && state == BUSY);
					writing = false; state = FREE
				}
			:: else
			fi
		:: else -> size = NONE		/* forget it */
		fi
	od
}

init {
	atomic { run daemon(); run home() }
}
