/* SPDX-License-Identifier: Apache-2.0 */
/* virtio-blk under drivers that behave and drivers that do not, on a disk in memory. */
#include "tests/device/blk_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block/raw.h"

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
		tested_start(&t, ALL_FEATURES | rings[i]);
		data = rig_alloc(t.r, 8192, 4096);
		assert_int_equal(tested_request_len(&t, T_IN, 3, data, 8192, &written), S_OK);
		assert_int_equal(written, 8193);
		assert_memory_equal(rig_ram(t.r, data), t.m->data + 3 * 512, 8192);

		memset(rig_ram(t.r, data), 0x5a, 8192);
		assert_int_equal(tested_request_len(&t, T_OUT, SECTORS - 16, data, 8192, &written), S_OK);
		assert_int_equal(written, 1);
		assert_int_equal(t.m->data[DISK - 8192], 0x5a);
		assert_int_equal(t.m->data[DISK - 1], 0x5a);
		assert_int_not_equal(t.m->data[DISK - 8193], 0x5a);
		assert_int_equal(tested_request(&t, T_FLUSH, 0, 0, 0), S_OK);
		assert_int_equal(memdisk_seen(t.m, BLK_FLUSH), i + 1);
		/* nothing, at the end */
		assert_int_equal(tested_request(&t, T_IN, SECTORS, data, 0), S_OK);

		memset(rig_ram(t.r, data), 0x11, 40);
		assert_int_equal(tested_request(&t, T_GET_ID, 0, data, 20), S_OK);
		id = (char *)rig_ram(t.r, data);
		assert_string_equal(id, "serial-1");
		assert_int_equal(id[19], 0);
		assert_int_equal(id[20], 0x11);
		memset(id, 0x11, 40);
		assert_int_equal(tested_request_len(&t, T_GET_ID, 0, data, 4, &written), S_OK);
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
	tested_start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, 48, 1);
	p = rig_ram(t.r, data);
	for (unsigned i = 0; i < 3; i++) {
		st_le64(p + 16 * i, 100 * i);
		st_le32(p + 16 * i + 8, i);		/* the first is empty */
	}
	assert_int_equal(tested_request(&t, T_DISCARD, 0, data, 48), S_OK);
	assert_int_equal(t.m->data[0], 0);
	assert_int_equal(t.m->data[100 * 512 - 1], (uint8_t)(99 + (100 * 512 - 1) * 7));
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(t.m->data[100 * 512 + i], 0xdd);
	assert_int_equal(t.m->data[202 * 512 - 1], 0xdd);
	assert_int_equal(t.m->data[202 * 512], (uint8_t)(202 + 202 * 512 * 7));

	st_le32(p + 16 + 12, 1);			/* may unmap */
	assert_int_equal(tested_request(&t, T_WRITE_ZEROES, 0, data, 48), S_OK);
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
	tested_start(&t, BIT(F_WRITE_ZEROES));
	data = rig_alloc(t.r, 512, 512);
	assert_int_equal(tested_request(&t, T_OUT, 0, data, 512), S_OK);
	st_le32(rig_ram(t.r, data) + 8, 1);
	assert_int_equal(tested_request(&t, T_WRITE_ZEROES, 0, data, 16), S_OK);
	assert_int_equal(tested_request(&t, T_IN, 0, data, 512), S_OK);
	assert_string_equal(t.m->order, "wfzfr");
	tested_start(&t, BIT(F_FLUSH));
	assert_int_equal(tested_request(&t, T_OUT, 0, data, 512), S_OK);
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
	tested_start(&t, ALL_FEATURES);
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
			tested_add(&t, 0, b, n);
		else
			tested_add_indirect(&t, 0, b, n);
		ring_kick(&t.d, 0);
		tested_take(&t, 0, NULL);
		assert_int_equal(tested_status_at(&t, in + (write ? 0 : sectors * 512)), S_OK);
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
	tested_start(&t, ALL_FEATURES | BIT(F_MQ));
	data = rig_alloc(t.r, 4 * N * 512, 512);
	memdisk_hold(t.m);
	for (unsigned n = 0; n < 4; n++) {
		for (unsigned i = 0; i < N; i++)
			status[n][i] = tested_begin(&t, n, T_IN, n * N + i, data + 512 * (n * N + i), 512);
		ring_kick(&t.d, n);
	}
	memdisk_wait_held(t.m, 4 * N);
	for (unsigned n = 0; n < 4; n++)
		assert_false(ring_has_used(&t.d, n));
	memdisk_release(t.m);
	for (unsigned n = 0; n < 4; n++) {
		for (unsigned i = 0; i < N; i++)
			tested_take(&t, n, NULL);
		for (unsigned i = 0; i < N; i++)
			assert_int_equal(tested_status_at(&t, status[n][i]), S_OK);
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
	tested_start(&t, ALL_FEATURES);
	memdisk_hold(t.m);
	first = tested_begin(&t, 0, T_OUT, 0, rig_alloc(t.r, 512, 1), 512);
	ring_kick(&t.d, 0);
	memdisk_wait_held(t.m, 1);
	assert_int_equal(pthread_create(&thread, NULL, pause_vm, &t.r->vm), 0);
	memdisk_release(t.m);
	pthread_join(thread, NULL);
	assert_true(ring_has_used(&t.d, 0));
	assert_int_equal(tested_status_at(&t, first), S_OK);
	tested_take(&t, 0, NULL);

	second = tested_begin(&t, 0, T_FLUSH, 0, 0, 0);
	ring_kick(&t.d, 0);
	rig_settle(t.r);
	assert_int_equal(tested_status_at(&t, second), S_NONE);
	vm_resume(&t.r->vm);
	tested_take(&t, 0, NULL);
	assert_int_equal(tested_status_at(&t, second), S_OK);
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
	tested_start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, 512, 1);
	memdisk_fail(t.m, -ENOSPC);
	for (int i = 0; i < 40; i++) {
		uint32_t type = types[i % 4];

		memset(rig_ram(t.r, data), 0, 512);
		assert_int_equal(tested_request(&t, type, 0, data,
					 type == T_FLUSH ? 0 : type == T_WRITE_ZEROES ? 16 : 512),
				 type == T_WRITE_ZEROES ? S_OK : S_IOERR);
	}
	memdisk_fail(t.m, 0);
	assert_int_equal(tested_request(&t, T_OUT, 0, data, 512), S_OK);
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
	tested_start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, MIB, 1);
	for (uint32_t type = T_IN; type <= T_OUT; type++) {
		assert_int_equal(tested_request(&t, type, SECTORS, data, 512), S_IOERR);
		assert_int_equal(tested_request(&t, type, SECTORS - 1, data, 1024), S_IOERR);
		assert_int_equal(tested_request(&t, type, UINT64_MAX, data, 512), S_IOERR);
		assert_int_equal(tested_request(&t, type, UINT64_MAX / 512, data, 512), S_IOERR);
		assert_int_equal(tested_request(&t, type, UINT64_MAX / 512 + 1, data, 512), S_IOERR);
		assert_int_equal(tested_request(&t, type, UINT64_MAX / 512 + 2, data, 512), S_IOERR);
		assert_int_equal(tested_request(&t, type, 1, data, MIB), S_IOERR);
		assert_int_equal(tested_request_len(&t, type, 0, data, 511, &written), S_IOERR);
		assert_int_equal(written, 0);
		assert_int_equal(tested_request(&t, type, 0, data, 513), S_IOERR);
	}
	assert_int_equal(tested_request(&t, 2, 0, data, 512), S_UNSUPP);
	assert_int_equal(tested_request(&t, 14, 0, data, 16), S_UNSUPP);
	assert_int_equal(tested_request(&t, UINT32_MAX, 0, data, 512), S_UNSUPP);
	assert_int_equal(tested_request(&t, 0x80000000u, 0, 0, 0), S_UNSUPP);
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
	return tested_request(t, type, 0, data, 32);
}

