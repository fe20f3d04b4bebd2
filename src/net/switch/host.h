/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch's own host, address .1 of the network: answers ARP, ping, DHCP and questions for
 * names; passes those for names outside on to the resolver behind the router, from RELAYS ports of
 * its own, the oldest of which is taken for a new question. One thread; allocates nothing.
 */
#ifndef NET_SWITCH_HOST_H
#define NET_SWITCH_HOST_H

#include "net/switch/dhcp.h"
#include "net/switch/lan.h"
#include "net/switch/names.h"
#include "net/switch/packet.h"
#include "net/switch/port.h"

enum { HOST_RELAYS = 256, HOST_RELAY_PORT = 20000, HOST_FRAME_MAX = NET_ETH_BYTES + PORT_MTU };

struct host {
	const struct lan *lan;
	struct names names;
	uint8_t mac[6], router_mac[6];
	unsigned next;			/* of asked, to be used for the next question */
	struct packet_end asked[HOST_RELAYS];	/* who put it; addr 0: unused */
	uint8_t buf[HOST_FRAME_MAX];	/* an answer */
};

enum host_to {
	HOST_NOTHING,			/* no answer */
	HOST_BACK,			/* buf goes to the port that the frame came from */
	HOST_ROUTER,			/* buf goes to the router */
	HOST_ELSEWHERE,			/* buf goes to the port that its MAC address names */
};

/* Sets h up; names is copied, lan stays the caller's. */
void host_init(struct host *h, const struct lan *lan, const struct names *names);

/* A frame for DHCP servers, which nobody but the host gets. */
bool host_is_dhcp(const uint8_t *frame, size_t len);

/*
 * A frame to the host's MAC address or to all, from a port that gate_input() let it pass, or
 * (from NULL) from the router. *len gets the length of the answer in h->buf.
 */
enum host_to host_input(struct host *h, const struct dhcp_client *from, const uint8_t *frame,
			size_t size, size_t *len);

#endif
