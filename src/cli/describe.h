/* SPDX-License-Identifier: Apache-2.0 */
/* A VM as JSON, for ps and inspect. */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include <jansson.h>

#include "manage/store.h"

/*
 * What ps shows: id, name, image, state ("running", "stopped"; "broken": its configuration cannot be
 * read, "problem" says why), cpus, memory (bytes), ports, restart, autostart, auto_remove, created (ms since
 * 1970). NULL: out of memory.
 */
json_t *describe_vm(struct store *s, const struct store_vm *vm);

#endif
