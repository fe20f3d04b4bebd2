/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board "virt-1" (riscv64): QEMU's virt memory map and device-tree conventions.
 *
 * Theory of operation. virt_build() looks at the files to find out how the machine starts,
 * makes memory, CPUs and devices, and hands them to the VM; virt_boot() runs then and at
 * every reset: it copies kernel or firmware, initrd and device tree into memory and sets the
 * CPUs going. Files are read from their descriptors each time.
 *
 *	how it starts		first code			mode	CPUs
 *	VIRT_START_KERNEL	the kernel, at its place	S	hart 0; others by HSM
 *	VIRT_START_FLASH	flash bank 0			S	hart 0; others by HSM
 *	VIRT_START_FIRMWARE	boot ROM, then the firmware	M	all
 *
 * The first two run under the built-in SBI: the board then has no CLINT, and the device tree
 * shows none. Firmware in M-mode finds the board as QEMU presents it: a0 = hart id, a1 = device
 * tree, a2 = struct fw_dynamic_info.
 *
 * Memory, from the bottom of RAM: firmware, kernel (at RAM + 2 MiB or above); from the top of
 * RAM, or of its first GiB: device tree, below it the initrd.
 */
#ifndef MACHINE_VIRT_VIRT_H
#define MACHINE_VIRT_VIRT_H

#include "core/vm.h"
#include "dev/pci/pci.h"
#include "dev/riscv/plic.h"
#include "dev/virtio/virtio.h"
#include "machine/load/image.h"
#include "machine/machine.h"
#include "machine/virt/sbi.h"

/* The memory map. */
#define VIRT_ROM_BASE		UINT64_C(0x1000)
#define VIRT_ROM_SIZE		UINT64_C(0xf000)
#define VIRT_TEST_BASE		UINT64_C(0x100000)
#define VIRT_TEST_SIZE		UINT64_C(0x1000)
#define VIRT_RTC_BASE		UINT64_C(0x101000)
#define VIRT_RTC_SIZE		UINT64_C(0x1000)
#define VIRT_MSWI_BASE		UINT64_C(0x2000000)
#define VIRT_MTIMER_BASE	UINT64_C(0x2004000)
#define VIRT_CLINT_SIZE		UINT64_C(0x10000)
#define VIRT_SSWI_BASE		UINT64_C(0x2f00000)
#define VIRT_SSWI_SIZE		UINT64_C(0x4000)
#define VIRT_PIO_BASE		UINT64_C(0x3000000)
#define VIRT_PIO_SIZE		UINT64_C(0x10000)
#define VIRT_PLIC_BASE		UINT64_C(0xc000000)
#define VIRT_PLIC_SIZE		UINT64_C(0x600000)
#define VIRT_UART_BASE		UINT64_C(0x10000000)
#define VIRT_UART_SIZE		UINT64_C(0x100)
#define VIRT_MMIO_BASE		UINT64_C(0x10001000)
#define VIRT_MMIO_SIZE		UINT64_C(0x1000)
#define VIRT_FW_CFG_BASE	UINT64_C(0x10100000)
#define VIRT_FW_CFG_SIZE	UINT64_C(0x18)
#define VIRT_FLASH_BASE		UINT64_C(0x20000000)
#define VIRT_FLASH_SIZE		UINT64_C(0x2000000)	/* each of two banks */
#define VIRT_ECAM_BASE		UINT64_C(0x30000000)
#define VIRT_ECAM_SIZE		UINT64_C(0x10000000)
#define VIRT_PCI_MEM32_BASE	UINT64_C(0x40000000)
#define VIRT_PCI_MEM32_SIZE	UINT64_C(0x40000000)
#define VIRT_RAM_BASE		UINT64_C(0x80000000)
/* At the next multiple of its size past RAM. */
#define VIRT_PCI_MEM64_SIZE	UINT64_C(0x400000000)

/* A payload for S-mode lies this far into RAM, where firmware would leave room for itself. */
#define VIRT_PAYLOAD_OFFSET	UINT64_C(0x200000)

enum {
	VIRT_IRQ_MMIO = 1,		/* to 8 */
	VIRT_MMIO_SLOTS = 8,
	VIRT_IRQ_UART = 10,
	VIRT_IRQ_RTC = 11,
	VIRT_IRQ_PCI = 32,		/* to 35: INTA to INTD of slot 0 */
	VIRT_TIMEBASE_HZ = 10000000,
};

/* PCI slots of what every machine has; disks and networks take 4 to 31. */
enum {
	VIRT_SLOT_INPUT = 1,		/* power key */
	VIRT_SLOT_RNG = 2,
	VIRT_SLOT_CONSOLE = 3,		/* guest agent's port, if there is one */
	VIRT_SLOT_FREE = 4,
};

enum virt_start { VIRT_START_KERNEL, VIRT_START_FLASH, VIRT_START_FIRMWARE };

struct virt {
	struct dev dev;			/* first among the VM's: frees this */
	struct vm *vm;
	enum virt_start start;
	unsigned cpus;
	uint64_t ram;			/* bytes */
	gpa_t mem64;			/* base of the PCIe window above RAM */
	bool has_kernel, has_firmware;	/* a test program given as kernel is firmware */
	bool kernel_in_fw_cfg;		/* kernel and initrd go to flash firmware, not to RAM */
	bool has_flash;			/* bank 0 was given an image */
	struct load_image kernel, firmware;
	struct load_file initrd;	/* fd < 0: none */
	char *append;			/* NULL: none */
	char *names[8];			/* copies of file names */
	unsigned name_count;
	struct sbi *sbi;		/* NULL: firmware in M-mode */
	struct virtio *power_key;
};

/* What the device tree's /chosen says, and it alone changes between boots. */
struct virt_chosen {
	const char *bootargs;		/* NULL: none */
	gpa_t initrd, initrd_end;	/* initrd == 0: none */
	uint8_t seed[32];
};

enum { VIRT_FDT_BYTES = 64 * 1024 };

/* Writes the device tree into buf (VIRT_FDT_BYTES); -ENOSPC when the command line is too long. */
int virt_fdt_build(const struct virt *b, const struct virt_chosen *c, void *buf, struct err *err);

/* vm->boot of this board. */
int virt_boot(struct vm *vm, struct err *err);

/* Makes every device; memory and CPUs are there. Takes over what cfg says is taken over. */
int virt_add_devices(struct virt *b, struct machine_cfg *cfg, struct err *err);

/* *copy gets a copy of name (NULL: "file") that lives as long as the board; -ENOMEM. */
int virt_keep_name(struct virt *b, const char *name, const char **copy, struct err *err);

/* The page of a test program's tohost, if it has one in RAM; else 0. */
gpa_t virt_tohost_page(const struct virt *b);

#endif
