/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is on a disk that somebody wants to boot: partitions (GPT as in UEFI 2.10 §5.3, MBR), file
 * systems, and in ext2 to ext4 the boot loader's menu and kernels. Nothing is mounted.
 *
 * The disk may be hostile, and libext2fs was not made for that: a process of its own looks at it,
 * without capabilities, network, other files, or new programs, and with 20 s of CPU time.
 * What it says is bounded text.
 */
#ifndef MANAGE_PROBE_H
#define MANAGE_PROBE_H

#include "base/err.h"

struct probe {
	unsigned table;		/* there is a partition table */
	unsigned loader;		/* extlinux.conf, or an EFI system partition */
	unsigned kernel;		/* a kernel in a file system that could be read */
	unsigned efi;		/* an EFI system partition, whose files were not looked at */
	char text[400];		/* what was found: a phrase */
};

/* Looks at the disk at path, which is a regular file. Errors when it cannot be looked at at all. */
int probe_disk(struct probe *p, const char *path, struct err *err);

#endif
