/* SPDX-License-Identifier: MIT */
/*
 * stream.c - every rank sends a verified stream to every other one
 *
 * usage: stream [-n MESSAGES] [-l BYTES] [-w WINDOW] [-u MICROSECONDS]
 *		 [-p FILE] [-k RANK] [-s] [-1]
 *
 * Message i from a to b has a tag, a length and bytes that follow from a, b
 * and i, so that whatever is lost, doubled, reordered or spoilt is noticed at
 * once.  Lengths are mixed over all paths, up to BYTES.  It ends after
 * MESSAGES in each direction, or on SIGTERM: then every rank closes its
 * streams with the number of messages that it has sent.
 *
 *   -u   rest after each turn, so that the cores are free for others and the
 *        partner goes to sleep
 *   -p   counts in a file that others can read: for each rank 1024 words of 64
 *        bits, word b: messages to b whose send is complete; word 1023: those
 *        received and verified; word 1022: their bytes
 *   -k   this rank will be killed: its partners must get all of whose send was
 *        complete, then -EOWNERDEAD
 *   -s   every message has BYTES
 *   -1   blocking calls, even ranks send to the next odd one
 */

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/proof.h"

#define WINDOW_MAX 16
#define WORDS	   1024 /* of the file, for each rank */
#define WORD_BYTES 1022
#define WORD_GOT   1023
#define TAG_FINAL  SNOO_TAG_MAX
#define ROOM_MORE  8	   /* FINAL fits, however short the rest */

struct stream {
	int peer;
	uint64_t sent;	   /* begun */
	uint64_t complete; /* of them, counted from the first */
	uint64_t got;
	bool closing; /* FINAL is begun */
	bool out_done, in_done;
	bool in_failed; /* a message of the dead was cut off */
	struct snoo_request *out[WINDOW_MAX];
	struct snoo_request *in[WINDOW_MAX];
	uint64_t posted;
	unsigned char *out_buf[WINDOW_MAX];
	unsigned char *in_buf[WINDOW_MAX];
	uint64_t final; /* what FINAL says */
};

static struct snoo *ctx;
static int self;
static uint64_t messages = UINT64_MAX;
static size_t longest = 1u << 20;
static unsigned int window = 4;
static long pause_us;
static int victim = -1;
static bool one_way;
static bool one_size;
static volatile sig_atomic_t told;
static bool stop;
static _Atomic uint64_t *counts;
static uint64_t verified, verified_bytes;

static uint64_t seed_of(int from, int to, uint64_t i)
{
	return proof_mix((uint64_t)from << 52 ^ (uint64_t)to << 40 ^ i);
}

static size_t size_of(uint64_t seed)
{
	static const size_t limit[16] = {
		8,     8,     16,    56,    56,	   57,	   4096,   4096,
		16384, 16384, 16385, 65536, 65537, 262144, 262144, 1u << 20,
	};
	size_t most = limit[seed & 15];

	if (one_size)
		return longest;
	return (seed >> 8) % ((most < longest ? most : longest) + 1);
}

static int tag_of(uint64_t i)
{
	return (int)(i % (TAG_FINAL - 1));
}

static void count(int rank, int word, uint64_t value)
{
	if (counts)
		/* Release: who sees the count may look at what it counts. */
		atomic_store_explicit(&counts[rank * WORDS + word], value,
				      memory_order_release);
}

static void check(int from, uint64_t i, const unsigned char *buf,
		  const struct snoo_status *st)
{
	uint64_t seed = seed_of(from, self, i);
	size_t size = size_of(seed);
	long long bad;

	if (st->source != from || st->tag != tag_of(i) || st->count != size)
		proof_die(PROOF_WRONG,
			  "message %" PRIu64 " from %d: source "
			  "%d, tag %d, %" PRIu64 " bytes; %zu were due",
			  i, from, st->source, st->tag, st->count, size);
	bad = proof_check(buf, size, seed);
	if (bad >= 0)
		proof_die(PROOF_WRONG,
			  "message %" PRIu64 " from %d: byte "
			  "%lld of %zu is wrong",
			  i, from, bad, size);
	verified_bytes += size;
	count(self, WORD_BYTES, verified_bytes);
	count(self, WORD_GOT, ++verified);
}

static bool dead(const struct stream *s, int ret)
{
	return ret == -EOWNERDEAD && s->peer == victim;
}

/* ---- one turn of a stream, nonblocking ---- */

/* The send of a message that a dead rank did not finish may not be complete. */
static void on_dead(struct stream *s)
{
	uint64_t due =
		counts ? atomic_load_explicit(&counts[s->peer * WORDS + self],
					      memory_order_acquire)
		       : 0;

	if (s->got < due)
		proof_die(PROOF_WRONG,
			  "message %" PRIu64 " of dead rank %d "
			  "is lost: it had finished sending %" PRIu64,
			  s->got, s->peer, due);
	s->in_failed = true;
}

