/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio 1.2: what a device model (blk, net, ...) and a transport (PCI, MMIO) share.
 *
 * Theory of operation. A transport owns the registers and turns them into calls here; a
 * device model owns what its queues mean. Register accesses come from vCPU threads and
 * hold v->lock. Queues are processed only on the VM's loop thread: a doorbell posts the
 * device's task, which calls ops->notify() for each queue that was rung, without v->lock.
 *
 * Life of a device, as the loop thread sees it:
 *
 *	idle --DRIVER_OK--> running --driver's mistake--> broken
 *	  ^                    |                            |
 *	  +--- in_flight 0 --- resetting <--- status 0 -----+
 *
 * Reset: writing 0 to the status posts a reset to the loop thread; the status reads
 * nonzero until the model has no request in flight (virtio 1.2 §2.4.1), then queues and
 * features are cleared. A driver's mistake (a loop, an address outside RAM, an impossible
 * size) makes the device broken: DEVICE_NEEDS_RESET is set, a configuration interrupt is
 * sent, nothing more of that device is processed until its reset.
 *
 * A model need not ask for the device's state: where it must not touch a queue (idle,
 * broken, resetting) virtq_pop() finds nothing and virtq_push() does nothing; while the VM
 * is at its safepoint or the transport forbids DMA, virtq_pop() finds nothing, and each
 * ready queue is notified when that ends. Requests begun before are completed.
 *
 * What a model may touch when: fields marked [loop] on the loop thread only, [lock] under
 * v->lock. Configuration that a driver reads changes under v->lock. Lock order: v->lock,
 * the PCI host's, the interrupt controller's.
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

/* Device-independent feature bits (virtio 1.2 §6) beside those in queue.h. */
enum {
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
	/* [lock] Device configuration; off + len <= config_size. set_config may be NULL. */
	void (*get_config)(struct virtio *v, uint32_t off, void *buf, uint32_t len);
	void (*set_config)(struct virtio *v, uint32_t off, const void *buf, uint32_t len);
	/* DRIVER_OK was set: v->features is final, enabled queues are ready. May be NULL. */
	void (*start)(struct virtio *v);
	/* Queue n was rung, the device started, or the VM resumed: process what queue n holds. */
	void (*notify)(struct virtio *v, unsigned n);
	/*
	 * Forget the driver (start() may not have been called); the queues are stopped. Cancel
	 * requests in flight or let them complete, then call virtio_reset_done(), at once or
	 * later: the reset ends when that was called and virtio_put() for each virtio_get().
	 */
	void (*reset)(struct virtio *v);
	/* Frees the model, v within it. The loop does not run, v->lock is gone. */
	void (*fini)(struct virtio *v);
};

/* How a transport interrupts the guest. */
struct virtio_transport {
	/*
	 * The used ring of queue n changed, or, n == -1, the configuration did. Any thread
	 * that does not hold v->lock.
	 */
	void (*interrupt)(void *opaque, int n);
	void (*reset_done)(void *opaque);	/* [lock] status is 0 again; may be NULL */
	void *opaque;
};

struct virtio {
	const struct virtio_ops *ops;
	struct vm *vm;
	const char *name;			/* "disk0" */
	struct virtio_transport transport;	/* set before the VM starts; zeroed: none */

	pthread_mutex_t lock;
	pthread_cond_t reset_over;		/* with lock: resetting went false */
	uint64_t features_offered;		/* before the VM starts: ops->features and ours */
	uint8_t status;				/* [lock] */
	uint64_t driver_features;		/* [lock] as the driver writes them */
	uint64_t features;			/* negotiated; fixed from FEATURES_OK to reset */
	uint32_t config_generation;		/* [lock] */
	bool started;				/* [lock] DRIVER_OK was set, until the reset ends */
	bool resetting;				/* [lock] from status 0 on until the reset ends */
	bool dma_off;				/* [lock] the transport forbids touching memory */

