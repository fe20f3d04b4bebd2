/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instructions that sem_sys.def leaves to functions: system calls, CSRs, returns, fences,
 * cache blocks. The same functions serve every engine.
 *
 * On entry cpu->pc is the instruction's address and cpu->icount counts exactly the
 * instructions before it.
 */
#ifndef ENGINE_RISCV_SYS_H
#define ENGINE_RISCV_SYS_H

#include "engine/riscv/insn.h"

struct riscv_cpu;

enum sys_result {
	SYS_NEXT,	/* done; the block may go on */
	SYS_END,	/* done; the next instruction may have to be found in another way */
	SYS_JUMP,	/* done; cpu->pc is where to go on */
	SYS_TRAP,	/* a trap is noted in cpu->trap */
	SYS_ILLEGAL,	/* an illegal instruction after all */
	SYS_EXIT,	/* done; leave the guest with cpu->exit, to go on at cpu->pc */
};

typedef enum sys_result riscv_sys_fn(struct riscv_cpu *cpu, const struct insn *in);

riscv_sys_fn riscv_sys_ecall, riscv_sys_ebreak, riscv_sys_fence_i;
riscv_sys_fn riscv_sys_csrrw, riscv_sys_csrrs, riscv_sys_csrrc;
riscv_sys_fn riscv_sys_csrrwi, riscv_sys_csrrsi, riscv_sys_csrrci;
riscv_sys_fn riscv_sys_sret, riscv_sys_mret, riscv_sys_wfi, riscv_sys_pause;
riscv_sys_fn riscv_sys_sfence_vma, riscv_sys_sfence_order;
riscv_sys_fn riscv_sys_cbo_inval, riscv_sys_cbo_clean, riscv_sys_cbo_zero;

#endif
