/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter: threaded code over decoded blocks.
 *
 * Every instruction is a label; a handler ends by jumping to the next instruction's. The PC
 * lives in the block: `page` is the virtual page being executed and insn.off the place in it,
 * so only leaving a block needs cpu->pc. cpu->icount counts a block's instructions when it is
 * entered; whoever leaves early takes back what was not executed, so at faults and in
 * functions of sys.h it is exact.
 *
 * At block boundaries the loop looks at vcpu.attention, and every POLL_INSNS instructions and
 * traps at the clock (a guest may trap for ever without an instruction done). Guest state that
 * other boundaries depend on (privilege, translation, interrupt enables) only changes in
 * instructions that end a block and go on by `find`.
 */
#include "engine/riscv/interp.h"

#include "engine/riscv/block.h"
#include "engine/riscv/cpu.h"
#include "engine/riscv/interp_sem.h"
#include "engine/riscv/sys.h"
#include "engine/riscv/trap.h"

/* Below 50 us between two looks at the clock at any pace the interpreter has. */
enum { POLL_INSNS = 4096 };

/*
 * Looks at requests and inputs, takes an interrupt that is due. False: leave run with *exit.
 */
static bool service(struct riscv_cpu *cpu, enum vcpu_exit *exit)
{
	struct vcpu *v = cpu->v;

	/* seq_cst, partner of vcpu_kick(): inputs stored before it set the word are seen below. */
	if (atomic_exchange(&v->attention, 0) && atomic_load(&v->requests)) {
		*exit = VCPU_EXIT_ATTENTION;
		return false;
	}
	cpu->poll_at = cpu->icount + POLL_INSNS;
	if (riscv_take_interrupt(cpu))
		return true;
	*exit = VCPU_EXIT_ERROR;
	return false;
}

/* The trap noted in cpu->trap. False: leave run, with an error. */
static bool take_trap(struct riscv_cpu *cpu)
{
	if (cpu->poll_at)
		cpu->poll_at--;
	return riscv_trap(cpu, cpu->trap.cause, cpu->trap.tval);
}

/* After a function of sys.h: sets cpu->pc to where execution goes on. False: leave run. */
static bool sys_leave(struct riscv_cpu *cpu, enum sys_result result, const struct block *blk,
		      const struct insn *in, enum vcpu_exit *exit)
{
	*exit = VCPU_EXIT_ERROR;
	switch (result) {
	case SYS_NEXT:
	case SYS_END:
		cpu->pc += in->size;
		cpu->icount++;
		return true;
	case SYS_JUMP:
		cpu->icount++;
		return true;
	case SYS_ILLEGAL:
		riscv_fault(cpu, CAUSE_ILLEGAL, block_raw(blk, in));
		return take_trap(cpu);
	case SYS_TRAP:
		return take_trap(cpu);
	case SYS_EXIT:
		*exit = cpu->exit;
		return false;
	}
	return false;
}

enum vcpu_exit riscv_interp_run(struct vcpu *v)
{
	static const void *const labels[OP_COUNT] = {
#define INSN(name, match, mask, format, ext, props) [OP_##name] = &&L_##name,
#include "engine/riscv/insn.def"
#undef INSN
		[OP_illegal] = &&L_illegal,
		[OP_block_end] = &&L_block_end,
	};
	struct riscv_cpu *const cpu = v->arch;
	_Atomic uint32_t *const attention = &v->attention;
	struct block_cache *const cache = cpu->blocks;
	struct block *blk, *prev;
	const struct insn *in;
	riscv_sys_fn *sys;
	enum sys_result result;
	enum vcpu_exit exit;
	struct jump *jump;
	unsigned slot, rm, left;
	uint64_t page, slow;
	uint8_t flags;

	riscv_poll_soon(cpu);
	goto find;

	/* ---- from block to block ---- */
chain:	/* cpu->pc follows blk as its successor `slot` */
	prev = (cpu->pc ^ page) & TLB_PAGE_MASK ? NULL : blk;
	goto lookup;
indirect:
find:	/* cpu->pc is next, however it came about */
	prev = NULL;
	slot = 0;
lookup:
	jump = block_jump_slot(cache, cpu->pc);
	if (likely(!prev && jump->pc == cpu->pc && jump->key == cpu->jump_key)) {
		blk = jump->block;
	} else {
		blk = block_find(cpu, prev, slot);
		if (!blk) {
			if (!take_trap(cpu))
				return VCPU_EXIT_ERROR;
			if (cpu->icount < cpu->poll_at &&
			    !atomic_load_explicit(attention, memory_order_relaxed))
				goto find;
			if (!service(cpu, &exit))
				return exit;
			goto find;
		}
	}
	page = cpu->pc & TLB_PAGE_MASK;
	ENTER();

poll:	/* blk was about to begin */
	cpu->icount -= blk->count;
	cpu->pc = page + block_insns(blk)->off;
	if (!service(cpu, &exit))
		return exit;
	goto find;

	/* ---- ways out of a block ---- */
illegal:
	riscv_fault(cpu, CAUSE_ILLEGAL, block_raw(blk, in));
fault:	/* in did not happen: cpu->trap says why */
	cpu->pc = PC;
	cpu->icount -= blk->count - (uint64_t)(in - block_insns(blk));
	if (!take_trap(cpu))
		return VCPU_EXIT_ERROR;
	goto find;
system:
	left = blk->count - (unsigned)(in - block_insns(blk));
	cpu->pc = PC;
	cpu->icount -= left;
	result = sys(cpu, in);
	if (result == SYS_NEXT && !(insn_props(in->op) & INSN_END)) {
		cpu->icount += left;
		NEXT();
	}
	if (!sys_leave(cpu, result, blk, in, &exit))
		return exit;
	goto find;

	/* ---- the instructions ---- */
L_illegal:
	goto illegal;
L_block_end:
	FOLLOW(0);
	slot = 0;
	cpu->pc = PC;
	goto chain;

#include "engine/riscv/sem_int.def"
#include "engine/riscv/sem_bit.def"
#include "engine/riscv/sem_mem.def"
#include "engine/riscv/sem_fp.def"
#include "engine/riscv/sem_sys.def"
}
