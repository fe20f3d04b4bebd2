/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the store share, and nobody else uses. */
#ifndef MANAGE_STORE_OWN_H
#define MANAGE_STORE_OWN_H

#include "manage/store.h"

/* Locks vms/.lock (F_RDLCK, F_WRLCK), waiting for it. The descriptor, or -errno with a sentence. */
int store_lock(const struct store *s, short type, struct err *err);

/*
 * Locks a file of the VM's folder for writing without waiting; flags are more of open()'s. The
 * descriptor, or -errno: -EAGAIN when it is held, -ENOENT when it is not there.
 */
int store_lock_vm(const struct store *s, const char *id, const char *file, int flags);

/*
 * A removal's two steps: a row in that state gives up its name (-ENOENT: it is not in that state any
 * more); its folder goes, and it.
 */
int store_begin_removal(struct store *s, const char *id, const char *state, struct err *err);
int store_finish_removal(struct store *s, const char *id, struct err *err);

#endif
