/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How images come into the store. On disk (HOME/images):
 *
 *	sha256-HEX/disk.raw	a disk, never changed; HEX is its digest
 *	sha256-HEX/meta.json	{"digest", "size", "mtime_ns", "arch", "format", "boot", "source",
 *				"found", "created_ns"}: written whole before the folder's name
 *	sha256-HEX/making	as below, until a name refers to the disk
 *	NAME.json		a name: {"name", "arch", "format", "boot", "digest": "sha256:HEX"}
 *	.new-XXXXXX/		an image that is being made; its `making` is locked by its maker
 *	.pull-HEX		a download that is not complete: locked while one is under way
 *	.drafts			shared while a draft is begun and while it gets its names, exclusive
 *				while left ones are removed
 *
 * Each appears by rename(), so a kill at any moment leaves images whole and names that mean
 * something. What it leaves under the last names is removed by image_sweep(); a download stays
 * for a week, so that the next one can go on from there.
 */
#ifndef MANAGE_DRAFT_H
#define MANAGE_DRAFT_H

#include <stdbool.h>
#include <stdint.h>

#include "manage/digest.h"
#include "manage/store.h"

enum { DRAFT_PATH_MAX = STORE_PATH_MAX + 32 };

struct image_draft {
	char folder[STORE_PATH_MAX];
	char disk[DRAFT_PATH_MAX];	/* for the caller to make and fill */
	int lock;
};

struct image_about {
	const char *arch;		/* "riscv64" */
	const char *source;		/* where it came from, for people */
	const char *found;		/* what is on it, for people */
};

/* Removes what interrupted commands left in HOME/images; store_open() does. Quick; never fails,
 * never waits. */
void image_sweep(const struct store *s);

/* Begins an image. The caller ends it with image_add() or image_abandon(), which accepts a zeroed
 * one. */
int image_begin(struct image_draft *d, const struct store *s, struct err *err);
void image_abandon(struct image_draft *d);

/*
 * Puts the draft, whose disk is written and has that digest (lower-case hexadecimal), into the
 * store under name; ends it also after an error. A disk that is there already is shared. -EEXIST:
 * the name is taken and replace is false. What was added survives a power cut.
 */
int image_add(struct image_draft *d, const struct store *s, const char *name, const char *digest,
	      const struct image_about *about, bool replace, struct err *err);

/*
 * Takes the name away, and the disk with its last name. -EBUSY names a VM that was made of the
 * image, unless force; -ENOENT: there is no such image. VMs have their own copies: none breaks.
 */
int image_remove(struct store *s, const char *name, bool force, struct err *err);

/* -EEXIST with the remedy when the name is taken, -EINVAL when it cannot be one. */
int image_name_free(const struct store *s, const char *name, struct err *err);

#endif
