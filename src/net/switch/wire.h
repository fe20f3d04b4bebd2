/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes over a connection to hospes-switch's socket.
 *
 * The socket is AF_UNIX, SOCK_SEQPACKET. One connection is one port of the switch. The VM's
 * supervisor connects and sends one message, the hello:
 *
 *	0	4	"HSW1"
 *	4	6	the port's MAC address (unicast, not zero)
 *	10	1-63	the VM's name, to the message's end: letters, digits, '_', '.', '-', not
 *			starting with '.' or '-'
 *
 * and gets one message back: a byte that is 0 followed by the address that DHCP will give the
 * port, in text ("10.88.1.17"); or a byte that is 1 followed by a sentence, and the end. Then
 * the descriptor goes to the monitor, and from there on the connection carries the frames and
 * controls of net/user_wire.h, both ways; another hello is a frame with a header that does not
 * exist, and dropped. Nobody has to wait for an answer longer than HELLO_MS.
 *
 * A hello with MAC address and name of a port that is up takes its place: the VM was started
 * again before the end of the old one had been noticed. A MAC address under another name is
 * refused.
 */
#ifndef NET_SWITCH_WIRE_H
#define NET_SWITCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HELLO_NAME_AT = 10,
	HELLO_NAME_MAX = 63,
	HELLO_MAX = HELLO_NAME_AT + HELLO_NAME_MAX,
	HELLO_MS = 5000,		/* how long a connection may keep silent before it */
	HELLO_REPLY_MAX = 512,
	HELLO_OK = 0,
	HELLO_REFUSED = 1,
};

struct hello {
	uint8_t mac[6];
	char name[HELLO_NAME_MAX + 1];
};

/* Decodes a message of len bytes; false when it is no hello. Any thread. */
bool hello_parse(struct hello *h, const uint8_t *msg, size_t len);

/* The other way: the message's length. name is as above, or 0 comes back. Any thread. */
size_t hello_make(uint8_t msg[static HELLO_MAX], const uint8_t mac[static 6], const char *name);

#endif