static void garbage_ranges_are_refused(void **state)
{
	struct tested t;
	gpa_t data;

	tested_new(&t, false, 1);
	tested_start(&t, ALL_FEATURES);
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
		assert_int_equal(tested_request(&t, type, 0, 0, 0), S_IOERR);
		assert_int_equal(tested_request(&t, type, 0, data, 15), S_IOERR);
		assert_int_equal(tested_request(&t, type, 0, data, 17), S_IOERR);
		assert_int_equal(tested_request(&t, type, 0, data, 8192), S_IOERR);
	}
	assert_int_equal(range_request(&t, T_DISCARD, 0, 1, 1), S_UNSUPP);
	assert_int_equal(memdisk_seen(t.m, BLK_DISCARD), 0);
	assert_int_equal(memdisk_seen(t.m, BLK_WRITE_ZEROES), 0);

	tested_start(&t, 0);		/* not negotiated */
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
	tested_start(&t, BIT(F_RO) | BIT(F_FLUSH));
	data = rig_alloc(t.r, 512, 1);
	assert_int_equal(tested_request(&t, T_OUT, 0, data, 512), S_IOERR);
	assert_int_equal(range_request(&t, T_DISCARD, 0, 1, 0), S_UNSUPP);
	assert_int_equal(range_request(&t, T_WRITE_ZEROES, 0, 1, 0), S_UNSUPP);
	assert_int_equal(tested_request(&t, T_IN, 0, data, 512), S_OK);
	assert_int_equal(tested_request(&t, T_FLUSH, 0, 0, 0), S_OK);
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
	tested_start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, 256 * 512, 512);
	for (unsigned extra = 0; extra < 2; extra++) {
		unsigned n = 0;

		status = tested_status_byte(&t);
		b[n++] = (struct buf){ tested_header(&t, T_IN, 0), 16, false };
		for (unsigned i = 0; i < MOST + extra; i++)
			b[n++] = (struct buf){ data + i * 512, 512, true };
		b[n++] = (struct buf){ status, 1, true };
		tested_add_indirect(&t, 0, b, n);
		ring_kick(&t.d, 0);
		tested_take(&t, 0, NULL);
		assert_int_equal(tested_status_at(&t, status), extra ? S_IOERR : S_OK);
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
		tested_start(&t, ALL_FEATURES);
		a = tested_header(&t, T_IN, 0);
		s = tested_status_byte(&t);
		switch (i) {
		case 0:	/* a short header */
			tested_add(&t, 0, (struct buf[]){ { a, 15, false }, { s, 1, true } }, 2);
			break;
		case 1:	/* no header */
			tested_add(&t, 0, (struct buf[]){ { s, 1, true } }, 1);
			break;
		case 2:	/* a header the device may only write */
			tested_add(&t, 0, (struct buf[]){ { a, 16, true }, { s, 1, true } }, 2);
			break;
		case 3:	/* no status */
			tested_add(&t, 0, (struct buf[]){ { a, 16, false } }, 1);
			break;
		case 4:	/* a loop */
			ring_desc(&t.d, 0, 0, a, 16, D_NEXT, 1);
			ring_desc(&t.d, 0, 1, a, 16, D_NEXT, 0);
			ring_avail(&t.d, 0, 0);
			break;
		case 5:	/* outside RAM */
			tested_add(&t, 0, (struct buf[]){ { a, 16, false },
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
		assert_int_equal(tested_status_at(&t, s), S_NONE);
		/* Nothing more is processed until the reset. */
		ring_kick(&t.d, 0);
		rig_settle(t.r);
		assert_false(ring_has_used(&t.d, 0));
	}
	tested_start(&t, ALL_FEATURES);
	assert_int_equal(tested_request(&t, T_IN, 0, rig_alloc(t.r, 512, 1), 512), S_OK);
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
		tested_start(&t, ALL_FEATURES);
		memdisk_hold(t.m);
		data = rig_alloc(t.r, 3 * 512, 512);
		for (unsigned i = 0; i < 3; i++)
			s[i] = tested_begin(&t, 0, i ? T_IN : T_FLUSH, i, data + i * 512, i ? 512 : 0);
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
			assert_int_equal(tested_status_at(&t, s[i]), S_NONE);
		/* The reset is over: memory is the guest's alone. */
		len = t.r->next_free - RAM_BASE;
		before = malloc(len);
		memcpy(before, t.r->ram, len);
		rig_settle(t.r);
		assert_memory_equal(before, t.r->ram, len);
		free(before);
		tested_start(&t, ALL_FEATURES);
		assert_int_equal(tested_request(&t, T_IN, 5, data, 512), S_OK);
		assert_memory_equal(rig_ram(t.r, data), t.m->data + 5 * 512, 512);
		rig_free(t.r);
	}
	log_setup(STDERR_FILENO, "test", LOG_WARN);
}

/* Of a request with many ranges, those that are not under way yet are not begun any more. */
static void a_reset_begins_nothing_more(void **state)
{
	struct tested t;
	uint8_t *p;
	gpa_t data;

	tested_new(&t, false, 1);
	tested_start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, 48, 1);
	p = rig_ram(t.r, data);
	for (unsigned i = 0; i < 3; i++) {
		st_le64(p + 16 * i, 100 * i);
		st_le32(p + 16 * i + 8, 8);
	}
	memdisk_hold(t.m);
	tested_begin(&t, 0, T_WRITE_ZEROES, 0, data, 48);
	ring_kick(&t.d, 0);
	memdisk_wait_held(t.m, 1);
	driver_set_status(&t.d, 0);
	rig_settle(t.r);
	memdisk_release(t.m);
	wait_reset(&t);
	assert_int_equal(memdisk_seen(t.m, BLK_WRITE_ZEROES), 1);
	rig_free(t.r);
}

