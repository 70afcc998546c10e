/* SPDX-License-Identifier: MIT */
/*
 * guest_sys.c - sysfs, /dev and modules, with roots that a test can move
 */

#include "daemon/guest_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODULES_MAX 8u

bool guest_sys_path(char path[GUEST_SYS_PATH], const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, GUEST_SYS_PATH, fmt, ap);
	va_end(ap);
	return n >= 0 && n < (int)GUEST_SYS_PATH;
}

int guest_sys_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	buf[0] = '\0';
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	else
		buf[n] = '\0';
	close(fd);
	return (int)n;
}

int guest_sys_number(const char *path, uint64_t *value)
{
	char text[64], *end;
	int n = guest_sys_read(path, text, sizeof(text));

	if (n < 0)
		return n;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return errno || end == text || (*end && *end != '\n') ? -EINVAL : 0;
}

void guest_sys_link(const char *path, char *buf, size_t size)
{
	char target[GUEST_SYS_PATH];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	const char *last;

	buf[0] = '\0';
	if (n < 0)
		return;
	target[n] = '\0';
	last = strrchr(target, '/');
	snprintf(buf, size, "%s", last ? last + 1 : target);
}

static int write_text(const struct guest_sys *sys, const char *path,
		      const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	(void)sys;
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* The kernel knows which program loads modules. */
static int load_modules(const struct guest_sys *sys, const char *const *modules)
{
	static char *const no_environment[] = {
		(char *)(uintptr_t) "PATH=/sbin:/usr/sbin:/bin:/usr/bin", NULL
	};
	char path[GUEST_SYS_PATH], program[128];
	char *argv[MODULES_MAX + 5];
	int argc = 0, status, ret;
	pid_t pid;

	if (!guest_sys_path(path, "%s/sys/kernel/modprobe", sys->proc) ||
	    guest_sys_read(path, program, sizeof(program)) < 0)
		return -ENOENT;
	program[strcspn(program, "\n")] = '\0';
	argv[argc++] = program;
	argv[argc++] = (char *)(uintptr_t) "-q";
	argv[argc++] = (char *)(uintptr_t) "-a";
	argv[argc++] = (char *)(uintptr_t) "--";
	while (*modules && argc < (int)MODULES_MAX + 4)
		argv[argc++] = (char *)(uintptr_t)*modules++;
	argv[argc] = NULL;
	ret = posix_spawn(&pid, program, NULL, NULL, argv, no_environment);
	if (ret)
		return -ret;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOENT;
}

const struct guest_sys guest_sys_real = {
	.sysfs = "/sys",
	.dev = "/dev",
	.proc = "/proc",
	.write = write_text,
	.load = load_modules,
};
