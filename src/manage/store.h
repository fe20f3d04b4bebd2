/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: where VMs and images live.
 *
 *	HOME/images/NAME.raw, NAME.json		images, see manage/image.h
 *	HOME/vms/NAME/config.json		a VM's whole configuration (config/vmconfig.h)
 *	HOME/vms/NAME/disk0.raw ...		its disks
 *	HOME/vms/NAME/lock			held by its supervisor while it runs
 *	HOME/vms/NAME/console.log{,.1}
 *	HOME/vms/.lock				held while folders are begun, and by who removes left ones
 *	HOME/vms/NAME/making			only while it is made, and in a temporary VM: locked by
 *						the process that made it
 *
 * HOME is $HOSPES_HOME, else /var/lib/hospes for root and $XDG_DATA_HOME/hospes or
 * ~/.local/share/hospes for others. Folders are 0700. A VM folder is made under another name
 * (.new-...) and renamed when it is whole, and renamed again (.old-...) before it is removed.
 * What a kill leaves behind under such names, and temporary VMs whose maker and supervisor are
 * gone, are removed by the next store_open().
 */
#ifndef MANAGE_STORE_H
#define MANAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { STORE_PATH_MAX = 3072 };

struct store {
	char home[STORE_PATH_MAX];
};

/* Where the store is, or would be: only fills in s. */
int store_find(struct store *s, struct err *err);

/* Finds the store and makes its folders where they are missing; removes what nobody owns. */
int store_open(struct store *s, struct err *err);

/* A path within the store, printf-like, into buf of size bytes; -ENAMETOOLONG. */
int store_path(const struct store *s, char *buf, size_t size, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* True when a VM of that name exists. */
bool store_has_vm(const struct store *s, const char *name);

/*
 * Makes a folder for a VM to be: temp (STORE_PATH_MAX bytes) gets its path. store_commit_vm() gives it
 * its name (-EEXIST: taken), store_discard() removes it. The VM is temporary: it goes when neither this
 * process nor its supervisor lives; store_keep_vm() makes it stay.
 */
int store_new_vm(const struct store *s, char *temp, struct err *err);
int store_commit_vm(const struct store *s, const char *temp, const char *name, struct err *err);
int store_keep_vm(const struct store *s, const char *name, struct err *err);

/* Removes a VM that does not run, with its disks. */
int store_remove_vm(const struct store *s, const char *name, struct err *err);

/* Removes a folder of the store with all that is in it; one that is not there is fine. */
int store_discard(const char *path, struct err *err);

#endif
