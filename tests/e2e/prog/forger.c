/* SPDX-License-Identifier: MIT */
/*
 * forger.c - messages that no library would send, and what the daemon answers
 *
 * Each case opens a connection of its own, says something and expects ERROR
 * with one errno and words that name the matter, then end of file.  One line
 * for each: "ok NAME" or what came instead; the exit status is 1 if any
 * failed.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <snoo/wire.h>

#include "tests/lib/proof.h"

static int bad;
static int fd;

static void dial(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("SNOO_SOCKET");

	if (!path || strlen(path) >= sizeof(to.sun_path))
		proof_die(PROOF_USAGE, "SNOO_SOCKET is not set");
	memcpy(to.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		proof_die(PROOF_ERROR, "connect: %s", strerror(errno));
}

/* A HELLO with everything in order, for a job of two of its own. */
static struct snoo_wire_hello proper(void)
{
	static unsigned int serial;
	struct snoo_wire_hello h = {
		.head = { SNOO_WIRE_HELLO, sizeof(h) },
		.magic = SNOO_WIRE_MAGIC,
		.major = SNOO_WIRE_MAJOR,
		.minor = SNOO_WIRE_MINOR,
		.rank = 0,
		.size = 2,
		.core = -2,
	};

	snprintf(h.name, sizeof(h.name), "forger-%u", serial++);
	memset(h.mask, 0xff, sizeof(h.mask));
	return h;
}

static void say(const void *msg, size_t n)
{
	/* It may have hung up already. */
	(void)send(fd, msg, n, MSG_NOSIGNAL);
}

static ssize_t hear(void *buf, size_t n)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, 20000) <= 0)
		proof_die(PROOF_WRONG, "no answer in 20 s");
	return recv(fd, buf, n, 0);
}

/* Read up to the end of file; ERROR must have come before it. */
static void expect(const char *name, int error, const char *word)
{
	union {
		struct snoo_wire_head head;
		struct snoo_wire_error error;
		unsigned char bytes[SNOO_WIRE_MAX];
	} m;
	struct snoo_wire_error got = { .error = 0 };
	ssize_t n;

	while ((n = hear(&m, sizeof(m))) > 0)
		if (n == sizeof(m.error) && m.head.type == SNOO_WIRE_ERROR)
			got = m.error;
	close(fd);
	got.text[sizeof(got.text) - 1] = '\0';
	if (got.error == error && strstr(got.text, word)) {
		printf("ok %s\n", name);
		return;
	}
	printf("FAIL %s: error %d (%s) \"%s\" instead of %d with \"%s\"\n",
	       name, got.error, strerror(got.error), got.text, error, word);
	bad = 1;
}

static void try_hello(const char *name, const struct snoo_wire_hello *h,
		      size_t n, int error, const char *word)
{
	dial();
	say(h, n);
	expect(name, error, word);
}

/* ---- HELLO ---- */

static void lengths(void)
{
	struct snoo_wire_hello h = proper();
	unsigned char big[SNOO_WIRE_MAX + 100] = { 0 };

	try_hello("one byte", &h, 1, EPROTO, "1 bytes");
	try_hello("half a HELLO", &h, sizeof(h) / 2, EPROTO, "bytes");
	h.head.length = sizeof(h) - 8;
	try_hello("a short HELLO that says so", &h, sizeof(h) - 8, EPROTO,
		  "HELLO has");
	h.head.length = sizeof(h) - 8;
	try_hello("a length that is not the message's", &h, sizeof(h), EPROTO,
		  "bytes");
	memcpy(big, &h, sizeof(h));
	dial();
	say(big, sizeof(big));
	expect("a message beyond the limit", EMSGSIZE, "more than");
}

static void numbers(void)
{
	struct snoo_wire_hello h = proper();

	h.magic++;
	try_hello("another magic number", &h, sizeof(h), EPROTO, "magic");
	h = proper();
	h.major++;
	try_hello("another version", &h, sizeof(h), EPROTONOSUPPORT, "version");
	h = proper();
	h.rank = -2;
	try_hello("rank -2", &h, sizeof(h), EINVAL, "rank -2");
	h = proper();
	h.rank = 2;
	try_hello("rank 2 of 2", &h, sizeof(h), ERANGE, "rank 2");
	h = proper();
	h.rank = INT32_MAX;
	h.size = 0;
	try_hello("a huge rank of no stated size", &h, sizeof(h), ERANGE,
		  "rank 2147483647");
	h = proper();
	h.size = 1025;
	try_hello("more ranks than a job may have", &h, sizeof(h), ENOSPC,
		  "1025");
	h.size = UINT32_MAX;
	try_hello("an absurd size", &h, sizeof(h), ENOSPC, "4294967295");
	h = proper();
	h.size = 1000;
	try_hello("more ranks than the domain allows", &h, sizeof(h), ENOSPC,
		  "ranks_max");
	h = proper();
	h.core = -3;
	try_hello("core -3", &h, sizeof(h), EINVAL, "core -3");
}

