/* SPDX-License-Identifier: Apache-2.0 */
/* What importing and pulling have in common. */
#ifndef CLI_IMAGE_ADD_H
#define CLI_IMAGE_ADD_H

#include "cli/image.h"
#include "manage/store.h"

/* The largest disk that an image may have, bytes. */
#define IMAGE_MAX (UINT64_C(1) << 40)

/*
 * The disk in the open file fd (compressed: with zstd), which people know as source, becomes the
 * image `name` after its content was looked at. Says on standard output what was found unless
 * a->quiet.
 */
int image_add_file(const struct image_args *a, const struct store *s, int fd, bool compressed,
		   const char *source, const char *name, const char *arch, struct err *err);

/* The architecture that a names, or the default; -EINVAL: it is not known. */
int image_arch(const struct image_args *a, const char **arch, struct err *err);

#endif
