/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/virtio/virtio.h"

#include <string.h>

#include "base/bits.h"

static const uint64_t features_common =
	BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_F_INDIRECT_DESC);

/* Bits a driver sets; NEEDS_RESET is ours. */
static const uint8_t status_of_driver = VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER |
					VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK |
					VIRTIO_S_FAILED;

static void interrupt(struct virtio *v, int n)
{
	if (v->transport.interrupt)
		v->transport.interrupt(v->transport.opaque, n);
}

/* ---- reset and safepoint: loop thread unless it says otherwise ------------------------- */

/* [lock] What a reset clears of the registers; any thread, the device not running. */
static void clear_registers(struct virtio *v)
{
	v->status = 0;
	v->driver_features = v->features = 0;
	v->started = v->resetting = false;
	for (unsigned n = 0; n < v->queue_count; n++) {
		struct virtq *q = &v->queues[n];

		q->size = q->max_size;
		q->enabled = false;
		q->desc = q->avail = q->used = 0;
	}
	/* Relaxed: doorbells of before the reset; later ones are ordered by v->lock. */
	atomic_store_explicit(&v->rung, 0, memory_order_relaxed);
	if (v->transport.reset_done)
		v->transport.reset_done(v->transport.opaque);
	pthread_cond_broadcast(&v->reset_over);
}

static void check_drained(struct virtio *v)
{
	if (!v->drain_owed || v->in_flight || v->model_resetting)
		return;
	v->drain_owed = false;
	vm_dev_drained(v->vm, &v->dev);
}

static void end_reset(struct virtio *v)
{
	if (!v->reset_begun || v->model_resetting || v->in_flight)
		return;
	v->reset_begun = v->broken = false;
	pthread_mutex_lock(&v->lock);
	clear_registers(v);
	pthread_mutex_unlock(&v->lock);
}

static void stop_queues(struct virtio *v)
{
	for (unsigned n = 0; n < v->queue_count; n++)
		virtq_stop(&v->queues[n]);
}

static void begin_reset(struct virtio *v)
{
	if (v->reset_begun)
		return;
	v->reset_begun = v->model_resetting = true;
	v->running = false;
	stop_queues(v);
	v->ops->reset(v);
}

void virtio_reset_done(struct virtio *v)
{
	v->model_resetting = false;
	end_reset(v);
	check_drained(v);
}

void virtio_get(struct virtio *v)
{
	v->in_flight++;
}

void virtio_put(struct virtio *v)
{
	if (--v->in_flight)
		return;
	end_reset(v);
	check_drained(v);
}

void virtio_break(struct virtio *v, unsigned n, const char *why)
{
	if (v->broken || !v->running)
		return;
	v->broken = true;
	stop_queues(v);
	log_limited(&v->log,
		    "%s: the driver made a mistake on queue %u: %s; the device needs a reset",
		    v->name, n, why);
	pthread_mutex_lock(&v->lock);
	v->status |= VIRTIO_S_NEEDS_RESET;
	v->config_generation++;
	pthread_mutex_unlock(&v->lock);
	interrupt(v, -1);
}

/* ---- the task ---------------------------------------------------------------------------- */

static void ring_all(struct virtio *v)
{
	/* Relaxed: taken by this same thread. */
	atomic_store_explicit(&v->rung, BIT(v->queue_count) - 1, memory_order_relaxed);
}

static void start(struct virtio *v)
{
	const char *why;

	v->running = true;
	for (unsigned n = 0; n < v->queue_count; n++) {
		struct virtq *q = &v->queues[n];

		if (!q->enabled || virtq_start(q, &v->vm->mem, v->features, &why))
			continue;
		virtio_break(v, n, why);
		return;
	}
	if (v->ops->start)
		v->ops->start(v);
	ring_all(v);
}

/* Returns whether queues may be popped now. */
static bool update_paused(struct virtio *v, bool dma_off)
{
	const bool paused = v->quiesced || dma_off;

	if (v->paused && !paused)
		ring_all(v);
	v->paused = paused;
	for (unsigned n = 0; n < v->queue_count; n++)
		v->queues[n].paused = paused;
	return !paused;
}

static void task_run(struct loop_task *t)
{
	struct virtio *v = container_of(t, struct virtio, task);
	bool resetting, started, dma_off;
	uint64_t rung;

	pthread_mutex_lock(&v->lock);
	resetting = v->resetting;
	started = v->started;
	dma_off = v->dma_off;
	pthread_mutex_unlock(&v->lock);
	if (resetting) {
		begin_reset(v);
		return;
	}
	if (!update_paused(v, dma_off))
		return;
	if (started && !v->running)
		start(v);
	/* Acquire: partner is virtio_ring(); what the driver stored before its doorbell is seen. */
	rung = atomic_exchange_explicit(&v->rung, 0, memory_order_acquire);
	for (unsigned n = 0; n < v->queue_count; n++) {
		if (rung >> n & 1 && v->queues[n].ready)
			v->ops->notify(v, n);
	}
}

