/* SPDX-License-Identifier: MIT */
/*
 * fuzz_conf.c - any bytes as a configuration: refused with a reason, or taken
 *
 * What was taken must come back the same from its own dump.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>

#include "daemon/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_of(const void *data, size_t size, char path[40])
{
	int fd = memfd_create("conf", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, 40, "/proc/self/fd/%d", fd);
	return fd;
}

/* A configuration that is in force, said again. */
static void again(const struct conf *c)
{
	json_t *dump = conf_dump(c);
	char *text = dump ? json_dumps(dump, 0) : NULL;
	struct conf_change *change;
	struct conf *second;
	char path[40], *errors;
	unsigned int n;
	int fd;

	if (!text)
		abort();
	fd = file_of(text, strlen(text), path);
	if (conf_load(&second, path, NULL, &errors)) {
		fprintf(stderr, "%s\n%s\n", text, errors);
		abort();
	}
	if (conf_diff(c, second, &change, &n) || n) {
		fprintf(stderr, "%s\n%u differences\n", text, n);
		abort();
	}
	conf_diff_free(change, n);
	conf_close(second);
	close(fd);
	free(text);
	json_decref(dump);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *c;
	char path[40], *errors;
	int fd = file_of(data, size, path);

	if (conf_load(&c, path, NULL, &errors)) {
		/* A refusal says why. */
		if (!errors || !*errors || c)
			abort();
		free(errors);
	} else {
		again(c);
		conf_close(c);
	}
	close(fd);
	return 0;
}
