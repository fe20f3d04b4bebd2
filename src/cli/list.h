/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists: what a command found, as a JSON array of objects, filtered, then printed as it is (--json) or as a
 * table for people. Members and their filters have the same names, so that one learns the other.
 */
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/opts.h"

struct list_args {
	bool json;
	struct opts_list filters;	/* KEY=VALUE */
};

struct list_column {
	const char *heading;		/* NULL: the end */
	const char *member;
	enum { LIST_TEXT, LIST_SIZE, LIST_ID } form;	/* bytes with a unit; an id's beginning */
};

/* Checks the filters: each KEY is one of keys, which NULL ends. -EINVAL with a sentence. */
int list_check(const struct list_args *args, const char *const *keys, struct err *err);

/*
 * Prints those of the rows that all filters match: VALUE is the member, or one of its elements if it is
 * an array. Takes rows. -ENOMEM.
 */
int list_print(json_t *rows, const struct list_args *args, const struct list_column *columns,
	       struct err *err);

/* One object or array with a newline to standard output; takes it. */
int list_print_json(json_t *value, struct err *err);

#endif