	struct virtq queues[VIRTIO_MAX_QUEUES];
	unsigned queue_count;
	_Atomic uint64_t rung;			/* queues whose doorbell rang; taken by the task */
	struct loop_task task;
	bool running;				/* [loop] between start and reset */
	bool broken;				/* [loop] */
	bool model_resetting;			/* [loop] from ops->reset to virtio_reset_done() */
	bool reset_begun;			/* [loop] from ops->reset until the reset ends */
	bool paused;				/* [loop] no queue is popped: safepoint, DMA off */
	bool quiesced;				/* [loop] the VM is at its safepoint or soon will be */
	bool drain_owed;			/* [loop] vm_dev_drained() is still to be called */
	unsigned in_flight;			/* [loop] requests begun; see virtio_get/put */
	struct dev dev;
	struct log_limit log;
};

/*
 * Sets up what is common; the model has allocated v (zeroed, embedded in its own struct).
 * All queues get that largest size (a power of two, at most VIRTQ_MAX_SIZE); a model may lower
 * or raise single ones' max_size and size afterwards, and features_offered. Adds v->dev to
 * the VM, which from then on owns the model; ops->fini frees it. Before vm_start().
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

/*
 * The driver made a mistake on queue n: see above. The sentence (a clause as virtq_pop()
 * gives) goes to the log, rate-limited. All queues are stopped when it returns.
 */
void virtio_break(struct virtio *v, unsigned n, const char *why);

/* The model has forgotten the driver (answer to ops->reset). */
void virtio_reset_done(struct virtio *v);

/*
 * Has ops->notify called for queue n again, after other work of the loop: for models that
 * bound what they do at a time. Any thread.
 */
void virtio_again(struct virtio *v, unsigned n);

/* The device configuration changed (under v->lock already applied): interrupt and generation. */
void virtio_config_changed(struct virtio *v);

/* Publishes used elements of queue n and interrupts the driver if it asked for that. */
void virtio_push_done(struct virtio *v, unsigned n);

/* ---- for transports, vCPU threads that do not hold v->lock ---------------------------- */

/* 32 bits of the features: offered, and accepted by the driver; sel > 1 is 0. */
uint32_t virtio_read_offered(const struct virtio *v, uint32_t sel);
uint32_t virtio_read_accepted(struct virtio *v, uint32_t sel);
void virtio_write_accepted(struct virtio *v, uint32_t sel, uint32_t value);

/*
 * The status machine (§2.1, §3.1.1). A driver can set bits one by one, or write 0: reset.
 * FEATURES_OK stays 0 when features were not offered, DRIVER_OK without FEATURES_OK. Drivers that
 * do not accept VERSION_1 are let in: small kernels never write the features' upper half, and
 * the split ring is the same.
 */
void virtio_set_status(struct virtio *v, uint8_t status);

/* Waits until no reset is going on; not on the loop's thread. */
void virtio_wait_reset(struct virtio *v);

uint8_t virtio_get_status(struct virtio *v);

/* Registers of a queue that both transports have. Addresses in halves; ENABLE reads 0 or 1. */
enum virtq_reg {
	VIRTQ_REG_MAX_SIZE,			/* read-only */
	VIRTQ_REG_SIZE,
	VIRTQ_REG_ENABLE,
	VIRTQ_REG_DESC_LO, VIRTQ_REG_DESC_HI,
	VIRTQ_REG_AVAIL_LO, VIRTQ_REG_AVAIL_HI,
	VIRTQ_REG_USED_LO, VIRTQ_REG_USED_HI,
};

/*
 * A queue the device does not have reads 0 and ignores writes. So are writes ignored to an
 * enabled queue, but for ENABLE itself, and all writes after DRIVER_OK.
 */
uint32_t virtio_queue_read(struct virtio *v, uint32_t n, enum virtq_reg reg);
void virtio_queue_write(struct virtio *v, uint32_t n, enum virtq_reg reg, uint32_t value);

/* A doorbell; one of a queue that does not exist is ignored. */
void virtio_ring(struct virtio *v, uint32_t n);

/* Device configuration; bytes outside of it read 0 and ignore writes. */
void virtio_read_config(struct virtio *v, uint64_t off, void *buf, uint32_t len);
void virtio_write_config(struct virtio *v, uint64_t off, const void *buf, uint32_t len);

/* Whether the device may access memory (PCI bus mastering); it may until told otherwise. */
void virtio_set_dma(struct virtio *v, bool on);

#endif
