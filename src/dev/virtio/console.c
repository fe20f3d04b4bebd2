/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues (virtio 1.2 §5.3.2): receive and transmit of port 0, receive and transmit of control
 * messages, then receive and transmit of port 1 and so on; "receive" is the guest's.
 *
 * Nothing is buffered here. Input stays in its channel until the guest has a buffer for it,
 * output in the guest's queue until the channel has room. What the guest is to be told of a
 * port is a set of pending events, each sent with the state of that moment when the guest
 * posts a control buffer; so a guest that never does costs nothing.
 *
 * A port's data flows to the guest while the guest has it open. Drivers without MULTIPORT know
 * port 0 only and have it open always.
 */
#include "dev/virtio/console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

enum {
	F_MULTIPORT = 1,

	PORT0_RX = 0,
	CONTROL_RX = 2,
	CONTROL_TX = 3,
	QUEUE_SIZE = 128,
	CHAINS_AT_A_TIME = 64,

	CONFIG_BYTES = 12,		/* u16 columns, rows; u32 max_nr_ports, emerg_wr */
	CONFIG_MAX_PORTS = 4,
	CONTROL_BYTES = 8,		/* u32 port; u16 event; u16 value */
	COPY_BYTES = 4096,
	INPUT_MOST = 64 * 1024,
};

_Static_assert(2 * VIRTIO_CONSOLE_MAX_PORTS + 2 <= VIRTIO_MAX_QUEUES, "a queue for each port");

/* Control events (§5.3.6.2). */
enum {
	EVENT_DEVICE_READY = 0,
	EVENT_PORT_ADD = 1,
	EVENT_PORT_READY = 3,
	EVENT_CONSOLE_PORT = 4,
	EVENT_PORT_OPEN = 6,
	EVENT_PORT_NAME = 7,
};

struct console;

struct port {
	struct console *owner;
	unsigned id;
	struct chan *chan;		/* NULL: output is dropped, there is no input */
	char name[VIRTIO_CONSOLE_NAME_BYTES];	/* "": it has none */
	bool guest_open, host_open;
	bool guest_ready;		/* the guest has set the port up */
	uint8_t pending;		/* bit n: event n is to be told */
	uint64_t sent;			/* bytes already sent of the first chain to transmit */
};

struct console {
	struct virtio v;
	struct port ports[VIRTIO_CONSOLE_MAX_PORTS];
	unsigned port_count;
	struct virtq_chain chain;	/* scratch */
	uint8_t copy[COPY_BYTES];	/* scratch */
};

static unsigned rx_queue(unsigned port)
{
	return port ? 2 * port + 2 : PORT0_RX;
}

/* ---- telling the guest ---------------------------------------------------------------------- */

static uint16_t event_value(const struct port *p, unsigned event)
{
	return event == EVENT_PORT_OPEN ? p->host_open : 1;
}

/* Writes one control message into the chain popped last; false: it does not fit. */
static bool put_message(struct console *c, const struct port *p, unsigned event)
{
	const struct virtq_chain *chain = &c->chain;
	uint8_t message[CONTROL_BYTES + VIRTIO_CONSOLE_NAME_BYTES];
	uint32_t len = CONTROL_BYTES;

	st_le32(message, p->id);
	st_le16(message + 4, (uint16_t)event);
	st_le16(message + 6, event_value(p, event));
	if (event == EVENT_PORT_NAME) {
		memcpy(message + len, p->name, strlen(p->name));
		len += (uint32_t)strlen(p->name);
	}
	if (chain->in_bytes < len)
		return false;
	iov_write(chain->iov + chain->out_count, chain->in_count, 0, message, len);
	virtq_push(&c->v.queues[CONTROL_RX], chain->head, len);
	return true;
}

/* Sends pending events of one port; 1 all sent, 0 no buffer left, -1 the driver's mistake. */
static int tell_port(struct console *c, struct port *p, const char **why)
{
	while (p->pending) {
		const unsigned event = (unsigned)__builtin_ctz(p->pending);
		const int rc = virtq_pop(&c->v.queues[CONTROL_RX], &c->chain, why);

		if (rc <= 0)
			return rc;
		if (!put_message(c, p, event)) {
			*why = "a buffer is too small for a control message";
			return -1;
		}
		p->pending &= (uint8_t)~BIT(event);
	}
	return 1;
}

static void tell_guest(struct console *c)
{
	const char *why;
	int rc = 1;

	for (unsigned i = 0; i < c->port_count && rc > 0; i++)
		rc = tell_port(c, &c->ports[i], &why);
	virtio_push_done(&c->v, CONTROL_RX);
	if (rc < 0)
		virtio_break(&c->v, CONTROL_RX, why);
}

/* ---- what the guest tells ------------------------------------------------------------------- */

