/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network backends with no VM in sight: whole Ethernet frames in and out.
 *
 * A struct net belongs to one loop and is used only on its thread. Every frame has the
 * virtio-net header in front (struct virtio_net_hdr_mrg_rxbuf's first 10 bytes, virtio 1.2
 * §5.1.6, little-endian), which says whether its checksum is partial and whether it is a
 * large segment; a backend that cannot pass these on finishes the checksum or splits the
 * frame itself (net/offload.h).
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/loop.h"

enum {
	NET_HDR_BYTES = 10,
	NET_MAX_FRAME = 65536 + 64,	/* the largest frame either way, without the header */
};

struct net;

/* The frame's taker (a network card). */
struct net_client {
	/* One frame, header first. False: no room now; net_rx_ready() will be called. */
	bool (*rx)(void *opaque, const struct iovec *iov, unsigned niov);
	/* The backend takes frames again after net_tx() had refused one. */
	void (*tx_ready)(void *opaque);
	/* The cable came or went. May be NULL. */
	void (*link)(void *opaque, bool up);
};

struct net_ops {
	const char *name;			/* "user" */
	/* One frame, header first, copied before it returns. 0, or -EAGAIN: try after tx_ready. */
	int (*tx)(struct net *n, const struct iovec *iov, unsigned niov);
	void (*rx_ready)(struct net *n);	/* the client has room again */
	void (*close)(struct net *n);		/* frees n */
};

struct net {
	const struct net_ops *ops;
	struct loop *loop;
	const struct net_client *client;	/* NULL: frames are dropped */
	void *client_opaque;
	unsigned offloads;			/* enum net_offloads that the client accepts in rx */
};

enum net_offloads { NET_CSUM = 1, NET_TSO4 = 2, NET_TSO6 = 4 };

static inline int net_tx(struct net *n, const struct iovec *iov, unsigned niov)
{
	return n->ops->tx(n, iov, niov);
}

static inline void net_rx_ready(struct net *n)
{
	n->ops->rx_ready(n);
}

static inline void net_close(struct net *n)
{
	if (n)
		n->ops->close(n);
}

#endif
