/* SPDX-License-Identifier: MIT */
/*
 * loongson.c - the inter-core registers of a Loongson 3, through /dev/mem
 *
 * Theory of operation
 * ===================
 *
 * The page that holds the register blocks of a chip's four cores also holds
 * its interrupt router and its address windows: one stray store there re-routes
 * physical memory.  So only a trusted process maps it, one page for each chip,
 * uncached (O_SYNC: without it the kernel hands out a cacheable mapping, and
 * says nothing), and this file is the only one that writes it, through
 * mail_store(), which can reach MailBox1..3 of an online core and nothing else.
 *
 * Never written, and why:
 *
 *   MailBox0	offline cores poll it and jump where it points
 *   ENABLE	the kernel needs all its bits; without, its own calls hang
 *   CLEAR	would take a bit that the kernel has not seen yet
 *   SET	costs the target a kernel interrupt, whose handler wipes all of
 *		STATUS: the bit is gone before anybody can look
 *
 * So there are mailboxes and no bells (HAL_CAP_MAIL alone): the receiver polls
 * while there is traffic, and sleeps on a bell of another kind.
 *
 * Each mailbox has one sender at a time.  On a chip of four cores that falls
 * out of the numbering: sender s uses MailBox 1 + ((s - r - 1) & 3) of receiver
 * r.  Beyond that the callers share a lock in cacheable memory.
 *
 * Ordering edges
 * ==============
 *
 *   edge  one end                           other end
 *   MAIL  send: barrier, store, barrier     recv: load, barrier
 *   ACK   recv: barrier, store 0, barrier   send: load, barrier
 *
 * Cores must stay online while a handle is open: bringing one online writes
 * the kernel's stack pointer into MailBox1 and its global pointer into 2.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hal/loongson/loongson.h"
#include "hal/loongson/mmio.h"

/**
 * struct loongson - Handle of the hardware back end
 * @base:	What every back end's handle begins with
 * @block:	For each CPU of the kernel its register block; NULL: offline
 * @map:	Pages to unmap at the end; NULL if they are the caller's
 */
struct loongson {
	struct hal base;
	volatile uint8_t *block[LOONGSON_CPUS];
	void *map[LOONGSON_NODES];
	size_t map_bytes;
};

static volatile uint64_t *mail_reg(struct loongson *l, uint32_t core,
				   uint32_t box)
{
	return (volatile uint64_t *)(l->block[core] + HAL_REG_MAILBOX0 +
				     8 * box);
}

/* The only store to the page.  @box was checked twice, and is here again. */
static void mail_store(struct loongson *l, uint32_t core, uint32_t box,
		       uint64_t word)
{
	if (box >= HAL_MAIL_FIRST && box <= HAL_MAIL_LAST)
		mmio_store64(mail_reg(l, core, box), word);
}

/* A DMI vendor or a cpuinfo line that says "virtual machine". */
static bool is_guest(const struct loongson_machine *m)
{
	static const char *const vendors[] = { "QEMU", "KVM", "VMware", "Xen" };
	char line[64] = "";
	bool guest = m->guest;
	FILE *f = fopen("/sys/class/dmi/id/sys_vendor", "re");

	if (!f)
		return guest;
	if (fgets(line, sizeof(line), f))
		for (size_t i = 0; i < sizeof(vendors) / sizeof(*vendors); i++)
			guest |= strstr(line, vendors[i]) != NULL;
	fclose(f);
	return guest;
}

static int read_machine(struct loongson_machine *m)
{
	FILE *f;
	int ret;

	if (!MMIO_LOONGSON)
		return -ENODEV;
	f = fopen("/proc/cpuinfo", "re");
	if (!f)
		return -ENODEV;
	ret = loongson_cpuinfo(m, f);
	fclose(f);
	return ret;
}

/* O_SYNC is what makes the mapping uncached; see the head of this file. */
static int open_mem(void)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	return errno == EACCES || errno == EPERM ? -EACCES : -ENODEV;
}

