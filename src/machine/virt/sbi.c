/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/virt/sbi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "machine/virt/sbi_call.h"

enum {
	SPEC_VERSION = 2 << 24,		/* 2.0 */
	IMPL_ID = 0x686f73,		/* none of the assigned ones */
	IMPL_VERSION = 1,
	REG_A0 = 10, REG_A1 = 11, REG_A6 = 16, REG_A7 = 17,
	CSR_MVENDORID = 0xf11, CSR_MARCHID = 0xf12, CSR_MIMPID = 0xf13,
};

/* ---- services -------------------------------------------------------------------------- */

bool sbi_hart_mask(const struct sbi_call *c, uint64_t mask, uint64_t base, uint64_t *harts)
{
	unsigned count = c->sbi->vm->cpu_count;
	uint64_t all = BIT(count) - 1;

	if (base == UINT64_MAX) {
		*harts = all;
		return true;
	}
	if (!mask) {
		*harts = 0;
		return true;
	}
	if (base >= count || mask > all >> base)
		return false;
	*harts = mask << base;
	return true;
}

void sbi_set_timer(struct sbi_call *c, uint64_t ticks)
{
	sbi_count(c->sbi, c->v->index, SBI_FW_SET_TIMER);
	c->sbi->vm->engine->set_supervisor_timer(c->v, ticks);
}

void sbi_send_ipi(struct sbi_call *c, uint64_t harts)
{
	struct vm *vm = c->sbi->vm;

	sbi_count(c->sbi, c->v->index, SBI_FW_IPI_SENT);
	for (unsigned i = 0; i < vm->cpu_count; i++)
		if ((harts >> i & 1) && vm->cpus[i].started) {
			sbi_count(c->sbi, i, SBI_FW_IPI_RECEIVED);
			vcpu_latch(&vm->cpus[i], SBI_IRQ_S_SOFT);
		}
}

void sbi_fence(struct sbi_call *c, uint64_t harts, uint32_t req, enum sbi_fw_event sent)
{
	struct vm *vm = c->sbi->vm;

	/* Each event's "received" code follows its "sent" code. */
	sbi_count(c->sbi, c->v->index, sent);
	for (unsigned i = 0; i < vm->cpu_count; i++)
		if (harts >> i & 1)
			sbi_count(c->sbi, i, sent + 1);
	vcpu_fence_sync(c->v, harts, req);
}

void sbi_shutdown(struct sbi_call *c, enum vm_event ev, uint32_t detail)
{
	/* The call does not return: the hart stands still until the VM ends or resets. */
	vm_request(c->sbi->vm, ev, detail);
	vcpu_stop_self(c->v);
}

/* ---- TIME, IPI, RFENCE, SRST (SBI 2.0 §6 to §8, §10) ------------------------------------ */

static int64_t sbi_time(struct sbi_call *c)
{
	if (c->fid != 0)
		return SBI_ERR_NOT_SUPPORTED;
	sbi_set_timer(c, c->a[0]);
	return SBI_SUCCESS;
}

static int64_t sbi_ipi(struct sbi_call *c)
{
	uint64_t harts;

	if (c->fid != 0)
		return SBI_ERR_NOT_SUPPORTED;
	if (!sbi_hart_mask(c, c->a[0], c->a[1], &harts))
		return SBI_ERR_INVALID_PARAM;
	sbi_send_ipi(c, harts);
	return SBI_SUCCESS;
}

static int64_t sbi_rfence(struct sbi_call *c)
{
	/* A fence forgets more than the range asked for, which is always allowed. */
	static const struct {
		uint32_t req;
		enum sbi_fw_event sent;
	} fences[] = {
		{ VCPU_REQ_FENCE_I, SBI_FW_FENCE_I_SENT },
		{ VCPU_REQ_FENCE_VMA, SBI_FW_SFENCE_VMA_SENT },
		{ VCPU_REQ_FENCE_VMA, SBI_FW_SFENCE_VMA_ASID_SENT },
	};
	uint64_t harts;

	if (c->fid >= ARRAY_LEN(fences))
		return SBI_ERR_NOT_SUPPORTED;
	if (!sbi_hart_mask(c, c->a[0], c->a[1], &harts))
		return SBI_ERR_INVALID_PARAM;
	if (c->fid != 0 && c->a[3] != UINT64_MAX && c->a[2] > UINT64_MAX - c->a[3])
		return SBI_ERR_INVALID_ADDRESS;
	sbi_fence(c, harts, fences[c->fid].req, fences[c->fid].sent);
	return SBI_SUCCESS;
}

static int64_t sbi_srst(struct sbi_call *c)
{
	enum { SHUTDOWN, COLD_REBOOT, WARM_REBOOT };
	enum { NO_REASON, SYSTEM_FAILURE };

	if (c->fid != 0)
		return SBI_ERR_NOT_SUPPORTED;
	/* Both arguments are 32 bits wide; neither has vendor values here. */
	if ((uint32_t)c->a[0] > WARM_REBOOT || (uint32_t)c->a[1] > SYSTEM_FAILURE)
		return SBI_ERR_INVALID_PARAM;
	if ((uint32_t)c->a[0] != SHUTDOWN)
		sbi_shutdown(c, VM_EVENT_RESET, 0);
	else if ((uint32_t)c->a[1] == SYSTEM_FAILURE)
		sbi_shutdown(c, VM_EVENT_FAIL, 1);
	else
		sbi_shutdown(c, VM_EVENT_POWEROFF, 0);
	return SBI_SUCCESS;
}

