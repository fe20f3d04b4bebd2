/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boards: what a machine is made of, where, and how it boots.
 *
 * A board takes a description in which every file is already open, builds memory, devices
 * and CPUs into a struct vm and sets vm->boot. It opens nothing by path.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/chan.h"
#include "base/err.h"
#include "block/blk.h"
#include "core/vm.h"
#include "net/net.h"

enum { MACHINE_MAX_DISKS = 16, MACHINE_MAX_NETS = 4, MACHINE_MAX_PFLASH = 2 };

/*
 * What starts, on virt-1:
 *
 *	firmware		runs in M-mode; kernel and initrd lie beside it, as on QEMU
 *	pflash[0] without it	EFI firmware in S-mode under the built-in SBI; kernel, initrd and
 *				command line reach it through fw_cfg
 *	kernel alone		a Linux Image, a raw binary (U-Boot for S-mode, for instance: at
 *				RAM + 2 MiB) or an ELF file, in S-mode under the built-in SBI; but
 *				an ELF file with a symbol tohost, or linked within the first 2 MiB of
 *				RAM, is a program for the bare machine and runs as firmware
 *
 * PCI slots 1 to 3 are the board's (power key, entropy, agent's port), 4 to 31 are free for
 * disks and networks.
 */

/* A file to load: descriptor and the name for sentences; fd < 0: none. */
struct machine_file {
	int fd;
	const char *name;
};

struct machine_disk {
	struct blk *blk;		/* taken over by the device */
	const char *serial;		/* at most 20 bytes */
	bool mmio;			/* on a virtio-mmio slot, not PCI */
	unsigned slot;			/* PCI slot, or virtio-mmio slot (0 to 7) */
};

struct machine_net {
	struct net *net;		/* taken over by the device */
	uint8_t mac[6];
	unsigned slot;			/* PCI slot */
};

struct machine_cfg {
	const char *machine;		/* "virt-1": board and version */
	unsigned cpus;			/* 1 to VM_MAX_CPUS */
	uint64_t ram;			/* bytes */
	struct machine_file kernel, initrd, firmware;
	struct machine_file pflash[MACHINE_MAX_PFLASH];
	bool pflash_writable[MACHINE_MAX_PFLASH];
	const char *append;		/* kernel command line, or NULL */
	struct machine_disk disks[MACHINE_MAX_DISKS];
	unsigned disk_count;
	struct machine_net nets[MACHINE_MAX_NETS];
	unsigned net_count;
	struct chan *console;		/* the UART's; taken over */
	struct chan *agent;		/* guest agent's virtio port; NULL: none; taken over */
};

struct machine_ops {
	const char *name;		/* "virt-1" */
	const char *arch;		/* "riscv64" */
	uint64_t timebase_hz;
	uint64_t min_ram;		/* bytes */
	/*
	 * Builds the board into vm (made by vm_init()); on error vm_fini() cleans up. Files stay
	 * the caller's, open as long as vm lives, since they are read at every boot; their names,
	 * serials and append are copied. What is taken over is NULL in cfg then.
	 */
	int (*build)(struct vm *vm, struct machine_cfg *cfg, struct err *err);
	/* Loop thread: presses the power button. */
	void (*power_button)(struct vm *vm);
};

/* The board of that name, or NULL. */
const struct machine_ops *machine_find(const char *name);

/* NULL-terminated list, for help texts and doctor. */
const struct machine_ops *const *machine_all(void);

#endif
