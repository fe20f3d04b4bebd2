/* SPDX-License-Identifier: Apache-2.0 */
/* virtio-blk under drivers that behave and drivers that do not, on a disk in memory. */
#include "tests/device/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "block/raw.h"
#include "dev/virtio/blk.h"

enum { F_SEG_MAX = 2, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_TOPOLOGY = 10, F_MQ = 12,
       F_DISCARD = 13, F_WRITE_ZEROES = 14 };
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { QUEUE_SIZE = 256 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2, S_NONE = 0xee };

#define ALL_FEATURES                                                                               \
	(BIT(F_FLUSH) | BIT(F_DISCARD) | BIT(F_WRITE_ZEROES) | BIT(F_SEG_MAX) |                    \
	 BIT(VIRTIO_F_INDIRECT_DESC))

/* ---- a disk in memory whose completions the test controls ------------------------------ */

enum { SECTORS = 2048, DISK = SECTORS * 512 };

struct memdisk {
	struct blk blk;
	uint8_t data[DISK];

	pthread_mutex_t lock;		/* the fields below */
	pthread_cond_t changed;
	bool hold;			/* requests wait for memdisk_release() */
	int fail;			/* what requests complete with instead */
	struct blk_req *held, **held_end;
	unsigned held_count;
	unsigned seen[BLK_WRITE_ZEROES + 1];	/* requests by blk_op */
	char order[32];			/* "wf": a write, then a flush */
};

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
static void memdisk_release(struct memdisk *m)
{
	loop_call(m->blk.loop, release_held, m);
}

static void memdisk_hold(struct memdisk *m)
{
	pthread_mutex_lock(&m->lock);
	m->hold = true;
	pthread_mutex_unlock(&m->lock);
}

static void memdisk_fail(struct memdisk *m, int code)
{
	pthread_mutex_lock(&m->lock);
	m->fail = code;
	pthread_mutex_unlock(&m->lock);
}

static void memdisk_wait_held(struct memdisk *m, unsigned count)
{
	pthread_mutex_lock(&m->lock);
	while (m->held_count < count)
		pthread_cond_wait(&m->changed, &m->lock);
	pthread_mutex_unlock(&m->lock);
}

static unsigned memdisk_seen(struct memdisk *m, enum blk_op op)
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

static struct memdisk *memdisk_new(struct loop *loop, bool read_only)
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

/* One buffer of a request. */
struct buf {
	gpa_t addr;
	uint32_t len;
	bool write;			/* by the device */
};

struct tested {
	struct rig *r;
	struct memdisk *m;
	struct virtio *v;
	struct driver d;
	uint16_t next_desc[DRIVER_QUEUES];	/* where add() goes on */
	bool read_only;				/* what make() makes */
	unsigned queues;
};

static struct virtio *make(struct rig *r, void *arg)
{
	struct tested *t = arg;
	struct err err;

	t->m = memdisk_new(r->vm.loop, t->read_only);
	assert_int_equal(virtio_blk_new(&t->v, &r->vm, &t->m->blk, "serial-1", t->queues, "disk0",
					&err), 0);
	return t->v;
}

static void tested_new(struct tested *t, bool read_only, unsigned queues)
{
	*t = (struct tested){ .read_only = read_only, .queues = queues };
	t->r = rig_new_with(make, t);
	driver_open(&t->d, t->r, PCI_TESTED);
}

/* Resets and starts the device, with those of the features that are offered. */
static void start(struct tested *t, uint64_t features)
{
	memset(t->next_desc, 0, sizeof(t->next_desc));
	driver_start(&t->d, features | BIT(VIRTIO_F_VERSION_1), t->v->queue_count, QUEUE_SIZE);
}

static uint16_t desc_flags(const struct buf *b, bool last)
{
	return (uint16_t)((b->write ? D_WRITE : 0) | (last ? 0 : D_NEXT));
}

/* Makes a chain of the buffers available. */
static void add(struct tested *t, unsigned n, const struct buf *bufs, unsigned count)
{
	const uint16_t head = t->next_desc[n] % QUEUE_SIZE;

	for (unsigned i = 0; i < count; i++) {
		const uint16_t at = t->next_desc[n]++ % QUEUE_SIZE;

		ring_desc(&t->d, n, at, bufs[i].addr, bufs[i].len,
			  desc_flags(&bufs[i], i + 1 == count), (uint16_t)((at + 1) % QUEUE_SIZE));
	}
	ring_avail(&t->d, n, head);
}

/* As add(), through an indirect table in new memory. */
static void add_indirect(struct tested *t, unsigned n, const struct buf *bufs, unsigned count)
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
static uint32_t take(struct tested *t, unsigned n, uint32_t *written)
{
	uint32_t id, len;

	ring_wait(&t->d, n, &id, &len);
	if (written)
		*written = len;
	return id;
}