/* ---- Base (SBI 2.0 §4), the table of extensions ------------------------------------------ */

static sbi_handler sbi_base;

static const struct sbi_ext {
	uint64_t id;
	sbi_handler *fn;
} extensions[] = {
	{ SBI_EXT_BASE, sbi_base },
	{ SBI_EXT_TIME, sbi_time },
	{ SBI_EXT_IPI, sbi_ipi },
	{ SBI_EXT_RFENCE, sbi_rfence },
	{ SBI_EXT_HSM, sbi_hsm },
	{ SBI_EXT_SRST, sbi_srst },
	{ SBI_EXT_PMU, sbi_pmu },
	{ SBI_EXT_DBCN, sbi_dbcn },
	{ SBI_EXT_LEGACY_SET_TIMER, sbi_legacy_set_timer },
	{ SBI_EXT_LEGACY_PUTCHAR, sbi_legacy_putchar },
	{ SBI_EXT_LEGACY_GETCHAR, sbi_legacy_getchar },
	{ SBI_EXT_LEGACY_CLEAR_IPI, sbi_legacy_clear_ipi },
	{ SBI_EXT_LEGACY_SEND_IPI, sbi_legacy_send_ipi },
	{ SBI_EXT_LEGACY_FENCE_I, sbi_legacy_fence_i },
	{ SBI_EXT_LEGACY_SFENCE_VMA, sbi_legacy_sfence_vma },
	{ SBI_EXT_LEGACY_SFENCE_VMA_ASID, sbi_legacy_sfence_vma_asid },
	{ SBI_EXT_LEGACY_SHUTDOWN, sbi_legacy_shutdown },
};

static const struct sbi_ext *find_extension(uint64_t id)
{
	for (unsigned i = 0; i < ARRAY_LEN(extensions); i++)
		if (extensions[i].id == id)
			return &extensions[i];
	return NULL;
}

static int64_t sbi_base(struct sbi_call *c)
{
	const struct engine_ops *e = c->sbi->vm->engine;

	switch (c->fid) {
	case 0:
		c->value = SPEC_VERSION;
		return SBI_SUCCESS;
	case 1:
		c->value = IMPL_ID;
		return SBI_SUCCESS;
	case 2:
		c->value = IMPL_VERSION;
		return SBI_SUCCESS;
	case 3:
		c->value = find_extension(c->a[0]) != NULL;
		return SBI_SUCCESS;
	case 4:
		c->value = e->get_reg(c->v, ENGINE_REG_CSR + CSR_MVENDORID);
		return SBI_SUCCESS;
	case 5:
		c->value = e->get_reg(c->v, ENGINE_REG_CSR + CSR_MARCHID);
		return SBI_SUCCESS;
	case 6:
		c->value = e->get_reg(c->v, ENGINE_REG_CSR + CSR_MIMPID);
		return SBI_SUCCESS;
	default:
		return SBI_ERR_NOT_SUPPORTED;
	}
}

static void sbi_ecall(void *opaque, struct vcpu *v)
{
	const struct engine_ops *e = v->vm->engine;
	struct sbi_call c = { .sbi = opaque, .v = v };
	uint64_t eid = e->get_reg(v, REG_A7);
	const struct sbi_ext *ext = find_extension(eid);
	int64_t error = SBI_ERR_NOT_SUPPORTED;

	c.fid = e->get_reg(v, REG_A6);
	for (unsigned i = 0; i < ARRAY_LEN(c.a); i++)
		c.a[i] = e->get_reg(v, REG_A0 + i);
	if (ext)
		error = ext->fn(&c);
	if (c.resumed)
		return;
	e->set_reg(v, REG_A0, (uint64_t)error);
	if (eid > SBI_EXT_LEGACY_SHUTDOWN)
		e->set_reg(v, REG_A1, error ? 0 : c.value);
}

/* ---- life ----------------------------------------------------------------------------- */

int sbi_new(struct sbi **out, struct vm *vm, const struct sbi_cfg *cfg, struct err *err)
{
	struct sbi *sbi = calloc(1, sizeof(*sbi));

	if (!sbi)
		return err_set(err, -ENOMEM, "no memory for the built-in firmware");
	sbi->vm = vm;
	sbi->cfg = *cfg;
	vm->firmware = (struct firmware_ops){ .call = sbi_ecall, .opaque = sbi };
	*out = sbi;
	return 0;
}

void sbi_reset(struct sbi *sbi)
{
	memset(sbi->harts, 0, sizeof(sbi->harts));
}

void sbi_free(struct sbi *sbi)
{
	free(sbi);
}
