/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads, stores and atomics that the TLB's quick path does not serve, and the TLB's filling.
 * The hart's own thread. Those that return bool: false means a trap, noted in cpu->trap.
 */
#ifndef ENGINE_RISCV_MEM_H
#define ENGINE_RISCV_MEM_H

#include <stdbool.h>
#include <stdint.h>

struct riscv_cpu;

/* size (1, 2, 4, 8) bytes at va, aligned or not, memory or device; *out is zero-extended. */
bool riscv_load(struct riscv_cpu *cpu, uint64_t va, unsigned size, uint64_t *out);
bool riscv_store(struct riscv_cpu *cpu, uint64_t va, unsigned size, uint64_t value);

/*
 * The host address of size aligned bytes of RAM at va that may be accessed (ACCESS_WRITE:
 * read and written, as an AMO does; faults are then store faults). NULL: a trap, also for
 * misaligned addresses and devices.
 */
void *riscv_atomic_ptr(struct riscv_cpu *cpu, uint64_t va, unsigned size, unsigned access);

/* LR and SC of 4 or 8 bytes ("Zalrsc"); *failed gets SC's result. */
bool riscv_lr(struct riscv_cpu *cpu, uint64_t va, unsigned size, uint64_t *out);
bool riscv_sc(struct riscv_cpu *cpu, uint64_t va, unsigned size, uint64_t value, uint64_t *failed);

/*
 * CBO.ZERO of the block that holds va; and the checks of CBO.INVAL, CLEAN and FLUSH, which
 * have nothing else to do since the host's caches are coherent.
 */
bool riscv_zero_block(struct riscv_cpu *cpu, uint64_t va);
bool riscv_check_block(struct riscv_cpu *cpu, uint64_t va);

/* An instruction page: where the bytes of va's page are. */
struct fetch_page {
	const uint8_t *host;
	uint64_t pa;
	bool uniform;		/* all may be executed; else what riscv_fetch_ok allows */
};

bool riscv_fetch_page(struct riscv_cpu *cpu, uint64_t va, struct fetch_page *out);

/* May len bytes at physical pa be executed? False: an access fault at va is noted. */
bool riscv_fetch_ok(struct riscv_cpu *cpu, uint64_t va, uint64_t pa, unsigned len);

#endif