static gpa_t header(struct tested *t, uint32_t type, uint64_t sector)
{
	gpa_t gpa = rig_alloc(t->r, 16, 1);

	st_le32(rig_ram(t->r, gpa), type);
	st_le64(rig_ram(t->r, gpa) + 8, sector);
	return gpa;
}

static gpa_t status_byte(struct tested *t)
{
	gpa_t gpa = rig_alloc(t->r, 1, 1);

	*rig_ram(t->r, gpa) = S_NONE;
	return gpa;
}

static uint8_t status_at(struct tested *t, gpa_t gpa)
{
	return ram_ld8(rig_ram(t->r, gpa));
}

/* Makes a request of header, data (len 0: none) and status available; the status's place. */
static gpa_t begin(struct tested *t, unsigned n, uint32_t type, uint64_t sector, gpa_t data,
		   uint32_t len)
{
	bool to_guest = type == T_IN || type == T_GET_ID;
	gpa_t status = status_byte(t);
	struct buf b[3] = { { header(t, type, sector), 16, false }, { data, len, to_guest },
			    { status, 1, true } };

	if (!len)
		b[1] = b[2];
	add(t, n, b, len ? 3 : 2);
	return status;
}

static uint8_t request_len(struct tested *t, uint32_t type, uint64_t sector, gpa_t data,
			   uint32_t len, uint32_t *written)
{
	gpa_t status = begin(t, 0, type, sector, data, len);

	ring_kick(&t->d, 0);
	take(t, 0, written);
	return status_at(t, status);
}

static uint8_t request(struct tested *t, uint32_t type, uint64_t sector, gpa_t data, uint32_t len)
{
	return request_len(t, type, sector, data, len, NULL);
}

/* ---- drivers that behave --------------------------------------------------------------- */

static uint64_t config(struct tested *t, uint32_t off, unsigned size)
{
	return rig_read(t->r, t->d.config + off, size);
}

static void configuration_tells_the_disk(void **state)
{
	struct tested t;
	uint64_t offered;

	tested_new(&t, false, 4);
	offered = driver_offered(&t.d);
	assert_int_equal(offered & (BIT(F_RO) | BIT(F_MQ) | BIT(F_FLUSH) | BIT(F_BLK_SIZE) |
				    BIT(F_TOPOLOGY) | BIT(F_DISCARD) | BIT(F_WRITE_ZEROES)),
			 BIT(F_MQ) | BIT(F_FLUSH) | BIT(F_BLK_SIZE) | BIT(F_TOPOLOGY) |
			 BIT(F_DISCARD) | BIT(F_WRITE_ZEROES));
	assert_int_equal(config(&t, 0, 4), SECTORS);
	assert_int_equal(config(&t, 12, 4), 254);		/* seg_max */
	assert_int_equal(config(&t, 20, 4), 512);		/* blk_size */
	assert_int_equal(config(&t, 24, 1), 3);			/* physical blocks of 8 */
	assert_int_equal(config(&t, 34, 2), 4);			/* num_queues */
	assert_true(config(&t, 36, 4) >= SECTORS);		/* max_discard_sectors */
	assert_in_range(config(&t, 40, 4), 1, 256);		/* max_discard_seg */
	assert_int_equal(config(&t, 44, 4), 8);			/* discard_sector_alignment */
	assert_true(config(&t, 48, 4) >= SECTORS);
	assert_int_equal(config(&t, 56, 1), 1);			/* write_zeroes_may_unmap */
	assert_int_equal(config(&t, 60, 4), 0);
	rig_free(t.r);

	tested_new(&t, true, 1);
	offered = driver_offered(&t.d);
	assert_int_equal(offered & (BIT(F_RO) | BIT(F_MQ) | BIT(F_DISCARD) | BIT(F_WRITE_ZEROES)),
			 BIT(F_RO));
	assert_int_equal(config(&t, 36, 4), 0);
	rig_free(t.r);
}

static struct virtio *make_badly(struct rig *r, void *arg)
{
	struct memdisk *m = memdisk_new(r->vm.loop, false);
	struct virtio *v = NULL;
	struct err err;

	assert_int_equal(virtio_blk_new(&v, &r->vm, &m->blk, "", 0, "disk0", &err), -EINVAL);
	assert_int_equal(virtio_blk_new(&v, &r->vm, &m->blk, "", VIRTIO_BLK_MAX_QUEUES + 1, "disk0",
					&err), -EINVAL);
	assert_non_null(strstr(err.msg, "disk0: "));
	assert_int_equal(virtio_blk_new(&v, &r->vm, &m->blk, "123456789012345678901", 1, "disk0",
					&err), -EINVAL);
	assert_non_null(strstr(err.msg, "serial number"));
	assert_null(v);
	assert_int_equal(virtio_blk_new(&v, &r->vm, &m->blk, "12345678901234567890", 1, "disk0",
					&err), 0);
	return v;
}

