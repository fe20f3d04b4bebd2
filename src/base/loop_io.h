/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a loop carries out file I/O: what loop.c shares with its two engines (io_uring in
 * loop_uring.c, threads in loop_pool.c). Nobody else includes this.
 *
 * All calls are made by the loop's thread, or by the one that owns a loop that does not run.
 */
#ifndef BASE_LOOP_IO_H
#define BASE_LOOP_IO_H

#include "base/bits.h"
#include "base/loop.h"

struct io_engine;

struct io_engine_ops {
	/* Takes io; it need not be started before flush(). */
	void (*submit)(struct io_engine *e, struct loop_io *io);
	/* Starts what was submitted; false: the kernel is short of something, try again soon. */
	bool (*flush)(struct io_engine *e);
	/* True when reap() would find something. Ordered after the loop's `sleeping` flag. */
	bool (*ready)(struct io_engine *e);
	/* Runs done() of what has completed; done() may submit more. */
	void (*reap)(struct io_engine *e);
	/* Blocks until reap() would find something; something is in flight and flushed. */
	void (*wait)(struct io_engine *e);
	/* Each of its threads calls fn(arg) first; returns when all have. NULL: it has none. */
	void (*enter)(struct io_engine *e, void (*fn)(void *arg), void *arg);
	/* Nothing is in flight. */
	void (*free)(struct io_engine *e);
};

struct io_engine {
	const struct io_engine_ops *ops;
	int event_fd;		/* readable when something has completed; -1: uses loop_wake() */
	unsigned in_flight;	/* submitted and not yet reaped */
};

/* A singly linked queue of requests. Zeroed is empty. */
struct io_list {
	struct loop_io *head, *tail;
};

static inline void io_list_append(struct io_list *l, struct loop_io *io)
{
	io->next = NULL;
	if (l->head)
		l->tail->next = io;
	else
		l->head = io;
	l->tail = io;
}

static inline struct loop_io *io_list_take(struct io_list *l)
{
	struct loop_io *io = l->head;

	if (io)
		l->head = io->next;
	return io;
}

/* -errno (no sentence) when this kernel or container has no usable io_uring. */
int io_uring_engine_new(struct io_engine **out);

/* Makes its threads at once. */
int io_pool_engine_new(struct io_engine **out, struct loop *loop, struct err *err);

/* Any thread, and signal handlers: ends the loop's sleep; costs a system call only if it sleeps. */
void loop_wake(struct loop *loop);

#endif
