/* SPDX-License-Identifier: Apache-2.0 */
/* The VMs that a command names: where they are, and how to speak with those that run. */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include "cli/command.h"
#include "manage/control.h"
#include "manage/store.h"

struct target {
	struct store_vm vm;
	char dir[STORE_PATH_MAX];	/* its folder in the store */
	char runtime[VMCTL_PATH];	/* of its sockets, while it runs */
};

/* Finds the VM with the name or the beginning of an id. */
int target_find(struct target *t, const char *ref, struct err *err);

/* Connects to its control socket; -ESRCH: it does not run. vmctl_close() is the caller's, also then. */
int target_connect(const struct target *t, struct vmctl *c, struct err *err);

/* As vmctl_call(), connecting for it, without the answer. */
int target_order(const struct target *t, const char *what, struct err *err);

/*
 * What commands on one VM or several do: parses argv into args, and calls act for each operand; 1 at
 * least, most at most. One that fails is reported, and the others have their turn. Returns the
 * exit status.
 */
int target_each(const struct command *self, int argc, char **argv, void *args, unsigned most,
		int (*act)(const struct target *t, void *args, struct err *err));

#endif
