/* SPDX-License-Identifier: MIT */
/* test_admin.c - requests right and wrong, limits, who may see what */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/admin.h"
#include "daemon/admin_verb.h"
#include "daemon/json.h"
#include "tests/lib/home.h"

#define PATIENCE_MS	30000

struct fixture {
	struct home h;
	struct admin *admin;
	struct admin_who who;
};

static const char *const sets[] = {
	"limits.admin_line_bytes=4096", "limits.admin_clients=2", NULL,
};

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));
	char why[LISTEN_TEXT] = "";
	int ret = home_open(&x->h, sets);

	if (ret == 0)
		ret = admin_open(&x->admin, &x->h.sh, why);
	*state = x;
	return ret;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	admin_close(x->admin);
	home_close(&x->h);
	free(x);
	return 0;
}

/* ---- one line, without a socket ---- */

static json_t *ask(struct fixture *x, const char *line)
{
	size_t len;
	char *text = admin_answer(&x->h.sh, &x->who, line, strlen(line),
				  &len);
	json_t *answer;

	assert_non_null(text);
	assert_int_equal(text[len - 1], '\n');
	assert_int_equal(strlen(text), len);
	assert_null(memchr(text, '\n', len - 1));
	answer = json_loads(text, 0, NULL);
	assert_non_null(answer);
	free(text);
	return answer;
}

static void expect_code(struct fixture *x, const char *line, const char *code)
{
	json_t *answer = ask(x, line), *error;

	assert_true(json_is_false(json_object_get(answer, "ok")));
	error = json_object_get(answer, "error");
	assert_string_equal(json_string_value(json_object_get(error, "code")),
			    code);
	assert_true(strlen(json_string_value(json_object_get(error,
						"message"))) > 5);
	json_decref(answer);
}

static json_t *expect_ok(struct fixture *x, const char *line)
{
	json_t *answer = ask(x, line), *result;

	if (!json_is_true(json_object_get(answer, "ok")))
		fail_msg("%s", json_string_value(json_object_get(
				json_object_get(answer, "error"),
				"message")));
	result = json_incref(json_object_get(answer, "result"));
	json_decref(answer);
	return result;
}

static void test_wrong_requests(void **state)
{
	static const struct {
		const char *line, *code;
	} wrong[] = {
		{ "", "parse" },
		{ "{", "parse" },
		{ "nonsense", "parse" },
		{ "{\"cmd\":\"status\"}x", "parse" },
		{ "{\"cmd\":\"status\",\"cmd\":\"jobs\"}", "parse" },
		{ "[]", "request" },
		{ "1", "request" },
		{ "null", "request" },
		{ "{}", "request" },
		{ "{\"cmd\":7}", "request" },
		{ "{\"cmd\":\"status\",\"args\":[]}", "request" },
		{ "{\"cmd\":\"status\",\"extra\":1}", "request" },
		{ "{\"cmd\":\"stat\"}", "unknown_verb" },
		{ "{\"cmd\":\"\"}", "unknown_verb" },
		{ "{\"cmd\":\"status\",\"args\":{\"x\":1}}", "arguments" },
		{ "{\"cmd\":\"ranks\",\"args\":{\"job\":[]}}", "arguments" },
		{ "{\"cmd\":\"ranks\",\"args\":{\"domain\":1}}", "arguments" },
		{ "{\"cmd\":\"ranks\",\"args\":{\"domain\":\"no\"}}",
		  "not_found" },
		{ "{\"cmd\":\"why\"}", "arguments" },
		{ "{\"cmd\":\"why\",\"args\":{\"rank\":-1}}", "arguments" },
		{ "{\"cmd\":\"why\",\"args\":{\"rank\":1}}", "not_found" },
		{ "{\"cmd\":\"help\",\"args\":{\"verb\":\"no\"}}",
		  "not_found" },
		{ "{\"cmd\":\"evict\"}", "arguments" },
		{ "{\"cmd\":\"evict\",\"args\":{\"vm\":\"no\"}}",
		  "not_found" },
		/* Not the one whose name it begins with. */
		{ "{\"cmd\":\"evict\",\"args\":{\"vm\":"
		  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}",
		  "arguments" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_code(*state, wrong[i].line, wrong[i].code);
}

static void test_id_comes_back_as_it_was(void **state)
{
	static const char *const ids[] = {
		"1", "\"a\"", "null", "[1,{\"b\":2}]", "-0.5",
	};
	char line[128];

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		json_t *answer, *id = json_loads(ids[i], JSON_DECODE_ANY, NULL);

		snprintf(line, sizeof(line), "{\"id\":%s,\"cmd\":\"version\"}",
			 ids[i]);
		answer = ask(*state, line);
		assert_true(json_equal(json_object_get(answer, "id"), id));
		json_decref(answer);
		json_decref(id);
		/* Also with an error. */
		snprintf(line, sizeof(line), "{\"id\":%s,\"cmd\":\"no\"}",
			 ids[i]);
		answer = ask(*state, line);
		id = json_loads(ids[i], JSON_DECODE_ANY, NULL);
		assert_true(json_equal(json_object_get(answer, "id"), id));
		json_decref(answer);
		json_decref(id);
	}
}

static void test_every_verb_of_help_answers(void **state)
{
	json_t *help = expect_ok(*state, "{\"cmd\":\"help\"}"), *verb;
	char line[128];
	size_t i;

	assert_true(json_array_size(help) >= 11);
	json_array_foreach(help, i, verb) {
		const char *name = json_string_value(json_object_get(verb,
								     "verb"));

		/* Of whom? */
		if (strcmp(name, "why") == 0 || strcmp(name, "evict") == 0)
			continue;
		snprintf(line, sizeof(line), "{\"cmd\":\"%s\"}", name);
		json_decref(expect_ok(*state, line));
	}
	json_decref(help);
}

