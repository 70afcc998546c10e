/* SPDX-License-Identifier: MIT */
/*
 * ledger.c - create, check and open the books; records and the arena map
 *
 * How one record survives a kill is ledger_cell.c's subject.
 */

#include "daemon/ledger.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ledger_cell.h"
#include "shm/region.h"
#include "shm/testpoint.h"

#define DOMAIN_OFF	UINT64_C(4096)
#define SEALS		(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct ledger {
	unsigned char *base;
	const struct ledger_head *head;
	int fd;
};

/* ---- where things are ---- */

static void *domain_cell(const struct ledger *l)
{
	return l->base + DOMAIN_OFF;
}

static void *job_cell(const struct ledger *l, uint32_t i)
{
	assert(i < l->head->nranks);
	return l->base + l->head->jobs_off +
	       i * ledger_cell_bytes(sizeof(struct ledger_job));
}

static void *rank_cell(const struct ledger *l, uint32_t i)
{
	assert(i < l->head->nranks);
	return l->base + l->head->ranks_off +
	       i * ledger_cell_bytes(sizeof(struct ledger_rank));
}

static void *vm_cell(const struct ledger *l, uint32_t i)
{
	assert(i < l->head->nvms);
	return l->base + l->head->vms_off +
	       i * ledger_cell_bytes(sizeof(struct ledger_vm));
}

static uint64_t page_up(uint64_t v)
{
	return (v + 4095) & ~UINT64_C(4095);
}

static uint64_t cells(uint32_t n, size_t payload)
{
	return page_up(n * (uint64_t)ledger_cell_bytes(payload));
}

/* Fill the geometry from sizes and counts; as shm_region_plan(). */
static int plan(struct ledger_head *h, uint64_t pool_size, uint32_t nranks,
		uint32_t nvms)
{
	struct shm_region r;
	int ret = shm_region_plan(&r, pool_size, nranks);

	if (ret)
		return ret;
	if (nvms > LEDGER_VMS_MAX)
		return -EINVAL;
	h->magic = LEDGER_MAGIC;
	h->version = LEDGER_VERSION;
	h->nranks = nranks;
	h->pool_size = pool_size;
	h->nvms = nvms;
	h->arena_units = r.arena_units;
	h->jobs_off = DOMAIN_OFF + cells(1, sizeof(struct ledger_domain));
	h->ranks_off = h->jobs_off + cells(nranks, sizeof(struct ledger_job));
	h->vms_off = h->ranks_off + cells(nranks, sizeof(struct ledger_rank));
	h->map_off = h->vms_off + cells(nvms, sizeof(struct ledger_vm));
	h->bytes = page_up(h->map_off +
			   (uint64_t)r.arena_units * sizeof(uint64_t));
	return 0;
}

static uint64_t head_sum(const struct ledger_head *h)
{
	return ledger_cell_sum(LEDGER_VERSION, h,
			       offsetof(struct ledger_head, sum));
}

/* ---- create ---- */

/* Return: 0, or the errno, positive; only with 0 is l->base set. */
static int map_file(struct ledger *l, uint64_t bytes)
{
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_SHARED, l->fd, 0);

	if (base == MAP_FAILED)
		return errno;
	/* A child that forks off must not write our books. */
	if (madvise(base, bytes, MADV_DONTFORK)) {
		int error = errno;

		munmap(base, bytes);
		return error;
	}
	l->base = base;
	l->head = base;
	return 0;
}

static void write_all(struct ledger *l, const struct ledger_head *h)
{
	static const struct ledger_job no_job;
	static const struct ledger_vm no_vm;
	struct ledger_rank no_rank = { .job = LEDGER_NONE };
	struct ledger_domain domain = { .state = LEDGER_DOMAIN_NEW };

	memcpy(l->base, h, sizeof(*h));
	ledger_cell_init(domain_cell(l), &domain, sizeof(domain));
	for (uint32_t i = 0; i < h->nranks; i++) {
		ledger_cell_init(job_cell(l, i), &no_job, sizeof(no_job));
		ledger_cell_init(rank_cell(l, i), &no_rank, sizeof(no_rank));
	}
	for (uint32_t i = 0; i < h->nvms; i++)
		ledger_cell_init(vm_cell(l, i), &no_vm, sizeof(no_vm));
}

