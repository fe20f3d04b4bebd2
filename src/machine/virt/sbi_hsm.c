/* SPDX-License-Identifier: Apache-2.0 */
/* Hart State Management (SBI 2.0 §9). */
#include <stdatomic.h>

#include "base/bits.h"
#include "machine/virt/sbi_call.h"

enum { HART_START, HART_STOP, HART_GET_STATUS, HART_SUSPEND };
enum { STATE_STARTED, STATE_STOPPED, STATE_START_PENDING, STATE_STOP_PENDING, STATE_SUSPENDED };
enum { CSR_STIMECMP = 0x14d, CSR_MIP = 0x344 };

#define SUSPEND_RETENTIVE UINT32_C(0x00000000)
#define SUSPEND_NON_RETENTIVE UINT32_C(0x80000000)

/* Where a hart may begin: instructions are two-byte aligned and lie in memory. */
static bool can_start_at(const struct vm *vm, uint64_t addr)
{
	return addr % 2 == 0 && gmem_find(&vm->mem, addr);
}

static int64_t hart_start(struct sbi_call *c)
{
	struct vm *vm = c->sbi->vm;

	if (c->a[0] >= vm->cpu_count)
		return SBI_ERR_INVALID_PARAM;
	if (!can_start_at(vm, c->a[1]))
		return SBI_ERR_INVALID_ADDRESS;
	if (vcpu_start(&vm->cpus[c->a[0]], c->a[1], c->a[2]))
		return SBI_ERR_ALREADY_AVAILABLE;
	return SBI_SUCCESS;
}

static int64_t hart_get_status(struct sbi_call *c)
{
	struct vm *vm = c->sbi->vm;
	struct vcpu *v;

	if (c->a[0] >= vm->cpu_count)
		return SBI_ERR_INVALID_PARAM;
	v = &vm->cpus[c->a[0]];
	if (!atomic_load(&v->started))
		c->value = STATE_STOPPED;
	else if (atomic_load(&v->requests) & VCPU_REQ_START)
		c->value = STATE_START_PENDING;
	else if (atomic_load(&c->sbi->harts[c->a[0]].suspended))
		c->value = STATE_SUSPENDED;
	else
		c->value = STATE_STARTED;
	return SBI_SUCCESS;
}

/* Goes on as a hart that starts does, but what woke it up is still pending. */
static void resume_elsewhere(struct sbi_call *c)
{
	const struct engine_ops *e = c->sbi->vm->engine;
	uint64_t ip = e->get_reg(c->v, ENGINE_REG_CSR + CSR_MIP);
	uint64_t timer = e->get_reg(c->v, ENGINE_REG_CSR + CSR_STIMECMP);

	e->vcpu_reset(c->v, c->a[1], c->v->index, c->a[2]);
	/* Only where it was pending: a write would take back one that came just now. */
	if (ip & BIT(SBI_IRQ_S_SOFT))
		e->set_reg(c->v, ENGINE_REG_CSR + CSR_MIP, BIT(SBI_IRQ_S_SOFT));
	e->set_reg(c->v, ENGINE_REG_CSR + CSR_STIMECMP, timer);
	c->resumed = true;
}

static int64_t hart_suspend(struct sbi_call *c)
{
	_Atomic bool *suspended = &c->sbi->harts[c->v->index].suspended;
	uint32_t type = (uint32_t)c->a[0];
	struct vm *vm = c->sbi->vm;

	if (type != SUSPEND_RETENTIVE && type != SUSPEND_NON_RETENTIVE)
		return type < 0x10000000 || (type >= 0x80000000 && type < 0x90000000) ?
			SBI_ERR_INVALID_PARAM : SBI_ERR_NOT_SUPPORTED;
	if (type == SUSPEND_NON_RETENTIVE && !can_start_at(vm, c->a[1]))
		return SBI_ERR_INVALID_ADDRESS;
	atomic_store(suspended, true);
	vcpu_wait(c->v);
	atomic_store(suspended, false);
	if (type == SUSPEND_NON_RETENTIVE)
		resume_elsewhere(c);
	return SBI_SUCCESS;
}

int64_t sbi_hsm(struct sbi_call *c)
{
	switch (c->fid) {
	case HART_START:
		return hart_start(c);
	case HART_STOP:
		vcpu_stop_self(c->v);
		return SBI_SUCCESS;
	case HART_GET_STATUS:
		return hart_get_status(c);
	case HART_SUSPEND:
		return hart_suspend(c);
	default:
		return SBI_ERR_NOT_SUPPORTED;
	}
}
