/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/uart/uart16550.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"

/* Registers by offset; the names are the data sheet's. */
enum { RBR_THR_DLL, IER_DLM, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

enum { IER_RX = 1, IER_TX = 2, IER_LINE = 4, IER_MODEM = 8 };
enum { IIR_MODEM = 0x0, IIR_NONE = 0x1, IIR_TX = 0x2, IIR_RX = 0x4, IIR_LINE = 0x6,
       IIR_TIMEOUT = 0xc, IIR_FIFO = 0xc0 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2, FCR_TRIGGER_SHIFT = 6 };
enum { LCR_BREAK = 0x40, LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16, MCR_BITS = 31 };
enum { LSR_DATA = 1, LSR_OVERRUN = 2, LSR_THR_EMPTY = 0x20, LSR_IDLE = 0x40 };
enum { MSR_DCTS = 1, MSR_DDSR = 2, MSR_TERI = 4, MSR_DDCD = 8, MSR_CTS = 0x10, MSR_DSR = 0x20,
       MSR_RI = 0x40, MSR_DCD = 0x80 };

enum { FIFO = 16, MAP_BYTES = 0x100 };

struct uart16550 {
	struct dev dev;
	struct chan *chan;
	struct irq_line irq;

	pthread_mutex_t lock;		/* everything below */
	uint8_t ier, fcr, lcr, mcr, msr, scr, dll, dlm;
	bool overrun;
	bool tx_irq;			/* THR-empty interrupt not yet acknowledged */
	uint8_t fifo[FIFO];
	unsigned head, count;
};

static unsigned capacity(const struct uart16550 *u)
{
	return u->fcr & FCR_ENABLE ? FIFO : 1;
}

static unsigned trigger(const struct uart16550 *u)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	return u->fcr & FCR_ENABLE ? levels[u->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

/* The interrupt of highest priority (data sheet, table III). */
static uint8_t interrupt_id(const struct uart16550 *u)
{
	if ((u->ier & IER_LINE) && u->overrun)
		return IIR_LINE;
	if ((u->ier & IER_RX) && u->count >= trigger(u))
		return IIR_RX;
	/* A line without speed is idle whenever bytes wait below the trigger: time-out at once. */
	if ((u->ier & IER_RX) && u->count)
		return IIR_TIMEOUT;
	if ((u->ier & IER_TX) && u->tx_irq)
		return IIR_TX;
	if ((u->ier & IER_MODEM) && (u->msr & (MSR_DCTS | MSR_DDSR | MSR_TERI | MSR_DDCD)))
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_irq(struct uart16550 *u)
{
	irq_set(&u->irq, interrupt_id(u) != IIR_NONE);
}

static void receive(struct uart16550 *u, uint8_t byte)
{
	if (u->count == capacity(u)) {
		u->overrun = true;
		return;
	}
	u->fifo[(u->head + u->count++) % FIFO] = byte;
}

/* Modem lines: CTS, DSR and DCD are there; in loopback they follow MCR's outputs. */
static void update_modem(struct uart16550 *u)
{
	uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD, changed;

	if (u->mcr & MCR_LOOP)
		lines = (uint8_t)((u->mcr & MCR_RTS ? MSR_CTS : 0) |
				  (u->mcr & MCR_DTR ? MSR_DSR : 0) |
				  (u->mcr & MCR_OUT1 ? MSR_RI : 0) |
				  (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
	changed = (uint8_t)((u->msr ^ lines) & 0xf0);
	/* The RI delta tells the trailing edge only. */
	if (lines & MSR_RI)
		changed &= (uint8_t)~MSR_RI;
	u->msr = (uint8_t)(lines | (u->msr & 0x0f) | changed >> 4);
}

static uint8_t read_data(struct uart16550 *u)
{
	uint8_t byte = 0;

	if (u->count) {
		byte = u->fifo[u->head];
		u->head = (u->head + 1) % FIFO;
		u->count--;
	}
	return byte;
}

static uint8_t reg_read(struct uart16550 *u, unsigned reg)
{
	uint8_t value;

	switch (reg) {
	case RBR_THR_DLL:
		return u->lcr & LCR_DLAB ? u->dll : read_data(u);
	case IER_DLM:
		return u->lcr & LCR_DLAB ? u->dlm : u->ier;
	case IIR_FCR:
		value = interrupt_id(u);
		if (value == IIR_TX)
			u->tx_irq = false;
		return (uint8_t)(value | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0));
	case LCR:
		return u->lcr;
	case MCR:
		return u->mcr;
	case LSR:
		value = (uint8_t)(LSR_THR_EMPTY | LSR_IDLE | (u->count ? LSR_DATA : 0) |
				  (u->overrun ? LSR_OVERRUN : 0));
		u->overrun = false;
		return value;
	case MSR:
		value = u->msr;
		u->msr &= 0xf0;
		return value;
	default:
		return u->scr;
	}
}

static bool uart_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	struct uart16550 *u = opaque;
	bool had_data;

	pthread_mutex_lock(&u->lock);
	had_data = u->count;
	/* Wider accesses read one register, as on the byte-wide part. */
	*value = reg_read(u, off & 7);
	update_irq(u);
	had_data = had_data && u->count < capacity(u);
	pthread_mutex_unlock(&u->lock);
	if (had_data && (off & 7) == RBR_THR_DLL && u->chan)
		chan_input_ready(u->chan);
	return true;
}

static void write_fcr(struct uart16550 *u, uint8_t value)
{
	/* Turning the FIFO on or off empties it; so does the clear bit, which does not stay. */
	if (((u->fcr ^ value) & FCR_ENABLE) || (value & FCR_CLEAR_RX))
		u->head = u->count = 0;
	u->fcr = value & FCR_ENABLE ? value & (FCR_ENABLE | 3u << FCR_TRIGGER_SHIFT) : 0;
}

/* True when value is to be sent (outside the lock). */
static bool reg_write(struct uart16550 *u, unsigned reg, uint8_t value)
{
	switch (reg) {
	case RBR_THR_DLL:
		if (u->lcr & LCR_DLAB) {
			u->dll = value;
			break;
		}
		u->tx_irq = true;
		if (!(u->mcr & MCR_LOOP))
			return true;
		receive(u, value);
		break;
	case IER_DLM:
		if (u->lcr & LCR_DLAB) {
			u->dlm = value;
			break;
		}
		if (value & ~u->ier & IER_TX)
			u->tx_irq = true;
		u->ier = value & 0x0f;
		break;
	case IIR_FCR:
		write_fcr(u, value);
		break;
	case LCR:
		u->lcr = value;
		break;
	case MCR:
		u->mcr = value & MCR_BITS;
		update_modem(u);
		break;
	case SCR:
		u->scr = value;
		break;
	default:
		break;
	}
	return false;
}

static bool uart_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct uart16550 *u = opaque;
	uint8_t byte = (uint8_t)value;
	bool send;

	pthread_mutex_lock(&u->lock);
	send = reg_write(u, off & 7, byte);
	update_irq(u);
	pthread_mutex_unlock(&u->lock);
	if (!u->chan)
		return true;
	if (send)
		chan_write(u->chan, &byte, 1);
	else if ((off & 7) == IIR_FCR || (off & 7) == MCR)
		chan_input_ready(u->chan);
	return true;
}

static size_t chan_room(void *opaque)
{
	struct uart16550 *u = opaque;
	size_t room;

	pthread_mutex_lock(&u->lock);
	room = u->mcr & MCR_LOOP ? 0 : capacity(u) - u->count;
	pthread_mutex_unlock(&u->lock);
	return room;
}

static void chan_input(void *opaque, const uint8_t *buf, size_t len)
{
	struct uart16550 *u = opaque;

	pthread_mutex_lock(&u->lock);
	for (size_t i = 0; i < len; i++)
		receive(u, buf[i]);
	update_irq(u);
	pthread_mutex_unlock(&u->lock);
}

static void uart_reset(struct dev *d)
{
	struct uart16550 *u = container_of(d, struct uart16550, dev);

	pthread_mutex_lock(&u->lock);
	u->ier = u->fcr = u->lcr = u->mcr = u->scr = u->dll = u->dlm = 0;
	u->msr = MSR_CTS | MSR_DSR | MSR_DCD;
	u->overrun = u->tx_irq = false;
	u->head = u->count = 0;
	update_irq(u);
	pthread_mutex_unlock(&u->lock);
	if (u->chan)
		chan_input_ready(u->chan);
}

static void uart_fini(struct dev *d)
{
	struct uart16550 *u = container_of(d, struct uart16550, dev);

	chan_free(u->chan);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

int uart16550_new(struct vm *vm, const struct uart16550_cfg *cfg, struct uart16550 **out,
		  struct err *err)
{
	static const struct dev_ops dev_ops = { .reset = uart_reset, .fini = uart_fini };
	static const struct bus_ops bus_ops = { uart_read, uart_write };
	static const struct chan_ops chan_ops = { .room = chan_room, .input = chan_input };
	struct uart16550 *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return err_set(err, -ENOMEM, "%s: out of memory", cfg->name);
	u->dev.ops = &dev_ops;
	u->dev.name = cfg->name;
	u->irq = cfg->irq;
	pthread_mutex_init(&u->lock, NULL);
	rc = bus_map(&vm->bus, &(struct bus_region){ cfg->base, MAP_BYTES, &bus_ops, u, cfg->name },
		     err);
	if (rc) {
		uart_fini(&u->dev);
		return rc;
	}
	u->chan = cfg->chan;
	if (u->chan)
		chan_attach(u->chan, &chan_ops, u);
	uart_reset(&u->dev);
	vm_add_dev(vm, &u->dev);
	*out = u;
	return 0;
}