int ledger_create(struct ledger **out, const struct ledger_params *params)
{
	struct ledger_head head = { 0 };
	struct timespec now;
	struct ledger *l;
	int ret;

	*out = NULL;
	if (strlen(params->name) >= sizeof(head.name))
		return -EINVAL;
	ret = plan(&head, params->pool_size, params->nranks, params->nvms);
	if (ret)
		return ret;
	memcpy(head.name, params->name, strlen(params->name) + 1);
	clock_gettime(CLOCK_REALTIME, &now);
	head.created_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) +
			  (uint64_t)now.tv_nsec;
	head.sum = head_sum(&head);

	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->fd = memfd_create("snoo-ledger", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (l->fd < 0) {
		ret = -errno;
		goto out_free;
	}
	/*
	 * All pages now: a put must not find that there is no memory left.
	 * The file is small next to the pool: 0.2 % of it.
	 */
	if (ftruncate(l->fd, (off_t)head.bytes) ||
	    fallocate(l->fd, 0, 0, (off_t)head.bytes) ||
	    fcntl(l->fd, F_ADD_SEALS, SEALS)) {
		ret = errno == ENOSPC ? -ENOMEM : -errno;
		goto out_fd;
	}
	ret = -map_file(l, head.bytes);
	if (!l->base)
		goto out_fd;
	write_all(l, &head);
	*out = l;
	return 0;

out_fd:
	close(l->fd);
out_free:
	free(l);
	return ret;
}

/* ---- open ---- */

