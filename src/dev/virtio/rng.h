/* SPDX-License-Identifier: Apache-2.0 */
/* virtio entropy device (virtio 1.2 §5.4): fills buffers from the host's getrandom(2). */
#ifndef DEV_VIRTIO_RNG_H
#define DEV_VIRTIO_RNG_H

#include "dev/virtio/virtio.h"

/* Bytes given for one request at most; the driver asks again for more. */
enum { VIRTIO_RNG_MAX_BYTES = 4096 };

/* A new device in *out; the VM owns it. name lives as long. -ENOMEM. Before vm_start(). */
int virtio_rng_new(struct virtio **out, struct vm *vm, const char *name, struct err *err);

#endif
