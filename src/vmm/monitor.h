/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor (VMM): builds one VM from its configuration and open files, runs it, and
 * tells the supervisor over files->link how it goes. It opens nothing and knows of no
 * other VM.
 */
#ifndef VMM_MONITOR_H
#define VMM_MONITOR_H

#include "config/vmconfig.h"
#include "vmm/confine.h"
#include "vmm/files.h"

/*
 * In a process of its own, which has one thread. Takes over the descriptors of files. Returns the
 * exit status: 0 when the VM ended as the last message says, 1 when it could not be built (the
 * sentence went to the log). The caller then calls _exit(): handlers of exit() may want what the
 * sandbox refuses. on_thread (NULL in the product) is called on each thread right after its
 * sandbox has closed: the sandbox's test misbehaves there.
 */
int monitor_run(const struct vmconfig *c, struct vm_files *files,
		void (*on_thread)(enum confine_kind kind));

#endif
