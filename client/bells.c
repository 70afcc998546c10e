/* SPDX-License-Identifier: MIT */
/*
 * bells.c - eventfds instead of futexes, in a job that spans kernels
 *
 * Theory of operation
 * ===================
 *
 * One eventfd may wake several ranks, and may be rung by many.  So nobody
 * reads one: whoever read it would take the ring from those it shares it with.
 * Each sleeper has an epoll instance of its own with EPOLLET on each eventfd
 * that it listens to, and is told of every write by that.  The counters only
 * grow; at one a nanosecond they would do so for five hundred years.
 *
 * A rank listens from its first BELLS on.  It changes how it sleeps while it
 * is awake: doze() of wait.c chooses once, before it arms, and a message that
 * is read while it is armed ends that doze.  Who saw the old mode published
 * before, so the look after the next arming finds it (edge SLEEP).
 *
 * Ordering edges
 * ==============
 *
 *   edge   one end                     other end                  so that
 *   BELL   reach: write(2), after      sleep: epoll_pwait2(2),    a ring ends the
 *          the wait word was loaded    after clear, arm, look     sleep it is meant
 *                                                                 for
 *
 * The kernel orders the two: a write puts the eventfd on the list of each
 * epoll instance under a lock, and a sleeper looks at that list under the same
 * lock before it sleeps.
 *
 * Shared eventfds are hostile: any holder may fill the counter, and may take
 * O_NONBLOCK off the description that all of us share.  So a full one is not
 * written: we say RING, and the daemon's thread, or a sleeper after its second
 * (bells_unstick()), empties it.  What is lost is bells of that domain.
 */

#include "client/bells.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S	UINT64_C(1000000000)
#define NS_PER_MS	UINT64_C(1000000)
#define EVENTS		64	/* taken in one go */

/** struct bell - An eventfd that wakes one or several of our partners */
struct bell {
	int fd;
	uint32_t users;		/* peers that point here */
};

/* ---- what we are told ---- */

static void put_bell(struct bell *b)
{
	if (!b || --b->users > 0)
		return;
	close(b->fd);
	free(b);
}

static void stop_listening(struct snoo *ctx)
{
	struct bells *b = &ctx->bells;

	for (uint32_t i = 0; i < b->listening; i++) {
		/*
		 * close(2) alone would not do: the daemon has the same open
		 * file, and the kernel goes by that.
		 */
		epoll_ctl(b->epoll, EPOLL_CTL_DEL, b->fd[i], NULL);
		close(b->fd[i]);
	}
	b->listening = 0;
}

static void forget_all(struct snoo *ctx)
{
	stop_listening(ctx);
	for (uint32_t i = 0; i < ctx->capacity; i++) {
		put_bell(ctx->peers[i].bell);
		ctx->peers[i].bell = NULL;
	}
}

static bool listen_to(struct bells *b, int fd)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	int *more;

	if (b->epoll < 0)
		b->epoll = epoll_create1(EPOLL_CLOEXEC);
	more = realloc(b->fd, (b->listening + 1) * sizeof(*more));
	if (!more)
		return false;
	b->fd = more;
	if (b->epoll < 0 || epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &e))
		return false;
	b->fd[b->listening++] = fd;
	return true;
}

static struct bell *new_bell(struct session_fds *fds, uint32_t i)
{
	struct bell *b = malloc(sizeof(*b));

	if (!b)
		return NULL;
	b->fd = fds->fd[i];
	b->users = 0;
	fds->fd[i] = -1;
	return b;
}

static bool well_formed(const struct snoo *ctx,
			const struct snoo_wire_bells *m, uint32_t length,
			const struct session_fds *fds)
{
	if (length < sizeof(*m) || m->count > SNOO_WIRE_LIST ||
	    length - sizeof(*m) != m->count * sizeof(m->bell[0]))
		return false;
	if (m->flags & ~(SNOO_WIRE_BELLS_ALL | SNOO_WIRE_BELLS_POLL))
		return false;
	if (fds->n > SNOO_WIRE_FDS || m->listen > SNOO_WIRE_FDS)
		return false;
	/* Fewer than were sent is no fault of the daemon's: we have no room. */
	if (m->listen > fds->n && !fds->cut)
		return false;
	for (uint32_t i = 0; i < m->count; i++) {
		uint32_t last = fds->cut ? SNOO_WIRE_FDS : fds->n;

		if (m->bell[i].rank >= ctx->capacity || last < m->listen ||
		    m->bell[i].fd >= last - m->listen)
			return false;
	}
	return true;
}

/* How many there was no fd, or no memory, for. */
static uint32_t take_partners(struct snoo *ctx,
			      const struct snoo_wire_bells *m,
			      struct session_fds *fds)
{
	struct bell *made[SNOO_WIRE_FDS] = { NULL };
	uint32_t missing = 0;

	for (uint32_t i = 0; i < m->count; i++) {
		struct peer *p = &ctx->peers[m->bell[i].rank];
		uint32_t at = m->listen + m->bell[i].fd;
		struct bell *old = p->bell;

		if (!made[at] && at < fds->n)
			made[at] = new_bell(fds, at);
		p->bell = made[at];
		if (p->bell)
			p->bell->users++;
		else
			missing++;
		/*
		 * Afterwards: it may be the same.  One that is named in every
		 * entry of a vector replaces its forerunner, which goes here.
		 */
		put_bell(old);
	}
	return missing;
}

