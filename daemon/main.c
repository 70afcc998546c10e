/* SPDX-License-Identifier: MIT */
/*
 * main.c - the stages of start-up in order, run, exit code
 *
 *  1. command line, configuration	mistakes end it before anything exists
 *  2. keeper			without systemd we become the keeper and
 *				run ourselves as its child, which goes on
 *  3. service manager		what we inherited, who keeps fds for us
 *  4. runtime directory, locks	one daemon for each domain; in a VM also the
 *				runner, which starts programs for the host
 *  5. privs_begin()		no new privileges
 *  6. machine			topology, seats; what waiting costs
 *  7. loop, signals; the machine's registers (role host)
 *  8. domains			made, or adopted from a daemon that died;
 *				in a VM (role guest) the devices and the
 *				sessions of its processes instead
 *  9. admin socket
 * 10. privs_limit()		capabilities that only the start needed
 * 11. listeners			from here on clients come in
 * 12. privs_filter()		seccomp
 * 13. READY
 *
 * Exit codes: 0 stopped as asked, 1 failed, 2 usage or configuration, 3 a
 * domain is served already, 69 no registers to report on (--probe-registers),
 * 75 handed over to the next daemon.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon/admin.h"
#include "daemon/budget.h"
#include "daemon/conf.h"
#include "daemon/conf_log.h"
#include "daemon/domain.h"
#include "daemon/guest.h"
#include "daemon/guest_dev.h"
#include "daemon/guest_run.h"
#include "daemon/holder.h"
#include "daemon/keeper.h"
#include "daemon/locks.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/opts.h"
#include "daemon/place.h"
#include "daemon/privs.h"
#include "daemon/probe.h"
#include "daemon/regs.h"
#include "daemon/rundir.h"
#include "daemon/sdnotify.h"
#include "daemon/state.h"
#include "daemon/telemetry.h"
#include "daemon/topo.h"
#include "shm/testpoint.h"

enum {
	EXIT_OK		= 0,
	EXIT_FAILED	= 1,
	EXIT_CONFIG	= 2,
	EXIT_SERVED	= 3,
	EXIT_NO_REGISTERS = 69,
	EXIT_HAND_OVER	= 75,
};

struct daemon {
	struct opts opts;
	struct shared sh;
	struct sdnotify *notify;
	struct loop_timer *watchdog;
	struct loop_watch *keeper_death;
	struct admin *admin;
	bool resumes;			/* fds were kept for us */
	bool has_keeper;		/* a process of ours, above us */
	bool in_vm;			/* role guest */
};

static int say(int code, const char *text)
{
	log_always(LOG_LEVEL_ERROR, "%s", text);
	return code;
}

/* ---- 1: configuration ---- */

static int read_conf(const struct opts *o, struct conf **out)
{
	char *errors;
	int ret = conf_load(out, o->config, &o->ov, &errors);

	if (ret) {
		fprintf(stderr, "%s%s", errors ? errors : strerror(-ret),
			errors && *errors &&
			errors[strlen(errors) - 1] == '\n' ? "" : "\n");
		free(errors);
	}
	return ret;
}

/* ---- 2: keeper ---- */

static bool wants_keeper(const struct opts *o, const struct conf *c)
{
	if (o->no_keeper || getenv(KEEPER_ENV))
		return false;
	if (c->keeper == CONF_KEEPER_PROCESS)
		return true;
	return c->keeper == CONF_KEEPER_AUTO && !getenv("NOTIFY_SOCKET");
}

static int follow_parent(void)
{
	pid_t parent = getppid();

	if (prctl(PR_SET_PDEATHSIG, SIGTERM))
		return -errno;
	/* It may have ended before we asked. */
	return getppid() == parent && parent != 1 ? 0 : -ESRCH;
}

/* ---- 5: runtime directory, locks ---- */

static int prepare_dir(const struct conf *c)
{
	int ret = rundir_prepare(c->runtime_dir);

	if (ret)
		log_always(LOG_LEVEL_ERROR, "runtime directory path=%s "
			   "error=\"%s\"", c->runtime_dir, strerror(-ret));
	return ret;
}

