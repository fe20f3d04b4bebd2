/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 16550A UART (National Semiconductor PC16550D data sheet, June 1995): eight byte-wide
 * registers, 16-byte receive FIFO, interrupts, loopback. The line has no speed: a byte
 * written is sent at once, received bytes come as fast as the guest takes them.
 *
 * Register accesses come from vCPU threads, input from the loop's thread; one lock.
 */
#ifndef DEV_UART_UART16550_H
#define DEV_UART_UART16550_H

#include "base/chan.h"
#include "core/vm.h"

struct uart16550;

struct uart16550_cfg {
	gpa_t base;			/* 256 bytes are mapped; registers repeat every 8 */
	struct irq_line irq;
	struct chan *chan;		/* taken over; NULL: nothing is connected */
	const char *name;
};

/* Maps itself and joins vm, which owns it from then on. -ENOMEM or bus_map()'s errors. */
int uart16550_new(struct vm *vm, const struct uart16550_cfg *cfg, struct uart16550 **out,
		  struct err *err);

#endif
