/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/misc/flash.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"

enum {
	STATUS_READY = 0x80,
	STATUS_ERASE_FAILED = 0x20,
	STATUS_PROGRAM_FAILED = 0x10,
	STATUS_LOCKED = 0x02,
	STATUS_SEQUENCE = STATUS_ERASE_FAILED | STATUS_PROGRAM_FAILED,
};
enum { MAKER_ID = 0x89, DEVICE_ID = 0x18 };
enum { CHIPS = 2, WRITE_BACK_BYTES = FLASH_BLOCK_BYTES };

/* What reads give. */
enum mode { MODE_ARRAY, MODE_STATUS, MODE_ID, MODE_QUERY };

/* What the next write means. */
enum next { NEXT_COMMAND, NEXT_WORD, NEXT_ERASE, NEXT_LOCK, NEXT_COUNT, NEXT_BUFFER, NEXT_CONFIRM };

struct flash {
	struct dev dev;
	struct vm *vm;
	struct flash_cfg cfg;
	uint8_t *array;			/* host address of the bank */
	uint8_t query[0x60];		/* CFI query structure of one chip, by word */

	pthread_mutex_t lock;		/* mode to dirty_end, and the array's contents */
	enum mode mode;
	enum next next;
	uint8_t status;
	unsigned words_left;		/* of a buffered program */
	uint64_t buffer_block;		/* the block it belongs to */
	uint8_t buffer[FLASH_BUFFER_BYTES];
	uint64_t buffer_off[FLASH_BUFFER_BYTES / FLASH_WIDTH];
	uint8_t buffer_size[FLASH_BUFFER_BYTES / FLASH_WIDTH];
	unsigned buffered;
	uint64_t dirty, dirty_end;	/* [dirty, dirty_end) is not in the file yet */

	/* loop thread */
	struct loop_task task;
	struct loop_io io;
	struct iovec iov;
	uint8_t *bounce;		/* WRITE_BACK_BYTES, the copy that is being written */
	bool busy;			/* io is under way */
	bool draining;			/* a safepoint waits */
};

static uint32_t both_lanes(uint16_t v)
{
	return (uint32_t)v << 16 | v;
}

/* ---- the CFI query structure --------------------------------------------------------------- */

static void fill_query(struct flash *f)
{
	uint64_t chip = f->cfg.size / CHIPS, block = FLASH_BLOCK_BYTES / CHIPS;
	uint64_t blocks = f->cfg.size / FLASH_BLOCK_BYTES;
	uint8_t *q = f->query;

	memcpy(q + 0x10, "QRY", 3);
	q[0x13] = 0x01;		/* primary command set 0001 */
	q[0x15] = 0x31;		/* where its table is */
	q[0x1b] = 0x45;		/* supply 4.5 V to 5.5 V */
	q[0x1c] = 0x55;
	q[0x1f] = 0x07;		/* typical times: word 2^7 us, buffer 2^7 us, erase 2^10 ms */
	q[0x20] = 0x07;
	q[0x21] = 0x0a;
	q[0x23] = 0x04;		/* and the factors to the longest */
	q[0x24] = 0x04;
	q[0x25] = 0x04;
	q[0x27] = (uint8_t)__builtin_ctzll(chip);
	q[0x28] = 0x02;		/* x8 and x16 */
	q[0x2a] = (uint8_t)__builtin_ctzll(FLASH_BUFFER_BYTES / CHIPS);
	q[0x2c] = 1;		/* one erase region: blocks less one, block size in 256 bytes */
	st_le16(q + 0x2d, (uint16_t)(blocks - 1));
	st_le16(q + 0x2f, (uint16_t)(block / 256));
	memcpy(q + 0x31, "PRI10", 5);
	q[0x3f] = 1;		/* one protection field */
}

/* ---- what commands do -------------------------------------------------------------------- */

static void set_mode(struct flash *f, enum mode mode)
{
	struct gmem_region *r = gmem_find(&f->vm->mem, f->cfg.base);

	f->mode = mode;
	/* Release: partner of the acquire in gmem_ptr(); what was programmed is seen. */
	atomic_store_explicit(&r->direct, mode == MODE_ARRAY, memory_order_release);
}

static void command_done(struct flash *f, uint8_t failed)
{
	f->status |= failed;
	f->next = NEXT_COMMAND;
}

