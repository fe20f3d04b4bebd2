/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's way to a private network: a port of its hospes-switch. */
#ifndef VMM_NET_SWITCH_H
#define VMM_NET_SWITCH_H

#include "config/vmconfig.h"

/*
 * Connects c->nets[n] to its network, whose configuration lies in HOME/networks/NAME, where dir is
 * HOME/vms/ID; starts the network's hospes-switch when none runs, which ends by itself behind its
 * last VM. *fd gets the connection, for the monitor. The sentence of an error names the network.
 */
int net_switch_connect(const struct vmconfig *c, unsigned n, const char *dir, int *fd,
		       struct err *err);

#endif
