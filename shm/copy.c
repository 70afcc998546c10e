/* SPDX-License-Identifier: MIT */
/* copy.c - copies between private memory and a block */

#include "shm/copy.h"

#include <string.h>

#include "shm/cpu.h"

#define COPY_LINE	64u
#define COPY_SMALL	1024u	/* below, memcpy() uses vectors by itself */

void shm_copy(void *to, const void *from, size_t n)
{
	unsigned char *d = to;
	const unsigned char *s = from;
	size_t i = 0;

	if (CPU_COPY_BY_LINES && n >= COPY_SMALL) {
		for (; i + COPY_LINE <= n; i += COPY_LINE)
			cpu_copy_line(d + i, s + i);
	}
	if (n > i)
		memcpy(d + i, s + i, n - i);
}

void shm_copy_far(void *to, const void *from, size_t n)
{
	unsigned char *d = to;
	const unsigned char *s = from;
	size_t i = 0;

	for (; i + COPY_LINE <= n; i += COPY_LINE)
		cpu_stream_line(d + i, s + i);
	if (n > i)
		memcpy(d + i, s + i, n - i);
	cpu_stream_fence();
}
