/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout of a split virtqueue (virtio 1.2 §2.7), all little-endian:
 *
 *	descriptor table	size x { u64 addr; u32 len; u16 flags; u16 next }
 *	available ring		u16 flags; u16 idx; u16 ring[size]; u16 used_event
 *	used ring		u16 flags; u16 idx; { u32 id; u32 len } ring[size]; u16 avail_event
 *
 * Two places need more than acquire and release: after a store of avail_event the index of
 * the available ring is read again, and after a store of the used index used_event is
 * read. The driver does the same the other way round. Store and load are sequentially
 * consistent on each side (a full fence between them), so one of the two sees the other's.
 */
#include "dev/virtio/queue.h"

#include <string.h>

#include "base/bits.h"
#include "base/overflow.h"

enum {
	DESC_BYTES = 16,
	DESC_F_NEXT = 1,
	DESC_F_WRITE = 2,
	DESC_F_INDIRECT = 4,

	RING_IDX = 2,
	RING_ENTRIES = 4,
	AVAIL_ENTRY = 2,
	USED_ENTRY = 8,
	AVAIL_F_NO_INTERRUPT = 1,
};

static const uint64_t chain_max_bytes = UINT64_C(1) << 32;

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

static uint16_t load_ordered(const uint8_t *p)
{
	return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_SEQ_CST);
}

static void store_ordered(uint8_t *p, uint16_t value)
{
	__atomic_store_n((uint16_t *)(void *)p, value, __ATOMIC_SEQ_CST);
}

/* What the driver stored before it moved the index is seen after this. */
static uint16_t avail_idx(const struct virtq *q)
{
	return load_ordered(q->avail_host + RING_IDX);
}

/* An indirect table may lie at any address, so its descriptors are read bytewise then. */
static struct desc desc_load(const uint8_t *p)
{
	uint8_t raw[DESC_BYTES];
	uint64_t low, high;

	if ((uintptr_t)p % sizeof(uint64_t) == 0) {
		low = ram_ld64(p);
		high = ram_ld64(p + 8);
	} else {
		for (unsigned i = 0; i < DESC_BYTES; i++)
			raw[i] = ram_ld8(p + i);
		low = ld_le64(raw);
		high = ld_le64(raw + 8);
	}
	return (struct desc){
		.addr = low,
		.len = (uint32_t)high,
		.flags = (uint16_t)(high >> 32),
		.next = (uint16_t)(high >> 48),
	};
}

bool virtq_start(struct virtq *q, const struct gmem *mem, uint64_t features, const char **why)
{
	const uint64_t desc_bytes = (uint64_t)DESC_BYTES * q->size;
	const uint64_t avail_bytes = RING_ENTRIES + (uint64_t)AVAIL_ENTRY * q->size + 2;
	const uint64_t used_bytes = RING_ENTRIES + (uint64_t)USED_ENTRY * q->size + 2;

	q->ready = false;
	if (!is_pow2(q->size) || q->size > q->max_size) {
		*why = "its size is no power of two or too large";
		return false;
	}
	if (q->desc % 16 || q->avail % 2 || q->used % 4) {
		*why = "its rings are not aligned";
		return false;
	}
	q->desc_host = gmem_ptr(mem, q->desc, desc_bytes, false);
	q->avail_host = gmem_ptr(mem, q->avail, avail_bytes, false);
	q->used_host = gmem_ptr(mem, q->used, used_bytes, true);
	if (!q->desc_host || !q->avail_host || !q->used_host) {
		*why = "its rings lie outside the guest's memory";
		return false;
	}
	q->mem = mem;
	q->next_avail = q->next_used = q->signalled = 0;
	q->event_idx = features >> VIRTIO_F_EVENT_IDX & 1;
	q->indirect = features >> VIRTIO_F_INDIRECT_DESC & 1;
	q->ready = true;
	return true;
}

void virtq_stop(struct virtq *q)
{
	q->ready = false;
	q->desc_host = q->avail_host = q->used_host = NULL;
}

/* Adds one buffer to the chain. */
static bool chain_add(struct virtq_chain *c, const struct gmem *mem, const struct desc *d,
		      const char **why)
{
	const bool write = d->flags & DESC_F_WRITE;
	const unsigned n = c->out_count + c->in_count;
	void *host;

	if (n == VIRTQ_MAX_IOV) {
		*why = "a chain has too many buffers";
		return false;
	}
	if (!write && c->in_count) {
		*why = "a buffer to read follows one to write";
		return false;
	}
	if (c->out_bytes + c->in_bytes + d->len > chain_max_bytes) {
		*why = "a chain is longer than 4 GiB";
		return false;
	}
	host = gmem_ptr(mem, d->addr, d->len, write);
	if (!host) {
		*why = d->len ? "a buffer lies outside the guest's memory" : "a buffer is empty";
		return false;
	}
	c->iov[n] = (struct iovec){ .iov_base = host, .iov_len = d->len };
	if (write) {
		c->in_count++;
		c->in_bytes += d->len;
	} else {
		c->out_count++;
		c->out_bytes += d->len;
	}
	return true;
}