/* A VM's daemon serves one domain: the one that its devices belong to. */
static unsigned int domains_served(const struct daemon *dm)
{
	return dm->in_vm ? 1 : dm->sh.conf->ndomains;
}

static int lock_all(const struct daemon *dm, int *fds)
{
	char why[DOMAIN_TEXT];
	int ret = locks_take(dm->sh.conf, domains_served(dm), fds, why);

	if (ret == 0)
		return EXIT_OK;
	return say(ret == -EALREADY ? EXIT_SERVED : EXIT_FAILED, why);
}

/* Before we become the keeper: is there anything to keep for us? */
static int probe_locks(const struct daemon *dm)
{
	int *fds = locks_new(dm->sh.conf);
	int code = fds ? lock_all(dm, fds) : EXIT_FAILED;

	locks_free(dm->sh.conf, fds);
	return code;
}

/* ---- 7: signals ---- */

static void on_stop(void *arg, int signum)
{
	struct daemon *dm = arg;

	log_always(LOG_LEVEL_INFO, "stopping signal=%d", signum);
	sdnotify_stopping(dm->notify, "stopping");
	loop_stop(dm->sh.loop, EXIT_OK);
}

static void on_hand_over(void *arg, int signum)
{
	struct daemon *dm = arg;

	(void)signum;
	if (!keeper_has_store(dm->sh.keeper)) {
		log_warn("asked to hand over, but nobody keeps our sockets");
		return;
	}
	log_always(LOG_LEVEL_INFO, "handing over to the next daemon");
	loop_stop(dm->sh.loop, EXIT_HAND_OVER);
}

static void on_reload(void *arg, int signum)
{
	struct daemon *dm = arg;
	struct shared *sh = &dm->sh;
	char *errors;
	struct conf *fresh;
	int ret;

	(void)signum;
	sdnotify_reloading(dm->notify);
	ret = conf_load(&fresh, dm->opts.config, &dm->opts.ov, &errors);
	if (ret) {
		log_always(LOG_LEVEL_ERROR, "configuration is wrong, the old "
			   "one stays in force: %s", errors ? errors :
			   strerror(-ret));
		free(errors);
		sdnotify_ready(dm->notify, "serving; the last reload failed");
		return;
	}
	conf_log_changes(sh->conf, fresh);
	conf_apply(sh->conf, fresh);
	conf_close(fresh);
	log_set_level((enum log_level)sh->conf->log_level);
	conf_log_tuned(sh->conf);
	place_set_policy(sh->place, place_policy_find(conf_placement_name(
					    sh->conf->placement.policy)));
	for (struct domain *d = sh->domains; d; d = d->next)
		domain_reload(d);
	sdnotify_ready(dm->notify, "serving");
}

static int open_signals(struct daemon *dm)
{
	struct loop *l = dm->sh.loop;
	int ret;

	signal(SIGPIPE, SIG_IGN);
	ret = loop_signal(l, SIGTERM, on_stop, dm);
	if (ret == 0)
		ret = loop_signal(l, SIGINT, on_stop, dm);
	if (ret == 0)
		ret = loop_signal(l, SIGHUP, on_reload, dm);
	if (ret == 0)
		ret = loop_signal(l, SIGUSR1, on_hand_over, dm);
	return ret;
}

/* ---- service manager and keeper ---- */

static void on_watchdog(void *arg)
{
	struct daemon *dm = arg;

	sdnotify_watchdog(dm->notify);
}

static int open_watchdog(struct daemon *dm)
{
	uint64_t us = sdnotify_watchdog_us(dm->notify), ms = us / 2000;
	int ret;

	if (us == 0)
		return 0;
	ret = loop_timer_open(&dm->watchdog, dm->sh.loop, on_watchdog, dm);
	if (ret == 0)
		loop_timer_start(dm->watchdog, 0, ms ? ms : 1);
	return ret;
}

