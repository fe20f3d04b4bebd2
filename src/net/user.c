/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. Sending is one system call per frame straight from the guest's
 * buffers; a full socket answers -EAGAIN and the loop tells when it drains. Receiving takes
 * up to BATCH messages with one system call into buffers of our own and offers them to the
 * client one by one; the first that it refuses stays at the head of the batch, and nothing
 * more is read until rx_ready().
 */
#include "net/user.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "base/overflow.h"
#include "net/user_wire.h"

enum { BATCH = 16 };

struct net_user {
	struct net net;
	struct loop_fd watch;
	bool dead;			/* the peer went; the descriptor is closed */
	bool tx_blocked;		/* net_tx() said -EAGAIN */
	bool offloads_due;		/* the peer does not know net.offloads yet */
	bool rx_blocked;		/* the client refused batch[next] */
	unsigned next, count;		/* of the batch: not yet delivered */
	size_t len[BATCH];		/* 0: not to be delivered */
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	struct log_limit log;
	uint8_t flat[WIRE_MAX];		/* a frame in more pieces than sendmsg() takes */
	uint8_t bufs[BATCH][WIRE_MAX];
};

static struct net_user *user_of(struct net *n)
{
	return container_of(n, struct net_user, net);
}

static void watch(struct net_user *u)
{
	unsigned events = u->rx_blocked ? 0 : LOOP_IN;

	if (u->tx_blocked || u->offloads_due)
		events |= LOOP_OUT;
	if (!u->dead)
		loop_fd_set(u->net.loop, &u->watch, events);
}

/* Only called by the loop, so that a client never hears of it inside its own net_tx(). */
static void die(struct net_user *u)
{
	if (u->dead)
		return;
	u->dead = true;
	u->count = u->next = 0;
	loop_fd_del(u->net.loop, &u->watch);
	close(u->watch.fd);
	u->net.up = false;
	log_warn("the network process has gone: the guest's network is down");
	if (u->net.client && u->net.client->link)
		u->net.client->link(u->net.client_opaque, false);
	if (u->tx_blocked && u->net.client)
		u->net.client->tx_ready(u->net.client_opaque);
	u->tx_blocked = false;
}

/* ---- towards the guest ------------------------------------------------------------------- */

/* Whether a message is a frame, and in a form that the client has accepted. */
static bool acceptable(const struct net_user *u, const uint8_t *msg, size_t len)
{
	unsigned have = u->net.offloads, flags;
	struct net_hdr h;

	if (len < WIRE_MIN)
		return false;
	net_hdr_get(&h, msg);
	flags = NET_HDR_NEEDS_CSUM | NET_HDR_DATA_VALID;
	if (h.flags & ~(have & NET_CSUM ? flags : 0))
		return false;
	if (h.flags & NET_HDR_NEEDS_CSUM &&
	    !range_within((uint64_t)h.csum_start + h.csum_offset, 2, len - NET_HDR_BYTES))
		return false;
	if (h.gso_type == NET_GSO_NONE)
		return len <= NET_HDR_BYTES + NET_ETH_BYTES + 4u + u->net.mtu;
	if (!(h.flags & NET_HDR_NEEDS_CSUM) || !h.gso_size || h.hdr_len > len - NET_HDR_BYTES)
		return false;
	return (h.gso_type == NET_GSO_TCPV4 && have & NET_TSO4) ||
	       (h.gso_type == NET_GSO_TCPV6 && have & NET_TSO6);
}

static void deliver(struct net_user *u)
{
	u->rx_blocked = false;
	while (u->next < u->count) {
		struct iovec iov = { u->bufs[u->next], u->len[u->next] };
		const struct net_client *c = u->net.client;

		if (c && iov.iov_len && acceptable(u, iov.iov_base, iov.iov_len) &&
		    !c->rx(u->net.client_opaque, &iov, 1)) {
			u->rx_blocked = true;
			return;
		}
		u->next++;
	}
}

static void receive(struct net_user *u)
{
	int n;

	for (unsigned i = 0; i < BATCH; i++)
		u->msgs[i].msg_hdr.msg_flags = 0;
	n = recvmmsg(u->watch.fd, u->msgs, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			die(u);
		return;
	}
	u->next = 0;
	u->count = (unsigned)n;
	for (unsigned i = 0; i < u->count; i++) {
		const struct mmsghdr *m = &u->msgs[i];

		u->len[i] = m->msg_hdr.msg_flags & MSG_TRUNC ? 0 : m->msg_len;
		if (!m->msg_len)
			u->count = i;	/* the end; an empty message counts as that too */
	}
	deliver(u);
	if (u->count < (unsigned)n)
		die(u);
}

