// SPDX-License-Identifier: MIT
/*
 * run.bpf.c - where ranks run, and how long they wait for that
 *
 * Two programs at the kernel's scheduler, one pair for each domain.  A task is
 * a rank of the domain if the daemon has put a struct run_task into its
 * storage; of others nothing is looked at.
 *
 * This runs at each switch of the machine, so it does little: two looks into
 * storages, and more only if one of the two is a rank.  The time is that of the
 * run queue, which the kernel has just brought up to date: a clock of our own took
 * most of the program's time (80 ns of 130, in a virtual machine).
 *
 * Struct names and members are the kernel's, found by their BTF when the
 * programs are loaded.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "daemon/bpf/run.h"

struct rq {
	__u64 clock;
} __attribute__((preserve_access_index));

struct cfs_rq {
	struct rq *rq;
} __attribute__((preserve_access_index));

struct sched_entity {
	struct cfs_rq *cfs_rq;
} __attribute__((preserve_access_index));

struct task_struct {
	unsigned int __state;
	int wake_cpu;
	struct sched_entity se;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct run_task);
} run_tasks SEC(".maps");

/* As many as there are slots; frozen once it is there. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct run_rank);
} run_ranks SEC(".maps");

static struct run_task *task_of(struct task_struct *t)
{
	return bpf_task_storage_get(&run_tasks, t, 0, 0);
}

static struct run_rank *rank_of(const struct run_task *t)
{
	__u32 slot = t->slot - 1;

	/* Slot 0 - 1 is beyond every table. */
	return bpf_map_lookup_elem(&run_ranks, &slot);
}

/*
 * ns, of the run queue that the task is on, whose lock is held here and whose
 * clock has just been set; on each CPU the same as far as the CPUs' clocks are.
 */
static __u64 clock_of(const struct task_struct *task)
{
	if (!bpf_core_field_exists(task->se.cfs_rq) ||
	    !bpf_core_field_exists(((struct cfs_rq *)0)->rq) ||
	    !bpf_core_field_exists(((struct rq *)0)->clock))
		return bpf_ktime_get_ns();
	return task->se.cfs_rq->rq->clock;
}

static void leaves(struct run_task *t, __u32 cpu, __u32 state, __u64 now)
{
	struct run_rank *r = rank_of(t);

	if (!r)
		return;
	t->since_ns = state == RUN_WANTS ? now : 0;
	r->state = state;
	r->cpu = cpu;
	r->instance = t->instance;
}

static void comes(struct run_task *t, __u32 cpu, __u64 now)
{
	struct run_rank *r = rank_of(t);

	if (!r)
		return;
	if (t->since_ns && now > t->since_ns) {
		r->waited_ns += now - t->since_ns;
		r->waits++;
	}
	t->since_ns = 0;
	r->state = RUN_RUNS;
	r->cpu = cpu;
	r->instance = t->instance;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(run_switch, _Bool preempt, struct task_struct *prev,
	     struct task_struct *next)
{
	struct run_task *p = task_of(prev), *n = task_of(next);
	__u32 cpu = bpf_get_smp_processor_id();
	__u64 now;

	/* Two questions: the verifier does not let pointers be combined. */
	if (!p) {
		barrier_var(n);
		if (!n)
			return 0;
	}
	now = clock_of(next);
	if (p)
		leaves(p, cpu, !preempt && prev->__state ? RUN_SLEEPS :
							   RUN_WANTS, now);
	if (n)
		comes(n, cpu, now);
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(run_wakeup, struct task_struct *task)
{
	struct run_task *t = task_of(task);
	struct run_rank *r = t ? rank_of(t) : 0;

	/* One that had not gone to sleep yet has its CPU still. */
	if (t && r && r->state == RUN_SLEEPS) {
		r->state = RUN_WANTS;
		r->cpu = task->wake_cpu;
		t->since_ns = clock_of(task);
	}
	return 0;
}

/* The kernel asks for a licence that it knows. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";
