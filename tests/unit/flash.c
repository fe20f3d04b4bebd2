/* SPDX-License-Identifier: Apache-2.0 */
/* The flash bank through its commands, what reaches its file; fw_cfg's registers and DMA. */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "dev/misc/flash.h"
#include "dev/misc/fw_cfg.h"
#include "tests/unit/fake_engine.h"

enum { BASE = 0x20000000, SIZE = 4 * FLASH_BLOCK_BYTES, RAM = 0x80000000, FW_CFG = 0x10100000 };

struct fixture {
	struct vm vm;
	struct flash *flash;
	int fd;
	struct err err;
};

static int boot_nothing(struct vm *vm, struct err *err)
{
	return 0;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(vm_init(&f->vm, &fake_engine, 10000000, &f->err), 0);
	assert_int_equal(gmem_add(&f->vm.mem, RAM, MIB, GMEM_RAM, "ram", NULL, &f->err), 0);
	f->vm.boot = boot_nothing;
	f->fd = memfd_create("vars.fd", MFD_CLOEXEC);
	assert_true(f->fd >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vm_fini(&f->vm);
	close(f->fd);
	free(f);
	return 0;
}

static int make(struct fixture *f, bool writable)
{
	struct flash_cfg cfg = {
		.base = BASE, .size = SIZE, .fd = f->fd, .file = "vars.fd", .writable = writable,
		.name = "flash0",
	};

	return flash_new(&f->vm, &cfg, &f->flash, &f->err);
}

static void wr(struct fixture *f, uint64_t off, uint32_t value)
{
	assert_true(bus_write(&f->vm.bus, BASE + off, 4, value));
}

/* A command, on both chips. */
static void cmd(struct fixture *f, uint64_t off, uint8_t c)
{
	wr(f, off, c * 0x10001u);
}

/* As the guest sees it: memory while that is direct, else the device. */
static uint32_t rd(struct fixture *f, uint64_t off)
{
	uint8_t bytes[4];
	uint64_t v;

	if (!gmem_read(&f->vm.mem, BASE + off, bytes, 4))
		return ld_le32(bytes);
	assert_true(bus_read(&f->vm.bus, BASE + off, 4, &v));
	return (uint32_t)v;
}

static void contents(void **state)
{
	struct fixture *f = *state;
	uint8_t word[4] = { 1, 2, 3, 4 };

	assert_int_equal(pwrite(f->fd, word, 4, 1000), 4);
	assert_int_equal(make(f, true), 0);
	assert_int_equal(rd(f, 0), 0);
	assert_int_equal(rd(f, 1000), 0x04030201);
	assert_true(rd(f, 1004) == UINT32_MAX);
	assert_true(rd(f, SIZE - 4) == UINT32_MAX);
	/* a guest cannot store into it, and reads come from memory */
	assert_null(gmem_ptr(&f->vm.mem, BASE, 4, true));
	assert_non_null(gmem_ptr(&f->vm.mem, BASE, SIZE, false));
}

static void identify(void **state)
{
	struct fixture *f = *state;
	uint64_t v;

	assert_int_equal(ftruncate(f->fd, 100), 0);
	assert_int_equal(make(f, true), 0);
	cmd(f, 0x55 * 4, 0x98);
	assert_null(gmem_ptr(&f->vm.mem, BASE, 4, false));
	assert_int_equal(rd(f, 0x10 * 4), 'Q' * 0x10001);
	assert_int_equal(rd(f, 0x11 * 4), 'R' * 0x10001);
	assert_int_equal(rd(f, 0x12 * 4), 'Y' * 0x10001);
	assert_int_equal(rd(f, 0x13 * 4), 0x10001);
	assert_int_equal(rd(f, 0x27 * 4), 19 * 0x10001);	/* each chip has half a MiB */
	assert_int_equal(rd(f, 0x2d * 4), 3 * 0x10001);		/* four blocks */
	assert_int_equal(rd(f, 0x30 * 4), 2 * 0x10001);		/* 512 * 256 bytes */
	assert_true(bus_read(&f->vm.bus, BASE + 0x11 * 4 + 2, 2, &v));
	assert_int_equal(v, 'R');
	assert_true(bus_read(&f->vm.bus, BASE + 0x10 * 4, 8, &v));
	assert_true(v == ((uint64_t)'R' << 48 | (uint64_t)'R' << 32 | 'Q' << 16 | 'Q'));
	cmd(f, 0, 0x90);
	assert_int_equal(rd(f, 0), 0x890089);
	assert_int_equal(rd(f, 4), 0x180018);
	cmd(f, 0, 0xff);
	assert_non_null(gmem_ptr(&f->vm.mem, BASE, 4, false));
}

static void program_and_erase(void **state)
{
	struct fixture *f = *state;
	const uint64_t at = FLASH_BLOCK_BYTES + 64;

	assert_int_equal(ftruncate(f->fd, SIZE), 0);
	assert_int_equal(make(f, true), 0);
	/* zeroes cannot be programmed back to ones */
	cmd(f, at, 0x40);
	wr(f, at, 0x11223344);
	assert_int_equal(rd(f, at), 0x800080);
	cmd(f, 0, 0xff);
	assert_int_equal(rd(f, at), 0);
	cmd(f, at, 0x20);
	cmd(f, at, 0xd0);
	assert_int_equal(rd(f, at), 0x800080);
	cmd(f, 0, 0xff);
	assert_true(rd(f, at) == UINT32_MAX);
	assert_int_equal(rd(f, FLASH_BLOCK_BYTES - 4), 0);
	assert_true(rd(f, 2 * FLASH_BLOCK_BYTES - 4) == UINT32_MAX);
	assert_int_equal(rd(f, 2 * FLASH_BLOCK_BYTES), 0);
	cmd(f, at, 0x40);
	wr(f, at, 0x11223344);
	/* a buffer of four words */
	cmd(f, at, 0xe8);
	assert_int_equal(rd(f, at), 0x800080);
	cmd(f, at, 3);
	for (unsigned i = 0; i < 4; i++)
		wr(f, at + 16 + 4 * i, 0xa0b0c0d0 + i);
	cmd(f, at, 0xd0);
	assert_int_equal(rd(f, at), 0x800080);
	cmd(f, 0, 0xff);
	assert_int_equal(rd(f, at), 0x11223344);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(rd(f, at + 16 + 4 * i), 0xa0b0c0d0 + i);
	assert_true(rd(f, at + 32) == UINT32_MAX);
}

static void wrong_sequences(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ftruncate(f->fd, SIZE), 0);
	assert_int_equal(make(f, true), 0);
	cmd(f, 0, 0x20);
	cmd(f, 0, 0x33);	/* no confirmation */
	assert_int_equal(rd(f, 0) & 0xff, 0xb0);
	cmd(f, 0, 0x50);
	cmd(f, 0, 0x70);
	assert_int_equal(rd(f, 0), 0x800080);
	cmd(f, 0, 0xe8);	/* a buffer that is too large */
	wr(f, 0, 0xffff);
	assert_int_equal(rd(f, 0) & 0xff, 0xb0);
	cmd(f, 0, 0x50);
	cmd(f, 0, 0xe8);	/* leaves its block */
	cmd(f, 0, 1);
	wr(f, FLASH_BLOCK_BYTES, 0);
	assert_int_equal(rd(f, 0) & 0xff, 0xb0);
	cmd(f, 0, 0x50);
	cmd(f, 0, 0xe8);	/* is not confirmed */
	cmd(f, 0, 0);
	wr(f, 0, 0);
	cmd(f, 0, 0xff);
	assert_int_equal(rd(f, 0) & 0xff, 0xb0);
	cmd(f, 0, 0x77);	/* no command: back to the array */
	assert_int_equal(rd(f, 0), 0);
}

