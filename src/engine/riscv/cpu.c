/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/riscv/cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/riscv/block.h"
#include "engine/riscv/csr.h"
#include "engine/riscv/interp.h"
#include "engine/riscv/mem.h"
#include "engine/riscv/riscv.h"
#include "engine/riscv/trap.h"

/* What S-mode can handle itself, and so gets: all exceptions but its own ECALL. */
#define FIRMWARE_MEDELEG UINT64_C(0xb1ff)

const char *const riscv_isa_extensions[] = {
	"i", "m", "a", "f", "d", "c", "zicbom", "zicboz", "zicntr", "zicond", "zicsr",
	"zifencei", "zihintpause", "zawrs", "zfh", "zfhmin", "zba", "zbb", "zbc", "zbs",
	"sstc", "svadu", "svinval", "svnapot", "svpbmt", NULL,
};

static void cpu_fini(struct vcpu *v)
{
	struct riscv_cpu *cpu = v->arch;

	if (!cpu)
		return;
	block_cache_fini(cpu);
	free(cpu->tlbs);
	free(cpu);
	v->arch = NULL;
}

static int cpu_init(struct vcpu *v, struct err *err)
{
	struct riscv_cpu *cpu = calloc(1, sizeof(*cpu));
	int rc;

	if (!cpu)
		return err_set(err, -ENOMEM, "not enough memory for CPU %u", v->index);
	v->arch = cpu;
	cpu->v = v;
	cpu->tlbs = calloc(1, sizeof(*cpu->tlbs));
	if (!cpu->tlbs) {
		cpu_fini(v);
		return err_set(err, -ENOMEM, "not enough memory for CPU %u", v->index);
	}
	rc = block_cache_init(cpu, err);
	if (rc < 0) {
		cpu_fini(v);
		return rc;
	}
	insn_decoder_init(&cpu->decoder);
	return 0;
}

void riscv_mode_changed(struct riscv_cpu *cpu)
{
	unsigned priv = riscv_data_priv(cpu);
	enum tlb_bank bank = TLB_BANK_M;

	if (priv == PRIV_U)
		bank = TLB_BANK_U;
	else if (priv == PRIV_S)
		bank = cpu->mstatus & MSTATUS_SUM ? TLB_BANK_S_SUM : TLB_BANK_S;
	cpu->tlb = cpu->tlbs->data[bank];
	cpu->jump_key = cpu->blocks->jump_gen << 16 | cpu->ctx | cpu->priv;
}

/* S-mode as OpenSBI leaves it, for a VM whose firmware is built in. */
static void start_in_s_mode(struct riscv_cpu *cpu)
{
	cpu->priv = PRIV_S;
	cpu->fs = FS_INITIAL;
	cpu->medeleg = FIRMWARE_MEDELEG;
	cpu->mideleg = MIP_SSIP | MIP_STIP | MIP_SEIP;
	cpu->mcounteren = UINT32_MAX;
	cpu->menvcfg = ENVCFG_STCE | ENVCFG_PBMTE | ENVCFG_ADUE | ENVCFG_CBZE | ENVCFG_CBCFE |
		       ENVCFG_CBIE;
}

static void cpu_reset(struct vcpu *v, uint64_t pc, uint64_t arg0, uint64_t arg1)
{
	struct riscv_cpu *old = v->arch;
	struct riscv_cpu fresh = {
		.v = v, .blocks = old->blocks, .tlbs = old->tlbs, .decoder = old->decoder,
		.block_gen = old->block_gen,
		.firmware = v->vm->firmware.call != NULL,
		.priv = PRIV_M,
		.mstatus = MSTATUS_UXL64 | MSTATUS_SXL64,
		.stimecmp = UINT64_MAX,
		.pc = pc & ~UINT64_C(1),	/* a PC is even whoever chose it */
	};

	fresh.x[10] = arg0;
	fresh.x[11] = arg1;
	pmp_reset(&fresh.pmp, fresh.firmware);
	if (fresh.firmware)
		start_in_s_mode(&fresh);
	*old = fresh;
	block_fence(old);
	tlb_flush(old);
}

static bool cpu_wait_over(struct vcpu *v, uint64_t *deadline)
{
	struct riscv_cpu *cpu = v->arch;

	if (riscv_mip(cpu) & cpu->mie)
		return true;
	*deadline = riscv_next_timer(cpu);
	return false;
}

static void cpu_fence(struct vcpu *v, uint32_t requests)
{
	struct riscv_cpu *cpu = v->arch;

	if (requests & VCPU_REQ_FENCE_I)
		block_fence(cpu);
	if (requests & VCPU_REQ_FENCE_VMA)
		tlb_flush(cpu);
}

/* One CSR access as M-mode makes it, whatever the hart's mode; a CSR that is not there reads 0. */
static uint64_t access_csr(struct riscv_cpu *cpu, unsigned csr, bool write, uint64_t value)
{
	const uint8_t priv = cpu->priv;
	uint64_t old = 0;

	cpu->priv = PRIV_M;
	riscv_mode_changed(cpu);
	/* Counters take a write to be behind its instruction; here there is none. */
	cpu->icount -= write;
	if (!csr_access(cpu, csr, true, &old, write, value, UINT64_MAX))
		old = 0;
	cpu->icount += write;
	cpu->priv = priv;
	riscv_mode_changed(cpu);
	return old;
}

static uint64_t cpu_get_reg(struct vcpu *v, unsigned n)
{
	struct riscv_cpu *cpu = v->arch;

	if (n >= ENGINE_REG_CSR)
		return access_csr(cpu, (n - ENGINE_REG_CSR) & 0xfff, false, 0);
	return n == ENGINE_REG_PC ? cpu->pc : cpu->x[n & 31];
}

static void cpu_set_reg(struct vcpu *v, unsigned n, uint64_t value)
{
	struct riscv_cpu *cpu = v->arch;

	if (n >= ENGINE_REG_CSR)
		access_csr(cpu, (n - ENGINE_REG_CSR) & 0xfff, true, value);
	else if (n == ENGINE_REG_PC)
		cpu->pc = value & ~UINT64_C(1);
	else if (n & 31)
		cpu->x[n & 31] = value;
}

static void cpu_set_supervisor_timer(struct vcpu *v, uint64_t ticks)
{
	struct riscv_cpu *cpu = v->arch;

	cpu->stimecmp = ticks;
	riscv_poll_soon(cpu);
}

static int cpu_load_virtual(struct vcpu *v, uint64_t va, void *buf, unsigned len)
{
	struct riscv_cpu *cpu = v->arch;
	const uint8_t priv = cpu->priv;
	uint64_t byte;
	int rc = 0;

	cpu->priv = PRIV_S;
	riscv_mode_changed(cpu);
	for (unsigned i = 0; !rc && i < len; i++) {
		if (riscv_load(cpu, va + i, 1, &byte))
			((uint8_t *)buf)[i] = (uint8_t)byte;
		else
			rc = -EFAULT;
	}
	cpu->priv = priv;
	riscv_mode_changed(cpu);
	return rc;
}

const struct engine_ops riscv_interp_engine = {
	.name = "interp",
	.arch = "riscv64",
	.vcpu_init = cpu_init,
	.vcpu_fini = cpu_fini,
	.vcpu_reset = cpu_reset,
	.run = riscv_interp_run,
	.wait_over = cpu_wait_over,
	.fence = cpu_fence,
	.get_reg = cpu_get_reg,
	.set_reg = cpu_set_reg,
	.set_supervisor_timer = cpu_set_supervisor_timer,
	.load_virtual = cpu_load_virtual,
};
