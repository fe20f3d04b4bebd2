/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket's server: clients, lines of JSON, answers and events (docs/control.md).
 *
 * What a request means is the supervisor's business: control_ops. Each client has a line of at most
 * CONTROL_LINE bytes in, and at most CONTROL_QUEUE bytes out that it has not taken; one that sends a
 * longer line, or lets more wait, is dropped (the owner misses what is more): nobody holds up the VM
 * or another client.
 *
 * Everything runs on the loop's thread.
 */
#ifndef VMM_CONTROL_H
#define VMM_CONTROL_H

#include <jansson.h>

#include "base/loop.h"

enum { CONTROL_LINE = 4096, CONTROL_QUEUE = 64 << 10, CONTROL_CLIENTS = 64, CONTROL_WAITS = 8 };

struct control;
struct control_client;

/* What an answer may have to wait for. */
enum control_wait { WAIT_END = 1, WAIT_PAUSED, WAIT_RUNNING };

struct control_ops {
	/*
	 * A request; what is its "do", args the whole object. Answers with control_answer(), or
	 * control_refuse(), or control_wait(), once.
	 */
	void (*request)(void *opaque, struct control_client *c, const char *what, json_t *args);
	/* Bytes of a client for which control_make_raw() was called; returns how many were taken. */
	size_t (*raw)(void *opaque, struct control_client *c, const uint8_t *buf, size_t len);
	/* Such a client has taken all that control_raw() sent it. */
	void (*drained)(void *opaque, struct control_client *c);
	/* c has gone; it is freed behind this. owner: control_add() made it so, and it hung up. */
	void (*gone)(void *opaque, struct control_client *c, bool owner);
};

struct control {
	struct loop *loop;
	const struct control_ops *ops;
	void *opaque;
	const char *id, *name;		/* of the VM, for the greeting; borrowed */
	struct loop_fd listener;
	struct control_client *clients;
	unsigned count;
	struct loop_task burial;
};

/* c is zeroed but for loop, ops, opaque, id and name. Takes over listener, which may be -1. */
int control_start(struct control *c, int listener, struct err *err);

/*
 * Takes over fd, a stream socket, as a client. owner: it gets events from the start, and
 * ops->gone() hears that it was the owner.
 */
void control_add(struct control *c, int fd, bool owner);

/* Takes in clients that have connected meanwhile. */
void control_accept(struct control *c);

/* The answer to the request that c's ops->request() is called for; fields (taken; may be NULL) go along. */
void control_answer(struct control_client *c, json_t *fields);
void control_refuse(struct control_client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* It is answered later, by control_done() for the same wait. */
void control_wait(struct control_client *c, enum control_wait wait);

/*
 * Answers all requests that wait so: with fields (taken, may be NULL), or with the sentence refusal.
 */
void control_done(struct control *c, enum control_wait wait, json_t *fields, const char *refusal);

/* From here on c gets events. */
void control_subscribe(struct control_client *c);

/* Tells all that are subscribed; event is taken. */
void control_event(struct control *c, json_t *event);

/*
 * From here on c's bytes go to ops->raw(), and control_raw() sends some: false when c has not taken
 * all of them yet, and ops->drained() tells when it has.
 */
void control_make_raw(struct control_client *c);
bool control_raw(struct control_client *c, const uint8_t *buf, size_t len);

/* ops->raw() would take more now than it did. */
void control_raw_room(struct control_client *c);

/* Everything clients were told has been taken, or their sockets are full. */
void control_flush(struct control *c);

/* Closes everything, without ops->gone(); accepts one that never started. */
void control_stop(struct control *c);

#endif
