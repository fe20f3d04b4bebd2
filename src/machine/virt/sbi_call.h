/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the built-in SBI share: a call, its results, the handlers. */
#ifndef MACHINE_VIRT_SBI_CALL_H
#define MACHINE_VIRT_SBI_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "machine/virt/sbi.h"

/* SBI 2.0 §3.1 */
enum sbi_error {
	SBI_SUCCESS = 0,
	SBI_ERR_FAILED = -1,
	SBI_ERR_NOT_SUPPORTED = -2,
	SBI_ERR_INVALID_PARAM = -3,
	SBI_ERR_DENIED = -4,
	SBI_ERR_INVALID_ADDRESS = -5,
	SBI_ERR_ALREADY_AVAILABLE = -6,
	SBI_ERR_ALREADY_STARTED = -7,
	SBI_ERR_ALREADY_STOPPED = -8,
	SBI_ERR_NO_SHMEM = -9,
};

enum sbi_extension {
	SBI_EXT_LEGACY_SET_TIMER = 0,
	SBI_EXT_LEGACY_PUTCHAR = 1,
	SBI_EXT_LEGACY_GETCHAR = 2,
	SBI_EXT_LEGACY_CLEAR_IPI = 3,
	SBI_EXT_LEGACY_SEND_IPI = 4,
	SBI_EXT_LEGACY_FENCE_I = 5,
	SBI_EXT_LEGACY_SFENCE_VMA = 6,
	SBI_EXT_LEGACY_SFENCE_VMA_ASID = 7,
	SBI_EXT_LEGACY_SHUTDOWN = 8,
	SBI_EXT_BASE = 0x10,
	SBI_EXT_TIME = 0x54494d45,
	SBI_EXT_IPI = 0x735049,
	SBI_EXT_RFENCE = 0x52464e43,
	SBI_EXT_HSM = 0x48534d,
	SBI_EXT_SRST = 0x53525354,
	SBI_EXT_PMU = 0x504d55,
	SBI_EXT_DBCN = 0x4442434e,
};

/* Supervisor software interrupt: its number in mip, and so of the vCPU's input. */
enum { SBI_IRQ_S_SOFT = 1 };

/* PMU firmware events (SBI 2.0 §11.5): codes of those that are counted, and how many exist. */
enum sbi_fw_event {
	SBI_FW_SET_TIMER = 5,
	SBI_FW_IPI_SENT = 6,
	SBI_FW_IPI_RECEIVED = 7,
	SBI_FW_FENCE_I_SENT = 8,
	SBI_FW_FENCE_I_RECEIVED = 9,
	SBI_FW_SFENCE_VMA_SENT = 10,
	SBI_FW_SFENCE_VMA_RECEIVED = 11,
	SBI_FW_SFENCE_VMA_ASID_SENT = 12,
	SBI_FW_SFENCE_VMA_ASID_RECEIVED = 13,
	SBI_FW_EVENTS = 22,
};

/* Logical counters: cycle, a gap where time would be, instret, then the firmware's. */
enum { SBI_PMU_CYCLE = 0, SBI_PMU_INSTRET = 2, SBI_PMU_FIRST_FW = 3, SBI_PMU_COUNTERS = 19 };

struct sbi_counter {
	bool used, running;
	unsigned event;			/* firmware counters: the event's code */
	uint64_t value;			/* firmware: while running, plus the event's total */
};

struct sbi_hart {
	struct sbi_counter counters[SBI_PMU_COUNTERS];	/* only that hart's thread */
	_Atomic uint64_t events[SBI_FW_EVENTS];		/* relaxed: plain statistics */
	_Atomic bool suspended;				/* for other harts' sbi_hart_get_status */
};

struct sbi {
	struct vm *vm;
	struct sbi_cfg cfg;
	struct sbi_hart harts[VM_MAX_CPUS];
};

struct sbi_call {
	struct sbi *sbi;
	struct vcpu *v;		/* the caller */
	uint64_t fid;		/* a6 */
	uint64_t a[6];		/* a0 to a5 */
	uint64_t value;		/* result in a1 */
	bool resumed;		/* the hart goes on elsewhere, its registers are set: no result */
};

/*
 * One extension's functions: returns the error (a0), sets c->value on success. For a legacy
 * extension the return value is all there is, and a1 stays as it was.
 */
typedef int64_t sbi_handler(struct sbi_call *c);

sbi_handler sbi_hsm, sbi_pmu, sbi_dbcn;
sbi_handler sbi_legacy_set_timer, sbi_legacy_putchar, sbi_legacy_getchar, sbi_legacy_clear_ipi,
	sbi_legacy_send_ipi, sbi_legacy_fence_i, sbi_legacy_sfence_vma,
	sbi_legacy_sfence_vma_asid, sbi_legacy_shutdown;

/* Counts a firmware event on hart n. Any hart's thread. */
static inline void sbi_count(struct sbi *sbi, unsigned n, enum sbi_fw_event e)
{
	atomic_fetch_add_explicit(&sbi->harts[n].events[e], 1, memory_order_relaxed);
}

/*
 * The harts a (mask, base) pair names (SBI 2.0 §3.2) as bits by index: false when one of
 * them does not exist.
 */
bool sbi_hart_mask(const struct sbi_call *c, uint64_t mask, uint64_t base, uint64_t *harts);

/* Services with more than one caller; harts are bits of harts that exist. */
void sbi_set_timer(struct sbi_call *c, uint64_t ticks);
void sbi_send_ipi(struct sbi_call *c, uint64_t harts);
void sbi_fence(struct sbi_call *c, uint64_t harts, uint32_t req, enum sbi_fw_event sent);
void sbi_shutdown(struct sbi_call *c, enum vm_event ev, uint32_t detail);

/* The next byte of console input, or -1. */
int sbi_console_get(struct sbi *sbi);

#endif
