/* SPDX-License-Identifier: MIT */
/*
 * misuse.c - one wrong call each, through the paper's API or the native one
 *
 * usage: misuse CASE		the paper's calls: the default handler must end
 *				the process with its message and status 1
 *	  misuse handler	a handler that returns: the call does nothing
 *	  misuse native		the native calls: each must return its code
 *
 * Exit status 9: a call that must not return has returned.
 */

#include <snoo/snoo_mpi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/proof.h"

static char job[] = "misuse";
static int x;

static void init_twice(void)
{
	SNOO_MPI_Init(job);
	SNOO_MPI_Init(job);
}

static void init_null(void)
{
	SNOO_MPI_Init(NULL);
}

static void init_empty(void)
{
	char name[] = "";

	SNOO_MPI_Init(name);
}

static void init_long(void)
{
	char name[80];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	SNOO_MPI_Init(name);
}

static void init_odd(void)
{
	char name[] = "a/b";

	SNOO_MPI_Init(name);
}

static void send_before(void)
{
	SNOO_MPI_Send(&x, 1, 0, 0, MPI_INT, MPI_COMM_WORLD);
}

static void recv_before(void)
{
	SNOO_MPI_Recv(&x, 1, 0, MPI_INT, 0, MPI_COMM_WORLD);
}

static void rank_before(void)
{
	SNOO_MPI_Comm_rank(&x);
}

static void size_before(void)
{
	SNOO_MPI_Comm_size(&x);
}

static void finalize_before(void)
{
	SNOO_MPI_Finalize();
}

static void send_after(void)
{
	SNOO_MPI_Init(job);
	SNOO_MPI_Finalize();
	SNOO_MPI_Send(&x, 1, 0, 0, MPI_INT, MPI_COMM_WORLD);
}

static void finalize_twice(void)
{
	SNOO_MPI_Init(job);
	SNOO_MPI_Finalize();
	SNOO_MPI_Finalize();
}

static void rank_null(void)
{
	SNOO_MPI_Init(job);
	SNOO_MPI_Comm_rank(NULL);
}

static void bad_dest(void)
{
	SNOO_MPI_Init(job);
	SNOO_MPI_Send(&x, 1, 1, 0, MPI_INT, MPI_COMM_WORLD);
}

static void negative_dest(void)
{
	SNOO_MPI_Init(job);
	SNOO_MPI_Send(&x, 1, -1, 0, MPI_INT, MPI_COMM_WORLD);
}

static void bad_source(void)
{
	SNOO_MPI_Init(job);
	SNOO_MPI_Recv(&x, 1, 7, MPI_INT, 0, MPI_COMM_WORLD);
}

static void negative_count(void)
{
	SNOO_MPI_Init(job);
	SNOO_MPI_Send(&x, -1, 0, 0, MPI_INT, MPI_COMM_WORLD);
}

static void unknown_type(void)
{
	SNOO_MPI_Init(job);
	SNOO_MPI_Send(&x, 1, 0, 0, 4711, MPI_COMM_WORLD);
}

/* MPI_INT's tag and number, but a size that it has not. */
static void forged_type(void)
{
	SNOO_MPI_Init(job);
	SNOO_MPI_Send(&x, 1, 0, 0, MPI_INT + 1, MPI_COMM_WORLD);
}

static void unknown_comm(void)
{
	SNOO_MPI_Init(job);
	SNOO_MPI_Recv(&x, 1, 0, MPI_INT, 0, 17);
}

static void negative_flag(void)
{
	SNOO_MPI_Init(job);
	SNOO_MPI_Send(&x, 1, 0, -3, MPI_INT, MPI_COMM_WORLD);
}

static void null_buffer(void)
{
	SNOO_MPI_Init(job);
	SNOO_MPI_Send(NULL, 1, 0, 0, MPI_INT, MPI_COMM_WORLD);
}

