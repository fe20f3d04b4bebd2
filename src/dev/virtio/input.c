/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/virtio/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

enum { EVENTS = 0, STATUS = 1, QUEUES = 2, QUEUE_SIZE = 64 };

/* Configuration (virtio 1.2 §5.8.4): the driver selects, then reads size and data. */
enum {
	CFG_SELECT = 0,
	CFG_SUBSEL = 1,
	CFG_SIZE = 2,
	CFG_DATA = 8,
	CFG_BYTES = CFG_DATA + 128,

	SELECT_NAME = 0x01,
	SELECT_SERIAL = 0x02,
	SELECT_DEVIDS = 0x03,
	SELECT_EV_BITS = 0x11,
};

/* Linux's numbers for input events, which virtio takes over (§5.8.6). */
enum { EV_SYN = 0, EV_KEY = 1, KEY_POWER = 116, BUS_VIRTUAL = 6, EVENT_BYTES = 8 };

static const char device_name[] = "hospes power button";

/* What one press of the key sends. */
static const struct {
	uint16_t type, code;
	uint32_t value;
} press[] = {
	{ EV_KEY, KEY_POWER, 1 },
	{ EV_SYN, 0, 0 },
	{ EV_KEY, KEY_POWER, 0 },
	{ EV_SYN, 0, 0 },
};

struct input {
	struct virtio v;
	struct virtq_chain chain;	/* scratch */
	unsigned sent;			/* events of press[] sent; all of them: nothing to do */
	uint8_t select, subsel;		/* [lock] */
};

/* ---- configuration, [lock] ----------------------------------------------------------------- */

/* Writes the selected item into data and returns its size; 0: there is none. */
static uint8_t config_item(const struct input *in, uint8_t *data)
{
	const char *text = in->select == SELECT_NAME ? device_name : in->v.name;
	const size_t text_len = strnlen(text, CFG_BYTES - CFG_DATA);

	switch (in->select) {
	case SELECT_NAME:
	case SELECT_SERIAL:
		if (in->subsel)
			return 0;
		memcpy(data, text, text_len);
		return (uint8_t)text_len;
	case SELECT_DEVIDS:
		if (in->subsel)
			return 0;
		st_le16(data, BUS_VIRTUAL);	/* vendor, product: 0 */
		st_le16(data + 6, 1);		/* version */
		return 8;
	case SELECT_EV_BITS:
		if (in->subsel != EV_KEY)
			return 0;
		data[KEY_POWER / 8] = 1 << KEY_POWER % 8;
		return KEY_POWER / 8 + 1;
	default:				/* no properties, no axes */
		return 0;
	}
}

static void input_get_config(struct virtio *v, uint32_t off, void *buf, uint32_t len)
{
	const struct input *in = container_of(v, struct input, v);
	uint8_t cfg[CFG_BYTES] = { [CFG_SELECT] = in->select, [CFG_SUBSEL] = in->subsel };

	cfg[CFG_SIZE] = config_item(in, cfg + CFG_DATA);
	memcpy(buf, cfg + off, len);
}

static void input_set_config(struct virtio *v, uint32_t off, const void *buf, uint32_t len)
{
	struct input *in = container_of(v, struct input, v);
	const uint8_t *bytes = buf;

	for (uint32_t i = 0; i < len; i++) {
		if (off + i == CFG_SELECT)
			in->select = bytes[i];
		else if (off + i == CFG_SUBSEL)
			in->subsel = bytes[i];
	}
}

/* ---- queues, loop thread -------------------------------------------------------------------- */

/* Sends what is left of a press, as far as the driver has posted buffers. */
static void send_events(struct input *in)
{
	struct virtq *q = &in->v.queues[EVENTS];
	struct virtq_chain *c = &in->chain;
	uint8_t event[EVENT_BYTES];
	const char *why;
	int rc = 0;

	while (in->sent < ARRAY_LEN(press)) {
		rc = virtq_pop(q, c, &why);
		if (rc <= 0)
			break;
		if (c->in_bytes < EVENT_BYTES) {
			rc = -1;
			why = "a buffer is too small for an event";
			break;
		}
		st_le16(event, press[in->sent].type);
		st_le16(event + 2, press[in->sent].code);
		st_le32(event + 4, press[in->sent].value);
		iov_write(c->iov + c->out_count, c->in_count, 0, event, sizeof(event));
		virtq_push(q, c->head, EVENT_BYTES);
		in->sent++;
	}
	virtio_push_done(&in->v, EVENTS);
	if (rc < 0)
		virtio_break(&in->v, EVENTS, why);
}

/* What the driver tells the device (LEDs) means nothing to one key. */
static void take_status(struct input *in)
{
	struct virtq *q = &in->v.queues[STATUS];
	const char *why;
	int rc = 1;

	for (unsigned i = 0; i < QUEUE_SIZE; i++) {
		rc = virtq_pop(q, &in->chain, &why);
		if (rc <= 0)
			break;
		virtq_push(q, in->chain.head, 0);
	}
	virtio_push_done(&in->v, STATUS);
	if (rc < 0)
		virtio_break(&in->v, STATUS, why);
	else if (rc > 0)
		virtio_again(&in->v, STATUS);
}

static void input_notify(struct virtio *v, unsigned n)
{
	struct input *in = container_of(v, struct input, v);

	if (n == EVENTS)
		send_events(in);
	else
		take_status(in);
}

void virtio_input_press_power(struct virtio *v)
{
	struct input *in = container_of(v, struct input, v);

	if (!v->running || in->sent < ARRAY_LEN(press))
		return;
	in->sent = 0;
	send_events(in);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void input_reset(struct virtio *v)
{
	struct input *in = container_of(v, struct input, v);

	in->sent = ARRAY_LEN(press);
	pthread_mutex_lock(&v->lock);
	in->select = in->subsel = 0;
	pthread_mutex_unlock(&v->lock);
	virtio_reset_done(v);
}

static void input_fini(struct virtio *v)
{
	free(container_of(v, struct input, v));
}

static const struct virtio_ops input_ops = {
	.name = "virtio-input",
	.id = VIRTIO_ID_INPUT,
	.config_size = CFG_BYTES,
	.get_config = input_get_config,
	.set_config = input_set_config,
	.notify = input_notify,
	.reset = input_reset,
	.fini = input_fini,
};

int virtio_input_new(struct virtio **out, struct vm *vm, const char *name, struct err *err)
{
	struct input *in = calloc(1, sizeof(*in));

	if (!in)
		return err_sys(err, -ENOMEM, "%s", name);
	in->sent = ARRAY_LEN(press);
	virtio_init(&in->v, vm, &input_ops, name, QUEUES, QUEUE_SIZE);
	*out = &in->v;
	return 0;
}
