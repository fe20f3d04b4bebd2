/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of hospes' own that a supervisor starts: where they are, and whether they are ready. */
#ifndef VMM_HELPER_H
#define VMM_HELPER_H

#include <stddef.h>

#include "base/err.h"

/* The path of the program called name, which lies beside this one, into path of size bytes. */
int helper_find(const char *name, char *path, size_t size, struct err *err);

/*
 * Reads from status, until it is closed, the one line that name says about its start: 0 for
 * "ready", else -ENETDOWN with what it said.
 */
int helper_await(const char *name, int status, struct err *err);

#endif
