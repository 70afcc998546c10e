/* SPDX-License-Identifier: MIT */
/*
 * guest_dev.c - in a guest, as root: are the two devices what we say they are?
 *
 *     guest_dev devices [key=value ...]    every promise of guest_dev.h
 *     guest_dev limit [key=value ...]      as many bells as the device takes
 *     guest_dev keeper [key=value ...]     the devices outlive a daemon
 *     keys: data, control, dax (what guest.*_device says), way (vfio or sysfs),
 *     memory (dax, bar, sysfs), uid (become it first: the devices are bound
 *     and given to it already)
 *
 * The host is guest_dev_host.c, which answers what we ring.  Prints TAP.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <snoo/abi.h>
#include <snoo/control.h>

#include "daemon/bells.h"
#include "daemon/guest_dev.h"
#include "daemon/keeper.h"
#include "daemon/log.h"
#include "tests/vm/prog/guest_dev.h"

#define RANK_SAYS UINT64_C(0x300800)
#define RANK_DONE UINT64_C(0x300808)
#define WAIT_MS	  5000
#define NOBODY	  65534u

static unsigned int tests, failed;
static char key_way[16] = "vfio", key_memory[16] = "bar";
static struct conf conf;

static void ok(bool good, const char *what)
{
	printf("%sok %u - %s\n", good ? "" : "not ", ++tests, what);
	fflush(stdout);
	if (!good)
		failed++;
}

/* ---- eventfds ---- */

static uint64_t taken(int fd)
{
	uint64_t n = 0;
	struct iovec io = { .iov_base = &n, .iov_len = sizeof(n) };

	return preadv2(fd, &io, 1, -1, RWF_NOWAIT) == sizeof(n) ? n : 0;
}

static bool comes(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd >= 0 && poll(&p, 1, WAIT_MS) == 1 && taken(fd) > 0;
}

static bool write_one(int fd)
{
	uint64_t one = 1;

	return fd >= 0 && write(fd, &one, sizeof(one)) == sizeof(one);
}

static _Atomic uint64_t *word(const struct guest_dev *g, uint64_t at)
{
	return (_Atomic uint64_t *)(void *)((char *)guest_dev_pool(g) + at);
}

static bool becomes(_Atomic uint64_t *w, uint64_t value)
{
	for (int ms = 0; ms < WAIT_MS; ms++) {
		if (atomic_load_explicit(w, memory_order_acquire) == value)
			return true;
		usleep(1000);
	}
	return false;
}

/* ---- what is there ---- */

static void look(const struct guest_dev *g)
{
	const struct guest_dev_map *m = guest_dev_map(g);
	const struct snoo_abi_pool *head;
	const char *memory = m->kind == SNOO_CTL_MAP_DAX   ? "dax"
			     : m->kind == SNOO_CTL_MAP_BAR ? "bar"
							   : "sysfs";
	size_t bytes;

	printf("# slot %u, %u vectors, pool %llu MiB, map %s at %#llx skip "
	       "%#llx\n# why: %s\n# note: %s\n",
	       guest_dev_slot(g), guest_dev_vectors(g),
	       (unsigned long long)guest_dev_pool_bytes(g) >> 20, m->path,
	       (unsigned long long)m->offset, (unsigned long long)m->skip,
	       guest_dev_why(g), guest_dev_memory_note(g));
	ok(strcmp(memory, key_memory) == 0, "the memory is had as expected");
	ok(guest_dev_has_bells(g) == (strcmp(key_way, "vfio") == 0),
	   "bells are had by vfio alone");
	ok(guest_dev_has_bells(g) == (guest_dev_why(g)[0] == '\0'),
	   "a reason is given exactly without bells");
	head = (const void *)((char *)guest_dev_pool(g) + SNOO_ABI_HEAD_OFFSET);
	ok(head->magic == SNOO_ABI_MAGIC &&
		   head->size == guest_dev_pool_bytes(g),
	   "the pool's head is where it should be");
	ok(*(uint64_t *)guest_dev_control(g, &bytes) == SNOO_CTL_MAGIC &&
		   bytes == SNOO_CTL_BYTES,
	   "the control memory is whole");
	ok(guest_dev_slot(g) > 0 && guest_dev_slot(g) < BELLS_SLOTS_MAX,
	   "the slot is one of a VM");
	ok(m->fd >= 0 && (fcntl(m->fd, F_GETFD) & FD_CLOEXEC),
	   "no program inherits the memory");
}

