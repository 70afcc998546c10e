/* SPDX-License-Identifier: MIT */
/*
 * pool_file.c - a pool that is a file with a path, on hugetlbfs or tmpfs
 */
#include "daemon/pool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SUFFIX ".pool"

static int fail(int error, char *why, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(int error, char *why, const char *path, const char *fmt, ...)
{
	size_t at = (size_t)snprintf(why, POOL_FILE_TEXT,
				     "pool.path %.100s: ", path);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why + at, POOL_FILE_TEXT - at, fmt, ap);
	va_end(ap);
	return error;
}

static int check_pages(const char *path, const struct statfs *fs,
		       enum conf_huge want, bool *huge, char *why)
{
	*huge = fs->f_type == HUGETLBFS_MAGIC;
	if (!*huge && fs->f_type != TMPFS_MAGIC)
		return fail(-EINVAL, why, path,
			    "must be on hugetlbfs or "
			    "tmpfs");
	if (*huge && (uint64_t)fs->f_bsize != POOL_FILE_HUGE)
		return fail(-EINVAL, why, path,
			    "this hugetlbfs has pages of "
			    "%llu KiB: mount one with pagesize=2M",
			    (unsigned long long)fs->f_bsize / 1024);
	if (*huge && want == CONF_HUGE_NEVER)
		return fail(-EINVAL, why, path,
			    "is on hugetlbfs, and "
			    "pool.huge_pages says never");
	if (!*huge && want == CONF_HUGE_REQUIRE)
		return fail(-EINVAL, why, path,
			    "is on tmpfs, and "
			    "pool.huge_pages says require");
	return 0;
}

int pool_file_system(const char *path, enum conf_huge want, bool *huge,
		     char why[POOL_FILE_TEXT])
{
	const char *slash = strrchr(path, '/');
	size_t len = strlen(path);
	char dir[POOL_FILE_PATH];
	struct statfs fs;
	int ret;

	if (!slash || len >= sizeof(dir) || len <= strlen(SUFFIX) ||
	    strcmp(path + len - strlen(SUFFIX), SUFFIX) != 0)
		return fail(-EINVAL, why, path,
			    "its name must end in "
			    "\"" SUFFIX "\"");
	memcpy(dir, path, (size_t)(slash - path) + 1);
	dir[slash - path + 1] = '\0';
	if (statfs(dir, &fs)) {
		ret = -errno;
		return fail(ret, why, path, "%s", strerror(-ret));
	}
	return check_pages(path, &fs, want, huge, why);
}

static bool same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int remove_stale(const char *path, char *why)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int ret = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		ret = fd < 0 && errno != ELOOP ? -errno : -EEXIST;
		fail(ret, why, path, "%s",
		     ret == -EEXIST ? "something else has that name"
				    : strerror(-ret));
	} else if (flock(fd, LOCK_EX | LOCK_NB)) {
		ret = fail(-EADDRINUSE, why, path, "another daemon serves it");
	} else if (unlink(path) && errno != ENOENT) {
		ret = -errno;
		fail(ret, why, path, "cannot remove an old one: %s",
		     strerror(-ret));
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

/* The same file, opened once more: the lock belongs to that alone. */
static int lock(int fd, const char *path, int *lock_fd, char *why)
{
	char link[40];
	int ret;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	*lock_fd = open(link, O_RDONLY | O_CLOEXEC);
	if (*lock_fd < 0) {
		ret = -errno;
		return fail(ret, why, path, "cannot open it again: %s",
			    strerror(-ret));
	}
	if (flock(*lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	close(*lock_fd);
	*lock_fd = -1;
	return fail(-EADDRINUSE, why, path, "another daemon serves it");
}

static int make(int fd, const char *path, uint32_t mode, uint32_t gid,
		int *lock_fd, char *why)
{
	int ret = lock(fd, path, lock_fd, why);

	if (ret)
		return ret;
	/* Between the two another daemon may have taken it for an old one. */
	if (!same_file(fd, path))
		return fail(-EADDRINUSE, why, path, "another daemon serves it");
	if ((gid == CONF_NO_GID || fchown(fd, (uid_t)-1, gid) == 0) &&
	    fchmod(fd, mode) == 0)
		return 0;
	ret = -errno;
	return fail(ret, why, path, "cannot set its group and mode: %s",
		    strerror(-ret));
}

int pool_file_create(const char *path, uint32_t mode, uint32_t gid,
		     int *lock_fd, char why[POOL_FILE_TEXT])
{
	int fd, ret;

	*lock_fd = -1;
	ret = remove_stale(path, why);
	if (ret)
		return ret;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		  0600);
	if (fd < 0) {
		ret = -errno;
		return fail(ret, why, path, "%s", strerror(-ret));
	}
	ret = make(fd, path, mode, gid, lock_fd, why);
	if (ret == 0)
		return fd;
	pool_file_remove(fd, path);
	close(fd);
	if (*lock_fd >= 0)
		close(*lock_fd);
	*lock_fd = -1;
	return ret;
}

int pool_file_adopt(int fd, char path[POOL_FILE_PATH], int *lock_fd,
		    char why[POOL_FILE_TEXT])
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, POOL_FILE_PATH);
	path[n > 0 && n < (ssize_t)POOL_FILE_PATH ? n : 0] = '\0';
	/* Removed meanwhile: its kernel name ends in " (deleted)". */
	if (!same_file(fd, path))
		path[0] = '\0';
	return lock(fd, path, lock_fd, why);
}

void pool_file_remove(int fd, const char *path)
{
	if (same_file(fd, path))
		unlink(path);
}