static void bad_settings_are_refused(void **state)
{
	rig_free(rig_new_with(make_badly, NULL));
}

static void requests_are_carried_out(void **state)
{
	static const uint64_t rings[] = { 0, BIT(VIRTIO_F_EVENT_IDX) };
	struct tested t;
	uint32_t written;
	gpa_t data;
	char *id;

	tested_new(&t, false, 1);
	for (size_t i = 0; i < ARRAY_LEN(rings); i++) {
		start(&t, ALL_FEATURES | rings[i]);
		data = rig_alloc(t.r, 8192, 4096);
		assert_int_equal(request_len(&t, T_IN, 3, data, 8192, &written), S_OK);
		assert_int_equal(written, 8193);
		assert_memory_equal(rig_ram(t.r, data), t.m->data + 3 * 512, 8192);

		memset(rig_ram(t.r, data), 0x5a, 8192);
		assert_int_equal(request_len(&t, T_OUT, SECTORS - 16, data, 8192, &written), S_OK);
		assert_int_equal(written, 1);
		assert_int_equal(t.m->data[DISK - 8192], 0x5a);
		assert_int_equal(t.m->data[DISK - 1], 0x5a);
		assert_int_not_equal(t.m->data[DISK - 8193], 0x5a);
		assert_int_equal(request(&t, T_FLUSH, 0, 0, 0), S_OK);
		assert_int_equal(memdisk_seen(t.m, BLK_FLUSH), i + 1);
		/* nothing, at the end */
		assert_int_equal(request(&t, T_IN, SECTORS, data, 0), S_OK);

		memset(rig_ram(t.r, data), 0x11, 40);
		assert_int_equal(request(&t, T_GET_ID, 0, data, 20), S_OK);
		id = (char *)rig_ram(t.r, data);
		assert_string_equal(id, "serial-1");
		assert_int_equal(id[19], 0);
		assert_int_equal(id[20], 0x11);
		memset(id, 0x11, 40);
		assert_int_equal(request_len(&t, T_GET_ID, 0, data, 4, &written), S_OK);
		assert_memory_equal(id, "seri\x11", 5);
		assert_int_equal(written, 5);
	}
	rig_free(t.r);
}

static void ranges_are_discarded_and_zeroed(void **state)
{
	struct tested t;
	uint8_t *p;
	gpa_t data;

	tested_new(&t, false, 1);
	start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, 48, 1);
	p = rig_ram(t.r, data);
	for (unsigned i = 0; i < 3; i++) {
		st_le64(p + 16 * i, 100 * i);
		st_le32(p + 16 * i + 8, i);		/* the first is empty */
	}
	assert_int_equal(request(&t, T_DISCARD, 0, data, 48), S_OK);
	assert_int_equal(t.m->data[0], 0);
	assert_int_equal(t.m->data[100 * 512 - 1], (uint8_t)(99 + (100 * 512 - 1) * 7));
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(t.m->data[100 * 512 + i], 0xdd);
	assert_int_equal(t.m->data[202 * 512 - 1], 0xdd);
	assert_int_equal(t.m->data[202 * 512], (uint8_t)(202 + 202 * 512 * 7));

	st_le32(p + 16 + 12, 1);			/* may unmap */
	assert_int_equal(request(&t, T_WRITE_ZEROES, 0, data, 48), S_OK);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(t.m->data[100 * 512 + i], 0);
	assert_int_equal(memdisk_seen(t.m, BLK_WRITE_ZEROES), 2);
	rig_free(t.r);
}

/* Without FLUSH the driver counts on stable writes. */
static void writes_are_stable_without_flush(void **state)
{
	struct tested t;
	gpa_t data;

	tested_new(&t, false, 1);
	start(&t, BIT(F_WRITE_ZEROES));
	data = rig_alloc(t.r, 512, 512);
	assert_int_equal(request(&t, T_OUT, 0, data, 512), S_OK);
	st_le32(rig_ram(t.r, data) + 8, 1);
	assert_int_equal(request(&t, T_WRITE_ZEROES, 0, data, 16), S_OK);
	assert_int_equal(request(&t, T_IN, 0, data, 512), S_OK);
	assert_string_equal(t.m->order, "wfzfr");
	start(&t, BIT(F_FLUSH));
	assert_int_equal(request(&t, T_OUT, 0, data, 512), S_OK);
	assert_string_equal(t.m->order, "wfzfrw");
	rig_free(t.r);
}

/* Cuts a request's bytes into buffers of random size. */
static unsigned cut(unsigned *seed, gpa_t addr, uint32_t len, bool write, struct buf *out,
		    unsigned max)
{
	unsigned n = 0;

	while (len) {
		uint32_t part = 1 + (uint32_t)rand_r(seed) % (rand_r(seed) % 3 ? 600 : 5);

		if (part > len || n + 1 == max)
			part = len;
		out[n++] = (struct buf){ addr, part, write };
		addr += part;
		len -= part;
	}
	return n;
}

