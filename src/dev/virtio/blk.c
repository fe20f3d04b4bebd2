/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout (virtio 1.2 §5.2.4, §5.2.6), little-endian. The framing of a request is the driver's
 * business (§2.7.4): header, data and status may be cut into buffers anywhere.
 *
 *	configuration	u64 capacity; u32 size_max, seg_max; u16 cylinders; u8 heads, sectors;
 *			u32 blk_size; u8 physical_block_exp, alignment_offset; u16 min_io_size;
 *			u32 opt_io_size; u8 writeback, unused; u16 num_queues;
 *			u32 max_discard_sectors, max_discard_seg, discard_sector_alignment,
 *			max_write_zeroes_sectors, max_write_zeroes_seg;
 *			u8 write_zeroes_may_unmap, unused[3]
 *	request		out: u32 type, reserved; u64 sector; data	in: data; u8 status
 *	range		u64 sector; u32 sectors, flags		(data of DISCARD, WRITE_ZEROES)
 *
 * A request without a whole header or without a status byte breaks the device, for it cannot
 * be answered; any other mistake is answered with a status. Each queue has a slot for each
 * request it can hold; data moves between the disk and guest memory without a copy. When the
 * driver has not accepted FLUSH, it counts on a write being stable once completed (§5.2.6.2),
 * so each write is followed by a flush of ours.
 */
#include "dev/virtio/blk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/overflow.h"

enum {
	QUEUE_SIZE = 256,
	SECTOR = 512,
	HEADER_BYTES = 16,
	RANGE_BYTES = 16,
	CONFIG_BYTES = 60,
	MAX_SEGMENTS = QUEUE_SIZE - 2,		/* of a request's data */
	MAX_RANGES = 16,			/* of a DISCARD or WRITE_ZEROES */
	MAX_RANGE_SECTORS = 1 << 22,		/* 2 GiB: the host's work for one of them */
};

enum blk_feature {
	F_SEG_MAX = 2,
	F_RO = 5,
	F_BLK_SIZE = 6,
	F_FLUSH = 9,
	F_TOPOLOGY = 10,
	F_MQ = 12,
	F_DISCARD = 13,
	F_WRITE_ZEROES = 14,
};

enum request_type {
	T_IN = 0,
	T_OUT = 1,
	T_FLUSH = 4,
	T_GET_ID = 8,
	T_DISCARD = 11,
	T_WRITE_ZEROES = 13,
};

enum request_status {
	S_OK = 0,
	S_IOERR = 1,
	S_UNSUPP = 2,
};

enum { RANGE_UNMAP = 1 };

struct range {
	uint64_t sector;
	uint32_t sectors, flags;
};

/* A request in flight. */
struct slot {
	struct blk_req req;
	struct blk_dev *dev;
	struct slot *next_free;
	unsigned queue;
	uint16_t head;
	uint8_t *status;		/* in guest memory */
	uint32_t written;		/* bytes of the in part, status included, if it goes well */
	unsigned ranges, range;		/* how many, and the one under way */
	bool stabilize;			/* a flush of ours follows, or is under way */
	union {
		struct iovec iov[MAX_SEGMENTS];
		struct range range_list[MAX_RANGES];
	};
};

struct blk_queue {
	struct slot *slots;		/* QUEUE_SIZE of them */
	struct slot *free;
	bool starved;			/* it has a request that found no free slot */
};

struct blk_dev {
	struct virtio v;
	struct blk *blk;
	char serial[VIRTIO_BLK_ID_BYTES + 1];
	uint8_t config[CONFIG_BYTES];
	struct log_limit log;
	struct blk_queue queues[VIRTIO_BLK_MAX_QUEUES];
	struct virtq_chain chain;	/* the one being looked at */
};

/* ---- the answer ------------------------------------------------------------------------ */

/* Hands a request back; the slot is free then. */
static void answer(struct slot *s, enum request_status status)
{
	struct blk_dev *d = s->dev;
	struct virtq *vq = &d->v.queues[s->queue];
	struct blk_queue *q = &d->queues[s->queue];

	if (vq->ready) {
		ram_st8(s->status, (uint8_t)status);
		virtq_push(vq, s->head, status == S_OK ? s->written : 0);
	}
	s->next_free = q->free;
	q->free = s;
	if (q->starved) {
		q->starved = false;
		virtio_again(&d->v, s->queue);
	}
}

static const char *op_name(enum blk_op op)
{
	static const char *const names[] = {
		[BLK_READ] = "a read", [BLK_WRITE] = "a write", [BLK_FLUSH] = "a flush",
		[BLK_DISCARD] = "a discard", [BLK_WRITE_ZEROES] = "a write of zeroes",
	};

	return names[op];
}

