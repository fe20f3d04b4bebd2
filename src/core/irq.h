/* SPDX-License-Identifier: Apache-2.0 */
/* How a device reaches whichever interrupt controller the machine has. */
#ifndef CORE_IRQ_H
#define CORE_IRQ_H

#include <stdbool.h>
#include <stdint.h>

/*
 * One wire. set() may be called by any thread, also with the device's lock held; it takes
 * the controller's lock (lock order: device, interrupt controller, vm->lock).
 */
struct irq_line {
	void (*set)(void *opaque, unsigned n, bool level);
	void *opaque;
	unsigned n;
};

/* Level-triggered: true asserts. A zeroed line goes nowhere. */
static inline void irq_set(const struct irq_line *line, bool level)
{
	if (line->set)
		line->set(line->opaque, line->n, level);
}

/* Where message-signalled interrupts go; a board without a controller for them has send == NULL. */
struct msi_target {
	void (*send)(void *opaque, uint64_t address, uint32_t data);
	void *opaque;
};

static inline void irq_msi(const struct msi_target *t, uint64_t address, uint32_t data)
{
	if (t->send)
		t->send(t->opaque, address, data);
}

#endif
