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

/* What `hospes run` understands; NULL and 0 where an option was not given. */
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
 * The configuration that args describe into *c (freed by vmconfig_fini(), also after an error); its
 * name only if args have one, and what an image brings is added by newvm_use_image(). Paths become
 * absolute, files are not opened. -EINVAL: the command line is wrong; other errors: a file is
 * not there.
 */
int newvm_configure(struct vmconfig *c, const struct run_args *args, struct err *err);

/*
 * What booting img's disk takes: its architecture, and firmware unless args have something else to
 * boot. Errors as above.
 */
int newvm_use_image(struct vmconfig *c, const struct run_args *args, const struct image *img,
		    struct err *err);

/*
 * Makes the VM in the store under c->name, or under one made up (then c->name is it): its folder with
 * config.json and, of an image (else img is NULL), its disk, with a progress bar on a terminal if
 * it takes long. It is temporary until store_keep_vm(). -EEXIST: there is one of that name.
 */
int newvm_make(struct vmconfig *c, const struct run_args *args, const struct image *img,
	       const struct store *store, struct err *err);

/* "[ADDRESS:]HOST:GUEST[/tcp|/udp]", ports 1 to 65535, ADDRESS an IPv4 address of this host. */
bool newvm_forward_ok(const char *text);

#endif
