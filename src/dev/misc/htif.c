/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/misc/htif.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

enum { SYS_WRITE = 64, SYS_EXIT = 93, MAX_WRITE = 64 * 1024, CHUNK = 1024 };

struct htif {
	struct dev dev;
	struct vm *vm;
	struct htif_cfg cfg;
	gpa_t page;
	pthread_mutex_t lock;	/* stores to the page, and what they mean */
};

/* Host address of a byte of the page. */
static uint8_t *page_host(const struct htif *h, uint64_t off)
{
	const struct gmem_region *r = gmem_find(&h->vm->mem, h->page);

	return r->host + (h->page - r->base) + off;
}

static uint64_t load(const uint8_t *p, unsigned size)
{
	switch (size) {
	case 1: return ram_ld8(p);
	case 2: return ram_ld16(p);
	case 4: return ram_ld32(p);
	default: return ram_ld64(p);
	}
}

static void store(uint8_t *p, unsigned size, uint64_t value)
{
	switch (size) {
	case 1: ram_st8(p, (uint8_t)value); break;
	case 2: ram_st16(p, (uint16_t)value); break;
	case 4: ram_st32(p, (uint32_t)value); break;
	default: ram_st64(p, value); break;
	}
}

static void put(struct htif *h, const uint8_t *bytes, size_t len)
{
	if (h->cfg.console)
		chan_write(h->cfg.console, bytes, len);
}

/* Stores a word the program has given the address of, in the page or in RAM. */
static bool put_word(struct htif *h, gpa_t at, uint64_t value)
{
	void *host = at - h->page < GMEM_PAGE ? page_host(h, at - h->page) :
						gmem_ptr(&h->vm->mem, at, 8, true);

	if (!at || at % 8 || !host)
		return false;
	ram_st64(host, value);
	return true;
}

/* Consumes the request and answers. */
static void answer(struct htif *h, uint64_t value)
{
	put_word(h, h->cfg.tohost, 0);
	put_word(h, h->cfg.fromhost, value);
}

static uint64_t write_console(struct htif *h, uint64_t fd, gpa_t buf, uint64_t len)
{
	uint8_t chunk[CHUNK];
	uint64_t done = 0;

	if (fd != 1 && fd != 2)
		return (uint64_t)-EBADF;
	len = len < MAX_WRITE ? len : MAX_WRITE;
	while (done < len) {
		uint64_t n = len - done < CHUNK ? len - done : CHUNK;

		if (gmem_read(&h->vm->mem, buf + done, chunk, n))
			return done ? done : (uint64_t)-EFAULT;
		put(h, chunk, n);
		done += n;
	}
	return done;
}

static void end(struct htif *h, uint64_t code)
{
	vm_request(h->vm, code ? VM_EVENT_FAIL : VM_EVENT_POWEROFF, (uint32_t)code);
}

static void system_call(struct htif *h, gpa_t args)
{
	uint64_t a[8];

	if (args % 8 || gmem_read(&h->vm->mem, args, a, sizeof(a)))
		return;
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		a[i] = le64toh(a[i]);
	if (a[0] == SYS_EXIT) {
		end(h, a[1]);
		return;
	}
	if (put_word(h, args, a[0] == SYS_WRITE ? write_console(h, a[1], a[2], a[3]) :
						  (uint64_t)-ENOSYS))
		answer(h, 1);
}

static void look(struct htif *h)
{
	uint64_t value = load(page_host(h, h->cfg.tohost - h->page), 8);
	uint64_t payload = bits_get(value, 0, 48);
	uint8_t byte = (uint8_t)value;

	switch (value >> 48) {
	case 0x0000:
		if (payload & 1)
			end(h, payload >> 1);
		else if (payload)
			system_call(h, payload);
		break;
	case 0x0101:
		put(h, &byte, 1);
		answer(h, value & ~UINT64_C(0xffffffffffff));
		break;
	default:
		break;
	}
}

static bool htif_read(void *opaque, uint64_t off, unsigned size, uint64_t *value)
{
	*value = load(page_host(opaque, off), size);
	return true;
}

static bool htif_write(void *opaque, uint64_t off, unsigned size, uint64_t value)
{
	struct htif *h = opaque;
	uint64_t word = h->cfg.tohost - h->page;

	pthread_mutex_lock(&h->lock);
	store(page_host(h, off), size, value);
	if (off - word < 8)
		look(h);
	pthread_mutex_unlock(&h->lock);
	return true;
}

static void htif_reset(struct dev *d)
{
}

static void htif_fini(struct dev *d)
{
	struct htif *h = container_of(d, struct htif, dev);

	pthread_mutex_destroy(&h->lock);
	free(h);
}

int htif_new(struct vm *vm, const struct htif_cfg *cfg, struct htif **out, struct err *err)
{
	static const struct dev_ops dev_ops = { .reset = htif_reset, .fini = htif_fini };
	static const struct bus_ops bus_ops = { htif_read, htif_write };
	struct htif *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return err_set(err, -ENOMEM, "%s: out of memory", cfg->name);
	h->vm = vm;
	h->cfg = *cfg;
	h->page = align_down(cfg->tohost, GMEM_PAGE);
	h->dev.ops = &dev_ops;
	h->dev.name = cfg->name;
	pthread_mutex_init(&h->lock, NULL);
	rc = bus_map(&vm->bus, &(struct bus_region){ h->page, GMEM_PAGE, &bus_ops, h, cfg->name },
		     err);
	if (rc) {
		htif_fini(&h->dev);
		return rc;
	}
	vm_add_dev(vm, &h->dev);
	*out = h;
	return 0;
}
