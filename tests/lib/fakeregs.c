/* SPDX-License-Identifier: MIT */
/*
 * fakeregs.c - a fake rank's register rings, by hand
 */
#include "tests/lib/fakeregs.h"

#include <errno.h>
#include <string.h>

int fakeregs_open(struct fakeregs *x, struct fakerank *f)
{
	const struct snoo_wire_registers *m = &f->registers;
	int ret;

	memset(x, 0, sizeof(*x));
	x->f = f;
	if (!f->registers_said)
		return -ENOENT;
	ret = shm_tx_open(&x->out, &f->region, m->out.offset, m->out.nlines);
	if (ret == 0)
		ret = shm_rx_open(&x->in, &f->region, m->in.offset);
	return ret;
}

static uint8_t byte(uint32_t from, uint32_t to, uint64_t number, uint32_t i)
{
	return (uint8_t)(number * 31 + from * 7 + to * 5 + i * 3 + 1);
}

static uint32_t tag_of(uint64_t number)
{
	return (uint32_t)(number * 2654435761u);
}

static uint16_t context_of(uint64_t number)
{
	return (uint16_t)(number * 257 + 9);
}

int fakeregs_put(struct fakeregs *x, uint32_t peer, uint64_t number,
		 uint32_t length)
{
	struct snoo_abi_register body = {
		.peer = peer,
		.length = length,
		.number = number,
	};
	int64_t room = shm_tx_room(&x->out, SNOO_ABI_REGISTER_LINES - 1);

	if (room <= 0)
		return room < 0 ? (int)room : -EAGAIN;
	for (uint32_t i = 0; i < length; i++)
		body.data[i] = byte(x->f->welcome.rank, peer, number, i);
	shm_tx_publish_run(&x->out,
			   line_word(SNOO_ABI_DATA, SNOO_ABI_STREAM, 1,
				     context_of(number), tag_of(number)),
			   &body, sizeof(body));
	return 0;
}

int fakeregs_look(struct fakeregs *x)
{
	/* LOOK, the rank's side. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load(&x->f->region.head->asleep))
		return 0;
	x->looks++;
	return fakerank_send_plain(x->f, SNOO_WIRE_LOOK);
}

int fakeregs_send(struct fakeregs *x, uint32_t peer, uint64_t number,
		  uint32_t length)
{
	int ret = fakeregs_put(x, peer, number, length);

	return ret ? ret : fakeregs_look(x);
}

static int take_message(struct fakeregs *x, uint64_t word0,
			struct fakeregs_line *out)
{
	struct snoo_abi_register body;

	if (line_flags(word0) != SNOO_ABI_STREAM ||
	    shm_rx_words(&x->in)[0] != sizeof(body) ||
	    shm_rx_run(&x->in, word0, sizeof(body)) != 1)
		return -EPROTO;
	shm_rx_gather(&x->in, &body, sizeof(body));
	shm_rx_pop(&x->in);
	shm_rx_pop(&x->in);
	*out = (struct fakeregs_line){
		.peer = body.peer,
		.number = body.number,
		.tag = line_tag(word0),
		.context = line_context(word0),
		.length = body.length,
	};
	memcpy(out->data, body.data, sizeof(out->data));
	return 1;
}

int fakeregs_take(struct fakeregs *x, struct fakeregs_line *out)
{
	uint32_t half = x->in.nlines / 2, before = x->in.consumed / half;
	uint64_t word0;
	int ret = 1;

	memset(out, 0, sizeof(*out));
	if (!shm_rx_peek(&x->in, &word0))
		return 0;
	if (line_type(word0) == SNOO_ABI_DATA) {
		ret = take_message(x, word0, out);
	} else if (line_type(word0) == SNOO_ABI_CONTROL &&
		   shm_rx_words(&x->in)[0] == SNOO_ABI_GONE) {
		out->gone = true;
		out->peer = (uint32_t)shm_rx_words(&x->in)[1];
		shm_rx_pop(&x->in);
	} else {
		return -EPROTO;
	}
	shm_rx_tell(&x->in);
	/* The service may wait for room, and sleep. */
	if (ret > 0 && x->in.consumed / half != before && fakeregs_look(x))
		return -EIO;
	return ret;
}

bool fakeregs_is(const struct fakeregs_line *l, uint32_t peer, uint32_t self,
		 uint64_t number, uint32_t length)
{
	if (l->gone || l->peer != peer || l->number != number ||
	    l->tag != tag_of(number) || l->context != context_of(number) ||
	    l->length != length)
		return false;
	for (uint32_t i = 0; i < sizeof(l->data); i++)
		if (l->data[i] !=
		    (i < length ? byte(peer, self, number, i) : 0))
			return false;
	return true;
}
