/* SPDX-License-Identifier: MIT */
/*
 * test_guest_runner.c - the process that starts programs, spoken to directly
 *
 * The test is host and guest daemon in one.  Needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/guest_runner.h"
#include "daemon/log.h"

#define SH	"/usr/bin/dash"
#define WAIT_MS	20000

struct fixture {
	int fd;
	pid_t runner;
	char config[64];		/* a file; "": defaults and sets */
};

union frame {
	struct snoo_ctl_frame head;
	struct snoo_ctl_run_pid pid;
	struct snoo_ctl_run_end end;
	struct snoo_ctl_data data;
	struct snoo_ctl_credit credit;
	unsigned char bytes[SNOO_CTL_FRAME_MAX];
};

static const char *const sets[] = {
	"guest.run.programs=[\"/usr/bin/dash\",\"/usr/bin/cat\"]",
	"guest.run.user=nobody", "guest.run.limits.processes=3",
};
static const struct conf_overrides usual = { .sets = sets, .nsets = 3 };

static void be_runner(struct fixture *f, int fd)
{
	struct guest_runner_params p = {
		.socket = fd,
		.config = *f->config ? f->config : NULL,
		.ov = *f->config ? NULL : &usual,
	};
	char why[GUEST_RULES_TEXT], *errors;
	struct conf *conf;

	log_open(LOG_LEVEL_ERROR);
	if (conf_load(&conf, p.config, p.ov, &errors) ||
	    guest_rules_make(&p.rules, conf, why))
		_exit(99);
	_exit(guest_runner_main(&p));
}

static void start(struct fixture *f)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    pair), 0);
	f->runner = fork();
	if (f->runner == 0) {
		close(pair[0]);
		be_runner(f, pair[1]);
	}
	assert_true(f->runner > 0);
	close(pair[1]);
	f->fd = pair[0];
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	*state = f;
	f->fd = -1;
	if (geteuid() == 0)
		start(f);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->fd >= 0)
		close(f->fd);
	if (f->runner > 0) {
		kill(f->runner, SIGKILL);
		waitpid(f->runner, NULL, 0);
	}
	if (*f->config)
		unlink(f->config);
	free(f);
	return 0;
}

#define need_root() do { if (geteuid() != 0) skip(); } while (0)

/* ---- to the runner ---- */

static void say(struct fixture *f, void *msg, uint32_t type, uint32_t sid,
		size_t bytes)
{
	struct snoo_ctl_frame *h = msg;

	*h = (struct snoo_ctl_frame){ (uint32_t)bytes, type, sid,
				      SNOO_CTL_NO_SLOT };
	assert_int_equal(send(f->fd, msg, bytes, MSG_NOSIGNAL), bytes);
}

static void run_words(struct fixture *f, uint32_t sid, const char *words,
		      uint32_t bytes, uint32_t argc, uint32_t envc)
{
	struct {
		struct snoo_ctl_run run;
		char words[SNOO_CTL_WORDS_MAX];
	} m = { .run = { .uid = 1000, .argc = argc, .envc = envc,
			 .bytes = bytes } };

	memcpy(m.words, words, bytes);
	say(f, &m, SNOO_CTL_RUN, sid, sizeof(m.run) + bytes);
}

static void run(struct fixture *f, uint32_t sid, const char *script)
{
	char words[1024];
	int n = snprintf(words, sizeof(words), SH "%c-c%c%s", 0, 0, script);

	run_words(f, sid, words, (uint32_t)n + 1, 3, 0);
}

static void credit(struct fixture *f, uint32_t sid, uint32_t stream,
		   uint32_t total)
{
	struct snoo_ctl_credit m = { .stream = stream, .total = total };

	say(f, &m, SNOO_CTL_CREDIT, sid, sizeof(m));
}

static void input(struct fixture *f, uint32_t sid, uint32_t offset,
		  const char *text, uint32_t n)
{
	struct {
		struct snoo_ctl_data data;
		char bytes[SNOO_CTL_DATA_MAX];
	} m = { .data = { .stream = SNOO_CTL_IN, .bytes = n,
			  .offset = offset } };

	memcpy(m.bytes, text, n);
	say(f, &m, SNOO_CTL_DATA, sid, sizeof(m.data) + n);
}

