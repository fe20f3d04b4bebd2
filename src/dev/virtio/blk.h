/* SPDX-License-Identifier: Apache-2.0 */
/* virtio-blk (virtio 1.2 §5.2): a disk of the guest on top of a struct blk. */
#ifndef DEV_VIRTIO_BLK_H
#define DEV_VIRTIO_BLK_H

#include "block/blk.h"
#include "dev/virtio/virtio.h"

enum {
	VIRTIO_BLK_ID_BYTES = 20,	/* longest serial number (§5.2.6) */
	VIRTIO_BLK_MAX_QUEUES = 16,
};

/*
 * A disk with queues request queues (1 to VIRTIO_BLK_MAX_QUEUES). It takes over blk, which
 * belongs to the VM's loop; on error blk stays the caller's. serial (copied, may be empty)
 * is what the guest sees as the disk's serial number, name (lives as long as the VM) is used
 * in the log. The VM owns the device. Control thread, before vm_start(). -EINVAL, -ENOMEM.
 */
int virtio_blk_new(struct virtio **out, struct vm *vm, struct blk *blk, const char *serial,
		   unsigned queues, const char *name, struct err *err);

#endif
