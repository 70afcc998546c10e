/* SPDX-License-Identifier: MIT */
/*
 * test_topo.c - sets of cpus; made-up machines and the one we are on
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>

#include "daemon/topo.h"

static void test_sets_across_words(void **state)
{
	struct topo_set s, other;

	(void)state;
	topo_set_zero(&s);
	assert_true(topo_set_empty(&s));
	topo_set_add(&s, 0);
	topo_set_add(&s, 63);
	topo_set_add(&s, 64);
	topo_set_add(&s, TOPO_CPUS - 1);
	topo_set_add(&s, TOPO_CPUS);		/* outside: ignored */
	assert_int_equal(topo_set_count(&s), 4);
	assert_int_equal(topo_set_next(&s, 0), 0);
	assert_int_equal(topo_set_next(&s, 1), 63);
	assert_int_equal(topo_set_next(&s, 64), 64);
	assert_int_equal(topo_set_next(&s, 65), TOPO_CPUS - 1);
	assert_int_equal(topo_set_next(&s, TOPO_CPUS), TOPO_CPUS);
	assert_false(topo_set_has(&s, TOPO_CPUS));

	topo_set_zero(&other);
	topo_set_add(&other, 64);
	topo_set_add(&other, 65);
	topo_set_and(&s, &other);
	assert_int_equal(topo_set_count(&s), 1);
	assert_true(topo_set_has(&s, 64));
	topo_set_del(&other, 65);
	assert_true(topo_set_equal(&s, &other));
	topo_set_del(&s, 64);
	assert_true(topo_set_empty(&s));
}

static void test_lists_there_and_back(void **state)
{
	static const char *const good[] = {
		"0", "0-3", "0-3,8", "1,3,5-7", "62-65", "1023", "0-1023",
	};
	static const struct {
		const char *text;
		int ret;
	} bad[] = {
		{ "", -EINVAL }, { "a", -EINVAL }, { "1-", -EINVAL },
		{ "3-1", -EINVAL }, { "1,", -EINVAL }, { "1 2", -EINVAL },
		{ "-1", -EINVAL }, { "1024", -ERANGE }, { "0-9999", -ERANGE },
		{ "99999999999999999999", -ERANGE },
	};
	struct topo_set s;
	char buf[64];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(topo_set_parse(&s, good[i]), 0);
		assert_string_equal(topo_set_format(&s, buf, sizeof(buf)),
				    good[i]);
	}
	assert_int_equal(topo_set_parse(&s, "5"), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(topo_set_parse(&s, bad[i].text), bad[i].ret);
	/* A list that is wrong changed nothing. */
	assert_string_equal(topo_set_format(&s, buf, sizeof(buf)), "5");
}

static void test_a_long_list_ends_in_dots(void **state)
{
	struct topo_set s;
	char buf[12];

	(void)state;
	topo_set_zero(&s);
	assert_string_equal(topo_set_format(&s, buf, sizeof(buf)), "");
	for (unsigned int c = 0; c < TOPO_CPUS; c += 2)
		topo_set_add(&s, c);
	topo_set_format(&s, buf, sizeof(buf));
	assert_true(strlen(buf) < sizeof(buf));
	assert_string_equal(buf + strlen(buf) - 3, "...");
	topo_set_format(&s, buf, 4);
	assert_string_equal(buf, "...");
}

/* Two nodes of two clusters of two cores of two threads; hwloc numbers the
 * PUs of a synthetic machine in order. */
static void test_a_made_up_machine(void **state)
{
	const unsigned int *order;
	struct topo *t;
	char buf[128];
	unsigned int n;

	(void)state;
	assert_int_equal(topo_open_synthetic(&t, "numa:2 l3:2 core:2 pu:2"),
			 0);
	assert_int_equal(topo_cpus(t), 16);
	assert_int_equal(topo_cores(t), 8);
	assert_int_equal(topo_clusters(t), 4);
	assert_int_equal(topo_nodes(t), 2);
	assert_int_equal(topo_packages(t), 1);
	assert_int_equal(topo_set_count(topo_online(t)), 16);

	assert_int_equal(topo_core_of(t, 5), 2);
	assert_int_equal(topo_thread_of(t, 4), 0);
	assert_int_equal(topo_thread_of(t, 5), 1);
	assert_int_equal(topo_cluster_of(t, 5), 1);
	assert_int_equal(topo_cluster_of(t, 15), 3);
	assert_int_equal(topo_node_of(t, 7), 0);
	assert_int_equal(topo_node_of(t, 8), 1);
	assert_int_equal(topo_node_of(t, 999), 0);
	assert_int_equal(topo_node_of(t, 99999), 0);

	/* In a cluster a thread of each core, then the siblings. */
	order = topo_order(t, &n);
	assert_int_equal(n, 16);
	for (unsigned int i = 0; i < 16; i += 4) {
		assert_int_equal(order[i], i);
		assert_int_equal(order[i + 1], i + 2);
		assert_int_equal(order[i + 2], i + 1);
		assert_int_equal(order[i + 3], i + 3);
	}
	assert_string_equal(topo_describe(t, buf, sizeof(buf)),
			    "8 cores, 16 threads, 4 clusters, 2 NUMA nodes, "
			    "1 package");
	assert_string_equal(topo_describe_cpu(t, 5, buf, sizeof(buf)),
			    "cpu 5 (core 2, cluster 1, node 0)");
	assert_string_equal(topo_describe_cpu(t, 16, buf, sizeof(buf)),
			    "cpu 16 (not online)");
	topo_close(t);
}