static void framing_is_the_drivers_business(void **state)
{
	unsigned seed = 7;
	struct tested t;
	gpa_t mark;

	tested_new(&t, false, 1);
	start(&t, ALL_FEATURES);
	mark = t.r->next_free;
	for (int i = 0; i < 1500; i++) {
		uint32_t sectors = (uint32_t)rand_r(&seed) % 20;
		uint64_t sector = (uint64_t)rand_r(&seed) % (SECTORS - sectors);
		bool write = rand_r(&seed) & 1;
		struct buf b[120];
		gpa_t out, in;
		unsigned n;
		uint8_t *data;

		/* Both parts lie in one piece of memory each, and are cut anywhere. */
		t.r->next_free = mark;
		out = rig_alloc(t.r, 16 + sectors * 512, 1 + (uint64_t)(rand_r(&seed) & 1));
		in = rig_alloc(t.r, 1 + sectors * 512, 1);
		memset(rig_ram(t.r, in), S_NONE, 1 + sectors * 512);
		st_le32(rig_ram(t.r, out), write ? T_OUT : T_IN);
		st_le64(rig_ram(t.r, out) + 8, sector);
		data = rig_ram(t.r, out) + 16;
		for (uint32_t k = 0; k < sectors * 512; k++)
			data[k] = (uint8_t)rand_r(&seed);
		n = cut(&seed, out, write ? 16 + sectors * 512 : 16, false, b, 60);
		n += cut(&seed, in, write ? 1 : 1 + sectors * 512, true, b + n, 60);
		if (rand_r(&seed) & 1)
			add(&t, 0, b, n);
		else
			add_indirect(&t, 0, b, n);
		ring_kick(&t.d, 0);
		take(&t, 0, NULL);
		assert_int_equal(status_at(&t, in + (write ? 0 : sectors * 512)), S_OK);
		assert_memory_equal(write ? data : rig_ram(t.r, in),
				    t.m->data + sector * 512, sectors * 512);
	}
	rig_free(t.r);
}

static void many_requests_are_in_flight(void **state)
{
	enum { N = 80 };
	struct tested t;
	gpa_t status[4][N], data;

	tested_new(&t, false, 4);
	start(&t, ALL_FEATURES | BIT(F_MQ));
	data = rig_alloc(t.r, 4 * N * 512, 512);
	memdisk_hold(t.m);
	for (unsigned n = 0; n < 4; n++) {
		for (unsigned i = 0; i < N; i++)
			status[n][i] = begin(&t, n, T_IN, n * N + i, data + 512 * (n * N + i), 512);
		ring_kick(&t.d, n);
	}
	memdisk_wait_held(t.m, 4 * N);
	for (unsigned n = 0; n < 4; n++)
		assert_false(ring_has_used(&t.d, n));
	memdisk_release(t.m);
	for (unsigned n = 0; n < 4; n++) {
		for (unsigned i = 0; i < N; i++)
			take(&t, n, NULL);
		for (unsigned i = 0; i < N; i++)
			assert_int_equal(status_at(&t, status[n][i]), S_OK);
	}
	assert_memory_equal(rig_ram(t.r, data), t.m->data, 4 * N * 512);
	rig_free(t.r);
}

static void *pause_vm(void *arg)
{
	vm_pause(arg);
	return NULL;
}

static void a_safepoint_waits_for_requests(void **state)
{
	struct tested t;
	pthread_t thread;
	gpa_t first, second;

	tested_new(&t, false, 1);
	start(&t, ALL_FEATURES);
	memdisk_hold(t.m);
	first = begin(&t, 0, T_OUT, 0, rig_alloc(t.r, 512, 1), 512);
	ring_kick(&t.d, 0);
	memdisk_wait_held(t.m, 1);
	assert_int_equal(pthread_create(&thread, NULL, pause_vm, &t.r->vm), 0);
	memdisk_release(t.m);
	pthread_join(thread, NULL);
	assert_true(ring_has_used(&t.d, 0));
	assert_int_equal(status_at(&t, first), S_OK);
	take(&t, 0, NULL);

	second = begin(&t, 0, T_FLUSH, 0, 0, 0);
	ring_kick(&t.d, 0);
	rig_settle(t.r);
	assert_int_equal(status_at(&t, second), S_NONE);
	vm_resume(&t.r->vm);
	take(&t, 0, NULL);
	assert_int_equal(status_at(&t, second), S_OK);
	rig_free(t.r);
}

/* ---- a host that fails ----------------------------------------------------------------- */

