/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything with the descriptor happens in pump(), on the loop's thread: it writes what
 * waits, reads what the device takes, and watches for what it could not do. Positions in the
 * ring count bytes since the beginning, so that a writer may drop old bytes while pump()
 * writes a copy of them without the lock.
 */
#include "base/chan.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"

enum { PUMP_BYTES = 16 * 1024 };

struct chan {
	struct loop *loop;
	struct loop_fd w;		/* w.fd is -1 once closed */
	struct loop_task task;		/* pump() */
	bool readable, writable, socket;
	bool pollable;			/* false: a file, always ready */

	/* loop's thread */
	const struct chan_ops *ops;
	void *opaque;
	bool told_open;			/* what ops->open() was told last */
	uint8_t buf[PUMP_BYTES];

	pthread_mutex_t lock;		/* the fields below */
	uint64_t out_start, out_end;	/* bytes [start, end) wait in out[] */
	uint64_t dropped;
	bool closed;
	bool asked;			/* chan_out_room() found less than all: drained() is owed */
	uint8_t out[CHAN_OUT_BYTES];
};

static_assert((CHAN_OUT_BYTES & (CHAN_OUT_BYTES - 1)) == 0, "positions are taken modulo it");

/* Copies between a flat buffer and the ring from position pos on. */
static void ring_put(struct chan *c, uint64_t pos, const uint8_t *buf, size_t len)
{
	size_t at = pos % CHAN_OUT_BYTES;
	size_t first = len < CHAN_OUT_BYTES - at ? len : CHAN_OUT_BYTES - at;

	memcpy(c->out + at, buf, first);
	memcpy(c->out, buf + first, len - first);
}

static void ring_get(const struct chan *c, uint64_t pos, uint8_t *buf, size_t len)
{
	size_t at = pos % CHAN_OUT_BYTES;
	size_t first = len < CHAN_OUT_BYTES - at ? len : CHAN_OUT_BYTES - at;

	memcpy(buf, c->out + at, first);
	memcpy(buf + first, c->out, len - first);
}

/* Any thread. */
void chan_write(struct chan *c, const uint8_t *buf, size_t len)
{
	uint64_t waiting;

	if (!c->writable || !len)
		return;
	pthread_mutex_lock(&c->lock);
	if (c->closed) {
		pthread_mutex_unlock(&c->lock);
		return;
	}
	if (len > CHAN_OUT_BYTES) {
		c->dropped += len - CHAN_OUT_BYTES;
		buf += len - CHAN_OUT_BYTES;
		len = CHAN_OUT_BYTES;
	}
	ring_put(c, c->out_end, buf, len);
	c->out_end += len;
	waiting = c->out_end - c->out_start;
	if (waiting > CHAN_OUT_BYTES) {
		c->dropped += waiting - CHAN_OUT_BYTES;
		c->out_start = c->out_end - CHAN_OUT_BYTES;
	}
	pthread_mutex_unlock(&c->lock);
	loop_post(c->loop, &c->task);
}

size_t chan_out_room(struct chan *c)
{
	size_t room;

	pthread_mutex_lock(&c->lock);
	room = CHAN_OUT_BYTES - (size_t)(c->out_end - c->out_start);
	if (room < CHAN_OUT_BYTES)
		c->asked = true;
	pthread_mutex_unlock(&c->lock);
	return room;
}

void chan_input_ready(struct chan *c)
{
	loop_post(c->loop, &c->task);
}

uint64_t chan_dropped(struct chan *c)
{
	uint64_t dropped;

	pthread_mutex_lock(&c->lock);
	dropped = c->dropped;
	pthread_mutex_unlock(&c->lock);
	return dropped;
}

/* ---- loop's thread --------------------------------------------------------------------- */