/* The same chains again while they are in flight: more requests than the queue holds. */
static void a_driver_that_reuses_descriptors(void **state)
{
	enum { N = 256 };
	struct tested t;
	gpa_t s, data;

	tested_new(&t, false, 1);
	tested_start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, 512, 1);
	memdisk_hold(t.m);
	s = tested_begin(&t, 0, T_IN, 9, data, 512);
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
		assert_int_equal(tested_take(&t, 0, NULL), 0);
	assert_int_equal(tested_status_at(&t, s), S_OK);
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
		tested_start(&t, ALL_FEATURES | BIT(VIRTIO_F_EVENT_IDX));
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
	tested_start(&t, ALL_FEATURES);
	assert_int_equal(tested_request(&t, T_IN, 0, rig_alloc(t.r, 512, 1), 512), S_OK);
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
	tested_start(&t, ALL_FEATURES);
	data = rig_alloc(t.r, 4096, 1);
	p = rig_ram(t.r, data);
	for (unsigned i = 0; i < 4096; i++)
		p[i] = (uint8_t)(i * 11);
	assert_int_equal(tested_request(&t, T_OUT, BIG_SECTORS - 8, data, 4096), S_OK);
	assert_int_equal(tested_request(&t, T_FLUSH, 0, 0, 0), S_OK);
	assert_int_equal(pread(fd, back, 4096, (BIG_SECTORS - 8) * INT64_C(512)), 4096);
	assert_memory_equal(back, p, 4096);
	memset(p, 0, 4096);
	assert_int_equal(tested_request(&t, T_IN, BIG_SECTORS - 8, data, 4096), S_OK);
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
		cmocka_unit_test(a_reset_begins_nothing_more),
		cmocka_unit_test(a_driver_that_reuses_descriptors),
		cmocka_unit_test(random_rings),
		cmocka_unit_test(through_a_real_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