static void on_keeper_death(void *arg, unsigned int events)
{
	struct daemon *dm = arg;

	(void)events;
	log_always(LOG_LEVEL_ERROR, "the keeper has died: if this daemon dies "
		   "too, its domains end");
	keeper_lost(dm->sh.keeper);
	loop_unwatch(dm->keeper_death);
	dm->keeper_death = NULL;
}

static int watch_keeper(struct daemon *dm)
{
	int fd = keeper_pidfd(dm->sh.keeper);

	return fd < 0 ? 0 : loop_watch(&dm->keeper_death, dm->sh.loop, fd,
				       LOOP_READ, on_keeper_death, dm);
}

static void say_ready(struct daemon *dm)
{
	static const char line[] = "READY\n";

	sdnotify_ready(dm->notify, "serving");
	/* Under a keeper that is its own to say. */
	if (dm->opts.ready_fd < 0 || dm->has_keeper)
		return;
	if (write(dm->opts.ready_fd, line, sizeof(line) - 1) < 0)
		log_warn("cannot write to --ready-fd error=\"%s\"",
			 strerror(errno));
	close(dm->opts.ready_fd);
}

/* ---- 6 to 13 ---- */

static int open_machine(struct shared *sh)
{
	const struct place_policy *policy;
	int ret = topo_open(&sh->topo);

	if (ret)
		return ret;
	/* It forks: before there are threads. */
	costs_measure(&sh->costs, sh->topo);
	policy = place_policy_find(conf_placement_name(
						sh->conf->placement.policy));
	return place_open(&sh->place, sh->topo, policy);
}

/* Some failures are the configuration's, and stay for as long as it does. */
static int code_of(int ret)
{
	switch (ret) {
	case -ENAMETOOLONG:
	case -EEXIST:
	case -EINVAL:
	case -ENOSPC:
		return EXIT_CONFIG;
	case -EADDRINUSE:
		return EXIT_SERVED;
	default:
		return EXIT_FAILED;
	}
}

/* Without room for its VMs' eventfds no domain starts; ranks may never be as
 * many as may come. */
static int check_budget(const struct daemon *dm)
{
	const struct shared *sh = &dm->sh;
	struct budget need, has;
	char why[BUDGET_TEXT];
	int ret;

	budget_limits(&has, keeper_room(sh->keeper),
		      keeper_has_store(sh->keeper));
	/* What a VM's daemon needs is the host's configuration to say. */
	if (dm->in_vm)
		return EXIT_OK;
	budget_start(sh->conf, &need);
	ret = budget_compare(&need, &has, why);
	if (ret)
		return say(code_of(ret), why);
	budget_full(sh->conf, &need);
	if (budget_compare(&need, &has, why))
		log_warn("with ranks_max ranks in each domain %s", why);
	return EXIT_OK;
}

static int open_domains(struct daemon *dm, int *locks)
{
	struct shared *sh = &dm->sh;
	struct conf *c = sh->conf;

	for (unsigned int i = 0; i < c->ndomains; i++) {
		struct domain *d;
		char why[DOMAIN_TEXT];
		int lock = locks[i];

		locks[i] = -1;		/* the domain's, whatever happens */
		int ret = domain_open(&d, sh, &c->domains[i], lock, why);

		if (ret) {
			log_always(LOG_LEVEL_ERROR, "domain %s: %s",
				   c->domains[i].name, why);
			return code_of(ret);
		}
	}
	return EXIT_OK;
}

static int open_registers(struct daemon *dm)
{
	char why[REGS_TEXT];
	int ret = regs_open(&dm->sh.regs, &dm->sh, why);

	return ret ? say(code_of(ret), why) : EXIT_OK;
}