static void test_stranger_sees_nothing(void **state)
{
	struct fixture *x = *state;
	struct conf_ids *gids = &x->h.sh.conf->domains[0].admins.gids;
	struct conf_ids before = *gids;
	uint32_t admin = 12345;

	x->who.uid = 12345;
	x->who.gid[0] = 12345;
	x->who.gids = 1;
	expect_code(x, "{\"cmd\":\"status\"}", "denied");
	expect_code(x, "{\"cmd\":\"config\"}", "denied");
	json_decref(expect_ok(x, "{\"cmd\":\"version\"}"));

	/* An admin of the domain sees it, and no more. */
	gids->id = &admin;
	gids->n = 1;
	json_decref(expect_ok(x, "{\"cmd\":\"status\"}"));
	expect_code(x, "{\"cmd\":\"config\"}", "denied");
	*gids = before;
}

/* ---- the socket ---- */

static int dial(struct fixture *x)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s",
		 x->h.sh.conf->admin_socket.path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)),
			 0);
	return fd;
}

static void say(struct fixture *x, int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n > 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno != EAGAIN) {
			return;
		}
		home_step(&x->h);
	}
}

/* One line, or what came before the end of file; false: the end. */
static bool hear(struct fixture *x, int fd, char *line, size_t len)
{
	time_t end = time(NULL) + PATIENCE_MS / 1000;
	size_t used = 0;

	while (used < len - 1 && time(NULL) < end) {
		ssize_t n = recv(fd, line + used, 1, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (n < 0)
			home_step(&x->h);
		else if (line[used++] == '\n')
			break;
	}
	line[used] = '\0';
	return used > 0;
}

static void test_lines_may_come_in_pieces_and_together(void **state)
{
	static const char text[] =
		"{\"id\":1,\"cmd\":\"version\"}\n\n"
		"{\"id\":2,\"cmd\":\"jobs\"}\n{\"id\":3,\"cmd\":\"no\"}\n";
	struct fixture *x = *state;
	char line[4096];
	int fd = dial(x);

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		say(x, fd, text + i, 1);
	say(x, fd, text, sizeof(text) - 1);
	for (int i = 0; i < 6; i++) {
		char id[16];

		assert_true(hear(x, fd, line, sizeof(line)));
		snprintf(id, sizeof(id), "\"id\":%d", i % 3 + 1);
		assert_non_null(strstr(line, id));
	}
	close(fd);
	home_settle(&x->h);
}

static void test_last_line_needs_no_newline(void **state)
{
	struct fixture *x = *state;
	char line[4096];
	int fd = dial(x);

	say(x, fd, "{\"cmd\":\"version\"}", 17);
	shutdown(fd, SHUT_WR);
	assert_true(hear(x, fd, line, sizeof(line)));
	assert_non_null(strstr(line, "\"ok\":true"));
	assert_false(hear(x, fd, line, sizeof(line)));
	close(fd);
}

static void test_oversized_line_ends_the_connection(void **state)
{
	struct fixture *x = *state;
	char big[8192], line[4096];
	int fd = dial(x);

	memset(big, ' ', sizeof(big));
	say(x, fd, big, sizeof(big));
	assert_true(hear(x, fd, line, sizeof(line)));
	assert_non_null(strstr(line, "\"too_long\""));
	close(fd);
	home_settle(&x->h);
	/* One of just the right size is none. */
	fd = dial(x);
	memcpy(big, "{\"cmd\":\"version\"}", 17);
	big[4096] = '\n';
	say(x, fd, big, 4097);
	assert_true(hear(x, fd, line, sizeof(line)));
	assert_non_null(strstr(line, "\"ok\":true"));
	close(fd);
}

static void test_clients_are_limited(void **state)
{
	struct fixture *x = *state;
	char line[4096];
	int fd[3];

	for (int i = 0; i < 3; i++) {
		fd[i] = dial(x);
		home_settle(&x->h);
	}
	assert_true(hear(x, fd[2], line, sizeof(line)));
	assert_non_null(strstr(line, "\"busy\""));
	close(fd[0]);
	close(fd[2]);
	home_settle(&x->h);
	fd[0] = dial(x);
	say(x, fd[0], "{\"cmd\":\"version\"}\n", 18);
	assert_true(hear(x, fd[0], line, sizeof(line)));
	assert_non_null(strstr(line, "\"ok\":true"));
	close(fd[0]);
	close(fd[1]);
}

/* It asks and asks and reads nothing: others are served. */
static void test_client_that_does_not_read_blocks_nobody(void **state)
{
	struct fixture *x = *state;
	char line[4096];
	int deaf = dial(x), fd;

	for (int i = 0; i < 20000; i++) {
		if (send(deaf, "{\"cmd\":\"config\"}\n", 17,
			 MSG_NOSIGNAL) < 0)
			break;
		home_step(&x->h);
	}
	fd = dial(x);
	say(x, fd, "{\"cmd\":\"version\"}\n", 18);
	assert_true(hear(x, fd, line, sizeof(line)));
	assert_non_null(strstr(line, "\"ok\":true"));
	close(fd);
	close(deaf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_wrong_requests),
		T(test_id_comes_back_as_it_was),
		T(test_every_verb_of_help_answers),
		T(test_stranger_sees_nothing),
		T(test_lines_may_come_in_pieces_and_together),
		T(test_last_line_needs_no_newline),
		T(test_oversized_line_ends_the_connection),
		T(test_clients_are_limited),
		T(test_client_that_does_not_read_blocks_nobody),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
