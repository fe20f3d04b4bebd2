/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/device/blk_rig.h"

#include <stdlib.h>
#include <string.h>

/* ---- a disk in memory whose completions the test controls ------------------------------ */

static void memdisk_carry_out(struct memdisk *m, struct blk_req *req)
{
	uint8_t *at = m->data + req->off;

	assert_true(req->op == BLK_FLUSH || (req->off <= DISK && req->len <= DISK - req->off));
	for (unsigned i = 0; i < req->niov; i++) {
		if (req->op == BLK_READ)
			memcpy(req->iov[i].iov_base, at, req->iov[i].iov_len);
		else if (req->op == BLK_WRITE)
			memcpy(at, req->iov[i].iov_base, req->iov[i].iov_len);
		at += req->iov[i].iov_len;
	}
	if (req->op == BLK_WRITE_ZEROES)
		memset(at, 0, req->len);
	else if (req->op == BLK_DISCARD)
		memset(at, 0xdd, req->len);
}

static void memdisk_submit(struct blk *b, struct blk_req *req)
{
	struct memdisk *m = container_of(b, struct memdisk, blk);
	size_t n = strlen(m->order);
	bool hold;
	int fail;

	pthread_mutex_lock(&m->lock);
	m->seen[req->op]++;
	if (n < sizeof(m->order) - 1)
		m->order[n] = "rwfdz"[req->op];
	hold = m->hold;
	fail = m->fail;
	if (hold) {
		req->next = NULL;
		*m->held_end = req;
		m->held_end = &req->next;
		m->held_count++;
		pthread_cond_broadcast(&m->changed);
	}
	pthread_mutex_unlock(&m->lock);
	if (hold)
		return;
	if (!fail)
		memdisk_carry_out(m, req);
	blk_complete_later(b, req, fail);
}

static void release_held(void *arg)
{
	struct memdisk *m = arg;
	struct blk_req *req;
	int fail;

	pthread_mutex_lock(&m->lock);
	req = m->held;
	fail = m->fail;
	m->held = NULL;
	m->held_end = &m->held;
	m->held_count = 0;
	m->hold = false;
	pthread_mutex_unlock(&m->lock);
	while (req) {
		struct blk_req *next = req->next;

		if (!fail)
			memdisk_carry_out(m, req);
		blk_complete(&m->blk, req, fail);
		req = next;
	}
}

/* Carries out what is held; later requests are not held. */
void memdisk_release(struct memdisk *m)
{
	loop_call(m->blk.loop, release_held, m);
}

void memdisk_hold(struct memdisk *m)
{
	pthread_mutex_lock(&m->lock);
	m->hold = true;
	pthread_mutex_unlock(&m->lock);
}

void memdisk_fail(struct memdisk *m, int code)
{
	pthread_mutex_lock(&m->lock);
	m->fail = code;
	pthread_mutex_unlock(&m->lock);
}

void memdisk_wait_held(struct memdisk *m, unsigned count)
{
	pthread_mutex_lock(&m->lock);
	while (m->held_count < count)
		pthread_cond_wait(&m->changed, &m->lock);
	pthread_mutex_unlock(&m->lock);
}

unsigned memdisk_seen(struct memdisk *m, enum blk_op op)
{
	unsigned seen;

	pthread_mutex_lock(&m->lock);
	seen = m->seen[op];
	pthread_mutex_unlock(&m->lock);
	return seen;
}

static void memdisk_close(struct blk *b)
{
	struct memdisk *m = container_of(b, struct memdisk, blk);

	assert_int_equal(m->held_count, 0);
	pthread_cond_destroy(&m->changed);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static const struct blk_ops memdisk_ops = {
	.name = "memory", .submit = memdisk_submit, .close = memdisk_close,
};

struct memdisk *memdisk_new(struct loop *loop, bool read_only)
{
	struct memdisk *m = calloc(1, sizeof(*m));

	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->changed, NULL);
	m->held_end = &m->held;
	m->blk.info = (struct blk_info){ .size = DISK, .block_size = 4096, .read_only = read_only,
					 .discard_granularity = read_only ? 0 : 4096 };
	for (size_t i = 0; i < DISK; i++)
		m->data[i] = (uint8_t)(i / 512 + i * 7);
	blk_init(&m->blk, &memdisk_ops, loop);
	return m;
}

/* ---- a guest with that disk ------------------------------------------------------------ */

static struct virtio *make(struct rig *r, void *arg)
{
	struct tested *t = arg;
	struct err err;

