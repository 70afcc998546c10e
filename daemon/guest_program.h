/* SPDX-License-Identifier: MIT */
/*
 * guest_program.h - one program that the host has started, and its streams
 */
#ifndef DAEMON_GUEST_PROGRAM_H
#define DAEMON_GUEST_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <snoo/control.h>

#include "daemon/guest_exec.h"

#define GUEST_PROGRAM_GRACE_MS	2000u	/* from SIGTERM to SIGKILL */

/** struct output - A stream that a program writes */
struct output {
	int fd;				/* -1: ended */
	uint32_t sent;			/* bytes, since its beginning */
	uint32_t passed_on;		/* of them, says the host */
	uint32_t after;			/* bytes, since the program has ended */
};

/** struct program - One of them */
struct program {
	struct program *next;
	uint32_t sid;
	uint32_t uid;			/* who asked, on the host */
	uint32_t as;			/* the user that it runs as */
	pid_t pid;			/* leads its group; 0: it has ended */
	pid_t told_pid;			/* the same, also when it has ended */
	int status;
	bool started_due;		/* the host is to be told of it */
	bool orphan;			/* the host waits for it no more */
	uint64_t kill_ns;		/* when SIGKILL is due; 0: never */
	int in;				/* -1: it reads no more */
	char *input;			/* SNOO_CTL_CREDIT_MAX, a ring */
	uint32_t in_got;		/* bytes, since the beginning */
	uint32_t in_done;		/* of them, written or dropped */
	uint32_t in_told;		/* of them, the host knows */
	bool in_eof;			/* nothing follows in_got */
	struct output out[2];
	uint32_t signals;		/* sent to it */
	bool signals_due;		/* the host is to be told how many */
};

/**
 * guest_program_start() - Start it
 * @out:	NULL on failure
 * @why:	On failure a sentence
 *
 * Return: as guest_exec_start()
 */
int guest_program_start(struct program **out, uint32_t sid, uint32_t uid,
			const struct guest_rules *r, const struct run_words *w,
			char why[GUEST_EXEC_TEXT]);
void guest_program_free(struct program *p);

/* To its group. */
void guest_program_signal(const struct program *p, int sig);

/* Nobody waits for it: SIGTERM now, SIGKILL when kill_ns comes, and what it
 * still writes is thrown away. */
void guest_program_orphan(struct program *p);

/* It was reaped; @status is from waitpid(2). */
void guest_program_ended(struct program *p, int status);

/* What the host says of it.  What was said before, or is out of turn, is
 * dropped; m->stream and m->bytes were checked. */
void guest_program_on_data(struct program *p, const struct snoo_ctl_data *m,
			   const void *bytes);
void guest_program_on_credit(struct program *p,
			     const struct snoo_ctl_credit *m);
void guest_program_on_signal(struct program *p,
			     const struct snoo_ctl_signal *m);

/* Give it what input there is. */
void guest_program_write(struct program *p);

/* How many bytes of output @i (0, 1) the host would take, one message. */
uint32_t guest_program_room(const struct program *p, unsigned int i);

/**
 * guest_program_read() - Read its output, as far as there is room
 * @buf:	SNOO_CTL_DATA_MAX bytes
 *
 * Return: bytes, counted as sent; 0: none now, or (fd -1) none any more
 */
uint32_t guest_program_read(struct program *p, unsigned int i, void *buf);

#endif /* DAEMON_GUEST_PROGRAM_H */
