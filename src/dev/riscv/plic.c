/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/riscv/plic.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"

/* Register blocks (specification, chapter 3). */
enum {
	PRIORITY = 0x0,
	PENDING = 0x1000,
	ENABLE = 0x2000,
	ENABLE_STRIDE = 0x80,
	CONTEXT = 0x200000,
	CONTEXT_STRIDE = 0x1000,
	CONTEXT_THRESHOLD = 0,
	CONTEXT_CLAIM = 4,
};

enum { WORDS = PLIC_SOURCES / 32, MAX_CONTEXTS = 2 * VM_MAX_CPUS, MIP_SEIP = 9, MIP_MEIP = 11 };

struct plic {
	struct dev dev;
	struct vm *vm;
	unsigned contexts;

	pthread_mutex_t lock;		/* everything below */
	uint32_t level[WORDS];		/* the wires */
	uint32_t pending[WORDS];
	uint32_t claimed[WORDS];	/* between claim and complete: the gateway is closed */
	uint8_t priority[PLIC_SOURCES];
	uint32_t enable[MAX_CONTEXTS][WORDS];
	uint8_t threshold[MAX_CONTEXTS];
};

/* The pending, enabled source of highest priority above floor, lowest number first; 0 none. */
static unsigned best(const struct plic *p, unsigned ctx, unsigned floor)
{
	unsigned found = 0, top = floor;

	for (unsigned w = 0; w < WORDS; w++) {
		uint32_t live = p->pending[w] & p->enable[ctx][w];

		for (; live; live &= live - 1) {
			unsigned n = w * 32 + (unsigned)__builtin_ctz(live);

			if (p->priority[n] > top) {
				top = p->priority[n];
				found = n;
			}
		}
	}
	return found;
}

static void update(struct plic *p)
{
	for (unsigned ctx = 0; ctx < p->contexts; ctx++)
		vcpu_set_line(&p->vm->cpus[ctx / 2], ctx & 1 ? MIP_SEIP : MIP_MEIP,
			      best(p, ctx, p->threshold[ctx]));
}

/* Gateways: a wire that is high becomes one pending request, then none until its completion. */
static void gateways(struct plic *p, unsigned w)
{
	p->pending[w] |= p->level[w] & ~p->claimed[w];
}

static void plic_set(void *opaque, unsigned n, bool level)
{
	struct plic *p = opaque;
	uint32_t bit = 1u << n % 32;
	unsigned w = n / 32;

	pthread_mutex_lock(&p->lock);
	if (level != !!(p->level[w] & bit)) {
		p->level[w] ^= bit;
		/*
		 * A request once forwarded stays even when its wire falls: software claims it,
		 * finds nothing to do and completes it (specification, chapter 1.3).
		 */
		gateways(p, w);
		if (level)
			update(p);
	}
	pthread_mutex_unlock(&p->lock);
}

struct irq_line plic_line(struct plic *p, unsigned n)
{
	assert(n > 0 && n < PLIC_SOURCES);
	return (struct irq_line){ plic_set, p, n };
}

/* The threshold holds back the notification, not the claim (specification, chapter 8). */
static uint32_t claim(struct plic *p, unsigned ctx)
{
	unsigned n = best(p, ctx, 0);

	if (n) {
		p->pending[n / 32] &= ~(1u << n % 32);
		p->claimed[n / 32] |= 1u << n % 32;
		update(p);
	}
	return n;
}

/* Silently ignored unless the source is enabled for the context (specification, chapter 9). */
static void complete(struct plic *p, unsigned ctx, uint32_t n)
{
	if (!n || n >= PLIC_SOURCES || !(p->enable[ctx][n / 32] >> n % 32 & 1))
		return;
	p->claimed[n / 32] &= ~(1u << n % 32);
	gateways(p, n / 32);
	update(p);
}

