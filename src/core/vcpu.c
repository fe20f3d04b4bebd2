/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vCPU's thread and its requests.
 *
 * Why no request is lost: the poster sets a bit in requests and then reads in_guest; the
 * vCPU sets in_guest and then reads requests, all seq_cst. So either the poster sees the
 * vCPU in the guest and kicks it, or the vCPU sees the bit before it enters. Likewise an
 * input is stored before attention is set, and the engine clears attention before it
 * reads the inputs.
 *
 * Waiting for others (fences) happens under vm->lock with vm->changed, and a waiter counts
 * as outside the guest, so two CPUs that fence each other do not wait for each other.
 */
#include "core/vcpu.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/vcpu_thread.h"
#include "core/vm.h"

static const uint32_t fence_bits = VCPU_REQ_FENCE_I | VCPU_REQ_FENCE_VMA;

static long futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

void vcpu_kick(struct vcpu *v)
{
	/* seq_cst: partner of the exchange in the engine, and of vcpu_wait()'s futex check. */
	if (!atomic_exchange(&v->attention, 1))
		futex(&v->attention, FUTEX_WAKE, 1, NULL);
}

void vcpu_set_line(struct vcpu *v, unsigned n, bool level)
{
	uint64_t bit = UINT64_C(1) << n;

	if (!level)
		atomic_fetch_and(&v->lines, ~bit);
	else if (!(atomic_fetch_or(&v->lines, bit) & bit))
		vcpu_kick(v);
}

void vcpu_latch(struct vcpu *v, unsigned n)
{
	atomic_fetch_or(&v->latched, UINT64_C(1) << n);
	vcpu_kick(v);
}

void vcpu_set_timer(struct vcpu *v, uint64_t ticks)
{
	atomic_store(&v->timer, ticks);
	vcpu_kick(v);
}

void vcpu_post(struct vcpu *v, uint32_t req)
{
	atomic_fetch_or(&v->requests, req);
	vcpu_kick(v);
}

int vcpu_start(struct vcpu *v, uint64_t pc, uint64_t arg)
{
	struct vm *vm = v->vm;
	int rc = -EALREADY;

	pthread_mutex_lock(&vm->lock);
	if (!atomic_load(&v->started)) {
		v->start_pc = pc;
		v->start_arg = arg;
		/* Edges from before; those that come from now on are the started CPU's. */
		atomic_store(&v->latched, 0);
		/* In this order: v's thread, perhaps just stopping, enters only when it sees both. */
		atomic_fetch_or(&v->requests, VCPU_REQ_START);
		atomic_store(&v->started, true);
		pthread_cond_broadcast(&vm->changed);
		rc = 0;
	}
	pthread_mutex_unlock(&vm->lock);
	return rc;
}

void vcpu_stop_self(struct vcpu *v)
{
	pthread_mutex_lock(&v->vm->lock);
	atomic_store(&v->started, false);
	pthread_mutex_unlock(&v->vm->lock);
}

static void do_fences(struct vcpu *v)
{
	uint32_t wanted = atomic_load(&v->requests) & fence_bits;

	if (wanted) {
		v->vm->engine->fence(v, wanted);
		atomic_fetch_and(&v->requests, ~wanted);
	}
}

void vcpu_fence_sync(struct vcpu *self, uint64_t mask, uint32_t req)
{
	struct vm *vm = self->vm;

	for (unsigned i = 0; i < vm->cpu_count; i++)
		if (mask >> i & 1) {
			atomic_fetch_or(&vm->cpus[i].requests, req);
			if (&vm->cpus[i] != self && atomic_load(&vm->cpus[i].in_guest))
				vcpu_kick(&vm->cpus[i]);
		}
	/* self is outside the guest here, so nobody waits for it. */
	pthread_mutex_lock(&vm->lock);
	for (unsigned i = 0; i < vm->cpu_count; i++) {
		struct vcpu *v = &vm->cpus[i];

		while ((mask >> i & 1) && v != self && atomic_load(&v->in_guest) &&
		       (atomic_load(&v->requests) & req))
			pthread_cond_wait(&vm->changed, &vm->lock);
	}
	pthread_mutex_unlock(&vm->lock);
	do_fences(self);
}

void vcpu_wait(struct vcpu *v)
{
	uint64_t deadline, ns = UINT64_MAX;
	struct timespec ts;

	if (v->vm->engine->wait_over(v, &deadline))
		return;
	if (deadline != VCPU_NO_DEADLINE)
		ns = timebase_until_ns(&v->vm->tb, deadline);
	ts.tv_sec = (time_t)(ns / 1000000000u);
	ts.tv_nsec = (long)(ns % 1000000000u);
	if (ns)
		futex(&v->attention, FUTEX_WAIT, 0, ns == UINT64_MAX ? NULL : &ts);
}

/* Parked at the safepoint, or stopped (HSM): until there is something to run or to end. */
static void vcpu_idle(struct vcpu *v)
{
	struct vm *vm = v->vm;

	pthread_mutex_lock(&vm->lock);
	for (;;) {
		uint32_t req = atomic_load(&v->requests);
		bool parked = req & VCPU_REQ_PAUSE;

		if (v->parked != parked) {
			v->parked = parked;
			pthread_cond_broadcast(&vm->changed);
		}
		if ((req & VCPU_REQ_EXIT) || (!parked && atomic_load(&v->started)))
			break;
		pthread_cond_wait(&vm->changed, &vm->lock);
	}
	pthread_mutex_unlock(&vm->lock);
}

/* A CPU that was started takes over its start address. */
static void vcpu_take_start(struct vcpu *v)
{
	uint64_t pc, arg;

	pthread_mutex_lock(&v->vm->lock);
	pc = v->start_pc;
	arg = v->start_arg;
	atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQ_START);
	pthread_mutex_unlock(&v->vm->lock);
	v->vm->engine->vcpu_reset(v, pc, v->index, arg);
}

/* Runs the guest once; true when the caller should sleep until an interrupt. */
static bool vcpu_enter(struct vcpu *v)
{
	struct vm *vm = v->vm;
	enum vcpu_exit why = VCPU_EXIT_ATTENTION;

	atomic_store(&v->in_guest, 1);
	if (!(atomic_load(&v->requests)))
		why = vm->engine->run(v);
	atomic_store(&v->in_guest, 0);
	if (atomic_load(&v->requests) & fence_bits) {
		/* Whoever waits for this CPU's fence may go on: it is outside now. */
		pthread_mutex_lock(&vm->lock);
		pthread_cond_broadcast(&vm->changed);
		pthread_mutex_unlock(&vm->lock);
	}
	if (why == VCPU_EXIT_FIRMWARE)
		vm->firmware.call(vm->firmware.opaque, v);
	if (why == VCPU_EXIT_ERROR) {
		vcpu_stop_self(v);
		vm_request(vm, VM_EVENT_CRASH, v->index);
	}
	return why == VCPU_EXIT_WAIT;
}

void *vcpu_main(void *arg)
{
	struct vcpu *v = arg;
	struct vm *vm = v->vm;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", v->index);
	pthread_setname_np(pthread_self(), name);
	if (vm->thread_start)
		vm->thread_start(vm, (int)v->index);
	for (;;) {
		uint32_t req = atomic_load(&v->requests);

		if (req & VCPU_REQ_EXIT)
			break;
		if ((req & VCPU_REQ_PAUSE) || !atomic_load(&v->started)) {
			vcpu_idle(v);
			continue;
		}
		if (req & VCPU_REQ_START)
			vcpu_take_start(v);
		do_fences(v);
		if (vcpu_enter(v))
			vcpu_wait(v);
	}
	return NULL;
}