static int damaged(char why[LEDGER_TEXT], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int damaged(char why[LEDGER_TEXT], const char *fmt, ...)
{
	int n = snprintf(why, LEDGER_TEXT, "the ledger is damaged: ");
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why + n, LEDGER_TEXT - (size_t)n, fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

/* The head, before anything is believed; @bytes is what the file has. */
static int check_head(const struct ledger_head *h, uint64_t bytes, char *why)
{
	struct ledger_head expect = { 0 };

	if (h->magic != LEDGER_MAGIC)
		return damaged(why, "no ledger starts here");
	if (h->version != LEDGER_VERSION) {
		snprintf(why, LEDGER_TEXT, "the ledger has version %u, this "
			 "daemon reads %u: stop the jobs and the old daemon "
			 "first", h->version, LEDGER_VERSION);
		return -EPROTONOSUPPORT;
	}
	if (h->sum != head_sum(h))
		return damaged(why, "the head does not match its sum");
	if (plan(&expect, h->pool_size, h->nranks, h->nvms) ||
	    expect.arena_units != h->arena_units ||
	    expect.jobs_off != h->jobs_off ||
	    expect.ranks_off != h->ranks_off ||
	    expect.vms_off != h->vms_off ||
	    expect.map_off != h->map_off || expect.bytes != h->bytes)
		return damaged(why, "impossible layout for %u ranks and a "
			       "pool of %llu bytes", h->nranks,
			       (unsigned long long)h->pool_size);
	if (h->bytes != bytes)
		return damaged(why, "%llu bytes where %llu are due",
			       (unsigned long long)bytes,
			       (unsigned long long)h->bytes);
	if (!memchr(h->name, 0, sizeof(h->name)))
		return damaged(why, "the domain's name has no end");
	return 0;
}

static int check_job(const struct ledger *l, uint32_t i, char *why)
{
	struct ledger_job j;

	if (ledger_cell_check(job_cell(l, i), sizeof(j)))
		return damaged(why, "cell of job %u", i);
	ledger_get_job(l, i, &j);
	if (j.state > LEDGER_JOB_ENDING)
		return damaged(why, "job %u is in state %u", i, j.state);
	if (j.state == LEDGER_JOB_FREE)
		return 0;
	if (!memchr(j.name, 0, sizeof(j.name)))
		return damaged(why, "the name of job %u has no end", i);
	if (j.capacity == 0 || j.capacity > SNOO_ABI_JOB_RANKS ||
	    j.size > j.capacity || j.joined > j.capacity || j.open > 1)
		return damaged(why, "job %u counts %u of %u of %u ranks", i,
			       j.joined, j.size, j.capacity);
	if (j.job_off >= l->head->pool_size)
		return damaged(why, "job %u lies outside the pool", i);
	return 0;
}

static int check_rank(const struct ledger *l, uint32_t i, char *why)
{
	struct ledger_rank r;

	if (ledger_cell_check(rank_cell(l, i), sizeof(r)))
		return damaged(why, "cell of slot %u", i);
	ledger_get_rank(l, i, &r);
	if (r.state > LEDGER_RANK_DEAD)
		return damaged(why, "slot %u is in state %u", i, r.state);
	if (r.state == LEDGER_RANK_FREE)
		return 0;
	if (r.job >= l->head->nranks || r.rank >= SNOO_ABI_JOB_RANKS)
		return damaged(why, "slot %u is rank %u of job %u", i, r.rank,
			       r.job);
	if (r.vm > l->head->nvms)
		return damaged(why, "slot %u is in VM slot %u", i, r.vm);
	if (r.regs_out > l->head->arena_units ||
	    r.regs_in > l->head->arena_units)
		return damaged(why, "slot %u has register rings outside of "
			       "the arena", i);
	return 0;
}

static bool ends(const char text[LEDGER_NAME])
{
	return memchr(text, 0, LEDGER_NAME) != NULL;
}

static int check_vm(const struct ledger *l, uint32_t i, char *why)
{
	struct ledger_vm v;

	if (ledger_cell_check(vm_cell(l, i), sizeof(v)))
		return damaged(why, "cell of VM slot %u", i + 1);
	ledger_get_vm(l, i, &v);
	if (v.state > LEDGER_VM_CUT)
		return damaged(why, "VM slot %u is in state %u", i + 1,
			       v.state);
	if (!ends(v.name) || !ends(v.host) || !ends(v.kernel))
		return damaged(why, "a name of VM slot %u has no end", i + 1);
	return 0;
}

static int check_all(const struct ledger *l, char *why)
{
	struct ledger_domain d;
	int ret;

	if (ledger_cell_check(domain_cell(l), sizeof(d)))
		return damaged(why, "cell of the domain");
	ledger_get_domain(l, &d);
	if (d.state > LEDGER_DOMAIN_LOST || !memchr(d.lost, 0, sizeof(d.lost)))
		return damaged(why, "the domain is in state %u", d.state);
	for (uint32_t i = 0; i < l->head->nranks; i++) {
		ret = check_job(l, i, why);
		if (!ret)
			ret = check_rank(l, i, why);
		if (ret)
			return ret;
	}
	for (uint32_t i = 0; i < l->head->nvms; i++) {
		ret = check_vm(l, i, why);
		if (ret)
			return ret;
	}
	return 0;
}

int ledger_open(struct ledger **out, int fd, char why[LEDGER_TEXT])
{
	struct ledger_head head;
	struct ledger *l;
	struct stat st;
	ssize_t n;
	int ret;

	*out = NULL;
	why[0] = '\0';
	l = calloc(1, sizeof(*l));
	if (!l) {
		close(fd);
		return -ENOMEM;
	}
	l->fd = fd;
	if (fstat(fd, &st)) {
		ret = -errno;
		goto out_close;
	}
	n = pread(fd, &head, sizeof(head), 0);
	if (n != (ssize_t)sizeof(head)) {
		ret = n < 0 ? -errno : damaged(why, "it ends in its head");
		goto out_close;
	}
	ret = check_head(&head, (uint64_t)st.st_size, why);
	if (ret)
		goto out_close;
	if ((fcntl(fd, F_GET_SEALS) & SEALS) != SEALS) {
		ret = damaged(why, "it is not sealed");
		goto out_close;
	}
	ret = -map_file(l, head.bytes);
	if (!l->base)
		goto out_close;
	ret = check_all(l, why);
	if (ret)
		goto out_unmap;
	*out = l;
	return 0;

out_unmap:
	munmap(l->base, head.bytes);
out_close:
	if (!why[0])
		snprintf(why, LEDGER_TEXT, "the ledger cannot be read: %s",
			 strerror(-ret));
	close(fd);
	free(l);
	return ret;
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	munmap(l->base, l->head->bytes);
	close(l->fd);
	free(l);
}

int ledger_fd(const struct ledger *l)
{
	return l->fd;
}

const struct ledger_head *ledger_head(const struct ledger *l)
{
	return l->head;
}

/* ---- records ---- */

void ledger_get_domain(const struct ledger *l, struct ledger_domain *out)
{
	ledger_cell_get(domain_cell(l), out, sizeof(*out));
}

void ledger_put_domain(struct ledger *l, const struct ledger_domain *in)
{
	ledger_cell_put(domain_cell(l), in, sizeof(*in));
}

void ledger_get_job(const struct ledger *l, uint32_t i, struct ledger_job *out)
{
	ledger_cell_get(job_cell(l, i), out, sizeof(*out));
}

void ledger_put_job(struct ledger *l, uint32_t i, const struct ledger_job *in)
{
	ledger_cell_put(job_cell(l, i), in, sizeof(*in));
}

void ledger_get_rank(const struct ledger *l, uint32_t i,
		     struct ledger_rank *out)
{
	ledger_cell_get(rank_cell(l, i), out, sizeof(*out));
}

void ledger_put_rank(struct ledger *l, uint32_t i,
		     const struct ledger_rank *in)
{
	ledger_cell_put(rank_cell(l, i), in, sizeof(*in));
}

void ledger_get_vm(const struct ledger *l, uint32_t i, struct ledger_vm *out)
{
	ledger_cell_get(vm_cell(l, i), out, sizeof(*out));
}

void ledger_put_vm(struct ledger *l, uint32_t i, const struct ledger_vm *in)
{
	ledger_cell_put(vm_cell(l, i), in, sizeof(*in));
}

uint32_t ledger_next_job(struct ledger *l)
{
	struct ledger_domain d;

	ledger_get_domain(l, &d);
	if (++d.next_job == 0)
		d.next_job = 1;
	ledger_put_domain(l, &d);
	return d.next_job;
}

uint64_t ledger_next_kept(struct ledger *l)
{
	struct ledger_domain d;

	ledger_get_domain(l, &d);
	d.kept_next++;
	ledger_put_domain(l, &d);
	return d.kept_next;
}

uint32_t ledger_raise_epoch(struct ledger *l)
{
	struct ledger_domain d;

	ledger_get_domain(l, &d);
	if (++d.epoch == 0)
		d.epoch = 1;
	ledger_put_domain(l, &d);
	return d.epoch;
}

uint32_t ledger_epoch(const struct ledger *l)
{
	struct ledger_domain d;

	ledger_get_domain(l, &d);
	return d.epoch;
}

void ledger_set_state(struct ledger *l, enum ledger_domain_state state,
		      const char *lost)
{
	struct ledger_domain d;

	ledger_get_domain(l, &d);
	d.state = state;
	memset(d.lost, 0, sizeof(d.lost));
	if (lost)
		memcpy(d.lost, lost, strnlen(lost, sizeof(d.lost) - 1));
	ledger_put_domain(l, &d);
}

/* ---- the arena map ---- */

static _Atomic uint64_t *map_word(const struct ledger *l, uint32_t unit)
{
	assert(unit < l->head->arena_units);
	return (_Atomic uint64_t *)(void *)(l->base + l->head->map_off) + unit;
}

void ledger_put_map(struct ledger *l, uint32_t unit, uint64_t word)
{
	if (word != 0) {
		word &= ~UINT64_C(0xff);
		word |= ledger_cell_crc(word, unit);
	}
	SNOO_TESTPOINT("ledger_map_begin");
	/* COMMIT: one aligned store; taken or given, never between. */
	atomic_store_explicit(map_word(l, unit), word, memory_order_release);
	SNOO_TESTPOINT("ledger_map_done");
}

int ledger_get_map(const struct ledger *l, uint32_t unit, uint64_t *word)
{
	/* Relaxed: only this thread writes it. */
	uint64_t w = atomic_load_explicit(map_word(l, unit),
					  memory_order_relaxed);

	*word = 0;
	if (w == 0)
		return 0;
	if ((w & 0xff) != ledger_cell_crc(w & ~UINT64_C(0xff), unit))
		return -EBADMSG;
	*word = w & ~UINT64_C(0xff);
	return 0;
}
