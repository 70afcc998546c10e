/* SPDX-License-Identifier: MIT */
/*
 * error.h - the error codes of the API: which errno means what
 *
 * Every function of <snoo/snoo.h> returns 0 (or a count) on success and one
 * of these, negated, on failure.  The sentence for each comes from
 * snoo_strerror(); for what went wrong while joining, snoo_last_error() has
 * the whole story.
 *
 *   EINVAL		an argument is out of range: rank, tag, pointer, name
 *   EMSGSIZE		the message was longer than the receive buffer; as much
 *			as fits was delivered, the rest is lost
 *   EOWNERDEAD		the peer died; what it had sent before is delivered first
 *   EPIPE		the peer has finalized: it will not send or receive more
 *   EPROTO		the peer broke the protocol: nothing more is read from it
 *   ETIMEDOUT		the time limit of snoo_set_timeout() passed
 *   ECANCELED		the peer gave the message up half-way (its time limit)
 *   EDEADLK		a blocking send to ourselves above the eager limit with no
 *			receive posted would never end
 *   ESTALE		this process is a fork of the one that joined: join anew
 *   ENOTCONN		the daemon has ended this session
 *   ENODEV		the domain is lost: its memory or its books are damaged
 *   ENOENT		no daemon at the socket
 *   ECONNREFUSED	a socket, but no daemon behind it
 *   EACCES		no permission for the socket
 *   EISCONN		the job of this launch is complete, or ending
 *   EPERM		the daemon cannot see who we are (PID namespace), or may
 *			not give us the core that we wish for
 *   ESHUTDOWN		the daemon is stopping
 *   ECONNABORTED	a rank ended before the job was complete
 *   EADDRINUSE		the rank number is taken
 *   EEXIST		a job of this name is forming with another size
 *   ERANGE		rank number not below the size
 *   ENOSPC		more ranks than the domain allows
 *   EPROTONOSUPPORT	daemon and library speak different versions
 *   ENOMEM		no memory; of a loan: no piece of the pool that large
 *   EAGAIN		of a loan: our share of the pool's traffic is used up for
 *			now; a copy would wait for it
 *   EBUSY		a send from that buffer is not complete
 *   EOPNOTSUPP		a collective in a job without a stated size, or with an
 *			older daemon or library
 */
#ifndef SNOO_ERROR_H
#define SNOO_ERROR_H

#include <errno.h>

#endif /* SNOO_ERROR_H */
