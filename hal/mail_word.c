/* SPDX-License-Identifier: MIT */
/*
 * mail_word.c - the words of hal/mail.h, packed and taken apart
 *
 * Bytes of the payload are placed by shifts, not by copying, so both ends of a
 * mailbox agree whatever their byte order is.
 */
#include "hal/mail_word.h"

#include <errno.h>
#include <string.h>

#define CONTENT	    UINT64_C(0x00ffffffffffffff)
#define PIECE_BYTES 7u
#define DIGEST	    ((UINT64_C(1) << 37) - 1)
#define CREDIT_MARK 7u

static uint64_t make(enum mail_type type, uint32_t mark, uint64_t content)
{
	return (uint64_t)mark << 60 | (content & CONTENT) << 4 | (uint64_t)type;
}

static uint32_t type_of(uint64_t word)
{
	return (uint32_t)(word & 0xf);
}

static uint32_t mark_of(uint64_t word)
{
	return (uint32_t)(word >> 60);
}

static uint64_t content_of(uint64_t word)
{
	return word >> 4 & CONTENT;
}

uint32_t mail_mark(uint32_t i)
{
	return 1 + i % 7;
}

uint32_t mail_count(uint32_t length)
{
	return MAIL_WORDS_MIN + (length + PIECE_BYTES - 1) / PIECE_BYTES;
}

/*
 * Each step is a bijection of the state for a given word, and of the word for
 * a given state: two messages that differ in one word never have the same
 * state after it.
 */
uint64_t mail_check(const uint64_t *words, uint32_t n)
{
	uint64_t h = UINT64_C(0x243f6a8885a308d3);

	for (uint32_t i = 0; i < n; i++) {
		h = (h ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	h *= UINT64_C(0xbf58476d1ce4e5b9);
	return h >> 8;
}

uint32_t mail_pack(uint64_t words[MAIL_WORDS], const struct mail_message *msg,
		   uint32_t core, uint32_t sequence)
{
	uint32_t n = mail_count(msg->length);

	words[0] = make(MAIL_DATA, mail_mark(0),
			(uint64_t)msg->length << 50 |
				(uint64_t)(sequence & 0xff) << 42 |
				(uint64_t)core << 32 |
				(uint64_t)msg->from << 16 | msg->to);
	words[1] = make(MAIL_PIECE, mail_mark(1),
			(uint64_t)(sequence >> 8 & 0xff) << 48 |
				(uint64_t)msg->context << 32 | msg->tag);
	words[2] = make(MAIL_PIECE, mail_mark(2), msg->number);
	for (uint32_t i = 3; i < n - 1; i++) {
		uint32_t at = (i - 3) * PIECE_BYTES;
		uint64_t content = 0;

		for (uint32_t k = 0; k < PIECE_BYTES && at + k < msg->length;
		     k++)
			content |= (uint64_t)msg->data[at + k] << 8 * k;
		words[i] = make(MAIL_PIECE, mail_mark(i), content);
	}
	words[n - 1] = make(MAIL_PIECE, mail_mark(n - 1),
			    mail_check(words, n - 1));
	return n;
}

int mail_unpack(struct mail_message *msg, uint64_t *check,
		const uint64_t *words)
{
	uint64_t head = content_of(words[0]), match = content_of(words[1]);
	uint32_t n;

	memset(msg, 0, sizeof(*msg));
	msg->length = (uint16_t)(head >> 50);
	n = mail_count(msg->length);
	*check = mail_check(words, n - 1);
	if (content_of(words[n - 1]) != *check)
		return -EBADMSG;
	msg->from = (uint16_t)(head >> 16);
	msg->to = (uint16_t)head;
	msg->context = (uint16_t)(match >> 32);
	msg->tag = (uint32_t)match;
	msg->number = content_of(words[2]);
	for (uint32_t i = 0; i < msg->length; i++) {
		uint64_t piece = content_of(words[3 + i / PIECE_BYTES]);

		msg->data[i] = (uint8_t)(piece >> 8 * (i % PIECE_BYTES));
	}
	return 0;
}

bool mail_is_head(uint64_t word, struct mail_head *out)
{
	uint64_t c = content_of(word);

	if (type_of(word) != MAIL_DATA || mark_of(word) != mail_mark(0))
		return false;
	out->length = (uint32_t)(c >> 50);
	out->sequence = (uint32_t)(c >> 42) & 0xff;
	out->core = (uint32_t)(c >> 32) & (MAIL_CORES - 1);
	return out->length <= MAIL_BYTES;
}

bool mail_is_piece(uint64_t word, uint32_t i)
{
	return type_of(word) == MAIL_PIECE && mark_of(word) == mail_mark(i);
}

bool mail_is_any_piece(uint64_t word)
{
	return type_of(word) == MAIL_PIECE && mark_of(word) >= mail_mark(0) &&
	       mark_of(word) <= mail_mark(6);
}

bool mail_is_credit(uint64_t word, struct mail_credit *out)
{
	uint64_t c = content_of(word);

	if (type_of(word) != MAIL_CREDIT || mark_of(word) != CREDIT_MARK)
		return false;
	out->sequence = (uint32_t)(c >> 48);
	out->core = (uint32_t)(c >> 38) & (MAIL_CORES - 1);
	out->again = (c >> 37 & 1) != 0;
	out->digest = c & DIGEST;
	return true;
}

/* What of a message its answer is about. */
static uint64_t digest_of(const uint64_t *words, bool again)
{
	uint32_t length = (uint32_t)(content_of(words[0]) >> 50);

	return mail_check(words, again ? 1 : mail_count(length) - 1) & DIGEST;
}

uint64_t mail_answer(const uint64_t *words, uint32_t core, bool again)
{
	uint64_t sequence = content_of(words[0]) >> 42 & 0xff;

	return make(MAIL_CREDIT, CREDIT_MARK,
		    sequence << 48 | (uint64_t)core << 38 |
			    (uint64_t)again << 37 | digest_of(words, again));
}

bool mail_answers(const struct mail_credit *c, const uint64_t *words)
{
	return c->sequence == (content_of(words[0]) >> 42 & 0xff) &&
	       c->digest == digest_of(words, c->again);
}

void mail_decode(uint64_t word, struct mail_word *out)
{
	struct mail_credit credit;
	struct mail_head head;

	memset(out, 0, sizeof(*out));
	out->mark = mark_of(word);
	if (word == 0) {
		out->type = "empty";
	} else if (mail_is_head(word, &head)) {
		out->type = "DATA";
		out->length = head.length;
		out->sequence = head.sequence;
		out->core = head.core;
		out->from = (uint32_t)(content_of(word) >> 16) & 0xffff;
		out->to = (uint32_t)content_of(word) & 0xffff;
	} else if (mail_is_credit(word, &credit)) {
		out->type = "CREDIT";
		out->sequence = credit.sequence;
		out->core = credit.core;
		out->again = credit.again;
	} else if (mail_is_any_piece(word)) {
		out->type = "PIECE";
	} else {
		out->type = "garbage";
	}
}
