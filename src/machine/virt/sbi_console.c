/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console of the built-in SBI (Debug Console Extension, SBI 2.0 §12). Output goes where
 * the UART's goes; input comes out of the UART's receiver, as it does when firmware and
 * supervisor share one.
 */
#include <string.h>

#include "machine/virt/sbi_call.h"

enum { CONSOLE_WRITE, CONSOLE_READ, CONSOLE_WRITE_BYTE };

/* The most one call moves: it may do less than asked, and holds the hart meanwhile. */
enum { MOST_BYTES = 64 * 1024, CHUNK = 1024 };

/* 16550 registers and bits */
enum { UART_RBR = 0, UART_LCR = 3, UART_LSR = 5, LCR_DLAB = 0x80, LSR_DR = 0x01 };

int sbi_console_get(struct sbi *sbi)
{
	struct bus *bus = &sbi->vm->bus;
	uint64_t value;

	if (!bus_read(bus, sbi->cfg.uart + UART_LCR, 1, &value) || (value & LCR_DLAB))
		return -1;
	if (!bus_read(bus, sbi->cfg.uart + UART_LSR, 1, &value) || !(value & LSR_DR))
		return -1;
	return bus_read(bus, sbi->cfg.uart + UART_RBR, 1, &value) ? (int)(value & 0xff) : -1;
}

/* The bytes of a guest buffer, copied once since the guest may change them meanwhile. */
static void put_bytes(struct sbi *sbi, const uint8_t *guest, uint64_t len)
{
	uint8_t buf[CHUNK];

	while (len && sbi->cfg.console) {
		uint64_t n = len < CHUNK ? len : CHUNK;

		memcpy(buf, guest, n);
		chan_write(sbi->cfg.console, buf, n);
		guest += n;
		len -= n;
	}
}

int64_t sbi_dbcn(struct sbi_call *c)
{
	const struct gmem *mem = &c->sbi->vm->mem;
	uint64_t n = c->a[0] < MOST_BYTES ? c->a[0] : MOST_BYTES, got = 0;
	uint8_t byte = (uint8_t)c->a[0], *guest;
	int ch;

	if (c->fid == CONSOLE_WRITE_BYTE) {
		put_bytes(c->sbi, &byte, 1);
		return SBI_SUCCESS;
	}
	if (c->fid != CONSOLE_WRITE && c->fid != CONSOLE_READ)
		return SBI_ERR_NOT_SUPPORTED;
	if (!n)
		return SBI_SUCCESS;
	/* The whole buffer must be the guest's, though only n bytes are moved. */
	guest = c->a[2] ? NULL : gmem_ptr(mem, c->a[1], c->a[0], c->fid == CONSOLE_READ);
	if (!guest)
		return SBI_ERR_INVALID_PARAM;
	if (c->fid == CONSOLE_WRITE) {
		put_bytes(c->sbi, guest, n);
		c->value = n;
		return SBI_SUCCESS;
	}
	while (got < n && (ch = sbi_console_get(c->sbi)) >= 0)
		ram_st8(guest + got++, (uint8_t)ch);
	c->value = got;
	return SBI_SUCCESS;
}

int64_t sbi_legacy_putchar(struct sbi_call *c)
{
	uint8_t byte = (uint8_t)c->a[0];

	put_bytes(c->sbi, &byte, 1);
	return 0;
}

int64_t sbi_legacy_getchar(struct sbi_call *c)
{
	return sbi_console_get(c->sbi);
}
