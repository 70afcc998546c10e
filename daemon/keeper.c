/* SPDX-License-Identifier: MIT */
/*
 * keeper.c - the daemon's side: what was inherited, what is stored
 *
 * Whether systemd or the small process keeps the fds makes no difference
 * here but for a name in the status, and for the pidfd by which the loop
 * learns that the small process is gone.
 */

#include "daemon/keeper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct keeper {
	struct sdnotify *notify;	/* NULL: no store */
	struct sdnotify_fds fds;	/* owns the names */
	struct keeper_fd *left;		/* not taken yet */
	size_t nleft;
	unsigned int stored;
	unsigned int room;		/* 0: unknown */
	int pidfd;			/* of the small process, or -1 */
	char text[96];
};

/* A positive number from the environment, which loses it; 0: none. */
static unsigned long env_number(const char *name)
{
	const char *text = getenv(name);
	unsigned long v = 0;
	char *end;

	if (text && *text >= '0' && *text <= '9') {
		v = strtoul(text, &end, 10);
		if (*end)
			v = 0;
	}
	unsetenv(name);
	return v;
}

/* Who keeps: the small process if it is our parent, else systemd. */
static void recognise(struct keeper *k)
{
	unsigned long pid = env_number(KEEPER_ENV);
	bool stated = getenv("FDSTORE") != NULL;
	unsigned long room = env_number("FDSTORE");

	if (!k->notify) {
		snprintf(k->text, sizeof(k->text),
			 "none: domains end with the daemon");
		return;
	}
	if (pid > 0 && pid == (unsigned long)getppid()) {
		k->room = KEEPER_FDS_MAX;
		k->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
		snprintf(k->text, sizeof(k->text), "keeper process %lu", pid);
		return;
	}
	/* systemd says how many since version 254; 0 means none. */
	if (stated && room == 0) {
		k->notify = NULL;
		snprintf(k->text, sizeof(k->text), "none: the unit's "
			 "FileDescriptorStoreMax is 0");
		return;
	}
	k->room = (unsigned int)room;
	snprintf(k->text, sizeof(k->text), "systemd");
}

int keeper_open(struct keeper **out, struct sdnotify *n)
{
	struct keeper *k;
	int ret;

	*out = NULL;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->notify = n;
	k->pidfd = -1;
	ret = sdnotify_listen_fds(&k->fds);
	if (ret)
		goto out_free;
	k->left = calloc(k->fds.n + 1, sizeof(*k->left));
	if (!k->left) {
		ret = -ENOMEM;
		goto out_fds;
	}
	for (unsigned int i = 0; i < k->fds.n; i++) {
		k->left[i].name = k->fds.fd[i].name;
		k->left[i].fd = k->fds.fd[i].fd;
	}
	k->nleft = k->fds.n;
	k->stored = k->fds.n;
	recognise(k);
	*out = k;
	return 0;

out_fds:
	for (unsigned int i = 0; i < k->fds.n; i++)
		close(k->fds.fd[i].fd);
	sdnotify_fds_fini(&k->fds);
out_free:
	free(k);
	return ret;
}

void keeper_close(struct keeper *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->nleft; i++)
		close(k->left[i].fd);
	if (k->pidfd >= 0)
		close(k->pidfd);
	sdnotify_fds_fini(&k->fds);
	free(k->left);
	free(k);
}

bool keeper_has_store(const struct keeper *k)
{
	return k->notify != NULL;
}

const char *keeper_describe(const struct keeper *k)
{
	return k->text;
}

int keeper_pidfd(const struct keeper *k)
{
	return k->pidfd;
}

void keeper_lost(struct keeper *k)
{
	k->notify = NULL;
	k->stored = 0;
	if (k->pidfd >= 0)
		close(k->pidfd);
	k->pidfd = -1;
	snprintf(k->text, sizeof(k->text), "lost: the keeper process has "
		 "died; domains end with the daemon");
}

unsigned int keeper_stored(const struct keeper *k)
{
	return k->stored;
}

unsigned int keeper_room(const struct keeper *k)
{
	return k->room;
}

int keeper_store(struct keeper *k, const char *name, int fd, bool watch)
{
	int ret;

	if (!k->notify)
		return 0;
	ret = sdnotify_store(k->notify, name, fd, watch);
	if (!ret)
		k->stored++;
	return ret;
}

int keeper_forget(struct keeper *k, const char *name)
{
	int ret;

	if (!k->notify)
		return 0;
	ret = sdnotify_remove(k->notify, name);
	if (!ret && k->stored > 0)
		k->stored--;
	return ret;
}

int keeper_barrier(struct keeper *k, int timeout_ms)
{
	return k->notify ? sdnotify_barrier(k->notify, timeout_ms) : 0;
}

size_t keeper_inherited(const struct keeper *k, const struct keeper_fd **list)
{
	*list = k->left;
	return k->nleft;
}

static struct keeper_fd *find(const struct keeper *k, const char *name)
{
	for (size_t i = 0; i < k->nleft; i++)
		if (strcmp(k->left[i].name, name) == 0)
			return &k->left[i];
	return NULL;
}

int keeper_find(const struct keeper *k, const char *name)
{
	const struct keeper_fd *f = find(k, name);

	return f ? f->fd : -1;
}

int keeper_take(struct keeper *k, const char *name)
{
	struct keeper_fd *f = find(k, name);
	int fd;

	if (!f)
		return -1;
	fd = f->fd;
	k->nleft--;
	/* The order stays: of two equal names the older comes first. */
	memmove(f, f + 1, (size_t)(k->left + k->nleft - f) * sizeof(*f));
	return fd;
}

unsigned int keeper_drop_rest(struct keeper *k)
{
	unsigned int n = (unsigned int)k->nleft;

	for (size_t i = 0; i < k->nleft; i++) {
		close(k->left[i].fd);
		keeper_forget(k, k->left[i].name);
	}
	k->nleft = 0;
	return n;
}