	t->m = memdisk_new(r->vm.loop, t->read_only);
	assert_int_equal(virtio_blk_new(&t->v, &r->vm, &t->m->blk, "serial-1", t->queues, "disk0",
					&err), 0);
	return t->v;
}

void tested_new(struct tested *t, bool read_only, unsigned queues)
{
	*t = (struct tested){ .read_only = read_only, .queues = queues };
	t->r = rig_new_with(make, t);
	driver_open(&t->d, t->r, PCI_TESTED);
}

/* Resets and starts the device, with those of the features that are offered. */
void tested_start(struct tested *t, uint64_t features)
{
	memset(t->next_desc, 0, sizeof(t->next_desc));
	driver_start(&t->d, features | BIT(VIRTIO_F_VERSION_1), t->v->queue_count, QUEUE_SIZE);
}

static uint16_t desc_flags(const struct buf *b, bool last)
{
	return (uint16_t)((b->write ? D_WRITE : 0) | (last ? 0 : D_NEXT));
}

/* Makes a chain of the buffers available. */
void tested_add(struct tested *t, unsigned n, const struct buf *bufs, unsigned count)
{
	const uint16_t head = t->next_desc[n] % QUEUE_SIZE;

	for (unsigned i = 0; i < count; i++) {
		const uint16_t at = t->next_desc[n]++ % QUEUE_SIZE;

		ring_desc(&t->d, n, at, bufs[i].addr, bufs[i].len,
			  desc_flags(&bufs[i], i + 1 == count), (uint16_t)((at + 1) % QUEUE_SIZE));
	}
	ring_avail(&t->d, n, head);
}

/* As tested_add(), through an indirect table in new memory. */
void tested_add_indirect(struct tested *t, unsigned n, const struct buf *bufs, unsigned count)
{
	const gpa_t table = rig_alloc(t->r, 16 * count, 16);
	const uint16_t head = t->next_desc[n]++ % QUEUE_SIZE;

	for (unsigned i = 0; i < count; i++)
		table_desc(t->r, table, i, bufs[i].addr, bufs[i].len,
			   desc_flags(&bufs[i], i + 1 == count), (uint16_t)(i + 1));
	ring_desc(&t->d, n, head, table, 16 * count, D_INDIRECT, 0);
	ring_avail(&t->d, n, head);
}

/* Waits for the next used element; returns its head, *written its length (may be NULL). */
uint32_t tested_take(struct tested *t, unsigned n, uint32_t *written)
{
	uint32_t id, len;

	ring_wait(&t->d, n, &id, &len);
	if (written)
		*written = len;
	return id;
}

gpa_t tested_header(struct tested *t, uint32_t type, uint64_t sector)
{
	gpa_t gpa = rig_alloc(t->r, 16, 1);

	st_le32(rig_ram(t->r, gpa), type);
	st_le64(rig_ram(t->r, gpa) + 8, sector);
	return gpa;
}

gpa_t tested_status_byte(struct tested *t)
{
	gpa_t gpa = rig_alloc(t->r, 1, 1);

	*rig_ram(t->r, gpa) = S_NONE;
	return gpa;
}

uint8_t tested_status_at(struct tested *t, gpa_t gpa)
{
	return ram_ld8(rig_ram(t->r, gpa));
}

/* Makes a request of header, data (len 0: none) and status available; the status's place. */
gpa_t tested_begin(struct tested *t, unsigned n, uint32_t type, uint64_t sector, gpa_t data,
		   uint32_t len)
{
	bool to_guest = type == T_IN || type == T_GET_ID;
	gpa_t status = tested_status_byte(t);
	struct buf b[3] = { { tested_header(t, type, sector), 16, false }, { data, len, to_guest },
			    { status, 1, true } };

	if (!len)
		b[1] = b[2];
	tested_add(t, n, b, len ? 3 : 2);
	return status;
}

uint8_t tested_request_len(struct tested *t, uint32_t type, uint64_t sector, gpa_t data,
			   uint32_t len, uint32_t *written)
{
	gpa_t status = tested_begin(t, 0, type, sector, data, len);

	ring_kick(&t->d, 0);
	tested_take(t, 0, written);
	return tested_status_at(t, status);
}

uint8_t tested_request(struct tested *t, uint32_t type, uint64_t sector, gpa_t data, uint32_t len)
{
	return tested_request_len(t, type, sector, data, len, NULL);
}
