/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who on the host's loopback has sent datagrams to a forwarded UDP port, so that the guest's
 * answers, and only these, find back.
 *
 * libslirp shows the guest such a sender as the gateway, but with the way to the host's
 * loopback closed it refuses the answers too (and senders from other loopback addresses than
 * 127.0.0.1 it does not hide at all). So: a datagram for a forwarded port from 127/8 or from
 * the gateway is remembered, and shown as from the gateway; one from that port of the guest to
 * the gateway goes back to the address remembered for that pair of ports, or is an ordinary
 * packet to the gateway.
 */
#ifndef NET_USER_PEERS_H
#define NET_USER_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEERS = 1024 };

struct peers {
	uint8_t forwarded[65536 / 8];	/* the guest's ports that UDP is forwarded to */
	struct {
		uint32_t addr;		/* 0: unused */
		uint16_t port, guest_port;
	} seen[PEERS];			/* by a hash of the two ports; the newest stays */
};

/* UDP of some host port is forwarded to port of the guest. */
void peers_forward(struct peers *t, uint16_t guest_port);

/* A frame of the guest that guard_input() let pass; one for the guest. Either may be rewritten. */
void peers_input(const struct peers *t, uint8_t *frame, size_t len);
void peers_output(struct peers *t, uint8_t *frame, size_t len);

#endif
