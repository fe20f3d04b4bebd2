/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/riscv/sys.h"

#include <sched.h>

#include "base/bits.h"
#include "engine/riscv/block.h"
#include "engine/riscv/cpu.h"
#include "engine/riscv/csr.h"
#include "engine/riscv/mem.h"
#include "engine/riscv/trap.h"

static enum sys_result trap(struct riscv_cpu *cpu, uint64_t cause, uint64_t tval)
{
	riscv_fault(cpu, cause, tval);
	return SYS_TRAP;
}

enum sys_result riscv_sys_ecall(struct riscv_cpu *cpu, const struct insn *in)
{
	if (cpu->firmware && cpu->priv == PRIV_S) {
		cpu->pc += in->size;
		cpu->icount++;
		cpu->exit = VCPU_EXIT_FIRMWARE;
		return SYS_EXIT;
	}
	return trap(cpu, CAUSE_ECALL_U + cpu->priv, 0);
}

enum sys_result riscv_sys_ebreak(struct riscv_cpu *cpu, const struct insn *in)
{
	return trap(cpu, CAUSE_BREAKPOINT, cpu->pc);
}

enum sys_result riscv_sys_fence_i(struct riscv_cpu *cpu, const struct insn *in)
{
	block_fence(cpu);
	return SYS_END;
}

/* ---- CSRs ----------------------------------------------------------------------------- */

static enum sys_result csr(struct riscv_cpu *cpu, const struct insn *in, bool write,
			   uint64_t value, uint64_t mask)
{
	bool read = in->rd != INSN_X0_SINK;	/* no CSR changes by being read */
	uint64_t old;

	if (!csr_access(cpu, (unsigned)in->imm, read, &old, write, value, mask))
		return SYS_ILLEGAL;
	if (read)
		cpu->x[in->rd] = old;
	return write ? SYS_END : SYS_NEXT;
}

enum sys_result riscv_sys_csrrw(struct riscv_cpu *cpu, const struct insn *in)
{
	return csr(cpu, in, true, cpu->x[in->rs1], ~UINT64_C(0));
}

enum sys_result riscv_sys_csrrs(struct riscv_cpu *cpu, const struct insn *in)
{
	return csr(cpu, in, in->rs1 != 0, ~UINT64_C(0), cpu->x[in->rs1]);
}

enum sys_result riscv_sys_csrrc(struct riscv_cpu *cpu, const struct insn *in)
{
	return csr(cpu, in, in->rs1 != 0, 0, cpu->x[in->rs1]);
}

enum sys_result riscv_sys_csrrwi(struct riscv_cpu *cpu, const struct insn *in)
{
	return csr(cpu, in, true, in->rs1, ~UINT64_C(0));
}

enum sys_result riscv_sys_csrrsi(struct riscv_cpu *cpu, const struct insn *in)
{
	return csr(cpu, in, in->rs1 != 0, ~UINT64_C(0), in->rs1);
}

enum sys_result riscv_sys_csrrci(struct riscv_cpu *cpu, const struct insn *in)
{
	return csr(cpu, in, in->rs1 != 0, 0, in->rs1);
}

/* ---- returns and waits ---------------------------------------------------------------- */

enum sys_result riscv_sys_mret(struct riscv_cpu *cpu, const struct insn *in)
{
	if (cpu->priv != PRIV_M)
		return SYS_ILLEGAL;
	riscv_mret(cpu);
	return SYS_JUMP;
}

enum sys_result riscv_sys_sret(struct riscv_cpu *cpu, const struct insn *in)
{
	if (cpu->priv == PRIV_U || (cpu->priv == PRIV_S && (cpu->mstatus & MSTATUS_TSR)))
		return SYS_ILLEGAL;
	riscv_sret(cpu);
	return SYS_JUMP;
}

enum sys_result riscv_sys_wfi(struct riscv_cpu *cpu, const struct insn *in)
{
	if (cpu->priv == PRIV_U || (cpu->priv == PRIV_S && (cpu->mstatus & MSTATUS_TW)))
		return SYS_ILLEGAL;
	if (riscv_mip(cpu) & cpu->mie) {
		riscv_poll_soon(cpu);
		return SYS_END;
	}
	cpu->pc += in->size;
	cpu->icount++;
	cpu->exit = VCPU_EXIT_WAIT;
	return SYS_EXIT;
}

/*
 * PAUSE, and WRS, which may end its stall at any time: the hart spins until another stores.
 * At first that is a hint to the host's core. A hart that goes on spinning may wait for one
 * whose thread waits for this very core, so it then lets others have it.
 */
enum sys_result riscv_sys_pause(struct riscv_cpu *cpu, const struct insn *in)
{
	enum { SPIN_INSNS = 64, SPINS = 64 };

	if (cpu->icount - cpu->paused_at > SPIN_INSNS)
		cpu->pauses = 0;
	cpu->paused_at = cpu->icount;
	if (++cpu->pauses < SPINS)
		__builtin_ia32_pause();
	else
		sched_yield();
	return SYS_NEXT;
}

/* ---- address translation fences ------------------------------------------------------- */

static bool fence_allowed(const struct riscv_cpu *cpu)
{
	return cpu->priv == PRIV_M || (cpu->priv == PRIV_S && !(cpu->mstatus & MSTATUS_TVM));
}

enum sys_result riscv_sys_sfence_vma(struct riscv_cpu *cpu, const struct insn *in)
{
	if (!fence_allowed(cpu))
		return SYS_ILLEGAL;
	if (in->rs1)
		tlb_flush_page(cpu, cpu->x[in->rs1]);
	else if (in->rs2)
		tlb_flush_asid(cpu, cpu->x[in->rs2] & UINT16_MAX);
	else
		tlb_flush(cpu);
	return SYS_END;
}

/* SFENCE.W.INVAL and SFENCE.INVAL.IR: SINVAL.VMA has already acted, in program order. */
enum sys_result riscv_sys_sfence_order(struct riscv_cpu *cpu, const struct insn *in)
{
	return cpu->priv == PRIV_U ? SYS_ILLEGAL : SYS_NEXT;
}

/* ---- cache blocks --------------------------------------------------------------------- */

/* Do menvcfg and senvcfg both have one of the bits set, as far as they apply here? */
static bool envcfg_allows(const struct riscv_cpu *cpu, uint64_t bits)
{
	if (cpu->priv < PRIV_M && !(cpu->menvcfg & bits))
		return false;
	return cpu->priv != PRIV_U || (cpu->senvcfg & bits);
}

static enum sys_result manage_block(struct riscv_cpu *cpu, const struct insn *in, uint64_t bits)
{
	if (!envcfg_allows(cpu, bits))
		return SYS_ILLEGAL;
	return riscv_check_block(cpu, cpu->x[in->rs1]) ? SYS_NEXT : SYS_TRAP;
}

enum sys_result riscv_sys_cbo_inval(struct riscv_cpu *cpu, const struct insn *in)
{
	return manage_block(cpu, in, ENVCFG_CBIE);
}

enum sys_result riscv_sys_cbo_clean(struct riscv_cpu *cpu, const struct insn *in)
{
	return manage_block(cpu, in, ENVCFG_CBCFE);
}

enum sys_result riscv_sys_cbo_zero(struct riscv_cpu *cpu, const struct insn *in)
{
	if (!envcfg_allows(cpu, ENVCFG_CBZE))
		return SYS_ILLEGAL;
	return riscv_zero_block(cpu, cpu->x[in->rs1]) ? SYS_NEXT : SYS_TRAP;
}
