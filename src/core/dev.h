/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device lifecycle. A device embeds a struct dev; its constructor maps its registers and
 * calls vm_add_dev(), after which the VM owns it.
 */
#ifndef CORE_DEV_H
#define CORE_DEV_H

#include <stdbool.h>

struct dev;

struct dev_ops {
	/* To the state after power-on. vCPUs are stopped, the device is quiet; loop thread. */
	void (*reset)(struct dev *d);
	/*
	 * Starts no new work and lets what is in flight complete, then calls
	 * vm_dev_drained(), at once or later. Loop thread. NULL: never has work in flight.
	 */
	void (*quiesce)(struct dev *d);
	/* Takes up work again after quiesce. Loop thread. May be NULL. */
	void (*resume)(struct dev *d);
	/* Frees it. Neither vCPUs nor the loop run any more. */
	void (*fini)(struct dev *d);
};

struct dev {
	const struct dev_ops *ops;
	const char *name;		/* "uart0"; lives as long as the device */
	struct dev *next;		/* the VM's */
	bool draining;			/* the VM's; loop thread */
};

#endif
