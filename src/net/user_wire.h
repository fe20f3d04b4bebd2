/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes over the socket pair between a monitor (net/user.c) and hospes-net.
 *
 * The pair is AF_UNIX, SOCK_SEQPACKET: each message is whole or not there, and a full buffer
 * refuses rather than loses. A message is
 *
 *	a frame		10 bytes of virtio-net header (net/net.h), then the Ethernet frame;
 *			14 to NET_MAX_FRAME bytes. Both ways. hospes-net takes every header that
 *			net/offload.h can finish, and sends what the monitor accepts.
 *	a control	WIRE_CONTROL in the byte where a frame has its flags, then the kind. Only
 *			towards hospes-net:
 *			WIRE_OFFLOADS, le32 at byte 4: enum net_offloads that the guest accepts
 *			from now on (none before the first).
 *
 * Whoever gets anything else drops it. The end of one side's descriptor is the end: hospes-net
 * exits, the monitor takes the cable out.
 */
#ifndef NET_USER_WIRE_H
#define NET_USER_WIRE_H

#include "net/net.h"
#include "net/offload.h"

enum {
	WIRE_CONTROL = 0xff,
	WIRE_OFFLOADS = 1,
	WIRE_CONTROL_BYTES = 8,
	WIRE_MIN = NET_HDR_BYTES + NET_ETH_BYTES,
	WIRE_MAX = NET_HDR_BYTES + NET_MAX_FRAME,
	WIRE_SOCKET_BYTES = 4 << 20,	/* asked of the kernel each way; it may give less */
};

#endif
