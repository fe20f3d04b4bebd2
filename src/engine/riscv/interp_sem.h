/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of sem_*.def as the interpreter computes them. For interp.c only: they use the
 * variables of its run loop (cpu, in, page, blk) and its labels.
 */
#ifndef ENGINE_RISCV_INTERP_SEM_H
#define ENGINE_RISCV_INTERP_SEM_H

#include "engine/riscv/fp.h"
#include "engine/riscv/mem.h"
#include "engine/riscv/sem_ops.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* ---- operands and arithmetic ---------------------------------------------------------- */

#define RS1 (cpu->x[in->rs1])
#define RS2 (cpu->x[in->rs2])
#define IMM ((uint64_t)(int64_t)in->imm)
#define PC (page + in->off)
#define NEXT_PC (page + in->off + in->size)
#define C(n) ((uint64_t)(n))

#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define AND(a, b) ((a) & (b))
#define OR(a, b) ((a) | (b))
#define XOR(a, b) ((a) ^ (b))
#define NOT(a) (~(a))
#define SHL(a, n) ((a) << ((n) & 63))
#define SHR(a, n) ((a) >> ((n) & 63))
#define SAR(a, n) sem_sar(a, n)
#define SHLW(a, n) sem_shlw(a, n)
#define SHRW(a, n) sem_shrw(a, n)
#define SARW(a, n) sem_sarw(a, n)
#define MULH(a, b) sem_mulh(a, b)
#define MULHU(a, b) sem_mulhu(a, b)
#define MULHSU(a, b) sem_mulhsu(a, b)
#define DIV(a, b) sem_div(a, b)
#define DIVU(a, b) sem_divu(a, b)
#define REM(a, b) sem_rem(a, b)
#define REMU(a, b) sem_remu(a, b)
#define DIVW(a, b) sem_divw(a, b)
#define DIVUW(a, b) sem_divuw(a, b)
#define REMW(a, b) sem_remw(a, b)
#define REMUW(a, b) sem_remuw(a, b)
#define EQ(a, b) ((uint64_t)((a) == (b)))
#define NE(a, b) ((uint64_t)((a) != (b)))
#define LT(a, b) ((uint64_t)((int64_t)(a) < (int64_t)(b)))
#define GE(a, b) ((uint64_t)((int64_t)(a) >= (int64_t)(b)))
#define LTU(a, b) ((uint64_t)((a) < (b)))
#define GEU(a, b) ((uint64_t)((a) >= (b)))
#define SELECT(c, a, b) ((c) ? (a) : (b))
#define SEXT8(a) ((uint64_t)(int64_t)(int8_t)(a))
#define SEXT16(a) ((uint64_t)(int64_t)(int16_t)(a))
#define SEXT32(a) sem_sext32(a)
#define ZEXT16(a) ((uint64_t)(uint16_t)(a))
#define ZEXT32(a) ((uint64_t)(uint32_t)(a))
#define CLZ(a) sem_clz(a)
#define CTZ(a) sem_ctz(a)
#define CPOP(a) sem_cpop(a)
#define CLZW(a) (sem_clz((uint32_t)(a)) - 32)
#define CTZW(a) sem_ctz((a) | BIT(32))
#define CPOPW(a) sem_cpop((uint32_t)(a))
#define ROR(a, n) sem_ror(a, n)
#define RORW(a, n) sem_rorw(a, n)
#define ORCB(a) sem_orcb(a)
#define REV8(a) __builtin_bswap64(a)
#define CLMUL(a, b) sem_clmul(a, b)
#define CLMULH(a, b) sem_clmulh(a, b)
#define CLMULR(a, b) sem_clmulr(a, b)

#define WRITE_RD(a) (cpu->x[in->rd] = (a))

/* ---- control -------------------------------------------------------------------------- */