static void read_only(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ftruncate(f->fd, SIZE), 0);
	assert_int_equal(make(f, false), 0);
	cmd(f, 0, 0x20);
	cmd(f, 0, 0xd0);
	assert_int_equal(rd(f, 0) & 0xff, 0xa2);
	cmd(f, 0, 0x50);
	cmd(f, 0, 0x40);
	wr(f, 0, 0);
	assert_int_equal(rd(f, 0) & 0xff, 0x92);
	cmd(f, 0, 0xff);
	assert_int_equal(rd(f, 0), 0);
}

static void reaches_the_file(void **state)
{
	struct fixture *f = *state;
	uint8_t got[8];

	assert_int_equal(ftruncate(f->fd, SIZE), 0);
	assert_int_equal(make(f, true), 0);
	assert_int_equal(vm_start(&f->vm, NULL, &f->err), 0);
	cmd(f, FLASH_BLOCK_BYTES, 0x20);
	cmd(f, FLASH_BLOCK_BYTES, 0xd0);
	cmd(f, FLASH_BLOCK_BYTES + 8, 0x40);
	wr(f, FLASH_BLOCK_BYTES + 8, 0xdeadbeef);
	cmd(f, 3 * FLASH_BLOCK_BYTES, 0x20);
	cmd(f, 3 * FLASH_BLOCK_BYTES, 0xd0);
	vm_pause(&f->vm);	/* after it, the file has everything */
	assert_int_equal(pread(f->fd, got, 8, FLASH_BLOCK_BYTES + 4), 8);
	assert_memory_equal(got, "\xff\xff\xff\xff\xef\xbe\xad\xde", 8);
	assert_int_equal(pread(f->fd, got, 1, FLASH_BLOCK_BYTES - 1), 1);
	assert_int_equal(got[0], 0);
	assert_int_equal(pread(f->fd, got, 1, SIZE - 1), 1);
	assert_int_equal(got[0], 0xff);
	/* a reset leaves command mode, not the contents */
	vm_resume(&f->vm);
	assert_int_equal(rd(f, 0), 0x800080);
	assert_int_equal(vm_reset(&f->vm, &f->err), 0);
	assert_int_equal(rd(f, FLASH_BLOCK_BYTES + 8), 0xdeadbeef);
}

