/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a guest's frames may reach libslirp, and in which shape.
 *
 * libslirp opens a host socket to whatever address a packet names. Its own switch closes only
 * the way through the gateway's address to the host's loopback; here every other way is closed:
 * destinations in 127/8 and 0/8 (Linux takes 0.0.0.0 for itself), and all of IPv6's ::/16 (::1,
 * ::, IPv4-mapped and IPv4-compatible addresses; 64:ff9b::/96 of NAT64 is not in it).
 *
 * Also kept away, because nobody needs them and libslirp 4.7 has had faults there: other
 * protocols than ARP and IP, TFTP, urgent data, fragments (reasm.h puts them together before),
 * headers that contradict the frame's length.
 */
#ifndef NET_USER_GUARD_H
#define NET_USER_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The network that a guest sees; another has the same last bytes. */
enum {
	GUARD_NET = 0x0a000200,		/* 10.0.2.0/24 */
	GUARD_GATEWAY = 0x0a000202,
	GUARD_DNS = 0x0a000203,
	GUARD_GUEST = 0x0a00020f,
	GUARD_BROADCAST = 0x0a0002ff,
};

/* Larger than any segment that libslirp makes (its TCP_MAXSEG_MAX). */
enum { GUARD_MSS = 32768 };

struct guard {
	uint32_t net;		/* the network where it is another than GUARD_NET; else 0 */
	uint16_t mss[65536];	/* by the guest's TCP port: the MSS it offered last; 0: none yet */
};

/*
 * One frame of the guest, whole (reasm.h) and with complete checksums. False: to be dropped.
 * May change it: clears the urgent flag; raises the MSS that a SYN offers to GUARD_MSS, so that
 * libslirp hands out large segments (the router cuts or marks them by the true MSS, which is
 * kept in g). Checksums stay right.
 */
bool guard_input(struct guard *g, uint8_t *frame, size_t len);

#endif
