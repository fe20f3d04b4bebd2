/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hospes-net's router: libslirp between the guest's frames and the host's sockets, with what
 * it lacks around it (guard.h, dns.h, offloads). One thread; no globals, but those that
 * libslirp has itself.
 */
#ifndef NET_USER_ROUTER_H
#define NET_USER_ROUTER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/user/dns.h"

struct router;

struct router_cfg {
	uint32_t net;		/* a /24, host order, where it is another than GUARD_NET; else 0 */
	bool host_loopback;	/* 10.0.2.2 and fec0::2 lead to the host's loopback */
	bool ipv6;
	const char *hostname;	/* told by DHCP; NULL: none */
};

/* Takes over fd, hospes-net's end of the pair (net/user_wire.h). Frees with router_free(). */
int router_new(struct router **out, int fd, const struct router_cfg *cfg, struct err *err);
void router_free(struct router *r);

/* The router's name servers, to be set before router_run(). */
struct dns *router_dns(struct router *r);

/*
 * Connections (or, udp, datagrams) to addr:port of the host go to guest_port of the guest.
 * Before the sandbox closes. The sentence of an error names port and remedy.
 */
int router_forward(struct router *r, struct in_addr addr, uint16_t port, uint16_t guest_port,
		   bool udp, struct err *err);

/* Serves until the monitor's end of fd closes: 0; -errno with a sentence when it cannot go on. */
int router_run(struct router *r, struct err *err);

#endif
