/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that the switch itself sends: IPv4 and ARP. Pure functions; any thread. */
#ifndef NET_SWITCH_PACKET_H
#define NET_SWITCH_PACKET_H

#include <stddef.h>
#include <stdint.h>

enum { PACKET_UDP_AT = 42, PACKET_ARP_BYTES = 42 };

/* One end of a packet; addresses in host order. */
struct packet_end {
	uint8_t mac[6];
	uint32_t addr;
	uint16_t port;
};

/*
 * Puts headers in front of the size bytes of data that stand at out + PACKET_UDP_AT, with
 * checksums. size is at most 1472. The frame's length.
 */
size_t packet_udp(uint8_t *out, const struct packet_end *from, const struct packet_end *to,
		  size_t size);

/* The answer to an ARP request (a frame of at least 42 bytes) for addr: it is at mac. */
size_t packet_arp_reply(uint8_t out[static PACKET_ARP_BYTES], const uint8_t *request,
			const uint8_t mac[static 6], uint32_t addr);

/* Makes an ICMP echo request (an IPv4 frame of len bytes, ICMP at l4 to end) the reply to it. */
void packet_echo(uint8_t *frame, const uint8_t mac[static 6], size_t l3, size_t l4, size_t end);

#endif
