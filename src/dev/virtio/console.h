/* SPDX-License-Identifier: Apache-2.0 */
/* virtio console (virtio 1.2 §5.3) with several ports, each on a byte channel. */
#ifndef DEV_VIRTIO_CONSOLE_H
#define DEV_VIRTIO_CONSOLE_H

#include "base/chan.h"
#include "dev/virtio/virtio.h"

enum {
	VIRTIO_CONSOLE_MAX_PORTS = 8,	/* port 0 included */
	VIRTIO_CONSOLE_NAME_BYTES = 64,	/* with the final NUL */
};

struct virtio_console_port {
	const char *name;		/* "org.qemu.guest_agent.0"; copied; at most 63 bytes */
	struct chan *chan;
};

struct virtio_console_cfg {
	struct chan *console;		/* port 0, a console (hvc0); NULL: there is none */
	struct virtio_console_port ports[VIRTIO_CONSOLE_MAX_PORTS - 1];	/* ports 1 and up */
	unsigned port_count;
};

/*
 * A new device in *out; the VM owns it, and it the channels, also when this fails. name lives
 * as long. -EINVAL, -ENOMEM with a sentence. Before vm_start().
 *
 * What the guest writes to a port goes to its channel as chan_write() takes it; input waits
 * in the channel's descriptor until the guest posts buffers. Peers that come and go are told
 * to the guest (PORT_OPEN).
 */
int virtio_console_new(struct virtio **out, struct vm *vm, const char *name,
		       const struct virtio_console_cfg *cfg, struct err *err);

#endif