static void send_signal(struct fixture *f, uint32_t sid, uint32_t number,
			int sig)
{
	struct snoo_ctl_signal m = { .signal = (uint32_t)sig,
				     .number = number };

	say(f, &m, SNOO_CTL_SIGNAL, sid, sizeof(m));
}

static void runs(struct fixture *f, uint32_t count, uint32_t sid)
{
	struct {
		struct snoo_ctl_runs runs;
		uint32_t sid;
	} m = { .runs = { .count = count }, .sid = sid };

	say(f, &m, SNOO_CTL_RUNS, 0, sizeof(m.runs) + count * sizeof(sid));
}

/* ---- from it ---- */

static void hear(struct fixture *f, union frame *m)
{
	struct pollfd p = { .fd = f->fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, WAIT_MS) != 1)
		fail_msg("the runner says nothing");
	n = recv(f->fd, m, sizeof(*m), 0);
	if (n <= 0)
		fail_msg("the runner has ended");
	assert_int_equal(m->head.length, n);
}

/* Skip to a frame of @type of @sid; other runs' are lost. */
static void until(struct fixture *f, union frame *m, uint32_t type,
		  uint32_t sid)
{
	do
		hear(f, m);
	while (m->head.type != type || m->head.sid != sid);
}

static uint32_t started(struct fixture *f, uint32_t sid)
{
	union frame m;

	until(f, &m, SNOO_CTL_STARTED, sid);
	return m.pid.pid;
}

/* All of its output, credit given, until it ends; its status. */
static int collect(struct fixture *f, uint32_t sid, char *out, size_t len)
{
	uint32_t got[3] = { 0 };
	size_t used = 0;
	union frame m;

	for (;;) {
		hear(f, &m);
		if (m.head.sid != sid)
			continue;
		if (m.head.type == SNOO_CTL_FINISHED) {
			if (m.end.error)
				fail_msg("%s", m.end.text);
			out[used] = '\0';
			return m.end.status;
		}
		if (m.head.type != SNOO_CTL_DATA)
			continue;
		assert_true(m.data.stream == 1 || m.data.stream == 2);
		assert_int_equal(m.data.offset, got[m.data.stream]);
		assert_true(m.data.bytes > 0);
		got[m.data.stream] += m.data.bytes;
		for (uint32_t i = 0; i < m.data.bytes && used < len - 1; i++)
			out[used++] = (char)m.bytes[sizeof(m.data) + i];
		credit(f, sid, m.data.stream, got[m.data.stream]);
	}
}

static void expect_end(struct fixture *f, uint32_t sid, int error,
		       const char *words)
{
	union frame m;

	until(f, &m, SNOO_CTL_FINISHED, sid);
	if (m.end.error != error || !strstr(m.end.text, words))
		fail_msg("%d \"%s\", not %d \"%s\"", m.end.error, m.end.text,
			 error, words);
}

static bool alive(uint32_t pid)
{
	char path[64], text[512] = "";
	FILE *in;
	char *state;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	in = fopen(path, "re");
	if (!in)
		return false;
	state = fgets(text, sizeof(text), in) ? strrchr(text, ')') : NULL;
	fclose(in);
	return state && state[2] != 'Z' && state[2] != 'X';
}

static void expect_dies(uint32_t pid)
{
	for (int i = 0; alive(pid); i++) {
		if (i == WAIT_MS / 10)
			fail_msg("process %u lives on", pid);
		poll(NULL, 0, 10);
	}
}

/* ---- start and end ---- */

static void test_a_program_runs_and_its_end_is_told_last(void **state)
{
	struct fixture *f = *state;
	union frame m;
	char out[256];
	int status;

	need_root();
	run(f, 7, "echo out; echo err >&2; exit 3");
	hear(f, &m);
	assert_int_equal(m.head.type, SNOO_CTL_STARTED);
	assert_int_equal(m.head.sid, 7);
	assert_int_equal(m.pid.uid, 65534);
	assert_true(m.pid.pid > 1);
	status = collect(f, 7, out, sizeof(out));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	assert_non_null(strstr(out, "out\n"));
	assert_non_null(strstr(out, "err\n"));
}

