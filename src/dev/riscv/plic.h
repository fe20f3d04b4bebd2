/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RISC-V PLIC (RISC-V Platform-Level Interrupt Controller Specification 1.0): 95 level
 * sources, eight priorities, two contexts a hart (2n: M-mode, 2n + 1: S-mode).
 */
#ifndef DEV_RISCV_PLIC_H
#define DEV_RISCV_PLIC_H

#include "core/vm.h"

enum { PLIC_SOURCES = 96, PLIC_MAX_PRIORITY = 7 };	/* source 0 does not exist */

struct plic;

struct plic_cfg {
	gpa_t base;
	uint64_t size;		/* bytes; covers all contexts */
	const char *name;
};

/* After vm_add_cpus(). Maps itself and joins vm, which owns it from then on. */
int plic_new(struct vm *vm, const struct plic_cfg *cfg, struct plic **out, struct err *err);

/* The wire of source n (1 to 95). */
struct irq_line plic_line(struct plic *p, unsigned n);

#endif
