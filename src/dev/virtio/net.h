/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-net (virtio 1.2 §5.1): a network card with one pair of queues and a control queue.
 *
 * Offers what its backend can: checksums and TCP segmentation both ways, mergeable receive
 * buffers, link state, MTU; filters on addresses and VLANs, which the driver sets. Frames go
 * between guest memory and the backend without a copy of ours on the way out, with one on the
 * way in, and none is lost because one side is slow: a full backend leaves frames in the
 * transmit queue, an empty receive queue leaves them in the backend.
 */
#ifndef DEV_VIRTIO_NET_H
#define DEV_VIRTIO_NET_H

#include "dev/virtio/virtio.h"
#include "net/net.h"

/*
 * Before vm_start(). Takes over net (attaches itself; closed with the device); after an error
 * it stays the caller's. name lives as long as the VM. -EINVAL: mac is a group address or zero.
 */
int virtio_net_new(struct virtio **out, struct vm *vm, struct net *net, const uint8_t mac[6],
		   const char *name, struct err *err);

#endif
