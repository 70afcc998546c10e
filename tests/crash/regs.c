/* SPDX-License-Identifier: MIT */
/*
 * regs.c - a daemon killed at each step of the register service
 *
 * One story, told once for each test point: three ranks on two cores send each
 * other numbered register messages, through mailboxes and from ring to ring.
 * One is killed, one leaves right after it has sent.  Somewhere on the way the
 * daemon dies; with "again" in front it was killed before, so that the point
 * is one of a daemon that takes over.  In the end each message has come once or
 * more, in the order of the numbers but for those that came before, whole, and
 * before the GONE line of its sender; and the pool is empty.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/wake.h"
#include "tests/lib/fakerank.h"
#include "tests/lib/fakeregs.h"
#include "tests/lib/mortal.h"

#define RANKS	 3
#define CHILD	 2   /* this rank lives in a process of its own */
#define MESSAGES 150 /* of a pair, before somebody goes */
#define ROOM \
	5	    /* from each to rank 2, which takes none: there is room
			 for them, also if they come three times */
#define STUCK 20    /* for some of these there is none */
#define LAST  25    /* that rank 1 leaves behind */
#define TURNS 60000 /* with a nap now and then: then something hangs */

struct story {
	struct mortal m;
	bool again;
	struct fakerank f[RANKS];
	struct fakeregs x[RANKS];
	uint64_t sent[RANKS][RANKS];
	uint64_t next[RANKS][RANKS]; /* [to][from]: the first that is due */
	bool gone[RANKS][RANKS];
	pid_t child;
	uint64_t to_child;
	_Atomic uint64_t *child_sent; /* by the child, to 0 and 1 */
};

static const char *const sets[] = {
	"hal=emul",
	"registers=hardware",
	"seccomp=off",
	NULL,
};

static uint32_t length_of(uint64_t number)
{
	return (uint32_t)(number * 7 % (SNOO_ABI_INLINE_MAX + 1));
}

/* ---- joining ---- */

static int join_once(struct fakerank *f, const char *path, int32_t rank)
{
	static const int32_t core[RANKS] = { 0, 1, 0 };
	struct snoo_wire_hello hello;
	int ret = fakerank_connect(f, path);

	if (ret)
		return ret;
	fakerank_hello_init(&hello, "story", 7, rank, RANKS);
	hello.core = core[rank];
	ret = fakerank_send(f, &hello, sizeof(hello));
	if (ret)
		return ret;
	ret = fakerank_until(f, SNOO_WIRE_WELCOME);
	if (ret == SNOO_WIRE_ERROR)
		return -EREMOTEIO;
	return ret == SNOO_WIRE_WELCOME ? fakerank_pinned(f)
	       : ret < 0		? ret
					: -EPIPE;
}

/* As the library does: a daemon that dies before WELCOME is asked again. */
static int join(struct fakerank *f, struct fakeregs *x, const char *path,
		int32_t rank)
{
	int ret;

	for (int i = 0; i < 5000; i++) {
		fakerank_close(f);
		ret = join_once(f, path, rank);
		if (ret == 0 || ret == -EREMOTEIO)
			break;
		mortal_nap();
	}
	if (ret)
		return ret;
	/* Of a daemon that takes over they may come after RESUMED. */
	while (!f->registers_said) {
		ret = fakerank_recv(f, true);
		if (ret <= 0 || ret == SNOO_WIRE_ERROR)
			return -EPIPE;
	}
	return fakeregs_open(x, f);
}

/* ---- rank 2 ---- */

/* Joins, sends to both what fits, and waits to be killed. */
static void child_rank(const struct story *s, int up)
{
	struct fakerank f;
	struct fakeregs x;
	char yes = 'y';

	fakerank_init(&f, NULL, NULL);
	if (join(&f, &x, s->m.path, CHILD) || write(up, &yes, 1) != 1)
		_exit(1);
	for (;;) {
		while (fakerank_recv(&f, false) > 0)
			;
		for (uint32_t to = 0; f.started && to < CHILD; to++) {
			uint64_t n = atomic_load(&s->child_sent[to]);

			if (n < MESSAGES &&
			    fakeregs_put(&x, to, n, length_of(n)) == 0)
				/* Published: it has to arrive. */
				atomic_store(&s->child_sent[to], n + 1);
		}
		fakeregs_look(&x);
		mortal_nap();
	}
}

static void expect_yes(int fd)
{
	char c = 0;

	assert_int_equal(read(fd, &c, 1), 1);
	assert_int_equal(c, 'y');
}