static void names(void)
{
	struct snoo_wire_hello h = proper();

	memset(h.name, 0, sizeof(h.name));
	try_hello("an empty name", &h, sizeof(h), EINVAL, "name");
	memset(h.name, 'n', sizeof(h.name));
	try_hello("a name without an end", &h, sizeof(h), EINVAL, "name");
	h = proper();
	strcpy(h.name, "a/../b");
	try_hello("a name with a slash", &h, sizeof(h), EINVAL, "name");
	strcpy(h.name, "two\nlines");
	try_hello("a name with a newline", &h, sizeof(h), EINVAL, "name");
	strcpy(h.name, "gr\xc3\xbc\xc3\x9f");
	try_hello("a name beyond ASCII", &h, sizeof(h), EINVAL, "name");
}

/* ---- what comes at the wrong time ---- */

static void early(void)
{
	static const uint32_t types[] = {
		0,
		SNOO_WIRE_PINNED,
		SNOO_WIRE_NEED,
		SNOO_WIRE_ACK,
		SNOO_WIRE_STATE,
		SNOO_WIRE_LEAVE,
		7,
		SNOO_WIRE_WELCOME,
		SNOO_WIRE_ERROR,
		UINT32_MAX,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct snoo_wire_state m = {
			.head = { types[i], sizeof(m) },
		};
		char name[64];

		snprintf(name, sizeof(name), "type %u instead of HELLO",
			 types[i]);
		dial();
		say(&m, sizeof(m));
		expect(name, EPROTO, "message of type");
	}
}

static void join(void)
{
	struct snoo_wire_hello h = proper();
	struct snoo_wire_pinned p = {
		.head = { SNOO_WIRE_PINNED, sizeof(p) },
		.core = -1,
	};
	unsigned char buf[SNOO_WIRE_MAX];

	dial();
	say(&h, sizeof(h));
	if (hear(buf, sizeof(buf)) < (ssize_t)sizeof(struct snoo_wire_head))
		proof_die(PROOF_WRONG, "no WELCOME");
	say(&p, sizeof(p));
}

static void late(void)
{
	struct snoo_wire_hello h = proper();
	struct snoo_wire_ack ack = {
		.head = { SNOO_WIRE_ACK, sizeof(ack) },
		.gone = 4711,
	};
	struct snoo_wire_state st = {
		.head = { SNOO_WIRE_STATE, sizeof(st) },
		.epoch = 3,
	};
	struct snoo_wire_plain odd = { { 64, sizeof(odd) } };
	struct snoo_wire_need need = {
		.head = { SNOO_WIRE_NEED, sizeof(need) },
	};

	join();
	say(&h, sizeof(h));
	expect("a second HELLO", EPROTO, "second HELLO");
	join();
	say(&ack, sizeof(ack));
	expect("ACK of a death that never was", EPROTO, "ACK");
	join();
	say(&st, sizeof(st));
	expect("STATE without RESUMED", EPROTO, "STATE");
	join();
	say(&odd, sizeof(odd));
	expect("an unknown type", EPROTO, "unknown type 64");
	join();
	need.head.length = 12;
	say(&need, 12);
	expect("half a NEED", EPROTO, "12 bytes");
}

/* More than anybody may have: no error, and no more than it may have. */
static void greedy(void)
{
	struct snoo_wire_need need = {
		.head = { SNOO_WIRE_NEED, sizeof(need) },
		.rings = UINT32_MAX,
		.large_rings = UINT32_MAX,
		.small_blocks = UINT32_MAX,
		.large_blocks = UINT32_MAX,
	};
	struct snoo_wire_plain leave = { { SNOO_WIRE_LEAVE, sizeof(leave) } };
	unsigned char buf[SNOO_WIRE_MAX];
	struct snoo_wire_head *head = (void *)buf;
	int bye = 0;

	join();
	for (int i = 0; i < 100; i++)
		say(&need, sizeof(need));
	say(&leave, sizeof(leave));
	while (!bye && hear(buf, sizeof(buf)) > 0)
		bye = head->type == SNOO_WIRE_BYE;
	close(fd);
	printf("%s everything wanted, a hundred times\n", bye ? "ok" : "FAIL");
	bad |= !bye;
}

/* Fds that nobody asked for must not stay open in the daemon. */
static void gifts(void)
{
	struct snoo_wire_hello h = proper();
	struct iovec iov = { &h, sizeof(h) };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(64 * sizeof(int))];
	} control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fds[64];

	dial();
	for (int i = 0; i < 64; i++)
		fds[i] = fd;
	memset(&control, 0, sizeof(control));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.head), fds, sizeof(fds));
	h.magic = 0;
	if (sendmsg(fd, &msg, MSG_NOSIGNAL) < 0)
		proof_die(PROOF_ERROR, "sendmsg: %s", strerror(errno));
	expect("64 fds with a forged HELLO", EPROTO, "magic");
}

int main(void)
{
	proof_begin("forger");
	lengths();
	numbers();
	names();
	early();
	late();
	greedy();
	gifts();
	return bad;
}
