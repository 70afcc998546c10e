/* SPDX-License-Identifier: MIT */
/*
 * privs.c - no new privileges, fewer capabilities, what is in force
 *
 * By system calls of the kernel's own ABI: libcap would be one more library
 * in the process that it is to make smaller.  The filter is in
 * privs_filter.c.
 */

#include "daemon/privs.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPS_MAX	64

/* In the order of <linux/capability.h>. */
static const char *const cap_name[] = {
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid",
	"kill", "setgid", "setuid", "setpcap", "linux_immutable",
	"net_bind_service", "net_broadcast", "net_admin", "net_raw",
	"ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot",
	"sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease",
	"audit_write", "audit_control", "setfcap", "mac_override",
	"mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read",
	"perfmon", "bpf", "checkpoint_restore",
};

/* NOLINTBEGIN(misc-redundant-expression): that they are equal is the point. */
_Static_assert(PRIVS_CAP_CHOWN == UINT64_C(1) << CAP_CHOWN, "capability");
_Static_assert(PRIVS_CAP_SETGID == UINT64_C(1) << CAP_SETGID, "capability");
_Static_assert(PRIVS_CAP_SETUID == UINT64_C(1) << CAP_SETUID, "capability");
_Static_assert(PRIVS_CAP_SYS_RAWIO == UINT64_C(1) << CAP_SYS_RAWIO,
	       "capability");
_Static_assert(PRIVS_CAP_SYS_NICE == UINT64_C(1) << CAP_SYS_NICE,
	       "capability");
/* NOLINTEND(misc-redundant-expression) */

/* Two words of 32 bits each: version 3 of the call. */
struct caps {
	uint64_t effective;
	uint64_t permitted;
	uint64_t inheritable;
};

static int caps_get(struct caps *c)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &head, data))
		return -errno;
	c->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	c->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	c->inheritable = data[0].inheritable |
			 (uint64_t)data[1].inheritable << 32;
	return 0;
}

static int caps_set(const struct caps *c)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(c->effective >> 32 * i);
		data[i].permitted = (uint32_t)(c->permitted >> 32 * i);
		data[i].inheritable = (uint32_t)(c->inheritable >> 32 * i);
	}
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

static int fail(int error, char *why, const char *what)
{
	snprintf(why, PRIVS_TEXT, "%s: %s", what, strerror(-error));
	return error;
}

int privs_begin(char why[PRIVS_TEXT])
{
	why[0] = '\0';
	umask(0077);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail(-errno, why, "PR_SET_NO_NEW_PRIVS");
	/* Kernels before 4.3 have no ambient set: nothing to clear. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) &&
	    errno != EINVAL)
		return fail(-errno, why, "PR_CAP_AMBIENT_CLEAR_ALL");
	return 0;
}

/* Drop from the bounding set all but @keep.  It takes CAP_SETPCAP; without
 * that there is nothing that no_new_privs would not keep from us anyway. */
static int limit_bounding(uint64_t keep, char *why)
{
	for (int cap = 0; cap < CAPS_MAX; cap++) {
		int have = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (have < 0)
			break;		/* beyond the last one */
		if (have == 0 || (keep >> cap & 1))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			return fail(-errno, why, "PR_CAPBSET_DROP");
	}
	return 0;
}

int privs_limit(uint64_t keep, char why[PRIVS_TEXT])
{
	struct caps c = { 0 };
	int ret;

	why[0] = '\0';
	ret = caps_get(&c);
	if (ret)
		return fail(ret, why, "capget");
	if (c.effective >> CAP_SETPCAP & 1) {
		ret = limit_bounding(keep, why);
		if (ret)
			return ret;
	}
	c.effective &= keep;
	c.permitted &= keep;
	c.inheritable = 0;
	ret = caps_set(&c);
	if (ret)
		return fail(ret, why, "capset");
	return 0;
}

/* ---- report ---- */

const char *privs_caps(uint64_t mask, char *buf, size_t len)
{
	size_t names = sizeof(cap_name) / sizeof(cap_name[0]);
	size_t at = 0;

	snprintf(buf, len, "%s", mask ? "" : "none");
	for (unsigned int cap = 0; cap < CAPS_MAX; cap++) {
		int n;

		if (!(mask >> cap & 1))
			continue;
		if (cap < names)
			n = snprintf(buf + at, len - at, "%s%s",
				     at ? "," : "", cap_name[cap]);
		else
			n = snprintf(buf + at, len - at, "%s%u",
				     at ? "," : "", cap);
		if (n < 0 || (size_t)n >= len - at) {
			/* Cut where a whole name ends. */
			buf[at] = '\0';
			break;
		}
		at += (size_t)n;
	}
	return buf;
}

static uint64_t bounding(void)
{
	uint64_t mask = 0;

	for (unsigned int cap = 0; cap < CAPS_MAX; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) > 0)
			mask |= UINT64_C(1) << cap;
	return mask;
}

/*
 * PR_GET_SECCOMP kills a process in strict mode, so ask /proc; -1: it cannot
 * be read.
 */
static int seccomp_mode(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	int mode = -1;

	if (!f)
		return mode;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Seccomp: %d", &mode) == 1)
			break;
	fclose(f);
	return mode;
}

void privs_report(struct privs_report *out)
{
	struct caps c = { 0 };
	char names[128];

	memset(out, 0, sizeof(*out));
	caps_get(&c);
	out->uid = (uint32_t)geteuid();
	out->permitted = c.permitted;
	out->effective = c.effective;
	out->bounding = bounding();
	out->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	out->seccomp = seccomp_mode();
	out->denied = privs_filter_size();
	snprintf(out->text, sizeof(out->text), "uid %u, capabilities %s, "
		 "%sseccomp %s", out->uid,
		 privs_caps(c.effective, names, sizeof(names)),
		 out->no_new_privs ? "no new privileges, " : "",
		 out->seccomp == 2 ? "on" : out->seccomp == 0 ? "off" :
		 "unknown");
}
