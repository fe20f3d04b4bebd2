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
	LINK_PAUSE,			/* stop its CPUs, devices and clock */
	LINK_RESUME,			/* and let them go on */
	/* monitor to supervisor */
	LINK_STARTED,			/* the guest executes */
	LINK_RESET,			/* the guest was reset */
	LINK_POWEROFF,			/* the guest powered off */
	LINK_FAILED,			/* the guest reported failure; detail: its code */
	LINK_CRASHED,			/* the engine could not go on */
	LINK_STOPPED,			/* LINK_STOP was obeyed */
	LINK_PAUSED,			/* LINK_PAUSE was; comes again after a reset */
	LINK_RESUMED,			/* LINK_RESUME was */
	LINK_ERROR,			/* the VM could not be built: a struct link_error */
};

struct link_msg {
	uint32_t kind;
	uint32_t detail;
};

/* The sentence that says why; it may be cut short, and need not end with a NUL. */
struct link_error {
	struct link_msg head;		/* kind LINK_ERROR */
	char text[512];
};

#endif