/* The table d points to (§2.7.5.3), its number of descriptors in *entries; NULL with *why. */
static const uint8_t *indirect_table(const struct virtq *q, const struct desc *d,
				     uint32_t *entries, const char **why)
{
	const uint8_t *table;

	if (!q->indirect) {
		*why = "an indirect descriptor was not negotiated";
		return NULL;
	}
	if (d->flags & DESC_F_NEXT) {
		*why = "an indirect descriptor has a next one";
		return NULL;
	}
	if (!d->len || d->len % DESC_BYTES) {
		*why = "an indirect table has an impossible size";
		return NULL;
	}
	table = gmem_ptr(q->mem, d->addr, d->len, false);
	if (!table)
		*why = "an indirect table lies outside the guest's memory";
	*entries = d->len / DESC_BYTES;
	return table;
}

/* Follows the chain from q's descriptor head on. */
static bool chain_walk(const struct virtq *q, uint16_t head, struct virtq_chain *c,
		       const char **why)
{
	const uint8_t *table = q->desc_host;
	uint32_t entries = q->size, seen = 0, at = head;
	bool in_indirect = false;
	struct desc d;

	for (;;) {
		if (at >= entries) {
			*why = "a descriptor's index is out of range";
			return false;
		}
		if (seen++ == entries) {
			*why = "a chain is a loop or longer than its table";
			return false;
		}
		d = desc_load(table + (uint64_t)at * DESC_BYTES);
		if (d.flags & DESC_F_INDIRECT) {
			if (in_indirect) {
				*why = "an indirect table refers to another";
				return false;
			}
			table = indirect_table(q, &d, &entries, why);
			if (!table)
				return false;
			in_indirect = true;
			at = seen = 0;
			continue;
		}
		if (!chain_add(c, q->mem, &d, why))
			return false;
		if (!(d.flags & DESC_F_NEXT))
			return true;
		at = d.next;
	}
}

/* True when the driver has made something available; arms its doorbell otherwise. */
static bool something_available(struct virtq *q, uint16_t *idx)
{
	*idx = avail_idx(q);
	if (*idx != q->next_avail)
		return true;
	if (!q->event_idx)
		return false;
	/* Partner: the driver's store of idx and load of avail_event. */
	store_ordered(q->used_host + RING_ENTRIES + USED_ENTRY * q->size, q->next_avail);
	*idx = avail_idx(q);
	return *idx != q->next_avail;
}

int virtq_pop(struct virtq *q, struct virtq_chain *chain, const char **why)
{
	uint16_t idx, head;

	if (!q->ready || q->paused || !something_available(q, &idx))
		return 0;
	if ((uint16_t)(idx - q->next_avail) > q->size) {
		*why = "the available ring's index jumped";
		return -1;
	}
	head = ram_ld16(q->avail_host + RING_ENTRIES +
			AVAIL_ENTRY * (q->next_avail & (q->size - 1)));
	chain->head = head;
	chain->out_count = chain->in_count = 0;
	chain->out_bytes = chain->in_bytes = 0;
	if (!chain_walk(q, head, chain, why))
		return -1;
	q->next_avail++;
	return 1;
}

void virtq_unpop(struct virtq *q)
{
	q->next_avail--;
}

void virtq_push(struct virtq *q, uint16_t head, uint32_t written)
{
	uint8_t *entry;

	if (!q->ready)
		return;
	entry = q->used_host + RING_ENTRIES + USED_ENTRY * (q->next_used & (q->size - 1));
	ram_st32(entry, head);
	ram_st32(entry + 4, written);
	q->next_used++;
}

bool virtq_publish(struct virtq *q)
{
	const uint16_t old = q->signalled, now = q->next_used;
	uint16_t used_event;

	if (!q->ready || old == now)
		return false;
	/* Partner: the driver's store of used_event or flags and load of idx. */
	store_ordered(q->used_host + RING_IDX, now);
	q->signalled = now;
	if (!q->event_idx)
		return !(load_ordered(q->avail_host) & AVAIL_F_NO_INTERRUPT);
	used_event = load_ordered(q->avail_host + RING_ENTRIES + AVAIL_ENTRY * q->size);
	return (uint16_t)(now - used_event - 1) < (uint16_t)(now - old);
}

/* Calls of iov_read and iov_write differ in the direction only. */
static uint64_t iov_copy(const struct iovec *iov, unsigned n, uint64_t skip, uint8_t *to_flat,
			 const uint8_t *from_flat, uint64_t len)
{
	uint64_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		uint64_t part = iov[i].iov_len;
		uint8_t *base = iov[i].iov_base;

		if (skip >= part) {
			skip -= part;
			continue;
		}
		part -= skip;
		if (part > len - done)
			part = len - done;
		if (to_flat)
			memcpy(to_flat + done, base + skip, part);
		else
			memcpy(base + skip, from_flat + done, part);
		done += part;
		skip = 0;
	}
	return done;
}

uint64_t iov_read(const struct iovec *iov, unsigned n, uint64_t skip, void *buf, uint64_t len)
{
	return iov_copy(iov, n, skip, buf, NULL, len);
}

uint64_t iov_write(const struct iovec *iov, unsigned n, uint64_t skip, const void *buf,
		   uint64_t len)
{
	return iov_copy(iov, n, skip, NULL, buf, len);
}