static void mark_dirty(struct flash *f, uint64_t off, uint64_t len)
{
	if (f->dirty == f->dirty_end) {
		f->dirty = off;
		f->dirty_end = off + len;
	} else {
		f->dirty = off < f->dirty ? off : f->dirty;
		f->dirty_end = off + len > f->dirty_end ? off + len : f->dirty_end;
	}
	if (f->cfg.fd >= 0)
		loop_post(f->vm->loop, &f->task);
}

/* Programming can only clear bits. */
static void program(struct flash *f, uint64_t off, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		ram_st8(f->array + off + i,
			ram_ld8(f->array + off + i) & (uint8_t)(value >> 8 * i));
	mark_dirty(f, off, size);
}

static void program_word(struct flash *f, uint64_t off, unsigned size, uint64_t value)
{
	if (f->cfg.writable)
		program(f, off, size, value);
	command_done(f, f->cfg.writable ? 0 : STATUS_PROGRAM_FAILED | STATUS_LOCKED);
}

static void erase(struct flash *f, uint64_t off)
{
	uint64_t block = align_down(off, FLASH_BLOCK_BYTES);

	if (!f->cfg.writable) {
		command_done(f, STATUS_ERASE_FAILED | STATUS_LOCKED);
		return;
	}
	for (unsigned i = 0; i < FLASH_BLOCK_BYTES; i += 8)
		ram_st64(f->array + block + i, UINT64_MAX);
	mark_dirty(f, block, FLASH_BLOCK_BYTES);
	command_done(f, 0);
}

static void buffer_begin(struct flash *f, uint64_t off, uint64_t value)
{
	unsigned words = (unsigned)(value & 0xffff) + 1;

	if (words > FLASH_BUFFER_BYTES / FLASH_WIDTH) {
		command_done(f, STATUS_SEQUENCE);
		return;
	}
	f->words_left = words;
	f->buffered = 0;
	f->buffer_block = align_down(off, FLASH_BLOCK_BYTES);
	f->next = NEXT_BUFFER;
}

static void buffer_word(struct flash *f, uint64_t off, unsigned size, uint64_t value)
{
	if (align_down(off, FLASH_BLOCK_BYTES) != f->buffer_block || size > FLASH_WIDTH) {
		command_done(f, STATUS_SEQUENCE);
		return;
	}
	f->buffer_off[f->buffered] = off;
	f->buffer_size[f->buffered] = (uint8_t)size;
	st_le32(f->buffer + f->buffered * FLASH_WIDTH, (uint32_t)value);
	f->buffered++;
	if (!--f->words_left)
		f->next = NEXT_CONFIRM;
}

static void buffer_confirm(struct flash *f, uint8_t cmd)
{
	if (cmd != 0xd0) {
		command_done(f, STATUS_SEQUENCE);
		return;
	}
	for (unsigned i = 0; f->cfg.writable && i < f->buffered; i++)
		program(f, f->buffer_off[i], f->buffer_size[i],
			ld_le32(f->buffer + i * FLASH_WIDTH));
	command_done(f, f->cfg.writable ? 0 : STATUS_PROGRAM_FAILED | STATUS_LOCKED);
}

static void command(struct flash *f, uint8_t cmd)
{
	static const struct {
		uint8_t cmd;
		enum mode mode;
		enum next next;
	} commands[] = {
		{ 0x10, MODE_STATUS, NEXT_WORD },
		{ 0x40, MODE_STATUS, NEXT_WORD },
		{ 0x20, MODE_STATUS, NEXT_ERASE },
		{ 0x60, MODE_STATUS, NEXT_LOCK },
		{ 0x70, MODE_STATUS, NEXT_COMMAND },
		{ 0x90, MODE_ID, NEXT_COMMAND },
		{ 0x98, MODE_QUERY, NEXT_COMMAND },
		{ 0xe8, MODE_STATUS, NEXT_COUNT },
	};

	if (cmd == 0x50) {
		f->status = STATUS_READY;
		return;
	}
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].cmd == cmd) {
			set_mode(f, commands[i].mode);
			f->next = commands[i].next;
			return;
		}
	/* 00, ff, f0 (a probe for the other command set), and what is unknown */
	set_mode(f, MODE_ARRAY);
}

