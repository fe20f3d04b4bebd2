/* SPDX-License-Identifier: Apache-2.0 */
/* A guest with a virtio-blk disk in memory whose completions the test controls. */
#ifndef TESTS_DEVICE_BLK_RIG_H
#define TESTS_DEVICE_BLK_RIG_H

#include "tests/device/harness.h"

#include "base/bits.h"
#include "dev/virtio/blk.h"

enum { F_SEG_MAX = 2, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_TOPOLOGY = 10, F_MQ = 12,
       F_DISCARD = 13, F_WRITE_ZEROES = 14 };
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { QUEUE_SIZE = 256 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2, S_NONE = 0xee };

#define ALL_FEATURES                                                                               \
	(BIT(F_FLUSH) | BIT(F_DISCARD) | BIT(F_WRITE_ZEROES) | BIT(F_SEG_MAX) |                    \
	 BIT(VIRTIO_F_INDIRECT_DESC))

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

struct memdisk *memdisk_new(struct loop *loop, bool read_only);

/* Carries out what is held; later requests are not held. */
void memdisk_release(struct memdisk *m);

void memdisk_hold(struct memdisk *m);

void memdisk_fail(struct memdisk *m, int code);

void memdisk_wait_held(struct memdisk *m, unsigned count);

unsigned memdisk_seen(struct memdisk *m, enum blk_op op);

void tested_new(struct tested *t, bool read_only, unsigned queues);

/* Resets and starts the device, with those of the features that are offered. */
void tested_start(struct tested *t, uint64_t features);

/* Makes a chain of the buffers available. */
void tested_add(struct tested *t, unsigned n, const struct buf *bufs, unsigned count);

/* As tested_add(), through an indirect table in new memory. */
void tested_add_indirect(struct tested *t, unsigned n, const struct buf *bufs, unsigned count);

/* Waits for the next used element; returns its head, *written its length (may be NULL). */
uint32_t tested_take(struct tested *t, unsigned n, uint32_t *written);

gpa_t tested_header(struct tested *t, uint32_t type, uint64_t sector);

gpa_t tested_status_byte(struct tested *t);

uint8_t tested_status_at(struct tested *t, gpa_t gpa);

/* Makes a request of header, data (len 0: none) and status available; the status's place. */
gpa_t tested_begin(struct tested *t, unsigned n, uint32_t type, uint64_t sector, gpa_t data,
		   uint32_t len);

uint8_t tested_request_len(struct tested *t, uint32_t type, uint64_t sector, gpa_t data,
			   uint32_t len, uint32_t *written);

uint8_t tested_request(struct tested *t, uint32_t type, uint64_t sector, gpa_t data, uint32_t len);

#endif
