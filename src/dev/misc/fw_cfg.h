/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QEMU's firmware configuration device, memory-mapped with DMA (QEMU docs/specs/fw_cfg):
 * items of bytes behind 16-bit keys, and a directory of named ones.
 *
 *	 0  data: bytes of the selected item, in order
 *	 8  selector: 16 bits, big-endian
 *	16  DMA address: 64 bits, big-endian, may be written in halves, the low one last;
 *	    it names { be32 control; be32 length; be64 address } in guest memory
 *
 * Items are added before the VM starts and then never change. Register accesses come from
 * vCPU threads, under one lock.
 */
#ifndef DEV_MISC_FW_CFG_H
#define DEV_MISC_FW_CFG_H

#include "core/vm.h"

enum {
	FW_CFG_SIGNATURE = 0x00,
	FW_CFG_ID = 0x01,
	FW_CFG_NB_CPUS = 0x05,
	FW_CFG_KERNEL_SIZE = 0x08,
	FW_CFG_INITRD_SIZE = 0x0b,
	FW_CFG_KERNEL_DATA = 0x11,
	FW_CFG_INITRD_DATA = 0x12,
	FW_CFG_CMDLINE_SIZE = 0x14,
	FW_CFG_CMDLINE_DATA = 0x15,
	FW_CFG_FILE_DIR = 0x19,
	FW_CFG_BYTES = 0x18,		/* size of the register block */
	FW_CFG_MAX_ITEMS = 32,
};

struct fw_cfg;

struct fw_cfg_cfg {
	gpa_t base;		/* FW_CFG_BYTES */
	const char *name;
};

/* With signature, id and an empty directory. Maps itself and joins vm, which owns it. */
int fw_cfg_new(struct vm *vm, const struct fw_cfg_cfg *cfg, struct fw_cfg **out, struct err *err);

/*
 * Adds an item that has no key yet: len bytes at data, from malloc() and taken over also on
 * failure; NULL data with len 0 is fine. Before vm_start(). -ENOMEM (data NULL but len not 0,
 * so that a caller may pass malloc's result on), -ENOSPC.
 */
int fw_cfg_add(struct fw_cfg *f, uint16_t key, void *data, uint32_t len, struct err *err);

/* As fw_cfg_add() with a little-endian value of 2 or 4 bytes. */
int fw_cfg_add_value(struct fw_cfg *f, uint16_t key, uint32_t value, unsigned bytes,
		     struct err *err);

#endif
