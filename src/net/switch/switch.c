/* SPDX-License-Identifier: Apache-2.0 */
#include "net/switch/switch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "net/switch/host.h"
#include "net/user_wire.h"

enum { BATCH = 16 };
#define NS_PER_MS UINT64_C(1000000)

struct sw {
	struct switch_cfg cfg;
	struct loop *loop;
	struct loop_fd listener, signals;
	struct loop_timer linger;
	struct lan lan;
	struct host host;
	struct gate6 gate6;
	unsigned last_owner;		/* of gate6, given to a port */
	unsigned count, strangers;	/* ports in use but the router; of these silent ones */
	struct port ports[SWITCH_PORTS];
	struct port router;
	struct log_limit log;
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	uint8_t bufs[BATCH][WIRE_MAX];
};

/* ---- ports ------------------------------------------------------------------------------- */

static struct port *find_mac(struct sw *s, const uint8_t *mac)
{
	for (unsigned i = 0; i < SWITCH_PORTS; i++)
		if (s->ports[i].state == PORT_UP && !memcmp(s->ports[i].gate.mac, mac, 6))
			return &s->ports[i];
	return NULL;
}

static void consider_the_end(struct sw *s)
{
	if (s->cfg.lock >= 0 && !s->count)
		loop_timer_arm(s->loop, &s->linger,
			       loop_now_ns() + SWITCH_LINGER_MS * NS_PER_MS);
}

static void close_port(struct sw *s, struct port *p)
{
	if (p->state == PORT_UP)
		log_info("port of '%s' closed", p->name);
	else if (p->state == PORT_ROUTER)
		log_warn("the network's router has gone: there is no way out any more");
	if (p->state == PORT_ROUTER)
		s->cfg.router = -1;
	else
		s->count--;
	s->strangers -= p->state == PORT_STRANGER;
	loop_fd_del(s->loop, &p->watch);
	loop_timer_cancel(s->loop, &p->patience);
	close(p->watch.fd);
	gate_close(&p->gate);
	outq_fini(&p->out);
	memset(p, 0, sizeof(*p));
	consider_the_end(s);
}

/* Sends what waits, wherever there is room. */
static void flush_all(struct sw *s)
{
	for (unsigned i = 0; i <= SWITCH_PORTS; i++) {
		struct port *p = i < SWITCH_PORTS ? &s->ports[i] : &s->router;

		if (p->state < PORT_UP || !p->out.used || p->blocked)
			continue;
		port_flush(p);
		if (p->blocked)
			loop_fd_set(s->loop, &p->watch, LOOP_IN | LOOP_OUT);
	}
}

/* ---- frames ------------------------------------------------------------------------------ */

static void from_host(struct sw *s, struct port *back, enum host_to to, size_t len)
{
	struct frame f = { .data = s->host.buf, .len = len };

	if (to == HOST_ROUTER)
		back = s->router.state ? &s->router : NULL;
	else if (to == HOST_ELSEWHERE)
		back = find_mac(s, s->host.buf);
	if (to != HOST_NOTHING && back)
		port_queue(back, &f);
}

/* To the port, or to all but the sender, that the destination's MAC address names. */
static void forward(struct sw *s, struct port *from, const struct frame *f)
{
	struct port *to = NULL;

	if (f->data[0] & 1) {
		for (unsigned i = 0; i < SWITCH_PORTS; i++)
			if (s->ports[i].state == PORT_UP && &s->ports[i] != from)
				port_queue(&s->ports[i], f);
	} else {
		to = find_mac(s, f->data);
	}
	if (s->router.state && from != &s->router &&
	    (f->data[0] & 1 || !memcmp(f->data, s->host.router_mac, 6)))
		to = &s->router;
	if (to && to != from)
		port_queue(to, f);
}

static void handle_frame(struct sw *s, struct port *p, const struct frame *f)
{
	struct dhcp_client c = { .addr = p->gate.addr, .name = p->name };
	bool router = p->state == PORT_ROUTER, dhcp;
	enum host_to to;
	size_t len = 0;

	if (router ? !gate_router(s->lan.net, s->host.router_mac, f->data, f->len)
		   : !gate_input(&p->gate, f->data, f->len)) {
		log_limited(&p->log, "'%s' sent a frame that is not in its own name, or of a kind "
			    "that does not pass", p->name);
		return;
	}
	memcpy(c.mac, p->gate.mac, 6);
	dhcp = host_is_dhcp(f->data, f->len);
	if (dhcp || f->data[0] & 1 || !memcmp(f->data, s->host.mac, 6)) {
		to = host_input(&s->host, router ? NULL : &c, f->data, f->len, &len);
		from_host(s, p, to, len);
	}
	if (!dhcp)
		forward(s, p, f);
}

static void handle_message(struct sw *s, struct port *p, uint8_t *msg, size_t len)
{
	struct frame f = { .len = 0 };

	if (len == WIRE_CONTROL_BYTES && msg[0] == WIRE_CONTROL && msg[1] == WIRE_OFFLOADS)
		p->offloads = ld_le32(msg + 4);
	else if (frame_take(&f, msg, len))
		handle_frame(s, p, &f);
}

