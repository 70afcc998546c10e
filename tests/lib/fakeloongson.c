/* SPDX-License-Identifier: MIT */
/*
 * fakeloongson.c - a Loongson of files and memory, which faults on a bad store
 */
#include "tests/lib/fakeloongson.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#define STRIDE 65536 /* from node to node in the memfd, for any page size */
#define GUARDS 64
#define TRAP   0x100 /* the trap flag in REG_EFL */

/* A mapping of the back end's. */
struct guard {
	uint8_t *at; /* NULL: free */
	uint32_t node;
	uint32_t open; /* threads that may write it now */
};

static struct fakeloongson *self;
static struct guard guards[GUARDS];
static _Thread_local struct guard *stepping;
static atomic_flag lock = ATOMIC_FLAG_INIT;

/* ---- faults ------------------------------------------------------------- */

static void bad_store(const struct guard *g, size_t offset)
{
	char text[128];
	int n = snprintf(text, sizeof(text),
			 "# store to offset 0x%zx of the page of node %u\n",
			 offset, g->node);

	if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(FAKELOONGSON_BAD_STORE);
	_exit(FAKELOONGSON_BAD_STORE);
}

/* Which CPU's which mailbox is it?  False: none of MailBox1..3. */
static bool find_box(const struct guard *g, size_t offset, uint32_t *cpu,
		     uint32_t *box)
{
	size_t block = offset - FAKELOONGSON_IPI;

	if (offset < FAKELOONGSON_IPI || block / HAL_REG_STRIDE >= 4)
		return false;
	switch (block % HAL_REG_STRIDE) {
	case HAL_REG_MAILBOX1:
		*box = 1;
		break;
	case HAL_REG_MAILBOX2:
		*box = 2;
		break;
	case HAL_REG_MAILBOX3:
		*box = 3;
		break;
	default:
		return false;
	}
	for (uint32_t i = 0; i < self->ncpus; i++) {
		if (self->cpu[i].package != g->node ||
		    self->cpu[i].core != block / HAL_REG_STRIDE)
			continue;
		*cpu = i;
		return true;
	}
	return false;
}

static void protect(struct guard *g, int prot)
{
	if (mprotect(g->at, FAKELOONGSON_PAGE, prot))
		_exit(1);
}

/* In a handler: nobody who holds the lock can fault, or be interrupted so. */
static void admit(struct guard *g, bool in)
{
	while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))
		;
	if (in && g->open++ == 0)
		protect(g, PROT_READ | PROT_WRITE);
	if (!in && --g->open == 0)
		protect(g, PROT_READ);
	atomic_flag_clear_explicit(&lock, memory_order_release);
}

static void on_fault(int sig, siginfo_t *si, void *context)
{
	uintptr_t at = (uintptr_t)si->si_addr;
	struct fakeloongson_seen *seen;
	struct guard *g = NULL;
	uint32_t cpu, box;
	size_t offset;

	for (int i = 0; i < GUARDS && !g; i++)
		if (guards[i].at &&
		    at - (uintptr_t)guards[i].at < FAKELOONGSON_PAGE)
			g = &guards[i];
	if (!g) {
		signal(sig, SIG_DFL);
		return; /* and fault again */
	}
	offset = at - (uintptr_t)g->at;
	seen = self->seen;
	if (!find_box(g, offset, &cpu, &box) ||
	    !(atomic_load_explicit(&seen->allowed, memory_order_relaxed) >>
		      cpu &
	      1))
		bad_store(g, offset);
	atomic_fetch_add_explicit(&seen->stores, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&seen->store[cpu][box], 1,
				  memory_order_relaxed);
	admit(g, true);
#ifdef REG_EFL
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP;
	stepping = g;
#else
	(void)context;
#endif
}

static void on_step(int sig, siginfo_t *si, void *context)
{
	(void)si;
	if (!stepping) {
		signal(sig, SIG_DFL);
		return;
	}
#ifdef REG_EFL
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP;
	if (self->dead_box)
		for (uint32_t i = 0; i < self->ncpus; i++)
			fakeloongson_block(self, i)->mail[self->dead_box] = 0;
#else
	(void)context;
#endif
	admit(stepping, false);
	stepping = NULL;
}

/* Where there is no trap flag: after each operation. */
static void protect_all(void)
{
	if (fakeloongson_steps())
		return;
	for (int i = 0; i < GUARDS; i++)
		if (guards[i].at && guards[i].open) {
			guards[i].open = 0;
			protect(&guards[i], PROT_READ);
		}
}

/* With each mapping: cmocka puts handlers of its own around each test. */
static void catch_faults(void)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO };

	sa.sa_sigaction = on_fault;
	if (sigaction(SIGSEGV, &sa, NULL))
		abort();
	sa.sa_sigaction = on_step;
	if (sigaction(SIGTRAP, &sa, NULL))
		abort();
}

/* ---- /dev/mem ----------------------------------------------------------- */

