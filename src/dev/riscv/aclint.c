/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/riscv/aclint.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bits.h"

enum { MIP_SSIP = 1, MIP_MSIP = 3 };

/* All state lives in the vCPUs (lines, timer) and the time base: no lock is needed. */
struct aclint {
	struct dev dev;
	struct vm *vm;
};

static bool mswi_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	struct aclint *a = opaque;

	if (size != 4)
		return false;
	*value = off / 4 < a->vm->cpu_count
		 ? atomic_load_explicit(&a->vm->cpus[off / 4].lines, memory_order_relaxed) >>
		   MIP_MSIP & 1 : 0;
	return true;
}

static bool mswi_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct aclint *a = opaque;

	if (size != 4)
		return false;
	if (off / 4 < a->vm->cpu_count)
		vcpu_set_line(&a->vm->cpus[off / 4], MIP_MSIP, value & 1);
	return true;
}

static bool sswi_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	*value = 0;
	return size == 4;
}

/* Writing 1 sends an edge; the pending bit itself is mip.SSIP. */
static bool sswi_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct aclint *a = opaque;

	if (size != 4)
		return false;
	if (off / 4 < a->vm->cpu_count && (value & 1))
		vcpu_latch(&a->vm->cpus[off / 4], MIP_SSIP);
	return true;
}

/* A 64-bit register of which the guest may access a half. */
static uint64_t part_of(uint64_t reg, uint64_t off, unsigned size)
{
	return size == 8 ? reg : off & 4 ? reg >> 32 : (uint32_t)reg;
}

static uint64_t replaced(uint64_t reg, uint64_t off, unsigned size, uint64_t value)
{
	if (size == 8)
		return value;
	return off & 4 ? (uint32_t)reg | value << 32 : (reg & ~(uint64_t)UINT32_MAX) | value;
}

static bool mtimer_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	struct aclint *a = opaque;
	uint64_t reg = 0;

	if (size < 4)
		return false;
	if (off >= ACLINT_MTIME_OFFSET)
		reg = timebase_read(&a->vm->tb);
	else if (off / 8 < a->vm->cpu_count)
		reg = atomic_load_explicit(&a->vm->cpus[off / 8].timer, memory_order_relaxed);
	*value = part_of(reg, off, size);
	return true;
}

static bool mtimer_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct aclint *a = opaque;
	struct vm *vm = a->vm;

	if (size < 4)
		return false;
	if (off >= ACLINT_MTIME_OFFSET) {
		timebase_write(&vm->tb, replaced(timebase_read(&vm->tb), off, size, value));
		/* Every CPU's timers are nearer or farther now. */
		for (unsigned i = 0; i < vm->cpu_count; i++)
			vcpu_kick(&vm->cpus[i]);
	} else if (off / 8 < vm->cpu_count) {
		struct vcpu *v = &vm->cpus[off / 8];

		vcpu_set_timer(v, replaced(atomic_load_explicit(&v->timer, memory_order_relaxed),
					   off, size, value));
	}
	return true;
}

/* Lines and timers are put back by vm_reset(). */
static void aclint_reset(struct dev *d)
{
}

static void aclint_fini(struct dev *d)
{
	free(container_of(d, struct aclint, dev));
}

int aclint_new(struct vm *vm, const struct aclint_cfg *cfg, struct aclint **out, struct err *err)
{
	static const struct dev_ops dev_ops = { .reset = aclint_reset, .fini = aclint_fini };
	static const struct bus_ops mswi_ops = { mswi_read, mswi_write };
	static const struct bus_ops sswi_ops = { sswi_read, sswi_write };
	static const struct bus_ops mtimer_ops = { mtimer_read, mtimer_write };
	struct aclint *a = calloc(1, sizeof(*a));
	const struct bus_region parts[] = {
		{ cfg->mswi, ACLINT_MSWI_BYTES, &mswi_ops, a, "mswi" },
		{ cfg->mtimer, ACLINT_MTIMER_BYTES, &mtimer_ops, a, "mtimer" },
		{ cfg->sswi, ACLINT_SSWI_BYTES, &sswi_ops, a, "sswi" },
	};
	int rc;

	if (!a)
		return err_set(err, -ENOMEM, "%s: out of memory", cfg->name);
	a->vm = vm;
	a->dev.ops = &dev_ops;
	a->dev.name = cfg->name;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		rc = parts[i].base ? bus_map(&vm->bus, &parts[i], err) : 0;
		if (rc) {
			while (i--)
				bus_unmap(&vm->bus, parts[i].base, a);
			free(a);
			return rc;
		}
	}
	vm_add_dev(vm, &a->dev);
	*out = a;
	return 0;
}