/* Begins block blk. icount runs ahead by the block; see interp.c. */
#define ENTER()                                                                                \
	do {                                                                                   \
		cpu->icount += blk->count;                                                     \
		if (unlikely(cpu->icount >= cpu->poll_at) ||                                   \
		    unlikely(atomic_load_explicit(attention, memory_order_relaxed)))           \
			goto poll;                                                             \
		in = block_insns(blk);                                                         \
		goto *labels[in->op];                                                          \
	} while (0)

#define NEXT()                                                                                 \
	do {                                                                                   \
		in++;                                                                          \
		goto *labels[in->op];                                                          \
	} while (0)

/* Continues with the block behind successor `which` of this one. */
#define FOLLOW(which)                                                                          \
	do {                                                                                   \
		struct block *next_ = blk->succ[which];                                        \
		if (likely(next_->gen == cpu->block_gen)) {                                    \
			blk = next_;                                                           \
			ENTER();                                                               \
		}                                                                              \
	} while (0)

#define BRANCH(c)                                                                              \
	do {                                                                                   \
		slot = (c) != 0;                                                               \
		FOLLOW(slot);                                                                  \
		cpu->pc = slot ? PC + IMM : NEXT_PC;                                           \
		goto chain;                                                                    \
	} while (0)

#define CALL()                                                                                 \
	do {                                                                                   \
		WRITE_RD(NEXT_PC);                                                             \
		FOLLOW(1);                                                                     \
		slot = 1;                                                                      \
		cpu->pc = PC + IMM;                                                            \
		goto chain;                                                                    \
	} while (0)

#define JUMP(a)                                                                                \
	do {                                                                                   \
		cpu->pc = (a);                                                                 \
		WRITE_RD(NEXT_PC);                                                             \
		goto indirect;                                                                 \
	} while (0)

/*
 * Only a store (or output) ordered before a load (or input) needs anything of a host with
 * total store order: a locked instruction, which ThreadSanitizer understands too.
 */
#define FENCE(sets)                                                                            \
	do {                                                                                   \
		if (((sets) >> 4 & 5) && ((sets) & 10))                                        \
			__atomic_fetch_add(&cpu->fence_word, 1, __ATOMIC_SEQ_CST);             \
		else                                                                           \
			__atomic_signal_fence(__ATOMIC_SEQ_CST);                               \
	} while (0)

/* ---- memory --------------------------------------------------------------------------- */

#define SIZE_u8 1
#define SIZE_i8 1
#define SIZE_u16 2
#define SIZE_i16 2
#define SIZE_u32 4
#define SIZE_i32 4
#define SIZE_u64 8

/* A value of the type in the low bits of a, extended as the type says. */
#define AS_u8(a) ((uint64_t)(uint8_t)(a))
#define AS_i8(a) SEXT8(a)
#define AS_u16(a) ZEXT16(a)
#define AS_i16(a) SEXT16(a)
#define AS_u32(a) ZEXT32(a)
#define AS_i32(a) SEXT32(a)
#define AS_u64(a) (a)

#define RAM_LD_u8(p) ram_ld8(p)
#define RAM_LD_i8(p) ram_ld8(p)
#define RAM_LD_u16(p) ram_ld16(p)
#define RAM_LD_i16(p) ram_ld16(p)
#define RAM_LD_u32(p) ram_ld32(p)
#define RAM_LD_i32(p) ram_ld32(p)
#define RAM_LD_u64(p) ram_ld64(p)

#define RAM_ST_u8(p, v) ram_st8(p, (uint8_t)(v))
#define RAM_ST_u16(p, v) ram_st16(p, (uint16_t)(v))
#define RAM_ST_u32(p, v) ram_st32(p, (uint32_t)(v))
#define RAM_ST_u64(p, v) ram_st64(p, v)

