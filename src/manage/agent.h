/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's end of a conversation with the QEMU guest agent in a VM: JSON, one request and one
 * answer a line, over any two-way byte stream (docs of the protocol: "QEMU Guest Agent Protocol
 * Reference").
 *
 * The stream has no beginning: answers to somebody else's requests may be in it, and the agent
 * may be in the middle of a line it never got the end of. So before the first request, and
 * after anything that went wrong, the two sides find each other again with
 * guest-sync-delimited: the byte 0xff, which no JSON holds, clears the agent's parser, and its
 * answer, behind an 0xff of its own, carries a number drawn for this occasion.
 *
 * The guest is not trusted. A line is never longer than the request allows, nor has more values
 * than a sane answer; a guest that trickles is given up on after the time that its bytes would
 * take at AGENT_SLOWEST a second; its words reach a user without control characters. The most
 * memory a request costs is three times the length of its longest allowed answer.
 *
 * One thread at a time. Nothing here touches the process (no signals, no globals).
 */
#ifndef MANAGE_AGENT_H
#define MANAGE_AGENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * The stream. Both return the bytes moved (at least one), -ETIMEDOUT once CLOCK_MONOTONIC has
 * reached deadline (ns), or another -errno; read returns 0 at the stream's end.
 */
struct agent_io {
	ssize_t (*read)(void *opaque, void *buf, size_t len, uint64_t deadline);
	ssize_t (*write)(void *opaque, const void *buf, size_t len, uint64_t deadline);
	void *opaque;
};

enum {
	AGENT_TIMEOUT_MS = 10000,	/* for an answer, unless agent.timeout_ms is changed */
	AGENT_SLOWEST = 256 << 10,	/* bytes a second */
	AGENT_REPLY = 1 << 20,		/* an ordinary answer's longest line */
	AGENT_VALUES = 1 << 16,		/* values in an answer, at most */
};

struct agent {
	struct agent_io io;
	char vm[80];			/* the VM's name, for sentences */
	unsigned timeout_ms;		/* may be changed between requests */
	bool synced;
	char *buf;			/* what was read and not consumed */
	size_t len, room;
};

/* A connected stream socket as the stream; the caller keeps and closes fd. */
struct agent_io agent_io_socket(int fd);

/*
 * Sends nothing yet. vm is copied. Bytes of the stream that somebody has read before are not
 * missed: whatever comes before the first request is skipped.
 */
void agent_init(struct agent *a, const struct agent_io *io, const char *vm);

/* Frees what the conversation held; accepts a zeroed agent. */
void agent_fini(struct agent *a);

/*
 * One request: command with arguments (may be NULL; the reference is taken over, also on
 * failure). The answer's "return" value goes to *result (may be NULL), a new reference, from a
 * line of at most reply_max bytes.
 * -ETIMEDOUT: no answer; -EPIPE: the stream ended; -EPROTO: not what an agent says;
 * -EOPNOTSUPP: the agent does not know or does not allow the command; -EREMOTEIO: it failed in
 * the guest; -ENOMEM. Each with its sentence.
 */
int agent_call(struct agent *a, const char *command, json_t *arguments, size_t reply_max,
	       json_t **result, struct err *err);

/*
 * As agent_call for a command that is answered only when it fails: 0 when ms have passed
 * without an answer, or the stream ended.
 */
int agent_tell(struct agent *a, const char *command, json_t *arguments, unsigned ms,
	       struct err *err);

/* Lets ms pass. -EPIPE with a sentence as soon as the stream ends. */
int agent_pause(struct agent *a, unsigned ms, struct err *err);

/* The sentence for an answer to command whose shape is wrong; returns -EPROTO. */
int agent_nonsense(struct agent *a, const char *command, struct err *err);

#endif
