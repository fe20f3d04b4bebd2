/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split virtqueues (virtio 1.2 §2.7), device side.
 *
 * The rings lie in guest memory that the driver may change at any time: each field is
 * read once, with the order the specification asks for, and checked before use. A chain
 * is walked with a bound (the queue's size, and for indirect tables their length), every
 * buffer must lie in guest RAM. Loop thread only, but for the fields the transport sets
 * before the queue is enabled.
 */
#ifndef DEV_VIRTIO_QUEUE_H
#define DEV_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/gmem.h"

enum { VIRTQ_MAX_SIZE = 1024, VIRTQ_MAX_IOV = 1024 };

struct virtq {
	/* set by the transport while the queue is disabled */
	uint16_t size;			/* a power of two, at most max_size */
	uint16_t max_size;
	bool enabled;
	gpa_t desc, avail, used;

	/* loop thread, from virtq_start() on */
	const struct gmem *mem;
	uint8_t *desc_host, *avail_host, *used_host;
	uint16_t next_avail, next_used, signalled;
	bool event_idx, indirect;
	bool ready;
};

/* One request: what the driver lets the device read (out), then write (in). */
struct virtq_chain {
	uint16_t head;
	unsigned out_count, in_count;	/* iov[0..out_count), iov[out_count..out_count + in_count) */
	uint64_t out_bytes, in_bytes;
	struct iovec iov[VIRTQ_MAX_IOV];
};

/*
 * Checks size, alignment and place of the rings, takes up the indexes. False with *why:
 * the driver made a mistake. features: negotiated bits.
 */
bool virtq_start(struct virtq *q, const struct gmem *mem, uint64_t features, const char **why);

/*
 * Takes the next chain: 1 and *chain; 0 none (the driver's doorbell is armed then); -1 with
 * *why: the driver made a mistake.
 */
int virtq_pop(struct virtq *q, struct virtq_chain *chain, const char **why);

/* Puts back the chain popped last: it will be popped again. */
void virtq_unpop(struct virtq *q);

/* Hands a chain back with the number of bytes written into its in part. Visible after virtq_publish(). */
void virtq_push(struct virtq *q, uint16_t head, uint32_t written);

/* Makes pushed chains visible; true when the driver wants an interrupt for them. */
bool virtq_publish(struct virtq *q);

/* Copies between a flat buffer and iovecs from byte skip on; returns the bytes copied. */
uint64_t iov_read(const struct iovec *iov, unsigned n, uint64_t skip, void *buf, uint64_t len);
uint64_t iov_write(const struct iovec *iov, unsigned n, uint64_t skip, const void *buf, uint64_t len);

#endif
