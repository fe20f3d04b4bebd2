/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. One loop: ask libslirp which sockets it waits for, sleep in ppoll(2),
 * take a batch of frames from the monitor, let libslirp look at its sockets, send what came
 * out of both to the monitor.
 *
 * Towards libslirp: finish the checksum, put fragments together (reasm.h), let pass what may
 * (guard.h), find the way to the resolver (dns.h) and back to the host's own programs (peers.h),
 * slirp_input(). Large TCP segments go in whole: libslirp ends the connection anyway, so cutting
 * them up would be work for nothing. It runs with the largest MTU it knows for that.
 *
 * Towards the guest: libslirp believes in that large MTU here too, and in large segments (it
 * heeds the guest's MSS only on some connections, and guard.h raises it there). So what it sends
 * is made to fit: TCP beyond the guest's true MSS is marked as a large segment where the guest
 * takes these, else split; other packets beyond its MTU are fragmented.
 *
 * Back-pressure: output waits in a ring while the monitor does not read. While more than
 * OUTQ_HIGH waits, libslirp's sockets are not looked at, so senders on the network slow down;
 * what the guest itself provokes meanwhile still fits. Only a full ring loses frames.
 */
#include "net/user/router.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "net/user/guard.h"
#include "net/user/outq.h"
#include "net/user/peers.h"
#include "net/user/reasm.h"
#include "net/user_wire.h"

enum {
	SLIRP_MTU = 65520,		/* libslirp's limit is 65521 */
	GUEST_MTU = 1500,
	MSS4 = GUEST_MTU - 40,
	MSS6 = GUEST_MTU - 60,
	MAX_FDS = 4096,			/* sockets polled; main() sets RLIMIT_NOFILE to fit */
	BATCH = 16,
	TIMERS = 4,			/* libslirp 4.7 has one: router advertisements */
	NS_PER_MS = 1000 * 1000,
	LISTEN_BACKLOG = 128,
};

struct timer {
	bool used;
	SlirpTimerId id;
	void *opaque;
	int64_t due_ms;			/* INT64_MAX: not set */
};

struct router {
	Slirp *slirp;
	int fd;
	unsigned offloads;		/* what the guest takes */
	uint32_t ident;			/* of IPv6 fragments */
	struct guard guard;
	struct dns dns;
	struct peers peers;
	struct reasm reasm;
	struct outq out;
	struct timer timers[TIMERS];
	struct pollfd fds[MAX_FDS];	/* [0]: the monitor */
	nfds_t fd_count;
	bool sockets_wait;		/* this turn does not look at libslirp's sockets */
	struct log_limit log;
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	uint8_t bufs[BATCH][WIRE_MAX];
	uint8_t work[WIRE_MAX];		/* a frame from libslirp, while it is rewritten */
};

/* ---- from libslirp to the guest ---------------------------------------------------------- */

static void send_message(struct router *r, const struct net_hdr *h, const uint8_t *frame,
			 size_t len)
{
	uint8_t *msg = outq_reserve(&r->out, NET_HDR_BYTES + len);

	if (!msg)
		return;
	net_hdr_put(h, msg);
	memcpy(msg + NET_HDR_BYTES, frame, len);
	outq_commit(&r->out, NET_HDR_BYTES + len);
}

/* Queues what the iterator next cuts off s. */
static void send_pieces(struct router *r, struct net_split *s,
			size_t (*next)(struct net_split *, uint8_t *, size_t))
{
	static const uint8_t zero[NET_HDR_BYTES];
	size_t room = NET_ETH_BYTES + GUEST_MTU, len;
	uint8_t *msg;

	while ((msg = outq_reserve(&r->out, NET_HDR_BYTES + room)) &&
	       (len = next(s, msg + NET_HDR_BYTES, room))) {
		memcpy(msg, zero, NET_HDR_BYTES);
		outq_commit(&r->out, NET_HDR_BYTES + len);
	}
}

/* What one segment to the TCP port of the guest may carry. */
static uint16_t mss_of(const struct router *r, bool ipv6, uint16_t port)
{
	uint16_t mss = r->guard.mss[port], most = ipv6 ? MSS6 : MSS4;

	if (!mss || mss > most)
		return most;
	return mss < NET_GSO_MIN ? NET_GSO_MIN : mss;
}

/* A TCP packet with more in it than mss; may change it. */
static void send_segment(struct router *r, const struct net_pkt *p, uint8_t *frame, size_t len,
			 uint16_t mss)
{
	struct net_hdr h = {
		.gso_type = p->ipv6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4,
		.gso_size = mss,
	};
	struct net_split s;

	if (!(r->offloads & (p->ipv6 ? NET_TSO6 : NET_TSO4))) {
		if (!net_split_begin(&s, &h, frame, len))
			send_pieces(r, &s, net_split_next);
	} else if (net_gso_mark(&h, frame, len, mss)) {
		send_message(r, &h, frame, len);
	}
}

static void send_frame(struct router *r, uint8_t *frame, size_t len)
{
	struct net_hdr h = { 0 };
	struct net_split s;
	struct net_pkt p;

	if (net_pkt_parse(&p, frame, len) && !p.fragment) {
		bool tcp = p.proto == NET_IP_TCP;
		uint16_t mss = tcp ? mss_of(r, p.ipv6, ld_be16(frame + p.l4 + 2)) : 0;

		if (tcp && p.end - p.payload > mss) {
			send_segment(r, &p, frame, len, mss);
			return;
		}
		/* libslirp sums all it sends, and between it and the guest nothing goes wrong. */
		if (r->offloads & NET_CSUM && (tcp || p.proto == NET_IP_UDP))
			h.flags = NET_HDR_DATA_VALID;
	}
	if (len <= NET_ETH_BYTES + GUEST_MTU)
		send_message(r, &h, frame, len);
	else if (!net_frag_begin(&s, r->ident++, GUEST_MTU, frame, len))
		send_pieces(r, &s, net_frag_next);
}

static ssize_t on_send(const void *buf, size_t len, void *opaque)
{
	struct router *r = opaque;

	if (len < NET_ETH_BYTES || len > NET_MAX_FRAME)
		return (ssize_t)len;
	memcpy(r->work, buf, len);
	dns_output(&r->dns, r->work, len);
	peers_output(&r->peers, r->work, len);
	send_frame(r, r->work, len);
	return (ssize_t)len;
}

/* ---- from the guest to libslirp ---------------------------------------------------------- */

static void handle_frame(struct router *r, const struct net_hdr *h, uint8_t *frame, size_t len)
{
	if (net_csum_finish(h, frame, len))
		return;
	frame = reasm_input(&r->reasm, frame, &len);
	if (!frame || !guard_input(&r->guard, frame, len) || !dns_input(&r->dns, frame, len))
		return;
	peers_input(&r->peers, frame, len);
	slirp_input(r->slirp, frame, (int)len);
}

static void handle_message(struct router *r, uint8_t *msg, size_t len)
{
	struct net_hdr h;

	if (len == WIRE_CONTROL_BYTES && msg[0] == WIRE_CONTROL && msg[1] == WIRE_OFFLOADS) {
		r->offloads = ld_le32(msg + 4);
		return;
	}
	if (len < WIRE_MIN || len > WIRE_MAX)
		return;
	net_hdr_get(&h, msg);
	handle_frame(r, &h, msg + NET_HDR_BYTES, len - NET_HDR_BYTES);
}

/* A batch of messages: 1, or 0 when the monitor has closed its end. */
static int from_monitor(struct router *r)
{
	int n = recvmmsg(r->fd, r->msgs, BATCH, MSG_DONTWAIT, NULL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	for (int i = 0; i < n; i++) {
		if (!r->msgs[i].msg_len)
			return 0;
		if (!(r->msgs[i].msg_hdr.msg_flags & MSG_TRUNC))
			handle_message(r, r->bufs[i], r->msgs[i].msg_len);
	}
	return 1;
}

/* ---- libslirp's other needs -------------------------------------------------------------- */

static int64_t on_clock(void *opaque)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 * NS_PER_MS + ts.tv_nsec;
}

static void on_guest_error(const char *msg, void *opaque)
{
	struct router *r = opaque;

	log_limited(&r->log, "the guest sent something odd: %s", msg);
}

static void *on_timer_new(SlirpTimerId id, void *timer_opaque, void *opaque)
{
	struct router *r = opaque;

	for (unsigned i = 0; i < TIMERS; i++) {
		if (!r->timers[i].used) {
			r->timers[i] = (struct timer){ true, id, timer_opaque, INT64_MAX };
			return &r->timers[i];
		}
	}
	return NULL;
}

static void on_timer_free(void *timer, void *opaque)
{
	if (timer)
		*(struct timer *)timer = (struct timer){ 0 };
}

static void on_timer_mod(void *timer, int64_t due_ms, void *opaque)
{
	if (timer)
		((struct timer *)timer)->due_ms = due_ms;
}

/* Runs what is due; returns the milliseconds to the next, at most limit. */
static int run_timers(struct router *r, int limit)
{
	for (unsigned i = 0; i < TIMERS; i++) {
		struct timer *t = &r->timers[i];
		int64_t left = t->used ? t->due_ms - on_clock(r) / NS_PER_MS : INT_MAX;

		if (left <= 0) {
			t->due_ms = INT64_MAX;
			slirp_handle_timer(r->slirp, t->id, t->opaque);
			left = 0;
		}
		if (left < limit)
			limit = (int)left;
	}
	return limit;
}

/* The sockets are found by ppoll() each turn, so nothing is to be done for these three. */
static void on_poll_fd(int fd, void *opaque)
{
}

static void on_notify(void *opaque)
{
}

static const SlirpCb callbacks = {
	.send_packet = on_send,
	.guest_error = on_guest_error,
	.clock_get_ns = on_clock,
	.timer_new_opaque = on_timer_new,
	.timer_free = on_timer_free,
	.timer_mod = on_timer_mod,
	.register_poll_fd = on_poll_fd,
	.unregister_poll_fd = on_poll_fd,
	.notify = on_notify,
};

/* ---- the loop ---------------------------------------------------------------------------- */

/* libslirp's bits have poll(2)'s meaning but their own values. */
static const struct {
	int slirp;
	short poll;
} bits[] = {
	{ SLIRP_POLL_IN, POLLIN },   { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI },
	{ SLIRP_POLL_ERR, POLLERR }, { SLIRP_POLL_HUP, POLLHUP },
};

static int on_add_poll(int fd, int events, void *opaque)
{
	struct router *r = opaque;
	short wanted = 0;

	if (r->fd_count == MAX_FDS || r->sockets_wait)
		return -1;
	for (unsigned i = 0; i < ARRAY_LEN(bits); i++)
		if (events & bits[i].slirp)
			wanted |= bits[i].poll;
	r->fds[r->fd_count] = (struct pollfd){ .fd = fd, .events = wanted };
	return (int)r->fd_count++;
}

static int on_get_revents(int idx, void *opaque)
{
	struct router *r = opaque;
	int events = 0;

	if (idx < 0 || (nfds_t)idx >= r->fd_count)
		return 0;
	for (unsigned i = 0; i < ARRAY_LEN(bits); i++)
		if (r->fds[idx].revents & bits[i].poll)
			events |= bits[i].slirp;
	return events;
}

int router_run(struct router *r, struct err *err)
{
	for (;;) {
		uint32_t wait_ms = INT_MAX;
		int flushed = outq_flush(&r->out, r->fd), n, timeout;

		if (flushed && flushed != -EAGAIN)
			return 0;
		r->sockets_wait = r->out.used > OUTQ_HIGH;
		r->fds[0] = (struct pollfd){ .fd = r->fd, .events = POLLIN };
		if (flushed)
			r->fds[0].events |= POLLOUT;
		r->fd_count = 1;
		slirp_pollfds_fill(r->slirp, &wait_ms, on_add_poll, r);
		timeout = run_timers(r, wait_ms > INT_MAX ? INT_MAX : (int)wait_ms);
		n = poll(r->fds, r->fd_count, timeout);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return err_sys(err, -errno, "cannot wait for the network");
		if (n > 0 && r->fds[0].revents & (POLLIN | POLLHUP | POLLERR) && !from_monitor(r))
			return 0;
		slirp_pollfds_poll(r->slirp, n < 0, on_get_revents, r);
	}
}

/* ---- life -------------------------------------------------------------------------------- */

int router_new(struct router **out, int fd, const struct router_cfg *cfg, struct err *err)
{
	const uint32_t net = cfg->net ? cfg->net : GUARD_NET;
	SlirpConfig sc = {
		.version = 4,
		.in_enabled = true,
		.vnetwork.s_addr = htonl(net),
		.vnetmask.s_addr = htonl(0xffffff00),
		.vhost.s_addr = htonl(net | (uint8_t)GUARD_GATEWAY),
		.vdhcp_start.s_addr = htonl(net | (uint8_t)GUARD_GUEST),
		.vnameserver.s_addr = htonl(net | (uint8_t)GUARD_DNS),
		.in6_enabled = cfg->ipv6,
		.vprefix_len = 64,
		.vhostname = cfg->hostname,
		.if_mtu = SLIRP_MTU,
		.if_mru = SLIRP_MTU,
		.disable_host_loopback = !cfg->host_loopback,
		.disable_dns = true,	/* dns.h does it */
	};
	const int room = WIRE_SOCKET_BYTES;
	struct router *r = calloc(1, sizeof(*r));

	if (!r || outq_init(&r->out, OUTQ_BYTES)) {
		free(r);
		return err_set(err, -ENOMEM, "no memory for the network process");
	}
	inet_pton(AF_INET6, "fec0::", &sc.vprefix_addr6);
	inet_pton(AF_INET6, "fec0::2", &sc.vhost6);
	inet_pton(AF_INET6, "fec0::3", &sc.vnameserver6);
	r->fd = fd;
	r->guard.net = net;
	r->dns.own4 = net | (uint8_t)GUARD_DNS;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	for (unsigned i = 0; i < BATCH; i++) {
		r->iov[i] = (struct iovec){ r->bufs[i], WIRE_MAX };
		r->msgs[i].msg_hdr.msg_iov = &r->iov[i];
		r->msgs[i].msg_hdr.msg_iovlen = 1;
	}
	r->slirp = slirp_new(&sc, &callbacks, r);
	if (!r->slirp) {
		outq_fini(&r->out);
		free(r);
		return err_set(err, -EINVAL, "libslirp %s does not take its configuration",
			       slirp_version_string());
	}
	*out = r;
	return 0;
}

void router_free(struct router *r)
{
	if (!r)
		return;
	slirp_cleanup(r->slirp);
	outq_fini(&r->out);
	close(r->fd);
	free(r);
}

struct dns *router_dns(struct router *r)
{
	return &r->dns;
}

/* ---- forwarded ports --------------------------------------------------------------------- */

static int forward_error(int code, struct in_addr addr, uint16_t port, bool udp, struct err *err)
{
	const char *kind = udp ? "UDP" : "TCP";
	char host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &addr, host, sizeof(host));
	switch (code) {
	case EADDRINUSE:
		return err_set(err, -code,
			       "%s port %u of %s is in use already: choose another host port, or "
			       "end the program that has it (ss -lnp shows it)", kind, port, host);
	case EACCES:
	case EPERM:
		return err_set(err, -code,
			       "%s port %u is for privileged programs only: choose a host port "
			       "from 1024 on, or lower net.ipv4.ip_unprivileged_port_start",
			       kind, port);
	case EADDRNOTAVAIL:
		return err_set(err, -code,
			       "%s is no address of this host: forward from one that is, or from "
			       "0.0.0.0 for all", host);
	default:
		return err_sys(err, -code, "cannot listen on %s port %u of %s", kind, port, host);
	}
}