static int open_guest(struct daemon *dm, int *lock)
{
	struct guest *g;
	char why[DOMAIN_TEXT];
	int fd = *lock, ret;

	*lock = -1;			/* the guest's, whatever happens */
	ret = guest_open(&g, &dm->sh, fd, why);
	if (ret == 0)
		return EXIT_OK;
	log_always(LOG_LEVEL_ERROR, "guest: %s", why);
	/* The host may come, or the device may be plugged, later. */
	return ret == -EINVAL || ret == -ENAMETOOLONG ? EXIT_CONFIG :
	       EXIT_FAILED;
}

static int limit(const struct shared *sh, char why[PRIVS_TEXT])
{
	/* Before Linux 5.19 marking a rank takes it too. */
	uint64_t bpf = telemetry_any(sh) ? PRIVS_CAP_BPF : 0;
	int ret = privs_limit(PRIVS_KEEP | bpf, why);

	if (ret)
		log_warn("privileges stay as they are: %s", why);
	return 0;
}

static int filter(const struct shared *sh, char why[PRIVS_TEXT])
{
	int ret;

	if (sh->conf->seccomp == CONF_SWITCH_OFF)
		return 0;
	ret = privs_filter(telemetry_any(sh) ? PRIVS_ALLOW_BPF : 0, why);
	if (ret == 0)
		return 0;
	if (sh->conf->seccomp == CONF_SWITCH_ON)
		return ret;
	log_warn("no system call filter: %s", why);
	return 0;
}

