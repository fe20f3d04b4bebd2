/* SPDX-License-Identifier: Apache-2.0 */
/* The hospes-net process of one network card. */
#ifndef VMM_NET_PROCESS_H
#define VMM_NET_PROCESS_H

#include <sys/types.h>

#include "base/loop.h"
#include "config/vmconfig.h"

struct net_process {
	pid_t pid;		/* 0: none, or it has ended */
	struct loop *loop;	/* of net_process_watch() */
	struct loop_fd exited;	/* a pidfd */
};

/*
 * Starts the process of c->nets[n] from the folder this program lies in, and waits until its
 * ports are open. *fd gets the monitor's end of the socket pair. On error the process has
 * ended and the sentence says why (a port that is taken, ...).
 *
 * A card on a private network has no process of its own, and p stays empty: *fd gets a connection to
 * the network's switch. dir is the VM's folder (vmm/net_switch.h).
 */
int net_process_start(struct net_process *p, const struct vmconfig *c, unsigned n, const char *dir,
		      int *fd, struct err *err);

/*
 * Has loop's thread notice when it ends by itself: its remains are taken away, and the log hears
 * of an end that is none of its own doing. A p without a process is fine.
 */
int net_process_watch(struct net_process *p, struct loop *loop, struct err *err);

/* Ends it, if it has not ended by itself when the monitor's end was closed. */
void net_process_end(struct net_process *p);

#endif
