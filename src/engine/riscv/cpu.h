/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of one hart. Everything here belongs to the vCPU's own thread; other threads
 * reach a hart only through struct vcpu.
 *
 * Some architectural state is kept apart from its CSR where the CPU touches it all the time:
 * mstatus.FS is `fs`, fcsr is `fflags` and `frm`, minstret and mcycle hang on `icount`.
 */
#ifndef ENGINE_RISCV_CPU_H
#define ENGINE_RISCV_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "core/vm.h"
#include "engine/riscv/insn.h"
#include "engine/riscv/pmp.h"
#include "engine/riscv/tlb.h"

struct block_cache;

enum riscv_priv { PRIV_U = 0, PRIV_S = 1, PRIV_M = 3 };

enum riscv_access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC };

/* Exception codes ("Machine Cause Register"). */
enum riscv_cause {
	CAUSE_FETCH_ACCESS = 1,
	CAUSE_ILLEGAL = 2,
	CAUSE_BREAKPOINT = 3,
	CAUSE_LOAD_MISALIGNED = 4,
	CAUSE_LOAD_ACCESS = 5,
	CAUSE_STORE_MISALIGNED = 6,
	CAUSE_STORE_ACCESS = 7,
	CAUSE_ECALL_U = 8,		/* plus the privilege */
	CAUSE_FETCH_PAGE = 12,
	CAUSE_LOAD_PAGE = 13,
	CAUSE_STORE_PAGE = 15,
};

#define CAUSE_INTERRUPT BIT(63)

/* Bits of mip and mie. */
#define MIP_SSIP BIT(1)
#define MIP_MSIP BIT(3)
#define MIP_STIP BIT(5)
#define MIP_MTIP BIT(7)
#define MIP_SEIP BIT(9)
#define MIP_MEIP BIT(11)

/* Bits of mstatus. */
#define MSTATUS_SIE BIT(1)
#define MSTATUS_MIE BIT(3)
#define MSTATUS_SPIE BIT(5)
#define MSTATUS_MPIE BIT(7)
#define MSTATUS_SPP BIT(8)
#define MSTATUS_MPP (BIT(11) | BIT(12))
#define MSTATUS_FS (BIT(13) | BIT(14))
#define MSTATUS_MPRV BIT(17)
#define MSTATUS_SUM BIT(18)
#define MSTATUS_MXR BIT(19)
#define MSTATUS_TVM BIT(20)
#define MSTATUS_TW BIT(21)
#define MSTATUS_TSR BIT(22)
#define MSTATUS_UXL64 BIT(33)
#define MSTATUS_SXL64 BIT(35)
#define MSTATUS_SD BIT(63)

enum { MSTATUS_MPP_SHIFT = 11, MSTATUS_FS_SHIFT = 13 };

enum riscv_fs { FS_OFF, FS_INITIAL, FS_CLEAN, FS_DIRTY };

/* Bits of menvcfg and senvcfg. */
#define ENVCFG_FIOM BIT(0)
#define ENVCFG_CBIE (BIT(4) | BIT(5))
#define ENVCFG_CBCFE BIT(6)
#define ENVCFG_CBZE BIT(7)
#define ENVCFG_ADUE BIT(61)
#define ENVCFG_PBMTE BIT(62)
#define ENVCFG_STCE BIT(63)

enum { ENVCFG_CBIE_SHIFT = 4 };

struct riscv_cpu {
	/* what the interpreter's handlers use */
	uint64_t x[33];			/* [0] stays 0; [INSN_X0_SINK] takes results for x0 */
	uint64_t f[32];
	struct tlb_entry *tlb;		/* the bank for loads and stores in the present mode */
	uint64_t ctx;			/* what tags of this address space carry; see tlb.h */
	uint32_t block_gen;		/* blocks of another generation want revalidation */
	uint8_t fflags, frm;
	uint8_t fs;			/* enum riscv_fs */
	uint8_t priv;			/* enum riscv_priv */
	uint64_t icount;		/* instructions begun; the present block's in advance */
	uint64_t poll_at;		/* when icount is there: look at clock and inputs */
	uint64_t jump_key;		/* of the jump cache's valid entries; see block.h */
	uint64_t pc;			/* valid outside blocks and in functions of sys.h */

	struct vcpu *v;
	struct block_cache *blocks;
	struct tlb *tlbs;
	uint64_t fence_word;		/* see riscv_fence() */

	struct {			/* the trap that a function reported by failing */
		uint64_t cause, tval;
	} trap;
	enum vcpu_exit exit;		/* of HELP_EXIT */

	/* LR's reservation: the host address it read, 0 for none, and what it found there */
	uintptr_t res_host;
	uint64_t res_value;
	unsigned res_size;

	unsigned pauses;		/* PAUSEs and WRSs in close succession */
	uint64_t paused_at;		/* icount of the last */

	bool firmware;			/* built-in firmware in M-mode's place */
	uint64_t mstatus;		/* without FS and SD */
	uint64_t mip;			/* the bits software has set */
	uint64_t timer_ip;		/* MIP_MTIP and MIP_STIP as the clock last had them */
	uint64_t mie, mideleg, medeleg;
	uint64_t mtvec, mepc, mcause, mtval, mscratch, mcounteren, mcountinhibit, menvcfg;
	uint64_t stvec, sepc, scause, stval, sscratch, scounteren, senvcfg;
	uint64_t satp, stimecmp;
	uint64_t cycle_offset, instret_offset;	/* counter = icount + offset, or while */
	uint64_t cycle_held, instret_held;	/* inhibited this */
	struct pmp pmp;

	struct insn_decoder decoder;
};

static inline struct riscv_cpu *riscv_cpu_of(struct vcpu *v)
{
	return v->arch;
}

/* Notes a trap for the caller that learns of it by the false this returns. */
static inline bool riscv_fault(struct riscv_cpu *cpu, uint64_t cause, uint64_t tval)
{
	cpu->trap.cause = cause;
	cpu->trap.tval = tval;
	return false;
}

/* Has the run loop look at interrupts before the next block. */
static inline void riscv_poll_soon(struct riscv_cpu *cpu)
{
	cpu->poll_at = 0;
}

/* The privilege that loads and stores have: mstatus.MPRV borrows MPP's. */
static inline unsigned riscv_data_priv(const struct riscv_cpu *cpu)
{
	if (cpu->mstatus & MSTATUS_MPRV)
		return (unsigned)bits_get(cpu->mstatus, MSTATUS_MPP_SHIFT, 2);
	return cpu->priv;
}

/* After a change of privilege, mstatus.{MPRV,MPP,SUM} or the address space: picks bank and keys. */
void riscv_mode_changed(struct riscv_cpu *cpu);

#endif
