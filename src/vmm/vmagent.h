/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream to the guest agent (QEMU's protocol: a JSON object a line): one client of the control
 * socket has it at a time, or the supervisor itself, while it stops the VM. Loop's thread.
 */
#ifndef VMM_VMAGENT_H
#define VMM_VMAGENT_H

#include "vmm/control.h"

struct vmagent {
	struct loop *loop;
	struct loop_fd fd;		/* the other end of the monitor's port; -1: none */
	struct control_client *owner;	/* NULL: nobody */
	/* The agent has answered vmagent_ask(); NULL: nobody waits. */
	void (*answered)(void *opaque);
	void *opaque;
	bool full;			/* the owner's bytes wait for room */
	bool held;			/* the guest's bytes wait for the owner to take earlier ones */
	size_t line_len;
	char line[256];			/* the beginning of an answer */
};

/* A monitor has started: takes over the other end of its port. a: zeroed at first, with loop. */
int vmagent_open(struct vmagent *a, int fd, struct err *err);

/* Closes the stream; who has it keeps it, and hears nothing until the next monitor's. */
void vmagent_close(struct vmagent *a);

/* From now on owner's. False: somebody has it. */
bool vmagent_take(struct vmagent *a, struct control_client *owner);

/* c has it no more, if it had. */
void vmagent_release(struct vmagent *a, const struct control_client *c);

/* c, if it is the owner, has taken what it was sent. */
void vmagent_drained(struct vmagent *a, const struct control_client *c);

/* The owner's bytes; returns how many were taken. */
size_t vmagent_send(struct vmagent *a, const uint8_t *buf, size_t len);

/*
 * Asks whether the agent is there: answered(opaque) is called once if it is. False: a client has the
 * stream, or there is none.
 */
bool vmagent_ask(struct vmagent *a, void (*answered)(void *opaque), void *opaque);

/* Tells the agent to power the guest off. */
void vmagent_power_off(struct vmagent *a);

#endif
