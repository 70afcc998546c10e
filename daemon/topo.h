/* SPDX-License-Identifier: MIT */
/*
 * topo.h - cores, clusters, NUMA nodes of this machine; the only hwloc user
 *
 * cpu:		the kernel's number of a hardware thread, 0 .. TOPO_CPUS - 1
 * core:	0 .. topo_cores() - 1; hardware threads of a core share it
 * cluster:	0 .. topo_clusters() - 1: cores that share a last-level cache
 *		(where there is none: a NUMA node's cores)
 * node:	0 .. topo_nodes() - 1, in the order of the machine, not the
 *		kernel's number (topo_node_os() tells it)
 *
 * Everything is read once in topo_open(); the getters never fail and never
 * allocate.  Threads: any, on an open topo.
 */
#ifndef DAEMON_TOPO_H
#define DAEMON_TOPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOPO_CPUS	1024u

/* Plain bits: cpu n is bit n % 64 of word[n / 64]. */
struct topo_set {
	uint64_t word[TOPO_CPUS / 64];
};

void topo_set_zero(struct topo_set *s);
void topo_set_add(struct topo_set *s, unsigned int cpu);
void topo_set_del(struct topo_set *s, unsigned int cpu);
bool topo_set_has(const struct topo_set *s, unsigned int cpu);
bool topo_set_empty(const struct topo_set *s);
bool topo_set_equal(const struct topo_set *a, const struct topo_set *b);
unsigned int topo_set_count(const struct topo_set *s);
void topo_set_and(struct topo_set *s, const struct topo_set *other);
/* The next cpu at or above @from; TOPO_CPUS if there is none. */
unsigned int topo_set_next(const struct topo_set *s, unsigned int from);

/* "0-3,8": at least 4 bytes at @buf; ends in "..." where it does not fit. */
const char *topo_set_format(const struct topo_set *s, char *buf, size_t len);
/* The reverse.  0, or -EINVAL (not a list) or -ERANGE (cpu too large). */
int topo_set_parse(struct topo_set *s, const char *list);

/* The affinity of a process or thread (0: the caller), and pinning it to one
 * cpu.  0 or -errno of the system call. */
int topo_set_of(struct topo_set *s, int pid);
int topo_pin(int pid, unsigned int cpu);
int topo_confine(int pid, const struct topo_set *s);

struct topo;

/**
 * topo_open() - Read the machine
 *
 * Return: 0 on success, negative error code otherwise
 *	-ENOMEM, or -ENOTSUP: hwloc could not read this machine
 */
int topo_open(struct topo **out);

/* A machine from hwloc's synthetic language, "numa:2 l3:1 core:4 pu:1": for
 * tests and for planning.  -EINVAL: the description is no machine. */
int topo_open_synthetic(struct topo **out, const char *description);

/* Release everything; NULL is allowed. */
void topo_close(struct topo *t);

unsigned int topo_cpus(const struct topo *t);
/* Above the number of each of them: some may be offline, or not be ours. */
unsigned int topo_cpus_end(const struct topo *t);
unsigned int topo_cores(const struct topo *t);
unsigned int topo_clusters(const struct topo *t);
unsigned int topo_nodes(const struct topo *t);
unsigned int topo_packages(const struct topo *t);

/* cpus that are online and that the daemon's cgroup permits */
const struct topo_set *topo_online(const struct topo *t);

/* Where a cpu is; 0 for a cpu that the machine does not have. */
unsigned int topo_core_of(const struct topo *t, unsigned int cpu);
unsigned int topo_cluster_of(const struct topo *t, unsigned int cpu);
unsigned int topo_node_of(const struct topo *t, unsigned int cpu);
/* 0 for the first hardware thread of a core, 1 for its sibling, ... */
unsigned int topo_thread_of(const struct topo *t, unsigned int cpu);

/**
 * topo_order() - All online cpus, near ones side by side
 * @n:	Number of cpus
 *
 * Cluster by cluster; in a cluster first one thread of each core, then the
 * siblings.  Valid until topo_close().
 */
const unsigned int *topo_order(const struct topo *t, unsigned int *n);

unsigned int topo_node_os(const struct topo *t, unsigned int node);
uint64_t topo_node_bytes(const struct topo *t, unsigned int node);

/**
 * topo_bind_node() - Bind a mapping that is not touched yet to one node
 * @addr:	Page-aligned
 * @node:	0 .. topo_nodes() - 1
 *
 * On a machine with one node there is nothing to choose: 0, no system call.
 *
 * Return: 0, -EINVAL (no such node), or -errno of mbind(2)
 */
int topo_bind_node(const struct topo *t, void *addr, size_t len,
		   unsigned int node);

/* "2 cores, 2 threads, 1 cluster, 1 NUMA node, 1 package" */
const char *topo_describe(const struct topo *t, char *buf, size_t len);
/* "cpu 3 (core 1, cluster 0, node 0)" */
const char *topo_describe_cpu(const struct topo *t, unsigned int cpu,
			      char *buf, size_t len);

#endif