static void flash_take(struct flash *f, uint64_t off, unsigned size, uint64_t value)
{
	uint8_t cmd = (uint8_t)value;

	switch (f->next) {
	case NEXT_COMMAND:
		command(f, cmd);
		break;
	case NEXT_WORD:
		program_word(f, off, size, value);
		break;
	case NEXT_ERASE:
		if (cmd == 0xd0)
			erase(f, off);
		else
			command_done(f, STATUS_SEQUENCE);
		break;
	case NEXT_LOCK:	/* locks are not kept: unlock and lock succeed, else a wrong sequence */
		command_done(f, cmd == 0xd0 || cmd == 0x01 ? 0 : STATUS_SEQUENCE);
		break;
	case NEXT_COUNT:
		buffer_begin(f, off, value);
		break;
	case NEXT_BUFFER:
		buffer_word(f, off, size, value);
		break;
	case NEXT_CONFIRM:
		buffer_confirm(f, cmd);
		break;
	}
}

/* The 32 bits that the chips show at a word in a mode other than MODE_ARRAY. */
static uint32_t answer(const struct flash *f, uint64_t word)
{
	uint64_t n = word & 0xff;

	switch (f->mode) {
	case MODE_ID:
		return both_lanes(n == 0 ? MAKER_ID : n == 1 ? DEVICE_ID : 0);
	case MODE_QUERY:
		return both_lanes(n < sizeof(f->query) ? f->query[n] : 0);
	default:
		return both_lanes(f->status);
	}
}

static bool flash_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	struct flash *f = opaque;
	uint8_t bytes[8] = { 0 };
	uint64_t word = off / FLASH_WIDTH;

	pthread_mutex_lock(&f->lock);
	if (f->mode == MODE_ARRAY) {
		for (unsigned i = 0; i < size; i++)
			bytes[i] = ram_ld8(f->array + off + i);
		*value = ld_le64(bytes);
	} else {
		st_le32(bytes, answer(f, word));
		st_le32(bytes + 4, answer(f, word + 1));
		*value = ld_le64(bytes) >> 8 * (off % FLASH_WIDTH);
		if (size < 8)
			*value &= BIT(8 * size) - 1;
	}
	pthread_mutex_unlock(&f->lock);
	return true;
}

static bool flash_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct flash *f = opaque;

	pthread_mutex_lock(&f->lock);
	flash_take(f, off, size, value);
	pthread_mutex_unlock(&f->lock);
	return true;
}

/* ---- back to the file ------------------------------------------------------------------------ */

static void write_back(struct flash *f);

static void write_failed(struct flash *f, int res)
{
	log_limited(&f->vm->log, "%s: what the guest wrote to the flash cannot be saved: %s",
		    f->cfg.file, strerror(-res));
}

static void sync_done(struct loop_io *io, int res)
{
	struct flash *f = container_of(io, struct flash, io);

	f->busy = false;
	if (res < 0)
		write_failed(f, res);
	write_back(f);
}

static void write_done(struct loop_io *io, int res)
{
	struct flash *f = container_of(io, struct flash, io);
	bool clean;

	if (res > 0 && (size_t)res < f->iov.iov_len) {
		f->iov.iov_base = (uint8_t *)f->iov.iov_base + res;
		f->iov.iov_len -= (size_t)res;
		io->off += (uint64_t)res;
		loop_io_submit(f->vm->loop, io);
		return;
	}
	if (res <= 0)
		write_failed(f, res ? res : -EIO);
	pthread_mutex_lock(&f->lock);
	clean = f->dirty == f->dirty_end;
	pthread_mutex_unlock(&f->lock);
	if (clean) {
		*io = (struct loop_io){ .op = LOOP_FDATASYNC, .fd = f->cfg.fd, .done = sync_done };
		loop_io_submit(f->vm->loop, io);
		return;
	}
	f->busy = false;
	write_back(f);
}

/* Writes a copy of the next dirty bytes; when there are none, a waiting safepoint goes on. */
static void write_back(struct flash *f)
{
	uint64_t off, len;

	if (f->busy)
		return;
	pthread_mutex_lock(&f->lock);
	off = f->dirty;
	len = f->dirty_end - f->dirty;
	len = len < WRITE_BACK_BYTES ? len : WRITE_BACK_BYTES;
	for (uint64_t i = 0; i < len; i++)
		f->bounce[i] = ram_ld8(f->array + off + i);
	f->dirty += len;
	pthread_mutex_unlock(&f->lock);
	if (len) {
		f->busy = true;
		f->iov = (struct iovec){ f->bounce, len };
		f->io = (struct loop_io){ .op = LOOP_WRITEV, .fd = f->cfg.fd, .iov = &f->iov,
					  .niov = 1, .off = off, .done = write_done };
		loop_io_submit(f->vm->loop, &f->io);
	} else if (f->draining) {
		f->draining = false;
		vm_dev_drained(f->vm, &f->dev);
	}
}

