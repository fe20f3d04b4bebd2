/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's sandbox: what is left to it once its descriptors are in hand.
 *
 * confine_process() runs first thing in the monitor, before any thread exists and before
 * any file is parsed: identity (a user id per VM when started by root), no new privileges,
 * no capabilities, Landlock (no path can be opened, no TCP), and a filter of system calls
 * under which threads can be started but nothing opened, executed, connected or signalled,
 * and no memory becomes executable. Each thread then narrows it to what its kind needs.
 */
#ifndef VMM_CONFINE_H
#define VMM_CONFINE_H

#include "base/sandbox.h"

enum confine_kind {
	CONFINE_VCPU,
	CONFINE_LOOP,
	CONFINE_IO,		/* carries out the loop's file I/O, where there is no io_uring */
	CONFINE_CONTROL,	/* the thread that waits for events and ends the VM */
	CONFINE_KINDS,
};

struct confine {
	struct sandbox_filter filters[CONFINE_KINDS];
};

/*
 * uuid: the VM's, from which root's monitors get a user id of their own. Fills in c with
 * the filters of the thread kinds. Where the kernel has no Landlock, says so in the log.
 */
int confine_process(struct confine *c, const char *uuid, struct err *err);

/*
 * The user id (and group id) that a process of the VM takes on; role keeps the VM's processes
 * apart ("monitor", "net"). 0: the one it has, as we are not root, or are it in a user namespace
 * that has no such id (a rootless container).
 */
uid_t confine_uid(const char *uuid, const char *role);

/* First act of a thread. A failure ends the process: nothing runs unconfined. */
void confine_thread(const struct confine *c, enum confine_kind kind);

void confine_fini(struct confine *c);

#endif
