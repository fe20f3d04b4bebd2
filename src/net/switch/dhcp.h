/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DHCP server of a private network (RFC 2131, options of RFC 2132): each port has one
 * address, which is given to no other, so there are no leases to keep book of; they run out
 * only so that clients ask again. Pure functions; any thread.
 */
#ifndef NET_SWITCH_DHCP_H
#define NET_SWITCH_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/switch/lan.h"

enum { DHCP_LEASE_S = 43200, DHCP_REPLY_MAX = 576 };

/* Who asks: the port's, whatever the message says. */
struct dhcp_client {
	uint8_t mac[6];
	uint32_t addr;			/* host order */
	const char *name;		/* the host name to tell */
};

/*
 * The answer to a client's message (UDP's payload) into out: its length, or 0 when there is
 * none. *to is where it goes: c->addr, or 0xffffffff.
 */
size_t dhcp_answer(const struct lan *l, const struct dhcp_client *c, const uint8_t *msg, size_t len,
		   uint8_t out[static DHCP_REPLY_MAX], uint32_t *to);

#endif
