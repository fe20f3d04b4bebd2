/* SPDX-License-Identifier: Apache-2.0 */
/* Address translation (Privileged 1.13, "Virtual Address Translation Process"). */
#ifndef ENGINE_RISCV_MMU_H
#define ENGINE_RISCV_MMU_H

#include <stdbool.h>
#include <stdint.h>

struct riscv_cpu;

enum satp_mode { SATP_BARE = 0, SATP_SV39 = 8, SATP_SV48 = 9, SATP_SV57 = 10 };

struct mmu_page {
	uint64_t pa;		/* of the address asked for */
	uint64_t size;		/* of the page that holds it: a power of two */
	bool dirty_write;	/* that privilege may write, and the PTE stays as it is */
};

/*
 * Translates va for an access (enum riscv_access) by priv, setting the PTE's A and D bits
 * where menvcfg.ADUE lets hardware do that. False: page or access fault, noted in cpu->trap
 * with va as its value. Does not check PMP for the page itself. The hart's own thread.
 */
bool mmu_translate(struct riscv_cpu *cpu, uint64_t va, unsigned access, unsigned priv,
		   struct mmu_page *out);

/* Notes in cpu->trap what an access that may not be done gives; returns false. */
bool mmu_access_fault(struct riscv_cpu *cpu, uint64_t va, unsigned access);

#endif
