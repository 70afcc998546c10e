/* SPDX-License-Identifier: MIT */
/*
 * conformance_mail.c - what mail.h promises, on a back end's mailboxes
 *
 * By one process that serves all cores, and by one for each core, as processes
 * that share nothing but the registers, the locks and the memory that they
 * announce.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/hal/conformance_impl.h"

static uint32_t cores[CONF_CORES] = { 0, 1, 2, 3, 4, 5, 6, 7 };

static uint32_t ncores(void)
{
	return conf->ncores < CONF_CORES ? conf->ncores : CONF_CORES;
}

/**
 * struct post - One end of many lanes: what was sent and what has come
 * @life:	Goes as the messages' context: which of two processes with the
 *		same core sent them.  1: what came first went to the other
 * @bad:	What was wrong, or NULL
 */
struct post {
	struct mail *m;
	uint32_t life;
	uint64_t sent[CONF_CORES][CONF_CORES];
	uint64_t ended[CONF_CORES][CONF_CORES];
	uint64_t got[CONF_CORES][CONF_CORES];
	uint32_t heard[CONF_CORES]; /* the life of who sends from there */
	const char *bad;
	int error;
};

static void fill(struct mail_message *m, uint32_t from, uint32_t to,
		 uint64_t number, uint32_t life)
{
	uint64_t x = (number + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ from << 8 ^
		     to;

	memset(m, 0, sizeof(*m));
	m->from = from;
	m->to = to;
	m->number = number;
	m->tag = (uint32_t)(x >> 20);
	m->context = (uint16_t)life;
	m->length = (uint16_t)(number % (MAIL_BYTES + 1));
	for (uint32_t i = 0; i < m->length; i++)
		m->data[i] = (uint8_t)(x >> i % 57 ^ i);
}

static void on_deliver(void *arg, uint32_t core, const struct mail_message *m)
{
	struct post *p = arg;
	struct mail_message want;
	uint64_t *got;

	if (m->from >= ncores() || m->to >= ncores() || m->to != core) {
		p->bad = "a message for nobody";
		return;
	}
	fill(&want, m->from, m->to, m->number, m->context);
	if (memcmp(&want, m, sizeof(want)) != 0)
		p->bad = "a message is not as it was sent";
	got = &p->got[m->from][m->to];
	if (p->life && *got == 0)
		*got = m->number;
	if (m->context != p->heard[m->from]) {
		if (m->context < p->heard[m->from])
			p->bad = "a message of a process that has ended";
		p->heard[m->from] = m->context;
		*got = 0;
	}
	if (m->number != *got)
		p->bad = m->number < *got ? "a message twice"
					  : "a message is missing";
	/*
	 * MAIL: what the sender wrote before it sent.  Relaxed: the mailbox
	 * is to order it, and nothing else.
	 */
	if (m->context == 0 &&
	    atomic_load_explicit(&sh->wrote[m->from][m->to],
				 memory_order_relaxed) <= m->number)
		p->bad = "a message overtook what it announces";
	*got = m->number + 1;
}

static void on_done(void *arg, uint32_t from, uint32_t to, int error)
{
	struct post *p = arg;

	p->ended[from][to]++;
	if (error) {
		p->error = error;
		p->bad = "a message was given up";
	}
}

static const struct mail_ops told = { on_deliver, on_done };

static int open_post(struct post *p, const uint32_t *core, uint32_t n,
		     struct mail_lock *locks)
{
	struct mail_params mp = { 0 };

	conf->params(&mp);
	mp.core = core;
	mp.ncores = n;
	mp.locks = locks;
	mp.told = &told;
	mp.arg = p;
	return mail_open(&p->m, &mp);
}

static void send_next(struct post *p, uint32_t from, uint32_t to)
{
	uint64_t number = p->sent[from][to];
	struct mail_message m;

	if (p->ended[from][to] < number)
		return;
	fill(&m, from, to, number, p->life);
	if (p->life == 0)
		atomic_store_explicit(&sh->wrote[from][to], number + 1,
				      memory_order_relaxed);
	if (mail_send(p->m, from, to, &m))
		p->bad = "a message was refused";
	p->sent[from][to]++;
}

static bool all_sent_and_got(const struct post *p, uint64_t each)
{
	for (uint32_t s = 0; s < ncores(); s++)
		for (uint32_t r = 0; r < ncores(); r++)
			if (s != r &&
			    (p->ended[s][r] < each || p->got[s][r] < each))
				return false;
	return true;
}

/* About as many words as the other tests send, in all lanes together. */
static uint64_t each_lane(void)
{
	uint64_t n = conf_words() / (10 * ncores());

	return n ? n : 1;
}

/* ---- one process -------------------------------------------------------- */

static void round_of_all(struct post *p, uint64_t each)
{
	for (uint32_t s = 0; s < ncores(); s++)
		for (uint32_t r = 0; r < ncores(); r++)
			if (s != r && p->sent[s][r] < each)
				send_next(p, s, r);
	mail_poll(p->m);
	if (p->bad)
		fail_msg("%s", p->bad);
}

static void test_mail_between_all_cores_in_order(void **state)
{
	uint64_t each = each_lane();
	struct post p = { 0 };
	struct mail_counts c;

	(void)state;
	assert_int_equal(open_post(&p, cores, ncores(), NULL), 0);
	while (!all_sent_and_got(&p, each))
		round_of_all(&p, each);
	mail_counts(p.m, &c);
	assert_int_equal(c.sent, each * ncores() * (ncores() - 1));
	assert_int_equal(c.received, c.sent);
	assert_int_equal(c.garbage, 0);
	assert_int_equal(mail_refresh(p.m), 0);
	while (mail_busy(p.m))
		mail_poll(p.m);
	for (uint32_t core = 0; core < ncores(); core++)
		for (uint32_t box = 1; box <= HAL_MAIL_LAST; box++)
			assert_true(conf_peek(core, box) == 0);
	mail_close(p.m);
}

/* Stack pointers, words of nobody, an empty mailbox in place of a word. */
static uint64_t spoiler(uint64_t i)
{
	static const uint64_t words[] = {
		UINT64_C(0x98000000022afeb0), 0,
		UINT64_C(0xffffffff80123450), UINT64_MAX,
		UINT64_C(0x2000000000012fea),
	};

	return words[i % (sizeof(words) / sizeof(words[0]))];
}

static void test_mail_survives_garbage(void **state)
{
	uint64_t each = each_lane(), polls = 0;
	struct post p = { 0 };
	struct mail_counts c;

	(void)state;
	assert_int_equal(open_post(&p, cores, ncores(), NULL), 0);
	while (!all_sent_and_got(&p, each)) {
		round_of_all(&p, each);
		if (++polls % 11 == 0)
			conf_poke((uint32_t)(polls / 11 % ncores()),
				  (uint32_t)(1 + polls % 3), spoiler(polls));
	}
	mail_counts(p.m, &c);
	assert_true(c.garbage > 0);
	assert_true(c.repeats > 0);
	assert_int_equal(c.given_up, 0);
	mail_close(p.m);
}

static void test_mail_can_be_measured(void **state)
{
	struct post p = { 0 };

	(void)state;
	assert_int_equal(open_post(&p, cores, 2, NULL), 0);
	assert_true(mail_measure(p.m, 0, 11) > 0);
	assert_true(mail_measure(p.m, MAIL_BYTES, 11) > 0);
	assert_false(mail_busy(p.m));
	mail_close(p.m);
	assert_int_equal(open_post(&p, cores, 1, NULL), 0);
	assert_int_equal(mail_measure(p.m, 8, 1), -ENODEV);
	mail_close(p.m);
}

static void test_each_core_is_somewhere_else(void **state)
{
	struct hal_where w[CONF_CORES];
	struct hal *h;

	(void)state;
	assert_int_equal(conf->open(&h, HAL_SELF_NONE, 0), 0);
	assert_int_equal(hal_refresh(h), 0);
	for (uint32_t i = 0; i < ncores(); i++) {
		assert_int_equal(hal_where(h, i, &w[i]), 0);
		assert_true(w[i].online);
		assert_true(w[i].core < HAL_NODE_CORES);
		for (uint32_t k = 0; k < i; k++)
			assert_true(w[k].node != w[i].node ||
				    w[k].core != w[i].core);
	}
	assert_int_equal(hal_where(h, hal_ncores(h), &w[0]), -EINVAL);
	hal_close(h);
}

/* ---- a process for each core -------------------------------------------- */

struct job {
	uint32_t core;
	uint32_t life;
	uint64_t each;
	bool for_ever; /* until it is killed */
};

static bool lane_of(const struct job *j, uint32_t s, uint32_t r)
{
	return s != r && (s == j->core || r == j->core);
}

static bool has_all(const struct job *j, const struct post *p)
{
	for (uint32_t s = 0; s < ncores(); s++)
		for (uint32_t r = 0; r < ncores(); r++)
			if (lane_of(j, s, r) &&
			    (s == j->core ? p->ended : p->got)[s][r] < j->each)
				/* All of theirs may have gone to the other. */
				if (s == j->core || j->life == 0)
					return false;
	return true;
}

/* Serve one core: send to all others, take from all others. */
static int serve(void *arg)
{
	const struct job *j = arg;
	struct post p = { .life = j->life };
	bool had_all = false;
	int ret;

	ret = open_post(&p, &j->core, 1, sh->locks);
	if (ret)
		return 2;
	atomic_fetch_add_explicit(&sh->ready, 1, memory_order_relaxed);
	while (atomic_load_explicit(&sh->done, memory_order_relaxed) <
	       ncores()) {
		for (uint32_t r = 0; r < ncores(); r++)
			if (r != j->core &&
			    (p.sent[j->core][r] < j->each || j->for_ever))
				send_next(&p, j->core, r);
		if (mail_poll(p.m) == 0)
			conf_pause();
		atomic_store_explicit(
			&sh->kept[j->core],
			(uint32_t)p.got[(j->core + 1) % ncores()][j->core],
			memory_order_relaxed);
		if (!had_all && has_all(j, &p)) {
			had_all = true;
			atomic_fetch_add_explicit(&sh->done, 1,
						  memory_order_relaxed);
		}
		/* Also what others found: they will never be done. */
		if (p.bad ||
		    atomic_load_explicit(&sh->stop, memory_order_relaxed)) {
			atomic_store_explicit(&sh->stop, 1,
					      memory_order_relaxed);
			if (p.bad)
				printf("# core %u: %s (%d)\n", j->core, p.bad,
				       p.error);
			fflush(stdout);
			return 1;
		}
	}
	mail_close(p.m);
	return 0;
}

/* A child that crashed has told nobody. */
static void notice_death(void)
{
	siginfo_t si = { 0 };

	if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) || !si.si_pid)
		return;
	if (si.si_code == CLD_EXITED && si.si_status == 0)
		return;
	print_message("# a child ended: code %d, status %d\n", si.si_code,
		      si.si_status);
	atomic_store_explicit(&sh->stop, 1, memory_order_relaxed);
}

