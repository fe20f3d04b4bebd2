/* SPDX-License-Identifier: Apache-2.0 */
#include "core/vm.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "core/vcpu_thread.h"

int vm_init(struct vm *vm, const struct engine_ops *engine, uint64_t timebase_hz, struct err *err)
{
	memset(vm, 0, sizeof(*vm));
	vm->engine = engine;
	bus_init(&vm->bus);
	clock_init(&vm->clock);
	timebase_init(&vm->tb, &vm->clock, timebase_hz);
	pthread_mutex_init(&vm->lock, NULL);
	pthread_cond_init(&vm->changed, NULL);
	return loop_new(&vm->loop, 0, err);
}

int vm_add_cpus(struct vm *vm, unsigned n, struct err *err)
{
	if (n < 1 || n > VM_MAX_CPUS - vm->cpu_count)
		return err_set(err, -EINVAL, "a VM has 1 to %d CPUs", VM_MAX_CPUS);
	while (n--) {
		struct vcpu *v = &vm->cpus[vm->cpu_count];
		int rc;

		v->vm = vm;
		v->index = vm->cpu_count;
		atomic_store(&v->timer, VCPU_NO_DEADLINE);
		rc = vm->engine->vcpu_init(v, err);
		if (rc)
			return rc;
		vm->cpu_count++;
	}
	return 0;
}

void vm_add_dev(struct vm *vm, struct dev *d)
{
	struct dev **at = &vm->devs;

	while (*at)
		at = &(*at)->next;
	d->next = NULL;
	*at = d;
}

void vm_request(struct vm *vm, enum vm_event ev, uint32_t detail)
{
	pthread_mutex_lock(&vm->lock);
	if (vm->event == VM_EVENT_NONE || ev == VM_EVENT_STOP) {
		vm->event = ev;
		vm->event_detail = detail;
		pthread_cond_broadcast(&vm->changed);
	}
	pthread_mutex_unlock(&vm->lock);
}

void vm_request_pause(struct vm *vm, bool pause)
{
	pthread_mutex_lock(&vm->lock);
	vm->want_pause = pause;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
}

enum vm_event vm_wait(struct vm *vm, uint32_t *detail)
{
	enum vm_event ev;

	pthread_mutex_lock(&vm->lock);
	while (vm->event == VM_EVENT_NONE && vm->want_pause == vm->paused)
		pthread_cond_wait(&vm->changed, &vm->lock);
	ev = vm->event != VM_EVENT_NONE ? vm->event : vm->want_pause ? VM_EVENT_PAUSE : VM_EVENT_RESUME;
	if (detail)
		*detail = vm->event_detail;
	vm->event = VM_EVENT_NONE;
	pthread_mutex_unlock(&vm->lock);
	return ev;
}

/* ---- threads ---------------------------------------------------------------------- */

static void *loop_main(void *arg)
{
	struct vm *vm = arg;

	pthread_setname_np(pthread_self(), "loop");
	if (vm->thread_start)
		vm->thread_start(vm, VM_THREAD_LOOP);
	loop_run(vm->loop);
	return NULL;
}

static int start_threads(struct vm *vm, struct err *err)
{
	int rc = pthread_create(&vm->loop_thread, NULL, loop_main, vm);

	if (rc)
		return err_sys(err, -rc, "the device thread cannot be started");
	vm->started = true;
	for (unsigned i = 0; i < vm->cpu_count; i++) {
		rc = pthread_create(&vm->cpus[i].thread, NULL, vcpu_main, &vm->cpus[i]);
		if (rc)
			return err_sys(err, -rc, "the thread of CPU %u cannot be started", i);
		/* Not told by .thread: a call that failed may have written it. */
		vm->cpus[i].has_thread = true;
	}
	return 0;
}

static void enter_io_thread(void *arg)
{
	struct vm *vm = arg;

	vm->thread_start(vm, VM_THREAD_IO);
}

int vm_start(struct vm *vm, void (*thread_start)(struct vm *vm, int thread), struct err *err)
{
	int rc;

	vm->thread_start = thread_start;
	if (thread_start)
		loop_enter_io_threads(vm->loop, enter_io_thread, vm);
	rc = vm->boot(vm, err);
	if (rc)
		return rc;
	clock_start(&vm->clock);
	return start_threads(vm, err);
}

/* ---- the safepoint -------------------------------------------------------------------- */

static void post_all(struct vm *vm, uint32_t req)
{
	for (unsigned i = 0; i < vm->cpu_count; i++)
		vcpu_post(&vm->cpus[i], req);
	pthread_mutex_lock(&vm->lock);
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
}