static void host_failed(struct slot *s, int res)
{
	struct blk_dev *d = s->dev;

	log_limited(&d->log, "%s: %s of %llu bytes at %llu failed on the host: %s; "
		    "the guest got an I/O error", d->v.name, op_name(s->req.op),
		    (unsigned long long)s->req.len, (unsigned long long)s->req.off,
		    strerrordesc_np(-res));
}

/* Submits the range that is under way. */
static void submit_range(struct slot *s)
{
	const struct range *r = &s->range_list[s->range];

	s->req.flags = r->flags & RANGE_UNMAP ? BLK_UNMAP : 0;
	s->req.off = r->sector * SECTOR;
	s->req.len = (uint64_t)r->sectors * SECTOR;
	blk_submit(s->dev->blk, &s->req);
}

/* What still has to be done for the request; false: nothing. */
static bool go_on(struct slot *s)
{
	if (++s->range < s->ranges) {
		submit_range(s);
		return true;
	}
	if (s->stabilize) {
		s->stabilize = false;
		s->req.op = BLK_FLUSH;
		s->req.off = s->req.len = 0;
		blk_submit(s->dev->blk, &s->req);
		return true;
	}
	return false;
}

static void slot_done(struct blk_req *req, int res)
{
	struct slot *s = container_of(req, struct slot, req);
	struct virtio *v = &s->dev->v;
	unsigned n = s->queue;

	if (res)
		host_failed(s, res);
	else if (v->queues[n].ready && go_on(s))	/* a driver that has gone wants no more */
		return;
	answer(s, res ? S_IOERR : S_OK);
	virtio_push_done(v, n);
	virtio_put(v);
}

/* ---- the request ----------------------------------------------------------------------- */

static void submit(struct slot *s, enum blk_op op)
{
	s->req.op = op;
	s->req.done = slot_done;
	virtio_get(&s->dev->v);
	if (s->ranges)
		submit_range(s);
	else
		blk_submit(s->dev->blk, &s->req);
}

/* Puts the buffers' bytes [skip, skip + len) into the slot; false: too many buffers. */
static bool take_data(struct slot *s, const struct iovec *iov, uint64_t skip, uint64_t len)
{
	unsigned n = 0;

	for (; len; iov++) {
		uint64_t part = iov->iov_len;

		if (skip >= part) {
			skip -= part;
			continue;
		}
		if (n == MAX_SEGMENTS)
			return false;
		part -= skip;
		if (part > len)
			part = len;
		s->iov[n++] = (struct iovec){ (uint8_t *)iov->iov_base + skip, part };
		len -= part;
		skip = 0;
	}
	s->req.iov = s->iov;
	s->req.niov = n;
	return true;
}

/* True when the range lies on the disk; *off in bytes. */
static bool on_disk(const struct blk_dev *d, uint64_t sector, uint64_t bytes, uint64_t *off)
{
	return checked_mul(sector, SECTOR, off) && range_within(*off, bytes, d->blk->info.size);
}

/* Each starts its kind of request and returns -1, or returns the status to answer with. */
static int begin_transfer(struct slot *s, bool write, uint64_t sector)
{
	struct blk_dev *d = s->dev;
	const struct virtq_chain *c = &d->chain;
	uint64_t len = write ? c->out_bytes - HEADER_BYTES : c->in_bytes - 1;
	uint64_t off;

	if (write && d->blk->info.read_only)
		return S_IOERR;
	if (len % SECTOR || !on_disk(d, sector, len, &off))
		return S_IOERR;
	if (!take_data(s, write ? c->iov : c->iov + c->out_count, write ? HEADER_BYTES : 0, len))
		return S_IOERR;
	s->req.off = off;
	s->req.len = len;
	/* in_bytes is at most 2^32 - HEADER_BYTES, so it fits. */
	if (!write)
		s->written = (uint32_t)c->in_bytes;
	s->stabilize = write && !virtio_has(&d->v, F_FLUSH);
	submit(s, write ? BLK_WRITE : BLK_READ);
	return -1;
}

static int check_range(const struct blk_dev *d, const struct range *r, bool discard)
{
	uint64_t off;

	if (r->flags & ~(uint32_t)RANGE_UNMAP || (discard && r->flags))
		return S_UNSUPP;
	if (r->sectors > MAX_RANGE_SECTORS ||
	    !on_disk(d, r->sector, (uint64_t)r->sectors * SECTOR, &off))
		return S_IOERR;
	return S_OK;
}

