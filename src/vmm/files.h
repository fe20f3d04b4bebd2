/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every file a VM needs, opened by the supervisor and handed to the monitor, which opens
 * none itself. Disks and writable flash are locked for as long as a descriptor lives.
 */
#ifndef VMM_FILES_H
#define VMM_FILES_H

#include "config/vmconfig.h"

struct vm_files {
	int kernel, initrd, firmware;	/* -1: none */
	int pflash[VMCONFIG_MAX_PFLASH];
	int disks[VMCONFIG_MAX_DISKS];
	int nets[VMCONFIG_MAX_NETS];	/* socket to the VM's hospes-net */
	int console;			/* the UART's byte stream */
	int agent;			/* the guest agent's */
	int link;			/* to the supervisor: struct link_msg packets (vmm/link.h) */
};

/* All -1. */
void vm_files_init(struct vm_files *f);

/*
 * Opens and locks what c names; nets, console, agent and link stay -1. On error what was
 * opened is closed and the sentence names the file. A lock that another VM holds is waited for
 * for a second, as that VM may be on its way out. Any process with one thread.
 */
int vm_files_open(struct vm_files *f, const struct vmconfig *c, struct err *err);

/* Of this process' descriptors, closes all but those of f and the standard ones. */
void vm_files_close_others(const struct vm_files *f);

/* Closes everything that is open. */
void vm_files_close(struct vm_files *f);

#endif