static int open_mem(const char *path, int flags)
{
	(void)path;
	/* Without O_SYNC the kernel maps registers cacheable. */
	if ((flags & O_SYNC) != O_SYNC || (flags & O_ACCMODE) != O_RDWR) {
		errno = EIO;
		return -1;
	}
	if (self->open_errno) {
		errno = self->open_errno;
		return -1;
	}
	return fcntl(self->memfd, F_DUPFD_CLOEXEC, 0);
}

static struct guard *new_guard(void)
{
	for (int i = 0; i < GUARDS; i++)
		if (!guards[i].at)
			return &guards[i];
	abort();
}

/* Forget what was unmapped. */
static void sweep(void)
{
	for (int i = 0; i < GUARDS; i++)
		if (guards[i].at &&
		    msync(guards[i].at, FAKELOONGSON_PAGE, MS_ASYNC))
			guards[i].at = NULL;
}

static void *map_mem(size_t bytes, int fd, off_t at)
{
	uint64_t node = (uint64_t)at >> 44,
		 within = (uint64_t)at & (CHIP_NODE - 1);
	struct guard *g;
	uint8_t *p;

	if (self->mmap_errno &&
	    (!self->mmap_at || self->mmap_at == (uint64_t)at)) {
		errno = self->mmap_errno;
		return MAP_FAILED;
	}
	/* The page around 0x3ff01000 or 0x1fe01000, and no other. */
	if (bytes != FAKELOONGSON_PAGE || node >= LOONGSON_NODES ||
	    (within != 0x3ff00000 && within != 0x1fe00000)) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd,
		 self->sigbus ? (off_t)LOONGSON_NODES * STRIDE
			      : (off_t)node * STRIDE);
	if (p == MAP_FAILED)
		return p;
	sweep();
	catch_faults();
	g = new_guard();
	*g = (struct guard){ .at = p, .node = (uint32_t)node };
	return p;
}

/* ---- the back end on it ------------------------------------------------- */

static int fake_probe(char why[HAL_TEXT])
{
	return loongson_probe_on(&self->sys, why);
}

static int fake_open(struct hal **out, const struct hal_params *p)
{
	int ret = loongson_open_on(out, p, &self->sys);

	protect_all();
	if (ret == 0)
		(*out)->ops = &self->ops;
	return ret;
}

static int fake_send(struct hal *h, uint32_t core, uint32_t box, uint64_t word)
{
	int ret = hal_loongson.mail_send(h, core, box, word);

	protect_all();
	return ret;
}

static int fake_recv(struct hal *h, uint32_t box, uint64_t *word)
{
	int ret = hal_loongson.mail_recv(h, box, word);

	protect_all();
	return ret;
}

static void fake_close(struct hal *h)
{
	hal_loongson.close(h);
	sweep();
}

/* ---- the machine -------------------------------------------------------- */

static FILE *create(const struct fakeloongson *f, const char *name)
{
	char path[160];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	out = fopen(path, "re+");
	if (!out)
		out = fopen(path, "we");
	if (!out)
		abort();
	return out;
}

/* Over the old text, not beside it: somebody has the file open. */
static void finish(FILE *out)
{
	fflush(out);
	if (ftruncate(fileno(out), ftell(out)))
		abort();
	fclose(out);
}

static void write_text(const struct fakeloongson *f, const char *name,
		       const char *text)
{
	FILE *out = create(f, name);

	fputs(text, out);
	finish(out);
}

static void write_cpuinfo(const struct fakeloongson *f)
{
	bool mips = f->sys.arch != CHIP_LOONGARCH;
	FILE *out = create(f, "cpuinfo");

	fprintf(out, "system type\t\t: %s\n",
		mips ? "Generic Loongson64 System"
		     : "generic-loongson-machine");
	for (uint32_t i = 0; i < f->ncpus; i++) {
		if (!f->cpu[i].online)
			continue;
		fprintf(out, "processor\t\t: %u\n", i);
		if (!mips)
			fprintf(out, "package\t\t\t: %u\ncore\t\t\t: %u\n",
				f->cpu[i].package, f->cpu[i].core);
		fprintf(out, "%s\t\t: %s  FPU V0.1\n",
			mips ? "cpu model" : "Model Name", f->model);
		if (mips)
			fprintf(out, "package\t\t\t: %u\ncore\t\t\t: %u\n",
				f->cpu[i].package, f->cpu[i].core);
		fputs("\n", out);
	}
	finish(out);
}

void fakeloongson_files(struct fakeloongson *f)
{
	FILE *out = create(f, "online");
	const char *comma = "";

	for (uint32_t i = 0; i < f->ncpus; i++) {
		if (!f->cpu[i].online)
			continue;
		fprintf(out, "%s%u", comma, i);
		comma = ",";
	}
	fputs("\n", out);
	finish(out);
	out = create(f, "present");
	fprintf(out, "0-%u\n", f->ncpus - 1);
	finish(out);
	write_cpuinfo(f);
}

struct hal_block *fakeloongson_block(struct fakeloongson *f, uint32_t cpu)
{
	const struct fakeloongson_cpu *c = &f->cpu[cpu];

