/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of one VM, whole and explicit: what `hospes` writes down when a VM is
 * made (vms/ID/config.json) and `hospes-vm` builds from. Defaults are filled in by the
 * writer; an upgrade of hospes never changes the hardware of a VM that exists.
 *
 * The JSON form has one member per field below, with the same name; "schema" is 1. Unknown
 * members are an error, as a misspelt setting must not be ignored. Strings belong to the
 * struct and are freed by vmconfig_fini().
 */
#ifndef CONFIG_VMCONFIG_H
#define CONFIG_VMCONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
	VMCONFIG_SCHEMA = 1,
	VMCONFIG_MAX_DISKS = 16,
	VMCONFIG_MAX_NETS = 4,
	VMCONFIG_MAX_PFLASH = 2,
	VMCONFIG_MAX_FORWARDS = 32,
	VMCONFIG_MAX_CPUS = 8,
	VMCONFIG_NAME_MAX = 63,
};

#define VMCONFIG_MIN_MEMORY (UINT64_C(16) << 20)

struct vmconfig_disk {
	char *file;			/* absolute path */
	char *format;			/* "raw" */
	char *bus;			/* "pci" or "mmio" */
	char *serial;			/* up to 20 bytes, shown to the guest */
	bool readonly;
	bool direct;			/* O_DIRECT: past the host's page cache */
	unsigned slot;			/* PCI slot 1 to 31; virtio-mmio slot 0 to 7 */
};

struct vmconfig_net {
	char *backend;			/* "user", or "network": a private one */
	char *network;			/* its name, of a private one; else NULL */
	char *mac;			/* "52:54:00:12:34:56" */
	unsigned slot;			/* PCI slot */
	bool host_loopback;		/* the guest may reach the host's loopback as 10.0.2.2 */
	char *forward[VMCONFIG_MAX_FORWARDS];	/* "[ADDR:]HOST:GUEST[/udp]" */
	unsigned forward_count;
};

struct vmconfig {
	char *name;			/* 1 to 63 of a-z A-Z 0-9 _ . -, not starting with . or - */
	char *uuid;			/* RFC 4122 text form */
	char *machine;			/* "virt-1" */
	char *arch;			/* "riscv64" */
	char *engine;			/* "interp" */
	unsigned cpus;			/* 1 to 8 */
	uint64_t memory;		/* bytes, whole MiB */
	char *kernel, *initrd, *append, *firmware;	/* NULL: none; paths absolute */
	char *pflash[VMCONFIG_MAX_PFLASH];	/* NULL: none; the second is written to */
	struct vmconfig_disk disks[VMCONFIG_MAX_DISKS];
	unsigned disk_count;
	struct vmconfig_net nets[VMCONFIG_MAX_NETS];
	unsigned net_count;
};

/* Reads and checks a configuration; path is for opening and sentences. *c is written over. */
int vmconfig_load(struct vmconfig *c, const char *path, struct err *err);

/* Checks c and writes it (0600, fsynced, renamed into place). */
int vmconfig_save(const struct vmconfig *c, const char *path, struct err *err);

/* Ranges, names, and what fits together; file contents are not looked at. */
int vmconfig_check(const struct vmconfig *c, struct err *err);

/* Frees the strings and zeroes c; accepts a zeroed object. */
void vmconfig_fini(struct vmconfig *c);

/* True when name may name a VM. */
bool vmconfig_name_ok(const char *name);

/* True when text is a UUID in RFC 4122 text form. */
bool vmconfig_uuid_ok(const char *text);

/* "52:54:00:..." to six bytes; false when it is not a unicast MAC address. */
bool vmconfig_parse_mac(const char *text, uint8_t mac[6]);

#endif
