/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A duplex byte channel between a device (UART, console port) and one file descriptor.
 *
 * Output never blocks the guest: what the descriptor does not take at once waits in a
 * bounded ring (CHAN_OUT_BYTES); past that the oldest bytes are dropped and counted.
 * Input is read only as fast as the device takes it. A peer that hangs up closes the
 * channel; the device stays.
 *
 * chan_write() may be called by any thread; the callbacks run on the loop's thread
 * without the channel's lock held.
 */
#ifndef BASE_CHAN_H
#define BASE_CHAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

enum { CHAN_OUT_BYTES = 1 << 20 };

struct chan;

struct chan_ops {
	/* How many bytes input() would take now; 0 stops reading until chan_input_ready(). */
	size_t (*room)(void *opaque);
	void (*input)(void *opaque, const uint8_t *buf, size_t len);
	/* The peer came (true) or went; may be NULL. */
	void (*open)(void *opaque, bool open);
};

/* Takes over fd (made non-blocking; a stream socket, pipe, or terminal). */
int chan_new(struct chan **out, struct loop *loop, int fd, struct err *err);

/* The device that takes the input; before the loop runs, or on its thread. NULL ops detach. */
void chan_attach(struct chan *c, const struct chan_ops *ops, void *opaque);

/* Closes the descriptor. On the loop's thread or while it does not run. NULL is fine. */
void chan_free(struct chan *c);

void chan_write(struct chan *c, const uint8_t *buf, size_t len);

/* Any thread: the device has room again. */
void chan_input_ready(struct chan *c);

#endif
