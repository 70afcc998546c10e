/* SPDX-License-Identifier: MIT */
/*
 * topo.c - cores, clusters, NUMA nodes of this machine; the only hwloc user
 *
 * hwloc reads the machine once; what the daemon asks all day is copied into
 * plain arrays by cpu number.  The hwloc handle stays for binding memory.
 */
#include "daemon/topo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hwloc.h>

struct topo_cpu {
	uint16_t core;
	uint16_t cluster;
	uint16_t node;
	uint16_t thread;
};

struct topo {
	hwloc_topology_t hwloc;
	struct topo_set online;
	struct topo_cpu cpu[TOPO_CPUS];
	unsigned int order[TOPO_CPUS];
	unsigned int cpus, cores, clusters, nodes, packages;
};

static unsigned int count(hwloc_topology_t h, hwloc_obj_type_t type)
{
	int n = hwloc_get_nbobjs_by_type(h, type);

	return n > 0 ? (unsigned int)n : 0;
}

/*
 * The objects that cpus are numbered by: objects of one type, else one for
 * the whole machine.  A core's number is the index of the object that holds
 * it, so numbers are dense and in the machine's order.
 */
static unsigned int number_by(struct topo *t, hwloc_obj_type_t type,
			      void (*set)(struct topo_cpu *, uint16_t))
{
	unsigned int n = count(t->hwloc, type);

	for (unsigned int i = 0; i < n; i++) {
		hwloc_obj_t obj = hwloc_get_obj_by_type(t->hwloc, type, i);

		for (unsigned int c = topo_set_next(&t->online, 0);
		     c < TOPO_CPUS; c = topo_set_next(&t->online, c + 1))
			if (hwloc_bitmap_isset(obj->cpuset, c))
				set(&t->cpu[c], (uint16_t)i);
	}
	return n;
}

static void set_core(struct topo_cpu *c, uint16_t n)
{
	c->core = n;
}

static void set_cluster(struct topo_cpu *c, uint16_t n)
{
	c->cluster = n;
}

static void set_node(struct topo_cpu *c, uint16_t n)
{
	c->node = n;
}

/* Which thread of its core each cpu is, in the order of cpu numbers. */
static void number_threads(struct topo *t)
{
	uint16_t seen[TOPO_CPUS] = { 0 };

	for (unsigned int c = topo_set_next(&t->online, 0); c < TOPO_CPUS;
	     c = topo_set_next(&t->online, c + 1))
		t->cpu[c].thread = seen[t->cpu[c].core]++;
}

/* A machine without cores or caches in its description still has places. */
static unsigned int number_cores(struct topo *t)
{
	unsigned int n = number_by(t, HWLOC_OBJ_CORE, set_core);

	return n ? n : number_by(t, HWLOC_OBJ_PU, set_core);
}

static unsigned int number_clusters(struct topo *t)
{
	static const hwloc_obj_type_t type[] = {
		HWLOC_OBJ_L3CACHE, HWLOC_OBJ_NUMANODE, HWLOC_OBJ_PACKAGE,
	};
	unsigned int n;

	for (size_t i = 0; i < sizeof(type) / sizeof(type[0]); i++) {
		n = number_by(t, type[i], set_cluster);
		if (n)
			return n;
	}
	return 1;
}

