/* SPDX-License-Identifier: Apache-2.0 */
/* Legacy extensions (SBI 2.0 §5) but for the console: one function each, result in a0 alone. */
#include "machine/virt/sbi_call.h"

#include "base/bits.h"

/*
 * A hart mask lies in the supervisor's virtual memory, a null pointer meaning every hart.
 * Bits of harts that do not exist are ignored: there is no way to report them.
 */
static int64_t read_mask(struct sbi_call *c, uint64_t va, uint64_t *harts)
{
	uint64_t all = BIT(c->sbi->vm->cpu_count) - 1;
	uint8_t raw[8] = { 0 };

	*harts = all;
	if (!va)
		return SBI_SUCCESS;
	if (va % sizeof(raw) || c->sbi->vm->engine->load_virtual(c->v, va, raw, sizeof(raw)))
		return SBI_ERR_INVALID_ADDRESS;
	*harts = ld_le64(raw) & all;
	return SBI_SUCCESS;
}

static int64_t fence(struct sbi_call *c, uint32_t req, enum sbi_fw_event sent)
{
	uint64_t harts;
	int64_t error = read_mask(c, c->a[0], &harts);

	if (!error)
		sbi_fence(c, harts, req, sent);
	return error;
}

int64_t sbi_legacy_set_timer(struct sbi_call *c)
{
	sbi_set_timer(c, c->a[0]);
	return 0;
}

/* The supervisor clears sip.SSIP itself; this returns whether it was pending. */
int64_t sbi_legacy_clear_ipi(struct sbi_call *c)
{
	enum { CSR_MIP = 0x344 };
	const struct engine_ops *e = c->sbi->vm->engine;
	uint64_t mip = e->get_reg(c->v, ENGINE_REG_CSR + CSR_MIP);

	e->set_reg(c->v, ENGINE_REG_CSR + CSR_MIP, mip & ~BIT(SBI_IRQ_S_SOFT));
	return mip >> SBI_IRQ_S_SOFT & 1;
}

int64_t sbi_legacy_send_ipi(struct sbi_call *c)
{
	uint64_t harts;
	int64_t error = read_mask(c, c->a[0], &harts);

	if (!error)
		sbi_send_ipi(c, harts);
	return error;
}

int64_t sbi_legacy_fence_i(struct sbi_call *c)
{
	return fence(c, VCPU_REQ_FENCE_I, SBI_FW_FENCE_I_SENT);
}

int64_t sbi_legacy_sfence_vma(struct sbi_call *c)
{
	return fence(c, VCPU_REQ_FENCE_VMA, SBI_FW_SFENCE_VMA_SENT);
}

int64_t sbi_legacy_sfence_vma_asid(struct sbi_call *c)
{
	return fence(c, VCPU_REQ_FENCE_VMA, SBI_FW_SFENCE_VMA_ASID_SENT);
}

int64_t sbi_legacy_shutdown(struct sbi_call *c)
{
	sbi_shutdown(c, VM_EVENT_POWEROFF, 0);
	return 0;
}
