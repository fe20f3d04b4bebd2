/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hospes image VERB`: the command line is understood by hospes; what needs libcurl, libzstd,
 * libcrypto and libext2fs is done by the program hospes-image in libexec, so that every other
 * command starts without them.
 */
#ifndef CLI_IMAGE_H
#define CLI_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/command.h"

struct image_args {
	const char *arch, *sha256;
	bool force, unchecked, quiet, json;
	const char *verb;
	const char *first, *second;	/* its operands, or NULL */
};

/*
 * Understands argv (argv[0] is "image"). True: go on, and *args are good for their verb. False: the
 * command ends with *status.
 */
bool image_parse(const struct command *self, int argc, char **argv, struct image_args *args,
		 int *status);

/* The verbs, each in a file of its own; they return the exit status. */
int image_import(const struct image_args *a);
int image_export(const struct image_args *a);
int image_pull(const struct image_args *a);
int image_ls(const struct image_args *a);
int image_rm(const struct image_args *a);
int image_verify(const struct image_args *a);

#endif