static int start_all(struct daemon *dm)
{
	char why[PRIVS_TEXT] = "";
	int ret;

	keeper_drop_rest(dm->sh.keeper);
	ret = limit(&dm->sh, why);
	for (struct domain *d = dm->sh.domains; d && ret == 0; d = d->next)
		ret = domain_start(d);
	if (ret == 0 && dm->sh.guest)
		ret = guest_start(dm->sh.guest);
	if (ret == 0)
		ret = filter(&dm->sh, why);
	if (ret) {
		log_always(LOG_LEVEL_ERROR, "start: %s", *why ? why :
			   strerror(-ret));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static int serve(struct daemon *dm, int *locks)
{
	char why[PRIVS_TEXT];
	int ret, code;

	if (privs_begin(why))
		return say(EXIT_FAILED, why);
	dm->sh.started_ns = loop_now_ns();
	ret = open_machine(&dm->sh);
	if (ret == 0)
		ret = loop_open(&dm->sh.loop);
	if (ret == 0)
		ret = open_signals(dm);
	if (ret == 0)
		ret = watch_keeper(dm);
	if (ret)
		return say(EXIT_FAILED, strerror(-ret));
	code = check_budget(dm);
	/* In a VM they would be the hypervisor's. */
	if (code == EXIT_OK && !dm->in_vm)
		code = open_registers(dm);
	if (code == EXIT_OK)
		code = dm->in_vm ? open_guest(dm, locks) :
		       open_domains(dm, locks);
	if (code)
		return code;
	SNOO_TESTPOINT("daemon_domains_open");
	ret = admin_open(&dm->admin, &dm->sh, why);
	if (ret)
		return say(code_of(ret), why);
	code = start_all(dm);
	if (code)
		return code;
	ret = open_watchdog(dm);
	if (ret)
		return say(EXIT_FAILED, strerror(-ret));
	SNOO_TESTPOINT("daemon_ready");
	say_ready(dm);
	log_always(LOG_LEVEL_INFO, "ready version=%s pid=%d role=%s "
		   "runtime_dir=%s domains=%u keeper=\"%s\"", SNOO_VERSION,
		   (int)getpid(), dm->in_vm ? "guest" : "host",
		   dm->sh.conf->runtime_dir, domains_served(dm),
		   keeper_describe(dm->sh.keeper));
	return loop_run(dm->sh.loop);
}

static void close_all(struct daemon *dm, int code)
{
	bool again = code == EXIT_HAND_OVER ||
		     (code == EXIT_FAILED && dm->resumes);
	enum domain_end end = again ? DOMAIN_HAND_OVER : DOMAIN_STOP;

	admin_close(dm->admin);
	guest_close(dm->sh.guest, end);
	guest_run_close(dm->sh.programs, again);
	while (dm->sh.domains)
		domain_close(dm->sh.domains, end);
	regs_close(dm->sh.regs);
	loop_unwatch(dm->keeper_death);
	loop_timer_close(dm->watchdog);
	loop_close(dm->sh.loop);
	place_close(dm->sh.place);
	topo_close(dm->sh.topo);
	keeper_close(dm->sh.keeper);
	sdnotify_close(dm->notify);
}

/* With all privileges: its children shall have none of our limits. */
static int open_programs(struct daemon *dm)
{
	struct guest_run_params p = {
		.conf = dm->sh.conf, .config = dm->opts.config,
		.ov = &dm->opts.ov, .keeper = dm->sh.keeper,
	};
	int ret = guest_run_open(&dm->sh.programs, &p);

	return ret ? say(EXIT_FAILED, strerror(-ret)) : EXIT_OK;
}

static int run(struct daemon *dm)
{
	struct conf *c = dm->sh.conf;
	int *locks = locks_new(c);
	const struct keeper_fd *inherited;
	int code, ret;

	if (!locks)
		return say(EXIT_FAILED, "out of memory");
	/* Before keeper_open() takes it out of the environment. */
	dm->has_keeper = getenv(KEEPER_ENV) != NULL;
	ret = sdnotify_open(&dm->notify, NULL);
	if (ret == 0)
		ret = keeper_open(&dm->sh.keeper, c->keeper ==
				  CONF_KEEPER_NONE ? NULL : dm->notify);
	if (ret) {
		code = say(EXIT_FAILED, strerror(-ret));
		goto out;
	}
	dm->resumes = keeper_inherited(dm->sh.keeper, &inherited) > 0;
	code = lock_all(dm, locks);
	if (code == EXIT_OK && dm->in_vm)
		code = open_programs(dm);
	if (code == EXIT_OK)
		code = serve(dm, locks);
out:
	close_all(dm, code);
	locks_free(c, locks);
	return code;
}

int main(int argc, char **argv)
{
	static struct daemon dm;
	int code;

	/* Does not come back in a process that only holds a pool. */
	holder_main(argc, argv);
	opts_parse(&dm.opts, argc, argv);
	switch (dm.opts.what) {
	case OPTS_EXIT:
		return EXIT_OK;
	case OPTS_WRONG:
		return EXIT_CONFIG;
	case OPTS_CHECK:
		return conf_check(dm.opts.config, &dm.opts.ov) ? EXIT_CONFIG :
		       EXIT_OK;
	case OPTS_PROBE:
		code = probe_main(dm.opts.probe_writes ? PROBE_WRITE : 0);
		return code == -ENODEV || code == -EACCES ? EXIT_NO_REGISTERS :
		       code ? EXIT_FAILED : EXIT_OK;
	case OPTS_RUN:
		break;
	}
	if (read_conf(&dm.opts, &dm.sh.conf))
		return EXIT_CONFIG;
	log_open((enum log_level)dm.sh.conf->log_level);
	conf_log_tuned(dm.sh.conf);
	dm.in_vm = dm.sh.conf->role == CONF_ROLE_GUEST ||
		   (dm.sh.conf->role == CONF_ROLE_AUTO &&
		    guest_dev_present(dm.sh.conf));
	if (dm.opts.exit_with_parent && follow_parent()) {
		code = say(EXIT_FAILED, "the process that started the daemon "
			   "has ended");
		goto out;
	}
	code = prepare_dir(dm.sh.conf) ? EXIT_FAILED : EXIT_OK;
	if (code)
		goto out;
	if (wants_keeper(&dm.opts, dm.sh.conf)) {
		struct keeper_params p = {
			.argv = argv, .ready_fd = dm.opts.ready_fd,
		};

		code = probe_locks(&dm);
		if (code == EXIT_OK)
			code = keeper_run(&p);
		goto out;
	}
	code = run(&dm);
out:
	conf_close(dm.sh.conf);
	return code;
}