static void a_failing_host_is_an_io_error(void **state)
{
	static const uint32_t types[] = { T_OUT, T_IN, T_FLUSH, T_WRITE_ZEROES };
	char log[8192] = "";
	struct tested t;
	gpa_t data;
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	log_setup(p[1], "test", LOG_WARN);
	tested_new(&t, false, 1);
	start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, 512, 1);
	assert_int_equal(virtio_blk_host_error(t.v), 0);
	memdisk_fail(t.m, -ENOSPC);
	for (int i = 0; i < 40; i++) {
		uint32_t type = types[i % 4];

		memset(rig_ram(t.r, data), 0, 512);
		assert_int_equal(request(&t, type, 0, data,
					 type == T_FLUSH ? 0 : type == T_WRITE_ZEROES ? 16 : 512),
				 type == T_WRITE_ZEROES ? S_OK : S_IOERR);
	}
	assert_int_equal(virtio_blk_host_error(t.v), -ENOSPC);
	memdisk_fail(t.m, 0);
	assert_int_equal(request(&t, T_OUT, 0, data, 512), S_OK);
	rig_free(t.r);
	log_setup(STDERR_FILENO, "test", LOG_WARN);
	assert_true(read(p[0], log, sizeof(log) - 1) > 0);
	assert_non_null(strstr(log, "disk0: a write of 512 bytes at 0 failed on the host: "
				    "No space left on device"));
	assert_true(strlen(log) < 2000);	/* 30 failures, few lines */
	close(p[0]);
	close(p[1]);
}

/* ---- drivers that do not behave -------------------------------------------------------- */

static void mistakes_are_answered(void **state)
{
	struct tested t;
	uint8_t *before = malloc(DISK);
	uint32_t written;
	gpa_t data;

	tested_new(&t, false, 1);
	memcpy(before, t.m->data, DISK);
	start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, MIB, 1);
	for (uint32_t type = T_IN; type <= T_OUT; type++) {
		assert_int_equal(request(&t, type, SECTORS, data, 512), S_IOERR);
		assert_int_equal(request(&t, type, SECTORS - 1, data, 1024), S_IOERR);
		assert_int_equal(request(&t, type, UINT64_MAX, data, 512), S_IOERR);
		assert_int_equal(request(&t, type, UINT64_MAX / 512, data, 512), S_IOERR);
		assert_int_equal(request(&t, type, UINT64_MAX / 512 + 1, data, 512), S_IOERR);
		assert_int_equal(request(&t, type, UINT64_MAX / 512 + 2, data, 512), S_IOERR);
		assert_int_equal(request(&t, type, 1, data, MIB), S_IOERR);
		assert_int_equal(request_len(&t, type, 0, data, 511, &written), S_IOERR);
		assert_int_equal(written, 0);
		assert_int_equal(request(&t, type, 0, data, 513), S_IOERR);
	}
	assert_int_equal(request(&t, 2, 0, data, 512), S_UNSUPP);
	assert_int_equal(request(&t, 14, 0, data, 16), S_UNSUPP);
	assert_int_equal(request(&t, UINT32_MAX, 0, data, 512), S_UNSUPP);
	assert_int_equal(request(&t, 0x80000000u, 0, 0, 0), S_UNSUPP);
	for (unsigned op = 0; op <= BLK_WRITE_ZEROES; op++)
		assert_int_equal(memdisk_seen(t.m, op), 0);
	assert_memory_equal(before, t.m->data, DISK);
	assert_false(driver_status(&t.d) & VIRTIO_S_NEEDS_RESET);
	free(before);
	rig_free(t.r);
}

static uint8_t range_request(struct tested *t, uint32_t type, uint64_t sector, uint32_t sectors,
			     uint32_t flags)
{
	gpa_t data = rig_alloc(t->r, 32, 1);
	uint8_t *p = rig_ram(t->r, data);

	/* the first is good: it is not carried out when the second is not */
	st_le32(p + 8, 1);
	st_le64(p + 16, sector);
	st_le32(p + 24, sectors);
	st_le32(p + 28, flags);
	return request(t, type, 0, data, 32);
}