/* The register rings the host, which answers in the memory. */
static void ring_register(struct guest_dev *g, uint32_t v)
{
	uint64_t before = *word(g, COUNT + 8 * v);
	uint64_t say = UINT64_C(0x1122334455660000) + v;

	/* Nothing of an earlier boot's. */
	taken(guest_dev_vector(g, v));
	atomic_store(word(g, ECHO_FROM), say);
	guest_dev_ring(g, 0, v);
	ok(becomes(word(g, COUNT + 8 * v), before + 1),
	   "the doorbell register rings the host");
	ok(atomic_load(word(g, ECHO_TO)) == say,
	   "host and guest mean the same bytes");
	if (guest_dev_has_bells(g))
		ok(comes(guest_dev_vector(g, v)),
		   "the host's answer arrives by MSI-X");
}

static void ring_eventfd(struct guest_dev *g, uint32_t v)
{
	uint64_t before = *word(g, COUNT + 8 * v);
	int fd = guest_dev_bell(g, 0, v);

	if (!guest_dev_has_bells(g)) {
		ok(fd == -EOPNOTSUPP, "there are no eventfds to ring by");
		return;
	}
	ok(fd >= 0 && guest_dev_bell(g, 0, v) == fd, "a bell is made once");
	ok(write_one(fd) && becomes(word(g, COUNT + 8 * v), before + 1),
	   "a written eventfd rings the host");
	ok(comes(guest_dev_vector(g, v)), "and the answer arrives");
	ok(guest_dev_bell(g, guest_dev_slot(g), v) == guest_dev_vector(g, v),
	   "our own bell is the vector's eventfd");
}

static void ring_control(struct guest_dev *g)
{
	if (!guest_dev_has_bells(g)) {
		ok(guest_dev_control_bell(g) < 0, "control has no bell");
		return;
	}
	guest_dev_control_ring(g);
	ok(comes(guest_dev_control_bell(g)), "the host rings back on control");
}

/* ---- a rank ---- */

static void send_fds(int sock, const int fd[3])
{
	union {
		char buf[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	char byte = 0;
	struct iovec io = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(3 * sizeof(int));
	memcpy(CMSG_DATA(c), fd, 3 * sizeof(int));
	if (sendmsg(sock, &m, 0) != 1)
		perror("# sendmsg");
}

static bool receive_fds(int sock, int fd[3])
{
	union {
		char buf[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec io = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c;

	if (recvmsg(sock, &m, 0) != 1)
		return false;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_len != CMSG_LEN(3 * sizeof(int)))
		return false;
	memcpy(fd, CMSG_DATA(c), 3 * sizeof(int));
	return true;
}

/*
 * Not privileged, with nothing but three fds: memory, own bell, the host's.
 * Sleeps as ranks do: edge-triggered, and nobody ever reads the counter.
 * Returns the number of the step that failed, 0: none.
 */
static int be_rank(const int fd[3], const struct guest_dev_map *m,
		   uint64_t bytes, bool orphan)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(0);
	char *pool;

	pool = mmap(NULL, bytes - m->skip, PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd[0], (off_t)m->offset);
	if (pool == MAP_FAILED)
		return 1;
	pool -= m->skip;
	if (*(uint64_t *)(void *)(pool + SNOO_ABI_HEAD_OFFSET) !=
	    SNOO_ABI_MAGIC)
		return 2;
	*(volatile uint64_t *)(void *)(pool + RANK_SAYS) = 4711;
	if (fd[1] < 0 || fd[2] < 0)
		return 0;
	if (orphan)
		while (getppid() != 1)
			usleep(1000);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd[1], &e) < 0)
		return 3;
	/* What was rung before is told once. */
	epoll_wait(ep, &e, 1, 0);
	for (int i = 0; i < 20; i++)
		if (!write_one(fd[2]) || epoll_wait(ep, &e, 1, WAIT_MS) != 1)
			return 10 + i;
	return 0;
}

