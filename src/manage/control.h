/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of a running VM: its control socket (docs/control.md), its console socket, and
 * how it ended. For commands and hospesd; each connection belongs to one thread at a time.
 */
#ifndef MANAGE_CONTROL_H
#define MANAGE_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { VMCTL_LINE = 16384, VMCTL_PATH = 256 };

struct vmctl {
	int fd;
	json_int_t seq;			/* of the last request */
	/* Hears of events that arrive while vmctl_call() waits; event is borrowed. May be NULL. */
	void (*event)(void *opaque, const json_t *event);
	void *opaque;
	size_t len;
	char in[VMCTL_LINE];		/* received and not looked at */
};

/*
 * The folder of the sockets of the VM with that id (a UUID in text form), into buf of VMCTL_PATH bytes:
 * below /run/hospes for root, $XDG_RUNTIME_DIR/hospes or else /tmp/hospes-UID for others.
 */
int vmctl_folder(char *buf, const char *id, struct err *err);

/*
 * Connects to the VM whose sockets are in folder, and reads its greeting. -ENOENT or -ECONNREFUSED: it
 * does not run; -EPROTO: what serves it speaks another protocol. The caller ends it with vmctl_close().
 */
int vmctl_connect(struct vmctl *c, const char *folder, struct err *err);

/*
 * Sends the request called what, with further members (taken; may be NULL), and waits for its
 * answer: *reply (the caller's; may be NULL). A refusal is -EREMOTEIO with the VM's sentence; -EPIPE:
 * the VM's supervisor has gone.
 */
int vmctl_call(struct vmctl *c, const char *what, json_t *members, json_t **reply, struct err *err);

/* As above without waiting: answers come from vmctl_next(), by their seq (c->seq after this call). */
int vmctl_send(struct vmctl *c, const char *what, json_t *members, struct err *err);

/* Waits for the next object, an answer or an event: *object (the caller's). -EPIPE at the end. */
int vmctl_next(struct vmctl *c, json_t **object, struct err *err);

/* An object that has arrived already, or NULL: then c->fd may be waited for. */
json_t *vmctl_pending(struct vmctl *c);

/*
 * Makes c the guest agent's stream: bytes are read and written at c->fd, after the c->len ones in c->in.
 * -EREMOTEIO: somebody else has it.
 */
int vmctl_agent(struct vmctl *c, struct err *err);

void vmctl_close(struct vmctl *c);

/* Connects to the console: *fd is a stream socket that begins with the output of late. */
int vmctl_console(const char *folder, int *fd, struct err *err);

/* How a VM ended. */
struct vmctl_end {
	char reason[16];		/* "poweroff", ...; see docs/control.md */
	int code;
	char text[704];			/* a sentence */
	json_int_t started, ended;	/* ms since 1970 */
};

/* Reads exit.json of the VM's folder dir. -ENOENT: it runs, was killed with its supervisor, or never ran. */
int vmctl_read_end(struct vmctl_end *e, const char *dir, struct err *err);

/* True while a supervisor holds the lock on the VM's folder dir. */
bool vmctl_is_running(const char *dir);

/* Waits until no supervisor holds the lock. */
int vmctl_wait_unlocked(const char *dir, struct err *err);

#endif