static int loongson_probe(char why[HAL_TEXT])
{
	struct loongson_machine m;
	int ret, fd;

	(void)why;
	ret = read_machine(&m);
	if (ret)
		return ret;
	if (is_guest(&m))
		return -ENODEV;
	fd = open_mem();
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/*
 * After boot our mailboxes hold the kernel's stack and global pointer.  The
 * manuals' tables call some of them write-only, its text all of them readable:
 * so write, read back, clear.
 */
static int reset_mail(struct loongson *l)
{
	uint32_t self = l->base.self;

	for (uint32_t box = HAL_MAIL_FIRST; box <= HAL_MAIL_LAST; box++) {
		uint64_t probe = UINT64_C(0x534e4f4f00000000) | box;

		mail_store(l, self, box, probe);
		if (mmio_load64(mail_reg(l, self, box)) != probe)
			return -EIO;
		mail_store(l, self, box, 0);
		if (mmio_load64(mail_reg(l, self, box)) != 0)
			return -EIO;
	}
	return 0;
}

int loongson_open_at(struct hal **out, const struct hal_params *p,
		     const struct loongson_machine *m,
		     void *const node[LOONGSON_NODES])
{
	struct loongson *l;
	int ret;

	*out = NULL;
	if (p->self != HAL_SELF_NONE) {
		if (p->self >= m->ncpus)
			return -EINVAL;
		if (!m->cpu[p->self].online)
			return -ENODEV;
	}

	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->base.ops = &hal_loongson;
	l->base.caps = HAL_CAP_MAIL;
	l->base.ncores = m->ncpus;
	l->base.self = p->self;
	for (uint32_t i = 0; i < m->ncpus; i++) {
		const struct loongson_cpu *c = &m->cpu[i];

		if (c->online && node[c->node])
			l->block[i] = (volatile uint8_t *)node[c->node] +
				      c->core * HAL_REG_STRIDE;
	}
	if (p->self != HAL_SELF_NONE && !l->block[p->self]) {
		ret = -ENODEV;
		goto out_free;
	}
	if (p->self != HAL_SELF_NONE && !(p->flags & HAL_KEEP_MAIL)) {
		ret = reset_mail(l);
		if (ret)
			goto out_free;
	}
	*out = &l->base;
	return 0;

out_free:
	free(l);
	return ret;
}

static void unmap_nodes(void *map[LOONGSON_NODES], size_t bytes)
{
	for (int n = 0; n < LOONGSON_NODES; n++)
		if (map[n])
			munmap(map[n], bytes);
}

/* One page for each chip with a core online. */
static int map_nodes(const struct loongson_machine *m, size_t page,
		     void *map[LOONGSON_NODES], void *node[LOONGSON_NODES])
{
	int fd = open_mem();
	int ret = 0;

	if (fd < 0)
		return fd;
	for (uint32_t i = 0; i < m->ncpus && !ret; i++) {
		uint32_t n = m->cpu[i].node;
		uint64_t base = loongson_base(m->chip, n);
		uint64_t within = base & (page - 1);
		void *at;

		if (!m->cpu[i].online || map[n])
			continue;
		at = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  (off_t)(base - within));
		if (at == MAP_FAILED) {
			ret = errno == EPERM || errno == EACCES ? -EACCES :
								  -ENODEV;
		} else {
			map[n] = at;
			node[n] = (uint8_t *)at + within;
		}
	}
	close(fd);
	return ret;
}

static int loongson_open(struct hal **out, const struct hal_params *p)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *map[LOONGSON_NODES] = { 0 };
	void *node[LOONGSON_NODES] = { 0 };
	struct loongson_machine m;
	struct loongson *l;
	int ret;

	ret = read_machine(&m);
	if (ret)
		return ret;
	if (is_guest(&m) && !(p->flags & HAL_ALLOW_GUEST))
		return -ENODEV;

	ret = map_nodes(&m, page, map, node);
	if (ret)
		goto out_unmap;
	ret = loongson_open_at(out, p, &m, node);
	if (ret)
		goto out_unmap;
	l = (struct loongson *)*out;
	memcpy(l->map, map, sizeof(map));
	l->map_bytes = page;
	return 0;

out_unmap:
	unmap_nodes(map, page);
	return ret;
}

static void loongson_close(struct hal *h)
{
	struct loongson *l = (struct loongson *)h;

	unmap_nodes(l->map, l->map_bytes);
	free(l);
}

static int loongson_mail_send(struct hal *h, uint32_t core, uint32_t box,
			      uint64_t word)
{
	struct loongson *l = (struct loongson *)h;

	if (!l->block[core])
		return -ENODEV;
	/* ACK, sender's side: the last word was read before it became 0. */
	if (mmio_load64(mail_reg(l, core, box)) != 0)
		return -EAGAIN;
	/* MAIL, sender's side: the barrier before the store is inside. */
	mail_store(l, core, box, word);
	return 0;
}

static int loongson_mail_recv(struct hal *h, uint32_t box, uint64_t *word)
{
	struct loongson *l = (struct loongson *)h;

	/* MAIL, receiver's side: the barrier after the load is inside. */
	*word = mmio_load64(mail_reg(l, h->self, box));
	if (*word == 0)
		return -EAGAIN;
	/* ACK, receiver's side. */
	mail_store(l, h->self, box, 0);
	return 0;
}

static int loongson_regs(struct hal *h, uint32_t core,
			 struct hal_regs *snapshot)
{
	struct loongson *l = (struct loongson *)h;
	volatile uint8_t *b = l->block[core];

	if (!b)
		return -ENODEV;
	snapshot->status =
		mmio_load32((volatile uint32_t *)(b + HAL_REG_STATUS));
	snapshot->enable =
		mmio_load32((volatile uint32_t *)(b + HAL_REG_ENABLE));
	for (uint32_t i = 0; i < HAL_MAILBOXES; i++)
		snapshot->mail[i] = mmio_load64(mail_reg(l, core, i));
	return 0;
}

const struct hal_ops hal_loongson = {
	.name		= "loongson",
	.probe		= loongson_probe,
	.open		= loongson_open,
	.close		= loongson_close,
	.mail_send	= loongson_mail_send,
	.mail_recv	= loongson_mail_recv,
	.regs		= loongson_regs,
};
