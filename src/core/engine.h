/* SPDX-License-Identifier: Apache-2.0 */
/* What a CPU engine (interpreter, translator, KVM) offers to core. */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/vcpu.h"

/* Numbers for get_reg and set_reg beside the integer registers'. */
enum {
	ENGINE_REG_PC = 32,
	ENGINE_REG_CSR = 0x1000,	/* + the number of a control and status register (RISC-V) */
};

struct engine_ops {
	const char *name;		/* "interp" */
	const char *arch;		/* "riscv64" */

	/* Sets v->arch. Memory, bus and firmware of v->vm are complete; no thread runs yet. */
	int (*vcpu_init)(struct vcpu *v, struct err *err);
	void (*vcpu_fini)(struct vcpu *v);	/* accepts v->arch == NULL */

	/*
	 * Architectural power-on state; execution will begin at pc with the first two
	 * argument registers set: in the most privileged mode, or in supervisor mode set up
	 * as the firmware leaves it when v->vm has built-in firmware. v is not in the guest.
	 */
	void (*vcpu_reset)(struct vcpu *v, uint64_t pc, uint64_t arg0, uint64_t arg1);

	/* v's thread: runs the guest until v->attention is set or another reason to return. */
	enum vcpu_exit (*run)(struct vcpu *v);

	/*
	 * v's thread, after VCPU_EXIT_WAIT: true when an interrupt that ends the wait is
	 * pending; else *deadline gets the timebase tick at which one of the CPU's timers
	 * will be (board's or its own), or VCPU_NO_DEADLINE.
	 */
	bool (*wait_over)(struct vcpu *v, uint64_t *deadline);

	/* v's thread, outside run: carries out VCPU_REQ_FENCE_* bits. */
	void (*fence)(struct vcpu *v, uint32_t requests);

	/*
	 * Integer registers by the ISA's numbers, and see ENGINE_REG_*. CSRs are accessed as the
	 * most privileged mode does; one that is not there reads 0 and ignores writes. v's
	 * thread outside run, or any thread while v is parked.
	 */
	uint64_t (*get_reg)(struct vcpu *v, unsigned n);
	void (*set_reg)(struct vcpu *v, unsigned n, uint64_t value);

	/* For built-in firmware (SBI TIME), v's thread: the supervisor timer is due at that tick. */
	void (*set_supervisor_timer)(struct vcpu *v, uint64_t ticks);

	/*
	 * Reads len (1 to 8, within one page) bytes at a virtual address as a load in supervisor
	 * mode would now; -EFAULT when that would trap. v's thread outside run.
	 */
	int (*load_virtual)(struct vcpu *v, uint64_t va, void *buf, unsigned len);
};

#endif