static void bad_files(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(make(f, true), -EINVAL);
	assert_non_null(strstr(f->err.msg, "vars.fd: is empty"));
	gmem_fini(&f->vm.mem);
	assert_int_equal(ftruncate(f->fd, SIZE + 1), 0);
	assert_int_equal(make(f, true), -EFBIG);
	assert_non_null(strstr(f->err.msg, "vars.fd: does not fit"));
}

/* ---- fw_cfg ------------------------------------------------------------------------------- */

static uint64_t dma(struct fixture *f, uint32_t control, uint32_t len, gpa_t addr)
{
	struct {
		uint32_t control, len;
		uint64_t addr;
	} c = { htobe32(control), htobe32(len), htobe64(addr) };
	uint32_t result;

	assert_int_equal(gmem_write(&f->vm.mem, RAM + 0x100, &c, sizeof(c)), 0);
	assert_true(bus_write(&f->vm.bus, FW_CFG + 16, 4, 0));
	assert_true(bus_write(&f->vm.bus, FW_CFG + 20, 4, htobe32(RAM + 0x100)));
	assert_int_equal(gmem_read(&f->vm.mem, RAM + 0x100, &result, 4), 0);
	return be32toh(result);
}

static void fw_cfg(void **state)
{
	struct fixture *f = *state;
	struct fw_cfg_cfg cfg = { FW_CFG, "fw-cfg" };
	struct fw_cfg *dev;
	char got[16] = "";
	uint64_t v;

	assert_int_equal(fw_cfg_new(&f->vm, &cfg, &dev, &f->err), 0);
	assert_int_equal(fw_cfg_add(dev, 0x11, strdup("kernel"), 6, &f->err), 0);
	assert_int_equal(fw_cfg_add(dev, 0x12, NULL, 6, &f->err), -ENOMEM);
	/* registers: the signature, then zeroes; in any width */
	assert_true(bus_write(&f->vm.bus, FW_CFG + 8, 2, 0));
	assert_true(bus_read(&f->vm.bus, FW_CFG, 1, &v));
	assert_int_equal(v, 'Q');
	assert_true(bus_read(&f->vm.bus, FW_CFG, 8, &v));
	assert_int_equal(v, 'E' | 'M' << 8 | 'U' << 16);
	assert_true(bus_write(&f->vm.bus, FW_CFG + 8, 2, 0x1900));
	assert_true(bus_read(&f->vm.bus, FW_CFG, 4, &v));
	assert_int_equal(v, 0);
	assert_true(bus_write(&f->vm.bus, FW_CFG + 8, 2, 0x7777));
	assert_true(bus_read(&f->vm.bus, FW_CFG, 8, &v));
	assert_int_equal(v, 0);
	assert_true(bus_read(&f->vm.bus, FW_CFG + 16, 8, &v));
	assert_true(v == htobe64(UINT64_C(0x51454d5520434647)));
	/* DMA: select and read, skip, read past the end */
	assert_int_equal(dma(f, 0x11u << 16 | 8 | 2, 3, RAM + 0x200), 0);
	assert_int_equal(gmem_read(&f->vm.mem, RAM + 0x200, got, 3), 0);
	assert_memory_equal(got, "ker", 3);
	assert_int_equal(dma(f, 4, 1, 0), 0);
	assert_int_equal(dma(f, 2, 8, RAM + 0x200), 0);
	assert_int_equal(gmem_read(&f->vm.mem, RAM + 0x200, got, 8), 0);
	assert_memory_equal(got, "el\0\0\0\0\0\0", 8);
	/* mistakes: memory that is not there, a write, an address out of nowhere */
	assert_int_equal(dma(f, 0x11u << 16 | 8 | 2, 3, 0x1000), 1);
	assert_int_equal(dma(f, 0x11u << 16 | 8 | 2, UINT32_MAX, RAM), 1);
	assert_int_equal(dma(f, 0x11u << 16 | 8 | 16, 3, RAM), 1);
	assert_true(bus_write(&f->vm.bus, FW_CFG + 16, 8, UINT64_MAX));
	assert_int_equal(dma(f, 2, 6, RAM + 0x200), 0);
	assert_int_equal(gmem_read(&f->vm.mem, RAM + 0x200, got, 6), 0);
	assert_memory_equal(got, "kernel", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(contents, setup, teardown),
		cmocka_unit_test_setup_teardown(identify, setup, teardown),
		cmocka_unit_test_setup_teardown(program_and_erase, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_sequences, setup, teardown),
		cmocka_unit_test_setup_teardown(read_only, setup, teardown),
		cmocka_unit_test_setup_teardown(reaches_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_files, setup, teardown),
		cmocka_unit_test_setup_teardown(fw_cfg, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
