/* SPDX-License-Identifier: MIT */
/*
 * telemetry_bpf.c - the programs in the kernel: load, mark; the only libbpf user
 */
#include "daemon/telemetry_bpf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>

#include "daemon/bpf/run.h"
#include "daemon/bpf/run.skel.h"

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"

/* Libraries do not write to our log; what went wrong is in errno. */
static int keep_quiet(enum libbpf_print_level level, const char *fmt,
		      va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

static int explain(int error, const char *step, char why[TELEMETRY_TEXT])
{
	if (error == -EPERM) {
		snprintf(why, TELEMETRY_TEXT,
			 "not allowed: the daemon needs "
			 "CAP_BPF and CAP_PERFMON");
		return -EPERM;
	}
	if (access(KERNEL_BTF, R_OK))
		snprintf(why, TELEMETRY_TEXT,
			 "this kernel does not describe "
			 "itself (CONFIG_DEBUG_INFO_BTF): no " KERNEL_BTF);
	else
		snprintf(why, TELEMETRY_TEXT,
			 "%s: %s; Linux 5.15 or later "
			 "is needed",
			 step, strerror(-error));
	return -ENOTSUP;
}

static int copy_fds(const struct run_bpf *skel, int out[TELEMETRY_FDS])
{
	const int from[TELEMETRY_FDS] = {
		[TELEMETRY_RANKS] = bpf_map__fd(skel->maps.run_ranks),
		[TELEMETRY_TASKS] = bpf_map__fd(skel->maps.run_tasks),
		[TELEMETRY_SWITCH] = bpf_link__fd(skel->links.run_switch),
		[TELEMETRY_WAKEUP] = bpf_link__fd(skel->links.run_wakeup),
	};
	int fd[TELEMETRY_FDS], ret;

	for (int i = 0; i < TELEMETRY_FDS; i++) {
		fd[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 0);
		if (fd[i] >= 0)
			continue;
		ret = -errno;
		while (i > 0)
			close(fd[--i]);
		return ret;
	}
	memcpy(out, fd, sizeof(fd));
	return 0;
}

int telemetry_bpf_load(int fd[TELEMETRY_FDS], uint32_t slots,
		       char why[TELEMETRY_TEXT])
{
	libbpf_print_fn_t print = libbpf_set_print(keep_quiet);
	const char *step = "opening the programs";
	struct run_bpf *skel;
	int ret = 0;

	skel = run_bpf__open();
	if (!skel)
		ret = -errno;
	else
		ret = bpf_map__set_max_entries(skel->maps.run_ranks, slots);
	if (ret == 0) {
		step = "loading the programs";
		ret = run_bpf__load(skel);
	}
	/* Nobody writes it but the programs. */
	if (ret == 0 && bpf_map_freeze(bpf_map__fd(skel->maps.run_ranks)))
		ret = -errno;
	if (ret == 0) {
		step = "attaching the programs";
		ret = run_bpf__attach(skel);
	}
	if (ret == 0)
		ret = copy_fds(skel, fd);
	run_bpf__destroy(skel);
	libbpf_set_print(print);
	return ret ? explain(ret, step, why) : 0;
}

int telemetry_bpf_mark(int tasks, int pidfd, uint32_t slot, uint32_t instance)
{
	struct run_task task = { .slot = slot, .instance = instance };

	return bpf_map_update_elem(tasks, &pidfd, &task, BPF_ANY) ? -errno : 0;
}