static void port_ready(struct port *p)
{
	p->guest_ready = true;
	if (p->id == 0)
		p->pending |= BIT(EVENT_CONSOLE_PORT);
	if (p->name[0])
		p->pending |= BIT(EVENT_PORT_NAME);
	if (p->host_open)
		p->pending |= BIT(EVENT_PORT_OPEN);
}

static bool port_exists(const struct port *p)
{
	return p->chan;
}

static void take_message(struct console *c, const uint8_t *message)
{
	const uint32_t id = ld_le32(message);
	const uint16_t event = ld_le16(message + 4), value = ld_le16(message + 6);

	if (event == EVENT_DEVICE_READY && value) {
		for (unsigned i = 0; i < c->port_count; i++)
			if (port_exists(&c->ports[i]))
				c->ports[i].pending |= BIT(EVENT_PORT_ADD);
		return;
	}
	if (id >= c->port_count || !port_exists(&c->ports[id]))
		return;
	if (event == EVENT_PORT_READY && value) {
		port_ready(&c->ports[id]);
	} else if (event == EVENT_PORT_OPEN) {
		c->ports[id].guest_open = value;
		chan_input_ready(c->ports[id].chan);
	}
}

static void take_control(struct console *c)
{
	struct virtq *q = &c->v.queues[CONTROL_TX];
	uint8_t message[CONTROL_BYTES];
	const char *why;
	int rc = 1;

	for (unsigned i = 0; i < CHAINS_AT_A_TIME; i++) {
		rc = virtq_pop(q, &c->chain, &why);
		if (rc <= 0)
			break;
		if (iov_read(c->chain.iov, c->chain.out_count, 0, message, CONTROL_BYTES) ==
		    CONTROL_BYTES)
			take_message(c, message);
		virtq_push(q, c->chain.head, 0);
	}
	virtio_push_done(&c->v, CONTROL_TX);
	if (rc < 0)
		virtio_break(&c->v, CONTROL_TX, why);
	else if (rc > 0)
		virtio_again(&c->v, CONTROL_TX);
	tell_guest(c);
}

/* ---- data from the guest -------------------------------------------------------------------- */

/* Sends the chain from where it stopped; true: all of it is sent. */
static bool send_chain(struct console *c, struct port *p)
{
	const struct virtq_chain *chain = &c->chain;
	size_t room = p->chan ? chan_out_room(p->chan) : 0;

	if (!p->chan)
		return true;
	while (p->sent < chain->out_bytes && room) {
		const uint64_t len = iov_read(chain->iov, chain->out_count, p->sent, c->copy,
					      room < COPY_BYTES ? room : COPY_BYTES);

		chan_write(p->chan, c->copy, len);
		p->sent += len;
		room -= len;
	}
	return p->sent >= chain->out_bytes;
}

static void transmit(struct console *c, struct port *p)
{
	const unsigned n = rx_queue(p->id) + 1;
	struct virtq *q = &c->v.queues[n];
	const char *why;
	int rc = 1;

	for (unsigned i = 0; i < CHAINS_AT_A_TIME; i++) {
		rc = virtq_pop(q, &c->chain, &why);
		if (rc <= 0)
			break;
		if (!send_chain(c, p)) {
			virtq_unpop(q);
			rc = 0;
			break;
		}
		p->sent = 0;
		virtq_push(q, c->chain.head, 0);
	}
	virtio_push_done(&c->v, n);
	if (rc < 0)
		virtio_break(&c->v, n, why);
	else if (rc > 0)
		virtio_again(&c->v, n);
}

/* ---- the channels --------------------------------------------------------------------------- */

static void port_drained(void *opaque)
{
	struct port *p = opaque;

	transmit(p->owner, p);
}

/* Looks at the next receive buffer without taking it. */
static size_t port_room(void *opaque)
{
	struct port *p = opaque;
	struct console *c = p->owner;
	const unsigned n = rx_queue(p->id);
	const char *why;
	int rc;

	if (!p->guest_open)
		return 0;
	rc = virtq_pop(&c->v.queues[n], &c->chain, &why);
	if (!rc)
		return 0;
	if (rc > 0) {
		virtq_unpop(&c->v.queues[n]);
		if (c->chain.in_bytes)
			return c->chain.in_bytes < INPUT_MOST ? c->chain.in_bytes : INPUT_MOST;
		why = "a receive buffer cannot be written";
	}
	virtio_break(&c->v, n, why);
	return 0;
}

