/* SPDX-License-Identifier: MIT */
/*
 * vm_tcp.c - the same ping-pong and stream over TCP, for vm.sh
 *
 * Usage: vm_tcp serve PORT
 *	  vm_tcp ADDRESS PORT [MS]
 *
 * TCP_NODELAY.  The ping-pong is measured twice: both ends polling (receives
 * that do not block, again and again) and both blocking.  The stream is what
 * the client writes in pieces of 64 KiB and 1 MiB, until the server has read
 * all of it.  The client prints; the server ends with it.
 */
#include "bench/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGEST ((size_t)1 << 20)
#define REPS	5
#define N_MAX	UINT64_C(50000000)

enum what { END, PLAY, STREAM };

/** struct plan - What comes next; both ends have one byte order */
struct plan {
	uint32_t what;
	uint32_t polling;
	uint64_t bytes;
	uint64_t n;
};

static int fd;
static unsigned char *buffer;
static uint64_t ms = 60;

static void put(const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			bench_die("send: %s", strerror(errno));
		p += done;
		n -= (size_t)done;
	}
}

static void get(void *bytes, size_t n, bool polling)
{
	char *p = bytes;

	while (n > 0) {
		ssize_t done = recv(fd, p, n, polling ? MSG_DONTWAIT : 0);

		if (done < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (done <= 0)
			bench_die("recv: %s", done ? strerror(errno)
						   : "the other end is gone");
		p += done;
		n -= (size_t)done;
	}
}

static void number_is(uint64_t got, uint64_t want)
{
	if (got != want)
		bench_die("a message says %llu instead of %llu",
			  (unsigned long long)got, (unsigned long long)want);
}

static void meet(bool client)
{
	char byte = 0;

	if (client)
		put(&byte, 1);
	get(&byte, 1, false);
	if (!client)
		put(&byte, 1);
}

static uint64_t play(const struct plan *p, bool client)
{
	uint64_t start, got;

	meet(client);
	start = bench_now_ns();
	for (uint64_t i = 0; i < p->n; i++) {
		if (client) {
			put(&i, sizeof(i));
			get(&got, sizeof(got), p->polling);
			number_is(got, ~i);
		} else {
			get(&got, sizeof(got), p->polling);
			number_is(got, i);
			got = ~i;
			put(&got, sizeof(got));
		}
	}
	return bench_now_ns() - start;
}

static uint64_t stream(const struct plan *p, bool client)
{
	uint64_t start;
	long long bad;
	char done = 0;

	if (client)
		bench_fill(buffer, p->bytes, (uint32_t)p->n);
	meet(client);
	start = bench_now_ns();
	for (uint64_t i = 0; i < p->n; i++) {
		if (client)
			put(buffer, p->bytes);
		else
			get(buffer, p->bytes, false);
	}
	if (client) {
		get(&done, 1, false);
		return bench_now_ns() - start;
	}
	put(&done, 1);
	bad = bench_check(buffer, p->bytes, (uint32_t)p->n);
	if (bad >= 0)
		bench_die("byte %lld of a stream is wrong", bad);
	return 0;
}

static uint64_t act(const struct plan *p, bool client)
{
	return p->what == PLAY ? play(p, client) : stream(p, client);
}

static uint64_t lead(const struct plan *p)
{
	put(p, sizeof(*p));
	return act(p, true);
}

static void measure(struct plan *p, double ns[REPS])
{
	uint64_t want = ms * 1000000 / REPS, took = 0;

	for (p->n = 1; p->n < N_MAX / 4; p->n *= 4) {
		took = lead(p);
		if (took >= want / 4)
			break;
	}
	p->n = (uint64_t)((double)p->n * (double)want /
			  (double)(took ? took : 1));
	p->n = p->n < 1 ? 1 : p->n > N_MAX ? N_MAX : p->n;
	for (int i = 0; i < REPS; i++)
		ns[i] = (double)lead(p) / (double)p->n;
}

static void lead_play(bool polling)
{
	struct plan p = { .what = PLAY, .polling = polling, .bytes = 8 };
	double ns[REPS];

	measure(&p, ns);
	for (int i = 0; i < REPS; i++)
		ns[i] /= 2;
	bench_open("vm-latency");
	bench_text("api", polling ? "tcp polling" : "tcp blocking");
	bench_int("bytes", p.bytes);
	bench_int("rounds", p.n);
	bench_real("ns", bench_median(ns, REPS));
	bench_reals("reps", ns, REPS);
	bench_close();
}

static void lead_stream(size_t bytes)
{
	struct plan p = { .what = STREAM, .bytes = bytes };
	double ns[REPS];

	measure(&p, ns);
	for (int i = 0; i < REPS; i++)
		ns[i] = (double)bytes / ns[i] * 1000;
	bench_open("vm-bandwidth");
	bench_text("api", "tcp");
	bench_int("bytes", bytes);
	bench_int("messages", p.n);
	bench_real("mbps", bench_median(ns, REPS));
	bench_reals("reps", ns, REPS);
	bench_close();
}

static void serve(void)
{
	struct plan p;

	for (;;) {
		get(&p, sizeof(p), false);
		if (p.what == END)
			return;
		if (p.bytes > LARGEST)
			bench_die("a plan for %llu bytes",
				  (unsigned long long)p.bytes);
		act(&p, false);
	}
}

static void lead_all(void)
{
	struct plan end = { .what = END };

	lead_play(true);
	lead_play(false);
	lead_stream(65536);
	lead_stream(LARGEST);
	put(&end, sizeof(end));
}

static struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	a.sin_port = htons((uint16_t)bench_number("port", port, 1, 65535));
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		bench_die("%s is no address", host);
	return a;
}

static int dial(struct sockaddr_in to)
{
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (s < 0 || connect(s, (struct sockaddr *)&to, sizeof(to)))
		bench_die("connect: %s", strerror(errno));
	return s;
}

static int await_client(struct sockaddr_in at)
{
	int one = 1, s, l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (l < 0 ||
	    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(l, (struct sockaddr *)&at, sizeof(at)) || listen(l, 1))
		bench_die("listen: %s", strerror(errno));
	s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	if (s < 0)
		bench_die("accept: %s", strerror(errno));
	close(l);
	return s;
}

int main(int argc, char **argv)
{
	bool client = argc > 1 && strcmp(argv[1], "serve") != 0;
	int one = 1;

	if (argc < 3)
		bench_die("usage: vm_tcp serve PORT, or ADDRESS PORT [MS]");
	if (argc > 3)
		ms = bench_number("MS", argv[3], 1, 60000);
	buffer = bench_buffer(LARGEST);
	if (client)
		fd = dial(address(argv[1], argv[2]));
	else
		fd = await_client(address("0.0.0.0", argv[2]));
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		bench_die("TCP_NODELAY: %s", strerror(errno));
	if (client)
		lead_all();
	else
		serve();
	close(fd);
	free(buffer);
	return EXIT_SUCCESS;
}
