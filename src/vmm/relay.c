/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/relay.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"

static void close_end(struct relay *r, struct loop_fd *w)
{
	if (w->fd < 0)
		return;
	loop_fd_del(r->loop, w);
	close(w->fd);
	w->fd = -1;
}

/* Passes on what waits; true when all is gone. */
static bool flush(struct relay *r)
{
	while (r->off < r->len && r->to.fd >= 0) {
		ssize_t n = send(r->to.fd, r->buf + r->off, r->len - r->off,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0)
			r->off += (size_t)n;
		else if (errno == EAGAIN)
			return false;
		else if (errno != EINTR)
			close_end(r, &r->to);
	}
	r->off = r->len = 0;
	return true;
}

static void watch(struct relay *r, bool flushed)
{
	if (r->from.fd >= 0)
		loop_fd_set(r->loop, &r->from, flushed ? LOOP_IN : 0);
	if (r->to.fd >= 0)
		loop_fd_set(r->loop, &r->to, flushed ? 0 : LOOP_OUT);
}

static void on_from(struct loop_fd *w, unsigned events)
{
	struct relay *r = container_of(w, struct relay, from);
	ssize_t n;

	if (r->len) {
		/* A hang-up is reported while nothing is asked for; it waits until to has taken all. */
		loop_fd_del(r->loop, w);
		return;
	}
	n = recv(w->fd, r->buf, sizeof(r->buf), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_end(r, &r->from);
		if (r->end)
			r->end(r->opaque);
		return;
	}
	if (r->tap)
		r->tap(r->opaque, r->buf, (size_t)n);
	r->len = (size_t)n;
	watch(r, flush(r));
}

static void on_to(struct loop_fd *w, unsigned events)
{
	struct relay *r = container_of(w, struct relay, to);

	watch(r, flush(r));
}

int relay_start(struct relay *r, struct loop *loop, int from, int to, struct err *err)
{
	int rc;

	r->loop = loop;
	r->from = (struct loop_fd){ .fd = from, .fn = on_from };
	r->to = (struct loop_fd){ .fd = to, .fn = on_to };
	rc = loop_fd_set(loop, &r->from, LOOP_IN);
	return rc ? err_sys(err, rc, "the console cannot be relayed") : 0;
}

void relay_stop(struct relay *r)
{
	if (!r->loop)
		return;
	close_end(r, &r->from);
	close_end(r, &r->to);
	r->loop = NULL;
}
