/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Catalogues: names of images that can be downloaded. A JSON object: {"NAME": {"url", "sha256",
 * "arch", "size" (bytes, of the file at url), "about"}}; all but "about" must be there.
 *
 * The user's own ($XDG_CONFIG_HOME/hospes/catalogue.json, else ~/.config/hospes/catalogue.json) is
 * asked first, then the one that was installed with hospes.
 */
#ifndef MANAGE_CATALOGUE_H
#define MANAGE_CATALOGUE_H

#include <stdint.h>

#include "base/err.h"
#include "manage/digest.h"

struct catalogue_entry {
	char url[1024];
	char sha256[DIGEST_HEX + 1];
	char arch[16];
	uint64_t size;
};

/*
 * Looks name up in the user's catalogue and the file installed (a path). -ENOENT: neither has it;
 * -EBADMSG names the catalogue that is broken, and how. A catalogue that is not there is an empty
 * one.
 */
int catalogue_find(struct catalogue_entry *e, const char *name, const char *installed,
		   struct err *err);

#endif
