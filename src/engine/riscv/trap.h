/* SPDX-License-Identifier: Apache-2.0 */
/* Traps and interrupts of one hart; its own thread. */
#ifndef ENGINE_RISCV_TRAP_H
#define ENGINE_RISCV_TRAP_H

#include <stdbool.h>
#include <stdint.h>

struct riscv_cpu;

/*
 * Enters the handler of a trap at cpu->pc (Privileged 1.13 §3.1.7-3.1.16): cause as mcause has
 * it. False when it is M-mode's and built-in firmware, which has no handlers, is in its place.
 */
bool riscv_trap(struct riscv_cpu *cpu, uint64_t cause, uint64_t tval);

/* MRET and SRET, once allowed: back to xepc with the privilege that was. */
void riscv_mret(struct riscv_cpu *cpu);
void riscv_sret(struct riscv_cpu *cpu);

/* mip as it reads now: software's bits, edges, input lines, timers. */
uint64_t riscv_mip(struct riscv_cpu *cpu);

/*
 * Takes the interrupt of the highest priority that is pending, enabled and allowed now, if
 * there is one. False as riscv_trap().
 */
bool riscv_take_interrupt(struct riscv_cpu *cpu);

/* The tick at which a timer that is not pending yet will be, or VCPU_NO_DEADLINE. */
uint64_t riscv_next_timer(const struct riscv_cpu *cpu);

#endif
