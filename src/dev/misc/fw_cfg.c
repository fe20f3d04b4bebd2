/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/misc/fw_cfg.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

enum { REG_DATA = 0, REG_SELECT = 8, REG_DMA = 16 };
enum { ID_TRADITIONAL = 1, ID_DMA = 2 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };

#define DMA_SIGNATURE UINT64_C(0x51454d5520434647)	/* "QEMU CFG" */

struct item {
	uint16_t key;
	uint32_t len;
	uint8_t *data;
};

struct fw_cfg {
	struct dev dev;
	struct vm *vm;
	struct item items[FW_CFG_MAX_ITEMS];
	unsigned count;
	pthread_mutex_t lock;		/* the fields below */
	const struct item *selected;	/* NULL: a key that does not exist */
	uint32_t at;			/* next byte of it; at most its length */
	uint64_t dma;			/* the address as far as it has been written */
};

static void select_item(struct fw_cfg *f, uint16_t key)
{
	f->at = 0;
	f->selected = NULL;
	for (unsigned i = 0; i < f->count; i++)
		if (f->items[i].key == key)
			f->selected = &f->items[i];
}

static uint32_t left(const struct fw_cfg *f)
{
	return f->selected ? f->selected->len - f->at : 0;
}

/* The next bytes of the item, zeroes behind its end. */
static void take(struct fw_cfg *f, uint8_t *buf, uint32_t len)
{
	uint32_t n = len < left(f) ? len : left(f);

	if (n)
		memcpy(buf, f->selected->data + f->at, n);
	memset(buf + n, 0, len - n);
	f->at += n;
}

/* ---- DMA ---------------------------------------------------------------------------- */

static uint32_t dma_transfer(struct fw_cfg *f, uint32_t control, uint32_t len, gpa_t addr)
{
	uint8_t *host;

	if (control & DMA_SELECT)
		select_item(f, (uint16_t)(control >> 16));
	if (control & DMA_WRITE)
		return DMA_ERROR;	/* no item can be written */
	if (!len || !(control & (DMA_READ | DMA_SKIP)))
		return 0;
	if (!(control & DMA_READ)) {
		f->at += len < left(f) ? len : left(f);
		return 0;
	}
	host = gmem_ptr(&f->vm->mem, addr, len, true);
	if (!host)
		return DMA_ERROR;
	take(f, host, len);
	return 0;
}

static void dma_run(struct fw_cfg *f)
{
	struct {
		uint32_t control, len;
		uint64_t addr;
	} cmd;
	gpa_t at = f->dma;
	uint32_t result;

	f->dma = 0;
	if (gmem_read(&f->vm->mem, at, &cmd, sizeof(cmd)))
		return;
	result = dma_transfer(f, be32toh(cmd.control), be32toh(cmd.len), be64toh(cmd.addr));
	cmd.control = htobe32(result);
	gmem_write(&f->vm->mem, at, &cmd.control, sizeof(cmd.control));
}

/* ---- registers ------------------------------------------------------------------------ */

static bool fw_cfg_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	struct fw_cfg *f = opaque;
	uint8_t bytes[8] = { 0 };

	*value = 0;
	if (off < REG_SELECT) {
		pthread_mutex_lock(&f->lock);
		take(f, bytes, size);
		pthread_mutex_unlock(&f->lock);
		*value = ld_le64(bytes);
	} else if (off >= REG_DMA) {
		uint64_t sig = htobe64(DMA_SIGNATURE);

		memcpy(bytes, (uint8_t *)&sig + (off - REG_DMA), size);
		*value = ld_le64(bytes);
	}
	return true;
}

static bool fw_cfg_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct fw_cfg *f = opaque;

	pthread_mutex_lock(&f->lock);
	if (off == REG_SELECT && size == 2) {
		select_item(f, __builtin_bswap16((uint16_t)value));
	} else if (off == REG_DMA && size == 8) {
		f->dma = __builtin_bswap64(value);
		dma_run(f);
	} else if (off == REG_DMA && size == 4) {
		f->dma = (uint64_t)__builtin_bswap32((uint32_t)value) << 32;
	} else if (off == REG_DMA + 4 && size == 4) {
		f->dma |= __builtin_bswap32((uint32_t)value);
		dma_run(f);
	}
	pthread_mutex_unlock(&f->lock);
	return true;
}

/* ---- life ------------------------------------------------------------------------------- */

static void fw_cfg_reset(struct dev *d)
{
	struct fw_cfg *f = container_of(d, struct fw_cfg, dev);

	pthread_mutex_lock(&f->lock);
	select_item(f, FW_CFG_SIGNATURE);
	f->dma = 0;
	pthread_mutex_unlock(&f->lock);
}

static void fw_cfg_fini(struct dev *d)
{
	struct fw_cfg *f = container_of(d, struct fw_cfg, dev);

	for (unsigned i = 0; i < f->count; i++)
		free(f->items[i].data);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

int fw_cfg_add(struct fw_cfg *f, uint16_t key, void *data, uint32_t len, struct err *err)
{
	if (len && !data)
		return err_set(err, -ENOMEM, "%s: out of memory", f->dev.name);
	if (f->count == FW_CFG_MAX_ITEMS) {
		free(data);
		return err_set(err, -ENOSPC, "%s: more than %d items", f->dev.name,
			       FW_CFG_MAX_ITEMS);
	}
	f->items[f->count++] = (struct item){ key, len, data };
	return 0;
}

int fw_cfg_add_value(struct fw_cfg *f, uint16_t key, uint32_t value, unsigned bytes,
		     struct err *err)
{
	uint8_t *data = malloc(4);

	if (data)
		st_le32(data, value);
	return fw_cfg_add(f, key, data, bytes, err);
}

int fw_cfg_new(struct vm *vm, const struct fw_cfg_cfg *cfg, struct fw_cfg **out, struct err *err)
{
	static const struct dev_ops dev_ops = { .reset = fw_cfg_reset, .fini = fw_cfg_fini };
	static const struct bus_ops bus_ops = { fw_cfg_read, fw_cfg_write };
	struct fw_cfg *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return err_set(err, -ENOMEM, "%s: out of memory", cfg->name);
	f->vm = vm;
	f->dev.ops = &dev_ops;
	f->dev.name = cfg->name;
	pthread_mutex_init(&f->lock, NULL);
	rc = fw_cfg_add(f, FW_CFG_SIGNATURE, strdup("QEMU"), 4, err);
	if (!rc)
		rc = fw_cfg_add_value(f, FW_CFG_ID, ID_TRADITIONAL | ID_DMA, 4, err);
	if (!rc)	/* a directory is a count, big-endian, and its entries */
		rc = fw_cfg_add_value(f, FW_CFG_FILE_DIR, 0, 4, err);
	if (!rc)
		rc = bus_map(&vm->bus, &(struct bus_region){ cfg->base, FW_CFG_BYTES, &bus_ops, f,
			     cfg->name }, err);
	if (rc) {
		fw_cfg_fini(&f->dev);
		return rc;
	}
	select_item(f, FW_CFG_SIGNATURE);
	vm_add_dev(vm, &f->dev);
	*out = f;
	return 0;
}
