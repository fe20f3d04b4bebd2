/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network backend "user": frames go to a hospes-net process, which is the guest's router
 * (DHCP, DNS, NAT through the host's own sockets, forwarded ports), over a socket pair.
 *
 * hospes-net is not trusted: what it sends is checked, and when it dies the guest sees its
 * cable taken out; nothing else happens.
 */
#ifndef NET_USER_H
#define NET_USER_H

#include "net/net.h"

/*
 * Takes over fd, one end of the pair (SOCK_SEQPACKET) whose other end hospes-net has. On the
 * loop's thread or before it runs. The caller frees *out with net_close(). -EINVAL: fd is no
 * such socket (it stays the caller's then, as after any error).
 */
int net_user_open(struct net **out, struct loop *loop, int fd, struct err *err);

#endif
