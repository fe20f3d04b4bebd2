/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split virtqueues (virtio 1.2 §2.7), device side.
 *
 * The rings lie in guest memory that the driver may change at any time: each field is
 * read once, with the order the specification asks for, and checked before use. A chain
 * is walked with a bound (the queue's size, and for indirect tables their length), every
 * buffer must lie in guest memory that allows the access.
 *
 * The transport sets the place of the rings under the device's lock while the queue is
 * disabled; everything else happens on the loop's thread.
 */
#ifndef DEV_VIRTIO_QUEUE_H
#define DEV_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/gmem.h"

enum {
	VIRTQ_MAX_SIZE = 1024,		/* entries of a queue */
	VIRTQ_MAX_IOV = 1024,		/* buffers of a chain, indirect ones too */
};

/* Bits of the negotiated features that concern the rings (virtio 1.2 §6). */
enum {
	VIRTIO_F_INDIRECT_DESC = 28,
	VIRTIO_F_EVENT_IDX = 29,
};

struct virtq {
	/* set by the transport while the queue is disabled */
	uint16_t size;			/* as the driver wants it: unchecked until virtq_start() */
	uint16_t max_size;
	bool enabled;
	gpa_t desc, avail, used;

	/* loop thread, from virtq_start() on */
	const struct gmem *mem;
	uint8_t *desc_host, *avail_host, *used_host;
	uint16_t next_avail, next_used, signalled;
	bool event_idx, indirect;
	bool ready;			/* false: pop finds none, push is dropped */
	bool paused;			/* pop finds none (safepoint, bus mastering off) */
};

/* One request: what the driver lets the device read (out), then write (in). */
struct virtq_chain {
	uint16_t head;			/* a hostile driver has it in flight twice */
	unsigned out_count, in_count;	/* how many of iov, one after the other */
	uint64_t out_bytes, in_bytes;	/* at most 2^32 together */
	struct iovec iov[VIRTQ_MAX_IOV];
};

/*
 * Checks size, alignment and place of the rings (§2.7) and makes the queue ready, its
 * indexes at 0. features: the negotiated bits. False with *why: the driver made a mistake.
 */
bool virtq_start(struct virtq *q, const struct gmem *mem, uint64_t features, const char **why);

/* Not ready any more: the rings are not touched until the next virtq_start(). */
void virtq_stop(struct virtq *q);

/*
 * Takes the next chain (§2.7.13): 1 and *chain; 0 none, then the driver's doorbell is armed
 * (§2.7.10); -1 with *why: the driver made a mistake, and the queue stays where it is. A chain
 * has at least one buffer, no buffer is empty.
 */
int virtq_pop(struct virtq *q, struct virtq_chain *chain, const char **why);

/* Puts back the chain popped last: it will be popped again. */
void virtq_unpop(struct virtq *q);

/*
 * Hands the chain that began with head back, with the number of bytes written into its in
 * part (§2.7.8). The driver sees it after virtq_publish().
 */
void virtq_push(struct virtq *q, uint16_t head, uint32_t written);

/* Makes pushed chains visible; true when the driver wants an interrupt for them (§2.7.7). */
bool virtq_publish(struct virtq *q);

/*
 * Copies between a flat buffer and iovecs, from their byte skip on; returns the bytes copied,
 * fewer than len when the iovecs end before.
 */
uint64_t iov_read(const struct iovec *iov, unsigned n, uint64_t skip, void *buf, uint64_t len);
uint64_t iov_write(const struct iovec *iov, unsigned n, uint64_t skip, const void *buf,
		   uint64_t len);

#endif