#define LOAD(type, address)                                                                    \
	({                                                                                     \
		uint64_t va_ = (address), val_;                                                \
		struct tlb_entry *e_ = tlb_slot(cpu->tlb, va_);                                \
		if (likely(e_->tag[ACCESS_READ] == tlb_tag(va_, SIZE_##type, cpu->ctx)))       \
			val_ = RAM_LD_##type((void *)(va_ + e_->addend));                      \
		else if (!riscv_load(cpu, va_, SIZE_##type, &slow))                            \
			goto fault;                                                            \
		else                                                                           \
			val_ = slow;                                                           \
		AS_##type(val_);                                                               \
	})

#define STORE(type, address, value)                                                            \
	do {                                                                                   \
		uint64_t va_ = (address);                                                      \
		struct tlb_entry *e_ = tlb_slot(cpu->tlb, va_);                                \
		if (likely(e_->tag[ACCESS_WRITE] == tlb_tag(va_, SIZE_##type, cpu->ctx)))      \
			RAM_ST_##type((void *)(va_ + e_->addend), value);                      \
		else if (!riscv_store(cpu, va_, SIZE_##type, value))                           \
			goto fault;                                                            \
	} while (0)

#define LR(type, address)                                                                      \
	({                                                                                     \
		if (!riscv_lr(cpu, address, SIZE_##type, &slow))                               \
			goto fault;                                                            \
		AS_##type(slow);                                                               \
	})

#define SC(type, address, value)                                                               \
	({                                                                                     \
		if (!riscv_sc(cpu, address, SIZE_##type, value, &slow))                        \
			goto fault;                                                            \
		slow;                                                                          \
	})

#define AMO(op, type, address, value)                                                          \
	({                                                                                     \
		void *host_ = riscv_atomic_ptr(cpu, address, SIZE_##type, ACCESS_WRITE);       \
		if (!host_)                                                                    \
			goto fault;                                                            \
		AS_##type(AMO_##type(op, host_, value));                                       \
	})

#define AMO_i32(op, p, v) amo32_##op(p, (uint32_t)(v))
#define AMO_u64(op, p, v) amo64_##op(p, v)

/* sequentially consistent, as RISC-V's aq and rl together ask at most */
#define AMO_DIRECT(width, op, builtin)                                                         \
	static inline uint##width##_t amo##width##_##op(uint##width##_t *p, uint##width##_t v) \
	{                                                                                      \
		return builtin(p, v, __ATOMIC_SEQ_CST);                                        \
	}

#define AMO_CHOOSE(width, op, type, cmp)                                                       \
	static inline uint##width##_t amo##width##_##op(uint##width##_t *p, uint##width##_t v) \
	{                                                                                      \
		uint##width##_t old = __atomic_load_n(p, __ATOMIC_RELAXED);                    \
		while (!__atomic_compare_exchange_n(p, &old, (type)old cmp (type)v ? old : v,  \
						    true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) \
			;                                                                      \
		return old;                                                                    \
	}

#define AMO_ALL(width)                                                                         \
	AMO_DIRECT(width, swap, __atomic_exchange_n)                                           \
	AMO_DIRECT(width, add, __atomic_fetch_add)                                             \
	AMO_DIRECT(width, xor, __atomic_fetch_xor)                                             \
	AMO_DIRECT(width, and, __atomic_fetch_and)                                             \
	AMO_DIRECT(width, or, __atomic_fetch_or)                                               \
	AMO_CHOOSE(width, min, int##width##_t, <)                                              \
	AMO_CHOOSE(width, max, int##width##_t, >)                                              \
	AMO_CHOOSE(width, minu, uint##width##_t, <)                                            \
	AMO_CHOOSE(width, maxu, uint##width##_t, >)

AMO_ALL(32)
AMO_ALL(64)

/* ---- floating point ------------------------------------------------------------------- */

/* "NaN Boxing of Narrower Values" */
static inline uint32_t unbox32(uint64_t f)
{
	return f >> 32 == UINT32_MAX ? (uint32_t)f : FP_NAN32;
}

static inline uint16_t unbox16(uint64_t f)
{
	return f >> 16 == UINT64_MAX >> 16 ? (uint16_t)f : FP_NAN16;
}

#define F1 (cpu->f[in->rs1])
#define F2 (cpu->f[in->rs2])
#define FS1 unbox32(cpu->f[in->rs1])
#define FS2 unbox32(cpu->f[in->rs2])
#define FS3 unbox32(cpu->f[in->rs3])
#define FD1 (cpu->f[in->rs1])
#define FD2 (cpu->f[in->rs2])
#define FD3 (cpu->f[in->rs3])
#define FH1 unbox16(cpu->f[in->rs1])
#define FH2 unbox16(cpu->f[in->rs2])
#define FH3 unbox16(cpu->f[in->rs3])
#define WRITE_FS(a) (cpu->f[in->rd] = (uint32_t)(a) | ~UINT64_C(0) << 32)
#define WRITE_FD(a) (cpu->f[in->rd] = (a))
#define WRITE_FH(a) (cpu->f[in->rd] = (uint16_t)(a) | ~UINT64_C(0) << 16)

#define I32(a) ((int32_t)(a))
#define U32(a) ((uint32_t)(a))
#define I64(a) ((int64_t)(a))
#define FP1(op, a) fp_##op(a, rm, &cpu->fflags)
#define FP2(op, a, b) fp_##op(a, b, rm, &cpu->fflags)
#define FP3(op, a, b, c) fp_##op(a, b, c, rm, &cpu->fflags)
#define FCMP(op, a, b) fp_##op(a, b, &cpu->fflags)
#define FCLASS(op, a) fp_##op(a)

#define NEGS(a) ((a) ^ UINT32_C(1) << 31)
#define NEGD(a) ((a) ^ UINT64_C(1) << 63)
#define NEGH(a) ((uint16_t)((a) ^ 0x8000))

#define SIGN(format, a, b) SIGN_##format(a, b)
#define SIGN_s(a, b) (((a) & INT32_MAX) | ((b) & UINT32_C(1) << 31))
#define SIGN_d(a, b) (((a) & INT64_MAX) | ((b) & UINT64_C(1) << 63))
#define SIGN_h(a, b) (((a) & INT16_MAX) | ((b) & 0x8000))

/* ---- the handlers --------------------------------------------------------------------- */

#define SEM(name, meaning)                                                                     \
	L_##name: meaning;                                                                     \
	NEXT();
#define SEM_SYS(name, function)                                                                \
	L_##name: sys = riscv_sys_##function;                                                  \
	goto system;

#define FP_CHECK()                                                                             \
	if (unlikely(cpu->fs == FS_OFF))                                                       \
		goto illegal
#define FP_ROUNDING()                                                                          \
	rm = in->rm == INSN_RM_DYN ? cpu->frm : in->rm;                                        \
	if (unlikely(rm > FP_RMM))                                                             \
		goto illegal
#define FP_RESULT(meaning)                                                                     \
	flags = cpu->fflags;                                                                   \
	meaning;                                                                               \
	if (cpu->fflags != flags)                                                              \
		cpu->fs = FS_DIRTY;                                                            \
	NEXT();
#define FRD_RESULT(meaning)                                                                    \
	meaning;                                                                               \
	cpu->fs = FS_DIRTY;                                                                    \
	NEXT();

#define SEM_FP(name, meaning)                                                                  \
	L_##name: FP_CHECK();                                                                  \
	FP_RESULT(meaning)
#define SEM_FP_RM(name, meaning)                                                               \
	L_##name: FP_CHECK();                                                                  \
	FP_ROUNDING();                                                                         \
	FP_RESULT(meaning)
#define SEM_FRD(name, meaning)                                                                 \
	L_##name: FP_CHECK();                                                                  \
	FRD_RESULT(meaning)
#define SEM_FRD_RM(name, meaning)                                                              \
	L_##name: FP_CHECK();                                                                  \
	FP_ROUNDING();                                                                         \
	FRD_RESULT(meaning)

#endif
