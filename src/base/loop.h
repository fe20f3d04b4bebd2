/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event loop: file descriptors, timers, tasks from other threads, asynchronous file I/O.
 *
 * One thread runs a loop (loop_run); every callback runs on it and never blocks.
 * loop_post(), loop_call() and loop_stop() may be called by any thread, everything else
 * only by the loop's thread or before loop_run(). All objects (struct loop_fd, ...) are
 * embedded in their owner, who zeroes them first and keeps them alive until they are
 * removed or completed; the loop allocates nothing per request.
 *
 * File I/O goes through io_uring; where the kernel or a container refuses one, a small
 * pool of threads does the same work (loop_uses_uring() tells). loop_new() makes every
 * descriptor and thread there will be, before any sandbox closes; afterwards the loop's
 * thread uses epoll_pwait2 (or epoll_wait), epoll_ctl, io_uring_enter, write, futex and
 * clock_gettime, those of the pool preadv, pwritev, fdatasync, fallocate, futex and write.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

struct loop;

enum loop_flags {
	LOOP_NO_URING = 1,	/* use the thread pool even where io_uring works (tests) */
	LOOP_NO_IO = 2,		/* without file I/O: neither ring nor threads */
};

/* A new loop in *out; -errno with a sentence. The caller frees it with loop_free(). */
int loop_new(struct loop **out, unsigned flags, struct err *err);

/*
 * Not while it runs; NULL is fine. Drops tasks, watches and timers; waits for I/O in flight
 * and runs its done().
 */
void loop_free(struct loop *loop);

/*
 * Serves the loop on the calling thread until loop_stop(); one that came before makes it
 * return at once.
 */
void loop_run(struct loop *loop);

/* Any thread, and signal handlers: makes loop_run return soon. */
void loop_stop(struct loop *loop);

/* True on the thread that is in loop_run. */
bool loop_is_self(const struct loop *loop);

bool loop_uses_uring(const struct loop *loop);

/*
 * Has each thread of the pool call fn(arg) before it does anything else, and returns when all
 * have; returns at once where there is no pool. For closing their sandbox. Before loop_run().
 */
void loop_enter_io_threads(struct loop *loop, void (*fn)(void *arg), void *arg);

/* ---- tasks ----------------------------------------------------------------------------- */

struct loop_task {
	void (*fn)(struct loop_task *task);
	struct loop_task *next;		/* the loop's */
	_Atomic bool queued;		/* the loop's */
};

/*
 * Any thread: fn runs soon on the loop's thread. A task already queued is not queued
 * again; a post after fn has started runs fn once more (so no doorbell is lost).
 */
void loop_post(struct loop *loop, struct loop_task *task);

/*
 * The task does not run any more (fine when not queued). On the loop's thread or while it does
 * not run; nobody posts it at the same time.
 */
void loop_task_cancel(struct loop *loop, struct loop_task *task);

/*
 * Any other thread: runs fn(arg) on the loop's thread and waits for it, so the loop runs or is
 * about to; on the loop's own, runs it.
 */
void loop_call(struct loop *loop, void (*fn)(void *arg), void *arg);

/* ---- file descriptors ------------------------------------------------------------------ */

/* As EPOLLIN, EPOLLOUT; errors and hang-up report as both. LOOP_HUP: nothing but these. */
enum { LOOP_IN = 1, LOOP_OUT = 4, LOOP_HUP = 16 };

struct loop_fd {
	int fd;
	void (*fn)(struct loop_fd *w, unsigned events);
	unsigned events;		/* the loop's */
	bool added;			/* the loop's */
};

/* Watches w->fd for events (level triggered), or changes what is watched; 0 pauses. */
int loop_fd_set(struct loop *loop, struct loop_fd *w, unsigned events);

/* No callback after this; the fd stays open and the caller's. Fine when never added. */
void loop_fd_del(struct loop *loop, struct loop_fd *w);

/* ---- timers ---------------------------------------------------------------------------- */

struct loop_timer {
	void (*fn)(struct loop_timer *t);
	uint64_t deadline_ns;		/* the loop's: CLOCK_MONOTONIC */
	struct loop_timer *next;	/* the loop's */
	bool armed;			/* the loop's */
};

/* Host CLOCK_MONOTONIC in nanoseconds. */
uint64_t loop_now_ns(void);

/* fn runs once, at or after deadline_ns; re-arming moves it. */
void loop_timer_arm(struct loop *loop, struct loop_timer *t, uint64_t deadline_ns);
void loop_timer_cancel(struct loop *loop, struct loop_timer *t);

/* ---- file I/O -------------------------------------------------------------------------- */

enum loop_io_op {
	LOOP_READV,		/* iov, niov, off */
	LOOP_WRITEV,		/* iov, niov, off */
	LOOP_FDATASYNC,
	LOOP_FALLOCATE,		/* mode, off, len as fallocate(2) */
};

struct loop_io {
	enum loop_io_op op;
	int fd;
	int mode;
	const struct iovec *iov;	/* the caller's, alive until done */
	unsigned niov;
	uint64_t off, len;
	/* res: bytes (may be short) or 0, or -errno */
	void (*done)(struct loop_io *io, int res);
	struct loop_io *next;		/* the loop's */
	int res;			/* the loop's */
};

/*
 * Starts io; done runs later on the loop's thread, never within this call. Not on a loop made
 * with LOOP_NO_IO.
 */
void loop_io_submit(struct loop *loop, struct loop_io *io);

#endif
