/* SPDX-License-Identifier: MIT */
/*
 * mail_word.h - the words of hal/mail.h, packed and taken apart
 *
 * Every word may be garbage or a hostile peer's: what is taken from one is in
 * range or refused.
 */
#ifndef HAL_MAIL_WORD_H
#define HAL_MAIL_WORD_H

#include <stdbool.h>
#include <stdint.h>

#include "hal/mail.h"

enum mail_type {
	MAIL_DATA	= 0x1,
	MAIL_CREDIT	= 0x6,
	MAIL_PIECE	= 0xa,
};

#define MAIL_WORDS_MIN	4u	/* header, match, number, check */

/** struct mail_head - What a header says */
struct mail_head {
	uint32_t length;
	uint32_t core;
	uint32_t sequence;		/* low 8 bits */
};

/** struct mail_credit - What a CREDIT says */
struct mail_credit {
	uint32_t core;			/* that answers */
	uint32_t sequence;		/* low 8 bits */
	bool again;
	uint64_t digest;
};

/** mail_mark() - The mark of word @i of a message */
uint32_t mail_mark(uint32_t i);

/** mail_count() - Words of a message with @length bytes */
uint32_t mail_count(uint32_t length);

/** mail_check() - 56 bits that depend on every bit of @n words */
uint64_t mail_check(const uint64_t *words, uint32_t n);

/**
 * mail_pack() - The words of a message
 *
 * @msg's numbers are in range.  Return: how many words.
 */
uint32_t mail_pack(uint64_t words[MAIL_WORDS], const struct mail_message *msg,
		   uint32_t core, uint32_t sequence);

/**
 * mail_unpack() - A message from its mail_count() words
 * @check:	Its check, if it is right
 *
 * Return: 0, or -EBADMSG: these are not the words that somebody packed
 */
int mail_unpack(struct mail_message *msg, uint64_t *check,
		const uint64_t *words);

/** mail_is_head() - Is this a header?  Then *@out says what is in it */
bool mail_is_head(uint64_t word, struct mail_head *out);

/** mail_is_piece() - Can this be word @i of a message? */
bool mail_is_piece(uint64_t word, uint32_t i);

/** mail_is_any_piece() - Can this be a further word of some message? */
bool mail_is_any_piece(uint64_t word);

/** mail_is_credit() - Is this a CREDIT?  Then *@out says what is in it */
bool mail_is_credit(uint64_t word, struct mail_credit *out);

/** mail_answer() - CREDIT for a message of which @words have come
 *
 * All of them, or, with @again, the header at least.
 */
uint64_t mail_answer(const uint64_t *words, uint32_t core, bool again);

/** mail_answers() - Does @c answer the message of these words? */
bool mail_answers(const struct mail_credit *c, const uint64_t *words);

#endif /* HAL_MAIL_WORD_H */