void virtio_again(struct virtio *v, unsigned n)
{
	/* Release: partner is the exchange in task_run(). */
	atomic_fetch_or_explicit(&v->rung, BIT(n), memory_order_release);
	loop_post(v->vm->loop, &v->task);
}

void virtio_ring(struct virtio *v, uint32_t n)
{
	if (n < v->queue_count)
		virtio_again(v, n);
}

void virtio_push_done(struct virtio *v, unsigned n)
{
	if (virtq_publish(&v->queues[n]))
		interrupt(v, (int)n);
}

void virtio_config_changed(struct virtio *v)
{
	bool tell;

	pthread_mutex_lock(&v->lock);
	v->config_generation++;
	tell = v->started && !v->resetting;
	pthread_mutex_unlock(&v->lock);
	if (tell)
		interrupt(v, -1);
}

void virtio_set_dma(struct virtio *v, bool on)
{
	pthread_mutex_lock(&v->lock);
	v->dma_off = !on;
	pthread_mutex_unlock(&v->lock);
	loop_post(v->vm->loop, &v->task);
}

/* ---- registers --------------------------------------------------------------------------- */

uint32_t virtio_read_offered(const struct virtio *v, uint32_t sel)
{
	return sel < 2 ? (uint32_t)bits_get(v->features_offered, 32 * sel, 32) : 0;
}

uint32_t virtio_read_accepted(struct virtio *v, uint32_t sel)
{
	uint32_t value = 0;

	pthread_mutex_lock(&v->lock);
	if (sel < 2)
		value = (uint32_t)bits_get(v->driver_features, 32 * sel, 32);
	pthread_mutex_unlock(&v->lock);
	return value;
}

void virtio_write_accepted(struct virtio *v, uint32_t sel, uint32_t value)
{
	pthread_mutex_lock(&v->lock);
	if (sel < 2 && !(v->status & VIRTIO_S_FEATURES_OK)) {
		v->driver_features &= ~((uint64_t)UINT32_MAX << (32 * sel));
		v->driver_features |= (uint64_t)value << (32 * sel);
	}
	pthread_mutex_unlock(&v->lock);
}

/* [lock] Takes bits the driver sets anew; a refused one stays 0, with *mistake. */
static void set_status_bits(struct virtio *v, uint8_t bits, const char **mistake)
{
	v->status |= bits & ~(VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK);
	if (bits & VIRTIO_S_FEATURES_OK) {
		if (v->driver_features & ~v->features_offered) {
			*mistake = "it accepts features that were not offered";
		} else {
			v->features = v->driver_features;
			v->status |= VIRTIO_S_FEATURES_OK;
		}
	}
	if (bits & VIRTIO_S_DRIVER_OK) {
		if (v->status & VIRTIO_S_FEATURES_OK) {
			v->status |= VIRTIO_S_DRIVER_OK;
			v->started = true;
		} else {
			*mistake = "it starts the device without agreed features";
		}
	}
}

void virtio_set_status(struct virtio *v, uint8_t status)
{
	const char *mistake = NULL;
	bool post = false;

	pthread_mutex_lock(&v->lock);
	if (!status && v->started) {
		v->resetting = post = true;
	} else if (!status) {
		clear_registers(v);
	} else if (!v->resetting) {
		set_status_bits(v, status & status_of_driver & (uint8_t)~v->status, &mistake);
		post = v->started;
	}
	pthread_mutex_unlock(&v->lock);
	if (mistake)
		log_limited(&v->log, "%s: the driver made a mistake: %s", v->name, mistake);
	if (post)
		loop_post(v->vm->loop, &v->task);
}

void virtio_wait_reset(struct virtio *v)
{
	pthread_mutex_lock(&v->lock);
	while (v->resetting)
		pthread_cond_wait(&v->reset_over, &v->lock);
	pthread_mutex_unlock(&v->lock);
}

uint8_t virtio_get_status(struct virtio *v)
{
	uint8_t status;

	pthread_mutex_lock(&v->lock);
	status = v->status;
	pthread_mutex_unlock(&v->lock);
	return status;
}

/* The register's address in q and the lowest of its 32 bits there. */
static gpa_t *queue_address(struct virtq *q, enum virtq_reg reg, unsigned *low)
{
	*low = reg == VIRTQ_REG_DESC_HI || reg == VIRTQ_REG_AVAIL_HI || reg == VIRTQ_REG_USED_HI
		       ? 32 : 0;
	switch (reg) {
	case VIRTQ_REG_DESC_LO:
	case VIRTQ_REG_DESC_HI:
		return &q->desc;
	case VIRTQ_REG_AVAIL_LO:
	case VIRTQ_REG_AVAIL_HI:
		return &q->avail;
	default:
		return &q->used;
	}
}