static void join_all(struct story *s)
{
	int up[2];

	for (int i = 0; i < CHILD; i++) {
		fakerank_init(&s->f[i], NULL, NULL);
		if (join(&s->f[i], &s->x[i], s->m.path, i))
			fail_msg("rank %d: %s", i, s->f[i].error.text);
	}
	assert_int_equal(pipe(up), 0);
	s->child = fork();
	assert_true(s->child >= 0);
	if (s->child == 0)
		child_rank(s, up[1]);
	close(up[1]);
	expect_yes(up[0]);
	close(up[0]);
	/* As if it slept: it has to be woken. */
	shm_wake_arm(s->f[1].slot, SNOO_ABI_ASLEEP_FUTEX, SNOO_ABI_ANY);
	for (int i = 0; i < CHILD; i++) {
		while (!s->f[i].started) {
			int ret = fakerank_recv(&s->f[i], true);

			if (ret <= 0 || ret == SNOO_WIRE_ERROR)
				fail_msg("rank %d has lost its session: %d %s",
					 i, ret, s->f[i].error.text);
		}
	}
}

/* ---- the stream ---- */

static void read_socket(struct story *s, int i)
{
	int ret;

	while ((ret = fakerank_recv(&s->f[i], false)) > 0)
		if (ret == SNOO_WIRE_ERROR)
			fail_msg("rank %d: %s", i, s->f[i].error.text);
	assert_int_equal(ret, -EAGAIN);
}

static void take(struct story *s, uint32_t to)
{
	struct fakeregs_line l;
	int ret;

	while ((ret = fakeregs_take(&s->x[to], &l)) == 1) {
		uint64_t *due;

		assert_true(l.peer < RANKS && l.peer != to);
		due = &s->next[to][l.peer];
		if (l.gone) {
			s->gone[to][l.peer] = true;
			continue;
		}
		if (!fakeregs_is(&l, l.peer, to, l.number, length_of(l.number)))
			fail_msg("number %llu from %u is spoilt",
				 (unsigned long long)l.number, l.peer);
		/* A double, from a daemon that did not know that it came. */
		if (l.number < *due)
			continue;
		if (l.number > *due)
			fail_msg("number %llu from %u before number %llu",
				 (unsigned long long)l.number, l.peer,
				 (unsigned long long)*due);
		if (s->gone[to][l.peer])
			fail_msg("number %llu from %u after its GONE",
				 (unsigned long long)l.number, l.peer);
		++*due;
	}
	assert_int_equal(ret, 0);
}

static void put(struct story *s, uint32_t from, uint32_t to, uint64_t most)
{
	uint64_t *n = &s->sent[from][to];
	int ret;

	if (*n >= most)
		return;
	ret = fakeregs_put(&s->x[from], to, *n, length_of(*n));
	if (ret == 0)
		++*n;
	else
		assert_int_equal(ret, -EAGAIN);
}

static void turn(struct story *s)
{
	for (int i = 0; i < CHILD; i++) {
		if (s->f[i].fd < 0)
			continue;
		read_socket(s, i);
		put(s, (uint32_t)i, (uint32_t)!i, MESSAGES);
		if (s->child > 0)
			put(s, (uint32_t)i, CHILD, s->to_child);
		assert_int_equal(fakeregs_look(&s->x[i]), 0);
		take(s, (uint32_t)i);
	}
}

static void not_come(const struct story *s, const char *what)
{
	for (int to = 0; to < CHILD; to++)
		for (int from = 0; from < RANKS; from++)
			print_error(
				"from %d to %d: sent %llu, next %llu, "
				"gone %d\n",
				from, to,
				(unsigned long long)(from == CHILD
							     ? atomic_load(
								       &s->child_sent
										[to])
							     : s->sent[from]
								      [to]),
				(unsigned long long)s->next[to][from],
				s->gone[to][from]);
	fail_msg("it does not come: %s", what);
}

