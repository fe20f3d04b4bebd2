/* SPDX-License-Identifier: Apache-2.0 */
/* virtio over MMIO, version 2 (virtio 1.2 §4.2). */
#ifndef DEV_VIRTIO_MMIO_H
#define DEV_VIRTIO_MMIO_H

#include "core/irq.h"
#include "dev/virtio/virtio.h"

enum { VIRTIO_MMIO_BYTES = 0x1000 };

/*
 * A slot of VIRTIO_MMIO_BYTES at base with one interrupt line; v == NULL: an empty one, whose
 * DeviceID reads 0. The VM owns it. -errno with a sentence. Before vm_start().
 *
 * A driver's write of 0 to Status returns when the reset is over, since drivers for this
 * transport do not wait for it.
 */
int virtio_mmio_new(struct vm *vm, gpa_t base, struct irq_line irq, struct virtio *v,
		    struct err *err);

#endif