static void wait_parked(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	for (unsigned i = 0; i < vm->cpu_count; i++)
		while (vm->cpus[i].has_thread && !vm->cpus[i].parked)
			pthread_cond_wait(&vm->changed, &vm->lock);
	pthread_mutex_unlock(&vm->lock);
}

/* Counts first, so that a device which drains at once cannot end the wait too early. */
static void quiesce_devices(void *arg)
{
	struct vm *vm = arg;
	struct dev *d;

	pthread_mutex_lock(&vm->lock);
	for (d = vm->devs; d; d = d->next)
		if (d->ops->quiesce) {
			d->draining = true;
			vm->draining++;
		}
	pthread_mutex_unlock(&vm->lock);
	for (d = vm->devs; d; d = d->next)
		if (d->ops->quiesce)
			d->ops->quiesce(d);
}

void vm_dev_drained(struct vm *vm, struct dev *d)
{
	pthread_mutex_lock(&vm->lock);
	if (d->draining) {
		d->draining = false;
		vm->draining--;
		pthread_cond_broadcast(&vm->changed);
	}
	pthread_mutex_unlock(&vm->lock);
}

static void resume_devices(void *arg)
{
	struct vm *vm = arg;

	for (struct dev *d = vm->devs; d; d = d->next)
		if (d->ops->resume)
			d->ops->resume(d);
}

static void reset_devices(void *arg)
{
	struct vm *vm = arg;

	for (struct dev *d = vm->devs; d; d = d->next)
		d->ops->reset(d);
}

void vm_pause(struct vm *vm)
{
	if (vm->paused || !vm->started)
		return;
	post_all(vm, VCPU_REQ_PAUSE);
	wait_parked(vm);
	loop_call(vm->loop, quiesce_devices, vm);
	pthread_mutex_lock(&vm->lock);
	while (vm->draining)
		pthread_cond_wait(&vm->changed, &vm->lock);
	pthread_mutex_unlock(&vm->lock);
	clock_stop(&vm->clock);
	vm->paused = true;
}

void vm_resume(struct vm *vm)
{
	if (!vm->paused)
		return;
	clock_start(&vm->clock);
	vm->paused = false;
	loop_call(vm->loop, resume_devices, vm);
	for (unsigned i = 0; i < vm->cpu_count; i++)
		atomic_fetch_and(&vm->cpus[i].requests, ~(uint32_t)VCPU_REQ_PAUSE);
	pthread_mutex_lock(&vm->lock);
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
}

static void reset_cpus(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	if (vm->event != VM_EVENT_STOP)
		vm->event = VM_EVENT_NONE;
	for (unsigned i = 0; i < vm->cpu_count; i++) {
		struct vcpu *v = &vm->cpus[i];

		atomic_store(&v->started, false);
		atomic_store(&v->lines, 0);
		atomic_store(&v->latched, 0);
		atomic_store(&v->timer, VCPU_NO_DEADLINE);
		atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQ_START);
	}
	pthread_mutex_unlock(&vm->lock);
}

int vm_reset(struct vm *vm, struct err *err)
{
	int rc;

	vm_pause(vm);
	loop_call(vm->loop, reset_devices, vm);
	reset_cpus(vm);
	timebase_write(&vm->tb, 0);
	rc = vm->boot(vm, err);
	if (!rc)
		vm_resume(vm);
	return rc;
}

/* ---- the end -------------------------------------------------------------------------- */

static void end_threads(struct vm *vm)
{
	vm_pause(vm);
	post_all(vm, VCPU_REQ_EXIT);
	for (unsigned i = 0; i < vm->cpu_count; i++)
		if (vm->cpus[i].has_thread)
			pthread_join(vm->cpus[i].thread, NULL);
	loop_stop(vm->loop);
	pthread_join(vm->loop_thread, NULL);
}

void vm_fini(struct vm *vm)
{
	struct dev *d;

	if (!vm->engine)
		return;
	if (vm->started)
		end_threads(vm);
	while ((d = vm->devs)) {
		vm->devs = d->next;
		d->ops->fini(d);
	}
	for (unsigned i = 0; i < vm->cpu_count; i++)
		vm->engine->vcpu_fini(&vm->cpus[i]);
	loop_free(vm->loop);
	gmem_fini(&vm->mem);
	bus_fini(&vm->bus);
	pthread_cond_destroy(&vm->changed);
	pthread_mutex_destroy(&vm->lock);
	memset(vm, 0, sizeof(*vm));
}
