/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the store share: VMs as `hospes create` makes them, and what is left in the end. */
#ifndef TESTS_UNIT_STORE_RIG_H
#define TESTS_UNIT_STORE_RIG_H

#include "manage/store.h"

/* Opens the store; the test fails with its sentence where that fails. */
void rig_open(struct store *s);

/* Makes a VM, with a disk. 0 or -errno with a sentence. The maker's lock is closed. */
int rig_create(struct store *s, const char *name, bool keep, struct store_vm *vm, struct err *err);

/* The test fails unless rows and folders agree: all rows ready, a folder with config.json each. */
unsigned rig_check(struct store *s);

#endif
