/* SPDX-License-Identifier: Apache-2.0 */
/* An engine for tests that is only a register file and runs nothing. */
#ifndef TESTS_UNIT_FAKE_ENGINE_H
#define TESTS_UNIT_FAKE_ENGINE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/vm.h"

enum { CSRS = 4096 };

struct fake_cpu {
	uint64_t x[33];
	uint64_t csr[CSRS];
	uint64_t timer;
	uint32_t fenced;
	unsigned resets;
};

static int fake_init(struct vcpu *v, struct err *err)
{
	v->arch = calloc(1, sizeof(struct fake_cpu));
	return v->arch ? 0 : err_set(err, -ENOMEM, "no memory");
}

static void fake_fini(struct vcpu *v)
{
	free(v->arch);
}

static void fake_reset(struct vcpu *v, uint64_t pc, uint64_t arg0, uint64_t arg1)
{
	struct fake_cpu *f = v->arch;

	memset(f->csr, 0, sizeof(f->csr));
	f->x[10] = arg0;
	f->x[11] = arg1;
	f->x[ENGINE_REG_PC] = pc;
	f->resets++;
}

static bool fake_wait_over(struct vcpu *v, uint64_t *deadline)
{
	return true;
}

static void fake_fence(struct vcpu *v, uint32_t requests)
{
	((struct fake_cpu *)v->arch)->fenced |= requests;
}

static uint64_t fake_get(struct vcpu *v, unsigned n)
{
	struct fake_cpu *f = v->arch;

	return n < ENGINE_REG_CSR ? f->x[n] : f->csr[n - ENGINE_REG_CSR];
}

static void fake_set(struct vcpu *v, unsigned n, uint64_t value)
{
	struct fake_cpu *f = v->arch;

	if (n < ENGINE_REG_CSR)
		f->x[n] = value;
	else
		f->csr[n - ENGINE_REG_CSR] = value;
}

static void fake_timer(struct vcpu *v, uint64_t ticks)
{
	((struct fake_cpu *)v->arch)->timer = ticks;
}

/* Virtual addresses are physical ones here. */
static int fake_load(struct vcpu *v, uint64_t va, void *buf, unsigned len)
{
	return gmem_read(&v->vm->mem, va, buf, len);
}

static const struct engine_ops fake_engine = {
	.name = "fake", .arch = "riscv64",
	.vcpu_init = fake_init, .vcpu_fini = fake_fini, .vcpu_reset = fake_reset,
	.wait_over = fake_wait_over, .fence = fake_fence, .get_reg = fake_get, .set_reg = fake_set,
	.set_supervisor_timer = fake_timer, .load_virtual = fake_load,
};

#endif
