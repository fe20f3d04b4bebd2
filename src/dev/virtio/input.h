/* SPDX-License-Identifier: Apache-2.0 */
/* virtio input device (virtio 1.2 §5.8): a keyboard with one key, power. */
#ifndef DEV_VIRTIO_INPUT_H
#define DEV_VIRTIO_INPUT_H

#include "dev/virtio/virtio.h"

/* A new device in *out; the VM owns it. name lives as long. -ENOMEM. Before vm_start(). */
int virtio_input_new(struct virtio **out, struct vm *vm, const char *name, struct err *err);

/*
 * Presses and releases the power key of a device that virtio_input_new() made. Loop thread.
 * Lost when no driver runs the device; one press waits for a running driver's buffers.
 */
void virtio_input_press_power(struct virtio *v);

#endif
