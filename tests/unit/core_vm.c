/* SPDX-License-Identifier: Apache-2.0 */
/* The VM's life with an engine that executes nothing: start, fences, pause, reset, end. */
#include "tests/unit/test.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/vm.h"

/* What a fake CPU "executes" between two looks at its attention word. */
enum program { SPIN, FENCE_EACH_OTHER, WAIT_FOR_LINE, ASK_RESET, FAIL, STOP_AND_START };

enum { DEADLINE_S = 100 };

struct fake_cpu {
	_Atomic unsigned runs, resets, fences, calls;
	bool stopped;			/* it has stopped itself and was not reset since */
	_Atomic unsigned undead;	/* times it ran nevertheless */
	uint64_t pc, arg0, arg1;
};

static _Atomic int program;
static struct fake_cpu cpus[VM_MAX_CPUS];

static int fake_init(struct vcpu *v, struct err *err)
{
	v->arch = &cpus[v->index];
	return 0;
}

static void fake_fini(struct vcpu *v)
{
}

static void fake_reset(struct vcpu *v, uint64_t pc, uint64_t arg0, uint64_t arg1)
{
	struct fake_cpu *c = v->arch;

	c->pc = pc;
	c->arg0 = arg0;
	c->arg1 = arg1;
	c->stopped = false;
	atomic_fetch_add(&c->resets, 1);
}

static enum vcpu_exit fake_run(struct vcpu *v)
{
	struct fake_cpu *c = v->arch;

	for (;;) {
		atomic_fetch_add(&c->runs, 1);
		if (c->stopped)
			atomic_fetch_add(&c->undead, 1);
		if (atomic_exchange(&v->attention, 0))
			return VCPU_EXIT_ATTENTION;
		switch (atomic_load(&program)) {
		case FENCE_EACH_OTHER:
		case STOP_AND_START:
			return VCPU_EXIT_FIRMWARE;
		case WAIT_FOR_LINE:
			return VCPU_EXIT_WAIT;
		case ASK_RESET:
			atomic_store(&program, SPIN);
			vm_request(v->vm, VM_EVENT_RESET, 0);
			break;
		case FAIL:
			return VCPU_EXIT_ERROR;
		default:
			sched_yield();
		}
	}
}

static bool fake_wait_over(struct vcpu *v, uint64_t *deadline)
{
	*deadline = atomic_load(&v->timer);
	return atomic_load(&v->lines) || timebase_read(&v->vm->tb) >= *deadline;
}

static void fake_fence(struct vcpu *v, uint32_t requests)
{
	atomic_fetch_add(&((struct fake_cpu *)v->arch)->fences, 1);
}

static const struct engine_ops fake = {
	.name = "fake", .arch = "none",
	.vcpu_init = fake_init, .vcpu_fini = fake_fini, .vcpu_reset = fake_reset, .run = fake_run,
	.wait_over = fake_wait_over, .fence = fake_fence,
};

static void on_call(void *opaque, struct vcpu *v)
{
	struct fake_cpu *c = &cpus[v->index];

	atomic_fetch_add(&c->calls, 1);
	if (atomic_load(&program) == FENCE_EACH_OTHER) {
		vcpu_fence_sync(v, 0xff, VCPU_REQ_FENCE_I);
	} else if (v->index) {
		c->stopped = true;
		vcpu_stop_self(v);
	} else {
		vcpu_start(&v->vm->cpus[1], 0x2000, 0);
	}
}

static int boot_all(struct vm *vm, struct err *err)
{
	for (unsigned i = 0; i < vm->cpu_count; i++)
		assert_int_equal(vcpu_start(&vm->cpus[i], 0x1000 + i, 42), 0);
	return 0;
}

static struct vm *build(int what, unsigned n)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	struct err err;

	for (unsigned i = 0; i < VM_MAX_CPUS; i++)
		cpus[i] = (struct fake_cpu){ 0 };
	alarm(DEADLINE_S);
	atomic_store(&program, what);
	assert_int_equal(vm_init(vm, &fake, 10000000, &err), 0);
	vm->boot = boot_all;
	vm->firmware.call = on_call;
	assert_int_equal(vm_add_cpus(vm, n, &err), 0);
	return vm;
}

static struct vm *start(int what, unsigned n)
{
	struct vm *vm = build(what, n);
	struct err err;

	assert_int_equal(vm_start(vm, NULL, &err), 0);
	return vm;
}

static void end(struct vm *vm)
{
	vm_fini(vm);
	free(vm);
	alarm(0);
}

static void await(_Atomic unsigned *counter, unsigned at_least)
{
	while (atomic_load(counter) < at_least)
		sched_yield();
}

static void start_and_pause(void **state)
{
	struct vm *vm = start(SPIN, 4);
	unsigned seen[4];

	for (int i = 0; i < 4; i++)
		await(&cpus[i].runs, 10);
	assert_int_equal(cpus[3].pc, 0x1003);
	assert_int_equal(cpus[3].arg0, 3);
	assert_int_equal(cpus[3].arg1, 42);
	for (int round = 0; round < 50; round++) {
		uint64_t t;

		vm_pause(vm);
		t = timebase_read(&vm->tb);
		for (int i = 0; i < 4; i++)
			seen[i] = atomic_load(&cpus[i].runs);
		for (int i = 0; i < 100; i++)
			sched_yield();
		for (int i = 0; i < 4; i++)
			assert_int_equal(atomic_load(&cpus[i].runs), seen[i]);
		assert_int_equal(timebase_read(&vm->tb), t);
		vm_resume(vm);
		for (int i = 0; i < 4; i++)
			await(&cpus[i].runs, seen[i] + 1);
	}
	assert_int_equal(vcpu_start(&vm->cpus[1], 0, 0), -EALREADY);
	end(vm);
}