static int begin_ranges(struct slot *s, bool discard)
{
	struct blk_dev *d = s->dev;
	const struct virtq_chain *c = &d->chain;
	uint64_t len = c->out_bytes - HEADER_BYTES;

	if (!virtio_has(&d->v, discard ? F_DISCARD : F_WRITE_ZEROES))
		return S_UNSUPP;
	if (!len || len % RANGE_BYTES || len > MAX_RANGES * RANGE_BYTES)
		return S_IOERR;
	/* All are checked before the first is carried out. */
	for (unsigned i = 0; i < len / RANGE_BYTES; i++) {
		uint8_t raw[RANGE_BYTES];
		int status;

		iov_read(c->iov, c->out_count, HEADER_BYTES + (uint64_t)i * RANGE_BYTES, raw,
			 sizeof(raw));
		s->range_list[i] = (struct range){ .sector = ld_le64(raw),
						   .sectors = ld_le32(raw + 8),
						   .flags = ld_le32(raw + 12) };
		status = check_range(d, &s->range_list[i], discard);
		if (status != S_OK)
			return status;
	}
	s->ranges = (unsigned)(len / RANGE_BYTES);
	s->stabilize = !discard && !virtio_has(&d->v, F_FLUSH);
	submit(s, discard ? BLK_DISCARD : BLK_WRITE_ZEROES);
	return -1;
}

static int begin_get_id(struct slot *s)
{
	const struct virtq_chain *c = &s->dev->chain;
	uint64_t room = c->in_bytes - 1;

	if (room > VIRTIO_BLK_ID_BYTES)
		room = VIRTIO_BLK_ID_BYTES;
	iov_write(c->iov + c->out_count, c->in_count, 0, s->dev->serial, room);
	s->written = (uint32_t)(room + (room == c->in_bytes - 1));
	return S_OK;
}

static int begin(struct slot *s, uint32_t type, uint64_t sector)
{
	switch (type) {
	case T_IN:
	case T_OUT:
		return begin_transfer(s, type == T_OUT, sector);
	case T_FLUSH:
		submit(s, BLK_FLUSH);
		return -1;
	case T_GET_ID:
		return begin_get_id(s);
	case T_DISCARD:
	case T_WRITE_ZEROES:
		return begin_ranges(s, type == T_DISCARD);
	default:
		return S_UNSUPP;
	}
}

static struct slot *slot_take(struct blk_dev *d, unsigned n)
{
	struct blk_queue *q = &d->queues[n];
	const struct virtq_chain *c = &d->chain;
	const struct iovec *last = &c->iov[c->out_count + c->in_count - 1];
	struct slot *s = q->free;

	q->free = s->next_free;
	s->dev = d;
	s->queue = n;
	s->head = c->head;
	s->status = (uint8_t *)last->iov_base + last->iov_len - 1;
	s->written = c->in_bytes == 1;	/* counts from the in part's first byte on */
	s->ranges = s->range = 0;
	s->stabilize = false;
	memset(&s->req, 0, sizeof(s->req));
	return s;
}

/* The chain just popped. False: it cannot be answered, and the device is broken. */
static bool take_request(struct blk_dev *d, unsigned n)
{
	const struct virtq_chain *c = &d->chain;
	uint8_t header[HEADER_BYTES];
	struct slot *s;
	int status;

	if (c->out_bytes < HEADER_BYTES) {
		virtio_break(&d->v, n, "a request has no whole header");
		return false;
	}
	if (!c->in_bytes) {
		virtio_break(&d->v, n, "a request has no room for its status");
		return false;
	}
	iov_read(c->iov, c->out_count, 0, header, sizeof(header));
	s = slot_take(d, n);
	status = begin(s, ld_le32(header), ld_le64(header + 8));
	if (status >= 0)
		answer(s, (enum request_status)status);
	return true;
}

static void blk_notify(struct virtio *v, unsigned n)
{
	struct blk_dev *d = container_of(v, struct blk_dev, v);
	const char *why;
	int rc = 1;

	/* At most a queue's worth at a time: other devices want their turn. */
	for (unsigned i = 0; i < QUEUE_SIZE; i++) {
		if (!d->queues[n].free) {
			d->queues[n].starved = true;
			rc = 0;
			break;
		}
		rc = virtq_pop(&v->queues[n], &d->chain, &why);
		if (rc <= 0 || !take_request(d, n))
			break;
	}
	virtio_push_done(v, n);
	if (rc < 0)
		virtio_break(v, n, why);
	else if (rc > 0)
		virtio_again(v, n);
}

