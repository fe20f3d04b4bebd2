/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One virtual machine: memory, bus, clock, vCPUs, devices, and its life.
 *
 * Threads: the control thread builds the VM, starts it and waits for what happens; the
 * loop thread owns the devices' asynchronous work; each vCPU has a thread. Guests, devices
 * and users ask through vm_request() from any thread, and the control thread acts. One
 * safepoint (vm_pause, vm_resume) serves pause, reset and the end.
 *
 * Lock order: device, interrupt controller, vm->lock. No lock is held while waiting for I/O.
 */
#ifndef CORE_VM_H
#define CORE_VM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "core/bus.h"
#include "core/clock.h"
#include "core/dev.h"
#include "core/engine.h"
#include "core/gmem.h"
#include "core/irq.h"
#include "core/vcpu.h"

enum { VM_MAX_CPUS = 8 };

/* The threads of a VM that are no vCPU's, where one is told from another. */
enum vm_thread {
	VM_THREAD_LOOP = -1,
	VM_THREAD_IO = -2,	/* of the loop's pool: there are several, or none */
};

/* What the guest, a device or the user wants done with the VM as a whole. */
enum vm_event {
	VM_EVENT_NONE,
	VM_EVENT_POWEROFF,	/* the guest powered off */
	VM_EVENT_RESET,		/* the guest wants a reset */
	VM_EVENT_FAIL,		/* the guest reports failure with a code (detail), as test devices do */
	VM_EVENT_CRASH,		/* the engine or a board cannot go on */
	VM_EVENT_STOP,		/* the monitor was told to end the VM now */
	VM_EVENT_PAUSE,		/* vm_request_pause(): call vm_pause(), */
	VM_EVENT_RESUME,	/* or vm_resume() */
};

/* Built-in firmware: serves calls of the guest in place of M-mode software. */
struct firmware_ops {
	/*
	 * On v's thread outside the guest; arguments and results in the engine's registers. The
	 * program counter already stands behind the instruction that made the call.
	 */
	void (*call)(void *opaque, struct vcpu *v);
	void *opaque;
};

struct vm {
	struct gmem mem;
	struct bus bus;
	struct clock clock;
	struct timebase tb;
	struct loop *loop;
	pthread_t loop_thread;
	const struct engine_ops *engine;
	struct firmware_ops firmware;	/* call == NULL: none */
	struct msi_target msi;

	struct vcpu cpus[VM_MAX_CPUS];
	unsigned cpu_count;
	struct dev *devs;		/* in order of addition */

	void (*thread_start)(struct vm *vm, int thread);	/* see vm_start() */

	/* Loads memory and sets the boot CPU going; called by vm_start() and at each reset. */
	int (*boot)(struct vm *vm, struct err *err);
	void *board;			/* the machine's */

	pthread_mutex_t lock;		/* the fields below and those of vCPUs that say so */
	pthread_cond_t changed;		/* whenever one of them changes */
	enum vm_event event;		/* the first wish not yet taken */
	uint32_t event_detail;
	bool want_pause;		/* what vm_request_pause() asked for last */
	unsigned draining;		/* devices not drained yet */
	bool started, paused;		/* control thread only */
	struct log_limit log;		/* for messages a guest can trigger */
};

/* An empty VM with a stopped clock and a loop; -errno with a sentence. */
int vm_init(struct vm *vm, const struct engine_ops *engine, uint64_t timebase_hz, struct err *err);

/* Ends its threads, frees devices, CPUs and memory. Control thread; accepts a zeroed object. */
void vm_fini(struct vm *vm);

/* Adds n vCPUs (1 to VM_MAX_CPUS in all), all stopped. Memory, bus and firmware are complete. */
int vm_add_cpus(struct vm *vm, unsigned n, struct err *err);

/* The VM takes over d (d->ops and d->name are set). Before vm_start(). */
void vm_add_dev(struct vm *vm, struct dev *d);

/* Loop thread: d has no work in flight any more (see dev_ops.quiesce). */
void vm_dev_drained(struct vm *vm, struct dev *d);

/*
 * Boots, starts the clock and the loop's and the vCPUs' threads. Control thread; on error
 * vm_fini() cleans up. thread_start (may be NULL) is called first thing on each thread, to
 * close its sandbox: thread is a vCPU's index or an enum vm_thread.
 */
int vm_start(struct vm *vm, void (*thread_start)(struct vm *vm, int thread), struct err *err);

/* Any thread: the first wish stands until the control thread takes it (STOP overrides). */
void vm_request(struct vm *vm, enum vm_event ev, uint32_t detail);

/*
 * Any thread: the VM is to be paused, or to go on. Takes no other wish's place; the last one counts,
 * also over a reset.
 */
void vm_request_pause(struct vm *vm, bool pause);

/*
 * Control thread: waits for the next event and takes it; *detail may be NULL. PAUSE and RESUME
 * come, after all others, while the VM is not as vm_request_pause() asked.
 */
enum vm_event vm_wait(struct vm *vm, uint32_t *detail);

/* Control thread: all vCPUs outside the guest, devices drained, clock stopped; and back. */
void vm_pause(struct vm *vm);
void vm_resume(struct vm *vm);

/*
 * Control thread: devices and CPUs to their power-on state, boots again. What the guest wished
 * before, it wishes no more; STOP stands. On error the VM stays paused.
 */
int vm_reset(struct vm *vm, struct err *err);

#endif
