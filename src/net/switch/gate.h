/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a VM may send into a private network: only in its own name. A frame passes when
 *
 *  - its source MAC address is the port's;
 *  - it is ARP for IPv4 over Ethernet, telling no other MAC address than that and no other IPv4
 *    address than the one DHCP gives the port (or none: a probe);
 *  - or IPv4 from that address, or from 0.0.0.0 to the DHCP server;
 *  - or IPv6 TCP, UDP or ICMP from a link-local address (there are no others here) that no other
 *    port had first (RFC 6620 §2: first come, first served), or from :: where ICMP asks whether
 *    an address is free; neighbour discovery tells the port's MAC address and its own addresses
 *    only;
 *  - and it is nothing that routers or DHCP servers say: UDP from port 67 (DHCP) or 547
 *    (DHCPv6), router advertisements, redirects. Fragments cannot carry these past the check:
 *    IPv6 fragments of ICMP do not pass, nor do first fragments without a whole UDP header.
 *
 * VLAN tags and all other protocols do not pass. One thread; allocates nothing.
 */
#ifndef NET_SWITCH_GATE_H
#define NET_SWITCH_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GATE_ADDRS6 = 8, GATE_ADDRS6_ALL = 1024 };

/* The link-local addresses of all ports of a switch; a zeroed one is empty. */
struct gate6 {
	struct {
		uint8_t addr[16];
		unsigned owner;			/* 0: unused */
	} known[GATE_ADDRS6_ALL];
};

struct gate {
	struct gate6 *all;
	unsigned owner;				/* of this port in all; not 0 */
	uint8_t mac[6];
	uint32_t addr;				/* IPv4, host order */
};

/* One frame of the port, whole. False: to be dropped. */
bool gate_input(const struct gate *g, const uint8_t *frame, size_t len);

/* The port has gone: its IPv6 addresses are free for others. */
void gate_close(const struct gate *g);

/* One frame of the router to the outside, of network net (/24): nobody else's name either. */
bool gate_router(uint32_t net, const uint8_t mac[static 6], const uint8_t *frame, size_t len);

#endif
