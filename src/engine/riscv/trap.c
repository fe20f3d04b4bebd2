/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/riscv/trap.h"

#include <inttypes.h>

#include "engine/riscv/cpu.h"

/* Interrupts by falling priority ("Machine Interrupt Registers"). */
static const uint8_t by_priority[] = { 11, 3, 7, 9, 1, 5 };

/* A vectored xtvec (mode 1) sends interrupt n to base + 4n. */
static uint64_t handler(uint64_t tvec, uint64_t cause)
{
	uint64_t base = tvec & ~UINT64_C(3);

	if ((tvec & 1) && (cause & CAUSE_INTERRUPT))
		base += 4 * (cause & ~CAUSE_INTERRUPT);
	return base;
}

static void enter_s(struct riscv_cpu *cpu, uint64_t cause, uint64_t tval)
{
	uint64_t status = cpu->mstatus & ~(MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE);

	if (cpu->priv == PRIV_S)
		status |= MSTATUS_SPP;
	if (cpu->mstatus & MSTATUS_SIE)
		status |= MSTATUS_SPIE;
	cpu->mstatus = status;
	cpu->scause = cause;
	cpu->sepc = cpu->pc;
	cpu->stval = tval;
	cpu->priv = PRIV_S;
	cpu->pc = handler(cpu->stvec, cause);
}

static void enter_m(struct riscv_cpu *cpu, uint64_t cause, uint64_t tval)
{
	uint64_t status = cpu->mstatus & ~(MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE);

	status |= (uint64_t)cpu->priv << MSTATUS_MPP_SHIFT;
	if (cpu->mstatus & MSTATUS_MIE)
		status |= MSTATUS_MPIE;
	cpu->mstatus = status;
	cpu->mcause = cause;
	cpu->mepc = cpu->pc;
	cpu->mtval = tval;
	cpu->priv = PRIV_M;
	cpu->pc = handler(cpu->mtvec, cause);
}

static bool unhandled(struct riscv_cpu *cpu, uint64_t cause, uint64_t tval)
{
	log_limited(&cpu->v->vm->log, "CPU %u: trap %#" PRIx64 " (value %#" PRIx64 ") at %#" PRIx64
		    " has no handler", cpu->v->index, cause, tval, cpu->pc);
	return false;
}

bool riscv_trap(struct riscv_cpu *cpu, uint64_t cause, uint64_t tval)
{
	uint64_t number = cause & ~CAUSE_INTERRUPT;
	uint64_t delegated = cause & CAUSE_INTERRUPT ? cpu->mideleg : cpu->medeleg;

	if (cpu->priv != PRIV_M && (delegated >> number & 1))
		enter_s(cpu, cause, tval);
	else if (!cpu->firmware)
		enter_m(cpu, cause, tval);
	else
		return unhandled(cpu, cause, tval);
	riscv_mode_changed(cpu);
	return true;
}

void riscv_mret(struct riscv_cpu *cpu)
{
	unsigned to = (unsigned)bits_get(cpu->mstatus, MSTATUS_MPP_SHIFT, 2);
	uint64_t status = cpu->mstatus & ~(MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE);

	if (cpu->mstatus & MSTATUS_MPIE)
		status |= MSTATUS_MIE;
	if (to != PRIV_M)
		status &= ~MSTATUS_MPRV;
	cpu->mstatus = status | MSTATUS_MPIE;
	cpu->priv = (uint8_t)to;
	cpu->pc = cpu->mepc;
	cpu->res_host = 0;
	riscv_mode_changed(cpu);
	riscv_poll_soon(cpu);
}

void riscv_sret(struct riscv_cpu *cpu)
{
	uint64_t status = cpu->mstatus & ~(MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE | MSTATUS_MPRV);

	cpu->priv = cpu->mstatus & MSTATUS_SPP ? PRIV_S : PRIV_U;
	if (cpu->mstatus & MSTATUS_SPIE)
		status |= MSTATUS_SIE;
	cpu->mstatus = status | MSTATUS_SPIE;
	cpu->pc = cpu->sepc;
	cpu->res_host = 0;
	riscv_mode_changed(cpu);
	riscv_poll_soon(cpu);
}

static void update_timers(struct riscv_cpu *cpu)
{
	struct vcpu *v = cpu->v;
	uint64_t now = timebase_read(&v->vm->tb);
	uint64_t board = atomic_load_explicit(&v->timer, memory_order_relaxed);

	cpu->timer_ip = 0;
	if (board != VCPU_NO_DEADLINE && now >= board)
		cpu->timer_ip |= MIP_MTIP;
	if ((cpu->menvcfg & ENVCFG_STCE) && now >= cpu->stimecmp)
		cpu->timer_ip |= MIP_STIP;
}

uint64_t riscv_next_timer(const struct riscv_cpu *cpu)
{
	uint64_t next = VCPU_NO_DEADLINE;

	if (!(cpu->timer_ip & MIP_MTIP))
		next = atomic_load_explicit(&cpu->v->timer, memory_order_relaxed);
	if ((cpu->menvcfg & ENVCFG_STCE) && !(cpu->timer_ip & MIP_STIP) && cpu->stimecmp < next)
		next = cpu->stimecmp;
	return next;
}

uint64_t riscv_mip(struct riscv_cpu *cpu)
{
	const uint64_t inputs = MIP_MSIP | MIP_MTIP | MIP_SEIP | MIP_MEIP;
	struct vcpu *v = cpu->v;
	uint64_t ip;

	/* seq_cst, partner of vcpu_latch(): the edge is taken once. */
	if (atomic_load_explicit(&v->latched, memory_order_relaxed))
		cpu->mip |= atomic_exchange(&v->latched, 0) & MIP_SSIP;
	update_timers(cpu);
	ip = cpu->mip | cpu->timer_ip;
	if ((cpu->menvcfg & ENVCFG_STCE) && !(cpu->timer_ip & MIP_STIP))
		ip &= ~MIP_STIP;
	return ip | (atomic_load(&v->lines) & inputs);
}

bool riscv_take_interrupt(struct riscv_cpu *cpu)
{
	uint64_t pending = riscv_mip(cpu) & cpu->mie;
	uint64_t for_m = 0, for_s = 0, taken;

	if (!pending)
		return true;
	if (cpu->priv != PRIV_M || (cpu->mstatus & MSTATUS_MIE))
		for_m = pending & ~cpu->mideleg;
	if (cpu->priv == PRIV_U || (cpu->priv == PRIV_S && (cpu->mstatus & MSTATUS_SIE)))
		for_s = pending & cpu->mideleg;
	taken = for_m ? for_m : for_s;
	for (unsigned i = 0; taken && i < ARRAY_LEN(by_priority); i++)
		if (taken & BIT(by_priority[i]))
			return riscv_trap(cpu, CAUSE_INTERRUPT | by_priority[i], 0);
	return true;
}
