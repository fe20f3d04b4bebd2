/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: where VMs and images live, and what is known of them.
 *
 *	HOME/store.db{,-wal,-shm}		which VMs exist: ids, names, policies (manage/db.h)
 *	HOME/images/				images, see manage/image.h and manage/draft.h
 *	HOME/vms/ID/config.json			a VM's whole hardware (config/vmconfig.h)
 *	HOME/vms/ID/disk0.raw ...		its disks
 *	HOME/vms/ID/lock			held by its supervisor while it runs
 *	HOME/vms/ID/console.log{,.1}		from its first start on
 *	HOME/vms/ID/making			only while it is made, and in a temporary VM: locked by
 *						the process that made it
 *	HOME/vms/.lock				see below
 *
 * HOME is $HOSPES_HOME, else /var/lib/hospes for root and $XDG_DATA_HOME/hospes or
 * ~/.local/share/hospes for others. Folders are 0700. ID is the VM's UUID.
 *
 * Theory of operation. The database says what exists; whether a VM runs is only ever said by the lock.
 * Rows and folders cannot change in one step, so each action is journalled in the row's state, and who
 * opens the store next finishes or undoes what a kill interrupted:
 *
 *	making		the row is there, the folder may be; goes unless its maker lives, which
 *			holds the lock on `making`
 *	ready		the folder is whole
 *	removing	the row has given its name back; the folder goes, then the row
 *
 * So there is never a folder without a row. A ready VM that removes itself (auto_remove) goes when it
 * has run and does not run, or when its maker died before it could.
 *
 * HOME/vms/.lock is shared between a row's `making` and the lock on its folder's file, and exclusive
 * while somebody looks for makers that died, or brings the store to a newer form. Nothing slow
 * happens under it.
 */
#ifndef MANAGE_STORE_H
#define MANAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "config/vmconfig.h"
#include "manage/db.h"

enum { STORE_PATH_MAX = 3072, STORE_ID_MAX = 36, STORE_SHORT_ID = 12, STORE_PREFIX_MIN = 4 };

struct store {
	char home[STORE_PATH_MAX];
	struct db db;
};

/* What happens when a VM has ended. */
enum store_restart { STORE_RESTART_NO, STORE_RESTART_ON_FAILURE, STORE_RESTART_ALWAYS };

/* A VM as the database has it; its hardware is in its config.json. */
struct store_vm {
	char id[STORE_ID_MAX + 1];
	char name[VMCONFIG_NAME_MAX + 1];
	char image[VMCONFIG_NAME_MAX + 1];	/* that its disk was copied from, or "" */
	int64_t created_ns;			/* CLOCK_REALTIME */
	enum store_restart restart;
	bool autostart;				/* with the host */
	bool auto_remove;			/* goes when it has run */
};

/* Where the store is, or would be: only fills in s->home. */
int store_find(struct store *s, struct err *err);

/*
 * Finds the store, makes what is missing of it, brings an older form up to date, and finishes what was
 * interrupted. -EPROTO: a newer hospes wrote it; -EREMOTEIO: it lies on a network file system, where
 * locks cannot be trusted. One thread uses an open store; store_close() accepts a zeroed one.
 */
int store_open(struct store *s, struct err *err);
void store_close(struct store *s);

/* A path within the store, printf-like, into buf of size bytes; -ENAMETOOLONG. */
int store_path(const struct store *s, char *buf, size_t size, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/*
 * The VM called ref, else the one whose id begins with ref (STORE_PREFIX_MIN hexadecimal digits or
 * more, with or without dashes). -ENOENT, or -ENOTUNIQ when there are several.
 */
int store_find_vm(struct store *s, const char *ref, struct store_vm *vm, struct err *err);

/* The VM of that very name, or -ENOENT. */
int store_find_name(struct store *s, const char *name, struct store_vm *vm, struct err *err);

/* Calls each for every VM, the oldest first, until it gives anything but 0, which is returned. */
int store_list_vms(struct store *s, int (*each)(void *opaque, const struct store_vm *vm,
						struct err *err),
		   void *opaque, struct err *err);

/*
 * Begins a VM: takes vm->name (-EEXIST) and makes its folder vms/ID for the caller to fill. *held: a
 * descriptor that says that the maker lives, for the caller to close.
 * store_commit_vm() says that the folder is whole. Without keep, one with auto_remove is temporary even
 * then: it goes when neither maker nor supervisor lives. store_abandon_vm() takes all back.
 */
int store_begin_vm(struct store *s, struct store_vm *vm, int *held, struct err *err);
int store_commit_vm(struct store *s, const char *id, bool keep, struct err *err);
int store_abandon_vm(struct store *s, const char *id, struct err *err);

/* Removes a VM with its disks. -EBUSY: it runs; -ENOENT: it is gone. */
int store_remove_vm(struct store *s, const char *id, struct err *err);

/* Gives a VM another name, which is also written into its configuration. -EEXIST: it is taken. */
int store_rename_vm(struct store *s, const struct store_vm *vm, const char *name, struct err *err);

/* Writes down vm's restart, autostart and auto_remove, which count from its next start on. */
int store_set_policy(struct store *s, const struct store_vm *vm, struct err *err);

/* The hardware of a VM, to be freed by vmconfig_fini(). */
int store_load_config(struct store *s, const struct store_vm *vm, struct vmconfig *c, struct err *err);

/* Changes it: edit gets what there is and changes it. -EBUSY: the VM runs. */
int store_edit_config(struct store *s, const struct store_vm *vm,
		      int (*edit)(void *opaque, struct vmconfig *c, struct err *err), void *opaque,
		      struct err *err);

/* True while a supervisor has the VM. */
bool store_vm_runs(const struct store *s, const char *id);

/* The first STORE_SHORT_ID hexadecimal digits of an id, as people see it. */
void store_short_id(char text[STORE_SHORT_ID + 1], const char *id);

/* "no", "on-failure", "always"; and back: false when it is none of them. */
const char *store_restart_name(enum store_restart restart);
bool store_parse_restart(const char *text, enum store_restart *restart);

/* What a network file system is called, by its statfs() type; NULL: it is local. */
const char *store_network_fs(uint64_t type);

/* Removes a folder with all that is in it; one that is not there is fine. Any thread. */
int store_discard(const char *path, struct err *err);

#endif