static void post(struct stream *s)
{
	while (!s->in_done && s->posted < s->got + window) {
		unsigned int at = (unsigned int)(s->posted % window);
		int ret = snoo_irecv(ctx, s->in_buf[at], longest + ROOM_MORE,
				     s->peer, SNOO_ANY_TAG, &s->in[at]);

		if (dead(s, ret)) {
			if (s->posted > s->got)
				return;
			on_dead(s);
			s->in_done = true;
			return;
		}
		/* It has left: its last message is among those that are here. */
		if (ret == -EPIPE && s->posted > s->got)
			return;
		proof_must(ret, "snoo_irecv");
		s->posted++;
	}
}

static void send_next(struct stream *s)
{
	unsigned int at = (unsigned int)(s->sent % window);
	uint64_t seed = seed_of(self, s->peer, s->sent);
	size_t size = size_of(seed);
	int tag = tag_of(s->sent), ret;
	const void *buf = s->out_buf[at];

	if (stop || s->sent == messages) {
		s->closing = true;
		s->final = s->sent;
		buf = &s->final;
		size = sizeof(s->final);
		tag = TAG_FINAL;
	} else {
		proof_fill(s->out_buf[at], size, seed);
	}
	ret = snoo_isend(ctx, buf, size, s->peer, tag, &s->out[at]);
	if (dead(s, ret)) {
		s->out_done = true;
		return;
	}
	proof_must(ret, "snoo_isend");
	s->sent++;
}

static void send_more(struct stream *s)
{
	while (!s->out_done && !s->closing && s->sent < s->complete + window)
		send_next(s);
}

static void on_sent(struct stream *s, int ret)
{
	if (dead(s, ret)) {
		s->out_done = true;
		return;
	}
	proof_must(ret, "send");
	count(self, s->peer, ++s->complete);
	if (s->closing && s->complete == s->sent)
		s->out_done = true;
}

static void cancel_rest(struct stream *s)
{
	for (unsigned int i = 0; i < window; i++)
		if (s->in[i])
			snoo_cancel(ctx, &s->in[i]);
}

static void on_final(struct stream *s, const unsigned char *buf,
		     const struct snoo_status *st)
{
	const uint64_t *n = (const void *)buf;

	if (st->count != sizeof(*n) || *n != s->got)
		proof_die(PROOF_WRONG,
			  "%d has sent %" PRIu64 " messages, %" PRIu64 " came",
			  s->peer, *n, s->got);
	s->in_done = true;
	stop |= messages == UINT64_MAX;
	cancel_rest(s);
}

static void on_received(struct stream *s, int ret, const struct snoo_status *st)
{
	const unsigned char *buf = s->in_buf[s->got % window];

	if (dead(s, ret)) {
		on_dead(s);
	} else {
		proof_must(ret, "receive");
		if (st->tag == TAG_FINAL) {
			on_final(s, buf, st);
			return;
		}
		check(s->peer, s->got, buf, st);
	}
	s->got++;
}

/*
 * Requests to one peer are looked at in order, so only the oldest of each
 * direction is waited for.
 */
static bool turn(struct stream *s, int n)
{
	struct snoo_request *list[2 * WORDS], **slot[2 * WORDS];
	struct stream *whose[2 * WORDS];
	struct snoo_status st;
	int used = 0, sends, which, ret;

	for (int i = 0; i < n; i++) {
		send_more(&s[i]);
		if (s[i].out_done || s[i].complete == s[i].sent)
			continue;
		whose[used] = &s[i];
		slot[used++] = &s[i].out[s[i].complete % window];
	}
	sends = used;
	for (int i = 0; i < n; i++) {
		post(&s[i]);
		if (s[i].in_done || s[i].got == s[i].posted)
			continue;
		whose[used] = &s[i];
		slot[used++] = &s[i].in[s[i].got % window];
	}
	if (used == 0)
		return false;
	for (int i = 0; i < used; i++)
		list[i] = *slot[i];
	ret = snoo_waitany(ctx, (size_t)used, list, &which, &st);
	if (which < 0)
		proof_must(ret, "snoo_waitany");
	*slot[which] = NULL;
	if (which < sends)
		on_sent(whose[which], ret);
	else
		on_received(whose[which], ret, &st);
	return true;
}

static void rest(void)
{
	struct timespec ts = { pause_us / 1000000, pause_us % 1000000 * 1000 };

	if (pause_us)
		nanosleep(&ts, NULL);
}