static bool running(void)
{
	notice_death();
	return atomic_load_explicit(&sh->done, memory_order_relaxed) <
		       ncores() &&
	       !atomic_load_explicit(&sh->stop, memory_order_relaxed);
}

/* All of them first: the next test has the same registers. */
static void join_all(const pid_t *pid)
{
	uint32_t failed = 0;

	while (running())
		conf_pause();

	for (uint32_t i = 0; i < ncores(); i++)
		failed += conformance_join(pid[i]) != 0;
	assert_int_equal(failed, 0);
}

static void test_mail_between_processes(void **state)
{
	struct job job[CONF_CORES];
	pid_t pid[CONF_CORES];

	(void)state;
	for (uint32_t i = 0; i < ncores(); i++) {
		job[i] = (struct job){ .core = i, .each = each_lane() };
		pid[i] = conformance_child(serve, &job[i]);
	}
	join_all(pid);
}

static uint64_t progress(void)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < ncores(); i++)
		n += atomic_load_explicit(&sh->kept[i], memory_order_relaxed);
	return n;
}

static void test_garbage_between_processes(void **state)
{
	struct job job[CONF_CORES];
	pid_t pid[CONF_CORES];
	uint64_t n = 0;

	(void)state;
	for (uint32_t i = 0; i < ncores(); i++) {
		job[i] = (struct job){ .core = i, .each = each_lane() };
		pid[i] = conformance_child(serve, &job[i]);
	}
	/* As fast as messages get through, or 64 repeats might not do. */
	while (running()) {
		if (n <= progress()) {
			conf_poke((uint32_t)(n % ncores()),
				  (uint32_t)(1 + n / 3 % 3), spoiler(n));
			n++;
		}
		conf_pause();
	}
	join_all(pid);
	assert_true(n > 1);
}

