/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A duplex byte channel between a device (UART, console port) and one file descriptor.
 *
 * Output never blocks the guest: it goes into a bounded ring (CHAN_OUT_BYTES) that the
 * loop's thread empties into the descriptor; when the ring is full the oldest bytes are
 * dropped and counted. Input is read only as fast as the device takes it. A peer that hangs
 * up (end of file, or an error) closes the channel, both ways; the device stays, and what
 * it still writes is discarded.
 *
 * chan_write(), chan_out_room(), chan_input_ready() and chan_dropped() may be called by any
 * thread; the callbacks run on the loop's thread without the channel's lock held, and may call
 * everything but chan_free(). The program ignores SIGPIPE.
 */
#ifndef BASE_CHAN_H
#define BASE_CHAN_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

enum {
	CHAN_OUT_BYTES = 1 << 20,
	CHAN_PATIENCE_MS = 2000,	/* how long chan_free() waits for a peer that takes nothing */
};

struct chan;

struct chan_ops {
	/* How many bytes input() would take now; 0 stops reading until chan_input_ready(). */
	size_t (*room)(void *opaque);
	/* len is 1 to what room() said just before. */
	void (*input)(void *opaque, const uint8_t *buf, size_t len);
	/* What waited when chan_out_room() was asked is written or discarded; may be NULL. */
	void (*drained)(void *opaque);
	/* The peer is there (true; soon after chan_attach()) or went; may be NULL. */
	void (*open)(void *opaque, bool open);
};

/*
 * Takes over fd (made non-blocking): a stream socket, pipe or terminal, or a regular file or
 * null device, whose end of file ends only the input. A descriptor open for one direction
 * serves that one. On error fd stays the caller's.
 */
int chan_new(struct chan **out, struct loop *loop, int fd, struct err *err);

/* The device that takes the input; before the loop runs, or on its thread. NULL ops detach. */
void chan_attach(struct chan *c, const struct chan_ops *ops, void *opaque);

/*
 * Writes what waits, until the peer has taken nothing for CHAN_PATIENCE_MS, and closes the
 * descriptor. While the loop does not run; no other thread uses c any more. NULL is fine.
 */
void chan_free(struct chan *c);

void chan_write(struct chan *c, const uint8_t *buf, size_t len);

/*
 * How many bytes chan_write() takes without dropping any; below CHAN_OUT_BYTES,
 * chan_ops.drained() will be called. For devices that can let their guest wait.
 */
size_t chan_out_room(struct chan *c);

/* Any thread: the device has room again. */
void chan_input_ready(struct chan *c);

/* Output bytes dropped so far because the peer did not take them. */
uint64_t chan_dropped(struct chan *c);

#endif
