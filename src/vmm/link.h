/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What supervisor and monitor tell each other: packets of one struct over a SOCK_SEQPACKET
 * pair. Both are one program, so the struct's layout is no format. The supervisor trusts
 * nothing the monitor says beyond the kinds below; the monitor takes orders only from it.
 */
#ifndef VMM_LINK_H
#define VMM_LINK_H

#include <stdint.h>

enum link_kind {
	/* supervisor to monitor */
	LINK_POWER_BUTTON = 1,		/* press it */
	LINK_STOP,			/* end the VM now */
	/* monitor to supervisor */
	LINK_STARTED,			/* the guest executes */
	LINK_RESET,			/* the guest was reset */
	LINK_POWEROFF,			/* the guest powered off */
	LINK_FAILED,			/* the guest reported failure; detail: its code */
	LINK_CRASHED,			/* the engine could not go on */
	LINK_STOPPED,			/* LINK_STOP was obeyed */
};

struct link_msg {
	uint32_t kind;
	uint32_t detail;
};

#endif