bool bells_heard(struct snoo *ctx, const struct snoo_wire_bells *m,
		 uint32_t length, struct session_fds *fds)
{
	struct bells *b = &ctx->bells;
	uint32_t missing = 0;

	if (!well_formed(ctx, m, length, fds))
		return false;
	if (m->flags & SNOO_WIRE_BELLS_ALL)
		forget_all(ctx);
	if (m->flags & SNOO_WIRE_BELLS_ALL || !b->on)
		b->poll = false;
	if (m->flags & SNOO_WIRE_BELLS_POLL)
		b->poll = true;
	for (uint32_t i = 0; i < m->listen; i++) {
		if (i < fds->n && listen_to(b, fds->fd[i])) {
			fds->fd[i] = -1;
			continue;
		}
		/* Somebody will ring where nobody listens. */
		b->poll = true;
		missing++;
	}
	missing += take_partners(ctx, m, fds);
	shm_count(ctx->me, SHM_COUNT_bells_missing, missing);
	if (b->listening == 0)
		b->poll = true;
	b->on = true;
	return true;
}

/* ---- waking others ---- */

/*
 * Not if the counter is full: where O_NONBLOCK was taken off, the write would
 * wait for a reader, and there is none.  Whoever fills it between the two calls
 * makes us wait until a sleeper, or the daemon, empties it.
 */
static bool write_bell(const struct bell *b)
{
	static const uint64_t one = 1;
	struct pollfd p = { .fd = b->fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && p.revents & POLLOUT &&
	       write(b->fd, &one, sizeof(one)) == sizeof(one);
}

void bells_reach(struct snoo *ctx, struct peer *p, enum shm_wake wake)
{

	if (wake == SHM_WAKE_FUTEX) {
		int ret = hal_ring(ctx->hal, p->slot, SNOO_ABI_BELL_DATA);

		/* It may have been one of our own kernel, or not. */
		if (!ctx->bells.on && ret != -EOPNOTSUPP)
			return;
	} else if (p->bell && write_bell(p->bell)) {
		shm_count(ctx->me, SHM_COUNT_bells_rung, 1);
		return;
	}
	session_ring(ctx, p);
}

/* ---- sleeping ---- */

void bells_clear(struct snoo *ctx)
{
	struct epoll_event e[EVENTS];

	/* Each eventfd is told once, however often it is rung meanwhile. */
	for (uint32_t i = 0; i < ctx->bells.listening; i += EVENTS) {
		if (epoll_wait(ctx->bells.epoll, e, EVENTS, 0) < EVENTS)
			return;
	}
}

static int wait_ns(int epoll, struct epoll_event *e, uint64_t ns)
{
	uint64_t ms = ns / NS_PER_MS + (ns % NS_PER_MS != 0);
#ifdef SYS_epoll_pwait2
	struct timespec t = {
		.tv_sec = (time_t)(ns / NS_PER_S),
		.tv_nsec = (long)(ns % NS_PER_S),
	};
	long n = syscall(SYS_epoll_pwait2, epoll, e, EVENTS, &t, NULL, 0);

	/* Linux before 5.11, or a filter that does not know it. */
	if (n >= 0 || (errno != ENOSYS && errno != EPERM))
		return (int)n;
#endif
	/* Up: what ends too early is not a time-out. */
	return epoll_wait(epoll, e, EVENTS, ms > INT32_MAX ? -1 : (int)ms);
}

int bells_sleep(struct snoo *ctx, uint64_t timeout_ns)
{
	struct epoll_event e[EVENTS];
	/* BELL, sleeper's side. */
	int n = wait_ns(ctx->bells.epoll, e, timeout_ns);

	if (n < 0)
		return -errno;
	return n > 0 ? 0 : -ETIMEDOUT;
}

void bells_unstick(struct snoo *ctx)
{
	for (uint32_t i = 0; i < ctx->bells.listening; i++) {
		struct pollfd p = {
			.fd = ctx->bells.fd[i], .events = POLLOUT,
		};
		uint64_t count;
		struct iovec iov = { &count, sizeof(count) };

		/*
		 * One that takes a ring is left alone: a read would take it
		 * from those that share it.  RWF_NOWAIT: somebody else may
		 * have emptied it, and O_NONBLOCK may be gone.
		 */
		if (poll(&p, 1, 0) < 0 || p.revents & POLLOUT)
			continue;
		if (preadv2(p.fd, &iov, 1, -1, RWF_NOWAIT) > 0)
			shm_count(ctx->me, SHM_COUNT_bells_full, 1);
	}
}

void bells_fini(struct snoo *ctx)
{
	struct bells *b = &ctx->bells;

	/*
	 * No EPOLL_CTL_DEL: in a forked child the epoll instance is still the
	 * parent's to listen with.
	 */
	for (uint32_t i = 0; i < b->listening; i++)
		close(b->fd[i]);
	b->listening = 0;
	free(b->fd);
	b->fd = NULL;
	if (b->epoll >= 0)
		close(b->epoll);
	b->epoll = -1;
	b->on = false;
	b->poll = false;
	for (uint32_t i = 0; ctx->peers && i < ctx->capacity; i++) {
		put_bell(ctx->peers[i].bell);
		ctx->peers[i].bell = NULL;
	}
}