static void garbage_ranges_are_refused(void **state)
{
	struct tested t;
	gpa_t data;

	tested_new(&t, false, 1);
	start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, 8192, 1);
	for (int i = 0; i < 2; i++) {
		uint32_t type = i ? T_WRITE_ZEROES : T_DISCARD;

		assert_int_equal(range_request(&t, type, SECTORS, 1, 0), S_IOERR);
		assert_int_equal(range_request(&t, type, 0, SECTORS + 1, 0), S_IOERR);
		assert_int_equal(range_request(&t, type, 0, UINT32_MAX, 0), S_IOERR);
		assert_int_equal(range_request(&t, type, UINT64_MAX, 2, 0), S_IOERR);
		assert_int_equal(range_request(&t, type, UINT64_MAX / 512 + 1, 1, 0), S_IOERR);
		assert_int_equal(range_request(&t, type, 0, 1, 2), S_UNSUPP);
		assert_int_equal(range_request(&t, type, 0, 1, UINT32_MAX), S_UNSUPP);
		assert_int_equal(request(&t, type, 0, 0, 0), S_IOERR);
		assert_int_equal(request(&t, type, 0, data, 15), S_IOERR);
		assert_int_equal(request(&t, type, 0, data, 17), S_IOERR);
		assert_int_equal(request(&t, type, 0, data, 8192), S_IOERR);
	}
	assert_int_equal(range_request(&t, T_DISCARD, 0, 1, 1), S_UNSUPP);
	assert_int_equal(memdisk_seen(t.m, BLK_DISCARD), 0);
	assert_int_equal(memdisk_seen(t.m, BLK_WRITE_ZEROES), 0);

	start(&t, 0);		/* not negotiated */
	assert_int_equal(range_request(&t, T_DISCARD, 0, 1, 0), S_UNSUPP);
	assert_int_equal(range_request(&t, T_WRITE_ZEROES, 0, 1, 0), S_UNSUPP);
	assert_int_equal(memdisk_seen(t.m, BLK_DISCARD), 0);
	rig_free(t.r);
}

static void a_read_only_disk_stays_as_it_is(void **state)
{
	struct tested t;
	gpa_t data;

	tested_new(&t, true, 1);
	start(&t, BIT(F_RO) | BIT(F_FLUSH));
	data = rig_alloc(t.r, 512, 1);
	assert_int_equal(request(&t, T_OUT, 0, data, 512), S_IOERR);
	assert_int_equal(range_request(&t, T_DISCARD, 0, 1, 0), S_UNSUPP);
	assert_int_equal(range_request(&t, T_WRITE_ZEROES, 0, 1, 0), S_UNSUPP);
	assert_int_equal(request(&t, T_IN, 0, data, 512), S_OK);
	assert_int_equal(request(&t, T_FLUSH, 0, 0, 0), S_OK);
	assert_int_equal(memdisk_seen(t.m, BLK_WRITE), 0);
	rig_free(t.r);
}

/* More buffers than were offered: an error, and as many as were offered: fine. */
static void too_many_buffers_are_an_error(void **state)
{
	enum { MOST = 254 };
	struct buf b[MOST + 4];
	struct tested t;
	gpa_t data, status;

	tested_new(&t, false, 1);
	start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, 256 * 512, 512);
	for (unsigned extra = 0; extra < 2; extra++) {
		unsigned n = 0;

		status = status_byte(&t);
		b[n++] = (struct buf){ header(&t, T_IN, 0), 16, false };
		for (unsigned i = 0; i < MOST + extra; i++)
			b[n++] = (struct buf){ data + i * 512, 512, true };
		b[n++] = (struct buf){ status, 1, true };
		add_indirect(&t, 0, b, n);
		ring_kick(&t.d, 0);
		take(&t, 0, NULL);
		assert_int_equal(status_at(&t, status), extra ? S_IOERR : S_OK);
	}
	assert_memory_equal(rig_ram(t.r, data), t.m->data, MOST * 512);
	rig_free(t.r);
}

static void what_cannot_be_answered_breaks_the_device(void **state)
{
	struct tested t;
	gpa_t a, s;

	log_setup(STDERR_FILENO, "test", LOG_ERROR);
	tested_new(&t, false, 1);
	for (unsigned i = 0; i < 8; i++) {
		start(&t, ALL_FEATURES);
		a = header(&t, T_IN, 0);
		s = status_byte(&t);
		switch (i) {
		case 0:	/* a short header */
			add(&t, 0, (struct buf[]){ { a, 15, false }, { s, 1, true } }, 2);
			break;
		case 1:	/* no header */
			add(&t, 0, (struct buf[]){ { s, 1, true } }, 1);
			break;
		case 2:	/* a header the device may only write */
			add(&t, 0, (struct buf[]){ { a, 16, true }, { s, 1, true } }, 2);
			break;
		case 3:	/* no status */
			add(&t, 0, (struct buf[]){ { a, 16, false } }, 1);
			break;
		case 4:	/* a loop */
			ring_desc(&t.d, 0, 0, a, 16, D_NEXT, 1);
			ring_desc(&t.d, 0, 1, a, 16, D_NEXT, 0);
			ring_avail(&t.d, 0, 0);
			break;
		case 5:	/* outside RAM */
			add(&t, 0, (struct buf[]){ { a, 16, false },
				{ RAM_BASE + RAM_BYTES - 8, 512, true }, { s, 1, true } }, 3);
			break;
		case 6:	/* a head that does not exist */
			ring_avail(&t.d, 0, 256);
			break;
		default: /* the index jumps */
			t.d.queues[0].avail_idx += 1000;
			ring_avail(&t.d, 0, 0);
			break;
		}
		ring_kick(&t.d, 0);
		driver_wait_broken(&t.d);
		assert_false(ring_has_used(&t.d, 0));
		assert_int_equal(status_at(&t, s), S_NONE);
		/* Nothing more is processed until the reset. */
		ring_kick(&t.d, 0);
		rig_settle(t.r);
		assert_false(ring_has_used(&t.d, 0));
	}
	start(&t, ALL_FEATURES);
	assert_int_equal(request(&t, T_IN, 0, rig_alloc(t.r, 512, 1), 512), S_OK);
	rig_free(t.r);
	log_setup(STDERR_FILENO, "test", LOG_WARN);
}