/* ---- from the guest ---------------------------------------------------------------------- */

/* 0: sent, or lost with the peer (the loop will notice); -EAGAIN. */
static int send_message(struct net_user *u, const struct iovec *iov, unsigned niov)
{
	const struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = niov };

	while (sendmsg(u->watch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EAGAIN)
			return -EAGAIN;
		if (errno != EINTR) {
			if (errno != EPIPE && errno != ECONNRESET)
				log_limited(&u->log, "network process: a frame was lost "
					    "(error %d)", errno);
			return 0;
		}
	}
	return 0;
}

static int user_tx(struct net *n, const struct iovec *iov, unsigned niov)
{
	struct net_user *u = user_of(n);
	struct iovec one = { u->flat, 0 };
	int rc;

	if (u->dead)
		return 0;
	if (niov > IOV_MAX) {
		for (unsigned i = 0; i < niov; i++) {
			if (iov[i].iov_len > sizeof(u->flat) - one.iov_len)
				return 0;
			memcpy(u->flat + one.iov_len, iov[i].iov_base, iov[i].iov_len);
			one.iov_len += iov[i].iov_len;
		}
		iov = &one;
		niov = 1;
	}
	rc = u->tx_blocked ? -EAGAIN : send_message(u, iov, niov);
	if (rc && !u->tx_blocked) {
		u->tx_blocked = true;
		watch(u);
	}
	return rc;
}

static void send_offloads(struct net_user *u)
{
	uint8_t msg[WIRE_CONTROL_BYTES] = { WIRE_CONTROL, WIRE_OFFLOADS };
	struct iovec iov = { msg, sizeof(msg) };

	st_le32(msg + 4, u->net.offloads);
	u->offloads_due = send_message(u, &iov, 1) == -EAGAIN;
}

static void user_offloads_changed(struct net *n)
{
	struct net_user *u = user_of(n);

	if (u->dead)
		return;
	send_offloads(u);
	watch(u);
}

static void user_rx_ready(struct net *n)
{
	struct net_user *u = user_of(n);

	if (!u->rx_blocked || u->dead)
		return;
	deliver(u);
	watch(u);
}

/* ---- life -------------------------------------------------------------------------------- */

static void on_socket(struct loop_fd *w, unsigned events)
{
	struct net_user *u = container_of(w, struct net_user, watch);

	if (u->rx_blocked && events & LOOP_IN) {
		die(u);			/* not asked for: it hung up */
		return;
	}
	if (events & LOOP_OUT && u->offloads_due)
		send_offloads(u);
	if (events & LOOP_OUT && u->tx_blocked && !u->offloads_due) {
		u->tx_blocked = false;
		if (u->net.client)
			u->net.client->tx_ready(u->net.client_opaque);
	}
	if (events & LOOP_IN && !u->rx_blocked)
		receive(u);
	watch(u);
}

static void user_close(struct net *n)
{
	struct net_user *u = user_of(n);

	if (!u->dead) {
		loop_fd_del(n->loop, &u->watch);
		close(u->watch.fd);
	}
	free(u);
}

static const struct net_ops user_ops = {
	.name = "user",
	.tx = user_tx,
	.rx_ready = user_rx_ready,
	.offloads_changed = user_offloads_changed,
	.close = user_close,
};

int net_user_open(struct net **out, struct loop *loop, int fd, struct err *err)
{
	const int room = WIRE_SOCKET_BYTES;
	socklen_t len = sizeof(int);
	struct net_user *u;
	int type = 0, rc;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
		return err_set(err, -EINVAL,
			       "descriptor %d is no seqpacket socket of a network process", fd);
	u = calloc(1, sizeof(*u));
	if (!u)
		return err_set(err, -ENOMEM, "no memory for a network backend");
	u->net = (struct net){
		.ops = &user_ops,
		.loop = loop,
		.caps = NET_CSUM | NET_TSO4 | NET_TSO6,
		.mtu = 1500,
		.up = true,
	};
	u->watch = (struct loop_fd){ .fd = fd, .fn = on_socket };
	for (unsigned i = 0; i < BATCH; i++) {
		u->iov[i] = (struct iovec){ u->bufs[i], WIRE_MAX };
		u->msgs[i].msg_hdr.msg_iov = &u->iov[i];
		u->msgs[i].msg_hdr.msg_iovlen = 1;
	}
	/* More room means fewer stalls; what the kernel allows is enough to work. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	rc = loop_fd_set(loop, &u->watch, LOOP_IN);
	if (rc) {
		free(u);
		return err_sys(err, rc, "cannot watch the network process");
	}
	*out = &u->net;
	return 0;
}
