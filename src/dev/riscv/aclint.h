/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RISC-V ACLINT (RISC-V Advanced Core Local Interruptor Specification 1.0-rc4): MSWI and
 * SSWI (software interrupts to M- and S-mode) and MTIMER. MSWI and MTIMER side by side
 * are a SiFive CLINT. The timer's comparators are handed to the vCPUs, which watch the
 * VM's time base themselves.
 */
#ifndef DEV_RISCV_ACLINT_H
#define DEV_RISCV_ACLINT_H

#include "core/vm.h"

enum { ACLINT_MSWI_BYTES = 0x4000, ACLINT_MTIMER_BYTES = 0x8000, ACLINT_SSWI_BYTES = 0x4000,
       ACLINT_MTIME_OFFSET = 0x7ff8 };

struct aclint;

struct aclint_cfg {
	gpa_t mswi, mtimer, sswi;	/* 0: that part does not exist */
	const char *name;
};

/* After vm_add_cpus(). Maps itself and joins vm, which owns it from then on. */
int aclint_new(struct vm *vm, const struct aclint_cfg *cfg, struct aclint **out, struct err *err);

#endif