/* ---- life ------------------------------------------------------------------------------ */

static void blk_get_config(struct virtio *v, uint32_t off, void *buf, uint32_t len)
{
	memcpy(buf, container_of(v, struct blk_dev, v)->config + off, len);
}

/* Requests in flight complete, unseen by the driver; the reset waits for them. */
static void blk_reset(struct virtio *v)
{
	virtio_reset_done(v);
}

static void blk_dev_free(struct blk_dev *d)
{
	for (unsigned i = 0; i < VIRTIO_BLK_MAX_QUEUES; i++)
		free(d->queues[i].slots);
	free(d);
}

static void blk_fini(struct virtio *v)
{
	struct blk_dev *d = container_of(v, struct blk_dev, v);

	blk_close(d->blk);
	blk_dev_free(d);
}

static const struct virtio_ops blk_ops = {
	.name = "virtio-blk",
	.id = VIRTIO_ID_BLOCK,
	.features = BIT(F_SEG_MAX) | BIT(F_BLK_SIZE) | BIT(F_FLUSH) | BIT(F_TOPOLOGY),
	.config_size = CONFIG_BYTES,
	.get_config = blk_get_config,
	.notify = blk_notify,
	.reset = blk_reset,
	.fini = blk_fini,
};

static uint64_t features_of(const struct blk_info *info, unsigned queues)
{
	uint64_t features = 0;

	if (queues > 1)
		features |= BIT(F_MQ);
	if (info->read_only)
		features |= BIT(F_RO);
	else
		features |= BIT(F_WRITE_ZEROES);
	if (info->discard_granularity)
		features |= BIT(F_DISCARD);
	return features;
}

/*
 * Logical blocks are always 512 bytes, for a disk's partition table counts in them and must
 * mean the same on every host; what the host would rather see is told as the physical block.
 */
static void fill_config(struct blk_dev *d, unsigned queues)
{
	const struct blk_info *info = &d->blk->info;
	unsigned per_block = info->block_size / SECTOR;

	st_le64(d->config, info->size / SECTOR);
	st_le32(d->config + 12, MAX_SEGMENTS);
	st_le32(d->config + 20, SECTOR);
	d->config[24] = (uint8_t)__builtin_ctz(per_block);
	st_le16(d->config + 26, (uint16_t)per_block);
	st_le16(d->config + 34, (uint16_t)queues);
	if (!info->read_only) {
		st_le32(d->config + 48, MAX_RANGE_SECTORS);
		st_le32(d->config + 52, MAX_RANGES);
		d->config[56] = 1;
	}
	if (info->discard_granularity) {
		st_le32(d->config + 36, MAX_RANGE_SECTORS);
		st_le32(d->config + 40, MAX_RANGES);
		st_le32(d->config + 44, info->discard_granularity / SECTOR);
	}
}

static int make_slots(struct blk_queue *q)
{
	q->slots = calloc(QUEUE_SIZE, sizeof(*q->slots));
	if (!q->slots)
		return -ENOMEM;
	for (unsigned i = QUEUE_SIZE; i--;) {
		q->slots[i].next_free = q->free;
		q->free = &q->slots[i];
	}
	return 0;
}

int virtio_blk_new(struct virtio **out, struct vm *vm, struct blk *blk, const char *serial,
		   unsigned queues, const char *name, struct err *err)
{
	struct blk_dev *d;

	if (queues < 1 || queues > VIRTIO_BLK_MAX_QUEUES)
		return err_set(err, -EINVAL, "%s: a disk has 1 to %d queues, not %u", name,
			       VIRTIO_BLK_MAX_QUEUES, queues);
	if (strlen(serial) > VIRTIO_BLK_ID_BYTES)
		return err_set(err, -EINVAL, "%s: the serial number %s is longer than %d bytes",
			       name, serial, VIRTIO_BLK_ID_BYTES);
	d = calloc(1, sizeof(*d));
	if (!d)
		return err_set(err, -ENOMEM, "%s: out of memory", name);
	for (unsigned i = 0; i < queues; i++) {
		if (make_slots(&d->queues[i])) {
			blk_dev_free(d);
			return err_set(err, -ENOMEM, "%s: out of memory", name);
		}
	}
	d->blk = blk;
	memcpy(d->serial, serial, strlen(serial));
	fill_config(d, queues);
	virtio_init(&d->v, vm, &blk_ops, name, queues, QUEUE_SIZE);
	d->v.features_offered |= features_of(&blk->info, queues);
	*out = &d->v;
	return 0;
}
