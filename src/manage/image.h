/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: disks to make VMs from. images/NAME.json describes one: {"name", "arch", "format": "raw",
 * "boot": "firmware"}: the disk carries its own boot loader, which the platform's firmware starts.
 * With "digest", the disk is that of images/sha256-HEX (manage/draft.h); without, images/NAME.raw.
 */
#ifndef MANAGE_IMAGE_H
#define MANAGE_IMAGE_H

#include <stdint.h>

#include "manage/store.h"

struct image {
	char disk[STORE_PATH_MAX];
	char arch[16];
	char digest[65];		/* SHA-256 of the disk, hexadecimal; "": not known */
	uint64_t size;			/* of the disk, bytes */
};

/*
 * Looks name up. -ENOENT with the remedy; a broken description is named. A disk whose size or time
 * of change is not what was recorded when it was added is refused (-EUCLEAN).
 */
int image_find(struct image *img, const struct store *s, const char *name, struct err *err);

/*
 * A new disk file at path with the image's content: by reference where the file system can, else
 * copied without its holes. progress (may be NULL) hears of bytes done and in all.
 */
int image_copy(const struct image *img, const char *path,
	       void (*progress)(void *opaque, uint64_t done, uint64_t all), void *opaque,
	       struct err *err);

/* The firmware that starts disks of that architecture, or NULL: a file of a Debian package. */
const char *image_firmware(const char *arch);

#endif
