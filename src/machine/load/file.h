/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that a board loads into guest memory: kernels, initrds, firmware.
 *
 * Descriptors stay the caller's and are read with pread(2) at every boot of the VM, so that
 * nothing is kept in memory twice. Everything here runs on the control thread while no vCPU
 * runs. Sentences name the file and the remedy.
 */
#ifndef MACHINE_LOAD_FILE_H
#define MACHINE_LOAD_FILE_H

#include <stdint.h>

#include "base/err.h"
#include "core/gmem.h"

struct load_file {
	int fd;			/* the caller's; open as long as the VM lives */
	const char *name;	/* likewise; for sentences */
	uint64_t size;		/* bytes, when it was opened */
};

/* Takes note of fd. -EINVAL: no regular file nor block device, or empty; fstat(2)'s errors. */
int load_file_open(struct load_file *f, int fd, const char *name, struct err *err);

/* Reads exactly len bytes at off. -ENODATA: the file ends before; pread(2)'s errors. */
int load_file_read(const struct load_file *f, uint64_t off, void *buf, uint64_t len,
		   struct err *err);

/*
 * Reads exactly len bytes at off into guest memory at gpa, RAM or not, across regions that
 * touch. -ENOSPC: a part of [gpa, gpa + len) has no memory; else as load_file_read().
 */
int load_file_to_guest(const struct load_file *f, uint64_t off, const struct gmem *mem, gpa_t gpa,
		       uint64_t len, struct err *err);

/*
 * Host address of gpa in memory of any kind, *len cut to what lies in that region; NULL: no
 * memory there. For loaders only.
 */
uint8_t *load_span(const struct gmem *mem, gpa_t gpa, uint64_t *len);

/* Zeroes [gpa, gpa + len); -ENOSPC when a part of it has no memory. */
int load_zero(const struct load_file *f, const struct gmem *mem, gpa_t gpa, uint64_t len,
	      struct err *err);

/* -ENOSPC with a sentence unless all of [gpa, gpa + len) is memory. */
int load_check_range(const struct load_file *f, const struct gmem *mem, gpa_t gpa, uint64_t len,
		     struct err *err);

#endif