static void wait_reset(struct tested *t)
{
	while (driver_status(&t->d))
		rig_settle(t->r);
}

/* Requests in flight when the device breaks or is reset end unseen. */
static void a_reset_waits_for_requests(void **state)
{
	struct tested t;
	gpa_t data, s[3];
	uint8_t *before;
	size_t len;

	log_setup(STDERR_FILENO, "test", LOG_ERROR);
	for (int broken = 0; broken < 2; broken++) {
		tested_new(&t, false, 1);
		start(&t, ALL_FEATURES);
		memdisk_hold(t.m);
		data = rig_alloc(t.r, 3 * 512, 512);
		for (unsigned i = 0; i < 3; i++)
			s[i] = begin(&t, 0, i ? T_IN : T_FLUSH, i, data + i * 512, i ? 512 : 0);
		ring_kick(&t.d, 0);
		memdisk_wait_held(t.m, 3);
		if (broken) {
			ring_avail(&t.d, 0, 999);
			ring_kick(&t.d, 0);
			driver_wait_broken(&t.d);
		}
		driver_set_status(&t.d, 0);
		rig_settle(t.r);
		assert_int_not_equal(driver_status(&t.d), 0);
		/* A driver that does not wait does not get on. */
		driver_set_status(&t.d, VIRTIO_S_ACKNOWLEDGE);
		ring_kick(&t.d, 0);
		rig_settle(t.r);
		assert_int_not_equal(driver_status(&t.d), 0);

		memdisk_release(t.m);
		wait_reset(&t);
		assert_false(ring_has_used(&t.d, 0));
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(status_at(&t, s[i]), S_NONE);
		/* The reset is over: memory is the guest's alone. */
		len = t.r->next_free - RAM_BASE;
		before = malloc(len);
		memcpy(before, t.r->ram, len);
		rig_settle(t.r);
		assert_memory_equal(before, t.r->ram, len);
		free(before);
		start(&t, ALL_FEATURES);
		assert_int_equal(request(&t, T_IN, 5, data, 512), S_OK);
		assert_memory_equal(rig_ram(t.r, data), t.m->data + 5 * 512, 512);
		rig_free(t.r);
	}
	log_setup(STDERR_FILENO, "test", LOG_WARN);
}

/* The same chains again while they are in flight: more requests than the queue holds. */
static void a_driver_that_reuses_descriptors(void **state)
{
	enum { N = 256 };
	struct tested t;
	gpa_t s, data;

	tested_new(&t, false, 1);
	start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, 512, 1);
	memdisk_hold(t.m);
	s = begin(&t, 0, T_IN, 9, data, 512);
	for (int round = 0; round < 2; round++) {
		for (int i = round == 0; i < N; i++)
			ring_avail(&t.d, 0, 0);
		ring_kick(&t.d, 0);
		memdisk_wait_held(t.m, N);
	}
	rig_settle(t.r);
	assert_int_equal(t.m->held_count, N);
	memdisk_release(t.m);
	for (int i = 0; i < 2 * N; i++)
		assert_int_equal(take(&t, 0, NULL), 0);
	assert_int_equal(status_at(&t, s), S_OK);
	assert_int_equal(memdisk_seen(t.m, BLK_READ), 2 * N);
	rig_free(t.r);
}

