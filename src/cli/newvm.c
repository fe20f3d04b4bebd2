/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/newvm.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "cli/command.h"
#include "cli/progress.h"

/* PCI slots: the board has the first three, then network cards, then disks. */
enum { SLOT_NET = 4, SLOT_DISK = SLOT_NET + VMCONFIG_MAX_NETS };
_Static_assert(SLOT_DISK + VMCONFIG_MAX_DISKS <= 32, "a PCI bus has 32 slots");

enum { MMIO_SLOTS = 8, GENERATED_NAME_TRIES = 16 };

static const struct {
	const char *alias, *arch;
} arch_aliases[] = {
	{ "riscv64", "riscv64" },
	{ "rv64", "riscv64" },
	{ "rv64gc", "riscv64" },
};

/* ---- options ------------------------------------------------------------------------------- */

int newvm_set_name(void *field, const char *text, struct err *err)
{
	if (!vmconfig_name_ok(text))
		return err_set(err, -EINVAL, "a name has 1 to %d letters, digits, '_', '.' and '-', and "
			       "begins with a letter, a digit or '_'", VMCONFIG_NAME_MAX);
	return opts_set_text(field, text, err);
}

int newvm_set_memory(void *field, const char *text, struct err *err)
{
	uint64_t bytes;
	int rc = opts_set_size(&bytes, text, err);

	if (rc)
		return rc;
	if (bytes < VMCONFIG_MIN_MEMORY || bytes % MIB)
		return err_set(err, -EINVAL, "a VM has whole MiB of memory, %d or more",
			       (int)(VMCONFIG_MIN_MEMORY / MIB));
	*(uint64_t *)field = bytes;
	return 0;
}

int newvm_set_cpus(void *field, const char *text, struct err *err)
{
	unsigned n;
	int rc = opts_set_unsigned(&n, text, err);

	if (rc)
		return rc;
	if (n < 1 || n > VMCONFIG_MAX_CPUS)
		return err_set(err, -EINVAL, "a VM has 1 to %d CPUs", VMCONFIG_MAX_CPUS);
	*(unsigned *)field = n;
	return 0;
}

int newvm_check_memory(uint64_t bytes, struct err *err)
{
	uint64_t host = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	if (bytes > host)
		return err_set(err, -EINVAL, "--memory: %llu MiB is more than this host has (%llu MiB)",
			       (unsigned long long)(bytes / MIB), (unsigned long long)(host / MIB));
	return 0;
}

/* ---- small things ------------------------------------------------------------------------- */

static int set(char **field, const char *text, struct err *err)
{
	free(*field);
	*field = text ? strdup(text) : NULL;
	return text && !*field ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int random_bytes(void *buf, size_t len, struct err *err)
{
	/* At most 256 bytes come whole. */
	return getrandom(buf, len, 0) == (ssize_t)len
		? 0 : err_sys(err, -errno, "the kernel gives no random numbers");
}

static int set_path(char **field, const char *option, const char *path, struct err *err)
{
	if (!path)
		return 0;
	free(*field);
	*field = realpath(path, NULL);
	if (!*field || access(*field, R_OK))
		return err_sys(err, -errno, "%s %s", option, path);
	return 0;
}

static const char *find_arch(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(arch_aliases); i++)
		if (!strcmp(arch_aliases[i].alias, name))
			return arch_aliases[i].arch;
	return NULL;
}