static void small_buffer(void)
{
	int four[4] = { 1, 2, 3, 4 };

	SNOO_MPI_Init(job);
	SNOO_MPI_Send(four, 4, 0, 0, MPI_INT, MPI_COMM_WORLD);
	SNOO_MPI_Recv(four, 3, 0, MPI_INT, 0, MPI_COMM_WORLD);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "init-twice", init_twice },
	{ "init-null", init_null },
	{ "init-empty", init_empty },
	{ "init-long", init_long },
	{ "init-odd", init_odd },
	{ "send-before", send_before },
	{ "recv-before", recv_before },
	{ "rank-before", rank_before },
	{ "size-before", size_before },
	{ "finalize-before", finalize_before },
	{ "send-after", send_after },
	{ "finalize-twice", finalize_twice },
	{ "rank-null", rank_null },
	{ "bad-dest", bad_dest },
	{ "negative-dest", negative_dest },
	{ "bad-source", bad_source },
	{ "negative-count", negative_count },
	{ "unknown-type", unknown_type },
	{ "forged-type", forged_type },
	{ "unknown-comm", unknown_comm },
	{ "negative-flag", negative_flag },
	{ "null-buffer", null_buffer },
	{ "small-buffer", small_buffer },
};

/* ---- a handler of one's own ---- */

static int told;
static int told_error;

static void note(int error, const char *call, const char *text)
{
	told++;
	told_error = error;
	printf("%s: %s\n", call, text);
}

static void with_handler(void)
{
	int y = 5, n = 0;

	SNOO_MPI_Set_handler(note);
	SNOO_MPI_Send(&x, 1, 0, 0, MPI_INT, MPI_COMM_WORLD);
	proof_is(told, 1, "errors after a call before Init");
	proof_is(told_error, -EINVAL, "its code");
	SNOO_MPI_Init(job);
	proof_is(told, 1, "errors after Init");
	SNOO_MPI_Init(job);
	proof_is(told, 2, "errors after a second Init");
	SNOO_MPI_Send(&y, 1, 9, 0, MPI_INT, MPI_COMM_WORLD);
	proof_is(told, 3, "errors after a send to rank 9");
	SNOO_MPI_Comm_size(&n);
	proof_is(n, 1, "size");
	/* What was done wrong has harmed nothing. */
	SNOO_MPI_Send(&y, 1, 0, 3, MPI_INT, MPI_COMM_WORLD);
	SNOO_MPI_Recv(&x, 1, MPI_ANY_SOURCE, MPI_INT, MPI_ANY_TAG,
		      MPI_COMM_WORLD);
	proof_is(x, 5, "a message to itself");
	SNOO_MPI_Finalize();
	SNOO_MPI_Finalize();
	proof_is(told, 4, "errors after a second Finalize");
}

/* ---- the native calls ---- */

static void native_joining(void)
{
	struct snoo_options o = SNOO_OPTIONS_INIT;
	struct snoo *ctx = (struct snoo *)&x;

	proof_is(snoo_init(NULL, job, NULL), -EINVAL, "init to NULL");
	proof_is(snoo_init(&ctx, NULL, NULL), -EINVAL, "no name");
	proof_is(ctx == NULL, 1, "the context after an error is NULL");
	proof_is(snoo_init(&ctx, "", NULL), -EINVAL, "empty name");
	proof_is(snoo_init(&ctx, "a b", NULL), -EINVAL, "name with a space");
	o.bytes = 1;
	proof_is(snoo_init(&ctx, job, &o), -EINVAL, "options of another size");
	o.bytes = sizeof(o);
	o.size = -1;
	proof_is(snoo_init(&ctx, job, &o), -EINVAL, "a negative size");
	o.size = 2;
	o.rank = 2;
	proof_is(snoo_init(&ctx, job, &o), -ERANGE, "rank beyond the size");
	o.size = 100000;
	proof_is(snoo_init(&ctx, job, &o), -EINVAL, "an absurd size");
	o.rank = 0;
	o.size = 1;
	o.socket = "/nonexistent/socket";
	proof_is(snoo_init(&ctx, job, &o), -ENOENT, "no socket");
	if (!strstr(snoo_last_error(), "/nonexistent/socket") ||
	    !strstr(snoo_last_error(), "snoorun"))
		proof_die(PROOF_WRONG,
			  "\"%s\" names neither socket nor "
			  "snoorun",
			  snoo_last_error());
}

