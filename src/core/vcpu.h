/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual CPU: one host thread that runs the engine, and what others may do to it.
 *
 * Whoever wants a vCPU's attention (an interrupt, a pause, a fence) stores the wish and
 * then sets `attention`; the engine looks at that one word at block boundaries, within a
 * bounded number of guest instructions. A vCPU that waits for an interrupt sleeps on it
 * as a futex until it is set or the CPU's next timer is due.
 */
#ifndef CORE_VCPU_H
#define CORE_VCPU_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct vm;

#define VCPU_NO_DEADLINE UINT64_MAX

/* Why engine_ops.run returned. */
enum vcpu_exit {
	VCPU_EXIT_ATTENTION,	/* core has something to look at (or just looks); then run again */
	VCPU_EXIT_WAIT,		/* the guest waits for an interrupt */
	VCPU_EXIT_FIRMWARE,	/* a call to the built-in firmware (SBI ecall from S-mode) */
	VCPU_EXIT_ERROR,	/* the engine cannot go on: the VM ends as crashed */
};

/* Requests that the vCPU's own thread carries out before it enters the guest again. */
enum vcpu_request {
	VCPU_REQ_PAUSE = 1 << 0,	/* park at the safepoint until released */
	VCPU_REQ_EXIT = 1 << 1,		/* the thread ends */
	VCPU_REQ_FENCE_I = 1 << 2,	/* see stores to code */
	VCPU_REQ_FENCE_VMA = 1 << 3,	/* forget all address translations */
	VCPU_REQ_START = 1 << 4,	/* a stopped CPU starts (vcpu_start) */
};

struct vcpu {
	struct vm *vm;
	unsigned index;			/* hart id, CPU number */
	pthread_t thread;		/* while has_thread: control thread only */
	bool has_thread;
	void *arch;			/* the engine's */

	_Atomic uint32_t attention;	/* futex word: 1 when there is something to look at */
	_Atomic uint32_t requests;	/* enum vcpu_request; partner: in_guest (both seq_cst) */
	_Atomic uint32_t in_guest;	/* 1 from before requests are checked until run returns */

	_Atomic uint64_t lines;		/* level inputs, as the ISA numbers them (RISC-V: mip bits) */
	_Atomic uint64_t latched;	/* edges the engine has not taken over yet (mip.SSIP) */
	_Atomic uint64_t timer;		/* the board's timer for this CPU: timebase tick (mtimecmp) */

	_Atomic bool started;		/* false: stopped (HSM). Changes under vm->lock */
	uint64_t start_pc, start_arg;	/* of VCPU_REQ_START; under vm->lock */
	bool parked;			/* at the safepoint; under vm->lock */
};

/* Any thread: the engine looks at its requests and inputs soon; wakes a sleeper. */
void vcpu_kick(struct vcpu *v);

/* Any thread: input n (0 to 63) goes to level; kicks on a rise. */
void vcpu_set_line(struct vcpu *v, unsigned n, bool level);

/* Any thread: an edge on input n. */
void vcpu_latch(struct vcpu *v, unsigned n);

/* Any thread: the board's timer for this CPU is due at that tick; VCPU_NO_DEADLINE: never. */
void vcpu_set_timer(struct vcpu *v, uint64_t ticks);

/*
 * Starts a stopped vCPU at pc, its index in the first argument register, arg in the second
 * (SBI HSM sbi_hart_start). Edges from before are forgotten. Any thread. -EALREADY when it is
 * not stopped.
 */
int vcpu_start(struct vcpu *v, uint64_t pc, uint64_t arg);

/* The vCPU's own thread: stops once its engine's run has returned (SBI HSM sbi_hart_stop). */
void vcpu_stop_self(struct vcpu *v);

/*
 * The vCPU's own thread, outside engine_ops.run: sleeps until something wants its attention
 * or an interrupt or the CPU's next timer is due. May return early.
 */
void vcpu_wait(struct vcpu *v);

/*
 * Has every vCPU in mask (bit n: index n) carry out the VCPU_REQ_FENCE_* bits of req, and
 * returns when each has, or is outside the guest and will before it enters. On the thread
 * of vCPU self, outside engine_ops.run; self may be in mask.
 */
void vcpu_fence_sync(struct vcpu *self, uint64_t mask, uint32_t req);

#endif
