/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hospes-switch's switch: one private network between the VMs of one user.
 *
 * Theory of operation. The listener is the network's unix socket; each connection is a port
 * (net/switch/wire.h). Who connects is asked of the kernel (SO_PEERCRED) and what the port may
 * say is settled by its hello before any monitor, let alone a guest, has the other end. From then
 * on frames go
 *
 *	port -> gate.h (only in its own name) -> the switch's own host: ARP, ping, DHCP, names
 *	                                      -> the port whose MAC address it is
 *	                                      -> all ports, for broadcast and multicast
 *
 * There is nothing to learn: MAC addresses are known from the hellos, and what goes to an unknown
 * one goes nowhere. A router to the outside (a hospes-net process) is one more port, whose
 * addresses are known as well. Questions for names outside go on to its resolver, under
 * ports of our own so that the answers find back.
 *
 * Frames keep the form they came in (partial checksums, large segments) when the receiver takes
 * that; else checksums are completed and segments cut here (net/offload.h). Each port has a queue
 * of PORT_QUEUE_BYTES towards it; when that is full its frames are lost, and nobody else's.
 * Nothing waits for a port. Memory: SWITCH_PORTS such queues, and sockets that hold twice
 * as much; nothing more that a guest could make grow.
 *
 * One thread, on a loop of its own. Callbacks close only the port they are called for, except
 * for a hello that takes over a port, which closes that; the loop forgets events of descriptors
 * taken off it.
 */
#ifndef NET_SWITCH_SWITCH_H
#define NET_SWITCH_SWITCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum {
	SWITCH_PORTS = 128,		/* also those that have not said hello yet */
	SWITCH_STRANGERS = 16,		/* of these at a time; more are hung up on */
	SWITCH_LINGER_MS = 2000,
};

struct sw;

struct switch_cfg {
	uint32_t net;			/* net/switch/lan.h */
	uid_t owner;			/* whose connections are taken, besides root's */
	int listener;			/* a listening SOCK_SEQPACKET socket */
	int router;			/* end of a pair to a hospes-net with --subnet; -1: none */
	int table;			/* the file of addresses; -1: none */
	int lock;			/* on demand, see below; -1: not */
	int signals;			/* a signalfd whose signals end the switch; -1: none */
};

/*
 * A switch that owns the descriptors of cfg from then on, also after an error. The caller frees it
 * with switch_free().
 */
int switch_new(struct sw **out, const struct switch_cfg *cfg, struct err *err);

/*
 * Serves until a signal or, on demand, until there has been no port for SWITCH_LINGER_MS and
 * nobody else holds the lock (flock(2) on cfg->lock), which it then has itself: whoever
 * starts VMs takes it around connecting and, when nobody listens, starting a switch, so that no
 * switch ends under a connection that comes.
 */
void switch_run(struct sw *s);

void switch_free(struct sw *s);

#endif
