/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's form before it had a database: one folder per VM, vms/NAME. It is brought to the present
 * form, vms/ID and a row each, by the first command that opens it.
 */
#ifndef MANAGE_STORE_OLD_H
#define MANAGE_STORE_OLD_H

#include "manage/store.h"

/*
 * Gives the folders their new names, with configurations that say so, and each a row: within the transaction
 * that makes the tables, by the holder of vms/.lock. Interrupted, it goes on the next time. -EBUSY when one
 * of the VMs runs.
 */
int store_old_take_over(struct store *s, struct err *err);

#endif
