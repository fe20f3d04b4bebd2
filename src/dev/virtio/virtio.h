/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio 1.2: what a device model (blk, net, ...) and a transport (PCI, MMIO) share.
 *
 * Theory of operation. A transport owns the registers and turns them into calls here; a
 * device model owns what its queues mean. Register accesses come from vCPU threads and
 * hold v->lock. Queues are processed only on the VM's loop thread: a doorbell posts the
 * device's task, which calls ops->notify() for each queue that was rung, without v->lock.
 *
 * Reset: writing 0 to the status posts a reset to the loop thread; the status reads
 * nonzero until the model has no request in flight (virtio 1.2 §2.4.1), then queues and
 * features are cleared. A driver's mistake (a loop, an address outside RAM, an impossible
 * size) makes the queue broken: DEVICE_NEEDS_RESET is set, a configuration interrupt is
 * sent, nothing more of that device is processed until its reset.
 *
 * What a model may touch when: fields marked [loop] on the loop thread only, [lock] under
 * v->lock. Configuration that a driver reads changes under v->lock.
 */
#ifndef DEV_VIRTIO_VIRTIO_H
#define DEV_VIRTIO_VIRTIO_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/log.h"
#include "core/vm.h"
#include "dev/virtio/queue.h"

enum virtio_id {
	VIRTIO_ID_NET = 1,
	VIRTIO_ID_BLOCK = 2,
	VIRTIO_ID_CONSOLE = 3,
	VIRTIO_ID_RNG = 4,
	VIRTIO_ID_INPUT = 18,
};

/* Device-independent feature bits (virtio 1.2 §6). */
enum {
	VIRTIO_F_INDIRECT_DESC = 28,
	VIRTIO_F_EVENT_IDX = 29,
	VIRTIO_F_VERSION_1 = 32,
};

enum virtio_status {
	VIRTIO_S_ACKNOWLEDGE = 1,
	VIRTIO_S_DRIVER = 2,
	VIRTIO_S_DRIVER_OK = 4,
	VIRTIO_S_FEATURES_OK = 8,
	VIRTIO_S_NEEDS_RESET = 64,
	VIRTIO_S_FAILED = 128,
};

enum { VIRTIO_MAX_QUEUES = 32 };

struct virtio;

/* A device model. All but get_config/set_config run on the loop thread. */
struct virtio_ops {
	const char *name;			/* "virtio-blk" */
	enum virtio_id id;
	uint64_t features;			/* offered beside the device-independent ones */
	uint32_t config_size;			/* bytes of device configuration space */
	/* [lock] Device configuration; off + len <= config_size. */
	void (*get_config)(struct virtio *v, uint32_t off, void *buf, uint32_t len);
	void (*set_config)(struct virtio *v, uint32_t off, const void *buf, uint32_t len); /* may be NULL */
	/* DRIVER_OK was set: v->features is final, enabled queues are ready. May be NULL. */
	void (*start)(struct virtio *v);
	/* Queue n was rung (or the VM resumes). */
	void (*notify)(struct virtio *v, unsigned n);
	/*
	 * Forget queues; cancel or wait for requests in flight, then call virtio_reset_done(),
	 * at once or later. No vring is touched after that.
	 */
	void (*reset)(struct virtio *v);
	void (*fini)(struct virtio *v);		/* frees the model; the loop does not run */
};

/* How a transport interrupts the guest. Any thread. */
struct virtio_transport {
	/* The used ring of queue n changed, or, n == -1, the configuration did. */
	void (*interrupt)(void *opaque, int n);
	void (*reset_done)(void *opaque);	/* [lock] status is 0 again; may be NULL */
	void *opaque;
};

struct virtio {
	const struct virtio_ops *ops;
	struct vm *vm;
	const char *name;			/* "disk0" */
	struct virtio_transport transport;

	pthread_mutex_t lock;
	uint8_t status;				/* [lock] */
	uint64_t driver_features;		/* [lock] as the driver writes them */
	uint64_t features;			/* negotiated; fixed from FEATURES_OK to reset */
	uint32_t config_generation;		/* [lock] */
	bool resetting;				/* [lock] until virtio_reset_done() */
	_Atomic bool broken;

	struct virtq queues[VIRTIO_MAX_QUEUES];
	unsigned queue_count;
	_Atomic uint64_t rung;			/* queues whose doorbell rang; taken by the task */
	struct loop_task task;
	bool running;				/* [loop] between start and reset */
	bool quiesced;				/* [loop] the VM is at its safepoint */
	unsigned in_flight;			/* [loop] requests the model has begun; see virtio_get/put */
	struct dev dev;
	struct log_limit log;
};

/*
 * Sets up what is common; the model has allocated v (embedded in its own struct) and chosen
 * queue_count and each queue's largest size. Adds v->dev to the VM; ops->fini frees.
 */
void virtio_init(struct virtio *v, struct vm *vm, const struct virtio_ops *ops, const char *name,
		 unsigned queue_count, uint16_t queue_size);

/* ---- for models, loop thread -------------------------------------------------------- */

static inline bool virtio_has(const struct virtio *v, unsigned bit)
{
	return v->features >> bit & 1;
}

/* One more, one less request in flight: a reset and a safepoint wait for zero. */
void virtio_get(struct virtio *v);
void virtio_put(struct virtio *v);

/* The driver made a mistake on queue n: see above. The sentence goes to the log, rate-limited. */
void virtio_break(struct virtio *v, unsigned n, const char *why);

/* The model has forgotten everything (answer to ops->reset). */
void virtio_reset_done(struct virtio *v);

/* The device configuration changed (under v->lock already applied): interrupt and generation. */
void virtio_config_changed(struct virtio *v);

/* Publishes used elements of queue n and interrupts the driver if it asked for that. */
void virtio_push_done(struct virtio *v, unsigned n);

/* ---- for transports, vCPU threads --------------------------------------------------- */

uint64_t virtio_offered(const struct virtio *v);
void virtio_set_status(struct virtio *v, uint8_t status);
uint8_t virtio_get_status(struct virtio *v);
void virtio_ring(struct virtio *v, unsigned n);		/* doorbell; n is checked */
void virtio_read_config(struct virtio *v, uint32_t off, void *buf, uint32_t len);	/* reads 0 outside */
void virtio_write_config(struct virtio *v, uint32_t off, const void *buf, uint32_t len);

#endif