static int by_nearness(const void *a, const void *b, void *arg)
{
	unsigned int x = *(const unsigned int *)a;
	unsigned int y = *(const unsigned int *)b;
	const struct topo *t = arg;
	const struct topo_cpu *p = &t->cpu[x], *q = &t->cpu[y];

	if (p->node != q->node)
		return p->node < q->node ? -1 : 1;
	if (p->cluster != q->cluster)
		return p->cluster < q->cluster ? -1 : 1;
	if (p->thread != q->thread)
		return p->thread < q->thread ? -1 : 1;
	if (p->core != q->core)
		return p->core < q->core ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int learn(struct topo *t)
{
	hwloc_const_bitmap_t all =
		hwloc_topology_get_allowed_cpuset(t->hwloc);

	for (unsigned int c = 0; c < TOPO_CPUS; c++) {
		/* Allowed holds what a cgroup permits; the tree holds what is
		 * online.  A cpu is good if it is both. */
		if (hwloc_bitmap_isset(all, c) &&
		    hwloc_get_pu_obj_by_os_index(t->hwloc, c)) {
			topo_set_add(&t->online, c);
			t->order[t->cpus++] = c;
		}
	}
	if (t->cpus == 0)
		return -ENOTSUP;

	t->cores = number_cores(t);
	number_threads(t);
	t->clusters = number_clusters(t);
	t->nodes = number_by(t, HWLOC_OBJ_NUMANODE, set_node);
	if (t->nodes == 0)
		t->nodes = 1;
	t->packages = count(t->hwloc, HWLOC_OBJ_PACKAGE);
	if (t->packages == 0)
		t->packages = 1;
	qsort_r(t->order, t->cpus, sizeof(t->order[0]), by_nearness, t);
	return 0;
}

static int open_with(struct topo **out, const char *description)
{
	struct topo *t;
	int ret;

	*out = NULL;
	/* The graphics back ends load drivers and open devices, for nothing
	 * that a daemon needs. */
	setenv("HWLOC_COMPONENTS", "-gl,-opencl", 0);

	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	if (hwloc_topology_init(&t->hwloc)) {
		ret = -ENOMEM;
		goto out_free;
	}
	if (description &&
	    hwloc_topology_set_synthetic(t->hwloc, description)) {
		ret = -EINVAL;
		goto out_destroy;
	}
	if (hwloc_topology_load(t->hwloc)) {
		ret = -ENOTSUP;
		goto out_destroy;
	}
	ret = learn(t);
	if (ret)
		goto out_destroy;
	*out = t;
	return 0;

out_destroy:
	hwloc_topology_destroy(t->hwloc);
out_free:
	free(t);
	return ret;
}

int topo_open(struct topo **out)
{
	return open_with(out, NULL);
}

int topo_open_synthetic(struct topo **out, const char *description)
{
	return open_with(out, description);
}

void topo_close(struct topo *t)
{
	if (!t)
		return;
	hwloc_topology_destroy(t->hwloc);
	free(t);
}

unsigned int topo_cpus(const struct topo *t)
{
	return t->cpus;
}

unsigned int topo_cpus_end(const struct topo *t)
{
	unsigned int end = 0;

	for (unsigned int i = 0; i < t->cpus; i++)
		if (t->order[i] >= end)
			end = t->order[i] + 1;
	return end;
}

unsigned int topo_cores(const struct topo *t)
{
	return t->cores;
}

unsigned int topo_clusters(const struct topo *t)
{
	return t->clusters;
}

unsigned int topo_nodes(const struct topo *t)
{
	return t->nodes;
}

unsigned int topo_packages(const struct topo *t)
{
	return t->packages;
}

const struct topo_set *topo_online(const struct topo *t)
{
	return &t->online;
}

static const struct topo_cpu *cpu_of(const struct topo *t, unsigned int cpu)
{
	static const struct topo_cpu none;

	return cpu < TOPO_CPUS ? &t->cpu[cpu] : &none;
}

unsigned int topo_core_of(const struct topo *t, unsigned int cpu)
{
	return cpu_of(t, cpu)->core;
}

unsigned int topo_cluster_of(const struct topo *t, unsigned int cpu)
{
	return cpu_of(t, cpu)->cluster;
}

unsigned int topo_node_of(const struct topo *t, unsigned int cpu)
{
	return cpu_of(t, cpu)->node;
}

unsigned int topo_thread_of(const struct topo *t, unsigned int cpu)
{
	return cpu_of(t, cpu)->thread;
}

const unsigned int *topo_order(const struct topo *t, unsigned int *n)
{
	*n = t->cpus;
	return t->order;
}

static hwloc_obj_t node_obj(const struct topo *t, unsigned int node)
{
	return hwloc_get_obj_by_type(t->hwloc, HWLOC_OBJ_NUMANODE, node);
}

unsigned int topo_node_os(const struct topo *t, unsigned int node)
{
	hwloc_obj_t obj = node_obj(t, node);

	return obj ? obj->os_index : 0;
}

uint64_t topo_node_bytes(const struct topo *t, unsigned int node)
{
	hwloc_obj_t obj = node_obj(t, node);

	return obj ? obj->attr->numanode.local_memory : 0;
}

int topo_bind_node(const struct topo *t, void *addr, size_t len,
		   unsigned int node)
{
	hwloc_obj_t obj;

	if (node >= t->nodes)
		return -EINVAL;
	if (t->nodes == 1)
		return 0;
	obj = node_obj(t, node);
	if (hwloc_set_area_membind(t->hwloc, addr, len, obj->nodeset,
				   HWLOC_MEMBIND_BIND,
				   HWLOC_MEMBIND_BYNODESET |
				   HWLOC_MEMBIND_STRICT))
		return -errno;
	return 0;
}

static const char *plural(unsigned int n)
{
	return n == 1 ? "" : "s";
}

const char *topo_describe(const struct topo *t, char *buf, size_t len)
{
	snprintf(buf, len, "%u core%s, %u thread%s, %u cluster%s, "
		 "%u NUMA node%s, %u package%s",
		 t->cores, plural(t->cores), t->cpus, plural(t->cpus),
		 t->clusters, plural(t->clusters), t->nodes, plural(t->nodes),
		 t->packages, plural(t->packages));
	return buf;
}

const char *topo_describe_cpu(const struct topo *t, unsigned int cpu,
			      char *buf, size_t len)
{
	const struct topo_cpu *c = cpu_of(t, cpu);

	if (!topo_set_has(&t->online, cpu))
		snprintf(buf, len, "cpu %u (not online)", cpu);
	else
		snprintf(buf, len, "cpu %u (core %u, cluster %u, node %u)",
			 cpu, c->core, c->cluster, c->node);
	return buf;
}
