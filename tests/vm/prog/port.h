/* SPDX-License-Identifier: MIT */
/*
 * port.h - lines and words between a guest's agent and the host
 *
 * A line is words with one space between them.  Bytes of a word that are not
 * printable, spaces and backslashes travel as \xx, so that a line that was cut
 * off by a reboot ends at the next newline and spoils nothing after it.
 *
 *   host to guest                     guest to host
 *   WELCOME NONCE                     HELLO NONCE
 *   ID run UID PROGRAM ARGUMENT...    ID pid N
 *   ID in BYTES, ID eof               ID out BYTES, ID err BYTES
 *   ID kill SIGNAL, ID drop           ID end STATUS
 *
 * The agent heeds nothing before the WELCOME with its own NONCE, and the host
 * forgets all sessions at a HELLO.
 */
#ifndef TESTS_VM_PORT_H
#define TESTS_VM_PORT_H

#include <stdbool.h>
#include <stddef.h>

#define PORT_LINE	(256u * 1024)	/* bytes of a line */
#define PORT_CHUNK	4096u		/* bytes of a program's output in one */
#define PORT_WORDS	256		/* of a line */

/** struct port - A descriptor that is read by lines */
struct port {
	int fd;
	size_t used, taken;
	char bytes[PORT_LINE];
};

_Noreturn void port_die(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/** port_fill() - Read once; false: end of file or an error */
bool port_fill(struct port *p);

/** port_line() - The next whole line, without its newline; NULL: none yet.
 * Valid until port_fill(). */
char *port_line(struct port *p);

/** port_split() - Cut a line in place; the number of words */
int port_split(char *line, char *words[PORT_WORDS]);

/** port_plain() - Undo the escapes of a word in place; its bytes */
size_t port_plain(char *word);

/** port_put() - All of it, also to a descriptor that does not block */
bool port_put(int fd, const void *bytes, size_t n);

/** port_say() - One line, already escaped */
bool port_say(int fd, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** port_word() - @bytes escaped, in @out of 3 * @n + 1 bytes; its end */
char *port_word(char *out, const void *bytes, size_t n);

/** port_listen(), port_dial() - A Unix socket */
int port_listen(const char *path);
int port_dial(const char *path);

#endif /* TESTS_VM_PORT_H */
