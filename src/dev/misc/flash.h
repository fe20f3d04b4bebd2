/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NOR flash with the Intel command set (CFI publication 100, command set 0001): a bank 32
 * bits wide made of two 16-bit chips side by side, as device trees call "cfi-flash" with
 * bank-width 4. Commands are repeated on both 16-bit lanes; status and query answers too.
 *
 * The bank's memory is a GMEM_ROMD region: while the chips are in read-array mode the guest
 * reads and executes it as memory, and only writes come here; in the other modes reads do
 * too. The bank is filled from a file. What the guest programs goes back to the file by the
 * loop, in the background; a safepoint waits until the file has everything, synced.
 *
 *	00 ff f0  read array		70  read status		50  clear status
 *	10 40  program a word		20 d0  erase a block	60 d0, 60 01  unlock, lock
 *	90  read identifier		98  CFI query		e8 n ... d0  program a buffer
 *
 * Register accesses come from vCPU threads, under one lock.
 */
#ifndef DEV_MISC_FLASH_H
#define DEV_MISC_FLASH_H

#include "core/vm.h"

enum { FLASH_BLOCK_BYTES = 256 * 1024, FLASH_BUFFER_BYTES = 1024, FLASH_WIDTH = 4 };

struct flash;

struct flash_cfg {
	gpa_t base;
	uint64_t size;		/* a power of two, at least two blocks */
	int fd;			/* the caller's, open as long as the VM lives; < 0: none */
	const char *file;	/* its name, for sentences; lives as long as the device */
	bool writable;		/* else programming and erasing fail as on a locked block */
	const char *name;	/* "flash0" */
};

/*
 * Adds the memory, reads the file into it (a smaller one is followed by erased flash; without
 * one the bank is zeroes, which costs no memory), maps itself and joins vm, which owns it.
 * -EFBIG, -EINVAL with a sentence naming the file; -ENOMEM; read errors.
 */
int flash_new(struct vm *vm, const struct flash_cfg *cfg, struct flash **out, struct err *err);

#endif