	return (struct hal_block *)(void *)(f->page[c->package] +
					    FAKELOONGSON_IPI +
					    c->core * HAL_REG_STRIDE);
}

void fakeloongson_reset(struct fakeloongson *f)
{
	for (uint32_t n = 0; n < LOONGSON_NODES; n++)
		memset(f->page[n], 0, FAKELOONGSON_PAGE);
	for (uint32_t i = 0; i < f->ncpus; i++)
		atomic_store_explicit(&fakeloongson_block(f, i)->enable,
				      UINT32_MAX, memory_order_relaxed);
}

void fakeloongson_allow(struct fakeloongson *f, uint32_t cpu, bool allow)
{
	if (allow)
		atomic_fetch_or_explicit(&f->seen->allowed, 1u << cpu,
					 memory_order_seq_cst);
	else
		atomic_fetch_and_explicit(&f->seen->allowed, ~(1u << cpu),
					  memory_order_seq_cst);
}

void fakeloongson_offline(struct fakeloongson *f, uint32_t cpu)
{
	f->cpu[cpu].online = false;
	fakeloongson_files(f);
}

void fakeloongson_online(struct fakeloongson *f, uint32_t cpu)
{
	struct hal_block *b = fakeloongson_block(f, cpu);

	atomic_store_explicit(&b->mail[1], UINT64_C(0x98000000022afeb0),
			      memory_order_relaxed);
	atomic_store_explicit(&b->mail[2], UINT64_C(0x98000000022ac000),
			      memory_order_relaxed);
	atomic_store_explicit(&b->mail[3], 0, memory_order_relaxed);
	f->cpu[cpu].online = true;
	fakeloongson_files(f);
}

static void name_files(struct fakeloongson *f)
{
	static char path[6][160];
	const char **of[] = { &f->sys.cpuinfo, &f->sys.present,
			      &f->sys.online,  &f->sys.topology,
			      &f->sys.vendor,  &f->sys.lockdown };
	static const char *const name[] = { "cpuinfo",	"present", "online",
					    "topology", "vendor",  "lockdown" };

	for (int i = 0; i < 6; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/%s", f->dir, name[i]);
		*of[i] = path[i];
	}
}

void fakeloongson_open(struct fakeloongson *f, bool two_nodes)
{
	static const struct fakeloongson_cpu eight[] = {
		{ 0, 0, true }, { 0, 1, true },	 { 0, 2, true },
		{ 1, 1, true }, { 1, 2, true },	 { 1, 0, false },
		{ 1, 3, true }, { 0, 3, false },
	};

	memset(f, 0, sizeof(*f));
	self = f;
	f->model = "ICT Loongson-3 V0.13";
	f->ncpus = two_nodes ? 7 : 4;
	memcpy(f->cpu, eight, sizeof(eight));
	for (uint32_t i = 0; !two_nodes && i < 4; i++)
		f->cpu[i] = (struct fakeloongson_cpu){ 0, i, true };
	snprintf(f->dir, sizeof(f->dir), "/tmp/fakeloongson.XXXXXX");
	f->memfd = memfd_create("loongson", MFD_CLOEXEC);
	f->seen = mmap(NULL, sizeof(*f->seen), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!mkdtemp(f->dir) || f->memfd < 0 || f->seen == MAP_FAILED ||
	    ftruncate(f->memfd, (off_t)LOONGSON_NODES * STRIDE))
		abort();
	for (uint32_t n = 0; n < LOONGSON_NODES; n++) {
		f->page[n] = mmap(NULL, FAKELOONGSON_PAGE,
				  PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd,
				  (off_t)n * STRIDE);
		if (f->page[n] == MAP_FAILED)
			abort();
	}
	atomic_store_explicit(&f->seen->allowed, UINT32_MAX,
			      memory_order_relaxed);
	f->sys = *loongson_sys();
	f->sys.arch = CHIP_MIPS;
	f->sys.page = FAKELOONGSON_PAGE;
	f->sys.open = open_mem;
	f->sys.mmap = map_mem;
	name_files(f);
	f->ops = hal_loongson;
	f->ops.probe = fake_probe;
	f->ops.open = fake_open;
	f->ops.close = fake_close;
	f->ops.mail_send = fake_send;
	f->ops.mail_recv = fake_recv;
	fakeloongson_files(f);
	write_text(f, "vendor", "Lemote\n");
	write_text(f, "lockdown", "[none] integrity confidentiality\n");
	fakeloongson_reset(f);
	memset(guards, 0, sizeof(guards));
}

bool fakeloongson_steps(void)
{
#ifdef REG_EFL
	return true;
#else
	return false;
#endif
}

void fakeloongson_close(struct fakeloongson *f)
{
	static const char *const name[] = { "cpuinfo", "present", "online",
					    "vendor", "lockdown" };
	char path[160];

	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, name[i]);
		unlink(path);
	}
	rmdir(f->dir);
	for (uint32_t n = 0; n < LOONGSON_NODES; n++)
		munmap(f->page[n], FAKELOONGSON_PAGE);
	munmap(f->seen, sizeof(*f->seen));
	close(f->memfd);
	self = NULL;
}