static void fences_meet(void **state)
{
	struct vm *vm = start(FENCE_EACH_OTHER, 4);

	for (int i = 0; i < 4; i++)
		await(&cpus[i].calls, 2000);
	vm_pause(vm);
	for (int i = 0; i < 4; i++)
		assert_true(atomic_load(&cpus[i].fences) >= 2000);
	vm_resume(vm);
	end(vm);
}

static void wait_wakes(void **state)
{
	struct vm *vm = start(WAIT_FOR_LINE, 2);
	unsigned runs;

	/* asleep: runs stand still until an input or the timer comes */
	await(&cpus[0].runs, 1);
	vcpu_set_line(&vm->cpus[0], 5, true);
	await(&cpus[0].runs, 50);
	vcpu_set_line(&vm->cpus[0], 5, false);
	runs = atomic_load(&cpus[1].runs);
	vcpu_set_timer(&vm->cpus[1], timebase_read(&vm->tb) + 20000);
	await(&cpus[1].runs, runs + 10);
	assert_true(timebase_read(&vm->tb) >= atomic_load(&vm->cpus[1].timer));
	end(vm);
}

static void reset_and_crash(void **state)
{
	struct vm *vm = start(ASK_RESET, 2);
	uint32_t detail;

	assert_int_equal(vm_wait(vm, NULL), VM_EVENT_RESET);
	await(&cpus[0].resets, 1);
	await(&cpus[1].resets, 1);
	assert_int_equal(vm_reset(vm, NULL), 0);
	await(&cpus[0].resets, 2);
	await(&cpus[1].resets, 2);
	vm_pause(vm);
	atomic_store(&program, FAIL);
	vm_resume(vm);
	assert_int_equal(vm_wait(vm, &detail), VM_EVENT_CRASH);
	assert_true(detail < 2);
	vm_request(vm, VM_EVENT_RESET, 0);
	vm_request(vm, VM_EVENT_STOP, 9);
	assert_int_equal(vm_wait(vm, &detail), VM_EVENT_STOP);
	assert_int_equal(detail, 9);
	end(vm);
}

/* What happened before a reset is over with it, but for the order to stop. */
static void reset_forgets_wishes(void **state)
{
	struct vm *vm = start(SPIN, 2);
	uint32_t detail;

	vm_request(vm, VM_EVENT_RESET, 0);
	assert_int_equal(vm_wait(vm, NULL), VM_EVENT_RESET);
	/* The guest asks again while it still runs. */
	vm_request(vm, VM_EVENT_RESET, 0);
	assert_int_equal(vm_reset(vm, NULL), 0);
	vm_request(vm, VM_EVENT_FAIL, 3);
	assert_int_equal(vm_wait(vm, &detail), VM_EVENT_FAIL);
	assert_int_equal(detail, 3);
	vm_request(vm, VM_EVENT_STOP, 0);
	assert_int_equal(vm_reset(vm, NULL), 0);
	vm_request(vm, VM_EVENT_POWEROFF, 0);
	assert_int_equal(vm_wait(vm, NULL), VM_EVENT_STOP);
	end(vm);
}

/* A CPU that stops itself while another starts it begins anew; it never goes on where it was. */
static void stop_meets_start(void **state)
{
	struct vm *vm = start(STOP_AND_START, 2);

	await(&cpus[1].resets, 20000);
	end(vm);
	assert_int_equal(atomic_load(&cpus[1].undead), 0);
}

/* ---- threads that cannot be started ------------------------------------------------------- */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);

static int threads_left = INT_MAX;

/* Fails as the C library does: what *thread holds then is anything. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	if (threads_left-- > 0)
		return __real_pthread_create(thread, attr, fn, arg);
	memset(thread, 0x55, sizeof(*thread));
	return EAGAIN;
}

static void too_few_threads(void **state)
{
	for (int allowed = 0; allowed < 4; allowed++) {
		struct vm *vm = build(SPIN, 4);
		struct err err = { "" };

		threads_left = allowed;
		assert_int_equal(vm_start(vm, NULL, &err), -EAGAIN);
		threads_left = INT_MAX;
		assert_non_null(strstr(err.msg, "cannot be started"));
		end(vm);
	}
}

static void limits(void **state)
{
	struct vm vm = { 0 };
	struct err err;

	vm_fini(&vm);
	assert_int_equal(vm_init(&vm, &fake, 10000000, &err), 0);
	assert_int_equal(vm_add_cpus(&vm, 0, &err), -EINVAL);
	assert_int_equal(vm_add_cpus(&vm, 9, &err), -EINVAL);
	vm_fini(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_and_pause), cmocka_unit_test(fences_meet),
		cmocka_unit_test(wait_wakes),	   cmocka_unit_test(reset_and_crash),
		cmocka_unit_test(reset_forgets_wishes), cmocka_unit_test(stop_meets_start),
		cmocka_unit_test(too_few_threads), cmocka_unit_test(limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
