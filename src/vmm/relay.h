/* SPDX-License-Identifier: Apache-2.0 */
/* Copies bytes from one stream socket to another, no faster than the second takes them. */
#ifndef VMM_RELAY_H
#define VMM_RELAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

enum { RELAY_BYTES = 16384 };

struct relay {
	struct loop *loop;
	struct loop_fd from, to;	/* own sockets; to.fd < 0: bytes are only tapped */
	/* Sees what is read before it is passed on; may be NULL. */
	void (*tap)(void *opaque, const uint8_t *buf, size_t len);
	/* The end of from, once all has been passed on; may be NULL. */
	void (*end)(void *opaque);
	void *opaque;
	size_t len, off;		/* buf[off..len) waits for to */
	uint8_t buf[RELAY_BYTES];
};

/*
 * Starts copying on loop's thread. Takes over from and to (to may be -1).
 * r is zeroed but for tap, end and opaque, and stays where it is. A receiver that hangs up is
 * dropped; the relay goes on reading.
 */
int relay_start(struct relay *r, struct loop *loop, int from, int to, struct err *err);

/* Closes both descriptors; accepts a zeroed or stopped relay. */
void relay_stop(struct relay *r);

#endif