/* False: the other end has closed. */
static bool receive(struct sw *s, struct port *p)
{
	int n = recvmmsg(p->watch.fd, s->msgs, BATCH, MSG_DONTWAIT, NULL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	for (int i = 0; i < n; i++) {
		if (!s->msgs[i].msg_len)
			return false;
		if (!(s->msgs[i].msg_hdr.msg_flags & MSG_TRUNC))
			handle_message(s, p, s->bufs[i], s->msgs[i].msg_len);
	}
	return true;
}

static void on_frames(struct sw *s, struct port *p, unsigned events)
{
	if (events & LOOP_OUT && p->blocked) {
		p->blocked = false;
		loop_fd_set(s->loop, &p->watch, LOOP_IN);
	}
	if (events & LOOP_IN && !receive(s, p))
		close_port(s, p);
	flush_all(s);
}

/* ---- hello ------------------------------------------------------------------------------- */

/* One message, to a socket that has been sent nothing yet and so has room. */
static void reply(const struct port *p, uint8_t status, const char *text)
{
	char msg[HELLO_REPLY_MAX];
	size_t n = strnlen(text, sizeof(msg) - 1);

	msg[0] = (char)status;
	memcpy(msg + 1, text, n);
	if (send(p->watch.fd, msg, n + 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("a connection did not wait for its answer");
}

/* The port's address and queue; -errno with a sentence. */
static int open_port(struct sw *s, struct port *p, const struct hello *h, struct err *err)
{
	bool taken[LAN_HOSTS] = { false };
	struct port *old = find_mac(s, h->mac);
	int host;

	if (old && strcmp(old->name, h->name))
		return err_set(err, -EEXIST, "its MAC address is that of '%s' on this network: "
			       "give one of the two another", old->name);
	if (!memcmp(h->mac, s->host.mac, 2))
		return err_set(err, -EINVAL, "MAC addresses that begin with 52:55 are the "
			       "network's own: give the VM another");
	if (old)
		close_port(s, old);
	for (unsigned i = 0; i < SWITCH_PORTS; i++)
		if (s->ports[i].state == PORT_UP)
			taken[s->ports[i].host] = true;
	host = lan_assign(&s->lan, h->mac, taken);
	if (host < 0)
		return err_set(err, -ENOSPC, "the network has no address left");
	if (outq_init(&p->out, PORT_QUEUE_BYTES))
		return err_set(err, -ENOMEM, "no memory for another port");
	p->host = (unsigned)host;
	p->gate = (struct gate){
		.all = &s->gate6,
		.owner = ++s->last_owner ? s->last_owner : ++s->last_owner,
		.addr = lan_addr(&s->lan, p->host),
	};
	memcpy(p->gate.mac, h->mac, 6);
	strcpy(p->name, h->name);
	return 0;
}

static void on_hello(struct sw *s, struct port *p)
{
	const int room = PORT_QUEUE_BYTES;
	char text[INET_ADDRSTRLEN];
	uint8_t msg[HELLO_MAX + 1];
	struct in_addr addr;
	struct hello h;
	struct err err;
	ssize_t n = recv(p->watch.fd, msg, sizeof(msg), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !hello_parse(&h, msg, (size_t)n)) {
		if (n > 0)
			reply(p, HELLO_REFUSED, "that is no hello that this version understands");
		close_port(s, p);
		return;
	}
	if (open_port(s, p, &h, &err)) {
		reply(p, HELLO_REFUSED, err.msg);
		close_port(s, p);
		return;
	}
	s->strangers--;
	p->state = PORT_UP;
	loop_timer_cancel(s->loop, &p->patience);
	setsockopt(p->watch.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	addr.s_addr = htonl(p->gate.addr);
	inet_ntop(AF_INET, &addr, text, sizeof(text));
	log_info("port of '%s' opened: %s", p->name, text);
	reply(p, HELLO_OK, text);
}

static void on_port(struct loop_fd *w, unsigned events)
{
	struct port *p = container_of(w, struct port, watch);
	struct sw *s = p->sw;

	if (p->state == PORT_STRANGER)
		on_hello(s, p);
	else
		on_frames(s, p, events);
}

static void on_silence(struct loop_timer *t)
{
	struct port *p = container_of(t, struct port, patience);

	close_port(p->sw, p);
}

static void admit(struct sw *s, int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);
	struct port *p = s->ports;

	while (p < s->ports + SWITCH_PORTS && p->state != PORT_FREE)
		p++;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    (peer.uid && peer.uid != s->cfg.owner)) {
		log_limited(&s->log, "a connection of user %u was refused", (unsigned)peer.uid);
		close(fd);
		return;
	}
	if (p == s->ports + SWITCH_PORTS || s->strangers == SWITCH_STRANGERS) {
		log_limited(&s->log, "all %d ports are in use: a connection was refused",
			    SWITCH_PORTS);
		close(fd);
		return;
	}
	*p = (struct port){
		.sw = s,
		.watch = { .fd = fd, .fn = on_port },
		.patience = { .fn = on_silence },
		.state = PORT_STRANGER,
	};
	s->count++;
	s->strangers++;
	loop_timer_cancel(s->loop, &s->linger);
	loop_timer_arm(s->loop, &p->patience, loop_now_ns() + HELLO_MS * NS_PER_MS);
	if (loop_fd_set(s->loop, &p->watch, LOOP_IN))
		close_port(s, p);
}

static void on_listener(struct loop_fd *w, unsigned events)
{
	struct sw *s = container_of(w, struct sw, listener);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		admit(s, fd);
}

/* ---- names ------------------------------------------------------------------------------- */

static unsigned addresses_of(void *opaque, const char *name, uint32_t *addr)
{
	struct sw *s = opaque;
	unsigned n = 0;

	for (unsigned i = 0; i < SWITCH_PORTS && n < NAMES_ANSWERS; i++)
		if (s->ports[i].state == PORT_UP && !strcasecmp(s->ports[i].name, name))
			addr[n++] = s->ports[i].gate.addr;
	return n;
}

static const char *name_of(void *opaque, uint32_t addr)
{
	struct sw *s = opaque;

	for (unsigned i = 0; i < SWITCH_PORTS; i++)
		if (s->ports[i].state == PORT_UP && s->ports[i].gate.addr == addr)
			return s->ports[i].name;
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------- */

static void on_linger(struct loop_timer *t)
{
	struct sw *s = container_of(t, struct sw, linger);

	if (s->count)
		return;
	if (flock(s->cfg.lock, LOCK_EX | LOCK_NB))
		consider_the_end(s);	/* somebody is about to connect */
	else
		loop_stop(s->loop);
}

static void on_signal(struct loop_fd *w, unsigned events)
{
	loop_stop(container_of(w, struct sw, signals)->loop);
}

/* The router is told what it may send: everything, as it is cut here for those who need that. */
static int open_router(struct sw *s)
{
	uint8_t msg[WIRE_CONTROL_BYTES] = { WIRE_CONTROL, WIRE_OFFLOADS };
	struct port *p = &s->router;

	if (s->cfg.router < 0)
		return 0;
	*p = (struct port){
		.sw = s,
		.watch = { .fd = s->cfg.router, .fn = on_port },
		.state = PORT_ROUTER,
		.offloads = NET_CSUM | NET_TSO4,
		.name = "the router",
	};
	st_le32(msg + 4, NET_CSUM | NET_TSO4);
	if (outq_init(&p->out, OUTQ_BYTES))
		return -ENOMEM;
	if (send(p->watch.fd, msg, sizeof(msg), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return loop_fd_set(s->loop, &p->watch, LOOP_IN);
}

static int start(struct sw *s, struct err *err)
{
	int rc = loop_new(&s->loop, LOOP_NO_IO, err);

	if (rc)
		return rc;
	rc = loop_fd_set(s->loop, &s->listener, LOOP_IN);
	if (!rc && s->signals.fd >= 0)
		rc = loop_fd_set(s->loop, &s->signals, LOOP_IN);
	if (!rc)
		rc = open_router(s);
	if (rc)
		return err_sys(err, rc, "the switch cannot watch its sockets");
	consider_the_end(s);
	return 0;
}

int switch_new(struct sw **out, const struct switch_cfg *cfg, struct err *err)
{
	struct sw *s = calloc(1, sizeof(*s));
	struct names names = {
		.addresses = addresses_of, .name = name_of, .opaque = s, .net = cfg->net,
		.outside = cfg->router >= 0,
	};
	int rc;

	if (!s)
		return err_set(err, -ENOMEM, "no memory for a switch");
	s->cfg = *cfg;
	s->listener = (struct loop_fd){ .fd = cfg->listener, .fn = on_listener };
	s->signals = (struct loop_fd){ .fd = cfg->signals, .fn = on_signal };
	s->linger.fn = on_linger;
	lan_init(&s->lan, cfg->net, cfg->router >= 0, cfg->table);
	host_init(&s->host, &s->lan, &names);
	for (unsigned i = 0; i < BATCH; i++) {
		s->iov[i] = (struct iovec){ s->bufs[i], WIRE_MAX };
		s->msgs[i].msg_hdr.msg_iov = &s->iov[i];
		s->msgs[i].msg_hdr.msg_iovlen = 1;
	}
	rc = start(s, err);
	if (rc) {
		switch_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void switch_run(struct sw *s)
{
	loop_run(s->loop);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void switch_free(struct sw *s)
{
	if (!s)
		return;
	loop_free(s->loop);
	for (unsigned i = 0; i < SWITCH_PORTS; i++) {
		if (s->ports[i].state != PORT_FREE)
			close(s->ports[i].watch.fd);
		outq_fini(&s->ports[i].out);
	}
	outq_fini(&s->router.out);
	close_fd(s->cfg.listener);
	close_fd(s->cfg.router);
	close_fd(s->cfg.table);
	close_fd(s->cfg.lock);
	close_fd(s->cfg.signals);
	free(s);
}