/* Half sensible rings in half sensible memory, changed while the device looks at them. */
static void random_rings(void **state)
{
	enum { ROUNDS = 400, HEADS = 64 };
	static const uint64_t addrs[] = {
		RAM_BASE, RAM_BASE + 4096, RAM_BASE + 4096 + 16,
		RAM_BASE + RAM_BYTES - 16, 0, UINT64_MAX - 15,
	};
	static const uint32_t lens[] = { 1, 16, 16, 17, 512, 512, 528, 4096, 0, UINT32_MAX };
	unsigned seed = 12345;
	struct tested t;
	gpa_t mark;

	log_setup(STDERR_FILENO, "test", LOG_ERROR);
	tested_new(&t, false, 2);
	/* what the addresses above point to */
	assert_int_equal(rig_alloc(t.r, 65536, 4096), RAM_BASE);
	mark = t.r->next_free;
	for (int round = 0; round < ROUNDS; round++) {
		unsigned wild = 1 + (unsigned)round % 12;

		t.r->next_free = mark;
		start(&t, ALL_FEATURES | BIT(VIRTIO_F_EVENT_IDX));
		for (unsigned i = 0; i < 8192; i += 16) {
			st_le32(t.r->ram + i, (uint32_t)rand_r(&seed) % 15);
			st_le64(t.r->ram + i + 8, (uint64_t)rand_r(&seed) % (SECTORS + 10));
		}
		for (unsigned k = 0; k < HEADS * 4; k++) {
			uint16_t i = (uint16_t)((unsigned)rand_r(&seed) % HEADS);
			bool bad = (unsigned)rand_r(&seed) % 64 < wild;

			ring_desc(&t.d, k & 1, i, addrs[(unsigned)rand_r(&seed) % (bad ? 6 : 3)],
				    lens[(unsigned)rand_r(&seed) % (bad ? 10 : 8)],
				    (uint16_t)((unsigned)rand_r(&seed) % (bad ? 8 : 4)),
				    (uint16_t)((unsigned)rand_r(&seed) % (bad ? 300 : HEADS)));
			ring_avail(&t.d, k & 1, (uint16_t)((unsigned)rand_r(&seed) % HEADS));
			if (k % 8 > 5)
				ring_kick(&t.d, k & 1);
		}
	}
	start(&t, ALL_FEATURES);
	assert_int_equal(request(&t, T_IN, 0, rig_alloc(t.r, 512, 1), 512), S_OK);
	rig_free(t.r);
	log_setup(STDERR_FILENO, "test", LOG_WARN);
}

enum { BIG_SECTORS = 16 << 20 };		/* 8 GiB */

static struct virtio *make_on_file(struct rig *r, void *arg)
{
	struct virtio *v;
	struct blk *b;
	struct err err;

	assert_int_equal(blk_raw_open(&b, r->vm.loop, dup(*(int *)arg), 0, "test.img", &err), 0);
	assert_int_equal(virtio_blk_new(&v, &r->vm, b, "", 1, "disk0", &err), 0);
	return v;
}

/* The whole stack: ring, device, raw image, the loop's file I/O. */
static void through_a_real_file(void **state)
{
	char path[] = "/tmp/hospes-test-blk.XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	struct tested t = { 0 };
	uint8_t back[4096], *p;
	gpa_t data;

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, BIG_SECTORS * INT64_C(512)), 0);
	t.r = rig_new_with(make_on_file, &fd);
	t.v = t.r->devices[PCI_TESTED];
	driver_open(&t.d, t.r, PCI_TESTED);
	start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, 4096, 1);
	p = rig_ram(t.r, data);
	for (unsigned i = 0; i < 4096; i++)
		p[i] = (uint8_t)(i * 11);
	assert_int_equal(request(&t, T_OUT, BIG_SECTORS - 8, data, 4096), S_OK);
	assert_int_equal(request(&t, T_FLUSH, 0, 0, 0), S_OK);
	assert_int_equal(pread(fd, back, 4096, (BIG_SECTORS - 8) * INT64_C(512)), 4096);
	assert_memory_equal(back, p, 4096);
	memset(p, 0, 4096);
	assert_int_equal(request(&t, T_IN, BIG_SECTORS - 8, data, 4096), S_OK);
	assert_memory_equal(back, p, 4096);

	/* Ranges as large as was offered, and larger. */
	for (int i = 0; i < 2; i++) {
		const uint32_t most = (uint32_t)config(&t, i ? 48 : 36, 4);
		const uint32_t type = i ? T_WRITE_ZEROES : T_DISCARD;

		assert_in_range(most, 1, BIG_SECTORS - 1);
		assert_int_equal(range_request(&t, type, 8, most, 0), S_OK);
		assert_int_equal(range_request(&t, type, 8, most + 1, 0), S_IOERR);
	}
	rig_free(t.r);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configuration_tells_the_disk),
		cmocka_unit_test(bad_settings_are_refused),
		cmocka_unit_test(requests_are_carried_out),
		cmocka_unit_test(ranges_are_discarded_and_zeroed),
		cmocka_unit_test(writes_are_stable_without_flush),
		cmocka_unit_test(framing_is_the_drivers_business),
		cmocka_unit_test(many_requests_are_in_flight),
		cmocka_unit_test(a_safepoint_waits_for_requests),
		cmocka_unit_test(a_failing_host_is_an_io_error),
		cmocka_unit_test(mistakes_are_answered),
		cmocka_unit_test(garbage_ranges_are_refused),
		cmocka_unit_test(a_read_only_disk_stays_as_it_is),
		cmocka_unit_test(too_many_buffers_are_an_error),
		cmocka_unit_test(what_cannot_be_answered_breaks_the_device),
		cmocka_unit_test(a_reset_waits_for_requests),
		cmocka_unit_test(a_driver_that_reuses_descriptors),
		cmocka_unit_test(random_rings),
		cmocka_unit_test(through_a_real_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