static void flash_task(struct loop_task *t)
{
	write_back(container_of(t, struct flash, task));
}

/* ---- life ------------------------------------------------------------------------------- */

static void flash_quiesce(struct dev *d)
{
	struct flash *f = container_of(d, struct flash, dev);

	f->draining = true;
	if (f->cfg.fd < 0) {
		f->draining = false;
		vm_dev_drained(f->vm, d);
		return;
	}
	write_back(f);
}

static void flash_reset(struct dev *d)
{
	struct flash *f = container_of(d, struct flash, dev);

	pthread_mutex_lock(&f->lock);
	f->status = STATUS_READY;
	f->next = NEXT_COMMAND;
	set_mode(f, MODE_ARRAY);
	pthread_mutex_unlock(&f->lock);
}

static void flash_fini(struct dev *d)
{
	struct flash *f = container_of(d, struct flash, dev);

	loop_task_cancel(f->vm->loop, &f->task);
	pthread_mutex_destroy(&f->lock);
	free(f->bounce);
	free(f);
}

/* Blocks of zeroes stay unallocated: firmware images are mostly padding. */
static int read_file(struct flash *f, struct err *err)
{
	const char *name = f->cfg.file;
	struct stat st;
	uint64_t off = 0;

	if (fstat(f->cfg.fd, &st))
		return err_sys(err, -errno, "%s: cannot be read", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s: is no regular file; a flash image is one", name);
	if (st.st_size == 0)
		return err_set(err, -EINVAL, "%s: is empty; a flash image has 1 to %" PRIu64
			       " bytes", name, f->cfg.size);
	if ((uint64_t)st.st_size > f->cfg.size)
		return err_set(err, -EFBIG, "%s: does not fit: a flash bank has %" PRIu64
			       " MiB; give a smaller image", name, f->cfg.size >> 20);
	while (off < (uint64_t)st.st_size) {
		ssize_t n = pread(f->cfg.fd, f->bounce, WRITE_BACK_BYTES, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, -errno, "%s: cannot be read", name);
		if (n == 0)
			return err_set(err, -ENODATA, "%s: was cut short while it was read", name);
		if (off + (uint64_t)n > f->cfg.size)
			n = (ssize_t)(f->cfg.size - off);
		if (f->bounce[0] || memcmp(f->bounce, f->bounce + 1, (size_t)n - 1))
			memcpy(f->array + off, f->bounce, (size_t)n);
		off += (uint64_t)n;
	}
	memset(f->array + off, 0xff, f->cfg.size - off);
	return 0;
}

int flash_new(struct vm *vm, const struct flash_cfg *cfg, struct flash **out, struct err *err)
{
	static const struct dev_ops dev_ops = {
		.reset = flash_reset, .quiesce = flash_quiesce, .fini = flash_fini,
	};
	static const struct bus_ops bus_ops = { flash_read, flash_write };
	struct flash *f = calloc(1, sizeof(*f));
	int rc = 0;

	if (!f)
		return err_set(err, -ENOMEM, "%s: out of memory", cfg->name);
	pthread_mutex_init(&f->lock, NULL);
	f->vm = vm;
	f->cfg = *cfg;
	f->dev.ops = &dev_ops;
	f->dev.name = cfg->name;
	f->task.fn = flash_task;
	f->status = STATUS_READY;
	fill_query(f);
	if (cfg->fd >= 0) {
		f->bounce = malloc(WRITE_BACK_BYTES);
		rc = f->bounce ? 0 : err_set(err, -ENOMEM, "%s: out of memory", cfg->name);
	}
	if (!rc)
		rc = gmem_add(&vm->mem, cfg->base, cfg->size, GMEM_ROMD, cfg->name, &f->array, err);
	if (!rc && cfg->fd >= 0)
		rc = read_file(f, err);
	if (!rc)
		rc = bus_map(&vm->bus, &(struct bus_region){ cfg->base, cfg->size, &bus_ops, f,
			     cfg->name }, err);
	if (rc) {
		flash_fini(&f->dev);
		return rc;
	}
	vm_add_dev(vm, &f->dev);
	*out = f;
	return 0;
}
