/* SPDX-License-Identifier: Apache-2.0 */
/* Control and status registers (Privileged 1.13 §2). The hart's own thread. */
#ifndef ENGINE_RISCV_CSR_H
#define ENGINE_RISCV_CSR_H

#include <stdbool.h>
#include <stdint.h>

struct riscv_cpu;

/*
 * One CSR instruction on CSR number csr (12 bits), at the present privilege. When read, *old
 * gets the value before. Of the bits in mask those that can be written become value's; mask
 * may be 0 while write is true (a write all the same). False: illegal, nothing has changed.
 */
bool csr_access(struct riscv_cpu *cpu, unsigned csr, bool read, uint64_t *old, bool write,
		uint64_t value, uint64_t mask);

#endif