static void test_what_is_not_listed_is_refused_with_a_sentence(void **state)
{
	struct fixture *f = *state;

	need_root();
	run_words(f, 1, "/usr/bin/id", 12, 1, 0);
	expect_end(f, 1, EACCES, "guest.run.programs");
	run_words(f, 2, "/usr/bin/../bin/dash", 21, 1, 0);
	expect_end(f, 2, EACCES, "..");
	run_words(f, 3, "/bin/dash", 10, 1, 0);
	expect_end(f, 3, EACCES, "guest.run.programs");
}

static void test_words_that_make_no_sense_are_refused(void **state)
{
	struct fixture *f = *state;

	need_root();
	run_words(f, 1, SH, sizeof(SH) - 1, 1, 0);	/* no end */
	expect_end(f, 1, EINVAL, "no end");
	run_words(f, 2, SH, sizeof(SH), 2, 0);
	expect_end(f, 2, EINVAL, "more or fewer");
	run_words(f, 3, SH "\0-c\0true", sizeof(SH) + 8, 1, 0);
	expect_end(f, 3, EINVAL, "more or fewer");
	run_words(f, 4, SH "\0=1", sizeof(SH) + 3, 1, 1);
	expect_end(f, 4, EINVAL, "NAME=VALUE");
	run_words(f, 5, SH, sizeof(SH), 0, 1);
	expect_end(f, 5, EINVAL, "no arguments");
}

static void test_messages_that_make_no_sense_are_dropped(void **state)
{
	struct fixture *f = *state;
	static const uint32_t lengths[] = { 0, 1, 15, 16, 17, 24, 32, 40 };
	unsigned char junk[64];
	char out[64];

	need_root();
	for (uint32_t type = 0; type < 200; type++) {
		for (size_t i = 1; i < sizeof(lengths) / 4; i++) {
			struct snoo_ctl_frame h = { lengths[i], type, 1, 0 };

			memset(junk, 0xff, sizeof(junk));
			memcpy(junk, &h, sizeof(h));
			if (type == SNOO_CTL_SIGNAL && lengths[i] == 24)
				continue;	/* these make sense */
			if (type == SNOO_CTL_CREDIT && lengths[i] == 24)
				continue;
			assert_true(send(f->fd, junk, lengths[i], 0) > 0);
		}
	}
	run(f, 9, "echo alive");
	collect(f, 9, out, sizeof(out));
	assert_string_equal(out, "alive\n");
}

static void test_a_run_that_is_said_again_starts_nothing(void **state)
{
	struct fixture *f = *state;
	char out[64];
	uint32_t pid;

	need_root();
	run(f, 5, "read -r x; echo got $x");
	pid = started(f, 5);
	run(f, 5, "echo another");
	assert_int_equal(started(f, 5), pid);
	input(f, 5, 0, "this\n", 5);
	collect(f, 5, out, sizeof(out));
	assert_string_equal(out, "got this\n");
}

static void test_no_more_than_the_limit_run_at_a_time(void **state)
{
	struct fixture *f = *state;

	need_root();
	for (uint32_t sid = 1; sid <= 3; sid++) {
		run(f, sid, "exec /usr/bin/sleep 100");
		started(f, sid);
	}
	run(f, 4, "exit 0");
	expect_end(f, 4, EAGAIN, "guest.run.limits.processes");
	send_signal(f, 1, 0, SIGKILL);
	expect_end(f, 1, 0, "");
	run(f, 5, "exit 0");
	expect_end(f, 5, 0, "");
}

static void test_who_does_not_know_a_run_says_so(void **state)
{
	struct fixture *f = *state;

	need_root();
	credit(f, 77, SNOO_CTL_OUT, 0);
	expect_end(f, 77, ESRCH, "no longer has");
}

/* ---- streams ---- */