static void native_calls(struct snoo *ctx)
{
	struct snoo_request *r = NULL;
	char buf[8] = "";
	int done, which;

	proof_is(snoo_send(NULL, buf, 1, 0, 0), -EINVAL, "no context");
	proof_is(snoo_send(ctx, NULL, 1, 0, 0), -EINVAL, "NULL buffer");
	proof_is(snoo_send(ctx, buf, 1, 1, 0), -EINVAL, "rank 1 of 1");
	proof_is(snoo_send(ctx, buf, 1, -1, 0), -EINVAL, "send to ANY");
	proof_is(snoo_send(ctx, buf, 1, 0, -1), -EINVAL, "send with ANY_TAG");
	proof_is(snoo_send(ctx, buf, SIZE_MAX, 0, 0), -EINVAL, "SIZE_MAX");
	proof_is(snoo_recv(ctx, NULL, 1, 0, 0, NULL), -EINVAL, "NULL buffer");
	proof_is(snoo_recv(ctx, buf, 1, 5, 0, NULL), -EINVAL, "source 5");
	proof_is(snoo_recv(ctx, buf, 1, -2, 0, NULL), -EINVAL, "source -2");
	proof_is(snoo_recv(ctx, buf, 1, 0, -2, NULL), -EINVAL, "tag -2");
	proof_is(snoo_isend(ctx, buf, 1, 0, 0, NULL), -EINVAL, "no request");
	proof_is(snoo_irecv(ctx, buf, 1, 0, 0, NULL), -EINVAL, "no request");
	proof_is(snoo_test(ctx, NULL, &done, NULL), -EINVAL, "no request");
	proof_is(snoo_test(ctx, &r, &done, NULL), 0, "a NULL request");
	proof_is(done, 1, "a NULL request is complete");
	proof_is(snoo_wait(ctx, &r, NULL), 0, "wait for a NULL request");
	proof_is(snoo_waitall(ctx, 0, NULL, NULL), 0, "wait for none");
	proof_is(snoo_waitany(ctx, 1, &r, &which, NULL), 0, "any of NULL");
	proof_is(which, -1, "none of them");
	proof_is(snoo_cancel(ctx, &r), -EINVAL, "cancel NULL");
	proof_is(snoo_iprobe(ctx, 0, 0, NULL, NULL), -EINVAL, "no answer");
	proof_is(snoo_set_timeout(ctx, -1), -EINVAL, "a negative time limit");
	proof_is(snoo_rank(NULL), -EINVAL, "rank of no context");
	proof_is(snoo_size(NULL), -EINVAL, "size of no context");
	proof_is(snoo_barrier(NULL), -EINVAL, "barrier of no context");
	proof_is(snoo_finalize(NULL), 0, "finalize of no context");
}

static void native_truncation(struct snoo *ctx)
{
	char in[9] = "........", out[] = "abcdefgh";
	struct snoo_status st;

	proof_must(snoo_send(ctx, out, 8, 0, 1), "snoo_send");
	proof_is(snoo_recv(ctx, in, 3, 0, 1, &st), -EMSGSIZE, "truncation");
	if (memcmp(in, "abc.....", 8) || st.count != 3 || st.tag != 1)
		proof_die(PROOF_WRONG, "truncation left \"%s\"", in);
	/* The rest is lost, the next message is not. */
	proof_must(snoo_send(ctx, out + 1, 2, 0, 1), "snoo_send");
	proof_must(snoo_recv(ctx, in, 8, 0, 1, &st), "snoo_recv");
	if (memcmp(in, "bc", 2) || st.count != 2)
		proof_die(PROOF_WRONG, "after a truncation: \"%s\"", in);
}

static void native_timeout(struct snoo *ctx)
{
	struct snoo_request *r;
	char c;

	proof_must(snoo_set_timeout(ctx, 1000000), "snoo_set_timeout");
	proof_is(snoo_recv(ctx, &c, 1, 0, 1, NULL), -ETIMEDOUT, "nothing came");
	proof_is(snoo_probe(ctx, 0, 1, NULL), -ETIMEDOUT, "nothing came");
	proof_must(snoo_irecv(ctx, &c, 1, 0, 1, &r), "snoo_irecv");
	proof_is(snoo_wait(ctx, &r, NULL), -ETIMEDOUT, "nothing came");
	proof_is(r != NULL, 1, "the request stays valid");
	proof_must(snoo_send(ctx, "!", 1, 0, 1), "snoo_send");
	proof_is(snoo_wait(ctx, &r, NULL), 0, "now it has");
	proof_is(c, '!', "the byte");
}

static void native(void)
{
	struct snoo *ctx;

	native_joining();
	ctx = proof_join(job);
	native_calls(ctx);
	native_truncation(ctx);
	native_timeout(ctx);
	proof_leave(ctx);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	proof_begin("misuse");
	if (strcmp(what, "handler") == 0) {
		with_handler();
		return 0;
	}
	if (strcmp(what, "native") == 0) {
		native();
		return 0;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(what, cases[i].name) == 0) {
			cases[i].run();
			return 9;
		}
	}
	proof_die(PROOF_USAGE, "see the head of the source");
}