/* Turns, until it is so. */
#define AWAIT(s, condition)                      \
	for (int t_ = 0; !(condition); t_++) {   \
		turn(s);                         \
		if (t_ % 16 == 15)               \
			mortal_nap();            \
		if (t_ > TURNS)                  \
			not_come(s, #condition); \
	}

static void die_and_leave(struct story *s)
{
	uint64_t left;

	AWAIT(s, s->next[0][1] == MESSAGES && s->next[1][0] == MESSAGES &&
			 s->next[0][CHILD] > 20 && s->next[1][CHILD] > 20);
	/* Some of what is for rank 2 stays in the rings of the others. */
	s->to_child += STUCK;
	AWAIT(s, s->sent[0][CHILD] == s->to_child &&
			 s->sent[1][CHILD] == s->to_child);
	kill(s->child, SIGKILL);
	waitpid(s->child, NULL, 0);
	s->child = -1;
	AWAIT(s, s->gone[0][CHILD] && s->gone[1][CHILD]);
	for (int i = 0; i < CHILD; i++) {
		assert_int_equal(s->next[i][CHILD],
				 atomic_load(&s->child_sent[i]));
		AWAIT(s, s->f[i].seen_gone >= 1);
		assert_int_equal(s->f[i].gone.state,
				 SNOO_ABI_DEAD | SNOO_WIRE_GONE_REGISTERS);
		assert_int_equal(fakerank_ack(&s->f[i], 1), 0);
	}
	/* Rank 1 leaves as soon as it has published. */
	for (left = MESSAGES; left < MESSAGES + LAST;)
		if (fakeregs_put(&s->x[1], 0, left, length_of(left)) == 0)
			left++;
		else
			turn(s);
	assert_int_equal(fakerank_leave(&s->f[1]), 0);
	fakerank_close(&s->f[1]);
	AWAIT(s, s->gone[0][1] && s->f[0].seen_gone >= 2);
	assert_int_equal(s->next[0][1], MESSAGES + LAST);
	assert_int_equal(s->f[0].gone.state,
			 SNOO_ABI_LEFT | SNOO_WIRE_GONE_REGISTERS);
	assert_int_equal(fakerank_leave(&s->f[0]), 0);
	fakerank_close(&s->f[0]);
}

static void test_story(void **state)
{
	const char *point = *state;
	struct story *s = calloc(1, sizeof(*s));

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip();
	s->again = strncmp(point, "again ", 6) == 0;
	s->child_sent = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mortal_start(&s->m, s->again ? point + 6 : point, sets);
	join_all(s);
	s->to_child = ROOM;
	if (s->again) {
		AWAIT(s, s->next[0][1] > 30 && s->next[1][CHILD] > 10);
		mortal_kill(&s->m);
	}
	die_and_leave(s);
	mortal_expect_empty(&s->m);
	mortal_stop(&s->m);
	munmap((void *)s->child_sent, 4096);
	free(s);
}

/* With the passage at which it happens. */
static const char *const points[] = {
	"",
	/* Rings. */
	"daemon_regs_ring_taken:1",
	"daemon_regs_ring_taken:2",
	"daemon_regs_ring_taken:5",
	"daemon_regs_ring_put:1",
	"daemon_regs_ring_put:3",
	"daemon_regs_said:1",
	"daemon_regs_said:3",
	/* The way of a message. */
	"daemon_regs_read:1",
	"daemon_regs_read:2",
	"daemon_regs_read:30",
	"daemon_regs_sent:1",
	"daemon_regs_sent:40",
	"mail_written:1",
	"mail_written:50",
	"mail_taken:3",
	"mail_taken:90",
	"run_filled:1",
	"run_filled:33",
	"run_filled:80",
	"daemon_regs_put:1",
	"daemon_regs_put:32",
	"daemon_regs_put:101",
	"wake_flagged:1",
	"daemon_regs_woken:2",
	"daemon_regs_woken:65",
	"daemon_regs_told:1",
	"daemon_regs_told:20",
	/* The ends. */
	"daemon_regs_closed:1",
	"daemon_regs_closed:2",
	"daemon_regs_gone_put:1",
	"daemon_regs_gone_put:2",
	"daemon_regs_gone_put:3",
	"daemon_reap_told:1",
	"daemon_reap_told:2",
	"daemon_reap_marked:1",
	"daemon_reap_marked:2",
	"daemon_reap_seized:1",
	"daemon_reap_seized:7",
	"daemon_acked:1",
	/* Sleep. */
	"daemon_regs_asleep:1",
	"daemon_regs_asleep:3",
	"daemon_regs_slept:1",
	"daemon_regs_slept:2",
	"daemon_regs_awake:1",
	/* Of a daemon that takes over. */
	"again daemon_regs_found:1",
	"again daemon_regs_found:2",
	"again daemon_regs_adopted:1",
	"again daemon_regs_adopted:2",
	"again daemon_adopt_written:1",
	"again daemon_adopt_told:1",
	"again daemon_adopt_reaped:1",
	"again daemon_state_answered:1",
	"again daemon_regs_put:200",
	"again daemon_regs_gone_put:1",
};

int main(void)
{
	return mortal_run(points, sizeof(points) / sizeof(points[0]),
			  test_story);
}
