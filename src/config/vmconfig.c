/* SPDX-License-Identifier: Apache-2.0 */
#include "config/vmconfig.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"

/* ---- one description of the members, for reading, writing and freeing ------------------ */

enum kind { TEXT, FLAG, UINT, BYTES };

struct member {
	const char *name;
	enum kind kind;
	size_t offset;
	bool optional;			/* TEXT only: may be absent (NULL) */
};

#define MEMBER(type, name, kind) { #name, kind, offsetof(struct type, name), false }
#define MAYBE(type, name) { #name, TEXT, offsetof(struct type, name), true }

static const struct member top_members[] = {
	MEMBER(vmconfig, name, TEXT), MEMBER(vmconfig, uuid, TEXT), MEMBER(vmconfig, machine, TEXT),
	MEMBER(vmconfig, arch, TEXT), MEMBER(vmconfig, engine, TEXT), MEMBER(vmconfig, cpus, UINT),
	MEMBER(vmconfig, memory, BYTES), MAYBE(vmconfig, kernel), MAYBE(vmconfig, initrd),
	MAYBE(vmconfig, append), MAYBE(vmconfig, firmware),
};

static const struct member disk_members[] = {
	MEMBER(vmconfig_disk, file, TEXT), MEMBER(vmconfig_disk, format, TEXT),
	MEMBER(vmconfig_disk, bus, TEXT), MEMBER(vmconfig_disk, serial, TEXT),
	MEMBER(vmconfig_disk, readonly, FLAG), MEMBER(vmconfig_disk, direct, FLAG),
	MEMBER(vmconfig_disk, slot, UINT),
};

static const struct member net_members[] = {
	MEMBER(vmconfig_net, backend, TEXT), MAYBE(vmconfig_net, network),
	MEMBER(vmconfig_net, mac, TEXT),
	MEMBER(vmconfig_net, slot, UINT), MEMBER(vmconfig_net, host_loopback, FLAG),
};

#define FIELD(object, m, type) (*(type *)((char *)(object) + (m)->offset))

static void free_members(void *object, const struct member *members, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (members[i].kind == TEXT)
			free(FIELD(object, &members[i], char *));
}

void vmconfig_fini(struct vmconfig *c)
{
	free_members(c, top_members, ARRAY_LEN(top_members));
	for (unsigned i = 0; i < VMCONFIG_MAX_PFLASH; i++)
		free(c->pflash[i]);
	for (unsigned i = 0; i < c->disk_count; i++)
		free_members(&c->disks[i], disk_members, ARRAY_LEN(disk_members));
	for (unsigned i = 0; i < c->net_count; i++) {
		free_members(&c->nets[i], net_members, ARRAY_LEN(net_members));
		for (unsigned k = 0; k < c->nets[i].forward_count; k++)
			free(c->nets[i].forward[k]);
	}
	memset(c, 0, sizeof(*c));
}

/* ---- checks ----------------------------------------------------------------------------- */

bool vmconfig_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= VMCONFIG_NAME_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

bool vmconfig_parse_mac(const char *text, uint8_t mac[6])
{
	unsigned v[6];
	int used = 0;

	if (strlen(text) != 17 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
		   &used) != 6 || used != 17 || (v[0] & 1))
		return false;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)v[i];
	return true;
}