uint32_t virtio_queue_read(struct virtio *v, uint32_t n, enum virtq_reg reg)
{
	struct virtq *q = &v->queues[n < v->queue_count ? n : 0];
	uint32_t value;
	unsigned low;
	gpa_t *address;

	if (n >= v->queue_count)
		return 0;
	pthread_mutex_lock(&v->lock);
	switch (reg) {
	case VIRTQ_REG_MAX_SIZE:
		value = q->max_size;
		break;
	case VIRTQ_REG_SIZE:
		value = q->size;
		break;
	case VIRTQ_REG_ENABLE:
		value = q->enabled;
		break;
	default:
		address = queue_address(q, reg, &low);
		value = (uint32_t)bits_get(*address, low, 32);
		break;
	}
	pthread_mutex_unlock(&v->lock);
	return value;
}

/* [lock] The device is not started. */
static void queue_store(struct virtq *q, enum virtq_reg reg, uint32_t value)
{
	unsigned low;
	gpa_t *address;

	switch (reg) {
	case VIRTQ_REG_MAX_SIZE:
		break;
	case VIRTQ_REG_SIZE:
		/* Kept as it is when it fits, so that virtq_start() sees the driver's mistake. */
		q->size = value <= UINT16_MAX ? (uint16_t)value : 0;
		break;
	case VIRTQ_REG_ENABLE:
		q->enabled = value & 1;
		break;
	default:
		address = queue_address(q, reg, &low);
		*address &= ~((uint64_t)UINT32_MAX << low);
		*address |= (uint64_t)value << low;
		break;
	}
}

void virtio_queue_write(struct virtio *v, uint32_t n, enum virtq_reg reg, uint32_t value)
{
	if (n >= v->queue_count)
		return;
	pthread_mutex_lock(&v->lock);
	if (!v->started && (!v->queues[n].enabled || reg == VIRTQ_REG_ENABLE))
		queue_store(&v->queues[n], reg, value);
	pthread_mutex_unlock(&v->lock);
}

/* The part of [off, off + len) that the configuration has. */
static uint32_t config_part(const struct virtio *v, uint64_t off, uint32_t len)
{
	if (off >= v->ops->config_size)
		return 0;
	return len < v->ops->config_size - off ? len : v->ops->config_size - (uint32_t)off;
}

void virtio_read_config(struct virtio *v, uint64_t off, void *buf, uint32_t len)
{
	const uint32_t part = config_part(v, off, len);

	memset(buf, 0, len);
	if (!part)
		return;
	pthread_mutex_lock(&v->lock);
	v->ops->get_config(v, (uint32_t)off, buf, part);
	pthread_mutex_unlock(&v->lock);
}

void virtio_write_config(struct virtio *v, uint64_t off, const void *buf, uint32_t len)
{
	const uint32_t part = config_part(v, off, len);

	if (!part || !v->ops->set_config)
		return;
	pthread_mutex_lock(&v->lock);
	v->ops->set_config(v, (uint32_t)off, buf, part);
	pthread_mutex_unlock(&v->lock);
}

/* ---- life -------------------------------------------------------------------------------- */

static void dev_reset(struct dev *d)
{
	struct virtio *v = container_of(d, struct virtio, dev);

	pthread_mutex_lock(&v->lock);
	v->resetting = true;
	pthread_mutex_unlock(&v->lock);
	begin_reset(v);
}

static void dev_quiesce(struct dev *d)
{
	struct virtio *v = container_of(d, struct virtio, dev);

	v->quiesced = v->drain_owed = true;
	update_paused(v, false);
	check_drained(v);
}

static void dev_resume(struct dev *d)
{
	struct virtio *v = container_of(d, struct virtio, dev);

	v->quiesced = false;
	loop_post(v->vm->loop, &v->task);
}

static void dev_fini(struct dev *d)
{
	struct virtio *v = container_of(d, struct virtio, dev);

	loop_task_cancel(v->vm->loop, &v->task);
	pthread_mutex_destroy(&v->lock);
	pthread_cond_destroy(&v->reset_over);
	v->ops->fini(v);
}

static const struct dev_ops virtio_dev_ops = {
	.reset = dev_reset,
	.quiesce = dev_quiesce,
	.resume = dev_resume,
	.fini = dev_fini,
};

void virtio_init(struct virtio *v, struct vm *vm, const struct virtio_ops *ops, const char *name,
		 unsigned queue_count, uint16_t queue_size)
{
	v->ops = ops;
	v->vm = vm;
	v->name = name;
	v->features_offered = ops->features | features_common;
	v->queue_count = queue_count;
	for (unsigned n = 0; n < queue_count; n++)
		v->queues[n].size = v->queues[n].max_size = queue_size;
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->reset_over, NULL);
	v->task.fn = task_run;
	v->dev.ops = &virtio_dev_ops;
	v->dev.name = name;
	vm_add_dev(vm, &v->dev);
}