/*
 * Whoever serves core 2 is killed in the middle, and another takes the core.
 * The rest have sent to the first, too: its messages count from 0 again.
 */
static void test_a_process_dies_and_another_takes_its_core(void **state)
{
	struct job job[CONF_CORES], first, second;
	pid_t pid[CONF_CORES];
	int status;

	(void)state;
	for (uint32_t i = 0; i < ncores(); i++) {
		job[i] = (struct job){ .core = i, .each = each_lane() };
		if (i != 2)
			pid[i] = conformance_child(serve, &job[i]);
	}
	first = (struct job){ .core = 2, .each = UINT64_MAX, .for_ever = true };
	pid[2] = conformance_child(serve, &first);
	while (atomic_load_explicit(&sh->kept[2], memory_order_relaxed) <
		       each_lane() / 2 &&
	       running())
		conf_pause();
	assert_int_equal(kill(pid[2], SIGKILL), 0);
	assert_int_equal(waitpid(pid[2], &status, 0), pid[2]);
	mail_unlock_dead(sh->locks, MAIL_CORES, 2);
	second = (struct job){ .core = 2, .each = each_lane(), .life = 1 };
	pid[2] = conformance_child(serve, &second);
	join_all(pid);
}

const struct conf_test conf_mail[] = {
	CONF_TEST(HAL_CAP_MAIL, test_each_core_is_somewhere_else),
	CONF_TEST(HAL_CAP_MAIL, test_mail_between_all_cores_in_order),
	CONF_TEST(HAL_CAP_MAIL, test_mail_survives_garbage),
	CONF_TEST(HAL_CAP_MAIL, test_mail_can_be_measured),
	CONF_TEST(HAL_CAP_MAIL, test_mail_between_processes),
	CONF_TEST(HAL_CAP_MAIL, test_garbage_between_processes),
	CONF_TEST(HAL_CAP_MAIL, test_a_process_dies_and_another_takes_its_core),
};

const size_t conf_nmail = sizeof(conf_mail) / sizeof(conf_mail[0]);
