/* SPDX-License-Identifier: MIT */
/*
 * vm_name.c - what a QEMU's command line calls its VM
 */
#include "daemon/vm_name.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CMDLINE_MAX	(128u * 1024u)	/* libvirt's have some 10 KiB */

/* One part of "guest=NAME,process=x,debug-threads=on", up to its comma; a
 * doubled comma stands for one, which no name of ours may have. */
static bool take_part(const char *part, size_t len,
		      char name[CONF_NAME_MAX + 1])
{
	static const char key[] = "guest=";

	if (len > strlen(key) && strncmp(part, key, strlen(key)) == 0) {
		part += strlen(key);
		len -= strlen(key);
	} else if (memchr(part, '=', len)) {
		return false;
	}
	if (len == 0 || len > CONF_NAME_MAX)
		return false;
	memcpy(name, part, len);
	name[len] = '\0';
	return conf_name_ok(name);
}

static int take_value(const char *value, char name[CONF_NAME_MAX + 1])
{
	while (*value) {
		size_t len = strcspn(value, ",");

		if (take_part(value, len, name))
			return 0;
		value += len + (value[len] == ',');
	}
	return -ENOENT;
}

int vm_name_of(const char *cmdline, size_t len, char name[CONF_NAME_MAX + 1])
{
	const char *end = cmdline + len;
	bool next = false;

	/* The last one without a NUL was cut off. */
	for (const char *arg = cmdline; arg < end;) {
		size_t n = strnlen(arg, (size_t)(end - arg));

		if (arg + n == end)
			break;
		if (next)
			return take_value(arg, name);
		next = strcmp(arg, "-name") == 0 || strcmp(arg, "--name") == 0;
		arg += n + 1;
	}
	return -ENOENT;
}

static int read_name(pid_t pid, char name[CONF_NAME_MAX + 1])
{
	char path[40], *text;
	size_t len = 0;
	ssize_t n = 0;
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	text = malloc(CMDLINE_MAX);
	while (text && len < CMDLINE_MAX &&
	       (n = read(fd, text + len, CMDLINE_MAX - len)) > 0)
		len += (size_t)n;
	close(fd);
	ret = text ? vm_name_of(text, len, name) : -ENOMEM;
	free(text);
	return ret;
}

/* "vm-3" is slot 3's own. */
static bool is_ours(const char *name)
{
	if (strncmp(name, "vm-", 3) != 0 || !name[3])
		return false;
	for (const char *p = name + 3; *p; p++)
		if (!isdigit((unsigned char)*p))
			return false;
	return true;
}

/* Numbers are slots: `evict 3` must mean one thing. */
static bool is_number(const char *name)
{
	return strspn(name, "0123456789") == strlen(name);
}

static bool is_taken(const struct vm *vm, const char *name)
{
	const struct domain *d = vm->dom;

	for (uint32_t i = 1; i < d->slots; i++)
		if (d->vm[i] != vm && d->vm[i]->control &&
		    strcmp(d->vm[i]->led.name, name) == 0)
			return true;
	return false;
}

void vm_take_name(struct vm *vm)
{
	char name[CONF_NAME_MAX + 1] = "";

	_Static_assert(sizeof(name) <= LEDGER_NAME, "a name fits its cell");
	memset(vm->led.name, 0, sizeof(vm->led.name));
	if (read_name(vm->led.pid, name) == 0 && !is_ours(name) &&
	    !is_number(name) && !is_taken(vm, name))
		memcpy(vm->led.name, name, strlen(name));
	else
		snprintf(vm->led.name, sizeof(vm->led.name), "vm-%u",
			 vm->slot);
}
