/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VM's serial console among any number of clients, and its log.
 *
 * What the guest writes goes into the log and into a ring of the last CONSOLE_RING bytes; each
 * client has a place in the ring, from its oldest byte on, and takes what its socket takes. One that
 * is more than the ring behind loses the oldest bytes: the guest waits for nobody. What clients
 * type goes to the guest as it comes; a client waits while the guest takes nothing.
 *
 * Everything runs on the loop's thread.
 */
#ifndef VMM_CONSOLE_HUB_H
#define VMM_CONSOLE_HUB_H

#include "base/loop.h"
#include "vmm/bounded_log.h"

enum { CONSOLE_RING = 64 << 10, CONSOLE_CLIENTS = 32 };

struct console_client;

struct console_hub {
	struct loop *loop;
	struct loop_fd guest;		/* the other end of the monitor's UART; -1: none */
	struct loop_fd listener;	/* console.sock; -1: none */
	struct bounded_log *log;
	struct console_client *clients;
	unsigned count;
	uint64_t total;			/* bytes that the guest has written */
	/* The guest's end is closed and all it wrote has been read. */
	void (*ended)(void *opaque);
	/* See console_hub_finish(). */
	void (*drained)(void *opaque);
	bool finishing;
	void *opaque;
	uint8_t ring[CONSOLE_RING];
};

/* h is zeroed but for loop, log, ended, drained and opaque. Takes over listener, which may be -1. */
int console_hub_start(struct console_hub *h, int listener, struct err *err);

/* The monitor has started: takes over the other end of its UART. What clients miss, they still get. */
int console_hub_set_guest(struct console_hub *h, int fd, struct err *err);

/* Takes over fd, a stream socket, as a client. */
void console_hub_add(struct console_hub *h, int fd);

/*
 * Nothing comes any more: takes in clients that have connected, and drops each once it has taken all
 * there is; calls drained() when none is left, perhaps at once.
 */
void console_hub_finish(struct console_hub *h);

/* Closes everything; accepts one that never started. */
void console_hub_stop(struct console_hub *h);

#endif