/* Some machines show no caches: then a node is the cluster. */
static void test_without_caches_a_node_is_the_cluster(void **state)
{
	struct topo *t;

	(void)state;
	assert_int_equal(topo_open_synthetic(&t, "numa:2 core:3 pu:1"), 0);
	assert_int_equal(topo_clusters(t), 2);
	assert_int_equal(topo_cluster_of(t, 3), 1);
	topo_close(t);
}

/* What a VM tells the host of its vCPUs must have room for each number. */
static void test_numbers_may_have_gaps(void **state)
{
	struct topo *t;

	(void)state;
	assert_int_equal(topo_open_synthetic(&t, "core:2 pu:1(indexes=5,2)"),
			 0);
	assert_int_equal(topo_cpus(t), 2);
	assert_int_equal(topo_cpus_end(t), 6);
	topo_close(t);
}

static void test_nonsense_is_no_machine(void **state)
{
	struct topo *t = (struct topo *)1;

	(void)state;
	assert_int_equal(topo_open_synthetic(&t, "cows:3"), -EINVAL);
	assert_null(t);
	topo_close(NULL);
}

static void test_this_machine(void **state)
{
	struct topo_set ours, may;
	struct topo *t;

	(void)state;
	assert_int_equal(topo_open(&t), 0);
	assert_true(topo_cpus(t) >= topo_cores(t));
	assert_true(topo_cores(t) >= topo_clusters(t));
	assert_int_equal(topo_set_count(topo_online(t)), topo_cpus(t));
	/* Wherever we may run is online. */
	assert_int_equal(topo_set_of(&ours, 0), 0);
	may = ours;
	topo_set_and(&may, topo_online(t));
	assert_true(topo_set_equal(&may, &ours));
	assert_true(topo_node_bytes(t, 0) > 0);
	topo_close(t);
}

static void test_graphics_back_ends_stay_out(void **state)
{
	struct topo *t;

	(void)state;
	unsetenv("HWLOC_COMPONENTS");
	assert_int_equal(topo_open(&t), 0);
	assert_string_equal(getenv("HWLOC_COMPONENTS"), "-gl,-opencl");
	topo_close(t);

	setenv("HWLOC_COMPONENTS", "-opencl", 1);
	assert_int_equal(topo_open(&t), 0);
	assert_string_equal(getenv("HWLOC_COMPONENTS"), "-opencl");
	topo_close(t);
	unsetenv("HWLOC_COMPONENTS");
}

static void test_pinning_and_back(void **state)
{
	struct topo_set before, now;
	unsigned int cpu;

	(void)state;
	assert_int_equal(topo_set_of(&before, 0), 0);
	cpu = topo_set_next(&before, 0);
	assert_int_equal(topo_pin(0, cpu), 0);
	assert_int_equal(topo_set_of(&now, 0), 0);
	assert_int_equal(topo_set_count(&now), 1);
	assert_true(topo_set_has(&now, cpu));
	assert_int_equal(topo_confine(0, &before), 0);
	assert_int_equal(topo_set_of(&now, 0), 0);
	assert_true(topo_set_equal(&now, &before));
	assert_int_equal(topo_pin(0, TOPO_CPUS), -EINVAL);
}

static void test_memory_can_be_bound_to_every_node(void **state)
{
	const size_t len = 1 << 20;
	struct topo *t;
	void *mem;

	(void)state;
	assert_int_equal(topo_open(&t), 0);
	mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(mem != MAP_FAILED);
	for (unsigned int n = 0; n < topo_nodes(t); n++)
		assert_int_equal(topo_bind_node(t, mem, len, n), 0);
	memset(mem, 1, len);
	assert_int_equal(topo_bind_node(t, mem, len, topo_nodes(t)), -EINVAL);
	munmap(mem, len);
	topo_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets_across_words),
		cmocka_unit_test(test_lists_there_and_back),
		cmocka_unit_test(test_a_long_list_ends_in_dots),
		cmocka_unit_test(test_a_made_up_machine),
		cmocka_unit_test(test_without_caches_a_node_is_the_cluster),
		cmocka_unit_test(test_numbers_may_have_gaps),
		cmocka_unit_test(test_nonsense_is_no_machine),
		cmocka_unit_test(test_this_machine),
		cmocka_unit_test(test_graphics_back_ends_stay_out),
		cmocka_unit_test(test_pinning_and_back),
		cmocka_unit_test(test_memory_can_be_bound_to_every_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
