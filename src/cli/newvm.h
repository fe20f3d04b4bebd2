/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new VM: from what the command line says to a whole configuration (every default filled
 * in, every slot, address and serial number given) and a folder in the store.
 */
#ifndef CLI_NEWVM_H
#define CLI_NEWVM_H

#include "cli/opts.h"
#include "config/vmconfig.h"
#include "manage/image.h"
#include "manage/store.h"

/* What `hospes run` and `hospes create` understand; NULL and 0 where an option was not given. */
struct run_args {
	const char *name, *arch, *engine;
	const char *kernel, *initrd, *append, *firmware;
	const char *net;
	struct opts_list pflash, disks, forwards;
	uint64_t memory;
	unsigned cpus;
	bool rm, host_loopback;
	const char *image;
};

/*
 * Makes the VM that args describe: a folder in the store with config.json (paths absolute, files that it
 * names looked for, not opened) and, of an image, its own disk, with a progress bar on a terminal if it
 * takes long. Without a name one is made up. The caller has filled in vm's policies; the rest of *vm is
 * filled in here. keep, *held: see store_begin_vm().
 * After an error *status is the exit status that goes with it: the command line is wrong, or it could
 * not be done, -EEXIST when there is a VM of that name.
 */
int newvm_create(const struct run_args *args, struct store *store, struct store_vm *vm, bool keep,
		 int *held, int *status, struct err *err);

/* Setters for options (cli/opts.h): a VM's name (const char *), memory (uint64_t), CPUs (unsigned). */
int newvm_set_name(void *field, const char *text, struct err *err);
int newvm_set_memory(void *field, const char *text, struct err *err);
int newvm_set_cpus(void *field, const char *text, struct err *err);

/* -EINVAL when the host has less memory than that. */
int newvm_check_memory(uint64_t bytes, struct err *err);

/* "[ADDRESS:]HOST:GUEST[/tcp|/udp]", ports 1 to 65535, ADDRESS an IPv4 address of this host. */
bool newvm_forward_ok(const char *text);

#endif
