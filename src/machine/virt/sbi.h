/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in SBI: what M-mode firmware does for a supervisor on a real board, done by the
 * monitor (RISC-V Supervisor Binary Interface Specification 2.0).
 *
 * A call arrives on the calling hart's thread, outside the guest, and is served with core's
 * vCPU services, so it works under any engine. Offered: Base, TIME, IPI, RFENCE, HSM, SRST,
 * PMU, DBCN, and the legacy extensions 0 to 8. Not offered: the hypervisor fences, SUSP.
 */
#ifndef MACHINE_VIRT_SBI_H
#define MACHINE_VIRT_SBI_H

#include "base/chan.h"
#include "core/vm.h"

struct sbi;

struct sbi_cfg {
	struct chan *console;	/* where DBCN writes; owned by the UART, or NULL */
	gpa_t uart;		/* the UART's registers, from which DBCN reads as firmware would */
};

/* Becomes vm->firmware. The caller frees it after vm's threads have ended. -ENOMEM. */
int sbi_new(struct sbi **out, struct vm *vm, const struct sbi_cfg *cfg, struct err *err);

/* To the state after power-on: no counter is set up. No vCPU runs. */
void sbi_reset(struct sbi *sbi);

/* NULL is fine. */
void sbi_free(struct sbi *sbi);

#endif