static uint32_t reg_read(struct plic *p, uint64_t off)
{
	uint64_t ctx, at;

	if (off < PENDING)
		return off / 4 < PLIC_SOURCES ? p->priority[off / 4] : 0;
	if (off < ENABLE)
		return off - PENDING < WORDS * 4 ? p->pending[(off - PENDING) / 4] : 0;
	if (off < CONTEXT) {
		ctx = (off - ENABLE) / ENABLE_STRIDE;
		at = (off - ENABLE) % ENABLE_STRIDE / 4;
		return ctx < p->contexts && at < WORDS ? p->enable[ctx][at] : 0;
	}
	ctx = (off - CONTEXT) / CONTEXT_STRIDE;
	at = (off - CONTEXT) % CONTEXT_STRIDE;
	if (ctx >= p->contexts)
		return 0;
	if (at == CONTEXT_THRESHOLD)
		return p->threshold[ctx];
	return at == CONTEXT_CLAIM ? claim(p, (unsigned)ctx) : 0;
}

static void reg_write(struct plic *p, uint64_t off, uint32_t value)
{
	uint64_t ctx, at;

	if (off < PENDING) {
		if (off / 4 && off / 4 < PLIC_SOURCES)
			p->priority[off / 4] = value & PLIC_MAX_PRIORITY;
	} else if (off < ENABLE) {
		return;		/* pending bits are read-only */
	} else if (off < CONTEXT) {
		ctx = (off - ENABLE) / ENABLE_STRIDE;
		at = (off - ENABLE) % ENABLE_STRIDE / 4;
		if (ctx < p->contexts && at < WORDS)
			p->enable[ctx][at] = at ? value : value & ~1u;
	} else {
		ctx = (off - CONTEXT) / CONTEXT_STRIDE;
		at = (off - CONTEXT) % CONTEXT_STRIDE;
		if (ctx >= p->contexts)
			return;
		if (at == CONTEXT_THRESHOLD)
			p->threshold[ctx] = value & PLIC_MAX_PRIORITY;
		else if (at == CONTEXT_CLAIM)
			complete(p, (unsigned)ctx, value);
	}
	update(p);
}

static bool plic_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	struct plic *p = opaque;

	if (size != 4)
		return false;
	pthread_mutex_lock(&p->lock);
	*value = reg_read(p, off);
	pthread_mutex_unlock(&p->lock);
	return true;
}

static bool plic_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct plic *p = opaque;

	if (size != 4)
		return false;
	pthread_mutex_lock(&p->lock);
	reg_write(p, off, (uint32_t)value);
	pthread_mutex_unlock(&p->lock);
	return true;
}

/*
 * Requests that devices made before their own resets are forgotten with their wires: a wire
 * that is high after a reset has been raised since.
 */
static void plic_reset(struct dev *d)
{
	struct plic *p = container_of(d, struct plic, dev);

	pthread_mutex_lock(&p->lock);
	for (unsigned w = 0; w < WORDS; w++)
		p->level[w] = p->pending[w] = p->claimed[w] = 0;
	for (unsigned n = 0; n < PLIC_SOURCES; n++)
		p->priority[n] = 0;
	for (unsigned ctx = 0; ctx < MAX_CONTEXTS; ctx++) {
		p->threshold[ctx] = 0;
		for (unsigned w = 0; w < WORDS; w++)
			p->enable[ctx][w] = 0;
	}
	update(p);
	pthread_mutex_unlock(&p->lock);
}

static void plic_fini(struct dev *d)
{
	struct plic *p = container_of(d, struct plic, dev);

	pthread_mutex_destroy(&p->lock);
	free(p);
}

int plic_new(struct vm *vm, const struct plic_cfg *cfg, struct plic **out, struct err *err)
{
	static const struct dev_ops dev_ops = { .reset = plic_reset, .fini = plic_fini };
	static const struct bus_ops bus_ops = { plic_read, plic_write };
	struct plic *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return err_set(err, -ENOMEM, "%s: out of memory", cfg->name);
	p->vm = vm;
	p->contexts = 2 * vm->cpu_count;
	p->dev.ops = &dev_ops;
	p->dev.name = cfg->name;
	pthread_mutex_init(&p->lock, NULL);
	rc = bus_map(&vm->bus, &(struct bus_region){ cfg->base, cfg->size, &bus_ops, p, cfg->name },
		     err);
	if (rc) {
		plic_fini(&p->dev);
		return rc;
	}
	vm_add_dev(vm, &p->dev);
	*out = p;
	return 0;
}