static void port_input(void *opaque, const uint8_t *buf, size_t len)
{
	struct port *p = opaque;
	struct console *c = p->owner;
	const unsigned n = rx_queue(p->id);
	struct virtq *q = &c->v.queues[n];
	const char *why;
	uint64_t part = 1;
	int rc = 1;

	while (len && part) {
		/* The driver may have changed its mind since port_room(): then the rest is lost. */
		rc = virtq_pop(q, &c->chain, &why);
		if (rc <= 0)
			break;
		part = iov_write(c->chain.iov + c->chain.out_count, c->chain.in_count, 0, buf, len);
		virtq_push(q, c->chain.head, (uint32_t)part);
		buf += part;
		len -= part;
	}
	virtio_push_done(&c->v, n);
	if (rc < 0)
		virtio_break(&c->v, n, why);
}

static void port_open(void *opaque, bool open)
{
	struct port *p = opaque;

	p->host_open = open;
	if (!p->guest_ready)
		return;
	p->pending |= BIT(EVENT_PORT_OPEN);
	tell_guest(p->owner);
}

static const struct chan_ops port_chan_ops = {
	.room = port_room,
	.input = port_input,
	.drained = port_drained,
	.open = port_open,
};

/* ---- the device ----------------------------------------------------------------------------- */

static void console_get_config(struct virtio *v, uint32_t off, void *buf, uint32_t len)
{
	const struct console *c = container_of(v, struct console, v);
	uint8_t cfg[CONFIG_BYTES] = { 0 };

	st_le32(cfg + CONFIG_MAX_PORTS, c->port_count);
	memcpy(buf, cfg + off, len);
}

static void console_start(struct virtio *v)
{
	struct console *c = container_of(v, struct console, v);

	if (!virtio_has(v, F_MULTIPORT))
		c->ports[0].guest_open = true;
}

static void console_notify(struct virtio *v, unsigned n)
{
	struct console *c = container_of(v, struct console, v);
	struct port *p = &c->ports[n < CONTROL_RX ? 0 : (n - 2) / 2];

	if (n == CONTROL_RX)
		tell_guest(c);
	else if (n == CONTROL_TX)
		take_control(c);
	else if (n % 2)
		transmit(c, p);
	else if (p->chan)
		chan_input_ready(p->chan);
}

static void console_reset(struct virtio *v)
{
	struct console *c = container_of(v, struct console, v);

	for (unsigned i = 0; i < c->port_count; i++) {
		struct port *p = &c->ports[i];

		p->guest_open = p->guest_ready = false;
		p->pending = 0;
		p->sent = 0;
	}
	virtio_reset_done(v);
}

static void console_fini(struct virtio *v)
{
	struct console *c = container_of(v, struct console, v);

	for (unsigned i = 0; i < c->port_count; i++)
		chan_free(c->ports[i].chan);
	free(c);
}

static const struct virtio_ops console_ops = {
	.name = "virtio-console",
	.id = VIRTIO_ID_CONSOLE,
	.features = BIT(F_MULTIPORT),
	.config_size = CONFIG_BYTES,
	.get_config = console_get_config,
	.start = console_start,
	.notify = console_notify,
	.reset = console_reset,
	.fini = console_fini,
};

static void port_init(struct console *c, unsigned id, const char *name, struct chan *chan)
{
	struct port *p = &c->ports[id];

	p->owner = c;
	p->id = id;
	p->chan = chan;
	memcpy(p->name, name, strlen(name));
	if (chan)
		chan_attach(chan, &port_chan_ops, p);
}

static int check_cfg(const char *name, const struct virtio_console_cfg *cfg, struct err *err)
{
	for (unsigned i = 0; i < cfg->port_count; i++)
		if (strlen(cfg->ports[i].name) >= VIRTIO_CONSOLE_NAME_BYTES)
			return err_set(err, -EINVAL,
				       "%s: the port name %s is too long (at most %d bytes)", name,
				       cfg->ports[i].name, VIRTIO_CONSOLE_NAME_BYTES - 1);
	return 0;
}

static void free_chans(const struct virtio_console_cfg *cfg)
{
	chan_free(cfg->console);
	for (unsigned i = 0; i < cfg->port_count; i++)
		chan_free(cfg->ports[i].chan);
}

int virtio_console_new(struct virtio **out, struct vm *vm, const char *name,
		       const struct virtio_console_cfg *cfg, struct err *err)
{
	struct console *c;
	int rc = check_cfg(name, cfg, err);

	c = rc ? NULL : calloc(1, sizeof(*c));
	if (!c) {
		free_chans(cfg);
		return rc ? rc : err_sys(err, -ENOMEM, "%s", name);
	}
	c->port_count = cfg->port_count + 1;
	port_init(c, 0, "", cfg->console);
	for (unsigned i = 0; i < cfg->port_count; i++)
		port_init(c, i + 1, cfg->ports[i].name, cfg->ports[i].chan);
	virtio_init(&c->v, vm, &console_ops, name, 2 * c->port_count + 2, QUEUE_SIZE);
	*out = &c->v;
	return 0;
}
