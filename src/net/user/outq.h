/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on their way to a monitor: a ring of bytes between what makes them, which cannot wait,
 * and the socket, which may have to. One thread; allocates only in outq_init().
 */
#ifndef NET_USER_OUTQ_H
#define NET_USER_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	OUTQ_BYTES = 8 << 20,	/* hospes-net's */
	OUTQ_HIGH = 1 << 20,	/* more than this waiting: take nothing new from the network */
};

struct outq {
	uint8_t *buf;		/* size bytes of records: size_t length, bytes, padding */
	size_t size;
	size_t head, tail;	/* first record; where the next goes */
	size_t used;		/* bytes between them, with records that only skip to the start */
	uint64_t lost;		/* frames that found no room */
};

/*
 * A queue of size bytes (a multiple of 8, more than WIRE_MAX). -ENOMEM. The caller ends it with
 * outq_fini().
 */
int outq_init(struct outq *q, size_t size);

/* Accepts a zeroed object. */
void outq_fini(struct outq *q);

/*
 * Room for a message of up to len bytes (at least WIRE_MIN, at most WIRE_MAX), to be filled
 * and then queued by outq_commit() with its final length; NULL (and counted) when there is none.
 */
uint8_t *outq_reserve(struct outq *q, size_t len);
void outq_commit(struct outq *q, size_t len);

/*
 * Sends as much as fd takes without waiting. 0; -EAGAIN when something is left; other -errno
 * when the peer has gone.
 */
int outq_flush(struct outq *q, int fd);

#endif