static pid_t fork_rank(struct guest_dev *g, bool orphan)
{
	const struct guest_dev_map *m = guest_dev_map(g);
	int fd[3] = { m->fd, guest_dev_vector(g, 1), guest_dev_bell(g, 0, 1) };
	int sock[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return -1;
	if (!guest_dev_has_bells(g))
		fd[1] = fd[2] = m->fd; /* something must be passed */
	pid = fork();
	if (pid == 0) {
		int got[3] = { -1, -1, -1 }, ret = 99;
		struct guest_dev_map map = *m;
		uint64_t bytes = guest_dev_pool_bytes(g);
		bool bells = guest_dev_has_bells(g);
		_Atomic uint64_t *done = NULL;
		void *pool;

		close(sock[0]);
		/* All that the daemon has is gone but for what it sends. */
		if ((getuid() != 0 ||
		     (setgid(NOBODY) == 0 && setuid(NOBODY) == 0)) &&
		    receive_fds(sock[1], got)) {
			if (!bells)
				got[1] = got[2] = -1;
			ret = be_rank(got, &map, bytes, orphan);
		}
		pool = mmap(NULL, bytes - map.skip, PROT_READ | PROT_WRITE,
			    MAP_SHARED, got[0], (off_t)map.offset);
		if (pool != MAP_FAILED) {
			done = (void *)((char *)pool - map.skip + RANK_DONE);
			atomic_store(done, (uint64_t)(1000 + ret));
		}
		_exit(ret);
	}
	close(sock[1]);
	send_fds(sock[0], fd);
	close(sock[0]);
	return pid;
}

static void rank(struct guest_dev *g)
{
	int status = 0;
	pid_t pid;

	atomic_store(word(g, RANK_SAYS), 0);
	pid = fork_rank(g, false);
	ok(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		   WEXITSTATUS(status) == 0,
	   "a rank without privileges maps the pool and is woken each time");
	if (WIFEXITED(status) && WEXITSTATUS(status))
		printf("# step %d\n", WEXITSTATUS(status));
	ok(atomic_load(word(g, RANK_SAYS)) == 4711, "what it wrote is there");
}

/* ---- parts ---- */

static struct guest_dev *come_up(struct keeper **k)
{
	struct sdnotify *notify = NULL;
	struct guest_dev *g = NULL;
	char why[GUEST_DEV_TEXT] = "";
	int ret;

	if (sdnotify_open(&notify, NULL) < 0 || keeper_open(k, notify) < 0)
		exit(KEEPER_EXIT_CONFIG);
	ret = guest_dev_open(&g, &conf, *k, why);
	if (ret)
		printf("# %s: %s\n", strerror(-ret), why);
	ok(ret == 0, "the devices open");
	if (ret)
		exit(KEEPER_EXIT_CONFIG);
	sdnotify_ready(notify, NULL);
	return g;
}

static int part_devices(void)
{
	struct keeper *k;
	struct guest_dev *g;
	char why[GUEST_DEV_TEXT];
	struct guest_dev *second;

	ok(guest_dev_present(&conf), "the devices are seen before all");
	g = come_up(&k);
	look(g);
	for (uint32_t v = 0; v < guest_dev_vectors(g); v++) {
		ring_register(g, v);
		ring_eventfd(g, v);
	}
	ring_control(g);
	rank(g);
	ok(guest_dev_present(&conf), "they are seen while they are open");
	if (guest_dev_has_bells(g)) {
		ok(guest_dev_open(&second, &conf, k, why) == -EBUSY,
		   "nobody else can open them");
		printf("# %s\n", why);
	}
	guest_dev_close(g);
	g = come_up(&k);
	ring_register(g, 0);
	ok(true, "closed and opened again, they work");
	guest_dev_close(g);
	return failed != 0;
}

static int part_limit(void)
{
	struct rlimit many = { 8192, 8192 };
	struct keeper *k;
	struct guest_dev *g;
	unsigned int n = 0;
	int fd = 0;

	setrlimit(RLIMIT_NOFILE, &many);
	g = come_up(&k);
	for (uint32_t s = 0; s < BELLS_SLOTS_MAX && fd >= 0; s++)
		for (uint32_t v = 0; v < guest_dev_vectors(g) && fd >= 0; v++) {
			if (s == guest_dev_slot(g))
				continue;
			fd = guest_dev_bell(g, s, v);
			if (fd >= 0)
				n++;
		}
	printf("# %u bells, then %s\n", n, strerror(fd < 0 ? -fd : 0));
	ok(fd == -ENOSPC && n >= 512, "the device says when it takes no more");
	ok(guest_dev_bell(g, 0, 0) >= 0, "the first ones are still there");
	ring_register(g, 0);
	return failed != 0;
}

/*
 * The first daemon starts a rank and is killed.  The rank rings and is rung
 * while there is no daemon; the second one waits for that, and then finds all
 * as it was.
 */
static int part_daemon(void)
{
	struct keeper *k;
	struct guest_dev *g;
	uint64_t before;

	if (access("/tmp/guest_dev.first", F_OK) < 0) {
		close(open("/tmp/guest_dev.first", O_CREAT | O_WRONLY, 0600));
		g = come_up(&k);
		atomic_store(word(g, RANK_DONE), 0);
		ok(fork_rank(g, true) > 0, "a rank runs");
		kill(getpid(), SIGKILL);
	}
	sleep(2);
	g = come_up(&k);
	look(g);
	ok(becomes(word(g, RANK_DONE), 1000),
	   "a rank was woken each time while there was no daemon");
	printf("# rank: %llu\n",
	       (unsigned long long)atomic_load(word(g, RANK_DONE)));
	before = *word(g, COUNT + 8);
	taken(guest_dev_vector(g, 1));
	ok(write_one(guest_dev_bell(g, 0, 1)) &&
		   becomes(word(g, COUNT + 8), before + 1),
	   "the kept eventfd rings");
	ok(comes(guest_dev_vector(g, 1)), "the kept vector is rung");
	ring_eventfd(g, 0);
	ring_register(g, 1);
	ring_control(g);
	rank(g);
	ok(keeper_drop_rest(k) == 0, "nothing was kept for nothing");
	guest_dev_close(g);
	keeper_close(k);
	return failed ? KEEPER_EXIT_CONFIG : 0;
}

static void keys(int argc, char **argv)
{
	static char none[] = "";

	conf.guest.data_device = none;
	conf.guest.control_device = none;
	conf.guest.dax_device = none;
	for (int i = 2; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value)
			continue;
		value++;
		if (strncmp(argv[i], "data=", 5) == 0)
			conf.guest.data_device = value;
		if (strncmp(argv[i], "control=", 8) == 0)
			conf.guest.control_device = value;
		if (strncmp(argv[i], "dax=", 4) == 0)
			conf.guest.dax_device = value;
		if (strncmp(argv[i], "way=", 4) == 0)
			snprintf(key_way, sizeof(key_way), "%s", value);
		if (strncmp(argv[i], "memory=", 7) == 0)
			snprintf(key_memory, sizeof(key_memory), "%s", value);
		if (strncmp(argv[i], "uid=", 4) == 0 &&
		    setuid((uid_t)atoi(value)) < 0)
			perror("# setuid");
	}
}

int main(int argc, char **argv)
{
	const char *part = argc > 1 ? argv[1] : "";
	struct keeper_params params = { .argv = argv, .ready_fd = -1 };
	int ret = 2;

	keys(argc, argv);
	log_open(LOG_LEVEL_WARNING);
	if (strcmp(part, "devices") == 0)
		ret = part_devices();
	else if (strcmp(part, "limit") == 0)
		ret = part_limit();
	else if (strcmp(part, "daemon") == 0)
		return part_daemon();
	else if (strcmp(part, "keeper") == 0) {
		argv[1] = (char *)(uintptr_t) "daemon";
		ret = keeper_run(&params);
		ok(ret == 0, "the daemon that came back ended well");
	}
	printf("1..%u\n", tests);
	return ret;
}