static void test_input_arrives_and_ends(void **state)
{
	struct fixture *f = *state;
	union frame m;
	char out[64];

	need_root();
	run_words(f, 1, "/usr/bin/cat", 13, 1, 0);
	started(f, 1);
	input(f, 1, 0, "one ", 4);
	until(f, &m, SNOO_CTL_CREDIT, 1);
	assert_int_equal(m.credit.stream, SNOO_CTL_IN);
	assert_int_equal(m.credit.total, 4);
	/* Said again, and out of turn: dropped. */
	input(f, 1, 0, "one ", 4);
	input(f, 1, 9, "four", 4);
	input(f, 1, 4, "two\n", 4);
	input(f, 1, 8, "", 0);
	input(f, 1, 8, "late", 4);
	assert_int_equal(collect(f, 1, out, sizeof(out)), 0);
	/* What came before collect() looked is the beginning. */
	assert_non_null(strstr("one two\n", out));
}

static void test_output_stops_where_the_credit_ends(void **state)
{
	struct fixture *f = *state;
	uint32_t total = 0, sum = 0;
	union frame m;

	need_root();
	run(f, 1, "i=0; while [ $i -lt 20000 ]; do echo 123456789; "
	    "i=$((i + 1)); done");
	started(f, 1);
	while (total < SNOO_CTL_CREDIT_MAX) {
		hear(f, &m);
		assert_int_equal(m.head.type, SNOO_CTL_DATA);
		assert_int_equal(m.data.offset, total);
		total += m.data.bytes;
	}
	assert_int_equal(total, SNOO_CTL_CREDIT_MAX);
	/* It answers, and has no more output to pass on. */
	send_signal(f, 1, 0, SIGCONT);
	hear(f, &m);
	assert_int_equal(m.head.type, SNOO_CTL_CREDIT);
	/* Credit beyond what was sent gives nothing. */
	credit(f, 1, SNOO_CTL_OUT, total + 1);
	send_signal(f, 1, 1, SIGCONT);
	hear(f, &m);
	assert_int_equal(m.head.type, SNOO_CTL_CREDIT);
	credit(f, 1, SNOO_CTL_OUT, total);
	for (sum = total;;) {
		hear(f, &m);
		if (m.head.type == SNOO_CTL_FINISHED)
			break;
		assert_int_equal(m.data.offset, sum);
		sum += m.data.bytes;
		credit(f, 1, SNOO_CTL_OUT, sum);
	}
	assert_int_equal(sum, 200000);
}

static void test_ten_mebibytes_arrive_as_they_were_written(void **state)
{
	struct fixture *f = *state;
	uint64_t sum = 0, want = 0;
	uint32_t got = 0;
	union frame m;

	need_root();
	run(f, 1, "/usr/bin/seq 1 1500000");
	started(f, 1);
	for (;;) {
		hear(f, &m);
		if (m.head.type == SNOO_CTL_FINISHED)
			break;
		assert_int_equal(m.head.type, SNOO_CTL_DATA);
		assert_int_equal(m.data.offset, got);
		for (uint32_t i = 0; i < m.data.bytes; i++)
			sum = sum * 31 + m.bytes[sizeof(m.data) + i];
		got += m.data.bytes;
		credit(f, 1, SNOO_CTL_OUT, got);
	}
	assert_int_equal(m.end.status, 0);
	for (uint32_t i = 1; i <= 1500000; i++) {
		char line[16];

		snprintf(line, sizeof(line), "%u\n", i);
		for (const char *p = line; *p; p++)
			want = want * 31 + (unsigned char)*p;
	}
	assert_true(got > 10000000);
	assert_int_equal(sum, want);
}

static void test_whose_reader_is_gone_gets_sigpipe(void **state)
{
	struct fixture *f = *state;
	struct snoo_ctl_data m = { .stream = SNOO_CTL_OUT };
	union frame end;

	need_root();
	run(f, 1, "exec /usr/bin/yes");
	started(f, 1);
	say(f, &m, SNOO_CTL_DATA, 1, sizeof(m));
	until(f, &end, SNOO_CTL_FINISHED, 1);
	/* yes(1) is not in the list, but dash may start it. */
	assert_true(WIFSIGNALED(end.end.status));
	assert_int_equal(WTERMSIG(end.end.status), SIGPIPE);
}

static void test_who_lives_on_with_the_output_is_not_waited_for(void **state)
{
	struct fixture *f = *state;
	char out[64];
	int status;

	need_root();
	run(f, 1, "/usr/bin/setsid /usr/bin/sleep 3 & echo done");
	status = collect(f, 1, out, sizeof(out));
	assert_int_equal(status, 0);
	assert_string_equal(out, "done\n");
}