/* 8-4-4-4-12 hexadecimal digits */
bool vmconfig_uuid_ok(const char *text)
{
	for (unsigned i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return !text[36];
}

static int check_path(const char *what, const char *path, struct err *err)
{
	return !path || path[0] == '/' ? 0 : err_set(err, -EINVAL, "%s '%s': give the whole path, from / "
						      "on", what, path);
}

static int check_paths(const struct vmconfig *c, struct err *err)
{
	int rc = check_path("kernel", c->kernel, err);

	if (!rc)
		rc = check_path("initrd", c->initrd, err);
	if (!rc)
		rc = check_path("firmware", c->firmware, err);
	for (unsigned i = 0; !rc && i < VMCONFIG_MAX_PFLASH; i++)
		rc = check_path("pflash", c->pflash[i], err);
	return rc;
}

static int check_disk(const struct vmconfig_disk *d, struct err *err)
{
	bool mmio = !strcmp(d->bus, "mmio");
	int rc = check_path("disk", d->file, err);

	if (rc)
		return rc;
	if (strcmp(d->format, "raw"))
		return err_set(err, -EINVAL, "%s: disk format '%s' is not known; use raw", d->file,
			       d->format);
	if (!mmio && strcmp(d->bus, "pci"))
		return err_set(err, -EINVAL, "%s: disk bus '%s' is not known; use pci or mmio", d->file,
			       d->bus);
	if (strlen(d->serial) > 20)
		return err_set(err, -EINVAL, "%s: serial number '%s' is longer than 20 bytes", d->file,
			       d->serial);
	if (mmio ? d->slot > 7 : d->slot < 1 || d->slot > 31)
		return err_set(err, -EINVAL, "%s: slot %u is out of range (%s)", d->file, d->slot,
			       mmio ? "virtio-mmio has 0 to 7" : "PCI has 1 to 31");
	return 0;
}

static int check_net(const struct vmconfig_net *n, struct err *err)
{
	bool private = !strcmp(n->backend, "network");
	uint8_t mac[6];

	if (!private && strcmp(n->backend, "user"))
		return err_set(err, -EINVAL, "network backend '%s' is not known; use user or network",
			       n->backend);
	if (private != (n->network != NULL) || (private && !vmconfig_name_ok(n->network)))
		return err_set(err, -EINVAL, "a card on a private network names it, and no other card "
			       "does");
	if (private && (n->forward_count || n->host_loopback))
		return err_set(err, -EINVAL, "private network '%s' neither forwards ports nor leads to "
			       "the host's loopback", n->network);
	if (!vmconfig_parse_mac(n->mac, mac))
		return err_set(err, -EINVAL, "'%s' is not a MAC address of one card, like "
			       "52:54:00:12:34:56", n->mac);
	return 0;
}

int vmconfig_check(const struct vmconfig *c, struct err *err)
{
	int rc;

	if (!vmconfig_name_ok(c->name))
		return err_set(err, -EINVAL, "'%.80s' cannot name a VM: use 1 to %d letters, digits, "
			       "'_', '.' and '-', starting with a letter, digit or '_'", c->name,
			       VMCONFIG_NAME_MAX);
	if (c->cpus < 1 || c->cpus > VMCONFIG_MAX_CPUS)
		return err_set(err, -EINVAL, "%u CPUs are out of range: a VM has 1 to %d", c->cpus,
			       VMCONFIG_MAX_CPUS);
	if (c->memory < VMCONFIG_MIN_MEMORY || c->memory % MIB)
		return err_set(err, -EINVAL, "%llu bytes of memory: give whole MiB, 16 MiB or more",
			       (unsigned long long)c->memory);
	if (!vmconfig_uuid_ok(c->uuid))
		return err_set(err, -EINVAL, "uuid '%.80s' does not look like "
			       "8f14e45f-ceea-467f-a8b1-0d9a6c7f2b11", c->uuid);
	rc = check_paths(c, err);
	for (unsigned i = 0; !rc && i < c->disk_count; i++)
		rc = check_disk(&c->disks[i], err);
	if (rc)
		return rc;
	for (unsigned i = 0; !rc && i < c->net_count; i++)
		rc = check_net(&c->nets[i], err);
	return rc;
}

/* ---- reading ------------------------------------------------------------------------------ */

static int read_member(json_t *value, const struct member *m, void *object, const char *path,
		       struct err *err)
{
	if (m->kind == TEXT && json_is_string(value)) {
		FIELD(object, m, char *) = strdup(json_string_value(value));
		return FIELD(object, m, char *) ? 0 : err_set(err, -ENOMEM, "out of memory");
	}
	if (m->kind == FLAG && json_is_boolean(value)) {
		FIELD(object, m, bool) = json_is_true(value);
		return 0;
	}
	if (m->kind == UINT && json_is_integer(value) && json_integer_value(value) >= 0 &&
	    json_integer_value(value) <= INT32_MAX) {
		FIELD(object, m, unsigned) = (unsigned)json_integer_value(value);
		return 0;
	}
	if (m->kind == BYTES && json_is_integer(value) && json_integer_value(value) >= 0) {
		FIELD(object, m, uint64_t) = (uint64_t)json_integer_value(value);
		return 0;
	}
	return err_set(err, -EINVAL, "%s: member '%s' has the wrong type or is out of range", path,
		       m->name);
}

/* Takes the described members out of obj. */
static int read_members(json_t *obj, const struct member *members, size_t n, void *object,
			const char *path, struct err *err)
{
	if (!json_is_object(obj))
		return err_set(err, -EINVAL, "%s: an object is expected where none stands", path);
	for (size_t i = 0; i < n; i++) {
		json_t *value = json_object_get(obj, members[i].name);
		int rc;

		if (!value && members[i].optional)
			continue;
		if (!value)
			return err_set(err, -EINVAL, "%s: member '%s' is missing", path, members[i].name);
		rc = read_member(value, &members[i], object, path, err);
		if (rc)
			return rc;
		json_object_del(obj, members[i].name);
	}
	return 0;
}

static int nothing_left(json_t *obj, const char *path, struct err *err)
{
	void *it = json_object_iter(obj);

	if (it)
		return err_set(err, -EINVAL, "%s: member '%s' is not known to this version", path,
			       json_object_iter_key(it));
	return 0;
}

/* The strings of the array that obj has under name (taken out of it) into text[]. */
static int read_strings(json_t *obj, const char *name, char **text, unsigned most, unsigned *count,
			const char *path, struct err *err)
{
	json_t *array = json_object_get(obj, name);

	if (!json_is_array(array) || json_array_size(array) > most)
		return err_set(err, -EINVAL, "%s: '%s' must be a list of at most %u", path, name, most);
	for (*count = 0; *count < json_array_size(array); (*count)++) {
		json_t *value = json_array_get(array, *count);

		if (!json_is_string(value))
			return err_set(err, -EINVAL, "%s: '%s' must hold strings", path, name);
		text[*count] = strdup(json_string_value(value));
		if (!text[*count])
			return err_set(err, -ENOMEM, "out of memory");
	}
	json_object_del(obj, name);
	return 0;
}

static int read_disks(struct vmconfig *c, json_t *array, const char *path, struct err *err)
{
	if (!json_is_array(array) || json_array_size(array) > VMCONFIG_MAX_DISKS)
		return err_set(err, -EINVAL, "%s: 'disks' must be a list of at most %d", path,
			       VMCONFIG_MAX_DISKS);
	while (c->disk_count < json_array_size(array)) {
		json_t *obj = json_array_get(array, c->disk_count);
		struct vmconfig_disk *d = &c->disks[c->disk_count++];
		int rc = read_members(obj, disk_members, ARRAY_LEN(disk_members), d, path, err);

		if (!rc)
			rc = nothing_left(obj, path, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int read_nets(struct vmconfig *c, json_t *array, const char *path, struct err *err)
{
	if (!json_is_array(array) || json_array_size(array) > VMCONFIG_MAX_NETS)
		return err_set(err, -EINVAL, "%s: 'nets' must be a list of at most %d", path,
			       VMCONFIG_MAX_NETS);
	while (c->net_count < json_array_size(array)) {
		json_t *obj = json_array_get(array, c->net_count);
		struct vmconfig_net *n = &c->nets[c->net_count++];
		int rc = read_members(obj, net_members, ARRAY_LEN(net_members), n, path, err);

		if (!rc)
			rc = read_strings(obj, "forward", n->forward, VMCONFIG_MAX_FORWARDS,
					  &n->forward_count, path, err);
		if (!rc)
			rc = nothing_left(obj, path, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int read_all(struct vmconfig *c, json_t *root, const char *path, struct err *err)
{
	json_t *schema = json_object_get(root, "schema");
	unsigned ignored;
	int rc;

	if (!json_is_integer(schema) || json_integer_value(schema) != VMCONFIG_SCHEMA)
		return err_set(err, -EINVAL, "%s: its schema is not %d; it was written by another "
			       "version of hospes, use that one", path, VMCONFIG_SCHEMA);
	json_object_del(root, "schema");
	rc = read_members(root, top_members, ARRAY_LEN(top_members), c, path, err);
	if (!rc)
		rc = read_strings(root, "pflash", c->pflash, VMCONFIG_MAX_PFLASH, &ignored, path, err);
	if (!rc)
		rc = read_disks(c, json_object_get(root, "disks"), path, err);
	if (!rc)
		rc = read_nets(c, json_object_get(root, "nets"), path, err);
	json_object_del(root, "disks");
	json_object_del(root, "nets");
	if (!rc)
		rc = nothing_left(root, path, err);
	return rc ? rc : vmconfig_check(c, err);
}

int vmconfig_load(struct vmconfig *c, const char *path, struct err *err)
{
	json_error_t bad;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &bad);
	int rc;

	memset(c, 0, sizeof(*c));
	if (!root && bad.line < 1)
		return err_set(err, -EINVAL, "%s", bad.text);	/* names the file and the reason */
	if (!root)
		return err_set(err, -EINVAL, "%s: line %d: %s", path, bad.line, bad.text);
	rc = read_all(c, root, path, err);
	json_decref(root);
	if (rc)
		vmconfig_fini(c);
	return rc;
}

/* ---- writing ---------------------------------------------------------------------------- */

/* Puts value, which may be NULL for want of memory, under name. */
static int put(json_t *obj, const char *name, json_t *value, struct err *err)
{
	return json_object_set_new(obj, name, value) ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int append(json_t *array, json_t *value, struct err *err)
{
	return json_array_append_new(array, value) ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int text_to_json(json_t **out, const char *name, const char *text, struct err *err)
{
	*out = json_string(text);
	return *out ? 0 : err_set(err, -EILSEQ, "'%s': \"%s\" is not UTF-8 text, so it cannot be written "
				  "down; give it another name", name, text);
}

static int write_member(json_t *obj, const struct member *m, const void *object, struct err *err)
{
	json_t *value = NULL;
	int rc = 0;

	switch (m->kind) {
	case TEXT:
		if (!FIELD(object, m, char *))
			return 0;
		rc = text_to_json(&value, m->name, FIELD(object, m, char *), err);
		break;
	case FLAG:
		value = json_boolean(FIELD(object, m, bool));
		break;
	case UINT:
		value = json_integer(FIELD(object, m, unsigned));
		break;
	case BYTES:
		value = json_integer((json_int_t)FIELD(object, m, uint64_t));
		break;
	}
	return rc ? rc : put(obj, m->name, value, err);
}

static int write_members(json_t *obj, const struct member *members, size_t n, const void *object,
			 struct err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++)
		rc = write_member(obj, &members[i], object, err);
	return rc;
}

/* The list of n strings, without NULL ones, under name. */
static int write_strings(json_t *obj, const char *name, char *const *text, unsigned n, struct err *err)
{
	json_t *array = json_array(), *value;
	int rc = put(obj, name, array, err);

	for (unsigned i = 0; !rc && i < n; i++) {
		if (!text[i])
			continue;
		rc = text_to_json(&value, name, text[i], err);
		if (!rc)
			rc = append(array, value, err);
	}
	return rc;
}

static int write_disks(json_t *root, const struct vmconfig *c, struct err *err)
{
	json_t *array = json_array();
	int rc = put(root, "disks", array, err);

	for (unsigned i = 0; !rc && i < c->disk_count; i++) {
		json_t *obj = json_object();

		rc = append(array, obj, err);
		if (!rc)
			rc = write_members(obj, disk_members, ARRAY_LEN(disk_members), &c->disks[i], err);
	}
	return rc;
}

static int write_nets(json_t *root, const struct vmconfig *c, struct err *err)
{
	json_t *array = json_array();
	int rc = put(root, "nets", array, err);

	for (unsigned i = 0; !rc && i < c->net_count; i++) {
		const struct vmconfig_net *n = &c->nets[i];
		json_t *obj = json_object();

		rc = append(array, obj, err);
		if (!rc)
			rc = write_members(obj, net_members, ARRAY_LEN(net_members), n, err);
		if (!rc)
			rc = write_strings(obj, "forward", n->forward, n->forward_count, err);
	}
	return rc;
}

/* The text of the file, which the caller frees. */
static int to_text(const struct vmconfig *c, char **text, struct err *err)
{
	json_t *root = json_object();
	int rc = root ? put(root, "schema", json_integer(VMCONFIG_SCHEMA), err)
		      : err_set(err, -ENOMEM, "out of memory");

	if (!rc)
		rc = write_members(root, top_members, ARRAY_LEN(top_members), c, err);
	if (!rc)
		rc = write_strings(root, "pflash", c->pflash, VMCONFIG_MAX_PFLASH, err);
	if (!rc)
		rc = write_disks(root, c, err);
	if (!rc)
		rc = write_nets(root, c, err);
	if (!rc) {
		*text = json_dumps(root, JSON_INDENT(2));
		rc = *text ? 0 : err_set(err, -ENOMEM, "out of memory");
	}
	json_decref(root);
	return rc;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

int vmconfig_save(const struct vmconfig *c, const char *path, struct err *err)
{
	char temp[4096], *text = NULL;
	int fd, rc = vmconfig_check(c, err);

	if (!rc)
		rc = to_text(c, &text, err);
	if (rc)
		return rc;
	if (snprintf(temp, sizeof(temp), "%s.new", path) >= (int)sizeof(temp)) {
		free(text);
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", path);
	}
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	rc = fd < 0 ? -errno : write_all(fd, text, strlen(text));
	if (!rc)
		rc = write_all(fd, "\n", 1);
	if (!rc && (fsync(fd) || rename(temp, path)))
		rc = -errno;
	free(text);
	if (fd >= 0)
		close(fd);
	if (rc) {
		unlink(temp);
		return err_sys(err, rc, "%s cannot be written", path);
	}
	return 0;
}