static ssize_t put(struct chan *c, size_t len)
{
	ssize_t n;

	do {
		n = c->socket ? send(c->w.fd, c->buf, len, MSG_NOSIGNAL)
			      : write(c->w.fd, c->buf, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* [lock] len bytes from start on were written; some of them may have been dropped meanwhile. */
static void advance(struct chan *c, uint64_t start, size_t len)
{
	uint64_t end = start + len;

	c->dropped -= (c->out_start < end ? c->out_start : end) - start;
	if (c->out_start < end)
		c->out_start = end;
}

/* Writes up to max of what waits: 0 done, -EAGAIN more waits, another -errno: the peer went. */
static int pump_out(struct chan *c, size_t max)
{
	while (max) {
		uint64_t start, waiting;
		ssize_t n;

		pthread_mutex_lock(&c->lock);
		start = c->out_start;
		waiting = c->out_end - start;
		if (waiting > PUMP_BYTES)
			waiting = PUMP_BYTES;
		ring_get(c, start, c->buf, waiting);
		pthread_mutex_unlock(&c->lock);
		if (!waiting)
			return 0;

		n = put(c, waiting);
		if (n < 0)
			return (int)n;

		pthread_mutex_lock(&c->lock);
		advance(c, start, (size_t)n);
		pthread_mutex_unlock(&c->lock);
		max -= (size_t)n < max ? (size_t)n : max;
	}
	return -EAGAIN;
}

/*
 * Reads once: bytes, 0 none or no room, -errno (-EPIPE: end of file). *room: the device takes
 * more.
 */
static ssize_t pump_in(struct chan *c, bool *room)
{
	size_t max = c->ops && c->readable ? c->ops->room(c->opaque) : 0;
	ssize_t n;

	*room = max > 0;
	if (!max)
		return 0;
	do {
		n = read(c->w.fd, c->buf, max < PUMP_BYTES ? max : PUMP_BYTES);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	c->ops->input(c->opaque, c->buf, (size_t)n);
	*room = c->ops && c->ops->room(c->opaque) > 0;
	return n;
}

static void tell_open(struct chan *c, bool open)
{
	if (!c->ops || c->told_open == open)
		return;
	c->told_open = open;
	if (c->ops->open)
		c->ops->open(c->opaque, open);
}

/* Nothing waits any more: says so to whom asked. */
static void tell_drained(struct chan *c)
{
	bool owed;

	pthread_mutex_lock(&c->lock);
	owed = c->asked && c->out_start == c->out_end;
	if (owed)
		c->asked = false;
	pthread_mutex_unlock(&c->lock);
	if (owed && c->ops && c->ops->drained)
		c->ops->drained(c->opaque);
}

static void hang_up(struct chan *c)
{
	loop_fd_del(c->loop, &c->w);
	close(c->w.fd);
	c->w.fd = -1;
	pthread_mutex_lock(&c->lock);
	c->closed = true;
	c->out_start = c->out_end;
	pthread_mutex_unlock(&c->lock);
	tell_open(c, false);
	tell_drained(c);
}

static void pump(struct chan *c)
{
	bool room = false;
	ssize_t in, out;

	if (c->w.fd < 0)
		return;
	tell_open(c, true);
	out = pump_out(c, CHAN_OUT_BYTES);
	if (!out)
		tell_drained(c);
	in = pump_in(c, &room);
	if (in == -EPIPE && !c->pollable) {
		c->readable = false;
		in = 0;
	}
	if (in < 0 || (out < 0 && out != -EAGAIN)) {
		hang_up(c);
	} else if (!c->pollable) {
		if (in > 0 || out == -EAGAIN)
			loop_post(c->loop, &c->task);
	} else if (loop_fd_set(c->loop, &c->w,
			       (room ? LOOP_IN : 0u) | (out == -EAGAIN ? LOOP_OUT : 0u))) {
		hang_up(c);
	}
}

static void pump_fd(struct loop_fd *w, unsigned events)
{
	pump(container_of(w, struct chan, w));
}

static void pump_task(struct loop_task *task)
{
	pump(container_of(task, struct chan, task));
}

void chan_attach(struct chan *c, const struct chan_ops *ops, void *opaque)
{
	c->ops = ops;
	c->opaque = opaque;
	c->told_open = false;
	loop_post(c->loop, &c->task);
}

/* ---- life ------------------------------------------------------------------------------ */

int chan_new(struct chan **out, struct loop *loop, int fd, struct err *err)
{
	int flags = fcntl(fd, F_GETFL), type, rc;
	socklen_t len = sizeof(type);
	struct chan *c;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return err_sys(err, -errno, "console descriptor %d", fd);
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(err, -ENOMEM, "console: out of memory");
	c->loop = loop;
	c->w.fd = fd;
	c->w.fn = pump_fd;
	c->task.fn = pump_task;
	c->readable = (flags & O_ACCMODE) != O_WRONLY;
	c->writable = (flags & O_ACCMODE) != O_RDONLY;
	c->socket = !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	pthread_mutex_init(&c->lock, NULL);

	/* What epoll does not take is a file that is always ready. */
	rc = loop_fd_set(loop, &c->w, LOOP_IN);
	c->pollable = rc == 0;
	loop_fd_del(loop, &c->w);
	if (rc && rc != -EPERM) {
		pthread_mutex_destroy(&c->lock);
		free(c);
		return err_sys(err, rc, "console descriptor %d", fd);
	}
	*out = c;
	return 0;
}

/* The last words: while the peer takes some of them every now and then, all of them. */
static void write_rest(struct chan *c)
{
	struct pollfd p = { .fd = c->w.fd, .events = POLLOUT };
	int n;

	while (pump_out(c, CHAN_OUT_BYTES) == -EAGAIN) {
		do {
			n = poll(&p, 1, CHAN_PATIENCE_MS);
		} while (n < 0 && errno == EINTR);
		if (n <= 0)
			return;
	}
}

void chan_free(struct chan *c)
{
	if (!c)
		return;
	loop_task_cancel(c->loop, &c->task);
	if (c->w.fd >= 0) {
		write_rest(c);
		loop_fd_del(c->loop, &c->w);
		close(c->w.fd);
	}
	pthread_mutex_destroy(&c->lock);
	free(c);
}
