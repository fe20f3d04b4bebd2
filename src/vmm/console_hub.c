/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/console_hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "base/usock.h"

enum { INPUT_CHUNK = 1024, OUTPUT_CHUNK = 16384 };

struct console_client {
	struct console_hub *hub;
	struct console_client *next;
	struct loop_fd fd;
	uint64_t at;			/* of hub->total; less than a ring behind once looked at */
	size_t off, len;		/* in[off..len) waits for the guest */
	bool deaf;			/* takes no more */
	bool silent;			/* types no more: its end was closed for writing */
	bool gone;			/* hung up; what it typed last still waits */
	uint8_t in[INPUT_CHUNK];
};

static void close_fd(struct console_hub *h, struct loop_fd *w)
{
	if (w->fd < 0)
		return;
	loop_fd_del(h->loop, w);
	close(w->fd);
	w->fd = -1;
}

static void drop(struct console_client *c)
{
	struct console_hub *h = c->hub;
	struct console_client **p = &h->clients;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	h->count--;
	close_fd(h, &c->fd);
	free(c);
	/* It may have been full. */
	if (h->listener.fd >= 0)
		loop_fd_set(h->loop, &h->listener, LOOP_IN);
	if (h->finishing && !h->clients)
		h->drained(h->opaque);
}

static bool waits(const struct console_client *c)
{
	return c->off < c->len;
}

static void watch(struct console_client *c)
{
	unsigned events = (c->at < c->hub->total ? LOOP_OUT : 0u) |
			  (waits(c) || c->silent ? LOOP_HUP : LOOP_IN);

	if (!c->gone)
		loop_fd_set(c->hub->loop, &c->fd, events);
}

static void hung_up(struct console_client *c)
{
	if (!waits(c)) {
		drop(c);
		return;
	}
	c->gone = true;
	loop_fd_del(c->hub->loop, &c->fd);
}

/* ---- from the guest ----------------------------------------------------------------------- */

/* Gives c what its socket takes. False: it has been dropped. */
static bool give(struct console_client *c)
{
	struct console_hub *h = c->hub;

	if (c->gone && h->finishing) {
		drop(c);
		return false;
	}
	if (c->gone)
		return true;
	if (c->deaf)
		c->at = h->total;
	if (h->total - c->at > CONSOLE_RING)
		c->at = h->total - CONSOLE_RING;
	while (c->at < h->total) {
		size_t from = c->at % CONSOLE_RING, len = CONSOLE_RING - from;
		ssize_t n;

		if (len > h->total - c->at)
			len = h->total - c->at;
		n = send(c->fd.fd, h->ring + from, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			/* What it typed before it hung up still waits to be read. */
			c->deaf = true;
			c->at = h->total;
			break;
		}
		c->at += (uint64_t)n;
	}
	if (h->finishing && c->at == h->total) {
		drop(c);
		return false;
	}
	watch(c);
	return true;
}

static void keep(struct console_hub *h, const uint8_t *buf, size_t len)
{
	size_t to = h->total % CONSOLE_RING, first = CONSOLE_RING - to;

	if (first > len)
		first = len;
	memcpy(h->ring + to, buf, first);
	memcpy(h->ring, buf + first, len - first);
	h->total += len;
}

static void give_all(struct console_hub *h)
{
	struct console_client *next;

	for (struct console_client *c = h->clients; c; c = next) {
		next = c->next;
		give(c);
	}
}

/* ---- to the guest ---------------------------------------------------------------------------- */

/* Passes on what c typed. False: it has been dropped. */
static bool pass(struct console_client *c)
{
	struct console_hub *h = c->hub;

	while (waits(c) && h->guest.fd >= 0) {
		ssize_t n = send(h->guest.fd, c->in + c->off, c->len - c->off, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			c->off += (size_t)n;
		} else if (errno == EAGAIN) {
			loop_fd_set(h->loop, &h->guest, LOOP_IN | LOOP_OUT);
			watch(c);
			return true;
		} else if (errno != EINTR) {
			c->off = c->len;
		}
	}
	/* Without a guest nobody is there to read it. */
	c->off = c->len = 0;
	if (c->gone) {
		drop(c);
		return false;
	}
	watch(c);
	return true;
}