static bool port_ok(const char *text, size_t len)
{
	unsigned port = 0;

	if (len < 1 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	return port >= 1 && port <= 65535;
}

bool newvm_forward_ok(const char *text)
{
	size_t end = strcspn(text, "/"), guest, host;
	char address[INET_ADDRSTRLEN];
	struct in_addr unused;

	if (text[end] && strcmp(text + end, "/udp") && strcmp(text + end, "/tcp"))
		return false;
	for (guest = end; guest > 0 && text[guest - 1] != ':'; guest--)
		;
	if (guest < 2 || !port_ok(text + guest, end - guest))
		return false;
	for (host = guest - 1; host > 0 && text[host - 1] != ':'; host--)
		;
	if (!port_ok(text + host, guest - 1 - host))
		return false;
	if (host == 0)
		return true;
	if (host > sizeof(address))
		return false;
	memcpy(address, text, host - 1);
	address[host - 1] = '\0';
	return inet_pton(AF_INET, address, &unused) == 1;
}

/* ---- parts of the configuration ------------------------------------------------------------- */

static int set_identity(struct vmconfig *c, struct err *err)
{
	uint8_t b[16];
	char uuid[37];
	int rc = random_bytes(b, sizeof(b), err);

	if (rc)
		return rc;
	/* RFC 9562 §5.4: version 4, variant 10. */
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(uuid, sizeof(uuid),
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
		 b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return set(&c->uuid, uuid, err);
}

static int set_machine(struct vmconfig *c, const struct run_args *args, struct err *err)
{
	const char *arch = find_arch(args->arch ? args->arch : "riscv64");
	int rc;

	if (!arch)
		return err_set(err, -EINVAL, "--arch %.40s: guests of that architecture are not possible; "
			       "riscv64 is", args->arch);
	c->cpus = args->cpus ? args->cpus : sysconf(_SC_NPROCESSORS_ONLN) >= 2 ? 2 : 1;
	c->memory = args->memory ? args->memory : GIB;
	rc = newvm_check_memory(c->memory, err);
	if (!rc)
		rc = set(&c->machine, "virt-1", err);
	if (!rc)
		rc = set(&c->arch, arch, err);
	if (!rc)
		rc = set(&c->engine, args->engine ? args->engine : "interp", err);
	return rc ? rc : set_identity(c, err);
}

static int set_boot(struct vmconfig *c, const struct run_args *args, struct err *err)
{
	int rc;

	if (!args->image && !args->kernel && !args->firmware && !args->pflash.count)
		return err_set(err, -EINVAL, "there is nothing to boot: name an image, as in 'hospes run "
			       "debian', or give --kernel, --firmware or --pflash");
	if (!args->kernel && (args->initrd || args->append))
		return err_set(err, -EINVAL, "%s goes with --kernel; without it, what boots the guest's "
			       "disk chooses it", args->initrd ? "--initrd" : "--append");
	if (args->pflash.count > VMCONFIG_MAX_PFLASH)
		return err_set(err, -EINVAL, "--pflash: the machine has %d flash banks",
			       VMCONFIG_MAX_PFLASH);
	rc = set_path(&c->kernel, "--kernel", args->kernel, err);
	if (!rc)
		rc = set_path(&c->initrd, "--initrd", args->initrd, err);
	if (!rc)
		rc = set_path(&c->firmware, "--firmware", args->firmware, err);
	if (!rc)
		rc = set(&c->append, args->append, err);
	for (unsigned i = 0; !rc && i < args->pflash.count; i++)
		rc = set_path(&c->pflash[i], "--pflash", args->pflash.item[i], err);
	return rc;
}

static int add_disk(struct vmconfig *c, struct vmconfig_disk **out, struct err *err)
{
	struct vmconfig_disk *d = &c->disks[c->disk_count];
	char serial[16];
	int rc;

	if (c->disk_count == VMCONFIG_MAX_DISKS)
		return err_set(err, -EINVAL, "--disk: a VM has at most %d disks", VMCONFIG_MAX_DISKS);
	snprintf(serial, sizeof(serial), "disk%u", c->disk_count);
	d->slot = SLOT_DISK + c->disk_count++;
	*out = d;
	rc = set(&d->format, "raw", err);
	if (!rc)
		rc = set(&d->bus, "pci", err);
	return rc ? rc : set(&d->serial, serial, err);
}

static int set_disk_property(struct vmconfig *c, struct vmconfig_disk *d, const char *arg,
			     const char *word, struct err *err)
{
	if (!strcmp(word, "ro")) {
		d->readonly = true;
	} else if (!strcmp(word, "direct")) {
		d->direct = true;
	} else if (!strcmp(word, "bus=mmio")) {
		return set(&d->bus, "mmio", err);
	} else if (strcmp(word, "bus=pci")) {
		return err_set(err, -EINVAL, "--disk %.80s: '%.40s' is not known; FILE may be followed by "
			       ",ro ,direct ,bus=pci ,bus=mmio (write a comma in FILE twice)", arg, word);
	}
	return 0;
}

/* FILE[,property]...; a comma in FILE is written twice. arg is split in place, in copy. */
static int parse_disk(struct vmconfig *c, struct vmconfig_disk *d, const char *arg, char *copy,
		      struct err *err)
{
	char *to = copy, *word;
	int rc = 0;

	for (word = copy; *word && (word[0] != ',' || word[1] == ','); word++) {
		*to++ = *word;
		word += word[0] == ',';
	}
	if (*word)
		*word++ = '\0';
	*to = '\0';
	while (!rc && *word) {
		size_t len = strcspn(word, ",");
		bool more = word[len];

		word[len] = '\0';
		rc = set_disk_property(c, d, arg, word, err);
		word += len + more;
	}
	return rc ? rc : set_path(&d->file, "--disk", copy, err);
}

static int set_disks(struct vmconfig *c, const struct run_args *args, struct err *err)
{
	struct vmconfig_disk *d;
	unsigned mmio = 0;
	int rc = args->image ? add_disk(c, &d, err) : 0;

	for (unsigned i = 0; !rc && i < args->disks.count; i++) {
		char *copy = strdup(args->disks.item[i]);

		rc = copy ? add_disk(c, &d, err) : err_set(err, -ENOMEM, "out of memory");
		if (!rc)
			rc = parse_disk(c, d, args->disks.item[i], copy, err);
		free(copy);
		if (rc || strcmp(d->bus, "mmio"))
			continue;
		if (mmio == MMIO_SLOTS)
			return err_set(err, -EINVAL, "--disk: the machine has %d virtio-mmio slots; "
				       "leave ',bus=mmio' away for further disks", MMIO_SLOTS);
		d->slot = mmio++;
	}
	return rc;
}

static int set_net(struct vmconfig *c, const struct run_args *args, struct err *err)
{
	bool private = args->net && strcmp(args->net, "user");
	struct vmconfig_net *n = &c->nets[0];
	char mac[18];
	uint8_t b[3];
	int rc;

	if (args->net && !strcmp(args->net, "none")) {
		if (args->forwards.count || args->host_loopback)
			return err_set(err, -EINVAL, "%s needs a network; leave --net none away",
				       args->forwards.count ? "--publish" : "--host-loopback");
		return 0;
	}
	if (private && !vmconfig_name_ok(args->net))
		return err_set(err, -EINVAL, "--net %.40s: use user, none or the name of a private "
			       "network", args->net);
	if (private && (args->forwards.count || args->host_loopback))
		return err_set(err, -EINVAL, "%s is for --net user: a private network does not lead to "
			       "this host", args->forwards.count ? "--publish" : "--host-loopback");
	c->net_count = 1;
	n->slot = SLOT_NET;
	n->host_loopback = args->host_loopback;
	rc = random_bytes(b, sizeof(b), err);
	if (rc)
		return rc;
	/* The range that QEMU, KVM and libvirt draw from too: guests know it as virtual. */
	snprintf(mac, sizeof(mac), "52:54:00:%02x:%02x:%02x", b[0], b[1], b[2]);
	rc = set(&n->backend, private ? "network" : "user", err);
	if (!rc && private)
		rc = set(&n->network, args->net, err);
	if (!rc)
		rc = set(&n->mac, mac, err);
	while (!rc && n->forward_count < args->forwards.count) {
		const char *forward = args->forwards.item[n->forward_count];

		if (!newvm_forward_ok(forward))
			return err_set(err, -EINVAL, "--publish %.80s: give [ADDRESS:]HOST:GUEST[/udp] with "
				       "ports from 1 to 65535, like 8080:80 or 127.0.0.1:2222:22", forward);
		rc = set(&n->forward[n->forward_count++], forward, err);
	}
	return rc;
}

static int configure(struct vmconfig *c, const struct run_args *args, struct err *err)
{
	int rc;

	memset(c, 0, sizeof(*c));
	rc = args->name ? set(&c->name, args->name, err) : 0;
	if (!rc)
		rc = set_machine(c, args, err);
	if (!rc)
		rc = set_boot(c, args, err);
	if (!rc)
		rc = set_disks(c, args, err);
	if (!rc)
		rc = set_net(c, args, err);
	return rc;
}

static int use_image(struct vmconfig *c, const struct run_args *args, const struct image *img,
		     struct err *err)
{
	const char *firmware = image_firmware(img->arch);

	if (args->arch && strcmp(c->arch, img->arch))
		return err_set(err, -EINVAL, "--arch %s: image '%s' is for %s", args->arch, args->image,
			       img->arch);
	if (c->kernel || c->firmware || c->pflash[0])
		return 0;
	if (access(firmware, R_OK))
		return err_sys(err, -errno, "the firmware that boots the image's disk, %s of Debian's "
			       "package u-boot-qemu ('apt install u-boot-qemu'), cannot be read", firmware);
	return set(&c->kernel, firmware, err);
}

/* ---- into the store ---------------------------------------------------------------------------- */

static int copy_image(const struct image *img, const char *name, const char *path, struct err *err)
{
	struct progress p;
	int rc;

	progress_begin(&p, "copying", name, false);
	rc = image_copy(img, path, progress_show, &p, err);
	progress_end(&p);
	return rc;
}

/* PREFIX-xxxx, at random */
static int make_up_name(struct vmconfig *c, const char *prefix, struct err *err)
{
	char name[VMCONFIG_NAME_MAX + 1];
	uint8_t b[2];
	int rc = random_bytes(b, sizeof(b), err);

	if (rc)
		return rc;
	snprintf(name, sizeof(name), "%.*s-%02x%02x", VMCONFIG_NAME_MAX - 5, prefix, b[0], b[1]);
	return set(&c->name, name, err);
}

/* Takes c's name, or one that is free, in the store. */
static int begin(struct vmconfig *c, const char *prefix, struct store *store, struct store_vm *vm,
		 int *held, struct err *err)
{
	bool named = c->name;
	int rc = 0;

	snprintf(vm->id, sizeof(vm->id), "%s", c->uuid);
	for (int tries = 0; !rc; tries++) {
		if (!named)
			rc = make_up_name(c, prefix, err);
		if (rc)
			return rc;
		snprintf(vm->name, sizeof(vm->name), "%s", c->name);
		rc = store_begin_vm(store, vm, held, err);
		if (!rc)
			return 0;
		if (rc == -EEXIST && !named && tries < GENERATED_NAME_TRIES)
			rc = 0;
	}
	return rc;
}

/* What belongs into the VM's folder. */
static int fill_folder(struct vmconfig *c, const struct run_args *args, const struct image *img,
		       const char *folder, struct err *err)
{
	char path[STORE_PATH_MAX + 16];
	int rc = 0;

	if (img) {
		snprintf(path, sizeof(path), "%s/disk0.raw", folder);
		rc = set(&c->disks[0].file, path, err);
		if (!rc)
			rc = copy_image(img, args->image, path, err);
	}
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "%s/config.json", folder);
	return vmconfig_save(c, path, err);
}

static int make(struct vmconfig *c, const struct run_args *args, const struct image *img,
		struct store *store, struct store_vm *vm, bool keep, int *held, struct err *err)
{
	char folder[STORE_PATH_MAX];
	int rc;

	*held = -1;
	snprintf(vm->image, sizeof(vm->image), "%s", img ? args->image : "");
	rc = begin(c, img ? args->image : "vm", store, vm, held, err);
	if (rc)
		return rc;
	rc = store_path(store, folder, sizeof(folder), err, "vms/%s", vm->id);
	if (!rc)
		rc = fill_folder(c, args, img, folder, err);
	if (!rc)
		rc = store_commit_vm(store, vm->id, keep, err);
	if (rc) {
		store_abandon_vm(store, vm->id, NULL);
		close(*held);
		*held = -1;
	}
	return rc;
}

int newvm_create(const struct run_args *args, struct store *store, struct store_vm *vm, bool keep,
		 int *held, int *status, struct err *err)
{
	struct image img;
	struct vmconfig c;
	int rc = configure(&c, args, err);

	*held = -1;
	*status = rc == -EINVAL ? CLI_USAGE : CLI_FAILED;
	if (!rc && args->image)
		rc = image_find(&img, store, args->image, err);
	if (!rc && args->image) {
		rc = use_image(&c, args, &img, err);
		*status = rc == -EINVAL ? CLI_USAGE : CLI_FAILED;
	}
	if (!rc)
		rc = make(&c, args, args->image ? &img : NULL, store, vm, keep, held, err);
	vmconfig_fini(&c);
	return rc;
}
