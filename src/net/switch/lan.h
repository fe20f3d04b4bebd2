/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses of one private network, a /24, and which MAC address has which of them.
 *
 *	.1		the switch itself: DHCP, names, ping
 *	.2, .3		the router to the outside and its name server, where there is NAT
 *	.10 to .254	VMs
 *
 * An address is given to a MAC address once and stays with it, as long as there are others to
 * give to new ones. The table lies in a file of 256 records of 18 bytes, one for each value of
 * the last byte: "52:54:00:12:34:56\n", or 17 spaces and a newline where nobody has it. A record
 * is written whole, by one system call; what is no such record counts as empty.
 *
 * One thread; allocates nothing.
 */
#ifndef NET_SWITCH_LAN_H
#define NET_SWITCH_LAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
	LAN_HOSTS = 256,
	LAN_SELF = 1,
	LAN_ROUTER = 2,
	LAN_RESOLVER = 3,
	LAN_FIRST = 10,
	LAN_LAST = 254,
	LAN_RECORD_BYTES = 18,
};

struct lan {
	uint32_t net;			/* host order, last byte 0 */
	bool nat;			/* the router is there */
	int file;			/* of the table; -1: none */
	uint8_t mac[LAN_HOSTS][6];	/* zeros: nobody's */
};

/* "10.1.2.0/24", within 10/8, 172.16/12 or 192.168/16. -EINVAL with a sentence. */
int lan_parse(uint32_t *net, const char *text, struct err *err);

/* Sets l up; the table is read from file, a descriptor that stays the caller's (or -1). */
void lan_init(struct lan *l, uint32_t net, bool nat, int file);

/*
 * The last byte of the address of mac, given now if it has none. taken[host] is true for the
 * addresses that may not be taken from their owners. -1: all are.
 */
int lan_assign(struct lan *l, const uint8_t mac[static 6], const bool taken[static LAN_HOSTS]);

static inline uint32_t lan_addr(const struct lan *l, unsigned host)
{
	return l->net | host;
}

static inline bool lan_has(const struct lan *l, uint32_t addr)
{
	return (addr & 0xffffff00) == l->net;
}

#endif