/* ---- signals ---- */

static void test_a_signal_reaches_the_group_once(void **state)
{
	struct fixture *f = *state;
	char out[64] = "";
	union frame m;

	need_root();
	/* The shell would say that its sleep was signalled, too. */
	run(f, 1, "exec 2>/dev/null; n=0; trap 'n=$((n + 1)); echo $n' USR1; "
	    "echo up; "
	    "while [ $n -lt 2 ]; do /usr/bin/sleep 0.05; done; exit 0");
	until(f, &m, SNOO_CTL_DATA, 1);
	send_signal(f, 1, 0, SIGUSR1);
	until(f, &m, SNOO_CTL_DATA, 1);
	send_signal(f, 1, 0, SIGUSR1);		/* known */
	send_signal(f, 1, 2, SIGUSR1);		/* out of turn */
	until(f, &m, SNOO_CTL_CREDIT, 1);
	assert_int_equal(m.credit.stream, SNOO_CTL_SIGNALS);
	assert_int_equal(m.credit.total, 1);
	send_signal(f, 1, 1, SIGUSR1);
	for (;;) {
		hear(f, &m);
		if (m.head.type == SNOO_CTL_FINISHED)
			break;
		if (m.head.type == SNOO_CTL_DATA)
			snprintf(out, sizeof(out), "%.*s", (int)m.data.bytes,
				 (char *)m.bytes + sizeof(m.data));
	}
	assert_int_equal(m.end.status, 0);
	assert_string_equal(out, "2\n");
}

static void test_a_program_that_is_killed_says_by_what(void **state)
{
	struct fixture *f = *state;
	union frame m;

	need_root();
	run(f, 1, "exec /usr/bin/sleep 100");
	started(f, 1);
	send_signal(f, 1, 0, SIGSEGV);
	until(f, &m, SNOO_CTL_FINISHED, 1);
	assert_true(WIFSIGNALED(m.end.status));
	assert_int_equal(WTERMSIG(m.end.status), SIGSEGV);
	assert_false(WCOREDUMP(m.end.status));
}

static void test_what_a_program_has_started_ends_with_it(void **state)
{
	struct fixture *f = *state;
	unsigned int pid = 0;
	char out[64];

	need_root();
	run(f, 1, "/usr/bin/sleep 100 & echo $!");
	collect(f, 1, out, sizeof(out));
	assert_int_equal(sscanf(out, "%u", &pid), 1);
	expect_dies(pid);
}

/* ---- who is no longer wanted ---- */

static void test_runs_that_the_host_does_not_know_end(void **state)
{
	struct fixture *f = *state;
	uint32_t a, b, c;

	need_root();
	run(f, 1, "exec /usr/bin/sleep 100");
	a = started(f, 1);
	run(f, 2, "exec /usr/bin/sleep 100");
	b = started(f, 2);
	run(f, 3, "trap '' TERM; echo up; while :; do /usr/bin/sleep 0.1; "
	    "done");
	c = started(f, 3);
	runs(f, 1, 2);
	expect_dies(a);
	expect_dies(c);			/* by SIGKILL, after two seconds */
	assert_true(alive(b));
	runs(f, 0, 0);
	expect_dies(b);
}

static void test_the_end_of_the_socket_ends_all(void **state)
{
	struct fixture *f = *state;
	uint32_t pid;
	int status;

	need_root();
	run(f, 1, "exec /usr/bin/sleep 100");
	pid = started(f, 1);
	close(f->fd);
	f->fd = -1;
	expect_dies(pid);
	assert_int_equal(waitpid(f->runner, &status, 0), f->runner);
	f->runner = 0;
	assert_int_equal(status, 0);
}

static void test_programs_outlive_a_daemon_whose_socket_is_kept(void **state)
{
	struct fixture *f = *state;
	char out[64];
	int kept;

	need_root();
	run(f, 1, "read -r x; echo $x; exit 5");
	started(f, 1);
	kept = dup(f->fd);
	close(f->fd);
	f->fd = kept;
	input(f, 1, 0, "still here\n", 11);
	assert_int_equal(WEXITSTATUS(collect(f, 1, out, sizeof(out))), 5);
	assert_string_equal(out, "still here\n");
}