/*
 * libslirp sets SO_REUSEADDR, which for UDP lets two programs share a port and steal each
 * other's datagrams; so see first whether it is free.
 */
static int udp_free(struct in_addr addr, uint16_t port)
{
	const struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = addr,
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return errno;
	rc = bind(fd, (const struct sockaddr *)&sin, sizeof(sin)) < 0 ? errno : 0;
	close(fd);
	return rc;
}

/* libslirp listens with a backlog of 1, too little for a browser; so do it again on its socket. */
static void widen_backlog(struct in_addr addr, uint16_t port)
{
	for (int fd = 0; fd < MAX_FDS; fd++) {
		struct sockaddr_in sin;
		socklen_t len = sizeof(sin), size = sizeof(int);
		int listening = 0;

		if (!getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) && listening &&
		    !getsockname(fd, (struct sockaddr *)&sin, &len) && sin.sin_family == AF_INET &&
		    sin.sin_addr.s_addr == addr.s_addr && sin.sin_port == htons(port)) {
			listen(fd, LISTEN_BACKLOG);
			return;
		}
	}
}

int router_forward(struct router *r, struct in_addr addr, uint16_t port, uint16_t guest_port,
		   bool udp, struct err *err)
{
	const struct in_addr guest = { .s_addr = htonl(GUARD_GUEST) };
	int code = udp ? udp_free(addr, port) : 0;

	errno = 0;
	if (!code && slirp_add_hostfwd(r->slirp, udp, addr, port, guest, guest_port) < 0)
		code = errno ? errno : EINVAL;
	if (code)
		return forward_error(code, addr, port, udp, err);
	if (udp)
		peers_forward(&r->peers, guest_port);
	else
		widen_backlog(addr, port);
	return 0;
}