static void on_client(struct loop_fd *w, unsigned events)
{
	struct console_client *c = container_of(w, struct console_client, fd);
	ssize_t n;

	if (events & LOOP_OUT && !give(c))
		return;
	if (!(events & LOOP_IN) || c->gone)
		return;
	if (waits(c) || c->silent) {
		/* Not asked for: it hung up. */
		hung_up(c);
		return;
	}
	n = recv(w->fd, c->in, sizeof(c->in), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		drop(c);
		return;
	}
	if (n == 0 && c->deaf) {
		drop(c);
		return;
	}
	c->off = 0;
	c->len = (size_t)n;
	c->silent = n == 0;
	pass(c);
}

static void take_output(struct console_hub *h)
{
	uint8_t buf[OUTPUT_CHUNK];
	ssize_t n = recv(h->guest.fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_fd(h, &h->guest);
		h->ended(h->opaque);
		return;
	}
	bounded_log_write(h->log, buf, (size_t)n);
	keep(h, buf, (size_t)n);
	give_all(h);
}

static void on_guest(struct loop_fd *w, unsigned events)
{
	struct console_hub *h = container_of(w, struct console_hub, guest);
	struct console_client *next;

	if (events & LOOP_OUT) {
		loop_fd_set(h->loop, w, LOOP_IN);
		for (struct console_client *c = h->clients; c; c = next) {
			next = c->next;
			if (waits(c))
				pass(c);
		}
	}
	if (events & LOOP_IN)
		take_output(h);
}

/* ---- clients ------------------------------------------------------------------------------------ */

void console_hub_add(struct console_hub *h, int fd)
{
	struct console_client *c = calloc(1, sizeof(*c));

	if (!c || h->count == CONSOLE_CLIENTS) {
		free(c);
		close(fd);
		return;
	}
	c->hub = h;
	c->fd = (struct loop_fd){ .fd = fd, .fn = on_client };
	c->at = h->total > CONSOLE_RING ? h->total - CONSOLE_RING : 0;
	c->next = h->clients;
	h->clients = c;
	h->count++;
	if (loop_fd_set(h->loop, &c->fd, LOOP_IN))
		drop(c);
	else
		give(c);
}

/* Takes in one client; false: there is none. */
static bool take_in(struct console_hub *h)
{
	int fd = usock_accept(h->listener.fd);

	if (fd >= 0) {
		console_hub_add(h, fd);
	} else if (fd != -EAGAIN) {
		/* Out of descriptors: it would report the same for ever; the next client that goes wakes it. */
		log_warn("a client of the console cannot be taken in: %s", strerror(-fd));
		loop_fd_set(h->loop, &h->listener, 0);
	}
	return fd >= 0;
}

/* One at a time: between them those that have gone make room. */
static void on_listener(struct loop_fd *w, unsigned events)
{
	take_in(container_of(w, struct console_hub, listener));
}

int console_hub_start(struct console_hub *h, int listener, struct err *err)
{
	int rc = 0;

	h->guest = (struct loop_fd){ .fd = -1, .fn = on_guest };
	h->listener = (struct loop_fd){ .fd = listener, .fn = on_listener };
	if (listener >= 0)
		rc = loop_fd_set(h->loop, &h->listener, LOOP_IN);
	return rc ? err_sys(err, rc, "the console's socket cannot be watched") : 0;
}

int console_hub_set_guest(struct console_hub *h, int fd, struct err *err)
{
	int rc;

	h->guest.fd = fd;
	rc = loop_fd_set(h->loop, &h->guest, LOOP_IN);
	return rc ? err_sys(err, rc, "the console cannot be watched") : 0;
}

void console_hub_finish(struct console_hub *h)
{
	for (unsigned i = 0; h->listener.fd >= 0 && i < CONSOLE_CLIENTS && take_in(h); i++)
		;
	h->finishing = true;
	if (h->clients)
		give_all(h);
	else
		h->drained(h->opaque);
}

void console_hub_stop(struct console_hub *h)
{
	h->finishing = false;
	while (h->clients)
		drop(h->clients);
	if (!h->loop)
		return;
	close_fd(h, &h->guest);
	close_fd(h, &h->listener);
}