static void test_programs_die_with_a_runner_that_is_killed(void **state)
{
	struct fixture *f = *state;
	uint32_t pid;

	need_root();
	run(f, 1, "exec /usr/bin/sleep 100");
	pid = started(f, 1);
	kill(f->runner, SIGKILL);
	waitpid(f->runner, NULL, 0);
	f->runner = 0;
	expect_dies(pid);
}

static void test_sigterm_ends_the_runner_and_its_programs(void **state)
{
	struct fixture *f = *state;
	uint32_t pid;
	int status;

	need_root();
	run(f, 1, "exec /usr/bin/sleep 100");
	pid = started(f, 1);
	kill(f->runner, SIGTERM);
	expect_dies(pid);
	waitpid(f->runner, &status, 0);
	f->runner = 0;
	assert_int_equal(status, 0);
}

/* ---- a daemon that adopts it ---- */

static void write_config(struct fixture *f, const char *programs)
{
	FILE *out = fopen(f->config, "we");

	assert_non_null(out);
	fprintf(out, "{\"guest\": {\"run\": {\"user\": \"nobody\", "
		"\"programs\": [%s]}}}\n", programs);
	fclose(out);
}

static void adopt(struct fixture *f, uint32_t version)
{
	struct guest_runner_adopt m = { .version = version };

	say(f, &m, GUEST_RUNNER_ADOPT, 0, sizeof(m));
}

static void test_a_new_daemon_has_it_read_the_rules_again(void **state)
{
	struct fixture *f = *state;
	int fd;

	need_root();
	kill(f->runner, SIGKILL);
	waitpid(f->runner, NULL, 0);
	close(f->fd);
	snprintf(f->config, sizeof(f->config), "/tmp/snoo-conf.XXXXXX");
	fd = mkstemp(f->config);
	assert_true(fd >= 0);
	close(fd);
	write_config(f, "\"/usr/bin/cat\"");
	start(f);
	run(f, 1, "exit 0");
	expect_end(f, 1, EACCES, "guest.run.programs");
	write_config(f, "\"/usr/bin/dash\"");
	run(f, 2, "exit 0");
	expect_end(f, 2, EACCES, "guest.run.programs");
	adopt(f, GUEST_RUNNER_VERSION);
	run(f, 3, "exit 0");
	expect_end(f, 3, 0, "");
	/* A file with mistakes changes nothing. */
	write_config(f, "\"relative\"");
	adopt(f, GUEST_RUNNER_VERSION);
	run(f, 4, "exit 0");
	expect_end(f, 4, 0, "");
}

static void test_it_ends_for_a_daemon_of_another_version(void **state)
{
	struct fixture *f = *state;
	int status;

	need_root();
	adopt(f, GUEST_RUNNER_VERSION + 1);
	assert_int_equal(waitpid(f->runner, &status, 0), f->runner);
	f->runner = 0;
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_a_program_runs_and_its_end_is_told_last),
		T(test_what_is_not_listed_is_refused_with_a_sentence),
		T(test_words_that_make_no_sense_are_refused),
		T(test_messages_that_make_no_sense_are_dropped),
		T(test_a_run_that_is_said_again_starts_nothing),
		T(test_no_more_than_the_limit_run_at_a_time),
		T(test_who_does_not_know_a_run_says_so),
		T(test_input_arrives_and_ends),
		T(test_output_stops_where_the_credit_ends),
		T(test_ten_mebibytes_arrive_as_they_were_written),
		T(test_whose_reader_is_gone_gets_sigpipe),
		T(test_who_lives_on_with_the_output_is_not_waited_for),
		T(test_a_signal_reaches_the_group_once),
		T(test_a_program_that_is_killed_says_by_what),
		T(test_what_a_program_has_started_ends_with_it),
		T(test_runs_that_the_host_does_not_know_end),
		T(test_the_end_of_the_socket_ends_all),
		T(test_programs_outlive_a_daemon_whose_socket_is_kept),
		T(test_programs_die_with_a_runner_that_is_killed),
		T(test_sigterm_ends_the_runner_and_its_programs),
		T(test_a_new_daemon_has_it_read_the_rules_again),
		T(test_it_ends_for_a_daemon_of_another_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