static unsigned char *room(void)
{
	unsigned char *p = malloc(longest + ROOM_MORE);

	if (!p)
		proof_die(PROOF_ERROR, "no memory");
	return p;
}

static void open_stream(struct stream *s, int peer)
{
	s->peer = peer;
	for (unsigned int i = 0; i < window; i++) {
		s->out_buf[i] = room();
		s->in_buf[i] = room();
	}
}

static void close_stream(struct stream *s)
{
	for (unsigned int i = 0; i < window; i++) {
		/* Of the dead, none is waited for after the first. */
		if (s->out[i])
			snoo_cancel(ctx, &s->out[i]);
		if (s->in[i])
			snoo_cancel(ctx, &s->in[i]);
		free(s->out_buf[i]);
		free(s->in_buf[i]);
	}
}

static void all_to_all(int size)
{
	struct stream *s = calloc((size_t)size, sizeof(*s));
	int n = 0;

	if (!s)
		proof_die(PROOF_ERROR, "no memory");
	for (int peer = 0; peer < size; peer++)
		if (peer != self)
			open_stream(&s[n++], peer);
	while (turn(s, n)) {
		stop |= told && messages == UINT64_MAX;
		rest();
	}
	while (n > 0)
		close_stream(&s[--n]);
	free(s);
}

/* ---- blocking, one way ---- */

static void send_all(int peer)
{
	unsigned char *buf = room();
	uint64_t i;

	for (i = 0; i < messages && !told; i++) {
		uint64_t seed = seed_of(self, peer, i);
		int ret;

		proof_fill(buf, size_of(seed), seed);
		ret = snoo_send(ctx, buf, size_of(seed), peer, tag_of(i));
		if (ret == -EOWNERDEAD && peer == victim) {
			free(buf);
			return;
		}
		proof_must(ret, "snoo_send");
		count(self, peer, i + 1);
		rest();
	}
	free(buf);
	proof_must(snoo_send(ctx, &i, sizeof(i), peer, TAG_FINAL), "snoo_send");
}

static void recv_all(int peer)
{
	struct stream s = { .peer = peer };
	unsigned char *buf = room();

	while (!s.in_done && !s.in_failed) {
		struct snoo_status st;
		int ret = snoo_recv(ctx, buf, longest + ROOM_MORE, peer,
				    SNOO_ANY_TAG, &st);

		if (dead(&s, ret)) {
			on_dead(&s);
			break;
		}
		proof_must(ret, "snoo_recv");
		if (st.tag == TAG_FINAL) {
			on_final(&s, buf, &st);
		} else {
			check(peer, s.got++, buf, &st);
			rest();
		}
	}
	free(buf);
}

/* ---- */

static void on_term(int sig)
{
	(void)sig;
	told = 1;
}

static void open_counts(const char *path)
{
	size_t bytes = (size_t)WORDS * WORDS * sizeof(*counts);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0 || ftruncate(fd, (off_t)bytes))
		proof_die(PROOF_ERROR, "%s: %s", path, strerror(errno));
	counts = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counts == MAP_FAILED)
		proof_die(PROOF_ERROR, "%s: %s", path, strerror(errno));
	close(fd);
}

static void options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:l:w:u:p:k:s1")) != -1) {
		switch (c) {
		case 'n':
			messages = (uint64_t)proof_number(optarg);
			break;
		case 'l':
			longest = (size_t)proof_number(optarg);
			break;
		case 'w':
			window = (unsigned int)proof_number(optarg);
			break;
		case 'u':
			pause_us = (long)proof_number(optarg);
			break;
		case 'p':
			open_counts(optarg);
			break;
		case 'k':
			victim = (int)proof_number(optarg);
			break;
		case 's':
			one_size = true;
			break;
		case '1':
			one_way = true;
			break;
		default:
			proof_die(PROOF_USAGE, "see the head of the source");
		}
	}
	if (window == 0 || window > WINDOW_MAX)
		proof_die(PROOF_USAGE, "-w takes 1 to %d", WINDOW_MAX);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };

	proof_begin("stream");
	options(argc, argv);
	sigaction(SIGTERM, &sa, NULL);
	ctx = proof_join("stream");
	self = snoo_rank(ctx);
	if (!one_way)
		all_to_all(snoo_size(ctx));
	else if (self % 2 == 0 && self + 1 < snoo_size(ctx))
		send_all(self + 1);
	else if (self % 2 == 1)
		recv_all(self - 1);
	proof_leave(ctx);
	printf("stream: rank %d: %" PRIu64 " messages, %" PRIu64
	       " bytes verified\n",
	       self, verified, verified_bytes);
	return 0;
}
