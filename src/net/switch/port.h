/* SPDX-License-Identifier: Apache-2.0 */
/* One port of hospes-switch: its connection, who it is, and the frames on their way to it. */
#ifndef NET_SWITCH_PORT_H
#define NET_SWITCH_PORT_H

#include "base/log.h"
#include "base/loop.h"
#include "net/offload.h"
#include "net/switch/gate.h"
#include "net/switch/wire.h"
#include "net/user/outq.h"

enum { PORT_QUEUE_BYTES = 1 << 20, PORT_MTU = 1500 };

enum port_state { PORT_FREE, PORT_STRANGER, PORT_UP, PORT_ROUTER };

struct sw;

struct port {
	struct sw *sw;
	struct loop_fd watch;
	struct loop_timer patience;	/* with a stranger */
	enum port_state state;
	struct gate gate;
	unsigned host;			/* last byte of its address */
	char name[HELLO_NAME_MAX + 1];
	unsigned offloads;		/* what the other end takes */
	struct outq out;
	bool blocked;			/* the socket is full: LOOP_OUT is watched */
	struct log_limit log;
};

/* A frame on its way through the switch, with a header that is known to be sound. */
struct frame {
	struct net_hdr h;
	struct net_split split;		/* as net_split_begin() left it, if h.gso_type */
	uint8_t *data;
	size_t len;
};

/*
 * Checks what a message's header asks for and puts it in order: false, to be dropped, when
 * net/offload.h cannot finish it or the frame is too large for one that is not to be cut.
 */
bool frame_take(struct frame *f, uint8_t *msg, size_t len);

/* Queues f in a form that p takes; loses it when the queue is full. */
void port_queue(struct port *p, const struct frame *f);

/* Sends what the socket takes. The caller watches for more room when p->blocked has changed. */
void port_flush(struct port *p);

#endif
