/* SPDX-License-Identifier: MIT */
/*
 * puncher.c - a rank that punches holes into the pool it was given
 *
 * usage: puncher holes		all of the pool, again and again, until SIGTERM
 *	  puncher huge		the same, and takes and keeps every huge page
 *				that becomes free
 *	  puncher noise		random bytes into all of it, until SIGTERM
 *
 * MADV_REMOVE does what fallocate() with the memfd would do.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/proof.h"

#define HUGE (UINT64_C(2) << 20)

static volatile sig_atomic_t told;

static void on_term(int sig)
{
	(void)sig;
	told = 1;
}

static void doze(void)
{
	struct timespec ts = { 0, 1000000 };

	nanosleep(&ts, NULL);
}

/* What fallocate() does to the fd, done through the mapping. */
static void punch(const struct proof_pool *p)
{
	if (madvise(p->base, p->size, MADV_REMOVE))
		proof_die(PROOF_ERROR, "MADV_REMOVE: %s", strerror(errno));
}

/* What the others touch again is punched and taken again. */
static unsigned int take_huge_pages(void)
{
	unsigned int n = 0;

	while (mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE,
		    -1, 0) != MAP_FAILED)
		n++;
	return n;
}

static void noise(const struct proof_pool *p, uint64_t round)
{
	uint64_t *word = (uint64_t *)(void *)p->base;

	for (uint64_t i = 0; i < p->size / 8 && !told; i++)
		word[i] = proof_mix(i + round);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct sigaction sa = { .sa_handler = on_term };
	struct proof_pool pool;
	unsigned int taken = 0;

	proof_begin("puncher");
	sigaction(SIGTERM, &sa, NULL);
	proof_join("puncher");
	if (proof_pool(&pool))
		proof_die(PROOF_ERROR, "the pool is not to be found");
	printf("puncher: begins\n");
	for (uint64_t i = 0; !told; i++) {
		if (strcmp(what, "noise") == 0)
			noise(&pool, i);
		else
			punch(&pool);
		if (strcmp(what, "huge") == 0)
			taken += take_huge_pages();
		doze();
	}
	printf("puncher: has taken %u huge pages\n", taken);
	printf("puncher: done\n");
	/* The context is not worth leaving. */
	_exit(0);
}
