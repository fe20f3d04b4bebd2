/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps two VMs off one disk image. */
#ifndef BLOCK_LOCK_H
#define BLOCK_LOCK_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Locks the file behind fd: exclusive for a disk that is written (fd is open for writing),
 * shared for one that is only read. The lock belongs to the open file description: it goes
 * with fd and its duplicates to other processes and ends when the last of them is closed.
 * -EBUSY when another description holds it, in this process too; -errno where the file
 * system knows no locks. name is used in the sentence. Any thread; waits for nobody.
 */
int blk_lock(int fd, bool exclusive, const char *name, struct err *err);

#endif
