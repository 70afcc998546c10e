/* SPDX-License-Identifier: MIT */
/*
 * guest_sys.h - sysfs, /dev and modules, with roots that a test can move
 */
#ifndef DAEMON_GUEST_SYS_H
#define DAEMON_GUEST_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_SYS_PATH	320u

/** struct guest_sys - Where things are, and what has an effect there */
struct guest_sys {
	const char *sysfs;		/* "/sys" */
	const char *dev;		/* "/dev" */
	const char *proc;		/* "/proc" */
	/* Write @text to a file: 0 or -errno.  A fake kernel acts here. */
	int (*write)(const struct guest_sys *sys, const char *path,
		     const char *text);
	/* Load modules, NULL at the end: 0, or -errno. */
	int (*load)(const struct guest_sys *sys, const char *const *modules);
};

extern const struct guest_sys guest_sys_real;

/* A path that is printed: false if it is too long. */
bool guest_sys_path(char path[GUEST_SYS_PATH], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The first bytes of a file, NUL-terminated; the length or -errno. */
int guest_sys_read(const char *path, char *buf, size_t size);

/* One number, in any base that C writes: 0 or -errno. */
int guest_sys_number(const char *path, uint64_t *value);

/* The last part of what a link points to; "" if there is no link. */
void guest_sys_link(const char *path, char *buf, size_t size);

#endif /* DAEMON_GUEST_SYS_H */
