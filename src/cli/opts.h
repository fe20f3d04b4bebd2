/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of a command as a table: what is parsed is what help and man page show.
 *
 * Long options are written --name VALUE or --name=VALUE, short ones -x VALUE or -xVALUE;
 * "--" ends them; operands may stand between them. Names are never abbreviated, so that a
 * new option cannot change what a script means. Given twice, the last one counts, except
 * for lists.
 */
#ifndef CLI_OPTS_H
#define CLI_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { OPTS_LIST_MAX = 32, OPTS_OPERANDS_MAX = 8 };

struct opt {
	const char *name;	/* without dashes; NULL with help: a heading; NULL without: the end */
	char letter;		/* short form, 0: none */
	const char *metavar;	/* what the argument is called; NULL: it takes none */
	const char *help;	/* one paragraph, wrapped when it is shown */
	/*
	 * Puts text (NULL where there is no argument) into the field; -EINVAL with a sentence that
	 * says what would be right: the option itself is put before it.
	 */
	int (*set)(void *field, const char *text, struct err *err);
	size_t offset;		/* of the field in the command's own struct */
	unsigned tag;		/* the command's own marks */
};

struct opts_list {
	const char *item[OPTS_LIST_MAX];
	unsigned count;
};

/* What stood on the command line; strings are those of argv. */
struct opts_found {
	const char *operand[OPTS_OPERANDS_MAX];
	unsigned operand_count;
	unsigned tags;			/* all tags of the options given, or-ed */
	const struct opt *tagged;	/* the first option given that has a tag */
	bool help;			/* --help or -h; nothing after it was looked at */
};

/* Parses argv[1..] into target and *found. 0, or -EINVAL with a sentence. */
int opts_parse(const struct opt *opts, void *target, int argc, char **argv,
	       struct opts_found *found, struct err *err);

/* Setters for fields of type bool, const char *, struct opts_list, unsigned, uint64_t. */
int opts_set_flag(void *field, const char *text, struct err *err);
int opts_set_text(void *field, const char *text, struct err *err);
int opts_add_text(void *field, const char *text, struct err *err);
int opts_set_unsigned(void *field, const char *text, struct err *err);
int opts_set_size(void *field, const char *text, struct err *err);

/*
 * A size with its unit, like 512M or 2G (KiB, MiB, GiB, TiB; "GB", "GiB" and lower case are
 * the same), in bytes. False: it is none, or past 2^63.
 */
bool opts_parse_size(const char *text, uint64_t *bytes);

#endif
